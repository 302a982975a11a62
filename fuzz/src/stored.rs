//! Logs and an index in memory: those of `fixtures/query-cases.json`, all in one Logstore.

use std::ops::ControlFlow;

use mock_sls::fuzzing::index::IndexConfig;
use mock_sls::fuzzing::source::{self, Block, Indexes, Kept, LogSource, Place, Span};
use prost::Message;
use serde_json::{Map, Value};
use sls_api::log_group::{Content, Log, LogGroup, LogTag};
use sls_api::ops::indexes::Index;

const CASES: &str = include_str!("../../fixtures/query-cases.json");
/// Those of the file's data sets and indexes that have many kinds of fields.
const SETS: [&str; 3] = ["nginx", "app", "json"];
/// The first log's second; the last one is within the hour.
pub const START: u32 = 1_700_002_800;

/// A Logstore.
#[derive(Clone)]
pub struct Stored {
    /// Its index.
    pub indexes: Indexes,
    blocks: Vec<LogGroup>,
    /// What queries kept of each block.
    kept: Vec<Option<Kept>>,
}

impl Default for Stored {
    fn default() -> Self {
        let cases: Value = serde_json::from_str(CASES).expect("the cases are JSON");
        let logs = SETS.iter().flat_map(|set| cases["datasets"][set].as_array().expect("logs"));
        let mut keys = Map::new();
        for set in SETS {
            keys.extend(cases["indexes"][set]["keys"].as_object().expect("keys").clone());
        }
        let mut index = cases["indexes"]["app"].clone();
        index["keys"] = Value::Object(keys);
        let index: Index = serde_json::from_value(index).expect("an index");
        let mut blocks: Vec<LogGroup> = Vec::new();
        for log in logs.map(group) {
            let is_alike = |block: &&mut LogGroup| {
                (&block.topic, &block.source, &block.log_tags) == (&log.topic, &log.source, &log.log_tags)
            };
            match blocks.iter_mut().find(is_alike) {
                Some(block) => block.logs.extend(log.logs),
                None => blocks.push(log),
            }
        }
        Self {
            indexes: Indexes { current: IndexConfig::from(&index), since: 1, earlier: Vec::new() },
            kept: vec![None; blocks.len()],
            blocks,
        }
    }
}

/// One log as a group.
fn group(log: &Value) -> LogGroup {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let fields = |value: &Value| {
        let fields = value.as_object().expect("fields").iter();
        fields.map(|(key, value)| (key.clone(), text(value))).collect::<Vec<_>>()
    };
    let time = log["time"].as_u64().and_then(|time| u32::try_from(time).ok()).expect("a time");
    let contents = fields(&log["contents"]).into_iter().map(|(key, value)| Content::new(key, value));
    LogGroup {
        logs: vec![Log { time, contents: contents.collect(), time_ns: None }],
        topic: Some(text(&log["topic"])),
        source: Some(text(&log["source"])),
        log_tags: fields(&log["tags"]).into_iter().map(|(key, value)| LogTag { key, value }).collect(),
        ..LogGroup::default()
    }
}

impl LogSource for Stored {
    fn scan(
        &mut self,
        span: Span<'_>,
        visit: &mut dyn FnMut(&Block, &mut dyn source::Content) -> ControlFlow<()>,
    ) -> Result<(), String> {
        let times = |group: &LogGroup| {
            let times = group.logs.iter().map(|log| log.time);
            (times.clone().min().unwrap_or_default(), times.max().unwrap_or_default())
        };
        let mut order: Vec<usize> = (0..self.blocks.len()).collect();
        order.sort_by_key(|&at| times(&self.blocks[at]).0);
        if span.newest_first {
            order.sort_by_key(|&at| std::cmp::Reverse(times(&self.blocks[at]).1));
        }
        for at in order {
            let group = &self.blocks[at];
            let (time_min, time_max) = times(group);
            let raw = group.encode_to_vec();
            let block = Block {
                place: Place { cursor: at as i64, shard: 0 },
                time_min,
                time_max,
                log_count: group.logs.len() as u32,
                raw_bytes: raw.len() as u32,
                index_generation: 1,
            };
            let wanted = i64::from(time_max) >= span.from && i64::from(time_min) < span.to;
            if wanted && visit(&block, &mut InSight { raw, kept: &mut self.kept[at] }).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// A block while a query looks at it.
struct InSight<'a> {
    raw: Vec<u8>,
    kept: &'a mut Option<Kept>,
}

impl source::Content for InSight<'_> {
    fn group(&mut self) -> Result<&[u8], String> {
        Ok(&self.raw)
    }

    fn summary(&self) -> Option<Kept> {
        self.kept.clone()
    }

    fn wants_summary(&self) -> bool {
        true
    }

    fn keep(&mut self, summary: Kept) {
        *self.kept = Some(summary);
    }
}
