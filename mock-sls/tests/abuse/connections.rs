//! Connections that are opened and left, or fed byte by byte. Each test sets limits that are
//! reached at once and waits for what the server does, not for a time.

use std::time::Duration;

use mock_sls::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wire::{HANG, exchange, request, start, still_serves};

/// So few that a test reaches it.
const FEW: usize = 20;
/// Many times as many as the server keeps.
const MANY: usize = 15 * FEW;

/// Long enough for an ordinary request on a busy machine, short enough to wait for.
const SOON: Duration = Duration::from_secs(3);

fn few() -> Limits {
    Limits { connections: FEW, ..Limits::default() }
}

/// Resolves when the server has closed the connection; returns what it said before.
async fn closed(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    let read = tokio::time::timeout(HANG, stream.read_to_end(&mut said)).await;
    // A reset is an end as well.
    let _ = read.expect("the server closes the connection");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn connections_that_say_nothing_give_way() {
    let server = start(few()).await;
    let mut idle = Vec::new();
    for _ in 0..MANY {
        idle.push(TcpStream::connect(server.addr()).await.unwrap());
    }
    still_serves(&server).await;
    // Those that waited longest were closed, whatever they wait for.
    for stream in idle.drain(..MANY - 2 * FEW) {
        assert_eq!(closed(stream).await, "");
    }
    still_serves(&server).await;
}

#[tokio::test]
async fn half_a_head_keeps_nobody_out() {
    let server = start(few()).await;
    let mut slow = Vec::new();
    for _ in 0..MANY / 3 {
        let mut stream = TcpStream::connect(server.addr()).await.unwrap();
        stream.write_all(b"GET /logstores/ls HTTP/1.1\r\nhost: proj-a.lo").await.unwrap();
        slow.push(stream);
    }
    still_serves(&server).await;
}

#[tokio::test]
async fn half_a_body_keeps_nobody_out() {
    let server = start(few()).await;
    let whole = request("POST", "/logstores/ls/shards/lb", "", &[0; 1000]);
    let mut slow = Vec::new();
    for _ in 0..MANY / 3 {
        let mut stream = TcpStream::connect(server.addr()).await.unwrap();
        stream.write_all(&whole[..whole.len() - 500]).await.unwrap();
        slow.push(stream);
    }
    still_serves(&server).await;
}

#[tokio::test]
async fn a_head_that_does_not_come_in_time_ends_the_connection() {
    let server = start(Limits { header_time: SOON, ..Limits::default() }).await;
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
    let said = closed(stream).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    still_serves(&server).await;
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_told_so() {
    let server = start(Limits { body_time: SOON, ..Limits::default() }).await;
    let whole = request("POST", "/logstores/ls/shards/lb", "", &[0; 1000]);
    let answer = exchange(server.addr(), &whole[..whole.len() - 1]).await;
    assert_eq!(answer.shown(), "500 RequestTimeout");
    still_serves(&server).await;
}
