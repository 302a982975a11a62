//! The list of conditions: one entry per type, times that move only when a condition's status does.

use jiff::Timestamp;

use super::{Collecting, seconds};
use crate::agents::{HEARTBEAT_FRESH, Logs};
use crate::crd::{Condition, RECONCILE_ANNOTATION};
use crate::desired::Desired;
use crate::failure::FOREIGN_OWNER;
use crate::plan::{Stage, Step};
use crate::progress::{Progress, Reason, StageState};
use crate::text::cut;
use crate::validate::Warning;

pub(super) const TRUE: &str = "True";
pub(super) const FALSE: &str = "False";
const UNKNOWN: &str = "Unknown";
/// Reason of a condition whose step was not reached.
const WAITING: &str = "Waiting";
/// Longest message of a condition, in bytes. Source: Kubernetes API, Condition.
const MESSAGE_BYTES_MAX: usize = 32_768;

/// Conditions and the stages that they sum up, in the order in which they are shown.
const STAGES_OF: [(&str, &[Stage]); 5] = [
    ("ProjectReady", &[Stage::Project]),
    ("LogstoreReady", &[Stage::Logstore]),
    ("IndexReady", &[Stage::Index]),
    ("MachineGroupsReady", &[Stage::MachineGroups, Stage::Binding]),
    ("ConfigReady", &[Stage::Config]),
];

/// Reasons that stay as long as the resource does: they tell what the operator did to it.
const LASTING: [Reason; 3] = [Reason::Created, Reason::Updated, Reason::DriftCorrected];

/// What an operator that only observes would do.
pub(super) fn withheld(progress: &Progress) -> String {
    let steps: Vec<_> = progress.withheld.iter().map(Step::described).collect();
    format!(
        "{} differs from the object, and is only observed: {}; set the annotation {RECONCILE_ANNOTATION} to Enabled, \
         or remove it, to have that done",
        progress.desired.target,
        steps.join("; ")
    )
}

/// A list of conditions under change.
pub(super) struct Conditions {
    list: Vec<Condition>,
    generation: Option<i64>,
    now: Timestamp,
}

impl Conditions {
    pub(super) fn new(previous: Option<&[Condition]>, generation: Option<i64>, now: Timestamp) -> Self {
        Self { list: previous.unwrap_or_default().to_vec(), generation, now }
    }

    pub(super) fn set(&mut self, type_: &str, status: &str, reason: &str, message: &str) {
        let condition = Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: cut(message, MESSAGE_BYTES_MAX),
            last_transition_time: seconds(self.now),
            observed_generation: self.generation,
        };
        match self.list.iter_mut().find(|existing| existing.type_ == type_) {
            Some(existing) => {
                let since = existing.last_transition_time.clone();
                let same = existing.status == condition.status;
                *existing = condition;
                if same {
                    existing.last_transition_time = since;
                }
            }
            None => self.list.push(condition),
        }
    }

    /// Nothing was sent; what earlier generations achieved stays as it was said.
    pub(super) fn not_accepted(&mut self, reason: &str, message: &str, warnings: &[Warning]) {
        self.set("Accepted", FALSE, reason, message);
        self.set("Ready", FALSE, reason, message);
        self.warnings(warnings);
    }

    pub(super) fn tried(&mut self, progress: &Progress, warnings: &[Warning]) {
        match progress.failure.as_ref().filter(|failure| failure.code == FOREIGN_OWNER) {
            Some(failure) => self.set("Accepted", FALSE, FOREIGN_OWNER, &failure.message),
            None => self.set("Accepted", TRUE, "Valid", "the spec is valid"),
        }
        for (type_, stages) in STAGES_OF {
            let states = stages.iter().filter_map(|stage| progress.stages.get(stage));
            self.stage(type_, &states.collect::<Vec<_>>());
        }
        match &progress.failure {
            None if !progress.withheld.is_empty() => {
                self.set("Ready", FALSE, "ObserveOnly", &withheld(progress));
            }
            None => {
                let desired = &progress.desired;
                let groups: Vec<_> = desired.machine_groups.iter().map(ToString::to_string).collect();
                let message = format!(
                    "{} is applied: logs go to Logstore {}, machine groups: {}",
                    desired.target,
                    desired.destination,
                    groups.join(", ")
                );
                self.set("Ready", TRUE, "Synced", &message);
            }
            Some(failure) => {
                let message = format!("{} failed: {}", failure.step, failure.message);
                self.set("Ready", FALSE, &failure.code, &message);
            }
        }
        self.warnings(warnings);
    }

    /// Whether somebody collects. Numbers and times are chosen so that nothing changes while all goes on as it does.
    pub(super) fn agents(&mut self, agents: Collecting<'_>, desired: &Desired) {
        const TYPE: &str = "AgentsConnected";
        let sight = match agents {
            Collecting::Seen(sight) => sight,
            Collecting::NotAskedYet => return,
            Collecting::NeverAsked => return self.list.retain(|condition| condition.type_ != TYPE),
        };
        let groups: Vec<_> = desired.machine_groups.iter().map(ToString::to_string).collect();
        let (groups, logstore) = (groups.join(", "), &desired.destination);
        let logs = match sight.logs {
            Logs::Arrive => format!("logs arrive in Logstore {logstore}"),
            Logs::Silent(since) => format!("no new logs in Logstore {logstore} since {}", seconds(since).0),
        };
        match (sight.machines, sight.logs) {
            (0, _) => {
                let message = format!(
                    "no machine of {groups} sent a heartbeat in the last {} s: a collector joins a group by passing one of \
                     its custom ids as ALIYUN_LOGTAIL_USER_DEFINED_ID; {logs}",
                    HEARTBEAT_FRESH.as_secs()
                );
                self.set(TYPE, FALSE, "NoHeartbeat", &message);
            }
            (machines, logs_state) => {
                let reason = if logs_state == Logs::Arrive { "LogsArrive" } else { "NoNewLogs" };
                let noun = if machines == 1 { "machine" } else { "machines" };
                self.set(
                    TYPE,
                    TRUE,
                    reason,
                    &format!("{machines} {noun} of {groups} sent a heartbeat; {logs}"),
                );
            }
        }
    }

    /// What deserves a look; no condition when there is nothing.
    fn warnings(&mut self, warnings: &[Warning]) {
        match warnings {
            [] => self.list.retain(|condition| condition.type_ != "Warnings"),
            [first, ..] => {
                let list: Vec<_> =
                    warnings.iter().map(|warning| format!("{}: {warning}", warning.field())).collect();
                self.set("Warnings", TRUE, first.reason(), &list.join("; "));
            }
        }
    }

    /// One condition from the worst of `states`.
    fn stage(&mut self, type_: &str, states: &[&StageState]) {
        for state in states {
            if let StageState::Failed { reason, message } = state {
                return self.set(type_, FALSE, reason, message);
            }
        }
        for state in states {
            if let StageState::Waiting { message } = state {
                return self.set(type_, UNKNOWN, WAITING, message);
            }
        }
        let ready = states.iter().filter_map(|state| match state {
            StageState::Ready { reason, message } => Some((*reason, message.as_str())),
            _ => None,
        });
        let notable = ready.clone().filter(|(of, _)| *of == Reason::ExistingSettingsDiffer);
        let messages: Vec<&str> = notable.clone().map(|(_, message)| message).collect();
        if !messages.is_empty() {
            let reason = Reason::ExistingSettingsDiffer.name();
            return self.set(type_, TRUE, reason, &messages.join("; "));
        }
        let reason = match ready.clone().map(|(reason, _)| reason).max().unwrap_or(Reason::Exists) {
            Reason::Exists => self.lasting_reason(type_).unwrap_or(Reason::Exists.name()),
            reason => reason.name(),
        };
        let messages: Vec<&str> = ready.map(|(_, message)| message).collect();
        self.set(type_, TRUE, reason, &messages.join("; "));
    }

    /// What the condition says the operator did, if it did something and the resource stood since.
    fn lasting_reason(&self, type_: &str) -> Option<&'static str> {
        let existing = self.list.iter().find(|condition| condition.type_ == type_)?;
        let lasting = LASTING.into_iter().map(Reason::name).find(|name| *name == existing.reason)?;
        (existing.status == TRUE).then_some(lasting)
    }

    /// The list in the order in which it is shown.
    pub(super) fn finish(mut self) -> Vec<Condition> {
        let rank = |condition: &Condition| match condition.type_.as_str() {
            "Ready" => 0,
            "Accepted" => 1,
            other => STAGES_OF.iter().position(|(type_, _)| *type_ == other).map_or(90, |n| 2 + n),
        };
        self.list.sort_by_key(rank);
        self.list
    }
}
