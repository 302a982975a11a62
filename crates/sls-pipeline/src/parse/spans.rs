//! Regexes that are a plain row of classes, literals and repetitions, run without an automaton.
//!
//! The expressions of access logs (`(\S+)\s"([^"]*)"…`) have no alternation: the engine's first
//! choice is that every greedy repetition takes all it can, and every lazy one stops at the first
//! byte that may follow. If that one way through leads to the end of the text it *is* the engine's
//! answer (leftmost-first), and costs a few scans. If it does not, the program knows whether another
//! way could exist ([`Answer::No`]) or not ([`Answer::Unsure`]: try all ways). Pure; called by
//! `parse::regex`, which tests that both give the same on random expressions and texts.

mod class;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

pub use self::class::ByteSet;
use super::Span;

/// Longer expressions than this are left to others; a guard, far above real ones.
const STEPS_MAX: usize = 500;

/// What one run says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The text matches; the spans are filled.
    Match,
    /// The text does not match.
    No,
    /// This way through does not lead to the end; another may.
    Unsure,
}

#[cfg(test)]
impl Answer {
    /// The texts of the groups with bars between them, or the name of the answer.
    pub fn show(self, text: &str, spans: &[Span]) -> String {
        match self {
            Self::Match => {
                let texts = spans.iter().map(|(start, end)| &text[*start as usize..*end as usize]);
                texts.collect::<Vec<_>>().join("|")
            }
            other => format!("{other:?}"),
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Open(usize),
    Close(usize),
    Literal(Box<[u8]>),
    One(ByteSet),
    /// As many bytes of the set as there are, within the bounds.
    Greedy {
        set: ByteSet,
        min: usize,
        max: usize,
    },
    /// As few bytes of the set as lead to a byte of `until`.
    Lazy {
        set: ByteSet,
        min: usize,
        until: ByteSet,
    },
}

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Program {
    steps: Vec<Step>,
    /// No other way through can lead to the end.
    is_exact: bool,
}

impl Program {
    /// Compiles an expression made by [`crate::pipeline::full_match`]; `None` if it is not of the
    /// kind, or if the first way through would hardly ever succeed.
    pub fn new(full_match: &str) -> Option<Self> {
        let mut parser = ParserBuilder::new().unicode(false).utf8(false).dot_matches_new_line(true).build();
        let hir = parser.parse(full_match).ok()?;
        let mut steps = Vec::new();
        let mut ends = false;
        flatten(&hir, &mut steps, &mut ends)?;
        if !ends || steps.len() > STEPS_MAX {
            return None;
        }
        let is_exact = settle(&mut steps)?;
        Some(Self { steps, is_exact })
    }

    /// Runs over the whole of `text`; group n + 1 goes into `spans[n]`.
    #[inline]
    pub fn run(&self, text: &[u8], spans: &mut [Span]) -> Answer {
        match self.walk(text, spans) {
            Some(()) => Answer::Match,
            None if self.is_exact => Answer::No,
            None => Answer::Unsure,
        }
    }

    #[inline]
    fn walk(&self, text: &[u8], spans: &mut [Span]) -> Option<()> {
        let mut at = 0;
        for step in &self.steps {
            match step {
                Step::Open(group) => spans.get_mut(*group)?.0 = at as u32,
                Step::Close(group) => spans.get_mut(*group)?.1 = at as u32,
                Step::Literal(bytes) => {
                    if !text.get(at..)?.starts_with(bytes) {
                        return None;
                    }
                    at += bytes.len();
                }
                Step::One(set) => {
                    if !set.contains(*text.get(at)?) {
                        return None;
                    }
                    at += 1;
                }
                Step::Greedy { set, min, max } => {
                    let rest = text.get(at..)?;
                    let run = set.run(rest).min(*max);
                    if run < *min {
                        return None;
                    }
                    at += run;
                }
                Step::Lazy { set, min, until } => {
                    let rest = text.get(at + min..)?;
                    let stop = until.find(rest)?;
                    if set.run(text.get(at..at + min + stop)?) < min + stop {
                        return None;
                    }
                    at += min + stop;
                }
            }
        }
        (at == text.len()).then_some(())
    }
}

/// Writes the row of steps that `hir` is; `None` if it is more than a row.
fn flatten(hir: &Hir, steps: &mut Vec<Step>, ends: &mut bool) -> Option<()> {
    if *ends && !matches!(hir.kind(), HirKind::Empty | HirKind::Look(_)) {
        return None; // something after the end of the text
    }
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Look(Look::Start) if steps.iter().all(|s| matches!(s, Step::Open(_))) => {}
        HirKind::Look(Look::End) => *ends = true,
        HirKind::Literal(literal) => steps.push(Step::Literal(literal.0.clone())),
        HirKind::Class(class) => steps.push(Step::One(set_of(class)?)),
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| flatten(part, steps, ends))?,
        HirKind::Capture(capture) => {
            let group = (capture.index as usize).checked_sub(1)?;
            steps.push(Step::Open(group));
            flatten(&capture.sub, steps, ends)?;
            steps.push(Step::Close(group));
        }
        HirKind::Repetition(repetition) => steps.push(repeat(repetition)?),
        HirKind::Look(_) | HirKind::Alternation(_) => return None,
    }
    Some(())
}

fn repeat(repetition: &Repetition) -> Option<Step> {
    let set = match repetition.sub.kind() {
        HirKind::Class(class) => set_of(class)?,
        HirKind::Literal(literal) => match *literal.0 {
            [byte] => ByteSet::new(&[(byte, byte)]),
            _ => return None,
        },
        _ => return None,
    };
    let min = repetition.min as usize;
    let max = repetition.max.map_or(usize::MAX, |max| max as usize);
    Some(match repetition.greedy || min == max {
        true => Step::Greedy { set, min, max },
        // What follows is filled in when it is known.
        false if max == usize::MAX => Step::Lazy { set, min, until: ByteSet::new(&[]) },
        false => return None,
    })
}

/// The bytes of a class; `None` if it has others than bytes.
fn set_of(class: &Class) -> Option<ByteSet> {
    match class {
        Class::Bytes(bytes) => Some(ByteSet::of_class(bytes)),
        Class::Unicode(_) => None,
    }
}

/// Looks at each repetition and what may follow it: true if the first way through is the only one,
/// `None` if it is hardly ever one.
fn settle(steps: &mut [Step]) -> Option<bool> {
    let mut is_exact = true;
    // What the rest of the expression may begin with, and whether it may be empty.
    let (mut follow, mut may_end) = (ByteSet::new(&[]), true);
    for step in steps.iter_mut().rev() {
        match step {
            Step::Open(_) | Step::Close(_) => {}
            Step::Literal(bytes) => {
                let first = *bytes.first()?;
                (follow, may_end) = (ByteSet::new(&[(first, first)]), false);
            }
            Step::One(set) => (follow, may_end) = (set.clone(), false),
            Step::Greedy { set, min, max } => {
                if min != max && set.intersects(&follow) {
                    is_exact = false;
                    if *max == usize::MAX && !may_end && follow.is_within(set) {
                        return None; // it would always swallow what must follow
                    }
                }
                if *min > 0 {
                    (follow, may_end) = (set.clone(), false);
                } else {
                    follow = follow.union(set);
                }
            }
            Step::Lazy { set, min, until } => {
                if may_end {
                    return None; // a lazy repetition before the end of the text
                }
                *until = follow.clone();
                is_exact &= !set.intersects(&follow);
                if *min > 0 {
                    follow = set.clone();
                } else {
                    follow = follow.union(set);
                }
            }
        }
    }
    Some(is_exact)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::full_match;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: &str) {
        let regex = full_match(pattern).expect("the test's regex");
        let got = match Program::new(regex.as_str()) {
            None => "not a row".to_owned(),
            Some(program) => {
                let mut spans = vec![(0, 0); regex.captures_len() - 1];
                program.run(text.as_bytes(), &mut spans).show(text, &spans)
            }
        };
        assert_eq!(got, expected, "{pattern:?} on {text:?}");
    }

    #[test]
    fn rows_of_classes_are_run() {
        check(
            r#"(\S+)\s\[([^\]]+)\] "(\w+) ([^"]*)" (\d{3})"#,
            r#"ip [now] "GET /a b" 200"#,
            "ip|now|GET|/a b|200",
        );
        check(r"(\d+)", "12x", "No");
        check(r"^(\d+)$", "12", "12");
        check(r"(a?)(b*)(c{2})", "bbcc", "|bb|cc");
        check(r"(\w+): (.*)", "E: one\ntwo", "E|one\ntwo");
        check(r"", "", "");
    }

    #[test]
    fn an_overlap_is_run_and_doubted_only_when_it_fails() {
        check(r#"(\S+)\s+([^"]+)"#, "a  b c", "a|b c");
        check(r#"(\S+)\s+([^"]+)"#, "a  ", "Unsure");
    }

    #[test]
    fn a_lazy_repetition_stops_at_the_first_byte_that_may_follow() {
        check(r#""(.*?)" (\d+)"#, r#""GET /" 200"#, "GET /|200");
        check(r#""(.*?)" (\d+)"#, r#""a" b" 200"#, "Unsure");
        check(r"(.*?)", "x", "not a row");
    }

    #[test]
    fn what_would_swallow_its_own_end_is_left_to_the_engine() {
        check(r"(.*) (\d+)", "a 1", "not a row");
        check(r"(\w+)x", "axx", "not a row");
        check(r"(a|bc)d", "ad", "not a row");
        check(r"(?:ab)+", "abab", "not a row");
        check(r"(ab)?c", "c", "not a row");
        check(r"\bfoo", "foo", "not a row");
    }
}
