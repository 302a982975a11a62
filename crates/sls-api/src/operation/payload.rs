//! Bodies on the wire: bytes plus the headers that say what they are.
//!
//! This and the PutLogs/PullLogs bodies are the only places that know of content types,
//! compression headers and raw sizes, for both directions.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use std::fmt;

use super::shape::{self, Shape};
use crate::{
    codec::{self, CodecError, Compression},
    header,
};

/// Largest uncompressed JSON or log body that is accepted, in bytes. Source: own bound; a
/// PullLogs answer holds up to 1000 groups, so it may exceed a PutLogs body several times.
pub const REPLY_RAW_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A body with the headers that belong to it.
#[derive(Clone, Default)]
pub struct Payload {
    /// Headers of the message; outgoing: those the body needs.
    pub headers: HeaderMap,
    /// The body as sent.
    pub bytes: Bytes,
}

/// Shows sizes only: headers may hold a security token, bodies hold people's logs.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("headers", &self.headers.len())
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// A body that is not what its operation expects.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or JSON of another shape.
    #[error("the body is not the JSON that is expected here: {0}")]
    Json(#[from] serde_json::Error),
    /// Not protobuf, or another message.
    #[error("the body is not a valid protobuf message: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// So many logs, fields and tags that decoding would take much more memory than the body.
    #[error("the body has {parts} logs, fields and tags, more than {limit}: send less at once")]
    TooManyParts {
        /// How many there are.
        parts: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Cannot be decompressed.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A `batch_group` body of too many packages.
    #[error("the batch has {packages} log groups: send at most {} at once", crate::ops::logs::PACKAGES_MAX)]
    TooManyPackages {
        /// How many there are.
        packages: usize,
    },
    /// A header that the body needs is missing or unreadable.
    #[error("header {name} {problem}")]
    Header {
        /// Name of the header.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl DecodeError {
    pub(crate) fn header(name: &'static str, problem: impl Into<String>) -> Self {
        Self::Header { name, problem: problem.into() }
    }
}

/// A request or answer body.
pub trait WireBody: Sized + Send {
    /// Writes the body and the headers that describe it.
    fn to_payload(&self) -> Payload;

    /// Reads the body.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes or headers are not those of this body.
    fn from_payload(payload: Payload) -> Result<Self, DecodeError>;

    /// What it looks like, for descriptions of the API.
    #[must_use]
    fn shape() -> Shape;
}

impl Payload {
    /// A body of the given content type (one of the constants of [`header`]).
    #[must_use]
    pub fn new(content_type: &'static str, bytes: Bytes) -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { headers, bytes }
    }

    /// Text of a header; none when it is absent, empty or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?.to_str().ok()?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// Sets a header to printable text; other characters are replaced by `?`, because header
    /// values must not carry raw bytes.
    pub fn set_header(&mut self, name: &'static str, value: &str) {
        let safe: String =
            value.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect();
        if let Ok(value) = HeaderValue::try_from(safe) {
            self.headers.insert(name, value);
        }
    }

    /// The header parsed as a number or other simple value.
    ///
    /// # Errors
    /// [`DecodeError::Header`] when it is present but does not parse.
    pub fn parsed_header<T: std::str::FromStr>(&self, name: &'static str) -> Result<Option<T>, DecodeError> {
        self.header(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| DecodeError::header(name, format!("has the unreadable value {text:?}")))
            })
            .transpose()
    }

    /// The compression named by the headers.
    ///
    /// # Errors
    /// [`CodecError::Unsupported`].
    pub fn compression(&self) -> Result<Compression, CodecError> {
        self.header(header::COMPRESS_TYPE).unwrap_or_default().parse()
    }

    /// The body before compression: shared when it was not compressed, else unpacked up to
    /// `limit` bytes. `x-log-bodyrawsize` counts only with a compression: clients send 0 or
    /// nothing with plain JSON. Source: captures of the Python and Java SDKs.
    ///
    /// # Errors
    /// [`DecodeError`] when the size is missing, too large, or the data is broken.
    pub fn raw(&self, limit: usize) -> Result<Bytes, DecodeError> {
        let compression = self.compression()?;
        if compression == Compression::None {
            let raw_size = self.bytes.len();
            if raw_size > limit {
                return Err(CodecError::TooLarge { raw_size, limit }.into());
            }
            return Ok(self.bytes.clone());
        }
        let raw_size = self.parsed_header(header::BODY_RAW_SIZE)?.ok_or_else(|| {
            DecodeError::header(header::BODY_RAW_SIZE, "is missing: it must give the size before compression")
        })?;
        Ok(codec::decompress(&self.bytes, compression, raw_size, limit)?.into())
    }

    /// The same body compressed, with the headers that say so. An empty body and
    /// [`Compression::None`] leave it as it is.
    ///
    /// # Errors
    /// [`CodecError::Compress`].
    pub fn compressed(mut self, compression: Compression) -> Result<Self, CodecError> {
        let Some(name) = compression.header_value() else {
            return Ok(self);
        };
        if self.bytes.is_empty() {
            return Ok(self);
        }
        let mut packed = Vec::new();
        codec::compress(&self.bytes, compression, &mut packed)?;
        self.set_header(header::COMPRESS_TYPE, name);
        self.headers.insert(header::BODY_RAW_SIZE, HeaderValue::from(self.bytes.len()));
        self.bytes = packed.into();
        Ok(self)
    }
}

/// No body and no content type. Reading ignores what is there: some clients send a body where
/// none belongs (the Node SDK with DeleteProject).
impl WireBody for () {
    fn to_payload(&self) -> Payload {
        Payload::default()
    }
    fn from_payload(_: Payload) -> Result<Self, DecodeError> {
        Ok(())
    }
    fn shape() -> Shape {
        Shape::Nothing
    }
}

/// A JSON body. The content type is not looked at when reading: the Java SDK posts JSON as
/// `application/x-protobuf`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Json<T>(pub T);

impl<T: Serialize + DeserializeOwned + Send> WireBody for Json<T> {
    fn to_payload(&self) -> Payload {
        // Our wire types are structs with text keys: serializing them cannot fail.
        let bytes = serde_json::to_vec(&self.0).unwrap_or_default();
        Payload::new(header::JSON, bytes.into())
    }
    fn from_payload(payload: Payload) -> Result<Self, DecodeError> {
        let raw = payload.raw(REPLY_RAW_BYTES_MAX)?;
        Ok(Self(serde_json::from_slice(&raw)?))
    }
    fn shape() -> Shape {
        Shape::Json(shape::schema::<T>())
    }
}

/// A body that is handed on as text; clients take it for JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(pub String);

impl WireBody for Text {
    fn to_payload(&self) -> Payload {
        Payload::new(header::JSON, self.0.clone().into_bytes().into())
    }
    fn from_payload(payload: Payload) -> Result<Self, DecodeError> {
        let raw = payload.raw(REPLY_RAW_BYTES_MAX)?;
        let text = String::from_utf8_lossy(&raw).into_owned();
        Ok(Self(text))
    }
    fn shape() -> Shape {
        Shape::Json(serde_json::json!({}))
    }
}

/// For fields where `null` means "not given": the Go SDK sends it for every empty list.
///
/// # Errors
/// Those of the value itself.
pub(crate) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_shows_no_header_and_no_body() {
        let mut payload = Payload::new(header::JSON, "the body".into());
        payload.set_header(header::SECURITY_TOKEN, "the token");
        assert_eq!(format!("{payload:?}"), "Payload { headers: 2, bytes: 8 }");
    }

    #[test]
    fn a_json_answer_may_be_compressed() {
        let sent = Json(vec!["x".repeat(1000)]);
        let packed = sent.to_payload().compressed(Compression::Lz4).unwrap();
        assert!(packed.bytes.len() < 100);
        assert_eq!(Json::from_payload(packed).unwrap(), sent);
        let plain = sent.to_payload().compressed(Compression::None).unwrap();
        assert_eq!(plain.header(header::BODY_RAW_SIZE), None, "the Go SDK insists on it");
    }

    #[test]
    fn the_raw_size_of_plain_json_does_not_matter() {
        let mut payload = Json(1).to_payload();
        payload.set_header(header::BODY_RAW_SIZE, "0");
        assert_eq!(Json::<i32>::from_payload(payload).unwrap(), Json(1));
    }

    #[test]
    fn header_values_stay_printable() {
        let mut payload = Payload::default();
        payload.set_header(header::CURSOR, "a\r\nb中");
        assert_eq!(payload.header(header::CURSOR), Some("a??b?"));
    }

    #[test]
    fn an_unknown_compression_names_the_known_ones() {
        let mut payload = Json(1).to_payload();
        payload.set_header(header::COMPRESS_TYPE, "snappy");
        let e = Json::<i32>::from_payload(payload).unwrap_err();
        assert!(e.to_string().ends_with("use lz4, zstd or deflate, or leave it out"), "{e}");
    }
}
