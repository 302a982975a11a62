//! What a request sent besides its path, kept for who looks at the journal in the console. Kept only while a console
//! is served, as it came, and within a bound of its own: the journal goes further back than this does.

use axum::body::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use sls_api::header;

use super::shorten;

/// Bytes of a body that is kept; of a larger one only the size is (own choice: above what collectors send at once).
const BODY_BYTES_MAX: usize = 512 << 10;
/// Memory for all of this together, bytes (own choice: a few thousand ordinary writes).
pub(super) const ALL_BYTES_MAX: usize = 16 << 20;
/// Bytes of a query string that are kept (own choice: a long SQL statement).
const QUERY_BYTES_MAX: usize = 8 << 10;
/// Bytes of a header's value that are kept (own choice).
const HEADER_BYTES_MAX: usize = 200;

/// Query string and body of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// Query string as on the wire.
    pub query: String,
    /// `Content-Type`.
    pub content_type: String,
    /// `x-log-compresstype`; empty if the body is not compressed.
    pub compression: String,
    /// `x-log-bodyrawsize`: bytes before compression.
    pub raw_bytes: String,
    /// The body as on the wire; empty if it was too large to be kept.
    pub body: Bytes,
}

impl Sent {
    /// Of a request whose body has not come yet.
    pub fn new(query: Option<&str>, headers: &HeaderMap) -> Self {
        let text = |name: &str| {
            let value = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
            short(&value.unwrap_or_default(), HEADER_BYTES_MAX)
        };
        Self {
            query: short(query.unwrap_or_default(), QUERY_BYTES_MAX),
            content_type: text(CONTENT_TYPE.as_str()),
            compression: text(header::COMPRESS_TYPE),
            raw_bytes: text(header::BODY_RAW_SIZE),
            body: Bytes::new(),
        }
    }

    /// The body has come.
    pub fn came(&mut self, body: &Bytes) {
        if body.len() <= BODY_BYTES_MAX {
            self.body = body.clone();
        }
    }

    /// Memory that it takes, bytes, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + [&self.query, &self.content_type, &self.compression, &self.raw_bytes]
                .iter()
                .map(|text| text.capacity())
                .sum::<usize>()
            + self.body.len()
    }
}

fn short(text: &str, bytes_max: usize) -> String {
    let mut text = text.to_owned();
    shorten(&mut text, bytes_max);
    text
}
