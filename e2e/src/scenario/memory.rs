//! A collector with the resources of the document's manifest: idle it stays within its request of
//! 30 MiB, and under a load as fast as the writer can it stays within its limit of 512 MiB.

use anyhow::{Context as _, Result};
use fixtures::mock_log::Summary;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};

use super::writers::Job;
use super::{ACCESS_LOGSTORE, Context, ERROR_LOGSTORE, run_id};
use crate::bed::{Bed, Memory, Place};
use crate::eventually::{Look, eventually};
use crate::kubernetes;
use crate::manifest::{self, SIDECAR, WRITER};
use crate::received::{Stream, Written, ledger, none_strange};
use crate::report::{Check, Figure, Report};

/// The document's request and limit of memory, in KiB.
const REQUEST_KIB: u64 = 30 * 1024;
const LIMIT_KIB: u64 = 512 * 1024;
/// Lines of each log in the idle part: enough to have worked, too few to count.
const LINES_IDLE: u64 = 20;
/// Lines of each log in the loaded part.
const LINES_LOADED: u64 = 50_000;

/// Measures the collector of a Job that has written a little, then that of one that writes at full
/// speed, and counts the lines of the latter.
///
/// # Errors
/// The cluster or the service cannot be asked, or the writer does not end.
pub async fn run(ctx: &Context, bed: &impl Bed, report: &mut Report) -> Result<()> {
    let idle = start(ctx, &run_id("idle"), LINES_IDLE, 10).await?;
    report.merge(idle.every_line(ctx).await?);
    let place = Place::of(&idle.pod, SIDECAR)?;
    ctx.progress.step("the collector becomes idle");
    let settled = eventually("an idle collector within 30 MiB", ctx.limit, async || {
        let seen = bed.memory(&place).await?;
        Ok(if own(bed, seen) <= REQUEST_KIB { Look::Done(()) } else { Look::Waiting(shown(bed, seen)) })
    })
    .await;
    let seen = bed.memory(&place).await?;
    report.checks.push(Check::new(
        "an idle collector stays within its request of 30 MiB",
        settled.is_ok(),
        settled.err().map_or_else(|| shown(bed, seen), |error| format!("{error:#}")),
    ));
    report.figures.push(mib("collector, idle: memory", own(bed, seen)).at_most(30.0));
    idle.delete(ctx).await?;

    let run = run_id("loaded");
    let loaded = start(ctx, &run, LINES_LOADED, 0).await?;
    let name = loaded.pod.name_any();
    ctx.progress.step(format!("{name} writes {LINES_LOADED} + {LINES_LOADED} lines as fast as it can"));
    let log = kubernetes::log_to_end(&ctx.kube, &ctx.namespace, &name, WRITER);
    let log = tokio::time::timeout(ctx.limit, log).await.context("the writer did not end")??;
    let summary = log.lines().rev().find_map(Summary::from_log_line).context("the writer has no summary")?;
    for (logstore, lines) in [(ACCESS_LOGSTORE, summary.access), (ERROR_LOGSTORE, summary.error)] {
        let written = Written::lines(&run, &name, lines);
        let accounting = ctx.sls.account(logstore, ledger(&[written]), ctx.limit).await?;
        report.streams.push(Stream::of(&accounting, logstore, &written, 0));
        report.checks.push(none_strange(&accounting, logstore, &[written]));
    }
    let seen = bed.memory(&place_of(ctx, &name).await?).await?;
    let pod = Api::<Pod>::namespaced(ctx.kube.clone(), &ctx.namespace).get(&name).await?;
    let statuses = pod.status.as_ref().and_then(|s| s.container_statuses.as_deref()).unwrap_or_default();
    let ended = statuses.iter().filter(|status| status.name == SIDECAR).any(|status| {
        let now = status.state.as_ref().and_then(|state| state.terminated.as_ref());
        status.restart_count > 0 || now.is_some()
    });
    report.checks.push(Check::new(
        "a collector under load stays within its limit of 512 MiB and is not killed",
        !ended && seen.peak_kib <= LIMIT_KIB,
        format!("{}; {}", shown(bed, seen), kubernetes::describe(&pod)),
    ));
    report.figures.push(mib("collector, under load: resident at most", seen.peak_kib).at_most(512.0));
    loaded.delete(ctx).await?;
    ctx.progress.done("memory: idle and loaded collectors measured");
    Ok(())
}

async fn start(ctx: &Context, run: &str, lines: u64, per_second: u32) -> Result<Job> {
    let mut object = Job::tuned(ctx, run, lines, per_second)?;
    object.metadata.name = Some(format!("{}-{per_second}", object.name_any()));
    manifest::set_document_resources(&mut object)?;
    if per_second == 0 {
        // The mirrored lines would only fill the container's log.
        manifest::set_writer_flag(&mut object, "--stderr", "false")?;
    }
    Job::apply(ctx, object).await
}

async fn place_of(ctx: &Context, name: &str) -> Result<Place> {
    Place::of(&Api::<Pod>::namespaced(ctx.kube.clone(), &ctx.namespace).get(name).await?, SIDECAR)
}

/// What counts for the request: all that is resident, where the executable is the one that users get.
fn own(bed: &impl Bed, memory: Memory) -> u64 {
    if bed.runs_shipped_containers() { memory.rss_kib } else { memory.anonymous_kib }
}

fn shown(bed: &impl Bed, memory: Memory) -> String {
    let mib = |kib: u64| format!("{:.1} MiB", as_mib(kib));
    let note = if bed.runs_shipped_containers() {
        ""
    } else {
        " (on this bed limits are not enforced, and pages of its unoptimised executable do not count)"
    };
    format!(
        "resident {}, of which its own {}, at most {}{note}",
        mib(memory.rss_kib),
        mib(memory.anonymous_kib),
        mib(memory.peak_kib)
    )
}

fn mib(name: &str, kib: u64) -> Figure {
    Figure::new(name, as_mib(kib), "MiB")
}

/// KiB as MiB.
#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^53 KiB")]
pub fn as_mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
