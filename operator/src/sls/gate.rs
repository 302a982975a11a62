//! The breakers of all endpoints, with the clock and whoever waits: requests pass through [`Gates::enter`], the
//! controller hears from [`Gates::next`] whom to wake.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::breaker::{Admission, Breaker, Change, Outcome};
use crate::metrics::Metrics;

/// Endpoints that are remembered. Objects may name any; when there are more, those that answer are forgotten, and all
/// if none does.
const GATES_MAX: usize = 64;

/// Whom to wake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wake {
    /// One object that waits for this endpoint, as its probe.
    Probe(String),
    /// All objects that wait for this endpoint.
    All(String),
}

/// A request was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shut {
    /// After how long the endpoint is asked next.
    pub retry_in: Duration,
    /// What went wrong with it last; empty if nothing is known yet.
    pub last_error: String,
}

/// The breakers.
pub struct Gates {
    probe_wait_max: Duration,
    metrics: Arc<Metrics>,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    recovered: Mutex<BTreeSet<String>>,
    /// Told whenever [`Gates::next`] has something new to look at.
    changed: Notify,
}

/// One endpoint.
pub struct Gate {
    endpoint: String,
    breaker: Mutex<Breaker>,
    /// Told whenever a request may go that had to wait.
    turn: Notify,
}

impl Gates {
    /// `probe_wait_max` is the longest wait between probes of an endpoint that does not answer.
    pub fn new(probe_wait_max: Duration, metrics: Arc<Metrics>) -> Self {
        Self {
            probe_wait_max,
            metrics,
            gates: Mutex::default(),
            recovered: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// The gate of an endpoint.
    pub fn of(&self, endpoint: &str) -> Arc<Gate> {
        let mut gates = lock(&self.gates);
        if let Some(gate) = gates.get(endpoint) {
            return Arc::clone(gate);
        }
        if gates.len() >= GATES_MAX {
            gates.retain(|_, gate| lock(&gate.breaker).is_open());
        }
        if gates.len() >= GATES_MAX {
            gates.clear();
        }
        let gate = Arc::new(Gate {
            endpoint: endpoint.to_owned(),
            breaker: Mutex::new(Breaker::new(self.probe_wait_max)),
            turn: Notify::new(),
        });
        gates.insert(endpoint.to_owned(), Arc::clone(&gate));
        gate
    }

    /// Waits until a request may go; not longer than for one other's outcome.
    pub async fn enter<'a>(&'a self, gate: &'a Gate) -> Result<Pass<'a>, Shut> {
        let shut = |at: Instant, now| Shut {
            retry_in: at.saturating_duration_since(now),
            last_error: lock(&gate.breaker).last_error().to_owned(),
        };
        let mut give_up = None;
        loop {
            let turn = gate.turn.notified();
            tokio::pin!(turn);
            // From here on nothing is missed, though it is awaited later.
            turn.as_mut().enable();
            let now = Instant::now();
            let admission = lock(&gate.breaker).admit(now);
            match admission {
                Admission::Free => return Ok(Pass { gates: self, gate, alone: false, done: false }),
                Admission::Alone => {
                    self.show(gate);
                    return Ok(Pass { gates: self, gate, alone: true, done: false });
                }
                Admission::Wait(until) if give_up.is_some_and(|at| at <= now) => {
                    lock(&gate.breaker).refuse();
                    return Err(shut(until, now));
                }
                Admission::Wait(until) => {
                    give_up.get_or_insert(until);
                    let _ = tokio::time::timeout(until.saturating_duration_since(now), turn).await;
                }
                Admission::Refused(at) => return Err(shut(at, now)),
            }
        }
    }

    /// Waits until somebody is to be woken.
    pub async fn next(&self) -> Wake {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(endpoint) = lock(&self.recovered).pop_first() {
                return Wake::All(endpoint);
            }
            let now = Instant::now();
            let gates: Vec<Arc<Gate>> = lock(&self.gates).values().cloned().collect();
            if let Some(gate) = gates.iter().find(|gate| lock(&gate.breaker).wants_probe(now)) {
                return Wake::Probe(gate.endpoint.clone());
            }
            let due = gates.iter().filter_map(|gate| lock(&gate.breaker).ask_at()).min();
            match due {
                // Between the two looks at the clock a millisecond at least must pass, or this spins.
                Some(due) => {
                    let wait = due.saturating_duration_since(now).max(Duration::from_millis(1));
                    let _ = tokio::time::timeout(wait, changed).await;
                }
                None => changed.await,
            }
        }
    }

    /// Whether only probes go to an endpoint.
    pub fn is_open(&self, endpoint: &str) -> bool {
        lock(&self.gates).get(endpoint).is_some_and(|gate| lock(&gate.breaker).is_open())
    }

    /// Whether requests to an endpoint may be refused before it answers.
    pub fn is_holding(&self, endpoint: &str) -> bool {
        lock(&self.gates).get(endpoint).is_some_and(|gate| lock(&gate.breaker).is_holding())
    }

    fn ended(&self, gate: &Gate, alone: bool, outcome: Outcome) {
        let change = lock(&gate.breaker).record(alone, outcome, Instant::now());
        match change {
            Change::None => {}
            Change::Next => gate.turn.notify_waiters(),
            Change::Opened => {
                tracing::warn!(endpoint = gate.endpoint, "Log Service does not answer; only probes go to it");
                gate.turn.notify_waiters();
            }
            Change::Recovered => {
                tracing::info!(
                    endpoint = gate.endpoint,
                    "Log Service answers; objects that waited are looked at"
                );
                lock(&self.recovered).insert(gate.endpoint.clone());
                gate.turn.notify_waiters();
            }
        }
        if change != Change::None || alone {
            self.show(gate);
            self.changed.notify_waiters();
        }
    }

    fn show(&self, gate: &Gate) {
        let standing = lock(&gate.breaker).standing();
        self.metrics.backend(&gate.endpoint, standing);
    }
}

/// A request under way. If it is dropped without an outcome, nobody waits for it any more.
pub struct Pass<'a> {
    gates: &'a Gates,
    gate: &'a Gate,
    alone: bool,
    done: bool,
}

impl Pass<'_> {
    /// The request has ended.
    pub fn ended(mut self, outcome: Outcome) {
        self.done = true;
        self.gates.ended(self.gate, self.alone, outcome);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.gates.ended(self.gate, self.alone, Outcome::Abandoned);
        }
    }
}

/// Each statement leaves what is inside valid, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gates() -> Gates {
        Gates::new(Duration::from_secs(10), Arc::new(Metrics::default()))
    }

    #[tokio::test]
    async fn those_who_wait_for_the_first_answer_go_when_it_comes() {
        let gates = Arc::new(gates());
        let gate = gates.of("http://a");
        let first = gates.enter(&gate).await.unwrap();
        let second = tokio::spawn({
            let gates = Arc::clone(&gates);
            async move {
                let gate = gates.of("http://a");
                let pass = gates.enter(&gate).await;
                pass.map(|pass| pass.ended(Outcome::Answered))
            }
        });
        tokio::task::yield_now().await;
        first.ended(Outcome::Answered);
        assert_eq!(second.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_request_that_is_given_up_lets_the_next_one_go() {
        let gates = gates();
        let gate = gates.of("http://a");
        drop(gates.enter(&gate).await.unwrap());
        assert!(gates.enter(&gate).await.is_ok());
    }

    #[tokio::test]
    async fn an_outage_wakes_one_for_a_probe_and_all_when_it_is_over() {
        let gates = gates();
        let gate = gates.of("http://a");
        let failed = || Outcome::Failed { error: "refused".into(), retry_after: None };
        for _ in 0..super::super::breaker::FAILURES_MAX {
            gates.enter(&gate).await.unwrap().ended(failed());
        }
        let shut = gates.enter(&gate).await.map(drop).unwrap_err();
        assert_eq!(shut.last_error, "refused");
        assert_eq!(gates.next().await, Wake::Probe("http://a".into()));
        gates.enter(&gate).await.unwrap().ended(Outcome::Answered);
        assert_eq!(gates.next().await, Wake::All("http://a".into()));
        assert!(!gates.is_open("http://a"));
    }

    #[test]
    fn endpoints_beyond_the_bound_are_forgotten() {
        let gates = gates();
        for n in 0..10 * GATES_MAX {
            gates.of(&format!("http://{n}"));
        }
        assert!(lock(&gates.gates).len() <= GATES_MAX);
    }
}
