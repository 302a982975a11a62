//! Reading a shard in order of receipt: cursors and pulls.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::HeaderValue;
use prost::Message;
use serde::{Deserialize, Serialize};

use crate::{
    Json, Payload, WireBody,
    codec::{self, CodecError, Compression},
    header,
    log_group::LogGroupList,
    operation::{DecodeError, Fidelity, Source, operation, query, shape::Shape},
    ops::InShard,
};

/// A cursor as text: base64 of a decimal number. Source: Go SDK `encodeCursor`; the Python SDK
/// decodes it and subtracts 1.
#[must_use]
pub fn encode_cursor(position: i64) -> String {
    BASE64_STANDARD.encode(position.to_string())
}

/// The position in a cursor; none when the text is not one.
#[must_use]
pub fn decode_cursor(cursor: &str) -> Option<i64> {
    let digits = BASE64_STANDARD.decode(cursor).ok()?;
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

/// Parameters of [`GetCursor`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorQuery {
    /// `begin`, `end` or Unix seconds of receipt.
    pub from: String,
}

/// Answer of [`GetCursor`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// See [`encode_cursor`].
    pub cursor: String,
}

/// Parameters of [`GetCursorTime`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorTimeQuery {
    /// See [`encode_cursor`].
    pub cursor: String,
}

/// Answer of [`GetCursorTime`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorTime {
    /// Unix seconds of receipt.
    pub cursor_time: i64,
}

/// Parameters of [`PullLogs`] and [`PullLogsByLogs`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullQuery {
    /// Where to begin.
    pub cursor: String,
    /// Most log groups wanted, 1 to 1000.
    #[serde(default, deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// Where to end, exclusive. Spelled `endCursor` by some clients.
    #[serde(
        default,
        alias = "endCursor",
        deserialize_with = "query::opt",
        skip_serializing_if = "Option::is_none"
    )]
    pub end_cursor: Option<String>,
    /// Search that the returned logs satisfy.
    #[serde(default, deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// Answer of a pull: a [`LogGroupList`] and the position behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct PulledLogs {
    /// The list, perhaps compressed; empty when there was nothing to read.
    pub bytes: Bytes,
    /// Size of the list before compression, bytes.
    pub raw_size: usize,
    /// How the list is compressed.
    pub compression: Compression,
    /// Log groups in the list.
    pub count: u64,
    /// Where to go on; the cursor asked for when there was nothing to read.
    pub cursor: String,
    /// Receive time at the cursor, Unix seconds; none without a group.
    pub cursor_time: Option<i64>,
    /// Position of the last group in the list.
    pub read_last_cursor: Option<i64>,
    /// Whether the shard has nothing more at the moment.
    pub end_of_cursor: bool,
    /// What a query left out; none without a query.
    pub filtered: Option<Filtered>,
}

/// What a PullLogs with a query read and kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filtered {
    /// Log groups read.
    pub raw_groups: u64,
    /// Their size, bytes.
    pub raw_bytes: u64,
    /// Logs in them.
    pub raw_lines: u64,
    /// Logs returned.
    pub result_lines: u64,
    /// Logs that the query failed on.
    pub failed_lines: u64,
}

impl PulledLogs {
    /// Packs groups that end before `cursor`. The client's `Accept-Encoding` decides about the
    /// compression: the Go SDK reads no uncompressed list.
    ///
    /// # Errors
    /// [`CodecError::Compress`].
    pub fn pack(groups: &LogGroupList, compression: Compression, cursor: String) -> Result<Self, CodecError> {
        let raw = groups.encode_to_vec();
        let compression = if raw.is_empty() { Compression::None } else { compression };
        let mut bytes = Vec::new();
        codec::compress(&raw, compression, &mut bytes)?;
        Ok(Self {
            bytes: bytes.into(),
            raw_size: raw.len(),
            compression,
            count: groups.log_groups.len() as u64,
            cursor,
            cursor_time: None,
            read_last_cursor: None,
            end_of_cursor: false,
            filtered: None,
        })
    }

    /// The groups, unpacked to at most `limit` bytes.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are broken or too large.
    pub fn groups(&self, limit: usize) -> Result<LogGroupList, DecodeError> {
        let raw = codec::unpack(&self.bytes, self.compression, self.raw_size, limit)?;
        Ok(LogGroupList::decode(raw)?)
    }
}

impl WireBody for PulledLogs {
    fn to_payload(&self) -> Payload {
        let mut payload = Payload::new(header::PROTOBUF, self.bytes.clone());
        if let Some(name) = self.compression.header_value() {
            payload.set_header(header::COMPRESS_TYPE, name);
        }
        payload.set_header(header::CURSOR, &self.cursor);
        if self.end_of_cursor {
            payload.set_header(header::END_OF_CURSOR, "1");
        }
        let headers = &mut payload.headers;
        headers.insert(header::BODY_RAW_SIZE, HeaderValue::from(self.raw_size));
        headers.insert(header::COUNT, HeaderValue::from(self.count));
        if let Some(time) = self.cursor_time {
            headers.insert(header::CURSOR_TIME, HeaderValue::from(time));
        }
        if let Some(cursor) = self.read_last_cursor {
            headers.insert(header::READ_LAST_CURSOR, HeaderValue::from(cursor));
        }
        if let Some(filtered) = self.filtered {
            headers.insert(header::RAW_DATA_COUNT, HeaderValue::from(filtered.raw_groups));
            headers.insert(header::RAW_DATA_SIZE, HeaderValue::from(filtered.raw_bytes));
            headers.insert(header::RAW_DATA_LINES, HeaderValue::from(filtered.raw_lines));
            headers.insert(header::RESULT_LINES, HeaderValue::from(filtered.result_lines));
            headers.insert(header::FAILED_LINES, HeaderValue::from(filtered.failed_lines));
        }
        payload
    }

    fn from_payload(payload: Payload) -> Result<Self, DecodeError> {
        let missing = |name| DecodeError::header(name, "is missing from the answer");
        let cursor = payload.header(header::CURSOR).ok_or_else(|| missing(header::CURSOR))?;
        Ok(Self {
            raw_size: payload
                .parsed_header(header::BODY_RAW_SIZE)?
                .ok_or_else(|| missing(header::BODY_RAW_SIZE))?,
            compression: payload.compression()?,
            count: payload.parsed_header(header::COUNT)?.ok_or_else(|| missing(header::COUNT))?,
            cursor: cursor.to_owned(),
            cursor_time: payload.parsed_header(header::CURSOR_TIME)?,
            read_last_cursor: payload.parsed_header(header::READ_LAST_CURSOR)?,
            end_of_cursor: payload.header(header::END_OF_CURSOR) == Some("1"),
            filtered: filtered(&payload)?,
            bytes: payload.bytes,
        })
    }

    fn shape() -> Shape {
        Shape::Bytes(header::PROTOBUF)
    }
}

/// The statistics of a filtered pull; none when the answer has no count of raw groups.
fn filtered(payload: &Payload) -> Result<Option<Filtered>, DecodeError> {
    let number = |name| payload.parsed_header::<u64>(name);
    let Some(raw_groups) = number(header::RAW_DATA_COUNT)? else {
        return Ok(None);
    };
    Ok(Some(Filtered {
        raw_groups,
        raw_bytes: number(header::RAW_DATA_SIZE)?.unwrap_or_default(),
        raw_lines: number(header::RAW_DATA_LINES)?.unwrap_or_default(),
        result_lines: number(header::RESULT_LINES)?.unwrap_or_default(),
        failed_lines: number(header::FAILED_LINES)?.unwrap_or_default(),
    }))
}

operation!(
    /// Finds the position of a receive time.
    GetCursor: GET "/logstores/{logstore}/shards/{shard}" ? "type" = "cursor", Project, A, Fidelity::Full, Source::Sdk("python, go, java, rust: get_cursor"),
    InShard, CursorQuery, () => Json<Cursor>);
operation!(
    /// Finds the receive time of a position.
    GetCursorTime: GET "/logstores/{logstore}/shards/{shard}" ? "type" = "cursor_time", Project, A, Fidelity::Full, Source::Sdk("python, go: get_cursor_time"),
    InShard, CursorTimeQuery, () => Json<CursorTime>);
operation!(
    /// Reads log groups in order of receipt, as the Python and Java SDKs ask.
    PullLogs: GET "/logstores/{logstore}/shards/{shard}" ? "type" = "log", Project, A, Fidelity::Partial("pullMode is ignored"), Source::Sdk("python, java: pull_logs"),
    InShard, PullQuery, () => PulledLogs);
operation!(
    /// Reads log groups in order of receipt, as the Go and Rust SDKs ask.
    PullLogsByLogs: GET "/logstores/{logstore}/shards/{shard}" ? "type" = "logs", Project, A, Fidelity::Partial("pullMode is ignored"), Source::Sdk("go, rust: pull_logs"),
    InShard, PullQuery, () => PulledLogs);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_group::LogGroup;

    #[test]
    fn the_sample_cursor_of_the_documents_decodes() {
        let text = "MTQ0NzI5OTYwNjg5NjYzMjM1Ng==";
        assert_eq!(decode_cursor(text), Some(1_447_299_606_896_632_356));
        assert_eq!(encode_cursor(1_447_299_606_896_632_356), text);
        for bad in ["", "begin", "!!!!", "YWJj"] {
            assert_eq!(decode_cursor(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_pull_survives_the_wire() {
        let groups =
            LogGroupList { log_groups: vec![LogGroup { topic: Some("t".into()), ..LogGroup::default() }] };
        for compression in [Compression::None, Compression::Lz4, Compression::Zstd] {
            let mut sent = PulledLogs::pack(&groups, compression, encode_cursor(7)).unwrap();
            sent.read_last_cursor = Some(6);
            sent.cursor_time = Some(1_700_000_000);
            sent.filtered = Some(Filtered { raw_groups: 3, raw_bytes: 9, ..Filtered::default() });
            let got = PulledLogs::from_payload(sent.to_payload()).unwrap();
            assert_eq!(got, sent);
            assert_eq!(got.groups(100).unwrap(), groups);
        }
    }

    #[test]
    fn a_pull_of_nothing_has_an_empty_body_and_no_compression() {
        let sent = PulledLogs::pack(&LogGroupList::default(), Compression::Lz4, "c".into()).unwrap();
        let payload = sent.to_payload();
        assert!(payload.bytes.is_empty() && payload.header(header::COMPRESS_TYPE).is_none());
        assert_eq!(payload.header(header::COUNT), Some("0"));
    }
}
