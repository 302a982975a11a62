//! What a request holds: unpacked, and for the Log Service checked as that would.

use std::io::Read;

use jiff::Timestamp;
use prost::encoding::{WireType, decode_key, decode_varint};
use sls_api::codec::{self, Compression};
use sls_api::header;
use sls_api::sign::{self, Secret};

use crate::request::Request;
use crate::sink::Protocol;

/// Longest body after unpacking.
const UNPACKED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The key that our collector is given.
pub const ACCESS_KEY: (&str, &str) = ("bench-key-id", "bench-key-secret");

/// Unpacks the body into `out`; the value is how many logs it says to hold, if its form says so.
///
/// # Errors
/// What is wrong with it.
pub fn check(request: &Request, protocol: Protocol, out: &mut Vec<u8>) -> Result<Option<usize>, String> {
    match protocol {
        Protocol::Other => other(request, out).map(|()| None),
        Protocol::LogService => log_service(request, out).map(Some),
    }
}

fn other(request: &Request, out: &mut Vec<u8>) -> Result<(), String> {
    out.clear();
    let body = request.body.as_slice();
    match request.header("content-encoding") {
        "" | "identity" => out.extend_from_slice(body),
        "zstd" => zstd::stream::copy_decode(body, &mut *out).map_err(|e| format!("zstd: {e}"))?,
        "gzip" => {
            let read =
                flate2::read::MultiGzDecoder::new(body).take(UNPACKED_BYTES_MAX as u64).read_to_end(out);
            read.map_err(|e| format!("gzip: {e}"))?;
        }
        other => return Err(format!("content-encoding {other}")),
    }
    Ok(())
}

fn log_service(request: &Request, out: &mut Vec<u8>) -> Result<usize, String> {
    let signed = sign::Request {
        method: &http::Method::POST,
        path: &request.path,
        query: &request.query,
        headers: &request.headers,
    };
    let lookup = |id: &str| (id == ACCESS_KEY.0).then(|| Secret::new(ACCESS_KEY.1));
    sign::verify(&signed, &request.body, lookup, Timestamp::now(), &sign::Policy::default())
        .map_err(|e| format!("signature: {e}"))?;
    if request.header("content-md5").is_empty() {
        return Err("no Content-MD5".to_owned());
    }
    let raw_size = request.header("x-log-bodyrawsize").parse().map_err(|_| "no x-log-bodyrawsize")?;
    out.clear();
    if request.header(header::MODE) == header::MODE_BATCH_GROUP {
        return packages(&request.body, out);
    }
    let compression = request.header("x-log-compresstype").parse().map_err(|e| format!("{e}"))?;
    unpack(&request.body, compression, raw_size, out)
}

/// A LogGroup, appended; the value is the number of its logs.
fn unpack(
    body: &[u8],
    compression: Compression,
    raw_size: usize,
    out: &mut Vec<u8>,
) -> Result<usize, String> {
    let group =
        codec::decompress(body, compression, raw_size, UNPACKED_BYTES_MAX).map_err(|e| e.to_string())?;
    let logs = logs_of(&group).ok_or("the body is no LogGroup")?;
    out.extend_from_slice(&group);
    Ok(logs)
}

/// A SlsLogPackageList.
fn packages(mut list: &[u8], out: &mut Vec<u8>) -> Result<usize, String> {
    const NO_LIST: &str = "the body is no list of packages";
    let mut logs = 0;
    while let Some((number, package)) = field(&mut list).ok_or(NO_LIST)? {
        let (1, Value::Bytes(mut package)) = (number, package) else { continue };
        let (mut data, mut raw_size, mut kind) = (&[][..], 0, 0);
        while let Some((number, value)) = field(&mut package).ok_or(NO_LIST)? {
            match (number, value) {
                (1, Value::Bytes(bytes)) => data = bytes,
                (2, Value::Number(size)) => raw_size = size as usize,
                (3, Value::Number(number)) => kind = number,
                _ => return Err(NO_LIST.to_owned()),
            }
        }
        let kind = sls_api::log_group::SlsCompressType::try_from(kind as i32).map_err(|_| NO_LIST)?;
        logs += unpack(data, kind.into(), raw_size, out)?;
    }
    Ok(logs)
}

/// How many logs are in a LogGroup, all of it looked at; `None` if it is none.
fn logs_of(mut group: &[u8]) -> Option<usize> {
    let mut logs = 0;
    while let Some((number, value)) = field(&mut group)? {
        let (1, Value::Bytes(mut log)) = (number, value) else { continue };
        logs += 1;
        let mut has_time = false;
        while let Some((number, value)) = field(&mut log)? {
            match (number, value) {
                (1, Value::Number(_)) => has_time = true,
                (2, Value::Bytes(mut content)) => {
                    let (1, Value::Bytes(_)) = field(&mut content)?? else { return None };
                    let (2, Value::Bytes(_)) = field(&mut content)?? else { return None };
                }
                _ => {}
            }
        }
        if !has_time {
            return None;
        }
    }
    Some(logs)
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// The next field of a message, `Some(None)` at its end, `None` if it is no message.
fn field<'a>(rest: &mut &'a [u8]) -> Option<Option<(u32, Value<'a>)>> {
    if rest.is_empty() {
        return Some(None);
    }
    let (number, wire) = decode_key(rest).ok()?;
    let mut bytes = |length: usize| {
        let (taken, left) = rest.split_at_checked(length)?;
        *rest = left;
        Some(taken)
    };
    let value = match wire {
        WireType::Varint => Value::Number(decode_varint(rest).ok()?),
        WireType::ThirtyTwoBit => bytes(4).map(|_| Value::Fixed)?,
        WireType::SixtyFourBit => bytes(8).map(|_| Value::Fixed)?,
        WireType::LengthDelimited => {
            let length = decode_varint(rest).ok()? as usize;
            let (taken, left) = rest.split_at_checked(length)?;
            *rest = left;
            Value::Bytes(taken)
        }
        WireType::StartGroup | WireType::EndGroup => return None,
    };
    Some(Some((number, value)))
}
