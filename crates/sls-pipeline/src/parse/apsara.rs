//! Events of the form `[time]<tab>[LEVEL]<tab>[thread]<tab>[file:line]<tab>key:value<tab>key:value`.
//!
//! What is in brackets is known by its look, not by its place: capital letters are the level, digits the
//! thread, a text with a dot or a slash the file. The first of each counts, others are not sent. Fields and
//! rules are those of LoongCollector's `ProcessorParseApsaraNative`. Pure; called by [`super::Parser`].

use std::io::Write;

use jiff::tz::TimeZone;
use memchr::memchr;

use super::row::Row;
use super::time::{Clock, fraction_nanos};
use super::{Span, changed_span};
use crate::key::Stamp;

const LEVEL: &str = "__LEVEL__";
const THREAD: &str = "__THREAD__";
const FILE: &str = "__FILE__";
const LINE: &str = "__LINE__";
/// Key of the event's time in Unix microseconds, after all others.
const MICROTIME: &str = "microtime";
/// Bytes of `2024-05-01 12:00:00`.
const DATE_BYTES: usize = 19;

/// Reads the times of one pipeline.
#[derive(Debug)]
pub struct Times {
    dates: Clock,
    epochs: Clock,
}

impl Times {
    pub fn new(offset_seconds: Option<i32>, process_zone: &TimeZone) -> Self {
        Self { dates: Clock::of_dates(offset_seconds, process_zone), epochs: Clock::of_epochs() }
    }

    /// `2024-05-01 12:00:00.123456`, with any mark before the fraction and any number of digits or none; or Unix
    /// seconds, perhaps with the digits of milli-, micro- or nanoseconds right behind them.
    fn read(&mut self, text: &[u8]) -> Option<Stamp> {
        // No "now" is needed: all of these say their year.
        if text.iter().all(u8::is_ascii_digit) {
            return self.epochs.read(text, 0);
        }
        let (date, rest) = text.split_at_checked(DATE_BYTES)?;
        let stamp = self.dates.read(date, 0)?;
        Some(Stamp { nanos: rest.get(1..).and_then(fraction_nanos), ..stamp })
    }
}

/// Reads the fields of `event`, and its time; `None` if it does not begin with a time in brackets.
pub fn read(event: &[u8], times: &mut Times, row: &mut Row) -> Option<Stamp> {
    let end = event.iter().rposition(|b| !matches!(b, b'\r' | b'\n')).map_or(0, |last| last + 1);
    let text = event.get(..end)?;
    let close = memchr(b']', text)?;
    let stamp = times.read(text.get(..close)?.strip_prefix(b"[")?)?;
    let mut parts = Parts { text, at: close + 1 };
    let mut found = Found::default();
    let mut part = parts.next();
    while let Some((start, part_end)) = part
        && found.take_bracketed(text, start, part_end, row)
    {
        part = parts.next();
    }
    for (start, part_end) in part.into_iter().chain(parts) {
        if let Some(colon) = text.get(start..part_end).and_then(|part| memchr(b':', part)) {
            let name = text.get(start..start + colon).unwrap_or_default();
            row.push_as(name, span(start + colon + 1, part_end));
        }
    }
    let micros = u64::from(stamp.seconds) * 1_000_000 + u64::from(stamp.nanos.unwrap_or(0) / 1_000);
    let from = row.changed.len();
    let _ = write!(row.changed, "{micros}"); // writing to a Vec cannot fail
    row.push_as(MICROTIME.as_bytes(), changed_span(event, from, row.changed.len()));
    row.unite();
    Some(stamp)
}

/// What stands between tabs; what follows the time up to the first tab is not sent.
struct Parts<'a> {
    text: &'a [u8],
    at: usize,
}

impl Iterator for Parts<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at + memchr(b'\t', self.text.get(self.at..)?)? + 1;
        let rest = self.text.get(start..)?;
        let end = memchr(b'\t', rest).map_or(self.text.len(), |len| start + len);
        self.at = end;
        Some((start, end))
    }
}

/// Which of the fields in brackets were there.
#[derive(Default)]
struct Found {
    level: bool,
    thread: bool,
    file: bool,
}

impl Found {
    /// Takes one part of the event; false if it is not in brackets.
    fn take_bracketed(&mut self, text: &[u8], start: usize, end: usize, row: &mut Row) -> bool {
        let part = text.get(start..end).unwrap_or_default();
        let [b'[', inner @ .., b']'] = part else { return false };
        let (start, end) = (start + 1, end - 1);
        let is_empty = inner.is_empty();
        if !self.level && !is_empty && inner.iter().all(u8::is_ascii_uppercase) {
            self.level = true;
            row.push_as(LEVEL.as_bytes(), span(start, end));
        } else if !self.thread && !is_empty && inner.iter().all(u8::is_ascii_digit) {
            self.thread = true;
            row.push_as(THREAD.as_bytes(), span(start, end));
        } else if !self.file && inner.iter().any(|b| matches!(b, b'/' | b'.')) {
            self.file = true;
            let colon = memchr(b':', inner).map(|at| start + at);
            row.push_as(FILE.as_bytes(), span(start, colon.unwrap_or(end)));
            if let Some(colon) = colon {
                row.push_as(LINE.as_bytes(), span(colon + 1, end));
            }
        }
        true
    }
}

fn span(start: usize, end: usize) -> Span {
    (start as u32, end as u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Parser;
    use crate::pipeline::Parse;

    /// Seconds, nanoseconds and `key=value` of each field, with `|` between them.
    fn read(event: &[u8]) -> Option<String> {
        let mut parser = Parser::in_utc(&Parse::Apsara { offset_seconds: Some(8 * 3600) });
        let fields = parser.parse(event)?;
        let stamp = fields.stamp.expect("a time");
        let pairs = fields.pairs(event).map(|(k, v)| format!("|{}={}", k.name(), String::from_utf8_lossy(v)));
        Some(format!("{}.{:?}{}", stamp.seconds, stamp.nanos, pairs.collect::<String>()))
    }

    #[track_caller]
    fn check(rest: &str, expected: &str) {
        let found = read(format!("[2013-03-13 18:05:09.493309]{rest}").as_bytes());
        let time = "1363169109.Some(493309000)";
        assert_eq!(found, Some(format!("{time}{expected}|microtime=1363169109493309")), "{rest:?}");
    }

    #[test]
    fn what_is_in_brackets_is_known_by_its_look() {
        let all = "|__LEVEL__=WARNING|__THREAD__=13000|__FILE__=core/a.cpp|__LINE__=1753";
        check("\t[WARNING]\t[13000]\t[core/a.cpp:1753]", all);
        check("\t[WARNING]\t[13000]\t[core/a.cpp:1753]\t\r", all);
        check("\t[WARNING]\t[13000]\t[13003]\t[ERROR]\t[core/a.cpp:1753]", all);
        check(
            "\t[core/a.cpp]\t[12835]\t[ERROR]\t[5432187]\tcount:55",
            "|__FILE__=core/a.cpp|__THREAD__=12835|__LEVEL__=ERROR|count=55",
        );
        check("\t[a.cpp:]\t[trace_id:787]\t[ERROR]", "|__FILE__=a.cpp|__LINE__=|__LEVEL__=ERROR");
        check("\t[]", "");
    }

    #[test]
    fn pairs_stand_between_tabs() {
        check("\t[E]\tother\tcount:45", "|__LEVEL__=E|count=45");
        check("\t[E]\tother:\tcount:4:5\t:88", "|__LEVEL__=E|other=|count=4:5|_=88");
        check("\t[E]\t[corrupt\ta:1\t[I]", "|__LEVEL__=E|a=1");
        check("\t[E]\t[corrupt]a:1", "|__LEVEL__=E|[corrupt]a=1");
        check("\tjson:{\n\"a\": 1}\tb:\u{e9}", "|json={\n\"a\": 1}|b=\u{e9}");
        check("\ta:1\tb:2\ta:3", "|a=3|b=2");
        check("\t\t\t", "");
        check("", "");
        check("what:x", "");
    }

    #[test]
    fn times_are_dates_of_the_zone_or_unix_times() {
        let time = |text: &str| read(format!("[{text}]").as_bytes());
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(time("2013-09-12 22:18:28"), some("1378995508.None|microtime=1378995508000000"));
        assert_eq!(
            time("2013-09-12 22:18:28.8"),
            some("1378995508.Some(800000000)|microtime=1378995508800000")
        );
        assert_eq!(
            time("2013-09-12 22:18:28,123456789"),
            some("1378995508.Some(123456789)|microtime=1378995508123456")
        );
        assert_eq!(time("1378882630"), some("1378882630.None|microtime=1378882630000000"));
        assert_eq!(time("1378882630123456"), some("1378882630.Some(123456000)|microtime=1378882630123456"));
        assert_eq!(time("2013-09-12 22:18:28 INFO"), some("1378995508.None|microtime=1378995508000000"));
        for text in ["", "x", "2013-09-12", "2013-13-12 22:18:28.1", "99999999999"] {
            assert_eq!(time(text), None, "{text:?}");
        }
        for event in ["", "[", "[]", "2013-09-12 22:18:28", "[2013-09-12 22:18:28", " [1378882630]"] {
            assert_eq!(read(event.as_bytes()), None, "{event:?}");
        }
    }

    proptest! {
        #[test]
        fn pairs_that_were_written_are_read(pairs in prop::collection::btree_map("[^\t:\\[\r\n]{1,9}", "[^\t\r\n]{0,9}", 0..6)) {
            prop_assume!(!pairs.contains_key("microtime"));
            let mut event = "[1378882630]\t[INFO]".to_owned();
            let mut expected = "1378882630.None|__LEVEL__=INFO".to_owned();
            for (key, value) in &pairs {
                event += &format!("\t{key}:{value}");
                expected += &format!("|{key}={value}");
            }
            expected += "|microtime=1378882630000000";
            prop_assert_eq!(read(event.as_bytes()), Some(expected));
        }

        #[test]
        fn any_bytes_do_not_panic(event in prop::collection::vec(prop::sample::select(b"[]\t:1.A-\n \xff".to_vec()), 0..40)) {
            let _ = read(&event);
            let _ = read(&[b"[1378882630]\t", &event[..]].concat());
        }
    }
}
