//! A server without authentication that holds a project and a Logstore, and bytes on a socket.

use std::net::SocketAddr;
use std::time::Duration;

use mock_sls::{Auth, Config, Limits, MockSls, Running};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything here may take; ends a test that hangs.
pub const HANG: Duration = Duration::from_secs(120);

/// An answer as text: status line, headers and body.
#[derive(Debug)]
pub struct Answer(pub String);

impl Answer {
    /// Status, or 0 if the connection ended without an answer.
    pub fn status(&self) -> u16 {
        self.0.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    /// `errorCode` of the body; empty without one.
    pub fn code(&self) -> &str {
        let after = self.0.split_once(r#""errorCode":""#).map(|(_, rest)| rest);
        after.and_then(|rest| rest.split('"').next()).unwrap_or_default()
    }

    /// Status and code.
    pub fn shown(&self) -> String {
        format!("{} {}", self.status(), self.code())
    }
}

pub async fn start(limits: Limits) -> Running {
    let server = MockSls::start(Config { auth: Auth::Off, limits, ..Config::default() }).await.unwrap();
    let project = r#"{"projectName":"proj-a","description":""}"#;
    assert_eq!(post(server.addr(), "/", project.as_bytes(), "").await.shown(), "200 ");
    let store = r#"{"logstoreName":"ls","ttl":1,"shardCount":1,"enable_tracking":true}"#;
    assert_eq!(post(server.addr(), "/logstores", store.as_bytes(), "").await.shown(), "200 ");
    server
}

/// Writes these bytes and reads until the server closes.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> Answer {
    let talk = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        Answer(String::from_utf8_lossy(&answer).into_owned())
    };
    tokio::time::timeout(HANG, talk).await.expect("an answer")
}

/// A request with further header lines, each ended by CR LF.
pub fn request(method: &str, target: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: proj-a.localhost\r\nconnection: close\r\n\
         content-length: {}\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

pub async fn post(address: SocketAddr, target: &str, body: &[u8], headers: &str) -> Answer {
    exchange(address, &request("POST", target, headers, body)).await
}

pub async fn get(address: SocketAddr, target: &str) -> Answer {
    exchange(address, &request("GET", target, "", b"")).await
}

/// An ordinary request is answered as ever.
pub async fn still_serves(server: &Running) {
    assert_eq!(get(server.addr(), "/logstores/ls").await.shown(), "200 ");
}
