//! The way through a text.

use super::super::Span;
use super::super::spans::Answer;
use super::look;
use super::marks::Marks;
use super::ops::{Choice, Code, Many, Marking, Op, may_begin};
use super::set::{Reach, Reading};

/// Steps for each byte of the text, and for any text: where it takes more, all choices are marked.
/// Source: guess; access logs take less than one for a byte.
const STEPS_PER_BYTE: usize = 16;
const STEPS_MIN: usize = 1_024;
/// Steps for each place and operation where all choices are marked; a guard against repetitions with a bound, whose
/// every end is looked at from every place. Source: guess.
const STEPS_PER_MARK: usize = 4;
/// Bytes that are passed over in the time of a step, at the least.
const BYTES_PER_STEP: usize = 16;
/// Most that is remembered for later; the memory for it (some 2 MiB) stays. Source: guess; access logs need ten.
pub const FRAMES_MAX: usize = 64 * 1024;

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

/// The memory for a text, used again for the next.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    frames: Vec<Frame>,
    marks: Marks,
}

impl Code {
    /// Runs over the whole of `text`; `None` if it takes too many steps.
    pub fn run(&self, text: &[u8], spans: &mut [Span], memory: &mut Memory) -> Option<Answer> {
        let Memory { frames, marks } = memory;
        if self.marks > 0 && !marks.begin(self.marks, text.len()) {
            return Some(Answer::Unsure);
        }
        frames.clear();
        spans.fill((0, 0));
        let steps = match self.marking {
            Marking::All => STEPS_PER_MARK * self.ops.len() * text.len(),
            Marking::Needed => STEPS_PER_BYTE * text.len(),
        };
        let steps = STEPS_MIN + steps;
        Run { ops: &self.ops, text, reading: self.reading, spans, frames, marks, steps }.answer()
    }
}

/// One text. All of it is inlined, so that what a step needs stays in registers: some 15 % of the time.
struct Run<'r> {
    ops: &'r [Op],
    text: &'r [u8],
    reading: Reading,
    spans: &'r mut [Span],
    frames: &'r mut Vec<Frame>,
    marks: &'r mut Marks,
    /// How many are left.
    steps: usize,
}

impl Run<'_> {
    fn answer(mut self) -> Option<Answer> {
        let (mut op, mut at) = (0, 0);
        loop {
            self.steps = self.steps.checked_sub(1)?;
            let next = match self.ops.get(op)? {
                Op::Match => return Some(Answer::Match),
                this => self.step(this, op, at),
            };
            (op, at) = match next.or_else(|| self.retry()) {
                Some(next) => next,
                None if self.steps == 0 => return None,
                None => return Some(Answer::No),
            };
        }
    }

    /// Where to go on after `this`, which is number `op`; `None` if the way ends here.
    #[inline(always)]
    fn step(&mut self, this: &Op, op: usize, at: usize) -> Option<(usize, usize)> {
        let text = self.text;
        match this {
            Op::Literal(bytes) => text.get(at..)?.starts_with(bytes).then(|| (op + 1, at + bytes.len())),
            Op::One(set) => Some((op + 1, at + set.take(text, at)?)),
            Op::Greedy(many) => {
                let Reach { low, high } = match many.mark_of_ends() {
                    None => many.reach(text, at, self.marks)?,
                    Some(mark) => many.new_reach(text, at, mark, self.marks)?,
                };
                self.pass(high - at);
                if !many.gives_back {
                    return may_begin(&many.next, text, high).then_some((op + 1, high));
                }
                let end = match may_begin(&many.next, text, high) {
                    true => high,
                    false if high == low => return None,
                    false => many.last_end(text, low, high - 1)?,
                };
                if end > low {
                    self.push(Frame::Fewer { op, low, high: end - 1 });
                }
                Some((op + 1, end))
            }
            Op::Lazy(many) => {
                let Reach { low, high } = many.reach(text, at, self.marks)?;
                self.pass(high - at);
                self.lengthen(many, op, low, high)
            }
            Op::Open(group) | Op::Close(group) => {
                let was = *self.spans.get(*group)?;
                if !self.frames.is_empty() {
                    self.push(Frame::Group { group: *group, was });
                }
                let is = if matches!(this, Op::Open(_)) { (at as u32, was.1) } else { (was.0, at as u32) };
                *self.spans.get_mut(*group)? = is;
                Some((op + 1, at))
            }
            Op::Try(choice) => self.choose(choice, at, |this, other| (this, other), op + 1),
            Op::TryLast(choice) => self.choose(choice, at, |this, other| (other, this), op + 1),
            Op::Jump(to) => Some((*to, at)),
            Op::Look(look) => look::sees(*look, text, at, self.reading).then_some((op + 1, at)),
            Op::Match => None,
        }
    }

    /// `order` puts `this` and the other into the order in which they are tried.
    #[inline(always)]
    fn choose(
        &mut self,
        choice: &Choice,
        at: usize,
        order: impl Fn(usize, usize) -> (usize, usize),
        this: usize,
    ) -> Option<(usize, usize)> {
        if let Some(mark) = choice.mark
            && !self.marks.visit(mark, at)
        {
            return None;
        }
        let here = may_begin(&choice.next, self.text, at);
        let there = may_begin(&choice.next_there, self.text, at);
        let (first, second) = order(this, choice.or_else);
        match (here, there) {
            (true, true) => {
                self.push(Frame::Again { op: second, at });
                Some((first, at))
            }
            (true, false) => Some((this, at)),
            (false, true) => Some((choice.or_else, at)),
            (false, false) => None,
        }
    }

    /// The lazy repetition `many` ends at `at` or later, up to `high`.
    #[inline(always)]
    fn lengthen(&mut self, many: &Many, op: usize, at: usize, high: usize) -> Option<(usize, usize)> {
        let mut end = at;
        loop {
            if end == high || many.set.may_end_at(self.text, end) {
                // Also an end that nothing can follow: if it was passed before, so were all behind it.
                if let Some(mark) = many.mark_of_ends()
                    && !self.marks.visit(mark, end)
                {
                    return None;
                }
                if may_begin(&many.next, self.text, end) {
                    break;
                }
            }
            if end == high {
                return None;
            }
            end += 1;
        }
        if end < high {
            self.push(Frame::Longer { op, at: end + 1, high });
        }
        self.pass(end - at);
        Some((op + 1, end))
    }

    /// The next way; `None` if there is none, or no step is left.
    #[inline(always)]
    fn retry(&mut self) -> Option<(usize, usize)> {
        let (ops, text) = (self.ops, self.text);
        while let Some(frame) = self.frames.pop() {
            self.steps = self.steps.checked_sub(1)?;
            match frame {
                Frame::Again { op, at } => return Some((op, at)),
                Frame::Group { group, was } => {
                    if let Some(span) = self.spans.get_mut(group) {
                        *span = was;
                    }
                }
                Frame::Fewer { op, low, high } => {
                    let Some(Op::Greedy(many)) = ops.get(op) else { continue };
                    let Some(end) = many.last_end(text, low, high) else { continue };
                    if end > low {
                        self.push(Frame::Fewer { op, low, high: end - 1 });
                    }
                    self.pass(high - end);
                    return Some((op + 1, end));
                }
                Frame::Longer { op, at, high } => {
                    let Some(Op::Lazy(many)) = ops.get(op) else { continue };
                    if let Some(next) = self.lengthen(many, op, at, high) {
                        return Some(next);
                    }
                }
            }
        }
        None
    }

    /// Remembers a way; where there is no room, no step is left.
    #[inline(always)]
    fn push(&mut self, frame: Frame) {
        if self.frames.len() < FRAMES_MAX {
            self.frames.push(frame);
        } else {
            self.steps = 0;
        }
    }

    /// Bytes were looked at.
    #[inline(always)]
    fn pass(&mut self, bytes: usize) {
        self.steps = self.steps.saturating_sub(bytes / BYTES_PER_STEP);
    }
}
