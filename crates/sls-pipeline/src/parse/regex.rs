//! Capture groups of a full match, read into spans without allocation.
//!
//! Expressions that are a row of classes run as a [`Program`]; all others, and what that is unsure of, as [`Ways`].
//! The engine answers where these are unsure, and for expressions that are too long for them.

use regex::bytes::{CaptureLocations, Regex};

use super::Span;
use super::backtrack::Ways;
use super::spans::{Answer, Program};

/// A regex with the scratch memory for its groups.
#[derive(Debug)]
pub struct Captures {
    /// Asked first.
    program: Option<Program>,
    /// Asked next.
    ways: Asked,
    regex: Regex,
    groups: CaptureLocations,
}

/// A matcher that is made when it is first asked.
#[derive(Debug)]
enum Asked {
    NotYet,
    /// The expression is too long for it.
    Never,
    Ways(Box<Ways>),
}

impl Captures {
    /// `regex` comes from [`crate::pipeline::full_match`].
    pub fn new(regex: &Regex) -> Self {
        let program = Program::new(regex.as_str());
        Self { program, ways: Asked::NotYet, regex: regex.clone(), groups: regex.capture_locations() }
    }

    /// Leaves everything to the engine.
    #[cfg(test)]
    fn by_engine_alone(regex: &Regex) -> Self {
        Self { program: None, ways: Asked::Never, ..Self::new(regex) }
    }

    /// Leaves nothing to a row of classes.
    #[cfg(test)]
    fn by_ways(regex: &Regex) -> Self {
        Self { program: None, ..Self::new(regex) }
    }

    /// As `by_ways`, with every choice marked from the beginning.
    #[cfg(test)]
    fn by_marked_ways(regex: &Regex) -> Self {
        let ways = Ways::marked(regex.as_str()).expect("a short expression");
        Self { program: None, ways: Asked::Ways(Box::new(ways)), ..Self::new(regex) }
    }

    /// Reads group n + 1 into `spans[n]`; false if the event does not match as a whole.
    #[inline]
    pub fn read(&mut self, event: &[u8], spans: &mut [Span]) -> bool {
        match self.program.as_ref().map(|program| program.run(event, spans)) {
            Some(Answer::Match) => true,
            Some(Answer::No) => false,
            Some(Answer::Unsure) | None => self.read_by_ways(event, spans),
        }
    }

    fn read_by_ways(&mut self, event: &[u8], spans: &mut [Span]) -> bool {
        if let Asked::NotYet = self.ways {
            let ways = Ways::new(self.regex.as_str());
            self.ways = ways.map_or(Asked::Never, |ways| Asked::Ways(Box::new(ways)));
        }
        let answer = match &mut self.ways {
            Asked::Ways(ways) => ways.run(event, spans),
            Asked::NotYet | Asked::Never => Answer::Unsure,
        };
        match answer {
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
        let (new, ways) = (Captures::new(&regex), Captures::by_ways(&regex));
        for (name, mut captures) in
            [("new", new), ("ways", ways), ("marked", Captures::by_marked_ways(&regex))]
        {
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
            "é",
            "",
            r"\b",
            r"\B",
            "^",
            "$",
            r"(?u:\b)",
            r"(?u:\w)",
            r"(?u:[^a])",
            "(?u:.)",
            "(?u:[1é])",
            "(?u:[^é])",
            r"(?u:\B)",
            r"(?u:\b{start})",
            r"(?u:\b{end})",
            r"(?u:\b{start-half})",
            r"(?u:\b{end-half})",
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
        let times = prop::sample::select(vec![
            "", "", "", "+", "*", "?", "{2}", "{1,2}", "+?", "*?", "??", "{0,2}?", "{2,}", "{2,}?",
        ]);
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
        fn the_ways_say_what_the_engine_says(pattern in any_branching_pattern(), texts in prop::collection::vec("[ab1 \r\né中😀]{0,8}", 1..20)) {
            for text in texts {
                same(&pattern, text.as_bytes());
            }
        }

        #[test]
        fn they_do_on_what_is_no_text(pattern in any_branching_pattern(), text in prop::collection::vec(prop::sample::select(b"ab \xc3\xa9\xff".to_vec()), 0..8)) {
            same(&pattern, &text);
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
