//! Waiting between attempts.

use std::time::Duration;

/// When [`crate::Client::send_with_retry`] gives up, and how long it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, at least one.
    pub attempts: u32,
    /// Wait after the first failure.
    pub base: Duration,
    /// Longest wait.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    /// Five attempts within about four seconds. Source: own choice.
    fn default() -> Self {
        Self { attempts: 5, base: Duration::from_millis(200), cap: Duration::from_secs(2) }
    }
}

/// How long to wait after failure number `attempt` (from 0): `base` doubled each time up to
/// `cap`, of which the second half is random, so that clients that failed together do not come
/// back together. The same `seed` gives the same wait.
#[must_use]
pub fn backoff(attempt: u32, seed: u64, base: Duration, cap: Duration) -> Duration {
    let doubled = base.saturating_mul(2u32.saturating_pow(attempt));
    let whole = doubled.min(cap);
    let mut random = fastrand::Rng::with_seed(seed.wrapping_add(u64::from(attempt)));
    whole.mul_f64(0.5 + random.f64() / 2.0).min(cap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_grow_until_the_cap() {
        let wait = |attempt| backoff(attempt, 1, Duration::from_millis(100), Duration::from_secs(10));
        assert!(wait(0) >= Duration::from_millis(50) && wait(0) <= Duration::from_millis(100));
        assert!(wait(3) >= Duration::from_millis(400) && wait(3) <= Duration::from_millis(800));
        assert!(wait(40) >= Duration::from_secs(5));
        assert_eq!(wait(2), wait(2));
    }

    proptest! {
        #[test]
        fn a_wait_is_between_half_and_all_of_the_step(
            attempt in any::<u32>(), seed in any::<u64>(),
            base_ms in 0u64..100_000, cap_ms in 0u64..1_000_000,
        ) {
            let (base, cap) = (Duration::from_millis(base_ms), Duration::from_millis(cap_ms));
            let wait = backoff(attempt, seed, base, cap);
            prop_assert!(wait <= cap);
            if attempt == 0 && base <= cap {
                prop_assert!(wait >= base / 2 && wait <= base);
            }
        }
    }
}
