//! Tells the API server what has become of a pod.
//!
//! Owned by the pod's worker. What could not be told is told again a little later; the worker does
//! not wait for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::Node;
use super::manifest::ContainerManifest;
use super::state::{ContainerState, ProbeKind};

/// Annotation with the number of passed and failed probes, as JSON by container and probe:
/// `{"logtail":{"liveness":{"passed":3,"failed":0}}}`.
pub const PROBES_ANNOTATION: &str = "pod-runner/probes";

/// Wait before the API server is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Time that one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends status, probe counts and at last the deletion of one pod.
pub struct Reporter {
    node: Arc<Node>,
    uid: String,
    start: Timestamp,
    last: Option<core::PodStatus>,
    sent: Option<core::PodStatus>,
    probes: Option<String>,
    deleted: bool,
    silent: bool,
    retry: Option<Instant>,
}

impl Reporter {
    /// With `silent`, the status is left as it is.
    pub fn new(node: Arc<Node>, pod: &core::Pod, silent: bool) -> Self {
        Self {
            node,
            uid: pod.uid().unwrap_or_default(),
            start: Timestamp::now(),
            last: pod.status.clone(),
            sent: None,
            probes: None,
            deleted: false,
            silent,
            retry: None,
        }
    }

    /// The status that was last made.
    pub fn last(&self) -> Option<&core::PodStatus> {
        self.last.as_ref()
    }

    /// When the pod came to the node.
    pub fn start_time(&self) -> Timestamp {
        self.start
    }

    /// When something is to be tried again.
    pub fn retry_at(&self) -> Option<Instant> {
        self.retry
    }

    /// The name of an instance of a container.
    pub fn container_id(&self, container: &str, instance: u32) -> String {
        format!("{}/{container}/{instance}", self.uid)
    }

    /// Sends what has changed since it was last sent.
    pub async fn send<'a>(
        &mut self,
        pod: &core::Pod,
        status: core::PodStatus,
        containers: impl Iterator<Item = (&'a ContainerManifest, &'a ContainerState)>,
    ) {
        self.retry = None;
        if self.silent {
            return;
        }
        if self.sent.as_ref() != Some(&status) {
            let patch = Patch::Merge(json!({ "status": &status }));
            let name = pod.name_any();
            let (api, params) = (self.api(pod), PatchParams::default());
            let sent = within(api.patch_status(&name, &params, &patch)).await.map(drop);
            if self.succeeded("send the status of", pod, sent) {
                self.sent = Some(status.clone());
            }
            self.last = Some(status);
        }
        if let Some(probes) = tallies(containers)
            && self.probes.as_ref() != Some(&probes)
        {
            let annotation = json!({ PROBES_ANNOTATION: &probes });
            let patch = Patch::Merge(json!({"metadata": {"annotations": annotation}}));
            let name = pod.name_any();
            let (api, params) = (self.api(pod), PatchParams::default());
            let sent = within(api.patch(&name, &params, &patch)).await.map(drop);
            if self.succeeded("annotate", pod, sent) {
                self.probes = Some(probes);
            }
        }
    }

    /// Removes the object, as nothing of the pod is left.
    pub async fn delete(&mut self, pod: &core::Pod) {
        if self.deleted {
            return;
        }
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions { uid: Some(self.uid.clone()), resource_version: None }),
            ..DeleteParams::default()
        };
        let name = pod.name_any();
        let api = self.api(pod);
        let sent = within(api.delete(&name, &params)).await.map(drop);
        self.deleted = self.succeeded("delete", pod, sent);
    }

    fn api(&self, pod: &core::Pod) -> Api<core::Pod> {
        let namespace = pod.namespace().unwrap_or_default();
        Api::namespaced(self.node.client.clone(), &namespace)
    }

    /// An object that has gone or changed hands needs no more telling.
    fn succeeded(&mut self, what: &str, pod: &core::Pod, sent: Result<(), SendError>) -> bool {
        match sent {
            Ok(()) => true,
            Err(SendError::Kube(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => true,
            Err(error) => {
                tracing::warn!(pod = pod.name_any(), %error, "could not {what} the pod");
                self.retry = Some(Instant::now() + RETRY);
                false
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Kube(#[from] kube::Error),
    #[error("no answer within {TIMEOUT:?}")]
    Timeout,
}

async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, SendError> {
    match tokio::time::timeout(TIMEOUT, request).await {
        Ok(result) => result.map_err(SendError::from),
        Err(_) => Err(SendError::Timeout),
    }
}

/// The value of [`PROBES_ANNOTATION`]; `None` as long as nothing was probed.
fn tallies<'a>(
    containers: impl Iterator<Item = (&'a ContainerManifest, &'a ContainerState)>,
) -> Option<String> {
    let mut all = serde_json::Map::new();
    for (container, state) in containers {
        let mut own = serde_json::Map::new();
        for kind in ProbeKind::ALL {
            let tally = state.tallies.of(kind);
            if tally.passed + tally.failed > 0 {
                let counts = json!({"passed": tally.passed, "failed": tally.failed});
                own.insert(kind.title().to_lowercase(), counts);
            }
        }
        if !own.is_empty() {
            all.insert(container.name.clone(), Value::Object(own));
        }
    }
    (!all.is_empty()).then(|| Value::Object(all).to_string())
}
