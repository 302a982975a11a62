//! How far the logs of every file have been *acknowledged*, in memory and on disk.
//!
//! [`Progress`] follows one generation of a file: batches are sent and confirmed in any order, and
//! only the contiguous part counts. [`Store`] keeps the result in one file: a version line, then one
//! record a line, each with its checksum; records are appended and the file is rewritten (aside,
//! then renamed) when it has grown. After kill -9 at any moment the last whole record of each
//! generation counts. [`Ranges`] is what exactly-once delivery adds to it. Called by `engine` only.

mod entry;
mod ranges;
mod store;

pub use entry::Entry;
pub use ranges::{Numbers, Range, Ranges};
pub use store::{LoadProblem, Store, StoreError};

use std::collections::VecDeque;

use crate::tail::Bookmark;

/// Names one request for the engine and the shipper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParcelId(pub u64);

/// The acknowledged part of one generation.
#[derive(Debug)]
pub struct Progress {
    acked: Bookmark,
    /// What was handed over after `acked`, in file order.
    outstanding: VecDeque<Outstanding>,
}

#[derive(Debug)]
struct Outstanding {
    /// `None`: nothing had to be sent for this part.
    parcel: Option<ParcelId>,
    end: Bookmark,
}

impl Progress {
    /// Everything before `start` needs no acknowledgement.
    pub fn new(start: Bookmark) -> Self {
        Self { acked: start, outstanding: VecDeque::new() }
    }

    /// Everything before this was acknowledged.
    pub fn acked(&self) -> Bookmark {
        self.acked
    }

    /// Everything before this was handed over.
    pub fn handed_over(&self) -> Bookmark {
        self.outstanding.back().map_or(self.acked, |last| last.end)
    }

    /// True if everything handed over was acknowledged.
    pub fn is_settled(&self) -> bool {
        self.outstanding.is_empty()
    }

    /// The part up to `end` was handed over in `parcel`.
    pub fn sent(&mut self, parcel: ParcelId, end: Bookmark) {
        self.outstanding.push_back(Outstanding { parcel: Some(parcel), end });
    }

    /// The part up to `end` holds nothing to be sent. True if `acked` moved.
    pub fn skipped(&mut self, end: Bookmark) -> bool {
        match self.outstanding.back_mut() {
            None => {
                let moved = self.acked != end;
                self.acked = end;
                moved
            }
            Some(last) if last.parcel.is_none() => {
                last.end = end;
                false
            }
            Some(_) => {
                self.outstanding.push_back(Outstanding { parcel: None, end });
                false
            }
        }
    }

    /// `parcel` was acknowledged. True if `acked` moved.
    pub fn confirm(&mut self, parcel: ParcelId) -> bool {
        for part in &mut self.outstanding {
            if part.parcel == Some(parcel) {
                part.parcel = None;
            }
        }
        let mut moved = false;
        while let Some(first) = self.outstanding.front()
            && first.parcel.is_none()
        {
            self.acked = first.end;
            self.outstanding.pop_front();
            moved = true;
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::{Mark, Signature};

    fn at(position: u64) -> Bookmark {
        Bookmark { position, mark: Mark::START, signature: Signature::NONE }
    }

    #[test]
    fn only_the_contiguous_acknowledged_part_counts() {
        let mut progress = Progress::new(at(0));
        progress.sent(ParcelId(1), at(10));
        progress.sent(ParcelId(2), at(20));
        progress.sent(ParcelId(3), at(30));
        assert!(!progress.confirm(ParcelId(2)));
        assert_eq!(progress.acked().position, 0);
        assert!(progress.confirm(ParcelId(1)));
        assert_eq!(progress.acked().position, 20);
        assert!(!progress.is_settled());
        assert!(progress.confirm(ParcelId(3)));
        assert_eq!(progress.acked().position, 30);
        assert!(progress.is_settled());
    }

    #[test]
    fn a_part_without_logs_counts_once_what_is_before_it_is_acknowledged() {
        let mut progress = Progress::new(at(0));
        assert!(progress.skipped(at(5)));
        progress.sent(ParcelId(1), at(10));
        assert!(!progress.skipped(at(15)));
        assert!(!progress.skipped(at(17)));
        assert_eq!(progress.acked().position, 5);
        assert!(progress.confirm(ParcelId(1)));
        assert_eq!(progress.acked().position, 17);
        assert!(!progress.skipped(at(17)));
    }
}
