//! The scenarios. They speak Kubernetes and the Log Service API and nothing else, so that they
//! run on every bed that offers these two.

pub mod configs;
pub mod deletion;
pub mod scaling;
pub mod sidecar_job;
pub mod verify;

use std::time::Duration;

use anyhow::Result;
use kube::api::DynamicObject;

use crate::progress::Progress;
use crate::sls::Sls;
use crate::{kubernetes, manifest};

/// Project of the document's example.
pub const PROJECT: &str = "k8s-nginx-sidecar-demo";
pub const ACCESS_LOGSTORE: &str = "nginx-access";
pub const ERROR_LOGSTORE: &str = "nginx-error";
/// Custom id of the machine group, and its name.
pub const MACHINE_GROUP: &str = "nginx-log-sidecar";
pub const ACCESS_CONFIG: &str = "nginx-log-access-example";
pub const ERROR_CONFIG: &str = "nginx-log-error-example";
/// The 11 fields of the repaired access config.
pub const ACCESS_KEYS: [&str; 11] = [
    "time",
    "ip",
    "method",
    "url",
    "protocol",
    "latency",
    "payload",
    "status",
    "response-size",
    "referrer",
    "user-agent",
];

/// What a scenario works with.
#[derive(Clone)]
pub struct Context {
    pub kube: kube::Client,
    pub sls: Sls,
    /// Namespace of everything the scenario creates.
    pub namespace: String,
    pub progress: Progress,
    /// Longest wait for one condition.
    pub limit: Duration,
    /// The cluster's nodes hold the images already and could not pull them.
    pub images_loaded: bool,
    /// How long the Log Service will be away while scenarios run, if it will.
    pub outage: Option<Duration>,
}

impl Context {
    /// The same, for a run in which the Log Service goes away for a while: nothing is due before it
    /// is back.
    pub fn with_outage(mut self, outage: Option<Duration>) -> Self {
        self.limit += outage.unwrap_or_default();
        self.outage = outage;
        self
    }

    /// Applies the object in the scenario's namespace. Says what the bed must change in it.
    ///
    /// # Errors
    /// The kind is not served, or the API server refuses the object.
    pub async fn apply(&self, mut object: DynamicObject) -> Result<DynamicObject> {
        if self.images_loaded
            && let Some(change) = manifest::use_loaded_images(&mut object)
        {
            self.progress.done(change);
        }
        kubernetes::apply(&self.kube, &self.namespace, object).await
    }
}

/// How much a scenario writes.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Access lines, and as many error lines.
    pub lines: u64,
    /// Access lines per second.
    pub per_second: u32,
}

/// A run id that no other run has: a word of letters and digits, so that it is one search word.
pub fn run_id(scenario: &str) -> String {
    format!("{scenario}{:08x}", fastrand::u32(..))
}
