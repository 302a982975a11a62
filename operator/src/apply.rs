//! Carries out the steps of a plan, in order, and stops at the first that fails. Every step may be
//! repeated: creating what exists and unbinding what is not bound count as done.

use std::collections::BTreeMap;

use serde_json::Map;
use sls_api::ops::documents::{
    CreateLogtailPipelineConfig, InPipelineConfig, PipelineConfig, UpdateLogtailPipelineConfig,
};
use sls_api::ops::indexes::{CreateIndex, Index, IndexKey, IndexLine, IndexType};
use sls_api::ops::logstores::{CreateLogStore, LogstoreSettings, UpdateLogStore};
use sls_api::ops::logtail_configs::{
    CreateConfig, DeleteConfig, LogtailConfig, OUTPUT_TYPE, OutputDetail, UpdateConfig,
};
use sls_api::ops::machine_groups::{
    ApplyConfigToMachineGroup, CreateMachineGroup, MachineGroup, RemoveConfigFromMachineGroup,
};
use sls_api::ops::projects::{CreateProject, NewProject};
use sls_api::ops::tags::{ResourceType, Tag, TagRequest, TagResources, UntagRequest, UntagResources};
use sls_api::ops::{InConfig, InLogstore, InMachineGroupConfig};
use sls_api::{Json, NoPath};

use crate::crd::{InputType, LogstoreMode, TelemetryType};
use crate::desired::{ClassicConfig, Desired, DesiredConfig, DesiredLogstore, SHARD_COUNT_DEFAULT};
use crate::failure::{Failure, is_already_exist, is_not_exist};
use crate::plan::Step;
use crate::sls::{CallError, Sls};

/// Description of projects that the operator creates.
const PROJECT_DESCRIPTION: &str = "created for an AliyunLogConfig";

/// What became of a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// Steps that changed something.
    pub done: Vec<Step>,
    /// The step that failed.
    pub failed: Option<(Step, Failure)>,
    /// Steps not tried because of it.
    pub pending: Vec<Step>,
    /// The first creation of something that was not seen and exists all the same: somebody else created
    /// it meanwhile, and it has to be looked at before it counts. If it is never seen, that is a failure.
    pub raced: Option<(Step, Failure)>,
}

/// Carries out `steps` for `desired`.
pub async fn apply(sls: &Sls, desired: &Desired, steps: Vec<Step>) -> Applied {
    let mut applied = Applied::default();
    let mut steps = steps.into_iter();
    for step in steps.by_ref() {
        match run(sls, desired, &step).await {
            Ok(()) => {
                tracing::info!(%step, target = %desired.target, "done");
                applied.done.push(step);
            }
            Err(error) if is_already_exist(&error) => {
                let failure = Failure::invisible(step.name(), &error);
                applied.raced.get_or_insert((step, failure));
            }
            Err(error) if matches!(step, Step::Unbind(_)) && is_not_exist(&error) => {}
            Err(error) => {
                let failure = Failure::new(step.name(), &error);
                applied.failed = Some((step, failure));
                break;
            }
        }
    }
    applied.pending = steps.collect();
    applied
}

async fn run(sls: &Sls, desired: &Desired, step: &Step) -> Result<(), CallError> {
    let config = || desired.target.config.clone();
    match step {
        Step::CreateProject => {
            let description = desired.project_description.as_deref().unwrap_or(PROJECT_DESCRIPTION);
            let body = NewProject::new(desired.target.project.clone(), description);
            sls.call::<CreateProject>(&NoPath {}, &Json(body)).await
        }
        Step::CreateLogstore(name) => {
            for logstore in desired.logstores.iter().filter(|logstore| logstore.name == *name) {
                sls.call::<CreateLogStore>(&NoPath {}, &Json(logstore_settings(logstore))).await?;
            }
            Ok(())
        }
        Step::UpdateLogstore(name, _) => {
            let path = InLogstore { logstore: name.clone() };
            for logstore in desired.logstores.iter().filter(|logstore| logstore.name == *name) {
                sls.call::<UpdateLogStore>(&path, &Json(logstore_change(logstore))).await?;
            }
            Ok(())
        }
        Step::CreateIndex(name) => {
            let path = InLogstore { logstore: name.clone() };
            for logstore in desired.logstores.iter().filter(|logstore| logstore.name == *name) {
                let index = logstore.index.clone().unwrap_or_else(|| default_index(logstore.analytics()));
                sls.call::<CreateIndex>(&path, &Json(index)).await?;
            }
            Ok(())
        }
        Step::CreateMachineGroup(group) => {
            let body = MachineGroup::user_defined(group.clone(), vec![group.to_string()]);
            sls.call::<CreateMachineGroup>(&NoPath {}, &Json(body)).await
        }
        Step::CreateConfig => create_config(sls, desired).await,
        Step::UpdateConfig(_) => update_config(sls, desired).await,
        Step::ReplaceConfig => match sls.call::<DeleteConfig>(&InConfig { config: config() }, &()).await {
            Err(error) if !is_not_exist(&error) => Err(error),
            _ => create_config(sls, desired).await,
        },
        Step::Tag(tags) => {
            let tags = tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() });
            let request = TagRequest {
                resource_type: ResourceType::LogtailConfig.name().to_owned(),
                resource_id: vec![desired.target.resource_id()],
                tags: tags.collect(),
                tag_owner_uid: None,
                category: None,
                scope: None,
            };
            sls.call::<TagResources>(&NoPath {}, &Json(request)).await
        }
        Step::Untag(keys) => {
            let request = UntagRequest {
                resource_type: ResourceType::LogtailConfig.name().to_owned(),
                resource_id: vec![desired.target.resource_id()],
                tags: keys.iter().cloned().collect(),
                all: false,
                tag_owner_uid: None,
            };
            sls.call::<UntagResources>(&NoPath {}, &Json(request)).await
        }
        Step::Bind(group) => {
            let path = InMachineGroupConfig { group: group.clone(), config: config() };
            sls.call::<ApplyConfigToMachineGroup>(&path, &()).await
        }
        Step::Unbind(group) => {
            let path = InMachineGroupConfig { group: group.clone(), config: config() };
            sls.call::<RemoveConfigFromMachineGroup>(&path, &()).await
        }
    }
}

async fn create_config(sls: &Sls, desired: &Desired) -> Result<(), CallError> {
    match &desired.config {
        DesiredConfig::Classic(config) => {
            sls.call::<CreateConfig>(&NoPath {}, &Json(logtail_config(desired, config))).await
        }
        DesiredConfig::Pipeline(draft) => {
            let body =
                PipelineConfig { config_name: desired.target.config.clone(), body: draft.body.clone() };
            sls.call::<CreateLogtailPipelineConfig>(&NoPath {}, &Json(body)).await
        }
    }
}

async fn update_config(sls: &Sls, desired: &Desired) -> Result<(), CallError> {
    let name = desired.target.config.clone();
    match &desired.config {
        DesiredConfig::Classic(config) => {
            let body = Json(logtail_config(desired, config));
            sls.call::<UpdateConfig>(&InConfig { config: name }, &body).await
        }
        DesiredConfig::Pipeline(draft) => {
            let body = Json(PipelineConfig { config_name: name.clone(), body: draft.body.clone() });
            sls.call::<UpdateLogtailPipelineConfig>(&InPipelineConfig { name }, &body).await
        }
    }
}

/// The Logstore to create.
pub(crate) fn logstore_settings(desired: &DesiredLogstore) -> LogstoreSettings {
    let ttl = desired.life_cycle_days.unwrap_or(desired.dialect.life_cycle_days());
    let shards = desired.shard_count.unwrap_or(SHARD_COUNT_DEFAULT);
    let mut settings = LogstoreSettings::new(desired.name.clone(), i64::from(ttl), i64::from(shards));
    settings.auto_split = Some(desired.auto_split.unwrap_or(true));
    settings.max_split_shard =
        Some(i64::from(desired.max_split_shard.unwrap_or(desired.dialect.max_split_shard())));
    settings.append_meta = Some(desired.append_meta.unwrap_or(true));
    settings.enable_tracking = Some(desired.enable_tracking.unwrap_or(false));
    settings.hot_ttl = desired.hot_ttl_days.map(i64::from);
    settings.infrequent_access_ttl = desired.infrequent_ttl_days.map(i64::from);
    settings.mode = desired.mode.map(|mode| match mode {
        LogstoreMode::Standard => "standard".to_owned(),
        LogstoreMode::Query => "query".to_owned(),
    });
    settings.telemetry_type = desired.telemetry_type.map(|kind| match kind {
        TelemetryType::None => "None".to_owned(),
        TelemetryType::Metrics => "Metrics".to_owned(),
    });
    settings.encrypt_conf = desired.encrypt.as_ref().and_then(|conf| match serde_json::to_value(conf) {
        Ok(serde_json::Value::Object(map)) => Some(map),
        _ => None,
    });
    settings
}

/// What is changed of an existing Logstore: the mutable settings that the object gives.
fn logstore_change(desired: &DesiredLogstore) -> LogstoreSettings {
    LogstoreSettings {
        ttl: desired.life_cycle_days.map(i64::from),
        shard_count: None,
        auto_split: desired.auto_split,
        max_split_shard: desired.max_split_shard.map(i64::from),
        append_meta: desired.append_meta,
        enable_tracking: desired.enable_tracking,
        telemetry_type: None,
        mode: None,
        ..logstore_settings(desired)
    }
}

/// The config to create or to put in place of the existing one.
pub(crate) fn logtail_config(desired: &Desired, config: &ClassicConfig) -> LogtailConfig {
    LogtailConfig {
        config_name: desired.target.config.clone(),
        log_sample: Some(config.log_sample.clone()).filter(|sample| !sample.is_empty()),
        input_type: match config.input_type {
            InputType::File => "file".to_owned(),
            InputType::Plugin => "plugin".to_owned(),
        },
        input_detail: config.input_detail.clone(),
        output_type: OUTPUT_TYPE.to_owned(),
        output_detail: OutputDetail {
            logstore_name: desired.destination.clone(),
            project_name: Some(desired.target.project.clone()),
            endpoint: None,
            compress_type: None,
        },
        create_time: None,
        last_modify_time: None,
    }
}

/// Characters that separate words. Source: the vendor's open environment-variable code.
const TOKENS: [&str; 27] = [
    " ", "\n", "\t", "\r", ",", ";", "[", "]", "{", "}", "(", ")", "&", "^", "*", "#", "@", "~", "=", "<",
    ">", "/", "\\", "?", ":", "'", "\"",
];

/// Fields with an index of their own. Source: the vendor's open environment-variable code.
const INDEXED_FIELDS: [&str; 15] = [
    "__tag__:__hostname__",
    "__tag__:__path__",
    "__tag__:_container_ip_",
    "__tag__:_container_name_",
    "__tag__:_image_name_",
    "__tag__:_namespace_",
    "__tag__:_pod_name_",
    "__tag__:_pod_uid_",
    "_container_ip_",
    "_container_name_",
    "_image_name_",
    "_namespace_",
    "_pod_name_",
    "_pod_uid_",
    "_source_",
];

/// Full text plus the fields that container logs carry, case-insensitive; columns for SQL only where
/// the Logstore has SQL.
fn default_index(analytics: bool) -> Index {
    let tokens = || TOKENS.iter().map(ToString::to_string).collect::<Vec<_>>();
    let key = || IndexKey {
        kind: IndexType::Text,
        token: tokens(),
        case_sensitive: false,
        chn: Some(false),
        doc_value: Some(analytics),
        alias: None,
        index_all: None,
        max_depth: None,
        json_keys: None,
        other: Map::new(),
    };
    let keys: BTreeMap<String, IndexKey> =
        INDEXED_FIELDS.iter().map(|field| (field.to_string(), key())).collect();
    Index {
        line: Some(IndexLine { token: tokens(), ..IndexLine::default() }),
        keys: Some(keys),
        ..Index::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_index_is_that_of_the_vendor() {
        let index = default_index(true);
        assert_eq!(index.keys.as_ref().map(BTreeMap::len), Some(15));
        assert!(
            index
                .keys
                .into_iter()
                .flatten()
                .all(|(_, key)| key.doc_value == Some(true) && !key.case_sensitive)
        );
        assert!(default_index(false).keys.into_iter().flatten().all(|(_, key)| key.doc_value == Some(false)));
    }
}
