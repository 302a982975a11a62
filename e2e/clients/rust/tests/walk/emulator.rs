//! The emulator that `MOCK_SLS_BIN` names, on a free port, as the HTTP proxy of this process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

pub const KEY_ID: &str = "mockAccessKeyId";
pub const KEY_SECRET: &str = "mockAccessKeySecret";
/// A made-up name: the emulator is the proxy that all plain-http names lead to.
pub const ENDPOINT: &str = "http://sls.test";

pub struct Emulator {
    process: Child,
    address: String,
}

impl Emulator {
    /// Must be called before the first client is made: reqwest reads the variable then.
    pub fn start() -> Self {
        let program = std::env::var("MOCK_SLS_BIN")
            .expect("set MOCK_SLS_BIN to the emulator, e.g. target/debug/mock-sls");
        let mut process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "-o", "json", "--endpoint-host", "sls.test"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the emulator starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: serde_json::Value = serde_json::from_str(&line).expect("the emulator answers");
        let endpoint = started["endpoint"].as_str().unwrap();
        std::env::set_var("HTTP_PROXY", endpoint);
        std::env::set_var("http_proxy", endpoint);
        std::env::remove_var("NO_PROXY");
        std::env::remove_var("no_proxy");
        Self { process, address: endpoint.trim_start_matches("http://").to_owned() }
    }
}

impl Drop for Emulator {
    /// Leaves the counts of calls for the table if a folder is named for them.
    fn drop(&mut self) {
        if let Ok(folder) = std::env::var("MOCK_SLS_OPERATIONS_DIR") {
            let mut stream = TcpStream::connect(&self.address).unwrap();
            stream.write_all(b"GET /_mock/v1/operations HTTP/1.0\r\nhost: localhost\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let body = answer.split_once("\r\n\r\n").unwrap().1;
            std::fs::write(format!("{folder}/rust-{}.json", std::process::id()), body).unwrap();
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
