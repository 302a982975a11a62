//! Accounting: what was received, held against the [`ledger`](crate::ledger) of what was written. Pure: groups of
//! logs are handed in in the order in which they came, and the end is an [`Accounting`] that says which logs are
//! missing, came twice, out of order, altered or late, and names them.
//!
//! ```
//! use sls_expect::account::{Accountant, Arrival, Options};
//! use sls_expect::ledger::LedgerParser;
//!
//! let ledger = LedgerParser::parse(br#"{"run":"r","source":"pod-1","first":1,"last":3}"#)?;
//! let mut accountant = Accountant::new(ledger, Options::default())?;
//! let arrival = Arrival { pack_id: Some(b"A-0"), ..Arrival::default() };
//! let log = |text: &'static [u8]| [(b"content".as_slice(), text)];
//! accountant.add_group(arrival, [log(b"GET /?run=r&src=pod-1&seq=1 "), log(b"GET /?run=r&src=pod-1&seq=3 ")]);
//! let accounting = accountant.finish();
//! assert_eq!((accounting.missing.count, accounting.missing.listed[0].first), (1, 2));
//! assert!(accounting.exactly_once().is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Memory: 5 bytes for each log of the ledger beside what [`crate::ledger`] needs (up to 20), and nothing for
//! each log that is received. What is listed is bounded, what is counted is exact.

mod accounting;
mod asked;
mod contents;
mod group;
mod identity;
mod judge;
mod latency;
mod options;
mod order;
mod repeated;
mod stock;
#[cfg(test)]
mod tests;
mod text;

pub use accounting::{
    Accounting, Altered, Duplicate, DuplicateKind, Duplicates, Late, Listed, LogId, Numbers, Reordered,
    SourceAccount,
};
pub use asked::{AccountAsked, AccountVerdict, BadAccount, CheckedAccount};
pub use group::Group;
pub use identity::Identity;
pub use judge::{AtMost, BadAtMost, Demands, Wrong};
pub use latency::Latency;
pub use options::{Arrival, BadOptions, Options, OrderWithin};

use std::sync::Arc;

use identity::Reader;
use latency::Histogram;
use order::RUNS_MAX;
use repeated::Repeated;
use stock::Stock;

use crate::ledger::{Ledger, NAME_BYTES_MAX};

/// Name and value of a field or tag.
pub type Field<'a> = (&'a [u8], &'a [u8]);

/// Tag that names a pack. Source: vendor's agent, `FlusherSLS::AddPackId`.
pub const PACK_ID_TAG: &str = "__pack_id__";
/// How many of each kind are named when nothing else is said (own choice: some screenfuls).
pub const LISTED_DEFAULT: usize = 100;
/// How many may be named (own choice: an answer of about 1 MB).
pub const LISTED_MAX: usize = 10_000;
/// Logs without identity that are shown (own choice: they are mostly of one kind).
const UNIDENTIFIED_SHOWN_MAX: usize = 5;
/// Bytes of such a log that are shown (own choice: a line or two of a terminal).
const SHOWN_BYTES_MAX: usize = 160;

/// Takes logs in and keeps their account.
#[derive(Debug)]
pub struct Accountant {
    ledger: Arc<Ledger>,
    options: Options,
    reader: Reader,
    only_run: Option<Arc<str>>,
    /// As the sources of the ledger.
    stocks: Vec<Stock>,
    so_far: Accounting,
    repeated: Repeated,
    latencies: Histogram,
    /// Runs that may still be kept for the order.
    room: usize,
    groups: u64,
    /// What came for the first time in the present group: source and rank.
    new: Vec<(u32, u32)>,
    /// The source of the last log: mostly the next one has it too.
    last: usize,
    key: Vec<u8>,
}

impl Accountant {
    /// Nothing has come. Who begins again may keep the ledger, which takes most of the memory.
    ///
    /// # Errors
    /// [`BadOptions`]
    pub fn new(ledger: impl Into<Arc<Ledger>>, options: Options) -> Result<Self, BadOptions> {
        let ledger = ledger.into();
        let only_run = ledger.only_run().map(Arc::from);
        if matches!(options.identity, Identity::Fields { run: None, .. })
            && only_run.is_none()
            && ledger.entries() > 0
        {
            return Err(BadOptions::NoRunField);
        }
        let so_far = Accounting {
            sent: ledger.entries(),
            ledger_cut_line: ledger.cut_line(),
            ..Accounting::default()
        };
        let listed_max = options.listed_max.min(LISTED_MAX);
        Ok(Self {
            reader: Reader::new(options.identity.clone()),
            options: Options { listed_max, ..options },
            only_run,
            stocks: ledger.sources().iter().map(Stock::new).collect(),
            so_far,
            repeated: Repeated::default(),
            latencies: Histogram::default(),
            room: RUNS_MAX,
            groups: 0,
            new: Vec::new(),
            last: 0,
            key: Vec::new(),
            ledger,
        })
    }

    /// Logs of the ledger that have not come yet.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.so_far.sent - self.so_far.unique
    }

    /// Logs that have come.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.so_far.received
    }

    /// A group came.
    pub fn add_group<'f>(
        &mut self,
        arrival: Arrival<'_>,
        logs: impl IntoIterator<Item = impl AsRef<[Field<'f>]>>,
    ) {
        let mut group = self.begin_group(arrival);
        logs.into_iter().for_each(|log| group.add(log.as_ref()));
    }

    /// A group came, whose logs follow one by one.
    pub fn begin_group<'a>(&'a mut self, arrival: Arrival<'a>) -> Group<'a> {
        self.groups += 1;
        Group { mark: arrival.mark(), arrival, accountant: self }
    }

    /// Everything has come.
    #[must_use]
    pub fn finish(mut self) -> Accounting {
        let mut result = self.so_far;
        let listed_max = self.options.listed_max;
        for (source, stock) in self.ledger.sources().iter().zip(&mut self.stocks) {
            let numbers = |first, last| Numbers {
                run: source.run().to_owned(),
                source: source.source().to_owned(),
                first,
                last,
            };
            stock.counts.missing = stock.counts.sent - stock.counts.unique;
            result.missing.count += stock.counts.missing;
            if stock.counts.missing > 0 {
                stock.missing(source, |first, last| {
                    if result.missing.listed.len() < listed_max {
                        result.missing.listed.push(numbers(first, last));
                    }
                });
            }
            for (_, order) in stock.take_orders() {
                let room = listed_max.saturating_sub(result.reordered.listed.len());
                let movement = order.movement(room);
                stock.counts.reordered += movement.count;
                result.reordered_roughly |= movement.rough;
                result.reordered.listed.extend(movement.listed.into_iter().filter_map(|moved| {
                    let numbers = numbers(source.seq(moved.first)?, source.seq(moved.last)?);
                    Some(Reordered { numbers, came_after: moved.after.and_then(|after| source.seq(after)) })
                }));
            }
            result.reordered.count += stock.counts.reordered;
        }
        result.duplicates.listed = self.repeated.listed(&self.ledger);
        result.latency = self.latencies.summary();
        let mut per_source: Vec<_> = self.stocks.into_iter().map(|stock| stock.counts).collect();
        result.per_source.count = per_source.len() as u64;
        per_source.sort_by_key(SourceAccount::is_clean);
        per_source.truncate(listed_max);
        result.per_source.listed = per_source;
        result
    }

    /// Where the source of a log stands in the ledger.
    fn source(&mut self, run: &[u8], source: &[u8]) -> Option<usize> {
        let last = self.ledger.sources().get(self.last)?;
        if last.source().as_bytes() != source || last.run().as_bytes() != run {
            self.last = self.ledger.find(run, source, &mut self.key)?;
        }
        Some(self.last)
    }

    fn unidentified(&mut self, fields: &[Field<'_>]) {
        self.so_far.unidentified.add(UNIDENTIFIED_SHOWN_MAX.min(self.options.listed_max), || shown(fields));
    }

    fn unexpected(&mut self, run: &[u8], source: &[u8], seq: u64) {
        let listed = &mut self.so_far.unexpected;
        if let Some(last) = listed.listed.last_mut()
            && last.last.checked_add(1) == Some(seq)
            && last.source.as_bytes() == source
            && last.run.as_bytes() == run
        {
            last.last = seq;
            listed.count += 1;
            return;
        }
        listed.add(self.options.listed_max, || Numbers {
            run: lossy(run, NAME_BYTES_MAX),
            source: lossy(source, NAME_BYTES_MAX),
            first: seq,
            last: seq,
        });
    }
}

/// The beginning of a log's values.
fn shown(fields: &[Field<'_>]) -> String {
    let mut bytes = Vec::new();
    for (_, value) in fields {
        if !bytes.is_empty() {
            bytes.push(b' ');
        }
        bytes.extend(value.iter().take(SHOWN_BYTES_MAX + 1));
        if bytes.len() > SHOWN_BYTES_MAX {
            break;
        }
    }
    let cut = bytes.len() > SHOWN_BYTES_MAX;
    let mut text = lossy(&bytes, SHOWN_BYTES_MAX);
    if cut {
        text.push('…');
    }
    text
}

/// At most so many bytes as text without control characters.
fn lossy(bytes: &[u8], max: usize) -> String {
    let bytes = bytes.get(..max).unwrap_or(bytes);
    String::from_utf8_lossy(bytes).replace(char::is_control, " ")
}
