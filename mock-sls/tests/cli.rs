//! The program as users and scripts run it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

fn mock_sls(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-sls"));
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A server that is ended with the test.
struct Served(Child);

impl Served {
    /// Starts and returns the first line as well.
    fn start(args: &[&str]) -> (Self, String) {
        let mut child = mock_sls(&[&["serve", "--listen", "127.0.0.1:0"], args].concat()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        (Self(child), line)
    }

    fn end_with(&mut self, signal: &str) -> ExitStatus {
        let sent = Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.0.wait().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_serves_until_a_signal_and_then_exits_with_success() {
    for signal in ["-TERM", "-INT"] {
        let (mut served, line) = Served::start(&["-o", "json"]);
        let started: Value = serde_json::from_str(&line).unwrap();
        assert!(started["endpoint"].as_str().unwrap().starts_with("http://127.0.0.1:"));
        assert_eq!(started["accessKeyId"], "mockAccessKeyId");
        assert_eq!(started["accessKeySecret"], "mockAccessKeySecret");
        assert_eq!(served.end_with(signal).code(), Some(0));
    }
}

#[test]
fn a_secret_of_the_user_is_never_printed() {
    let (mut served, first) = Served::start(&["--access-key", "my-id:hush"]);
    served.end_with("-TERM");
    let mut rest = first;
    served.0.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
    served.0.stderr.take().unwrap().read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("hush"), "{rest}");
}

#[test]
fn an_address_in_use_is_an_error_with_exit_code_1() {
    let (_served, line) = Served::start(&["-o", "json"]);
    let started: Value = serde_json::from_str(&line).unwrap();
    let address = started["endpoint"].as_str().unwrap().trim_start_matches("http://");
    let output = mock_sls(&["serve", "--listen", address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with(&format!("mock-sls: cannot listen on {address}")), "{said}");
}

#[test]
fn wrong_arguments_are_an_error_with_exit_code_2() {
    for args in [&["serve", "--access-key", "no-colon"][..], &["serve", "--listen", "nowhere"], &["fly"]] {
        let output = mock_sls(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}
