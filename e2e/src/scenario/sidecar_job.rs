//! The document's Job: a writer and its sidecar share `/var/log/nginx`; every line arrives.

use anyhow::{Context as _, Result};
use fixtures::repaired;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};

use super::verify::{self, Source};
use super::{Context, Load, run_id};
use crate::eventually::{Look, eventually};
use crate::kubernetes;
use crate::manifest::{self, SIDECAR, Tuning, WRITER};
use crate::pods::kubelet::PROBES_ANNOTATION;
use crate::report::{Check, Report};

/// Seconds between liveness probes in this run; the document's 30 would outlast it.
const PROBE_SECONDS: u32 = 1;

/// Runs the Job with `load`, checks lines, machine group and liveness, deletes the Job.
///
/// # Errors
/// The cluster or the service cannot be asked, or the writer does not end.
pub async fn run(ctx: &Context, load: Load) -> Result<Report> {
    let run = run_id("job");
    let mut job = kubernetes::parse(repaired::SIDECAR_JOB)?;
    let tuning = Tuning {
        run: run.clone(),
        total_count: Some(load.lines),
        logs_per_sec: load.per_second,
        probe_seconds: PROBE_SECONDS,
        outage: ctx.outage,
    };
    manifest::tune(&mut job, &tuning)?;
    ctx.apply(job.clone()).await?;
    let selector = format!("job-name={}", job.name_any());

    let pod = eventually("the Job's pod to run", ctx.limit, async || {
        let pods = kubernetes::pods(&ctx.kube, &ctx.namespace, &selector).await?;
        let Some(pod) = pods.first() else { return Ok(Look::Waiting("no pod".into())) };
        let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
        Ok(match phase {
            Some("Running" | "Succeeded" | "Failed") => Look::Done(pod.clone()),
            _ => Look::Waiting(kubernetes::describe(pod)),
        })
    })
    .await?;
    let name = pod.name_any();
    ctx.progress.step(format!("{name} writes {} access and {} error lines", load.lines, load.lines));
    let log =
        tokio::time::timeout(ctx.limit, kubernetes::log_to_end(&ctx.kube, &ctx.namespace, &name, WRITER))
            .await
            .with_context(|| {
                format!("the writer of {name} did not end within {} s", ctx.limit.as_secs())
            })??;
    let pod = Api::<Pod>::namespaced(ctx.kube.clone(), &ctx.namespace).get(&name).await?;
    let source = Source::new(&pod, &log)?;

    let mut report = verify::all_lines(ctx, &run, &[source]).await?;
    report.checks.push(machine_check(ctx, &pod).await?);
    report.checks.push(liveness_check(ctx, &name).await?);
    kubernetes::delete(&ctx.kube, &ctx.namespace, &job).await?;
    ctx.progress.done(format!("Job: {} + {} lines checked", load.lines, load.lines));
    Ok(report)
}

/// The machine group shows this pod with a fresh heartbeat.
async fn machine_check(ctx: &Context, pod: &Pod) -> Result<Check> {
    let ip = pod.status.as_ref().and_then(|s| s.pod_ip.clone()).unwrap_or_default();
    let machines = ctx.sls.machines(super::MACHINE_GROUP).await?;
    let age = machines.iter().find(|m| m.ip == ip).map(|m| ctx.sls.seconds_ago(m.last_heartbeat_time));
    let name = format!("machine group {} has a heartbeat of {ip}", super::MACHINE_GROUP);
    Ok(match age {
        Some(age) => Check::new(name, age <= HEARTBEAT_AGE_MAX, format!("{age} s ago")),
        None => Check::new(name, false, format!("not among its {} machines", machines.len())),
    })
}

/// A machine counts as OK when its last heartbeat is not older than this, in seconds: twice the
/// collector's default interval of 10 s and slack. Source: own choice.
const HEARTBEAT_AGE_MAX: i64 = 30;

/// The sidecar has run longer than its first probes needed, was never restarted, and no event
/// says that a probe failed. The embedded bed also counts probes; a cluster does not show them.
async fn liveness_check(ctx: &Context, name: &str) -> Result<Check> {
    let api: Api<Pod> = Api::namespaced(ctx.kube.clone(), &ctx.namespace);
    let needed = i64::from(2 * PROBE_SECONDS) + 1;
    let title = "the sidecar's liveness probe passes";
    let seen = eventually("the sidecar's liveness probe to have run", ctx.limit, async || {
        let pod = api.get(name).await?;
        let probes = pod.annotations().get(PROBES_ANNOTATION).cloned();
        let statuses = pod.status.and_then(|s| s.container_statuses).unwrap_or_default();
        let Some(status) = statuses.into_iter().find(|s| s.name == SIDECAR) else {
            return Ok(Look::Waiting("no container status".into()));
        };
        let started = status.state.and_then(|s| s.running).and_then(|r| r.started_at);
        let age = started.map_or(0, |time| ctx.sls.seconds_ago(time.0.as_second()));
        Ok(if age > needed || status.restart_count > 0 {
            Look::Done((status.restart_count, age, probes))
        } else {
            Look::Waiting(format!("running for {age} s"))
        })
    })
    .await;
    let (restarts, age, probes) = match seen {
        Ok(seen) => seen,
        Err(error) => return Ok(Check::new(title, false, format!("{error:#}"))),
    };
    let counted = probes.as_deref().map(count_probes).transpose()?;
    let events = kubernetes::events(&ctx.kube, &ctx.namespace, name).await?;
    let unhealthy: Vec<&String> = events.iter().filter(|e| e.starts_with("Unhealthy")).collect();
    let counts_ok = counted.is_none_or(|(passed, failed)| passed > 0 && failed == 0);
    let ok = restarts == 0 && age > needed && unhealthy.is_empty() && counts_ok;
    let counted = counted.map_or("not counted".to_owned(), |(p, f)| format!("{p} passed, {f} failed"));
    Ok(Check::new(title, ok, format!("{counted}, up {age} s, {restarts} restarts, events {unhealthy:?}")))
}

/// Passed and failed liveness probes of the sidecar in the annotation of the embedded bed.
fn count_probes(annotation: &str) -> Result<(u64, u64)> {
    let counts: serde_json::Value =
        serde_json::from_str(annotation).context("the probe counts are not JSON")?;
    let liveness = &counts[SIDECAR]["liveness"];
    Ok((liveness["passed"].as_u64().unwrap_or(0), liveness["failed"].as_u64().unwrap_or(0)))
}
