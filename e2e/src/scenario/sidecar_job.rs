//! The document's Job: a writer and its sidecar share `/var/log/nginx`; every line arrives.

use std::time::Duration;

use anyhow::{Context as _, Result};
use fixtures::repaired;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};

use super::verify;
use super::writers::Job;
use super::{Context, Load, configs};
use crate::eventually::{Look, eventually};
use crate::kubernetes;
use crate::manifest::{self, SIDECAR, Tuning};
use crate::pods::kubelet::PROBES_ANNOTATION;
use crate::report::{Check, Report};
use crate::sls::Sls;

/// Liveness probes that must have passed. Source: the document's period of 30 s, three times.
const PROBES: u32 = 3;

/// The configs as published and repaired, then the Job with `load`: checks lines, machine group and
/// liveness, deletes the Job. The manifest is as it is but for what is printed.
///
/// # Errors
/// The cluster or the service cannot be asked, or the writer does not end.
pub async fn run(ctx: &Context, load: Load, report: &mut Report) -> Result<()> {
    report.merge(configs::published_is_refused(ctx).await?);
    report.merge(configs::repaired_become_ready(ctx).await?);
    let mut job = ctx.workload(repaired::SIDECAR_JOB)?;
    let tuning = Tuning {
        run: None,
        total_count: Some(load.lines),
        logs_per_sec: load.per_second,
        probe_seconds: ctx.probe_seconds,
        outage: ctx.away(),
    };
    let changes = manifest::tune(&mut job, &tuning)?;
    if !changes.is_empty() {
        ctx.progress.done(format!("{}: {}", job.name_any(), changes.join(", ")));
    }
    let probe_seconds = manifest::probe_seconds(&mut job)?;
    let job = Job::apply(ctx, job).await?;
    let name = job.pod.name_any();
    ctx.progress.step(format!("{name} writes {} access and {} error lines", load.lines, load.lines));
    let source = job.written(ctx).await?;
    let run = source.summary.run.clone();
    report.merge(verify::all_lines(ctx, &run, &[source]).await?);
    report.checks.push(machine_check(ctx, &job.pod).await);
    report.checks.push(liveness_check(ctx, &name, probe_seconds).await?);
    job.delete(ctx).await?;
    ctx.progress.done(format!("Job: {} + {} lines checked", load.lines, load.lines));
    Ok(())
}

/// The machine group shows this pod with a fresh heartbeat.
async fn machine_check(ctx: &Context, pod: &Pod) -> Check {
    let ip = pod.status.as_ref().and_then(|s| s.pod_ip.clone()).unwrap_or_default();
    heartbeat_check(&ctx.sls, &ctx.names.machine_group, &ip, ctx.limit).await
}

/// The machine group shows the machine of this address with a fresh heartbeat. Lines may be back before
/// that is: the collector tries both on its own, and less often the longer the service is away.
pub async fn heartbeat_check(sls: &Sls, machine_group: &str, ip: &str, limit: Duration) -> Check {
    let name = format!("machine group {machine_group} has a heartbeat of {ip}");
    let fresh = eventually("a fresh heartbeat", limit, async || {
        let machines = sls.machines(machine_group).await?;
        let age = machines.iter().find(|m| m.ip == ip).map(|m| sls.seconds_ago(m.last_heartbeat_time));
        Ok(match age {
            Some(age) if age <= HEARTBEAT_AGE_MAX => Look::Done(age),
            Some(age) => Look::Waiting(format!("the last {age} s ago")),
            None => Look::Waiting(format!("not among its {} machines", machines.len())),
        })
    });
    match fresh.await {
        Ok(age) => Check::new(name, true, format!("{age} s ago")),
        Err(error) => Check::new(name, false, format!("{error:#}")),
    }
}

/// A machine counts as OK when its last heartbeat is not older than this, in seconds: twice the
/// collector's default interval of 10 s and slack. Source: own choice.
const HEARTBEAT_AGE_MAX: i64 = 30;

/// The sidecar has run longer than its first probes needed, was never restarted, and no event
/// says that a probe failed. The embedded bed also counts probes; a cluster does not show them.
async fn liveness_check(ctx: &Context, name: &str, probe_seconds: u32) -> Result<Check> {
    let api: Api<Pod> = Api::namespaced(ctx.kube.clone(), &ctx.namespace);
    // The first comes after one period, so the last has begun before this.
    let needed = i64::from(PROBES * probe_seconds) + 1;
    let title = format!("the sidecar's liveness probe passes {PROBES} times, every {probe_seconds} s");
    ctx.progress.step(format!("waiting for {PROBES} liveness probes"));
    let seen = eventually("the sidecar's liveness probe to have run", ctx.limit, async || {
        let pod = api.get(name).await?;
        let probes = pod.annotations().get(PROBES_ANNOTATION).cloned();
        let statuses = pod.status.and_then(|s| s.container_statuses).unwrap_or_default();
        let Some(status) = statuses.into_iter().find(|s| s.name == SIDECAR) else {
            return Ok(Look::Waiting("no container status".into()));
        };
        let started = status.state.and_then(|s| s.running).and_then(|r| r.started_at);
        let age = started.map_or(0, |time| ctx.sls.seconds_ago(time.0.as_second()));
        let counted = probes.as_deref().map(count_probes).transpose()?;
        let probed = counted.is_none_or(|(passed, failed)| passed >= u64::from(PROBES) || failed > 0);
        Ok(if (age > needed && probed) || status.restart_count > 0 {
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
    let counts_ok = counted.is_none_or(|(passed, failed)| passed >= u64::from(PROBES) && failed == 0);
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
