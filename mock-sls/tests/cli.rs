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

/// The first page of a console, head and body.
fn first_page(url: &str) -> String {
    use std::io::Write;
    let authority = url.trim_start_matches("http://").split('/').next().unwrap();
    let mut stream = std::net::TcpStream::connect(authority).unwrap();
    let path = url.split_once(authority).map_or("/", |(_, path)| path);
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn started(args: &[&str]) -> (Served, Value) {
    let (served, line) = Served::start(&[&["-o", "json"], args].concat());
    (served, serde_json::from_str(&line).unwrap())
}

#[test]
fn the_console_is_served_on_loopback_unless_it_is_not_wanted() {
    let (_served, told) = started(&[]);
    let url = told["console"].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with('/'), "{url}");
    assert!(first_page(url).starts_with("HTTP/1.1 200"));
    let (_served, told) = started(&["--no-console"]);
    assert_eq!(told["console"], Value::Null);
    let (_served, told) = started(&["--console", "127.0.0.1:0"]);
    assert!(first_page(told["console"].as_str().unwrap()).starts_with("HTTP/1.1 200"));
}

#[test]
fn the_console_takes_the_port_beside_that_of_the_api_if_it_is_free() {
    // Others may take ports meanwhile, so some are tried.
    let beside = (0..20).any(|_| {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let Some(next) = port.checked_add(1) else { return false };
        let args = ["serve", "--listen", &format!("127.0.0.1:{port}"), "-o", "json"];
        let mut child = mock_sls(&args).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let _served = Served(child);
        let told: Value = serde_json::from_str(&line).unwrap_or_default();
        told["console"] == format!("http://127.0.0.1:{next}/")
    });
    assert!(beside);
    // Where that port is taken, another serves as well: nobody asked for it.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let before = taken.local_addr().unwrap().port() - 1;
    if std::net::TcpListener::bind(("127.0.0.1", before)).is_ok() {
        let (_served, line) = Served::start(&["-o", "json", "--listen", &format!("127.0.0.1:{before}")]);
        let told: Value = serde_json::from_str(&line).unwrap_or_default();
        assert_ne!(told["console"], format!("http://127.0.0.1:{}/", before + 1));
    }
}

#[test]
fn the_consoles_token_is_that_of_option_or_variable_and_is_never_printed() {
    for by_variable in [false, true] {
        let mut command = mock_sls(&["serve", "--listen", "127.0.0.1:0", "-o", "json"]);
        if by_variable {
            command.env("MOCK_SLS_CONSOLE_TOKEN", "hush");
        } else {
            command.args(["--console-token", "hush"]);
        }
        let mut served = Served(command.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(served.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let url = told["console"].as_str().unwrap();
        assert!(first_page(url).starts_with("HTTP/1.1 401"));
        assert!(first_page(&format!("{url}?token=hush")).starts_with("HTTP/1.1 303"));
        served.end_with("-TERM");
        let mut said = line.clone();
        served.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        served.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!said.contains("hush"), "{said}");
    }
}

#[test]
fn a_console_for_other_machines_gets_a_token_that_is_printed_once() {
    let (_served, told) = started(&["--console", "0.0.0.0:0"]);
    let url = told["console"].as_str().unwrap();
    let (base, token) = url.split_once("?token=").expect("a token");
    assert!(base.starts_with("http://localhost:") && token.len() >= 32, "{url}");
    assert!(first_page(base).starts_with("HTTP/1.1 401"));
    assert!(first_page(url).starts_with("HTTP/1.1 303"));
}

#[test]
fn the_console_shows_a_cluster_if_one_is_named() {
    let (_served, told) = started(&["--cluster", "http://127.0.0.1:1"]);
    let url = told["console"].as_str().unwrap();
    let page = first_page(&format!("{url}cluster"));
    assert!(page.contains("kubectl proxy"), "{page}");
    let (_served, told) = started(&[]);
    assert!(!first_page(told["console"].as_str().unwrap()).contains("href=\"/cluster\""));
}

#[test]
fn options_of_the_console_that_make_no_sense_are_refused() {
    for (args, code) in [
        (&["--no-console", "--console"][..], 2),
        (&["--no-console", "--console-token", "t"], 2),
        (&["--no-console", "--cluster", "http://127.0.0.1:1"], 2),
        (&["--console", "nowhere"], 2),
        (&["--console-token", ""], 1),
        (&["--cluster", "https://127.0.0.1:1"], 2),
        (&["--cluster", "127.0.0.1:8001"], 2),
        (&["--cluster", "http://127.0.0.1:8001/api"], 2),
    ] {
        let args = [&["serve", "--listen", "127.0.0.1:0"], args].concat();
        let output = mock_sls(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _held = std::net::TcpListener::bind(taken).unwrap();
    let output =
        mock_sls(&["serve", "--listen", "127.0.0.1:0", "--console", &taken.to_string()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("cannot listen on {taken}")), "{said}");
}
