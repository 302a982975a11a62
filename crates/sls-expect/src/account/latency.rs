//! Latencies in bounded memory: exact below 256 ms, above that in steps of less than 1 %.

use serde::{Deserialize, Serialize};

/// Steps between two powers of two.
const STEPS_LOG2: u32 = 7;
/// Steps up to the largest number of 64 bits.
const STEPS: usize = (64 - STEPS_LOG2 as usize + 1) << STEPS_LOG2;

/// From the time of writing, as the ledger has it, to the receipt, of logs with a time; a log that came several
/// times counts when it came first. What was received before it was written counts as 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the logs took so long or less, ms.
    pub p50_ms: u64,
    /// 99 of 100 did.
    pub p99_ms: u64,
    /// All did.
    pub max_ms: u64,
}

#[derive(Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; STEPS], total: 0, max: 0 }
    }
}

impl Histogram {
    pub fn add(&mut self, ms: u64) {
        if let Some(count) = self.counts.get_mut(step(ms)) {
            *count += 1;
        }
        self.total += 1;
        self.max = self.max.max(ms);
    }

    /// Nothing where nothing was added.
    pub fn summary(&self) -> Option<Latency> {
        (self.total > 0).then(|| Latency {
            p50_ms: self.at_percent(50),
            p99_ms: self.at_percent(99),
            max_ms: self.max,
        })
    }

    /// So many of 100 are so large or smaller; the end of the step.
    fn at_percent(&self, percent: u64) -> u64 {
        let wanted = (u128::from(self.total) * u128::from(percent)).div_ceil(100);
        let mut seen = 0;
        let step = self.counts.iter().position(|count| {
            seen += u128::from(*count);
            seen >= wanted
        });
        step.map_or(self.max, |step| end(step).min(self.max))
    }
}

fn step(ms: u64) -> usize {
    let shift = (u64::BITS - ms.leading_zeros()).saturating_sub(STEPS_LOG2 + 1);
    ((shift as usize) << STEPS_LOG2) + (ms >> shift) as usize
}

/// The largest number of a step.
fn end(step: usize) -> u64 {
    let shift = (step >> STEPS_LOG2).saturating_sub(1);
    let within = (step - (shift << STEPS_LOG2)) as u128;
    u64::try_from(((within + 1) << shift) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_lies_in_its_step_and_steps_are_narrow() {
        for ms in (0..70_000).chain([1 << 40, u64::MAX - 1, u64::MAX]) {
            let end = end(step(ms));
            assert!(end >= ms && end - ms <= ms / 128, "{ms} {end}");
            assert!(step(ms) < STEPS, "{ms}");
        }
    }

    #[test]
    fn percentiles_are_of_all_that_was_added() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.summary(), None);
        (1..=200).for_each(|ms| histogram.add(ms));
        assert_eq!(histogram.summary(), Some(Latency { p50_ms: 100, p99_ms: 198, max_ms: 200 }));
        histogram.add(10_000);
        assert_eq!(histogram.summary(), Some(Latency { p50_ms: 101, p99_ms: 199, max_ms: 10_000 }));
    }
}
