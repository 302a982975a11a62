//! Lines → events: every line one event, or lines joined to records by the patterns of a config.
//!
//! Pure: works on offsets into the block that was read; called by `engine::feed`. An event never
//! holds the final newline. Which lines make a record is in `join`.

mod join;

use join::Joiner;

use crate::encoding::Encoding;
use crate::lines::line_ends;
use crate::pipeline::{Multiline, Records, Strays};

/// Offsets of one event in the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    pub start: usize,
    /// End of the text, without the newline.
    pub end: usize,
    /// Where the next event starts.
    pub next: usize,
    /// The text goes on in the next event: it was longer than the limit.
    pub is_cut: bool,
    /// A line, or a part of one, that belongs to no record, for certain.
    pub is_stray: bool,
}

impl Event {
    /// A line or a record, or the last part of one.
    fn new(start: usize, end: usize, next: usize) -> Self {
        Self { start, end, next, is_cut: false, is_stray: false }
    }
}

/// What earlier calls learned of the bytes that are still pending. The default fits the begin of a file;
/// for other places of it there is [`Seen::nothing_before`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Pending bytes that were searched for the end of an event already.
    examined: usize,
    /// The pending bytes belong to a record that has begun.
    in_record: bool,
    /// What follows the examined bytes is the rest of a line whose begin was handed over.
    in_line: bool,
    /// What stands before was not seen, and no record has begun since.
    is_begin_unknown: bool,
}

impl Seen {
    /// Of bytes at `position` of a file that is read from there on: after a restart, by a new rule, or past what
    /// is old. They may be the rest of a record, so their lines are strays only after a begin.
    pub fn nothing_before(position: u64) -> Self {
        Self { is_begin_unknown: position > 0, ..Self::default() }
    }

    /// The same after the end of the line that was handed over last.
    pub fn after_line(self) -> Self {
        Self { is_begin_unknown: self.is_begin_unknown, ..Self::default() }
    }
}

/// The rule by which the events of a pipeline are found.
#[derive(Debug, Clone)]
pub struct Splitter {
    records: Option<Records>,
    /// Lines that are part of no record are to be dropped.
    pub discards_strays: bool,
    encoding: Encoding,
    bytes_max: usize,
}

impl Splitter {
    /// `bytes_max` is the longest event; a longer one is cut (between lines where possible).
    pub fn new(rule: &Multiline, encoding: Encoding, bytes_max: usize) -> Self {
        let (records, discards_strays) = match rule {
            Multiline::SingleLine => (None, false),
            Multiline::Joined { records, strays } => (Some(records.clone()), *strays == Strays::Discard),
        };
        Self { records, discards_strays, encoding, bytes_max }
    }

    /// Hands every complete event of `data` to `emit`; returns how many bytes they take.
    ///
    /// `seen` is what an earlier call told of the bytes that it left pending.
    pub fn split(&self, data: &[u8], seen: &mut Seen, mut emit: impl FnMut(Event)) -> usize {
        match &self.records {
            None => self.split_lines(data, seen, &mut emit),
            Some(records) => {
                let mut joiner = Joiner::new(self, records, data, *seen, emit);
                joiner.complete_lines();
                *seen = joiner.seen();
                joiner.consumed()
            }
        }
    }

    /// Hands everything in `data` over: the complete events, then the rest as if the file ended there.
    pub fn flush(&self, data: &[u8], seen: &mut Seen, mut emit: impl FnMut(Event)) -> usize {
        match &self.records {
            None => {
                let start = self.split_lines(data, seen, &mut emit);
                if start < data.len() {
                    emit(Event::new(start, data.len(), data.len()));
                }
                *seen = Seen::default();
            }
            Some(records) => {
                let mut joiner = Joiner::new(self, records, data, *seen, emit);
                joiner.complete_lines();
                joiner.rest();
                *seen = joiner.seen();
            }
        }
        data.len()
    }

    fn split_lines(&self, data: &[u8], seen: &mut Seen, emit: &mut impl FnMut(Event)) -> usize {
        let mut start = 0;
        for end in line_ends(data, seen.examined) {
            start = self.cut_until(data, start, end, emit);
            emit(Event::new(start, end, end + 1));
            start = end + 1;
        }
        start = self.cut_until(data, start, data.len(), emit);
        seen.examined = data.len() - start;
        start
    }

    /// Hands over pieces until what is left before `end` is short enough.
    fn cut_until(&self, data: &[u8], mut start: usize, end: usize, emit: &mut impl FnMut(Event)) -> usize {
        while end - start > self.bytes_max {
            let next = self.encoding.cut(data, start, self.bytes_max);
            emit(Event { is_cut: true, ..Event::new(start, next, next) });
            start = next;
        }
        start
    }
}

#[cfg(test)]
mod tests;
