//! Bytes of a ledger, as they come, into a [`Ledger`].

use super::line::{self, Said};
use super::source::Building;
use super::{ENTRIES_MAX, LINE_BYTES_MAX, Ledger, LedgerError, Problem, SOURCES_MAX, set_key};

/// Parses a ledger piece by piece; a piece may end anywhere.
///
/// A last line without a line break that ends in the middle of its JSON is not an error: a writer that was killed
/// leaves one. It counts as not written, and [`Ledger::cut_line`] tells of it.
///
/// # Errors
/// [`LedgerError`] with the number of the line. After an error the parser is of no use.
#[derive(Debug)]
pub struct LedgerParser {
    ledger: Ledger,
    building: Vec<Building>,
    entries_max: u64,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
    /// Lines so far.
    lines: u64,
    /// Where the last line belonged: mostly the next one does too.
    last: usize,
    key: Vec<u8>,
}

impl Default for LedgerParser {
    fn default() -> Self {
        Self::new(ENTRIES_MAX)
    }
}

impl LedgerParser {
    /// At most so many logs, and never more than [`u32::MAX`].
    #[must_use]
    pub fn new(entries_max: u64) -> Self {
        Self {
            ledger: Ledger::default(),
            building: Vec::new(),
            entries_max: entries_max.min(u64::from(u32::MAX)),
            rest: Vec::new(),
            lines: 0,
            last: 0,
            key: Vec::new(),
        }
    }

    /// A ledger that is there as a whole.
    pub fn parse(bytes: &[u8]) -> Result<Ledger, LedgerError> {
        let mut parser = Self::default();
        parser.push(bytes)?;
        parser.finish()
    }

    /// The next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), LedgerError> {
        if !self.rest.is_empty() {
            let Some(end) = memchr::memchr(b'\n', bytes) else { return self.keep(bytes) };
            let (tail, following) = bytes.split_at(end);
            self.keep(tail)?;
            let line = std::mem::take(&mut self.rest);
            self.line(&line)?;
            self.rest = line;
            self.rest.clear();
            bytes = following.get(1..).unwrap_or_default();
        }
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            self.line(bytes.get(from..end).unwrap_or_default())?;
            from = end + 1;
        }
        self.keep(bytes.get(from..).unwrap_or_default())
    }

    /// Nothing more comes. A ledger without entries is refused: of nothing everything was received.
    pub fn finish(mut self) -> Result<Ledger, LedgerError> {
        let line = std::mem::take(&mut self.rest);
        if line::is_cut(&line) && !line.trim_ascii().is_empty() {
            self.ledger.cut_line = Some(self.lines + 1);
        } else {
            self.line(&line)?;
        }
        if self.ledger.entries == 0 {
            return Err(LedgerError { line: self.lines.max(1), problem: Problem::NoEntries });
        }
        self.ledger.sources = self.building.into_iter().map(Building::finish).collect();
        Ok(self.ledger)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        self.rest.extend_from_slice(bytes);
        if self.rest.len() > LINE_BYTES_MAX {
            return Err(LedgerError { line: self.lines + 1, problem: Problem::LineTooLong });
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), LedgerError> {
        self.lines += 1;
        self.take(line).map_err(|problem| LedgerError { line: self.lines, problem })
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Problem> {
        if line.len() > LINE_BYTES_MAX {
            return Err(Problem::LineTooLong);
        }
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let (run, source, said) = line::parse(line)?;
        let more = match said {
            Said::One { .. } => 1,
            Said::Range { first, last } => (last - first).saturating_add(1),
        };
        if more > self.entries_max - self.ledger.entries {
            return Err(Problem::TooManyEntries(self.entries_max));
        }
        let source = self.source(&run, &source)?;
        match said {
            Said::One { seq, time, line, values } => source.add(seq, time, line, values)?,
            Said::Range { first, last } => source.add_range(first, last)?,
        }
        self.ledger.entries += more;
        Ok(())
    }

    fn source(&mut self, run: &str, source: &str) -> Result<&mut Building, Problem> {
        let at = match self.building.get(self.last).filter(|last| last.is(run, source)) {
            Some(_) => self.last,
            None => {
                set_key(&mut self.key, run.as_bytes(), source.as_bytes());
                match self.ledger.index.get(self.key.as_slice()) {
                    Some(at) => *at as usize,
                    None if self.building.len() >= SOURCES_MAX => return Err(Problem::TooManySources),
                    None => {
                        let at = self.building.len();
                        self.ledger.index.insert(self.key.as_slice().into(), at as u32);
                        self.building.push(Building::new(run, source));
                        at
                    }
                }
            }
        };
        self.last = at;
        self.building.get_mut(at).ok_or(Problem::TooManySources)
    }
}
