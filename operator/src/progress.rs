//! How far one object has come: the state of each kind of resource after observing and applying. Pure.
//! Made by the reconciler from what `observe` and `apply` returned; told to users by `status` and
//! `notices`.

use std::collections::{BTreeMap, BTreeSet};

use sls_api::names::MachineGroupName;

use crate::apply::Applied;
use crate::desired::Desired;
use crate::failure::Failure;
use crate::observe::ObserveError;
use crate::plan::{Memory, Observed, Stage, Step, differences};
use crate::sls::SlsError;

/// Where one kind of resource stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageState {
    /// As wanted.
    Ready { reason: Reason, message: String },
    /// The step for it failed.
    Failed { reason: String, message: String },
    /// Not reached, because an earlier step failed.
    Waiting { message: String },
}

/// Why a resource is as wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It was there.
    Exists,
    /// It was there and is not quite as described, which is left alone.
    ExistingSettingsDiffer,
    /// The operator created it.
    Created,
    /// The operator changed it after the object changed.
    Updated,
    /// Somebody had changed or deleted it; the operator put it right.
    DriftCorrected,
}

impl Reason {
    /// As it appears in conditions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exists => "Exists",
            Self::ExistingSettingsDiffer => "ExistingSettingsDiffer",
            Self::Created => "Created",
            Self::Updated => "Updated",
            Self::DriftCorrected => "DriftCorrected",
        }
    }
}

/// Everything there is to tell about one look at an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// What was asked for.
    pub desired: Desired,
    /// State by stage; every stage is present.
    pub stages: BTreeMap<Stage, StageState>,
    /// Steps that changed something.
    pub done: Vec<Step>,
    /// Steps that are needed and were not to be taken.
    pub withheld: Vec<Step>,
    /// Whether those steps undid somebody else's change rather than followed the object.
    pub drift: bool,
    /// What failed.
    pub failure: Option<Failure>,
    /// Groups now bound by the operator.
    pub bound_by_us: BTreeSet<MachineGroupName>,
    /// Keys of tags now set by the operator, but for the owner's.
    pub tagged_by_us: BTreeSet<String>,
}

impl Progress {
    /// Sums up one look. `observed` is what was there before the last round of steps; `done` holds the
    /// steps of all rounds.
    pub fn new(
        desired: Desired,
        memory: &Memory,
        observed: Result<Observed, ObserveError>,
        applied: Applied,
        done: Vec<Step>,
    ) -> Self {
        let drift = memory.applied_before;
        let withheld = if applied.failed.is_none() { applied.pending.clone() } else { Vec::new() };
        let complete = applied.failed.is_none() && withheld.is_empty();
        let tagged_by_us = tagged(&desired, memory, &done, complete);
        let bound_by_us = bound(&desired, memory, observed.as_ref().ok(), &done, complete);
        let (stages, failure) = match observed {
            Err(error) => (unobserved(&desired, &error), Some(error.failure)),
            Ok(observed) => {
                let notes = differences(&desired, &observed, memory);
                let stages =
                    Stage::ALL.map(|stage| (stage, state(stage, &desired, &applied, &done, &notes, drift)));
                (stages.into(), applied.failed.map(|(_, failure)| failure))
            }
        };
        let drift = drift && !done.is_empty();
        Self { desired, stages, drift, done, withheld, failure, bound_by_us, tagged_by_us }
    }

    /// Nothing could be sent at all.
    pub fn unusable(desired: Desired, memory: &Memory, error: &SlsError) -> Self {
        let error = ObserveError { stage: Stage::Project, failure: Failure::unusable(error) };
        Self::new(desired, memory, Err(error), Applied::default(), Vec::new())
    }
}

fn bound(
    desired: &Desired,
    memory: &Memory,
    observed: Option<&Observed>,
    done: &[Step],
    complete: bool,
) -> BTreeSet<MachineGroupName> {
    let Some(observed) = observed else { return memory.bound_by_us.clone() };
    if complete {
        return desired.machine_groups.clone();
    }
    let mut bound = memory.bound_by_us.clone();
    bound.extend(desired.machine_groups.intersection(&observed.bound).cloned());
    for step in done {
        match step {
            Step::Bind(group) => {
                bound.insert(group.clone());
            }
            Step::Unbind(group) => {
                bound.remove(group);
            }
            _ => {}
        }
    }
    bound
}

fn tagged(desired: &Desired, memory: &Memory, done: &[Step], complete: bool) -> BTreeSet<String> {
    if complete {
        return desired.tags.keys().cloned().collect();
    }
    let mut tagged = memory.tagged_by_us.clone();
    for step in done {
        match step {
            Step::Tag(tags) => {
                tagged.extend(tags.keys().filter(|key| desired.tags.contains_key(*key)).cloned())
            }
            Step::Untag(keys) => tagged.retain(|key| !keys.contains(key)),
            _ => {}
        }
    }
    tagged
}

/// Nothing is known from the stage at which reading stopped.
fn unobserved(desired: &Desired, error: &ObserveError) -> BTreeMap<Stage, StageState> {
    let state = |stage| match stage {
        stage if stage < error.stage => {
            StageState::Ready { reason: Reason::Exists, message: resting(stage, desired) }
        }
        stage if stage == error.stage => failed(&error.failure),
        _ => StageState::Waiting { message: format!("not checked, because {} failed", error.failure.step) },
    };
    Stage::ALL.map(|stage| (stage, state(stage))).into()
}

fn state(
    stage: Stage,
    desired: &Desired,
    applied: &Applied,
    done: &[Step],
    notes: &[(Stage, String)],
    drift: bool,
) -> StageState {
    if let Some((step, failure)) = &applied.failed {
        if step.stage() == stage {
            return failed(failure);
        }
        if applied.pending.iter().any(|pending| pending.stage() == stage) {
            return StageState::Waiting { message: format!("waits for {step}") };
        }
    } else if let Some(step) = applied.pending.iter().find(|pending| pending.stage() == stage) {
        return StageState::Waiting { message: format!("{} is needed, and withheld", step.described()) };
    }
    let changes: Vec<&Step> = done.iter().filter(|step| step.stage() == stage).collect();
    let notes: Vec<&str> =
        notes.iter().filter(|(of, _)| *of == stage).map(|(_, note)| note.as_str()).collect();
    if !notes.is_empty() {
        return StageState::Ready { reason: Reason::ExistingSettingsDiffer, message: notes.join("; ") };
    }
    if !changes.is_empty() {
        let is_update = |step: &&Step| {
            matches!(
                step,
                Step::UpdateConfig(_) | Step::UpdateLogstore(..) | Step::ReplaceConfig | Step::Unbind(_)
            )
        };
        let updated = changes.iter().any(is_update);
        let reason = match (drift, updated) {
            (true, _) => Reason::DriftCorrected,
            (false, true) => Reason::Updated,
            (false, false) => Reason::Created,
        };
        return StageState::Ready { reason, message: resting(stage, desired) };
    }
    StageState::Ready { reason: Reason::Exists, message: resting(stage, desired) }
}

fn failed(failure: &Failure) -> StageState {
    StageState::Failed {
        reason: failure.code.clone(),
        message: format!("{} failed: {}", failure.step, failure.message),
    }
}

/// What is true of a stage that is as wanted.
fn resting(stage: Stage, desired: &Desired) -> String {
    let project = &desired.target.project;
    let groups = || listed(&desired.machine_groups);
    let logstores = || listed(desired.logstores.iter().map(|logstore| &logstore.name));
    match stage {
        Stage::Project => format!("project {project} exists"),
        Stage::Logstore if desired.logstores.is_empty() => "no Logstore is to be created".to_owned(),
        Stage::Logstore => format!("Logstore {} exists", logstores()),
        Stage::Index if desired.logstores.is_empty() => "no index is to be created".to_owned(),
        Stage::Index => format!("Logstore {} has an index", logstores()),
        Stage::MachineGroups => format!("machine groups exist: {}", groups()),
        Stage::Config => format!("config {} is as described", desired.target.config),
        Stage::Binding => format!("config {} is bound to: {}", desired.target.config, groups()),
    }
}

fn listed<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}
