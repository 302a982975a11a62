//! What time it is for the service.
//!
//! Only `front`, `agent` and what answers under `/_mock/v1` read the clock, once per request or
//! look, and `janitor`; everything below takes `now` as an argument. A test sets the clock instead of sleeping, and the
//! replay of captured requests sets it to the date that each request was signed with.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// The machine's clock, or one that stands still until it is set.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Stands at the held number of nanoseconds since 1970 until somebody sets it.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `now`; clones share the hand.
    pub fn manual(now: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(nanoseconds(now))))
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Manual(hand) => {
                Timestamp::from_nanosecond(i128::from(hand.load(Ordering::SeqCst))).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Moves the hand of a manual clock; the machine's clock stays as it is.
    pub fn set(&self, now: Timestamp) {
        if let Self::Manual(hand) = self {
            hand.store(nanoseconds(now), Ordering::SeqCst);
        }
    }
}

/// Nanoseconds since 1970. Times after the year 2262 are held at the last one that fits.
pub fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_still_until_set() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let other = clock.clone();
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        let later: Timestamp = "2026-11-23T07:30:43Z".parse().unwrap();
        other.set(later);
        assert_eq!(clock.now(), later);
    }
}
