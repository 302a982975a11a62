//! AliyunLogConfigs that workloads ask for by variables of their containers. Pure; `operator env-config` prints them.

use kube::api::ObjectMeta;
use serde_json::Value;
use sls_api::logtail::read_env_form;

use crate::crd::{AliyunLogConfig, AliyunLogConfigSpec};

/// What the variables of one container ask for: objects in order of their names, and what cannot be done.
///
/// The vendor's agent reads files inside other containers (`dockerFile`); a sidecar shares a volume with them, so
/// that is taken away.
pub fn from_env<'a>(
    prefix: &str,
    namespace: Option<&str>,
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> (Vec<AliyunLogConfig>, Vec<String>) {
    let (configs, faults) = read_env_form(prefix, variables);
    let mut objects = Vec::new();
    let mut told: Vec<_> = faults.iter().map(ToString::to_string).collect();
    for config in configs {
        let mut spec: AliyunLogConfigSpec = match serde_json::from_value(config.spec) {
            Ok(spec) => spec,
            Err(error) => {
                told.push(format!("{prefix}{}: {error}", config.name));
                continue;
            }
        };
        let detail = &mut spec.logtail_config.input_detail;
        if detail.get("dockerFile").is_some() {
            detail.insert("dockerFile".to_owned(), Value::Bool(false));
        }
        detail.retain(|key, _| key != "dockerIncludeEnv");
        if !config.tags.is_empty() {
            told.push(format!(
                "{prefix}{}_tags: a config has no place for tags: pass them to the sidecar as ALIYUN_LOG_ENV_TAGS",
                config.name
            ));
        }
        let metadata = ObjectMeta {
            // Names of objects have no `_`; the config keeps its own.
            name: Some(config.name.replace('_', "-")),
            namespace: namespace.map(str::to_owned),
            ..ObjectMeta::default()
        };
        objects.push(AliyunLogConfig { metadata, spec, status: None });
    }
    (objects, told)
}

#[cfg(test)]
mod tests {
    use sls_api::logtail::ENV_PREFIX;

    use super::*;
    use crate::validate::{Defaults, validate};

    #[test]
    fn files_become_valid_objects_and_output_is_refused_with_the_reason() {
        let variables = [
            ("aliyun_logs_my_app", "/var/log/app/*.log"),
            ("aliyun_logs_my_app_tags", "a=b"),
            ("aliyun_logs_out", "stdout"),
            ("aliyun_logs_wrong", "a.log"),
        ];
        let (objects, told) = from_env(ENV_PREFIX, Some("shop"), variables);
        let [app, out] = &objects[..] else { panic!("{objects:?}") };
        let defaults = Defaults {
            project: Some("project-a".parse().unwrap()),
            machine_group: Some("group-a".parse().unwrap()),
            ..Defaults::default()
        };
        let valid = validate(app, &defaults).unwrap();
        assert_eq!(valid.desired.target.to_string(), "config my_app in project project-a");
        assert_eq!(app.metadata.name.as_deref(), Some("my-app"));
        let refused = validate(out, &defaults).unwrap_err();
        assert!(refused.problems[0].to_string().contains("only a DaemonSet can"), "{refused:?}");
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("aliyun_logs_wrong: \"a.log\" is no path"), "{told:?}");
        assert!(told[1].starts_with("aliyun_logs_my_app_tags: "), "{told:?}");
    }
}
