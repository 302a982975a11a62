//! The body of PutLogs: one or several log groups, usually compressed.

use bytes::Bytes;
use http::{HeaderValue, header::CONTENT_TYPE};
use prost::Message;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

use crate::{
    Payload, WireBody,
    codec::{self, CodecError, Compression},
    header,
    log_group::{
        Content, Log, LogGroup, LogTag, PARTS_MAX, SlsCompressType, SlsLogPackageList, TIME_KEY, count_parts,
    },
    operation::{DecodeError, shape::Shape},
};

/// Most packages in one batch. Source: own bound; LoongCollector batches a few hundred at most,
/// and packages of no logs would otherwise take many times the memory of the body.
pub const PACKAGES_MAX: usize = 10_000;

/// Log groups as they travel: still compressed, so that receiving them costs nothing before
/// signature and limits are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompressedLogs {
    /// The body as sent.
    pub bytes: Bytes,
    /// Size before compression, bytes. With `batch` it is the size of `bytes`.
    pub raw_size: usize,
    /// How `bytes` is compressed. With `batch` it has no meaning: each package has its own.
    pub compression: Compression,
    /// Whether this is an `SlsLogPackageList` (`x-log-mode: batch_group`) instead of a LogGroup.
    pub batch: bool,
    /// Whether this is JSON instead of protobuf. Source: Java SDK `Client.PutLogs`.
    pub json: bool,
}

impl CompressedLogs {
    /// Packs one encoded [`LogGroup`].
    ///
    /// # Errors
    /// [`CodecError::Compress`].
    pub fn pack(raw: &[u8], compression: Compression) -> Result<Self, CodecError> {
        let mut bytes = Vec::new();
        codec::compress(raw, compression, &mut bytes)?;
        Ok(Self { bytes: bytes.into(), raw_size: raw.len(), compression, batch: false, json: false })
    }

    /// Packs one log group.
    ///
    /// # Errors
    /// [`CodecError::Compress`].
    pub fn from_group(group: &LogGroup, compression: Compression) -> Result<Self, CodecError> {
        Self::pack(&group.encode_to_vec(), compression)
    }

    /// The log groups, unpacked to at most `limit` bytes in all, and decoded.
    ///
    /// # Errors
    /// [`DecodeError`] when the body is too large, broken or of another shape.
    pub fn log_groups(&self, limit: usize) -> Result<Vec<LogGroup>, DecodeError> {
        let mut groups = Vec::new();
        self.each_group(limit, &mut Vec::new(), |group| {
            groups.push(decode(group.raw)?);
            Ok::<_, DecodeError>(())
        })?;
        Ok(groups)
    }

    /// Lends the log groups one after the other, unpacked into `scratch`, to at most `limit` bytes in all.
    /// Whether they are groups, is not looked at.
    ///
    /// # Errors
    /// [`DecodeError`] when the body is too large or broken, and what `visit` says.
    pub fn each_group<E: From<DecodeError>>(
        &self,
        limit: usize,
        scratch: &mut Vec<u8>,
        mut visit: impl FnMut(EncodedGroup<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.batch {
            return self.each_package(limit, scratch, visit);
        }
        let of = |error: CodecError| E::from(error.into());
        let (bytes, compression) = (&self.bytes, self.compression);
        let raw = codec::unpack_into(bytes, compression, self.raw_size, limit, scratch).map_err(of)?;
        if self.json {
            let group = JsonLogs::read(raw)?.into_group().encode_to_vec();
            return visit(EncodedGroup { raw: &group, lz4: None });
        }
        visit(EncodedGroup { raw, lz4: (compression == Compression::Lz4).then_some(bytes) })
    }

    fn each_package<E: From<DecodeError>>(
        &self,
        limit: usize,
        scratch: &mut Vec<u8>,
        mut visit: impl FnMut(EncodedGroup<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let of = |error: CodecError| E::from(error.into());
        let packages =
            SlsLogPackageList::decode(self.bytes.clone()).map_err(|error| E::from(error.into()))?.packages;
        if packages.len() > PACKAGES_MAX {
            return Err(DecodeError::TooManyPackages { packages: packages.len() }.into());
        }
        let mut room = limit;
        for package in &packages {
            let compression = package_compression(package.compress_type).map_err(of)?;
            let size = package.uncompress_size.map_or(Ok(package.data.len()), usize::try_from);
            let size = size.map_err(|_| CodecError::SizeMismatch { raw_size: 0, actual: package.data.len() });
            let raw = codec::unpack_into(&package.data, compression, size.map_err(of)?, room, scratch)
                .map_err(of)?;
            room = room.saturating_sub(raw.len());
            visit(EncodedGroup { raw, lz4: (compression == Compression::Lz4).then_some(&package.data) })?;
        }
        Ok(())
    }
}

/// One log group as it came, not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodedGroup<'a> {
    /// Its protobuf bytes.
    pub raw: &'a [u8],
    /// The same as an LZ4 block, if that is how it came.
    pub lz4: Option<&'a Bytes>,
}

fn decode(raw: &[u8]) -> Result<LogGroup, DecodeError> {
    let parts = count_parts(raw);
    if parts > PARTS_MAX {
        return Err(DecodeError::TooManyParts { parts, limit: PARTS_MAX });
    }
    Ok(LogGroup::decode(raw)?)
}

/// An absent type means LZ4. Source: LoongCollector `sls_logs.proto`.
fn package_compression(kind: Option<i32>) -> Result<Compression, CodecError> {
    let Some(kind) = kind else {
        return Ok(Compression::Lz4);
    };
    SlsCompressType::try_from(kind)
        .map(Compression::from)
        .map_err(|_| CodecError::Unsupported(format!("SlsCompressType {kind}")))
}

impl WireBody for CompressedLogs {
    fn to_payload(&self) -> Payload {
        let content_type = if self.json { header::JSON } else { header::PROTOBUF };
        let mut payload = Payload::new(content_type, self.bytes.clone());
        if let Some(name) = self.compression.header_value() {
            payload.set_header(header::COMPRESS_TYPE, name);
        }
        if self.batch {
            payload.set_header(header::MODE, header::MODE_BATCH_GROUP);
        }
        payload.headers.insert(header::BODY_RAW_SIZE, HeaderValue::from(self.raw_size));
        payload
    }

    fn from_payload(payload: Payload) -> Result<Self, DecodeError> {
        let compression = payload.compression()?;
        let batch = payload.header(header::MODE) == Some(header::MODE_BATCH_GROUP);
        let announced = payload.parsed_header(header::BODY_RAW_SIZE)?;
        let raw_size = if batch || compression == Compression::None {
            payload.bytes.len()
        } else {
            announced.ok_or_else(|| {
                DecodeError::header(
                    header::BODY_RAW_SIZE,
                    "is missing: it must give the size before compression",
                )
            })?
        };
        let json = payload.header(CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with(header::JSON));
        Ok(Self { raw_size, compression, batch, json, bytes: payload.bytes })
    }

    fn shape() -> Shape {
        Shape::Bytes(header::PROTOBUF)
    }
}

/// The JSON form of a log group.
#[derive(Deserialize)]
pub(crate) struct JsonLogs {
    #[serde(default, rename = "__topic__")]
    topic: Option<String>,
    #[serde(default, rename = "__source__")]
    source: Option<String>,
    #[serde(default, rename = "__logs__")]
    logs: Vec<Map<String, Value>>,
    #[serde(default, rename = "__tags__")]
    tags: BTreeMap<String, String>,
}

impl JsonLogs {
    /// Reads the JSON, unless it has so many parts that they would take many times its size.
    pub(crate) fn read(raw: &[u8]) -> Result<Self, DecodeError> {
        let parts = json_parts(raw);
        if parts > PARTS_MAX {
            return Err(DecodeError::TooManyParts { parts, limit: PARTS_MAX });
        }
        Ok(serde_json::from_slice(raw)?)
    }

    /// The group as JSON; values that are not UTF-8 are replaced as far as they are not.
    pub(crate) fn text(group: &LogGroup) -> String {
        let log = |log: &Log| -> Map<String, Value> {
            let field = |content: &Content| {
                (content.key.clone(), String::from_utf8_lossy(&content.value).into_owned().into())
            };
            log.contents.iter().map(field).collect()
        };
        let tags = group.log_tags.iter().map(|tag| (tag.key.clone(), tag.value.clone().into()));
        serde_json::json!({
            "__topic__": group.topic.as_deref().unwrap_or_default(),
            "__source__": group.source.as_deref().unwrap_or_default(),
            "__logs__": group.logs.iter().map(log).collect::<Vec<_>>(),
            "__tags__": tags.collect::<Map<String, Value>>(),
        })
        .to_string()
    }

    /// Whether no log holds a number, list or other value that is not text; its time may be a
    /// number. Source of the exception: JavaSDK WebTrackingTest.
    pub(crate) fn values_are_text(&self) -> bool {
        let fine = |(key, value): (&String, &Value)| value.is_string() || (key == TIME_KEY && value.is_u64());
        self.logs.iter().flatten().all(fine)
    }

    pub(crate) fn into_group(self) -> LogGroup {
        LogGroup {
            logs: self.logs.into_iter().map(json_log).collect(),
            topic: self.topic,
            source: self.source,
            log_tags: self.tags.into_iter().map(|(key, value)| LogTag { key, value }).collect(),
            ..LogGroup::default()
        }
    }
}

/// Objects, lists and members of JSON, counted by the signs that begin or part them, without
/// reading it: never less than reading it makes.
fn json_parts(raw: &[u8]) -> usize {
    let (mut parts, mut in_text, mut escaped) = (0, false, false);
    for byte in raw {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' | b',' if !in_text => parts += 1,
            _ => {}
        }
    }
    parts
}

/// A log without `__time__` gets time 0, which the server's time window then judges.
fn json_log(fields: Map<String, Value>) -> Log {
    let mut log = Log::default();
    for (key, value) in fields {
        let text = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        if key == TIME_KEY {
            log.time = text.parse().unwrap_or_default();
        } else {
            log.contents.push(Content::new(key, text));
        }
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_group::SlsLogPackage;

    fn group(text: &str) -> LogGroup {
        LogGroup {
            logs: vec![Log {
                time: 1,
                contents: vec![Content::new("content", text.to_owned())],
                time_ns: None,
            }],
            ..LogGroup::default()
        }
    }

    fn package(text: &str, compression: Compression, kind: Option<SlsCompressType>) -> SlsLogPackage {
        let raw = group(text).encode_to_vec();
        let mut data = Vec::new();
        codec::compress(&raw, compression, &mut data).unwrap();
        SlsLogPackage {
            data: data.into(),
            uncompress_size: i32::try_from(raw.len()).ok(),
            compress_type: kind.map(i32::from),
        }
    }

    fn batch(packages: Vec<SlsLogPackage>) -> CompressedLogs {
        let bytes: Bytes = SlsLogPackageList { packages }.encode_to_vec().into();
        CompressedLogs {
            raw_size: bytes.len(),
            bytes,
            compression: Compression::Lz4,
            batch: true,
            json: false,
        }
    }

    #[test]
    fn one_group_survives_the_wire_in_every_compression() {
        for compression in [Compression::None, Compression::Lz4, Compression::Zstd, Compression::Deflate] {
            let sent = CompressedLogs::from_group(&group("hello"), compression).unwrap();
            let got = CompressedLogs::from_payload(sent.to_payload()).unwrap();
            assert_eq!(got, sent);
            assert_eq!(got.log_groups(1000).unwrap(), [group("hello")]);
        }
    }

    #[test]
    fn packages_of_a_batch_are_unpacked_each_on_its_own() {
        let sent = batch(vec![
            package("a", Compression::Lz4, None),
            package("b", Compression::Zstd, Some(SlsCompressType::Zstd)),
            package("c", Compression::None, Some(SlsCompressType::None)),
        ]);
        let got = CompressedLogs::from_payload(sent.to_payload()).unwrap();
        assert_eq!(got.log_groups(1000).unwrap(), [group("a"), group("b"), group("c")]);
    }

    #[test]
    fn a_batch_has_a_largest_number_of_packages() {
        let empty = SlsLogPackage { data: Bytes::new(), uncompress_size: None, compress_type: Some(0) };
        assert_eq!(batch(vec![empty.clone(); PACKAGES_MAX]).log_groups(9).unwrap().len(), PACKAGES_MAX);
        let e = batch(vec![empty; PACKAGES_MAX + 1]).log_groups(9).unwrap_err();
        assert_eq!(e.to_string(), "the batch has 10001 log groups: send at most 10000 at once");
    }

    #[test]
    fn the_limit_counts_all_packages_of_a_batch() {
        let one = group(&"x".repeat(100)).encode_to_vec().len();
        let text = "x".repeat(100);
        let two = batch(vec![package(&text, Compression::Lz4, None), package(&text, Compression::Lz4, None)]);
        assert!(two.log_groups(2 * one).is_ok());
        assert!(two.log_groups(2 * one - 1).is_err());
    }

    #[test]
    fn json_logs_of_the_java_sdk_become_a_group() {
        let body = r#"{"__topic__":"t","__source__":"s","__logs__":[{"k":"v","n":3,"__time__":7}],
                       "__tags__":{"a":"b"}}"#;
        let payload = Payload::new(header::JSON, body.into());
        let got = CompressedLogs::from_payload(payload).unwrap().log_groups(1000).unwrap();
        let log = &got[0].logs[0];
        assert_eq!((log.time, log.contents.len()), (7, 2));
        assert_eq!(log.contents[1].value, "3");
        assert_eq!(got[0].log_tags[0].key, "a");
    }

    #[test]
    fn parts_of_json_are_counted_outside_of_texts() {
        assert_eq!(json_parts(br#"{"a":["b,{[","\\",1],"c\"{":{}}"#), 6);
        let many = format!("{{\"__logs__\":[{}{{}}]}}", "{},".repeat(PARTS_MAX));
        let refused = JsonLogs::read(many.as_bytes()).err().unwrap();
        assert!(matches!(refused, DecodeError::TooManyParts { .. }), "{refused}");
    }

    #[test]
    fn a_compressed_body_without_its_raw_size_is_refused_with_the_remedy() {
        let mut payload = CompressedLogs::from_group(&group("x"), Compression::Lz4).unwrap().to_payload();
        payload.headers.remove(header::BODY_RAW_SIZE);
        let e = CompressedLogs::from_payload(payload).unwrap_err();
        assert_eq!(
            e.to_string(),
            "header x-log-bodyrawsize is missing: it must give the size before compression"
        );
    }
}
