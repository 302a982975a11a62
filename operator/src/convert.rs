//! An AliyunLogConfig as the newer ClusterAliyunPipelineConfig that takes its place. Pure; `operator convert` prints
//! it. The config becomes what agents are given of it today, so the logs stay the same.

use kube::api::ObjectMeta;
use serde_json::{Map, Value};
use sls_api::logtail::{Destination, TranslateError, to_pipeline};

use crate::apply::logtail_config;
use crate::crd::{
    AliyunLogConfig, ClusterAliyunPipelineConfig, ClusterAliyunPipelineConfigSpec, PipelineBody,
    PipelineLogstore, PipelineMachineGroup, PipelineProject,
};
use crate::desired::{Desired, DesiredConfig, DesiredLogstore, Dialect};
use crate::validate::{Defaults, Refused, Warning, validate};

/// Why there is no pipeline form.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The object is wrong itself.
    #[error("it is refused: {}", .0.problems.iter().map(|one| format!("{}: {one}", one.field())).collect::<Vec<_>>().join("; "))]
    Refused(Refused),
    /// The name of the config cannot be that of an object.
    #[error(
        "the config is named {0}, and an object of the newer kind is named as its config, of lowercase letters, digits \
         and '-' at most: make a config with another name, and delete this one"
    )]
    Name(String),
    /// Agents cannot run the config as a pipeline.
    #[error(transparent)]
    Translate(#[from] TranslateError),
}

/// The object that replaces `cr`, and what deserves a look.
///
/// # Errors
/// See [`ConvertError`].
pub fn convert(
    cr: &AliyunLogConfig,
    defaults: &Defaults,
) -> Result<(ClusterAliyunPipelineConfig, Vec<Warning>), ConvertError> {
    let valid = validate(cr, defaults).map_err(ConvertError::Refused)?;
    let desired = valid.desired;
    let name = desired.target.config.to_string();
    if !is_object_name(&name) {
        return Err(ConvertError::Name(name));
    }
    let spec = ClusterAliyunPipelineConfigSpec {
        project: PipelineProject {
            name: desired.target.project.to_string(),
            description: None,
            endpoint: desired.endpoint.clone(),
            uid: cr.spec.uid.clone().filter(|uid| !uid.is_empty()),
        },
        config: body(&desired)?,
        logstores: Some(desired.logstores.iter().map(|logstore| described(logstore, cr)).collect()),
        machine_groups: Some(
            desired
                .machine_groups
                .iter()
                .map(|name| PipelineMachineGroup { name: name.to_string() })
                .collect(),
        ),
        enable_upgrade_override: Some(true),
        deletion_policy: cr.spec.deletion_policy,
    };
    let metadata = ObjectMeta { name: Some(name), ..ObjectMeta::default() };
    Ok((ClusterAliyunPipelineConfig { metadata, spec, status: None }, valid.warnings))
}

/// Whether Kubernetes takes it as the name of an object. Source: RFC 1123, as Kubernetes reads it for subdomains.
fn is_object_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn body(desired: &Desired) -> Result<PipelineBody, TranslateError> {
    let DesiredConfig::Classic(config) = &desired.config else { return Ok(PipelineBody::default()) };
    let destination = Destination {
        project: desired.target.project.clone(),
        logstore: desired.destination.clone(),
        region: String::new(),
        endpoint: String::new(),
    };
    let mut pipeline = to_pipeline(&logtail_config(desired, config), &destination)?;
    let mut list = |part: &str| -> Vec<Map<String, Value>> {
        let plugins = pipeline.get_mut(part).map(Value::take).unwrap_or_default();
        serde_json::from_value(plugins).unwrap_or_default()
    };
    let (inputs, processors, mut flushers) = (list("inputs"), list("processors"), list("flushers"));
    // The operator's project and endpoint are those of the object, not of its flusher.
    for flusher in &mut flushers {
        flusher.retain(|key, _| !["Project", "Region", "Endpoint"].contains(&key.as_str()));
    }
    Ok(PipelineBody {
        name: None,
        sample: Some(config.log_sample.clone()).filter(|sample| !sample.is_empty()),
        global: pipeline.get("global").and_then(Value::as_object).cloned(),
        inputs,
        processors: Some(processors).filter(|all| !all.is_empty()),
        aggregators: None,
        flushers,
    })
}

/// Defaults are written down, since those of the newer kind are others.
fn described(logstore: &DesiredLogstore, cr: &AliyunLogConfig) -> PipelineLogstore {
    let number = |value: Option<u32>| value.and_then(|value| i32::try_from(value).ok());
    PipelineLogstore {
        name: logstore.name.to_string(),
        query_mode: logstore.mode,
        ttl: number(Some(logstore.life_cycle_days.unwrap_or(Dialect::Classic.life_cycle_days()))),
        hot_ttl: number(logstore.hot_ttl_days),
        infrequent_access_ttl: None,
        shard_count: number(logstore.shard_count),
        max_split_shard: number(Some(logstore.max_split_shard.unwrap_or(Dialect::Classic.max_split_shard()))),
        auto_split: logstore.auto_split,
        telemetry_type: logstore.telemetry_type,
        append_meta: logstore.append_meta,
        enable_tracking: logstore.enable_tracking,
        encrypt_conf: logstore.encrypt.clone(),
        metering_mode: cr.spec.logstore_metering_mode,
        index: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::validate::validate_pipeline;

    fn object(change: impl FnOnce(&mut Value)) -> AliyunLogConfig {
        let mut object = json!({
            "apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
            "metadata": {"name": "config", "namespace": "default"},
            "spec": {"project": "project-a", "logstore": "store", "machineGroups": ["group-a"],
                "logtailConfig": {"inputType": "file", "logSample": "a b", "inputDetail": {
                    "logType": "common_reg_log", "logPath": "/var/log", "filePattern": "a.log",
                    "regex": "(.*) (.*)", "key": ["a", "b"]}}}
        });
        change(&mut object);
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn what_is_made_of_an_object_is_valid_and_has_the_same_target() {
        let cr = object(|_| {});
        let defaults = Defaults::default();
        let (pipeline, warnings) = convert(&cr, &defaults).unwrap();
        assert_eq!(warnings, []);
        let old = validate(&cr, &defaults).unwrap().desired;
        let new = validate_pipeline(&pipeline, &defaults).unwrap();
        assert_eq!(new.warnings, []);
        assert_eq!(new.desired.target, old.target);
        assert_eq!(new.desired.machine_groups, old.machine_groups);
        let (old, new) = (&old.logstores[0], &new.desired.logstores[0]);
        let made = |logstore| serde_json::to_value(crate::apply::logstore_settings(logstore)).unwrap();
        assert_eq!(made(old), made(new));
        assert_eq!(
            serde_json::to_value(&pipeline.spec.config.flushers).unwrap(),
            json!([{"Type": "flusher_sls", "Logstore": "store"}])
        );
    }

    #[test]
    fn what_cannot_be_converted_says_why() {
        let why =
            |change: fn(&mut Value)| convert(&object(change), &Defaults::default()).unwrap_err().to_string();
        let name = why(|object| object["spec"]["logtailConfig"]["configName"] = json!("a_b"));
        assert!(name.starts_with("the config is named a_b"), "{name}");
        let refused = why(|object| object["spec"]["machineGroups"] = json!([]));
        assert!(refused.starts_with("it is refused: spec.machineGroups: empty"), "{refused}");
    }
}
