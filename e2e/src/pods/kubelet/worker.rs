//! Keeps one pod: carries out what its state machine decides.
//!
//! One task per pod, started by [`super::Kubelet`]. It owns the pod's containers, hears of their
//! ends and of probe results, and tells the API server. It waits for happenings only; there is no
//! polling.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use rustix::process::Signal;
use tokio::sync::{OnceCell, mpsc};
use tokio::task::JoinHandle;

use super::check;
use super::env::Addresses;
use super::manifest::{Kind, Manifest};
use super::report::Reporter;
use super::start::{self, Held, Instance, NotStarted};
use super::state::{Action, Ended, GRACE_MIN, Moment, Phase, PodState, ProbeKind, StopReason, Verdict};
use super::{Node, status};
use crate::pods::containers::Container;
use crate::pods::containers::shim::START_FAILED;
use crate::pods::containers::spec::Exit;

/// Wait before a container that was held by something outside of it is tried again. A guess.
const HELD_RETRY: Duration = Duration::from_secs(2);

/// What the kubelet tells a worker.
#[derive(Clone, Debug)]
pub enum Order {
    /// The object has changed.
    Updated(Box<core::Pod>),
    /// The object has gone.
    Gone,
    /// End the pod by this time and leave its object alone.
    Shutdown(Instant),
}

/// What the tasks of a pod tell its worker. `instance` tells a late word of an earlier instance
/// of the container from one of the present.
enum Happening {
    Started { index: usize, instance: u32, result: Result<Arc<Container>, NotStarted> },
    Ended { index: usize, instance: u32, exit: Exit },
    Probed { index: usize, instance: u32, kind: ProbeKind, result: Result<(), String> },
}

/// The worker of one pod.
pub struct Worker {
    node: Arc<Node>,
    pod: core::Pod,
    manifest: Arc<Manifest>,
    addresses: Addresses,
    state: PodState,
    reporter: Reporter,
    volumes: Arc<OnceCell<super::volumes::Volumes>>,
    live: HashMap<usize, Live>,
    starts: HashMap<usize, u32>,
    happenings: (mpsc::UnboundedSender<Happening>, mpsc::UnboundedReceiver<Happening>),
    gone: bool,
    shutdown: bool,
}

/// A running container and the tasks that attend to it.
struct Live {
    container: Arc<Container>,
    probers: Vec<(ProbeKind, JoinHandle<()>)>,
    stopping: bool,
}

impl Drop for Live {
    fn drop(&mut self) {
        for (_, prober) in &self.probers {
            prober.abort();
        }
    }
}

impl Worker {
    /// A worker for a pod that is bound to the node.
    pub fn new(node: Arc<Node>, pod: core::Pod, addresses: Addresses) -> Self {
        let manifest = Arc::new(Manifest::of(&pod));
        let mut state = PodState::new(&manifest, Instant::now());
        // A pod that an earlier runner has brought to its end has nothing to run.
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let finished = matches!(phase, Some("Succeeded" | "Failed"));
        state.over = finished;
        let reporter = Reporter::new(Arc::clone(&node), &pod, finished);
        Self {
            node,
            pod,
            manifest,
            addresses,
            state,
            reporter,
            volumes: Arc::default(),
            live: HashMap::new(),
            starts: HashMap::new(),
            happenings: mpsc::unbounded_channel(),
            gone: false,
            shutdown: false,
        }
    }

    /// Keeps the pod until its object is gone and nothing of it runs any more.
    pub async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        self.look_for_deletion();
        loop {
            let wake = if self.state.over { None } else { self.step() };
            self.report().await;
            if self.state.over && (self.gone || self.shutdown) {
                break;
            }
            let wake = earliest(wake, self.reporter.retry_at());
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.obey(order),
                    // The kubelet has gone without a word: it was dropped, and so are we.
                    None => break,
                },
                Some(happening) = self.happenings.1.recv() => self.take_in(happening),
                () = sleep_until(wake) => {}
            }
        }
        self.clean_up();
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Updated(pod) => {
                self.pod = *pod;
                self.look_for_deletion();
            }
            Order::Gone => {
                self.gone = true;
                self.state.stop(StopReason::Deleted, Instant::now() + GRACE_MIN);
            }
            Order::Shutdown(deadline) => {
                self.shutdown = true;
                let grace = Instant::now() + self.manifest.grace;
                self.state.stop(StopReason::Shutdown, grace.min(deadline));
            }
        }
    }

    fn look_for_deletion(&mut self) {
        if self.pod.metadata.deletion_timestamp.is_some() {
            let given = self.pod.metadata.deletion_grace_period_seconds;
            let grace = given.map_or(self.manifest.grace, |seconds| {
                Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
            });
            self.state.stop(StopReason::Deleted, Instant::now() + grace.max(GRACE_MIN));
        }
    }

    /// Does what is to be done now; returns when to look again.
    fn step(&mut self) -> Option<Instant> {
        let plan = self.state.step(&self.manifest, Instant::now());
        for action in plan.actions {
            match action {
                Action::Start(index) => self.start(index),
                Action::Stop { container, deadline } => {
                    let name = &self.manifest.containers[container].name;
                    let text = format!("Stopping container {name}");
                    self.node.recorder.normal(&self.pod, "Killing", text);
                    self.stop(container, deadline);
                }
                Action::TellBackoff(index) => {
                    let name = &self.manifest.containers[index].name;
                    let text =
                        format!("Back-off restarting failed container {name} in pod {}", self.pod.name_any());
                    self.node.recorder.warning(&self.pod, "BackOff", text);
                }
            }
        }
        plan.wake
    }

    fn start(&mut self, index: usize) {
        let starts = self.starts.entry(index).or_default();
        let instance = *starts;
        *starts += 1;
        let job = start::Job {
            node: Arc::clone(&self.node),
            pod: self.pod.clone(),
            manifest: Arc::clone(&self.manifest),
            index,
            instance: Instance { directory: self.directory(), number: instance },
            addresses: self.addresses.clone(),
            volumes: Arc::clone(&self.volumes),
        };
        let tell = self.happenings.0.clone();
        tokio::spawn(async move {
            let result = job.run().await.map(Arc::new);
            // Holding the container itself would keep it running without its worker.
            let ending = result.as_ref().ok().map(|container| container.ending());
            tell.send(Happening::Started { index, instance, result }).ok();
            if let Some(ending) = ending {
                let exit = ending.wait().await;
                tell.send(Happening::Ended { index, instance, exit }).ok();
            }
        });
    }

    fn take_in(&mut self, happening: Happening) {
        match happening {
            Happening::Started { index, instance, result } => self.started(index, instance, result),
            Happening::Ended { index, instance, exit } if self.is_present(index, instance) => {
                let message = self.live.remove(&index).and_then(|live| live.container.termination_message());
                self.ended(index, exit, message);
            }
            Happening::Probed { index, instance, kind, result } if self.is_present(index, instance) => {
                self.probed(index, kind, result);
            }
            Happening::Ended { .. } | Happening::Probed { .. } => {}
        }
    }

    fn is_present(&self, index: usize, instance: u32) -> bool {
        self.starts.get(&index).is_some_and(|starts| *starts == instance + 1)
    }

    fn started(&mut self, index: usize, instance: u32, result: Result<Arc<Container>, NotStarted>) {
        let now = now();
        let manifest = &self.manifest.containers[index];
        let state = &mut self.state.containers[index];
        match result {
            Ok(container) => {
                let id = self.reporter.container_id(&manifest.name, instance);
                self.node.processes.add(id.clone(), container.pid);
                state.started(manifest, id, now);
                self.live.insert(index, Live { container, probers: Vec::new(), stopping: false });
                if manifest.startup.is_some() {
                    self.probe(index, ProbeKind::Startup);
                } else {
                    self.probe_on(index);
                }
            }
            Err(NotStarted::Held(Held { reason, message, retries })) => {
                state.held(reason, message, retries.then(|| now.instant + HELD_RETRY));
            }
            Err(NotStarted::Failed(message)) => {
                let ended = Ended {
                    code: START_FAILED,
                    signal: None,
                    reason: "StartError",
                    message: Some(message),
                    started: None,
                    finished: now.time,
                    id: self.reporter.container_id(&manifest.name, instance),
                };
                state.ended(ended, self.node.config.restart_backoff, now.instant);
            }
        }
    }

    fn ended(&mut self, index: usize, exit: Exit, message: Option<String>) {
        let now = now();
        let state = &mut self.state.containers[index];
        let Phase::Running(running) = &state.phase else { return };
        self.node.processes.remove(&running.id);
        let ended = Ended {
            code: exit.code(),
            signal: exit.signal(),
            reason: if exit.code() == 0 { "Completed" } else { "Error" },
            message,
            started: Some(running.since.time),
            finished: now.time,
            id: running.id.clone(),
        };
        state.ended(ended, self.node.config.restart_backoff, now.instant);
    }

    fn probed(&mut self, index: usize, kind: ProbeKind, result: Result<(), String>) {
        if !self.state.containers[index].heeds(kind) {
            return;
        }
        let manifest = Arc::clone(&self.manifest);
        let container = &manifest.containers[index];
        if let Err(why) = &result {
            let text = format!("{} probe failed: {why}", kind.title());
            self.node.recorder.warning(&self.pod, "Unhealthy", text);
        }
        match self.state.containers[index].probed(container, kind, result.is_ok()) {
            Verdict::Nothing => {}
            Verdict::Started => self.probe_on(index),
            Verdict::Kill => {
                let own = kind.of(container).and_then(|probe| probe.grace);
                let grace = own.unwrap_or(manifest.grace).max(GRACE_MIN);
                let deadline = Instant::now() + grace;
                if self.state.containers[index].begin_stop(deadline) {
                    let stays =
                        container.kind != Kind::Sidecar && !manifest.restart.restarts(Exit::Signal(9).code());
                    let text = format!(
                        "Container {} failed {} probe, will be {}",
                        container.name,
                        kind.title().to_lowercase(),
                        if stays { "killed" } else { "restarted" }
                    );
                    self.node.recorder.normal(&self.pod, "Killing", text);
                    self.stop(index, deadline);
                }
            }
        }
    }

    /// Begins with the probes that wait for the start-up, and ends the startup probe.
    fn probe_on(&mut self, index: usize) {
        if let Some(live) = self.live.get_mut(&index) {
            for (kind, prober) in &live.probers {
                if *kind == ProbeKind::Startup {
                    prober.abort();
                }
            }
        }
        self.probe(index, ProbeKind::Liveness);
        self.probe(index, ProbeKind::Readiness);
    }

    /// Probes on schedule for as long as this instance lives.
    fn probe(&mut self, index: usize, kind: ProbeKind) {
        let (Some(live), Some(starts)) = (self.live.get_mut(&index), self.starts.get(&index)) else {
            return;
        };
        let Some(probe) = kind.of(&self.manifest.containers[index]) else { return };
        let probe = probe.clone().hurried(self.node.config.probe_speed);
        let (container, instance) = (Arc::clone(&live.container), starts - 1);
        let (pod_ip, tell) = (self.addresses.pod_ip.clone(), self.happenings.0.clone());
        let since = match &self.state.containers[index].phase {
            Phase::Running(running) => running.since.instant,
            _ => return,
        };
        let first = tokio::time::Instant::from_std(since + probe.initial_delay);
        let prober = tokio::spawn(async move {
            let mut times = tokio::time::interval_at(first, probe.period);
            times.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                times.tick().await;
                let result = check::run(&probe.check, &container, &pod_ip, probe.timeout).await;
                if tell.send(Happening::Probed { index, instance, kind, result }).is_err() {
                    return;
                }
            }
        });
        live.probers.push((kind, prober));
    }

    /// Stops a running container by `deadline`: hook and SIGTERM at the first call, and in any
    /// case SIGKILL at the deadline.
    fn stop(&mut self, index: usize, deadline: Instant) {
        let Some(live) = self.live.get_mut(&index) else { return };
        let again = std::mem::replace(&mut live.stopping, true);
        let container = Arc::clone(&live.container);
        let hook = self.manifest.containers[index].pre_stop.clone();
        let (pod, recorder) = (self.pod.clone(), self.node.recorder.clone());
        let pod_ip = self.addresses.pod_ip.clone();
        tokio::spawn(async move {
            let mut deadline = deadline;
            if let (Some(hook), false) = (hook, again) {
                let left = deadline.saturating_duration_since(Instant::now());
                if let Err(why) = check::run(&hook, &container, &pod_ip, left).await {
                    let text = format!("PreStopHook failed: {why}");
                    recorder.warning(&pod, "FailedPreStopHook", text);
                }
                deadline = deadline.max(Instant::now() + GRACE_MIN);
            }
            if !again {
                container.signal(Signal::TERM).await;
            }
            let ending = container.ending();
            tokio::select! {
                _ = ending.wait() => {}
                () = sleep_until(Some(deadline)) => container.signal(Signal::KILL).await,
            }
        });
    }

    async fn report(&mut self) {
        if self.shutdown || self.gone {
            return;
        }
        let status = status::status(
            &self.pod,
            &self.manifest,
            &self.state,
            &self.addresses,
            self.reporter.start_time(),
            Timestamp::now(),
            self.reporter.last(),
        );
        let tallies = self.manifest.containers.iter().zip(&self.state.containers);
        self.reporter.send(&self.pod, status, tallies).await;
        if self.state.over && self.pod.metadata.deletion_timestamp.is_some() {
            self.reporter.delete(&self.pod).await;
        }
    }

    fn directory(&self) -> PathBuf {
        self.node.pod_directory(&self.pod)
    }

    /// The object has gone: volumes go too, as in a cluster. Logs and roots stay.
    fn clean_up(&self) {
        if self.gone {
            let namespace = self.pod.namespace().unwrap_or_default();
            let uid = self.pod.uid().unwrap_or_default();
            self.node.logs.forget(&namespace, &self.pod.name_any(), &uid);
            if !self.node.config.keep_volumes {
                std::fs::remove_dir_all(self.directory().join("volumes")).ok();
            }
        }
    }
}

fn now() -> Moment {
    Moment { instant: Instant::now(), time: Timestamp::now() }
}

fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Sleeps until then; for ever without a time.
async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
