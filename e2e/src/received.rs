//! What the writers wrote, as the ledger that the emulator holds against what it received; and its answer
//! as rows of the report. Pure.
//!
//! `mock_log` numbers the lines of each stream from 1 and puts run, source and number into a URL that stands
//! in the line (`?run=…&src=…&seq=…`), where accounts look for them.

use serde::Serialize;
use sls_expect::account::Accounting;
use sls_expect::ledger::{self, Entry};

use crate::report::Check;

/// What one writer wrote to one log.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    pub run: &'a str,
    pub source: &'a str,
    /// Lines, numbered from 1.
    pub lines: u64,
    /// Their texts, if they are known.
    pub texts: &'a [String],
    /// When they were written, Unix ms, if that is known.
    pub times: &'a [u64],
}

impl<'a> Written<'a> {
    /// Lines of which no more is known than how many there are.
    pub fn lines(run: &'a str, source: &'a str, lines: u64) -> Self {
        Self { run, source, lines, texts: &[], times: &[] }
    }
}

/// The ledger of several writers.
pub fn ledger(writers: &[Written<'_>]) -> String {
    let mut ledger = String::new();
    for writer in writers {
        let Written { run, source, lines, texts, times } = *writer;
        if texts.is_empty() && times.is_empty() {
            if lines > 0 {
                let range = serde_json::json!({"run": run, "source": source, "first": 1, "last": lines});
                ledger += &format!("{range}\n");
            }
            continue;
        }
        for (seq, at) in (1..=lines).zip(0..) {
            let line = texts.get(at).map(|text| ledger::Check::of(text.as_bytes()));
            let entry = Entry { run, source, seq, time: times.get(at).copied(), line, values: None };
            // Names and numbers always become JSON.
            ledger += &serde_json::to_string(&entry).unwrap_or_default();
            ledger.push('\n');
        }
    }
    ledger
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
    /// What an account says of one writer. A line of the writer with a number that it never wrote counts as
    /// duplicated: it is a line too many.
    pub fn of(
        accounting: &Accounting,
        logstore: &str,
        writer: &Written<'_>,
        duplicates_allowed: u64,
    ) -> Self {
        let of_writer = |run: &str, source: &str| run == writer.run && source == writer.source;
        let counted =
            accounting.per_source.listed.iter().find(|account| of_writer(&account.run, &account.source));
        let extra: u64 = accounting
            .unexpected
            .listed
            .iter()
            .filter(|numbers| of_writer(&numbers.run, &numbers.source))
            .map(|numbers| numbers.last - numbers.first + 1)
            .sum();
        let missing =
            accounting.missing.listed.iter().filter(|numbers| of_writer(&numbers.run, &numbers.source));
        Self {
            scenario: String::new(),
            logstore: logstore.to_owned(),
            source: writer.source.to_owned(),
            written: writer.lines,
            received: counted.map_or(0, |account| account.received) + extra,
            missing: counted.map_or(writer.lines, |account| account.missing),
            duplicated: counted.map_or(0, |account| account.duplicates) + extra,
            duplicates_allowed,
            first_missing: missing
                .flat_map(|numbers| numbers.first..=numbers.last)
                .take(FIRST_MISSING_MAX)
                .collect(),
        }
    }

    pub fn is_complete(&self) -> bool {
        self.missing == 0 && self.duplicated <= self.duplicates_allowed
    }
}

/// Logs that no writer of the ledger wrote, though they are of its runs or do not say whose they are. Other runs
/// may write to the same Logstore.
pub fn strangers(accounting: &Accounting, writers: &[Written<'_>]) -> u64 {
    let ours = |run: &str| writers.iter().any(|writer| writer.run == run);
    let known = |source: &str| writers.iter().any(|writer| writer.source == source);
    let strange = accounting.unexpected.listed.iter().filter(|n| ours(&n.run) && !known(&n.source));
    strange.map(|numbers| numbers.last - numbers.first + 1).sum::<u64>() + accounting.unidentified.count
}

/// That there are none.
pub fn none_strange(accounting: &Accounting, logstore: &str, writers: &[Written<'_>]) -> Check {
    let strangers = strangers(accounting, writers);
    let detail = match strangers {
        0 => format!("{} lines", accounting.received),
        _ => accounting.text(),
    };
    Check::new(format!("every line in {logstore} is one of a known writer"), strangers == 0, detail)
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use sls_expect::account::{Accountant, Arrival, Options};
    use sls_expect::ledger::LedgerParser;

    use super::*;

    fn accounting(texts: &[String], writer: &Written<'_>) -> Accounting {
        let ledger = LedgerParser::parse(ledger(&[*writer]).as_bytes()).expect("a ledger");
        let mut accountant = Accountant::new(ledger, Options::default()).expect("an accountant");
        for text in texts {
            accountant.add_group(Arrival::default(), [[(b"content".as_slice(), text.as_bytes())]]);
        }
        accountant.finish()
    }

    #[test]
    fn a_line_of_an_unknown_writer_is_strange_and_one_of_another_run_is_not() {
        let writer = Written::lines("r", "pod", 1);
        let strange = |text: &str| strangers(&accounting(&[text.to_owned()], &writer), &[writer]);
        assert_eq!(strange("GET /?run=r&src=pod&seq=1 x"), 0);
        assert_eq!(strange("GET /?run=other&src=else&seq=1 x"), 0);
        assert_eq!(strange("GET /?run=r&src=else&seq=1 x"), 1);
        assert_eq!(strange("GET /?run=r&src=po"), 1);
    }

    /// The stream of a writer whose lines with these numbers came.
    fn received(seqs: &[u64], written: u64, allowed: u64) -> Stream {
        let writer = Written::lines("r", "pod", written);
        let texts: Vec<String> =
            seqs.iter().map(|seq| format!("GET /?run=r&src=pod&seq={seq} HTTP/1.1")).collect();
        Stream::of(&accounting(&texts, &writer), "ls", &writer, allowed)
    }

    #[test]
    fn missing_and_duplicated_lines_are_told_apart() {
        let stream = received(&[1, 2, 2, 4, 9], 5, 0);
        assert_eq!((stream.written, stream.received, stream.missing, stream.duplicated), (5, 5, 2, 2));
        assert_eq!(stream.first_missing, [3, 5]);
        assert!(!stream.is_complete());
    }

    #[test]
    fn repeated_lines_are_borne_up_to_what_is_allowed_and_missing_ones_never() {
        assert!(received(&[1, 2, 2, 3, 3], 3, 2).is_complete());
        assert!(!received(&[1, 2, 2, 3, 3], 3, 1).is_complete());
        assert!(!received(&[1, 2, 2, 3, 3], 4, 2).is_complete());
    }

    #[test]
    fn a_writer_of_whom_nothing_came_lacks_everything() {
        let stream = received(&[], 3, 0);
        assert_eq!((stream.received, stream.missing), (0, 3));
    }

    #[test]
    fn texts_and_times_stand_in_the_ledger_line_by_line() {
        let texts = ["a".to_owned(), "b".to_owned()];
        let writer = Written { texts: &texts, times: &[7, 8], ..Written::lines("r", "pod", 2) };
        let ledger = ledger(&[writer]);
        assert_eq!(ledger.lines().count(), 2);
        assert!(
            ledger.starts_with(r#"{"run":"r","source":"pod","seq":1,"time":7,"line":{"bytes":1,"#),
            "{ledger}"
        );
    }
}
