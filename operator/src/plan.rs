//! (Desired, Observed) → steps. Pure; applying the steps and planning again gives none, which a
//! property test holds. `observe` makes [`Observed`], `apply` carries the steps out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sls_api::names::{LogstoreName, MachineGroupName};
use sls_api::ops::documents::PipelineConfig;
use sls_api::ops::logstores::Logstore;
use sls_api::ops::logtail_configs::LogtailConfig;
use sls_api::ops::machine_groups::{MachineGroup, MachineIdentifyType};

use crate::desired::{Desired, DesiredConfig};
use crate::diff::{self, FieldDiff};

/// What exists in Log Service of what one object asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Whether the project exists.
    pub project: bool,
    /// Those of the desired Logstores that exist.
    pub logstores: BTreeMap<LogstoreName, Logstore>,
    /// Those of them that have an index, of whatever kind.
    pub indexed: BTreeSet<LogstoreName>,
    /// Those of the desired groups that exist.
    pub machine_groups: BTreeMap<MachineGroupName, MachineGroup>,
    /// The config.
    pub config: Option<HeldConfig>,
    /// All groups to which the config is bound, ours or not.
    pub bound: BTreeSet<MachineGroupName>,
    /// Tags of the config; read only where any are asked for, or were set before.
    pub tags: BTreeMap<String, String>,
}

/// A config as Log Service holds it.
#[derive(Clone, Debug, PartialEq)]
pub enum HeldConfig {
    Classic(LogtailConfig),
    Pipeline(PipelineConfig),
}

/// What the operator itself remembers of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Groups it has bound; others are never unbound.
    pub bound_by_us: BTreeSet<MachineGroupName>,
    /// Keys of tags it has set; others are never taken away.
    pub tagged_by_us: BTreeSet<String>,
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
    CreateLogstore(LogstoreName),
    /// What differs, for the event.
    UpdateLogstore(LogstoreName, Vec<FieldDiff>),
    /// Of this Logstore.
    CreateIndex(LogstoreName),
    /// With a user-defined identity equal to the name.
    CreateMachineGroup(MachineGroupName),
    CreateConfig,
    /// What differs, for the event.
    UpdateConfig(Vec<FieldDiff>),
    /// A config in pipeline form takes the place of one in classic form: that is deleted first, since a name is
    /// that of one config.
    ReplaceConfig,
    /// Sets these tags of the config.
    Tag(BTreeMap<String, String>),
    /// Takes these tags away from the config.
    Untag(BTreeSet<String>),
    Bind(MachineGroupName),
    Unbind(MachineGroupName),
}

impl Step {
    /// The kind of resource it changes.
    pub fn stage(&self) -> Stage {
        match self {
            Self::CreateProject => Stage::Project,
            Self::CreateLogstore(_) | Self::UpdateLogstore(..) => Stage::Logstore,
            Self::CreateIndex(_) => Stage::Index,
            Self::CreateMachineGroup(_) => Stage::MachineGroups,
            Self::CreateConfig | Self::UpdateConfig(_) | Self::ReplaceConfig => Stage::Config,
            Self::Tag(_) | Self::Untag(_) => Stage::Config,
            Self::Bind(_) | Self::Unbind(_) => Stage::Binding,
        }
    }

    /// Name for events, metrics and `lastError.step`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateProject => "CreateProject",
            Self::CreateLogstore(_) => "CreateLogstore",
            Self::UpdateLogstore(..) => "UpdateLogstore",
            Self::CreateIndex(_) => "CreateIndex",
            Self::CreateMachineGroup(_) => "CreateMachineGroup",
            Self::CreateConfig => "CreateConfig",
            Self::UpdateConfig(_) => "UpdateConfig",
            Self::ReplaceConfig => "ReplaceConfig",
            Self::Tag(_) => "TagConfig",
            Self::Untag(_) => "UntagConfig",
            Self::Bind(_) => "BindMachineGroup",
            Self::Unbind(_) => "UnbindMachineGroup",
        }
    }
}

impl Step {
    /// With what an update changes.
    pub fn described(&self) -> String {
        match self {
            Self::UpdateConfig(diffs) | Self::UpdateLogstore(_, diffs) => {
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
            Self::CreateLogstore(logstore)
            | Self::UpdateLogstore(logstore, _)
            | Self::CreateIndex(logstore) => {
                write!(f, "{} {logstore}", self.name())
            }
            Self::Tag(tags) => {
                let list: Vec<_> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(f, "{} {}", self.name(), list.join(", "))
            }
            Self::Untag(keys) => {
                let list: Vec<_> = keys.iter().map(String::as_str).collect();
                write!(f, "{} {}", self.name(), list.join(", "))
            }
            Self::CreateMachineGroup(group) | Self::Bind(group) | Self::Unbind(group) => {
                write!(f, "{} {group}", self.name())
            }
            Self::CreateProject | Self::CreateConfig | Self::UpdateConfig(_) | Self::ReplaceConfig => {
                f.write_str(self.name())
            }
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
    for logstore in &desired.logstores {
        match observed.logstores.get(&logstore.name) {
            None => steps.push(Step::CreateLogstore(logstore.name.clone())),
            Some(existing) if desired.updates_logstores => {
                let diffs = diff::mutable(logstore, existing);
                if !diffs.is_empty() {
                    steps.push(Step::UpdateLogstore(logstore.name.clone(), diffs));
                }
            }
            Some(_) => {}
        }
        if !observed.indexed.contains(&logstore.name) {
            steps.push(Step::CreateIndex(logstore.name.clone()));
        }
    }
    for group in &desired.machine_groups {
        if !observed.machine_groups.contains_key(group) {
            steps.push(Step::CreateMachineGroup(group.clone()));
        }
    }
    let mut bound = observed.bound.clone();
    match (&desired.config, &observed.config) {
        (_, None) => steps.push(Step::CreateConfig),
        (DesiredConfig::Pipeline(_), Some(HeldConfig::Classic(_))) => {
            // Its bindings go with it.
            bound.clear();
            steps.push(Step::ReplaceConfig);
        }
        (_, Some(held)) => {
            let diffs = diff::config(desired, held, memory.applied_before);
            if !diffs.is_empty() {
                steps.push(Step::UpdateConfig(diffs));
            }
        }
    }
    // With the config as it is: of one that is about to be made, nothing is known.
    let mut tags = desired.all_tags();
    tags.retain(|key, value| observed.tags.get(key) != Some(value));
    if !tags.is_empty() {
        steps.push(Step::Tag(tags));
    }
    let unwanted = memory.tagged_by_us.iter().filter(|key| !desired.tags.contains_key(*key));
    let unwanted: BTreeSet<_> = unwanted.filter(|key| observed.tags.contains_key(*key)).cloned().collect();
    if !unwanted.is_empty() {
        steps.push(Step::Untag(unwanted));
    }
    steps.extend(desired.machine_groups.difference(&bound).cloned().map(Step::Bind));
    let unwanted = bound.difference(&desired.machine_groups);
    let ours = |group: &&MachineGroupName| desired.exact_groups || memory.bound_by_us.contains(*group);
    steps.extend(unwanted.filter(ours).cloned().map(Step::Unbind));
    steps
}

/// What exists but is not as asked for and is left alone, by stage; texts for people.
pub fn differences(desired: &Desired, observed: &Observed, memory: &Memory) -> Vec<(Stage, String)> {
    let mut found = Vec::new();
    for wanted in &desired.logstores {
        let Some(existing) = observed.logstores.get(&wanted.name) else { continue };
        let mut diffs = diff::logstore(wanted, existing);
        if desired.updates_logstores {
            let updated = diff::mutable(wanted, existing);
            diffs.retain(|diff| !updated.contains(diff));
        }
        if !diffs.is_empty() {
            let list = diffs.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            found.push((
                Stage::Logstore,
                format!(
                    "Logstore {} exists and keeps its own settings ({list}); change them in Log Service or remove them from the spec",
                    wanted.name
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
        .filter(|group| !desired.exact_groups && !desired.machine_groups.contains(*group))
        .filter(|group| !memory.bound_by_us.contains(*group))
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
