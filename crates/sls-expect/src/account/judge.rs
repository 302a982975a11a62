//! What an [`Accounting`] must be: each demand holds, or tells what is wrong.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Accounting;

/// A demand that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    /// The demand.
    pub demand: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.demand, self.message)
    }
}

/// As many as are allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AtMost {
    /// So many.
    Logs(u64),
    /// So large a part of what was sent, 0 to 1.
    Fraction(f64),
}

/// Neither a number nor a percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a number of logs (10) nor a part of those sent, 0 to 100 percent (0.1%)")]
pub struct BadAtMost(String);

impl AtMost {
    /// Of so many logs.
    #[must_use]
    pub fn of(self, sent: u64) -> u64 {
        match self {
            Self::Logs(logs) => logs,
            Self::Fraction(fraction) => (fraction * sent as f64).floor() as u64,
        }
    }
}

impl FromStr for AtMost {
    type Err = BadAtMost;

    fn from_str(text: &str) -> Result<Self, BadAtMost> {
        let bad = || BadAtMost(text.to_owned());
        match text.strip_suffix('%') {
            None => text.parse().map(Self::Logs).map_err(|_| bad()),
            Some(percent) => match percent.trim().parse::<f64>() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self::Fraction(percent / 100.0)),
                _ => Err(bad()),
            },
        }
    }
}

impl fmt::Display for AtMost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Logs(logs) => logs.fmt(f),
            Self::Fraction(fraction) => write!(f, "{}%", fraction * 100.0),
        }
    }
}

/// What is demanded of an accounting.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Demands {
    /// [`Accounting::exactly_once`]
    pub exactly_once: bool,
    /// [`Accounting::at_least_once`]
    pub at_least_once: bool,
    /// [`Accounting::loss_at_most`]
    pub loss_at_most: Option<u64>,
    /// [`Accounting::duplicates_at_most`]
    pub duplicates_at_most: Option<AtMost>,
    /// [`Accounting::in_order_per_source`]
    pub in_order_per_source: bool,
    /// [`Accounting::in_time`]
    pub in_time: bool,
    /// [`Accounting::latency_p99_below`]
    pub latency_p99_below_ms: Option<u64>,
}

impl Demands {
    /// How many logs may be missing; nothing if that is not demanded.
    #[must_use]
    pub fn missing_max(&self) -> Option<u64> {
        if self.exactly_once || self.at_least_once { Some(0) } else { self.loss_at_most }
    }

    /// # Errors
    /// Everything that is wrong.
    pub fn judge(&self, accounting: &Accounting) -> Result<(), Vec<Wrong>> {
        let judgements = [
            self.exactly_once.then(|| accounting.exactly_once()),
            // Exactly once is at least once: nothing is told twice.
            (self.at_least_once && !self.exactly_once).then(|| accounting.at_least_once()),
            self.loss_at_most.map(|most| accounting.loss_at_most(most)),
            self.duplicates_at_most.map(|most| accounting.duplicates_at_most(most)),
            self.in_order_per_source.then(|| accounting.in_order_per_source()),
            self.in_time.then(|| accounting.in_time()),
            self.latency_p99_below_ms.map(|ms| accounting.latency_p99_below(ms)),
        ];
        verdict(judgements.into_iter().flatten().filter_map(Result::err).flatten().collect())
    }
}

impl Accounting {
    /// Every log of the ledger came, once and whole, and nothing else did.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn exactly_once(&self) -> Result<(), Vec<Wrong>> {
        let demand = "exactly once";
        let mut wrong = self.not_whole(demand);
        wrong.extend([
            too_many(demand, self.duplicates.count, 0, "came again"),
            too_many(demand, self.unexpected.count, 0, "came that are not in the ledger"),
            too_many(demand, self.unidentified.count, 0, "came that do not say which they are"),
        ]);
        verdict(wrong.into_iter().flatten().collect())
    }

    /// Every log of the ledger came, and whole.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn at_least_once(&self) -> Result<(), Vec<Wrong>> {
        verdict(self.not_whole("at least once").into_iter().flatten().collect())
    }

    /// No more than so many logs of the ledger did not come.
    ///
    /// # Errors
    /// What is wrong.
    pub fn loss_at_most(&self, logs: u64) -> Result<(), Vec<Wrong>> {
        let demand = format!("loss at most {logs}");
        verdict(too_many(&demand, self.missing.count, logs, "are missing").into_iter().collect())
    }

    /// No more than so many copies came beyond the first of each log.
    ///
    /// # Errors
    /// What is wrong.
    pub fn duplicates_at_most(&self, most: AtMost) -> Result<(), Vec<Wrong>> {
        let demand = format!("duplicates at most {most}");
        let most = most.of(self.sent);
        verdict(too_many(&demand, self.duplicates.count, most, "came again").into_iter().collect())
    }

    /// The logs of each source came in the order of their numbers.
    ///
    /// # Errors
    /// What is wrong.
    pub fn in_order_per_source(&self) -> Result<(), Vec<Wrong>> {
        let wrong = too_many("in order", self.reordered.count, 0, "came out of order");
        verdict(wrong.into_iter().collect())
    }

    /// No log came later than the options say. It does not hold if the ledger has no times, or nothing came.
    ///
    /// # Errors
    /// What is wrong.
    pub fn in_time(&self) -> Result<(), Vec<Wrong>> {
        if self.latency.is_none() {
            let message = "no log came whose time of writing is in the ledger".to_owned();
            return Err(vec![Wrong { demand: "in time".to_owned(), message }]);
        }
        verdict(too_many("in time", self.late.count, 0, "came late").into_iter().collect())
    }

    /// 99 of 100 logs took less than so many ms. It does not hold if the ledger has no times, or nothing came.
    ///
    /// # Errors
    /// What is wrong.
    pub fn latency_p99_below(&self, ms: u64) -> Result<(), Vec<Wrong>> {
        let message = match self.latency {
            Some(latency) if latency.p99_ms < ms => return Ok(()),
            Some(latency) => format!("99 of 100 logs took up to {} ms", latency.p99_ms),
            None => "no log came whose time of writing is in the ledger".to_owned(),
        };
        Err(vec![Wrong { demand: format!("latency p99 below {ms} ms"), message }])
    }

    fn not_whole(&self, demand: &str) -> Vec<Option<Wrong>> {
        vec![
            too_many(demand, self.missing.count, 0, "are missing"),
            too_many(demand, self.corrupted.count, 0, "came with other contents"),
            too_many(demand, self.truncated.count, 0, "came shorter than they were written"),
        ]
    }
}

fn too_many(demand: &str, count: u64, most: u64, what: &str) -> Option<Wrong> {
    (count > most).then(|| {
        let allowed = if most == 0 { String::new() } else { format!(", allowed are {most}") };
        Wrong { demand: demand.to_owned(), message: format!("logs that {what}: {count}{allowed}") }
    })
}

fn verdict(wrong: Vec<Wrong>) -> Result<(), Vec<Wrong>> {
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}
