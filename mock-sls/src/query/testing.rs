//! Logs and indexes in memory, for the unit tests and the fuzz target of queries.

use std::collections::HashMap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use prost::Message;
use serde_json::{Value, json};
use sls_api::{
    log_group::{Content, Log, LogGroup, LogTag},
    ops::{indexes::Index, logs::LogsReply},
};

use super::{
    QueryError,
    index::IndexConfig,
    request::{Page, Window},
    run::{LogsRequest, run},
    source::{self, Block, Cancel, Indexes, Kept, LogSource, Place, Span},
    sql::Settings,
    tokenizer::DEFAULT_DELIMITERS,
};

/// First second of the test logs: 2023-11-15 07:00:00 in Shanghai.
pub const START: u32 = 1_700_002_800;

/// A Logstore in memory.
#[derive(Clone)]
pub struct Bed {
    pub indexes: Option<Indexes>,
    pub groups: Vec<(LogGroup, i64)>,
    /// What queries keep, by the position of the group.
    pub kept: HashMap<usize, Kept>,
}

/// An index in which every key but `n*` (long), `x*` (double) and `j*` (json) is text.
pub fn index(keys: &[&str]) -> IndexConfig {
    let key = |name: &str| match name.as_bytes() {
        [b'n', ..] => json!({"type": "long", "doc_value": true}),
        [b'x', ..] => json!({"type": "double", "doc_value": true}),
        [b'j', ..] => json!({"type": "json", "doc_value": true, "token": delimiters(), "json_keys": {
            "a": {"type": "text", "doc_value": true}, "b.c": {"type": "long", "doc_value": true, "alias": "bc"}}}),
        _ => json!({"type": "text", "doc_value": true, "token": delimiters()}),
    };
    let keys: serde_json::Map<String, Value> =
        keys.iter().map(|name| ((*name).to_owned(), key(name))).collect();
    config(json!({"line": {"token": delimiters()}, "keys": keys}))
}

pub fn delimiters() -> Vec<String> {
    DEFAULT_DELIMITERS.chars().map(String::from).collect()
}

pub fn config(index: Value) -> IndexConfig {
    IndexConfig::from(&serde_json::from_value::<Index>(index).expect("a valid index"))
}

impl Bed {
    /// One group whose logs have these fields, one second after the other.
    pub fn new(index: IndexConfig, logs: &[Value]) -> Self {
        let log = |(time, fields): (u32, &Value)| Log {
            time,
            contents: fields
                .as_object()
                .expect("fields")
                .iter()
                .map(|(key, value)| Content::new(key.clone(), value.as_str().expect("a text").to_owned()))
                .collect(),
            time_ns: None,
        };
        let group = LogGroup {
            logs: (START..).zip(logs).map(log).collect(),
            topic: Some("top".to_owned()),
            source: Some("10.0.0.1".to_owned()),
            log_tags: vec![LogTag { key: "host".to_owned(), value: "web 1".to_owned() }],
            ..LogGroup::default()
        };
        let indexes = Indexes { current: index, since: 1, earlier: Vec::new() };
        Self { indexes: Some(indexes), groups: vec![(group, 1)], kept: HashMap::new() }
    }

    pub fn run(&mut self, query: &str, page: Page) -> Result<LogsReply, QueryError> {
        let settings = Settings::default();
        let request = LogsRequest {
            settings: &settings,
            window: Window::new(i64::from(START), i64::from(START) + 3600, None, None)?,
            page,
            logstore: "store",
            now: Timestamp::from_second(i64::from(START) + 1800).expect("a valid time"),
            topic: "",
            query,
        };
        let indexes = self.indexes.clone();
        run(&request, indexes.as_ref(), self, &Cancel::default())
    }

    /// Values of field `i` of the logs that a search finds, or the error.
    pub fn found(&mut self, query: &str) -> String {
        let page = Page { offset: 0, lines: 100, reverse: false };
        match self.run(query, page) {
            Ok(reply) => {
                let ids: Vec<_> = reply.data.iter().map(|row| row.get("i").unwrap_or("?")).collect();
                ids.join(" ")
            }
            Err(error) => error.to_string(),
        }
    }

    /// The rows of a statement as `a=1 b=2`, without the two columns that every row has.
    pub fn rows(&mut self, sql: &str) -> String {
        let page = Page { offset: 0, lines: 100, reverse: false };
        match self.run(&format!("* | {sql}"), page) {
            Ok(reply) => {
                let keys = reply.meta.keys;
                let show = |row: &sls_api::ops::logs::Row| {
                    let cells = row.0.iter().filter(|(key, _)| keys.contains(key));
                    cells.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
                };
                reply.data.iter().map(show).collect::<Vec<_>>().join("\n")
            }
            Err(error) => error.to_string(),
        }
    }
}

impl LogSource for Bed {
    fn scan(
        &mut self,
        span: Span<'_>,
        visit: &mut dyn FnMut(&Block, &mut dyn source::Content) -> ControlFlow<()>,
    ) -> Result<(), String> {
        let times = |group: &LogGroup| {
            let times = group.logs.iter().map(|log| log.time);
            (times.clone().min().unwrap_or_default(), times.max().unwrap_or_default())
        };
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        order.sort_by_key(|&at| times(&self.groups[at].0).0);
        if span.order == source::Order::NewestFirst {
            order.sort_by_key(|&at| std::cmp::Reverse(times(&self.groups[at].0).1));
        }
        for at in order {
            let (group, index_generation) = &self.groups[at];
            let (time_min, time_max) = times(group);
            let wanted = i64::from(time_max) >= span.from && i64::from(time_min) < span.to;
            if !wanted || span.topic.is_some_and(|topic| group.topic.as_deref() != Some(topic)) {
                continue;
            }
            let raw = group.encode_to_vec();
            let block = Block {
                place: Place { cursor: at as i64, shard: 0 },
                time_min,
                time_max,
                log_count: group.logs.len() as u32,
                raw_bytes: raw.len() as u32,
                index_generation: *index_generation,
            };
            if visit(&block, &mut Raw { at, raw, kept: &mut self.kept }).is_break() {
                break;
            }
        }
        Ok(())
    }
}

struct Raw<'k> {
    at: usize,
    raw: Vec<u8>,
    kept: &'k mut HashMap<usize, Kept>,
}

impl source::Content for Raw<'_> {
    fn group(&mut self) -> Result<&[u8], String> {
        Ok(&self.raw)
    }

    fn summary(&self) -> Option<Kept> {
        self.kept.get(&self.at).cloned()
    }

    fn wants_summary(&self) -> bool {
        true
    }

    fn keep(&mut self, summary: Kept) {
        self.kept.insert(self.at, summary);
    }
}
