//! A search over the blocks of a Logstore: finds the logs and hands them on.
//!
//! Used by [`run`](super::run) for pages and SQL and by [`histogram`](super::histogram).

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{
    QueryError,
    expr::SearchExpr,
    log_view::{DamagedGroup, GroupView, LogView},
    matcher::{Matcher, Options, Verdict},
    request::Window,
    source::{Block, Cancel, Content, Indexes, LogSource, Order, Span},
    summary::{RowSet, Summary},
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
    /// In which order of blocks.
    pub order: Order,
}

impl<'t> Scan<'t> {
    /// The blocks that may hold what is searched.
    pub fn span(&self) -> Span<'t> {
        Span {
            from: self.window.from(),
            to: self.window.end(),
            topic: Some(self.topic).filter(|topic| !topic.is_empty()),
            order: self.order,
        }
    }
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

/// Whether a visitor took what it was given, or how it ends.
pub type Taken = ControlFlow<Option<QueryError>, bool>;

/// Receives what a search finds.
pub trait Visitor {
    /// Asked before a block is read; in the order of [`LogSource::scan`].
    fn begin_block(&mut self, _block: &Block) -> Flow {
        ControlFlow::Continue(())
    }

    /// Takes all logs of a block, if it need not see them. Returns whether it did.
    fn found_whole(&mut self, _block: &Block) -> bool {
        false
    }

    /// Takes found logs of a block by what its summary knows of them, if that is enough. Returns whether it did.
    fn found_in(&mut self, _block: &Block, _summary: &Summary, _rows: &RowSet) -> Taken {
        ControlFlow::Continue(false)
    }

    /// A found log and its position in the block.
    fn found(&mut self, block: &Block, index: usize, log: &LogView<'_>) -> Flow;
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
        source
            .scan(scan.span(), &mut |block, content| match self.block(
                block,
                content,
                scan,
                cancel,
                visitor,
                &mut scanned,
            ) {
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
        block: &Block,
        content: &mut dyn Content,
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
        scanned.bytes += u64::from(block.raw_bytes);
        scanned.logs += u64::from(block.log_count);
        let inside = scan.window.covers(block.time_min, block.time_max);
        if inside && matcher.finds_all() && visitor.found_whole(block) {
            return ControlFlow::Continue(());
        }
        let kept = content.summary();
        let summary = kept.as_ref().and_then(Option::as_deref);
        let window = (!inside).then_some(&scan.window);
        let verdict = summary.map(|summary| verdict(matcher, summary, window));
        if let (Some(summary), Some(verdict)) = (summary, &verdict)
            && (verdict.possible.is_empty()
                || verdict.is_certain() && visitor.found_in(block, summary, &verdict.sure)?)
        {
            return ControlFlow::Continue(());
        }
        let summarise = kept.is_none() && content.wants_summary();
        let group = match content.group() {
            Ok(group) => group,
            Err(error) => return ControlFlow::Break(Some(QueryError::Source(error))),
        };
        let walked = walk(group, matcher, &scan.window, verdict.as_ref(), &mut |index, log| {
            visitor.found(block, index, log)
        });
        let summary = if summarise { Summary::of(group) } else { Ok(None) };
        match (walked, summary) {
            (Err(error), _) | (_, Err(error)) => {
                ControlFlow::Break(Some(QueryError::Source(error.to_string())))
            }
            (Ok(walked), Ok(summary)) => {
                if summarise {
                    content.keep(summary.map(Arc::new));
                }
                walked
            }
        }
    }

    /// Whether a log that was written under the index of this generation is found.
    pub fn finds(&self, generation: i64, log: &LogView<'_>) -> bool {
        self.matcher(generation).is_some_and(|matcher| matcher.matches(log))
    }

    fn matcher(&self, generation: i64) -> Option<&Matcher> {
        if generation >= self.since {
            return Some(&self.current);
        }
        self.earlier.iter().find(|(earlier, _)| *earlier == generation).map(|(_, matcher)| matcher)
    }
}

/// What a summary says of the logs of a block, in a window if some may be outside.
fn verdict(matcher: &Matcher, summary: &Summary, window: Option<&Window>) -> Verdict {
    let mut verdict = matcher.judge(summary);
    match window.map(|window| summary.within(window)) {
        None => {}
        Some(Some(within)) => verdict.only(&within),
        // Only the logs themselves tell.
        Some(None) => verdict.sure = RowSet::none(summary.rows()),
    }
    verdict
}

/// Looks at the logs of a block that may be found, and shows those that are.
fn walk(
    group: &[u8],
    matcher: &Matcher,
    window: &Window,
    verdict: Option<&Verdict>,
    visit: &mut dyn FnMut(usize, &LogView<'_>) -> Flow,
) -> Result<Flow, DamagedGroup> {
    let group_view = GroupView::parse(group)?;
    let candidates = matcher.candidates(group, group_view.logs());
    let is_sure = |index| verdict.is_some_and(|verdict| verdict.sure.has(index));
    let is_possible = |index| {
        is_sure(index)
            || verdict.is_none_or(|verdict| verdict.possible.has(index))
                && candidates.as_ref().is_none_or(|candidates| candidates.has(index))
    };
    group_view.for_each(is_possible, |index, log| {
        match is_sure(index) || window.contains(log.time, log.time_ns) && matcher.matches(log) {
            true => visit(index, log),
            false => ControlFlow::Continue(()),
        }
    })
}
