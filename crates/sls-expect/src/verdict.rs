//! The answer to an expectation: whether it holds, and if not, everything that helps to see why.

use serde::{Deserialize, Serialize};
use sls_api::ops::logs::Row;

use crate::golden::Difference;

/// Points of a timeline (own choice: a screenful).
pub const TIMELINE_MAX: usize = 20;
/// Logs that do not hold what each must, and nearest logs, that are shown (own choice: §5.2 says three).
pub const SHOWN_MAX: usize = 3;

/// How an expectation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// The time is over; something was there, but not enough.
    TimedOut,
}

impl Ending {
    /// Exit code of the command line. Source: §5.2 of `sls-query.md`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::TimedOut => 4,
        }
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What the expectation is called.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// How it ended.
    pub ending: Ending,
    /// What was expected, as a sentence.
    pub expected: String,
    /// Logs (or rows) that were there.
    pub count: u64,
    /// How long it took, ms.
    pub elapsed_ms: u64,
    /// The logs, if they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<Row>,
    /// Why it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Box<Explanation>>,
}

/// Why an expectation does not hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// In a sentence.
    pub why: String,
    /// How many there were when.
    pub timeline: Vec<Moment>,
    /// Logs that do not hold what each must.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
    /// How many such logs there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub violating: u64,
    /// How logs or rows are not what they should be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// How many such there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub different: u64,
    /// The parts of the search with the number of logs that each finds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<TermHits>,
    /// Logs that are not found but hold most of what is searched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nearest: Vec<Near>,
    /// The last logs that are found, where there are too many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<Row>,
    /// What may be the matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// A command that shows the same.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub curl: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A point of a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// ms since the expectation began; negative before.
    pub ms: i64,
    /// Logs that were there.
    pub count: u64,
}

/// A log that does not hold what each must.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The log.
    pub log: Row,
    /// What does not hold, and what there is instead.
    pub wrong: Vec<String>,
}

/// A part of a search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermHits {
    /// As it could be written.
    pub term: String,
    /// Logs that it finds by itself.
    pub hits: u64,
}

/// A log that is nearly found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Near {
    /// The log.
    pub log: Row,
    /// Parts of the search that do not hold for it, and what there is instead.
    pub misses: Vec<Miss>,
}

/// A part of a search that does not hold for a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Miss {
    /// The part, as it could be written.
    pub term: String,
    /// Value of the searched field, if the part is on a field that the log has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

/// What a search finds, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// As asked.
    pub query: String,
    /// Its search as it is understood.
    pub search: String,
    /// Why it cannot be answered, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Logs that were looked at.
    pub logs: u64,
    /// Logs that are found.
    pub found: u64,
    /// Its parts that must all hold, with the number of logs that each finds.
    pub terms: Vec<TermHits>,
    /// Logs that are not found but hold most of what is searched.
    pub nearest: Vec<Near>,
    /// The last logs that are found.
    pub last: Vec<Row>,
    /// What may be the matter.
    pub hints: Vec<String>,
}
