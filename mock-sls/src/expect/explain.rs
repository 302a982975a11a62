//! Why a search finds what it finds: what each part of it finds alone, which logs are nearly found, and
//! what may be the matter ([`hints`]).

mod hints;
mod nearest;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sls_api::ops::logs::Row;
use sls_expect::verdict::{Explained, SHOWN_MAX, TermHits};

use self::nearest::Nearest;
use super::selector::Selector;
use super::waiting::{self, Snapshot};
use crate::app::App;
use crate::error::ApiError;
use crate::ops::search::stored::{Logs, indexes_of};
use crate::query::QueryError;
use crate::query::expr::SearchExpr;
use crate::query::index::IndexConfig;
use crate::query::log_view::{GroupView, LogView};
use crate::query::matcher::{Matcher, Options};
use crate::query::rows;
use crate::query::search::Search;
use crate::query::source::{Indexes, LogSource, Order, Span};
use crate::store::arrived::Positions;
use crate::store::logstores::{self, ReadTarget};
use crate::store::projects::{self, ProjectId};

/// How long an explanation may take (own choice: it is for people, who wait already).
const TIME_MAX: Duration = Duration::from_secs(5);
/// Logs that are looked at (own choice: about a second).
const LOGS_MAX: u64 = 500_000;
/// Logs between two looks at the time.
const LOGS_BETWEEN_LOOKS: u64 = 256;

/// Which logs an explanation shows.
#[derive(Debug, Clone, Copy)]
pub struct Show {
    /// Those that are nearly found.
    pub nearest: bool,
    /// The last that are found.
    pub last: bool,
}

/// Looks into the logs of a selector; `since` (Unix ms) is when somebody began to wait.
///
/// # Errors
/// The store fails. A query that cannot be answered is told.
pub async fn study(
    app: &Arc<App>,
    selector: &Arc<Selector>,
    show: Show,
    since: Option<i64>,
) -> Result<Explained, ApiError> {
    let selector = Arc::clone(selector);
    waiting::look(app, move |snapshot| {
        let over = Instant::now() + TIME_MAX;
        Study { snapshot, selector: &selector, over }.explain(show, since)
    })
    .await
}

/// A look into the logs.
struct Study<'s> {
    snapshot: &'s Snapshot<'s>,
    selector: &'s Selector,
    /// When it has taken too long.
    over: Instant,
}

/// What a look into the logs counts.
struct Counts {
    /// Logs that were looked at.
    logs: u64,
    /// Those that are found, in the window.
    found: u64,
    /// Those that would be found but for the window.
    outside_window: u64,
    /// Those that would be found had the index been there when they were written.
    before_index: u64,
    /// What each part finds alone.
    terms: Vec<u64>,
    nearest: Nearest,
    /// The last that are found.
    last: VecDeque<Row>,
    /// Whether not all were looked at.
    cut: bool,
}

impl Study<'_> {
    fn explain(&self, show: Show, since: Option<i64>) -> Result<Explained, ApiError> {
        let parts = parts(&self.selector.search);
        let mut explained = Explained {
            query: self.selector.query.clone(),
            search: self.selector.search.to_string(),
            ..Explained::default()
        };
        match self.count(parts, show) {
            Ok((indexes, counts)) => {
                explained.logs = counts.logs;
                explained.found = counts.found;
                explained.hints = self.hints(&indexes.current, &counts, parts, since)?;
                let terms = parts.iter().zip(&counts.terms);
                explained.terms =
                    terms.map(|(part, hits)| TermHits { term: part.to_string(), hits: *hits }).collect();
                explained.nearest = counts.nearest.shown(parts);
                explained.last = counts.last.into();
            }
            Err(error) if error.is_failure() => return Err(error),
            Err(problem) => {
                explained.hints = self.hints_of_problem(&problem, since)?;
                explained.problem = Some(problem.to_string());
            }
        }
        Ok(explained)
    }

    fn count(&self, parts: &[SearchExpr], show: Show) -> Result<(Indexes, Counts), ApiError> {
        let selector = self.selector;
        let (target, project) = self.target()?;
        let indexes = indexes_of(self.snapshot.db, target.id)?.ok_or(QueryError::IndexMissing)?;
        let search = Search::new(&selector.search, &indexes, Options::default())?;
        let whole = Matcher::new(&selector.search, &indexes.current, Options::default())?;
        let parts = parts.iter().map(|part| Search::new(part, &indexes, Options::default()));
        let parts: Vec<Search> = parts.collect::<Result<_, QueryError>>()?;
        let mut counts = Counts {
            logs: 0,
            found: 0,
            outside_window: 0,
            before_index: 0,
            terms: vec![0; parts.len()],
            nearest: Nearest::new(show.nearest),
            last: VecDeque::new(),
            cut: false,
        };
        self.each((target, project), &selector.begin(target.id), &mut |generation, log| {
            counts.logs += 1;
            if counts.logs > LOGS_MAX || self.is_over(counts.logs) {
                counts.cut = true;
                return ControlFlow::Break(());
            }
            let mut holds = 0u64;
            for ((part, hits), bit) in parts.iter().zip(&mut counts.terms).zip(0..) {
                if part.finds(generation, log) {
                    *hits += 1;
                    holds |= 1 << bit;
                }
            }
            match (search.finds(generation, log), selector.window.contains(log.time, log.time_ns)) {
                (true, true) => {
                    counts.found += 1;
                    if show.last {
                        counts.last.push_back(rows::row(log));
                        counts.last.drain(..counts.last.len().saturating_sub(SHOWN_MAX));
                    }
                }
                (true, false) => counts.outside_window += 1,
                (false, _) => {
                    counts.before_index += u64::from(generation < indexes.since && whole.matches(log));
                    counts.nearest.offer(holds, log);
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok((indexes, counts))
    }

    /// The Logstore.
    fn target(&self) -> Result<(ReadTarget, ProjectId), ApiError> {
        let Snapshot { db, now, .. } = *self.snapshot;
        let project = projects::named(db, &self.selector.project)?;
        Ok((logstores::read_target(db, project, &self.selector.logstore, now)?, project))
    }

    /// Whether it has taken too long, or nobody waits; asked with every log and looked up now and then.
    fn is_over(&self, logs: u64) -> bool {
        logs.is_multiple_of(LOGS_BETWEEN_LOOKS)
            && (self.snapshot.cancel.is_cancelled() || Instant::now() >= self.over)
    }

    /// Shows every log that came from these positions on, with the generation of its index.
    fn each(
        &self,
        (target, project): (ReadTarget, ProjectId),
        since: &Positions,
        visit: &mut dyn FnMut(i64, &LogView<'_>) -> ControlFlow<()>,
    ) -> Result<(), ApiError> {
        let Snapshot { db, app, state, now, .. } = *self.snapshot;
        let summaries = &app.store.summaries;
        let mut logs = Logs { db, target, project, now, since: Some(since), until: None, summaries, state };
        let mut failed = None;
        let everything = Span { from: 0, to: i64::MAX, topic: None, order: Order::OldestFirst };
        logs.scan(everything, &mut |block, content| {
            let read = content.group().and_then(|group| {
                let group = GroupView::parse(group).map_err(|error| error.to_string())?;
                group
                    .for_each(|_| true, |_, log| visit(block.index_generation, log))
                    .map_err(|error| error.to_string())
            });
            match read {
                Ok(flow) => flow,
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })
        .map_err(ApiError::Internal)?;
        failed.map_or(Ok(()), |error| Err(ApiError::Internal(error)))
    }
}

/// The parts of a search that must all hold.
fn parts(search: &SearchExpr) -> &[SearchExpr] {
    match search {
        SearchExpr::And(parts) => parts,
        single => std::slice::from_ref(single),
    }
}

/// Names of the indexed fields, for a message.
fn indexed(index: &IndexConfig) -> String {
    let names: Vec<&str> = index.keys().iter().map(|key| key.name.as_str()).collect();
    match names.is_empty() {
        true => "no field has an index of its own".to_owned(),
        false => format!("fields with an index: {}", names.join(", ")),
    }
}
