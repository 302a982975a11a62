//! What is asked: which logs, how many of them, what must hold of each. The body of
//! `POST /_mock/v1/expect`, an entry of an `expect.yaml` and what the command line makes of its flags.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::condition::{BadCondition, Check, Condition};
use crate::golden::Golden;

/// How long is waited when nothing else is said, ms (own choice: above what a collector takes to
/// deliver on a busy machine).
pub const TIMEOUT_DEFAULT_MS: u64 = 30_000;
/// How long may be waited, ms (own choice: longer is a hang).
pub const TIMEOUT_MAX_MS: u64 = 600_000;
/// How long nothing more may come, where too many would be wrong, when nothing else is said, ms. Source:
/// `sls-query.md` §5.2, two flushes of a collector that flushes every 250 ms (own choice).
pub const STABLE_DEFAULT_MS: u64 = 500;
/// How long that may be, ms (own choice, as [`TIMEOUT_MAX_MS`]).
pub const STABLE_MAX_MS: u64 = 600_000;
/// Conditions of one expectation (own choice).
pub const CONDITIONS_MAX: usize = 100;
/// Logs of a golden file, and rows that may be named (own choice: they are kept in memory and compared).
pub const GOLDEN_LOGS_MAX: usize = 100_000;

/// How many logs there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Count {
    /// So many: fewer and more are both wrong.
    Exactly {
        /// How many.
        n: u64,
    },
    /// So many or more.
    AtLeast {
        /// The fewest.
        n: u64,
    },
    /// So many or fewer.
    AtMost {
        /// The most.
        n: u64,
    },
    /// From `n` to `max`, both allowed.
    Between {
        /// The fewest.
        n: u64,
        /// The most.
        max: u64,
    },
    /// None.
    None,
}

impl Count {
    /// The fewest and the most.
    pub fn bounds(self) -> (u64, Option<u64>) {
        match self {
            Self::Exactly { n } => (n, Some(n)),
            Self::AtLeast { n } => (n, None),
            Self::AtMost { n } => (0, Some(n)),
            Self::Between { n, max } => (n, Some(max)),
            Self::None => (0, Some(0)),
        }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let logs = |n: u64| if n == 1 { "log" } else { "logs" };
        match *self {
            Self::Exactly { n } => write!(f, "exactly {n} {}", logs(n)),
            Self::AtLeast { n } => write!(f, "at least {n} {}", logs(n)),
            Self::AtMost { n } => write!(f, "at most {n} {}", logs(n)),
            Self::Between { n, max } => write!(f, "{n} to {max} logs"),
            Self::None => f.write_str("no log"),
        }
    }
}

/// An assertion on the logs of one Logstore.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// What the report calls it; its query if it has no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The project.
    pub project: String,
    /// The Logstore. It need not be there yet.
    pub logstore: String,
    /// A search, or a search with a pipeline or SQL, whose rows are then what is counted. Without one,
    /// every log.
    #[serde(default = "everything")]
    pub query: String,
    /// Only logs that came after this scope was made. Without one, all that are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Only logs of this time on, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// Only logs before this time, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
    /// How many. Without one, as many as the golden logs; at least one where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
    /// How long to wait, ms; [`TIMEOUT_DEFAULT_MS`] without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How long nothing more may come before "enough" is believed, ms; [`STABLE_DEFAULT_MS`] without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_ms: Option<u64>,
    /// What must hold of each log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub each: Vec<Condition>,
    /// Names that each log must have as fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all_have: Vec<String>,
    /// The names of each log's fields, in any order, without tags and reserved fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields_exactly: Option<Vec<String>>,
    /// What the logs must be, one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub golden: Option<Golden>,
    /// What SQL must answer: rows as arrays of values in the order of the columns, or as objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<Value>>,
    /// Whether the answer brings the logs, as many as it may ([`LOGS_SHOWN_MAX`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub logs: bool,
}

/// Logs in an answer whose asker wants to see them (own choice).
pub const LOGS_SHOWN_MAX: usize = 10_000;

fn everything() -> String {
    "*".to_owned()
}

/// What is asked makes no sense; the text says what and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Nothing can be between these.
    #[error("count: nothing is between {n} and {max}: the first must not be larger")]
    Reversed {
        /// The fewest.
        n: u64,
        /// The most.
        max: u64,
    },
    /// A time that is too long.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// More of something than there may be.
    #[error("{what}: {count} are more than the {max} that one expectation may have")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// As asked.
        count: usize,
        /// As allowed.
        max: usize,
    },
    /// A condition that cannot be.
    #[error("each, condition {number}: {why}")]
    Condition {
        /// Which, from 1.
        number: usize,
        /// Why not.
        why: BadCondition,
    },
    /// Two things that exclude each other.
    #[error("{0}")]
    Contradiction(&'static str),
}

/// An expectation whose parts fit together.
#[derive(Debug)]
pub struct Checked {
    /// As asked.
    pub asked: Expectation,
    /// How many.
    pub count: Count,
    /// How long to wait.
    pub timeout_ms: u64,
    /// How long nothing more may come.
    pub stable_ms: u64,
    /// What must hold of each log.
    pub each: Vec<Check>,
}

impl Expectation {
    /// Of this query.
    pub fn new(project: impl Into<String>, logstore: impl Into<String>, query: impl Into<String>) -> Self {
        Self { project: project.into(), logstore: logstore.into(), query: query.into(), ..Self::default() }
    }

    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// [`Invalid`] says which do not.
    pub fn check(self) -> Result<Checked, Invalid> {
        if let Some(Count::Between { n, max }) = self.count
            && n > max
        {
            return Err(Invalid::Reversed { n, max });
        }
        let timeout_ms = bounded("timeout_ms", self.timeout_ms, TIMEOUT_DEFAULT_MS, TIMEOUT_MAX_MS)?;
        let stable_ms = bounded("stable_ms", self.stable_ms, STABLE_DEFAULT_MS, STABLE_MAX_MS)?;
        let named = self.each.len() + self.all_have.len();
        if named > CONDITIONS_MAX {
            return Err(Invalid::TooMany { what: "conditions", count: named, max: CONDITIONS_MAX });
        }
        let of_logs = !self.each.is_empty() || !self.all_have.is_empty() || self.fields_exactly.is_some();
        if self.rows.is_some() && (self.golden.is_some() || self.count.is_some() || of_logs) {
            return Err(Invalid::Contradiction(
                "rows says what the whole answer is: leave count, golden and conditions away",
            ));
        }
        let mut each = Vec::with_capacity(named + 1);
        for (number, condition) in (1..).zip(&self.each) {
            each.push(condition.check().map_err(|why| Invalid::Condition { number, why })?);
        }
        each.extend(self.all_have.iter().map(|name| Check::present(name)));
        each.extend(self.fields_exactly.as_ref().map(|names| Check::fields(names)));
        let golden_logs = self.golden.as_ref().map(|golden| golden.logs.len());
        for (what, count) in [("golden logs", golden_logs), ("rows", self.rows.as_ref().map(Vec::len))] {
            if let Some(count) = count.filter(|count| *count > GOLDEN_LOGS_MAX) {
                return Err(Invalid::TooMany { what, count, max: GOLDEN_LOGS_MAX });
            }
        }
        let count = match (self.count, golden_logs) {
            (None, Some(0)) => {
                return Err(Invalid::Contradiction(
                    "golden has no logs: where none is expected, say so with count none",
                ));
            }
            (Some(count), None) => count,
            (None, Some(logs)) => Count::Exactly { n: logs as u64 },
            (None, None) => Count::AtLeast { n: 1 },
            (Some(_), Some(_)) => {
                return Err(Invalid::Contradiction("golden says how many logs there are: leave count away"));
            }
        };
        Ok(Checked { asked: self, count, timeout_ms, stable_ms, each })
    }

    /// What a report calls it.
    pub fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("{}/{}: {}", self.project, self.logstore, self.query))
    }
}

/// A time that is longer than may be waited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {ms} ms, at most {max} ms are allowed")]
pub struct TooLong {
    /// Which.
    pub what: &'static str,
    /// As asked.
    pub ms: u64,
    /// As allowed.
    pub max: u64,
}

/// A time that was asked for, or else the default, ms.
pub(crate) fn bounded(
    what: &'static str,
    given: Option<u64>,
    default: u64,
    max: u64,
) -> Result<u64, TooLong> {
    match given.unwrap_or(default) {
        ms if ms > max => Err(TooLong { what, ms, max }),
        ms => Ok(ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<Checked, String> {
        let expectation: Expectation = serde_json::from_str(json).map_err(|error| error.to_string())?;
        expectation.check().map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_said_has_defaults() {
        let checked = of(r#"{"project":"p","logstore":"l"}"#).unwrap();
        assert_eq!(checked.asked.query, "*");
        assert_eq!(checked.count, Count::AtLeast { n: 1 });
        assert_eq!((checked.timeout_ms, checked.stable_ms), (TIMEOUT_DEFAULT_MS, STABLE_DEFAULT_MS));
        let golden = of(r#"{"project":"p","logstore":"l","golden":{"logs":[{"a":"1"},{"a":"2"}]}}"#).unwrap();
        assert_eq!(golden.count, Count::Exactly { n: 2 });
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_reason() {
        for (json, reason) in [
            (r#""count":{"op":"between","n":3,"max":2}"#, "nothing is between 3 and 2"),
            (r#""count":{"op":"about","n":3}"#, "unknown variant `about`"),
            (r#""timeout_ms":600001"#, "timeout_ms is 600001 ms, at most 600000"),
            (r#""within":"3s""#, "unknown field `within`"),
            (r#""each":[{"field":"a"}]"#, "each, condition 1: "),
            (r#""rows":[["1"]],"count":{"op":"none"}"#, "leave count"),
            (r#""golden":{"logs":[]}"#, "golden has no logs"),
            (r#""golden":{"logs":[{"a":"1"}]},"count":{"op":"none"}"#, "leave count away"),
        ] {
            let refused = of(&format!(r#"{{"project":"p","logstore":"l",{json}}}"#)).unwrap_err();
            assert!(refused.contains(reason), "{json}: {refused}");
        }
    }

    #[test]
    fn counts_read_like_sentences() {
        let text = |count: Count| count.to_string();
        assert_eq!(text(Count::Exactly { n: 1 }), "exactly 1 log");
        assert_eq!(text(Count::AtLeast { n: 2 }), "at least 2 logs");
        assert_eq!(text(Count::AtMost { n: 0 }), "at most 0 logs");
        assert_eq!(text(Count::Between { n: 1, max: 2 }), "1 to 2 logs");
        assert_eq!(text(Count::None), "no log");
    }
}
