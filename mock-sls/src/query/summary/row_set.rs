//! Some of the logs of a block, one bit for each.

/// Bits in a word.
const WORD: usize = u64::BITS as usize;

/// A set of rows, numbered as in the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSet {
    words: Box<[u64]>,
    rows: usize,
}

impl RowSet {
    /// No row of so many.
    pub fn none(rows: usize) -> Self {
        Self { words: vec![0; rows.div_ceil(WORD)].into(), rows }
    }

    /// Every row of so many.
    pub fn all(rows: usize) -> Self {
        let mut set = Self { words: vec![u64::MAX; rows.div_ceil(WORD)].into(), rows };
        set.cut();
        set
    }

    /// All or none.
    pub fn every(rows: usize, all: bool) -> Self {
        if all { Self::all(rows) } else { Self::none(rows) }
    }

    /// The rows for which `holds`.
    pub fn of(rows: usize, holds: impl Fn(usize) -> bool) -> Self {
        let words = (0..rows.div_ceil(WORD)).map(|word| {
            let from = word * WORD;
            (from..rows.min(from + WORD)).fold(0, |bits, row| bits | u64::from(holds(row)) << (row - from))
        });
        Self { words: words.collect(), rows }
    }

    /// Adds a row.
    pub fn insert(&mut self, row: usize) {
        if let Some(word) = self.words.get_mut(row / WORD) {
            *word |= 1 << (row % WORD);
        }
    }

    /// Whether a row is in it.
    pub fn has(&self, row: usize) -> bool {
        self.words.get(row / WORD).is_some_and(|word| word & (1 << (row % WORD)) != 0)
    }

    /// Keeps what is in both.
    pub fn and(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    /// Adds what is in the other.
    pub fn or(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// The rows that are not in it.
    pub fn complement(mut self) -> Self {
        self.words.iter_mut().for_each(|word| *word = !*word);
        self.cut();
        self
    }

    /// Whether no row is in it.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many rows are in it.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The rows in it, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left &= left.wrapping_sub(1);
                (bit < WORD).then_some(at * WORD + bit)
            })
        })
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.words)
    }

    /// Clears the bits behind the last row.
    fn cut(&mut self) {
        let used = self.rows % WORD;
        if used != 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << used) - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sets_are_as_lists_of_booleans(
            pairs in prop::collection::vec((any::<bool>(), any::<bool>()), 0..200),
        ) {
            let rows = pairs.len();
            let set = |of: fn(&(bool, bool)) -> bool| RowSet::of(rows, |row| of(&pairs[row]));
            let (one, other) = (set(|pair| pair.0), set(|pair| pair.1));
            let list = |set: &RowSet| (0..rows).map(|row| set.has(row)).collect::<Vec<_>>();
            let mut both = one.clone();
            both.and(&other);
            prop_assert_eq!(list(&both), pairs.iter().map(|(a, b)| *a && *b).collect::<Vec<_>>());
            let mut either = one.clone();
            either.or(&other);
            prop_assert_eq!(list(&either), pairs.iter().map(|(a, b)| *a || *b).collect::<Vec<_>>());
            let not = one.clone().complement();
            prop_assert_eq!(list(&not), pairs.iter().map(|(a, _)| !a).collect::<Vec<_>>());
            prop_assert_eq!(one.len() + not.len(), rows);
            prop_assert_eq!(one.iter().collect::<Vec<_>>(), (0..rows).filter(|row| pairs[*row].0).collect::<Vec<_>>());
            let mut inserted = RowSet::none(rows);
            one.iter().for_each(|row| inserted.insert(row));
            prop_assert_eq!(&inserted, &one);
            prop_assert_eq!(RowSet::all(rows).complement(), RowSet::none(rows));
        }
    }
}
