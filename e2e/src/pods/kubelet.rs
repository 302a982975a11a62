//! The embedded bed's kubelet: runs the pods that are bound to its node.
//!
//! Started by [`super::PodRunner`]. Watches pods, gives each a [`worker`] and tells it of changes.
//! What Kubernetes rules decide is pure and lies in [`manifest`], [`env`], [`state`] and
//! [`status`]; what touches the machine lies in [`start`], [`volumes`] and
//! [`containers`](super::containers).

mod check;
pub mod env;
mod manifest;
mod processes;
mod report;
pub mod sources;
mod start;
mod state;
mod status;
mod volumes;
mod worker;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use futures::StreamExt;
use k8s_openapi::api::core::v1 as core;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::env::Addresses;
use self::worker::{Order, Worker};
use super::RunnerConfig;
use super::containers::Runtime;
use super::events::Recorder;
use super::logs::registry::Registry;

pub use self::processes::Processes;
pub use self::report::PROBES_ANNOTATION;

/// What all pods of the node share.
pub struct Node {
    /// Access to the API server.
    pub client: Client,
    /// The configuration.
    pub config: RunnerConfig,
    /// Starts containers.
    pub runtime: Runtime,
    /// Says what happens.
    pub recorder: Recorder,
    /// Log files.
    pub logs: Arc<Registry>,
    /// What runs.
    pub processes: Arc<Processes>,
    next_address: AtomicU32,
}

impl Node {
    /// A node that has no pods yet.
    pub fn new(
        client: Client,
        config: RunnerConfig,
        runtime: Runtime,
        recorder: Recorder,
        logs: Arc<Registry>,
    ) -> Self {
        let (processes, next_address) = (Arc::default(), AtomicU32::new(1));
        Self { client, config, runtime, recorder, logs, processes, next_address }
    }

    /// Where a pod's volumes and containers lie.
    pub fn pod_directory(&self, pod: &core::Pod) -> PathBuf {
        self.config.root.join("pods").join(directory_name(pod))
    }

    /// Where a pod's logs lie.
    pub fn log_directory(&self, pod: &core::Pod) -> PathBuf {
        self.config.root.join("logs").join(directory_name(pod))
    }

    /// The next address of the pods' range, 127.88.0.0/16. After 65,024 pods they repeat.
    fn addresses(&self) -> Addresses {
        let number = self.next_address.fetch_add(1, Ordering::Relaxed) - 1;
        let (high, low) = ((number / 254) % 256, number % 254 + 1);
        Addresses { pod_ip: format!("127.88.{high}.{low}"), host_ip: self.config.node_ip.clone() }
    }
}

/// As in `/var/log/pods`: namespace, name and uid.
fn directory_name(pod: &core::Pod) -> String {
    let namespace = pod.namespace().unwrap_or_default();
    format!("{namespace}_{}_{}", pod.name_any(), pod.uid().unwrap_or_default())
}

/// The pods of the node by uid.
struct Kubelet {
    node: Arc<Node>,
    pods: HashMap<String, mpsc::UnboundedSender<Order>>,
    workers: JoinSet<String>,
    /// While the watch gives its initial list: what it has named so far.
    listed: Option<HashSet<String>>,
}

/// Keeps the pods of `node` until `shutdown` names a deadline, then ends them all by it.
pub async fn run(node: Arc<Node>, mut shutdown: watch::Receiver<Option<Instant>>) {
    let api: Api<core::Pod> = Api::all(node.client.clone());
    let mut changes = watcher(api, watcher::Config::default()).default_backoff().boxed();
    let mut kubelet = Kubelet { node, pods: HashMap::new(), workers: JoinSet::new(), listed: None };
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(Ok(change)) => kubelet.take_in(change),
                Some(Err(error)) => tracing::warn!(%error, "the watch of pods was interrupted"),
                None => break,
            },
            Some(ended) = kubelet.workers.join_next() => kubelet.forget(ended),
            deadline = named(&mut shutdown) => return kubelet.shut_down(deadline).await,
        }
    }
}

/// Waits for the deadline of the shutdown; a dropped runner wants it now.
async fn named(shutdown: &mut watch::Receiver<Option<Instant>>) -> Instant {
    let deadline = shutdown.wait_for(Option::is_some).await.ok().and_then(|deadline| *deadline);
    deadline.unwrap_or_else(Instant::now)
}

impl Kubelet {
    fn take_in(&mut self, change: Event<core::Pod>) {
        match change {
            Event::Init => self.listed = Some(HashSet::new()),
            Event::InitApply(pod) => {
                if let Some(listed) = &mut self.listed {
                    listed.insert(pod.uid().unwrap_or_default());
                }
                self.apply(pod);
            }
            Event::InitDone => {
                let listed = self.listed.take().unwrap_or_default();
                for (_, pod) in self.pods.iter().filter(|(uid, _)| !listed.contains(*uid)) {
                    pod.send(Order::Gone).ok();
                }
            }
            Event::Apply(pod) => self.apply(pod),
            Event::Delete(pod) => {
                if let Some(known) = self.pods.get(&pod.uid().unwrap_or_default()) {
                    known.send(Order::Gone).ok();
                }
            }
        }
    }

    fn apply(&mut self, pod: core::Pod) {
        let bound = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        if bound != Some(self.node.config.node_name.as_str()) {
            return;
        }
        let uid = pod.uid().unwrap_or_default();
        if let Some(known) = self.pods.get(&uid) {
            known.send(Order::Updated(Box::new(pod))).ok();
            return;
        }
        let (orders, inbox) = mpsc::unbounded_channel();
        let worker = Worker::new(Arc::clone(&self.node), pod, self.node.addresses());
        self.pods.insert(uid.clone(), orders);
        self.workers.spawn(async move {
            worker.run(inbox).await;
            uid
        });
    }

    fn forget(&mut self, ended: Result<String, tokio::task::JoinError>) {
        match ended {
            Ok(uid) => drop(self.pods.remove(&uid)),
            Err(error) => tracing::error!(%error, "the worker of a pod failed"),
        }
    }

    async fn shut_down(mut self, deadline: Instant) {
        for pod in self.pods.values() {
            pod.send(Order::Shutdown(deadline)).ok();
        }
        while self.workers.join_next().await.is_some() {}
    }
}
