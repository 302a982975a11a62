//! Takes out of Log Service what a deleted object had there: its config and, if it asks for that, what it has created.
//! What is gone already counts as done. What somebody uses in Log Service without an object stays.

use std::collections::BTreeSet;

use sls_api::names::{LogstoreName, MachineGroupName};
use sls_api::ops::documents::ListLogtailPipelineConfig;
use sls_api::ops::documents::{DeleteLogtailPipelineConfig, InPipelineConfig};
use sls_api::ops::logstores::{DeleteLogStore, ListLogStore, ListLogStoreQuery};
use sls_api::ops::logtail_configs::{DeleteConfig, ListConfig, ListConfigQuery};
use sls_api::ops::machine_groups::{
    DeleteMachineGroup, GetAppliedConfigs, ListMachineGroup, ListMachineGroupQuery,
    RemoveConfigFromMachineGroup,
};
use sls_api::ops::projects::DeleteProject;
use sls_api::ops::{InConfig, InLogstore, InMachineGroup, InMachineGroupConfig};
use sls_api::{Json, NoPath};

use crate::desired::stranger;
use crate::failure::{Failure, is_not_exist};
use crate::fate::{Besides, ConfigForm, Removal};
use crate::observe::{bound_groups, found, tags_of};
use crate::sls::{CallError, Clients, Sls};

/// What a deletion changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Groups from which the config was unbound.
    pub unbound: BTreeSet<MachineGroupName>,
    /// Whether the config was still there.
    pub config: bool,
    /// What went besides, for people.
    pub besides: Vec<String>,
    /// What stays although the object created it, with the reason, for people.
    pub kept: Vec<String>,
}

/// Unbinds the config from every group and deletes it, then what goes besides.
pub async fn delete(clients: &Clients, removal: &Removal) -> Result<Deleted, Failure> {
    let (account, endpoint) = (removal.account.as_deref(), removal.endpoint.as_deref());
    let sls = clients.project_of(account, removal.target.project.clone(), endpoint);
    let sls = sls.map_err(|error| Failure::unusable(&error))?;
    let mut deleted = Deleted { kept: removal.besides.kept.clone(), ..Deleted::default() };
    if let Some(cluster) = &removal.cluster
        && let Some(stranger) = stranger(cluster, &tags_of(&sls, &removal.target).await?)
    {
        deleted
            .kept
            .push(format!("{}: it belongs to {stranger}, an object of another cluster", removal.target));
        return Ok(deleted);
    }
    let config = &removal.target.config;
    for group in bound_groups(&sls, config).await? {
        let path = InMachineGroupConfig { group: group.clone(), config: config.clone() };
        let reply = sls.call::<RemoveConfigFromMachineGroup>(&path, &()).await;
        if existed("UnbindMachineGroup", reply)? {
            deleted.unbound.insert(group);
        }
    }
    let reply = match removal.form {
        ConfigForm::Classic => sls.call::<DeleteConfig>(&InConfig { config: config.clone() }, &()).await,
        ConfigForm::Pipeline => {
            let path = InPipelineConfig { name: config.clone() };
            sls.call::<DeleteLogtailPipelineConfig>(&path, &()).await
        }
    };
    deleted.config = existed("DeleteConfig", reply)?;
    delete_besides(&sls, &removal.besides, &mut deleted).await?;
    Ok(deleted)
}

async fn delete_besides(sls: &Sls, besides: &Besides, deleted: &mut Deleted) -> Result<(), Failure> {
    for group in &besides.machine_groups {
        let name = format!("machine group {group}");
        match user_of_group(sls, group).await? {
            Some(config) => deleted.kept.push(format!("{name}: config {config} is bound to it")),
            None => {
                let path = InMachineGroup { group: group.clone() };
                let reply = sls.call::<DeleteMachineGroup>(&path, &()).await;
                note(existed("DeleteMachineGroup", reply)?, name, deleted);
            }
        }
    }
    if let Some(logstore) = &besides.logstore {
        let name = format!("Logstore {logstore}");
        match user_of_logstore(sls, logstore).await? {
            Some(config) => deleted.kept.push(format!("{name}: config {config} delivers to it")),
            None => {
                let path = InLogstore { logstore: logstore.clone() };
                let reply = sls.call::<DeleteLogStore>(&path, &()).await;
                note(existed("DeleteLogstore", reply)?, name, deleted);
            }
        }
    }
    if besides.project {
        match content(sls).await? {
            Some(what) => deleted.kept.push(format!("its project: it holds {what}")),
            None => {
                let reply = sls.call::<DeleteProject>(&NoPath {}, &()).await;
                note(existed("DeleteProject", reply)?, "its project".to_owned(), deleted);
            }
        }
    }
    Ok(())
}

fn note(existed: bool, name: String, deleted: &mut Deleted) {
    if existed {
        deleted.besides.push(name);
    }
}

async fn user_of_group(sls: &Sls, group: &MachineGroupName) -> Result<Option<String>, Failure> {
    let path = InMachineGroup { group: group.clone() };
    let applied = found::<GetAppliedConfigs>(sls.call::<GetAppliedConfigs>(&path, &()).await)?;
    Ok(applied.and_then(|Json(applied)| applied.configs.first().map(ToString::to_string)))
}

async fn user_of_logstore(sls: &Sls, logstore: &LogstoreName) -> Result<Option<String>, Failure> {
    some_config(sls, Some(logstore)).await
}

/// A config, of whichever form, that delivers to a Logstore or is in the project at all.
async fn some_config(sls: &Sls, logstore: Option<&LogstoreName>) -> Result<Option<String>, Failure> {
    let logstore_name = logstore.map(ToString::to_string);
    let query = ListConfigQuery { size: Some(1), logstore_name, ..ListConfigQuery::default() };
    let classic = found::<ListConfig>(sls.ask::<ListConfig>(&NoPath {}, &query, &()).await)?;
    if let Some(config) = classic.and_then(|Json(page)| page.configs.into_iter().next()) {
        return Ok(Some(config.to_string()));
    }
    let reply = sls.ask::<ListLogtailPipelineConfig>(&NoPath {}, &query, &()).await;
    let pipelines = found::<ListLogtailPipelineConfig>(reply)?;
    Ok(pipelines.and_then(|Json(page)| page.configs.first().map(ToString::to_string)))
}

/// Something that is left in the project.
async fn content(sls: &Sls) -> Result<Option<String>, Failure> {
    if let Some(config) = some_config(sls, None).await? {
        return Ok(Some(format!("config {config}")));
    }
    let query = ListLogStoreQuery { size: Some(1), ..ListLogStoreQuery::default() };
    let logstores = found::<ListLogStore>(sls.ask::<ListLogStore>(&NoPath {}, &query, &()).await)?;
    if let Some(logstore) = logstores.and_then(|Json(page)| page.logstores.into_iter().next()) {
        return Ok(Some(format!("Logstore {logstore}")));
    }
    let query = ListMachineGroupQuery { size: Some(1), ..ListMachineGroupQuery::default() };
    let groups = found::<ListMachineGroup>(sls.ask::<ListMachineGroup>(&NoPath {}, &query, &()).await)?;
    let group = groups.and_then(|Json(page)| page.machinegroups.into_iter().next());
    Ok(group.map(|group| format!("machine group {group}")))
}

fn existed(step: &'static str, reply: Result<(), CallError>) -> Result<bool, Failure> {
    match reply {
        Ok(()) => Ok(true),
        Err(error) if is_not_exist(&error) => Ok(false),
        Err(error) => Err(Failure::new(step, &error)),
    }
}
