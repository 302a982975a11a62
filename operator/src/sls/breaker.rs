//! When requests to one endpoint are held back because it does not answer. Pure: `now` comes in.
//!
//! While it answers, everything goes. After a failure, and before the first answer, one request goes at a time: the
//! next when its outcome is known, or is late. After [`FAILURES_MAX`] failures in a row nothing goes but a probe now and
//! then. A probe is a request that an object needs anyway. What counts as a failure is no answer, and an answer that
//! the service is broken (5xx); every other answer shows that it lives.

use std::time::{Duration, Instant};

/// Failures in a row after which only probes go. Source: guess; one bad answer is no outage. With
/// [`PROBE_WAIT_MIN`] it bounds what an endpoint that is away gets to 5 requests a second.
pub const FAILURES_MAX: u32 = 5;
/// First wait between probes, doubled after each.
pub const PROBE_WAIT_MIN: Duration = Duration::from_secs(1);
/// How long the outcome of a request that goes alone is awaited. Source: guess; metadata calls answer within, and one
/// that hangs must not hold up all.
const TURN_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long a probe that was asked for may take to begin, before another object is asked.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// Longest time that an endpoint may ask for before the next probe. Source: guess; an outage that is over
/// should be noticed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// Whether a request may go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// As many as come.
    Free,
    /// This one only, until its outcome is known.
    Alone,
    /// Not yet: another one's outcome is awaited, until then at the latest. Who does not wait asks for
    /// [`Breaker::refuse`].
    Wait(Instant),
    /// Not before then.
    Refused(Instant),
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The service answered, whatever it said.
    Answered,
    /// It did not, or said that it is broken.
    Failed {
        /// For people.
        error: String,
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// Nobody waited for it.
    Abandoned,
}

/// What an outcome changes for those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// The next request may go.
    Next,
    /// From now on only probes go.
    Opened,
    /// Everything may go, and some were refused before.
    Recovered,
}

/// How an endpoint stands, for the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Closed,
    HalfOpen,
    Open,
}

/// One endpoint.
#[derive(Debug)]
pub struct Breaker {
    /// Longest wait between probes.
    probe_wait_max: Duration,
    /// Failures since the last answer.
    failures: u32,
    /// Whether there was an answer ever.
    proven: bool,
    /// Since when a request that goes alone is under way.
    alone_since: Option<Instant>,
    /// Whether a request was refused since the last answer, so that somebody waits for the next.
    refused: bool,
    open: Option<Open>,
    last_error: String,
}

#[derive(Debug)]
struct Open {
    probes: u32,
    /// When the next probe may go.
    probe_at: Instant,
    /// When to ask somebody to make it.
    ask_at: Instant,
}

impl Breaker {
    pub fn new(probe_wait_max: Duration) -> Self {
        Self {
            probe_wait_max,
            failures: 0,
            proven: false,
            alone_since: None,
            refused: false,
            open: None,
            last_error: String::new(),
        }
    }

    /// May a request go? Who is told [`Admission::Alone`] must tell its outcome.
    pub fn admit(&mut self, now: Instant) -> Admission {
        let admission = self.judge(now);
        if matches!(admission, Admission::Refused(_)) {
            self.refuse();
        }
        admission
    }

    fn judge(&mut self, now: Instant) -> Admission {
        match (&self.open, self.alone_since) {
            (Some(open), None) if now < open.probe_at => Admission::Refused(open.probe_at),
            (Some(open), Some(_)) => Admission::Refused(open.probe_at.max(now + PROBE_WAIT_MIN)),
            (None, Some(since)) if now < since + TURN_WAIT_MAX => Admission::Wait(since + TURN_WAIT_MAX),
            (None, None) if self.proven && self.failures == 0 => Admission::Free,
            (None, _) | (Some(_), None) => {
                self.alone_since = Some(now);
                Admission::Alone
            }
        }
    }

    /// A request does not wait for its turn; the object is to be woken at the next answer.
    pub fn refuse(&mut self) {
        self.refused = true;
    }

    /// A request has ended; `alone` is whether it went as such.
    pub fn record(&mut self, alone: bool, outcome: Outcome, now: Instant) -> Change {
        if alone {
            self.alone_since = None;
        }
        match outcome {
            Outcome::Answered => {
                let alone = !self.proven || self.failures > 0;
                self.open = None;
                self.proven = true;
                self.failures = 0;
                // One that is still under way belongs to the time before; it must not hold back others.
                self.alone_since = None;
                match (std::mem::take(&mut self.refused), alone) {
                    (true, _) => Change::Recovered,
                    (false, true) => Change::Next,
                    (false, false) => Change::None,
                }
            }
            // It was sent while everything went, and tells nothing new.
            Outcome::Failed { .. } if self.open.is_some() && !alone => Change::None,
            Outcome::Failed { error, retry_after } => {
                self.failures = self.failures.saturating_add(1);
                self.last_error = error;
                let before = self.open.as_ref().map(|open| open.probes);
                if before.is_none() && self.failures < FAILURES_MAX {
                    return Change::Next;
                }
                let probes = before.map_or(0, |probes| probes.saturating_add(1));
                let wait =
                    PROBE_WAIT_MIN.saturating_mul(2_u32.saturating_pow(probes)).min(self.probe_wait_max);
                let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
                let probe_at = now + wait.max(PROBE_WAIT_MIN).max(asked);
                self.open = Some(Open { probes, probe_at, ask_at: probe_at });
                if before.is_none() { Change::Opened } else { Change::Next }
            }
            Outcome::Abandoned => Change::Next,
        }
    }

    /// Whether somebody is to be asked for a probe now; not again for some seconds.
    pub fn wants_probe(&mut self, now: Instant) -> bool {
        match &mut self.open {
            Some(open) if self.alone_since.is_none() && open.ask_at <= now => {
                open.ask_at = now + ASK_AGAIN;
                true
            }
            _ => false,
        }
    }

    /// When to ask for the next probe.
    pub fn ask_at(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.ask_at)
    }

    /// Whether only probes go.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether requests may be refused before the next answer.
    pub fn is_holding(&self) -> bool {
        self.open.is_some() || self.alone_since.is_some() || self.failures > 0
    }

    /// What went wrong last; empty before the first outcome.
    pub fn last_error(&self) -> &str {
        &self.last_error
    }

    /// For the metric.
    pub fn standing(&self) -> Standing {
        match (&self.open, self.alone_since) {
            (None, _) => Standing::Closed,
            (Some(_), None) => Standing::Open,
            (Some(_), Some(_)) => Standing::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests;
