//! Whatever arrives, nothing here panics, hangs or takes more memory than allowed. The captured
//! requests of official SDKs are the seeds; each is damaged in every way that proptest finds.

use std::path::PathBuf;
use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use serde::Deserialize;
use sls_api::log_group::{LogGroupList, count_parts};
use sls_api::operation::{Payload, WireBody};
use sls_api::ops::ENDPOINTS;
use sls_api::ops::logs::CompressedLogs;
use sls_api::ops::tracking::{TrackedFields, TrackedLogs};
use sls_api::sign::{self, Policy, Request, Secret};

/// Largest unpacked body here, in bytes.
const LIMIT: usize = 1 << 20;

#[derive(Debug, Clone, Deserialize)]
struct Exchange {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body_hex: String,
}

impl Exchange {
    fn headers(&self) -> HeaderMap {
        let header = |(name, value): &(String, String)| {
            Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?))
        };
        self.headers.iter().filter_map(header).collect()
    }

    fn body(&self) -> Vec<u8> {
        let digit = |b: u8| char::from(b).to_digit(16).unwrap_or_default() as u8;
        self.body_hex.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }
}

static SEEDS: LazyLock<Vec<Exchange>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/exchanges");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: &PathBuf| serde_json::from_slice(&std::fs::read(file).ok()?).ok();
    let seeds: Vec<Exchange> = files.iter().filter_map(read).collect();
    assert!(seeds.len() >= 236, "only {} captured requests", seeds.len());
    seeds
});

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
        let seed = seed.get(&SEEDS);
        let bytes: Bytes = damaged(seed.body(), &damages).into();
        let payload = Payload { headers: seed.headers(), bytes: bytes.clone() };
        if let Ok(groups) =
            CompressedLogs::from_payload(payload.clone()).and_then(|logs| logs.log_groups(LIMIT))
        {
            let size: usize = groups.iter().map(prost::Message::encoded_len).sum();
            prop_assert!(size <= 8 * LIMIT);
        }
        let _ = TrackedLogs::from_payload(payload);
        let _ = <LogGroupList as prost::Message>::decode(bytes.clone());
        prop_assert!(count_parts(&bytes) <= bytes.len());
    }

    #[test]
    fn a_wrong_raw_size_never_yields_more_than_it_says(seed in any::<Index>(), size in any::<u32>()) {
        let seed = seed.get(&SEEDS);
        let mut headers = seed.headers();
        headers.insert(sls_api::header::BODY_RAW_SIZE, HeaderValue::from(size));
        let raw = Payload { headers, bytes: seed.body().into() }.raw(LIMIT);
        if let Ok(raw) = raw {
            prop_assert!(raw.len() <= LIMIT);
        }
    }

    #[test]
    fn a_damaged_signature_never_holds(
        seed in any::<Index>(), header in any::<Index>(), damages in damage(),
    ) {
        let seed = seed.get(&SEEDS);
        let mut damaged_seed = seed.clone();
        let (name, value) = header.get(&seed.headers).clone();
        let changed = damaged_text(&value, &damages);
        let at = header.index(seed.headers.len());
        damaged_seed.headers[at].1.clone_from(&changed);
        let headers = damaged_seed.headers();
        let method: Method = seed.method.parse().unwrap();
        let request = Request { method: &method, path: &seed.path, query: &seed.query, headers: &headers };
        let secret = |_: &str| Some(Secret::new("testAccessKeySecret"));
        let policy = Policy { clock_window: jiff::SignedDuration::MAX, ..Policy::default() };
        let held = sign::verify(&request, &seed.body(), secret, Timestamp::UNIX_EPOCH, &policy).is_ok();
        let signed = name.to_ascii_lowercase();
        let counts = (signed.starts_with("x-log-") || signed.starts_with("x-acs-"))
            && headers.get(&signed).is_some_and(|value| value.as_bytes() != b"")
            && headers.len() == seed.headers().len();
        if counts && changed.trim() != value.trim() && signed != "x-log-date" {
            prop_assert!(!held, "{name}: {value:?} as {changed:?}");
        }
        let _ = sign::claimed(&headers);
    }

    #[test]
    fn a_damaged_path_or_query_is_matched_or_not(seed in any::<Index>(), damages in damage()) {
        let seed = seed.get(&SEEDS);
        let path = damaged_text(&seed.path, &damages);
        let query = damaged_text(&seed.query, &damages);
        for endpoint in ENDPOINTS {
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
