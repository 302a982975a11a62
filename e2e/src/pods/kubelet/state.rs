//! The life of one pod as a state machine. Pure: takes what happened and the time, says what to
//! do next.
//!
//! The worker of the pod ([`super::worker`]) reports every happening, calls [`PodState::step`]
//! and carries out the [`Action`]s it gets. Order of containers, restarts and their back-off,
//! probe thresholds and the order of stopping are decided here and nowhere else.

mod container;

use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;

use super::manifest::{Kind, Manifest};

pub use self::container::{ContainerState, Ended, Phase, ProbeKind, Verdict};

/// Least time between SIGTERM and SIGKILL, even when the grace period is used up. Source: kubelet
/// (`minimumGracePeriodInSeconds`).
pub const GRACE_MIN: Duration = Duration::from_secs(2);

/// The moment of a happening, on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// For intervals.
    pub instant: Instant,
    /// For the status.
    pub time: Timestamp,
}

/// The state of a pod.
#[derive(Clone, Debug)]
pub struct PodState {
    /// One per container, in the manifest's order.
    pub containers: Vec<ContainerState>,
    /// All init containers have succeeded and all sidecars have started.
    pub initialized: bool,
    /// Set once the pod is to end, for whatever reason.
    pub stopping: Option<Stopping>,
    /// No container runs or will run again.
    pub over: bool,
    since: Instant,
}

/// The end of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopping {
    /// Why.
    pub reason: StopReason,
    /// When what still runs is killed.
    pub deadline: Instant,
}

/// Why a pod ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// All ordinary containers have ended and are not to be restarted.
    Completed,
    /// An init container failed and is not to be restarted.
    InitFailed,
    /// `activeDeadlineSeconds` is over.
    DeadlineExceeded,
    /// The object is being deleted or has gone.
    Deleted,
    /// The pod runner shuts down.
    Shutdown,
}

/// What the worker has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the container.
    Start(usize),
    /// Stop the container: hook, SIGTERM, SIGKILL at the deadline. Given again when the deadline
    /// comes nearer.
    Stop {
        /// Which.
        container: usize,
        /// When it is killed.
        deadline: Instant,
    },
    /// Tell that a container waits before it is started again.
    TellBackoff(usize),
}

/// What to do next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Now.
    pub actions: Vec<Action>,
    /// Call [`PodState::step`] again at this time.
    pub wake: Option<Instant>,
}

impl Plan {
    fn wake_at(&mut self, at: Instant) {
        self.wake = Some(self.wake.map_or(at, |known| known.min(at)));
    }
}

impl PodState {
    /// A pod that has just come to the node.
    pub fn new(manifest: &Manifest, now: Instant) -> Self {
        let has_init = manifest.containers.iter().any(|container| container.kind != Kind::App);
        let reason = if has_init { "PodInitializing" } else { "ContainerCreating" };
        let state = ContainerState::waiting(reason);
        Self {
            containers: manifest.containers.iter().map(|_| state.clone()).collect(),
            initialized: false,
            stopping: None,
            over: false,
            since: now,
        }
    }

    /// Decides what happens next. Called after every happening and at [`Plan::wake`].
    pub fn step(&mut self, manifest: &Manifest, now: Instant) -> Plan {
        let mut plan = Plan::default();
        if let (None, Some(active)) = (self.stopping, manifest.active_deadline) {
            let end = self.since + active;
            if now >= end {
                self.stop(StopReason::DeadlineExceeded, now + manifest.grace);
            } else {
                plan.wake_at(end);
            }
        }
        if self.stopping.is_none()
            && let Some(reason) = self.advance(manifest, now, &mut plan)
        {
            self.stop(reason, now + manifest.grace);
        }
        if let Some(stopping) = self.stopping {
            self.wind_down(manifest, stopping.deadline, now, &mut plan);
        }
        plan
    }

    /// Makes the pod end by `deadline`; of several deadlines the earliest counts.
    pub fn stop(&mut self, reason: StopReason, deadline: Instant) {
        self.stopping = Some(match self.stopping {
            None => Stopping { reason, deadline },
            Some(known) => Stopping { reason: known.reason, deadline: known.deadline.min(deadline) },
        });
    }

    /// Starts what can be started. `Some` when the pod is to end.
    fn advance(&mut self, manifest: &Manifest, now: Instant, plan: &mut Plan) -> Option<StopReason> {
        for (index, container) in manifest.containers.iter().enumerate() {
            let state = &mut self.containers[index];
            match (container.kind, &state.phase) {
                (Kind::App, _) => break,
                (Kind::Sidecar, Phase::Running(running)) if running.started => {}
                (Kind::Sidecar, _) => {
                    state.bring_up(index, now, plan);
                    if !self.initialized {
                        return None;
                    }
                }
                (Kind::Init, _) if self.initialized => {}
                (Kind::Init, Phase::Ended(ended)) if ended.code == 0 => {}
                (Kind::Init, Phase::Ended(ended)) if !manifest.restart.restarts(ended.code) => {
                    return Some(StopReason::InitFailed);
                }
                (Kind::Init, _) => {
                    state.bring_up(index, now, plan);
                    return None;
                }
            }
        }
        self.initialized = true;
        let mut alive = false;
        for (index, container) in manifest.containers.iter().enumerate() {
            if container.kind == Kind::App {
                alive |= self.containers[index].keep_up(index, manifest.restart, now, plan);
            }
        }
        (!alive).then_some(StopReason::Completed)
    }

    /// Stops ordinary containers at once and sidecars after them, last one first.
    fn wind_down(&mut self, manifest: &Manifest, deadline: Instant, now: Instant, plan: &mut Plan) {
        let with_kind = |sidecar| {
            let kinds = manifest.containers.iter().enumerate();
            kinds.filter(move |(_, c)| (c.kind == Kind::Sidecar) == sidecar).map(|(index, _)| index)
        };
        let mut alive = false;
        for index in with_kind(false) {
            alive |= self.containers[index].take_down(index, deadline, plan);
        }
        if alive {
            return;
        }
        let sidecars: Vec<usize> = with_kind(true).collect();
        for index in sidecars.into_iter().rev() {
            let state = &mut self.containers[index];
            // A sidecar whose turn has come keeps the deadline that it was given then.
            let known = match &state.phase {
                Phase::Running(running) => running.stop_by,
                _ => None,
            };
            let by_now = deadline.max(now + GRACE_MIN);
            let deadline = known.map_or(by_now, |known| known.min(by_now));
            if state.take_down(index, deadline, plan) {
                return;
            }
        }
        self.over = true;
    }
}

#[cfg(test)]
mod tests;
