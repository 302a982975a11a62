//! A bare pod is deleted while it writes: within its grace period the tail of its logs arrives.

use std::time::{Duration, Instant};

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DeleteParams;

use super::writers::{Deployment, Writers};
use super::{Context, verify};
use crate::eventually::{Look, eventually};
use crate::kubernetes;
use crate::manifest;
use crate::report::{Check, Report};

const NAME: &str = "nginx-log-sidecar-pod";
const LINES_PER_SECOND: u32 = 50;
/// Grace period of the deletion. Source: Kubernetes' default.
const GRACE: Duration = Duration::from_secs(30);

/// Deletes a writing pod and checks every line of it, the last ones included.
///
/// # Errors
/// The cluster or the service cannot be asked, or the pod stays.
pub async fn run(ctx: &Context, report: &mut Report) -> Result<()> {
    let deployment = Deployment::new(ctx, "gone", LINES_PER_SECOND)?;
    let object = manifest::bare_pod(&deployment.object, NAME)?;
    ctx.apply(object).await?;
    let api: Api<Pod> = Api::namespaced(ctx.kube.clone(), &ctx.namespace);
    let pod = eventually("the pod to be ready", ctx.limit, async || {
        let pod = api.get(NAME).await?;
        Ok(if kubernetes::is_ready(&pod) {
            Look::Done(pod)
        } else {
            Look::Waiting(kubernetes::describe(&pod))
        })
    })
    .await?;
    let mut writers = Writers::default();
    writers.follow(ctx, &[pod]);
    deployment.wait_for_lines(ctx, NAME, super::writers::LINES_BEFORE_STEP).await?;

    ctx.progress.step(format!("{NAME} is deleted with {} s of grace", GRACE.as_secs()));
    let start = Instant::now();
    let seconds = u32::try_from(GRACE.as_secs())?;
    api.delete(NAME, &DeleteParams::default().grace_period(seconds)).await?;
    eventually("the deleted pod to be gone", ctx.limit, async || {
        Ok(match api.get_opt(NAME).await? {
            None => Look::Done(()),
            Some(pod) => Look::Waiting(kubernetes::describe(&pod)),
        })
    })
    .await?;
    let took = start.elapsed();
    let sources = writers.finish(ctx).await?;
    report.merge(verify::all_lines(ctx, &deployment.run, &sources).await?);
    report.checks.push(Check::new(
        "the collector of a deleted pod ends by itself once the tail is delivered",
        took < GRACE,
        format!("gone after {:.1} s of {} s grace", took.as_secs_f64(), GRACE.as_secs()),
    ));
    ctx.progress.done("Pod: deleted while writing, its last lines checked");
    Ok(())
}
