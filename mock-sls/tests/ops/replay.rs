//! The requests of official SDKs, as captured on the wire, against a running server whose clock
//! stands at the date that each request was signed with.
//!
//! `replay.txt` says how each was answered. A request that is not tier A may be unknown; a
//! tier A request must be answered with 200 or with an error that its operation documents.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;
use mock_sls::clock::Clock;
use mock_sls::{Account, Auth, Config, DEFAULT_ACCOUNT_ID, MockSls, Running};
use serde::Deserialize;
use sls_api::operation::Tier;
use sls_api::sign::AccessKey;

use super::raw::{self, Answer};
use super::transcript;

/// Where the captured requests lie.
const EXCHANGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/exchanges");
/// Captured requests there; fewer means that some were lost.
const EXCHANGES_MIN: usize = 236;

/// Error codes that would mean that the emulator does not understand a client.
const MISUNDERSTOOD: [&str; 10] = [
    "SignatureNotMatch",
    "Unauthorized",
    "RequestTimeExpired",
    "InvalidDateFormat",
    "PostBodyInvalid",
    "PostBodyUncompressError",
    "InvalidBodyRawSize",
    "IndexInfoInvalid",
    "LogStoreInfoInvalid",
    "InternalServerError",
];

/// A captured request.
#[derive(Deserialize)]
struct Exchange {
    method: String,
    request_target: String,
    headers: Vec<(String, String)>,
    body_hex: String,
}

impl Exchange {
    fn headers(&self) -> HeaderMap {
        let header = |(name, value): &(String, String)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        };
        self.headers.iter().map(header).collect()
    }

    /// When it was signed.
    fn date(&self) -> Timestamp {
        let headers = self.headers();
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        let date = text("x-log-date").or_else(|| text("date")).unwrap();
        let basic = || DateTime::strptime("%Y%m%dT%H%M%SZ", date).unwrap().to_zoned(TimeZone::UTC);
        DateTimeParser::new().parse_timestamp(date).unwrap_or_else(|_| basic().unwrap().timestamp())
    }

    fn request(&self) -> Request<Vec<u8>> {
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(self.request_target.as_str())
            .body(unhex(&self.body_hex))
            .unwrap();
        *request.headers_mut() = self.headers();
        request
    }

    /// Whether no project stands before the endpoint in the host name.
    fn is_for_account(&self) -> bool {
        !self.headers()[HOST].to_str().unwrap().starts_with("proj-a.")
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).unwrap() as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// The captures by client, in the order in which they were made.
fn exchanges() -> Vec<(String, Vec<PathBuf>)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(EXCHANGES)
        .expect("the captured requests")
        .map(|entry| entry.unwrap().path())
        .filter(|path| client_of(path).is_some())
        .collect();
    files.sort();
    assert!(files.len() >= EXCHANGES_MIN, "only {} captured requests", files.len());
    let mut clients: Vec<(String, Vec<PathBuf>)> = Vec::new();
    for file in files {
        let client = client_of(&file).unwrap();
        match clients.last_mut() {
            Some((last, files)) if *last == client => files.push(file),
            _ => clients.push((client, vec![file])),
        }
    }
    clients
}

/// `go-v1` of `go-v1-03-get_root.json`; none for files that are no capture.
fn client_of(path: &Path) -> Option<String> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".json")?;
    let (client, rest) = stem.match_indices('-').find_map(|(at, _)| {
        let (client, rest) = stem.split_at(at);
        let number = rest.get(1..3)?;
        number.bytes().all(|b| b.is_ascii_digit()).then_some((client, rest))
    })?;
    (!rest.is_empty()).then(|| client.to_owned())
}

async fn server(clock: Clock) -> Running {
    let key = AccessKey::new("testAccessKeyId", "testAccessKeySecret");
    let config = Config {
        accounts: vec![Account { uid: DEFAULT_ACCOUNT_ID.to_owned(), keys: vec![key.into()] }],
        auth: Auth::Strict,
        endpoint_hosts: vec!["sls.test".to_owned()],
        clock,
        ..Config::default()
    };
    MockSls::start(config).await.expect("the server starts")
}

#[tokio::test]
async fn every_captured_request_is_understood() {
    let mut table = String::new();
    let mut problems = String::new();
    for (client, files) in exchanges() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let server = server(clock.clone()).await;
        for file in files {
            let name = file.file_stem().unwrap().to_str().unwrap();
            let exchange: Exchange = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            if name.ends_with("rust-v1-01-get_root") {
                make_what_the_rust_capture_expects(&server, &clock).await;
            }
            clock.set(exchange.date());
            let answer = raw::send(server.addr(), exchange.request()).await;
            let code = answer.error_code();
            writeln!(table, "{name} {} {code}", answer.status.as_u16()).unwrap();
            if let Some(problem) = problem(&exchange, &answer) {
                writeln!(problems, "{name}: {problem}: {}", answer.text()).unwrap();
            }
        }
        assert!(!client.is_empty());
    }
    assert!(problems.is_empty(), "{problems}");
    let trimmed: Vec<&str> = table.lines().map(str::trim_end).collect();
    expect_file!["replay.txt"].assert_eq(&(trimmed.join("\n") + "\n"));
}

fn problem(exchange: &Exchange, answer: &Answer) -> Option<&'static str> {
    let code = answer.error_code();
    let unknown = code == "NotSupported" || code == "InvalidMethod";
    if MISUNDERSTOOD.contains(&code.as_str()) {
        return Some("misunderstood");
    }
    let tier = transcript::operation(&exchange.request(), exchange.is_for_account()).map(|meant| meant.tier);
    if unknown && tier == Some(Tier::A) {
        return Some("a tier A operation is unknown");
    }
    if answer.status != 200 && code.is_empty() {
        return Some("an error without a code");
    }
    None
}

/// The Rust capture begins with reading; the other captures make what they read.
async fn make_what_the_rust_capture_expects(server: &Running, clock: &Clock) {
    let made_by = ["node-v1-01-post_root", "node-v1-03-post_logstores", "node-v1-07-post_logstores_ls_index"];
    for name in made_by {
        let file = Path::new(EXCHANGES).join(format!("{name}.json"));
        let exchange: Exchange = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        clock.set(exchange.date());
        assert_eq!(raw::send(server.addr(), exchange.request()).await.status, 200, "{name}");
    }
}
