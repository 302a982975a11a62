//! A collector that reaches nothing but through an HTTP proxy, which is all that knows the names of its servers.

mod control_support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use control_support::{ConfigServer, Container, config_to, eventually, reports, updates};
use sls_api::agent::ConfigStatus;

/// Guard against a client that does not end its request.
const HANG: Duration = Duration::from_secs(60);

/// Hands requests for the config server on, answers those for the data endpoint itself, and keeps their heads.
struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(config_server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&heads);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let noted = Arc::clone(&noted);
                // It ends with the connection; a broken one is the collector's to try again.
                std::thread::spawn(move || client.and_then(|client| serve(client, config_server, &noted)));
            }
        });
        Self { address, heads }
    }

    fn heads_with(&self, beginning: &str) -> Vec<String> {
        self.heads.lock().unwrap().iter().filter(|head| head.starts_with(beginning)).cloned().collect()
    }
}

/// One request after the other of one client.
fn serve(
    mut client: TcpStream,
    config_server: SocketAddr,
    heads: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    client.set_read_timeout(Some(HANG))?;
    let mut received = Vec::new();
    loop {
        let (head, body) = read_request(&mut client, &mut received)?;
        heads.lock().unwrap().push(head.clone());
        if head.starts_with("POST http://config.invalid:8899/") {
            let mut server = TcpStream::connect(config_server)?;
            let head = head.replacen("http://config.invalid:8899", "", 1);
            let head = head.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1);
            server.write_all(head.as_bytes())?;
            server.write_all(&body)?;
            let mut answer = Vec::new();
            server.read_to_end(&mut answer)?;
            return client.write_all(&answer);
        }
        client.write_all(b"HTTP/1.1 200 OK\r\nx-log-requestid: 1\r\ncontent-length: 0\r\n\r\n")?;
    }
}

fn read_request(client: &mut TcpStream, received: &mut Vec<u8>) -> std::io::Result<(String, Vec<u8>)> {
    loop {
        let text = String::from_utf8_lossy(received).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            let head = text[..end + 4].to_owned();
            let length = head.to_lowercase();
            let length = length.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            // Bodies are binary: their place is counted in bytes of the head, which is ASCII.
            if received.len() >= end + 4 + length {
                let rest = received.split_off(end + 4 + length);
                let body = std::mem::replace(received, rest).split_off(end + 4);
                return Ok((head, body));
            }
        }
        let mut chunk = [0; 4096];
        let read = client.read(&mut chunk)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        received.extend_from_slice(&chunk[..read]);
    }
}

#[test]
fn heartbeats_and_logs_go_through_the_proxy_and_its_password_shows_nowhere() {
    let server =
        ConfigServer::start(|beat| updates(beat, &[config_to("error", 1, "http://sls.invalid:8080")]));
    let proxy = Proxy::start(server.address);
    let mut container = Container::new();
    container.configure(&["config.invalid:8899"]);
    container.set("HTTP_PROXY", &format!("http://me:s3cret@{}", proxy.address));
    container.write("/var/log/error.log", "a line\n");
    let collector = container.start();
    server.wait_for("the config", |beat| reports(beat, "error", 1, ConfigStatus::Applied));
    let put = eventually("a request for the data endpoint", || {
        proxy.heads_with("POST http://sls.invalid:8080/logstores/nginx-error/shards/lb ").pop()
    });
    let put = put.to_lowercase();
    assert!(put.contains("x-log-project: k8s-nginx-sidecar-demo\r\n"), "{put}");
    for head in
        [put, proxy.heads_with("POST http://config.invalid:8899/Agent/Heartbeat ").remove(0).to_lowercase()]
    {
        assert!(head.contains("proxy-authorization: basic bwu6cznjcmv0\r\n"), "{head}");
    }
    let log = collector.log();
    let (code, out) = collector.stop();
    assert_eq!(code, Some(0), "{out}");
    assert!(!log.contains("s3cret") && !log.contains("HTTP_PROXY has no effect"), "{log}");
}

#[test]
fn a_proxy_that_is_away_is_named_and_what_is_excepted_does_not_need_it() {
    let server = ConfigServer::start(|beat| updates(beat, &[]));
    let mut container = Container::new();
    container.configure(&[&server.address.to_string()]);
    container.set("all_proxy", "http://me:s3cret@127.0.0.1:1");
    let collector = container.start();
    collector.wait_for_log("cannot connect to the proxy 127.0.0.1:1 (");
    assert!(!collector.log().contains("s3cret"), "{}", collector.log());
    drop(collector);
    container.set("NO_PROXY", "localhost,127.0.0.0/8");
    let collector = container.start();
    server.wait_for("number 0", |beat| beat.sequence_num == 0);
    assert_eq!(collector.stop().0, Some(0));
}
