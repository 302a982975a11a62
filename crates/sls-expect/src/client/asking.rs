//! An expectation as a sentence in a test, asked when it is awaited.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use serde_json::Value;

use super::{CallError, Emulator};
use crate::expectation::{Count, Expectation};
use crate::verdict::Verdict;
use crate::{Condition, Golden, report};

/// The logs of one Logstore.
#[derive(Debug, Clone)]
pub struct Logstore {
    pub(super) emulator: Emulator,
    pub(super) project: String,
    pub(super) logstore: String,
}

impl Logstore {
    /// Begins an expectation of what a query finds: at least one log, unless something else is said.
    pub fn expect(&self, query: impl Into<String>) -> Asking {
        let expectation = Expectation::new(&self.project, &self.logstore, query);
        Asking { emulator: self.emulator.clone(), expectation }
    }

    /// That a query finds nothing for so long.
    pub fn never(&self, query: impl Into<String>, quiet: Duration) -> Asking {
        self.expect(query).none().stable_for(quiet)
    }
}

/// It is not as expected. `Display` and `Debug` are the whole explanation, since a test that fails shows
/// one of them.
#[derive(thiserror::Error)]
pub enum NotAsExpected {
    /// The expectation does not hold.
    #[error("{}", report::text(.0))]
    Verdict(Box<Verdict>),
    /// It could not be asked.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl std::fmt::Debug for NotAsExpected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// An expectation that is asked when it is awaited.
#[derive(Debug, Clone)]
#[must_use = "an expectation is asked when it is awaited"]
pub struct Asking {
    emulator: Emulator,
    expectation: Expectation,
}

impl Asking {
    fn with(mut self, change: impl FnOnce(&mut Expectation)) -> Self {
        change(&mut self.expectation);
        self
    }

    /// What a report calls it.
    pub fn named(self, name: impl Into<String>) -> Self {
        self.with(|asked| asked.name = Some(name.into()))
    }

    /// Only logs that came after the scope was made.
    pub fn scope(self, scope: impl Into<String>) -> Self {
        self.with(|asked| asked.scope = Some(scope.into()))
    }

    /// How long to wait.
    pub fn within(self, time: Duration) -> Self {
        self.with(|asked| asked.timeout_ms = Some(ms(time)))
    }

    /// How long nothing more may come.
    pub fn stable_for(self, time: Duration) -> Self {
        self.with(|asked| asked.stable_ms = Some(ms(time)))
    }

    /// So many logs.
    pub fn exactly(self, n: u64) -> Self {
        self.with(|asked| asked.count = Some(Count::Exactly { n }))
    }

    /// So many or more.
    pub fn at_least(self, n: u64) -> Self {
        self.with(|asked| asked.count = Some(Count::AtLeast { n }))
    }

    /// So many or fewer.
    pub fn at_most(self, n: u64) -> Self {
        self.with(|asked| asked.count = Some(Count::AtMost { n }))
    }

    /// From `n` to `max`.
    pub fn between(self, n: u64, max: u64) -> Self {
        self.with(|asked| asked.count = Some(Count::Between { n, max }))
    }

    /// None.
    pub fn none(self) -> Self {
        self.with(|asked| asked.count = Some(Count::None))
    }

    /// What must hold of each log; may be said several times.
    pub fn each(self, condition: Condition) -> Self {
        self.with(|asked| asked.each.push(condition))
    }

    /// Fields that each log must have.
    pub fn all_have<T: Into<String>>(self, fields: impl IntoIterator<Item = T>) -> Self {
        self.with(|asked| asked.all_have.extend(fields.into_iter().map(Into::into)))
    }

    /// The fields of each log, without tags and reserved ones.
    pub fn fields_exactly<T: Into<String>>(self, fields: impl IntoIterator<Item = T>) -> Self {
        self.with(|asked| asked.fields_exactly = Some(fields.into_iter().map(Into::into).collect()))
    }

    /// What the logs must be, one by one.
    pub fn golden(self, golden: Golden) -> Self {
        self.with(|asked| asked.golden = Some(golden))
    }

    /// What SQL must answer: arrays of values, or objects.
    pub fn rows(self, rows: impl IntoIterator<Item = Value>) -> Self {
        self.with(|asked| asked.rows = Some(rows.into_iter().collect()))
    }

    /// Brings the logs in [`Verdict::logs`].
    pub fn with_logs(self) -> Self {
        self.with(|asked| asked.logs = true)
    }
}

impl IntoFuture for Asking {
    type Output = Result<Verdict, NotAsExpected>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let verdict = self.emulator.expect(&self.expectation).await?;
            if verdict.ok { Ok(verdict) } else { Err(NotAsExpected::Verdict(Box::new(verdict))) }
        })
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
