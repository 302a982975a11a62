//! Scheme v4: HMAC-SHA256 with a key derived from date and region, over a canonical request.

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sha2::{Digest, Sha256};

use super::{
    AccessKey, Request, Secret,
    canonical::{Headers, is_meta, query_pairs},
    hex,
};

/// First word of the `Authorization` header.
pub(super) const ALGORITHM: &str = "SLS4-HMAC-SHA256";
/// Last words of a credential scope.
const SERVICE: &str = "sls";
const REQUEST: &str = "aliyun_v4_request";
/// Digest of no body; also sent by the Python SDK with bodies that it does not hash.
pub(super) const EMPTY_DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Everything but RFC 3986 unreserved characters.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whether `x-log-meta-*` headers are signed: Java does, Python and Go do not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Meta {
    Signed,
    Unsigned,
}

/// Hex SHA-256 of a body.
pub(super) fn body_digest(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

/// The canonical request.
pub(super) fn canonical_request(
    request: &Request<'_>,
    headers: &Headers<'_>,
    digest: &str,
    meta: Meta,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(request.method.as_str().as_bytes());
    out.push(b'\n');
    out.extend_from_slice(request.path.as_bytes());
    out.push(b'\n');
    for (n, (key, value)) in query_pairs(request.query).into_iter().enumerate() {
        if n > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(&key);
        if !value.is_empty() {
            out.push(b'=');
            out.extend(percent_encode(&value, VALUE).flat_map(str::bytes));
        }
    }
    out.push(b'\n');
    let signed = |name: &str| {
        matches!(name, "content-type" | "host")
            || name.starts_with("x-acs-")
            || (name.starts_with("x-log-") && (meta == Meta::Signed || !is_meta(name)))
    };
    for (name, value) in headers.selected(signed) {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        out.extend_from_slice(value);
        out.push(b'\n');
    }
    out.push(b'\n');
    for (n, (name, _)) in headers.selected(signed).enumerate() {
        if n > 0 {
            out.push(b';');
        }
        out.extend_from_slice(name.as_bytes());
    }
    out.push(b'\n');
    out.extend_from_slice(digest.as_bytes());
    out
}

/// The `Authorization` header. `time` is that of `x-log-date`, `20220808T032330Z`.
pub(super) fn authorization(key: &AccessKey, region: &str, time: &str, canonical: &[u8]) -> String {
    let date = time.split('T').next().unwrap_or_default();
    let signature = signature(&key.secret, date, region, time, canonical)
        .map(|mac| hex(&mac.finalize().into_bytes()))
        .unwrap_or_default();
    format!("{ALGORITHM} Credential={}/{date}/{region}/{SERVICE}/{REQUEST},Signature={signature}", key.id)
}

/// Whether `expected` (hex, decoded) is the signature, in constant time.
pub(super) fn matches(secret: &Secret, credential: &Credential<'_>, time: &str, canonical: &[u8]) -> bool {
    let Some(expected) = unhex(credential.signature) else {
        return false;
    };
    signature(secret, credential.date, credential.region, time, canonical)
        .is_some_and(|mac| mac.verify_slice(&expected).is_ok())
}

fn signature(
    secret: &Secret,
    date: &str,
    region: &str,
    time: &str,
    canonical: &[u8],
) -> Option<Hmac<Sha256>> {
    let mut key = format!("aliyun_v4{}", secret.expose()).into_bytes();
    for part in [date, region, SERVICE, REQUEST] {
        key = mac(&key, part.as_bytes())?.finalize().into_bytes().to_vec();
    }
    let digest = hex(&Sha256::digest(canonical));
    let text = format!("{ALGORITHM}\n{time}\n{date}/{region}/{SERVICE}/{REQUEST}\n{digest}");
    mac(&key, text.as_bytes())
}

/// HMAC takes keys of any length, so this is always there; the library cannot express it.
fn mac(key: &[u8], text: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text);
    Some(mac)
}

/// The parts of an `Authorization` header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Credential<'a> {
    pub id: &'a str,
    pub date: &'a str,
    pub region: &'a str,
    pub signature: &'a str,
}

impl<'a> Credential<'a> {
    /// Reads what follows [`ALGORITHM`].
    pub fn parse(text: &'a str) -> Option<Self> {
        let (scope, signature) = text.trim().strip_prefix("Credential=")?.split_once(',')?;
        let signature = signature.trim_start().strip_prefix("Signature=")?;
        let mut parts = scope.split('/');
        let (id, date, region) = (parts.next()?, parts.next()?, parts.next()?);
        let fixed = [parts.next()?, parts.next()?];
        let whole = fixed == [SERVICE, REQUEST] && parts.next().is_none();
        whole.then_some(Self { id, date, region, signature })
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_the_constant() {
        assert_eq!(body_digest(b""), EMPTY_DIGEST);
    }

    #[test]
    fn a_credential_is_read_in_parts() {
        let text = "Credential=ak/20220808/cn-hangzhou/sls/aliyun_v4_request,Signature=ab";
        let got = Credential::parse(text).unwrap();
        assert_eq!((got.id, got.date, got.region), ("ak", "20220808", "cn-hangzhou"));
        for bad in ["", "Credential=", "Credential=a/b/c/d/e,Signature=", "Credential=a/b,x"] {
            assert_eq!(Credential::parse(bad), None, "{bad}");
        }
    }
}
