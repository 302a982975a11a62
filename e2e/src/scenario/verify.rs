//! Holds what is in the Logstores against what the writers say they wrote, line by line.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use fixtures::mock_log::Summary;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use sls_expect::{Condition, Count, Expectation};

use super::{ACCESS_KEYS, ACCESS_LOGSTORE, Context, ERROR_LOGSTORE};
use crate::progress::Progress;
use crate::received::{Stream, Written, ledger, none_strange};
use crate::report::{Check, Report};
use crate::sls::Sls;

/// One writer: its pod as Kubernetes shows it, and its container's whole log.
pub struct Source {
    pub summary: Summary,
    /// The error lines it mirrored to its standard error (`--stderr=true`), in order.
    error_lines: Vec<String>,
    /// What the five environment tags must say.
    tags: [(&'static str, String); 5],
}

impl Source {
    /// Reads the summary and the mirrored lines out of the writer's container log.
    ///
    /// # Errors
    /// The log holds no summary: the writer was killed, or is not ours.
    pub fn new(pod: &Pod, log: &str) -> Result<Self> {
        let name = pod.name_any();
        let summary = log.lines().rev().find_map(Summary::from_log_line).with_context(|| {
            format!("the writer of {name} printed no summary; its log ends: {}", tail(log))
        })?;
        let error_lines = log.lines().filter(|l| l.contains("[error]")).map(str::to_owned).collect();
        let spec = pod.spec.as_ref();
        let status = pod.status.as_ref();
        let tags = [
            ("__tag__:_pod_name_", name.clone()),
            ("__tag__:_pod_ip_", status.and_then(|s| s.pod_ip.clone()).unwrap_or_default()),
            ("__tag__:_namespace_", pod.namespace().unwrap_or_default()),
            ("__tag__:_node_name_", spec.and_then(|s| s.node_name.clone()).unwrap_or_default()),
            ("__tag__:_node_ip_", status.and_then(|s| s.host_ip.clone()).unwrap_or_default()),
        ];
        if let Some((tag, _)) = tags.iter().find(|(_, value)| value.is_empty()) {
            bail!("pod {name} has no value for {tag} in its status");
        }
        Ok(Self { summary, error_lines, tags })
    }

    /// What it wrote to one of the two logs.
    fn written(&self, access: bool) -> Written<'_> {
        let Summary { run, source, access: access_lines, error } = &self.summary;
        match access {
            true => Written::lines(run, source, *access_lines),
            false => Written { texts: &self.error_lines, ..Written::lines(run, source, *error) },
        }
    }
}

/// Waits until all lines of the run are in both Logstores, then checks every one of them.
///
/// # Errors
/// The service cannot be asked. Missing or wrong lines are not errors but findings.
pub async fn all_lines(ctx: &Context, run: &str, sources: &[Source]) -> Result<Report> {
    lines_at_least_once(ctx, run, sources, 0).await
}

/// The same where up to `repeated` lines of each writer and log may have come twice.
///
/// # Errors
/// As [`all_lines`].
pub async fn lines_at_least_once(
    ctx: &Context,
    run: &str,
    sources: &[Source],
    repeated: u64,
) -> Result<Report> {
    lines_in(&ctx.sls, &ctx.progress, ctx.limit, run, sources, repeated).await
}

/// The same without a cluster.
///
/// # Errors
/// As [`all_lines`].
pub async fn lines_in(
    sls: &Sls,
    progress: &Progress,
    limit: Duration,
    run: &str,
    sources: &[Source],
    repeated: u64,
) -> Result<Report> {
    let mut report = Report::default();
    for (logstore, keys) in [(ACCESS_LOGSTORE, &ACCESS_KEYS[..]), (ERROR_LOGSTORE, &["content"][..])] {
        let access = logstore == ACCESS_LOGSTORE;
        let writers: Vec<Written<'_>> = sources.iter().map(|source| source.written(access)).collect();
        let total: u64 = writers.iter().map(|writer| writer.lines).sum();
        progress.step(format!("waiting for {total} lines in {logstore}"));
        let accounting = sls.account(logstore, ledger(&writers), limit).await?;
        report
            .streams
            .extend(writers.iter().map(|writer| Stream::of(&accounting, logstore, writer, repeated)));
        report.checks.push(none_strange(&accounting, logstore, &writers));
        if !access {
            let wrong = accounting.corrupted.count + accounting.truncated.count;
            report.checks.push(Check::new(
                format!("every line in {logstore} has its text byte for byte"),
                wrong + accounting.unchecked == 0 && accounting.unique > 0,
                match wrong + accounting.unchecked {
                    0 => format!("{} lines", accounting.unique),
                    _ => accounting.text(),
                },
            ));
        }

        // What a query finds is what is stored, and shown as it was written.
        let received: Vec<u64> = report.streams[report.streams.len() - writers.len()..]
            .iter()
            .map(|stream| stream.received)
            .collect();
        let expectations: Vec<Expectation> = sources
            .iter()
            .zip(&received)
            .map(|(source, received)| expectation(sls, (logstore, keys), run, source, *received))
            .collect();
        let verdicts = sls.verdicts(&expectations).await?;
        let failed = verdicts.iter().find(|verdict| !verdict.ok);
        report.checks.push(Check::new(
            format!(
                "a query finds every line in {logstore}, with its {} and the five tags of its pod",
                match keys {
                    [_] => "text".to_owned(),
                    keys => format!("{} fields", keys.len()),
                }
            ),
            failed.is_none() && !verdicts.is_empty(),
            match failed {
                Some(verdict) => sls_expect::report::text(verdict),
                None => format!("{} lines", received.iter().sum::<u64>()),
            },
        ));
    }
    Ok(report)
}

/// That a query finds so many lines of a writer, and each of them whole.
fn expectation(
    sls: &Sls,
    (logstore, keys): (&str, &[&str]),
    run: &str,
    source: &Source,
    received: u64,
) -> Expectation {
    let not_empty = |key: &&str| Condition::field(*key).matches("(?s).");
    let tags = source.tags.iter().map(|(tag, value)| Condition::field(*tag).equals(value));
    let query = format!("{run} and {}", source.summary.source);
    Expectation {
        name: Some(format!("lines of {} in {logstore}", source.summary.source)),
        count: Some(Count::Exactly { n: received }),
        each: keys.iter().map(not_empty).chain(tags).collect(),
        // The account has waited already.
        timeout_ms: Some(0),
        stable_ms: Some(0),
        ..sls.expectation(logstore, query)
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
}
