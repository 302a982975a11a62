//! Which parts of a file were sent under which number: what exactly-once delivery remembers.
//!
//! A server that checks sequences refuses a number that is not larger than the last one of its hash
//! key. So a part that is sent again after a restart must have the same ends and the same number, and
//! both are on disk before it is sent first. Keys belong to one generation of one file: its parts
//! come in their order, whatever happens to other files.
//!
//! What is on disk may be older than what was sent: after a power failure, from a restored volume, beside
//! a damaged record. Its next number was given before then, to other content. So keys belong to an *epoch*
//! too, which begins anew whenever the past is not known for sure. Pure but for looking whether a file
//! still has the content. Called by `engine`.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sls_api::sign::md5_hex;

use crate::tail::Bookmark;

/// Numbers that one range takes: one for each half of a half, should the server find it too large.
/// Source: own choice; a group of 4,000 logs has 12 levels of halves.
const NUMBERS_PER_RANGE: u64 = 1 << 16;

/// The ranges of one generation that are not acknowledged yet, and what the next ones need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranges {
    /// Tells the keys of this generation from those of every other of every collector.
    seed: String,
    /// Whose keys the next ranges get; 0 in records of versions that knew no epochs.
    #[serde(default)]
    epoch: u64,
    /// Ranges so far.
    count: u64,
    /// In file order.
    open: VecDeque<Range>,
}

/// A part of the file: from the end of the range before, or the acknowledged position, to its own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Which of the keys of its epoch.
    pub key: u16,
    #[serde(default)]
    epoch: u64,
    /// Counted from 1 in the whole generation.
    number: u64,
    pub end: Bookmark,
}

/// Numbers above the first and up to the second belong to a range or a part of one, which is sent
/// under the second. So the last part of a range has the number of the whole, which is sent again
/// after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers(i64, i64);

impl Ranges {
    /// `seed` must be random.
    pub fn new(seed: u128) -> Self {
        Self { seed: format!("{seed:032x}"), epoch: 0, count: 0, open: VecDeque::new() }
    }

    /// The next ranges get keys that were never used; those that are open keep theirs. `epoch` must be
    /// random: a counter would be as old as the rest of the record.
    pub fn renew(&mut self, epoch: u64) {
        self.epoch = epoch;
    }

    /// Binds what comes before `end`, and after the last range, to the next of `keys` keys.
    pub fn bind(&mut self, end: Bookmark, keys: u16) -> Range {
        let key = (self.count % u64::from(keys.max(1))) as u16;
        self.count += 1;
        let range = Range { key, epoch: self.epoch, number: self.count, end };
        self.open.push_back(range);
        range
    }

    /// The hash key of a range.
    pub fn hash_key(&self, range: Range) -> Arc<str> {
        let name = match range.epoch {
            0 => format!("{}-{}", self.seed, range.key),
            epoch => format!("{}-{epoch}-{}", self.seed, range.key),
        };
        md5_hex(name.as_bytes()).into()
    }

    /// Everything before `position` was acknowledged.
    pub fn acknowledged(&mut self, position: u64) {
        while self.open.front().is_some_and(|range| range.end.position <= position) {
            self.open.pop_front();
        }
    }

    /// True if something may have been received without an acknowledgement.
    pub fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// What has to be sent again, in this order, if reading of `file` goes on after `position`. Ranges
    /// of another content, which got this one's inode, are forgotten.
    pub fn resume(&mut self, file: &File, position: u64) -> VecDeque<Range> {
        self.acknowledged(position);
        let fitting = self.open.iter().take_while(|range| range.end.fits(file).unwrap_or(false)).count();
        self.open.truncate(fitting);
        self.open.clone()
    }

    /// `range` and those after it cannot be read any more.
    pub fn forget_from(&mut self, range: Range) {
        self.open.retain(|other| other.number < range.number);
    }
}

impl Range {
    pub fn numbers(self) -> Numbers {
        let number = |n: u64| i64::try_from(n.saturating_mul(NUMBERS_PER_RANGE)).unwrap_or(i64::MAX);
        Numbers(number(self.number - 1), number(self.number))
    }
}

impl Numbers {
    /// Under which it is sent.
    pub fn last(self) -> i64 {
        self.1
    }

    /// For two parts that follow each other; `None` if there is but one number.
    pub fn halves(self) -> Option<(Self, Self)> {
        let middle = self.0 + (self.1 - self.0) / 2;
        (middle > self.0).then_some((Self(self.0, middle), Self(middle, self.1)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(text: &str) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(text.as_bytes()).expect("write");
        file
    }

    fn end(file: &File, position: u64) -> Bookmark {
        Bookmark::at_end(file, position).expect("read")
    }

    #[test]
    fn keys_take_turns_and_numbers_grow() {
        let file = file("one\ntwo\nthree\n");
        let mut ranges = Ranges::new(7);
        let all: Vec<Range> = [4, 8, 14].map(|position| ranges.bind(end(&file, position), 2)).into();
        assert_eq!(all.iter().map(|r| r.key).collect::<Vec<_>>(), [0, 1, 0]);
        assert!(all.windows(2).all(|two| two[0].numbers().last() < two[1].numbers().last()));
        assert_eq!(ranges.hash_key(all[0]), ranges.hash_key(all[2]));
        assert_ne!(ranges.hash_key(all[0]), ranges.hash_key(all[1]));
        assert_ne!(ranges.hash_key(all[0]), Ranges::new(8).hash_key(all[0]));
        assert_eq!(ranges.hash_key(all[0]).len(), 32);
        ranges.acknowledged(8);
        assert_eq!(ranges.resume(&file, 8), [all[2]]);
        ranges.acknowledged(14);
        assert!(!ranges.has_open());
    }

    #[test]
    fn a_new_epoch_has_keys_of_its_own_and_what_is_open_keeps_its_key() {
        let file = file("one\ntwo\nthree\n");
        let mut ranges = Ranges::new(7);
        let before = ranges.bind(end(&file, 4), 1);
        let key = ranges.hash_key(before);
        ranges.renew(11);
        let after = ranges.bind(end(&file, 8), 1);
        assert_eq!(ranges.resume(&file, 0), [before, after]);
        assert_eq!(ranges.hash_key(before), key);
        assert_ne!(ranges.hash_key(after), key);
    }

    #[test]
    fn a_record_without_epochs_keeps_its_keys_and_numbers() {
        let file = file("one\n");
        let mut ranges = Ranges::new(7);
        let range = ranges.bind(end(&file, 4), 1);
        let mut record = serde_json::to_value(&ranges).expect("JSON");
        record.as_object_mut().expect("ranges").remove("epoch");
        record["open"][0].as_object_mut().expect("a range").remove("epoch");
        let read: Ranges = serde_json::from_value(record).expect("an old record");
        assert_eq!(read, ranges);
        let old_key = md5_hex(format!("{:032x}-0", 7).as_bytes());
        assert_eq!((read.hash_key(range).to_string(), range.numbers().last()), (old_key, 1 << 16));
    }

    #[test]
    fn ranges_of_another_content_are_not_sent_again() {
        let (old, new) = (file("one\ntwo\nthree\n"), file("one\ntwo\nfour!\n"));
        let mut ranges = Ranges::new(7);
        let all: Vec<Range> = [4, 8, 14].map(|position| ranges.bind(end(&old, position), 1)).into();
        assert_eq!(ranges.resume(&new, 0), [all[0], all[1]]);
        assert!(ranges.bind(end(&new, 14), 1).numbers().last() > all[2].numbers().last());
    }

    #[test]
    fn parts_of_a_range_have_numbers_of_their_own_and_the_last_one_that_of_the_whole() {
        let file = file("one\n");
        let mut ranges = Ranges::new(7);
        let (before, range) = (ranges.bind(end(&file, 2), 1), ranges.bind(end(&file, 4), 1));
        let whole = range.numbers();
        let (first, second) = whole.halves().expect("two");
        let (of_first, _) = first.halves().expect("two");
        assert!(before.numbers().last() < of_first.last());
        assert!(of_first.last() < first.last() && first.last() < second.last());
        assert_eq!(second.last(), whole.last());
        assert_eq!(Numbers(3, 4).halves(), None);
    }
}
