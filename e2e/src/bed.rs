//! A bed: a Kubernetes API and a Log Service that scenarios can reach, and what surrounds them.
//! The run of `cargo e2e` (`example`) takes any.

use anyhow::Result;

use crate::progress::Progress;
use crate::scenario::Context;

pub mod embedded;
pub mod image;
pub mod kind;

pub use embedded::{Embedded, Options};
pub use kind::Kind;

/// What a run needs of the bed it happens on, beside what Kubernetes and the Log Service offer.
#[expect(async_fn_in_trait, reason = "a run is one task, so its futures need not be Send")]
pub trait Bed {
    /// What the scenarios of the run work with.
    ///
    /// # Errors
    /// The client's settings are refused (they are not, unless the bed is wrong).
    fn scenario_context(&self, progress: &Progress) -> Result<Context>;

    /// Takes the Log Service away, as an outage does; its data stays.
    ///
    /// # Errors
    /// The bed cannot do that.
    async fn stop_sls(&mut self) -> Result<()>;

    /// Brings it back at the same address with the same data.
    ///
    /// # Errors
    /// It does not come back.
    async fn start_sls(&mut self) -> Result<()>;

    /// Writes what explains a failure into the bed's folder; what cannot be had is left out.
    async fn write_evidence(&self);

    /// Ends the bed and takes away what it made, unless the user keeps it.
    ///
    /// # Errors
    /// Something is left; the message says what, and how to remove it.
    async fn shutdown(self) -> Result<()>;
}

/// Region of the document's example; the embedded bed plays it.
pub const REGION: &str = "cn-hangzhou";
