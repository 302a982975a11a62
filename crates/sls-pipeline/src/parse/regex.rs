//! Capture groups of a full match, read into spans without allocation.
//!
//! Expressions that are a row of classes run as a [`Program`], those with alternatives and the like as
//! [`Ways`]; the engine answers for the others, and where these are unsure.

use regex::bytes::{CaptureLocations, Regex};

use super::Span;
use super::backtrack::Ways;
use super::spans::{Answer, Program};

/// Of so many events the matcher may be unsure of a quarter before it is given up: each of these is paid for twice.
const TRIAL_EVENTS: u32 = 64;

/// What is asked before the engine.
#[derive(Debug)]
enum Fast {
    Program(Program),
    Ways {
        ways: Ways,
        /// Events since the last look, and those of them that it was unsure of.
        asked: u32,
        unsure: u32,
    },
    Nothing,
}

impl Fast {
    fn new(full_match: &str) -> Self {
        match Program::new(full_match) {
            Some(program) => Self::Program(program),
            None => Self::ways(full_match),
        }
    }

    fn ways(full_match: &str) -> Self {
        Ways::new(full_match).map_or(Self::Nothing, |ways| Self::Ways { ways, asked: 0, unsure: 0 })
    }

    #[inline]
    fn run(&mut self, event: &[u8], spans: &mut [Span]) -> Answer {
        match self {
            Self::Program(program) => program.run(event, spans),
            Self::Nothing => Answer::Unsure,
            Self::Ways { ways, asked, unsure } => {
                let answer = ways.run(event, spans);
                *asked += 1;
                *unsure += u32::from(answer == Answer::Unsure);
                if *asked == TRIAL_EVENTS {
                    let is_of_use = *unsure < TRIAL_EVENTS / 4;
                    (*asked, *unsure) = (0, 0);
                    if !is_of_use {
                        *self = Self::Nothing;
                    }
                }
                answer
            }
        }
    }
}

/// A regex with the scratch memory for its groups.
#[derive(Debug)]
pub struct Captures {
    fast: Fast,
    regex: Regex,
    groups: CaptureLocations,
}

impl Captures {
    /// `regex` comes from [`crate::pipeline::full_match`].
    pub fn new(regex: &Regex) -> Self {
        Self { fast: Fast::new(regex.as_str()), regex: regex.clone(), groups: regex.capture_locations() }
    }

    /// Leaves everything to the engine.
    #[cfg(test)]
    fn by_engine_alone(regex: &Regex) -> Self {
        Self { fast: Fast::Nothing, ..Self::new(regex) }
    }

    /// Leaves nothing to a row of classes.
    #[cfg(test)]
    fn by_ways(regex: &Regex) -> Self {
        Self { fast: Fast::ways(regex.as_str()), ..Self::new(regex) }
    }

    /// Reads group n + 1 into `spans[n]`; false if the event does not match as a whole.
    #[inline]
    pub fn read(&mut self, event: &[u8], spans: &mut [Span]) -> bool {
        match self.fast.run(event, spans) {
            Answer::Match => true,
            Answer::No => false,
            Answer::Unsure => self.read_by_engine(event, spans),
        }
    }

    fn read_by_engine(&mut self, event: &[u8], spans: &mut [Span]) -> bool {
        if self.regex.captures_read(&mut self.groups, event).is_none() {
            return false;
        }
        for (i, span) in spans.iter_mut().enumerate() {
            let (start, end) = self.groups.get(i + 1).unwrap_or((0, 0));
            *span = (start as u32, end as u32);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pipeline::full_match;

    fn same(pattern: &str, text: &[u8]) {
        let Ok(regex) = full_match(pattern) else { return };
        let mut fast = vec![(0, 0); regex.captures_len() - 1];
        let mut slow = fast.clone();
        let by_engine = Captures::by_engine_alone(&regex).read(text, &mut slow);
        for (name, mut captures) in [("new", Captures::new(&regex)), ("ways", Captures::by_ways(&regex))] {
            let by_it = captures.read(text, &mut fast);
            assert_eq!(by_it, by_engine, "{name}: {pattern:?} on {text:?}");
            if by_engine {
                assert_eq!(fast, slow, "{name}: {pattern:?} on {text:?}");
            }
        }
    }

    /// Expressions with alternatives, groups in groups and everything repeated.
    fn any_branching_pattern() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "a",
            "b",
            "1",
            " ",
            r"\d",
            r"\w",
            "[^a]",
            "[ab]",
            ".",
            "ab",
            "",
            r"\b",
            r"\B",
            "^",
            "$",
            r"(?u:\b)",
            r"(?u:\w)",
            r"(?u:[^a])",
            r"\p{Alphabetic}",
            r"\b{start}",
            r"\b{end}",
            "(?m:^)",
            "(?m:$)",
            "(?Rm:^)",
            "(?Rm:$)",
            "\n",
            "\r",
        ]);
        let times =
            prop::sample::select(vec!["", "", "", "+", "*", "?", "{2}", "{1,2}", "+?", "*?", "??", "{0,2}?"]);
        let leaf = (leaf, times.clone()).prop_map(|(leaf, times)| match leaf {
            "" | r"\b" | r"\B" | "^" | "$" => leaf.to_owned(),
            leaf if leaf.starts_with("(?") || leaf.starts_with(r"\b{") => leaf.to_owned(),
            leaf => format!("{leaf}{times}"),
        });
        leaf.prop_recursive(4, 24, 4, move |inner| {
            let parts = prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat());
            let ways = prop::collection::vec(inner, 1..4).prop_map(|ways| ways.join("|"));
            (prop_oneof![parts, ways], any::<bool>(), times.clone()).prop_map(|(sub, is_group, times)| {
                format!("({}{sub}){times}", if is_group { "" } else { "?:" })
            })
        })
    }

    /// Expressions of few letters, so that texts of the same letters match now and then.
    fn any_pattern() -> impl Strategy<Value = String> {
        let class = prop::sample::select(vec![
            "a", "b", " ", "\"", r"\s", r"\S", r"\d", r"\w", "[^a]", "[^\"]", "[^ab]", "[ab]", ".", "ab",
            "[^ \"1]",
        ]);
        let times = prop::sample::select(vec!["", "", "+", "*", "?", "{2}", "{1,2}", "+?", "*?", "{2,}"]);
        let piece = (class, times, any::<bool>()).prop_map(|(class, times, grouped)| match grouped {
            true => format!("({class}{times})"),
            false => format!("{class}{times}"),
        });
        prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn the_ways_say_what_the_engine_says(pattern in any_branching_pattern(), texts in prop::collection::vec("[ab1 \r\né]{0,8}", 1..20)) {
            for text in texts {
                same(&pattern, text.as_bytes());
            }
        }

        #[test]
        fn the_program_says_what_the_engine_says(pattern in any_pattern(), texts in prop::collection::vec("[ab1 \"\n]{0,9}", 1..20)) {
            for text in texts {
                same(&pattern, text.as_bytes());
            }
        }
    }

    #[test]
    fn the_expression_of_the_document_needs_no_engine() {
        let pattern = r#"(\S+)\s(\S+)\s\S+\s\S+\s"(\S+)\s(\S+)\s+([^"]+)"\s+(\S+)\s(\S+)\s(\d+)\s(\d+)\s(\S+)\s"([^"]+)".*"#;
        let regex = full_match(pattern).expect("regex");
        let program = Program::new(regex.as_str()).expect("a row of classes");
        let line = br#"13/Nov/2018:17:05:09 10.0.0.1 - - "GET /a?b=c HTTP/1.1" 0.012 330 200 1234 - "Mozilla/5.0 (X11)" tail"#;
        let mut spans = [(0, 0); 11];
        assert_eq!(program.run(line, &mut spans), Answer::Match);
        same(pattern, line);
    }
}
