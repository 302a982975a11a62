//! The protobuf messages that carry logs (proto2), both ways.
//!
//! Field numbers: LoongCollector `sls_logs.proto`, Python SDK `log_logs.proto`, document "Data
//! encoding". Derived by hand so that no protoc is needed. Values are [`Bytes`]: real logs hold
//! bytes that are not UTF-8, and decoding from a `Bytes` shares its memory instead of copying.

use bytes::Bytes;
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// Key of the tag and row field that holds the time a log was written, Unix seconds.
pub const TIME_KEY: &str = "__time__";
/// Row field that holds the nanosecond part of the time, when it is not zero.
pub const TIME_NS_KEY: &str = "__time_ns_part__";
/// Row field that holds the source (address) of a log.
pub const SOURCE_KEY: &str = "__source__";
/// Row field that holds the topic of a log.
pub const TOPIC_KEY: &str = "__topic__";
/// Prefix of row fields made from tags.
pub const TAG_PREFIX: &str = "__tag__:";

/// One log.
#[derive(Clone, PartialEq, Message)]
pub struct Log {
    /// Unix seconds.
    #[prost(uint32, required, tag = "1")]
    pub time: u32,
    /// Fields, in order.
    #[prost(message, repeated, tag = "2")]
    pub contents: Vec<Content>,
    /// Nanoseconds within the second, 0 to 999 999 999.
    #[prost(fixed32, optional, tag = "4")]
    pub time_ns: Option<u32>,
}

/// One field of a log.
#[derive(Clone, PartialEq, Message)]
pub struct Content {
    /// Name of the field.
    #[prost(string, required, tag = "1")]
    pub key: String,
    /// Value, usually but not always UTF-8.
    #[prost(bytes = "bytes", required, tag = "2")]
    pub value: Bytes,
}

impl Content {
    /// A field from text.
    pub fn new(key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// A tag shared by all logs of a group.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LogTag {
    /// Name, without the `__tag__:` prefix.
    #[prost(string, required, tag = "1")]
    pub key: String,
    /// Value.
    #[prost(string, required, tag = "2")]
    pub value: String,
}

/// Logs with one topic, source and set of tags: the unit of writing.
#[derive(Clone, PartialEq, Message)]
pub struct LogGroup {
    /// The logs.
    #[prost(message, repeated, tag = "1")]
    pub logs: Vec<Log>,
    /// Legacy, ignored.
    #[prost(string, optional, tag = "2")]
    pub category: Option<String>,
    /// Topic, empty or absent for none.
    #[prost(string, optional, tag = "3")]
    pub topic: Option<String>,
    /// Address of the sender as it names itself.
    #[prost(string, optional, tag = "4")]
    pub source: Option<String>,
    /// Identity of the sending machine, set by collectors.
    #[prost(string, optional, tag = "5")]
    pub machine_uuid: Option<String>,
    /// Tags of every log in the group.
    #[prost(message, repeated, tag = "6")]
    pub log_tags: Vec<LogTag>,
}

/// Body of a PullLogs answer.
#[derive(Clone, PartialEq, Message)]
pub struct LogGroupList {
    /// The groups, oldest first.
    #[prost(message, repeated, tag = "1")]
    pub log_groups: Vec<LogGroup>,
}

/// One serialized, perhaps compressed [`LogGroup`] inside a `batch_group` body.
#[derive(Clone, PartialEq, Message)]
pub struct SlsLogPackage {
    /// The group's bytes.
    #[prost(bytes = "bytes", required, tag = "1")]
    pub data: Bytes,
    /// Size of `data` before compression, bytes.
    #[prost(int32, optional, tag = "2")]
    pub uncompress_size: Option<i32>,
    /// A [`SlsCompressType`]; absent means LZ4.
    #[prost(enumeration = "SlsCompressType", optional, tag = "3")]
    pub compress_type: Option<i32>,
}

/// Body of PutLogs when `x-log-mode` is `batch_group`.
#[derive(Clone, PartialEq, Message)]
pub struct SlsLogPackageList {
    /// The packages.
    #[prost(message, repeated, tag = "1")]
    pub packages: Vec<SlsLogPackage>,
}

/// Compression of one [`SlsLogPackage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum SlsCompressType {
    None = 0,
    Deflate = 1,
    Lz4 = 2,
    Zstd = 3,
}

/// Most logs, fields and tags together in one group. A message of two bytes becomes some 60 bytes
/// of memory, so a body within the size limit could ask for thirty times its size. Source: own
/// bound, above the 512 000 logs that the Python SDK allows itself.
pub const PARTS_MAX: usize = 1 << 20;

/// Counts logs, fields and tags of an encoded [`LogGroup`] without decoding it. Stops at the first
/// byte that is not protobuf, of which decoding will complain.
#[must_use]
pub fn count_parts(raw: &[u8]) -> usize {
    const LOGS: u32 = 1;
    const LOG_TAGS: u32 = 6;
    const CONTENTS: u32 = 2;
    let parts = |(number, inside): (u32, &[u8])| match number {
        LOGS => 1 + Messages(inside).filter(|(number, _)| *number == CONTENTS).count(),
        LOG_TAGS => 1,
        _ => 0,
    };
    Messages(raw).map(parts).sum()
}

/// The length-delimited fields of a message, by number.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (number, wire) = decode_key(&mut self.0).ok()?;
            if wire == WireType::LengthDelimited {
                let length = usize::try_from(decode_varint(&mut self.0).ok()?).ok()?;
                let (inside, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                return Some((number, inside));
            }
            skip_field(wire, number, &mut self.0, DecodeContext::default()).ok()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The bytes the Python SDK sends for one log with a nanosecond part, a topic, a source and
    /// a tag (fixtures/exchanges/python-v1-09).
    const PYTHON: &[u8] = b"\x0a\x28\x08\x80\xe2\xcf\xaa\x06\x12\x06\x0a\x01k\x12\x01v\x12\x13\
        \x0a\x03msg\x12\x0chello \xe4\xb8\xad\xe6\x96\x87\x25\x15\xcd\x5b\x07\x1a\x05topic\
        \x22\x0810.0.0.9\x32\x09\x0a\x03tag\x12\x02t1";

    fn python_group() -> LogGroup {
        LogGroup {
            logs: vec![Log {
                time: 1_700_000_000,
                contents: vec![Content::new("k", "v"), Content::new("msg", "hello 中文")],
                time_ns: Some(123_456_789),
            }],
            topic: Some("topic".into()),
            source: Some("10.0.0.9".into()),
            log_tags: vec![LogTag { key: "tag".into(), value: "t1".into() }],
            ..LogGroup::default()
        }
    }

    #[test]
    fn bytes_of_the_python_sdk_decode_and_encode_alike() {
        assert_eq!(LogGroup::decode(PYTHON).unwrap(), python_group());
        assert_eq!(python_group().encode_to_vec(), PYTHON);
    }

    #[test]
    fn values_that_are_not_utf8_survive() {
        let log = Log {
            time: 1,
            contents: vec![Content::new("k", Bytes::from_static(b"\xff\xfe"))],
            time_ns: None,
        };
        assert_eq!(Log::decode(&*log.encode_to_vec()).unwrap(), log);
    }

    #[test]
    fn decoding_from_bytes_shares_the_memory() {
        let whole = Bytes::from_static(PYTHON);
        let group = LogGroup::decode(whole.clone()).unwrap();
        let value = group.logs[0].contents[1].value.as_ptr_range();
        let all = whole.as_ptr_range();
        assert!(all.start <= value.start && value.end <= all.end);
    }

    proptest! {
        #[test]
        fn every_group_survives_the_wire(
            logs in prop::collection::vec(
                (any::<u32>(), prop::option::of(0u32..1_000_000_000),
                 prop::collection::vec((".{0,8}", prop::collection::vec(any::<u8>(), 0..20)), 0..4)),
                0..5),
            topic in prop::option::of(".{0,8}"),
            tags in prop::collection::vec((".{0,8}", ".{0,8}"), 0..3),
        ) {
            let group = LogGroup {
                logs: logs.into_iter().map(|(time, time_ns, kv)| Log {
                    time, time_ns,
                    contents: kv.into_iter().map(|(k, v)| Content::new(k, v)).collect(),
                }).collect(),
                topic,
                log_tags: tags.into_iter().map(|(key, value)| LogTag { key, value }).collect(),
                ..LogGroup::default()
            };
            prop_assert_eq!(LogGroup::decode(&*group.encode_to_vec()).unwrap(), group);
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = LogGroup::decode(&*bytes);
            let _ = SlsLogPackageList::decode(&*bytes);
        }
    }

    #[test]
    fn parts_are_counted_as_decoded() {
        let log = |fields: usize| Log {
            time: 1_700_000_000,
            contents: (0..fields).map(|n| Content::new("k", n.to_string())).collect(),
            time_ns: Some(7),
        };
        let group = LogGroup {
            logs: vec![log(0), log(3), log(200)],
            topic: Some("t".to_owned()),
            log_tags: vec![LogTag::default(), LogTag::default()],
            ..LogGroup::default()
        };
        let raw = group.encode_to_vec();
        assert_eq!(count_parts(&raw), 3 + 203 + 2);
        assert_eq!(count_parts(&[]), 0);
        assert!(count_parts(&raw[..raw.len() - 1]) < 3 + 203 + 2);
    }
}
