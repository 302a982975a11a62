//! What queries keep of the blocks they have read, in memory and within bounds.
//!
//! A block never changes, and its Logstore, shard and cursor name it, so nothing that is kept becomes
//! wrong; only when an earlier state of the database is brought back can a name come to mean another block.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::logs::BlockMeta;
use super::logstores::LogstoreId;
use crate::query::source::Kept;

/// Memory for summaries, bytes (own choice: of about 600 MB of access logs, a tenth of what they take).
const BYTES_MAX: usize = 64 << 20;
/// Memory that an entry takes besides what it holds, bytes (about).
const ENTRY_BYTES: usize = 96;

/// Which block.
type Name = (LogstoreId, u32, i64);

/// Summaries of blocks.
#[derive(Debug, Default)]
pub struct Summaries(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    by_name: HashMap<Name, Kept>,
    bytes: usize,
    /// How often the database was replaced.
    state: u64,
}

/// The state of the database that a query began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State(u64);

impl Summaries {
    /// The present state. A query must ask before it reads.
    pub fn state(&self) -> State {
        State(self.lock().state)
    }

    /// What is kept of a block.
    pub fn get(&self, logstore: LogstoreId, block: &BlockMeta) -> Option<Kept> {
        self.lock().by_name.get(&(logstore, block.shard, block.cursor)).cloned()
    }

    /// Keeps what a query that began with `state` made of a block.
    pub fn keep(&self, state: State, logstore: LogstoreId, block: &BlockMeta, kept: Kept) {
        let mut inner = self.lock();
        if inner.state != state.0 {
            return;
        }
        let bytes = size(&kept);
        if let Some(before) = inner.by_name.insert((logstore, block.shard, block.cursor), kept) {
            inner.bytes -= size(&before);
        }
        inner.bytes += bytes;
        if inner.bytes > BYTES_MAX {
            inner.forget_some();
        }
    }

    /// Forgets everything: the database is another one.
    pub fn clear(&self) {
        let mut inner = self.lock();
        *inner = Inner { state: inner.state + 1, ..Inner::default() };
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Forgets an eighth, whatever comes first. A query that goes through more than there is room for would
    /// never find the oldest again, so age is no reason.
    fn forget_some(&mut self) {
        let mut bytes = self.bytes;
        self.by_name.retain(|_, kept| {
            let goes = bytes > BYTES_MAX / 8 * 7;
            bytes -= if goes { size(kept) } else { 0 };
            !goes
        });
        self.bytes = bytes;
    }
}

fn size(kept: &Kept) -> usize {
    ENTRY_BYTES + kept.as_ref().map_or(0, |summary| summary.bytes())
}
