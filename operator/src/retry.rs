//! How long to wait before an object is looked at again. Pure: what was waited before and a random number come in.
//! Used by the controller.

use std::time::Duration;

use crate::failure::Class;

/// First wait after a failure that may pass by itself. Source: operator specification §3.4.
pub const BACKOFF_BASE: Duration = Duration::from_secs(1);
/// Longest wait while Log Service answers, but badly. Source: operator specification §3.4.
pub const BACKOFF_CAP: Duration = Duration::from_secs(300);
/// Wait after refused credentials. Source: operator specification §3.4.
pub const AUTH_WAIT: Duration = Duration::from_secs(60);
/// First wait for something that was just created. Source: operator specification §3.4.
pub const NOT_YET_BASE: Duration = Duration::from_millis(250);
/// Longest wait for something that was just created: 250 ms doubled 7 times. Source: operator
/// specification §3.4.
pub const NOT_YET_CAP: Duration = Duration::from_secs(32);
/// Longest wait of an object whose endpoint does not answer; it is woken before if the endpoint does. Source: guess;
/// a thousand such objects then cost a handful of looks a second, none of which asks the endpoint.
pub const HELD_WAIT: Duration = Duration::from_secs(300);
/// Longest wait that a server may ask for. Source: guess; an outage that is over should be noticed.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// Part by which a resync is moved at random, to either side, in percent. Source: operator
/// specification §3.4.
const RESYNC_JITTER_PERCENT: f64 = 10.0;

/// The waits of one operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// Between two looks at an object that is as it should be.
    pub resync: Duration,
    /// Longest wait while Log Service does not answer.
    pub connect_backoff_cap: Duration,
}

/// What is known of an object's failures in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// How many, the last included.
    pub attempts: u32,
    /// What was waited after the last but one.
    pub waited: Duration,
    /// How long the server asked to be left alone.
    pub retry_after: Option<Duration>,
}

impl Waits {
    /// Wait after a failure. `random` is in `0.0..1.0`.
    pub fn after_failure(&self, class: Class, series: Series, random: f64) -> Duration {
        let wait = match class {
            Class::Spec => self.resync(random),
            Class::Auth => around(AUTH_WAIT, random),
            Class::NotYet => doubled(NOT_YET_BASE, NOT_YET_CAP, series.attempts, random),
            Class::Unreachable => decorrelated(BACKOFF_BASE, self.connect_backoff_cap, series.waited, random),
            Class::Held => upper_half(HELD_WAIT, random),
            Class::Busy => decorrelated(BACKOFF_BASE, BACKOFF_CAP, series.waited, random),
        };
        // A server that says when is asked then and a little later, so that not all come at once.
        let asked = series
            .retry_after
            .map(|asked| asked.min(RETRY_AFTER_MAX).mul_f64(1.0 + random.clamp(0.0, 1.0) / 10.0));
        wait.max(asked.unwrap_or_default())
    }

    /// Wait before the next look at an object that is as it should be.
    pub fn resync(&self, random: f64) -> Duration {
        around(self.resync, random)
    }
}

/// Between `base` and three times what was waited before, at most `cap`: objects that failed together spread more and
/// more. Source: "decorrelated jitter" of the AWS architecture blog, as the operator specification asks (§3.4).
fn decorrelated(base: Duration, cap: Duration, waited: Duration, random: f64) -> Duration {
    let span = waited.saturating_mul(3).max(base).saturating_sub(base);
    (base + span.mul_f64(random.clamp(0.0, 1.0))).min(cap)
}

/// Doubles from `base` to `cap`; of that, between half and all is waited.
fn doubled(base: Duration, cap: Duration, attempts: u32, random: f64) -> Duration {
    let factor = 2_u32.checked_pow(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    upper_half(base.saturating_mul(factor).min(cap), random)
}

fn upper_half(wait: Duration, random: f64) -> Duration {
    wait.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
}

fn around(wait: Duration, random: f64) -> Duration {
    let part = RESYNC_JITTER_PERCENT / 100.0;
    wait.mul_f64(1.0 - part + 2.0 * part * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WAITS: Waits =
        Waits { resync: Duration::from_secs(300), connect_backoff_cap: Duration::from_secs(10) };

    fn waits(class: Class, count: u32, random: f64) -> Vec<u64> {
        let mut series = Series::default();
        let next = |attempts| {
            series.attempts = attempts;
            series.waited = WAITS.after_failure(class, series, random);
            series.waited.as_secs()
        };
        (1..=count).map(next).collect()
    }

    #[test]
    fn waits_grow_and_stay_within_their_bounds() {
        assert_eq!(waits(Class::Busy, 8, 1.0), [1, 3, 9, 27, 81, 243, 300, 300]);
        assert_eq!(waits(Class::Busy, 3, 0.0), [1, 1, 1]);
        assert_eq!(waits(Class::Unreachable, 5, 1.0), [1, 3, 9, 10, 10]);
        assert_eq!(waits(Class::NotYet, 10, 1.0), [0, 0, 1, 2, 4, 8, 16, 32, 32, 32]);
    }

    #[test]
    fn a_server_that_says_when_is_asked_then_within_bounds() {
        let asked = |seconds| Series { retry_after: Some(Duration::from_secs(seconds)), ..Series::default() };
        assert_eq!(WAITS.after_failure(Class::Busy, asked(20), 0.0), Duration::from_secs(20));
        assert_eq!(WAITS.after_failure(Class::Busy, asked(20), 1.0), Duration::from_secs(22));
        assert_eq!(WAITS.after_failure(Class::Busy, asked(1_000_000), 0.0), RETRY_AFTER_MAX);
        assert_eq!(WAITS.after_failure(Class::Auth, asked(0), 0.5), AUTH_WAIT);
    }

    #[test]
    fn resyncs_and_refused_credentials_are_spread_by_a_tenth() {
        assert_eq!(WAITS.resync(0.0), Duration::from_secs(270));
        assert_eq!(WAITS.resync(1.0), Duration::from_secs(330));
        assert_eq!(WAITS.after_failure(Class::Auth, Series::default(), 0.0), Duration::from_secs(54));
    }

    #[test]
    fn a_refused_spec_is_not_retried_hot() {
        assert_eq!(WAITS.after_failure(Class::Spec, Series::default(), 0.5), WAITS.resync(0.5));
    }

    proptest! {
        #[test]
        fn any_series_has_a_wait_within_its_bounds(
            attempts in any::<u32>(), waited_s in any::<u32>(), retry_s in prop::option::of(any::<u64>()), random in 0.0..1.0,
        ) {
            let series = Series {
                attempts,
                waited: Duration::from_secs(waited_s.into()),
                retry_after: retry_s.map(Duration::from_secs),
            };
            for class in [Class::Spec, Class::Auth, Class::NotYet, Class::Unreachable, Class::Held, Class::Busy] {
                let wait = WAITS.after_failure(class, series, random);
                prop_assert!(wait >= NOT_YET_BASE / 2 && wait <= RETRY_AFTER_MAX.mul_f64(1.1));
            }
        }
    }
}
