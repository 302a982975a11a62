//! Holds what is in the Logstores against what the writers say they wrote, line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use fixtures::mock_log::Summary;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::{ACCESS_KEYS, ACCESS_LOGSTORE, Context, ERROR_LOGSTORE};
use crate::account::{LineId, Received};
use crate::eventually::{Look, eventually};
use crate::progress::Progress;
use crate::report::{Check, Report};
use crate::sls::{Row, Sls};

/// After everything has arrived, this long nothing more may arrive: a line sent twice comes late.
const STABLE_FOR: Duration = Duration::from_millis(500);

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
        let written = |s: &Source| if access { s.summary.access } else { s.summary.error };
        let total: u64 = sources.iter().map(written).sum();
        progress.step(format!("waiting for {total} lines in {logstore}"));
        let arrived = eventually(format!("{total} lines of {run} in {logstore}"), limit, async || {
            let count = sls.count(logstore, run).await?;
            if count < total {
                return Ok(Look::Waiting(format!("{count} lines")));
            }
            // As many may be there while some are missing and others there twice.
            let distinct = if repeated == 0 { total } else { distinct(sls, logstore, run).await? };
            Ok(if distinct >= total {
                Look::Done(())
            } else {
                Look::Waiting(format!("{count} lines, {distinct} of them different"))
            })
        })
        .await;
        if let Err(error) = arrived {
            report.errors.push(format!("{error:#}"));
        }
        tokio::time::sleep(STABLE_FOR).await;

        let rows = sls.rows(logstore, run).await?;
        let mut received: BTreeMap<&str, Received> = BTreeMap::new();
        let mut wrong = Wrong::default();
        for row in &rows {
            let Some((source, seq)) = origin(row, access, sources) else {
                wrong.add(row, "no known writer in it");
                continue;
            };
            received.entry(&source.summary.source).or_default().add(seq);
            check_row(row, keys, source, seq, &mut wrong);
        }
        // What is pulled is what is stored; a query must find as much, and show it the same way.
        let found = sls.count(logstore, run).await?;
        for row in &sls.page(logstore, run).await? {
            match origin(row, access, sources) {
                Some((source, seq)) => check_row(row, keys, source, seq, &mut wrong),
                None => wrong.add(row, "no known writer in it"),
            }
        }
        report.checks.push(Check::new(
            format!("a query finds every line that {logstore} holds"),
            found == rows.len() as u64,
            format!("{found} found, {} held", rows.len()),
        ));
        for source in sources {
            let name = &source.summary.source;
            let counted = received.remove(name.as_str()).unwrap_or_default();
            let mut stream = counted.against(logstore, name, written(source));
            stream.duplicates_allowed = repeated;
            report.streams.push(stream);
        }
        report.checks.push(wrong.into_check(logstore, keys, rows.len()));
    }
    Ok(report)
}

/// Different lines of the run in a Logstore.
async fn distinct(sls: &Sls, logstore: &str, run: &str) -> Result<u64> {
    let key = if logstore == ACCESS_LOGSTORE { "url" } else { "content" };
    let rows = sls.rows(logstore, run).await?;
    let lines: BTreeSet<&str> = rows.iter().filter_map(|row| row.get(key)).collect();
    Ok(lines.len() as u64)
}

/// The writer that wrote the row's line, and the line's number.
fn origin<'a>(row: &Row, access: bool, sources: &'a [Source]) -> Option<(&'a Source, u64)> {
    let id = row.get(if access { "url" } else { "content" }).and_then(LineId::find)?;
    let source = sources.iter().find(|s| s.summary.source == id.source && s.summary.run == id.run)?;
    Some((source, id.seq))
}

/// Fields, tags and (for error lines, which are kept whole) the text itself.
fn check_row(row: &Row, keys: &[&str], source: &Source, seq: u64, wrong: &mut Wrong) {
    if let Some(key) = keys.iter().find(|key| row.get(key).is_none_or(str::is_empty)) {
        wrong.add(row, format!("field {key} is missing or empty"));
    }
    for (tag, expected) in &source.tags {
        if row.get(tag) != Some(expected) {
            wrong.add(row, format!("{tag} is {:?}, the pod has {expected:?}", row.get(tag)));
        }
    }
    if keys == ["content"] {
        let sent = usize::try_from(seq).ok().and_then(|n| source.error_lines.get(n.checked_sub(1)?));
        if row.get("content") != sent.map(String::as_str) {
            wrong.add(row, format!("content differs from the line written: {sent:?}"));
        }
    }
}

/// Rows that are there but not as they should be; keeps the first for the message.
#[derive(Default)]
struct Wrong {
    count: usize,
    first: Option<String>,
}

impl Wrong {
    fn add(&mut self, row: &Row, why: impl Into<String>) {
        self.count += 1;
        self.first.get_or_insert_with(|| format!("{}; the log: {row:?}", why.into()));
    }

    fn into_check(self, logstore: &str, keys: &[&str], rows: usize) -> Check {
        let what = if keys.len() == 1 {
            "its text byte for byte".to_owned()
        } else {
            format!("its {} fields", keys.len())
        };
        let name = format!("every line in {logstore} has {what} and the five tags of its pod");
        match self.first {
            None => Check::new(name, rows > 0, format!("{rows} lines")),
            Some(first) => {
                Check::new(name, false, format!("{} of {rows} do not; first: {first}", self.count))
            }
        }
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
}
