//! The run of `cargo e2e`: the chosen scenarios on one bed, and what they found.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::StreamExt;

use crate::bed::embedded::NAMESPACE;
use crate::bed::{Bed, Embedded, Options};
use crate::kubernetes;
use crate::outage::Outage;
use crate::progress::Progress;
use crate::report::{Figure, Report};
use crate::scenario::{Load, Scenario, configs};

/// Scenarios that run side by side: they wait more than they work, and machines of two cores are what
/// they must run on. Source: own choice.
const SIDE_BY_SIDE: usize = 4;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub load: Load,
    /// How long the Log Service is away while lines are written.
    pub outage: Option<Duration>,
    pub scenarios: Vec<Scenario>,
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

async fn on_bed(bed: impl Bed, plan: &Plan, progress: &Progress) -> Report {
    let mut report = Report::default();
    let installed = progress.seconds();
    report.figures.extend(bed.figures());
    report.figures.push(Figure::new("until everything is installed", installed, "s"));
    scenarios(&bed, plan, progress, &mut report).await;
    report.figures.push(Figure::new("all scenarios", progress.seconds() - installed, "s"));
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

/// Those that can, side by side; then the others, one by one.
async fn scenarios(bed: &impl Bed, plan: &Plan, progress: &Progress, report: &mut Report) {
    let missing = |scenario: &Scenario| scenario.needs().iter().find_map(|need| bed.offers(*need).err());
    let chosen = Scenario::ALL.into_iter().filter(|scenario| plan.scenarios.contains(scenario));
    let (offered, not_offered): (Vec<_>, Vec<_>) = chosen.partition(|scenario| missing(scenario).is_none());
    let (alone, together): (Vec<_>, Vec<_>) = offered.into_iter().partition(|scenario| scenario.alone());

    let outage = plan.outage.map(Outage::new);
    let run = |scenario| Box::pin(run_one(bed, scenario, plan, outage.as_ref(), progress));
    let side_by_side = async {
        let found =
            futures::stream::iter(together).map(run).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<_>>().await;
        outage.iter().for_each(Outage::over);
        found
    };
    let happen = async {
        match &outage {
            Some(outage) => outage.happen(bed).await.map(Some),
            None => Ok(None),
        }
    };
    let (mut found, happened) = tokio::join!(side_by_side, happen);
    for scenario in alone {
        found.push(run(scenario).await);
    }
    match happened {
        Ok(check) => report.checks.extend(check),
        Err(error) => report.errors.push(format!("{error:#}")),
    }
    for scenario in Scenario::ALL {
        if let Some(at) = found.iter().position(|(name, ..)| *name == scenario) {
            let (_, seconds, found) = found.swap_remove(at);
            report.add_scenario(scenario.name(), seconds, found);
        } else if not_offered.contains(&scenario) {
            report.add_not_offered(scenario.name(), missing(&scenario).unwrap_or_default());
        }
    }
}

/// Runs one scenario; what it found counts even where it then failed.
async fn run_one(
    bed: &impl Bed,
    scenario: Scenario,
    plan: &Plan,
    outage: Option<&Outage>,
    progress: &Progress,
) -> (Scenario, f64, Report) {
    let start = Instant::now();
    let progress = progress.named(scenario.name());
    let mut found = Report::default();
    let outcome: Result<()> = async {
        let ctx = bed.open(scenario.name(), scenario.names(), &progress).await?.with_outage(outage);
        scenario.run(&ctx, bed, plan.load, &mut found).await?;
        found.judge();
        if found.ok {
            bed.close(&ctx).await?;
        }
        Ok(())
    }
    .await;
    if let Err(error) = outcome {
        progress.done(format!("{error:#}"));
        found.errors.push(format!("{error:#}"));
    }
    (scenario, start.elapsed().as_secs_f64(), found)
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
        run: Some(crate::scenario::run_id("up")),
        total_count: None,
        logs_per_sec: per_second,
        probe_seconds: Some(5),
        outage: None,
    };
    crate::manifest::tune(&mut deployment, &tuning)?;
    kubernetes::apply(&ctx.kube, NAMESPACE, deployment).await?;
    Ok(bed)
}
