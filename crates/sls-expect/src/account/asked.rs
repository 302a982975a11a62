//! What `POST /_mock/v1/account` is asked in its URL, and what it answers. The ledger is the body.

use serde::{Deserialize, Serialize};

use super::{
    Accounting, AtMost, BadAtMost, Demands, Identity, LISTED_DEFAULT, LISTED_MAX, Listed, Options,
    OrderWithin, Wrong,
};
use crate::expectation::{
    STABLE_DEFAULT_MS, STABLE_MAX_MS, TIMEOUT_DEFAULT_MS, TIMEOUT_MAX_MS, TooLong, bounded,
};
use crate::verdict::Ending;

/// The query of the URL.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountAsked {
    /// The project; it need not be there yet.
    pub project: String,
    /// The Logstore; it need not be there yet.
    pub logstore: String,
    /// A search that the logs must be found by; without one all count, and no index is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Only logs that came after this scope was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// How long to wait until nothing is missing, ms; [`TIMEOUT_DEFAULT_MS`] without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u64>,
    /// How long nothing more may come then, ms; [`STABLE_DEFAULT_MS`] without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_ms: Option<u64>,
    /// [`Accounting::exactly_once`]; this is demanded if nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exactly_once: Option<bool>,
    /// [`Accounting::at_least_once`]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least_once: Option<bool>,
    /// [`Accounting::loss_at_most`]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_at_most: Option<u64>,
    /// [`Accounting::duplicates_at_most`]: `10` or `0.1%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicates_at_most: Option<String>,
    /// [`Accounting::in_order_per_source`]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_order: Option<bool>,
    /// How long a log may take, ms: [`Accounting::in_time`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_after_ms: Option<u64>,
    /// [`Accounting::latency_p99_below`]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_p99_below_ms: Option<u64>,
    /// Within what logs must be in order: `logstore` (without it) or `shard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_within: Option<OrderWithin>,
    /// Field or tag with the run, if it is not in the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_field: Option<String>,
    /// Field or tag with the source; only with `seq_field`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_field: Option<String>,
    /// Field or tag with the number; only with `source_field`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq_field: Option<String>,
    /// How many of each kind are named; [`LISTED_DEFAULT`] without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed_max: Option<usize>,
}

/// What is asked makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAccount {
    /// A time that is too long.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// An identity in parts.
    #[error("run_field, source_field and seq_field: give source_field and seq_field, or none of the three")]
    Identity,
    /// Too many to list.
    #[error("listed_max is {0}, at most {LISTED_MAX} are allowed")]
    Listed(usize),
    /// How many duplicates.
    #[error("duplicates_at_most: {0}")]
    AtMost(#[from] BadAtMost),
}

/// What is asked, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedAccount {
    /// How to make the account.
    pub options: Options,
    /// What is demanded of it.
    pub demands: Demands,
    /// How long to wait, ms.
    pub within_ms: u64,
    /// How long nothing may come, ms.
    pub stable_ms: u64,
}

impl AccountAsked {
    /// # Errors
    /// [`BadAccount`] says what makes no sense.
    pub fn check(&self) -> Result<CheckedAccount, BadAccount> {
        let identity = match (&self.run_field, &self.source_field, &self.seq_field) {
            (None, None, None) => Identity::InText,
            (run, Some(source), Some(seq)) => {
                Identity::Fields { run: run.clone(), source: source.clone(), seq: seq.clone() }
            }
            _ => return Err(BadAccount::Identity),
        };
        let listed_max = self.listed_max.unwrap_or(LISTED_DEFAULT);
        if listed_max > LISTED_MAX {
            return Err(BadAccount::Listed(listed_max));
        }
        let yes = |flag: Option<bool>| flag.unwrap_or(false);
        let mut demands = Demands {
            exactly_once: yes(self.exactly_once),
            at_least_once: yes(self.at_least_once),
            loss_at_most: self.loss_at_most,
            duplicates_at_most: self.duplicates_at_most.as_deref().map(str::parse::<AtMost>).transpose()?,
            in_order_per_source: yes(self.in_order),
            in_time: self.late_after_ms.is_some(),
            latency_p99_below_ms: self.latency_p99_below_ms,
        };
        // Nobody asks for an account to hear that all is well whatever came.
        demands.exactly_once |= demands == Demands::default();
        // What did not come is neither late nor out of order.
        demands.at_least_once |= demands.missing_max().is_none();
        Ok(CheckedAccount {
            options: Options {
                identity,
                order_within: self.order_within.unwrap_or_default(),
                late_after_ms: self.late_after_ms,
                listed_max,
            },
            demands,
            within_ms: bounded("within_ms", self.within_ms, TIMEOUT_DEFAULT_MS, TIMEOUT_MAX_MS)?,
            stable_ms: bounded("stable_ms", self.stable_ms, STABLE_DEFAULT_MS, STABLE_MAX_MS)?,
        })
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountVerdict {
    /// Project, Logstore and, if there is one, query.
    pub name: String,
    /// Whether everything holds that was demanded.
    pub ok: bool,
    /// How it ended.
    pub ending: Ending,
    /// How long it took, ms.
    pub elapsed_ms: u64,
    /// Every demand that does not hold.
    pub wrong: Vec<Wrong>,
    /// What came.
    pub accounting: Accounting,
}

impl AccountVerdict {
    /// Judges an accounting. `problem` says why logs could not be looked at, if so.
    #[must_use]
    pub fn new(
        name: String,
        demands: &Demands,
        accounting: Accounting,
        problem: Option<String>,
        elapsed_ms: u64,
    ) -> Self {
        let mut wrong = demands.judge(&accounting).err().unwrap_or_default();
        let no_problem = problem.is_none();
        if let Some(message) = problem {
            wrong.insert(0, Wrong { demand: "logs can be read".to_owned(), message });
        }
        // What came wrong stays wrong; what is missing may only be late.
        let mut rest = accounting.clone();
        rest.missing = Listed::default();
        let only_missing = no_problem && demands.judge(&rest).is_ok();
        let ending = match (wrong.is_empty(), only_missing && accounting.unique > 0) {
            (true, _) => Ending::Passed,
            (false, true) => Ending::TimedOut,
            (false, false) => Ending::Failed,
        };
        Self { name, ok: wrong.is_empty(), ending, elapsed_ms, wrong, accounting }
    }

    /// The verdict, and what a stranger needs to understand it.
    #[must_use]
    pub fn text(&self) -> String {
        let took = self.elapsed_ms as f64 / 1_000.0;
        let mut out = match self.ok {
            true => format!("ok      {}, after {took:.3} s\n", self.name),
            false => format!("FAILED  {}, after {took:.3} s\n", self.name),
        };
        for wrong in &self.wrong {
            out += &format!("  not {wrong}\n");
        }
        for line in self.accounting.text().lines() {
            out += &format!("  {line}\n");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::account::{Duplicates, Numbers};

    #[test]
    fn without_a_demand_it_is_exactly_once() {
        let checked = AccountAsked::default().check().unwrap();
        assert!(checked.demands.exactly_once);
        let asked = AccountAsked { loss_at_most: Some(3), ..AccountAsked::default() };
        let checked = asked.check().unwrap();
        assert_eq!((checked.demands.exactly_once, checked.demands.missing_max()), (false, Some(3)));
    }

    #[test]
    fn an_account_to_which_nothing_came_never_holds() {
        let default = AccountAsked::default;
        for asked in [
            AccountAsked { late_after_ms: Some(5), ..default() },
            AccountAsked { in_order: Some(true), ..default() },
            AccountAsked { duplicates_at_most: Some("0".to_owned()), ..default() },
        ] {
            let checked = asked.check().unwrap();
            let missing = Listed { count: 2, listed: Vec::new() };
            let nothing = Accounting { sent: 2, missing, ..Accounting::default() };
            assert!(checked.demands.judge(&nothing).is_err(), "{asked:?}");
        }
        let late = AccountAsked { late_after_ms: Some(5), ..default() }.check().unwrap();
        let without_times = Accounting { sent: 1, received: 1, unique: 1, ..Accounting::default() };
        assert!(late.demands.judge(&without_times).is_err());
    }

    #[test]
    fn what_came_wrong_is_no_question_of_time() {
        let demands = Demands { exactly_once: true, ..Demands::default() };
        let missing = Listed { count: 1, listed: Vec::new() };
        let lost = Accounting { sent: 2, received: 1, unique: 1, missing, ..Accounting::default() };
        let twice = Accounting {
            duplicates: Duplicates { count: 1, logs: 1, ..Duplicates::default() },
            ..lost.clone()
        };
        let ending = |accounting| AccountVerdict::new(String::new(), &demands, accounting, None, 1).ending;
        assert_eq!((ending(lost), ending(twice)), (Ending::TimedOut, Ending::Failed));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let default = AccountAsked::default;
        let refused = [
            AccountAsked { within_ms: Some(600_001), ..default() },
            AccountAsked { run_field: Some("run".to_owned()), ..default() },
            AccountAsked { listed_max: Some(10_001), ..default() },
            AccountAsked { duplicates_at_most: Some("few".to_owned()), ..default() },
        ]
        .map(|asked| asked.check().unwrap_err().to_string());
        expect![[r#"
            within_ms is 600001 ms, at most 600000 ms are allowed
            run_field, source_field and seq_field: give source_field and seq_field, or none of the three
            listed_max is 10001, at most 10000 are allowed
            duplicates_at_most: "few" is neither a number of logs (10) nor a part of those sent, 0 to 100 percent (0.1%)"#]].assert_eq(&refused.join("\n"));
    }

    #[test]
    fn a_failure_says_what_does_not_hold_and_then_all_that_is_known() {
        let numbers = Numbers { run: "r".to_owned(), source: "pod-1".to_owned(), first: 4, last: 5 };
        let missing = Listed { count: 2, listed: vec![numbers] };
        let accounting = Accounting { sent: 5, received: 3, unique: 3, missing, ..Accounting::default() };
        let demands = Demands { exactly_once: true, ..Demands::default() };
        let verdict = AccountVerdict::new("p/l".to_owned(), &demands, accounting, None, 30_000);
        assert_eq!(verdict.ending, Ending::TimedOut);
        expect![[r#"
            FAILED  p/l, after 30.000 s
              not exactly once: logs that are missing: 2
              sent 5, received 3, 3 of those sent
                missing: 2 (did not come)
                  pod-1: 4..=5
        "#]]
        .assert_eq(&verdict.text());
    }
}
