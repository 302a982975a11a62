//! Heads that no client writes.

use mock_sls::Limits;

use super::wire::{exchange, get, request, start, still_serves};

#[tokio::test]
async fn a_header_that_counts_must_not_be_there_twice() {
    let server = start(Limits::default()).await;
    for header in [
        "host: proj-b.localhost",
        "x-log-project: proj-a\r\nx-log-project: proj-b",
        "authorization: LOG a:b\r\nauthorization: LOG c:d",
        "x-log-bodyrawsize: 1\r\nX-Log-BodyRawSize: 2",
    ] {
        let bytes = request("GET", "/logstores/ls", &format!("{header}\r\n"), b"");
        let answer = exchange(server.addr(), &bytes).await;
        assert_eq!(answer.shown(), "400 ParameterInvalid", "{header}");
        assert!(answer.0.contains("is given more than once"), "{}", answer.0);
    }
    let lengths = request("POST", "/logstores", "content-length: 7\r\n", b"");
    assert_eq!(exchange(server.addr(), &lengths).await.status(), 400);
    still_serves(&server).await;
}

#[tokio::test]
async fn no_path_leads_out_of_the_api() {
    let server = start(Limits::default()).await;
    for path in [
        "/../../etc/passwd",
        "/logstores/../../etc/passwd",
        "/logstores/%2e%2e%2f%2e%2e%2fetc",
        "/logstores/ls%00",
        "/logstores/ls%2Fshards",
        "/logstores/%FF%FE",
        "/logstores/ls'--",
        "/logstores/%C0%AF",
        "//logstores//ls",
        "/logstores/ls/../ls",
        "/logstores/LS",
        "/logstores/%",
        "/logstores/%zz",
        "*",
        "/%2F",
    ] {
        let answer = get(server.addr(), path).await;
        assert!((400..500).contains(&answer.status()), "{path}: {}", answer.0);
    }
    still_serves(&server).await;
}

#[tokio::test]
async fn bytes_that_are_no_text_do_no_harm() {
    let server = start(Limits::default()).await;
    for (at, bytes) in [
        ("target", &b"GET /logstores/\xff HTTP/1.1\r\nhost: proj-a.localhost\r\nconnection: close\r\n\r\n"[..]),
        ("host", b"GET /logstores HTTP/1.1\r\nhost: \xff\xfe.localhost\r\nconnection: close\r\n\r\n"),
        ("project", b"GET /logstores HTTP/1.1\r\nhost: a\r\nx-log-project: \xe4\xb8\r\nconnection: close\r\n\r\n"),
        ("authorization", b"GET / HTTP/1.1\r\nhost: a\r\nauthorization: LOG \xff:\xff\r\nconnection: close\r\n\r\n"),
        ("query", b"GET /logstores/ls?type=log&from=%ff&to=%fe HTTP/1.1\r\nhost: proj-a.localhost\r\nconnection: close\r\n\r\n"),
        ("nothing", b"\r\n\r\n\0\0\0\0 not HTTP at all \r\n\r\n"),
        ("method", b"G\0T / HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    ] {
        let answer = exchange(server.addr(), bytes).await;
        assert!(answer.status() < 500, "{at}: {}", answer.0);
    }
    still_serves(&server).await;
}

#[tokio::test]
async fn heads_beyond_measure_are_refused() {
    let server = start(Limits::default()).await;
    let target = format!("/logstores/{}", "a".repeat(100_000));
    assert!((400..500).contains(&get(server.addr(), &target).await.status()));
    let query = format!("/logstores/ls/track?k={}", "a".repeat(20_000));
    assert_eq!(get(server.addr(), &query).await.shown(), "400 ParameterInvalid");
    let many: String = (0..1_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let answer = exchange(server.addr(), &request("GET", "/logstores/ls", &many, b"")).await;
    assert_eq!(answer.status(), 431);
    let long = format!("x-long: {}\r\n", "y".repeat(2_000_000));
    let answer = exchange(server.addr(), &request("GET", "/logstores/ls", &long, b"")).await;
    assert!(answer.status() == 431 || answer.status() == 0, "{}", answer.0);
    still_serves(&server).await;
}

#[tokio::test]
async fn unknown_requests_are_counted_in_bounded_memory() {
    let server = start(Limits::default()).await;
    for n in 0..300 {
        assert_eq!(get(server.addr(), &format!("/unknown/{n}")).await.shown(), "400 NotSupported");
    }
    let table = get(server.addr(), "/_mock/v1/operations").await.0;
    assert!(table.matches("/unknown/").count() < 300 && table.contains("further ones"));
}
