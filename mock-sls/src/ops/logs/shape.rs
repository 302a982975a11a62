//! The keys of a log, as they stand in its bytes, to find out quickly that the next log has the same.
//!
//! Logs of a group mostly have the same fields in the same order, so a log need not be taken apart to
//! know that its keys are good and its lengths fit: it is enough that between its values stand the very
//! bytes that stood there in the log before. Called for every log that comes in, by [`super::inspect`].

use crate::query::log_view::Field;

/// Bytes that are compared at once.
const WORD_BYTES: usize = size_of::<u128>();

/// Tags of the protobuf fields of a log and of a content. Source: document "Data model", protobuf definition.
const TIME: u8 = 0x08;
const CONTENT: u8 = 0x12;
const TIME_NS: u8 = 0x25;
const KEY: u8 = 0x0a;
const VALUE: u8 = 0x12;

/// What a log holds besides fields of a known shape.
#[derive(Debug, PartialEq, Eq)]
pub struct Rest {
    /// Unix seconds.
    pub time: u32,
    /// Nanoseconds within the second.
    pub time_ns: u32,
    /// How many fields there are.
    pub fields: usize,
}

/// The keys of a log.
#[derive(Debug, Default)]
pub struct Shape {
    keys: Vec<Key>,
    /// All of their bytes, for those that are longer than a word.
    bytes: Vec<u8>,
}

/// What stands between the length of a content and the length of its value: the key with its tag and
/// length, and the tag of the value.
#[derive(Debug)]
struct Key {
    /// Its first bytes, and which bits of a word they are.
    word: u128,
    mask: u128,
    /// Where all of them are.
    start: usize,
    length: usize,
}

impl Shape {
    /// Takes on the keys of a log, each shorter than 128 bytes; none of a log with a longer one.
    pub fn learn(&mut self, contents: &[Field<'_>]) {
        self.keys.clear();
        self.bytes.clear();
        for (key, _) in contents {
            let Some(key_length) = u8::try_from(key.len()).ok().filter(|length| *length < 0x80) else {
                self.keys.clear();
                return;
            };
            let start = self.bytes.len();
            self.bytes.extend_from_slice(&[KEY, key_length]);
            self.bytes.extend_from_slice(key);
            self.bytes.push(VALUE);
            let key = self.bytes.get(start..).unwrap_or_default();
            let mut word = [0; WORD_BYTES];
            word.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
            let unused = WORD_BYTES.saturating_sub(key.len()) * 8;
            let mask = u128::MAX.checked_shr(unused as u32).unwrap_or_default();
            self.keys.push(Key { word: u128::from_le_bytes(word), mask, start, length: key.len() });
        }
    }

    /// The rest of a log, if it has these keys and is written the usual way: time, contents, nanoseconds,
    /// nothing else, each length the shortest it can be and values shorter than 16 KiB.
    #[inline]
    pub fn of(&self, log: &[u8]) -> Option<Rest> {
        let (&tag, after) = log.split_first()?;
        let (time, mut left) = seconds(after).filter(|_| tag == TIME)?;
        for key in &self.keys {
            let (&tag, after) = left.split_first()?;
            let (content_length, content) = length(after)?;
            let (value_length, value) = length(self.after(key, content)?)?;
            let head = content.len() - value.len();
            if tag != CONTENT || head + value_length != content_length {
                return None;
            }
            left = value.get(value_length..)?;
        }
        let time_ns = match left {
            [] => 0,
            [TIME_NS, a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
            _ => return None,
        };
        (!self.keys.is_empty()).then_some(Rest { time, time_ns, fields: self.keys.len() })
    }

    /// What comes after the key, if it stands at the start.
    #[inline]
    fn after<'a>(&self, key: &Key, bytes: &'a [u8]) -> Option<&'a [u8]> {
        match bytes.first_chunk::<WORD_BYTES>() {
            Some(word) if (u128::from_le_bytes(*word) ^ key.word) & key.mask == 0 => {
                match key.length <= WORD_BYTES {
                    true => bytes.get(key.length..),
                    false => self.after_whole(key, bytes),
                }
            }
            Some(_) => None,
            None => self.after_whole(key, bytes),
        }
    }

    fn after_whole<'a>(&self, key: &Key, bytes: &'a [u8]) -> Option<&'a [u8]> {
        bytes.strip_prefix(self.bytes.get(key.start..key.start + key.length)?)
    }
}

/// A length of one or two bytes and what follows it.
#[inline]
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [low @ 0..0x80, rest @ ..] => Some((usize::from(*low), rest)),
        [low, high @ 1..0x80, rest @ ..] => Some((usize::from(low & 0x7f) | usize::from(*high) << 7, rest)),
        _ => None,
    }
}

/// A time of five bytes, as all after 1978 have, and what follows it.
#[inline]
fn seconds(bytes: &[u8]) -> Option<(u32, &[u8])> {
    match bytes {
        [a @ 0x80..=0xff, b @ 0x80..=0xff, c @ 0x80..=0xff, d @ 0x80..=0xff, e @ 1..0x10, rest @ ..] => {
            let low = [a, b, c, d].iter().rev().fold(0, |bits, byte| bits << 7 | u32::from(*byte & 0x7f));
            Some((low | u32::from(*e) << 28, rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;
    use sls_api::log_group::{Content, Log};

    use super::*;

    fn log(time: u32, time_ns: Option<u32>, fields: &[(String, String)]) -> Vec<u8> {
        let contents = fields.iter().map(|(key, value)| Content::new(key, value.clone())).collect();
        Log { time, contents, time_ns }.encode_to_vec()
    }

    fn shape(fields: &[(String, String)]) -> Shape {
        let mut shape = Shape::default();
        let fields: Vec<Field<'_>> =
            fields.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes())).collect();
        shape.learn(&fields);
        shape
    }

    const TIMES: std::ops::Range<u32> = 1 << 28..u32::MAX;

    proptest! {
        #[test]
        fn a_log_of_the_same_keys_is_known_whatever_its_values(
            keys in prop::collection::vec("[a-z_]{1,40}", 1..12),
            values in prop::collection::vec("[ -~]{0,300}", 12),
            time in TIMES, time_ns in prop::option::of(0u32..1_000_000_000),
        ) {
            let pair = |value: fn(&String) -> String| -> Vec<(String, String)> {
                keys.iter().zip(&values).map(|(key, text)| (key.clone(), value(text))).collect()
            };
            let known = shape(&pair(|_| "before".to_owned()));
            let expected = Rest { time, time_ns: time_ns.unwrap_or_default(), fields: keys.len() };
            prop_assert_eq!(known.of(&log(time, time_ns, &pair(String::clone))), Some(expected));
        }

        #[test]
        fn a_log_that_is_known_has_these_keys_and_is_whole(
            keys in prop::collection::vec("[ab]{1,20}", 1..4),
            others in prop::collection::vec(("[ab]{1,20}", "[ab]{0,20}"), 0..4),
            time in TIMES, cut in 0usize..30, flip in any::<prop::sample::Index>(), bit in 0u8..8,
        ) {
            let known = shape(&keys.iter().map(|key| (key.clone(), String::new())).collect::<Vec<_>>());
            let mut bytes = log(time, Some(1), &others);
            if cut < 10 {
                bytes.truncate(bytes.len() - cut);
            }
            let at = flip.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Some(rest) = known.of(&bytes) {
                let decoded = Log::decode(&bytes[..]).expect("a log");
                let found: Vec<_> = decoded.contents.iter().map(|content| content.key.clone()).collect();
                prop_assert_eq!(found, keys);
                prop_assert_eq!((rest.time, rest.time_ns), (decoded.time, decoded.time_ns.unwrap_or_default()));
            }
        }
    }

    #[test]
    fn what_is_written_otherwise_is_left_to_others() {
        let fields = [("key".to_owned(), "value".to_owned())];
        let known = shape(&fields);
        let usual = log(1_700_000_000, None, &fields);
        assert!(known.of(&usual).is_some());
        assert_eq!(known.of(&[]), None);
        assert_eq!(known.of(&log(5, None, &fields)), None, "a time of one byte");
        let twice = [&usual[..], &usual[6..]].concat();
        assert_eq!(known.of(&twice), None, "one field more");
        assert_eq!(shape(&[]).of(&usual[..6]), None, "no fields");
        let long = [("key".to_owned(), "v".repeat(1 << 14))];
        assert_eq!(known.of(&log(1_700_000_000, None, &long)), None, "a long value");
    }
}
