//! When an expectation is decided: pure, told of every look and of the time.

use crate::expectation::Count;

/// What to do now. Times are ms on whatever clock the caller uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It holds.
    Holds,
    /// It cannot hold any more: there are too many.
    TooMany,
    /// The time is over and there are too few.
    TooFew,
    /// Look again when something comes, and at this time at the latest.
    Wait {
        /// ms.
        until: u64,
    },
    /// Everything is as it should be, but a write is still under way: look again when it has ended.
    WaitForWrites,
}

/// Counts against what is expected.
#[derive(Debug, Clone)]
pub struct Watch {
    count: Count,
    stable_ms: u64,
    deadline: u64,
    /// When it began, or when something last came.
    quiet_since: u64,
    seen: u64,
}

impl Watch {
    /// Begins at `now`.
    pub fn new(count: Count, timeout_ms: u64, stable_ms: u64, now: u64) -> Self {
        Self { count, stable_ms, deadline: now.saturating_add(timeout_ms), quiet_since: now, seen: 0 }
    }

    /// So many logs are there.
    pub fn saw(&mut self, seen: u64, now: u64) {
        if seen != self.seen {
            self.seen = seen;
            self.quiet_since = now;
        }
    }

    /// What that means. `writing` says whether a write to the Logstore is under way.
    pub fn decide(&self, now: u64, writing: bool) -> Decision {
        let (fewest, most) = self.count.bounds();
        let Some(most) = most else {
            return match self.seen >= fewest {
                true => Decision::Holds,
                false => self.too_few(now),
            };
        };
        if self.seen > most {
            return Decision::TooMany;
        }
        if self.seen < fewest {
            return self.too_few(now);
        }
        // One more may be on its way: enough is believed when it has been quiet for a while, even if the
        // time is over before that; but what comes after the time begins no further while.
        let believed = self.quiet_since.min(self.deadline).saturating_add(self.stable_ms);
        match (now >= believed, writing && now < self.deadline) {
            (false, _) => Decision::Wait { until: believed },
            (true, true) => Decision::WaitForWrites,
            (true, false) => Decision::Holds,
        }
    }

    /// When the time is over.
    pub fn deadline(&self) -> u64 {
        self.deadline
    }

    fn too_few(&self, now: u64) -> Decision {
        match now >= self.deadline {
            true => Decision::TooFew,
            false => Decision::Wait { until: self.deadline },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: u64 = 1_000;
    const STABLE: u64 = 100;

    fn watch(count: Count) -> Watch {
        Watch::new(count, TIMEOUT, STABLE, 0)
    }

    #[test]
    fn enough_is_enough_where_more_would_be_right_too() {
        let mut watch = watch(Count::AtLeast { n: 2 });
        watch.saw(1, 10);
        assert_eq!(watch.decide(10, false), Decision::Wait { until: TIMEOUT });
        watch.saw(2, 20);
        assert_eq!(watch.decide(20, true), Decision::Holds);
    }

    #[test]
    fn exactly_waits_until_it_has_been_quiet() {
        let mut watch = watch(Count::Exactly { n: 2 });
        watch.saw(2, 20);
        assert_eq!(watch.decide(20, false), Decision::Wait { until: 120 });
        watch.saw(2, 100);
        assert_eq!(watch.decide(119, false), Decision::Wait { until: 120 });
        assert_eq!(watch.decide(120, false), Decision::Holds);
        watch.saw(3, 119);
        assert_eq!(watch.decide(120, false), Decision::TooMany);
    }

    #[test]
    fn the_last_one_may_come_just_before_the_time_is_over() {
        let mut watch = watch(Count::Exactly { n: 1 });
        watch.saw(1, 999);
        assert_eq!(watch.decide(1_050, false), Decision::Wait { until: 1_099 });
        assert_eq!(watch.decide(1_099, false), Decision::Holds);
    }

    #[test]
    fn a_write_under_way_is_waited_for_but_not_for_ever() {
        let watch = watch(Count::None);
        assert_eq!(watch.decide(100, true), Decision::WaitForWrites);
        assert_eq!(watch.decide(TIMEOUT, true), Decision::Holds);
    }

    #[test]
    fn what_comes_without_end_is_not_waited_for_without_end() {
        let mut watch = watch(Count::AtMost { n: 100_000 });
        for now in (0..1_100).step_by(50) {
            watch.saw(now, now);
            assert!(matches!(watch.decide(now, false), Decision::Wait { .. }), "{now}");
        }
        watch.saw(999, 1_100);
        assert_eq!(watch.decide(1_100, true), Decision::Holds);
    }

    #[test]
    fn too_few_are_told_when_the_time_is_over() {
        for count in [Count::Exactly { n: 1 }, Count::AtLeast { n: 1 }, Count::Between { n: 1, max: 2 }] {
            let watch = watch(count);
            assert_eq!(watch.decide(999, false), Decision::Wait { until: TIMEOUT }, "{count}");
            assert_eq!(watch.decide(TIMEOUT, false), Decision::TooFew, "{count}");
        }
    }

    #[test]
    fn none_and_at_most_hold_when_it_has_been_quiet() {
        let mut watch = watch(Count::AtMost { n: 1 });
        watch.saw(1, 50);
        assert_eq!(watch.decide(149, false), Decision::Wait { until: 150 });
        assert_eq!(watch.decide(150, false), Decision::Holds);
        watch.saw(2, 151);
        assert_eq!(watch.decide(151, false), Decision::TooMany);
    }
}
