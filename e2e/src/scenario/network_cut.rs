//! For a while no packet passes between a collector and the service; then it catches up.

use std::time::Duration;

use anyhow::{Context as _, Result};
use kube::ResourceExt;

use super::Context;
use super::writers::Deployment;
use crate::bed::Bed;
use crate::report::{Check, Report};

const LINES_PER_SECOND: u32 = 30;
/// How long nothing passes.
const CUT: Duration = Duration::from_secs(30);
/// Lines of each log that may come twice: a request whose answer was cut off is sent again, and holds
/// what was written in a moment. Two seconds' worth. Source: own choice.
const REPEATED_MAX: u64 = 2 * LINES_PER_SECOND as u64;

/// Cuts the network of a writing pod for [`CUT`] and checks every line.
///
/// # Errors
/// The cluster or the service cannot be asked, or the network stays cut.
pub async fn run(ctx: &Context, bed: &impl Bed, report: &mut Report) -> Result<()> {
    let mut deployment = Deployment::new(ctx, "cut", LINES_PER_SECOND)?;
    let pods = deployment.start(ctx, 1).await?;
    let pod = pods.first().context("no pod")?;
    let name = pod.name_any();
    bed.cut(pod).await?;
    ctx.progress.step(format!("{name} cannot reach the service for {} s", CUT.as_secs()));
    let counts = async {
        let at_once = deployment.count(ctx, &name).await?;
        tokio::time::sleep(CUT).await;
        anyhow::Ok((at_once, deployment.count(ctx, &name).await?))
    }
    .await;
    bed.mend().await?;
    let (at_once, at_end) = counts?;
    report.checks.push(Check::new(
        "no line arrives while the network is cut",
        at_end - at_once < REPEATED_MAX,
        format!("{at_once} lines at its beginning, {at_end} at its end {} s later", CUT.as_secs()),
    ));
    let missed = CUT.as_secs() * u64::from(LINES_PER_SECOND);
    deployment.wait_for_lines(ctx, &name, at_end + missed).await?;
    let (lines, _) = deployment.finish(ctx, REPEATED_MAX).await?;
    report.merge(lines);
    ctx.progress.done("network: cut and mended, every line checked");
    Ok(())
}
