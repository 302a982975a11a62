//! Answers of queries: rows, statistics, histograms.

use http::HeaderValue;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};
use std::fmt;

use crate::{
    Json, Payload, WireBody, header,
    operation::{
        DecodeError,
        shape::{self, Shape},
    },
};

/// One row of an answer: columns in order, every value a text (the Go and Rust SDKs accept
/// nothing else). SQL NULL is the text `null`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row(pub Vec<(String, String)>);

impl Row {
    /// The first column with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        Some(value)
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;
        impl<'de> Visitor<'de> for Columns {
            type Value = Row;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object whose values are texts")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut columns = Vec::with_capacity(map.size_hint().unwrap_or_default());
                while let Some(column) = map.next_entry()? {
                    columns.push(column);
                }
                Ok(Row(columns))
            }
        }
        deserializer.deserialize_map(Columns)
    }
}

/// Whether an answer covers all of the queried range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Progress {
    #[default]
    Complete,
    Incomplete,
}

impl Progress {
    /// The text in bodies and headers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "Complete",
            Self::Incomplete => "Incomplete",
        }
    }
}

/// A word of the search and the field it was looked for in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Term {
    /// Field; empty for full text.
    pub key: String,
    /// Word.
    pub term: String,
}

/// Statistics of a query.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LogsMeta {
    /// Whether the answer covers everything.
    pub progress: Progress,
    /// Rows in the answer.
    pub count: u64,
    /// Logs looked at.
    pub processed_rows: u64,
    /// Bytes looked at.
    pub processed_bytes: u64,
    /// Milliseconds taken.
    pub elapsed_millisecond: u64,
    /// Whether the query has SQL.
    #[serde(rename = "hasSQL")]
    pub has_sql: bool,
    /// The search part.
    pub where_query: String,
    /// The SQL part.
    pub agg_query: String,
    /// CPU seconds spent.
    pub cpu_sec: f64,
    /// CPU cores used.
    pub cpu_cores: f64,
    /// Row limit that applied; 0 for none.
    pub limited: i64,
    /// Telemetry type of the Logstore. Spelled so by the service.
    pub telementry_type: String,
    /// Whether more computing power was used.
    pub power_sql: bool,
    /// SQL that the service added.
    #[serde(rename = "insertedSQL")]
    pub inserted_sql: String,
    /// Columns of the rows.
    pub keys: Vec<String>,
    /// Words of the search.
    pub terms: Vec<Term>,
    /// 0 normal, 1 phrase, 2 scan, 3 scan with SQL.
    pub mode: i64,
    /// Whether SQL is exact.
    pub is_accurate: bool,
    /// Bytes scanned.
    pub scan_bytes: u64,
    /// Types of the columns, with SQL.
    pub column_types: Vec<String>,
    /// Matched parts, when asked for; kept as sent.
    pub highlights: Vec<serde_json::Value>,
}

/// Answer of GetLogs, third form.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogsReply {
    /// Statistics.
    pub meta: LogsMeta,
    /// Rows.
    #[serde(default)]
    pub data: Vec<Row>,
}

/// Answer of GetLogs, first form: rows in the body, statistics in headers. Reading restores
/// progress, count, processed rows, elapsed time, SQL and the query parts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogsRows(pub LogsReply);

impl WireBody for LogsRows {
    fn to_payload(&self) -> Payload {
        let LogsReply { meta, data } = &self.0;
        let mut payload = Json(data.clone()).to_payload();
        payload.set_header(header::PROGRESS, meta.progress.as_str());
        payload.set_header("x-log-has-sql", if meta.has_sql { "true" } else { "false" });
        payload.set_header("x-log-agg-query", &meta.agg_query);
        payload.set_header("x-log-where-query", &meta.where_query);
        payload.set_header("x-log-cpu-sec", &meta.cpu_sec.to_string());
        // The Python SDK reads this one as an integer.
        payload.set_header("x-log-cpu-cores", &format!("{:.0}", meta.cpu_cores));
        payload.set_header("x-log-query-info", &query_info(meta));
        let headers = &mut payload.headers;
        headers.insert(header::COUNT, HeaderValue::from(meta.count));
        headers.insert("x-log-processed-rows", HeaderValue::from(meta.processed_rows));
        headers.insert("x-log-elapsed-millisecond", HeaderValue::from(meta.elapsed_millisecond));
        payload
    }

    fn shape() -> Shape {
        Shape::Json(shape::schema::<Vec<Row>>())
    }

    fn from_payload(payload: Payload) -> Result<Self, DecodeError> {
        let text = |name| payload.header(name).unwrap_or_default().to_owned();
        let meta = LogsMeta {
            progress: progress(&payload)?,
            count: payload.parsed_header(header::COUNT)?.unwrap_or_default(),
            processed_rows: payload.parsed_header("x-log-processed-rows")?.unwrap_or_default(),
            elapsed_millisecond: payload.parsed_header("x-log-elapsed-millisecond")?.unwrap_or_default(),
            has_sql: payload.header("x-log-has-sql") == Some("true"),
            where_query: text("x-log-where-query"),
            agg_query: text("x-log-agg-query"),
            ..LogsMeta::default()
        };
        let Json(data) = Json::from_payload(payload)?;
        Ok(Self(LogsReply { meta, data }))
    }
}

/// `x-log-query-info`: JSON in ASCII, as header values carry nothing else. Its fields are those
/// that the Go SDK makes of the third form's answer; its TestGetLogsV2 compares the two.
fn query_info(meta: &LogsMeta) -> String {
    let terms: Vec<[&str; 2]> = meta.terms.iter().map(|t| [&*t.term, &*t.key]).collect();
    let info = serde_json::json!({
        "mode": meta.mode,
        "keys": meta.keys,
        "terms": terms,
        "limited": meta.limited.to_string(),
        "scanBytes": meta.scan_bytes,
        "isAccurate": u8::from(meta.is_accurate),
    });
    let mut ascii = String::new();
    for unit in info.to_string().encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => ascii.push(char::from(byte)),
            _ => ascii.push_str(&format!("\\u{unit:04x}")),
        }
    }
    ascii
}

/// Whether an answer is complete; one without the header cannot be trusted.
fn progress(payload: &Payload) -> Result<Progress, DecodeError> {
    match payload.header(header::PROGRESS) {
        Some("Complete") => Ok(Progress::Complete),
        Some("Incomplete") => Ok(Progress::Incomplete),
        other => Err(DecodeError::header(
            header::PROGRESS,
            format!("should be Complete or Incomplete, not {other:?}"),
        )),
    }
}

/// One bucket of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// First second.
    pub from: i64,
    /// Second behind the last.
    pub to: i64,
    /// Logs in between.
    pub count: u64,
    /// Whether all were counted.
    #[serde(default)]
    pub progress: Progress,
}

/// Answer of GetHistograms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histograms {
    /// Whether everything was counted.
    pub progress: Progress,
    /// Logs in all buckets.
    pub count: u64,
    /// Buckets, in order of time.
    pub buckets: Vec<Histogram>,
}

impl WireBody for Histograms {
    fn to_payload(&self) -> Payload {
        let mut payload = Json(self.buckets.clone()).to_payload();
        payload.set_header(header::PROGRESS, self.progress.as_str());
        payload.headers.insert(header::COUNT, HeaderValue::from(self.count));
        payload
    }

    fn shape() -> Shape {
        Shape::Json(shape::schema::<Vec<Histogram>>())
    }

    fn from_payload(payload: Payload) -> Result<Self, DecodeError> {
        let progress = progress(&payload)?;
        let count = payload.parsed_header(header::COUNT)?;
        let Json(buckets) = Json::<Vec<Histogram>>::from_payload(payload)?;
        Ok(Self { progress, count: count.unwrap_or_else(|| buckets.iter().map(|b| b.count).sum()), buckets })
    }
}

/// Answer of GetContextLogs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextLogs {
    /// Whether everything was looked at.
    pub progress: Progress,
    /// Logs in the answer, with the one that was asked for.
    pub total_lines: i64,
    /// Those from before it.
    pub back_lines: i64,
    /// Those from after it.
    pub forward_lines: i64,
    /// The logs in their order; `__index_number__` counts from the one that was asked for, 0.
    pub logs: Vec<Row>,
}

/// Answer of ListTopics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topics {
    /// Topics, in order of their bytes.
    pub topics: Vec<String>,
    /// The first topic that had no room; empty behind the last.
    pub next_token: String,
}

impl WireBody for Topics {
    fn to_payload(&self) -> Payload {
        let mut payload = Json(self.topics.clone()).to_payload();
        payload.headers.insert(header::COUNT, HeaderValue::from(self.topics.len()));
        if let Ok(token) = HeaderValue::from_bytes(self.next_token.as_bytes()) {
            payload.headers.insert(header::NEXT_TOKEN, token);
        }
        payload
    }

    fn shape() -> Shape {
        Shape::Json(shape::schema::<Vec<String>>())
    }

    fn from_payload(payload: Payload) -> Result<Self, DecodeError> {
        let token = payload.headers.get(header::NEXT_TOKEN).map(HeaderValue::as_bytes).unwrap_or_default();
        let next_token = String::from_utf8_lossy(token).into_owned();
        let Json(topics) = Json::from_payload(payload)?;
        Ok(Self { topics, next_token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_order_and_are_flat_text() {
        let text = r#"{"z":"1","a":"2"}"#;
        let row: Row = serde_json::from_str(text).unwrap();
        assert_eq!(row.get("a"), Some("2"));
        assert_eq!(serde_json::to_string(&row).unwrap(), text);
        assert!(serde_json::from_str::<Row>(r#"{"a":1}"#).is_err());
    }

    #[test]
    fn the_first_form_carries_its_statistics_in_headers() {
        let sent = LogsRows(LogsReply {
            meta: LogsMeta {
                count: 1,
                processed_rows: 5,
                where_query: "*".into(),
                has_sql: true,
                agg_query: "select 1".into(),
                ..LogsMeta::default()
            },
            data: vec![Row(vec![("k".into(), "v".into())])],
        });
        assert_eq!(LogsRows::from_payload(sent.to_payload()).unwrap(), sent);
    }

    #[test]
    fn query_info_is_ascii() {
        let meta = LogsMeta { keys: vec!["中".into()], ..LogsMeta::default() };
        let info = r#"{"mode":0,"keys":["\u4e2d"],"terms":[],"limited":"0","scanBytes":0,"isAccurate":0}"#;
        assert_eq!(query_info(&meta), info);
    }

    #[test]
    fn topics_survive_the_wire() {
        let sent = Topics { topics: vec!["a".into(), "中".into()], next_token: "文".into() };
        assert_eq!(Topics::from_payload(sent.to_payload()).unwrap(), sent);
    }

    #[test]
    fn histograms_survive_the_wire() {
        let sent = Histograms {
            progress: Progress::Incomplete,
            count: 3,
            buckets: vec![Histogram { from: 1, to: 2, count: 3, progress: Progress::Complete }],
        };
        assert_eq!(Histograms::from_payload(sent.to_payload()).unwrap(), sent);
    }
}
