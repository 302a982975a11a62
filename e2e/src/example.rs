//! The run of `cargo e2e`: all scenarios on one bed, and what they found.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::bed::embedded::NAMESPACE;
use crate::bed::{Bed, Embedded, Options};
use crate::kubernetes;
use crate::progress::Progress;
use crate::report::{Check, Report};
use crate::scenario::{Context, Load, configs, deletion, scaling, sidecar_job};

/// Time between the start of the writers and the outage.
const BEFORE_OUTAGE: Duration = Duration::from_secs(1);

/// Most access lines per second and replica in the scaling scenario, whose writers write for as
/// long as the scaling takes: every line is checked afterwards.
const SCALING_RATE_MAX: u32 = 100;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub load: Load,
    /// How long the Log Service is away while lines are written.
    pub outage: Option<Duration>,
}

/// Runs everything on a new embedded bed. The report is judged; the bed's folder stays where
/// `options` say.
pub async fn run(options: Options, plan: &Plan, progress: &Progress) -> Report {
    let root = options.root.clone();
    run_on(Embedded::start(options, progress), &root, plan, progress).await
}

/// Runs everything on the bed that `start` starts; `root` is its folder.
pub async fn run_on<B: Bed>(
    start: impl Future<Output = Result<B>>,
    root: &Path,
    plan: &Plan,
    progress: &Progress,
) -> Report {
    let mut report = match start.await {
        Ok(bed) => on_bed(bed, plan, progress).await,
        Err(error) => Report { errors: vec![format!("{error:#}")], ..Report::default() },
    };
    report.seconds = progress.seconds();
    report.judge();
    if !report.ok {
        report.evidence = Some(root.to_owned());
    }
    progress.finish();
    report
}

async fn on_bed(mut bed: impl Bed, plan: &Plan, progress: &Progress) -> Report {
    let mut report = Report::default();
    let outcome = match bed.scenario_context(progress) {
        Ok(ctx) => {
            let ctx = ctx.with_outage(plan.outage);
            scenarios(&mut bed, &ctx, plan, &mut report).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        report.errors.push(format!("{error:#}"));
    }
    report.judge();
    if !report.ok {
        bed.write_evidence().await;
    }
    progress.step("ending the bed");
    if let Err(error) = bed.shutdown().await {
        report.errors.push(format!("{error:#}"));
    }
    report
}

async fn scenarios(bed: &mut impl Bed, ctx: &Context, plan: &Plan, report: &mut Report) -> Result<()> {
    report.merge(configs::published_is_refused(ctx).await?);
    report.merge(configs::repaired_become_ready(ctx).await?);
    let (job, scaled, outage) = tokio::join!(
        sidecar_job::run(ctx, plan.load),
        scaling::run(ctx, plan.load.per_second.min(SCALING_RATE_MAX)),
        outage(bed, plan.outage),
    );
    // What one found counts even where another failed.
    for outcome in [job, scaled, outage] {
        match outcome {
            Ok(found) => report.merge(found),
            Err(error) => report.errors.push(format!("{error:#}")),
        }
    }
    report.merge(deletion::removes_the_config_and_keeps_the_logs(ctx).await?);
    Ok(())
}

/// Takes the Log Service away for a while, if the plan says so.
async fn outage(bed: &mut impl Bed, length: Option<Duration>) -> Result<Report> {
    let mut report = Report::default();
    let Some(length) = length else { return Ok(report) };
    tokio::time::sleep(BEFORE_OUTAGE).await;
    bed.stop_sls().await?;
    tokio::time::sleep(length).await;
    bed.start_sls().await?;
    let name = "the Log Service was away while lines were written";
    report.checks.push(Check::new(name, true, format!("{} s", length.as_secs())));
    Ok(report)
}

/// The bed that stays: both configs and the Deployment, nothing asserted.
///
/// # Errors
/// A part that cannot start, or an object the API server refuses.
pub async fn bring_up(options: Options, per_second: u32, progress: &Progress) -> Result<Embedded> {
    let bed = Embedded::start(options, progress).await?;
    let ctx = bed.context(NAMESPACE, progress)?;
    configs::repaired_become_ready(&ctx).await?;
    let mut deployment = kubernetes::parse(fixtures::repaired::SIDECAR_DEPLOYMENT)?;
    let tuning = crate::manifest::Tuning {
        run: crate::scenario::run_id("up"),
        total_count: None,
        logs_per_sec: per_second,
        probe_seconds: 5,
        outage: None,
    };
    crate::manifest::tune(&mut deployment, &tuning)?;
    kubernetes::apply(&ctx.kube, NAMESPACE, deployment).await?;
    Ok(bed)
}
