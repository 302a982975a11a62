//! What queries keep of the blocks they have read, in memory and within bounds.
//!
//! A block never changes, and its Logstore, shard and cursor name it, so nothing that is kept becomes
//! wrong; only when an earlier state of the database is brought back can a name come to mean another block.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::blocks::BlockMeta;
use super::logstores::LogstoreId;
use crate::query::source::Kept;

/// Memory for summaries, bytes (own choice: those of about 3 GB of access logs take so much).
const BYTES_MAX: usize = 256 << 20;
/// Of so many blocks whose summary there is no room for, one gets it instead of another (own choice: a query that
/// goes through more than there is room for would else make each summary anew each time).
const ONE_OF: u64 = 16;
/// Memory that an entry takes besides what it holds, bytes (about).
const ENTRY_BYTES: usize = 96;

/// Which block.
type Name = (LogstoreId, u32, i64);

/// Summaries of blocks.
#[derive(Debug)]
pub struct Summaries {
    bytes_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_name: HashMap<Name, Kept>,
    bytes: usize,
    /// How often the database was replaced.
    state: u64,
    /// Whether it is being replaced.
    replacing: bool,
    /// Blocks that came when there was no room.
    without_room: u64,
}

impl Default for Summaries {
    fn default() -> Self {
        Self { bytes_max: BYTES_MAX, inner: Mutex::default() }
    }
}

/// The state of the database that a query began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State(u64);

impl Summaries {
    /// The present state. A query must ask before it reads.
    pub fn state(&self) -> State {
        State(self.lock().state)
    }

    /// What is kept of a block, for a query that began with `state`.
    pub fn get(&self, state: State, logstore: LogstoreId, block: &BlockMeta) -> Option<Kept> {
        let inner = self.lock();
        inner.is_of(state).then(|| inner.by_name.get(&(logstore, block.shard, block.cursor)).cloned())?
    }

    /// Whether it is worth while to make the summary of another block.
    pub fn wants_more(&self) -> bool {
        let mut inner = self.lock();
        if inner.bytes < self.bytes_max / 8 * 7 {
            return true;
        }
        inner.without_room += 1;
        inner.without_room.is_multiple_of(ONE_OF)
    }

    /// Keeps what a query that began with `state` made of a block.
    pub fn keep(&self, state: State, logstore: LogstoreId, block: &BlockMeta, kept: Kept) {
        let mut inner = self.lock();
        if !inner.is_of(state) {
            return;
        }
        let bytes = size(&kept);
        if let Some(before) = inner.by_name.insert((logstore, block.shard, block.cursor), kept) {
            inner.bytes -= size(&before);
        }
        inner.bytes += bytes;
        if inner.bytes > self.bytes_max {
            inner.forget(self.bytes_max / 4 * 3);
        }
    }

    /// Forgets everything, since the database becomes another one, and keeps nothing until the result is dropped:
    /// nobody knows which of the two a query reads that begins meanwhile.
    pub fn while_replaced(&self) -> Replacing<'_> {
        let mut inner = self.lock();
        *inner = Inner { state: inner.state, replacing: true, ..Inner::default() };
        Replacing(self)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The database is being replaced.
pub struct Replacing<'s>(&'s Summaries);

impl Drop for Replacing<'_> {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        inner.state += 1;
        inner.replacing = false;
    }
}

impl Inner {
    fn is_of(&self, state: State) -> bool {
        self.state == state.0 && !self.replacing
    }

    /// Forgets whatever comes first until no more than this is left. A query that goes through more than there
    /// is room for would never find the oldest again, so age is no reason.
    fn forget(&mut self, bytes_left: usize) {
        let mut bytes = self.bytes;
        self.by_name.retain(|_, kept| {
            let goes = bytes > bytes_left;
            bytes -= if goes { size(kept) } else { 0 };
            !goes
        });
        self.bytes = bytes;
    }
}

fn size(kept: &Kept) -> usize {
    ENTRY_BYTES + kept.as_ref().map_or(0, |summary| summary.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::blocks::testing::meta;

    const STORE: LogstoreId = LogstoreId(1);

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let summaries = Summaries { bytes_max: 100 * ENTRY_BYTES, ..Summaries::default() };
        let state = summaries.state();
        let mut made = 0;
        for cursor in 0..1_000 {
            if summaries.wants_more() {
                summaries.keep(state, STORE, &meta(cursor), None);
                made += 1;
            }
            let inner = summaries.lock();
            assert!(inner.by_name.len() <= 100);
            assert_eq!(inner.bytes, inner.by_name.len() * ENTRY_BYTES);
        }
        let found = (0..1_000).filter(|cursor| summaries.get(state, STORE, &meta(*cursor)).is_some()).count();
        assert!(found >= 75 && made < 200, "{found} found, {made} made");
    }

    #[test]
    fn what_a_query_made_before_the_database_was_replaced_is_not_kept() {
        let summaries = Summaries::default();
        let kept = |state| {
            summaries.keep(state, STORE, &meta(1), None);
            summaries.get(state, STORE, &meta(1)).is_some()
        };
        let before = summaries.state();
        assert!(kept(before));
        let replacing = summaries.while_replaced();
        let meanwhile = summaries.state();
        assert!(!kept(before) && !kept(meanwhile));
        drop(replacing);
        let after = summaries.state();
        assert!(summaries.get(after, STORE, &meta(1)).is_none());
        assert!(!kept(before) && !kept(meanwhile) && kept(after));
        assert!(summaries.get(before, STORE, &meta(1)).is_none());
    }
}
