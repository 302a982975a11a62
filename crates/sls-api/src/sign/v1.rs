//! Scheme v1: HMAC over method, digest, type, date, `x-log-*`/`x-acs-*` headers and resource.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

use super::{
    AccessKey, Request, Scheme, Secret,
    canonical::{Headers, is_meta, query_pairs},
};
use crate::header;

/// Value of `x-log-signaturemethod`.
pub(super) const SHA1: &str = "hmac-sha1";
/// Value of `x-log-signaturemethod`.
pub(super) const SHA256: &str = "hmac-sha256";

/// Whether `x-log-meta-*` headers are signed: Go and Java do, Python does not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Meta {
    Signed,
    Unsigned,
}

/// The bytes that are signed. `x-log-date` takes the place of `Date` and never enters the list.
pub(super) fn string_to_sign(request: &Request<'_>, headers: &Headers<'_>, meta: Meta) -> Vec<u8> {
    let text = |name| headers.get(name).unwrap_or_default();
    let date = headers.get(header::LOG_DATE).unwrap_or_else(|| text("date"));
    let mut out = Vec::with_capacity(512);
    for line in [request.method.as_str().as_bytes(), text("content-md5"), text("content-type"), date] {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    let signed = |name: &str| {
        (name.starts_with("x-log-") || name.starts_with("x-acs-"))
            && name != header::LOG_DATE
            && (meta == Meta::Signed || !is_meta(name))
    };
    for (name, value) in headers.selected(signed) {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        out.extend_from_slice(value);
        out.push(b'\n');
    }
    out.extend_from_slice(request.path.as_bytes());
    for (n, (key, value)) in query_pairs(request.query).into_iter().enumerate() {
        out.push(if n == 0 { b'?' } else { b'&' });
        out.extend_from_slice(&key);
        out.push(b'=');
        out.extend_from_slice(&value);
    }
    out
}

/// The `Authorization` header, HMAC-SHA1.
pub(super) fn authorization(key: &AccessKey, text: &[u8]) -> String {
    let signature = mac::<Hmac<Sha1>>(&key.secret, text)
        .map(|mac| BASE64_STANDARD.encode(mac.finalize().into_bytes()))
        .unwrap_or_default();
    format!("LOG {}:{signature}", key.id)
}

/// Whether `signature` (base64) is that of `text`, in constant time.
pub(super) fn matches(scheme: Scheme, secret: &Secret, text: &[u8], signature: &str) -> bool {
    let Ok(signature) = BASE64_STANDARD.decode(signature) else {
        return false;
    };
    match scheme {
        Scheme::V1Sha1 => mac::<Hmac<Sha1>>(secret, text).is_some_and(|m| m.verify_slice(&signature).is_ok()),
        Scheme::V1Sha256 => {
            mac::<Hmac<Sha256>>(secret, text).is_some_and(|m| m.verify_slice(&signature).is_ok())
        }
        Scheme::V4 => false,
    }
}

/// HMAC takes keys of any length, so this is always there; the library cannot express it.
fn mac<M: Mac + KeyInit>(secret: &Secret, text: &[u8]) -> Option<M> {
    let mut mac = <M as KeyInit>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(text);
    Some(mac)
}
