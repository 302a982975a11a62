//! Request signatures, both directions: `sls-client` signs, `mock-sls` verifies.
//!
//! Two schemes: v1 (`LOG id:base64`, HMAC-SHA1 or HMAC-SHA256 over selected headers) and v4
//! (`SLS4-HMAC-SHA256 Credential=…,Signature=hex`). Paths and queries are the raw wire text: a
//! normalised path would not verify. Source of everything here: captures of 236 requests of the
//! Python, Go, Java, Node and Rust SDKs and the CLI, which the tests replay.

mod canonical;
mod date;
mod digest;
mod v1;
mod v4;
mod verify;

pub use digest::{Md5, md5_of_each};
pub use verify::{CLOCK_WINDOW, Policy, Verified, VerifyError, claimed, verify};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, DATE},
};
use jiff::Timestamp;
use md5::Digest as _;
use std::fmt;

use crate::header;
use canonical::Headers;

/// Text that must not be seen: neither `Debug` nor `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for signing and for sending.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}
impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A key pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// AccessKey id; travels in the clear.
    pub id: String,
    /// AccessKey secret; never travels.
    pub secret: Secret,
}

impl AccessKey {
    /// A key pair.
    pub fn new(id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self { id: id.into(), secret: secret.into() }
    }
}

/// Which scheme to sign with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SignVersion {
    /// Scheme v1 with HMAC-SHA1, the default of every SDK.
    #[default]
    V1,
    /// Scheme v4.
    V4 {
        /// Region id, e.g. `cn-hangzhou`; part of the signature.
        region: String,
    },
}

/// Scheme of a received signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// v1 with HMAC-SHA1.
    V1Sha1,
    /// v1 with HMAC-SHA256.
    V1Sha256,
    /// v4.
    V4,
}

/// What of a request is signed besides the body.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// HTTP method.
    pub method: &'a Method,
    /// Path as on the wire, still escaped.
    pub path: &'a str,
    /// Query as on the wire, without the `?`, still escaped.
    pub query: &'a str,
    /// Headers; for v4 the one named `host` must be there.
    pub headers: &'a HeaderMap,
}

/// A request that cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The id or token holds characters that no header can carry.
    #[error(
        "the {what} contains characters that cannot be sent in a header: check the credentials file for stray blanks or line breaks"
    )]
    Unprintable {
        /// Which one.
        what: &'static str,
    },
}

/// Signs a request. Returns the headers to add; where one has the name of a header of the
/// request it replaces it. `x-log-apiversion` and `x-log-bodyrawsize` are added when missing.
///
/// # Errors
/// [`SignError`] when key id or token cannot be sent.
pub fn sign(
    request: &Request<'_>,
    body: &[u8],
    key: &AccessKey,
    version: &SignVersion,
    now: Timestamp,
    token: Option<&Secret>,
) -> Result<HeaderMap, SignError> {
    sign_digested(request, (body, None), key, version, now, token)
}

/// As [`sign`], of a body whose MD5 may be there already: made of several bodies at once ([`md5_of_each`]).
///
/// # Errors
/// As [`sign`].
pub fn sign_digested(
    request: &Request<'_>,
    (body, digest): (&[u8], Option<Md5>),
    key: &AccessKey,
    version: &SignVersion,
    now: Timestamp,
    token: Option<&Secret>,
) -> Result<HeaderMap, SignError> {
    let mut added = HeaderMap::with_capacity(8);
    add_missing(request.headers, &mut added, header::API_VERSION, || {
        HeaderValue::from_static(header::API_VERSION_VALUE)
    });
    add_missing(request.headers, &mut added, header::BODY_RAW_SIZE, || HeaderValue::from(body.len()));
    if let Some(token) = token {
        let mut value = printable(token.expose(), "security token")?;
        value.set_sensitive(true);
        added.insert(HeaderName::from_static(header::SECURITY_TOKEN), value);
    }
    let authorization = match version {
        SignVersion::V1 => {
            added.insert(DATE, printable(&date::rfc1123(now), "date")?);
            added.insert(header::SIGNATURE_METHOD, HeaderValue::from_static(v1::SHA1));
            if !body.is_empty() {
                let digest = digest.map_or_else(|| md5_hex(body), |digest| digest.to_string());
                added.insert("content-md5", printable(&digest, "digest")?);
            }
            let headers = Headers::merged(request.headers, &added);
            let text = v1::string_to_sign(request, &headers, v1::Meta::Signed);
            v1::authorization(key, &text)
        }
        SignVersion::V4 { region } => {
            let time = date::basic(now);
            let digest = v4::body_digest(body);
            added.insert(header::LOG_DATE, printable(&time, "date")?);
            added.insert(header::CONTENT_SHA256, printable(&digest, "digest")?);
            let headers = Headers::merged(request.headers, &added);
            let canonical = v4::canonical_request(request, &headers, &digest, v4::Meta::Unsigned);
            v4::authorization(key, region, &time, &canonical)
        }
    };
    let mut authorization = printable(&authorization, "AccessKey id")?;
    authorization.set_sensitive(true);
    added.insert(AUTHORIZATION, authorization);
    Ok(added)
}

fn add_missing(
    have: &HeaderMap,
    added: &mut HeaderMap,
    name: &'static str,
    value: impl FnOnce() -> HeaderValue,
) {
    if !have.contains_key(name) {
        added.insert(name, value());
    }
}

fn printable(text: &str, what: &'static str) -> Result<HeaderValue, SignError> {
    HeaderValue::from_str(text).map_err(|_| SignError::Unprintable { what })
}

/// Upper-case hex MD5, as `Content-MD5` carries it here.
#[must_use]
pub fn md5_hex(body: &[u8]) -> String {
    Md5(md5::Md5::digest(body).into()).to_string()
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests;
