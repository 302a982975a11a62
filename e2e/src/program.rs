//! What `cargo e2e` does with its command line: starts the runtime, obeys Ctrl-C, prints.

use std::ffi::OsString;
use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use futures::FutureExt;
use serde_json::json;
use tempfile::TempDir;
use tracing_subscriber::EnvFilter;

use crate::bed::kind::{self, Cluster, Kind, Made};
use crate::bed::{Options, docker};
use crate::cli::{Bed, BedArg, CLUSTER, Cli, Command, Output, Query, Run, Up};
use crate::example::{self, Plan};
use crate::progress::Progress;
use crate::report::Report;
use crate::scenario::{ACCESS_LOGSTORE, Load, PROJECT, Scenario, registry};
use crate::signals::Signals;
use crate::sls::Sls;

/// Exit code of wrong usage, as clap's.
const USAGE: u8 = 2;
/// Exit code of a run that a signal ended, as shells report SIGINT.
const INTERRUPTED: u8 = 130;
/// Access lines per second and writer unless told otherwise.
const RATE: u32 = 500;
/// The same on a real cluster, where the document's Job runs as it is.
const RATE_OF_THE_DOCUMENT: u32 = 100;
/// The same when the service goes away: slow enough that the writers are still at it.
const RATE_WITH_OUTAGE: u32 = 100;

/// Runs the bed's command line.
pub fn main(mut args: Vec<OsString>) -> ExitCode {
    // `cargo e2e` ends in `--` itself, so that `cargo e2e up` works; `cargo e2e -- up` brings another.
    if args.get(1).is_some_and(|arg| arg == "--") {
        args.remove(1);
    }
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // clap chooses the stream; a closed one is no reason to fail differently.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error")))
        .with_writer(std::io::stderr)
        .init();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
        .and_then(|runtime| {
            runtime.block_on(async {
                match cli.command {
                    None => run(cli.run).await,
                    Some(Command::Run(options)) => run(options).await,
                    Some(Command::Up(options)) => up(options).await,
                    Some(Command::Query(options)) => query(options).await,
                }
            })
        });
    outcome.unwrap_or_else(|error| {
        say(format!("{error:#}"));
        ExitCode::FAILURE
    })
}

async fn run(run: Run) -> Result<ExitCode> {
    if let Err(refusal) = run.check() {
        eprintln!("e2e: {refusal}");
        return Ok(ExitCode::from(USAGE));
    }
    if run.list {
        match run.output {
            Output::Text => print!("{}", registry::to_text()),
            Output::Json => println!("{}", serde_json::to_string(&Scenario::ALL.map(Scenario::listed))?),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut signals = Signals::listen()?;
    let mut root = Root::new(&run.bed)?;
    let default_rate = match run.on {
        _ if run.outage.is_some() => RATE_WITH_OUTAGE,
        BedArg::Kind => RATE_OF_THE_DOCUMENT,
        BedArg::Embedded | BedArg::Docker => RATE,
    };
    let plan = Plan {
        load: Load { lines: run.lines, per_second: run.rate.unwrap_or(default_rate) },
        outage: run.outage.map(Duration::from_secs),
        scenarios: run.chosen(),
    };
    let progress = Progress::new();
    let outcome = match run.on {
        BedArg::Embedded => {
            let options = options(&run.bed, &root, 0, 0)?;
            until_interrupted(example::run(options, &plan, &progress), &mut signals, &progress).await
        }
        BedArg::Kind => run_on_kind(&run, &mut root, &plan, &mut signals, &progress).await?,
        BedArg::Docker => run_on_docker(&run, &root, &plan, &mut signals, &progress).await?,
    };
    let Some(mut report) = outcome else { return Ok(ExitCode::from(INTERRUPTED)) };
    if root.is_empty() {
        // It failed before anything was made.
        report.evidence = None;
    } else if !report.ok {
        root.keep();
    }
    match run.output {
        Output::Text => print!("{}", report.to_text()),
        Output::Json => println!("{}", serde_json::to_string(&report)?),
    }
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the run comes to, or nothing if a signal came first; what it was doing then is dropped.
async fn until_interrupted<T>(
    run: impl Future<Output = T>,
    signals: &mut Signals,
    progress: &Progress,
) -> Option<T> {
    tokio::select! {
        outcome = run => Some(outcome),
        signal = signals.next() => {
            progress.finish();
            say(format!("{signal}; the bed is ended"));
            None
        }
    }
}

/// As on the embedded bed; what was made outside of this process is also removed after a signal or a
/// panic.
async fn run_on_kind(
    run: &Run,
    root: &mut Root,
    plan: &Plan,
    signals: &mut Signals,
    progress: &Progress,
) -> Result<Option<Report>> {
    let cluster = match &run.kind.context {
        Some(context) => Cluster::Existing { context: context.clone() },
        None => Cluster::New {
            name: run.kind.cluster.clone().unwrap_or_else(|| CLUSTER.to_owned()),
            node_image: run.kind.node_image.clone(),
            config: run.kind.kind_config.clone(),
        },
    };
    let options = kind::Options { cluster, root: root.path.clone(), keep: run.bed.keep };
    let (kubectl, made) = (options.kubectl(), Made::default());
    let start = Kind::start(options.clone(), made.clone(), progress);
    let example = AssertUnwindSafe(example::run_on(start, &root.path, plan, progress)).catch_unwind();
    let outcome = until_interrupted(example, signals, progress).await;
    if !options.keep && !made.is_empty() && !matches!(outcome, Some(Ok(_))) {
        say("removing what was made; another Ctrl-C leaves the rest");
        tokio::select! {
            removed = made.undo(&kubectl) => if let Err(error) = removed { say(format!("{error:#}")) },
            signal = signals.next() => say(format!("{signal} while removing what was made")),
        }
    }
    if let Some(left) = made.left(&kubectl) {
        // The kubeconfig of what is left lies in it.
        root.keep();
        say(left);
    }
    match outcome {
        None => Ok(None),
        Some(Ok(report)) => Ok(Some(report)),
        Some(Err(panic)) => std::panic::resume_unwind(panic),
    }
}

/// Says it on standard error, if that is still open: a closed terminal must not end a clean-up.
fn say(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr(), "e2e: {}", text.as_ref());
}

/// As on the kind bed.
async fn run_on_docker(
    run: &Run,
    root: &Root,
    plan: &Plan,
    signals: &mut Signals,
    progress: &Progress,
) -> Result<Option<Report>> {
    let sls_port = run.docker.sls_port.unwrap_or(0);
    let options = docker::Options { sls_port, root: root.path.clone(), keep: run.bed.keep };
    let made = docker::Made::default();
    let outcome = until_interrupted(docker::run(&options, &made, plan, progress), signals, progress).await;
    match (&outcome, options.keep) {
        (None, true) => docker::say_what_is_kept(&made),
        (None, false) => {
            say("removing what was made; another Ctrl-C leaves the rest");
            tokio::select! {
                removed = made.undo() => removed?,
                signal = signals.next() => {
                    say(format!("{signal} while removing what was made; remove the rest with: {}", made.removal()));
                }
            }
        }
        (Some(_), _) => {}
    }
    Ok(outcome)
}

async fn up(up: Up) -> Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let root = Root::new(&up.bed)?;
    let progress = Progress::new();
    let options = options(&up.bed, &root, up.sls_port, up.kube_port)?;
    let started = until_interrupted(example::bring_up(options, up.rate, &progress), &mut signals, &progress);
    let Some(bed) = started.await else { return Ok(ExitCode::from(INTERRUPTED)) };
    let bed = bed?;
    progress.finish();
    let (endpoint, kubeconfig) = (bed.sls_endpoint(), bed.kubeconfig());
    match up.output {
        Output::Json => println!(
            "{}",
            json!({
                "endpoint": endpoint,
                "kubeconfig": kubeconfig,
                "project": PROJECT,
                "accessKeyId": mock_sls::DEFAULT_ACCESS_KEY_ID,
                "accessKeySecret": mock_sls::DEFAULT_ACCESS_KEY_SECRET,
                "root": root.path,
            })
        ),
        Output::Text => println!(
            "The bed is up; Ctrl-C ends it.\n\n\
             Log Service   {endpoint}   (project {PROJECT}, key {id}:{secret})\n\
             Kubernetes    {config}\n\
             Logs, data    {root}\n\n\
             kubectl --kubeconfig {config} get aliyunlogconfigs,deployments,pods,jobs\n\
             cargo e2e query --endpoint {endpoint} '* | select \"__tag__:_pod_name_\" as pod, count(*) as n group by pod'\n\
             HTTP_PROXY={endpoint} aliyunlog log get_log --project={PROJECT} --logstore={ACCESS_LOGSTORE} \\\n    \
             --from_time='5 minutes ago' --to_time=now --query='*' --region-endpoint=http://sls.test \\\n    \
             --access-id={id} --access-key={secret}",
            config = kubeconfig.display(),
            root = root.path.display(),
            id = mock_sls::DEFAULT_ACCESS_KEY_ID,
            secret = mock_sls::DEFAULT_ACCESS_KEY_SECRET,
        ),
    }
    say(format!("{}; ending the bed", signals.next().await));
    bed.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

async fn query(query: Query) -> Result<ExitCode> {
    let sls = Sls::connect(&query.endpoint, &query.project)?;
    for row in sls.get_logs(&query.logstore, query.query, 0).await? {
        match query.output {
            Output::Json => println!("{}", serde_json::to_string(&row)?),
            Output::Text => {
                let columns: Vec<String> =
                    row.0.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                println!("{}", columns.join("  "));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn options(bed: &Bed, root: &Root, sls_port: u16, kube_port: u16) -> Result<Options> {
    Ok(Options {
        component_exe: std::env::current_exe().context("cannot find my own executable")?,
        root: root.path.clone(),
        isolation: bed.isolation.into(),
        sls_port,
        kube_port,
        without_sls: false,
    })
}

/// The bed's folder: a temporary one goes with it unless it is to be kept.
struct Root {
    path: PathBuf,
    temporary: Option<TempDir>,
}

impl Root {
    fn new(bed: &Bed) -> Result<Self> {
        if let Some(path) = &bed.root {
            std::fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
            let path = path.canonicalize().with_context(|| format!("cannot resolve {}", path.display()))?;
            return Ok(Self { path, temporary: None });
        }
        let directory = tempfile::Builder::new()
            .prefix("sls-bed-")
            .tempdir()
            .context("cannot create a temporary folder")?;
        let mut root = Self { path: directory.path().to_owned(), temporary: Some(directory) };
        if bed.keep {
            root.keep();
            eprintln!("e2e: keeping {}", root.path.display());
        }
        Ok(root)
    }

    fn is_empty(&self) -> bool {
        std::fs::read_dir(&self.path).is_ok_and(|mut entries| entries.next().is_none())
    }

    fn keep(&mut self) {
        if let Some(directory) = self.temporary.take() {
            let _ = directory.keep();
        }
    }
}
