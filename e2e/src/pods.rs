//! The embedded bed's pods: Jobs, Deployments and bare Pods become real processes.
//!
//! [`PodRunner::start`] is called by the bed with a client for an API server. It brings what a
//! cluster has and an API server alone has not: the [`scheduler`], the Job, Deployment and
//! ReplicaSet [`controllers`], and a [`kubelet`] with a container runtime ([`containers`]). All of
//! it speaks through the client only.
//!
//! What is not there: limits and requests of resources (accepted and ignored), networks of pods
//! (they share the machine's; a pod's address is one of 127.0.0.0/8, so two pods cannot listen on
//! the same port of all addresses), security contexts (a container runs as root of its user
//! namespace, with the capabilities that container runtimes leave by default), service accounts'
//! tokens, exec and attach from outside.

pub mod containers;
mod controllers;
pub mod events;
pub mod expand;
pub mod image;
pub mod kubelet;
pub mod logs;
mod node;
mod scheduler;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::containers::Runtime;
use self::containers::isolation::{self, Choice};
use self::events::Recorder;
use self::kubelet::{Node, Processes};
use self::logs::registry::Registry;

pub use self::image::Image;

/// How containers are kept apart from the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Namespaces where the machine allows them, else the prefix.
    #[default]
    Auto,
    /// Namespaces or an error.
    Namespaces,
    /// No isolation: the container's files lie below a directory prefix.
    Prefix,
}

/// What a pod runner needs to know.
#[derive(Clone, Debug)]
pub struct RunnerConfig {
    /// Directory for volumes, container roots and logs; created when missing, not removed.
    pub root: PathBuf,
    /// The images that manifests may name.
    pub images: Vec<Image>,
    /// The bed's own executable, which acts as shim and as the images' programs.
    pub component_exe: PathBuf,
    /// Name of the one node.
    pub node_name: String,
    /// Its address.
    pub node_ip: String,
    /// How containers are isolated.
    pub isolation: Isolation,
    /// Wait before the second restart of a failing container, doubled for each further one; also
    /// before a Job replaces a failed pod. Kubernetes: 10 s.
    pub restart_backoff: Duration,
    /// Probes are done this many times as often, and begin this many times as early, as the
    /// manifest says. 1 is what a cluster does.
    pub probe_speed: u32,
    /// Variables that every container gets, as those of the API server's service in a cluster.
    pub container_env: Vec<(String, String)>,
    /// Time that [`Running::shutdown`] gives to all pods together; a pod's own grace period counts
    /// when it is shorter.
    pub shutdown_grace: Duration,
    /// Keeps the volumes of pods that are gone, for a look at them.
    pub keep_volumes: bool,
}

impl RunnerConfig {
    /// A configuration with the values of a cluster, no images and full isolation where possible.
    pub fn new(root: impl Into<PathBuf>, component_exe: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            images: Vec::new(),
            component_exe: component_exe.into(),
            node_name: "bed-node".to_owned(),
            node_ip: "127.0.0.1".to_owned(),
            isolation: Isolation::Auto,
            restart_backoff: Duration::from_secs(10),
            probe_speed: 1,
            container_env: Vec::new(),
            shutdown_grace: Duration::from_secs(10),
            keep_volumes: false,
        }
    }
}

/// Why the pod runner does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory cannot be made.
    #[error("cannot make the directory {}: {source}", path.display())]
    Root {
        /// The directory.
        path: PathBuf,
        /// What failed.
        source: std::io::Error,
    },
    /// Namespaces were asked for and cannot be had.
    #[error("containers cannot be isolated as demanded: {0}")]
    Isolation(String),
    /// The Node object could not be made.
    #[error("cannot register the node with the API server: {0}")]
    Register(#[source] kube::Error),
}

/// Starts pod runners.
#[derive(Debug)]
pub struct PodRunner;

/// A started pod runner. Dropping it kills all containers at once; [`Running::shutdown`] ends them
/// in order.
#[derive(Debug)]
pub struct Running {
    isolation: Choice,
    logs: Arc<Registry>,
    processes: Arc<Processes>,
    shutdown: watch::Sender<Option<Instant>>,
    shutdown_grace: Duration,
    kubelet: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
}

impl PodRunner {
    /// Registers the node and runs pods from now on.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(client: Client, config: RunnerConfig) -> Result<Running, StartError> {
        let config = with_absolute_paths(config)?;
        let isolation = isolation::choose(config.isolation, &config.root, &config.component_exe)
            .await
            .map_err(StartError::Isolation)?;
        if let Some(why) = &isolation.shortcoming {
            tracing::warn!(
                "containers are not isolated from this machine; their files lie below a prefix \
                 given by {}: {why}",
                containers::spec::PREFIX_VARIABLE
            );
        }
        node::register(&client, &config, isolation.mode.name()).await.map_err(StartError::Register)?;
        let (recorder, events) = Recorder::start(client.clone(), "kubelet");
        let scheduler =
            scheduler::run(client.clone(), config.node_name.clone(), recorder.named("default-scheduler"));
        let mut others = controllers::start(&client, &recorder, config.restart_backoff);
        others.extend([tokio::spawn(scheduler), events]);
        let logs = Arc::new(Registry::default());
        let shutdown_grace = config.shutdown_grace;
        let runtime = Runtime { component_exe: config.component_exe.clone(), mode: isolation.mode };
        let node = Node::new(client, config, runtime, recorder, Arc::clone(&logs));
        let processes = Arc::clone(&node.processes);
        let (shutdown, deadline) = watch::channel(None);
        let kubelet = tokio::spawn(kubelet::run(Arc::new(node), deadline));
        Ok(Running { isolation, logs, processes, shutdown, shutdown_grace, kubelet, others })
    }
}

/// Containers have other working directories than the bed.
fn with_absolute_paths(mut config: RunnerConfig) -> Result<RunnerConfig, StartError> {
    let root = |source| StartError::Root { path: config.root.clone(), source };
    std::fs::create_dir_all(&config.root).map_err(root)?;
    config.root = config.root.canonicalize().map_err(root)?;
    if let Ok(path) = config.component_exe.canonicalize() {
        config.component_exe = path;
    }
    Ok(config)
}

impl Running {
    /// Container logs, for the API server.
    pub fn pod_logs(&self) -> Arc<dyn kube_sim::PodLogs> {
        Arc::clone(&self.logs) as Arc<dyn kube_sim::PodLogs>
    }

    /// Process id of a running container's first process, by the container's id in its pod's status (what
    /// stands after `://`): what `ctr task` tells of a node of a cluster.
    pub fn process(&self, container_id: &str) -> Option<i32> {
        self.processes.find(container_id)
    }

    /// How containers are isolated, and why not better.
    pub fn isolation(&self) -> &Choice {
        &self.isolation
    }

    /// Ends all pods: as at their deletion, but within [`RunnerConfig::shutdown_grace`]. Their
    /// objects stay as they are. Nothing of a container runs when this returns.
    pub async fn shutdown(mut self) {
        // Nothing may start pods anew meanwhile.
        for task in &self.others {
            task.abort();
        }
        self.shutdown.send_replace(Some(Instant::now() + self.shutdown_grace));
        (&mut self.kubelet).await.ok();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for task in &self.others {
            task.abort();
        }
        // Its workers go with it, and with them the sockets that keep containers alive.
        self.kubelet.abort();
    }
}

/// The program `pod-init`, between the bed and one container; `args` begin with the program name.
/// Only for the start of the bed's executable.
pub fn init_main(args: impl Iterator<Item = OsString>) -> ExitCode {
    containers::shim::main(args.skip(1))
}

/// The program `pod-exec`, which runs a command inside a container; `args` as above.
pub fn exec_main(args: impl Iterator<Item = OsString>) -> ExitCode {
    containers::exec::main(args.skip(1))
}
