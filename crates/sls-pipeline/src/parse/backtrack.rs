//! Regexes with alternatives, groups that come again and repetitions that give back, run by trying one way after the
//! other.
//!
//! The engine's answer is the first way in the order of preference that leads to the end of the text
//! (leftmost-first), which is what trying in this order finds. Ways are few in expressions for logs, since
//! what may follow a repetition mostly says where it ends. Where they are many, what was tried at which place is
//! marked and not tried again, so that there are no more of them than places times choices.
//!
//! Marks also decide what an expression means that may be empty any number of times (`(a*)*`): as in the engine a
//! way ends that comes to a choice for the second time at the same place. Pure; called by `parse::regex`, which tests
//! that both give the same on random expressions and texts.

mod compile;
mod look;
mod marks;
mod ops;
mod run;
mod set;

use regex_syntax::hir::Hir;

use self::compile::parse;
use self::ops::{Code, Marking};
use self::run::Memory;
use self::set::Reading;
use super::Span;
use super::spans::Answer;

/// What a text that takes too many steps without marks counts, of which each that does not makes up for one.
const LOST: u32 = 16;
/// Where it has come to this they are all tried with marks from then on: more than one in seventeen is worth it, since marks cost
/// some 40 % more and each of these was tried in vain.
const LOST_MAX: u32 = 1_024;

/// A compiled expression, with the memory for what is to be tried.
#[derive(Debug, Clone)]
pub struct Ways {
    hir: Hir,
    /// For texts that are ASCII, and for all if the expression does not ask for characters.
    by_bytes: Matcher,
    /// For the others; made when the first comes.
    by_characters: Option<Matcher>,
    memory: Memory,
}

/// An expression for one reading of its text.
#[derive(Debug, Clone)]
struct Matcher {
    quick: Code,
    /// With all marks; made when the first text needs it.
    careful: Option<Code>,
    lost: u32,
}

impl Ways {
    /// Compiles an expression made by [`crate::pipeline::full_match`]; `None` if it is too long.
    pub fn new(full_match: &str) -> Option<Self> {
        let hir = parse(full_match)?;
        let by_bytes = Matcher::new(&hir, Reading::Bytes)?;
        Some(Self { hir, by_bytes, by_characters: None, memory: Memory::default() })
    }

    /// All choices are marked from the beginning.
    #[cfg(test)]
    pub fn marked(full_match: &str) -> Option<Self> {
        let mut ways = Self::new(full_match)?;
        ways.by_bytes.lost = LOST_MAX;
        ways.by_characters = Matcher::new(&ways.hir, Reading::Characters);
        ways.by_characters.as_mut()?.lost = LOST_MAX;
        Some(ways)
    }

    /// Runs over the whole of `text`; group n + 1 goes into `spans[n]`. Unsure of texts that are too long, and of
    /// what is no text where the expression asks for characters.
    #[inline]
    pub fn run(&mut self, text: &[u8], spans: &mut [Span]) -> Answer {
        let Self { hir, by_bytes, by_characters, memory } = self;
        if !by_bytes.quick.asks_for_characters || text.is_ascii() {
            return by_bytes.run(hir, text, spans, memory);
        }
        if std::str::from_utf8(text).is_err() {
            return Answer::Unsure;
        }
        if by_characters.is_none() {
            *by_characters = Matcher::new(hir, Reading::Characters);
        }
        by_characters.as_mut().map_or(Answer::Unsure, |matcher| matcher.run(hir, text, spans, memory))
    }
}

impl Matcher {
    fn new(hir: &Hir, reading: Reading) -> Option<Self> {
        Some(Self { quick: Code::new(hir, reading, Marking::Needed)?, careful: None, lost: 0 })
    }

    #[inline]
    fn run(&mut self, hir: &Hir, text: &[u8], spans: &mut [Span], memory: &mut Memory) -> Answer {
        if self.lost < LOST_MAX {
            if let Some(answer) = self.quick.run(text, spans, memory) {
                self.lost = self.lost.saturating_sub(1);
                return answer;
            }
            self.lost += LOST;
        }
        if self.careful.is_none() {
            self.careful = Code::new(hir, self.quick.reading, Marking::All);
        }
        let careful = self.careful.as_ref();
        careful.and_then(|code| code.run(text, spans, memory)).unwrap_or(Answer::Unsure)
    }
}

#[cfg(test)]
mod tests {
    use super::run::FRAMES_MAX;
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
    fn what_may_be_empty_comes_again_as_in_the_engine() {
        check(r"(a*)*", "aa", "aa");
        check(r"(a*)*(.*)", "b", "|b");
        check(r"(?:a?b?)+(c)", "abbac", "c");
        check(r"(?:a?(?:|b))*(b?)", "ab", "b");
        check(r"(?:(a|b??)+?c)*", "abc", "b");
        check(r"(?:(a| *?))+", "  ", "  ");
        check(r"(a?){2}", "aa", "a");
        check(r"(a?){2,}(.*)", "aab", "a|b");
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
    fn characters_beyond_ascii_are_matched() {
        check(r"(\p{L}+) (.*)", "ab 1", "ab|1");
        check(r"(\p{L}+) (.*)", "aé中 é", "aé中|é");
        check(r"(\p{L}*)(\p{L}{2})(.?)", "é中é中", "é中|é中|");
        check(r"(\p{L}*?)(中|$)(.*)", "é中é中", "é|中|é中");
        check(r"(\p{Han}*)(.*)", "中ab", "中|ab");
        check(r"(?u:\b)(?u:(\w+))(?u:\B)(.*)", "été", "ét|é");
        check(r"(é|a)", "a", "a");
        // Nothing of a character may be taken where another has only a part of it.
        check(r"(?:[^a](?u:\w)*)+", "中", "");
        check(r"(?:[^a](?u:\w)*?)+?", "中", "");
    }

    #[test]
    fn what_is_no_text_is_left_to_the_engine_where_characters_are_asked_for() {
        let mut ways = Ways::new(r"\A(?:(?u:\w)+.)\z").expect("short");
        assert_eq!(ways.run(b"a\xff", &mut []), Answer::Unsure);
        assert_eq!(ways.run("aé".as_bytes(), &mut []), Answer::No);
        assert_eq!(ways.run("éa".as_bytes(), &mut []), Answer::Match);
    }

    #[test]
    fn of_many_ways_each_is_tried_once() {
        let text = "a".repeat(2_000);
        check(r"(?:aa|a)*(?:aa|a)*b", &text, "No");
        check(r"(?:a?a?)+?c*a*a*a*a*a*[ab]*d", &format!("{text}d."), "No");
        check(r"(.*)(.*)(.*)(.*)x\d", &format!("{text}x"), "No");
        check(r"(.*)(.*)(a)(.*)x(\d)", &format!("{text}x1"), &format!("{}||a||1", "a".repeat(1_999)));
    }

    #[test]
    fn all_choices_are_marked_only_if_many_texts_need_it() {
        let mut ways = Ways::new(r"\A(?:ab|a|b)*c\z").expect("short");
        let many = "ab".repeat(100);
        let run = |ways: &mut Ways, text: &str| {
            ways.run(text.as_bytes(), &mut []);
            ways.by_bytes.lost
        };
        assert_eq!(run(&mut ways, &many), LOST);
        assert_eq!((0..LOST).map(|_| run(&mut ways, "abc")).last(), Some(0));
        assert_eq!((0..LOST_MAX / LOST + 5).map(|_| run(&mut ways, &many)).last(), Some(LOST_MAX));
        assert_eq!(run(&mut ways, "abc"), LOST_MAX);
    }

    #[test]
    fn what_would_take_too_much_memory_is_left_to_the_engine() {
        let text = "a".repeat(512 * 1024);
        check(r"(?:aa|a)*(?:aa|a)*(?:aa|a)*(?:aa|a)*b", &text, "Unsure");
        let text = "ab".repeat(FRAMES_MAX);
        check(r"(?:(a)|b)*(?:c|d)?", &text, "Unsure");
    }
}
