//! The Log Service goes and comes back with its volume: what it had is there, what was written
//! meanwhile arrives.

use std::time::Duration;

use anyhow::Result;

use super::writers::Job;
use super::{ACCESS_CONFIG, ACCESS_LOGSTORE, Context, ERROR_CONFIG, ERROR_LOGSTORE, run_id};
use crate::bed::Bed;
use crate::report::{Check, Report};

const LINES: u64 = 400;
const LINES_PER_SECOND: u32 = 50;
/// Lines that must be there before it goes.
const LINES_BEFORE: u64 = 50;
/// How long it is away at least: long enough that lines are written meanwhile.
const AWAY: Duration = Duration::from_secs(3);

/// Restarts the service while a Job writes.
///
/// # Errors
/// The cluster or the service cannot be asked, or the service does not come back.
pub async fn run(ctx: &Context, bed: &impl Bed, report: &mut Report) -> Result<()> {
    let run = run_id("restart");
    let job = Job::start(ctx, &run, LINES, LINES_PER_SECOND).await?;
    let before = ctx.sls.at_least(ACCESS_LOGSTORE, &run, LINES_BEFORE, ctx.limit).await?;
    ctx.progress.step("the Log Service restarts");
    bed.stop_sls().await?;
    tokio::time::sleep(AWAY).await;
    bed.start_sls().await?;

    let after = ctx.sls.count(ACCESS_LOGSTORE, &run).await?;
    let configs = ctx.sls.applied_configs(&ctx.names.machine_group).await?;
    let all = [ACCESS_CONFIG, ERROR_CONFIG].iter().all(|name| configs.iter().any(|c| c == name));
    let indexed = ctx.sls.has_index(ACCESS_LOGSTORE).await? && ctx.sls.has_index(ERROR_LOGSTORE).await?;
    report.checks.push(Check::new(
        "logs, indexes, configs and bindings outlive a restart of the service",
        after >= before && all && indexed,
        format!("{before} lines before, {after} after; bound {configs:?}; indexed {indexed}"),
    ));
    let lines = job.every_line(ctx).await?;
    report.merge(lines);
    job.delete(ctx).await?;
    ctx.progress.done("Log Service: restarted, lines written meanwhile checked");
    Ok(())
}
