//! One look after the other at what has come: each log is counted once, however often somebody looks.

use std::ops::ControlFlow;
use std::sync::Arc;

use sls_api::log_group::{SOURCE_KEY, TAG_PREFIX, TOPIC_KEY};
use sls_expect::account::{Accountant, Accounting, Arrival, BadOptions, Field, Options, PACK_ID_TAG};
use sls_expect::ledger::Ledger;

use super::super::selector::Selector;
use super::super::waiting::Snapshot;
use crate::error::ApiError;
use crate::ops::search::stored::{Logs, indexes_of};
use crate::query::QueryError;
use crate::query::log_view::GroupView;
use crate::query::matcher;
use crate::query::search::Search;
use crate::query::source::{Block, Content, LogSource, Order, Span};
use crate::store::arrived::Positions;
use crate::store::logstores::{self, LogstoreId};
use crate::store::projects;
use crate::store::summaries::State;

/// What was counted so far.
pub struct Tally {
    ledger: Arc<Ledger>,
    options: Options,
    /// Whether logs count only if a search finds them.
    searches: bool,
    accountant: Accountant,
    /// Of which Logstore, under which index: if that changes, everything is counted again.
    of: Option<(State, LogstoreId, Option<i64>)>,
    positions: Positions,
    problem: Option<String>,
}

impl Tally {
    /// Nothing was counted.
    pub fn new(ledger: Arc<Ledger>, options: Options, searches: bool) -> Result<Self, BadOptions> {
        let accountant = Accountant::new(Arc::clone(&ledger), options.clone())?;
        let positions = Positions::default();
        Ok(Self { ledger, options, searches, accountant, of: None, positions, problem: None })
    }

    /// Whether logs count only if a search finds them.
    pub fn searches(&self) -> bool {
        self.searches
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.problem.is_none() && self.accountant.missing() == 0
    }

    /// Logs that were counted.
    pub fn received(&self) -> u64 {
        self.accountant.received()
    }

    /// The accounting, and why nothing could be counted, if so.
    pub fn finish(self) -> (Accounting, Option<String>) {
        (self.accountant.finish(), self.problem)
    }

    /// Counts what has come since.
    ///
    /// # Errors
    /// The store fails. That there is no such Logstore or index is none: there may be one later.
    pub fn look(mut self, snapshot: &Snapshot<'_>, selector: &Selector) -> Result<Self, ApiError> {
        match self.try_look(snapshot, selector) {
            Ok(()) => self.problem = None,
            Err(error) if error.is_failure() => return Err(error),
            Err(problem) => {
                self.begin_again()?;
                self.problem = Some(problem.to_string());
            }
        }
        Ok(self)
    }

    fn try_look(&mut self, snapshot: &Snapshot<'_>, selector: &Selector) -> Result<(), ApiError> {
        let Snapshot { db, app, state, now, cancel } = *snapshot;
        let project = projects::named(db, &selector.project)?;
        let target = logstores::read_target(db, project, &selector.logstore, now)?;
        let search = match self.searches {
            true => {
                let indexes = indexes_of(db, target.id)?.ok_or(QueryError::IndexMissing)?;
                let search = Search::new(&selector.search, &indexes, matcher::Options::default())?;
                Some((search, indexes.since))
            }
            false => None,
        };
        let of = (state, target.id, search.as_ref().map(|(_, since)| *since));
        if self.of != Some(of) {
            self.begin_again()?;
            self.of = Some(of);
            self.positions = selector.begin(target.id);
        }
        let from = self.positions.clone();
        let summaries = &app.store.summaries;
        let mut logs = Logs { db, target, project, now, since: Some(&from), until: None, summaries, state };
        let all = Span { from: 0, to: i64::MAX, topic: None, order: Order::OldestFirst };
        let mut failed = None;
        logs.scan(all, &mut |block, content| {
            if cancel.is_cancelled() {
                failed = Some(QueryError::Cancelled);
                return ControlFlow::Break(());
            }
            match self.count(block, content, search.as_ref().map(|(search, _)| search)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(QueryError::Source(error));
                    ControlFlow::Break(())
                }
            }
        })
        .map_err(QueryError::Source)?;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    fn count(
        &mut self,
        block: &Block,
        content: &mut dyn Content,
        search: Option<&Search>,
    ) -> Result<(), String> {
        let bytes = content.group()?;
        // What the server appends is another each time; what the sender sent again is the same.
        let sent = bytes.get(..block.raw_bytes as usize).unwrap_or(bytes);
        let view = GroupView::parse(bytes).map_err(|error| error.to_string())?;
        let names: Vec<Vec<u8>> =
            view.tags.iter().map(|(name, _)| [TAG_PREFIX.as_bytes(), name].concat()).collect();
        let common = [(SOURCE_KEY.as_bytes(), view.source), (TOPIC_KEY.as_bytes(), view.topic)];
        let tags = names.iter().map(Vec::as_slice).zip(view.tags.iter().map(|(_, value)| *value));
        let tags: Vec<Field<'_>> = tags.chain(common).collect();
        let pack_id = view.tags.iter().find(|(name, _)| *name == PACK_ID_TAG.as_bytes());
        let mut group = self.accountant.begin_group(Arrival {
            pack_id: pack_id.map(|(_, id)| *id),
            bytes_crc32: Some(crc32fast::hash(sent)),
            shard: block.place.shard,
            received_ms: u64::try_from(block.place.received_ms()).unwrap_or_default(),
            tags: &tags,
        });
        let counted = view.for_each(
            |_| true,
            |_, log| {
                if search.is_none_or(|search| search.finds(block.index_generation, log)) {
                    group.add(log.contents);
                }
                ControlFlow::<()>::Continue(())
            },
        );
        drop(group);
        let ControlFlow::Continue(()) = counted.map_err(|error| error.to_string())? else { return Ok(()) };
        self.positions.pass(block.place.shard, block.place.cursor);
        Ok(())
    }

    fn begin_again(&mut self) -> Result<(), ApiError> {
        self.of = None;
        let accountant = Accountant::new(Arc::clone(&self.ledger), self.options.clone());
        // They went together when the first was made.
        self.accountant = accountant.map_err(|error| ApiError::Internal(error.to_string()))?;
        Ok(())
    }
}
