//! Lines → records, by the patterns of a config.
//!
//! A state machine over whole lines that resumes where the read before ended. Outside of a record a line
//! begins one or is a stray; inside of one it belongs to it, ends it, or shows that it had ended before.
//! Source: LoongCollector's `ProcessorSplitMultilineLogStringNative`; unlike there, a record may span
//! reads. Called by `events`.

use super::{Event, Seen, Splitter};
use crate::lines::line_ends;
use crate::pipeline::Records;

/// What a line is to the record that it follows.
enum Role {
    /// Belongs to the record, and more may follow.
    Within,
    /// Belongs to the record and is its last.
    Last,
    /// The record ended before this line.
    After,
    /// The same, and the next one begins with it.
    Begins,
    /// Neither continues nor ends the record, which therefore was none.
    Breaks,
}

pub(super) struct Joiner<'a, F> {
    splitter: &'a Splitter,
    records: &'a Records,
    data: &'a [u8],
    emit: F,
    /// Everything before was handed over.
    start: usize,
    /// The line that is looked at next.
    line: usize,
    in_record: bool,
    in_line: bool,
    /// No record has begun yet, and the lines may be the rest of one.
    is_begin_unknown: bool,
}

impl<'a, F: FnMut(Event)> Joiner<'a, F> {
    /// `records` are those of `splitter`.
    pub fn new(splitter: &'a Splitter, records: &'a Records, data: &'a [u8], seen: Seen, emit: F) -> Self {
        let Seen { examined, in_record, in_line, is_begin_unknown } = seen;
        // Where only the end is known, a record begins wherever the one before ended.
        let in_record = in_record || matches!(records, Records::End(_));
        Self {
            splitter,
            records,
            data,
            emit,
            start: 0,
            line: examined.min(data.len()),
            in_record,
            in_line,
            is_begin_unknown: is_begin_unknown && !in_record,
        }
    }

    pub fn consumed(&self) -> usize {
        self.start
    }

    pub fn seen(&self) -> Seen {
        Seen {
            examined: self.line - self.start,
            in_record: self.in_record,
            in_line: self.in_line,
            is_begin_unknown: self.is_begin_unknown,
        }
    }

    /// Looks at all lines that have their newline, and at the begin of one that is too long.
    pub fn complete_lines(&mut self) {
        for end in line_ends(self.data, self.line) {
            self.take_pieces(end);
            self.take_line(end, end + 1);
        }
        self.take_pieces(self.data.len());
    }

    /// Hands over what is left, as if the file ended there.
    pub fn rest(&mut self) {
        let len = self.data.len();
        let is_mid_line = self.line < len;
        if is_mid_line {
            self.take_line(len, len);
        }
        let has_no_end = matches!(self.records, Records::Start(_) | Records::StartContinue { .. });
        let is_record = self.in_record && has_no_end;
        if self.start < len {
            match is_record {
                true => {
                    let end = if is_mid_line { len } else { len - 1 };
                    (self.emit)(Event::new(self.start, end, len));
                }
                false => self.strays(len),
            }
        }
        (self.start, self.line) = (len, len);
        // The rest of a line that has no end yet belongs to whatever the line belonged to.
        (self.in_record, self.in_line) = (is_mid_line && is_record, is_mid_line);
    }

    /// Hands over pieces of the line that ends at or after `end`, until what is left is short enough.
    ///
    /// The first piece is judged as the line's begin, so that the reads do not decide what comes out.
    fn take_pieces(&mut self, end: usize) {
        while end - self.line > self.splitter.bytes_max {
            let next = self.splitter.encoding.cut(self.data, self.line, self.splitter.bytes_max);
            let text = self.splitter.encoding.decode(self.data.get(self.line..next).unwrap_or_default());
            let is_rest = self.in_line;
            if self.in_record {
                match self.role(&text, is_rest) {
                    Role::Within | Role::Last | Role::Breaks => {}
                    Role::Begins => self.close_before_line(false),
                    Role::After => {
                        self.close_before_line(false);
                        self.in_record = false;
                    }
                }
            }
            if !self.in_record && !is_rest && self.begins(&text) {
                self.open();
            }
            let is_stray = !self.in_record && !self.is_begin_unknown;
            self.close_before_line(true);
            (self.emit)(Event { is_cut: true, is_stray, ..Event::new(self.line, next, next) });
            (self.start, self.line, self.in_line) = (next, next, true);
        }
    }

    /// Takes the line from `self.line` to `end`; the one after it begins at `next`.
    fn take_line(&mut self, end: usize, next: usize) {
        let text = self.splitter.encoding.decode(self.data.get(self.line..end).unwrap_or_default());
        let is_rest = std::mem::take(&mut self.in_line);
        if !self.in_record {
            if is_rest {
                self.stray_line(end, next);
            } else {
                self.outside(&text, end, next);
            }
        } else {
            match self.role(&text, is_rest) {
                Role::Within => {}
                Role::Last => {
                    self.make_room(end);
                    (self.emit)(Event::new(self.start, end, next));
                    self.start = next;
                    self.in_record = matches!(self.records, Records::End(_));
                }
                Role::Begins => self.close_before_line(false),
                Role::After => {
                    self.close_before_line(false);
                    self.in_record = false;
                    self.outside(&text, end, next);
                }
                Role::Breaks => {
                    self.in_record = false;
                    self.strays(next);
                }
            }
        }
        self.make_room(end);
        self.line = next;
    }

    /// A line while no record is open.
    fn outside(&mut self, text: &[u8], end: usize, next: usize) {
        if self.begins(text) {
            self.open();
        } else if let Records::ContinueEnd { end: last, .. } = self.records
            && last.is_match(text)
        {
            self.is_begin_unknown = false;
            (self.emit)(Event::new(self.start, end, next));
            self.start = next;
        } else {
            self.stray_line(end, next);
        }
    }

    /// A record begins at the line that is looked at.
    fn open(&mut self) {
        (self.in_record, self.is_begin_unknown) = (true, false);
    }

    fn begins(&self, text: &[u8]) -> bool {
        match self.records {
            Records::Start(start)
            | Records::StartContinue { start, .. }
            | Records::StartEnd { start, .. } => start.is_match(text),
            Records::ContinueEnd { continuation, .. } => continuation.is_match(text),
            Records::End(_) => true,
        }
    }

    /// Of the rest of a line only its end can be judged: what it begins with was handed over.
    fn role(&self, text: &[u8], is_rest: bool) -> Role {
        match self.records {
            Records::Start(start) if !is_rest && start.is_match(text) => Role::Begins,
            Records::Start(_) => Role::Within,
            Records::StartContinue { continuation, .. } if is_rest || continuation.is_match(text) => {
                Role::Within
            }
            Records::StartContinue { .. } => Role::After,
            Records::StartEnd { end, .. } | Records::End(end) if end.is_match(text) => Role::Last,
            Records::StartEnd { .. } | Records::End(_) => Role::Within,
            Records::ContinueEnd { continuation, .. } if continuation.is_match(text) => Role::Within,
            Records::ContinueEnd { end, .. } if end.is_match(text) => Role::Last,
            Records::ContinueEnd { .. } if is_rest => Role::Within,
            Records::ContinueEnd { .. } => Role::Breaks,
        }
    }

    fn stray_line(&mut self, end: usize, next: usize) {
        (self.emit)(Event { is_stray: !self.is_begin_unknown, ..Event::new(self.start, end, next) });
        self.start = next;
    }

    /// Every line from the start to `next` is one of its own.
    fn strays(&mut self, next: usize) {
        let text = self.data.get(..next).unwrap_or_default();
        for end in line_ends(text, self.start) {
            self.stray_line(end, end + 1);
        }
        if self.start < next {
            self.stray_line(next, next);
        }
    }

    /// Hands over what of the open record is too long with the line that ends at `end`.
    fn make_room(&mut self, end: usize) {
        if end.saturating_sub(self.start) > self.splitter.bytes_max {
            self.close_before_line(true);
        }
    }

    /// Hands over the lines before the one that is looked at, if there are any; `is_cut` if their record goes on.
    fn close_before_line(&mut self, is_cut: bool) {
        if self.line > self.start {
            (self.emit)(Event { is_cut, ..Event::new(self.start, self.line - 1, self.line) });
            self.start = self.line;
        }
    }
}
