//! Accounting: which of the numbered lines of each source arrived, and how often. Pure.
//!
//! `mock_log` numbers the lines of each stream from 1 and puts run, source and number into a URL
//! that stands in the line (`?run=…&src=…&seq=…`); this module reads them back.

use std::collections::BTreeMap;

use serde::Serialize;

/// Identity of one line, as it stands in the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineId {
    pub run: String,
    pub source: String,
    pub seq: u64,
}

impl LineId {
    /// Finds the identity in a text that holds the generator's URL.
    pub fn find(text: &str) -> Option<Self> {
        let query = &text[text.find("?run=")? + 1..];
        let query = query.split([' ', '"']).next()?;
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        Some(Self {
            run: value("run")?.to_owned(),
            source: value("src")?.to_owned(),
            seq: value("seq")?.parse().ok()?,
        })
    }
}

/// One row of the result: a source's lines in one Logstore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stream {
    /// The scenario that counted it; empty outside of a run of several.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scenario: String,
    pub logstore: String,
    pub source: String,
    /// Lines the source says it wrote.
    pub written: u64,
    /// Lines in the Logstore, repeated ones included.
    pub received: u64,
    /// Numbers between 1 and `written` that are not there.
    pub missing: u64,
    /// Lines that are there once more than they should be.
    pub duplicated: u64,
    /// How many may be: more than none only where what happened to the collector or to the network
    /// leaves it no way to know what the service has.
    #[serde(skip_serializing_if = "is_zero")]
    pub duplicates_allowed: u64,
    /// The first missing numbers, for the message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub first_missing: Vec<u64>,
}

/// How many missing numbers a row names.
const FIRST_MISSING_MAX: usize = 5;

impl Stream {
    pub fn is_complete(&self) -> bool {
        self.missing == 0 && self.duplicated <= self.duplicates_allowed
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Counts of what was received from one source.
#[derive(Debug, Default, Clone)]
pub struct Received {
    seen: BTreeMap<u64, u64>,
}

impl Received {
    pub fn add(&mut self, seq: u64) {
        *self.seen.entry(seq).or_default() += 1;
    }

    /// Holds what was received against the numbers 1 to `written`.
    ///
    /// A number above `written` counts as duplicated: it is a line too many.
    pub fn against(&self, logstore: &str, source: &str, written: u64) -> Stream {
        let received: u64 = self.seen.values().sum();
        let expected_seen = self.seen.range(1..=written).count() as u64;
        let mut first_missing = Vec::new();
        if expected_seen < written {
            first_missing
                .extend((1..=written).filter(|n| !self.seen.contains_key(n)).take(FIRST_MISSING_MAX));
        }
        Stream {
            scenario: String::new(),
            logstore: logstore.to_owned(),
            source: source.to_owned(),
            written,
            received,
            missing: written - expected_seen,
            duplicated: received - expected_seen,
            duplicates_allowed: 0,
            first_missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_read_from_an_access_url_and_from_an_error_line() {
        let expected = LineId { run: "r1".into(), source: "pod-a".into(), seq: 7 };
        for text in [
            "/login?run=r1&src=pod-a&seq=7",
            r#"… request: "GET /?run=r1&src=pod-a&seq=7 HTTP/1.1", host: "www.example.com""#,
        ] {
            assert_eq!(LineId::find(text), Some(expected.clone()));
        }
        assert_eq!(LineId::find("/login?run=r1&src=pod-a"), None);
        assert_eq!(LineId::find("no url"), None);
    }

    #[test]
    fn missing_and_duplicated_lines_are_told_apart() {
        let mut received = Received::default();
        for seq in [1, 2, 2, 4, 9] {
            received.add(seq);
        }
        let stream = received.against("ls", "pod", 5);
        assert_eq!((stream.written, stream.received, stream.missing, stream.duplicated), (5, 5, 2, 2));
        assert_eq!(stream.first_missing, [3, 5]);
        assert!(!stream.is_complete());
    }

    #[test]
    fn repeated_lines_are_borne_up_to_what_is_allowed_and_missing_ones_never() {
        let mut received = Received::default();
        [1, 2, 2, 3, 3].iter().for_each(|seq| received.add(*seq));
        let stream = |written, duplicates_allowed| Stream {
            duplicates_allowed,
            ..received.against("ls", "pod", written)
        };
        assert!(stream(3, 2).is_complete());
        assert!(!stream(3, 1).is_complete());
        assert!(!stream(4, 2).is_complete());
    }

    #[test]
    fn every_number_once_is_complete() {
        let mut received = Received::default();
        (1..=1000).for_each(|seq| received.add(seq));
        assert!(received.against("ls", "pod", 1000).is_complete());
    }
}
