//! One look at what has come since the last: what is found is counted, checked and, if somebody wants
//! to see it, kept. Each log is looked at once, however often somebody looks.

use std::ops::ControlFlow;

use sls_api::ops::logs::Row;
use sls_expect::condition::Check;
use sls_expect::expectation::GOLDEN_LOGS_MAX;
use sls_expect::verdict::{Moment, SHOWN_MAX, TIMELINE_MAX, Violation};

use super::selector::Selector;
use super::waiting::Snapshot;
use crate::app::App;
use crate::error::ApiError;
use crate::ops::search::stored::{Logs, indexes_of};
use crate::query::QueryError;
use crate::query::log_view::LogView;
use crate::query::matcher::Options;
use crate::query::request::Page;
use crate::query::rows;
use crate::query::run::{self, LogsRequest};
use crate::query::search::{Flow, Scan, Search, Taken, Visitor};
use crate::query::source::{Block, Cancel, Indexes, Order, Place};
use crate::query::summary::{RowSet, Summary};
use crate::store::arrived::Positions;
use crate::store::logstores::{self, LogstoreId};
use crate::store::projects;
use crate::store::summaries::State;

/// Rows of a pipeline or of SQL that are looked at: one more than may be expected, so that it is seen.
const ROWS_MAX: u64 = GOLDEN_LOGS_MAX as u64 + 1;
/// Bytes of logs that are kept for an answer, and for all answers of a request together (own choice).
pub const LOGS_BYTES_MAX: usize = 64 << 20;
/// What a column takes besides its texts, bytes (about).
const ROW_BYTES: usize = 48;

/// What somebody wants to know of what is found.
#[derive(Debug, Default)]
pub struct Wanted {
    /// What must hold of each.
    pub each: Vec<Check>,
    /// How many logs to keep.
    pub logs_max: usize,
    /// And how many bytes of them.
    pub logs_bytes_max: usize,
    /// Whether each log is wanted once, as it comes: then a look ends where there is no more room, and the next
    /// goes on there, whatever becomes of the index.
    pub follows: bool,
    /// Whether each log that is kept says where it is, as `with_pack_meta` does.
    pub pack_meta: bool,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    /// Of which Logstore, under which index: if that changes, everything is looked at again.
    of: Option<(State, LogstoreId, i64)>,
    positions: Positions,
    /// Logs, or rows of the last answer.
    pub count: u64,
    /// When they came: Unix ms and how many there were then.
    times: Vec<(i64, u64)>,
    /// Logs that are not as each must be.
    pub violating: u64,
    /// The first of them.
    pub violations: Vec<Violation>,
    /// The logs, as many as were wanted.
    pub logs: Vec<Row>,
    /// Bytes of them.
    logs_bytes: usize,
    /// Whether some had no room.
    cut: bool,
    /// Why nothing could be looked at, if so.
    pub problem: Option<String>,
}

impl Seen {
    /// Looks at what has come since.
    ///
    /// # Errors
    /// The store fails. That there is no such Logstore or index is none: there may be one later.
    pub fn look(
        mut self,
        snapshot: &Snapshot<'_>,
        selector: &Selector,
        wanted: &Wanted,
    ) -> Result<Self, ApiError> {
        match self.try_look(snapshot, (selector, wanted)) {
            Ok(()) => {
                self.problem = None;
                Ok(self)
            }
            Err(error) if error.is_failure() => Err(error),
            // Who follows goes on where he was, should there be an index again.
            Err(problem) => {
                let rest = if wanted.follows { self } else { Self::default() };
                Ok(Self { problem: Some(problem.to_string()), ..rest })
            }
        }
    }

    fn try_look(
        &mut self,
        snapshot: &Snapshot<'_>,
        (selector, wanted): (&Selector, &Wanted),
    ) -> Result<(), ApiError> {
        let Snapshot { db, app, state, now, cancel } = *snapshot;
        let project = projects::named(db, &selector.project)?;
        let target = logstores::read_target(db, project, &selector.logstore, now)?;
        let indexes = indexes_of(db, target.id)?.ok_or(QueryError::IndexMissing)?;
        let of = (state, target.id, indexes.since);
        let same = self.of.is_some_and(|(state, logstore, _)| (state, logstore) == (of.0, of.1));
        if wanted.follows && same {
            self.of = Some(of);
        } else if self.of != Some(of) || selector.has_rows {
            *self = Self { of: Some(of), positions: selector.begin(target.id), ..Self::default() };
        }
        let positions = self.positions.clone();
        let summaries = &app.store.summaries;
        let mut logs =
            Logs { db, target, project, now, since: Some(&positions), until: None, summaries, state };
        if selector.has_rows {
            return self.answer(&mut logs, app, (selector, wanted), &indexes, cancel);
        }
        let search = Search::new(&selector.search, &indexes, Options::default())?;
        let scan = Scan { window: selector.window, topic: "", order: Order::OldestFirst };
        search.run(&mut logs, &scan, cancel, &mut Counting { seen: self, wanted })?;
        Ok(())
    }

    fn answer(
        &mut self,
        logs: &mut Logs<'_>,
        app: &App,
        (selector, wanted): (&Selector, &Wanted),
        indexes: &Indexes,
        cancel: &Cancel,
    ) -> Result<(), ApiError> {
        let request = LogsRequest {
            window: selector.window,
            page: Page { offset: 0, lines: ROWS_MAX, reverse: false },
            logstore: selector.logstore.as_str(),
            now: logs.now,
            settings: &app.sql,
            topic: "",
            query: &selector.query,
        };
        let reply = run::run(&request, Some(indexes), logs, cancel)?;
        for row in reply.data {
            self.take(row, wanted);
        }
        Ok(())
    }

    fn take(&mut self, row: Row, wanted: &Wanted) {
        self.count += 1;
        let wrong: Vec<String> = wanted.each.iter().filter_map(|check| check.violation(&row)).collect();
        if !wrong.is_empty() {
            self.violating += 1;
            if self.violations.len() < SHOWN_MAX {
                self.violations.push(Violation { log: row.clone(), wrong });
            }
        }
        if self.logs.len() < wanted.logs_max || wanted.follows {
            self.logs_bytes +=
                row.0.iter().map(|(name, value)| name.len() + value.len() + ROW_BYTES).sum::<usize>();
            if self.logs_bytes > wanted.logs_bytes_max && !wanted.follows {
                self.cut = true;
            } else {
                self.logs.push(row);
            }
        }
    }

    /// Whether there are logs that were wanted and that there was no room for.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Whether nothing more is kept until what is kept is taken.
    pub fn is_full(&self, wanted: &Wanted) -> bool {
        self.logs.len() >= wanted.logs_max || self.logs_bytes >= wanted.logs_bytes_max
    }

    /// The logs that are kept, which makes room for others.
    pub fn take_logs(&mut self) -> Vec<Row> {
        self.logs_bytes = 0;
        std::mem::take(&mut self.logs)
    }

    /// Notes how many there are now.
    fn note(&mut self, place: Place) {
        let ms = place.received_ms();
        match self.times.last_mut() {
            Some(last) if last.0 == ms => last.1 = self.count,
            _ => self.times.push((ms, self.count)),
        }
        if self.times.len() > TIMELINE_MAX * 20 {
            // Every other one but the first and the last.
            let last = self.times.len() - 1;
            let mut at = 0;
            self.times.retain(|_| {
                at += 1;
                at % 2 == 1 || at > last
            });
        }
    }

    /// When the logs came, in ms since `began` (Unix ms).
    pub fn timeline(&self, began: i64) -> Vec<Moment> {
        let step = self.times.len().div_ceil(TIMELINE_MAX).max(1);
        let last = self.times.len().saturating_sub(1);
        let points =
            self.times.iter().enumerate().filter(|(at, _)| last.saturating_sub(*at).is_multiple_of(step));
        points.map(|(_, (ms, count))| Moment { ms: ms - began, count: *count }).collect()
    }
}

/// Counts what is found, and looks at the logs themselves only if that is wanted.
struct Counting<'s> {
    seen: &'s mut Seen,
    wanted: &'s Wanted,
}

impl Counting<'_> {
    /// Logs that follow are taken whole blocks at a time, also where the last of a block are one too many.
    fn counts_only(&self) -> bool {
        self.wanted.each.is_empty() && !self.wanted.follows && self.seen.logs.len() >= self.wanted.logs_max
    }

    fn add(&mut self, block: &Block, logs: u64) {
        self.seen.count += logs;
        self.seen.note(block.place);
    }
}

impl Visitor for Counting<'_> {
    fn begin_block(&mut self, block: &Block) -> Flow {
        if self.wanted.follows && self.seen.is_full(self.wanted) {
            return ControlFlow::Break(None);
        }
        self.seen.positions.pass(block.place.shard, block.place.cursor);
        ControlFlow::Continue(())
    }

    fn found_whole(&mut self, block: &Block) -> bool {
        let counted = self.counts_only();
        if counted {
            self.add(block, u64::from(block.log_count));
        }
        counted
    }

    fn found_in(&mut self, block: &Block, _: &Summary, rows: &RowSet) -> Taken {
        let counted = self.counts_only();
        if counted {
            self.add(block, rows.len() as u64);
        }
        ControlFlow::Continue(counted)
    }

    fn found(&mut self, block: &Block, index: usize, log: &LogView<'_>) -> Flow {
        if self.counts_only() {
            self.seen.count += 1;
        } else {
            let mut row = rows::row(log);
            if self.wanted.pack_meta {
                rows::add_pack_meta(&mut row, block, index);
            }
            self.seen.take(row, self.wanted);
        }
        self.seen.note(block.place);
        ControlFlow::Continue(())
    }
}
