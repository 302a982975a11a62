//! The workload controllers that a cluster has: Jobs, ReplicaSets, Deployments.
//!
//! Started by [`super::PodRunner`]. Each reconciles in the same steps: list the owned objects,
//! decide (pure, in `job::plan`, `replica_set::plan`, `deployment::plan`), carry out, write the
//! status. Owned objects are listed from the server every time, so that nothing is ever created
//! twice because a watch was behind.

mod deployment;
mod job;
mod owned;
mod replica_set;

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::{self, Action};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{Controller, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use super::events::Recorder;

/// Wait before a failed reconciliation is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What the controllers share.
pub struct Shared {
    client: Client,
    recorder: Recorder,
    /// Wait before a Job replaces its first failed pod.
    backoff: Duration,
}

impl Shared {
    fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }
}

/// Starts all controllers; they run until their tasks are aborted.
pub fn start(client: &Client, recorder: &Recorder, backoff: Duration) -> Vec<JoinHandle<()>> {
    let shared = |component| {
        let recorder = recorder.named(component);
        Arc::new(Shared { client: client.clone(), recorder, backoff })
    };
    let config = watcher::Config::default;
    let all = |client: &Client| Api::all(client.clone());
    let jobs = Controller::new(Api::<Job>::all(client.clone()), config())
        .owns::<Pod>(all(client), config())
        .run(job::reconcile, retry, shared("job-controller"));
    let replica_sets = Controller::new(Api::<ReplicaSet>::all(client.clone()), config())
        .owns::<Pod>(all(client), config())
        .run(replica_set::reconcile, retry, shared("replicaset-controller"));
    let deployments = Controller::new(Api::<Deployment>::all(client.clone()), config())
        .owns::<ReplicaSet>(Api::all(client.clone()), config())
        .run(deployment::reconcile, retry, shared("deployment-controller"));
    vec![tokio::spawn(watch(jobs)), tokio::spawn(watch(replica_sets)), tokio::spawn(watch(deployments))]
}

type Reconciled<K> = Result<(ObjectRef<K>, Action), controller::Error<kube::Error, watcher::Error>>;

async fn watch<K>(reconciled: impl Stream<Item = Reconciled<K>>)
where
    K: Resource<DynamicType = ()>,
{
    let mut reconciled = std::pin::pin!(reconciled);
    while let Some(result) = reconciled.next().await {
        match result {
            // The object went between the watch and the reconciliation.
            Ok(_) | Err(controller::Error::ObjectNotFound(_)) => {}
            Err(error) => tracing::debug!(%error, kind = %K::kind(&()), "a reconciliation failed"),
        }
    }
}

fn retry<K>(_object: Arc<K>, _error: &kube::Error, _shared: Arc<Shared>) -> Action {
    Action::requeue(RETRY)
}

/// Writes a status that differs from the present one.
async fn write_status<K, S>(api: &Api<K>, object: &K, present: Option<&S>, status: &S) -> kube::Result<()>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    S: Serialize + PartialEq,
{
    if present == Some(status) {
        return Ok(());
    }
    let present = serde_json::to_value(present).map_err(kube::Error::SerdeError)?;
    let mut status = serde_json::to_value(status).map_err(kube::Error::SerdeError)?;
    // A merge patch removes only what is null in it.
    for key in present.as_object().into_iter().flat_map(serde_json::Map::keys) {
        if status.get(key).is_none() {
            status[key] = serde_json::Value::Null;
        }
    }
    let patch = Patch::Merge(serde_json::json!({ "status": status }));
    missing_is_fine(api.patch_status(&object.name_any(), &PatchParams::default(), &patch).await)
}

/// An object that somebody else has deleted needs nothing more from us.
fn missing_is_fine<T>(result: kube::Result<T>) -> kube::Result<()> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(drop),
    }
}
