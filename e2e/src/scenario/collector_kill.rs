//! SIGKILL for a collector in the middle of its work: the kubelet restarts it, it goes on from its
//! checkpoint, nothing is lost.
//!
//! What the collector promises: a position is saved at most a second after the service acknowledged
//! it, so what was acknowledged since, and what was under way, is sent again. For that the position
//! must outlive the container, on a volume of the pod.

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};

use super::Context;
use super::writers::Deployment;
use crate::bed::{Bed, Place};
use crate::eventually::{Look, eventually};
use crate::kubernetes;
use crate::manifest::{self, SIDECAR};
use crate::report::{Check, Report};

const LINES_PER_SECOND: u32 = 30;
/// Lines of each log that may come twice: those of the second between two saves, one more for what is
/// under way, one for a slow disk.
const REPEATED_MAX: u64 = 3 * LINES_PER_SECOND as u64;
/// Lines before the kill: so many more than may be repeated that a start from the beginning shows.
const LINES_BEFORE: u64 = 3 * REPEATED_MAX;
/// Exit code of a process that SIGKILL ended, as container runtimes report it.
const KILLED: i32 = 137;

/// Kills the collector of a writing pod and checks every line.
///
/// # Errors
/// The cluster or the service cannot be asked, or the collector does not come back.
pub async fn run(ctx: &Context, bed: &impl Bed, report: &mut Report) -> Result<()> {
    let mut deployment = Deployment::new(ctx, "kill", LINES_PER_SECOND)?;
    manifest::keep_sidecar_state(&mut deployment.object)?;
    let pods = deployment.start(ctx, 1).await?;
    let name = pods.first().map(ResourceExt::name_any).unwrap_or_default();
    deployment.wait_for_lines(ctx, &name, LINES_BEFORE).await?;

    let api: Api<Pod> = Api::namespaced(ctx.kube.clone(), &ctx.namespace);
    bed.kill(&Place::of(&api.get(&name).await?, SIDECAR)?).await?;
    let before = deployment.count(ctx, &name).await?;
    ctx.progress.step(format!("{SIDECAR} of {name} was killed after {before} lines"));
    let (restarts, code) = eventually("the killed collector to be restarted", ctx.limit, async || {
        let pod = api.get(&name).await?;
        let statuses = pod.status.as_ref().and_then(|s| s.container_statuses.as_deref()).unwrap_or_default();
        let status = statuses.iter().find(|status| status.name == SIDECAR);
        let last = status.and_then(|s| s.last_state.as_ref()?.terminated.as_ref());
        Ok(match (status, last) {
            (Some(status), Some(last)) if status.ready => Look::Done((status.restart_count, last.exit_code)),
            _ => Look::Waiting(kubernetes::describe(&pod)),
        })
    })
    .await?;
    report.checks.push(Check::new(
        "the kubelet restarts a collector that was killed",
        (restarts, code) == (1, KILLED),
        format!("{restarts} restarts, its exit code was {code}"),
    ));
    // More than could be a repetition: the new one reads on.
    deployment.wait_for_lines(ctx, &name, before + LINES_BEFORE).await?;
    let (lines, _) = deployment.finish(ctx, REPEATED_MAX).await?;
    let repeated: Vec<String> =
        lines.streams.iter().map(|s| format!("{} in {}", s.duplicated, s.logstore)).collect();
    report.checks.push(Check::new(
        format!("it goes on from its checkpoint: of {LINES_BEFORE} lines and more, at most {REPEATED_MAX} come twice"),
        lines.streams.iter().all(|s| s.duplicated <= REPEATED_MAX),
        repeated.join(", "),
    ));
    report.merge(lines);
    ctx.progress.done("collector: killed, restarted, every line checked");
    Ok(())
}
