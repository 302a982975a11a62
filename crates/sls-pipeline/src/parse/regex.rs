//! Capture groups of a full match, read into spans without allocation.
//!
//! Expressions that are a row of classes run as a [`Program`]; the engine answers for the others, and
//! where the program is unsure.

use regex::bytes::{CaptureLocations, Regex};

use super::Span;
use super::spans::{Answer, Program};

/// A regex with the scratch memory for its groups.
#[derive(Debug)]
pub struct Captures {
    program: Option<Program>,
    regex: Regex,
    groups: CaptureLocations,
}

impl Captures {
    /// `regex` comes from [`crate::pipeline::full_match`].
    pub fn new(regex: &Regex) -> Self {
        Self {
            program: Program::new(regex.as_str()),
            regex: regex.clone(),
            groups: regex.capture_locations(),
        }
    }

    /// Leaves everything to the engine.
    #[cfg(test)]
    fn by_engine_alone(regex: &Regex) -> Self {
        Self { program: None, ..Self::new(regex) }
    }

    /// Reads group n + 1 into `spans[n]`; false if the event does not match as a whole.
    #[inline]
    pub fn read(&mut self, event: &[u8], spans: &mut [Span]) -> bool {
        match self.program.as_ref().map(|program| program.run(event, spans)) {
            Some(Answer::Match) => true,
            Some(Answer::No) => false,
            Some(Answer::Unsure) | None => self.read_by_engine(event, spans),
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
        let by_program = Captures::new(&regex).read(text, &mut fast);
        let by_engine = Captures::by_engine_alone(&regex).read(text, &mut slow);
        assert_eq!(by_program, by_engine, "{pattern:?} on {text:?}");
        if by_engine {
            assert_eq!(fast, slow, "{pattern:?} on {text:?}");
        }
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
