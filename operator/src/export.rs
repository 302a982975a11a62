//! What there is in Log Service, as AliyunLogConfigs: for who made it by hand and wants to keep it in files.
//!
//! [`object`] is pure; `operator export` prints what [`export`] finds. An exported object changes nothing when it is
//! applied: a test plans it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sls_api::logtail::complete_input_detail;
use sls_api::names::{ConfigName, MachineGroupName, ProjectName};
use sls_api::ops::logstores::{GetLogStore, Logstore};
use sls_api::ops::logtail_configs::{GetConfig, ListConfig, ListConfigQuery, LogtailConfig};
use sls_api::ops::{InConfig, InLogstore};
use sls_api::{Json, NoPath};

use crate::crd::{AliyunLogConfig, AliyunLogConfigSpec, InputType, LogtailConfigSpec};
use crate::desired::LIFE_CYCLE_DAYS_FOREVER;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::observe::{bound_groups, found};
use crate::sls::{Clients, Sls, SlsConfig, SlsError};

/// Names of configs asked for at a time. Source: API reference, ListConfig (at most 500).
const PAGE: i64 = 500;
/// Keys of inputDetail that are written although they have their defaults: an object must have them, or reads badly
/// without.
const KEPT: [&str; 3] = ["logType", "logPath", "filePattern"];

/// Why nothing is exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no client for Log Service.
    #[error(transparent)]
    Client(#[from] SlsError),
    /// Log Service refused a call, or did not answer.
    #[error("{step} failed: {message}")]
    Call {
        /// The call.
        step: &'static str,
        /// What was said, and what to do.
        message: String,
    },
    /// A config was asked for that there is not.
    #[error("project {project} has no config {name}")]
    NoConfig {
        /// Where it was looked for.
        project: ProjectName,
        /// Its name.
        name: ConfigName,
    },
}

impl From<Failure> for ExportError {
    fn from(failure: Failure) -> Self {
        Self::Call { step: failure.step, message: failure.message }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Exported {
    /// In order of the configs' names.
    pub objects: Vec<AliyunLogConfig>,
    /// Configs that are none that an object can say, with the reason.
    pub left_out: Vec<String>,
}

/// Reads the configs of a project: those named, or all.
///
/// # Errors
/// See [`ExportError`].
pub async fn export(
    config: SlsConfig,
    project: &ProjectName,
    names: &[ConfigName],
) -> Result<Exported, ExportError> {
    let clients = Clients::new(config, Arc::new(Metrics::default()))?;
    let sls = clients.project(project.clone(), None)?;
    let mut wanted = names.to_vec();
    if wanted.is_empty() {
        wanted = all_names(&sls).await?;
    }
    wanted.sort();
    let mut exported = Exported::default();
    for name in wanted {
        let path = InConfig { config: name.clone() };
        let Some(Json(config)) = found::<GetConfig>(sls.call::<GetConfig>(&path, &()).await)? else {
            return Err(ExportError::NoConfig { project: project.clone(), name });
        };
        let path = InLogstore { logstore: config.output_detail.logstore_name.clone() };
        let logstore = found::<GetLogStore>(sls.call::<GetLogStore>(&path, &()).await)?;
        let groups = bound_groups(&sls, &name).await?;
        match object(project, &config, logstore.as_ref().map(|Json(logstore)| logstore), &groups) {
            Ok(object) => exported.objects.push(object),
            Err(why) => exported.left_out.push(format!("config {name} is left out: {why}")),
        }
    }
    Ok(exported)
}

async fn all_names(sls: &Sls) -> Result<Vec<ConfigName>, Failure> {
    let mut names = BTreeSet::new();
    loop {
        let offset = i64::try_from(names.len()).unwrap_or(i64::MAX);
        let query = ListConfigQuery { offset: Some(offset), size: Some(PAGE), ..ListConfigQuery::default() };
        let reply = sls.ask::<ListConfig>(&NoPath {}, &query, &()).await;
        let Json(page) = reply.map_err(|error| Failure::new("ListConfig", &error))?;
        let before = names.len();
        names.extend(page.configs);
        // Nothing new: the end, or somebody deletes while we read.
        if names.len() == before || names.len() as u64 >= page.total {
            return Ok(names.into_iter().collect());
        }
    }
}

/// The object that asks for a config as it is.
///
/// # Errors
/// There is no such object; why, for people.
pub fn object(
    project: &ProjectName,
    config: &LogtailConfig,
    logstore: Option<&Logstore>,
    groups: &BTreeSet<MachineGroupName>,
) -> Result<AliyunLogConfig, String> {
    let input_type = match config.input_type.as_str() {
        "file" => InputType::File,
        "plugin" => InputType::Plugin,
        other => return Err(format!("its inputType is {other}, objects know file and plugin")),
    };
    if groups.is_empty() {
        return Err("it is bound to no machine group, an object binds its config to one at least".to_owned());
    }
    let mut spec = AliyunLogConfigSpec {
        project: Some(project.to_string()),
        logstore: config.output_detail.logstore_name.to_string(),
        machine_groups: Some(groups.iter().map(ToString::to_string).collect()),
        logtail_config: LogtailConfigSpec {
            config_name: Some(config.config_name.to_string()),
            input_type,
            log_sample: config.log_sample.clone().filter(|sample| !sample.is_empty()),
            input_detail: without_defaults(&config.input_detail),
        },
        ..AliyunLogConfigSpec::default()
    };
    if let Some(logstore) = logstore {
        describe(logstore, &mut spec);
    }
    // An object's name has no underscore.
    let name = config.config_name.as_str().replace('_', "-");
    Ok(AliyunLogConfig::new(&name, spec))
}

/// What a new Logstore needs to be as this one, as far as it fits into an object.
fn describe(logstore: &Logstore, spec: &mut AliyunLogConfigSpec) {
    let within = |value: i64, most: i32| i32::try_from(value).ok().filter(|value| (1..=most).contains(value));
    spec.life_cycle =
        i32::try_from(logstore.ttl.min(LIFE_CYCLE_DAYS_FOREVER.into())).ok().filter(|days| *days > 0);
    spec.shard_count = within(logstore.shard_count, 10);
    spec.logstore_max_split_shard = within(logstore.max_split_shard, 256);
    spec.logstore_hot_ttl = within(logstore.hot_ttl, i32::MAX);
    spec.logstore_auto_split = Some(logstore.auto_split);
    spec.logstore_append_meta = Some(logstore.append_meta);
    spec.logstore_enable_tracking = logstore.enable_tracking.then_some(true);
    // The names of the API are those of the object.
    spec.logstore_mode = serde_json::from_value(json!(logstore.mode)).ok();
    if logstore.telemetry_type != "None" {
        spec.logstore_telemetry_type = serde_json::from_value(json!(logstore.telemetry_type)).ok();
    }
}

/// Without what is added to every inputDetail before it is sent.
fn without_defaults(detail: &Map<String, Value>) -> Map<String, Value> {
    let mut kept: Map<String, Value> = detail
        .iter()
        .filter(|(key, _)| KEPT.contains(&key.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let mut defaults = kept.clone();
    complete_input_detail(&mut defaults);
    for (key, value) in detail {
        if defaults.get(key) != Some(value) {
            kept.insert(key.clone(), value.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: impl FnOnce(&mut Value)) -> LogtailConfig {
        let mut config = json!({"configName": "a_b", "inputType": "file", "outputDetail": {"logstoreName": "logs"},
            "inputDetail": {"logType": "json_log", "logPath": "/var/log", "filePattern": "*.log", "maxDepth": 3,
                "preserve": true, "timeKey": "", "regex": "(.*)"}});
        change(&mut config);
        serde_json::from_value(config).unwrap()
    }

    fn groups(names: &[&str]) -> BTreeSet<MachineGroupName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn defaults_are_left_out_and_other_keys_stay() {
        let project = "proj-a".parse().unwrap();
        let object = object(&project, &config(|_| {}), None, &groups(&["group"])).unwrap();
        assert_eq!(object.metadata.name.as_deref(), Some("a-b"));
        assert_eq!(object.spec.logtail_config.config_name.as_deref(), Some("a_b"));
        // `regex` is a default of another kind of log.
        assert_eq!(
            Value::Object(object.spec.logtail_config.input_detail),
            json!({"logType": "json_log", "logPath": "/var/log", "filePattern": "*.log", "maxDepth": 3, "regex": "(.*)"})
        );
    }

    #[test]
    fn what_no_object_can_say_is_left_out() {
        let project = "proj-a".parse().unwrap();
        let why =
            |config: &LogtailConfig, all: &[&str]| object(&project, config, None, &groups(all)).unwrap_err();
        let syslog = config(|config| config["inputType"] = json!("syslog"));
        assert_eq!(why(&syslog, &["group"]), "its inputType is syslog, objects know file and plugin");
        assert!(why(&config(|_| {}), &[]).contains("bound to no machine group"));
    }
}
