//! Bodies that lie about themselves.

use std::fmt::Write as _;
use std::net::SocketAddr;

use mock_sls::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wire::{Program, answers, exchange, post, start, still_serves};

/// Largest body, compressed or not.
const BODY_BYTES_MAX: usize = 10_485_760;
/// What a refused body may leave in memory at most; the bombs here unpack to gigabytes.
#[cfg(target_os = "linux")]
const GROWTH_KIB_MAX: u64 = 300 * 1024;

async fn put(server: SocketAddr, body: &[u8], compression: &str, raw_size: usize) -> String {
    let headers = format!(
        "content-type: application/x-protobuf\r\nx-log-compresstype: {compression}\r\n\
         x-log-bodyrawsize: {raw_size}\r\n"
    );
    post(server, "/logstores/ls/shards/lb", body, &headers).await.shown()
}

async fn put_plain(server: SocketAddr, body: &[u8]) -> String {
    let headers = "content-type: application/x-protobuf\r\n";
    post(server, "/logstores/ls/shards/lb", body, headers).await.shown()
}

/// The server has not taken more than a refused body may.
#[cfg(target_os = "linux")]
fn has_not_grown(server: &Program, before: u64) {
    let grown = server.peak_kib() - before;
    assert!(grown < GROWTH_KIB_MAX, "{grown} KiB");
}

/// One LogGroup of one log with one field.
const GROUP: &[u8] = b"\x0a\x0e\x08\x80\xe2\xcf\xaa\x06\x12\x06\x0a\x01k\x12\x01v";

#[tokio::test]
async fn a_whole_group_is_taken_and_every_cut_of_it_refused() {
    let server = start(Limits::default()).await;
    assert_eq!(put_plain(server.addr(), GROUP).await, "200 ");
    for length in 1..GROUP.len() {
        let got = put_plain(server.addr(), &GROUP[..length]).await;
        assert_eq!(got, "400 PostBodyInvalid", "{length} bytes");
    }
    still_serves(&server).await;
}

#[tokio::test]
async fn a_wrong_raw_size_is_refused_in_every_compression() {
    let server = start(Limits::default()).await;
    // One literal run.
    let lz4 = [&[0xf0, 1][..], GROUP].concat();
    assert_eq!(put(server.addr(), &lz4, "lz4", GROUP.len()).await, "200 ");
    for wrong in [0, 1, GROUP.len() - 1, GROUP.len() + 1, BODY_BYTES_MAX] {
        let got = put(server.addr(), &lz4, "lz4", wrong).await;
        assert_eq!(got, "400 PostBodyUncompressError", "lz4 {wrong}");
    }
    for compression in ["lz4", "zstd", "deflate"] {
        assert_eq!(
            put(server.addr(), b"\xff\xfe nonsense", compression, 100).await,
            "400 PostBodyUncompressError"
        );
        assert_eq!(put(server.addr(), b"x", compression, BODY_BYTES_MAX + 1).await, "413 PostBodyTooLarge");
    }
    assert_eq!(put(server.addr(), b"x", "rar", 1).await, "400 InvalidCompressType");
    still_serves(&server).await;
}

#[tokio::test]
async fn bombs_are_not_unpacked() {
    let server = Program::start().await;
    #[cfg(target_os = "linux")]
    let before = server.peak_kib();
    // A literal, then a match whose length each further byte extends by 255: 2.6 GB.
    let mut lz4 = vec![0xff; BODY_BYTES_MAX];
    lz4[..5].copy_from_slice(&[0x1f, b'a', 1, 0, 0xff]);
    assert_eq!(put(server.address, &lz4, "lz4", BODY_BYTES_MAX).await, "400 PostBodyUncompressError");
    // A frame with a window of 128 KiB and blocks that repeat one byte so often: 4 GB.
    let mut zstd = b"\x28\xb5\x2f\xfd\x00\x38".to_vec();
    for _ in 0..32_768 {
        zstd.extend_from_slice(&[0x02, 0x00, 0x10, b'a']);
    }
    assert_eq!(put(server.address, &zstd, "zstd", BODY_BYTES_MAX).await, "400 PostBodyUncompressError");
    #[cfg(target_os = "linux")]
    has_not_grown(&server, before);
    answers(server.address).await;
}

#[tokio::test]
async fn a_group_of_empty_parts_is_refused_before_it_takes_thirty_times_its_size() {
    let server = Program::start().await;
    #[cfg(target_os = "linux")]
    let before = server.peak_kib();
    for empty_part in [b"\x0a\x00", b"\x32\x00"] {
        let body = empty_part.repeat(BODY_BYTES_MAX / 2);
        assert_eq!(put_plain(server.address, &body).await, "400 PostBodyInvalid");
    }
    #[cfg(target_os = "linux")]
    has_not_grown(&server, before);
    answers(server.address).await;
}

#[tokio::test]
async fn json_of_empty_parts_is_refused_before_it_takes_many_times_its_size() {
    let server = Program::start().await;
    #[cfg(target_os = "linux")]
    let before = server.peak_kib();
    let body = format!("{{\"__logs__\":[{}{{}}]}}", "{},".repeat(BODY_BYTES_MAX / 3 - 10));
    let json = "content-type: application/json\r\n";
    for target in ["/logstores/ls/track", "/logstores/ls/shards/lb"] {
        let got = post(server.address, target, body.as_bytes(), json).await.shown();
        assert_eq!(got, "400 PostBodyInvalid", "{target}");
    }
    #[cfg(target_os = "linux")]
    has_not_grown(&server, before);
    answers(server.address).await;
}

#[tokio::test]
async fn two_gigabytes_are_refused_by_their_announcement() {
    let server = start(Limits::default()).await;
    let head = "POST /logstores/ls/shards/lb HTTP/1.1\r\nhost: proj-a.localhost\r\n\
                content-length: 2147483648\r\n\r\n";
    let answer = exchange(server.addr(), head.as_bytes()).await;
    assert_eq!(answer.shown(), "413 PostBodyTooLarge");
    still_serves(&server).await;
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_the_limit() {
    let server = start(Limits::default()).await;
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    let head = "POST /logstores/ls/shards/lb HTTP/1.1\r\nhost: proj-a.localhost\r\n\
                transfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let chunk = [b"10000\r\n".as_slice(), &[0; 0x1_0000], b"\r\n"].concat();
    let writing = tokio::spawn(async move {
        let mut sent = 0_usize;
        while write.write_all(&chunk).await.is_ok() {
            sent += chunk.len();
        }
        sent
    });
    let mut answer = [0; 4096];
    let length = read.read(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer[..length]);
    assert!(text.starts_with("HTTP/1.1 413") && text.contains("PostBodyTooLarge"), "{text}");
    drop(read);
    let sent = writing.await.unwrap();
    assert!(sent < 4 * BODY_BYTES_MAX, "{sent}");
    still_serves(&server).await;
}

#[tokio::test]
async fn deep_json_is_refused_wherever_json_is_read() {
    let server = start(Limits::default()).await;
    let mut deep = String::new();
    for _ in 0..200_000 {
        deep.push_str(r#"{"a":["#);
    }
    for (target, code) in [
        ("/logstores", "400 LogStoreInfoInvalid"),
        ("/logstores/ls/index", "400 IndexInfoInvalid"),
        ("/logstores/ls/logs", "400 ParameterInvalid"),
        ("/logstores/ls/track", "400 PostBodyInvalid"),
        ("/machinegroups", "400 InvalidParameter"),
        ("/configs", "400 InvalidParameter"),
    ] {
        let got = post(server.addr(), target, deep.as_bytes(), "").await.shown();
        assert_eq!(got, code, "{target}");
    }
    still_serves(&server).await;
}

#[tokio::test]
async fn absurd_numbers_are_refused_and_never_a_failure_of_the_server() {
    let server = start(Limits::default()).await;
    let numbers = [
        "-1",
        "-9223372036854775808",
        "9223372036854775808",
        "1e400",
        "99999999999999999999999",
        "\"7\"",
        "null",
    ];
    let mut seen = String::new();
    for number in numbers {
        for body in [
            format!(r#"{{"logstoreName":"other","ttl":{number},"shardCount":1}}"#),
            format!(r#"{{"logstoreName":"other","ttl":1,"shardCount":{number}}}"#),
            format!(r#"{{"logstoreName":"other","ttl":1,"shardCount":1,"maxSplitShard":{number}}}"#),
        ] {
            let answer = post(server.addr(), "/logstores", body.as_bytes(), "").await;
            assert!(answer.status() < 500, "{body}: {}", answer.0);
        }
        for key in ["from", "to", "line", "offset"] {
            let rest = [("from", "1"), ("to", "2"), ("line", "3"), ("offset", "0")];
            let rest =
                rest.map(|(name, value)| format!(r#""{name}":{}"#, if name == key { number } else { value }));
            let body = format!(r#"{{"query":"*",{}}}"#, rest.join(","));
            let answer = post(server.addr(), "/logstores/ls/logs", body.as_bytes(), "").await;
            assert!((200..500).contains(&answer.status()), "{body}: {}", answer.0);
            writeln!(seen, "{key} {number} {}", answer.shown()).unwrap();
        }
    }
    assert!(seen.contains("from 1e400 400 "), "{seen}");
    still_serves(&server).await;
}
