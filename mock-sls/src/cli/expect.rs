//! `mock-sls expect`: waits until a running emulator has what is expected, or says why it has not.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::{ArgGroup, Args};
use jiff::SignedDuration;
use sls_api::ops::logs::Row;
use sls_expect::{Condition, Count, Expectation};

use super::call::{self, CallError, Server};
use super::told::{self, Format};

#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("count").args(["exactly", "at_least", "at_most", "between", "none", "rows"])),
    after_help = "\
Without a count, at least one log is expected. Queries with SQL or a pipeline count the rows of the answer.

  mock-sls expect -p demo -l access 'status >= 500' --none --stable 5s
  mock-sls expect -p demo -l access 'run-7' --exactly 1000 --within 30s --each 'status~^2' -o junit
  mock-sls expect -p demo -l access '* | select count(*) as n' --rows '[[1000]]'

Exit codes: 0 as expected, 1 not as expected, 2 wrong arguments, 3 no emulator answers, 4 the time is
over and only a part is there."
)]
pub struct Expect {
    #[command(flatten)]
    selection: Selection,

    /// Expect so many logs.
    #[arg(long, value_name = "N")]
    exactly: Option<u64>,

    /// Expect so many logs or more.
    #[arg(long, value_name = "N")]
    at_least: Option<u64>,

    /// Expect so many logs or fewer.
    #[arg(long, value_name = "N")]
    at_most: Option<u64>,

    /// Expect as many logs as one of these or something between.
    #[arg(long, num_args = 2, value_names = ["N", "MAX"])]
    between: Option<Vec<u64>>,

    /// Expect no log.
    #[arg(long)]
    none: bool,

    /// Expect these rows of SQL: a JSON array of arrays or objects.
    #[arg(long, value_name = "JSON")]
    rows: Option<String>,

    #[command(flatten)]
    waiting: Waiting,

    /// What must hold of each log: FIELD=TEXT, FIELD!=TEXT or FIELD~REGEX; tags are called
    /// __tag__:NAME. May be given several times.
    #[arg(long, value_name = "CONDITION", value_parser = condition)]
    each: Vec<Condition>,

    /// A field that each log must have; may be given several times.
    #[arg(long = "have", value_name = "FIELD")]
    all_have: Vec<String>,

    /// The fields of each log, separated by commas.
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    fields: Option<Vec<String>>,

    /// What the report calls it.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,

    /// How the verdict is printed.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Which logs; the part of a command line that several commands have.
#[derive(Debug, Clone, Args)]
pub struct Selection {
    #[command(flatten)]
    pub server: Server,

    /// The project.
    #[arg(short, long)]
    project: String,

    /// The Logstore.
    #[arg(short, long)]
    logstore: String,

    /// What is searched; every log without it.
    #[arg(default_value = "*")]
    query: String,

    /// Only logs that came after this scope was made (`mock-sls scope`).
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,

    /// Only logs of this time on, Unix seconds.
    #[arg(long, value_name = "SECONDS")]
    from: Option<i64>,

    /// Only logs before this time, Unix seconds.
    #[arg(long, value_name = "SECONDS")]
    to: Option<i64>,
}

impl Selection {
    /// An expectation of these logs.
    pub fn expectation(&self) -> Expectation {
        Expectation {
            scope: self.scope.clone(),
            from: self.from,
            to: self.to,
            ..Expectation::new(&self.project, &self.logstore, &self.query)
        }
    }

    /// The same as the query of a URL.
    pub fn url_query(&self) -> anyhow::Result<String> {
        let (from, to) = (self.from.map(|at| at.to_string()), self.to.map(|at| at.to_string()));
        let given = [
            ("project", Some(self.project.as_str())),
            ("logstore", Some(self.logstore.as_str())),
            ("query", Some(self.query.as_str())),
            ("scope", self.scope.as_deref()),
            ("from", from.as_deref()),
            ("to", to.as_deref()),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
        serde_urlencoded::to_string(given.collect::<Vec<_>>()).context("cannot write the query")
    }
}

/// How long to wait; the part of a command line that several commands have.
#[derive(Debug, Clone, Copy, Args)]
pub struct Waiting {
    /// How long to wait for what is missing, for example 30s or 2m.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    within: Duration,

    /// How long nothing more may come before "enough" is believed.
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = duration)]
    stable: Duration,
}

impl Waiting {
    /// Puts it into an expectation.
    pub fn set(self, expectation: &mut Expectation) {
        let ms = |time: Duration| u64::try_from(time.as_millis()).ok();
        expectation.timeout_ms = ms(self.within);
        expectation.stable_ms = ms(self.stable);
    }
}

/// A time with its unit.
pub fn duration(text: &str) -> Result<Duration, String> {
    let refused = || format!("{text:?} is no time: use a number and a unit, for example 500ms, 30s or 2m");
    let time: SignedDuration = text.parse().map_err(|_| refused())?;
    Duration::try_from(time).map_err(|_| refused())
}

/// `FIELD=TEXT`, `FIELD!=TEXT` or `FIELD~REGEX`.
fn condition(text: &str) -> Result<Condition, String> {
    let refused = || format!("{text:?} is no condition: use FIELD=TEXT, FIELD!=TEXT or FIELD~REGEX");
    let at = text.find(['=', '~', '!']).filter(|at| *at > 0).ok_or_else(refused)?;
    let (field, rest) = text.split_at(at);
    let field = Condition::field(field);
    let condition = match rest.strip_prefix("!=") {
        Some(value) => Condition { not_equals: Some(value.to_owned()), ..field },
        None => match (rest.strip_prefix('='), rest.strip_prefix('~')) {
            (Some(value), _) => field.equals(value),
            (_, Some(pattern)) => field.matches(pattern),
            _ => return Err(refused()),
        },
    };
    condition.check().map_err(|error| error.to_string())?;
    Ok(condition)
}

impl Expect {
    fn expectation(&self) -> anyhow::Result<Expectation> {
        let between = self.between.as_deref().and_then(|bounds| match bounds {
            [n, max] => Some(Count::Between { n: *n, max: *max }),
            _ => None,
        });
        let counts = [
            self.exactly.map(|n| Count::Exactly { n }),
            self.at_least.map(|n| Count::AtLeast { n }),
            self.at_most.map(|n| Count::AtMost { n }),
            between,
            self.none.then_some(Count::None),
        ];
        let rows = self.rows.as_deref().map(serde_json::from_str).transpose();
        let mut expectation = Expectation {
            name: self.name.clone(),
            count: counts.into_iter().flatten().next(),
            rows: rows.map_err(|error| wrong(anyhow!("--rows is no JSON array: {error}")))?,
            each: self.each.clone(),
            all_have: self.all_have.clone(),
            fields_exactly: self.fields.clone(),
            ..self.selection.expectation()
        };
        self.waiting.set(&mut expectation);
        Ok(expectation)
    }
}

/// An error of the arguments.
pub fn wrong(error: anyhow::Error) -> anyhow::Error {
    CallError::Usage(format!("{error:#}")).into()
}

/// Asks and prints.
///
/// # Errors
/// [`CallError`], and if nothing can be printed.
pub fn run(expect: &Expect) -> anyhow::Result<ExitCode> {
    let expectation = expect.expectation()?;
    let asking = async { Ok(expect.selection.server.endpoint.expect(&expectation).await?) };
    let verdict = call::run(asking).map_err(asked_wrongly)?;
    told::tell(&[verdict.into()], expect.output)
}

/// What the emulator refuses of an expectation are the arguments of this command.
pub fn asked_wrongly(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<CallError>() {
        Ok(CallError::Refused { status, why }) if status.is_client_error() => CallError::Usage(why).into(),
        Ok(other) => other.into(),
        Err(error) => error,
    }
}

/// A log as a line of JSON.
///
/// # Errors
/// Never: a row always becomes JSON.
pub fn line(log: &Row) -> anyhow::Result<String> {
    Ok(serde_json::to_string(log)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_and_times_are_read_or_refused_with_what_to_write() {
        assert_eq!(condition("status=200"), Ok(Condition::field("status").equals("200")));
        assert_eq!(condition("__tag__:pod~^a=b"), Ok(Condition::field("__tag__:pod").matches("^a=b")));
        let differs = Condition { not_equals: Some("a=b".to_owned()), ..Condition::field("x") };
        assert_eq!(condition("x!=a=b"), Ok(differs));
        for bad in ["status", "=200", "x!y", "x~("] {
            assert!(condition(bad).is_err(), "{bad}");
        }
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for bad in ["5", "-1s", "soon"] {
            assert!(duration(bad).unwrap_err().contains("use a number and a unit"), "{bad}");
        }
    }
}
