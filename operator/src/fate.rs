//! What becomes of what an object has in Log Service once the object goes. Pure; carried out by [`crate::delete`],
//! for the controller and for `operator drain`.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::api::ObjectMeta;
use sls_api::names::{LogstoreName, MachineGroupName};

use crate::crd::{
    AliyunLogConfig, AliyunLogConfigStatus, ClusterAliyunPipelineConfig, DeletionPolicy, Reconcile,
};
use crate::desired::Target;
use crate::kind::ConfigKind;
use crate::validate::{Defaults, claimed_target, machine_group_names, other_account, pipeline_target};

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The object has nothing there.
    Nothing,
    /// It stays.
    Retained {
        /// The config.
        target: Target,
        /// Why, for people.
        why: String,
    },
    /// It goes.
    Removed(Removal),
}

/// How a config is kept in Log Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigForm {
    Classic,
    Pipeline,
}

/// What goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The config.
    pub target: Target,
    /// Its form.
    pub form: ConfigForm,
    /// Endpoint to use instead of the operator's own.
    pub endpoint: Option<String>,
    /// Account, by its uid, whose key to use instead of the operator's own.
    pub account: Option<String>,
    /// Id of the operator's cluster, if it was told: what belongs to another stays.
    pub cluster: Option<String>,
    /// What goes besides the config.
    pub besides: Besides,
}

/// What an object has created and no other uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Besides {
    pub machine_groups: BTreeSet<MachineGroupName>,
    pub logstore: Option<LogstoreName>,
    pub project: bool,
    /// What it has created and what stays all the same, with the reason, for people.
    pub kept: Vec<String>,
}

impl Removal {
    /// Only the config, at the operator's own endpoint.
    pub fn config(target: Target, form: ConfigForm, defaults: &Defaults) -> Self {
        let cluster = defaults.cluster.clone();
        Self { target, form, endpoint: None, account: None, cluster, besides: Besides::default() }
    }
}

/// All objects there are, as far as they can be read.
#[derive(Clone, Copy, Debug)]
pub struct Others<'a> {
    pub readable: &'a [&'a AliyunLogConfig],
    pub pipelines: &'a [&'a ClusterAliyunPipelineConfig],
    /// Whether there are some that cannot be read: nobody knows what they use.
    pub unreadable: bool,
}

/// Judges `cr`, whose status as last written is `status`.
pub fn fate(
    cr: &AliyunLogConfig,
    status: &AliyunLogConfigStatus,
    others: Others<'_>,
    defaults: &Defaults,
) -> Fate {
    let target = applied_target(status).or_else(|| claimed_target(cr, defaults));
    // The loser of a name conflict has nothing in Log Service.
    let Some(target) = target.filter(|target| cr.winner(target, others, defaults).is_none()) else {
        return Fate::Nothing;
    };
    if let Some(why) = why_it_stays(cr.spec.deletion_policy, &cr.metadata) {
        return Fate::Retained { target, why: why.to_owned() };
    }
    let namespace = cr.namespace().unwrap_or_default();
    if let Err(rules) = defaults.allowed.check(&namespace, target.project.as_str()) {
        let why =
            format!("objects of namespace {namespace} may not use project {} ({rules})", target.project);
        return Fate::Retained { target, why };
    }
    let besides = match cr.spec.deletion_policy {
        Some(DeletionPolicy::DeleteAll) => besides(cr, status, &target, others, defaults),
        _ => Besides::default(),
    };
    Fate::Removed(Removal {
        endpoint: cr.spec.endpoint.clone().filter(|endpoint| !endpoint.is_empty()),
        account: other_account(&cr.spec.uid, defaults),
        cluster: defaults.cluster.clone(),
        target,
        form: ConfigForm::Classic,
        besides,
    })
}

/// The same of the newer kind, which takes only its config along.
pub fn fate_of_pipeline(
    cr: &ClusterAliyunPipelineConfig,
    status: &AliyunLogConfigStatus,
    others: Others<'_>,
    defaults: &Defaults,
) -> Fate {
    let target = applied_target(status).or_else(|| pipeline_target(cr));
    let Some(target) = target.filter(|target| cr.winner(target, others, defaults).is_none()) else {
        return Fate::Nothing;
    };
    if let Some(why) = why_it_stays(cr.spec.deletion_policy, &cr.metadata) {
        return Fate::Retained { target, why: why.to_owned() };
    }
    Fate::Removed(Removal {
        endpoint: cr.spec.project.endpoint.clone().filter(|endpoint| !endpoint.is_empty()),
        account: other_account(&cr.spec.project.uid, defaults),
        ..Removal::config(target, ConfigForm::Pipeline, defaults)
    })
}

/// Why an object's config is not to be touched, if it is not.
fn why_it_stays(policy: Option<DeletionPolicy>, meta: &ObjectMeta) -> Option<&'static str> {
    if policy == Some(DeletionPolicy::Retain) {
        return Some("its deletionPolicy is Retain");
    }
    let is_ours = Reconcile::of(meta.annotations.as_ref()) == Ok(Reconcile::Enabled);
    (!is_ours).then_some("it is paused or only observed")
}

/// The config that the status says was applied.
pub fn applied_target(status: &AliyunLogConfigStatus) -> Option<Target> {
    Some(Target {
        project: status.project.as_deref()?.parse().ok()?,
        config: status.config_name.as_deref()?.parse().ok()?,
    })
}

fn besides(
    cr: &AliyunLogConfig,
    status: &AliyunLogConfigStatus,
    target: &Target,
    others: Others<'_>,
    defaults: &Defaults,
) -> Besides {
    let mut besides = Besides::default();
    let Some(created) = &status.created else { return besides };
    let same_project = |other: &AliyunLogConfig| {
        let applied = other.status.as_ref().and_then(applied_target);
        let project = applied.or_else(|| claimed_target(other, defaults)).map(|target| target.project);
        other.uid() != cr.uid() && project.as_ref() == Some(&target.project)
    };
    let others_there: Vec<&AliyunLogConfig> =
        others.readable.iter().copied().filter(|other| same_project(other)).collect();
    let user = |uses: &dyn Fn(&AliyunLogConfig) -> bool| {
        if others.unreadable {
            return Some("objects that cannot be read may use it".to_owned());
        }
        let of_project =
            |pipeline: &&&ClusterAliyunPipelineConfig| pipeline.spec.project.name == target.project.as_str();
        if let Some(pipeline) = others.pipelines.iter().find(of_project) {
            return Some(format!("ClusterAliyunPipelineConfig {} has its project too", pipeline.name_any()));
        }
        let other = others_there.iter().find(|other| uses(other))?;
        Some(format!("object {}/{} uses it", other.namespace().unwrap_or_default(), other.name_any()))
    };
    for name in created.machine_groups.iter().flatten() {
        let Ok(group) = name.parse::<MachineGroupName>() else { continue };
        match user(&|other| machine_group_names(&other.spec, defaults).any(|one| one == name)) {
            Some(why) => besides.kept.push(format!("machine group {group}: {why}")),
            None => {
                besides.machine_groups.insert(group);
            }
        }
    }
    if created.logstore == Some(true) {
        match (cr.spec.logstore.parse(), user(&|other| other.spec.logstore == cr.spec.logstore)) {
            (Ok(logstore), None) => besides.logstore = Some(logstore),
            (_, Some(why)) => besides.kept.push(format!("Logstore {}: {why}", cr.spec.logstore)),
            (Err(_), None) => {}
        }
    }
    if created.project == Some(true) {
        match user(&|_| true) {
            Some(why) => besides.kept.push(format!("project {}: {why}", target.project)),
            None => besides.project = true,
        }
    }
    besides
}

#[cfg(test)]
mod tests;
