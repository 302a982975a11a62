//! The captured requests of `fixtures/exchanges`.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use std::{fs, path::PathBuf, sync::OnceLock};

/// A request as it arrived on the wire.
#[derive(Clone)]
pub struct Captured {
    /// Name of its file.
    pub file: String,
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub status: u16,
    pub response: (HeaderMap, Bytes),
}

#[derive(Deserialize)]
struct Raw {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body_hex: String,
    response: RawResponse,
}

#[derive(Deserialize)]
struct RawResponse {
    status: u16,
    headers: serde_json::Map<String, serde_json::Value>,
    body_hex: String,
}

/// Directory of the captures.
pub fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/exchanges")
}

/// All captured requests, by file name; read once.
pub fn all() -> &'static [Captured] {
    static ALL: OnceLock<Vec<Captured>> = OnceLock::new();
    ALL.get_or_init(|| {
        let entries = fs::read_dir(directory()).expect("fixtures/exchanges");
        let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("entry").path()).collect();
        paths
            .retain(|p| p.extension().is_some_and(|e| e == "json") && !p.ends_with("signature-vectors.json"));
        paths.sort();
        paths.into_iter().map(read).collect()
    })
}

fn read(path: PathBuf) -> Captured {
    let file = path.file_stem().expect("name").to_string_lossy().into_owned();
    let text = fs::read_to_string(&path).expect("readable");
    let raw: Raw = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
    let response_headers = raw.response.headers.iter();
    let response_headers =
        response_headers.map(|(name, value)| (name.as_str(), value.as_str().expect("text")));
    Captured {
        method: raw.method.parse().expect("method"),
        path: raw.path,
        query: raw.query,
        headers: headers(raw.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        body: unhex(&raw.body_hex),
        status: raw.response.status,
        response: (headers(response_headers), unhex(&raw.response.body_hex)),
        file,
    }
}

pub fn headers<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    pairs
        .map(|(name, value)| {
            let name: HeaderName = name.parse().expect("header name");
            (name, HeaderValue::from_str(value).expect("header value"))
        })
        .collect()
}

pub fn unhex(text: &str) -> Bytes {
    let digit_pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex");
    digit_pairs.map(byte).collect::<Vec<u8>>().into()
}
