//! A server without authentication that holds a project and a Logstore, and bytes on a socket, so that
//! a test sees what came and how it ended.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use mock_sls::clock::Clock;
use mock_sls::{Auth, Config, MockSls, Running};
use serde_json::Value;
use sls_expect::fault::Rule;
use sls_expect::journal::{Entry, Filter};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything here may take; ends a test that hangs.
pub const HANG: Duration = Duration::from_secs(120);

/// Where logs are written.
pub const PUT: &str = "/logstores/ls/shards/lb";

/// One LogGroup of one log with the field `k` and the topic `t`, at a second.
pub fn group(second: u32) -> Vec<u8> {
    let mut varint = Vec::new();
    let mut rest = second;
    while rest >= 0x80 {
        varint.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    varint.push(rest as u8);
    let log = [b"\x08".as_slice(), &varint, b"\x12\x06\x0a\x01k\x12\x01v"].concat();
    [&[0x0a, log.len() as u8], log.as_slice(), b"\x1a\x01t"].concat()
}

/// What came of a request.
#[derive(Debug)]
pub struct Seen {
    pub text: String,
    /// Whether the connection was reset instead of closed.
    pub reset: bool,
}

impl Seen {
    pub fn status(&self) -> u16 {
        self.text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    pub fn head(&self) -> &str {
        self.text.split("\r\n\r\n").next().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head().lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(self.body()).unwrap_or_default()
    }
}

/// A server with the Logstore `ls` in `proj-a`, which has an index of the field `k`.
pub struct Bed {
    pub server: Running,
}

impl Bed {
    pub async fn start() -> Self {
        Self::with(Config { auth: Auth::Off, ..Config::default() }).await
    }

    pub async fn at(clock: Clock) -> Self {
        Self::with(Config { auth: Auth::Off, clock, ..Config::default() }).await
    }

    pub async fn with(config: Config) -> Self {
        let bed = Self { server: MockSls::start(config).await.unwrap() };
        for (target, body) in [
            ("/", r#"{"projectName":"proj-a","description":""}"#),
            ("/logstores", r#"{"logstoreName":"ls","ttl":1,"shardCount":1}"#),
            ("/logstores/ls/index", r#"{"keys":{"k":{"type":"text","token":[" "]}},"line":{"token":[" "]}}"#),
        ] {
            assert_eq!(bed.send("POST", target, "", body.as_bytes()).await.status(), 200, "{target}");
        }
        bed.server.clear_journal();
        bed
    }

    pub fn address(&self) -> SocketAddr {
        self.server.addr()
    }

    pub fn rule(json: Value) -> Rule {
        serde_json::from_value(json).unwrap()
    }

    /// Adds a fault that stays.
    pub fn fault(&self, json: Value) -> String {
        self.server.fault(Self::rule(json)).unwrap().keep()
    }

    pub async fn send(&self, method: &str, target: &str, headers: &str, body: &[u8]) -> Seen {
        exchange(self.address(), &request(method, target, headers, body)).await
    }

    pub async fn get(&self, target: &str) -> Seen {
        self.send("GET", target, "", b"").await
    }

    /// Writes one log of this second.
    pub async fn put_at(&self, second: u32) -> Seen {
        self.send("POST", PUT, "content-type: application/x-protobuf\r\n", &group(second)).await
    }

    pub async fn put(&self) -> Seen {
        self.put_at(1_700_000_000).await
    }

    /// A write that has been sent and on which the last fault acts.
    pub async fn put_and_wait(&self) -> TcpStream {
        let acted = || self.server.faults().last().map(|fault| fault.acted);
        let before = acted();
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        stream.write_all(&request("POST", PUT, "", &group(1))).await.unwrap();
        while acted() == before {
            tokio::task::yield_now().await;
        }
        stream
    }

    /// How many logs a query finds.
    pub async fn found(&self) -> u64 {
        let answer = self.get("/logstores/ls?type=histogram&from=0&to=4000000000&query=").await;
        let buckets = answer.json();
        buckets.as_array().unwrap().iter().map(|bucket| bucket["count"].as_u64().unwrap()).sum()
    }

    /// The entries of writes.
    pub async fn writes(&self) -> Vec<Entry> {
        let filter = Filter { operation: Some("write".to_owned()), ..Filter::default() };
        self.server.journal(&filter).await.unwrap().entries
    }

    /// The next entry of a write after a number; waits for it.
    pub async fn write_after(&self, since: u64) -> Entry {
        let filter = Filter {
            operation: Some("write".to_owned()),
            since: Some(since),
            follow_ms: Some(60_000),
            ..Filter::default()
        };
        self.server.journal(&filter).await.unwrap().entries.remove(0)
    }
}

/// A request with further header lines, each ended by CR LF.
pub fn request(method: &str, target: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: proj-a.localhost\r\nconnection: close\r\nuser-agent: test/1\r\n\
         content-length: {}\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Writes these bytes and reads until the server ends the connection.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> Seen {
    let talk = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        rest(stream).await
    };
    tokio::time::timeout(HANG, talk).await.expect("an end")
}

/// Everything that comes yet.
pub async fn rest(mut stream: impl AsyncRead + Unpin) -> Seen {
    let mut answer = Vec::new();
    let reset = match stream.read_to_end(&mut answer).await {
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
        Err(error) => panic!("neither an end nor a reset: {error}"),
    };
    Seen { text: String::from_utf8_lossy(&answer).into_owned(), reset }
}
