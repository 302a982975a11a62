//! `mock-sls verify`: asks for everything that a file expects, side by side.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use futures::future::try_join;
use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;
use serde_json::Value;
use sls_expect::Expectation;
use sls_expect::account::AccountAsked;

use super::call::{self, Emulator, Server};
use super::expect::{asked_wrongly, wrong};
use super::told::{self, Format, Told};
use super::{account, golden};

/// Accounts that are asked for side by side (own choice: half of what an emulator makes at a time).
const ACCOUNTS_AT_A_TIME: usize = 2;

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
  - account: {project: demo, logstore: access, exactly_once: true, within_ms: 60000}
    ledger: access-ledger.jsonl

An account has the parameters of POST /_mock/v1/account, and a ledger or a list of them. Golden files and
ledgers are looked for beside the file. Exit codes: as those of `mock-sls expect`.")]
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

/// What a file expects.
#[derive(Debug, Default)]
struct Expected {
    expectations: Vec<Expectation>,
    accounts: Vec<Account>,
}

/// An account in a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    account: AccountAsked,
    ledger: Ledgers,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Ledgers {
    One(PathBuf),
    Several(Vec<PathBuf>),
}

impl Account {
    fn ledgers(&self, folder: &Path) -> Vec<PathBuf> {
        let files = match &self.ledger {
            Ledgers::One(file) => std::slice::from_ref(file),
            Ledgers::Several(files) => files,
        };
        files.iter().map(|file| folder.join(file)).collect()
    }
}

/// Asks and prints: expectations first, then accounts.
///
/// # Errors
/// [`call::CallError`], and files that cannot be read.
pub fn run(verify: &Verify) -> anyhow::Result<ExitCode> {
    let folder = verify.file.parent().unwrap_or(Path::new("."));
    let mut expected = read(&verify.file, folder).map_err(wrong)?;
    let scopes = expected.expectations.iter_mut().map(|expectation| &mut expectation.scope);
    for scope in scopes.chain(expected.accounts.iter_mut().map(|account| &mut account.account.scope)) {
        *scope = scope.take().or_else(|| verify.scope.clone());
    }
    let told = call::run(ask(&verify.server.endpoint, folder, &expected)).map_err(asked_wrongly)?;
    told::tell(&told, verify.output)
}

async fn ask(emulator: &Emulator, folder: &Path, expected: &Expected) -> anyhow::Result<Vec<Told>> {
    let expectations = async {
        match expected.expectations.as_slice() {
            [] => Ok(Vec::new()),
            some => Ok(emulator.expect_all(some).await?),
        }
    };
    let accounts = expected
        .accounts
        .iter()
        .map(async |account| account::ask(emulator, &account.account, &account.ledgers(folder)).await);
    let accounts = futures::stream::iter(accounts).buffered(ACCOUNTS_AT_A_TIME).try_collect::<Vec<_>>();
    let (verdicts, accounts) = try_join(expectations, accounts).await?;
    Ok(verdicts.into_iter().map(Told::from).chain(accounts.into_iter().map(Told::from)).collect())
}

fn read(path: &Path, folder: &Path) -> anyhow::Result<Expected> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.display();
    let entries: Vec<Value> = serde_saphyr::from_str(&text)
        .with_context(|| format!("{name} is no list of expectations; `mock-sls verify --help` shows one"))?;
    if entries.is_empty() {
        bail!("{name} expects nothing");
    }
    let mut expected = Expected::default();
    for (number, entry) in (1..).zip(entries) {
        let place = || format!("{name}, expectation {number}");
        if entry.get("account").is_some() {
            let account: Account = serde_json::from_value(entry).with_context(place)?;
            account.account.check().with_context(place)?;
            expected.accounts.push(account);
        } else {
            expected.expectations.push(expectation(folder, entry).with_context(place)?);
        }
    }
    Ok(expected)
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
