//! The shape of `fixtures/query-cases.json`.

use std::collections::BTreeMap;

use serde::Deserialize;
use sls_api::ops::indexes::Index;

pub const FILE: &str = include_str!("../../../fixtures/query-cases.json");

#[derive(Deserialize)]
pub struct Suite {
    pub format: Format,
    pub indexes: BTreeMap<String, Option<Index>>,
    pub datasets: BTreeMap<String, Dataset>,
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
pub struct Format {
    pub t0: u32,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Dataset {
    Logs(Vec<TestLog>),
    /// A rule in words; there is one, see `generated`.
    Rule {
        generate: String,
    },
}

#[derive(Deserialize, Clone)]
pub struct TestLog {
    pub id: String,
    pub time: u32,
    pub topic: String,
    pub source: String,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    pub contents: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize, Clone)]
pub struct Case {
    pub id: String,
    #[serde(default)]
    pub api: Option<String>,
    pub index: String,
    pub logs: String,
    pub query: String,
    #[serde(default)]
    pub confidence: String,
    pub from: i64,
    pub to: i64,
    pub line: Option<i64>,
    pub offset: Option<i64>,
    pub reverse: Option<bool>,
    #[serde(default)]
    pub pre_index: Vec<String>,
    #[serde(default)]
    pub back_lines: i64,
    #[serde(default)]
    pub forward_lines: i64,
    pub expect: Expected,
}

#[derive(Deserialize, Clone)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Expected {
    Logs {
        rids: Vec<String>,
        #[serde(default)]
        ordered: bool,
        #[serde(default)]
        extra_fields: Vec<String>,
    },
    Rows {
        rows: Vec<BTreeMap<String, String>>,
        #[serde(default)]
        ordered: bool,
        #[serde(default)]
        float_tolerance: f64,
    },
    Error {
        status: u16,
        code: String,
        #[serde(default)]
        message_contains: String,
    },
    Histogram {
        total: u64,
    },
    Context {
        total_lines: i64,
        back_lines: i64,
        forward_lines: i64,
        rids: Vec<String>,
        index_numbers: Vec<String>,
    },
}
