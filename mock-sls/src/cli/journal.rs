//! `mock-sls journal`: which requests a running emulator got.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use http::Method;
use jiff::Timestamp;
use sls_expect::journal::{Entry, Filter, LIMIT_MAX, Page};

use super::Output;
use super::call::{Call, CallError, Server, print, run};

/// How long one call waits for new entries, ms (own choice: half of what the server allows).
const FOLLOW_MS: u64 = 30_000;

#[derive(Debug, Args)]
#[command(after_help = "\
  mock-sls journal --operation write --status 4xx
  mock-sls journal --logstore nginx --follow
  mock-sls journal -o json | jq .error_code

Exit codes: 0 done, 1 refused, 2 wrong arguments, 3 no emulator answers.")]
pub struct Journal {
    #[command(flatten)]
    server: Server,

    /// Only these operations, with commas between them; write, query and pull stand for several.
    #[arg(long, value_name = "NAMES")]
    operation: Option<String>,

    /// Only this project.
    #[arg(long)]
    project: Option<String>,

    /// Only this Logstore.
    #[arg(long)]
    logstore: Option<String>,

    /// Only this status, a class of them (4xx), or none for requests without answer.
    #[arg(long)]
    status: Option<String>,

    /// Only this error code.
    #[arg(long, value_name = "CODE")]
    error_code: Option<String>,

    /// Only this sender, with or without port.
    #[arg(long, value_name = "ADDRESS")]
    client: Option<String>,

    /// Only entries after this number.
    #[arg(long, value_name = "SEQ")]
    since: Option<u64>,

    /// At most so many: the last ones, or with --since the first.
    #[arg(long, value_name = "N", conflicts_with = "follow")]
    limit: Option<usize>,

    /// Print also what comes yet, until stopped.
    #[arg(short, long)]
    follow: bool,

    /// Forget all entries instead.
    #[arg(long, conflicts_with_all = [
        "operation", "project", "logstore", "status", "error_code", "client", "since", "limit", "follow"
    ])]
    clear: bool,

    /// A table, or a JSON object a line.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Runs the command.
pub fn main(journal: Journal) -> anyhow::Result<()> {
    run(journal.run())
}

impl Journal {
    async fn run(self) -> anyhow::Result<()> {
        if self.clear {
            self.server.endpoint.call(Call::new(Method::DELETE, "journal")).await?;
            return Ok(());
        }
        let mut filter = Filter {
            operation: self.operation.clone(),
            project: self.project.clone(),
            logstore: self.logstore.clone(),
            status: self.status.clone(),
            error_code: self.error_code.clone(),
            client: self.client.clone(),
            since: self.since,
            limit: self.limit,
            follow_ms: None,
        };
        filter.check().map_err(|bad| CallError::Usage(bad.to_string()))?;
        if self.output == Output::Text && !print(head())? {
            return Ok(());
        }
        loop {
            let page = self.page(&filter).await?;
            if page.missed > 0 {
                eprintln!("mock-sls: {} requests are no longer in the journal", page.missed);
            }
            let mut text = String::new();
            for entry in &page.entries {
                match self.output {
                    Output::Json => writeln!(text, "{}", serde_json::to_string(entry)?)?,
                    Output::Text => writeln!(text, "{}", line(entry))?,
                }
            }
            if !print(&text)? || !self.follow {
                return Ok(());
            }
            filter = Filter {
                since: Some(page.next),
                follow_ms: Some(FOLLOW_MS),
                limit: Some(LIMIT_MAX),
                ..filter
            };
        }
    }

    async fn page(&self, filter: &Filter) -> anyhow::Result<Page> {
        let query = serde_urlencoded::to_string(filter)?;
        let wait = Duration::from_millis(filter.follow_ms.unwrap_or_default());
        let answer =
            self.server.endpoint.call(Call { query, wait, ..Call::new(Method::GET, "journal") }).await?;
        serde_json::from_value(answer).context("the answer is no journal")
    }
}

fn head() -> String {
    let columns = ["SEQ", "TIME", "STATUS", "OPERATION", "WHERE", "IN", "OUT", "MS", "CLIENT", "NOTE"];
    let [seq, time, status, operation, place, bytes_in, bytes_out, ms, client, note] = columns;
    format!(
        "{seq:>6} {time:<24} {status:<6} {operation:<20} {place:<28} {bytes_in:>8} {bytes_out:>8} {ms:>8} {client:<21} {note}\n"
    )
}

fn line(entry: &Entry) -> String {
    let time =
        Timestamp::from_millisecond(entry.time_ms).map(|time| format!("{time:.3}")).unwrap_or_default();
    let status = match (entry.status, entry.lost) {
        (Some(status), false) => status.to_string(),
        (Some(status), true) => format!("{status} x"),
        (None, _) => "x".to_owned(),
    };
    let operation = entry.operation.clone().unwrap_or_else(|| entry.method.clone());
    let place = match (&entry.project, &entry.logstore, entry.shard) {
        (Some(project), Some(logstore), Some(shard)) => format!("{project}/{logstore}/{shard}"),
        (Some(project), Some(logstore), None) => format!("{project}/{logstore}"),
        (Some(project), None, _) if entry.operation.is_some() => project.clone(),
        _ => entry.path.clone(),
    };
    let logs = entry.wrote.as_ref().map(|wrote| match wrote.logs {
        1 => "1 log".to_owned(),
        logs => format!("{logs} logs"),
    });
    let error = entry.error_code.as_ref().map(|code| {
        let message = entry.error_message.as_deref().unwrap_or_default();
        format!("{code}: {message}")
    });
    let faults = (!entry.faults.is_empty()).then(|| format!("fault {}", entry.faults.join(",")));
    let note: Vec<String> = [logs, error, faults].into_iter().flatten().collect();
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let ms = entry.micros as f64 / 1_000.0;
    let line = format!(
        "{:>6} {time:<24} {status:<6} {operation:<20} {place:<28} {:>8} {:>8} {ms:>8.1} {:<21} {}",
        entry.seq,
        entry.bytes_in,
        entry.bytes_out,
        entry.client,
        note.join("; ")
    );
    // A message may have any character, and a terminal obeys some.
    line.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
