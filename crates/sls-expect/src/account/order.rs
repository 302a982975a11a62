//! Which logs of a source came out of order. Pure; numbers are ranks in the ledger.
//!
//! What arrived is a list of runs of consecutive ranks. The heaviest part of them that rises was in order, and only
//! what is not in it has moved: one log that came late is named alone, and not all that overtook it. Of two such
//! parts that weigh the same, the one with more logs at their places counts, then the one that came first: of 3, 2, 1
//! it is 3 and 1 that were swapped.

/// Runs that are kept over all sources, 8 bytes each. Own choice: ten million logs in packs of a few hundred, each
/// pack out of order, are a tenth of that.
pub const RUNS_MAX: usize = 1 << 18;

/// Logs that came out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    pub first: u32,
    pub last: u32,
    /// What came just before; nothing if they came first of all.
    pub after: Option<u32>,
}

/// What has moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Movement {
    /// How many logs.
    pub count: u64,
    /// The first of them, by arrival.
    pub listed: Vec<Moved>,
    /// There were too many runs: every log is named that came after one with a higher number.
    pub rough: bool,
}

/// Consecutive ranks that came one after the other.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: u32,
    len: u32,
}

impl Run {
    fn last(self) -> u32 {
        self.first + (self.len - 1)
    }
}

/// The order in which the logs of a source came for the first time.
#[derive(Debug, Default)]
pub struct Order {
    runs: Vec<Run>,
    /// There are too many runs, and the simple rule goes on.
    rough: Option<Rough>,
}

impl Order {
    /// A log came for the first time. `room` is how many more runs may be kept over all sources, `listed_max` how
    /// many movements are named.
    pub fn arrive(&mut self, rank: u32, room: &mut usize, listed_max: usize) {
        if let Some(rough) = &mut self.rough {
            return rough.arrive(Run { first: rank, len: 1 }, listed_max);
        }
        if let Some(run) = self.runs.last_mut()
            && run.last().checked_add(1) == Some(rank)
        {
            run.len += 1;
        } else if *room > 0 {
            *room -= 1;
            self.runs.push(Run { first: rank, len: 1 });
        } else {
            let mut rough = Rough::default();
            let runs = std::mem::take(&mut self.runs);
            *room += runs.len();
            runs.iter().for_each(|run| rough.arrive(*run, listed_max));
            rough.arrive(Run { first: rank, len: 1 }, listed_max);
            self.rough = Some(rough);
        }
    }

    /// What has moved, when all has come.
    pub fn movement(self, listed_max: usize) -> Movement {
        match self.rough {
            Some(mut rough) => {
                // As many were allowed when they came; since then other sources may have named theirs.
                rough.movement.listed.truncate(listed_max);
                Movement { rough: true, ..rough.movement }
            }
            None if self.runs.len() < 2 => Movement::default(),
            None => moved(&self.runs, listed_max),
        }
    }
}

/// The simple rule, which needs no memory.
#[derive(Debug, Default)]
struct Rough {
    last: Option<u32>,
    highest: u32,
    movement: Movement,
}

impl Rough {
    fn arrive(&mut self, run: Run, listed_max: usize) {
        if self.last.is_some() && run.first < self.highest {
            // A run holds nothing that has come before, so that it is below the highest as a whole or not at all.
            self.movement.count += u64::from(run.len);
            let listed = &mut self.movement.listed;
            if let Some(moved) = listed.last_mut()
                && Some(moved.last) == self.last
                && moved.last + 1 == run.first
            {
                moved.last = run.last();
            } else if listed.len() < listed_max {
                listed.push(Moved { first: run.first, last: run.last(), after: self.last });
            }
        }
        self.last = Some(run.last());
        self.highest = self.highest.max(run.last());
    }
}

/// Everything but the heaviest rising part of at least one run.
fn moved(runs: &[Run], listed_max: usize) -> Movement {
    let kept = heaviest(runs);
    let mut movement = Movement::default();
    let mut after = None;
    for (run, kept) in runs.iter().zip(kept) {
        if !kept {
            movement.count += u64::from(run.len);
            if movement.listed.len() < listed_max {
                movement.listed.push(Moved { first: run.first, last: run.last(), after });
            }
        }
        after = Some(run.last());
    }
    movement
}

const NOBODY: u32 = u32::MAX;

/// Which runs are in the heaviest rising part. All indexes are of `runs`, or of them sorted by rank.
fn heaviest(runs: &[Run]) -> Vec<bool> {
    let mut by_rank: Vec<u32> = (0..runs.len() as u32).collect();
    by_rank.sort_unstable_by_key(|run| runs[*run as usize].first);
    let mut places = vec![0_u32; runs.len()];
    // How many logs came before, less how many belong there.
    let mut shifts = vec![0_i64; runs.len()];
    let mut belong = 0;
    for (place, run) in by_rank.into_iter().enumerate() {
        places[run as usize] = place as u32;
        shifts[run as usize] = -belong;
        belong += i64::from(runs[run as usize].len);
    }
    let mut came = 0;
    for (run, shift) in runs.iter().zip(&mut shifts) {
        *shift += came;
        came += i64::from(run.len);
    }
    let mut tree = Tree::new(runs.len());
    let mut previous = vec![NOBODY; runs.len()];
    let mut best = Best { weight: 0, run: NOBODY };
    for (number, (run, place)) in runs.iter().zip(&places).enumerate() {
        let at_place = if is_usual(&shifts, number) { u64::from(run.len) } else { 0 };
        let up_to = tree.best_before(*place);
        previous[number] = up_to.run;
        let weight = up_to.weight + (u64::from(run.len) << 32) + at_place;
        let with = Best { weight, run: number as u32 };
        tree.put(*place, with);
        best = best.or(with);
    }
    let mut kept = vec![false; runs.len()];
    let mut at = best.run;
    while at != NOBODY {
        kept[at as usize] = true;
        at = previous[at as usize];
    }
    kept
}

/// Whether a run is shifted as those around it are: one log that comes much too late shifts all others by one.
fn is_usual(shifts: &[i64], at: usize) -> bool {
    let around = &shifts[at.saturating_sub(2)..(at + 3).min(shifts.len())];
    let below = around.iter().filter(|shift| **shift < shifts[at]).count();
    let above = around.iter().filter(|shift| **shift > shifts[at]).count();
    below.max(above) <= around.len() / 2
}

/// The last run of a rising part, and what the part weighs: its logs, and below them those at their places.
#[derive(Debug, Clone, Copy)]
struct Best {
    weight: u64,
    run: u32,
}

impl Best {
    fn or(self, other: Self) -> Self {
        if (other.weight, self.run) > (self.weight, other.run) { other } else { self }
    }
}

/// A Fenwick tree of the best of the first places.
struct Tree(Vec<Best>);

impl Tree {
    fn new(places: usize) -> Self {
        Self(vec![Best { weight: 0, run: NOBODY }; places + 1])
    }

    fn best_before(&self, place: u32) -> Best {
        let mut at = place as usize;
        let mut best = self.0[0];
        while at > 0 {
            best = best.or(self.0[at]);
            at &= at - 1;
        }
        best
    }

    fn put(&mut self, place: u32, with: Best) {
        let mut at = place as usize + 1;
        while let Some(best) = self.0.get_mut(at) {
            *best = best.or(with);
            at += at & at.wrapping_neg();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with_room(ranks: &[u32], mut room: usize) -> Movement {
        let mut order = Order::default();
        ranks.iter().for_each(|rank| order.arrive(*rank, &mut room, 10));
        order.movement(10)
    }

    /// Logs that moved, each with what came before it.
    fn named(ranks: &[u32]) -> Vec<(u32, u32, Option<u32>)> {
        let movement = with_room(ranks, 100);
        let sum: u64 = movement.listed.iter().map(|moved| u64::from(moved.last - moved.first) + 1).sum();
        assert_eq!(movement.count, sum);
        movement.listed.into_iter().map(|moved| (moved.first, moved.last, moved.after)).collect()
    }

    #[test]
    fn what_rises_has_not_moved_even_with_gaps() {
        assert_eq!(named(&[]), []);
        assert_eq!(named(&[0, 1, 2, 5, 9]), []);
    }

    #[test]
    fn of_swapped_neighbours_the_late_one_is_named() {
        assert_eq!(named(&[0, 1, 3, 2, 4]), [(2, 2, Some(3))]);
        assert_eq!(named(&[1, 0]), [(0, 0, Some(1))]);
        assert_eq!(named(&[1, 3, 2, 4, 0]), [(2, 2, Some(3)), (0, 0, Some(4))]);
    }

    #[test]
    fn of_distant_ones_that_were_swapped_exactly_these_two_are_named() {
        assert_eq!(named(&[0, 1, 8, 3, 4, 5, 6, 7, 2, 9]), [(8, 8, Some(1)), (2, 2, Some(7))]);
        assert_eq!(named(&[0, 3, 2, 1, 4]), [(3, 3, Some(0)), (1, 1, Some(2))]);
        assert_eq!(named(&[1, 2, 5, 4, 3, 6, 7, 0]), [(5, 5, Some(2)), (3, 3, Some(4)), (0, 0, Some(7))]);
    }

    #[test]
    fn a_pack_that_came_too_early_is_named_as_one() {
        assert_eq!(named(&[5, 6, 0, 1, 2, 3, 4, 7]), [(5, 6, None)]);
    }

    #[test]
    fn beyond_the_bound_all_are_named_that_came_after_a_higher_one() {
        let movement = with_room(&[0, 5, 1, 2, 3, 6, 4], 2);
        assert!(movement.rough);
        assert_eq!(movement.count, 4);
        let expected =
            [Moved { first: 1, last: 3, after: Some(5) }, Moved { first: 4, last: 4, after: Some(6) }];
        assert_eq!(movement.listed, expected);
    }

    #[test]
    fn the_room_of_a_source_that_has_too_many_runs_is_for_others() {
        let (mut order, mut room) = (Order::default(), 2);
        [4, 2, 0].iter().for_each(|rank| order.arrive(*rank, &mut room, 10));
        assert_eq!(room, 2);
    }

    /// Logs of the longest rising part, by trying all.
    fn longest(ranks: &[u32]) -> usize {
        let mut lengths: Vec<usize> = Vec::new();
        for (at, rank) in ranks.iter().enumerate() {
            let before = (0..at).filter(|n| ranks[*n] < *rank).map(|n| lengths[n]).max();
            lengths.push(before.unwrap_or(0) + 1);
        }
        lengths.into_iter().max().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn as_few_as_possible_are_named(ranks in Just((0..12).collect::<Vec<u32>>()).prop_shuffle(), len in 0..12_usize) {
            let ranks = &ranks[..len];
            prop_assert_eq!(with_room(ranks, 100).count as usize, len - longest(ranks));
        }
    }
}
