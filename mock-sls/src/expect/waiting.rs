//! What all that wait for logs share: looks that leave room for others, and the wait between two of them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use sls_expect::Count;
use sls_expect::watch::{Decision, Watch};
use tokio::time::Instant;

use super::selector::Selector;
use crate::app::App;
use crate::arrivals::{Listener, Writes};
use crate::error::ApiError;
use crate::query::source::{Cancel, CancelOnDrop};
use crate::store::summaries::State;

/// Looks at a time, of all that wait together: half of the connections that read, so that what many
/// expectations look at never keeps clients from reading (own choice).
pub const LOOKS_MAX: usize = 2;

/// What a look reads.
pub struct Snapshot<'s> {
    /// The store at one moment.
    pub db: &'s Connection,
    /// The server.
    pub app: &'s App,
    /// The state of the store that was there before.
    pub state: State,
    /// When.
    pub now: Timestamp,
    /// Whether somebody still wants to know.
    pub cancel: &'s Cancel,
}

/// Runs a look, in its turn.
///
/// # Errors
/// Those of the look, and if the store cannot be read.
pub async fn look<T, F>(app: &Arc<App>, look: F) -> Result<T, ApiError>
where
    T: Send + 'static,
    F: FnOnce(&Snapshot<'_>) -> Result<T, ApiError> + Send + 'static,
{
    let _turn = app.expectations.looks.acquire().await.map_err(|_| ApiError::ServerBusy)?;
    let guard = CancelOnDrop::default();
    let cancel = guard.0.clone();
    let shared = Arc::clone(app);
    let (state, now) = (app.store.summaries.state(), app.clock.now());
    app.store.read(move |db| look(&Snapshot { db, app: &shared, state, now, cancel: &cancel })).await
}

/// A wait for something to be decided.
pub struct Waiting {
    app: Arc<App>,
    listener: Listener,
    watch: Watch,
    began: Instant,
    /// As they were before the last look: what was being written then may not have been seen by it.
    writes: Writes,
    /// Writes whose end is waited for.
    waited_for: Option<Writes>,
}

impl Waiting {
    /// Begins now.
    pub fn new(app: &Arc<App>, selector: &Selector, count: Count, timeout_ms: u64, stable_ms: u64) -> Self {
        let listener = app.arrivals.listen(selector.project.as_str(), selector.logstore.as_str());
        let watch = Watch::new(count, timeout_ms, stable_ms, 0);
        let writes = listener.writes();
        Self { app: Arc::clone(app), listener, watch, began: Instant::now(), writes, waited_for: None }
    }

    /// How long it took so far, ms.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Looks, as [`look`] does.
    ///
    /// # Errors
    /// As there.
    pub async fn look<T, F>(&mut self, f: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Snapshot<'_>) -> Result<T, ApiError> + Send + 'static,
    {
        // What is being written now may not be seen yet.
        self.writes = self.listener.writes();
        look(&self.app, f).await
    }

    /// What it means that the last look saw so many.
    pub fn saw(&mut self, seen: u64) -> Decision {
        let now = self.elapsed_ms();
        self.watch.saw(seen, now);
        let writing = match &self.waited_for {
            Some(earlier) => self.writes.any_since_before(earlier),
            None => self.writes.any(),
        };
        let decision = self.watch.decide(now, writing);
        match decision {
            Decision::WaitForWrites => {
                self.waited_for.get_or_insert(self.writes);
            }
            Decision::Wait { .. } => self.waited_for = None,
            _ => {}
        }
        decision
    }

    /// Waits until it is worth while to look again.
    ///
    /// # Errors
    /// The server stops.
    pub async fn again(&self, decision: Decision) -> Result<(), ApiError> {
        let until = match decision {
            Decision::Wait { until } => until,
            _ => self.watch.deadline(),
        };
        tokio::select! {
            () = self.listener.changed() => Ok(()),
            () = tokio::time::sleep_until(self.began + Duration::from_millis(until)) => Ok(()),
            () = self.app.stop.cancelled() => Err(ApiError::ServerBusy),
        }
    }
}
