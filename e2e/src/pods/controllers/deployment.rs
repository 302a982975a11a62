//! Deployments: one ReplicaSet per version of the template, scaled against each other.

mod plan;

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use serde_json::json;

use k8s_openapi::jiff::Timestamp;

use super::{Shared, missing_is_fine, owned, write_status};

/// Annotation of Deployments and ReplicaSets with the number of the version.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Label that tells the pods of one version from those of another.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// Brings one Deployment nearer to what it should be.
pub async fn reconcile(deployment: Arc<Deployment>, shared: Arc<Shared>) -> kube::Result<Action> {
    if deployment.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let namespace = deployment.namespace().unwrap_or_default();
    let sets_api = shared.api::<ReplicaSet>(&namespace);
    let mut sets = owned::list(&sets_api, deployment.as_ref()).await?;
    let current = match plan::find_current(&deployment, &sets) {
        Some(name) => name,
        None => {
            let set = plan::new_set(&deployment, &sets);
            let created = sets_api.create(&PostParams::default(), &set).await?;
            let (name, count) = (created.name_any(), plan::replicas_of(&created));
            sets.push(created);
            let text = format!("Scaled up replica set {name} from 0 to {count}");
            shared.recorder.normal(deployment.as_ref(), "ScalingReplicaSet", text);
            name
        }
    };
    let plan = plan::plan(&deployment, &sets, &current, Timestamp::now());
    for (name, from, to) in &plan.scale {
        let patch = Patch::Merge(json!({"spec": {"replicas": to}}));
        missing_is_fine(sets_api.patch(name, &PatchParams::default(), &patch).await)?;
        let direction = if to > from { "up" } else { "down" };
        let text = format!("Scaled {direction} replica set {name} from {from} to {to}");
        shared.recorder.normal(deployment.as_ref(), "ScalingReplicaSet", text);
    }
    for name in &plan.delete {
        missing_is_fine(sets_api.delete(name, &DeleteParams::background()).await)?;
    }
    let api = shared.api::<Deployment>(&namespace);
    if let Some(revision) = &plan.revision {
        let annotation = Patch::Merge(json!({"metadata": {"annotations": {REVISION: revision}}}));
        missing_is_fine(sets_api.patch(&current, &PatchParams::default(), &annotation).await)?;
        missing_is_fine(api.patch(&deployment.name_any(), &PatchParams::default(), &annotation).await)?;
    }
    write_status(&api, deployment.as_ref(), deployment.status.as_ref(), &plan.status).await?;
    Ok(plan.again.map_or_else(Action::await_change, Action::requeue))
}
