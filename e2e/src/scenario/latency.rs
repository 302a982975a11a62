//! Figure: the time from a line's being written to its being found by a query.
//!
//! The writer mirrors each error line to its standard error right after the file; the container log
//! has the time of each. A query every few milliseconds counts the lines that are there: the n-th line
//! was there when n were counted. So the figure includes the pause between two queries, and supposes
//! that node and bed have one clock.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, ResourceExt};

use super::writers::Job;
use super::{Context, ERROR_LOGSTORE, run_id};
use crate::manifest::WRITER;
use crate::report::{Figure, Report};

const LINES: u64 = 300;
const LINES_PER_SECOND: u32 = 50;
/// Pause between two queries.
const PAUSE: Duration = Duration::from_millis(10);
/// Most that the median should be, in ms. Source: own goal.
const MEDIAN_GOAL_MS: f64 = 1000.0;

/// Runs a Job and measures each of its error lines; all lines are checked as well.
///
/// # Errors
/// The cluster or the service cannot be asked, or lines do not arrive.
pub async fn run(ctx: &Context, report: &mut Report) -> Result<()> {
    let run = run_id("latency");
    let job = Job::start(ctx, &run, LINES, LINES_PER_SECOND).await?;
    ctx.progress.step("measuring the time from written to queryable");
    let counted = tokio::time::timeout(ctx.limit, count_all(ctx, &run)).await;
    let counted = counted.with_context(|| format!("{LINES} lines did not arrive"))??;
    let params = LogParams { container: Some(WRITER.to_owned()), timestamps: true, ..LogParams::default() };
    let log = Api::<Pod>::namespaced(ctx.kube.clone(), &ctx.namespace)
        .logs(&job.pod.name_any(), &params)
        .await
        .context("cannot read the writer's log")?;
    let mut millis = latencies(&written(&log)?, &counted)?;
    millis.sort_by(f64::total_cmp);
    let figure = |what: &str, value| Figure::new(format!("line written → queryable, {what}"), value, "ms");
    report.figures.push(figure("median", percentile(&millis, 50)).at_most(MEDIAN_GOAL_MS));
    report.figures.push(figure("99th percentile", percentile(&millis, 99)));
    report.merge(job.every_line(ctx).await?);
    job.delete(ctx).await?;
    ctx.progress.done(format!("latency: {} lines measured", millis.len()));
    Ok(())
}

/// How many lines were there at which time, until all are.
async fn count_all(ctx: &Context, run: &str) -> Result<Vec<(Timestamp, u64)>> {
    let mut counted = Vec::new();
    loop {
        let count = ctx.sls.count(ERROR_LOGSTORE, run).await?;
        if counted.last().is_none_or(|(_, last)| *last < count) {
            counted.push((Timestamp::now(), count));
        }
        if count >= LINES {
            return Ok(counted);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The times of the error lines in a container log with timestamps.
fn written(log: &str) -> Result<Vec<Timestamp>> {
    log.lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, text)| text.contains("[error]"))
        .map(|(time, _)| time.parse().with_context(|| format!("{time:?} is no time")))
        .collect()
}

/// Milliseconds from each line's writing to the first count that includes it.
fn latencies(written: &[Timestamp], counted: &[(Timestamp, u64)]) -> Result<Vec<f64>> {
    let mut counted = counted.iter().peekable();
    let mut millis = Vec::with_capacity(written.len());
    for (number, time) in (1..).zip(written) {
        while counted.next_if(|(_, count)| *count < number).is_some() {}
        let Some((seen, _)) = counted.peek() else { bail!("line {number} was never counted") };
        millis.push(seen.duration_since(*time).as_secs_f64() * 1000.0);
    }
    if millis.is_empty() {
        bail!("the writer's log holds no error line");
    }
    Ok(millis)
}

/// The value below or at which so many percent of the sorted values lie.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).expect("a time")
    }

    #[test]
    fn a_line_was_there_at_the_first_count_that_reaches_its_number() {
        let counted = [(at(150), 1), (at(300), 3)];
        let millis = latencies(&[at(100), at(110), at(120)], &counted).expect("latencies");
        assert_eq!(millis, [50.0, 190.0, 180.0]);
        assert!(latencies(&[at(1), at(2), at(3), at(4)], &counted).is_err());
        assert!(latencies(&[], &counted).is_err());
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!((percentile(&sorted, 50), percentile(&sorted, 99)), (100.0, 198.0));
        assert_eq!(percentile(&[7.0], 99), 7.0);
    }

    #[test]
    fn times_are_read_from_a_log_with_timestamps() {
        let log = "2026-01-02T03:04:05.678901234Z 2026/01/02 03:04:05 [error] 1#1: x\n\
                   2026-01-02T03:04:06Z mock_log summary {}\n";
        assert_eq!(written(log).expect("times"), ["2026-01-02T03:04:05.678901234Z".parse().expect("time")]);
    }
}
