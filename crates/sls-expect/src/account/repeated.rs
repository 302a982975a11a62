//! Logs that came more than once, and why.

use std::collections::HashMap;

use super::accounting::{Duplicate, DuplicateKind, LogId};
use super::stock::PackMark;
use crate::ledger::Ledger;

/// Logs that came more than once: the first so many with all that is known of them.
#[derive(Debug, Default)]
pub struct Repeated {
    records: Vec<Record>,
    index: HashMap<(u32, u32), usize>,
}

/// A log that came more than once.
#[derive(Debug)]
struct Record {
    source: u32,
    seq: u64,
    times: u64,
    kind: DuplicateKind,
    /// Marks of the packs of its copies beyond the first, a few of them.
    marks: Vec<PackMark>,
    last_group: u64,
}

/// Packs of one log that are remembered (own choice: a pack is sent again some times, not read again some times).
const MARKS_MAX: usize = 16;

/// A copy beyond the first.
pub struct Copy {
    pub group: u64,
    pub mark: PackMark,
    pub first_mark: PackMark,
    pub first_in_this_group: bool,
    pub listed_max: usize,
}

impl Repeated {
    /// `log` is source and rank. What the copy is by itself.
    pub fn add(&mut self, log: (u32, u32), seq: u64, copy: Copy) -> DuplicateKind {
        let room = self.records.len() < copy.listed_max;
        let next = self.records.len();
        let record = self.index.get(&log).and_then(|at| self.records.get_mut(*at));
        let in_this_group =
            copy.first_in_this_group || record.as_ref().is_some_and(|record| record.last_group == copy.group);
        let known_pack = copy.mark != 0
            && (copy.mark == copy.first_mark
                || record.as_ref().is_some_and(|record| record.marks.contains(&copy.mark)));
        let kind = match known_pack && !in_this_group {
            true => DuplicateKind::Retry,
            false => DuplicateKind::ReadTwice,
        };
        match record {
            Some(record) => {
                record.times += 1;
                record.last_group = copy.group;
                if kind == DuplicateKind::ReadTwice {
                    record.kind = kind;
                }
                if record.marks.len() < MARKS_MAX && !record.marks.contains(&copy.mark) {
                    record.marks.push(copy.mark);
                }
            }
            None if room => {
                self.index.insert(log, next);
                let marks = vec![copy.mark];
                let record = Record { source: log.0, seq, times: 2, kind, marks, last_group: copy.group };
                self.records.push(record);
            }
            None => {}
        }
        kind
    }

    pub fn listed(self, ledger: &Ledger) -> Vec<Duplicate> {
        let listed = self.records.into_iter().filter_map(|record| {
            let source = ledger.sources().get(record.source as usize)?;
            let id =
                LogId { run: source.run().to_owned(), source: source.source().to_owned(), seq: record.seq };
            Some(Duplicate { id, times: record.times, kind: record.kind })
        });
        listed.collect()
    }
}
