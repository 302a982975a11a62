//! An in-process Kubernetes API server: enough of one for kube-rs (clients,
//! watchers, controllers, leases, events) and for kubectl, over plain HTTP on
//! loopback, with objects in memory.
//!
//! Users: tests of the operator and of the pod runner, and the embedded bed.
//! It knows no workload controllers and no kubelet; those are clients of it.
//! What runs inside of it are the parts of a control plane that a client
//! cannot do: garbage collection by owner references, the end of namespaces
//! and of CRDs, and the expiry of events.
//!
//! How close it is to the real server is measured, not claimed: the test
//! `recorded` replays scripts whose answers come from kube-apiserver, one of
//! them what the operator asks; each script lists every known difference with
//! its reason.
//!
//! Admission webhooks of admissionregistration.k8s.io/v1 are called as the real
//! server does, but not for the subresources `scale`, `binding`, `eviction` and
//! `finalize`, nor for what happens inside of it (garbage collection, the end of
//! namespaces); a service is where [`Running::route_service`] says; without a
//! caBundle no certificate is trusted; reviews are always of version v1, and
//! CONNECT is no operation here. Admission policies written in CEL are not known.
//!
//! What it is not: it checks no credentials, and rights only
//! of tokens that a test gave roles ([`Running::grant`]); it
//! converts between versions of a CRD by name only, reads no
//! protobuf (`kubectl create namespace` sends that, `kubectl create -f` does
//! not), and has no exec, attach or port-forward. Deletes in the foreground
//! are done in the background. CEL rules are not type-checked when a CRD is
//! registered, have no cost limit, and find the old item of a list by its
//! index.

mod admit;
mod cel;
mod discovery;
mod duplicates;
mod error;
mod faults;
mod gc;
mod http_server;
mod kinds;
mod kubeconfig;
mod logs;
mod meta;
mod names;
mod openapi;
mod patch;
mod rbac;
pub mod record;
mod registry;
pub mod replay;
mod request;
mod rest;
#[cfg(test)]
mod robustness_tests;
mod schema;
mod selector;
mod state;
mod store;
mod table;
mod view;
mod watch;
mod webhook;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use faults::{Effect, Fault};
pub use logs::{LogOptions, PodLogs, PodLogsError};

use state::State;
use store::Key;

/// Changes kept per resource by default. A watch that is further behind gets
/// 410 Gone and lists again.
pub const HISTORY_MAX: usize = 4096;
/// Time between bookmarks by default. The real server takes about a minute.
pub const BOOKMARK_INTERVAL: Duration = Duration::from_secs(10);
/// How long `shutdown` waits for open requests.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// How to start the server.
#[derive(Clone)]
pub struct Config {
    /// Address to listen on; port 0 picks a free one. There is no
    /// authentication, so this should be a loopback address.
    pub listen: SocketAddr,
    /// Where `pods/log` gets logs from; may also be set later.
    pub pod_logs: Option<Arc<dyn PodLogs>>,
    /// Changes kept per resource, at least 1.
    pub history_max: usize,
    /// Time between bookmarks of a watch.
    pub bookmark_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            pod_logs: None,
            history_max: HISTORY_MAX,
            bookmark_interval: BOOKMARK_INTERVAL,
        }
    }
}

/// The server; see [`KubeSim::start`].
pub struct KubeSim;

impl KubeSim {
    /// Starts a server on the current tokio runtime, with the namespaces
    /// `default`, `kube-system` and `kube-public`.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn start(config: Config) -> io::Result<Running> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(config.history_max, config.bookmark_interval, config.pod_logs));
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            make_namespace(&state, name)?;
        }
        let collector = tokio::spawn(gc::run(state.clone()));
        let server = tokio::spawn(http_server::serve(listener, state.clone()));
        Ok(Running { address, state, server: Some(server), collector })
    }
}

fn make_namespace(state: &State, name: &str) -> io::Result<()> {
    let object = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {
            "name": name, "uid": meta::new_uid(), "creationTimestamp": meta::now_seconds(),
            "labels": {"kubernetes.io/metadata.name": name},
        },
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
    });
    let key = Key { resource: "namespaces".into(), namespace: String::new(), name: name.to_owned() };
    state
        .store
        .create(&key, object)
        .map(drop)
        .map_err(|e| io::Error::other(format!("creating namespace {name}: {e:?}")))
}

/// A running server. Dropping it stops the server without waiting.
pub struct Running {
    address: SocketAddr,
    state: Arc<State>,
    server: Option<JoinHandle<io::Result<()>>>,
    collector: JoinHandle<()>,
}

impl Running {
    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the server, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig that points at the server.
    pub fn kubeconfig(&self) -> String {
        kubeconfig::render(&self.url(), kubeconfig::TOKEN)
    }

    /// A kubeconfig for whoever bears `token`.
    pub fn kubeconfig_of(&self, token: &str) -> String {
        kubeconfig::render(&self.url(), token)
    }

    /// Writes the kubeconfig to a file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_kubeconfig(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, self.kubeconfig())
    }

    /// Sets or replaces the source of container logs.
    pub fn set_pod_logs(&self, logs: Arc<dyn PodLogs>) {
        self.state.set_pod_logs(logs);
    }

    /// Leads calls of admission webhooks for a service to an address: nothing else routes to it.
    pub fn route_service(&self, namespace: &str, name: &str, address: SocketAddr) {
        self.state.route_service(namespace, name, address);
    }

    /// The current global resource version. It does not move unless something
    /// is written, which tests can use to see that nothing was.
    pub fn resource_version(&self) -> u64 {
        self.state.store.version()
    }

    /// Forgets the history: watches that are open or resume from an older
    /// version get 410 Gone.
    pub fn compact(&self) {
        self.state.store.compact();
    }

    /// Ends all open watches, as a restart of a real server would.
    pub fn cut_watches(&self) {
        self.state.faults.cut_watches();
    }

    /// Makes requests fail or wait.
    pub fn inject(&self, fault: Fault) {
        self.state.faults.add(fault);
    }

    /// From now on `token` may do what `role`, a Role or ClusterRole, says, in
    /// `namespace` or everywhere, and nothing but what it was granted.
    pub fn grant(&self, token: &str, role: &serde_json::Value, namespace: Option<&str>) {
        self.state.rights.grant(token, role, namespace);
    }

    /// From now on `token` may do nothing.
    pub fn revoke(&self, token: &str) {
        self.state.rights.revoke(token);
    }

    /// Begins to record requests and answers; from now on requests are handled
    /// one at a time.
    pub fn record(&self) {
        self.state.recorder.start();
    }

    /// What was recorded since [`Running::record`].
    pub fn recording(&self) -> record::Recording {
        self.state.recorder.recording()
    }

    /// Removes all injected faults.
    pub fn clear_faults(&self) {
        self.state.faults.clear();
    }

    /// Stops listening and ends all connections, but keeps the objects: what
    /// clients see of a server that is down. [`Running::resume`] undoes it.
    pub async fn stop(&mut self) {
        self.state.cancel().cancel();
        if let Some(mut server) = self.server.take()
            && tokio::time::timeout(SHUTDOWN_GRACE, &mut server).await.is_err()
        {
            server.abort();
        }
    }

    /// Listens again, at the same address, after [`Running::stop`]. Does
    /// nothing if the server is listening.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn resume(&mut self) -> io::Result<()> {
        if self.server.is_none() {
            let listener = TcpListener::bind(self.address).await?;
            self.state.renew_cancel();
            self.server = Some(tokio::spawn(http_server::serve(listener, self.state.clone())));
        }
        Ok(())
    }

    /// Stops the server: ends watches and log streams, then waits a short time
    /// for requests to finish.
    pub async fn shutdown(mut self) {
        self.stop().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.state.cancel().cancel();
        if let Some(server) = &self.server {
            server.abort();
        }
        self.collector.abort();
    }
}
