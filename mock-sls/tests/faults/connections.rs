//! Faults that end a connection or let it wait.

use std::sync::Arc;

use mock_sls::{Auth, Config, Tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::bed::{Bed, HANG, PUT, Seen, group, request, rest};

async fn end_of(stream: TcpStream) -> Seen {
    tokio::time::timeout(HANG, rest(stream)).await.expect("an end")
}

#[tokio::test]
async fn a_reset_before_the_commit_loses_the_logs_and_one_after_it_only_the_answer() {
    for (when, logs, status) in [("before", 0, None), ("after", 1, Some(200))] {
        let bed = Bed::start().await;
        let rule = json!({ "when": { "operation": "write" }, "what": { "reset": when }, "times": 1 });
        let name = bed.fault(rule);
        let seen = bed.put().await;
        assert!(seen.reset && seen.text.is_empty(), "{when}: {seen:?}");
        // The entry is there as soon as the client knows.
        let entry = bed.writes().await.remove(0);
        assert_eq!((entry.status, entry.lost, entry.faults), (status, true, vec![name]), "{when}");
        assert_eq!(entry.bytes_in, group(1_700_000_000).len() as u64);
        assert_eq!(bed.found().await, logs, "{when}");
        assert_eq!(bed.put().await.status(), 200);
        assert_eq!(bed.found().await, logs + 1, "{when}");
    }
}

#[tokio::test]
async fn a_hang_ends_without_answer_when_its_time_is_over_or_it_is_removed() {
    let bed = Bed::start().await;
    bed.fault(json!({ "what": { "hang": { "max_ms": 50 } }, "times": 1 }));
    let seen = bed.put().await;
    assert!(seen.text.is_empty() && !seen.reset, "{seen:?}");

    let fault = bed.server.fault(Bed::rule(json!({ "what": { "hang": {} } }))).unwrap();
    let hanging = bed.put_and_wait().await;
    drop(fault);
    let seen = end_of(hanging).await;
    assert!(seen.text.is_empty() && !seen.reset, "{seen:?}");
    assert_eq!(bed.found().await, 0);
}

#[tokio::test]
async fn a_server_that_stops_waits_for_no_hang() {
    let bed = Bed::start().await;
    bed.fault(json!({ "what": { "hang": {} } }));
    let hanging = bed.put_and_wait().await;
    let began = std::time::Instant::now();
    bed.server.shutdown().await;
    // Connections that do not end are cut after ten seconds.
    assert!(began.elapsed().as_secs() < 10);
    assert_eq!(end_of(hanging).await.text, "");
}

#[tokio::test]
async fn a_client_that_leaves_a_hang_is_in_the_journal_without_status() {
    let bed = Bed::start().await;
    bed.fault(json!({ "name": "h", "what": { "hang": {} } }));
    let hanging = bed.put_and_wait().await;
    assert_eq!(bed.writes().await.len(), 0);
    drop(hanging);
    let entry = bed.write_after(0).await;
    assert_eq!((entry.status, entry.lost, entry.faults), (None, true, vec!["h".to_owned()]));
    assert_eq!(entry.wrote, None);
}

#[tokio::test]
async fn a_delay_comes_before_the_handler_and_ends_with_its_rule() {
    let bed = Bed::start().await;
    bed.fault(json!({ "what": { "delay_ms": { "min": 30, "max": 40 } }, "times": 1 }));
    assert_eq!(bed.put().await.status(), 200);
    assert!(bed.writes().await[0].micros >= 30_000);

    let rule = json!({ "name": "slow", "when": { "operation": "write" }, "what": { "delay_ms": 600_000 } });
    bed.fault(rule);
    let delayed = bed.put_and_wait().await;
    assert_eq!(bed.found().await, 1);
    assert!(bed.server.remove_fault("slow") && !bed.server.remove_fault("slow"));
    assert_eq!(end_of(delayed).await.status(), 200);
    assert_eq!(bed.found().await, 2);
}

fn trusting(pem: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn a_reset_reaches_through_tls_and_through_a_tunnel() {
    let tls = Some(Tls { listen: ([127, 0, 0, 1], 0).into(), ca: None });
    let bed = Bed::with(Config { auth: Auth::Off, tls, ..Config::default() }).await;
    bed.fault(json!({ "when": { "operation": "write" }, "what": { "reset": "before" } }));
    let connector = trusting(bed.server.ca_certificate().unwrap());
    let endpoint = bed.server.https_endpoint().unwrap();

    let direct = TcpStream::connect(endpoint.trim_start_matches("https://")).await.unwrap();
    let mut tunnel = TcpStream::connect(bed.address()).await.unwrap();
    tunnel
        .write_all(b"CONNECT proj-a.localhost:443 HTTP/1.1\r\nhost: proj-a.localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 1024];
    let length = tunnel.read(&mut answer).await.unwrap();
    assert!(answer[..length].ends_with(b"\r\n\r\n"), "the head of the answer comes at once");

    for stream in [direct, tunnel] {
        let name = ServerName::try_from("proj-a.localhost").unwrap();
        let mut stream = connector.connect(name, stream).await.unwrap();
        stream.write_all(&request("POST", PUT, "", &group(1))).await.unwrap();
        let seen = tokio::time::timeout(HANG, rest(stream)).await.expect("an end");
        assert!(seen.text.is_empty() && seen.reset, "{seen:?}");
    }
    assert!(bed.writes().await.iter().all(|entry| entry.lost));
}
