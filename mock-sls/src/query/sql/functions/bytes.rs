//! Functions of bytes: encodings and digests. Source: document "Binary functions".

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use rusqlite::{functions::Context, types::ValueRef};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::{PURE, Registrar, failed, scalar, texts::text_arg};

pub fn register(db: &Registrar<'_>) -> rusqlite::Result<()> {
    bytes(db, "sls_to_utf8", |bytes| bytes.to_vec())?;
    bytes(db, "sls_md5", |bytes| Md5::digest(bytes).to_vec())?;
    bytes(db, "sls_sha1", |bytes| Sha1::digest(bytes).to_vec())?;
    bytes(db, "sls_sha256", |bytes| Sha256::digest(bytes).to_vec())?;
    bytes(db, "sls_sha512", |bytes| Sha512::digest(bytes).to_vec())?;
    text(db, "sls_to_hex", |bytes| bytes.iter().map(|byte| format!("{byte:02X}")).collect())?;
    text(db, "sls_to_base64", |bytes| BASE64_STANDARD.encode(bytes))?;
    text(db, "sls_to_base64url", |bytes| BASE64_URL_SAFE.encode(bytes))?;
    text(db, "sls_from_utf8", |bytes| String::from_utf8_lossy(bytes).into_owned())?;
    parsed(db, "sls_from_hex", unhexed)?;
    parsed(db, "sls_from_base64", |text| BASE64_STANDARD.decode(text).ok())?;
    parsed(db, "sls_from_base64url", |text| BASE64_URL_SAFE.decode(text).ok())?;
    keyed(db, "sls_hmac_md5", |key, bytes| {
        Some(mac::<Hmac<Md5>>(key)?.chain_update(bytes).finalize().into_bytes().to_vec())
    })?;
    keyed(db, "sls_hmac_sha1", |key, bytes| {
        Some(mac::<Hmac<Sha1>>(key)?.chain_update(bytes).finalize().into_bytes().to_vec())
    })?;
    keyed(db, "sls_hmac_sha256", |key, bytes| {
        Some(mac::<Hmac<Sha256>>(key)?.chain_update(bytes).finalize().into_bytes().to_vec())
    })?;
    keyed(db, "sls_hmac_sha512", |key, bytes| {
        Some(mac::<Hmac<Sha512>>(key)?.chain_update(bytes).finalize().into_bytes().to_vec())
    })?;
    scalar(db, "sls_crc32", 1, PURE, |call| {
        Ok(bytes_arg(call, 0).map(|bytes| {
            let mut crc = flate2::Crc::new();
            crc.update(bytes);
            i64::from(crc.sum())
        }))
    })?;
    scalar(db, "sls_bytes_length", 1, PURE, |call| Ok(bytes_arg(call, 0).map(|bytes| bytes.len() as i64)))
}

fn mac<M: KeyInit>(key: &[u8]) -> Option<M> {
    M::new_from_slice(key).ok()
}

fn unhexed(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | *digit as u8)).collect())
}

/// The bytes of an argument; none for NULL.
fn bytes_arg<'c>(call: &'c Context<'_>, index: usize) -> Option<&'c [u8]> {
    match call.get_raw(index) {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => None,
    }
}

fn bytes(db: &Registrar<'_>, name: &str, f: fn(&[u8]) -> Vec<u8>) -> rusqlite::Result<()> {
    scalar(db, name, 1, PURE, move |call| Ok(bytes_arg(call, 0).map(f)))
}

fn text(db: &Registrar<'_>, name: &str, f: fn(&[u8]) -> String) -> rusqlite::Result<()> {
    scalar(db, name, 1, PURE, move |call| Ok(bytes_arg(call, 0).map(f)))
}

fn parsed(db: &Registrar<'_>, name: &'static str, f: fn(&str) -> Option<Vec<u8>>) -> rusqlite::Result<()> {
    scalar(db, name, 1, PURE, move |call| {
        let Some(text) = text_arg(call, 0)? else { return Ok(None) };
        let name = name.trim_start_matches("sls_");
        f(text).map(Some).ok_or_else(|| failed(format!("{name} cannot take '{text}'")))
    })
}

fn keyed(db: &Registrar<'_>, name: &str, f: fn(&[u8], &[u8]) -> Option<Vec<u8>>) -> rusqlite::Result<()> {
    scalar(db, name, 2, PURE, move |call| {
        Ok(bytes_arg(call, 1).zip(bytes_arg(call, 0)).and_then(|(key, bytes)| f(key, bytes)))
    })
}
