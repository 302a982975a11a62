//! Event → fields: spans of the event, copies only of texts that must be changed.
//!
//! Pure; called by `engine::feed` for every event. One [`Parser`] belongs to one thread of a pipeline and keeps
//! the scratch memory that it needs, so that parsing allocates nothing.

mod apsara;
mod backtrack;
mod delimiter;
mod json;
mod regex;
mod row;
mod spans;
pub mod time;

use jiff::tz::TimeZone;

pub use self::row::NAME_BYTES_MAX;
use self::row::Row;
use crate::key::{Key, Stamp};
use crate::pipeline::Parse;

/// Key of an event that the parser did not match and that is sent all the same (collector.md §2.1).
pub const RAW_LOG_KEY: &str = "__raw_log__";
/// Name of a delimited column that is not sent (collector.md §2.1).
pub const DROPPED_COLUMN: &str = "_";

/// Start and end of a field's value in the event. What lies beyond the event's end is in the changed
/// texts, as if they followed the event.
pub type Span = (u32, u32);

/// How the events of one pipeline become fields.
#[derive(Debug)]
pub struct Parser {
    mode: Mode,
    raw_log: [Key; 1],
    raw_span: [Span; 1],
}

#[derive(Debug)]
enum Mode {
    Simple { key: [Key; 1], span: [Span; 1] },
    Regex { captures: regex::Captures, keys: Vec<Key>, spans: Vec<Span> },
    Json(Row),
    Delimiter(Box<delimiter::Columns>, Row),
    Apsara(Box<apsara::Times>, Row),
}

/// The fields of one event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fields<'a> {
    pub keys: &'a [Key],
    /// As many as `keys`.
    pub spans: &'a [Span],
    /// See [`Span`].
    pub changed: &'a [u8],
    /// The time that the form of the event itself says.
    pub stamp: Option<Stamp>,
}

impl Parser {
    /// `process_zone` is where times are that say no other, in configs without one.
    pub fn new(parse: &Parse, process_zone: &TimeZone) -> Self {
        let mode = match parse {
            Parse::Simple { key } => Mode::Simple { key: [Key::new(key)], span: [(0, 0)] },
            Parse::Regex { regex, keys } => Mode::Regex {
                captures: regex::Captures::new(regex),
                keys: keys.iter().map(|k| Key::new(k)).collect(),
                spans: vec![(0, 0); keys.len()],
            },
            Parse::Json => Mode::Json(Row::default()),
            Parse::Delimiter(config) => {
                let (columns, keys) = delimiter::Columns::new(config);
                Mode::Delimiter(Box::new(columns), Row::of(keys))
            }
            Parse::Apsara { offset_seconds } => {
                Mode::Apsara(Box::new(apsara::Times::new(*offset_seconds, process_zone)), Row::default())
            }
        };
        Self { mode, raw_log: [Key::new(RAW_LOG_KEY)], raw_span: [(0, 0)] }
    }

    #[cfg(test)]
    fn in_utc(parse: &Parse) -> Self {
        Self::new(parse, &TimeZone::UTC)
    }

    /// The fields of `event`; `None` if the parser does not match it.
    pub fn parse(&mut self, event: &[u8]) -> Option<Fields<'_>> {
        let (row, stamp) = match &mut self.mode {
            Mode::Simple { key, span } => {
                *span = [(0, event.len() as u32)];
                return Some(Fields { keys: key, spans: span, ..Fields::default() });
            }
            Mode::Regex { captures, keys, spans } => {
                let matches = captures.read(event, spans);
                return matches.then_some(Fields { keys, spans, ..Fields::default() });
            }
            Mode::Json(row) => {
                row.clear();
                (json::read(event, row).then_some(row)?, None)
            }
            Mode::Delimiter(columns, row) => {
                row.clear();
                (columns.read(event, row).then_some(row)?, None)
            }
            Mode::Apsara(times, row) => {
                row.clear();
                let stamp = apsara::read(event, times, row)?;
                (row, Some(stamp))
            }
        };
        Some(Fields { keys: row.keys(), spans: row.spans(), changed: &row.changed, stamp })
    }

    /// `event` as the one field `__raw_log__`.
    pub fn raw(&mut self, event: &[u8]) -> Fields<'_> {
        self.raw_span = [(0, event.len() as u32)];
        Fields { keys: &self.raw_log, spans: &self.raw_span, ..Fields::default() }
    }
}

impl<'a> Fields<'a> {
    /// Keys and values of `event`.
    #[inline]
    pub fn pairs(self, event: &'a [u8]) -> impl Iterator<Item = (&'a Key, &'a [u8])> + Clone {
        self.keys.iter().enumerate().map(move |(index, key)| (key, self.value(event, index)))
    }

    /// Value of field `index` of `event`; empty if there is no such field.
    #[inline]
    pub fn value<'e>(&self, event: &'e [u8], index: usize) -> &'e [u8]
    where
        'a: 'e,
    {
        self.spans.get(index).map_or(&[], |span| text(event, self.changed, *span))
    }

    /// Place of the field `key`; `likely` is looked at first.
    #[inline]
    pub fn position(&self, key: &str, likely: usize) -> Option<usize> {
        let is_there = self.keys.get(likely).is_some_and(|k| k.name() == key);
        if is_there { Some(likely) } else { self.keys.iter().position(|k| k.name() == key) }
    }
}

/// What a span of `event` stands for.
#[inline]
fn text<'t>(event: &'t [u8], changed: &'t [u8], (start, end): Span) -> &'t [u8] {
    let (start, end) = (start as usize, end as usize);
    event.get(start..end).unwrap_or_else(|| {
        let shifted = start.checked_sub(event.len()).zip(end.checked_sub(event.len()));
        shifted.and_then(|(start, end)| changed.get(start..end)).unwrap_or_default()
    })
}

/// The span of `from..to` in the changed texts of `event`.
fn changed_span(event: &[u8], from: usize, to: usize) -> Span {
    ((event.len() + from) as u32, (event.len() + to) as u32)
}

/// Keys and values of `event`.
#[cfg(test)]
fn shown(parser: &mut Parser, event: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let pairs = parser.parse(event)?.pairs(event);
    Some(pairs.map(|(key, value)| (key.name().to_owned(), value.to_vec())).collect())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::pipeline::full_match;

    fn check(regex: &str, keys: &[&str], event: &str, expected: Expect) {
        let parse = match regex {
            "" => Parse::Simple { key: "content".to_owned() },
            regex => Parse::Regex {
                regex: full_match(regex).expect("the test's regex"),
                keys: keys.iter().map(|k| (*k).to_owned()).collect(),
            },
        };
        let mut parser = Parser::in_utc(&parse);
        let shown = match parser.parse(event.as_bytes()) {
            None => "no match\n".to_owned(),
            Some(fields) => fields
                .keys
                .iter()
                .enumerate()
                .map(|(i, k)| {
                    let value = String::from_utf8_lossy(fields.value(event.as_bytes(), i)).into_owned();
                    format!("{} = {value:?}\n", k.name())
                })
                .collect(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn simple_mode_takes_the_whole_event() {
        check(
            "",
            &[],
            "any thing",
            expect![[r#"
            content = "any thing"
        "#]],
        );
    }

    #[test]
    fn groups_become_keys_in_order() {
        check(
            r#"(\S+) \[([^\]]*)\] "(\w+) ([^"]*)" (\d+)"#,
            &["ip", "time", "method", "url", "status"],
            r#"10.0.0.1 [13/Nov/2018] "GET /a b" 200"#,
            expect![[r#"
                ip = "10.0.0.1"
                time = "13/Nov/2018"
                method = "GET"
                url = "/a b"
                status = "200"
            "#]],
        );
    }

    #[test]
    fn a_match_of_a_part_is_no_match() {
        check(
            r"(\d+)",
            &["n"],
            "12 apples",
            expect![["
            no match
        "]],
        );
    }

    #[test]
    fn alternatives_are_tried_until_one_takes_the_whole() {
        check(
            r"(a|ab)(c?)",
            &["x", "y"],
            "abc",
            expect![[r#"
            x = "ab"
            y = "c"
        "#]],
        );
    }

    #[test]
    fn a_group_that_took_no_part_is_empty() {
        check(
            r"(a)?(b)",
            &["x", "y"],
            "b",
            expect![[r#"
            x = ""
            y = "b"
        "#]],
        );
    }

    #[test]
    fn a_dot_takes_newlines_and_bytes_that_are_no_text() {
        check(
            r"(\w+): (.*)",
            &["level", "rest"],
            "E: one\n\ttwo",
            expect![[r#"
            level = "E"
            rest = "one\n\ttwo"
        "#]],
        );
    }

    #[test]
    fn a_class_of_non_ascii_letters_works() {
        check(
            r"([一-龥]+)(.*)",
            &["x", "y"],
            "日本x",
            expect![[r#"
            x = "日本"
            y = "x"
        "#]],
        );
    }
}
