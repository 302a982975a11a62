//! The state of one container: its phases, the waits before restarts, the thresholds of probes.
//! Pure.
//!
//! The pod's state ([`super::PodState`]) says which containers should be up and which down; the
//! worker reports what has become of them.

use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;

use super::{Action, Moment, Plan};
use crate::pods::kubelet::manifest::{ContainerManifest, Probe, RestartPolicy};

/// Longest wait before a restart. Source: Kubernetes documentation, container restart policy.
const BACKOFF_MAX: Duration = Duration::from_secs(300);

/// A container that ran for so long starts again without waiting. Same source.
const BACKOFF_RESET: Duration = Duration::from_secs(600);

/// The state of a container.
#[derive(Clone, Debug)]
pub struct ContainerState {
    /// What it does now.
    pub phase: Phase,
    /// How it ended the last time, when it has been started again since or waits for that.
    pub last: Option<Ended>,
    /// What its probes have said so far, over all restarts.
    pub tallies: Tallies,
    /// Instances so far, the present one included.
    instances: u32,
    /// Ends in a row without a long run between them.
    ends: u32,
    due: Due,
    wait: Duration,
}

/// What a container does.
#[derive(Clone, Debug)]
pub enum Phase {
    /// Not started; reason and message are for the status.
    Waiting {
        /// CamelCase word.
        reason: &'static str,
        /// For people.
        message: Option<String>,
    },
    /// Being started.
    Starting,
    /// Running.
    Running(Running),
    /// Ended.
    Ended(Ended),
}

/// A running container.
#[derive(Clone, Debug)]
pub struct Running {
    /// Since when.
    pub since: Moment,
    /// Name of the instance.
    pub id: String,
    /// The startup probe has succeeded, or there is none.
    pub started: bool,
    /// The readiness probe succeeds, or there is none.
    pub ready: bool,
    /// When it will be killed, once it is being stopped.
    pub stop_by: Option<Instant>,
    streaks: [Streak; 3],
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Exit code; 128 + signal number when a signal ended it.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// CamelCase word.
    pub reason: &'static str,
    /// For people.
    pub message: Option<String>,
    /// When it had started, if it had.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Timestamp,
    /// Name of the instance.
    pub id: String,
}

/// The kinds of probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeKind {
    /// Until it succeeds, the others wait.
    Startup,
    /// Restarts the container.
    Liveness,
    /// Decides whether the container is ready.
    Readiness,
}

impl ProbeKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Startup, Self::Liveness, Self::Readiness];

    /// The probe of this kind in a manifest.
    pub fn of(self, container: &ContainerManifest) -> Option<&Probe> {
        match self {
            Self::Startup => container.startup.as_ref(),
            Self::Liveness => container.liveness.as_ref(),
            Self::Readiness => container.readiness.as_ref(),
        }
    }

    /// As events call it: `Liveness`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }
}

/// How often each probe has passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallies([Tally; 3]);

impl Tallies {
    /// Of one kind of probe.
    pub fn of(&self, kind: ProbeKind) -> Tally {
        self.0[kind as usize]
    }
}

/// How often a probe has passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Times it passed.
    pub passed: u64,
    /// Times it failed.
    pub failed: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Streak {
    passed: u32,
    failed: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Now,
    At(Instant),
    Never,
}

/// What the bearer of a probe result has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Nothing,
    /// The startup probe has succeeded: begin with the others.
    Started,
    /// The container has failed: stop it.
    Kill,
}

impl ContainerState {
    /// A container that has not been started yet.
    pub(super) fn waiting(reason: &'static str) -> Self {
        Self {
            phase: Phase::Waiting { reason, message: None },
            last: None,
            tallies: Tallies::default(),
            instances: 0,
            ends: 0,
            due: Due::Now,
            wait: Duration::ZERO,
        }
    }

    /// How often it was started again.
    pub fn restarts(&self) -> u32 {
        self.instances.saturating_sub(1)
    }

    /// Starts the container unless it must wait or is alive already.
    pub(super) fn bring_up(&mut self, index: usize, now: Instant, plan: &mut Plan) {
        if matches!(self.phase, Phase::Starting | Phase::Running(_)) {
            return;
        }
        match self.due {
            Due::Never => return,
            Due::At(at) if at > now => {
                plan.wake_at(at);
                return self.show_backoff(index, plan);
            }
            Due::At(_) | Due::Now => {}
        }
        if let Phase::Ended(ended) = &self.phase {
            self.last = Some(ended.clone());
        }
        self.phase = Phase::Starting;
        plan.actions.push(Action::Start(index));
    }

    /// An ended container that will be started again later shows that it waits.
    fn show_backoff(&mut self, index: usize, plan: &mut Plan) {
        let Phase::Ended(ended) = &self.phase else { return };
        self.last = Some(ended.clone());
        let wait = self.wait.as_secs_f64();
        let message = format!("back-off {wait}s restarting failed container");
        self.phase = Phase::Waiting { reason: "CrashLoopBackOff", message: Some(message) };
        plan.actions.push(Action::TellBackoff(index));
    }

    /// As [`Self::bring_up`], by the restart policy. False when the container has ended for good.
    pub(super) fn keep_up(
        &mut self,
        index: usize,
        policy: RestartPolicy,
        now: Instant,
        plan: &mut Plan,
    ) -> bool {
        match &self.phase {
            Phase::Ended(ended) if !policy.restarts(ended.code) => false,
            _ => {
                self.bring_up(index, now, plan);
                true
            }
        }
    }

    /// Has the container stopped; false when it is not alive.
    pub(super) fn take_down(&mut self, index: usize, deadline: Instant, plan: &mut Plan) -> bool {
        match &mut self.phase {
            Phase::Waiting { .. } | Phase::Ended(_) => false,
            Phase::Starting => true,
            Phase::Running(running) => {
                if running.stop_by.is_none_or(|known| deadline < known) {
                    running.stop_by = Some(deadline);
                    plan.actions.push(Action::Stop { container: index, deadline });
                }
                true
            }
        }
    }

    /// The program runs.
    pub fn started(&mut self, container: &ContainerManifest, id: String, now: Moment) {
        let started = container.startup.is_none();
        self.instances += 1;
        self.phase = Phase::Running(Running {
            since: now,
            id,
            started,
            ready: started && container.readiness.is_none(),
            stop_by: None,
            streaks: [Streak::default(); 3],
        });
    }

    /// The container cannot be started for a reason outside of it. Without `retry` it waits until
    /// the pod is deleted.
    pub fn held(&mut self, reason: &'static str, message: String, retry: Option<Instant>) {
        self.phase = Phase::Waiting { reason, message: Some(message) };
        self.due = retry.map_or(Due::Never, Due::At);
    }

    /// The container has ended, or its program could not be started.
    pub fn ended(&mut self, ended: Ended, base: Duration, now: Instant) {
        match &self.phase {
            Phase::Running(running)
                if now.saturating_duration_since(running.since.instant) >= BACKOFF_RESET =>
            {
                self.ends = 0;
            }
            Phase::Starting => self.instances += 1,
            _ => {}
        }
        self.wait = delay(base, self.ends);
        self.due = Due::At(now + self.wait);
        self.ends += 1;
        self.phase = Phase::Ended(ended);
    }

    /// Marks a running container as being stopped by `deadline`; false when it is already.
    pub fn begin_stop(&mut self, deadline: Instant) -> bool {
        match &mut self.phase {
            Phase::Running(running) if running.stop_by.is_none() => {
                running.stop_by = Some(deadline);
                true
            }
            _ => false,
        }
    }

    /// True while results of this kind of probe mean something: what is being stopped has nothing
    /// more to prove.
    pub fn heeds(&self, kind: ProbeKind) -> bool {
        match &self.phase {
            Phase::Running(running) => kind == ProbeKind::Readiness || running.stop_by.is_none(),
            _ => false,
        }
    }

    /// Takes in the result of a probe, if it is heeded.
    pub fn probed(&mut self, container: &ContainerManifest, kind: ProbeKind, passed: bool) -> Verdict {
        if !self.heeds(kind) {
            return Verdict::Nothing;
        }
        let tally = &mut self.tallies.0[kind as usize];
        if passed {
            tally.passed += 1;
        } else {
            tally.failed += 1;
        }
        let (Phase::Running(running), Some(probe)) = (&mut self.phase, kind.of(container)) else {
            return Verdict::Nothing;
        };
        let streak = &mut running.streaks[kind as usize];
        *streak = if passed {
            Streak { passed: streak.passed.saturating_add(1), failed: 0 }
        } else {
            Streak { passed: 0, failed: streak.failed.saturating_add(1) }
        };
        let well = streak.passed >= probe.success_threshold;
        let failed = streak.failed >= probe.failure_threshold;
        match kind {
            ProbeKind::Startup if well && !running.started => {
                running.started = true;
                running.ready = container.readiness.is_none();
                Verdict::Started
            }
            ProbeKind::Readiness => {
                running.ready = well || (running.ready && !failed);
                Verdict::Nothing
            }
            ProbeKind::Startup | ProbeKind::Liveness if failed => {
                *streak = Streak::default();
                Verdict::Kill
            }
            ProbeKind::Startup | ProbeKind::Liveness => Verdict::Nothing,
        }
    }
}

/// The wait before a restart when the container has ended `before` times before this time: none at
/// first, then `base` and twice as long each time.
fn delay(base: Duration, before: u32) -> Duration {
    match before {
        0 => Duration::ZERO,
        n => base.saturating_mul(2_u32.saturating_pow(n - 1)).min(BACKOFF_MAX),
    }
}
