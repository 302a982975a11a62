//! How the commands print what was decided, and the exit code that says it.

use std::process::ExitCode;

use clap::ValueEnum;
use sls_expect::account::AccountVerdict;
use sls_expect::report::{self, Case};
use sls_expect::{Ending, Verdict};

use super::call;

/// What a suite of these is called in JUnit files.
const SUITE: &str = "mock-sls";

/// How verdicts are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// As the emulator answers.
    Json,
    /// JUnit XML.
    Junit,
    /// Annotations of GitHub Actions.
    Github,
}

/// A verdict on an expectation or an account.
#[derive(Debug)]
pub enum Told {
    Verdict(Box<Verdict>),
    Account(Box<AccountVerdict>),
}

impl From<Verdict> for Told {
    fn from(verdict: Verdict) -> Self {
        Self::Verdict(Box::new(verdict))
    }
}

impl From<AccountVerdict> for Told {
    fn from(verdict: AccountVerdict) -> Self {
        Self::Account(Box::new(verdict))
    }
}

impl Told {
    fn text(&self) -> String {
        match self {
            Self::Verdict(verdict) => report::text(verdict),
            Self::Account(verdict) => verdict.text(),
        }
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        match self {
            Self::Verdict(verdict) => serde_json::to_value(verdict),
            Self::Account(verdict) => serde_json::to_value(verdict),
        }
    }

    fn case(&self) -> Case {
        match self {
            Self::Verdict(verdict) => Case::from(&**verdict),
            Self::Account(verdict) => Case::from(&**verdict),
        }
    }

    fn ending(&self) -> Ending {
        match self {
            Self::Verdict(verdict) => verdict.ending,
            Self::Account(verdict) => verdict.ending,
        }
    }
}

/// Prints verdicts, one JSON object or the list of several, and says how they ended: what failed counts more
/// than what is not there yet.
///
/// # Errors
/// Nothing can be printed.
pub fn tell(told: &[Told], format: Format) -> anyhow::Result<ExitCode> {
    let cases = || told.iter().map(Told::case).collect::<Vec<_>>();
    let text = match format {
        Format::Text => told.iter().map(Told::text).collect(),
        Format::Json => match told {
            [one] => one.json()?.to_string() + "\n",
            several => {
                let several = several.iter().map(Told::json).collect::<Result<Vec<_>, _>>()?;
                serde_json::Value::from(several).to_string() + "\n"
            }
        },
        Format::Junit => report::junit(SUITE, &cases()),
        Format::Github => report::github(&cases()),
    };
    call::print(&text)?;
    let code = |ending: Ending| told.iter().any(|told| told.ending() == ending).then(|| ending.exit_code());
    Ok(ExitCode::from(code(Ending::Failed).or_else(|| code(Ending::TimedOut)).unwrap_or_default()))
}
