//! How many bytes go in a second: of files read (`max_bytes_per_sec`), or of logs to a Logstore (`max_send_rate`).
//! What is read is sent, so the first bounds sending too. Pure.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

/// What may go at once after a pause, as a share of a second.
const BURST: u64 = 4;
/// It goes on when so much of a second has been saved up: it bounds wake-ups.
const STEP: u64 = 20;

/// Bytes that may go now.
#[derive(Debug)]
pub struct Pace {
    bytes_per_second: Option<NonZeroU64>,
    /// Below nothing after a block that was longer than what was left.
    left: i64,
    counted_until: Option<Instant>,
}

impl Pace {
    /// `None`: without limit.
    pub fn new(bytes_per_second: Option<NonZeroU64>) -> Self {
        Self { bytes_per_second, left: 0, counted_until: None }
    }

    /// Another rate from now on; what was spent goes on to count.
    pub fn set_rate(&mut self, bytes_per_second: Option<NonZeroU64>) {
        self.bytes_per_second = bytes_per_second;
    }

    /// Time has passed.
    pub fn advance(&mut self, now: Instant) {
        let Some(rate) = self.bytes_per_second else { return };
        let most = i64::try_from(rate.get() / BURST).unwrap_or(i64::MAX);
        let Some(before) = self.counted_until else {
            self.counted_until = Some(now);
            self.left = most;
            return;
        };
        let passed = now.saturating_duration_since(before);
        let earned = passed.as_micros().saturating_mul(rate.get().into()) / 1_000_000;
        let earned = i64::try_from(earned).unwrap_or(i64::MAX);
        if earned > 0 {
            // What is not a whole byte yet is not forgotten: the time is counted only with what it earned.
            self.counted_until = Some(now);
            self.left = self.left.saturating_add(earned).min(most);
        }
    }

    /// How many bytes may go at once, of `most`. Without this one block would take the share of minutes,
    /// from all files.
    pub fn allows(&self, most: usize) -> usize {
        match self.bytes_per_second {
            None => most,
            Some(_) => most.min(usize::try_from(self.left).unwrap_or(0)),
        }
    }

    /// So many bytes went.
    pub fn spend(&mut self, bytes: usize) {
        if self.bytes_per_second.is_some() {
            self.left = self.left.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    /// Time until something may go, from the moment of the last [`Self::advance`]; `None`: now.
    pub fn wait(&self) -> Option<Duration> {
        let rate = self.bytes_per_second?.get();
        if self.left > 0 {
            return None;
        }
        let missing = self.left.unsigned_abs() + (rate / STEP).max(1);
        Some(Duration::from_secs_f64(missing as f64 / rate as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads in blocks whenever it may, and counts.
    fn read_for(seconds: u64, rate: u64, block: usize) -> (u64, u32) {
        let mut pace = Pace::new(NonZeroU64::new(rate));
        let start = Instant::now();
        let (mut now, mut total, mut wakeups) = (start, 0, 0);
        while now < start + Duration::from_secs(seconds) {
            pace.advance(now);
            wakeups += 1;
            match pace.wait() {
                None => {
                    pace.spend(block);
                    total += block as u64;
                }
                Some(wait) => now += wait,
            }
        }
        (total, wakeups)
    }

    #[test]
    fn over_time_no_more_is_read_than_allowed_and_not_much_less() {
        for (rate, block) in [(2_097_152, 262_144), (2_097_152, 1000), (10_000, 262_144), (1024, 1)] {
            let (total, _) = read_for(200, rate, block);
            let most = 200 * rate + rate / BURST + block as u64;
            assert!(total <= most, "{total} of {most}");
            assert!(total + total / 50 + block as u64 >= 200 * rate, "{total} of {}", 200 * rate);
        }
    }

    #[test]
    fn a_slow_pace_does_not_wake_up_for_each_byte() {
        let (_, wakeups) = read_for(10, 2_097_152, 262_144);
        assert!(wakeups < 10 * 3 * STEP as u32, "{wakeups}");
    }

    #[test]
    fn no_more_is_allowed_at_once_than_is_left() {
        let mut pace = Pace::new(NonZeroU64::new(1024));
        pace.advance(Instant::now());
        assert_eq!((pace.allows(100), pace.allows(262_144)), (100, 256));
        pace.spend(1024);
        assert_eq!(pace.allows(100), 0);
        assert_eq!(Pace::new(None).allows(262_144), 262_144);
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let mut pace = Pace::new(None);
        pace.advance(Instant::now());
        pace.spend(usize::MAX);
        assert_eq!(pace.wait(), None);
    }
}
