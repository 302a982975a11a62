//! The server's side: who signed this, and is it true.

use http::{HeaderMap, header::AUTHORIZATION};
use jiff::{SignedDuration, Timestamp};

use super::{
    Request, Scheme, Secret,
    canonical::Headers,
    date, md5_hex, v1,
    v4::{self, Credential},
};
use crate::{error::code, header};

/// How far a request's time may be from the server's, either way. Source: error code page.
pub const CLOCK_WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// How strict to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How far a request's time may be off, either way.
    pub clock_window: SignedDuration,
    /// Whether `x-log-apiversion` and (v1) `x-log-signaturemethod` must be there.
    pub require_protocol_headers: bool,
    /// The only region that v4 signatures may name; none for any.
    pub region: Option<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { clock_window: CLOCK_WINDOW, require_protocol_headers: true, region: None }
    }
}

/// Who signed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// AccessKey id.
    pub access_key_id: String,
    /// Scheme of the signature.
    pub scheme: Scheme,
}

/// A request whose signature does not hold. Messages are those of the service where known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// No `Authorization` header: Go's `AuthV0`, or web tracking, which needs none.
    #[error("Authorization does not exist in http header.")]
    Anonymous,
    /// An `Authorization` header of no known form.
    #[error("Authorization is neither 'LOG id:signature' nor 'SLS4-HMAC-SHA256 Credential=…,Signature=…'.")]
    Malformed,
    /// Neither `Date` nor `x-log-date`.
    #[error("Date does not exist in http header.")]
    MissingDate,
    /// A date of no known form.
    #[error("Date {0} must follow RFC822.")]
    BadDate(String),
    /// The request's time is too far from the server's.
    #[error("Request time {request_time} has been expired while server time is {server_time}.")]
    Expired {
        /// Unix seconds.
        request_time: i64,
        /// Unix seconds.
        server_time: i64,
    },
    /// No such AccessKey id.
    #[error("AccessKeyId not found: {0}")]
    UnknownKey(String),
    /// Signed with another secret, or changed on the way.
    #[error("Signature {0} not matched.")]
    NotMatched(String),
    /// The body is not the one whose digest is in the header. Source of code: guess.
    #[error("The body does not match the digest in header {0}.")]
    BodyChanged(&'static str),
    /// v4 for another region.
    #[error("The signature is for region {got}, but this is {want}.")]
    WrongRegion {
        /// Region in the signature.
        got: String,
        /// Region of the server.
        want: String,
    },
    /// v1 without `x-log-signaturemethod`.
    #[error("x-log-signaturemethod does not exist in http header.")]
    MissingSignatureMethod,
    /// v1 with an unknown `x-log-signaturemethod`.
    #[error("signature method {0} is unsupported: use hmac-sha1 or hmac-sha256")]
    BadSignatureMethod(String),
    /// No `x-log-apiversion`.
    #[error("x-log-apiversion does not exist in http header.")]
    MissingApiVersion,
    /// An unknown `x-log-apiversion`.
    #[error("x-log-apiversion {0} is unsupported: use 0.6.0")]
    BadApiVersion(String),
}

impl VerifyError {
    /// HTTP status and error code. Source: error code pages of 2021 and 2023.
    #[must_use]
    pub fn wire(&self) -> (u16, &'static str) {
        match self {
            Self::Anonymous | Self::Malformed | Self::UnknownKey(_) => (401, code::UNAUTHORIZED),
            Self::NotMatched(_) | Self::WrongRegion { .. } => (401, code::SIGNATURE_NOT_MATCH),
            Self::BodyChanged(_) => (400, code::POST_BODY_INVALID),
            Self::MissingDate => (400, code::MISSING_DATE),
            Self::BadDate(_) => (400, code::INVALID_DATE_FORMAT),
            Self::Expired { .. } => (400, code::REQUEST_TIME_EXPIRED),
            Self::MissingSignatureMethod => (400, code::MISSING_SIGNATURE_METHOD),
            Self::BadSignatureMethod(_) => (400, code::INVALID_SIGNATURE_METHOD),
            Self::MissingApiVersion => (400, code::MISSING_API_VERSION),
            Self::BadApiVersion(_) => (400, code::INVALID_API_VERSION),
        }
    }
}

/// An `Authorization` header, read but not believed.
enum Claim<'a> {
    V1 { id: &'a str, signature: &'a str, scheme: Scheme },
    V4(Credential<'a>),
}

impl<'a> Claim<'a> {
    fn read(headers: &'a HeaderMap) -> Result<Self, VerifyError> {
        let value = headers.get(AUTHORIZATION).ok_or(VerifyError::Anonymous)?;
        let text = value.to_str().map_err(|_| VerifyError::Malformed)?;
        // Go's SDK says SLS up to 0.1.83 at least, newer ones say LOG as all others do.
        if let Some(rest) = text.strip_prefix("LOG ").or_else(|| text.strip_prefix("SLS ")) {
            let (id, signature) = rest.trim().split_once(':').ok_or(VerifyError::Malformed)?;
            let scheme = match header_text(headers, header::SIGNATURE_METHOD) {
                None | Some(v1::SHA1) => Scheme::V1Sha1,
                Some(v1::SHA256) => Scheme::V1Sha256,
                Some(other) => return Err(VerifyError::BadSignatureMethod(other.to_owned())),
            };
            return Ok(Self::V1 { id, signature, scheme });
        }
        let rest = text.strip_prefix(v4::ALGORITHM).ok_or(VerifyError::Malformed)?;
        Credential::parse(rest).map(Self::V4).ok_or(VerifyError::Malformed)
    }

    fn verified(&self) -> Verified {
        let (id, scheme) = match self {
            Self::V1 { id, scheme, .. } => (*id, *scheme),
            Self::V4(credential) => (credential.id, Scheme::V4),
        };
        Verified { access_key_id: id.to_owned(), scheme }
    }
}

/// Who a request claims to be from, without any check: for logs of a server that does not
/// verify.
///
/// # Errors
/// [`VerifyError::Anonymous`], [`VerifyError::Malformed`] or
/// [`VerifyError::BadSignatureMethod`].
pub fn claimed(headers: &HeaderMap) -> Result<Verified, VerifyError> {
    Claim::read(headers).map(|claim| claim.verified())
}

/// Checks the signature of a request as received: raw path and query, headers, body bytes
/// (still compressed). `lookup` finds the secret of an AccessKey id.
///
/// # Errors
/// [`VerifyError`]; the order of checks is form, time, key, signature, body digest.
pub fn verify(
    request: &Request<'_>,
    body: &[u8],
    lookup: impl Fn(&str) -> Option<Secret>,
    now: Timestamp,
    policy: &Policy,
) -> Result<Verified, VerifyError> {
    let claim = Claim::read(request.headers)?;
    check_protocol_headers(&claim, request.headers, policy)?;
    check_time(&claim, request.headers, now, policy)?;
    let verified = claim.verified();
    let id = &verified.access_key_id;
    let secret = lookup(id).ok_or_else(|| VerifyError::UnknownKey(id.clone()))?;
    match &claim {
        Claim::V1 { signature, scheme, .. } => {
            check_v1(request, body, &secret, *scheme, signature)?;
        }
        Claim::V4(credential) => check_v4(request, body, &secret, credential, policy)?,
    }
    Ok(verified)
}

fn check_protocol_headers(
    claim: &Claim<'_>,
    headers: &HeaderMap,
    policy: &Policy,
) -> Result<(), VerifyError> {
    if !policy.require_protocol_headers {
        return Ok(());
    }
    match header_text(headers, header::API_VERSION) {
        Some("0.6.0" | "0.4.0") => {}
        Some(other) => return Err(VerifyError::BadApiVersion(other.to_owned())),
        None => return Err(VerifyError::MissingApiVersion),
    }
    let is_v1 = matches!(claim, Claim::V1 { .. });
    if is_v1 && header_text(headers, header::SIGNATURE_METHOD).is_none() {
        return Err(VerifyError::MissingSignatureMethod);
    }
    Ok(())
}

fn check_time(
    claim: &Claim<'_>,
    headers: &HeaderMap,
    now: Timestamp,
    policy: &Policy,
) -> Result<(), VerifyError> {
    let text = header_text(headers, header::LOG_DATE)
        .or_else(|| header_text(headers, "date"))
        .ok_or(VerifyError::MissingDate)?;
    let bad = || VerifyError::BadDate(text.to_owned());
    let time = match claim {
        Claim::V1 { .. } => date::parse_rfc1123(text).ok_or_else(bad)?,
        Claim::V4(credential) => {
            let time = date::parse_basic(text).ok_or_else(bad)?;
            if !text.starts_with(credential.date) {
                return Err(VerifyError::NotMatched(credential.signature.to_owned()));
            }
            time
        }
    };
    if now.duration_since(time).abs() > policy.clock_window {
        return Err(VerifyError::Expired { request_time: time.as_second(), server_time: now.as_second() });
    }
    Ok(())
}

fn check_v1(
    request: &Request<'_>,
    body: &[u8],
    secret: &Secret,
    scheme: Scheme,
    signature: &str,
) -> Result<(), VerifyError> {
    let nothing = HeaderMap::new();
    let headers = Headers::merged(request.headers, &nothing);
    let holds = [v1::Meta::Signed, v1::Meta::Unsigned].into_iter().any(|meta| {
        let text = v1::string_to_sign(request, &headers, meta);
        v1::matches(scheme, secret, &text, signature)
    });
    if !holds {
        return Err(VerifyError::NotMatched(signature.to_owned()));
    }
    // Absent is fine: the Python SDK's put_object sends a body without it.
    match header_text(request.headers, "content-md5") {
        Some(digest) if !digest.eq_ignore_ascii_case(&md5_hex(body)) => {
            Err(VerifyError::BodyChanged("Content-MD5"))
        }
        _ => Ok(()),
    }
}

fn check_v4(
    request: &Request<'_>,
    body: &[u8],
    secret: &Secret,
    credential: &Credential<'_>,
    policy: &Policy,
) -> Result<(), VerifyError> {
    if let Some(want) = policy.region.as_deref().filter(|want| *want != credential.region) {
        return Err(VerifyError::WrongRegion { got: credential.region.to_owned(), want: want.to_owned() });
    }
    let nothing = HeaderMap::new();
    let headers = Headers::merged(request.headers, &nothing);
    let digest = header_text(request.headers, header::CONTENT_SHA256).unwrap_or_default();
    let time = header_text(request.headers, header::LOG_DATE).unwrap_or_default();
    let holds = [v4::Meta::Unsigned, v4::Meta::Signed].into_iter().any(|meta| {
        let canonical = v4::canonical_request(request, &headers, digest, meta);
        v4::matches(secret, credential, time, &canonical)
    });
    if !holds {
        return Err(VerifyError::NotMatched(credential.signature.to_owned()));
    }
    // The Python SDK's put_object sends the digest of nothing with a body.
    let unhashed = digest == v4::EMPTY_DIGEST && request.path.contains("/objects/");
    if !unhashed && !digest.eq_ignore_ascii_case(&v4::body_digest(body)) {
        return Err(VerifyError::BodyChanged(header::CONTENT_SHA256));
    }
    Ok(())
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then_some(text)
}
