//! Which words stand in many values, in few bits: a Bloom filter over the runs of ASCII letters and
//! digits in them.
//!
//! A run is what lies between two other bytes, whatever an index takes for delimiters, so one filter serves
//! every index that a block is ever searched under. A searched word is not in the values if a run that it
//! has, and that it cannot have as a part of a longer one, is not in the filter.

/// Bits for each run. With [`PROBES`] of them set, one search in 2,000 finds what is not there.
const BITS_PER_RUN: usize = 16;
const PROBES: u64 = 8;
const WORD: u64 = u64::BITS as u64;

/// Runs that were seen shortly before, so that they need not be counted again.
const RECENT: usize = 1024;

/// The filter.
#[derive(Debug, Clone)]
pub struct Filter {
    words: Box<[u64]>,
}

impl Filter {
    /// Whether all of these runs may be there.
    pub fn may_have(&self, runs: &[Run]) -> bool {
        runs.iter().all(|run| {
            self.places(*run).all(|(word, bit)| self.words.get(word).is_some_and(|it| it & bit != 0))
        })
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.words)
    }

    fn places(&self, Run(hash): Run) -> impl Iterator<Item = (usize, u64)> + use<> {
        let bits = self.words.len() as u64 * WORD;
        let step = hash.rotate_left(32) | 1;
        (0..PROBES).map(move |probe| {
            // The high half of the product is a number below `bits`.
            let hash = hash.wrapping_add(step.wrapping_mul(probe));
            let place = ((u128::from(hash) * u128::from(bits)) >> 64) as u64;
            ((place / WORD) as usize, 1 << (place % WORD))
        })
    }
}

/// Collects runs for a filter.
#[derive(Debug)]
pub struct Collector {
    runs: Vec<Run>,
    recent: Box<[Run]>,
}

impl Default for Collector {
    fn default() -> Self {
        Self { runs: Vec::new(), recent: vec![Run(0); RECENT].into() }
    }
}

impl Collector {
    /// Adds the runs of a value.
    pub fn add(&mut self, value: &[u8]) {
        let mut hash = SEED;
        for &byte in value {
            match IN_RUNS[usize::from(byte)] {
                0 if hash == SEED => {}
                0 => self.push(finish(std::mem::replace(&mut hash, SEED))),
                lower => hash = step(hash, lower),
            }
        }
        if hash != SEED {
            self.push(finish(hash));
        }
    }

    fn push(&mut self, run: Run) {
        if let Some(recent) = self.recent.get_mut(run.0 as usize % RECENT)
            && *recent != run
        {
            *recent = run;
            self.runs.push(run);
        }
    }

    /// The filter of what was added; the collector is empty again.
    pub fn finish(&mut self) -> Filter {
        let words = (self.runs.len() * BITS_PER_RUN).div_ceil(WORD as usize).max(1);
        let mut filter = Filter { words: vec![0; words].into() };
        for run in self.runs.drain(..) {
            for (word, bit) in filter.places(run) {
                if let Some(word) = filter.words.get_mut(word) {
                    *word |= bit;
                }
            }
        }
        self.recent.fill(Run(0));
        filter
    }
}

/// A run of letters and digits, all in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run(u64);

/// The runs of a text that stand in every value that has the text, as runs of their own: at its ends only if
/// nothing but other bytes can stand beside it there.
pub fn runs_of(text: &[u8], starts_word: bool, ends_word: bool) -> Box<[Run]> {
    let mut runs = Vec::new();
    let mut at = 0;
    for run in text.split(|byte| !byte.is_ascii_alphanumeric()) {
        let end = at + run.len();
        let whole = (at > 0 || starts_word) && (end < text.len() || ends_word);
        if whole && !run.is_empty() {
            runs.push(finish(run.iter().fold(SEED, |hash, byte| step(hash, byte.to_ascii_lowercase()))));
        }
        at = end + 1;
    }
    runs.into()
}

/// FNV-1a, whose low bits are mixed into the high ones at the end.
const SEED: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(PRIME)
}

/// For each byte what it is in a run; 0 for those that end one.
static IN_RUNS: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if (byte as u8).is_ascii_alphanumeric() {
            bytes[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    bytes
};

fn finish(hash: u64) -> Run {
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Run(mixed ^ (mixed >> 29))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(values: &[&str]) -> Filter {
        let mut collector = Collector::default();
        values.iter().for_each(|value| collector.add(value.as_bytes()));
        collector.finish()
    }

    #[test]
    fn what_was_added_is_found_and_hardly_anything_else() {
        let values: Vec<String> =
            (0..2_000).map(|n| format!("/orders/{n}?session={:x}", n * 7_919)).collect();
        let filter = filter(&values.iter().map(String::as_str).collect::<Vec<_>>());
        for value in &values {
            assert!(filter.may_have(&runs_of(value.as_bytes(), true, true)), "{value}");
        }
        let absent = |n: &u32| filter.may_have(&runs_of(format!("none{n}").as_bytes(), true, true));
        let found = (0..10_000).filter(absent).count();
        assert!(found < 30, "{found} of 10000");
        assert!(filter.bytes() < 2_000 * 3 * 3, "{} bytes", filter.bytes());
    }

    #[test]
    fn runs_at_the_ends_of_a_text_count_only_where_words_end() {
        let count = |text: &str, starts, ends| runs_of(text.as_bytes(), starts, ends).len();
        assert_eq!((count("a-b-c", true, true), count("a-b-c", true, false)), (3, 2));
        assert_eq!((count("a-b-c", false, false), count("abc", false, true)), (1, 0));
        assert_eq!((count("-abc-", false, false), count("é", true, true), count("", true, true)), (1, 0, 0));
    }

    #[test]
    fn letter_case_does_not_matter() {
        assert!(filter(&["Mozilla/5.0"]).may_have(&runs_of(b"mOZILLA", true, true)));
        assert!(!filter(&["Mozilla/5.0"]).may_have(&runs_of(b"mozill", true, true)));
    }
}
