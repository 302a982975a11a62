//! The operator is killed twice: with a config half made, and while collectors work. It goes on where
//! it was, and takes up what it missed.

use anyhow::Result;
use fixtures::repaired;
use kube::ResourceExt;
use serde_json::json;

use super::writers::Job;
use super::{ACCESS_CONFIG, Context, configs, run_id};
use crate::bed::Bed;
use crate::report::{Check, Report};

const LINES: u64 = 200;
const LINES_PER_SECOND: u32 = 50;
/// A change of the config that concerns no line of the example.
const MAX_DEPTH: i64 = 7;

/// Kills the operator in the middle of its work and while lines are collected.
///
/// # Errors
/// The cluster or the service cannot be asked, or the operator does not come back.
pub async fn run(ctx: &Context, bed: &impl Bed, report: &mut Report) -> Result<()> {
    for manifest in [repaired::CRD_ACCESS, repaired::CRD_ERROR] {
        ctx.apply(ctx.config(manifest)?).await?;
    }
    bed.restart_operator().await?;
    report.merge(configs::repaired_become_ready(ctx).await?);

    let job = Job::start(ctx, &run_id("operator"), LINES, LINES_PER_SECOND).await?;
    let mut access = ctx.config(repaired::CRD_ACCESS)?;
    access.data["spec"]["logtailConfig"]["inputDetail"]["maxDepth"] = json!(MAX_DEPTH);
    let (changed, restarted) = tokio::join!(ctx.apply(access), bed.restart_operator());
    restarted?;
    let changed = changed?;
    configs::condition(ctx, &changed, "Ready", "True").await?;
    let config = ctx.sls.config(ACCESS_CONFIG).await?;
    let depth = config.map(|config| json!(config)).map(|config| config["inputDetail"]["maxDepth"].clone());
    report.checks.push(Check::new(
        "a change made while the operator was being killed reaches the service",
        depth == Some(json!(MAX_DEPTH)),
        format!("{}: maxDepth {depth:?}", changed.name_any()),
    ));
    report.merge(job.every_line(ctx).await?);
    job.delete(ctx).await?;
    ctx.progress.done("operator: killed twice, configs and lines checked");
    Ok(())
}
