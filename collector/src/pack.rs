//! Fields → LogGroup: protobuf bytes written straight from spans into one reused buffer.
//!
//! No message objects, no allocation per log. Field numbers and wire types are those of
//! sls-proto.md §1; `sls_api::log_group` decodes the result (tested here). Called by
//! `engine::feed` (push), `engine::outbox` (finish) and `ship` (split).

mod split;

pub use sls_pipeline::key::{Key, Stamp, put_varint};
pub use split::{logs_in, split};

use sls_pipeline::key::{PAIR_KEY, bytes_len, put_bytes, varint_len};

/// `Logs` of a LogGroup: field 1, length-delimited.
const LOGS: u8 = 0x0a;
const TOPIC: u8 = 0x1a;
const SOURCE: u8 = 0x22;
const MACHINE_UUID: u8 = 0x2a;
const LOG_TAGS: u8 = 0x32;
/// `Time` of a Log: field 1, varint.
const TIME: u8 = 0x08;
const CONTENTS: u8 = 0x12;
/// `Time_ns` of a Log: field 4, fixed 32 bits.
const TIME_NS: u8 = 0x25;
/// Value of Content and LogTag.
const PAIR_VALUE: u8 = 0x12;

/// A LogGroup in the making.
#[derive(Debug, Default)]
pub struct Group {
    bytes: Vec<u8>,
    logs: u32,
    text_bytes: usize,
}

impl Group {
    /// Uses `buffer` (its content is dropped, its memory kept).
    pub fn in_buffer(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self { bytes: buffer, logs: 0, text_bytes: 0 }
    }

    /// Appends one log of these keys and values.
    pub fn push<'a>(&mut self, stamp: Stamp, pairs: impl Iterator<Item = (&'a Key, &'a [u8])> + Clone) {
        let mut len = 1 + varint_len(stamp.seconds);
        let mut text = 0;
        for (key, value) in pairs.clone() {
            let pair = pair_len(key, value.len());
            len += 1 + varint_len(pair as u32) + pair;
            text += value.len();
        }
        if stamp.nanos.is_some() {
            len += 5;
        }
        let out = &mut self.bytes;
        out.reserve(len + 6);
        out.push(LOGS);
        put_varint(out, len as u32);
        out.push(TIME);
        put_varint(out, stamp.seconds);
        for (key, value) in pairs {
            out.push(CONTENTS);
            put_varint(out, pair_len(key, value.len()) as u32);
            out.extend_from_slice(key.encoded());
            put_bytes(out, PAIR_VALUE, value);
        }
        if let Some(nanos) = stamp.nanos {
            out.push(TIME_NS);
            out.extend_from_slice(&nanos.to_le_bytes());
        }
        self.logs += 1;
        self.text_bytes += text;
    }

    /// Appends the logs of another.
    pub fn append(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
        self.logs += other.logs;
        self.text_bytes += other.text_bytes;
    }

    /// Drops all logs, and keeps the memory.
    pub fn clear(&mut self) {
        *self = Self::in_buffer(std::mem::take(&mut self.bytes));
    }

    /// Number of logs pushed.
    pub fn logs(&self) -> u32 {
        self.logs
    }

    /// Bytes of all values pushed.
    pub fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    /// Encoded bytes so far.
    pub fn encoded_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Appends what the logs have in common; the result is a whole LogGroup.
    pub fn finish(mut self, footer: &Footer, pack_id: &str) -> Vec<u8> {
        self.bytes.extend_from_slice(&footer.0);
        put_tag(&mut self.bytes, "__pack_id__", pack_id.as_bytes());
        self.bytes
    }
}

/// The encoded fields of a LogGroup that do not change from group to group of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footer(Vec<u8>);

impl Footer {
    pub fn new<'a>(
        topic: &[u8],
        source: &str,
        machine_uuid: &str,
        tags: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Self {
        let mut out = Vec::new();
        put_bytes(&mut out, TOPIC, topic);
        put_bytes(&mut out, SOURCE, source.as_bytes());
        if !machine_uuid.is_empty() {
            put_bytes(&mut out, MACHINE_UUID, machine_uuid.as_bytes());
        }
        for (key, value) in tags {
            put_tag(&mut out, key, value);
        }
        Self(out)
    }
}

fn put_tag(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    let len = bytes_len(key.len()) + bytes_len(value.len());
    out.push(LOG_TAGS);
    put_varint(out, len as u32);
    put_bytes(out, PAIR_KEY, key.as_bytes());
    put_bytes(out, PAIR_VALUE, value);
}

fn pair_len(key: &Key, value_len: usize) -> usize {
    key.encoded().len() + bytes_len(value_len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;
    use sls_api::log_group::{Content, Log, LogGroup, LogTag};

    use super::*;
    use crate::parse::{Fields, Span};

    /// Stamp and fields.
    type PlainLog = (Stamp, Vec<(String, Vec<u8>)>);

    /// Packs `logs` by our writer.
    fn pack(logs: &[PlainLog], footer: &Footer, pack_id: &str) -> Vec<u8> {
        let mut group = Group::in_buffer(b"left over".to_vec());
        for (stamp, fields) in logs {
            let mut event = Vec::new();
            let mut spans: Vec<Span> = Vec::new();
            for (_, value) in fields {
                let start = event.len() as u32;
                event.extend_from_slice(value);
                spans.push((start, event.len() as u32));
                event.push(b' ');
            }
            let keys: Vec<Key> = fields.iter().map(|(k, _)| Key::new(k)).collect();
            group.push(*stamp, Fields { keys: &keys, spans: &spans, ..Fields::default() }.pairs(&event));
        }
        assert_eq!(group.logs() as usize, logs.len());
        group.finish(footer, pack_id)
    }

    fn tag(key: &str, value: &str) -> LogTag {
        LogTag { key: key.to_owned(), value: value.to_owned() }
    }

    /// The same by message objects.
    fn message(logs: &[PlainLog]) -> LogGroup {
        let logs = logs
            .iter()
            .map(|(stamp, fields)| Log {
                time: stamp.seconds,
                contents: fields.iter().map(|(k, v)| Content::new(k.clone(), v.clone())).collect(),
                time_ns: stamp.nanos,
            })
            .collect();
        LogGroup {
            logs,
            topic: Some("t".to_owned()),
            source: Some("10.0.0.9".to_owned()),
            machine_uuid: Some("u-1".to_owned()),
            log_tags: vec![tag("__hostname__", "pod-1"), tag("__pack_id__", "AB-0")],
            ..LogGroup::default()
        }
    }

    fn footer() -> Footer {
        Footer::new(b"t", "10.0.0.9", "u-1", [("__hostname__", &b"pod-1"[..])])
    }

    fn any_logs() -> impl Strategy<Value = Vec<PlainLog>> {
        let value = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            (100usize..40_000).prop_map(|n| vec![b'x'; n]),
        ];
        let stamp = (any::<u32>(), prop::option::of(0u32..1_000_000_000))
            .prop_map(|(seconds, nanos)| Stamp { seconds, nanos });
        let fields = prop::collection::vec(("[a-zé-]{0,200}", value), 0..12);
        prop::collection::vec((stamp, fields), 0..6)
    }

    proptest! {
        #[test]
        fn packed_bytes_are_the_bytes_of_the_message(logs in any_logs()) {
            let packed = pack(&logs, &footer(), "AB-0");
            let decoded = LogGroup::decode(&packed[..]).expect("decodes");
            prop_assert_eq!(decoded, message(&logs));
        }

        #[test]
        fn the_halves_of_a_group_hold_its_logs_in_order(logs in any_logs()) {
            let packed = pack(&logs, &footer(), "AB-0");
            prop_assert_eq!(logs_in(&packed), logs.len());
            match split(&packed) {
                None => prop_assert!(logs.len() < 2),
                Some((first, second)) => {
                    let half = logs.len() / 2;
                    prop_assert_eq!(LogGroup::decode(&first[..]).expect("first"), message(&logs[..half]));
                    prop_assert_eq!(LogGroup::decode(&second[..]).expect("second"), message(&logs[half..]));
                }
            }
        }

        #[test]
        fn splitting_bytes_that_are_no_group_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = split(&bytes);
        }
    }
}
