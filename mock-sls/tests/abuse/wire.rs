//! A server without authentication that holds a project and a Logstore, and bytes on a socket.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
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
    prepare(server.addr()).await;
    server
}

async fn prepare(server: SocketAddr) {
    let project = r#"{"projectName":"proj-a","description":""}"#;
    assert_eq!(post(server, "/", project.as_bytes(), "").await.shown(), "200 ");
    let store = r#"{"logstoreName":"ls","ttl":1,"shardCount":1,"enable_tracking":true}"#;
    assert_eq!(post(server, "/logstores", store.as_bytes(), "").await.shown(), "200 ");
}

/// The same server as a process of its own, whose memory is nobody else's.
pub struct Program {
    child: Child,
    pub address: SocketAddr,
}

impl Program {
    pub async fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mock-sls"))
            .args(["serve", "--listen", "127.0.0.1:0", "--auth", "off", "-o", "json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let started: serde_json::Value = serde_json::from_str(&line).unwrap();
        let endpoint = started["endpoint"].as_str().unwrap();
        let address = endpoint.strip_prefix("http://").unwrap().parse().unwrap();
        let program = Self { child, address };
        prepare(address).await;
        program
    }

    /// Most memory that it has held so far, in KiB. Only Linux tells.
    #[cfg(target_os = "linux")]
    pub fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already, which the test has noticed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
    answers(server.addr()).await;
}

/// The same for any server.
pub async fn answers(server: SocketAddr) {
    assert_eq!(get(server, "/logstores/ls").await.shown(), "200 ");
}
