//! How results are read: by people, by CI systems as JUnit, by GitHub as annotations. JSON is the types
//! themselves.

mod github;
mod junit;
mod text;

pub use github::github;
pub use junit::junit;
pub use text::text;

use crate::account::AccountVerdict;
use crate::verdict::Verdict;

/// One result, whatever was asserted.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// How long it took, s.
    pub seconds: f64,
    /// Why it failed, as text of many lines; nothing if it passed.
    pub failure: Option<String>,
}

impl From<&Verdict> for Case {
    fn from(verdict: &Verdict) -> Self {
        Self {
            name: verdict.name.clone(),
            seconds: seconds(verdict.elapsed_ms),
            failure: (!verdict.ok).then(|| text(verdict)),
        }
    }
}

impl From<&AccountVerdict> for Case {
    fn from(verdict: &AccountVerdict) -> Self {
        Self {
            name: verdict.name.clone(),
            seconds: seconds(verdict.elapsed_ms),
            failure: (!verdict.ok).then(|| verdict.text()),
        }
    }
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}
