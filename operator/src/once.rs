//! One object without a cluster: what the controller would make of it in Log Service, made once, or only told.
//!
//! For the Docker bed of `e2e`, where no API server holds the objects, and for `operator plan`. Validated and
//! brought in line as by `controller::reconcile`, with nothing to watch and nobody to report to.

use std::sync::Arc;

use kube::ResourceExt;

use crate::converge::{converge, observe_only};
use crate::credentials::Accounts;
use crate::desired::Desired;
use crate::kind::ConfigKind;
use crate::metrics::Metrics;
use crate::plan::{Memory, Step};
use crate::progress::Progress;
use crate::sls::{Clients, Extras, SlsConfig, SlsError};
use crate::validate::{Defaults, Refused};

/// Why an object was not made, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    /// The object is wrong; nothing was sent.
    #[error("{object} is refused: {}", texts(.refused))]
    Refused {
        /// Its name.
        object: String,
        /// Every problem.
        refused: Refused,
    },
    /// There is no client for Log Service.
    #[error(transparent)]
    Client(#[from] SlsError),
    /// Log Service refused a step, or did not answer; what came before was done.
    #[error("{object}: {step} failed: {message}")]
    Step {
        /// Name of the object.
        object: String,
        /// The call.
        step: &'static str,
        /// What Log Service or the network said, and what to do.
        message: String,
    },
}

fn texts(refused: &Refused) -> String {
    refused.problems.iter().map(|one| format!("{}: {one}", one.field())).collect::<Vec<_>>().join("; ")
}

/// Makes what `cr` asks for: project, Logstore, index, machine groups, config, bindings. Returns the
/// steps that were needed, in order, for people; what exists already is left as it is.
///
/// # Errors
/// See [`OnceError`].
pub async fn make(
    cr: &impl ConfigKind,
    defaults: &Defaults,
    config: SlsConfig,
) -> Result<Vec<String>, OnceError> {
    let desired = desired(cr, defaults)?;
    let clients = Clients::new(config, Arc::new(Metrics::default()))?;
    let progress = succeeded(cr, converge(&clients, desired, &Memory::default()).await)?;
    Ok(progress.done.iter().map(ToString::to_string).collect())
}

/// The steps that [`make`] would take, with what an update changes; `accounts` may be named by `cr`. Only reads.
///
/// # Errors
/// See [`OnceError`].
pub async fn preview(
    cr: &impl ConfigKind,
    defaults: &Defaults,
    config: SlsConfig,
    accounts: Accounts,
) -> Result<Vec<String>, OnceError> {
    let desired = desired(cr, defaults)?;
    let extras = Extras { accounts, ..Extras::default() };
    let clients = Clients::with(config, extras, Arc::new(Metrics::default()))?;
    // As if it had been applied before: what the server added itself is no difference.
    let memory = Memory { applied_before: true, ..Memory::default() };
    let progress = succeeded(cr, observe_only(&clients, desired, &memory).await)?;
    Ok(progress.withheld.iter().map(Step::described).collect())
}

fn desired(cr: &impl ConfigKind, defaults: &Defaults) -> Result<Desired, OnceError> {
    let valid = cr.judge(defaults);
    valid.map(|valid| valid.desired).map_err(|refused| OnceError::Refused { object: name(cr), refused })
}

fn succeeded(cr: &impl ConfigKind, progress: Progress) -> Result<Progress, OnceError> {
    match progress.failure {
        Some(failure) => {
            Err(OnceError::Step { object: name(cr), step: failure.step, message: failure.message })
        }
        None => Ok(progress),
    }
}

fn name(cr: &impl ConfigKind) -> String {
    cr.name_any()
}
