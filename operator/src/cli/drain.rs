//! `operator drain`: lets go of all objects before the operator is uninstalled.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ArgGroup;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde::Serialize;
use serde_json::json;

use super::files::{FileError, ReportForm, print_report};
use super::leader::LeaseArgs;
use super::run::{AuthorityArgs, ClusterArgs, DefaultsArgs, duration};
use super::{EXIT_FAILED, EXIT_USAGE, failed};
use crate::credentials::{CredentialsError, Source};
use crate::drain::{Drain, Drained, Outcome};
use crate::kubernetes::{self, KubernetesError};
use crate::leader::{Fence, Leadership};
use crate::metrics::Metrics;
use crate::sls::{Clients, Extras, SlsConfig, SlsError};
use crate::validate::Defaults;

#[derive(clap::Args)]
#[command(group = ArgGroup::new("fate").required(true).args(["orphan", "cleanup"]))]
pub(super) struct Args {
    /// Leave in Log Service what the objects have there
    #[arg(long)]
    orphan: bool,

    /// Delete from Log Service what the objects have there, as far as their deletionPolicy says so; needs
    /// --sls-endpoint
    #[arg(long, requires = "sls_endpoint")]
    cleanup: bool,

    #[command(flatten)]
    cluster: ClusterArgs,

    /// Drain this namespace only
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,

    /// Scale this Deployment, in the Lease's namespace, to nothing first, since an operator that runs takes hold of the
    /// objects again
    #[arg(long, value_name = "NAME")]
    stop_deployment: Option<String>,

    #[command(flatten)]
    lease: LeaseArgs,

    /// How long to wait for the operator's end, and how long to try what fails
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    timeout: Duration,

    /// Log Service: URL, host or host:port
    #[arg(long, value_name = "URL", env = "ALICLOUD_LOG_ENDPOINT")]
    sls_endpoint: Option<String>,

    /// Region of Log Service; requests are signed with version 4 when it is given, else with version 1
    #[arg(long, value_name = "REGION", env = "ALICLOUD_LOG_REGION")]
    region: Option<String>,

    /// JSON file {"accessKeyId", "accessKeySecret", "securityToken"?}; without it the environment variables
    /// ALICLOUD_ACCESS_KEY_ID and ALICLOUD_ACCESS_KEY_SECRET are used
    #[arg(long, value_name = "FILE")]
    credentials_file: Option<PathBuf>,

    #[command(flatten)]
    authorities: AuthorityArgs,

    #[command(flatten)]
    defaults: DefaultsArgs,

    /// Form of the result on stdout
    #[arg(short, long, value_enum, default_value_t = ReportForm::Text)]
    output: ReportForm,
}

/// Why objects were not drained.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Sls(#[from] SlsError),
    #[error(transparent)]
    Kubernetes(#[from] KubernetesError),
    #[error("{0}")]
    Lease(String),
    #[error("the runtime cannot be started: {0}")]
    Runtime(io::Error),
    #[error("deployment {name} cannot be stopped: {source}")]
    Stop { name: String, source: Box<kube::Error> },
    #[error(
        "{holder} still holds the lease {lease} after {} s; stop the operator, for example with `kubectl scale --replicas=0 \
         deployment/sls-operator`, or with --stop-deployment",
        timeout.as_secs()
    )]
    Led { holder: String, lease: String, timeout: Duration },
    #[error("the objects cannot be listed: {0}")]
    List(#[source] Box<kube::Error>),
    #[error("{0}; what was not reported may be held still")]
    Lost(#[from] crate::leader::Lost),
    #[error(transparent)]
    File(#[from] FileError),
}

/// The result, as printed with `-o json`.
#[derive(Debug, Serialize)]
struct Report {
    /// No object is held any more.
    ok: bool,
    objects: Vec<Drained>,
}

pub(super) fn main(args: Args) -> ExitCode {
    let output = args.output;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.map_err(Error::Runtime).and_then(|runtime| runtime.block_on(drain(args)));
    match result.and_then(|report| Ok(print_report(&report, output, text).map(|()| report.ok)?)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_FAILED),
        Err(
            error @ (Error::Credentials(_)
            | Error::Sls(_)
            | Error::Kubernetes(_)
            | Error::Lease(_)
            | Error::File(_)),
        ) => failed(EXIT_USAGE, &error),
        Err(error) => failed(EXIT_FAILED, &error),
    }
}

async fn drain(args: Args) -> Result<Report, Error> {
    let config = args.cluster.config().await?;
    let lease = args.lease.settings(&config, "drain").map_err(Error::Lease)?;
    let kube = kubernetes::client(config)?;
    let metrics = Arc::new(Metrics::default());
    let fence = Fence::shut();
    let clients = match args.sls_endpoint.filter(|_| args.cleanup) {
        Some(endpoint) => {
            let credentials = Source::choose(args.credentials_file, |name| std::env::var(name).ok())?;
            let authorities = args.authorities.sls_ca_file;
            let sls = SlsConfig { endpoint, region: args.region, credentials, authorities };
            let extras = Extras {
                identity: Some(lease.identity.clone()),
                fence: fence.clone(),
                accounts: args.defaults.accounts(),
                ..Extras::default()
            };
            Some(Clients::with(sls, extras, Arc::clone(&metrics))?)
        }
        None => None,
    };
    let defaults = Defaults::from(args.defaults);
    if let Some(name) = &args.stop_deployment {
        stop(kube.clone(), &lease.namespace, name).await?;
    }
    let described = format!("{}/{}", lease.namespace, lease.name);
    let mut leadership = Leadership::new(kube.clone(), lease, fence, metrics);
    if tokio::time::timeout(args.timeout, leadership.acquire()).await.is_err() {
        let holder = leadership.holder().unwrap_or("nobody that could be seen").to_owned();
        return Err(Error::Led { holder, lease: described, timeout: args.timeout });
    }
    let drain = Drain {
        kube,
        namespace: args.namespace,
        cleanup: clients.as_ref(),
        defaults: &defaults,
        patience: args.timeout,
    };
    let objects = tokio::select! {
        objects = drain.run() => objects.map_err(|error| Error::List(Box::new(error)))?,
        lost = leadership.keep() => return Err(lost.into()),
    };
    leadership.release().await;
    Ok(Report { ok: objects.iter().all(|object| object.outcome != Outcome::Failed), objects })
}

async fn stop(kube: Client, namespace: &str, name: &str) -> Result<(), Error> {
    let deployments: Api<Deployment> = Api::namespaced(kube, namespace);
    let patch = Patch::Merge(json!({"spec": {"replicas": 0}}));
    match deployments.patch_scale(name, &PatchParams::default(), &patch).await {
        Ok(_) => Ok(()),
        // It is gone already.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => Err(Error::Stop { name: name.to_owned(), source: Box::new(source) }),
    }
}

fn text(report: &Report) -> String {
    let mut lines: Vec<String> = report
        .objects
        .iter()
        .map(|object| {
            let outcome = match object.outcome {
                Outcome::Orphaned => "orphaned",
                Outcome::Cleaned => "cleaned up",
                Outcome::Failed => "failed",
            };
            format!("{}: {outcome}: {}", named(object), object.message)
        })
        .collect();
    if lines.is_empty() {
        lines.push("no object is held".to_owned());
    }
    lines.join("\n") + "\n"
}

/// An object of the older kind by its namespace, one of the newer, which has none, by its kind.
fn named(object: &Drained) -> String {
    let place = if object.namespace.is_empty() { object.kind } else { &object.namespace };
    format!("{place}/{}", object.name)
}
