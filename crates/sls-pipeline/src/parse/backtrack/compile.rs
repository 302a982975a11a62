//! Expressions → operations.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use super::{ByteSet, Many, Next, Op, Ways};

/// Longer programs than this are left to the engine; a guard, far above real ones.
const OPS_MAX: usize = 2_000;

impl Ways {
    /// Compiles an expression made by [`crate::pipeline::full_match`]; `None` if it is too long, or has
    /// something that only the engine knows.
    pub fn new(full_match: &str) -> Option<Self> {
        let parse = |unicode| {
            let mut parser = ParserBuilder::new();
            parser.unicode(unicode).utf8(false).dot_matches_new_line(true).build().parse(full_match).ok()
        };
        // As `full_match` does.
        let hir = parse(false).or_else(|| parse(true))?;
        let mut compiler = Compiler::default();
        compiler.compile(&hir, &None)?;
        compiler.ops.push(Op::Match);
        let Compiler { ops, is_for_ascii } = compiler;
        Some(Self { ops, is_for_ascii, frames: Vec::new() })
    }
}

#[derive(Debug, Default)]
struct Compiler {
    ops: Vec<Op>,
    is_for_ascii: bool,
}

impl Compiler {
    /// Appends what `hir` does; `follow` is what may come behind it. `None` if only the engine knows it.
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
                self.is_for_ascii |= is_of_characters(*look);
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
                    let follow = rest.iter().rfold(follow.clone(), |follow, part| first(part, &follow));
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
                let next_there = others.iter().map(|way| first(way, follow)).reduce(union).flatten();
                self.ops.push(Op::Try { next: first(way, follow), or_else: 0, next_there });
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
        if let Some(Op::Try { or_else: to, .. } | Op::TryLast { or_else: to, .. } | Op::Jump(to)) =
            self.ops.get_mut(place)
        {
            *to = end;
        }
    }

    fn repeat(&mut self, repetition: &Repetition, follow: &Next) -> Option<()> {
        let (min, max) = (repetition.min as usize, repetition.max.map(|max| max as usize));
        let set = match repetition.sub.kind() {
            HirKind::Class(class) => Some(self.set(class)),
            HirKind::Literal(literal) => match *literal.0 {
                [byte] => Some(ByteSet::new(&[(byte, byte)])),
                _ => None,
            },
            _ => None,
        };
        if let Some(set) = set {
            let gives_back = Some(min) != max && follow.as_ref().is_none_or(|follow| set.intersects(follow));
            let many = Many { set, min, max: max.unwrap_or(usize::MAX), next: follow.clone(), gives_back };
            self.ops.push(if repetition.greedy { Op::Greedy(many) } else { Op::Lazy(many) });
            return Some(());
        }
        // The engine has rules of its own for what comes again and may be empty.
        let may_be_empty = repetition.sub.properties().minimum_len().is_none_or(|length| length == 0);
        if may_be_empty && max.is_none() {
            return None;
        }
        let again = union(first(&repetition.sub, follow), follow.clone());
        let choice = || {
            let (next, next_there, or_else) = (first(&repetition.sub, &again), follow.clone(), 0);
            match repetition.greedy {
                true => Op::Try { next, or_else, next_there },
                false => Op::TryLast { next, or_else, next_there },
            }
        };
        for _ in 0..min {
            self.compile(&repetition.sub, &again)?;
        }
        match max {
            None => {
                let begin = self.ops.len();
                self.ops.push(choice());
                self.compile(&repetition.sub, &again)?;
                self.ops.push(Op::Jump(begin));
                self.aim(begin);
            }
            Some(max) => {
                let mut choices = Vec::new();
                for _ in min..max {
                    choices.push(self.ops.len());
                    self.ops.push(choice());
                    self.compile(&repetition.sub, &again)?;
                }
                choices.into_iter().for_each(|choice| self.aim(choice));
            }
        }
        Some(())
    }

    fn set(&mut self, class: &Class) -> ByteSet {
        self.is_for_ascii |= matches!(class, Class::Unicode(characters) if !characters.is_ascii());
        ascii(class)
    }
}

/// The bytes of a class; of one of characters those of ASCII.
fn ascii(class: &Class) -> ByteSet {
    let ranges: Vec<(u8, u8)> = match class {
        Class::Bytes(bytes) => bytes.ranges().iter().map(|r| (r.start(), r.end())).collect(),
        Class::Unicode(characters) => {
            let last = |end: char| if end.is_ascii() { end as u8 } else { 0x7f };
            let low = characters.iter().filter(|range| range.start().is_ascii());
            low.map(|range| (range.start() as u8, last(range.end()))).collect()
        }
    };
    ByteSet::new(&ranges)
}

/// Whether it asks for words that are not of ASCII.
fn is_of_characters(look: Look) -> bool {
    matches!(
        look,
        Look::WordUnicode
            | Look::WordUnicodeNegate
            | Look::WordStartUnicode
            | Look::WordEndUnicode
            | Look::WordStartHalfUnicode
            | Look::WordEndHalfUnicode
    )
}

/// What `hir` and what follows it may begin with.
fn first(hir: &Hir, follow: &Next) -> Next {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => follow.clone(),
        HirKind::Literal(literal) => literal.0.first().map(|byte| ByteSet::new(&[(*byte, *byte)])),
        HirKind::Class(class) => Some(ascii(class)),
        HirKind::Capture(capture) => first(&capture.sub, follow),
        HirKind::Concat(parts) => parts.iter().rfold(follow.clone(), |follow, part| first(part, &follow)),
        HirKind::Alternation(ways) => ways.iter().map(|way| first(way, follow)).reduce(union).flatten(),
        HirKind::Repetition(repetition) => {
            let sub = first(&repetition.sub, follow);
            if repetition.min == 0 { union(sub, follow.clone()) } else { sub }
        }
    }
}

fn union(a: Next, b: Next) -> Next {
    Some(a?.union(&b?))
}
