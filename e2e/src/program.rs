//! What `cargo e2e` does with its command line: starts the runtime, obeys Ctrl-C, prints.

use std::ffi::OsString;
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
use crate::progress::{Progress, say};
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
        say(refusal);
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
        BedArg::Kind => run_on_kind(&run, &mut root, &plan, &mut signals, &progress).await,
        BedArg::Docker => run_on_docker(&run, &mut root, &plan, &mut signals, &progress).await,
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

/// Runs the example on a cluster; `root` is kept with its kubeconfig where something is left.
async fn run_on_kind(
    run: &Run,
    root: &mut Root,
    plan: &Plan,
    signals: &mut Signals,
    progress: &Progress,
) -> Option<Report> {
    let cluster = match &run.kind.context {
        Some(context) => Cluster::Existing { context: context.clone() },
        None => Cluster::New {
            name: run.kind.cluster.clone().unwrap_or_else(|| CLUSTER.to_owned()),
            node_image: run.kind.node_image.clone(),
            config: run.kind.kind_config.clone(),
        },
    };
    let path = root.path.clone();
    let options = kind::Options { cluster, root: path.clone(), keep: run.bed.keep };
    let (kubectl, made) = (options.kubectl(), Made::default());
    let start = Kind::start(options.clone(), made.clone(), progress);
    let outside = Outside {
        keep: options.keep,
        left: || made.left(&kubectl),
        undo: async || made.undo(&kubectl).await,
    };
    outside.of_run(example::run_on(start, &path, plan, progress), root, signals, progress).await
}

/// Runs what the Docker bed has of the example.
async fn run_on_docker(
    run: &Run,
    root: &mut Root,
    plan: &Plan,
    signals: &mut Signals,
    progress: &Progress,
) -> Option<Report> {
    let sls_port = run.docker.sls_port.unwrap_or(0);
    let options = docker::Options { sls_port, root: root.path.clone(), keep: run.bed.keep };
    let made = docker::Made::default();
    let outside = Outside { keep: options.keep, left: || made.left(), undo: async || made.undo().await };
    outside.of_run(docker::run(&options, &made, plan, progress), root, signals, progress).await
}

/// What a run makes outside of this process, where nothing ends by itself.
struct Outside<L, U> {
    /// The user wants all of it to stay.
    keep: bool,
    /// What is there, and how to remove it; nothing if nothing is.
    left: L,
    /// Removes it.
    undo: U,
}

impl<L, U> Outside<L, U>
where
    L: Fn() -> Option<String>,
    U: AsyncFn() -> Result<()>,
{
    /// What the run comes to, or nothing if a signal came first. A run removes by itself what it made; here
    /// it is removed after a signal or a panic, and what is there in the end is said.
    async fn of_run(
        self,
        run: impl Future<Output = Report>,
        root: &mut Root,
        signals: &mut Signals,
        progress: &Progress,
    ) -> Option<Report> {
        let run = AssertUnwindSafe(run).catch_unwind();
        let outcome = until_interrupted(run, signals, progress).await;
        if !self.keep && (self.left)().is_some() && !matches!(outcome, Some(Ok(_))) {
            say("removing what was made; another Ctrl-C leaves the rest");
            tokio::select! {
                removed = (self.undo)() => if let Err(error) = removed { say(format!("{error:#}")) },
                signal = signals.next() => say(format!("{signal} while removing what was made")),
            }
        }
        if let Some(left) = (self.left)() {
            // A kubeconfig, or logs of what is left, may lie in it.
            if !root.is_empty() {
                root.keep();
            }
            say(left);
        }
        match outcome {
            None => None,
            Some(Ok(report)) => Some(report),
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

async fn up(up: Up) -> Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let root = Root::new(&up.bed)?;
    let progress = Progress::new();
    let options = Options {
        console_port: Some(up.console_port),
        ..options(&up.bed, &root, up.sls_port, up.kube_port)?
    };
    let started = until_interrupted(example::bring_up(options, up.rate, &progress), &mut signals, &progress);
    let Some(bed) = started.await else { return Ok(ExitCode::from(INTERRUPTED)) };
    let bed = bed?;
    progress.finish();
    let (endpoint, kubeconfig) = (bed.sls_endpoint(), bed.kubeconfig());
    let console = bed.console_url().unwrap_or_default();
    match up.output {
        Output::Json => println!(
            "{}",
            json!({
                "endpoint": endpoint,
                "console": console,
                "kubeconfig": kubeconfig,
                "project": PROJECT,
                "accessKeyId": mock_sls::DEFAULT_ACCESS_KEY_ID,
                "accessKeySecret": mock_sls::DEFAULT_ACCESS_KEY_SECRET,
                "root": root.path,
            })
        ),
        Output::Text => println!(
            "The bed is up; Ctrl-C ends it.\n\n\
             Console       {console}   (in a browser)\n\
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
    for row in sls.get_logs(&query.logstore, query.query).await? {
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
        console_port: None,
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
            say(format!("keeping {}", root.path.display()));
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

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    /// A temporary one.
    fn root() -> Root {
        let path = tempfile::tempdir().expect("a folder");
        Root { path: path.path().to_owned(), temporary: Some(path) }
    }

    #[tokio::test]
    async fn what_a_run_made_goes_also_when_the_run_panics_and_the_panic_goes_on() {
        let mut signals = Signals::listen().expect("signals");
        for keep in [false, true] {
            let made = RefCell::new(Vec::new());
            let undone = Cell::new(0);
            let outside = Outside {
                keep,
                left: || made.borrow().first().map(|thing: &&str| (*thing).to_owned()),
                undo: async || {
                    undone.set(undone.get() + 1);
                    made.borrow_mut().clear();
                    Ok(())
                },
            };
            let run = async {
                made.borrow_mut().push("a container");
                panic!("in the middle")
            };
            let (mut root, progress) = (root(), Progress::silent());
            let outcome = outside.of_run(run, &mut root, &mut signals, &progress);
            let panic = AssertUnwindSafe(outcome).catch_unwind().await.expect_err("the panic goes on");
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"in the middle"));
            assert_eq!((undone.get(), made.borrow().is_empty()), if keep { (0, false) } else { (1, true) });
        }
    }
}
