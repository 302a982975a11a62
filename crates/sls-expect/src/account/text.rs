//! An [`Accounting`] as text that somebody understands who has never seen one.

use std::fmt::{Result, Write};

use super::{Accounting, Altered, DuplicateKind, LogId, Numbers};

impl Accounting {
    /// What was counted and, by name, everything that is not as it should be.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a text does not fail.
        let _ = Report { out: &mut out, of: self, several_runs: self.several_runs() }.write();
        out
    }

    /// Then sources are named with their runs.
    fn several_runs(&self) -> bool {
        let sources = self.per_source.listed.iter().map(|source| &source.run);
        let foreign = self.unexpected.listed.iter().map(|numbers| &numbers.run);
        let mut runs = sources.chain(foreign);
        let first = runs.next();
        runs.any(|run| Some(run) != first)
    }
}

struct Report<'a> {
    out: &'a mut String,
    of: &'a Accounting,
    several_runs: bool,
}

impl Report<'_> {
    fn write(mut self) -> Result {
        let of = self.of;
        writeln!(self.out, "sent {}, received {}, {} of those sent", of.sent, of.received, of.unique)?;
        self.numbers("missing", "did not come", of.missing.count, of.missing.listed.iter())?;
        self.duplicates()?;
        let unexpected = "are not in the ledger";
        self.numbers("unexpected", unexpected, of.unexpected.count, of.unexpected.listed.iter())?;
        self.head("unidentified", of.unidentified.count, "do not say which they are")?;
        for log in &of.unidentified.listed {
            writeln!(self.out, "    {log}")?;
        }
        self.more(of.unidentified.count, of.unidentified.listed.len() as u64)?;
        self.reordered()?;
        self.altered(
            "corrupted",
            "have other contents than were written",
            of.corrupted.count,
            &of.corrupted.listed,
        )?;
        self.altered(
            "truncated",
            "are shorter than they were written",
            of.truncated.count,
            &of.truncated.listed,
        )?;
        self.head("late", of.late.count, "came too late")?;
        for late in &of.late.listed {
            writeln!(self.out, "    {} after {}", self.log(&late.id), seconds(late.ms))?;
        }
        self.more(of.late.count, of.late.listed.len() as u64)?;
        if let Some(latency) = of.latency {
            let [p50, p99, max] = [latency.p50_ms, latency.p99_ms, latency.max_ms].map(seconds);
            writeln!(self.out, "  latency: half within {p50}, 99 of 100 within {p99}, all within {max}")?;
        }
        if of.unchecked > 0 {
            writeln!(self.out, "  not compared: {}, the ledger has no contents for them", of.unchecked)?;
        }
        if let Some(line) = of.ledger_cut_line {
            writeln!(self.out, "  line {line} of the ledger ends in the middle and was not counted")?;
        }
        let wrong: Vec<_> = of.per_source.listed.iter().filter(|source| !source.is_clean()).collect();
        if of.per_source.count > 1 && !wrong.is_empty() {
            writeln!(self.out, "  by source (of {} in all):", of.per_source.count)?;
        }
        for source in wrong.iter().filter(|_| of.per_source.count > 1) {
            let name = self.name(&source.run, &source.source);
            write!(self.out, "    {name}: sent {}, received {}", source.sent, source.received)?;
            for (count, what) in [
                (source.missing, "missing"),
                (source.duplicates, "duplicates"),
                (source.reordered, "reordered"),
                (source.corrupted, "corrupted"),
                (source.truncated, "truncated"),
                (source.late, "late"),
            ] {
                if count > 0 {
                    write!(self.out, ", {count} {what}")?;
                }
            }
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn head(&mut self, what: &str, count: u64, why: &str) -> Result {
        match count {
            0 => Ok(()),
            _ => writeln!(self.out, "  {what}: {count} ({why})"),
        }
    }

    /// Said where not all are named.
    fn more(&mut self, count: u64, named: u64) -> Result {
        match count.saturating_sub(named) {
            0 => Ok(()),
            more => writeln!(self.out, "    and {more} more"),
        }
    }

    /// A line for each source.
    fn numbers<'n>(
        &mut self,
        what: &str,
        why: &str,
        count: u64,
        listed: impl Iterator<Item = &'n Numbers>,
    ) -> Result {
        self.head(what, count, why)?;
        let mut named = 0;
        let mut before: Option<&Numbers> = None;
        for numbers in listed {
            named += numbers.last - numbers.first + 1;
            if before.is_some_and(|before| (&before.run, &before.source) == (&numbers.run, &numbers.source)) {
                write!(self.out, ", {}", range(numbers))?;
            } else {
                if before.is_some() {
                    writeln!(self.out)?;
                }
                write!(self.out, "    {}: {}", self.name(&numbers.run, &numbers.source), range(numbers))?;
            }
            before = Some(numbers);
        }
        if before.is_some() {
            writeln!(self.out)?;
        }
        self.more(count, named)
    }

    fn duplicates(&mut self) -> Result {
        let of = &self.of.duplicates;
        if of.count == 0 {
            return Ok(());
        }
        writeln!(
            self.out,
            "  duplicates: {} copies of {} logs ({} in packs that were sent again, {} in other packs)",
            of.count, of.logs, of.retries, of.read_twice
        )?;
        for duplicate in &of.listed {
            let why = match duplicate.kind {
                DuplicateKind::Retry => "its pack was sent again",
                DuplicateKind::ReadTwice => "read twice, or written twice",
            };
            writeln!(self.out, "    {} came {} times: {why}", self.log(&duplicate.id), duplicate.times)?;
        }
        self.more(of.logs, of.listed.len() as u64)
    }

    fn reordered(&mut self) -> Result {
        let of = &self.of.reordered;
        let why = match self.of.reordered_roughly {
            true => "came after a log of their source with a higher number; too many to name the fewest",
            false => "came out of the order of their source",
        };
        self.head("reordered", of.count, why)?;
        let mut named = 0;
        for moved in &of.listed {
            let numbers = &moved.numbers;
            named += numbers.last - numbers.first + 1;
            let name = self.name(&numbers.run, &numbers.source);
            match moved.came_after {
                Some(after) => writeln!(self.out, "    {name}: {} came after {after}", range(numbers))?,
                None => writeln!(self.out, "    {name}: {} came first", range(numbers))?,
            }
        }
        self.more(of.count, named)
    }

    fn altered(&mut self, what: &str, why: &str, count: u64, listed: &[Altered]) -> Result {
        self.head(what, count, why)?;
        for log in listed {
            let (written, got) = (log.written, log.got);
            writeln!(
                self.out,
                "    {} has {} bytes (CRC-32 {:08x}) of {} that were written ({:08x})",
                self.log(&log.id),
                got.bytes,
                got.crc32,
                written.bytes,
                written.crc32
            )?;
        }
        self.more(count, listed.len() as u64)
    }

    fn log(&self, id: &LogId) -> String {
        format!("{}: {}", self.name(&id.run, &id.source), id.seq)
    }

    fn name(&self, run: &str, source: &str) -> String {
        if self.several_runs { format!("{run}/{source}") } else { source.to_owned() }
    }
}

fn range(numbers: &Numbers) -> String {
    match numbers.first == numbers.last {
        true => numbers.first.to_string(),
        false => format!("{}..={}", numbers.first, numbers.last),
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1_000, ms % 1_000)
}
