//! What exists in Log Service of what one object asks for. Reads only; stops at the first failure and
//! says how far it came. A missing parent answers for its children, so a cold start reads little.

use std::collections::{BTreeMap, BTreeSet};

use sls_api::Operation;
use sls_api::names::{ConfigName, MachineGroupName};
use sls_api::ops::documents::{GetLogtailPipelineConfig, InPipelineConfig};
use sls_api::ops::logtail_configs::{GetAppliedMachineGroups, GetConfig};
use sls_api::ops::machine_groups::GetMachineGroup;
use sls_api::ops::tags::{ListTagResources, ListTagResourcesQuery, ResourceType};
use sls_api::ops::{InConfig, InLogstore, InMachineGroup};
use sls_api::ops::{indexes::GetIndex, logstores::GetLogStore, projects::GetProject};
use sls_api::{Json, NoPath};

use crate::desired::{Desired, DesiredConfig, Target, stranger};
use crate::failure::{Failure, has_no_index, is_not_exist};
use crate::plan::{HeldConfig, Memory, Observed, Stage};
use crate::sls::{CallError, Sls};

/// Pages of tags that are read of one config. Source: guess; a resource has 20 tags at most.
const TAG_PAGES_MAX: usize = 4;

/// A reading that could not be completed.
#[derive(Clone, Debug, PartialEq)]
pub struct ObserveError {
    /// Where it stopped; everything before was read.
    pub stage: Stage,
    /// Why.
    pub failure: Failure,
}

/// Reads everything that `desired` names.
pub async fn observe(sls: &Sls, desired: &Desired, memory: &Memory) -> Result<Observed, ObserveError> {
    let mut observed = Observed::default();
    let tags_matter = !(desired.tags.is_empty() && desired.owner.is_none() && memory.tagged_by_us.is_empty());
    let at = |stage| move |failure| ObserveError { stage, failure };

    // One object after the other finds the same project: what answered for the last one need not be asked again.
    observed.project = sls.is_project_known()
        || found::<GetProject>(sls.call::<GetProject>(&NoPath {}, &()).await)
            .map_err(at(Stage::Project))?
            .is_some();
    if !observed.project {
        return Ok(observed);
    }

    for wanted in &desired.logstores {
        let path = InLogstore { logstore: wanted.name.clone() };
        let reply =
            found::<GetLogStore>(sls.call::<GetLogStore>(&path, &()).await).map_err(at(Stage::Logstore))?;
        let Some(Json(logstore)) = reply else {
            if !sls.is_project_known() {
                // The call has found out that it is gone.
                return Ok(Observed::default());
            }
            continue;
        };
        observed.logstores.insert(wanted.name.clone(), logstore);
        let index = found::<GetIndex>(sls.call::<GetIndex>(&path, &()).await).map_err(at(Stage::Index))?;
        observed.indexed.extend(index.map(|_| wanted.name.clone()));
    }

    for group in &desired.machine_groups {
        let path = InMachineGroup { group: group.clone() };
        let reply = found::<GetMachineGroup>(sls.call::<GetMachineGroup>(&path, &()).await)
            .map_err(at(Stage::MachineGroups))?;
        observed.machine_groups.extend(reply.map(|Json(found)| (group.clone(), found)));
    }

    observed.config = held_config(sls, desired).await.map_err(at(Stage::Config))?;
    if observed.config.is_some() {
        if tags_matter {
            observed.tags = tags_of(sls, &desired.target).await.map_err(at(Stage::Config))?;
        }
        if let Some(owner) = desired.owner.as_ref().filter(|owner| !owner.adopts)
            && let Some(stranger) = stranger(&owner.cluster, &observed.tags)
        {
            return Err(at(Stage::Config)(Failure::foreign_owner(&desired.target, stranger)));
        }
        observed.bound = bound_groups(sls, &desired.target.config).await.map_err(at(Stage::Binding))?;
    }
    Ok(observed)
}

/// The tags of a config.
pub async fn tags_of(sls: &Sls, target: &Target) -> Result<BTreeMap<String, String>, Failure> {
    let mut tags = BTreeMap::new();
    let mut token = None;
    for _ in 0..TAG_PAGES_MAX {
        let query = ListTagResourcesQuery {
            resource_type: ResourceType::LogtailConfig.name().to_owned(),
            resource_id: Some(serde_json::json!([target.resource_id()]).to_string()),
            tags: None,
            next_token: token,
        };
        let Some(Json(page)) =
            found::<ListTagResources>(sls.ask::<ListTagResources>(&NoPath {}, &query, &()).await)?
        else {
            break;
        };
        tags.extend(page.tag_resources.into_iter().map(|tag| (tag.tag_key, tag.tag_value)));
        token = Some(page.next_token).filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
    }
    Ok(tags)
}

/// The config of the name. A pipeline may find one in classic form, if it is to replace that.
pub async fn held_config(sls: &Sls, desired: &Desired) -> Result<Option<HeldConfig>, Failure> {
    let config = &desired.target.config;
    if matches!(desired.config, DesiredConfig::Pipeline(_)) {
        let path = InPipelineConfig { name: config.clone() };
        let reply = sls.call::<GetLogtailPipelineConfig>(&path, &()).await;
        if let Some(Json(held)) = found::<GetLogtailPipelineConfig>(reply)? {
            return Ok(Some(HeldConfig::Pipeline(held)));
        }
    }
    let reply = sls.call::<GetConfig>(&InConfig { config: config.clone() }, &()).await;
    let held = found::<GetConfig>(reply)?.map(|Json(held)| HeldConfig::Classic(held));
    match &desired.config {
        DesiredConfig::Pipeline(draft) if held.is_some() && !draft.replaces_classic => {
            Err(Failure::classic_form(GetConfig::ENDPOINT.name, &desired.target))
        }
        _ => Ok(held),
    }
}

/// The groups to which `config` is bound; none when it does not exist.
pub async fn bound_groups(sls: &Sls, config: &ConfigName) -> Result<BTreeSet<MachineGroupName>, Failure> {
    let path = InConfig { config: config.clone() };
    let reply = sls.call::<GetAppliedMachineGroups>(&path, &()).await;
    let applied = found::<GetAppliedMachineGroups>(reply)?;
    Ok(applied.map(|Json(applied)| applied.machinegroups.into_iter().collect()).unwrap_or_default())
}

/// The reply, or `None` when the service says that there is no such thing.
pub fn found<O: Operation>(reply: Result<O::Reply, CallError>) -> Result<Option<O::Reply>, Failure> {
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(error) if is_not_exist(&error) || has_no_index(&error) => Ok(None),
        Err(error) => Err(Failure::new(O::ENDPOINT.name, &error)),
    }
}
