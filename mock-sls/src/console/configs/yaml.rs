//! A config as the AliyunLogConfig that an operator makes it of.

use serde_json::{Map, Value, json};
use sls_api::logtail::derive_log_format;
use sls_api::names::ProjectName;
use sls_api::ops::logtail_configs::LogtailConfig;

/// Longest name of an object that Kubernetes takes.
const NAME_CHARS_MAX: usize = 253;

/// The object in YAML; it gives the config to these machine groups.
pub(super) fn object(config: &LogtailConfig, project: &ProjectName, groups: &[String]) -> String {
    let mut detail = config.input_detail.clone();
    // Every operator knows these, but only ours the line of Nginx. One that is wrong is shown as it is.
    let _ = derive_log_format(&mut detail);
    let mut spec = Map::new();
    spec.insert("project".to_owned(), json!(project));
    spec.insert("logstore".to_owned(), json!(config.output_detail.logstore_name));
    if !groups.is_empty() {
        spec.insert("machineGroups".to_owned(), json!(groups));
    }
    spec.insert(
        "logtailConfig".to_owned(),
        json!({ "inputType": config.input_type, "configName": config.config_name, "inputDetail": Value::Object(detail) }),
    );
    let object = json!({
        "apiVersion": "log.alibabacloud.com/v1alpha1",
        "kind": "AliyunLogConfig",
        "metadata": { "name": object_name(config.config_name.as_str()) },
        "spec": spec,
    });
    serde_saphyr::to_string(&object).unwrap_or_default()
}

/// The name of the config as one of an object: lower case, without `_`.
fn object_name(name: &str) -> String {
    let letters = name
        .to_lowercase()
        .chars()
        .map(|letter| if letter == '_' { '-' } else { letter })
        .collect::<String>();
    letters.trim_matches('-').chars().take(NAME_CHARS_MAX).collect()
}
