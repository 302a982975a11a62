//! What a compiled expression is made of.

use regex_syntax::hir::Look;

use super::super::spans::ByteSet;
use super::marks::Marks;
use super::set::{Reach, Reading, Set};

/// An expression for one reading of its text.
#[derive(Debug, Clone)]
pub struct Code {
    pub ops: Box<[Op]>,
    pub reading: Reading,
    pub marking: Marking,
    /// How many of the operations have marks.
    pub marks: usize,
    /// Something in it asks for characters beyond ASCII.
    pub asks_for_characters: bool,
}

/// Which choices are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marking {
    /// Those within what may be empty any number of times.
    Needed,
    All,
}

/// The bytes that may come next; `None` if they are not known, or the text may end.
pub type Next = Option<ByteSet>;

#[derive(Debug, Clone)]
pub enum Op {
    Literal(Box<[u8]>),
    One(Set),
    /// As much of the set as there is, within the bounds, and then less.
    Greedy(Many),
    /// As little, and then more.
    Lazy(Many),
    Open(usize),
    Close(usize),
    /// Goes on with the next operation, or else at the place.
    Try(Choice),
    /// The other way round.
    TryLast(Choice),
    Jump(usize),
    /// Nothing of the text, but something about the place.
    Look(Look),
    Match,
}

#[derive(Debug, Clone)]
pub struct Choice {
    pub next: Next,
    pub or_else: usize,
    pub next_there: Next,
    /// Number of its marks, if it has them.
    pub mark: Option<u32>,
}

/// A repetition of one set.
#[derive(Debug, Clone)]
pub struct Many {
    pub set: Set,
    pub min: usize,
    pub max: usize,
    pub next: Next,
    /// What follows may begin inside of the repetition.
    pub gives_back: bool,
    /// Number of its marks, if it has them: of all places where it may end, or, if it has a bound, of those where it
    /// begins.
    pub mark: Option<u32>,
}

impl Many {
    /// The last place from `low` to `high`, behind which it takes more, that what follows may begin at.
    pub fn last_end(&self, text: &[u8], low: usize, high: usize) -> Option<usize> {
        (low..=high).rev().find(|at| may_begin(&self.next, text, *at) && self.set.may_end_at(text, *at))
    }

    /// Number of the marks of its ends.
    pub fn mark_of_ends(&self) -> Option<u32> {
        self.mark.filter(|_| self.max == usize::MAX)
    }

    /// Where it may end that begins at `at`; `None` if nowhere, or nowhere new.
    #[inline]
    pub fn reach(&self, text: &[u8], at: usize, marks: &mut Marks) -> Option<Reach> {
        match self.mark {
            Some(mark) if self.max != usize::MAX && !marks.visit(mark, at) => None,
            _ => self.set.reach(text, at, self.min, self.max),
        }
    }

    /// The same for one without a bound whose ends are marked: as far as they are new.
    pub fn new_reach(&self, text: &[u8], at: usize, mark: u32, marks: &mut Marks) -> Option<Reach> {
        let Reach { low, .. } = self.set.reach(text, at, self.min, self.min)?;
        marks.visit(mark, low).then_some(())?;
        let mut high = low;
        while let Some(length) = self.set.take(text, high) {
            if !marks.visit(mark, high + length) {
                break;
            }
            high += length;
        }
        Some(Reach { low, high })
    }
}

#[inline]
pub fn may_begin(next: &Next, text: &[u8], at: usize) -> bool {
    next.as_ref().is_none_or(|next| text.get(at).is_some_and(|byte| next.contains(*byte)))
}
