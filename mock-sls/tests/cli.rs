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
fn the_key_pair_of_the_environment_is_used_unless_there_are_accounts() {
    let started = |args: &[&str], variable: &str| {
        let args = [&["serve", "--listen", "127.0.0.1:0", "-o", "json"], args].concat();
        let mut child = mock_sls(&args).env("MOCK_SLS_ACCESS_KEY", variable).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let _served = Served(child);
        serde_json::from_str::<Value>(&line).unwrap_or_default()["accessKeyId"].clone()
    };
    assert_eq!(started(&[], "from-env:hush"), "from-env");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("accounts.json");
    let text =
        r#"{"accounts":[{"accountId":"1","keys":[{"accessKeyId":"from-file","accessKeySecret":"hush"}]}]}"#;
    std::fs::write(&file, text).unwrap();
    assert_eq!(started(&["--accounts", file.to_str().unwrap()], "from-env:hush"), "from-file");
    assert_eq!(started(&[], "nonsense"), Value::Null);
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

#[test]
fn the_port_is_written_to_a_file_for_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("port");
    let (_served, line) = Served::start(&["-o", "json", "--port-file", file.to_str().unwrap()]);
    let started: Value = serde_json::from_str(&line).unwrap();
    let port = std::fs::read_to_string(file).unwrap();
    assert_eq!(started["endpoint"], format!("http://127.0.0.1:{}", port.trim()));
}

#[test]
fn accounts_come_from_a_file_or_an_error_says_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("accounts.json");
    let path = file.to_str().unwrap();
    let good = r#"{"accounts":[{"accountId":"42","keys":[{"accessKeyId":"a","accessKeySecret":"hush"}]}]}"#;
    std::fs::write(&file, good).unwrap();
    let (_served, line) = Served::start(&["-o", "json", "--accounts", path]);
    let started: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&started["accessKeyId"], &started["accessKeySecret"]), (&"a".into(), &Value::Null));
    std::fs::write(&file, good.replace("42", "me")).unwrap();
    let output = mock_sls(&["serve", "--accounts", path]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(path) && said.contains("accountId \"me\" is not a decimal number"), "{said}");
}

#[test]
fn tls_is_announced_and_its_authority_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let (_served, line) =
        Served::start(&["-o", "json", "--tls-listen", "127.0.0.1:0", "--tls-ca", file.to_str().unwrap()]);
    let started: Value = serde_json::from_str(&line).unwrap();
    assert!(started["httpsEndpoint"].as_str().unwrap().starts_with("https://127.0.0.1:"));
    assert!(std::fs::read_to_string(file).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
}

#[test]
fn env_prints_what_to_set_for_each_client() {
    let output = mock_sls(&["env", "--address", "127.0.0.1:9", "-o", "json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["variables"]["HTTP_PROXY"], "http://127.0.0.1:9");
    let clients: Vec<&str> = told["clients"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(clients, ["shell", "python", "go", "java", "node", "rust", "cli", "docker"]);
    let shell = mock_sls(&["env"]).output().unwrap();
    assert!(String::from_utf8_lossy(&shell.stdout).starts_with("export HTTP_PROXY=http://127.0.0.1:8080\n"));
}
