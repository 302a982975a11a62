//! How long to wait before an object is looked at again. Pure: attempt and a random number come in.
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

impl Waits {
    /// Wait after the `attempts`-th failure in a row (1 for the first). `random` is in `0.0..1.0`.
    pub fn after_failure(&self, class: Class, attempts: u32, random: f64) -> Duration {
        match class {
            Class::Spec => self.resync(random),
            Class::Auth => around(AUTH_WAIT, random),
            Class::NotYet => backoff(NOT_YET_BASE, NOT_YET_CAP, attempts, random),
            Class::Unreachable => backoff(BACKOFF_BASE, self.connect_backoff_cap, attempts, random),
            Class::Busy => backoff(BACKOFF_BASE, BACKOFF_CAP, attempts, random),
        }
    }

    /// Wait before the next look at an object that is as it should be.
    pub fn resync(&self, random: f64) -> Duration {
        around(self.resync, random)
    }
}

/// Doubles from `base` to `cap`; of that, between half and all is waited, so that objects that failed
/// together do not come back together.
fn backoff(base: Duration, cap: Duration, attempts: u32, random: f64) -> Duration {
    let factor = 2_u32.checked_pow(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    base.saturating_mul(factor).min(cap).mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
}

fn around(wait: Duration, random: f64) -> Duration {
    let part = RESYNC_JITTER_PERCENT / 100.0;
    wait.mul_f64(1.0 - part + 2.0 * part * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Waits =
        Waits { resync: Duration::from_secs(300), connect_backoff_cap: Duration::from_secs(10) };

    #[test]
    fn waits_double_and_stay_within_their_bounds() {
        let busy: Vec<u64> = (1..=11).map(|n| WAITS.after_failure(Class::Busy, n, 1.0).as_secs()).collect();
        assert_eq!(busy, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        let unreachable: Vec<u64> =
            (1..=6).map(|n| WAITS.after_failure(Class::Unreachable, n, 1.0).as_secs()).collect();
        assert_eq!(unreachable, [1, 2, 4, 8, 10, 10]);
    }

    #[test]
    fn any_number_of_attempts_is_fine() {
        assert_eq!(WAITS.after_failure(Class::Busy, u32::MAX, 1.0), BACKOFF_CAP);
        assert_eq!(WAITS.after_failure(Class::Busy, 0, 1.0), BACKOFF_BASE);
    }

    #[test]
    fn jitter_keeps_at_least_half_of_a_backoff_and_nine_tenths_of_a_resync() {
        assert_eq!(WAITS.after_failure(Class::Busy, 3, 0.0), Duration::from_secs(2));
        assert_eq!(WAITS.resync(0.0), Duration::from_secs(270));
        assert_eq!(WAITS.resync(1.0), Duration::from_secs(330));
    }

    #[test]
    fn a_refused_spec_is_not_retried_hot() {
        assert_eq!(WAITS.after_failure(Class::Spec, 1, 0.5), WAITS.resync(0.5));
    }
}
