//! Expressions → operations.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use super::super::spans::ByteSet;
use super::look::is_of_characters;
use super::ops::{Choice, Code, Many, Marking, Next, Op};
use super::set::{Reading, Set, first_bytes};

/// Longer programs than this are left to the engine; a guard, far above real ones.
const OPS_MAX: usize = 2_000;

/// Reads an expression as [`crate::pipeline::full_match`] does, which made it.
pub fn parse(full_match: &str) -> Option<Hir> {
    let parse = |unicode| {
        let mut parser = ParserBuilder::new();
        parser.unicode(unicode).utf8(false).dot_matches_new_line(true).build().parse(full_match).ok()
    };
    parse(false).or_else(|| parse(true))
}

impl Code {
    /// `None` if it is too long.
    pub fn new(hir: &Hir, reading: Reading, marking: Marking) -> Option<Self> {
        let mut compiler = Compiler {
            ops: Vec::new(),
            reading,
            is_marking: marking == Marking::All,
            marks: 0,
            asks_for_characters: false,
        };
        compiler.compile(hir, &None)?;
        let Compiler { mut ops, marks, asks_for_characters, .. } = compiler;
        ops.push(Op::Match);
        Some(Self { ops: ops.into(), reading, marking, marks, asks_for_characters })
    }
}

#[derive(Debug)]
struct Compiler {
    ops: Vec<Op>,
    reading: Reading,
    /// Whether the next choice gets marks.
    is_marking: bool,
    /// How many have.
    marks: usize,
    asks_for_characters: bool,
}

impl Compiler {
    /// Appends what `hir` does; `follow` is what may come behind it. `None` if it is too long.
    fn compile(&mut self, hir: &Hir, follow: &Next) -> Option<()> {
        if self.ops.len() > OPS_MAX {
            return None;
        }
        match hir.kind() {
            HirKind::Empty => {}
            HirKind::Literal(literal) => self.ops.push(Op::Literal(literal.0.clone())),
            HirKind::Class(class) => {
                let set = self.set(class);
                self.ops.push(Op::One(set));
            }
            HirKind::Look(look) => {
                self.asks_for_characters |= is_of_characters(*look);
                self.ops.push(Op::Look(*look));
            }
            HirKind::Capture(capture) => {
                let group = (capture.index as usize).checked_sub(1)?;
                self.ops.push(Op::Open(group));
                self.compile(&capture.sub, follow)?;
                self.ops.push(Op::Close(group));
            }
            HirKind::Concat(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    let rest = parts.get(index + 1..).unwrap_or_default();
                    let follow = rest.iter().rfold(follow.clone(), |follow, part| self.first(part, &follow));
                    self.compile(part, &follow)?;
                }
            }
            HirKind::Alternation(ways) => self.alternatives(ways, follow)?,
            HirKind::Repetition(repetition) => self.repeat(repetition, follow)?,
        }
        Some(())
    }

    fn alternatives(&mut self, ways: &[Hir], follow: &Next) -> Option<()> {
        let mut jumps = Vec::new();
        for (index, way) in ways.iter().enumerate() {
            let others = ways.get(index + 1..).unwrap_or_default();
            let choice = self.ops.len();
            if !others.is_empty() {
                let next_there = others.iter().map(|way| self.first(way, follow)).reduce(union).flatten();
                let next = self.first(way, follow);
                let mark = self.mark();
                self.ops.push(Op::Try(Choice { next, or_else: 0, next_there, mark }));
            }
            self.compile(way, follow)?;
            if !others.is_empty() {
                jumps.push(self.ops.len());
                self.ops.push(Op::Jump(0));
                self.aim(choice);
            }
        }
        jumps.into_iter().for_each(|jump| self.aim(jump));
        Some(())
    }

    /// Has the operation at `place` go on at the end of what there is.
    fn aim(&mut self, place: usize) {
        let end = self.ops.len();
        if let Some(
            Op::Try(Choice { or_else: to, .. }) | Op::TryLast(Choice { or_else: to, .. }) | Op::Jump(to),
        ) = self.ops.get_mut(place)
        {
            *to = end;
        }
    }

    fn repeat(&mut self, repetition: &Repetition, follow: &Next) -> Option<()> {
        if let Some(many) = self.many(repetition, follow) {
            self.ops.push(if repetition.greedy { Op::Greedy(many) } else { Op::Lazy(many) });
            return Some(());
        }
        let Repetition { min, max, sub, .. } = repetition;
        let may_be_empty = sub.properties().minimum_len().is_none_or(|length| length == 0);
        let again = union(self.first(sub, follow), follow.clone());
        match max {
            None if may_be_empty => self.repeat_what_may_be_empty(repetition, follow, &again),
            None => {
                for _ in 0..*min {
                    self.compile(sub, &again)?;
                }
                let begin = self.choice(repetition, follow, &again);
                self.compile(sub, &again)?;
                self.ops.push(Op::Jump(begin));
                self.aim(begin);
                Some(())
            }
            Some(max) => {
                for _ in 0..*min {
                    self.compile(sub, &again)?;
                }
                let mut choices = Vec::new();
                for _ in *min..*max {
                    choices.push(self.choice(repetition, follow, &again));
                    self.compile(sub, &again)?;
                }
                choices.into_iter().for_each(|choice| self.aim(choice));
                Some(())
            }
        }
    }

    /// A repetition of one set; `None` if it is one of something else.
    fn many(&mut self, repetition: &Repetition, follow: &Next) -> Option<Many> {
        let (set, first) = match repetition.sub.kind() {
            HirKind::Class(class) => (self.set(class), first_bytes(class, self.reading)),
            HirKind::Literal(literal) => match *literal.0 {
                [byte] => (Set::of_byte(byte), ByteSet::new(&[(byte, byte)])),
                _ => return None,
            },
            _ => return None,
        };
        let gives_back = Some(repetition.min) != repetition.max
            && follow.as_ref().is_none_or(|follow| first.intersects(follow));
        let (min, max) = (repetition.min as usize, repetition.max.map_or(usize::MAX, |max| max as usize));
        Some(Many { set, min, max, next: follow.clone(), gives_back, mark: self.mark() })
    }

    /// The engine takes `x*` for `(x+)?` if x may be empty, and the choice of another x is behind x.
    fn repeat_what_may_be_empty(
        &mut self,
        repetition: &Repetition,
        follow: &Next,
        again: &Next,
    ) -> Option<()> {
        let is_marking = std::mem::replace(&mut self.is_marking, true);
        let none = (repetition.min == 0).then(|| self.choice(repetition, follow, again));
        for _ in 1..repetition.min {
            self.compile(&repetition.sub, again)?;
        }
        let begin = self.ops.len();
        self.compile(&repetition.sub, again)?;
        let choice = self.choice(repetition, follow, again);
        self.ops.push(Op::Jump(begin));
        [Some(choice), none].into_iter().flatten().for_each(|choice| self.aim(choice));
        self.is_marking = is_marking;
        Some(())
    }

    /// Appends the choice whether the repeated comes now; what it is otherwise is aimed at later. Its place.
    fn choice(&mut self, repetition: &Repetition, follow: &Next, again: &Next) -> usize {
        let (next, next_there) = (self.first(&repetition.sub, again), follow.clone());
        let choice = Choice { next, or_else: 0, next_there, mark: self.mark() };
        self.ops.push(if repetition.greedy { Op::Try(choice) } else { Op::TryLast(choice) });
        self.ops.len() - 1
    }

    fn mark(&mut self) -> Option<u32> {
        let mark = self.is_marking.then_some(self.marks as u32)?;
        self.marks += 1;
        Some(mark)
    }

    fn set(&mut self, class: &Class) -> Set {
        self.asks_for_characters |= matches!(class, Class::Unicode(characters) if !characters.is_ascii());
        Set::new(class, self.reading)
    }

    /// What `hir` and what follows it may begin with.
    fn first(&self, hir: &Hir, follow: &Next) -> Next {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => follow.clone(),
            HirKind::Literal(literal) => literal.0.first().map(|byte| ByteSet::new(&[(*byte, *byte)])),
            HirKind::Class(class) => Some(first_bytes(class, self.reading)),
            HirKind::Capture(capture) => self.first(&capture.sub, follow),
            HirKind::Concat(parts) => {
                parts.iter().rfold(follow.clone(), |follow, part| self.first(part, &follow))
            }
            HirKind::Alternation(ways) => {
                ways.iter().map(|way| self.first(way, follow)).reduce(union).flatten()
            }
            HirKind::Repetition(repetition) => {
                let sub = self.first(&repetition.sub, follow);
                if repetition.min == 0 { union(sub, follow.clone()) } else { sub }
            }
        }
    }
}

fn union(a: Next, b: Next) -> Next {
    Some(a?.union(&b?))
}
