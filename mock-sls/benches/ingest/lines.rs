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
        let (log, bytes) = log(&mut random, group.logs.len());
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
    let logs = (0..lines).map(|number| log(&mut random, number).0).collect();
    Ok(CompressedLogs::from_group(&LogGroup { logs, ..LogGroup::default() }, Compression::Lz4)?)
}

/// Lines of nginx that the document's expression matches, on average 270 bytes long: an address, a
/// session and several numbers that are new on each line, and the agents and pages of a site's visitors.
pub fn log(random: &mut fastrand::Rng, number: usize) -> (Log, u64) {
    const METHODS: [&str; 6] = ["GET", "GET", "GET", "POST", "PUT", "HEAD"];
    const PAGES: [&str; 6] = [
        "/",
        "/api/v2/basket/positions",
        "/assets/fonts/source-sans-regular.woff2",
        "/account/orders/history",
        "/catalog/garden/tools/spades",
        "/media/2026/autumn/cover-1920x1080.webp",
    ];
    const STATUS: [&str; 7] = ["200", "200", "200", "204", "301", "404", "502"];
    const REFERRERS: [&str; 4] = [
        "-",
        "https://shop.example.com/catalog/garden",
        "https://www.example.org/search?q=spade&page=3",
        "https://news.example.net/letters/week-48",
    ];
    const AGENTS: [&str; 6] = [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
        "curl/8.11.0",
        "kube-probe/1.31",
    ];
    fn one<'a>(random: &mut fastrand::Rng, of: &[&'a str]) -> &'a str {
        of[random.usize(..of.len())]
    }
    let (minute, second, millisecond) = (number / 60_000 % 60, number / 1_000 % 60, number % 1_000);
    let url = format!(
        "{}?order={:08}&session={:016x}",
        one(random, &PAGES),
        random.u32(..100_000_000),
        random.u64(..)
    );
    let fields = [
        ("time", format!("28/Nov/2026:10:{minute:02}:{second:02}.{millisecond:03}")),
        ("ip", format!("{}.{}.{}.{}", random.u8(1..224), random.u8(..), random.u8(..), random.u8(..))),
        ("method", one(random, &METHODS).to_owned()),
        ("url", url),
        ("protocol", "HTTP/1.1".to_owned()),
        ("latency", format!("{}.{:03}", random.u8(..3), random.u16(..1000))),
        ("payload", random.u32(..20_000).to_string()),
        ("status", one(random, &STATUS).to_owned()),
        ("response-size", random.u32(..1_000_000).to_string()),
        ("referrer", one(random, &REFERRERS).to_owned()),
        ("user-agent", one(random, &AGENTS).to_owned()),
    ];
    let text = text(&fields, random.u16(..1000)).len() as u64;
    let contents = fields.into_iter().map(|(key, value)| Content::new(key, value)).collect();
    (Log { time: SECOND, contents, time_ns: None }, text)
}

/// The line in its file, with its end.
fn text(fields: &[(&str, String); 11], upstream: u16) -> String {
    let [time, ip, method, url, protocol, latency, payload, status, size, referrer, agent] =
        fields.each_ref().map(|(_, value)| value);
    format!(
        "{time} {ip} - - \"{method} {url} {protocol}\" {latency} {payload} {status} {size} {referrer} \"{agent}\" \
         \"-\" up=0.{upstream:03}\n"
    )
}
