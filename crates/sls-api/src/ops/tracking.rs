//! Web tracking: logs from pages in browsers, without a signature.
//!
//! Source of all of it: the documents "Use web tracking to collect logs" and "PutWebtracking".

use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, REFERER, USER_AGENT};
use serde::{Deserialize, Serialize, de::Error as _};

use crate::{
    NoQuery, Payload, WireBody,
    codec::{self, Compression},
    log_group::LogGroup,
    operation::{
        DecodeError, Fidelity, Source, operation,
        shape::{self, Shape},
    },
    ops::{
        InLogstore,
        logs::{CompressedLogs, JsonLogs},
    },
};

/// Parameters of a log that is sent as a query string: everything but these is a field of the
/// log.
pub const PARAMETERS: [&str; 2] = ["APIVersion", TOPIC];
/// Parameter that carries the topic.
pub const TOPIC: &str = "__topic__";

/// The query string of a tracked log, in the order of the request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrackedFields(pub Vec<(String, String)>);

/// What a browser says of itself and of the page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// `User-Agent`; empty when the header is absent.
    pub user_agent: String,
    /// `Referer`; empty when the header is absent.
    pub referer: String,
}

impl WireBody for Page {
    fn to_payload(&self) -> Payload {
        let mut payload = Payload::default();
        for (name, text) in [(USER_AGENT, &self.user_agent), (REFERER, &self.referer)] {
            if let Ok(value) = HeaderValue::from_str(text) {
                payload.headers.insert(name, value);
            }
        }
        payload
    }

    fn from_payload(payload: Payload) -> Result<Self, DecodeError> {
        let text = |name: http::HeaderName| payload.header(name.as_str()).unwrap_or_default().to_owned();
        Ok(Self { user_agent: text(USER_AGENT), referer: text(REFERER) })
    }

    fn shape() -> Shape {
        Shape::Nothing
    }
}

/// Several logs as JSON: `{"__topic__", "__source__", "__logs__": [{…}], "__tags__": {…}}`. The
/// content type does not matter: pages send `text/plain` to be spared the preflight. Values must
/// be text. Source: npm @alicloud/logger-sls 1.13.2, which repeats the service's refusal.
///
/// As they travel; [`TrackedLogs::group`] reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedLogs(pub CompressedLogs);

impl TrackedLogs {
    /// One group, not compressed.
    #[must_use]
    pub fn new(group: &LogGroup) -> Self {
        let bytes = Bytes::from(JsonLogs::text(group));
        let raw_size = bytes.len();
        let compression = Compression::None;
        Self(CompressedLogs { bytes, raw_size, compression, batch: false, json: true })
    }

    /// The group, unpacked to at most `limit` bytes.
    ///
    /// # Errors
    /// [`DecodeError`] when the body is too large, broken or of another shape.
    pub fn group(&self, limit: usize) -> Result<LogGroup, DecodeError> {
        let CompressedLogs { bytes, raw_size, compression, .. } = &self.0;
        let logs = JsonLogs::read(&codec::unpack(bytes, *compression, *raw_size, limit)?)?;
        if !logs.values_are_text() {
            return Err(serde_json::Error::custom("Value in log is not string data type").into());
        }
        Ok(logs.into_group())
    }
}

impl WireBody for TrackedLogs {
    fn to_payload(&self) -> Payload {
        self.0.to_payload()
    }

    fn from_payload(payload: Payload) -> Result<Self, DecodeError> {
        Ok(Self(CompressedLogs { batch: false, json: true, ..CompressedLogs::from_payload(payload)? }))
    }

    fn shape() -> Shape {
        Shape::Json(shape::schema::<JsonLogs>())
    }
}

/// An image of one transparent pixel, which is what an `<img>` asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pixel;

/// GIF89a, 1 by 1, colour 0 transparent.
const PIXEL: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

impl WireBody for Pixel {
    fn to_payload(&self) -> Payload {
        let mut payload = Payload::new("image/gif", Bytes::from_static(PIXEL));
        payload.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        payload
    }

    fn from_payload(_: Payload) -> Result<Self, DecodeError> {
        Ok(Self)
    }

    fn shape() -> Shape {
        Shape::Bytes("image/gif")
    }
}

operation!(
    /// Takes several logs as JSON.
    PutWebtracking: POST "/logstores/{logstore}/track", Project, B, Fidelity::Full, Source::Docs("PutWebtracking"),
    InLogstore, NoQuery, TrackedLogs => ());
operation!(
    /// Takes one log as a query string.
    PutWebtrackingByQuery: GET "/logstores/{logstore}/track", Project, B, Fidelity::Full, Source::Docs("Use web tracking to collect logs"),
    InLogstore, TrackedFields, () => ());
operation!(
    /// As [`PutWebtrackingByQuery`], for an `<img>`.
    PutWebtrackingByImage: GET "/logstores/{logstore}/track.gif", Project, B, Fidelity::Full, Source::Docs("Use web tracking to collect logs"),
    InLogstore, TrackedFields, () => Pixel);
operation!(
    /// As [`PutWebtrackingByImage`], and adds `__useragent__` and `__referer__`.
    PutWebtrackingByImageOfPage: GET "/logstores/{logstore}/track_ua.gif", Project, B, Fidelity::Full, Source::Docs("Use web tracking to collect logs"),
    InLogstore, TrackedFields, Page => Pixel);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header;

    #[test]
    fn tracked_logs_survive_the_wire() {
        let body =
            br#"{"__topic__":"t","__source__":"s","__logs__":[{"k":"v","n":"3"}],"__tags__":{"a":"b"}}"#;
        let sent = TrackedLogs::from_payload(Payload::new("text/plain", body.as_slice().into())).unwrap();
        let group = sent.group(1000).unwrap();
        assert_eq!(group.logs[0].contents.len(), 2);
        let again = TrackedLogs::from_payload(TrackedLogs::new(&group).to_payload()).unwrap();
        assert_eq!(again.group(1000).unwrap(), group);
    }

    #[test]
    fn a_value_that_is_not_text_is_refused_as_by_the_service() {
        let payload = Payload::new(header::JSON, br#"{"__logs__":[{"n":3}]}"#.as_slice().into());
        let refused = TrackedLogs::from_payload(payload).unwrap().group(1000).unwrap_err().to_string();
        assert!(refused.contains("Value in log is not string data type"), "{refused}");
    }

    #[test]
    fn the_query_string_keeps_its_order() {
        let fields: TrackedFields = serde_urlencoded::from_str("b=1&a=%E4%B8%AD+x&b=2").unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(fields.0, [pair("b", "1"), pair("a", "中 x"), pair("b", "2")]);
    }
}
