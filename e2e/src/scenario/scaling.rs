//! The pair as a Deployment, scaled 1 → 3 → 1 → 0 while it writes: the last line of every replica
//! arrives, also of those that are told to stop in the middle of a line's life.

use anyhow::Result;

use super::Context;
use super::writers::Deployment;
use crate::report::{Check, Report};

/// Most access lines per second and replica: the writers write for as long as the scaling takes, and
/// every line is checked afterwards.
const RATE_MAX: u32 = 50;

/// Scales 1 → 3 → 1 → 0 and checks every line of every replica.
///
/// # Errors
/// The cluster or the service cannot be asked, or a step does not happen in time.
pub async fn run(ctx: &Context, per_second: u32, report: &mut Report) -> Result<()> {
    let mut deployment = Deployment::new(ctx, "scale", per_second.min(RATE_MAX))?;
    deployment.start(ctx, 1).await?;
    for replicas in [3, 1] {
        deployment.scale(ctx, replicas).await?;
    }
    let (lines, writers) = deployment.finish(ctx, 0).await?;
    report.merge(lines);
    report.checks.push(Check::new(
        "the Deployment scaled while writing",
        writers == 3,
        format!("1 → 3 → 1 → 0 replicas, {writers} writers"),
    ));
    ctx.progress.done("Deployment: scaled 1 → 3 → 1 → 0, lines of all replicas checked");
    Ok(())
}
