//! The document's Job with a collector that ends by itself: nobody helps, the Job completes, every line is there.

use anyhow::{Context as _, Result};
use k8s_openapi::api::batch::v1::Job as JobObject;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};

use super::writers::Job;
use super::{Context, run_id, verify};
use crate::eventually::{Look, eventually};
use crate::manifest::{self, SIDECAR};
use crate::report::{Check, Report};

const LINES: u64 = 300;
const LINES_PER_SECOND: u32 = 100;
/// Quiet seconds before the collector ends, instead of its default of 10.
const QUIET_SECONDS: &str = "2";
/// Where the project keeps what its collectors tell of themselves.
const COLLECTOR_LOGSTORE: &str = "internal-diagnostic_log";

/// The Job as it is, but for the label that tells the sidecar that it belongs to a Job.
///
/// # Errors
/// The cluster or the service cannot be asked, or the Job does not complete.
pub async fn run(ctx: &Context, report: &mut Report) -> Result<()> {
    let run = run_id("completes");
    ctx.sls.keep_collector_logs(COLLECTOR_LOGSTORE).await?;
    let mut object = Job::tuned(ctx, &run, LINES, LINES_PER_SECOND)?;
    manifest::set_sidecar_env_from_label(&mut object, "ALIYUN_LOGTAIL_JOB_NAME", "job-name")?;
    manifest::set_sidecar_env(&mut object, "ALIYUN_LOGTAIL_EXIT_QUIET_SECONDS", QUIET_SECONDS)?;
    let job = Job::apply(ctx, object).await?;
    let name = job.pod.name_any();
    ctx.progress.step(format!("{name} writes {LINES} access and error lines; its collector ends by itself"));
    let source = job.written(ctx).await?;
    report.checks.push(completes(ctx, &job.name()).await);
    report.checks.extend(sidecar_ended_well(ctx, &name).await?);
    report.checks.push(told_of_itself(ctx).await?);
    report.merge(verify::all_lines(ctx, &run, &[source]).await?);
    job.delete(ctx).await?;
    ctx.progress.done("Job: completed unattended, its lines checked");
    Ok(())
}

/// The Job gets the condition `Complete`.
pub(super) async fn completes(ctx: &Context, name: &str) -> Check {
    let api: Api<JobObject> = Api::namespaced(ctx.kube.clone(), &ctx.namespace);
    let title = "the Job completes without help";
    let seen = eventually("the Job to complete", ctx.limit, async || {
        let status = api.get(name).await?.status.unwrap_or_default();
        let mut conditions = status.conditions.into_iter().flatten().filter(|c| c.status == "True");
        Ok(match conditions.find(|c| c.type_ == "Complete" || c.type_ == "Failed") {
            Some(condition) => Look::Done(condition),
            None => Look::Waiting(format!("{} active", status.active.unwrap_or(0))),
        })
    });
    match seen.await {
        Ok(condition) => {
            Check::new(title, condition.type_ == "Complete", condition.message.unwrap_or(condition.type_))
        }
        Err(error) => Check::new(title, false, format!("{error:#}")),
    }
}

/// The sidecar ended with exit code 0, without a restart, and its account is in its termination message.
async fn sidecar_ended_well(ctx: &Context, pod: &str) -> Result<Vec<Check>> {
    let api: Api<Pod> = Api::namespaced(ctx.kube.clone(), &ctx.namespace);
    let statuses = api.get(pod).await?.status.and_then(|s| s.container_statuses).unwrap_or_default();
    let status = statuses.into_iter().find(|s| s.name == SIDECAR).context("the pod has no sidecar")?;
    let title = "the sidecar has ended with exit code 0";
    let Some(end) = status.state.and_then(|state| state.terminated) else {
        return Ok(vec![Check::new(title, false, "it still runs")]);
    };
    let ok = end.exit_code == 0 && status.restart_count == 0;
    let ended =
        Check::new(title, ok, format!("exit code {}, {} restarts", end.exit_code, status.restart_count));
    let message = end.message.unwrap_or_default();
    let account = message.lines().next().unwrap_or_default();
    let wanted = format!("2 files, {} lines sent, 0 lost, 0 bytes unread", 2 * LINES);
    let told = Check::new("its termination message accounts for all lines", account == wanted, account);
    Ok(vec![ended, told])
}

/// Before it ended, the collector told the service how it did, and what it read.
async fn told_of_itself(ctx: &Context) -> Result<Check> {
    let rows = ctx.sls.get_logs(COLLECTOR_LOGSTORE, "*".to_owned()).await?;
    let of_topic = |topic: &str| {
        let topic = Some(topic.to_owned());
        rows.iter().filter(move |row| row.get("__topic__") == topic.as_deref())
    };
    let statistics =
        of_topic("logtail_profile").filter(|row| row.get("file_name") == Some("logstore_statistics"));
    let lines = statistics.filter_map(|row| row.get("succeed_lines")?.parse::<u64>().ok()).sum::<u64>();
    let statuses = of_topic("logtail_status").count();
    Ok(Check::new(
        "its profile and status are in the project's diagnostic logs",
        lines == 2 * LINES && statuses > 0,
        format!("{lines} lines in profiles, {statuses} statuses"),
    ))
}
