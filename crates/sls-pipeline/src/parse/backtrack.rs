//! Regexes with alternatives, groups that come again and repetitions that give back, run by trying one way after the
//! other.
//!
//! The engine's answer is the first way in the order of preference that leads to the end of the text
//! (leftmost-first), which is what trying in this order finds. Ways are few in expressions for logs, since
//! what may follow a repetition mostly says where it ends; where they are many, the number of steps is
//! bounded and the engine is asked instead ([`Answer::Unsure`]). Pure; called by `parse::regex`, which
//! tests that both give the same on random expressions and texts.

mod compile;

use regex_syntax::hir::Look;

use super::Span;
use super::spans::{Answer, ByteSet};

/// Steps for each byte of the text, and for any text: a guard against the many ways through some expressions.
/// Source: guess; access logs take less than one for a byte.
const STEPS_PER_BYTE: usize = 16;
const STEPS_MIN: usize = 1_024;

/// The bytes that may come next; `None` if they are not known, or the text may end.
type Next = Option<ByteSet>;

#[derive(Debug, Clone)]
enum Op {
    Literal(Box<[u8]>),
    One(ByteSet),
    /// As many bytes of the set as there are, within the bounds, and then fewer.
    Greedy(Many),
    /// As few bytes, and then more.
    Lazy(Many),
    Open(usize),
    Close(usize),
    /// Goes on with the next operation, or else at the place.
    Try {
        next: Next,
        or_else: usize,
        next_there: Next,
    },
    /// The other way round.
    TryLast {
        next: Next,
        or_else: usize,
        next_there: Next,
    },
    Jump(usize),
    /// Nothing of the text, but something about the place.
    Look(Look),
    Match,
}

/// A repetition of one set.
#[derive(Debug, Clone)]
struct Many {
    set: ByteSet,
    min: usize,
    max: usize,
    next: Next,
    /// What follows may begin inside of the repetition.
    gives_back: bool,
}

impl Many {
    fn may_end_before(&self, text: &[u8], at: usize) -> bool {
        self.next.as_ref().is_none_or(|next| text.get(at).is_some_and(|byte| next.contains(*byte)))
    }

    /// The last place from `low` to `high` that what follows may begin at.
    fn last_end(&self, text: &[u8], low: usize, high: usize) -> Option<usize> {
        (low..=high).rev().find(|at| self.may_end_before(text, *at))
    }
}

/// What is tried when a way ends.
#[derive(Debug, Clone, Copy)]
enum Frame {
    Again {
        op: usize,
        at: usize,
    },
    /// The greedy repetition may end at any place from `low` to `high`.
    Fewer {
        op: usize,
        low: usize,
        high: usize,
    },
    /// The lazy one may end at `at` or later, up to `high`.
    Longer {
        op: usize,
        at: usize,
        high: usize,
    },
    /// The group was here before.
    Group {
        group: usize,
        was: Span,
    },
}

/// A compiled expression, with the memory for what is to be tried.
#[derive(Debug, Clone)]
pub struct Ways {
    ops: Vec<Op>,
    /// Something in it knows of characters beyond ASCII, and was compiled without them.
    is_for_ascii: bool,
    frames: Vec<Frame>,
}

impl Ways {
    /// Runs over the whole of `text`; group n + 1 goes into `spans[n]`.
    pub fn run(&mut self, text: &[u8], spans: &mut [Span]) -> Answer {
        let Self { ops, is_for_ascii, frames } = self;
        if *is_for_ascii && !text.is_ascii() {
            return Answer::Unsure;
        }
        frames.clear();
        spans.fill((0, 0));
        let mut steps = STEPS_MIN + STEPS_PER_BYTE * text.len();
        let (mut op, mut at) = (0, 0);
        loop {
            let Some(left) = steps.checked_sub(1) else { return Answer::Unsure };
            steps = left;
            let next = match ops.get(op) {
                Some(Op::Match) => return Answer::Match,
                Some(this) => step(this, op, text, at, spans, frames),
                None => return Answer::Unsure,
            };
            (op, at) = match next.or_else(|| retry(ops, text, spans, frames, &mut steps)) {
                Some(next) => next,
                None if steps == 0 => return Answer::Unsure,
                None => return Answer::No,
            };
        }
    }
}

/// Where to go on after `this`, which is number `op`; `None` if the way ends here.
#[inline]
fn step(
    this: &Op,
    op: usize,
    text: &[u8],
    at: usize,
    spans: &mut [Span],
    frames: &mut Vec<Frame>,
) -> Option<(usize, usize)> {
    let may_begin =
        |next: &Next| next.as_ref().is_none_or(|next| text.get(at).is_some_and(|b| next.contains(*b)));
    match this {
        Op::Literal(bytes) => text.get(at..)?.starts_with(bytes).then(|| (op + 1, at + bytes.len())),
        Op::One(set) => set.contains(*text.get(at)?).then_some((op + 1, at + 1)),
        Op::Greedy(many) => {
            let run = many.set.run(text.get(at..)?).min(many.max);
            let (low, high) = (at + many.min, at + run);
            if run < many.min {
                return None;
            }
            if !many.gives_back {
                return many.may_end_before(text, high).then_some((op + 1, high));
            }
            let end = many.last_end(text, low, high)?;
            if end > low {
                frames.push(Frame::Fewer { op, low, high: end - 1 });
            }
            Some((op + 1, end))
        }
        Op::Lazy(many) => {
            let run = many.set.run(text.get(at..)?).min(many.max);
            let high = at + run;
            let end = (at + many.min..=high).find(|at| many.may_end_before(text, *at))?;
            if end < high {
                frames.push(Frame::Longer { op, at: end + 1, high });
            }
            Some((op + 1, end))
        }
        Op::Open(group) | Op::Close(group) => {
            let span = spans.get_mut(*group)?;
            if !frames.is_empty() {
                frames.push(Frame::Group { group: *group, was: *span });
            }
            match this {
                Op::Open(_) => span.0 = at as u32,
                _ => span.1 = at as u32,
            }
            Some((op + 1, at))
        }
        Op::Try { next, or_else, next_there } => match (may_begin(next), may_begin(next_there)) {
            (true, true) => {
                frames.push(Frame::Again { op: *or_else, at });
                Some((op + 1, at))
            }
            (true, false) => Some((op + 1, at)),
            (false, true) => Some((*or_else, at)),
            (false, false) => None,
        },
        Op::TryLast { next, or_else, next_there } => match (may_begin(next), may_begin(next_there)) {
            (true, true) => {
                frames.push(Frame::Again { op: op + 1, at });
                Some((*or_else, at))
            }
            (true, false) => Some((op + 1, at)),
            (false, true) => Some((*or_else, at)),
            (false, false) => None,
        },
        Op::Jump(to) => Some((*to, at)),
        Op::Look(look) => sees(*look, text, at).then_some((op + 1, at)),
        Op::Match => None,
    }
}

/// Whether `look` holds at the place. Words are of ASCII: of others `is_for_ascii` knows.
fn sees(look: Look, text: &[u8], at: usize) -> bool {
    let before = || at.checked_sub(1).and_then(|at| text.get(at)).copied();
    let after = || text.get(at).copied();
    let is_word = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    match look {
        Look::Start => at == 0,
        Look::End => at == text.len(),
        Look::StartLF => before().is_none_or(|b| b == b'\n'),
        Look::EndLF => after().is_none_or(|b| b == b'\n'),
        Look::StartCRLF => match before() {
            Some(b'\r') => after() != Some(b'\n'),
            before => before.is_none_or(|b| b == b'\n'),
        },
        Look::EndCRLF => match after() {
            Some(b'\n') => before() != Some(b'\r'),
            after => after.is_none_or(|b| b == b'\r'),
        },
        Look::WordAscii | Look::WordUnicode => is_word(before()) != is_word(after()),
        Look::WordAsciiNegate | Look::WordUnicodeNegate => is_word(before()) == is_word(after()),
        Look::WordStartAscii | Look::WordStartUnicode => !is_word(before()) && is_word(after()),
        Look::WordEndAscii | Look::WordEndUnicode => is_word(before()) && !is_word(after()),
        Look::WordStartHalfAscii | Look::WordStartHalfUnicode => !is_word(before()),
        Look::WordEndHalfAscii | Look::WordEndHalfUnicode => !is_word(after()),
    }
}

/// The next way; `None` if there is none, or no step is left.
fn retry(
    ops: &[Op],
    text: &[u8],
    spans: &mut [Span],
    frames: &mut Vec<Frame>,
    steps: &mut usize,
) -> Option<(usize, usize)> {
    while let Some(frame) = frames.pop() {
        *steps = steps.checked_sub(1)?;
        match frame {
            Frame::Again { op, at } => return Some((op, at)),
            Frame::Group { group, was } => {
                if let Some(span) = spans.get_mut(group) {
                    *span = was;
                }
            }
            Frame::Fewer { op, low, high } => {
                let Some(Op::Greedy(many)) = ops.get(op) else { continue };
                let Some(end) = many.last_end(text, low, high) else { continue };
                if end > low {
                    frames.push(Frame::Fewer { op, low, high: end - 1 });
                }
                *steps = steps.saturating_sub((high - end) / STEPS_PER_BYTE);
                return Some((op + 1, end));
            }
            Frame::Longer { op, at, high } => {
                let Some(Op::Lazy(many)) = ops.get(op) else { continue };
                let Some(end) = (at..=high).find(|at| many.may_end_before(text, *at)) else { continue };
                if end < high {
                    frames.push(Frame::Longer { op, at: end + 1, high });
                }
                *steps = steps.saturating_sub((end - at) / STEPS_PER_BYTE);
                return Some((op + 1, end));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::full_match;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: &str) {
        let regex = full_match(pattern).expect("the test's regex");
        let got = match Ways::new(regex.as_str()) {
            None => "not taken".to_owned(),
            Some(mut ways) => {
                let mut spans = vec![(0, 0); regex.captures_len() - 1];
                ways.run(text.as_bytes(), &mut spans).show(text, &spans)
            }
        };
        assert_eq!(got, expected, "{pattern:?} on {text:?}");
    }

    #[test]
    fn ways_are_tried_in_their_order() {
        check(r"(a|ab)(c?)", "abc", "ab|c");
        check(r"(a|ab)(b?)", "ab", "a|b");
        check(r"(.*) (\d+)", "a 1 2", "a 1|2");
        check(r"(.*?) (\d.*)", "a 1 2", "a|1 2");
        check(r"(\w+)x(x?)", "axx", "ax|");
        check(r"((?:\d{1,3}\.){3}\d{1,3}):(\d+)", "10.0.0.1:80", "10.0.0.1|80");
        check(r"(GET|POST|PUT) (\S+)", "PUT /a", "PUT|/a");
        check(r"(GET|POST|PUT) (\S+)", "PAT /a", "No");
    }

    #[test]
    fn a_group_keeps_what_it_held_last_and_forgets_what_was_given_up() {
        check(r"(?:(a)|(b))+", "ab", "a|b");
        check(r"(?:(a)b)*(a?)", "aba", "a|a");
        check(r"(ab)?c", "c", "");
        check(r"(?:(\d)x|(\d)y)", "1y", "|1");
    }

    #[test]
    fn what_is_repeated_and_may_be_empty_is_not_taken() {
        check(r"(a*)*", "a", "not taken");
        check(r"(?:a?b?)+", "a", "not taken");
        check(r"(a?){2}", "aa", "a");
    }

    #[test]
    fn places_are_looked_at() {
        check(r"\bfoo\b.*", "foo x", "");
        check(r"\bfoo\b.*", "food", "No");
        check(r"(?u:\b)foo(?u:\B).*", "food", "");
        check(r"(?m:(?:^(\d)$\n?)*)", "1\n2", "2");
        check(r"(?Rm:(?:^(\d)$\s*)*)", "1\r\n2", "2");
        check(r"\b{start}a\b{end} .*", "a b", "");
    }

    #[test]
    fn characters_beyond_ascii_are_left_to_the_engine() {
        check(r"(\p{L}+) (.*)", "ab 1", "ab|1");
        check(r"(\p{L}+) (.*)", "ab é", "Unsure");
        check(r"(\p{Han}*)(.*)", "ab", "|ab");
        check(r"(é|a)", "a", "a");
    }

    #[test]
    fn too_many_ways_are_left_to_the_engine() {
        let text = "a".repeat(2_000);
        check(r"(?:a|a)*(?:a|a)*b", &text, "No");
        check(r"(?:a?a?)+?c*a*a*a*a*a*[ab]*d", &format!("{text}d."), "not taken");
        check(r"(.*)(.*)(.*)(.*)x\d", &format!("{text}x"), "Unsure");
    }
}
