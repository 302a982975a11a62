//! The result: what of the ledger was received, and how.

use serde::{Deserialize, Serialize};

use super::latency::Latency;
use crate::ledger::Check;

/// All of a kind are counted; the first of them are named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed<T> {
    /// How many logs.
    pub count: u64,
    /// The first of them.
    pub listed: Vec<T>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { count: 0, listed: Vec::new() }
    }
}

impl<T> Listed<T> {
    /// Counts one more, and names it if there is room.
    pub(super) fn add(&mut self, listed_max: usize, item: impl FnOnce() -> T) {
        self.count += 1;
        if self.listed.len() < listed_max {
            self.listed.push(item());
        }
    }
}

/// What was received, held against what was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounting {
    /// Logs in the ledger.
    pub sent: u64,
    /// Logs that came, copies and foreign ones included.
    pub received: u64,
    /// Logs of the ledger that came.
    pub unique: u64,
    /// Logs of the ledger that did not.
    pub missing: Listed<Numbers>,
    /// Logs that came more than once.
    pub duplicates: Duplicates,
    /// Logs that say they are ones that are not in the ledger, copies included.
    pub unexpected: Listed<Numbers>,
    /// Logs that do not say which one they are, by the beginning of their values.
    pub unidentified: Listed<String>,
    /// Logs that came out of the order of their source: as few as possible are named such that all others are in
    /// order. Only the first copy of a log counts.
    pub reordered: Listed<Reordered>,
    /// So many logs of a source were out of order that not the fewest are named, but all that came after one with
    /// a higher number.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reordered_roughly: bool,
    /// Logs with other contents than were written.
    pub corrupted: Listed<Altered>,
    /// Logs that are shorter than they were written.
    pub truncated: Listed<Altered>,
    /// Logs that came later than they may.
    pub late: Listed<Late>,
    /// Logs whose contents could not be compared, since the ledger says nothing of them in the form in which they
    /// came.
    pub unchecked: u64,
    /// How long logs took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// The same for each source; those first of which something is wrong.
    pub per_source: Listed<SourceAccount>,
    /// Number of the last line of the ledger, if it ends in the middle and was not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger_cut_line: Option<u64>,
}

/// Consecutive numbers of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Name of the run.
    pub run: String,
    /// Name of who wrote them.
    pub source: String,
    /// The first.
    pub first: u64,
    /// The last; the first if it is one.
    pub last: u64,
}

/// Name of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogId {
    /// Name of the run.
    pub run: String,
    /// Name of who wrote it.
    pub source: String,
    /// Its number.
    pub seq: u64,
}

/// Logs that came more than once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicates {
    /// Copies beyond the first of each.
    pub count: u64,
    /// Logs that have such.
    pub logs: u64,
    /// Copies that came in a pack that was there before.
    pub retries: u64,
    /// Copies that came in another pack.
    pub read_twice: u64,
    /// The first logs, by when their first copy came.
    pub listed: Vec<Duplicate>,
}

/// A log that came more than once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    /// Which.
    #[serde(flatten)]
    pub id: LogId,
    /// How often it came in all.
    pub times: u64,
    /// Why; [`DuplicateKind::ReadTwice`] if it was both.
    pub kind: DuplicateKind,
}

/// Why a log came again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateKind {
    /// Its pack was sent again: the sender did not hear that it had arrived.
    Retry,
    /// It came in another pack, or twice in one: it was read again, or written twice.
    ReadTwice,
}

/// Logs that came out of order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reordered {
    /// Which.
    #[serde(flatten)]
    pub numbers: Numbers,
    /// Number of the log of this source that came just before them; nothing if they came first.
    pub came_after: Option<u64>,
}

/// A log with other contents than were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Altered {
    /// Which.
    #[serde(flatten)]
    pub id: LogId,
    /// What was written.
    pub written: Check,
    /// What came.
    pub got: Check,
}

/// A log that came later than it may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// Which.
    #[serde(flatten)]
    pub id: LogId,
    /// How long it took, ms.
    pub ms: u64,
}

/// The account of one source; the numbers mean what they mean in [`Accounting`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in Accounting")]
pub struct SourceAccount {
    pub run: String,
    pub source: String,
    pub sent: u64,
    pub received: u64,
    pub unique: u64,
    pub missing: u64,
    pub duplicates: u64,
    pub reordered: u64,
    pub corrupted: u64,
    pub truncated: u64,
    pub late: u64,
}

impl SourceAccount {
    /// Whether each log came once, whole, in order and in time.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.missing + self.duplicates + self.reordered + self.corrupted + self.truncated + self.late == 0
    }
}
