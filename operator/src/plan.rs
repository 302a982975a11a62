//! (Desired, Observed) → steps. Pure; applying the steps and planning again gives none, which a
//! property test holds. `observe` makes [`Observed`], `apply` carries the steps out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sls_api::names::MachineGroupName;
use sls_api::ops::logstores::Logstore;
use sls_api::ops::logtail_configs::LogtailConfig;
use sls_api::ops::machine_groups::{MachineGroup, MachineIdentifyType};

use crate::desired::Desired;
use crate::diff::{self, FieldDiff};

/// What exists in Log Service of what one object asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Whether the project exists.
    pub project: bool,
    /// The Logstore.
    pub logstore: Option<Logstore>,
    /// Whether the Logstore has an index, of whatever kind.
    pub index: bool,
    /// Those of the desired groups that exist.
    pub machine_groups: BTreeMap<MachineGroupName, MachineGroup>,
    /// The config.
    pub config: Option<LogtailConfig>,
    /// All groups to which the config is bound, ours or not.
    pub bound: BTreeSet<MachineGroupName>,
}

/// What the operator itself remembers of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Groups it has bound; others are never unbound.
    pub bound_by_us: BTreeSet<MachineGroupName>,
    /// Whether this generation of the object was fully applied before. Until then a key that is not in
    /// the object is a key the user removed; afterwards it is a default that the server added.
    pub applied_before: bool,
}

/// The kinds of resources in the order in which they are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Project,
    Logstore,
    Index,
    MachineGroups,
    Config,
    Binding,
}

impl Stage {
    /// All, in order.
    pub const ALL: [Self; 6] =
        [Self::Project, Self::Logstore, Self::Index, Self::MachineGroups, Self::Config, Self::Binding];
}

/// One change to Log Service. Each is idempotent.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    CreateProject,
    CreateLogstore,
    CreateIndex,
    /// With a user-defined identity equal to the name.
    CreateMachineGroup(MachineGroupName),
    CreateConfig,
    /// What differs, for the event.
    UpdateConfig(Vec<FieldDiff>),
    Bind(MachineGroupName),
    Unbind(MachineGroupName),
}

impl Step {
    /// The kind of resource it changes.
    pub fn stage(&self) -> Stage {
        match self {
            Self::CreateProject => Stage::Project,
            Self::CreateLogstore => Stage::Logstore,
            Self::CreateIndex => Stage::Index,
            Self::CreateMachineGroup(_) => Stage::MachineGroups,
            Self::CreateConfig | Self::UpdateConfig(_) => Stage::Config,
            Self::Bind(_) | Self::Unbind(_) => Stage::Binding,
        }
    }

    /// Name for events, metrics and `lastError.step`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateProject => "CreateProject",
            Self::CreateLogstore => "CreateLogstore",
            Self::CreateIndex => "CreateIndex",
            Self::CreateMachineGroup(_) => "CreateMachineGroup",
            Self::CreateConfig => "CreateConfig",
            Self::UpdateConfig(_) => "UpdateConfig",
            Self::Bind(_) => "BindMachineGroup",
            Self::Unbind(_) => "UnbindMachineGroup",
        }
    }
}

impl Step {
    /// With what an update changes.
    pub fn described(&self) -> String {
        match self {
            Self::UpdateConfig(diffs) => {
                let all: Vec<_> = diffs.iter().map(ToString::to_string).collect();
                format!("{self} ({})", all.join(", "))
            }
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateMachineGroup(group) | Self::Bind(group) | Self::Unbind(group) => {
                write!(f, "{} {group}", self.name())
            }
            _ => f.write_str(self.name()),
        }
    }
}

/// The steps that make `observed` what `desired` asks for, in the order in which they must be taken.
///
/// Groups come before the config so that a config is not visible unbound for long. Existing projects,
/// Logstores, indexes and groups are left as they are; [`differences`] tells what they lack.
pub fn plan(desired: &Desired, observed: &Observed, memory: &Memory) -> Vec<Step> {
    let mut steps = Vec::new();
    if !observed.project {
        steps.push(Step::CreateProject);
    }
    if observed.logstore.is_none() {
        steps.push(Step::CreateLogstore);
    }
    if !observed.index {
        steps.push(Step::CreateIndex);
    }
    for group in &desired.machine_groups {
        if !observed.machine_groups.contains_key(group) {
            steps.push(Step::CreateMachineGroup(group.clone()));
        }
    }
    match &observed.config {
        None => steps.push(Step::CreateConfig),
        Some(config) => {
            let diffs = diff::config(desired, config, memory.applied_before);
            if !diffs.is_empty() {
                steps.push(Step::UpdateConfig(diffs));
            }
        }
    }
    steps.extend(desired.machine_groups.difference(&observed.bound).cloned().map(Step::Bind));
    let unwanted = memory.bound_by_us.difference(&desired.machine_groups);
    steps.extend(unwanted.filter(|group| observed.bound.contains(*group)).cloned().map(Step::Unbind));
    steps
}

/// What exists but is not as asked for and is left alone, by stage; texts for people.
pub fn differences(desired: &Desired, observed: &Observed, memory: &Memory) -> Vec<(Stage, String)> {
    let mut found = Vec::new();
    if let Some(existing) = &observed.logstore {
        let diffs = diff::logstore(&desired.logstore, existing);
        if !diffs.is_empty() {
            let list = diffs.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            found.push((
                Stage::Logstore,
                format!(
                    "Logstore {} exists and keeps its own settings ({list}); change them in Log Service or remove them from the spec",
                    desired.logstore.name
                ),
            ));
        }
    }
    for (name, group) in &observed.machine_groups {
        if group.machine_identify_type != MachineIdentifyType::Userdefined {
            found.push((
                Stage::MachineGroups,
                format!(
                    "machine group {name} exists and names its machines by IP address: a sidecar with the custom id {name} does not join it; delete the group or list another"
                ),
            ));
        } else if !group.machine_list.iter().any(|id| id == name.as_str()) {
            found.push((
                Stage::MachineGroups,
                format!(
                    "machine group {name} exists with the custom ids [{}]: a sidecar must pass one of these, not {name}, as ALIYUN_LOGTAIL_USER_DEFINED_ID",
                    group.machine_list.join(", ")
                ),
            ));
        }
    }
    let foreign: Vec<_> = observed
        .bound
        .iter()
        .filter(|group| !desired.machine_groups.contains(*group) && !memory.bound_by_us.contains(*group))
        .map(ToString::to_string)
        .collect();
    if !foreign.is_empty() {
        found.push((
            Stage::Binding,
            format!(
                "the config is also bound to [{}], which this object does not list; it was not bound by the operator and stays",
                foreign.join(", ")
            ),
        ));
    }
    found
}

#[cfg(test)]
mod tests;
