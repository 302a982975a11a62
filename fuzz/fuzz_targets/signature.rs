//! Signatures: any request is verified, and what we sign of it holds until a byte of it changes.

#![no_main]

use bytes::Bytes;
use fuzz::wire;
use http::header::{AUTHORIZATION, DATE, HOST};
use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use libfuzzer_sys::{Corpus, fuzz_target};
use sls_api::header;
use sls_api::sign::{self, AccessKey, Policy, Request, Secret, SignVersion};

/// The key pair that the recorded requests were signed with.
const ID: &str = "testAccessKeyId";
const SECRET: &str = "testAccessKeySecret";

/// Headers that a signer adds, or that say how he signed.
const OF_SIGNATURES: [&str; 6] = [
    "content-md5",
    header::CONTENT_SHA256,
    header::LOG_DATE,
    header::SIGNATURE_METHOD,
    header::SECURITY_TOKEN,
    header::API_VERSION,
];

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some(request) = wire::request(data) else { return Corpus::Reject };
    let now = Timestamp::UNIX_EPOCH;
    for strict in [true, false] {
        let region = strict.then(|| "cn-hangzhou".to_owned());
        let policy = Policy { clock_window: SignedDuration::MAX, require_protocol_headers: strict, region };
        let _ = sign::verify(&parts(&request), request.body(), secret, now, &policy);
    }
    let _ = sign::claimed(request.headers());
    ours(request);
    Corpus::Keep
});

fn parts(request: &http::Request<Bytes>) -> Request<'_> {
    Request {
        method: request.method(),
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        headers: request.headers(),
    }
}

fn secret(id: &str) -> Option<Secret> {
    (id == ID).then(|| SECRET.into())
}

/// Signs the request anew, both ways.
fn ours(mut request: http::Request<Bytes>) {
    for name in OF_SIGNATURES {
        request.headers_mut().remove(name);
    }
    request.headers_mut().remove(AUTHORIZATION);
    request.headers_mut().remove(DATE);
    request
        .headers_mut()
        .entry(HOST)
        .or_insert(HeaderValue::from_static("proj-a.cn-hangzhou.log.aliyuncs.com"));
    let now: Timestamp = "2026-11-23T07:30:43Z".parse().expect("a time");
    let key = AccessKey::new(ID, SECRET);
    let policy = Policy { region: Some("cn-hangzhou".to_owned()), ..Policy::default() };
    for version in [SignVersion::V1, SignVersion::V4 { region: "cn-hangzhou".to_owned() }] {
        let token = Secret::from("token");
        let added = sign::sign(&parts(&request), request.body(), &key, &version, now, Some(&token));
        let mut signed = request.clone();
        replace(signed.headers_mut(), added.expect("a key that can be sent"));
        let verified = sign::verify(&parts(&signed), signed.body(), secret, now, &policy);
        assert_eq!(verified.map(|verified| verified.access_key_id), Ok(ID.to_owned()), "{signed:?}");

        let mut body = signed.body().to_vec();
        body.push(b'!');
        // The Python SDK signs objects without their content.
        let hashed = !request.uri().path().contains("/objects/");
        let changed = sign::verify(&parts(&signed), &body, secret, now, &policy);
        let v1_without_body = version == SignVersion::V1 && signed.body().is_empty();
        assert!(changed.is_err() || v1_without_body || !hashed, "another body passes");

        signed.headers_mut().insert("x-log-fuzz", HeaderValue::from_static("1"));
        let added = sign::verify(&parts(&signed), signed.body(), secret, now, &policy);
        let had = request.headers().contains_key("x-log-fuzz");
        assert!(added.is_err() || had, "a header that counts was added");
    }
}

/// As a client does it: what is added stands instead of what was there.
fn replace(headers: &mut HeaderMap, added: HeaderMap) {
    let mut last = None;
    for (name, value) in added {
        last = name.or(last);
        if let Some(name) = last.clone() {
            headers.insert(name, value);
        }
    }
}
