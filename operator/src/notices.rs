//! What is worth an event on the object: pure choice of events, and the recorder that publishes them.
//! Used by the reconciler.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::crd::{FIELD_MANAGER, FORCE_DELETE_ANNOTATION};
use crate::delete::Deleted;
use crate::desired::Target;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::plan::Step;
use crate::progress::Progress;
use crate::text::cut;
use crate::validate::{SpecProblem, Warning};

/// Longest note of an event, in bytes. Source: Kubernetes API, events.k8s.io/v1.
const NOTE_BYTES_MAX: usize = 1024;
/// Longest action of an event, in bytes. Source: Kubernetes API, events.k8s.io/v1.
const ACTION_BYTES_MAX: usize = 128;

/// An event to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Something is not working.
    pub warning: bool,
    /// One word, for people and programs.
    pub reason: &'static str,
    /// What was attempted. Kubernetes counts events with the same reason and action as one for some
    /// minutes and shows the first note only, so what must be told apart needs an action of its own.
    pub action: String,
    /// A sentence.
    pub note: String,
}

impl Notice {
    fn normal(reason: &'static str, action: impl Into<String>, note: String) -> Self {
        Self { warning: false, reason, action: action.into(), note }
    }

    fn warning(reason: &'static str, action: impl Into<String>, note: String) -> Self {
        Self { warning: true, reason, action: action.into(), note }
    }
}

/// One warning per problem of a spec.
pub fn invalid(problems: &[SpecProblem], generation: Option<i64>) -> Vec<Notice> {
    let notice = |(n, problem): (usize, &SpecProblem)| {
        let action = format!("Validate generation {} problem {}", generation.unwrap_or_default(), n + 1);
        Notice::warning("InvalidSpec", action, format!("{}: {problem}", problem.field()))
    };
    problems.iter().enumerate().map(notice).collect()
}

/// The object is not of the right shape.
pub fn undecodable(error: &str, generation: Option<i64>) -> Notice {
    let action = format!("Decode generation {}", generation.unwrap_or_default());
    Notice::warning("InvalidSpec", action, format!("the object cannot be read: {error}"))
}

/// Another object owns the config.
pub fn conflict(target: &Target, winner: &str) -> Notice {
    Notice::warning(
        "ConfigNameConflict",
        "Validate",
        format!("{target} belongs to the older object {winner}"),
    )
}

/// Nothing is done for the object.
pub fn paused(why: &str) -> Notice {
    Notice::normal("Paused", "Pause", why.to_owned())
}

/// An object of the older kind is not needed any more.
pub fn replaced(namespace: &str, name: &str) -> Notice {
    let note = format!("deleted AliyunLogConfig {namespace}/{name}, whose place this object has taken");
    Notice::normal("Replaced", "Replace", note)
}

/// A deleted object leaves its config behind.
pub fn retained(target: &Target, why: &str) -> Notice {
    Notice::normal("Retained", "Delete", format!("{target} stays in Log Service: {why}"))
}

/// One warning per thing that deserves a look.
pub fn warnings(warnings: &[Warning], generation: Option<i64>) -> Vec<Notice> {
    let notice = |(n, warning): (usize, &Warning)| {
        let action = format!("Validate generation {} warning {}", generation.unwrap_or_default(), n + 1);
        Notice::warning(warning.reason(), action, format!("{}: {warning}", warning.field()))
    };
    warnings.iter().enumerate().map(notice).collect()
}

/// What the steps changed; one notice per kind of step.
pub fn changes(progress: &Progress) -> Vec<Notice> {
    let desired = &progress.desired;
    let project = &desired.target.project;
    let mut created_groups = Vec::new();
    let mut bound = Vec::new();
    let mut unbound = Vec::new();
    let mut notices = Vec::new();
    let mut tell = |reason, step: &Step, note| notices.push(Notice::normal(reason, step.name(), note));
    let changed = |reason| if progress.drift { "DriftCorrected" } else { reason };
    for step in &progress.done {
        match step {
            Step::CreateProject => tell(changed("Created"), step, format!("created project {project}")),
            Step::CreateLogstore(logstore) => {
                tell(changed("Created"), step, format!("created Logstore {logstore} in project {project}"));
            }
            Step::CreateIndex(logstore) => {
                tell(changed("Created"), step, format!("created the index of Logstore {logstore}"));
            }
            Step::CreateConfig => tell(changed("Created"), step, format!("created {}", desired.target)),
            Step::UpdateConfig(diffs) => {
                let list: Vec<_> = diffs.iter().map(ToString::to_string).collect();
                tell(changed("Updated"), step, format!("updated {}: {}", desired.target, list.join("; ")));
            }
            Step::UpdateLogstore(logstore, diffs) => {
                let list: Vec<_> = diffs.iter().map(ToString::to_string).collect();
                tell(changed("Updated"), step, format!("updated Logstore {logstore}: {}", list.join("; ")));
            }
            Step::Tag(_) | Step::Untag(_) => {
                tell(changed("Tagged"), step, format!("changed tags of {}: {step}", desired.target));
            }
            Step::ReplaceConfig => {
                tell("Replaced", step, format!("replaced {}, which was in classic form", desired.target));
            }
            Step::CreateMachineGroup(group) => created_groups.push(group.to_string()),
            Step::Bind(group) => bound.push(group.to_string()),
            Step::Unbind(group) => unbound.push(group.to_string()),
        }
    }
    let mut tell_groups = |reason, action: &str, verb: &str, groups: Vec<String>| {
        if !groups.is_empty() {
            notices.push(Notice::normal(reason, action, format!("{verb} {}", groups.join(", "))));
        }
    };
    tell_groups(changed("Created"), "CreateMachineGroup", "created machine group", created_groups);
    let config = &desired.target.config;
    tell_groups(changed("Bound"), "BindMachineGroup", &format!("bound {config} to"), bound);
    tell_groups("Unbound", "UnbindMachineGroup", &format!("unbound {config} from"), unbound);
    notices
}

/// A step failed.
pub fn failed(failure: &Failure) -> Notice {
    let note = format!("{} failed: {}: {}", failure.step, failure.code, failure.message);
    Notice::warning("SyncFailed", format!("{} {}", failure.step, failure.code), note)
}

/// The config of a deleted object is gone, and perhaps more.
pub fn deleted(target: &Target, deleted: &Deleted) -> Vec<Notice> {
    let mut note =
        if deleted.config { format!("deleted {target}") } else { format!("{target} was gone already") };
    if deleted.besides.is_empty() && deleted.kept.is_empty() {
        note.push_str("; Logstore, logs and machine groups stay");
    }
    let mut notices = vec![Notice::normal("Deleted", "DeleteConfig", note)];
    if !deleted.besides.is_empty() {
        let note = format!("deleted besides: {}", deleted.besides.join(", "));
        notices.push(Notice::normal("Deleted", "DeleteAll", note));
    }
    if !deleted.kept.is_empty() {
        notices.push(Notice::normal("Retained", "DeleteAll", format!("stays: {}", deleted.kept.join("; "))));
    }
    notices
}

/// The config of a deleted object could not be deleted.
pub fn deleting(target: &Target, failure: &Failure) -> Notice {
    let note = format!("{target} cannot be deleted yet: {} failed: {}", failure.step, failure.message);
    Notice::warning("Deleting", format!("{} {}", failure.step, failure.code), note)
}

/// The user gave the config up.
pub fn forced(target: &str) -> Notice {
    let note =
        format!("{target} was left behind in Log Service, because of annotation {FORCE_DELETE_ANNOTATION}");
    Notice::warning("ForceDeleted", "Delete", note)
}

/// Publishes notices as events of an object.
#[derive(Clone)]
pub struct Publisher {
    recorder: Recorder,
    metrics: Arc<Metrics>,
}

impl Publisher {
    /// A publisher that signs as `instance`, for example the name of the operator's Pod.
    pub fn new(client: Client, instance: Option<String>, metrics: Arc<Metrics>) -> Self {
        let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance };
        Self { recorder: Recorder::new(client, reporter), metrics }
    }

    /// Publishes `notices`. An event that cannot be written is logged, counted and otherwise not missed: the
    /// status says the same.
    pub async fn publish(&self, notices: &[Notice], regarding: &ObjectReference) {
        for notice in notices {
            let event = Event {
                type_: if notice.warning { EventType::Warning } else { EventType::Normal },
                reason: notice.reason.to_owned(),
                note: Some(cut(&notice.note, NOTE_BYTES_MAX)),
                action: cut(&notice.action, ACTION_BYTES_MAX),
                secondary: None,
            };
            let result = self.recorder.publish(&event, regarding).await;
            self.metrics.event_written(result.is_ok());
            if let Err(error) = result {
                tracing::warn!(%error, reason = notice.reason, "event not written");
            }
        }
    }
}
