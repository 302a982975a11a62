//! `mock-sls verify`: asks for everything that a file expects, side by side.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::Value;
use sls_expect::Expectation;

use super::call::{self, Server};
use super::expect::{Format, asked_wrongly, exit_code, print, wrong};
use super::golden;

#[derive(Debug, Args)]
#[command(after_help = "\
The file is YAML or JSON, a list of expectations with the members of POST /_mock/v1/expect:

  - name: every access line
    project: demo
    logstore: access
    query: run-7
    count: {op: exactly, n: 1000}
    timeout_ms: 30000
    each:
      - {field: status, matches: '^2'}
  - name: as last time
    project: demo
    logstore: errors
    golden: {file: errors.jsonl, normalize_time: true}

A golden file is looked for beside the file. Exit codes: as those of `mock-sls expect`.")]
pub struct Verify {
    /// The file of expectations.
    #[arg(default_value = "expect.yaml")]
    file: PathBuf,

    #[command(flatten)]
    server: Server,

    /// Only what came after this scope was made, for expectations that name none.
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,

    /// How the verdicts are printed.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Asks and prints.
///
/// # Errors
/// [`call::CallError`], and files that cannot be read.
pub fn run(verify: &Verify) -> anyhow::Result<ExitCode> {
    let mut expectations = read(&verify.file).map_err(wrong)?;
    for expectation in &mut expectations {
        expectation.scope = expectation.scope.take().or_else(|| verify.scope.clone());
    }
    let asking = async { Ok(verify.server.endpoint.expect_all(&expectations).await?) };
    let verdicts = call::run(asking).map_err(asked_wrongly)?;
    print(&verdicts, verify.output)?;
    Ok(exit_code(&verdicts))
}

fn read(path: &Path) -> anyhow::Result<Vec<Expectation>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.display();
    let entries: Vec<Value> = serde_saphyr::from_str(&text)
        .with_context(|| format!("{name} is no list of expectations; `mock-sls verify --help` shows one"))?;
    if entries.is_empty() {
        bail!("{name} expects nothing");
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let entry =
        |(number, entry)| expectation(folder, entry).with_context(|| format!("{name}, expectation {number}"));
    (1..).zip(entries).map(entry).collect()
}

/// An expectation whose golden logs may be named by their file.
fn expectation(folder: &Path, mut entry: Value) -> anyhow::Result<Expectation> {
    if let Some(golden) = entry.get_mut("golden").and_then(Value::as_object_mut)
        && let Some(file) = golden.remove("file")
    {
        let file = file.as_str().context("golden: file is no text")?;
        golden.insert("logs".to_owned(), serde_json::to_value(golden::read(&folder.join(file))?)?);
    }
    let expectation: Expectation = serde_json::from_value(entry)?;
    // Told here with the file's name, and not by the emulator.
    expectation.clone().check()?;
    Ok(expectation)
}
