//! What to do about a Lease. Pure: the Lease and the time come in.
//!
//! Whether the holder lives is judged by our own clock: if the Lease has not changed for as long as it says, the
//! holder is gone. The times that stand in it are the holder's and are for people; a clock that is wrong, here or
//! there, changes nothing. Source: client-go, leaderelection.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// How long a Lease holds after its last renewal. Source: operator specification §3.4, client-go's defaults; so are
/// the next two.
pub const LEASE_DURATION: Duration = Duration::from_secs(15);
/// How long a leader that cannot renew goes on.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Time between two tries.
pub const RETRY_PERIOD: Duration = Duration::from_secs(2);
/// What a Lease says that was given back: nobody holds it. Source: client-go.
const RELEASED_SECONDS: i32 = 1;

/// The times of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Whole seconds.
    pub lease_duration: Duration,
    /// Less than that.
    pub renew_deadline: Duration,
    /// At most half of that.
    pub retry_period: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { lease_duration: LEASE_DURATION, renew_deadline: RENEW_DEADLINE, retry_period: RETRY_PERIOD }
    }
}

/// What to do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// There is no Lease: make this one, whose name is still to be given.
    Create(Lease),
    /// Put this one in its place, if it is still the one that was read.
    Write(Lease),
    /// Another holds it.
    Wait,
}

/// What one operator knows of the Lease.
#[derive(Debug)]
pub struct Election {
    identity: String,
    timing: Timing,
    seen: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    lease: Lease,
    /// When this state of it was first seen.
    since: Instant,
}

impl Election {
    pub fn new(identity: String, timing: Timing) -> Self {
        Self { identity, timing, seen: None }
    }

    /// Who holds the Lease as last seen, alive or not.
    pub fn holder(&self) -> Option<&str> {
        self.seen.as_ref().and_then(|seen| holder(&seen.lease))
    }

    /// The Lease was read as `found`. `wall` is only written into it.
    pub fn turn(&mut self, found: Option<&Lease>, now: Instant, wall: Timestamp) -> Turn {
        let Some(found) = found else {
            self.seen = None;
            return Turn::Create(Lease { spec: Some(self.spec(0, wall, wall)), ..Lease::default() });
        };
        if self.seen.as_ref().is_none_or(|seen| seen.lease != *found) {
            self.seen = Some(Seen { lease: found.clone(), since: now });
        }
        let since = self.seen.as_ref().map_or(now, |seen| seen.since);
        let spec = found.spec.clone().unwrap_or_default();
        let transitions = spec.lease_transitions.unwrap_or_default();
        let spec = match holder(found) {
            Some(holder) if holder == self.identity => {
                let acquired = spec.acquire_time.map_or(wall, |time| time.0);
                self.spec(transitions, acquired, wall)
            }
            Some(_) if now.saturating_duration_since(since) < self.held_for(found) => return Turn::Wait,
            _ => self.spec(transitions.saturating_add(1), wall, wall),
        };
        Turn::Write(Lease { spec: Some(spec), ..found.clone() })
    }

    /// Our Lease was written and now is `lease`.
    pub fn wrote(&mut self, lease: &Lease, now: Instant) {
        self.seen = Some(Seen { lease: lease.clone(), since: now });
    }

    /// The Lease without a holder, if it is ours.
    pub fn released(&self, found: &Lease, wall: Timestamp) -> Option<Lease> {
        if holder(found) != Some(&self.identity) {
            return None;
        }
        let spec = LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(RELEASED_SECONDS),
            renew_time: Some(micros(wall)),
            ..found.spec.clone().unwrap_or_default()
        };
        Some(Lease { spec: Some(spec), ..found.clone() })
    }

    /// How long the holder may be silent: what it said itself, since it counts on that.
    fn held_for(&self, lease: &Lease) -> Duration {
        let said = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
        let said = said.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
        said.unwrap_or(self.timing.lease_duration)
    }

    fn spec(&self, transitions: i32, acquired: Timestamp, renewed: Timestamp) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.timing.lease_duration.as_secs()).ok(),
            acquire_time: Some(micros(acquired)),
            renew_time: Some(micros(renewed)),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// A Lease keeps microseconds.
fn micros(at: Timestamp) -> MicroTime {
    MicroTime(Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at))
}

#[cfg(test)]
mod tests;
