//! TLS on a port of its own, and in the tunnel of a client that uses the server as its proxy.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use mock_sls::{Auth, Config, MockSls, Running, Tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

async fn server(ca: Option<PathBuf>) -> Running {
    let tls = Some(Tls { listen: "127.0.0.1:0".parse().unwrap(), ca });
    MockSls::start(Config { auth: Auth::Off, tls, ..Config::default() }).await.unwrap()
}

fn trusting(pem: Option<&str>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    if let Some(pem) = pem {
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

fn name(host: &str) -> ServerName<'static> {
    ServerName::try_from(host.to_owned()).unwrap()
}

/// Sends a request for the project in the host name and returns the whole answer.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, host: &str) -> String {
    let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The end of TLS may be missing; the answer has a length.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn connect_tls(server: &Running) -> TcpStream {
    let endpoint = server.https_endpoint().unwrap();
    TcpStream::connect(endpoint.trim_start_matches("https://")).await.unwrap()
}

#[tokio::test]
async fn every_host_name_has_a_certificate_of_the_authority() {
    let server = server(None).await;
    let connector = trusting(server.ca_certificate());
    for host in ["proj-a.cn-hangzhou.log.aliyuncs.com", "proj-b.sls.test", "localhost", "127.0.0.1"] {
        let stream = connector.connect(name(host), connect_tls(&server).await).await.unwrap();
        let answer = ask(stream, host).await;
        let missing = host.starts_with("proj-").then(|| host.split('.').next().unwrap());
        match missing {
            Some(project) => assert!(answer.contains(&format!("does not exist: {project}")), "{answer}"),
            None => assert!(answer.contains(r#""projects":[]"#), "{answer}"),
        }
    }
}

#[tokio::test]
async fn connect_leads_to_the_server_itself_by_tls() {
    let server = server(None).await;
    let connector = trusting(server.ca_certificate());
    let host = "proj-a.cn-hangzhou.log.aliyuncs.com";
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    let asked = format!("CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n");
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut granted = Vec::new();
    while !granted.ends_with(b"\r\n\r\n") {
        granted.push(stream.read_u8().await.unwrap());
    }
    assert!(granted.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&granted));
    let answer = ask(connector.connect(name(host), stream).await.unwrap(), host).await;
    assert!(answer.contains("The Project does not exist: proj-a"), "{answer}");
}

#[tokio::test]
async fn who_does_not_trust_the_authority_does_not_connect() {
    let server = server(None).await;
    let refused = trusting(None).connect(name("localhost"), connect_tls(&server).await).await;
    assert!(refused.unwrap_err().to_string().contains("UnknownIssuer"));
    let accepted =
        trusting(server.ca_certificate()).connect(name("localhost"), connect_tls(&server).await).await;
    assert!(accepted.is_ok());
}

#[tokio::test]
async fn a_later_start_has_the_authority_that_clients_trust_already() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    server(Some(file.clone())).await.shutdown().await;
    let trusted = std::fs::read_to_string(&file).unwrap();
    let key = std::fs::metadata(folder.path().join("ca.pem.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let again = server(Some(file)).await;
    let stream = trusting(Some(&trusted)).connect(name("localhost"), connect_tls(&again).await).await;
    assert!(stream.is_ok());
}

#[tokio::test]
async fn an_unusable_key_file_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(folder.path().join("ca.pem.key"), "not a key").unwrap();
    let tls = Some(Tls { listen: "127.0.0.1:0".parse().unwrap(), ca: Some(file) });
    let error = MockSls::start(Config { tls, ..Config::default() }).await.unwrap_err().to_string();
    assert!(error.contains("ca.pem.key") && error.contains("remove it"), "{error}");
}

#[tokio::test]
async fn no_tls_is_served_unless_asked_for() {
    let server = MockSls::start(Config::default()).await.unwrap();
    assert_eq!((server.https_endpoint(), server.ca_certificate()), (None, None));
}
