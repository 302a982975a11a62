use http::header::CONTENT_TYPE;
use proptest::prelude::*;

use super::*;

fn now() -> Timestamp {
    "2024-05-06T07:08:09Z".parse().unwrap()
}

fn key() -> AccessKey {
    AccessKey::new("id", "hush")
}

/// Signs a request and returns all its headers.
fn signed(
    method: &Method,
    path: &str,
    query: &str,
    given: HeaderMap,
    body: &[u8],
    version: &SignVersion,
) -> HeaderMap {
    let request = Request { method, path, query, headers: &given };
    let added = sign(&request, body, &key(), version, now(), None).unwrap();
    let mut headers = given;
    headers.extend(added);
    headers
}

fn check(
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &[u8],
    policy: &Policy,
) -> Result<Scheme, VerifyError> {
    let request = Request { method, path, query, headers };
    let lookup = |id: &str| (id == "id").then(|| key().secret);
    verify(&request, body, lookup, now(), policy).map(|verified| verified.scheme)
}

fn host() -> HeaderMap {
    HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static("proj-a.example:80"))])
}

#[test]
fn secrets_do_not_show() {
    let key = key();
    let shown = format!("{key:?} {} {:?}", key.secret, key.secret);
    assert!(!shown.contains("hush"), "{shown}");
    let request = Request { method: &Method::GET, path: "/", query: "", headers: &HeaderMap::new() };
    let token = Secret::from("tok-en");
    let added = sign(&request, b"", &key, &SignVersion::V1, now(), Some(&token)).unwrap();
    let shown = format!("{added:?}");
    assert!(!shown.contains("tok-en") && !shown.contains("LOG id"), "{shown}");
}

#[test]
fn an_id_with_a_line_break_is_refused_without_showing_it() {
    let request = Request { method: &Method::GET, path: "/", query: "", headers: &HeaderMap::new() };
    let key = AccessKey::new("id\n", "hush");
    let e = sign(&request, b"", &key, &SignVersion::V1, now(), None).unwrap_err();
    assert!(e.to_string().contains("stray blanks or line breaks"), "{e}");
}

#[test]
fn the_epoch_vector_of_the_rust_sdk_matches() {
    let headers = HeaderMap::from_iter([
        (HeaderName::from_static("date"), HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT")),
        (HeaderName::from_static(header::API_VERSION), HeaderValue::from_static("0.6.0")),
        (HeaderName::from_static(header::SIGNATURE_METHOD), HeaderValue::from_static(v1::SHA1)),
    ]);
    let nothing = HeaderMap::new();
    let request = Request { method: &Method::GET, path: "/", query: "", headers: &headers };
    let text = v1::string_to_sign(&request, &Headers::merged(&headers, &nothing), v1::Meta::Signed);
    assert_eq!(v1::authorization(&AccessKey::new("", ""), &text), "LOG :SApFTtfTFKHmzdEdaMe5TjNn+RQ=");
}

#[test]
fn x_log_date_replaces_the_date_and_is_not_signed_itself_in_v1() {
    let mut headers = signed(&Method::GET, "/", "", host(), b"", &SignVersion::V1);
    let date = headers["date"].clone();
    headers.insert(header::LOG_DATE, date);
    assert_eq!(check(&Method::GET, "/", "", &headers, b"", &Policy::default()), Ok(Scheme::V1Sha1));
    headers.insert("date", HeaderValue::from_static("Mon, 01 Jan 2001 00:00:00 GMT"));
    assert_eq!(check(&Method::GET, "/", "", &headers, b"", &Policy::default()), Ok(Scheme::V1Sha1));
}

#[test]
fn metadata_headers_may_be_signed_or_not() {
    for version in [SignVersion::V1, SignVersion::V4 { region: "r".into() }] {
        let mut with_meta = host();
        with_meta.insert("x-log-meta-a", HeaderValue::from_static("b"));
        let headers = signed(&Method::PUT, "/", "", with_meta, b"x", &version);
        assert!(check(&Method::PUT, "/", "", &headers, b"x", &Policy::default()).is_ok());
        let mut headers = signed(&Method::PUT, "/", "", host(), b"x", &version);
        headers.insert("x-log-meta-a", HeaderValue::from_static("b"));
        assert!(check(&Method::PUT, "/", "", &headers, b"x", &Policy::default()).is_ok());
    }
}

#[test]
fn v1_may_use_hmac_sha256() {
    // Computed with Python's hmac module.
    let headers = HeaderMap::from_iter([
        (HeaderName::from_static("date"), HeaderValue::from_static("Mon, 06 May 2024 07:08:09 GMT")),
        (HeaderName::from_static(header::API_VERSION), HeaderValue::from_static("0.6.0")),
        (HeaderName::from_static(header::SIGNATURE_METHOD), HeaderValue::from_static(v1::SHA256)),
        (AUTHORIZATION, HeaderValue::from_static("LOG id:Yc7Fnplyj8T1H0m6SVIPPNP+i0ztksO3XOySWRWxoIk=")),
    ]);
    let got = check(&Method::GET, "/logstores", "size=1", &headers, b"", &Policy::default());
    assert_eq!(got, Ok(Scheme::V1Sha256));
}

#[test]
fn v1_of_older_go_sdks_has_another_name() {
    let mut headers = signed(&Method::GET, "/", "", host(), b"", &SignVersion::V1);
    let signed = headers[AUTHORIZATION].to_str().unwrap().replacen("LOG ", "SLS ", 1);
    headers.insert(AUTHORIZATION, signed.parse().unwrap());
    assert_eq!(check(&Method::GET, "/", "", &headers, b"", &Policy::default()), Ok(Scheme::V1Sha1));
}

#[test]
fn strict_and_lenient_differ_in_protocol_headers_and_region() {
    let mut headers = signed(&Method::GET, "/", "", host(), b"", &SignVersion::V4 { region: "a".into() });
    let elsewhere = Policy { region: Some("b".into()), ..Policy::default() };
    let e = check(&Method::GET, "/", "", &headers, b"", &elsewhere).unwrap_err();
    assert_eq!(e.to_string(), "The signature is for region a, but this is b.");
    headers.remove(header::API_VERSION);
    let e = check(&Method::GET, "/", "", &headers, b"", &Policy::default());
    assert_eq!(e, Err(VerifyError::MissingApiVersion));
}

#[test]
fn every_refusal_has_its_code() {
    let good = signed(&Method::GET, "/", "", host(), b"", &SignVersion::V1);
    let after = |change: &dyn Fn(&mut HeaderMap)| {
        let mut headers = good.clone();
        change(&mut headers);
        check(&Method::GET, "/", "", &headers, b"", &Policy::default()).unwrap_err().wire()
    };
    let set = |name: &'static str, value: &'static str| {
        move |headers: &mut HeaderMap| {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    let remove = |name: &'static str| {
        move |headers: &mut HeaderMap| {
            headers.remove(name);
        }
    };
    assert_eq!(after(&remove("authorization")), (401, "Unauthorized"));
    assert_eq!(after(&set("authorization", "Bearer x")), (401, "Unauthorized"));
    assert_eq!(after(&set("authorization", "LOG other:x")), (401, "Unauthorized"));
    assert_eq!(after(&set("authorization", "LOG id:x")), (401, "SignatureNotMatch"));
    assert_eq!(after(&remove("date")), (400, "MissingDate"));
    assert_eq!(after(&set("date", "today")), (400, "InvalidDateFormat"));
    assert_eq!(after(&set("date", "Mon, 06 May 2024 07:24:09 GMT")), (400, "RequestTimeExpired"));
    assert_eq!(after(&set("x-log-signaturemethod", "md5")), (400, "InvalidSignatureMethod"));
    assert_eq!(after(&remove("x-log-signaturemethod")), (400, "MissingSignatureMethod"));
    assert_eq!(after(&set("x-log-apiversion", "9")), (400, "InvalidAPIVersion"));
}

#[test]
fn a_claim_is_read_without_being_believed() {
    let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("LOG someone:nonsense"))]);
    assert_eq!(claimed(&headers).unwrap().access_key_id, "someone");
    assert_eq!(claimed(&HeaderMap::new()), Err(VerifyError::Anonymous));
}

proptest! {
    #[test]
    fn whatever_is_signed_verifies_and_nothing_else(
        path in "/[a-zA-Z0-9%/._~-]{0,40}",
        query in "([a-z]{1,4}=[a-zA-Z0-9%+*~ü-]{0,10}&?){0,4}",
        body in prop::collection::vec(any::<u8>(), 0..60),
        value in "[ -~]{0,20}",
        v4 in any::<bool>(),
    ) {
        let version = if v4 { SignVersion::V4 { region: "cn-hangzhou".into() } } else { SignVersion::V1 };
        let mut given = host();
        given.insert(CONTENT_TYPE, HeaderValue::from_static(header::PROTOBUF));
        given.insert("x-log-test", HeaderValue::from_str(&value).unwrap());
        let headers = signed(&Method::POST, &path, &query, given, &body, &version);
        let policy = Policy::default();
        prop_assert!(check(&Method::POST, &path, &query, &headers, &body, &policy).is_ok());

        let mut other = headers.clone();
        other.insert("x-log-test", HeaderValue::from_static("another"));
        prop_assert!(check(&Method::POST, &path, &query, &other, &body, &policy).is_err());
        prop_assert!(check(&Method::PUT, &path, &query, &headers, &body, &policy).is_err());
        let longer = [&body[..], b"x"].concat();
        prop_assert!(check(&Method::POST, &path, &query, &headers, &longer, &policy).is_err() || body.is_empty() && !v4);
    }

    #[test]
    fn no_header_makes_verifying_panic(authorization in "(LOG |SLS4-HMAC-SHA256 Credential=)?[ -~]{0,80}", date in "[ -~]{0,40}") {
        let mut headers = host();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&authorization).unwrap());
        headers.insert(header::LOG_DATE, HeaderValue::from_str(&date).unwrap());
        let lenient = Policy { require_protocol_headers: false, ..Policy::default() };
        prop_assert!(check(&Method::GET, "/", "", &headers, b"", &lenient).is_err());
    }
}
