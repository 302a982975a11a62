//! `processors`: at most a regex parser and a timestamp, then filters and masks.

use super::Findings;
use super::regex_check::compile;
use super::section::{Plugin, Section};
use super::steps;
use crate::parse::RAW_LOG_KEY;
use crate::parse::time::TimeFormat;
use crate::pipeline::{Parse, Step, TimeRule, Unmatched};

const REGEX: &str = "processor_parse_regex_native";

/// The timestamp processor goes by both names in the vendor's documents (collector.md §2.2).
const TIMESTAMP: [&str; 2] = ["processor_parse_timestamp_native", "processor_timestamp_native"];

/// Key under which the input hands on an event (collector.md §2.3).
const CONTENT: &str = "content";

/// What the processors make of an event.
pub struct Processing {
    pub parse: Parse,
    pub time: TimeRule,
    pub unmatched: Unmatched,
    pub steps: Vec<Step>,
    pub raw_key: Option<String>,
    /// Path of the parser; empty if there is none.
    pub parser: String,
}

/// `None` after a problem.
pub fn read(plugins: Vec<Plugin>, findings: &mut Findings) -> Option<Processing> {
    let known = findings.problems.len();
    let mut parse = None;
    let mut parser = String::new();
    let mut time = None;
    let mut raw_key = None;
    let mut unchecked = Vec::new();
    for Plugin { kind, section } in plugins {
        let is_regex = kind == REGEX;
        let is_time = TIMESTAMP.contains(&kind.as_str());
        let is_first = parse.is_none() && time.is_none() && unchecked.is_empty();
        if is_regex && is_first {
            parser = section.path().to_owned();
            parse = Some(read_regex(section, &mut raw_key, findings));
        } else if is_time && time.is_none() {
            time = Some(read_time(section, findings));
        } else if kind == steps::FILTER {
            unchecked.extend(steps::read_filter(section, findings));
        } else if kind == steps::MASK {
            unchecked.extend(steps::read_mask(section, findings));
        } else if is_regex || is_time {
            let message =
                format!("{kind} may stand only once, the parser before all others; remove this one");
            findings.problem(section.field("Type"), message);
        } else {
            let message = format!(
                "{kind} is not supported by this collector; supported are {REGEX}, {}, {} and {}",
                TIMESTAMP[0],
                steps::FILTER,
                steps::MASK
            );
            findings.problem(section.field("Type"), message);
        }
    }
    if findings.problems.len() > known {
        return None;
    }
    let (parse, unmatched) = match parse {
        None => (Parse::Simple { key: CONTENT.to_owned() }, Unmatched::KeepRaw),
        Some(parsed) => parsed?,
    };
    let time = match time {
        None => TimeRule::Collected,
        Some(time) => time?.of_a_key(&parse, findings),
    };
    let mut seen: Vec<&str> = made_by(&parse).iter().map(String::as_str).collect();
    seen.extend(raw_log_key(&parse, unmatched));
    let steps = steps::of_the_keys(unchecked, &seen, raw_key.as_deref(), findings)?;
    Some(Processing { parse, time, unmatched, steps, raw_key, parser })
}

/// The keys of the fields that a parser makes.
pub fn made_by(parse: &Parse) -> &[String] {
    match parse {
        Parse::Simple { key } => std::slice::from_ref(key),
        Parse::Regex { keys, .. } => keys,
    }
}

/// The key of the events that the parser does not match, if there can be such and they are kept.
pub fn raw_log_key(parse: &Parse, unmatched: Unmatched) -> Option<&'static str> {
    let is_made = matches!((parse, unmatched), (Parse::Regex { .. }, Unmatched::KeepRaw));
    is_made.then_some(RAW_LOG_KEY)
}

fn read_regex(
    mut section: Section,
    raw_key: &mut Option<String>,
    findings: &mut Findings,
) -> Option<(Parse, Unmatched)> {
    source_key(&mut section, findings);
    let pattern = section.needed_text("Regex", findings);
    let keys = section.texts("Keys", findings);
    check_keys(&section, &keys, findings);
    let keep_source = section.boolean("KeepingSourceWhenParseFail", findings).unwrap_or(false);
    let unmatched = if keep_source { Unmatched::KeepRaw } else { Unmatched::Discard };
    let keep_always = section.boolean("KeepingSourceWhenParseSucceed", findings).unwrap_or(false);
    let renamed = section.text("RenamedSourceKey", findings).filter(|key| !key.is_empty());
    if keep_always {
        *raw_key = Some(renamed.unwrap_or_else(|| CONTENT.to_owned()));
    } else if let Some(renamed) = renamed
        && keep_source
        && renamed != RAW_LOG_KEY
    {
        let message = format!("{renamed:?} has no effect: unmatched events are sent in {RAW_LOG_KEY}");
        findings.notice(section.field("RenamedSourceKey"), message);
    }
    // An event that does not match is in `__raw_log__` in any case, and in the renamed key if all are.
    section.allow(&["CopingRawLog"]);
    let regex_field = section.field("Regex");
    let keys_field = section.field("Keys");
    section.finish(findings);
    let pattern = pattern?;
    let regex = match compile(&pattern) {
        Ok(regex) => regex,
        Err(reason) => {
            findings.problem(regex_field, reason);
            return None;
        }
    };
    let groups = regex.captures_len().saturating_sub(1);
    if groups != keys.len() {
        let message = format!(
            "{} keys for {groups} capture groups of the regex: name one key for each group, \
             or make a group that needs no key `(?:…)`",
            keys.len()
        );
        findings.problem(keys_field, message);
        return None;
    }
    let parse = match (pattern.as_str(), keys.as_slice()) {
        // Simple mode by definition (collector.md §2.1).
        ("(.*)", [key]) => Parse::Simple { key: key.clone() },
        _ => Parse::Regex { regex, keys },
    };
    Some((parse, unmatched))
}

fn source_key(section: &mut Section, findings: &mut Findings) {
    if let Some(key) = section.text("SourceKey", findings).filter(|key| key != CONTENT) {
        let message = format!("{key:?} is not there: the event is in {CONTENT:?}");
        findings.problem(section.field("SourceKey"), message);
    }
}

fn check_keys(section: &Section, keys: &[String], findings: &mut Findings) {
    for (index, key) in keys.iter().enumerate() {
        let field = || section.field(&format!("Keys[{index}]"));
        if key.is_empty() {
            findings.problem(field(), "must not be empty");
        } else if keys.iter().take(index).any(|earlier| earlier == key) {
            findings.problem(field(), format!("{key:?} is named twice; give every group its own key"));
        }
    }
}

/// A timestamp that is not yet checked against the parser.
struct Timestamp {
    /// Path of the field that names the key.
    field: String,
    key: String,
    format: String,
    offset_seconds: Option<i32>,
}

fn read_time(mut section: Section, findings: &mut Findings) -> Option<Timestamp> {
    let key = section.needed_text("SourceKey", findings);
    let format = section.needed_text("SourceFormat", findings);
    if let Some(format) = &format
        && let Err(error) = TimeFormat::new(format)
    {
        findings.problem(section.field("SourceFormat"), error.to_string());
    }
    let zone = section.text("SourceTimezone", findings).filter(|zone| !zone.is_empty());
    let offset_seconds = zone.and_then(|zone| {
        let offset = zone_offset(&zone);
        if offset.is_none() {
            let message = format!("{zone:?} is not a zone like GMT+08:00 or GMT-03:30");
            findings.problem(section.field("SourceTimezone"), message);
        }
        offset
    });
    if section.integer("SourceYear", findings).is_some_and(|year| year > 0) {
        let field = section.field("SourceYear");
        findings.notice(field, "has no effect: a date without year is taken to be the latest such date");
    }
    let field = section.field("SourceKey");
    section.finish(findings);
    Some(Timestamp { field, key: key?, format: format?, offset_seconds })
}

impl Timestamp {
    /// A key that the parser does not make would never be there: lines then keep the time of
    /// collection, as in the vendor's agent.
    fn of_a_key(self, parse: &Parse, findings: &mut Findings) -> TimeRule {
        let made = made_by(parse);
        if made.contains(&self.key) {
            return TimeRule::Field {
                key: self.key,
                format: self.format,
                offset_seconds: self.offset_seconds,
            };
        }
        let message = format!(
            "{:?} is none of the keys ({}), so the time of collection is used; name one of them",
            self.key,
            made.join(", ")
        );
        findings.notice(self.field, message);
        TimeRule::Collected
    }
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
