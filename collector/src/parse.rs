//! Event → fields: spans of the event, never copies.
//!
//! Pure; called by `engine::feed` for every event. One [`Parser`] belongs to one pipeline and keeps
//! the scratch memory that its regex needs, so that parsing allocates nothing.

mod regex;
mod spans;
pub mod time;

use crate::pack::Key;
use crate::pipeline::{Parse, TimeRule};

/// Key of an event that the parser did not match and that is sent all the same (collector.md §2.1).
pub const RAW_LOG_KEY: &str = "__raw_log__";

/// Start and end of a field's value in the event.
pub type Span = (u32, u32);

/// How the events of one pipeline become fields.
#[derive(Debug)]
pub struct Parser {
    mode: Mode,
    keys: Vec<Key>,
    spans: Vec<Span>,
    raw_log: [Key; 1],
}

#[derive(Debug)]
enum Mode {
    Simple,
    Regex(regex::Captures),
}

/// The fields of one event.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    pub keys: &'a [Key],
    /// As many as `keys`.
    pub spans: &'a [Span],
}

impl Parser {
    pub fn new(parse: &Parse) -> Self {
        let (mode, keys) = match parse {
            Parse::Simple { key } => (Mode::Simple, vec![Key::new(key)]),
            Parse::Regex { regex, keys } => {
                (Mode::Regex(regex::Captures::new(regex)), keys.iter().map(|k| Key::new(k)).collect())
            }
        };
        let spans = vec![(0, 0); keys.len()];
        Self { mode, keys, spans, raw_log: [Key::new(RAW_LOG_KEY)] }
    }

    /// The fields of `event`; `None` if the parser does not match it.
    pub fn parse(&mut self, event: &[u8]) -> Option<Fields<'_>> {
        match &mut self.mode {
            Mode::Simple => self.spans[0] = (0, event.len() as u32),
            Mode::Regex(captures) => {
                if !captures.read(event, &mut self.spans) {
                    return None;
                }
            }
        }
        Some(Fields { keys: &self.keys, spans: &self.spans })
    }

    /// `event` as the one field `__raw_log__`.
    pub fn raw(&mut self, event: &[u8]) -> Fields<'_> {
        self.spans[0] = (0, event.len() as u32);
        Fields { keys: &self.raw_log, spans: &self.spans[..1] }
    }

    /// Which field holds the time, if the rule names one that this parser makes.
    pub fn time_field(&self, rule: &TimeRule) -> Option<usize> {
        match rule {
            TimeRule::Collected => None,
            TimeRule::Field { key, .. } => self.keys.iter().position(|k| k.name() == key),
        }
    }
}

impl<'a> Fields<'a> {
    /// Keys and values in `event`.
    pub fn pairs(self, event: &'a [u8]) -> impl Iterator<Item = (&'a Key, &'a [u8])> + Clone {
        self.keys.iter().enumerate().map(move |(index, key)| (key, self.value(event, index)))
    }

    /// Value of field `index` of `event`.
    pub fn value<'e>(&self, event: &'e [u8], index: usize) -> &'e [u8] {
        let Some((start, end)) = self.spans.get(index) else { return &[] };
        event.get(*start as usize..*end as usize).unwrap_or_default()
    }
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
        let mut parser = Parser::new(&parse);
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
