//! Jobs: pods that run to their end until enough have succeeded.

mod plan;

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::DeleteParams;
use kube::runtime::controller::Action;

use self::plan::{Finish, Plan};
use super::{Shared, missing_is_fine, owned, write_status};

/// Label and annotation with the index of a pod of an indexed Job.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// Variable with the same.
const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";

/// Brings one Job nearer to its end.
pub async fn reconcile(job: Arc<Job>, shared: Arc<Shared>) -> kube::Result<Action> {
    if job.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let namespace = job.namespace().unwrap_or_default();
    let pods = owned::list(&shared.api::<core::Pod>(&namespace), job.as_ref()).await?;
    let plan = plan::plan(&job, &pods, shared.backoff, Timestamp::now());
    let api = shared.api::<Job>(&namespace);
    if plan.expired {
        missing_is_fine(api.delete(&job.name_any(), &DeleteParams::background()).await)?;
        return Ok(Action::await_change());
    }
    carry_out(&job, &shared, &plan).await?;
    write_status(&api, job.as_ref(), job.status.as_ref(), &plan.status).await?;
    match plan.finish {
        Some(Finish::Complete) => shared.recorder.normal(job.as_ref(), "Completed", "Job completed"),
        Some(Finish::Failed { reason, message }) => {
            shared.recorder.warning(job.as_ref(), reason, message);
        }
        None => {}
    }
    Ok(plan.again.map_or_else(Action::await_change, Action::requeue))
}

async fn carry_out(job: &Job, shared: &Shared, plan: &Plan) -> kube::Result<()> {
    for name in &plan.delete {
        owned::delete_pod(shared, job, name).await?;
    }
    let Some(spec) = &job.spec else { return Ok(()) };
    for index in &plan.create {
        let prefix = match index {
            Some(index) => format!("{}-{index}", job.name_any()),
            None => job.name_any(),
        };
        let mut pod = owned::pod_from(job, &spec.template, &prefix);
        let labels = pod.metadata.labels.get_or_insert_default();
        for key in ["batch.kubernetes.io/job-name", "job-name"] {
            labels.entry(key.to_owned()).or_insert_with(|| job.name_any());
        }
        if let Some(index) = index {
            mark(&mut pod, *index);
        }
        owned::create_pod(shared, job, &pod).await?;
    }
    Ok(())
}

/// Tells a pod its index.
fn mark(pod: &mut core::Pod, index: i32) {
    pod.metadata.labels.get_or_insert_default().insert(INDEX.to_owned(), index.to_string());
    pod.metadata.annotations.get_or_insert_default().insert(INDEX.to_owned(), index.to_string());
    let Some(spec) = &mut pod.spec else { return };
    for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
        container.env.get_or_insert_default().push(core::EnvVar {
            name: INDEX_VARIABLE.to_owned(),
            value: Some(index.to_string()),
            value_from: None,
        });
    }
}
