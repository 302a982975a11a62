//! The scenarios. They speak Kubernetes and the Log Service API, so that they run on every bed that
//! offers these two; the few that need more say so in the [`registry`] and ask [`crate::bed::Bed`].

pub mod collector_kill;
pub mod configs;
pub mod deletion;
pub mod density;
pub mod injected_job;
pub mod injected_policy;
pub mod injected_webhook;
pub mod job_completes;
pub mod latency;
pub mod memory;
pub mod network_cut;
pub mod operator_restart;
pub mod pod_deletion;
pub mod registry;
pub mod roles;
pub mod rolling_update;
pub mod scaling;
pub mod schema;
pub mod sidecar_job;
pub mod sls_restart;
pub mod verify;
pub mod writers;

use std::time::Duration;

use anyhow::Result;
use kube::api::DynamicObject;
use serde_json::json;

use crate::outage::{Outage, Writer};
use crate::progress::Progress;
use crate::sls::Sls;
use crate::{kubernetes, manifest};

pub use registry::Scenario;

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

/// What is one and the same in the whole account of the Log Service, whatever the namespace: scenarios
/// beside each other need their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    pub project: String,
    /// Name of the machine group, and its custom id.
    pub machine_group: String,
}

impl Names {
    /// As in the document.
    pub fn document() -> Self {
        Self { project: PROJECT.to_owned(), machine_group: MACHINE_GROUP.to_owned() }
    }

    /// Of one scenario.
    pub fn of(scenario: &str) -> Self {
        Self { project: format!("e2e-{scenario}"), machine_group: format!("e2e-{scenario}") }
    }
}

/// What a scenario works with.
#[derive(Clone)]
pub struct Context {
    pub kube: kube::Client,
    /// In the project of `names`.
    pub sls: Sls,
    /// Namespace of everything the scenario creates.
    pub namespace: String,
    pub names: Names,
    pub progress: Progress,
    /// Longest wait for one condition.
    pub limit: Duration,
    /// The cluster's nodes hold the images already and could not pull them.
    pub images_loaded: bool,
    /// Seconds between liveness probes of the document's Job, where its own 30 would outlast the run.
    pub probe_seconds: Option<u32>,
    /// The Log Service will be away while scenarios run.
    pub outage: Option<Outage>,
}

impl Context {
    /// The same, for a run in which the Log Service goes away for a while: nothing is due before it
    /// is back.
    pub fn with_outage(mut self, outage: Option<&Outage>) -> Self {
        if let Some(outage) = outage {
            self.limit += outage.length;
            self.sls = self.sls.patient(self.limit);
            self.outage = Some(outage.clone());
        }
        self
    }

    /// How long the Log Service will be away, if it will.
    pub fn away(&self) -> Option<Duration> {
        self.outage.as_ref().map(|outage| outage.length)
    }

    /// Tells the outage, if there will be one, of a writer that has started.
    pub fn writer(&self) -> Option<Writer> {
        self.outage.as_ref().map(Outage::writer)
    }

    /// A config of the example, with the scenario's names in it.
    ///
    /// # Errors
    /// The manifest is not an object.
    pub fn config(&self, manifest: &str) -> Result<DynamicObject> {
        let mut object = kubernetes::parse(manifest)?;
        if self.names != Names::document() {
            object.data["spec"]["project"] = json!(self.names.project);
            object.data["spec"]["machineGroups"] = json!([self.names.machine_group]);
        }
        Ok(object)
    }

    /// A Job or Deployment of the example whose sidecar is in the scenario's machine group.
    ///
    /// # Errors
    /// The manifest is not an object, or has no sidecar.
    pub fn workload(&self, manifest: &str) -> Result<DynamicObject> {
        let mut object = kubernetes::parse(manifest)?;
        if self.names != Names::document() {
            let id = &self.names.machine_group;
            manifest::set_sidecar_env(&mut object, "ALIYUN_LOGTAIL_USER_DEFINED_ID", id)?;
        }
        Ok(object)
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
