//! Lines → events: every line one event, or lines joined from one `logBeginRegex` match to the next.
//!
//! Pure: works on offsets into the block that was read; called by `engine::feed`. An event never
//! holds the final newline. Lines before the first match belong together, as in the classic agent
//! (collector.md §2.1 trap 1).

use regex::bytes::Regex;

use crate::lines::{cut, line_ends};
use crate::pipeline::Multiline;

/// Offsets of one event in the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    pub start: usize,
    /// End of the text, without the newline.
    pub end: usize,
    /// Where the next event starts.
    pub next: usize,
    /// The text goes on in the next event: it was longer than the limit.
    pub cut: bool,
}

/// The rule by which the events of a pipeline are found.
#[derive(Debug, Clone)]
pub struct Splitter {
    begin: Option<Regex>,
    bytes_max: usize,
}

impl Splitter {
    /// `bytes_max` is the longest event; a longer one is cut (between lines where possible).
    pub fn new(rule: &Multiline, bytes_max: usize) -> Self {
        let begin = match rule {
            Multiline::SingleLine => None,
            Multiline::Begin(regex) => Some(regex.clone()),
        };
        Self { begin, bytes_max }
    }

    /// Hands every complete event of `data` to `emit`; returns how many bytes they take.
    ///
    /// `data[..*examined]` was seen by an earlier call that left it pending; afterwards `examined`
    /// is the same for the bytes that are still pending.
    pub fn split(&self, data: &[u8], examined: &mut usize, mut emit: impl FnMut(Event)) -> usize {
        match &self.begin {
            None => self.split_lines(data, examined, &mut emit),
            Some(begin) => self.join_lines(begin, data, examined, &mut emit),
        }
    }

    /// Hands everything in `data` over: the complete events, then the rest as one.
    pub fn flush(&self, data: &[u8], examined: &mut usize, mut emit: impl FnMut(Event)) -> usize {
        let mut start = self.split(data, examined, &mut emit);
        let last_line = memchr::memrchr(b'\n', data).map_or(0, |newline| newline + 1);
        let begins = |line: usize| {
            let text = data.get(line..).unwrap_or_default();
            self.begin.as_ref().is_some_and(|begin| !text.is_empty() && begin.is_match(text))
        };
        if last_line > start && begins(last_line) {
            emit(Event { start, end: last_line - 1, next: last_line, cut: false });
            start = last_line;
        }
        if start < data.len() {
            let end = if data.ends_with(b"\n") { data.len() - 1 } else { data.len() };
            emit(Event { start, end, next: data.len(), cut: false });
        }
        *examined = 0;
        data.len()
    }

    fn split_lines(&self, data: &[u8], examined: &mut usize, emit: &mut impl FnMut(Event)) -> usize {
        let mut start = 0;
        for end in line_ends(data, *examined) {
            start = self.cut_until(data, start, end, emit);
            emit(Event { start, end, next: end + 1, cut: false });
            start = end + 1;
        }
        start = self.cut_until(data, start, data.len(), emit);
        *examined = data.len() - start;
        start
    }

    fn join_lines(
        &self,
        begin: &Regex,
        data: &[u8],
        examined: &mut usize,
        emit: &mut impl FnMut(Event),
    ) -> usize {
        let mut start = 0;
        let mut line = *examined;
        for end in line_ends(data, line) {
            let Some(text) = data.get(line..end) else { break };
            if line > start && begin.is_match(text) {
                emit(Event { start, end: line - 1, next: line, cut: false });
                start = line;
            }
            if end - start > self.bytes_max {
                start = self.cut_joined(data, start, line, end, emit);
            }
            line = end + 1;
        }
        if data.len() - start > self.bytes_max {
            start = self.cut_joined(data, start, line, data.len(), emit);
        }
        *examined = line.max(start) - start;
        start
    }

    /// An event of whole lines grew too long with the line `line..end`: what is before goes out.
    fn cut_joined(
        &self,
        data: &[u8],
        mut start: usize,
        line: usize,
        end: usize,
        emit: &mut impl FnMut(Event),
    ) -> usize {
        if line > start {
            emit(Event { start, end: line - 1, next: line, cut: true });
            start = line;
        }
        self.cut_until(data, start, end, emit)
    }

    /// Hands over pieces until what is left before `end` is short enough.
    fn cut_until(&self, data: &[u8], mut start: usize, end: usize, emit: &mut impl FnMut(Event)) -> usize {
        while end - start > self.bytes_max {
            let next = cut(data, start, self.bytes_max);
            emit(Event { start, end: next, next, cut: true });
            start = next;
        }
        start
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::pipeline::full_match;

    fn rule(begin: &str) -> Multiline {
        match begin {
            "" => Multiline::SingleLine,
            begin => Multiline::Begin(full_match(begin).expect("the test's regex")),
        }
    }

    /// Feeds `text` in reads of every size and demands the same events each time.
    fn check(begin: &str, bytes_max: usize, text: &str, expected: Expect) {
        let splitter = Splitter::new(&rule(begin), bytes_max);
        let mut whole = None;
        for step in 1..=text.len() {
            let mut events = String::new();
            let (mut pending, mut examined) = (Vec::new(), 0);
            for piece in text.as_bytes().chunks(step) {
                pending.extend_from_slice(piece);
                let data = pending.clone();
                let used = splitter.split(&data, &mut examined, |e| note(&mut events, &data, e));
                pending.drain(..used);
            }
            events.push_str("-- pending:\n");
            splitter.flush(&pending.clone(), &mut examined, |e| note(&mut events, &pending, e));
            assert_eq!(whole.get_or_insert_with(|| events.clone()), &events, "reads of {step} bytes");
        }
        expected.assert_eq(&whole.unwrap_or_default());
    }

    fn note(out: &mut String, data: &[u8], e: Event) {
        let text = String::from_utf8_lossy(&data[e.start..e.end]);
        out.push_str(&format!("{text:?}{}\n", if e.cut { " …" } else { "" }));
    }

    #[test]
    fn every_line_is_an_event_and_an_unterminated_one_stays_pending() {
        check(
            "",
            100,
            "one\n\ntwo\r\nthr",
            expect![[r#"
            "one"
            ""
            "two\r"
            -- pending:
            "thr"
        "#]],
        );
    }

    #[test]
    fn a_stack_trace_stays_one_event() {
        check(
            r"\d{4}-.*",
            100,
            "2024-01 boom\n\tat A\n\n\tat B\n2024-02 ok\n",
            expect![[r#"
            "2024-01 boom\n\tat A\n\n\tat B"
            -- pending:
            "2024-02 ok"
        "#]],
        );
    }

    #[test]
    fn the_begin_regex_must_match_the_whole_line() {
        check(
            r"\d{4}",
            100,
            "2024\n2024 not whole\n2025\n",
            expect![[r#"
            "2024\n2024 not whole"
            -- pending:
            "2025"
        "#]],
        );
    }

    #[test]
    fn lines_before_the_first_begin_are_one_event() {
        check(
            "B.*",
            100,
            "x\ny\nB1\nz\n",
            expect![[r#"
            "x\ny"
            -- pending:
            "B1\nz"
        "#]],
        );
    }

    #[test]
    fn an_unterminated_line_may_begin_an_event_too() {
        check(
            "B.*",
            100,
            "B1\nx\nB2",
            expect![[r#"
                -- pending:
                "B1\nx"
                "B2"
            "#]],
        );
    }

    #[test]
    fn an_over_long_line_is_cut_into_pieces() {
        check(
            "",
            4,
            "abcdefghij\nxy\n",
            expect![[r#"
            "abcd" …
            "efgh" …
            "ij"
            "xy"
            -- pending:
        "#]],
        );
    }

    #[test]
    fn an_over_long_joined_event_is_cut_between_lines() {
        check(
            "B.*",
            8,
            "B\nccc\nddd\nee\nB\n",
            expect![[r#"
            "B\nccc" …
            "ddd\nee"
            -- pending:
            "B"
        "#]],
        );
    }
}
