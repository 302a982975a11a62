//! How many events of samples a config matches, and what is to be said of it. Pure.

mod mismatch;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::tz::TimeZone;
use regex::bytes::Regex;

pub use self::mismatch::{Place, place};
use crate::events::{Event, Seen, Splitter};
use crate::key::Stamp;
use crate::lines::line_ends;
use crate::parse::Parser;
use crate::parse::time::Clock;
use crate::pipeline::{Multiline, Parse, Pipeline, Records, Step, TimeRule, Unmatched};
use crate::shape::{Shaper, Times};

/// Events that a config is tried on. Source: collector.md §7.4, item 10.
pub const EVENTS_MAX: usize = 100;

/// A part of a file: whole lines, each with its newline.
#[derive(Debug, PartialEq, Eq)]
pub struct Sample {
    /// The lines.
    pub data: Vec<u8>,
    /// Where it begins in the file.
    pub position: u64,
}

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Events that were tried.
    events: usize,
    /// `lines`, or `records` of several.
    unit: &'static str,
    files: Vec<PathBuf>,
    /// Events that the parser matches, if there can be others.
    matched: Option<Matched>,
    /// Lines, and those that begin or end a record.
    borders: Option<Borders>,
    /// Of the matched events: those whose time fits its format.
    times: Option<(usize, usize)>,
    /// Of the matched events: those that the filters let through.
    passed: Option<(usize, usize)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Matched {
    count: usize,
    by: &'static str,
    dropped: bool,
    /// Of the last one that does not match: line, column and place in the regex.
    mismatch: Option<(usize, usize, Place)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Borders {
    what: &'static str,
    count: usize,
    lines: usize,
}

impl Report {
    /// Whether nothing is wrong with the config. That a filter holds everything back may be meant.
    pub fn is_fine(&self) -> bool {
        let all_match = self.matched.as_ref().is_none_or(|matched| matched.count == self.events);
        let has_borders = self.borders.as_ref().is_none_or(|borders| borders.count > 0);
        all_match && has_borders && self.times.is_none_or(|(count, of)| count == of)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, unit, files, matched, borders, times, passed } = self;
        let mut parts = Vec::new();
        if let Some(Matched { count, by, dropped, mismatch }) = matched {
            let mut part = format!("{count} of {events} {unit} match {by}");
            if let Some(mismatch) = mismatch {
                part.push_str(&first_difference(mismatch));
            }
            if *dropped && count < events {
                part.push_str("; those that do not are dropped (discardUnmatch)");
            }
            parts.push(part);
        }
        if let Some(Borders { what, count, lines }) = borders {
            parts.push(match count {
                0 => format!("{what} regex matched no line of {lines}"),
                _ => format!("{what} regex matches {count} of {lines} lines"),
            });
        }
        if let Some((count, of)) = times.filter(|(_, of)| *of > 0) {
            parts.push(format!("time format fits {count} of {of}"));
        }
        if let Some((count, of)) = passed.filter(|(_, of)| *of > 0) {
            parts.push(format!("filters let {count} of {of} through"));
        }
        if parts.is_empty() {
            return Ok(());
        }
        write!(f, "{} (last {unit} of ", parts.join("; "))?;
        match files.as_slice() {
            [file] => write!(f, "{})", file.display()),
            files => write!(f, "{} files)", files.len()),
        }
    }
}

fn first_difference((line, column, place): &(usize, usize, Place)) -> String {
    let line = if *line > 1 { format!(" of line {line}") } else { String::new() };
    match place.pattern_column {
        Some(of_regex) => format!(
            ": first difference at column {column}{line}, where the regex has `{}` (its column {of_regex})",
            place.pattern_rest
        ),
        None => format!(": the text goes on at column {column}{line}, after the end of the regex"),
    }
}

/// Tries samples one after the other.
pub struct Judge<'p> {
    pipeline: &'p Pipeline,
    splitter: Splitter,
    parser: Parser,
    shaper: Shaper,
    clock: Option<Clock>,
    now: i64,
    report: Report,
    /// The last event that the regex does not match.
    unmatched: Option<Vec<u8>>,
}

impl<'p> Judge<'p> {
    /// `now` in Unix seconds, for times without a year; longer events than `event_bytes_max` are cut.
    pub fn new(pipeline: &'p Pipeline, event_bytes_max: usize, zone: &TimeZone, now: i64) -> Self {
        let parser = Parser::new(&pipeline.parse, zone);
        // A format that cannot be used is the data path's to report.
        let clock = Clock::new(&pipeline.time, zone).ok().flatten();
        let by = match &pipeline.parse {
            Parse::Simple { .. } => None,
            Parse::Regex { .. } => Some("regex"),
            Parse::Json => Some("JSON mode"),
            Parse::Delimiter(_) => Some("delimiter mode"),
            Parse::Apsara { .. } => Some("apsara mode"),
        };
        let dropped = pipeline.unmatched == Unmatched::Discard;
        let has_filter = pipeline.steps.iter().any(Step::is_filter);
        let report = Report {
            unit: if matches!(pipeline.multiline, Multiline::SingleLine) { "lines" } else { "records" },
            matched: by.map(|by| Matched { count: 0, by, dropped, mismatch: None }),
            borders: border(pipeline).map(|(what, _)| Borders { what, count: 0, lines: 0 }),
            times: clock.as_ref().map(|_| (0, 0)),
            passed: has_filter.then_some((0, 0)),
            ..Report::default()
        };
        Self {
            pipeline,
            splitter: Splitter::new(&pipeline.multiline, pipeline.input.encoding, event_bytes_max),
            parser,
            shaper: Shaper::new(pipeline),
            clock,
            now,
            report,
            unmatched: None,
        }
    }

    /// Events tried so far.
    pub fn events(&self) -> usize {
        self.report.events
    }

    /// Tries the last events of a sample, at most `wanted`, until the deadline.
    pub fn take(&mut self, shown: &Path, sample: &Sample, wanted: usize, deadline: Instant) {
        let data = self.skip_to_border(sample);
        let mut events: Vec<Event> = Vec::new();
        self.splitter.flush(data, &mut Seen::nothing_before(sample.position), |event| events.push(event));
        let first = events.len().saturating_sub(wanted.min(EVENTS_MAX));
        let Some(begin) = events.get(first).map(|event| event.start) else { return };
        self.report.files.push(shown.to_owned());
        self.count_borders(data.get(begin..).unwrap_or_default());
        for event in events.iter().skip(first) {
            if Instant::now() >= deadline {
                break;
            }
            if event.is_stray && self.splitter.discards_strays {
                self.report.events += 1; // dropped, whatever the parser would make of it
                continue;
            }
            let text = data.get(event.start..event.end).unwrap_or_default();
            self.try_event(&self.pipeline.input.encoding.decode(text));
        }
    }

    /// What was found; none if there was no event. Where the regex parts from the last event is left out if it cannot
    /// be told until the deadline.
    pub fn report(mut self, deadline: Instant) -> Option<Report> {
        if let Some(text) = &self.unmatched
            && let Parse::Regex { regex, .. } = &self.pipeline.parse
            && let Some(matched) = &mut self.report.matched
        {
            matched.mismatch = place(regex.as_str(), text, deadline).map(|place| {
                let (line, column) = line_and_column(text, place.text_offset);
                (line, column, place)
            });
        }
        (self.report.events > 0).then_some(self.report)
    }

    fn try_event(&mut self, text: &[u8]) {
        self.report.events += 1;
        let Some(fields) = self.parser.parse(text) else {
            if matches!(self.pipeline.parse, Parse::Regex { .. }) {
                let unmatched = self.unmatched.get_or_insert_default();
                unmatched.clear();
                unmatched.extend_from_slice(text);
            }
            return;
        };
        if let Some(matched) = &mut self.report.matched {
            matched.count += 1;
        }
        let mut said = fields.stamp;
        if let (Some(clock), Some((fits, of)), TimeRule::Field { key, .. }) =
            (&mut self.clock, &mut self.report.times, &self.pipeline.time)
        {
            *of += 1;
            let field = fields.position(key, 0);
            if let Some(stamp) = field.and_then(|index| clock.read(fields.value(text, index), self.now)) {
                *fits += 1;
                said = Some(stamp);
            }
        }
        if let Some((passed, of)) = &mut self.report.passed {
            *of += 1;
            let collected = Stamp { seconds: u32::try_from(self.now).unwrap_or(u32::MAX), nanos: None };
            let times = Times { said, collected };
            *passed += usize::from(self.shaper.shape(text, fields, 0, times).is_some());
        }
    }

    /// What stands before the first begin inside of a file may be the rest of a record.
    fn skip_to_border<'d>(&self, sample: &'d Sample) -> &'d [u8] {
        let data = sample.data.as_slice();
        match border(self.pipeline) {
            Some(("begin", regex)) if sample.position > 0 => {
                let first = lines(data).find(|(_, line)| self.matches(regex, line));
                data.get(first.map_or(0, |(start, _)| start)..).unwrap_or_default()
            }
            _ => data,
        }
    }

    fn count_borders(&mut self, data: &[u8]) {
        let Some((_, regex)) = border(self.pipeline) else { return };
        let (mut count, mut all) = (0, 0);
        for (_, line) in lines(data) {
            all += 1;
            count += usize::from(self.matches(regex, line));
        }
        if let Some(borders) = &mut self.report.borders {
            borders.count += count;
            borders.lines += all;
        }
    }

    fn matches(&self, regex: &Regex, line: &[u8]) -> bool {
        regex.is_match(&self.pipeline.input.encoding.decode(line))
    }
}

/// The regex of the lines between which records lie.
fn border(pipeline: &Pipeline) -> Option<(&'static str, &Regex)> {
    match &pipeline.multiline {
        Multiline::SingleLine => None,
        Multiline::Joined { records, .. } => Some(match records {
            Records::Start(start)
            | Records::StartContinue { start, .. }
            | Records::StartEnd { start, .. } => ("begin", start),
            Records::ContinueEnd { end, .. } | Records::End(end) => ("end", end),
        }),
    }
}

/// Lines without their newlines, and where they start.
fn lines(data: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut next = 0;
    line_ends(data, 0).map(move |end| {
        let start = std::mem::replace(&mut next, end + 1);
        (start, data.get(start..end).unwrap_or_default())
    })
}

/// Both from 1; columns are characters.
fn line_and_column(text: &[u8], offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let in_line = before.get(line_start..).unwrap_or_default();
    (line, String::from_utf8_lossy(in_line).chars().count() + 1)
}
