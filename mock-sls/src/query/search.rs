//! A search over the blocks of a Logstore: finds the logs and hands them on.
//!
//! Used by [`run`](super::run) for pages and SQL and by [`histogram`](super::histogram).

use std::ops::ControlFlow;

use super::{
    QueryError,
    expr::SearchExpr,
    log_view::{GroupView, LogView},
    matcher::{Matcher, Options},
    request::Window,
    source::{Block, Cancel, Indexes, LogSource, Span},
};

/// A compiled search with a matcher for every index that logs were written under.
#[derive(Debug)]
pub struct Search {
    current: Matcher,
    since: i64,
    earlier: Vec<(i64, Matcher)>,
}

/// Where and in which order to search.
#[derive(Debug, Clone, Copy)]
pub struct Scan<'t> {
    /// Which log times.
    pub window: Window,
    /// Only this topic; empty for all.
    pub topic: &'t str,
    /// Latest block first.
    pub newest_first: bool,
}

/// What a search looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Logs.
    pub logs: u64,
    /// Bytes before compression.
    pub bytes: u64,
}

/// How a visitor goes on: breaking with nothing ends the search well.
pub type Flow = ControlFlow<Option<QueryError>>;

/// Receives what a search finds.
pub trait Visitor {
    /// Asked before a block is read; in the order of [`LogSource::scan`].
    fn begin_block(&mut self, _block: &Block<'_>) -> Flow {
        ControlFlow::Continue(())
    }

    /// A found log and its position in the block.
    fn found(&mut self, block: &Block<'_>, index: usize, log: &LogView<'_>) -> Flow;
}

impl Search {
    /// Compiles `expr` for the indexes of a Logstore.
    ///
    /// # Errors
    /// What does not fit the index in force. Earlier ones simply find less.
    pub fn new(expr: &SearchExpr, indexes: &Indexes, options: Options) -> Result<Self, QueryError> {
        let earlier = indexes
            .earlier
            .iter()
            .map(|(generation, index)| Ok((*generation, Matcher::for_earlier_index(expr, index, options)?)))
            .collect::<Result<_, QueryError>>()?;
        Ok(Self { current: Matcher::new(expr, &indexes.current, options)?, since: indexes.since, earlier })
    }

    /// Visits every found log, until the visitor ends it or `cancel` says so.
    pub fn run(
        &self,
        source: &mut dyn LogSource,
        scan: &Scan<'_>,
        cancel: &Cancel,
        visitor: &mut dyn Visitor,
    ) -> Result<Scanned, QueryError> {
        let mut scanned = Scanned::default();
        let mut outcome = None;
        let span = Span {
            from: scan.window.from(),
            to: scan.window.end(),
            topic: Some(scan.topic).filter(|topic| !topic.is_empty()),
            newest_first: scan.newest_first,
        };
        source
            .scan(span, &mut |block| match self.block(block, scan, cancel, visitor, &mut scanned) {
                ControlFlow::Continue(()) => ControlFlow::Continue(()),
                ControlFlow::Break(ended) => {
                    outcome = ended;
                    ControlFlow::Break(())
                }
            })
            .map_err(QueryError::Source)?;
        outcome.map_or(Ok(scanned), Err)
    }

    fn block(
        &self,
        block: &Block<'_>,
        scan: &Scan<'_>,
        cancel: &Cancel,
        visitor: &mut dyn Visitor,
        scanned: &mut Scanned,
    ) -> Flow {
        if cancel.is_cancelled() {
            return ControlFlow::Break(Some(QueryError::Cancelled));
        }
        visitor.begin_block(block)?;
        let Some(matcher) = self.matcher(block.index_generation) else {
            return ControlFlow::Continue(());
        };
        scanned.bytes += block.group.len() as u64;
        if !matcher.may_match(block.group) {
            return ControlFlow::Continue(());
        }
        let damaged = |error: super::log_view::DamagedGroup| Some(QueryError::Source(error.to_string()));
        let group = match GroupView::parse(block.group) {
            Ok(group) => group,
            Err(error) => return ControlFlow::Break(damaged(error)),
        };
        scanned.logs += group.logs().len() as u64;
        let walked = group.for_each(
            |encoded| matcher.may_match(encoded),
            |index, log| match scan.window.contains(log.time, log.time_ns) && matcher.matches(log) {
                true => visitor.found(block, index, log),
                false => ControlFlow::Continue(()),
            },
        );
        walked.unwrap_or_else(|error| ControlFlow::Break(damaged(error)))
    }

    fn matcher(&self, generation: i64) -> Option<&Matcher> {
        if generation >= self.since {
            return Some(&self.current);
        }
        self.earlier.iter().find(|(earlier, _)| *earlier == generation).map(|(_, matcher)| matcher)
    }
}
