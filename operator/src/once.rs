//! One object without a cluster: what the controller would make of it in Log Service, made once.
//!
//! For the Docker bed of `e2e`, where no API server holds the objects. Validated and
//! brought in line as by `controller::reconcile`, with nothing to watch and nobody to report to.

use std::sync::Arc;

use crate::converge::converge;
use crate::crd::AliyunLogConfig;
use crate::metrics::Metrics;
use crate::plan::Memory;
use crate::sls::{Clients, SlsConfig, SlsError};
use crate::validate::{Defaults, Refused, validate};

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
    refused.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Makes what `cr` asks for: project, Logstore, index, machine groups, config, bindings. Returns the
/// steps that were needed, in order, for people; what exists already is left as it is.
///
/// # Errors
/// See [`OnceError`].
pub async fn make(
    cr: &AliyunLogConfig,
    defaults: &Defaults,
    config: SlsConfig,
) -> Result<Vec<String>, OnceError> {
    let object = cr.metadata.name.clone().unwrap_or_default();
    let valid =
        validate(cr, defaults).map_err(|refused| OnceError::Refused { object: object.clone(), refused })?;
    let clients = Clients::new(config, Arc::new(Metrics::default()))?;
    let progress = converge(&clients, valid.desired, &Memory::default()).await;
    match progress.failure {
        Some(failure) => Err(OnceError::Step { object, step: failure.step, message: failure.message }),
        None => Ok(progress.done.iter().map(ToString::to_string).collect()),
    }
}
