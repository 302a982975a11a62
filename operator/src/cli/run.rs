//! `operator run`: arguments and environment → the controller, until a signal.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::leader::LeaseArgs;
use super::webhook::WebhookArgs;
use super::{EXIT_FAILED, EXIT_USAGE, failed};
use crate::allowed::{self, AllowedProjects};
use crate::audit;
use crate::cluster::{self, ClusterId, ClusterIdError};
use crate::controller::{self, Settings};
use crate::credentials::{Accounts, CredentialsError, Source};
use crate::http::{self, Readiness};
use crate::kubernetes::{self, KubernetesError};
use crate::leader::{Fence, Lost};
use crate::metrics::Metrics;
use crate::retry::Waits;
use crate::sls::{Clients, Extras, SlsConfig, SlsError};
use crate::validate::Defaults;
use crate::webhook::{self, figures::Figures};

/// What is logged unless RUST_LOG says otherwise. kube logs every failed request as an error; the operator
/// tells the same failures itself, once and with their remedy.
const LOG_FILTER: &str = "info,kube_client::client::builder=off";

/// Longest wait while Log Service does not answer, unless set otherwise. Source: guess; short enough
/// that a restarted backend is used within seconds.
const CONNECT_BACKOFF_MAX: &str = "10s";

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,

    /// Watch this namespace only
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,

    #[command(flatten)]
    sls: SlsArgs,

    #[command(flatten)]
    defaults: DefaultsArgs,

    /// Without --cluster-id: make one of the uid of namespace kube-system, "custom-" and 12 digits; needs the right
    /// to get that namespace
    #[arg(long, env = "ALICLOUD_LOG_DETECT_CLUSTER_ID", conflicts_with = "cluster_id")]
    detect_cluster_id: bool,

    /// How often every object is compared with Log Service although nothing changed, for example 5m or
    /// 30s
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    resync: Duration,

    /// How often Log Service is asked which machines send heartbeats and whether logs arrive, once for each machine
    /// group and Logstore; objects tell it as condition AgentsConnected. "off": never
    #[arg(long, value_name = "DURATION|off", default_value = "1m", value_parser = interval)]
    agents_interval: Interval,

    /// Longest wait between attempts, and between probes of an endpoint, while Log Service does not answer
    #[arg(long, value_name = "DURATION", default_value = CONNECT_BACKOFF_MAX, value_parser = duration)]
    connect_backoff_max: Duration,

    /// Work only while holding a Lease, so that several operators can run and one of them works. On in a Pod, off
    /// where a kubeconfig is given
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    leader_elect: Option<bool>,

    #[command(flatten)]
    lease: LeaseArgs,

    /// Serve /healthz, /readyz and /metrics here, for example 0.0.0.0:8080; port 0 takes a free one,
    /// which is logged
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    #[command(flatten)]
    webhook: WebhookArgs,

    /// Form of the log on stderr; its level is set by RUST_LOG
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

/// Which cluster; also used by `operator drain`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct ClusterArgs {
    /// Kubeconfig of the cluster; without it $KUBECONFIG, ~/.kube/config, then the Pod's service
    /// account are tried
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Context in the kubeconfig; its current one when not given
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    context: Option<String>,
}

impl ClusterArgs {
    /// How to reach it.
    pub(super) async fn config(self) -> Result<kube::Config, KubernetesError> {
        kubernetes::config(self.kubeconfig.as_deref(), self.context).await
    }
}

/// Where Log Service is, and as whom to call it; also used by `operator plan`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct SlsArgs {
    /// Log Service: URL, host or host:port, for example https://cn-hangzhou.log.aliyuncs.com or
    /// http://127.0.0.1:8080
    #[arg(long, value_name = "URL", env = "ALICLOUD_LOG_ENDPOINT")]
    sls_endpoint: String,

    /// Region of Log Service; requests are signed with version 4 when it is given, else with version 1
    #[arg(long, value_name = "REGION", env = "ALICLOUD_LOG_REGION")]
    region: Option<String>,

    /// JSON file {"accessKeyId", "accessKeySecret", "securityToken"?}, read again when it changes;
    /// without it the environment variables ALICLOUD_ACCESS_KEY_ID and ALICLOUD_ACCESS_KEY_SECRET are
    /// used
    #[arg(long, value_name = "FILE")]
    credentials_file: Option<PathBuf>,

    #[command(flatten)]
    authorities: AuthorityArgs,
}

/// Whom to believe that an endpoint of https is Log Service; also used by `operator drain`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct AuthorityArgs {
    /// PEM file of the certificate authorities that endpoints of https may have, in the place of the public ones
    #[arg(long, value_name = "FILE", env = "SSL_CERT_FILE")]
    pub(super) sls_ca_file: Option<PathBuf>,
}

impl SlsArgs {
    /// What clients are made of.
    pub(super) fn config(self) -> Result<SlsConfig, CredentialsError> {
        let credentials = Source::choose(self.credentials_file, |name| std::env::var(name).ok())?;
        Ok(SlsConfig {
            endpoint: self.sls_endpoint,
            region: self.region,
            credentials,
            authorities: self.authorities.sls_ca_file,
        })
    }
}

/// What is filled into objects; also used by `operator validate` and `operator plan`.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct DefaultsArgs {
    /// Project of objects that name none
    #[arg(long, value_name = "PROJECT", env = "ALICLOUD_LOG_PROJECT")]
    default_project: Option<sls_api::names::ProjectName>,

    /// Machine group of objects that list none
    #[arg(long, value_name = "GROUP", env = "ALICLOUD_LOG_MACHINE_GROUP")]
    default_machine_group: Option<sls_api::names::MachineGroupName>,

    /// Id of the cluster, as in the vendor's documents. Without --default-project objects that name none get
    /// the project k8s-log-ID, without --default-machine-group objects that list none get k8s-group-ID
    #[arg(long, value_name = "ID", env = "ALICLOUD_LOG_CLUSTER_ID")]
    cluster_id: Option<ClusterId>,

    /// Alibaba Cloud account to which the credentials belong; objects may name it as uid
    #[arg(long, value_name = "ID", env = "ALICLOUD_LOG_ACCOUNT_ID")]
    account_id: Option<String>,

    /// JSON file {"UID": {"accessKeyID", "accessKeySecret"}} with keys of the accounts that objects may name as uid
    /// besides, read again when it changes; without it the environment variable ALICLOUD_LOG_ACCOUNT_INFOS is used
    #[arg(long, value_name = "FILE", env = "ALICLOUD_LOG_ACCOUNT_INFOS_FILE")]
    account_infos_file: Option<PathBuf>,

    /// Objects of this namespace may use these projects, and no others; * stands for any characters. May be given
    /// several times; a namespace that none names may use no project then. Without it all may use all
    #[arg(long, value_name = "NAMESPACE=PROJECT")]
    allowed_projects: Vec<allowed::Rule>,
}

impl DefaultsArgs {
    /// Where the keys of further accounts come from.
    pub(super) fn accounts(&self) -> Accounts {
        Accounts::choose(self.account_infos_file.clone(), |name| std::env::var(name).ok())
    }
}

impl From<DefaultsArgs> for Defaults {
    fn from(args: DefaultsArgs) -> Self {
        let accounts = args.accounts();
        let cluster = args.cluster_id.as_ref();
        Self {
            project: args.default_project.or_else(|| cluster.map(|id| id.project().clone())),
            machine_group: args
                .default_machine_group
                .or_else(|| cluster.map(|id| id.machine_group().clone())),
            account_id: args.account_id,
            has_accounts: accounts != Accounts::None,
            allowed: AllowedProjects::new(args.allowed_projects),
            cluster: cluster.map(ToString::to_string),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Why the operator cannot start, or go on.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Sls(#[from] SlsError),
    #[error(transparent)]
    Kubernetes(#[from] KubernetesError),
    #[error(transparent)]
    ClusterId(#[from] ClusterIdError),
    #[error("{0}")]
    Lease(String),
    #[error(transparent)]
    Lost(#[from] Lost),
    #[error("{flag} {address}: {source}")]
    Listen { flag: &'static str, address: SocketAddr, source: io::Error },
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
    #[error("the runtime cannot be started: {0}")]
    Runtime(io::Error),
}

pub(super) fn main(args: Args) -> ExitCode {
    start_log(args.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.map_err(StartError::Runtime).and_then(|runtime| runtime.block_on(run(args)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ (StartError::Runtime(_) | StartError::Signals(_) | StartError::Lost(_))) => {
            failed(EXIT_FAILED, &error)
        }
        Err(error) => failed(EXIT_USAGE, &error),
    }
}

async fn run(args: Args) -> Result<(), StartError> {
    let metrics = Arc::new(Metrics::default());
    let readiness = Readiness::default();
    let endpoint = args.sls.sls_endpoint.clone();
    let region = args.sls.region.clone();
    let sls = args.sls.config()?;
    sls.credentials.load()?;
    // As Pods find it; kube looks for a kubeconfig first.
    let in_pod = args.cluster.kubeconfig.is_none() && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    let config = args.cluster.config().await?;
    let instance = std::env::var("POD_NAME").ok();
    let lease = args.lease.settings(&config, instance.as_deref().unwrap_or("operator"));
    let lease = lease.map_err(StartError::Lease)?;
    let identity = lease.identity.clone();
    let leader = args.leader_elect.unwrap_or(in_pod).then_some(lease);
    let extras = Extras {
        identity: Some(identity),
        fence: if leader.is_some() { Fence::shut() } else { Fence::open() },
        accounts: args.defaults.accounts(),
        probe_wait_max: args.connect_backoff_max,
    };
    let fence = extras.fence.clone();
    let clients = Clients::with(sls, extras, Arc::clone(&metrics))?;
    let cluster = config.cluster_url.to_string();
    let kube = kubernetes::client(config)?;
    let shutdown = CancellationToken::new();
    let signals = Signals::new().map_err(StartError::Signals)?;

    let figures = Arc::new(Figures::default());
    if let Some(address) = args.listen {
        let (listener, address) = bind("--listen", address).await?;
        tracing::info!(%address, "serving /healthz, /readyz and /metrics");
        let stop = shutdown.clone().cancelled_owned();
        let served = http::Served { metrics: Arc::clone(&metrics), figures: Arc::clone(&figures) };
        tokio::spawn(http::serve(listener, readiness.clone(), served, stop));
    }
    tracing::info!(cluster, endpoint, "starting");
    let mut defaults = args.defaults;
    if args.detect_cluster_id {
        let id = cluster::of_cluster(kube.clone()).await?;
        tracing::info!(cluster_id = %id, "found the cluster's id");
        defaults.cluster_id = Some(id);
    }
    let defaults = Defaults::from(defaults);
    let namespace = args.namespace.as_deref();
    if let Some((address, settings)) = args.webhook.settings(namespace, region.as_deref(), &defaults) {
        let (listener, address) = bind("--webhook-listen", address).await?;
        tracing::info!(%address, hosts = settings.hosts.join(", "), "serving the webhook");
        tokio::spawn(webhook::run(kube.clone(), listener, settings, Arc::clone(&figures), shutdown.clone()));
    }
    if let Some(settings) = args.webhook.audit(namespace, instance.clone(), fence) {
        let audit = audit::run(kube.clone(), settings, Arc::clone(&figures), Arc::clone(&metrics));
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(audit));
    }
    let settings = Settings {
        namespace: args.namespace,
        defaults,
        waits: Waits { resync: args.resync, connect_backoff_cap: args.connect_backoff_max },
        instance,
        leader,
        agents: args.agents_interval.0,
    };
    let stop = shutdown.clone();
    tokio::spawn(async move {
        let signal = signals.any().await;
        tracing::info!(signal, "stopping");
        stop.cancel();
    });
    controller::run(kube, clients, settings, metrics, readiness, shutdown.cancelled_owned()).await?;
    tracing::info!("stopped");
    Ok(())
}

/// A listener, and where it really is.
async fn bind(
    flag: &'static str,
    address: SocketAddr,
) -> Result<(tokio::net::TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { flag, address, source };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// The signals that end the operator.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for any; its name.
    async fn any(mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG_FILTER));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    // A program that contains the operator may have started a log already.
    let _ = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
}

/// Time between two of something, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interval(Option<Duration>);

fn interval(text: &str) -> Result<Interval, String> {
    if text == "off" { Ok(Interval(None)) } else { duration(text).map(|interval| Interval(Some(interval))) }
}

/// `5m`, `30s`, `250ms`; more than nothing.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration =
        text.parse().map_err(|_| format!("{text:?} is not a duration; write for example 30s, 5m or 1h"))?;
    let duration = Duration::try_from(parsed).map_err(|_| "it must not be negative".to_owned())?;
    if duration.is_zero() {
        return Err("it must be more than 0".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("0s").is_err());
        assert!(duration("-5s").is_err());
        assert!(duration("soon").unwrap_err().contains("30s"));
    }
}
