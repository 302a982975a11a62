//! What became of every byte of every log file: the books that the account at the end is made of.
//!
//! Each generation of a file keeps [`Books`] from where reading began; [`Accounts`] adds them up by file.
//! Bytes are booked by the block, by the request and by the event that is *not* sent, so that a log which
//! goes its normal way costs nothing. At every moment
//!
//! ```text
//! discovered = acknowledged + refused + dropped + filtered + skipped + unacknowledged + unread
//! ```
//!
//! Called by `engine` only.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::tracked::PipelineId;

/// Files that have a line of their own in the account; those beyond are added up in one. Source: own choice.
const FILES_MAX: usize = 1_000;

/// Bytes of log files by what became of them. Line ends count with their lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// All that was found: the sum of the others.
    pub discovered: u64,
    /// Of logs that the server has.
    pub acknowledged: u64,
    /// Of logs that the server refused for good.
    pub refused: u64,
    /// Of events that the parser did not match, of lines that belong to no record, and NUL bytes, where the
    /// config has them dropped; of old logs, where `discard_old_data` asks for it.
    pub dropped: u64,
    /// Of events that a filter of the config held back.
    pub filtered: u64,
    pub skipped: Skipped,
    /// Of logs that were read, and not acknowledged in time.
    pub unacknowledged: u64,
    /// Not read in time.
    pub unread: u64,
}

/// Bytes that were not to be read, by the reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The beginning of an old file (`tail_size_kb`, `tailExisted`).
    pub old: u64,
    /// Delivered before, says the checkpoint: by an earlier run, or before the config was taken away.
    pub delivered_before: u64,
    /// Their config was taken away.
    pub config_removed: u64,
}

/// Log lines (or records) by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Lines {
    pub sent: u64,
    /// By the server, for good.
    pub refused: u64,
    pub dropped: u64,
    pub filtered: u64,
    pub unacknowledged: u64,
}

impl Bytes {
    /// The sum of all fates; equal to `discovered`, or the books are wrong.
    pub fn sum(&self) -> u64 {
        let Skipped { old, delivered_before, config_removed } = self.skipped;
        self.acknowledged
            + self.refused
            + self.dropped
            + self.filtered
            + (old + delivered_before + config_removed)
            + self.unacknowledged
            + self.unread
    }

    /// All of them by name, that of the sum first.
    pub fn by_fate(&self) -> [(&'static str, u64); 10] {
        [
            ("discovered", self.discovered),
            ("acknowledged", self.acknowledged),
            ("refused", self.refused),
            ("dropped", self.dropped),
            ("filtered", self.filtered),
            ("skipped_old", self.skipped.old),
            ("skipped_delivered_before", self.skipped.delivered_before),
            ("skipped_config_removed", self.skipped.config_removed),
            ("unacknowledged", self.unacknowledged),
            ("unread", self.unread),
        ]
    }

    fn add(&mut self, other: &Self) {
        self.discovered += other.discovered;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.dropped += other.dropped;
        self.filtered += other.filtered;
        self.skipped.old += other.skipped.old;
        self.skipped.delivered_before += other.skipped.delivered_before;
        self.skipped.config_removed += other.skipped.config_removed;
        self.unacknowledged += other.unacknowledged;
        self.unread += other.unread;
    }
}

impl Lines {
    /// All of them by name.
    pub fn by_fate(&self) -> [(&'static str, u64); 5] {
        [
            ("sent", self.sent),
            ("refused", self.refused),
            ("dropped", self.dropped),
            ("filtered", self.filtered),
            ("unacknowledged", self.unacknowledged),
        ]
    }

    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.refused += other.refused;
        self.dropped += other.dropped;
        self.filtered += other.filtered;
        self.unacknowledged += other.unacknowledged;
    }
}

/// Why an event is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// By the parser, or because nothing is in it.
    Dropped,
    Filtered,
}

/// Why reading of a generation begins where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// What is before is old.
    AfterOld,
    /// What is before was delivered.
    AfterDelivered,
}

/// The books of one generation.
#[derive(Debug, Clone, Default)]
pub struct Books {
    skipped: Skipped,
    lines: Lines,
    acknowledged: u64,
    refused: u64,
    dropped: u64,
    filtered: u64,
    /// Bytes of logs in requests under way.
    under_way: u64,
    lines_under_way: u64,
    /// Everything before this position is booked above.
    booked_to: u64,
    /// Bytes after it that are held back.
    dropped_since: u64,
    filtered_since: u64,
}

impl Books {
    /// Of a generation that is read from `position` on.
    pub fn new(position: u64, start: Start) -> Self {
        let skipped = match start {
            Start::AfterOld => Skipped { old: position, ..Skipped::default() },
            Start::AfterDelivered => Skipped { delivered_before: position, ..Skipped::default() },
        };
        Self { skipped, booked_to: position, ..Self::default() }
    }

    /// Events of `bytes` bytes are not sent; pieces of a longer line are none of `lines`.
    pub fn hold(&mut self, held: Held, bytes: u64, lines: u64) {
        let (since, all_lines) = match held {
            Held::Dropped => (&mut self.dropped_since, &mut self.lines.dropped),
            Held::Filtered => (&mut self.filtered_since, &mut self.lines.filtered),
        };
        *since += bytes;
        *all_lines += lines;
    }

    /// What was read up to `end` goes out in a request with `logs` logs; returns how many bytes it takes.
    pub fn sent(&mut self, end: u64, logs: u32) -> u64 {
        let bytes = self.book(end);
        self.under_way += bytes;
        self.lines_under_way += u64::from(logs);
        bytes
    }

    /// What was read up to `end` holds nothing to be sent.
    pub fn passed(&mut self, end: u64) {
        // What remains is the end of a line that was sent before it had one.
        self.acknowledged += self.book(end);
    }

    /// Books what was held back up to `end`; the rest is returned.
    fn book(&mut self, end: u64) -> u64 {
        let (dropped, filtered) =
            (std::mem::take(&mut self.dropped_since), std::mem::take(&mut self.filtered_since));
        self.dropped += dropped;
        self.filtered += filtered;
        let from = std::mem::replace(&mut self.booked_to, end);
        (end - from) - dropped - filtered
    }

    /// A request under way came to its end: of `bytes` bytes in `logs` logs, `lost` logs were refused.
    pub fn settled(&mut self, bytes: u64, logs: u32, lost: u32) {
        let refused = match logs {
            0 => 0,
            // Which of them were refused is not known: their share.
            _ => (u128::from(bytes) * u128::from(lost) / u128::from(logs)) as u64,
        };
        self.under_way -= bytes;
        self.lines_under_way -= u64::from(logs);
        self.refused += refused;
        self.acknowledged += bytes - refused;
        self.lines.refused += u64::from(lost);
        self.lines.sent += u64::from(logs - lost);
    }

    /// The books as they stand, for a file that was read up to `position`, has `size` bytes and `open` logs
    /// that are in no request yet. `is_released`: it is not to be read any further.
    pub fn state(&self, position: u64, size: u64, open: u32, is_released: bool) -> (Bytes, Lines) {
        let size = size.max(position);
        let rest = size - position;
        let open_bytes = position - self.booked_to - self.dropped_since - self.filtered_since;
        let mut bytes = Bytes {
            discovered: size,
            acknowledged: self.acknowledged,
            refused: self.refused,
            dropped: self.dropped + self.dropped_since,
            filtered: self.filtered + self.filtered_since,
            skipped: self.skipped,
            unacknowledged: self.under_way + open_bytes,
            unread: 0,
        };
        match is_released {
            true => bytes.skipped.config_removed += rest,
            false => bytes.unread = rest,
        }
        let unacknowledged = self.lines_under_way + u64::from(open);
        (bytes, Lines { unacknowledged, ..self.lines })
    }
}

/// What became of one file (all that was under its name), as one config reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FileAccount {
    /// As in `__path__`.
    pub path: PathBuf,
    pub bytes: Bytes,
    pub lines: Lines,
}

/// The account of all files, those included that are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// How many files there were; one that two configs read counts twice.
    pub files: u64,
    pub bytes: Bytes,
    pub lines: Lines,
    /// Each of them, up to a limit.
    #[serde(skip)]
    pub by_file: Vec<FileAccount>,
}

/// Adds up books by file.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    by_file: BTreeMap<(PipelineId, PathBuf), (Bytes, Lines)>,
    /// The files beyond the limit.
    others: (Bytes, Lines),
    others_count: u64,
}

impl Accounts {
    /// The books of a generation are closed, or looked at.
    pub fn add(&mut self, pipeline: PipelineId, path: PathBuf, (bytes, lines): &(Bytes, Lines)) {
        let is_full = self.by_file.len() >= FILES_MAX;
        let key = (pipeline, path);
        let row = if is_full && !self.by_file.contains_key(&key) {
            self.others_count += 1;
            &mut self.others
        } else {
            self.by_file.entry(key).or_default()
        };
        row.0.add(bytes);
        row.1.add(lines);
    }

    pub fn account(self) -> Account {
        let (mut bytes, mut lines) = self.others;
        let files = self.by_file.len() as u64 + self.others_count;
        let mut by_file = Vec::with_capacity(self.by_file.len());
        for ((_, path), (of_file, its_lines)) in self.by_file {
            bytes.add(&of_file);
            lines.add(&its_lines);
            by_file.push(FileAccount { path, bytes: of_file, lines: its_lines });
        }
        Account { bytes, lines, files, by_file }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_one_fate_at_any_moment() {
        let mut books = Books::new(10, Start::AfterOld);
        books.hold(Held::Dropped, 5, 1);
        books.hold(Held::Filtered, 7, 1);
        let check = |books: &Books, position, open| {
            let (bytes, lines) = books.state(position, 100, open, false);
            assert_eq!(bytes.sum(), 100, "{bytes:?}");
            (bytes, lines)
        };
        assert_eq!(check(&books, 30, 2).0.unacknowledged, 8, "read, and in no request yet");
        assert_eq!(books.sent(30, 2), 8);
        books.hold(Held::Dropped, 10, 1);
        books.passed(40);
        check(&books, 40, 0);
        books.settled(8, 2, 1);
        let (bytes, lines) = check(&books, 40, 0);
        assert_eq!((bytes.acknowledged, bytes.refused, bytes.dropped, bytes.unread), (4, 4, 15, 60));
        assert_eq!((lines.sent, lines.refused, lines.dropped, lines.filtered), (1, 1, 2, 1));
        let (bytes, _) = books.state(40, 100, 0, true);
        assert_eq!((bytes.unread, bytes.skipped.config_removed, bytes.sum()), (0, 60, 100));
    }

    #[test]
    fn files_beyond_the_limit_are_counted_and_added_up() {
        let mut accounts = Accounts::default();
        let one = (Bytes { discovered: 2, acknowledged: 2, ..Bytes::default() }, Lines::default());
        for n in 0..FILES_MAX + 2 {
            accounts.add(PipelineId(0), PathBuf::from(format!("/{n}")), &one);
        }
        accounts.add(PipelineId(0), PathBuf::from("/0"), &one);
        let account = accounts.account();
        assert_eq!((account.files, account.by_file.len()), (FILES_MAX as u64 + 2, FILES_MAX));
        assert_eq!(account.bytes.discovered, 2 * (FILES_MAX as u64 + 3));
    }
}
