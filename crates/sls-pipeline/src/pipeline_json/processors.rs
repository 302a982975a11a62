//! `processors`: at most one parser and a timestamp, then filters and masks.

use std::ops::RangeInclusive;

use super::Findings;
use super::parsers::{self, PARSERS, Parsing};
use super::section::{Plugin, Section};
use super::steps;
use crate::parse::time::TimeFormat;
use crate::pipeline::{PreciseTime, Step, TimeRule, TimeUnit};

/// The timestamp processor goes by both names in the vendor's documents (collector.md §2.2).
const TIMESTAMP: [&str; 2] = ["processor_parse_timestamp_native", "processor_timestamp_native"];
/// Years that a log's time, an unsigned 32-bit number of seconds, may be in.
const YEARS: RangeInclusive<i64> = 1970..=2105;

/// What the processors make of an event.
pub struct Processing {
    pub parsing: Parsing,
    pub time: TimeRule,
    /// Path of the timestamp; empty if there is none.
    pub time_path: String,
    pub steps: Vec<Step>,
}

/// `None` after a problem.
pub fn read(plugins: Vec<Plugin>, findings: &mut Findings) -> Option<Processing> {
    let known = findings.problems.len();
    let mut parsing = None;
    let mut time = None;
    let mut time_path = String::new();
    let mut unchecked = Vec::new();
    for Plugin { kind, section } in plugins {
        let is_parser = PARSERS.contains(&kind.as_str());
        let is_time = TIMESTAMP.contains(&kind.as_str());
        let is_first = parsing.is_none() && time.is_none() && unchecked.is_empty();
        if is_parser && is_first {
            parsing = Some(parsers::read(&kind, section, findings));
        } else if is_time && time.is_none() {
            time_path = section.path().to_owned();
            time = Some(read_time(section, findings));
        } else if kind == steps::FILTER {
            unchecked.extend(steps::read_filter(section, findings));
        } else if kind == steps::TIME_FILTER {
            unchecked.extend(steps::read_time_filter(section, findings));
        } else if kind == steps::MASK {
            unchecked.extend(steps::read_mask(section, findings));
        } else if is_parser || is_time {
            let message =
                format!("{kind} may stand only once, one parser before all others; remove this one");
            findings.problem(section.field("Type"), message);
        } else {
            let message = format!(
                "{kind} is not supported by this collector; supported are {}, {}, {}, {} and {}",
                PARSERS.join(", "),
                TIMESTAMP[0],
                steps::FILTER,
                steps::TIME_FILTER,
                steps::MASK
            );
            findings.problem(section.field("Type"), message);
        }
    }
    if findings.problems.len() > known {
        return None;
    }
    let parsing = match parsing {
        None => Parsing::none(),
        Some(parsing) => parsing?,
    };
    let time = match time {
        None => TimeRule::Collected,
        Some(time) => time?.of_a_key(&parsing, findings),
    };
    let steps = steps::of_the_keys(unchecked, &parsing, findings)?;
    Some(Processing { parsing, time, time_path, steps })
}

/// A timestamp that is not yet checked against the parser.
struct Timestamp {
    /// Path of the field that names the key.
    field: String,
    key: String,
    format: String,
    offset_seconds: Option<i32>,
    year: Option<i64>,
    precise: Option<PreciseTime>,
}

fn read_time(mut section: Section, findings: &mut Findings) -> Option<Timestamp> {
    let key = section.needed_text("SourceKey", findings);
    let format = section.needed_text("SourceFormat", findings);
    if let Some(format) = &format
        && let Err(error) = TimeFormat::new(format)
    {
        findings.problem(section.field("SourceFormat"), error.to_string());
    }
    let offset_seconds = zone(&mut section, "SourceTimezone", findings);
    // Zero and -1 stand for "none". Source: LoongCollector's `Strptime`.
    let year = section.integer("SourceYear", findings).filter(|year| *year > 0);
    if year.is_some_and(|year| !YEARS.contains(&year)) {
        let message = format!("must be {} to {}: times of logs are such", YEARS.start(), YEARS.end());
        findings.problem(section.field("SourceYear"), message);
    }
    let precise = read_precise(&mut section, findings);
    let field = section.field("SourceKey");
    section.finish(findings);
    Some(Timestamp { field, key: key?, format: format?, offset_seconds, year, precise })
}

/// The field with the time in a finer unit (`enable_precise_timestamp`).
fn read_precise(section: &mut Section, findings: &mut Findings) -> Option<PreciseTime> {
    let unit = section.text("PreciseTimestampUnit", findings);
    let key = section.text("PreciseTimestampKey", findings).filter(|key| !key.is_empty())?;
    let unit = match unit.as_deref() {
        None | Some("" | "ms") => TimeUnit::Milliseconds,
        Some("us") => TimeUnit::Microseconds,
        Some("ns") => TimeUnit::Nanoseconds,
        Some(other) => {
            let message = format!("{other:?} is not known; use ms, us or ns");
            findings.problem(section.field("PreciseTimestampUnit"), message);
            return None;
        }
    };
    Some(PreciseTime { key, unit })
}

impl Timestamp {
    /// A key that the parser does not make would never be there: lines then keep the time of
    /// collection, as in the vendor's agent.
    fn of_a_key(self, parsing: &Parsing, findings: &mut Findings) -> TimeRule {
        let Self { field, key, format, offset_seconds, year, precise } = self;
        if parsing.may_make(&key) {
            return TimeRule::Field { key, format, offset_seconds, year, precise };
        }
        let names: Vec<&str> = parsing.named().map(|(_, key)| key).collect();
        let message = format!(
            "{key:?} is none of the keys ({}), so the time of collection is used; name one of them",
            names.join(", ")
        );
        findings.notice(field, message);
        TimeRule::Collected
    }
}

/// The zone that a field names; `None` is the process's.
pub fn zone(section: &mut Section, key: &str, findings: &mut Findings) -> Option<i32> {
    let zone = section.text(key, findings).filter(|zone| !zone.is_empty())?;
    let offset = zone_offset(&zone);
    if offset.is_none() {
        let message = format!("{zone:?} is not a zone like GMT+08:00 or GMT-03:30");
        findings.problem(section.field(key), message);
    }
    offset
}

/// Seconds east of Greenwich of `GMT+08:00`, `GMT-3`, `UTC`.
fn zone_offset(zone: &str) -> Option<i32> {
    let rest = zone.strip_prefix("GMT").or_else(|| zone.strip_prefix("UTC")).unwrap_or(zone);
    let (sign, digits) = match rest.as_bytes().first() {
        None => return Some(0),
        Some(b'+') => (1, rest.get(1..)?),
        Some(b'-') => (-1, rest.get(1..)?),
        Some(_) => return None,
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let number = |text: &str, max: i32| {
        let digits_only = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i32>().ok().filter(|n| digits_only && *n <= max)
    };
    Some(sign * (number(hours, 14)? * 3600 + number(minutes, 59)? * 60))
}
