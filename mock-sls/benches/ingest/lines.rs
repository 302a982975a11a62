//! Log groups of access lines as a collector makes them of the document's example: 11 fields a line.

use anyhow::Result;
use sls_api::codec::Compression;
use sls_api::log_group::{Content, Log, LogGroup};
use sls_api::ops::logs::CompressedLogs;

/// Second of every line.
pub const SECOND: u32 = 1_700_000_000;

/// A body and what is in it.
pub struct Body {
    pub logs: CompressedLogs,
    pub lines: u64,
    /// Bytes of the lines in their file, with their ends.
    pub text_bytes: u64,
}

/// A body of as many lines as fit into `raw_bytes` of protobuf; `seed` tells it from others.
pub fn body(seed: u64, raw_bytes: usize) -> Result<Body> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut group = LogGroup { source: Some("10.0.0.1".to_owned()), ..LogGroup::default() };
    let mut text_bytes = 0;
    // Counted as they come: encoding the group each time would take quadratic time.
    let mut raw = 0;
    while raw < raw_bytes {
        let (log, bytes) = log(&mut random);
        raw += prost::Message::encoded_len(&log) + 3;
        text_bytes += bytes;
        group.logs.push(log);
    }
    let lines = group.logs.len() as u64;
    Ok(Body { logs: CompressedLogs::from_group(&group, Compression::Lz4)?, lines, text_bytes })
}

/// A body of so many lines.
pub fn small_body(seed: u64, lines: usize) -> Result<CompressedLogs> {
    let mut random = fastrand::Rng::with_seed(seed);
    let logs = (0..lines).map(|_| log(&mut random).0).collect();
    Ok(CompressedLogs::from_group(&LogGroup { logs, ..LogGroup::default() }, Compression::Lz4)?)
}

fn log(random: &mut fastrand::Rng) -> (Log, u64) {
    const AGENTS: [&str; 4] = [
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.5 Safari/605.1.15",
        "curl/8.5.0",
        "Go-http-client/2.0",
    ];
    const METHODS: [&str; 4] = ["GET", "GET", "POST", "PUT"];
    const STATUS: [&str; 5] = ["200", "200", "304", "404", "502"];
    let one = |random: &mut fastrand::Rng, of: &[&str]| of[random.usize(..of.len())].to_owned();
    let fields = [
        (
            "time",
            format!("28/Nov/2026:{:02}:{:02}:{:02} +0800", random.u8(..24), random.u8(..60), random.u8(..60)),
        ),
        ("ip", format!("10.{}.{}.{}", random.u8(..), random.u8(..), random.u8(..))),
        ("method", one(random, &METHODS)),
        ("url", format!("/api/v1/orders/{}?session={:016x}", random.u32(..100_000), random.u64(..))),
        ("protocol", "HTTP/1.1".to_owned()),
        ("latency", format!("0.{:03}", random.u16(..1000))),
        ("payload", random.u32(..5_000).to_string()),
        ("status", one(random, &STATUS)),
        ("response-size", random.u32(..100_000).to_string()),
        ("referrer", format!("https://shop.example.com/catalog/{}", random.u16(..500))),
        ("user-agent", one(random, &AGENTS)),
    ];
    // In the file: blanks, quotes and brackets as nginx writes them.
    let text = fields.iter().map(|(_, value)| value.len() as u64 + 1).sum::<u64>() + 10;
    let contents = fields.into_iter().map(|(key, value)| Content::new(key, value)).collect();
    (Log { time: SECOND, contents, time_ns: None }, text)
}
