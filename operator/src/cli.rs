//! The command line: `run`, `crd`, `validate`, `plan`, `export`, `convert`, `env-config`, `drain`, `inject`, `webhooks`.
//! Called by `main.rs`, and by programs that contain the operator under its name.

mod convert;
pub(crate) mod crd;
mod drain;
mod env_config;
mod export;
mod files;
mod inject;
mod leader;
mod plan;
mod policy;
mod run;
mod validate;
mod webhook;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exit code when an object is invalid, or the operator had to stop.
const EXIT_FAILED: u8 = 1;
/// Exit code when the operator was called wrongly or cannot start; clap uses the same.
const EXIT_USAGE: u8 = 2;

/// Keeps Log Service (SLS) as AliyunLogConfigs and ClusterAliyunPipelineConfigs in Kubernetes ask for: project, Logstore, index,
/// machine groups and Logtail config are created, kept and bound, and every object's status says how far
/// that is and what is wrong.
#[derive(Parser)]
#[command(name = "operator", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Watch AliyunLogConfigs and ClusterAliyunPipelineConfigs and bring Log Service in line with them, until SIGTERM or
    /// Ctrl-C.
    #[command(next_line_help = true)]
    Run(Box<run::Args>),
    /// Print the CustomResourceDefinitions as YAML, for `kubectl apply -f -`.
    Crd(crd::Args),
    /// Check AliyunLogConfigs and ClusterAliyunPipelineConfigs in files, without a cluster and without Log Service.
    ///
    /// Tells what the API server would refuse (schema and rules) and what the operator would refuse
    /// (regular expressions, numbers of groups and keys, names). Exit code 0: all valid, 1: problems
    /// found, 2: a file cannot be read.
    Validate(validate::Args),
    /// Tell what the operator would change in Log Service for objects in files. Changes nothing.
    ///
    /// Exit code 0: told, 1: an object is refused or Log Service does not answer, 2: a file cannot be read; with
    /// --exit-code 3: something would be changed.
    #[command(next_line_help = true)]
    Plan(Box<plan::Args>),
    /// Write the Logtail configs of a project as AliyunLogConfigs. Only reads.
    ///
    /// Keys that have the defaults of the SDKs are left out; applying an object changes nothing. Exit code 0: all
    /// were written, 1: some cannot be, as stderr says, or Log Service does not answer, 2: no credentials.
    #[command(next_line_help = true)]
    Export(Box<export::Args>),
    /// Write AliyunLogConfigs of files as the newer ClusterAliyunPipelineConfigs that take their places.
    ///
    /// They have enableUpgradeOverride set: applying one replaces the config in Log Service and deletes the
    /// AliyunLogConfig. Exit code 0: all were converted, 1: some cannot be, as stderr says, 2: a file cannot be read.
    #[command(next_line_help = true)]
    Convert(convert::Args),
    /// Write the configs that workloads in files ask for by variables `aliyun_logs_…` as AliyunLogConfigs.
    ///
    /// They are for sidecars: files are read from a shared volume, and what containers print cannot be collected.
    /// Exit code 0: all were written, 1: a variable cannot be used, or none was found, 2: a file cannot be read.
    #[command(next_line_help = true)]
    EnvConfig(env_config::Args),
    /// Let go of all objects before the operator is uninstalled.
    ///
    /// Removes the operator's finalizer from every object, which could never be deleted otherwise; the objects stay. It
    /// takes the operators' Lease first, so that none that shares it is at work. Exit code 0: no object is held any
    /// more, 1: some are, or an operator still runs, 2: it was called wrongly.
    #[command(next_line_help = true)]
    Drain(Box<drain::Args>),
    /// Put the collector beside the containers of workloads in files, without a cluster.
    ///
    /// Prints the objects with a sidecar that collects what the AliyunLogConfigs of the namespace ask for: their
    /// directories are shared with the containers, their machine group is the sidecar's. A pod template chooses
    /// with the annotations sls.testbed/configs and sls.testbed/containers (names, separated by commas), and
    /// refuses with the label sls.testbed/inject=false. On stderr stands what was done to each workload. Exit code
    /// 0: done, 1: a workload cannot get the sidecar, and nothing is printed, 2: a file cannot be read.
    #[command(next_line_help = true)]
    Inject(Box<inject::Args>),
    /// Print the webhook configurations, for `kubectl apply -f -`: they tell API servers of the webhook of `operator run`.
    ///
    /// Pods with the label sls.testbed/inject=true get a sidecar when they are created, and so do all of namespaces with
    /// the label sls.testbed/injection=enabled unless their own label says false. Whom API servers must trust is written
    /// by the operator.
    #[command(next_line_help = true)]
    Webhooks(webhook::Args),
    /// Print a MutatingAdmissionPolicy that adds sidecars without a webhook, for Kubernetes 1.36 and newer.
    ///
    /// It is made for the AliyunLogConfigs of one namespace in files, and must be made again when these change. Pods ask
    /// for a sidecar as they ask the webhook; one that needs more than the policy can do says so in the annotation
    /// sls.testbed/inject-skipped. Exit code 0: printed, 1: no sidecar can be made for these, 2: a file cannot be read.
    #[command(next_line_help = true)]
    Policy(Box<policy::Args>),
}

/// Runs the program; `args` begins with its name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        Command::Run(args) => run::main(*args),
        Command::Crd(args) => crd::main(&args),
        Command::Validate(args) => validate::main(&args),
        Command::Plan(args) => plan::main(*args),
        Command::Export(args) => export::main(*args),
        Command::Convert(args) => convert::main(&args),
        Command::EnvConfig(args) => env_config::main(&args),
        Command::Drain(args) => drain::main(*args),
        Command::Inject(args) => inject::main(&args),
        Command::Webhooks(args) => webhook::main(args),
        Command::Policy(args) => policy::main(&args),
    }
}

/// Says `error` and what caused it on stderr.
fn failed(code: u8, error: &dyn std::error::Error) -> ExitCode {
    let mut text = format!("operator: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::from(code)
}
