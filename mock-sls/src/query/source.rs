//! Where a query finds logs and indexes: the seam between the pure query and the store.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{QueryError, index::IndexConfig, request::Window, sql::ExternalTable, summary::Summary};

/// Blocks of logs of one Logstore.
pub trait LogSource {
    /// Visits the blocks that may have logs in `[from, to)` Unix seconds until `visit` breaks, in the order of
    /// the span. A source of what came since some moment has the order of arrival instead, and cannot give
    /// pages.
    ///
    /// # Errors
    /// A text for people when the logs cannot be read.
    fn scan(
        &mut self,
        span: Span<'_>,
        visit: &mut dyn FnMut(&Block, &mut dyn Content) -> ControlFlow<()>,
    ) -> Result<(), String>;

    /// A table that SQL may join by this name, if there is one; of logs those in the window.
    ///
    /// # Errors
    /// It cannot be read.
    fn table(
        &mut self,
        _name: &str,
        _window: Window,
        _cancel: &Cancel,
    ) -> Result<Option<ExternalTable>, QueryError> {
        Ok(None)
    }
}

/// What is in a block, read when somebody asks for it.
pub trait Content {
    /// The LogGroup, protobuf.
    ///
    /// # Errors
    /// A text for people when it cannot be read.
    fn group(&mut self) -> Result<&[u8], String>;

    /// What an earlier query kept of it; `None` if none did, or it was forgotten.
    fn summary(&self) -> Option<Kept>;

    /// Whether it is worth while to make a summary that nobody kept.
    fn wants_summary(&self) -> bool;

    /// Keeps what a query made of it, for the next one.
    fn keep(&mut self, summary: Kept);
}

/// What queries keep of a block: nothing, if it cannot be summarised.
pub type Kept = Option<Arc<Summary>>;

/// Which blocks to visit, and in which order.
#[derive(Debug, Clone, Copy)]
pub struct Span<'t> {
    /// First second of log time.
    pub from: i64,
    /// Second behind the last.
    pub to: i64,
    /// Only this topic.
    pub topic: Option<&'t str>,
    /// In which order.
    pub order: Order,
}

/// An order of blocks. Those that are equal in it come in the order of arrival, or against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Whichever costs least.
    Any,
    /// By their earliest log.
    OldestFirst,
    /// By their latest log, descending.
    NewestFirst,
}

impl Order {
    /// Of pages of logs.
    pub fn of_pages(reverse: bool) -> Self {
        if reverse { Self::NewestFirst } else { Self::OldestFirst }
    }
}

/// Logs that were written together.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    /// Shard and position in it: unique in the Logstore, later blocks have higher positions.
    pub place: Place,
    /// Earliest log, Unix seconds.
    pub time_min: u32,
    /// Latest log, Unix seconds.
    pub time_max: u32,
    /// Logs in it.
    pub log_count: u32,
    /// Size of the LogGroup as its writer made it, bytes.
    pub raw_bytes: u32,
    /// Index that was in force; 0 for none.
    pub index_generation: i64,
}

/// Where a block stands. Ordered by arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Position, by receive time.
    pub cursor: i64,
    /// Shard.
    pub shard: u32,
}

impl Place {
    /// When the block was received, Unix ms.
    pub fn received_ms(self) -> i64 {
        const NS_PER_MS: i64 = 1_000_000;
        self.cursor / NS_PER_MS
    }
}

/// The indexes that a Logstore has and had.
#[derive(Debug, Clone)]
pub struct Indexes {
    /// The one in force.
    pub current: IndexConfig,
    /// Logs of this and later generations are found by it.
    pub since: i64,
    /// What finds the logs of earlier generations. Logs of a generation that is not here had no
    /// index, or one that was deleted since, and are not found.
    /// Source: document "Configure indexes" (an index covers later logs only).
    pub earlier: Vec<(i64, IndexConfig)>,
}

/// Set from outside when nobody waits for a query any more.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the query to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it should stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Gives up the query when the future that waits for it is dropped.
#[derive(Debug, Default)]
pub struct CancelOnDrop(pub Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
