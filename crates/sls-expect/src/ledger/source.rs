//! The logs of one source: runs of consecutive numbers, and what is known of each log in columns beside them, so
//! that memory is taken by logs and not by the largest number.

use std::collections::BTreeMap;

use super::column::Column;
use super::{Check, Problem};

/// Times are kept as ms since half of this before the first of the source.
const TIME_SPAN_MS: u64 = u32::MAX as u64;
const NO_TIME: u32 = u32::MAX;

/// Consecutive numbers. Its logs have consecutive ranks and stand together in the columns.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: u64,
    len: u32,
    /// Rank of the first: how many smaller numbers the ledger has of the source.
    rank: u32,
    /// Where the first stands in the columns, which are in the order of the ledger.
    slot: u32,
}

impl Run {
    fn end(&self) -> u64 {
        self.first.saturating_add(u64::from(self.len))
    }

    fn has(&self, seq: u64) -> bool {
        self.first <= seq && seq - self.first < u64::from(self.len)
    }
}

/// What a source has written.
#[derive(Debug)]
pub struct Source {
    run: String,
    source: String,
    /// By rising numbers.
    runs: Vec<Run>,
    entries: u32,
    details: Details,
}

/// A log of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// How many smaller numbers the ledger has of the source.
    pub rank: u32,
    slot: u32,
}

impl Source {
    /// Name of the run.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Name of who wrote.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// How many logs.
    #[must_use]
    pub fn entries(&self) -> u32 {
        self.entries
    }

    /// Looks a number up. `hint` is where the last one was found.
    pub(crate) fn place(&self, seq: u64, hint: &mut usize) -> Option<Place> {
        let at = match self.runs.get(*hint) {
            Some(run) if run.has(seq) => *hint,
            _ => self.runs.partition_point(|run| run.first <= seq).checked_sub(1)?,
        };
        *hint = at;
        let run = self.runs.get(at).filter(|run| run.has(seq))?;
        let from_first = (seq - run.first) as u32;
        Some(Place { rank: run.rank + from_first, slot: run.slot + from_first })
    }

    /// The number with this rank.
    pub(crate) fn seq(&self, rank: u32) -> Option<u64> {
        let at = self.runs.partition_point(|run| run.rank <= rank).checked_sub(1)?;
        let run = self.runs.get(at)?;
        Some(run.first + u64::from(rank - run.rank))
    }

    /// Ranks of logs whose numbers follow each other, by rising numbers, with the first number.
    pub(crate) fn stretches(&self) -> impl Iterator<Item = (std::ops::Range<u32>, u64)> {
        self.runs.iter().map(|run| (run.rank..run.rank + run.len, run.first))
    }

    pub(crate) fn line(&self, place: Place) -> Option<Check> {
        self.details.line.as_ref()?.get(place.slot)?.given()
    }

    pub(crate) fn values(&self, place: Place) -> Option<Check> {
        self.details.values.as_ref()?.get(place.slot)?.given()
    }

    /// When it was written, Unix ms.
    pub(crate) fn time(&self, place: Place) -> Option<u64> {
        let offset = self.details.times.as_ref()?.get(place.slot).filter(|offset| *offset != NO_TIME)?;
        Some(self.details.base + u64::from(offset))
    }
}

/// Columns by slot; each is there from the first log on that needs it.
#[derive(Debug, Default)]
struct Details {
    line: Option<Column<Check>>,
    values: Option<Column<Check>>,
    times: Option<Column<u32>>,
    /// Unix ms that the times are counted from.
    base: u64,
}

/// A source whose ledger is being read.
#[derive(Debug)]
pub struct Building {
    run: String,
    source: String,
    /// Runs by their first number, with length and slot; the open one is not among them.
    closed: BTreeMap<u64, (u32, u32)>,
    /// The run that the last log belongs to, and the first number behind it that is taken.
    open: Run,
    open_until: u64,
    slots: u32,
    details: Details,
}

impl Building {
    pub fn new(run: &str, source: &str) -> Self {
        Self {
            run: run.to_owned(),
            source: source.to_owned(),
            closed: BTreeMap::new(),
            open: Run { first: 0, len: 0, rank: 0, slot: 0 },
            open_until: 0,
            slots: 0,
            details: Details::default(),
        }
    }

    pub fn is(&self, run: &str, source: &str) -> bool {
        self.source == source && self.run == run
    }

    pub fn add(
        &mut self,
        seq: u64,
        time: Option<u64>,
        line: Option<Check>,
        values: Option<Check>,
    ) -> Result<(), Problem> {
        let offset = time.map(|time| self.offset(time)).transpose()?;
        self.claim(seq, 1)?;
        let before = self.slots as usize;
        put(&mut self.details.line, line, Check::NONE, before);
        put(&mut self.details.values, values, Check::NONE, before);
        put(&mut self.details.times, offset, NO_TIME, before);
        self.slots += 1;
        Ok(())
    }

    /// `first` to `last`, both included, at most [`u32::MAX`] with all that is there (the parser sees to it).
    pub fn add_range(&mut self, first: u64, last: u64) -> Result<(), Problem> {
        let len = (last - first + 1) as u32;
        self.claim(first, len)?;
        for column in [&mut self.details.line, &mut self.details.values].into_iter().flatten() {
            column.fill(Check::NONE, len as usize);
        }
        if let Some(times) = &mut self.details.times {
            times.fill(NO_TIME, len as usize);
        }
        self.slots += len;
        Ok(())
    }

    pub fn finish(mut self) -> Source {
        self.close();
        let mut rank = 0;
        let runs = self.closed.into_iter().map(|(first, (len, slot))| {
            let run = Run { first, len, rank, slot };
            rank += len;
            run
        });
        let runs = runs.collect();
        Source { run: self.run, source: self.source, runs, entries: self.slots, details: self.details }
    }

    /// Notes numbers, of which none may be there yet.
    fn claim(&mut self, first: u64, len: u32) -> Result<(), Problem> {
        let last = first + (u64::from(len) - 1);
        if self.open.len > 0 && first == self.open.end() && last < self.open_until {
            self.open.len += len;
            return Ok(());
        }
        self.close();
        let before =
            self.closed.range(..=first).next_back().map(|(first, (len, _))| first + u64::from(*len - 1));
        let after = self.closed.range(first..).next().map_or(u64::MAX, |(first, _)| *first);
        let taken = match before {
            Some(end) if end >= first => Some(first),
            _ => self.closed.range(first..=last).next().map(|(first, _)| *first),
        };
        if let Some(seq) = taken {
            return Err(Problem::Twice { run: self.run.clone(), source_name: self.source.clone(), seq });
        }
        self.open = Run { first, len, rank: 0, slot: self.slots };
        self.open_until = after;
        Ok(())
    }

    fn close(&mut self) {
        if self.open.len > 0 {
            self.closed.insert(self.open.first, (self.open.len, self.open.slot));
            self.open.len = 0;
        }
    }

    fn offset(&mut self, time: u64) -> Result<u32, Problem> {
        if self.details.times.is_none() {
            self.details.base = time.saturating_sub(TIME_SPAN_MS / 2);
        }
        let offset = time.checked_sub(self.details.base).and_then(|offset| u32::try_from(offset).ok());
        offset.filter(|offset| *offset != NO_TIME).ok_or(Problem::TimeFarOff)
    }
}

/// Adds to a column, which is made when it is first needed. `before` logs are there already.
fn put<T: Copy>(column: &mut Option<Column<T>>, value: Option<T>, none: T, before: usize) {
    match (column.as_mut(), value) {
        (Some(column), value) => column.push(value.unwrap_or(none)),
        (None, Some(value)) => {
            let mut made = Column::filled(none, before);
            made.push(value);
            *column = Some(made);
        }
        (None, None) => {}
    }
}
