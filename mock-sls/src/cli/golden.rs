//! `mock-sls golden`: holds what is found against a file of logs, or writes that file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use sls_api::ops::logs::Row;
use sls_expect::{Count, Golden};

use super::call;
use super::expect::{Selection, Waiting, asked_wrongly, line, wrong};
use super::told::{self, Format};

#[derive(Debug, Args)]
#[command(after_help = "\
A golden file has a log on each line, as JSON. What varies from run to run is left out with --ignore or made
the same with --normalize-time; give both commands the same options.

  mock-sls golden update -p demo -l access tests/access.jsonl --count 20 --normalize-time
  mock-sls golden check  -p demo -l access tests/access.jsonl --normalize-time --unordered

Exit codes: as those of `mock-sls expect`.")]
pub struct GoldenCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Wait for the logs of the file and compare.
    Check {
        #[command(flatten)]
        common: Common,
        /// The order does not matter.
        #[arg(long)]
        unordered: bool,
        /// How the verdict is printed.
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Wait for so many logs and write them to the file.
    Update {
        #[command(flatten)]
        common: Common,
        /// How many logs there must be.
        #[arg(long, value_name = "N")]
        count: u64,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// The golden file.
    file: PathBuf,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    waiting: Waiting,
    /// A column that is left out; may be given several times. Without it pack id, pack meta and time of
    /// receipt are.
    #[arg(long, value_name = "COLUMN")]
    ignore: Option<Vec<String>>,
    /// Make all times the same.
    #[arg(long)]
    normalize_time: bool,
}

impl Common {
    fn golden(&self, logs: Vec<Row>, unordered: bool) -> Golden {
        Golden { logs, ignore: self.ignore.clone(), normalize_time: self.normalize_time, unordered }
    }
}

/// Reads a golden file.
///
/// # Errors
/// It cannot be read, or a line is no log.
pub fn read(path: &Path) -> anyhow::Result<Vec<Row>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let log = |(number, line)| {
        serde_json::from_str(line).with_context(|| {
            format!("{} line {number}: not a log, which is a JSON object of texts", path.display())
        })
    };
    lines.map(log).collect()
}

/// Checks or updates.
///
/// # Errors
/// [`call::CallError`], and files that cannot be read or written.
pub fn run(golden: &GoldenCommand) -> anyhow::Result<ExitCode> {
    match &golden.action {
        Action::Check { common, unordered, output } => {
            let logs = read(&common.file).map_err(wrong)?;
            let mut expectation = common.selection.expectation();
            common.waiting.set(&mut expectation);
            expectation.golden = Some(common.golden(logs, *unordered));
            let asking = async { Ok(common.selection.server.endpoint.expect(&expectation).await?) };
            let verdict = call::run(asking).map_err(asked_wrongly)?;
            told::tell(&[verdict.into()], *output)
        }
        Action::Update { common, count } => {
            let mut expectation = common.selection.expectation();
            common.waiting.set(&mut expectation);
            expectation.count = Some(Count::Exactly { n: *count });
            expectation.logs = true;
            let asking = async { Ok(common.selection.server.endpoint.expect(&expectation).await?) };
            let verdict = call::run(asking).map_err(asked_wrongly)?;
            if !verdict.ok {
                return told::tell(&[verdict.into()], Format::Text);
            }
            if (verdict.logs.len() as u64) < *count {
                bail!("{count} logs are more than a golden file can have ({})", verdict.logs.len());
            }
            let golden = common.golden(Vec::new(), false);
            let lines: String =
                verdict.logs.iter().map(|log| line(&golden.normalize(log))).collect::<anyhow::Result<_>>()?;
            std::fs::write(&common.file, lines)
                .with_context(|| format!("cannot write {}", common.file.display()))?;
            call::print(format!("{count} logs written to {}\n", common.file.display()))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
