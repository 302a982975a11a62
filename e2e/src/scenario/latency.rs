//! Figure: the time from a line's being written to its being received, from when on a query finds it.
//!
//! The writer mirrors each error line to its standard error right after the file; the container log
//! has the time of each. The account of the emulator has the time at which it received each. So the figure
//! supposes that node and emulator have one clock.

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, ResourceExt};

use super::writers::Job;
use super::{Context, ERROR_LOGSTORE, run_id};
use crate::manifest::WRITER;
use crate::received::{Written, ledger};
use crate::report::{Figure, Report};

const LINES: u64 = 300;
const LINES_PER_SECOND: u32 = 50;
/// Most that the median should be, in ms. Source: own goal.
const MEDIAN_GOAL_MS: f64 = 1000.0;

/// Runs a Job and measures each of its error lines; all lines are checked as well.
///
/// # Errors
/// The cluster or the service cannot be asked, or lines do not arrive.
pub async fn run(ctx: &Context, report: &mut Report) -> Result<()> {
    let run = run_id("latency");
    let job = Job::start(ctx, &run, LINES, LINES_PER_SECOND).await?;
    report.merge(job.every_line(ctx).await?);
    ctx.progress.step("measuring the time from written to received");
    let params = LogParams { container: Some(WRITER.to_owned()), timestamps: true, ..LogParams::default() };
    let name = job.pod.name_any();
    let log = Api::<Pod>::namespaced(ctx.kube.clone(), &ctx.namespace)
        .logs(&name, &params)
        .await
        .context("cannot read the writer's log")?;
    let times = times(&log)?;
    let written = Written { times: &times, ..Written::lines(&run, &name, times.len() as u64) };
    let accounting = ctx.sls.account(ERROR_LOGSTORE, ledger(&[written]), ctx.limit).await?;
    let latency = accounting.latency.context("no error line was received")?;
    let figure =
        |what: &str, ms: u64| Figure::new(format!("line written → queryable, {what}"), ms as f64, "ms");
    report.figures.push(figure("median", latency.p50_ms).at_most(MEDIAN_GOAL_MS));
    report.figures.push(figure("99th percentile", latency.p99_ms));
    job.delete(ctx).await?;
    ctx.progress.done(format!("latency: {} lines measured", accounting.unique));
    Ok(())
}

/// The times of the error lines in a container log with timestamps, Unix ms.
fn times(log: &str) -> Result<Vec<u64>> {
    log.lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, text)| text.contains("[error]"))
        .map(|(time, _)| {
            let time: Timestamp = time.parse().with_context(|| format!("{time:?} is no time"))?;
            Ok(u64::try_from(time.as_millisecond())?)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_a_log_with_timestamps() {
        let log = "2026-01-02T03:04:05.678901234Z 2026/01/02 03:04:05 [error] 1#1: x\n\
                   2026-01-02T03:04:06Z mock_log summary {}\n";
        assert_eq!(times(log).expect("times"), [1_767_323_045_678]);
    }
}
