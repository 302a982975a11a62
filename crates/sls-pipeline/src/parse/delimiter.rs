//! Delimited events: the text between separators becomes the columns.
//!
//! Values are spans of the event; only a column with doubled quotes is written anew, into memory that
//! the parser keeps. Rules are those of LoongCollector's `ProcessorParseDelimiterNative`: blanks around
//! the event and a final `\r` do not count, a quote inside of a column without quotes is no match.
//! Pure; called by [`super::Parser`].

use memchr::memmem::Finder;
use memchr::{memchr, memchr2};

use super::row::Row;
use super::{DROPPED_COLUMN, Span, changed_span};
use crate::key::Key;
use crate::pipeline::{Delimiter, Overflow};

/// Columns beyond the named ones that get keys of their own; what follows stays in the last. Source:
/// guess, far above what people write; it bounds the keys that a line of separators makes.
const EXTRA_COLUMNS_MAX: usize = 1000;

/// The columns of one pipeline.
#[derive(Debug)]
pub struct Columns {
    finder: Finder<'static>,
    /// With the separator's only byte.
    quote: Option<(u8, u8)>,
    /// For each named column whether it is sent.
    is_sent: Vec<bool>,
    allows_fewer: bool,
    overflow: Overflow,
}

impl Columns {
    /// The columns, and the keys of those that are sent.
    pub fn new(config: &Delimiter) -> (Self, Vec<Key>) {
        let is_sent: Vec<bool> = config.keys.iter().map(|key| key != DROPPED_COLUMN).collect();
        let keys = config.keys.iter().filter(|key| *key != DROPPED_COLUMN).map(|key| Key::new(key)).collect();
        let quote = match config.separator.as_bytes() {
            [only] => config.quote.filter(|quote| quote != only).map(|quote| (quote, *only)),
            _ => None,
        };
        let finder = Finder::new(config.separator.as_bytes()).into_owned();
        (Self { finder, quote, is_sent, allows_fewer: config.allows_fewer, overflow: config.overflow }, keys)
    }

    /// Reads the columns of `event`; false if it does not match.
    pub fn read(&self, event: &[u8], row: &mut Row) -> bool {
        let end = event.iter().rposition(|b| !matches!(b, b' ' | b'\r')).map_or(0, |last| last + 1);
        let text = event.get(..end).unwrap_or_default();
        let mut next = text.iter().position(|b| *b != b' ');
        let mut column = 0;
        let named = self.is_sent.len();
        while let Some(at) = next {
            let is_rest = match self.overflow {
                Overflow::Discard if column == named => break,
                Overflow::Discard => false,
                Overflow::Keep => column == named,
                Overflow::Extend => column == named + EXTRA_COLUMNS_MAX,
            };
            let span = if is_rest {
                next = None;
                // With the separator before it, as in the vendor's agent.
                let start =
                    if self.overflow == Overflow::Keep { at - self.finder.needle().len() } else { at };
                (start as u32, end as u32)
            } else {
                let Some((span, after)) = self.column(text, event, at, &mut row.changed) else {
                    return false;
                };
                next = after;
                span
            };
            if column < named {
                if self.is_sent.get(column) == Some(&true) {
                    row.push(span);
                }
            } else if row.is_named() {
                row.push(span);
            } else {
                row.push_as(format!("__column{column}__").as_bytes(), span);
            }
            column += 1;
        }
        !row.spans().is_empty() && (column >= named || self.allows_fewer)
    }

    /// The column at `at`, and where the next one begins; `None` if its quotes are wrong.
    fn column(
        &self,
        text: &[u8],
        event: &[u8],
        at: usize,
        changed: &mut Vec<u8>,
    ) -> Option<(Span, Option<usize>)> {
        let rest = text.get(at..)?;
        let (found, len) = match self.quote {
            None => (self.finder.find(rest), self.finder.needle().len()),
            Some((quote, separator)) => {
                if rest.first() == Some(&quote) {
                    return quoted(text, event, at + 1, (quote, separator), changed);
                }
                let found = memchr2(separator, quote, rest);
                if found.is_some_and(|n| rest.get(n) == Some(&quote)) {
                    return None;
                }
                (found, 1)
            }
        };
        Some(match found {
            None => ((at as u32, text.len() as u32), None),
            Some(n) => ((at as u32, (at + n) as u32), Some(at + n + len)),
        })
    }
}

/// The rest of a column whose opening quote ends before `start`.
fn quoted(
    text: &[u8],
    event: &[u8],
    start: usize,
    (quote, separator): (u8, u8),
    changed: &mut Vec<u8>,
) -> Option<(Span, Option<usize>)> {
    let from = changed.len();
    let mut at = start;
    loop {
        let close = at + memchr(quote, text.get(at..)?)?;
        let after = text.get(close + 1).copied();
        if after == Some(quote) {
            changed.extend_from_slice(text.get(at..=close)?);
            at = close + 2;
            continue;
        }
        let span = if at == start {
            (start as u32, close as u32)
        } else {
            changed.extend_from_slice(text.get(at..close)?);
            changed_span(event, from, changed.len())
        };
        return match after {
            None => Some((span, None)),
            Some(byte) if byte == separator => Some((span, Some(close + 2))),
            Some(_) => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Parser, shown};
    use super::*;
    use crate::pipeline::Parse;

    fn config(separator: &str, keys: &[&str]) -> Delimiter {
        Delimiter {
            separator: separator.to_owned(),
            quote: Some(b'"'),
            keys: keys.iter().map(|k| (*k).to_owned()).collect(),
            allows_fewer: false,
            overflow: Overflow::Extend,
        }
    }

    /// `key=value` of each field, with `|` between them.
    fn read(config: Delimiter, event: &str) -> Option<String> {
        let fields = shown(&mut Parser::in_utc(&Parse::Delimiter(config)), event.as_bytes())?;
        let texts = fields.iter().map(|(k, v)| format!("{k}={}", String::from_utf8_lossy(v)));
        Some(texts.collect::<Vec<_>>().join("|"))
    }

    #[test]
    fn columns_become_fields() {
        let ab = ["a", "b"];
        for (separator, keys, event, expected) in [
            (",", &ab[..], "1,2", Some("a=1|b=2")),
            (",", &ab, "1,2\r", Some("a=1|b=2")),
            (",", &ab, "  1, 2 ", Some("a=1|b= 2")),
            (",", &ab, ",", Some("a=|b=")),
            (",", &ab, "1,\0", Some("a=1|b=\0")),
            (",", &ab, "\"x,\"\"y\"\"\",\"\"", Some("a=x,\"y\"|b=")),
            (",", &ab, "1,2,3,4", Some("a=1|b=2|__column2__=3|__column3__=4")),
            (",", &["_", "b"], "1,2,3", Some("b=2|__column2__=3")),
            ("\t", &ab, "1\t2", Some("a=1|b=2")),
            ("&&", &ab, "1&&\"2&", Some("a=1|b=\"2&")),
            (",", &ab, "1", None),
            (",", &ab, "", None),
            (",", &ab, "   ", None),
            (",", &ab, "1,x\"y\"", None),
            (",", &ab, "1,\"y\"x", None),
            (",", &ab, "1,\"y", None),
        ] {
            assert_eq!(read(config(separator, keys), event).as_deref(), expected, "{event:?}");
        }
    }

    #[test]
    fn too_few_and_too_many_columns_go_as_configured() {
        let fewer = Delimiter { allows_fewer: true, ..config(",", &["a", "b"]) };
        assert_eq!(read(fewer, "1").as_deref(), Some("a=1"));
        let keep = Delimiter { overflow: Overflow::Keep, ..config(",", &["a"]) };
        assert_eq!(read(keep, "1,2,3").as_deref(), Some("a=1|__column1__=,2,3"));
        let discard = Delimiter { overflow: Overflow::Discard, ..config(",", &["a"]) };
        assert_eq!(read(discard, "1,2,3").as_deref(), Some("a=1"));
    }

    #[test]
    fn a_line_of_separators_makes_a_bounded_number_of_fields() {
        let mut parser = Parser::in_utc(&Parse::Delimiter(config(",", &["a"])));
        let fields = shown(&mut parser, ",".repeat(100_000).as_bytes()).expect("columns");
        assert_eq!(fields.len(), EXTRA_COLUMNS_MAX + 2);
    }

    proptest! {
        #[test]
        fn what_a_writer_quotes_is_read_back(columns in prop::collection::vec(any::<String>(), 1..8)) {
            let line = columns.iter().map(|c| format!("\"{}\"", c.replace('"', "\"\""))).collect::<Vec<_>>().join(",");
            let keys: Vec<String> = (0..columns.len()).map(|n| format!("k{n}")).collect();
            let names: Vec<&str> = keys.iter().map(String::as_str).collect();
            let fields = shown(&mut Parser::in_utc(&Parse::Delimiter(config(",", &names))), line.as_bytes());
            let expected: Vec<_> = keys.iter().cloned().zip(columns.into_iter().map(String::into_bytes)).collect();
            prop_assert_eq!(fields, Some(expected));
        }
    }
}
