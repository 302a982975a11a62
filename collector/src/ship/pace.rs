//! How many requests of one destination are under way at once: as many as the server bears. Pure.
//!
//! One more after as many successes as there may be at once, half as many after a failure (the rule
//! by which the vendor's agent limits itself for each Logstore, collector.md §3.3). Called by
//! `ship::lane`.

/// See the module.
#[derive(Debug)]
pub struct Pace {
    /// Requests that may be under way now. Invariant: 1 ..= max.
    now: usize,
    max: usize,
    /// Successes since `now` changed last.
    succeeded: usize,
    /// How often `now` was halved.
    halvings: Halvings,
}

/// Names the time between two halvings, in which a request begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Halvings(u64);

impl Pace {
    /// Begins with `max` at once: a server that is well gets everything without a ramp.
    pub fn new(max: usize) -> Self {
        let max = max.max(1);
        Self { now: max, max, succeeded: 0, halvings: Halvings::default() }
    }

    /// Requests that may be under way.
    pub fn at_once(&self) -> usize {
        self.now
    }

    /// To be kept with a request that begins now.
    pub fn begin(&self) -> Halvings {
        self.halvings
    }

    /// A request succeeded.
    pub fn succeeded(&mut self) {
        self.succeeded += 1;
        if self.succeeded >= self.now {
            self.succeeded = 0;
            self.now = self.max.min(self.now + 1);
        }
    }

    /// A request failed. Those that were under way together fail together: they count once. True for
    /// the first of them.
    pub fn failed(&mut self, begun: Halvings) -> bool {
        self.succeeded = 0;
        let is_first = begun == self.halvings;
        if is_first {
            self.now = (self.now / 2).max(1);
            self.halvings.0 += 1;
        }
        is_first
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn failures_of_one_moment_halve_once_and_later_ones_again() {
        let mut pace = Pace::new(16);
        let begun = pace.begin();
        for _ in 0..16 {
            pace.failed(begun);
        }
        assert_eq!(pace.at_once(), 8);
        for expected in [4, 2, 1, 1] {
            pace.failed(pace.begin());
            assert_eq!(pace.at_once(), expected);
        }
    }

    #[test]
    fn a_window_of_successes_allows_one_more_up_to_the_limit() {
        let mut pace = Pace::new(4);
        pace.failed(pace.begin());
        pace.failed(pace.begin());
        let mut seen = Vec::new();
        for _ in 0..12 {
            pace.succeeded();
            seen.push(pace.at_once());
        }
        assert_eq!(seen, [2, 2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4]);
    }

    #[test]
    fn a_limit_of_none_is_one() {
        let mut pace = Pace::new(0);
        pace.succeeded();
        assert_eq!(pace.at_once(), 1);
    }

    proptest! {
        #[test]
        fn it_never_leaves_its_bounds(max in 0usize..300, ends in prop::collection::vec(any::<bool>(), 0..500)) {
            let mut pace = Pace::new(max);
            for ok in ends {
                if ok { pace.succeeded() } else { pace.failed(pace.begin()); }
                prop_assert!((1..=max.max(1)).contains(&pace.at_once()));
            }
        }
    }
}
