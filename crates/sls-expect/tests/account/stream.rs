//! Streams of logs as they are written and as they come, made of random numbers.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use fastrand::Rng;
use sls_expect::account::{Accountant, Accounting, Arrival, Field, LogId, Options};
use sls_expect::ledger::{Check, Entry, Ledger, LedgerParser};

pub const RUN: &str = "r1";
/// Later than that is late.
pub const LATE_AFTER_MS: u64 = 60_000;
const START_MS: u64 = 1_763_905_845_000;

/// A log as it came.
#[derive(Debug, Clone)]
pub struct Came {
    pub source: usize,
    pub seq: u64,
    /// Logs with the same that follow each other came in one group.
    pub group: u64,
    /// What the sender calls the group.
    pub pack: u64,
    pub received_ms: u64,
    /// Instead of what was written.
    pub text: Option<Vec<u8>>,
}

/// What was written, and what came.
#[derive(Clone)]
pub struct Stream {
    ledger: Arc<Ledger>,
    /// By source, the lines from the first number on, which is 1.
    written: Rc<Vec<Vec<Vec<u8>>>>,
    pub came: Vec<Came>,
    /// Whether a collector took the logs apart.
    parsed: bool,
    groups: u64,
}

impl Stream {
    /// So many logs, of so many sources that write side by side; nothing is wrong with it.
    pub fn new(random: &mut Rng, sources: usize, logs: usize) -> Self {
        let mut ledger = Vec::new();
        let mut written = vec![Vec::new(); sources];
        let mut came = Vec::with_capacity(logs);
        let (mut group, mut left, mut now) = (0, 0, START_MS);
        for _ in 0..logs {
            if left == 0 {
                left = random.u64(1..400);
                group += 1;
                now += random.u64(0..40);
            }
            left -= 1;
            let source = random.usize(0..sources);
            let seq = written[source].len() as u64 + 1;
            let text = text(source, seq);
            serde_json::to_writer(&mut ledger, &entry(&name(source), seq, now, &text)).unwrap();
            ledger.push(b'\n');
            written[source].push(text);
            came.push(Came { source, seq, group, pack: group, received_ms: now + 400, text: None });
        }
        let ledger = Arc::new(LedgerParser::parse(&ledger).unwrap());
        Self { ledger, written: Rc::new(written), came, parsed: random.bool(), groups: group }
    }

    /// A group that no log has yet.
    pub fn new_group(&mut self) -> u64 {
        self.groups += 1;
        self.groups
    }

    /// What the accounting knows of a log with this text.
    pub fn check(&self, text: &[u8]) -> Check {
        if self.parsed { Check::of_values(values(text)) } else { Check::of(text) }
    }

    /// Where a log stands among those that came.
    pub fn find(&self, source: usize, seq: u64) -> usize {
        self.came.iter().position(|log| (log.source, log.seq) == (source, seq)).unwrap()
    }

    /// The last number of a source.
    pub fn last(&self, source: usize) -> u64 {
        self.written[source].len() as u64
    }

    /// The accounting of a stream with which nothing is wrong.
    pub fn expected(&self) -> Accounting {
        let logs = self.came.len() as u64;
        Accounting { sent: logs, received: logs, unique: logs, ..Accounting::default() }
    }

    pub fn account(&self) -> Accounting {
        let options = Options { late_after_ms: Some(LATE_AFTER_MS), ..Options::default() };
        let mut accountant = Accountant::new(self.ledger.clone(), options).unwrap();
        for group in self.came.chunk_by(|a, b| a.group == b.group) {
            let pack_id = format!("AB12-{:X}", group[0].pack);
            let arrival = Arrival {
                pack_id: Some(pack_id.as_bytes()),
                shard: (group[0].pack % 4) as u32,
                received_ms: group[0].received_ms,
                ..Arrival::default()
            };
            let mut counted = accountant.begin_group(arrival);
            for log in group {
                let written = &self.written[log.source][log.seq as usize - 1];
                let text = log.text.as_ref().unwrap_or(written);
                if self.parsed {
                    let fields: Vec<Field<'_>> =
                        values(text).map(|value| (b"key".as_slice(), value)).collect();
                    counted.add(&fields);
                } else {
                    counted.add(&[(b"content", text)]);
                }
            }
        }
        accountant.finish()
    }
}

pub fn name(source: usize) -> String {
    format!("pod-{source}")
}

pub fn id(source: usize, seq: u64) -> LogId {
    LogId { run: RUN.to_owned(), source: name(source), seq }
}

fn entry<'a>(source: &'a str, seq: u64, now: u64, text: &[u8]) -> Entry<'a> {
    let (line, values) = (Check::of(text), Check::of_values(values(text)));
    Entry { run: RUN, source, seq, time: Some(now), line: Some(line), values: Some(values) }
}

/// The line that is written.
pub fn text(source: usize, seq: u64) -> Vec<u8> {
    let status = 200 + seq % 7;
    format!(r#"10.0.{source}.1 "GET {}" {status} "agent-{}""#, url(source, seq), seq % 11).into_bytes()
}

fn url(source: usize, seq: u64) -> String {
    format!("/items?run={RUN}&src={}&seq={seq}", name(source))
}

/// Where the identity stands in the line.
pub fn id_span(source: usize, seq: u64) -> Range<usize> {
    let from = br#"10.0.0.1 "GET /items?"#.len() + source.to_string().len() - 1;
    let len = url(source, seq).len() - "/items?".len();
    from..from + len
}

/// What a collector takes a line apart into: words without quotation marks.
fn values(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b' ').map(|word| {
        let word = word.strip_prefix(b"\"").unwrap_or(word);
        word.strip_suffix(b"\"").unwrap_or(word)
    })
}
