//! `mock-sls faults`: what a running emulator is to do wrong.

use std::fmt::Write as _;
use std::io::Read as _;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};
use sls_expect::fault::{Rule, Standing, What, When};
use sls_expect::operations::Operations;

use super::Output;
use super::call::{Call, CallError, Server, print, run};
use super::expect::wrong;

/// Bytes of a file of faults (own choice: many times what the most faults take).
const FILE_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 done, 1 refused, 2 wrong arguments, 3 no emulator answers.")]
pub struct Faults {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add one or several.
    Add(Box<Add>),
    /// Show all, with how often they acted.
    List(List),
    /// Remove one, or all.
    Remove(Remove),
}

#[derive(Debug, Args)]
#[command(after_help = "\
FAULT is KIND=VALUE with the options, or in JSON a fault that says everything itself (also header and
client, for which there is no option), a list of them, a file with that (@FILE), or - for standard input:

  mock-sls faults add reset=after --operation write --times 1
  mock-sls faults add error=503 --operation PutLogs --probability 0.1 --seed 7
  mock-sls faults add hang --logstore nginx --nth 3
  mock-sls faults add '{\"what\": {\"delay_ms\": {\"min\": 100, \"max\": 900}}, \"for_ms\": 60000}'

Kinds: delay_ms=MS, error=STATUS, quota=write|shard_write|read|shard_read, reset=before|after, hang,
hang=MS, slow_body=BYTES_PER_S, truncated=BYTES, wrong_request_id=absent|other, clock_offset_s=S,
incomplete=ANSWERS, visibility_delay_ms=MS. docs/faults.md says what each does.")]
struct Add {
    #[command(flatten)]
    server: Server,

    /// The fault.
    #[arg(value_name = "FAULT")]
    fault: String,

    /// What it is called.
    #[arg(long)]
    name: Option<String>,

    /// Only these operations, with commas between them; write, query and pull stand for several.
    #[arg(long, value_name = "NAMES")]
    operation: Option<String>,

    /// Only this project.
    #[arg(long)]
    project: Option<String>,

    /// Only this Logstore.
    #[arg(long)]
    logstore: Option<String>,

    /// Only this shard, of operations that name one.
    #[arg(long)]
    shard: Option<u32>,

    /// Only the so-manyth of these requests.
    #[arg(long, value_name = "N")]
    nth: Option<u64>,

    /// All of these requests after so many.
    #[arg(long, value_name = "N")]
    after: Option<u64>,

    /// Each so-manyth of these requests.
    #[arg(long, value_name = "N")]
    every: Option<u64>,

    /// This share of these requests, above 0 and up to 1.
    #[arg(long, value_name = "SHARE")]
    probability: Option<f64>,

    /// Which ones, with --probability; the same number chooses the same again.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,

    /// At most so often.
    #[arg(long, value_name = "N")]
    times: Option<u64>,

    /// For so long.
    #[arg(long, value_name = "MS")]
    for_ms: Option<u64>,

    /// A name a line, or JSON.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    server: Server,

    /// A table, or JSON.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Args)]
struct Remove {
    #[command(flatten)]
    server: Server,

    /// Which.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    name: Option<String>,

    /// All of them.
    #[arg(long)]
    all: bool,
}

/// Runs the command.
pub fn main(faults: Faults) -> anyhow::Result<()> {
    run(async {
        match faults.command {
            Command::Add(add) => add.run().await,
            Command::List(list) => list.run().await,
            Command::Remove(remove) => remove.run().await,
        }
    })
}

/// The answer to a list.
#[derive(Deserialize)]
struct Listed {
    faults: Vec<Standing>,
}

/// The answer to an addition.
#[derive(Deserialize)]
struct Named {
    names: Vec<String>,
}

impl Add {
    async fn run(self) -> anyhow::Result<()> {
        let body = self.body()?;
        let answer =
            self.server.endpoint.call(Call { body: Some(body), ..Call::new(Method::POST, "faults") }).await?;
        let text = match self.output {
            Output::Json => format!("{answer}\n"),
            Output::Text => {
                let named: Named = serde_json::from_value(answer).context("the answer has no names")?;
                named.names.iter().map(|name| format!("{name}\n")).collect()
            }
        };
        print(&text)?;
        Ok(())
    }

    fn body(&self) -> anyhow::Result<Value> {
        let text = match self.fault.as_str() {
            "-" => read(std::io::stdin(), "standard input").map_err(wrong)?,
            json if json.starts_with(['{', '[']) => json.to_owned(),
            other => match other.strip_prefix('@') {
                Some(path) => file(path).map_err(wrong)?,
                None => return self.rule(other),
            },
        };
        if self.has_options() {
            let why = "options go with KIND=VALUE: a fault in JSON says everything itself";
            return Err(CallError::Usage(why.to_owned()).into());
        }
        let usage = |error: serde_json::Error| CallError::Usage(format!("the fault is not JSON: {error}"));
        Ok(serde_json::from_str(&text).map_err(usage)?)
    }

    fn has_options(&self) -> bool {
        let Self { name, operation, project, logstore, shard, nth, after, every, .. } = self;
        let texts = [name, operation, project, logstore].iter().any(|it| it.is_some());
        let numbers =
            [nth, after, every, &self.seed, &self.times, &self.for_ms].iter().any(|it| it.is_some());
        texts || numbers || shard.is_some() || self.probability.is_some()
    }

    /// The fault that `KIND=VALUE` and the options say.
    fn rule(&self, short: &str) -> anyhow::Result<Value> {
        let usage = |why: String| CallError::Usage(why);
        let (kind, value) = match short.split_once('=') {
            // A value that is not JSON is a word.
            Some((kind, value)) => (kind, serde_json::from_str(value).unwrap_or_else(|_| value.into())),
            None => (short, Value::Object(Map::new())),
        };
        let what = What::of(kind, value).map_err(|invalid| usage(invalid.to_string()))?;
        let when = When {
            operation: self.operation.as_deref().map(Operations::from).unwrap_or_default(),
            project: self.project.clone(),
            logstore: self.logstore.clone(),
            shard: self.shard,
            nth: self.nth,
            after: self.after,
            every: self.every,
            probability: self.probability,
            seed: self.seed,
            ..When::default()
        };
        let rule = Rule { name: self.name.clone(), when, what, times: self.times, for_ms: self.for_ms };
        rule.check().map_err(|invalid| usage(invalid.to_string()))?;
        Ok(serde_json::to_value(rule)?)
    }
}

fn file(path: &str) -> anyhow::Result<String> {
    read(std::fs::File::open(path).with_context(|| format!("cannot read {path}"))?, path)
}

fn read(from: impl std::io::Read, name: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    let failed = || format!("cannot read {name}");
    let length = from.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).with_context(failed)?;
    if length as u64 > FILE_BYTES_MAX {
        return Err(CallError::Usage(format!("{name} has more than {FILE_BYTES_MAX} bytes")).into());
    }
    Ok(text)
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let answer = self.server.endpoint.call(Call::new(Method::GET, "faults")).await?;
        let text = match self.output {
            Output::Json => format!("{answer}\n"),
            Output::Text => {
                let listed: Listed = serde_json::from_value(answer).context("the answer has no faults")?;
                table(&listed.faults)?
            }
        };
        print(&text)?;
        Ok(())
    }
}

/// A line a fault: name, how often it matched and acted, what is left, and the rule.
fn table(faults: &[Standing]) -> anyhow::Result<String> {
    let mut text = format!("{:<20} {:>8} {:>8} {:<12} {}\n", "NAME", "MATCHED", "ACTED", "LEFT", "FAULT");
    for fault in faults {
        let left = match (fault.over, fault.times_left, fault.ms_left) {
            (true, _, _) => "over".to_owned(),
            (false, None, None) => "-".to_owned(),
            (false, times, ms) => {
                let times = times.map(|times| format!("{times}x"));
                let parts = times.into_iter().chain(ms.map(|ms| format!("{ms}ms")));
                parts.collect::<Vec<_>>().join(" ")
            }
        };
        let what = serde_json::to_string(&fault.rule.what)?;
        let when = match serde_json::to_string(&fault.rule.when)? {
            all if all == "{}" => String::new(),
            when => format!(" when {when}"),
        };
        writeln!(text, "{:<20} {:>8} {:>8} {left:<12} {what}{when}", fault.name, fault.matched, fault.acted)?;
    }
    Ok(text)
}

impl Remove {
    async fn run(self) -> anyhow::Result<()> {
        let query = match &self.name {
            Some(name) => serde_urlencoded::to_string([("name", name)])?,
            None => String::new(),
        };
        self.server.endpoint.call(Call { query, ..Call::new(Method::DELETE, "faults") }).await?;
        Ok(())
    }
}
