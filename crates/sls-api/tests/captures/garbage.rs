//! Whatever arrives, nothing here panics, hangs or takes more memory than allowed. The captured
//! requests of official SDKs are the seeds; each is damaged in every way that proptest finds.

use bytes::Bytes;
use http::HeaderValue;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use sls_api::log_group::{LogGroupList, count_parts};
use sls_api::operation::{Payload, WireBody};
use sls_api::ops::all_endpoints;
use sls_api::ops::logs::CompressedLogs;
use sls_api::ops::tracking::{TrackedFields, TrackedLogs};
use sls_api::sign::{self, Policy, Request, Secret};

use crate::captured;

/// Largest unpacked body here, in bytes.
const LIMIT: usize = 1 << 20;

/// A change of some bytes.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Repeat(Index),
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let one = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..12))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        any::<Index>().prop_map(Damage::Repeat),
    ];
    prop::collection::vec(one, 1..4)
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let room = bytes.len() + 1;
        match damage {
            Damage::Flip(at, bits) => {
                let at = at.index(room);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Damage::Cut(at) => bytes.truncate(at.index(room)),
            Damage::Insert(at, more) => {
                let at = at.index(room);
                bytes.splice(at..at, more.iter().copied());
            }
            Damage::Repeat(at) => bytes.extend_from_within(at.index(room)..),
        }
    }
    bytes
}

fn damaged_text(text: &str, damages: &[Damage]) -> String {
    String::from_utf8_lossy(&damaged(text.as_bytes().to_vec(), damages)).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_damaged_body_is_refused_or_read_within_the_limit(seed in any::<Index>(), damages in damage()) {
        let seed = seed.get(captured::all());
        let bytes: Bytes = damaged(seed.body.to_vec(), &damages).into();
        let payload = Payload { headers: seed.headers.clone(), bytes: bytes.clone() };
        if let Ok(groups) =
            CompressedLogs::from_payload(payload.clone()).and_then(|logs| logs.log_groups(LIMIT))
        {
            let size: usize = groups.iter().map(prost::Message::encoded_len).sum();
            prop_assert!(size <= 8 * LIMIT);
        }
        let _ = TrackedLogs::from_payload(payload).and_then(|logs| logs.group(LIMIT));
        let _ = <LogGroupList as prost::Message>::decode(bytes.clone());
        prop_assert!(count_parts(&bytes) <= bytes.len());
    }

    #[test]
    fn a_wrong_raw_size_never_yields_more_than_it_says(seed in any::<Index>(), size in any::<u32>()) {
        let seed = seed.get(captured::all());
        let mut headers = seed.headers.clone();
        headers.insert(sls_api::header::BODY_RAW_SIZE, HeaderValue::from(size));
        let raw = Payload { headers, bytes: seed.body.clone() }.raw(LIMIT);
        if let Ok(raw) = raw {
            prop_assert!(raw.len() <= LIMIT);
        }
    }

    #[test]
    fn a_damaged_signature_never_holds(
        seed in any::<Index>(), header in any::<Index>(), damages in damage(),
    ) {
        let seed = seed.get(captured::all());
        let (name, value) = seed.headers.iter().nth(header.index(seed.headers.len())).unwrap();
        let value = value.to_str().unwrap();
        let changed = damaged_text(value, &damages);
        let mut headers = seed.headers.clone();
        // What is no header value cannot be sent.
        match HeaderValue::from_bytes(changed.as_bytes()) {
            Ok(changed) => headers.insert(name, changed),
            Err(_) => headers.remove(name),
        };
        let request =
            Request { method: &seed.method, path: &seed.path, query: &seed.query, headers: &headers };
        let secret = |_: &str| Some(Secret::new("testAccessKeySecret"));
        let policy = Policy { clock_window: jiff::SignedDuration::MAX, ..Policy::default() };
        let held = sign::verify(&request, &seed.body, secret, Timestamp::UNIX_EPOCH, &policy).is_ok();
        let signed = name.as_str();
        let counts = (signed.starts_with("x-log-") || signed.starts_with("x-acs-"))
            && headers.get(signed).is_some_and(|value| value.as_bytes() != b"")
            && headers.len() == seed.headers.len();
        if counts && changed.trim() != value.trim() && signed != "x-log-date" {
            prop_assert!(!held, "{name}: {value:?} as {changed:?}");
        }
        let _ = sign::claimed(&headers);
    }

    #[test]
    fn a_damaged_path_or_query_is_matched_or_not(seed in any::<Index>(), damages in damage()) {
        let seed = seed.get(captured::all());
        let path = damaged_text(&seed.path, &damages);
        let query = damaged_text(&seed.query, &damages);
        for endpoint in all_endpoints() {
            if let Some(names) = endpoint.match_path(&path) {
                let segments = endpoint.path.split('/').filter(|part| part.starts_with('{')).count();
                prop_assert_eq!(names.len(), segments);
            }
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let _ = endpoint.selected_by(pairs);
        }
        let _ = serde_urlencoded::from_str::<TrackedFields>(&query);
    }

    #[test]
    fn any_bytes_are_counted_and_decoded_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(count_parts(&bytes) <= bytes.len());
        let _ = <sls_api::log_group::LogGroup as prost::Message>::decode(bytes.as_slice());
    }
}
