//! The ledger: what was written, as whoever wrote it says. [`crate::account`] holds against it what was
//! received.
//!
//! JSON, a line each, in any order, in two forms:
//!
//! ```json
//! {"run":"r","source":"pod-1","seq":1,"time":1763905845678,"line":{"bytes":271,"crc32":3632233996},"values":{"bytes":258,"crc32":907060870}}
//! {"run":"r","source":"pod-1","first":2,"last":1000}
//! ```
//!
//! `time` (Unix ms), `line` and `values` may be left out. `line` is the line as it was written, without its line
//! break; `values` are the values of a log that a collector made of it, in the order of its fields, joined with
//! one space. `crc32` is the CRC-32 of IEEE 802.3, which every language has in its standard library (`zlib.crc32`,
//! `hash/crc32`, `java.util.zip.CRC32`).

mod column;
mod line;
mod parser;
mod source;
#[cfg(test)]
mod tests;

pub use line::{Check, Entry, is_cut};
pub use parser::LedgerParser;
pub use source::Source;

use std::collections::HashMap;

/// Entries of a ledger. Own choice: with both checks and times they take about half a GiB.
pub const ENTRIES_MAX: u64 = 20_000_000;
/// Sources of a ledger (own choice: a pod each, and more pods than a cluster has).
pub const SOURCES_MAX: usize = 200_000;
/// Bytes of a line of a ledger (own choice: the names and a dozen numbers).
pub const LINE_BYTES_MAX: usize = 4_096;
/// Bytes of the name of a run or source (own choice: above what Kubernetes allows for a pod's name, 253).
pub const NAME_BYTES_MAX: usize = 512;

/// What was written. Made by [`LedgerParser`].
#[derive(Debug, Default)]
pub struct Ledger {
    sources: Vec<Source>,
    index: HashMap<Box<[u8]>, u32>,
    entries: u64,
    cut_line: Option<u64>,
}

impl Ledger {
    /// The sources in the order in which the ledger names them first.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// How many logs it says were written.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Number of a last line that ends in the middle, as a writer leaves it that was killed. It counts as not
    /// written: [`LedgerParser`] says why.
    #[must_use]
    pub fn cut_line(&self) -> Option<u64> {
        self.cut_line
    }

    /// The run, if all sources are of one.
    #[must_use]
    pub fn only_run(&self) -> Option<&str> {
        let run = self.sources.first()?.run();
        self.sources.iter().all(|source| source.run() == run).then_some(run)
    }

    /// Position of a source. `key` is scratch memory.
    pub(crate) fn find(&self, run: &[u8], source: &[u8], key: &mut Vec<u8>) -> Option<usize> {
        set_key(key, run, source);
        self.index.get(key.as_slice()).map(|at| *at as usize)
    }
}

/// Names hold no control characters, so that this is unambiguous.
fn set_key(key: &mut Vec<u8>, run: &[u8], source: &[u8]) {
    key.clear();
    key.extend_from_slice(run);
    key.push(0);
    key.extend_from_slice(source);
}

/// A ledger that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ledger, line {line}: {problem}")]
pub struct LedgerError {
    /// Number of the line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a line of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not JSON, not the names of a ledger, or not their types.
    #[error(
        "{0}; a line is {{\"run\":…,\"source\":…,\"seq\":…}} or {{\"run\":…,\"source\":…,\"first\":…,\"last\":…}}"
    )]
    Json(String),
    /// Neither of the two forms.
    #[error("a line has either `seq`, or `first` and `last`, the smaller one first")]
    Form,
    /// A range says something of a single log.
    #[error("`time`, `line` and `values` are of a single log: give each log a line with `seq`")]
    RangeWithDetails,
    /// A name that cannot be one.
    #[error("`{0}` is 1 to {NAME_BYTES_MAX} bytes without control characters")]
    Name(&'static str),
    /// A length that no log has.
    #[error("`bytes` is at most {max}", max = Check::BYTES_MAX)]
    Length,
    /// A line that is too long.
    #[error("longer than {LINE_BYTES_MAX} bytes: is this a ledger?")]
    LineTooLong,
    /// The same log twice.
    #[error(
        "{run}/{source_name} {seq} is already in the ledger: a number is written once, a further file needs a source or run of its own"
    )]
    Twice {
        /// The run.
        run: String,
        /// The source.
        source_name: String,
        /// The number.
        seq: u64,
    },
    /// A time that is too far off to be kept.
    #[error("`time` is more than 24 days away from the first one of its source: times are Unix ms")]
    TimeFarOff,
    /// Nothing was written, of which everything holds.
    #[error(
        "the ledger has no entries: name the file that its writer filled, and ask when something was written"
    )]
    NoEntries,
    /// Too much.
    #[error("more than {0} logs are more than fit into memory: split the ledger by run or source")]
    TooManyEntries(u64),
    /// Too much.
    #[error("more than {SOURCES_MAX} sources: split the ledger by run or source")]
    TooManySources,
}
