//! Figure: the memory that the collectors of a full node take together, one beside each of 20 pods.
//! Pages that they share (the program itself) count once: the kernel's "proportional set size".

use anyhow::Result;

use super::Context;
use super::memory::as_mib;
use super::writers::Deployment;
use crate::bed::{Bed, Place};
use crate::manifest::SIDECAR;
use crate::report::{Check, Figure, Report};

const PODS: usize = 20;
/// Each pod is a quiet service.
const LINES_PER_SECOND: u32 = 2;
/// The most they should take together, in MiB. Source: own goal.
const GOAL_MIB: f64 = 300.0;

/// Starts 20 pods, sums the memory of their collectors, checks every line.
///
/// # Errors
/// The cluster or the service cannot be asked, or the pods do not become ready in time.
pub async fn run(ctx: &Context, bed: &impl Bed, report: &mut Report) -> Result<()> {
    let mut deployment = Deployment::new(ctx, "many", LINES_PER_SECOND)?;
    ctx.progress.step(format!("{PODS} pods with a collector each"));
    let pods = deployment.start(ctx, PODS).await?;
    let (mut together, mut largest) = (0, 0);
    for pod in &pods {
        let memory = bed.memory(&Place::of(pod, SIDECAR)?).await?;
        together += memory.pss_kib;
        largest = largest.max(memory.rss_kib);
    }
    let name = format!("collectors of {PODS} pods on the node, memory together");
    report.figures.push(Figure::new(name, as_mib(together), "MiB").at_most(GOAL_MIB));
    report.figures.push(Figure::new("the largest of them: resident", as_mib(largest), "MiB"));
    let (lines, writers) = deployment.finish(ctx, 0).await?;
    report.merge(lines);
    report.checks.push(Check::new(
        format!("{PODS} pods with a collector each work side by side"),
        writers == PODS,
        format!("{writers} writers"),
    ));
    ctx.progress.done(format!("density: {PODS} collectors measured, every line checked"));
    Ok(())
}
