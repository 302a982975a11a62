//! Configs as environment variables of a container: `aliyun_logs_NAME` says what is collected, `aliyun_logs_NAME_…`
//! how. Pure. Source: the vendor's open agent, its configuration by environment variables.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What names of such variables begin with, unless another prefix is set.
pub const ENV_PREFIX: &str = "aliyun_logs_";
/// Shards of a Logstore, at most. Source: the vendor's open agent.
const SHARDS_MAX: i32 = 10;
/// Shards where the number is no such. Source: the vendor's open agent.
const SHARDS_DEFAULT: i32 = 2;
/// Days that logs are kept where the number is no such. Source: the vendor's open agent.
const TTL_DAYS_DEFAULT: i32 = 90;
/// Days that logs are kept, at most; means for ever. Source: the vendor's open agent.
const TTL_DAYS_MAX: i32 = 3650;
/// Logstores of a cluster's audit log are called so and have this many bytes; their files are JSON. Source: the
/// vendor's open agent.
const AUDIT: (&str, usize) = ("audit-", 39);

/// What may be said of a config beside what is collected.
const SUFFIXES: [&str; 11] = [
    "project",
    "logstore",
    "shard",
    "ttl",
    "machinegroup",
    "tags",
    "configtags",
    "jsonfile",
    "dockerfile",
    "detail",
    "product",
];
/// Suffixes with the names of a Logstore's settings in an AliyunLogConfig.
const LOGSTORE_SUFFIXES: [(&str, &str, Shape); 8] = [
    ("logstoremode", "logstoreMode", Shape::Text),
    ("logstorehotttl", "logstoreHotTTL", Shape::Number),
    ("logstoretelemetrytype", "logstoreTelemetryType", Shape::Text),
    ("logstoreappendmeta", "logstoreAppendMeta", Shape::Flag),
    ("logstoremaxsplitshard", "logstoreMaxSplitShard", Shape::Number),
    ("logstoreenabletracking", "logstoreEnableTracking", Shape::Flag),
    ("logstoreautosplit", "logstoreAutoSplit", Shape::Flag),
    ("language", "productLang", Shape::Text),
];

#[derive(Debug, Clone, Copy)]
enum Shape {
    Text,
    Number,
    Flag,
}

/// A config, as the variables of one name say it.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvConfig {
    /// The name in the variables, which is that of the config and, unless said otherwise, of the Logstore.
    pub name: String,
    /// `spec` of the AliyunLogConfig that asks for the same; without a project unless one is said.
    pub spec: Value,
    /// `key=value` pairs that are added to every log.
    pub tags: BTreeMap<String, String>,
}

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {reason}")]
pub struct EnvFault {
    /// Its name.
    pub variable: String,
    /// What is wrong, and what to write.
    pub reason: String,
}

/// The configs that `variables` ask for, in order of their names, and what is wrong. A config with a fault is left
/// out.
#[must_use]
pub fn read_env_form<'a>(
    prefix: &str,
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> (Vec<EnvConfig>, Vec<EnvFault>) {
    let all: BTreeMap<&str, &str> =
        variables.into_iter().filter_map(|(key, value)| Some((key.strip_prefix(prefix)?, value))).collect();
    let mut groups: BTreeMap<&str, Said<'_>> = BTreeMap::new();
    for (key, value) in &all {
        let (name, suffix) = split(key, &all);
        groups.entry(name).or_default().insert(suffix, value);
    }
    let mut configs = Vec::new();
    let mut faults = Vec::new();
    for (name, said) in groups {
        match config(prefix, name, &said) {
            Ok(config) => configs.push(config),
            Err(fault) => faults.push(fault),
        }
    }
    (configs, faults)
}

/// The variables of one name by suffix; what is collected has none.
type Said<'a> = BTreeMap<&'a str, &'a str>;

/// `access_ttl` is said of `access`, unless there is no such config and it is one itself.
fn split<'a>(key: &'a str, all: &BTreeMap<&str, &str>) -> (&'a str, &'a str) {
    let known = |suffix: &str| {
        SUFFIXES.contains(&suffix) || LOGSTORE_SUFFIXES.iter().any(|(known, ..)| *known == suffix)
    };
    match key.rsplit_once('_') {
        Some((name, suffix)) if !name.is_empty() && known(suffix) && !is_config(key, all) => (name, suffix),
        _ => (key, ""),
    }
}

/// Whether other variables are said of `key`, or it says what to collect while nothing does for what stands before.
fn is_config(key: &str, all: &BTreeMap<&str, &str>) -> bool {
    key.rsplit_once('_').is_some_and(|(name, _)| !all.contains_key(name))
        && all
            .get(key)
            .is_some_and(|value| value.starts_with('/') || OUTPUTS.iter().any(|(output, ..)| output == value))
}

/// Values that stand for what a container prints: standard output, standard error.
const OUTPUTS: [(&str, bool, bool); 3] =
    [("stdout", true, true), ("stdout-only", true, false), ("stderr-only", false, true)];

fn config(prefix: &str, name: &str, said: &Said<'_>) -> Result<EnvConfig, EnvFault> {
    let variable = |suffix: &str| match suffix {
        "" => format!("{prefix}{name}"),
        suffix => format!("{prefix}{name}_{suffix}"),
    };
    let fault = |suffix: &str, reason: String| EnvFault { variable: variable(suffix), reason };
    let Some(collected) = said.get("").filter(|value| !value.is_empty()) else {
        return Err(fault(
            "",
            "not set: write stdout, or the path of files such as /var/log/app/*.log".to_owned(),
        ));
    };
    let logstore = said.get("logstore").copied().unwrap_or(name);
    let mut spec = Map::new();
    if let Some(project) = said.get("project") {
        spec.insert("project".into(), json!(project));
    }
    spec.insert("logstore".into(), json!(logstore));
    if let Some(text) = said.get("shard") {
        let shards = text.parse().unwrap_or(0);
        let shards = if shards <= 0 { SHARDS_DEFAULT } else { shards.min(SHARDS_MAX) };
        spec.insert("shardCount".into(), json!(shards));
    }
    if let Some(text) = said.get("ttl") {
        let days = text.parse().unwrap_or(0);
        let days = if days <= 0 { TTL_DAYS_DEFAULT } else { days.min(TTL_DAYS_MAX) };
        spec.insert("lifeCycle".into(), json!(days));
    }
    if let Some(groups) = said.get("machinegroup") {
        let groups: Vec<_> = groups.split(',').map(str::trim).filter(|group| !group.is_empty()).collect();
        spec.insert("machineGroups".into(), json!(groups));
    }
    if let Some(product) = said.get("product") {
        spec.insert("productCode".into(), json!(product));
    }
    for (suffix, key, shape) in LOGSTORE_SUFFIXES {
        let Some(text) = said.get(suffix) else { continue };
        let value = match shape {
            Shape::Text => json!(text),
            Shape::Number => {
                json!(text.parse::<i32>().map_err(|_| fault(suffix, format!("{text:?} is no whole number")))?)
            }
            Shape::Flag => json!(
                text.parse::<bool>()
                    .map_err(|_| fault(suffix, format!("{text:?} is neither true nor false")))?
            ),
        };
        spec.insert(key.into(), value);
    }
    if let Some(text) = said.get("configtags") {
        let tags: BTreeMap<String, String> = serde_json::from_str(text)
            .map_err(|error| fault("configtags", format!("it is no JSON object of texts: {error}")))?;
        spec.insert("configTags".into(), json!(tags));
    }
    let (input_type, detail) = match said.get("detail") {
        Some(text) => {
            let detail: Map<String, Value> = serde_json::from_str(text)
                .map_err(|error| fault("detail", format!("it is no JSON object: {error}")))?;
            ((*collected).to_owned(), detail)
        }
        None => input(prefix, name, collected, said, logstore).map_err(|reason| fault("", reason))?,
    };
    spec.insert(
        "logtailConfig".into(),
        json!({"configName": name, "inputType": input_type, "inputDetail": detail}),
    );
    let pairs = said.get("tags").map(|text| text.split(',')).into_iter().flatten();
    let tags = pairs.filter_map(|pair| pair.split_once('='));
    let tags = tags.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect();
    Ok(EnvConfig { name: name.to_owned(), spec: Value::Object(spec), tags })
}

fn input(
    prefix: &str,
    name: &str,
    collected: &str,
    said: &Said<'_>,
    logstore: &str,
) -> Result<(String, Map<String, Value>), String> {
    // The container is found by the variable itself.
    let chosen = json!({ format!("{prefix}{name}"): collected });
    if let Some((_, stdout, stderr)) = OUTPUTS.into_iter().find(|(output, ..)| *output == collected) {
        let input = json!({"type": "service_docker_stdout",
            "detail": {"Stdout": stdout, "Stderr": stderr, "IncludeEnv": chosen}});
        let detail = json!({"plugin": {"inputs": [input], "global": {"AlwaysOnline": true}}});
        return Ok(("plugin".to_owned(), detail.as_object().cloned().unwrap_or_default()));
    }
    let (folder, pattern) = collected
        .rsplit_once('/')
        .filter(|(folder, pattern)| folder.starts_with('/') && !pattern.is_empty())
        .ok_or_else(|| {
            format!("{collected:?} is no path of files: write one such as /var/log/app/*.log, or stdout")
        })?;
    let is =
        |suffix: &str, wanted: &str| said.get(suffix).is_some_and(|value| value.eq_ignore_ascii_case(wanted));
    let is_audit = logstore.starts_with(AUDIT.0) && logstore.len() == AUDIT.1;
    let log_type = if is("jsonfile", "true") || is_audit { "json_log" } else { "common_reg_log" };
    let docker_file = !is("dockerfile", "false");
    let mut detail =
        json!({"logType": log_type, "logPath": folder, "filePattern": pattern, "dockerFile": docker_file});
    if docker_file {
        detail["dockerIncludeEnv"] = chosen;
    }
    Ok(("file".to_owned(), detail.as_object().cloned().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Vec<EnvConfig>, Vec<String>) {
        let (configs, faults) = read_env_form(ENV_PREFIX, variables.iter().copied());
        (configs, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn files_with_their_settings() {
        let (configs, faults) = read(&[
            ("PATH", "/bin"),
            ("aliyun_logs_catalina", "/usr/local/tomcat/logs/catalina.*.log"),
            ("aliyun_logs_catalina_tags", "app=tomcat, tier = web"),
            ("aliyun_logs_catalina_project", "my-project"),
            ("aliyun_logs_catalina_logstore", "my-logstore"),
            ("aliyun_logs_catalina_shard", "11"),
            ("aliyun_logs_catalina_ttl", "-1"),
            ("aliyun_logs_catalina_machinegroup", "group-a, group-b"),
            ("aliyun_logs_catalina_dockerfile", "FALSE"),
            ("aliyun_logs_catalina_jsonfile", "true"),
            ("aliyun_logs_catalina_configtags", r#"{"team":"shop"}"#),
            ("aliyun_logs_catalina_logstoremode", "query"),
            ("aliyun_logs_catalina_logstoreautosplit", "false"),
        ]);
        assert_eq!(faults, Vec::<String>::new());
        let [config] = &configs[..] else { panic!("{configs:?}") };
        assert_eq!(config.name, "catalina");
        assert_eq!(
            config.tags.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(),
            ["app=tomcat", "tier=web"]
        );
        assert_eq!(
            config.spec,
            json!({"project": "my-project", "logstore": "my-logstore", "shardCount": 10, "lifeCycle": 90,
                "machineGroups": ["group-a", "group-b"], "logstoreMode": "query", "logstoreAutoSplit": false,
                "configTags": {"team": "shop"},
                "logtailConfig": {"configName": "catalina", "inputType": "file", "inputDetail": {
                    "logType": "json_log", "logPath": "/usr/local/tomcat/logs", "filePattern": "catalina.*.log",
                    "dockerFile": false}}})
        );
    }

    #[test]
    fn what_a_container_prints_and_details() {
        let (configs, faults) = read(&[
            ("aliyun_logs_out", "stdout-only"),
            ("aliyun_logs_raw", "file"),
            ("aliyun_logs_raw_detail", r#"{"logType":"apsara_log","logPath":"/a","filePattern":"b"}"#),
            // Names with an underscore, one of which ends as a suffix does.
            ("aliyun_logs_my_app", "/a/b.log"),
            ("aliyun_logs_my_app_ttl", "7"),
            ("aliyun_logs_best_project", "/c/d.log"),
        ]);
        assert_eq!(faults, Vec::<String>::new());
        let names: Vec<_> = configs.iter().map(|config| config.name.as_str()).collect();
        assert_eq!(names, ["best_project", "my_app", "out", "raw"]);
        assert_eq!(configs[1].spec["lifeCycle"], 7);
        assert_eq!(
            configs[2].spec["logtailConfig"]["inputDetail"]["plugin"]["inputs"][0],
            json!({"type": "service_docker_stdout", "detail":
                {"Stdout": true, "Stderr": false, "IncludeEnv": {"aliyun_logs_out": "stdout-only"}}})
        );
        assert_eq!(configs[3].spec["logtailConfig"]["inputDetail"]["logType"], "apsara_log");
        assert_eq!(
            configs[1].spec["logtailConfig"]["inputDetail"]["dockerIncludeEnv"],
            json!({"aliyun_logs_my_app": "/a/b.log"})
        );
    }

    #[test]
    fn variables_that_cannot_be_used_are_named() {
        let (configs, faults) = read(&[
            ("aliyun_logs_a_ttl", "7"),
            ("aliyun_logs_b", "b.log"),
            ("aliyun_logs_c", "file"),
            ("aliyun_logs_c_detail", "[]"),
            ("aliyun_logs_d", "/d/d.log"),
            ("aliyun_logs_d_logstoreautosplit", "maybe"),
            ("aliyun_logs_", ""),
        ]);
        assert_eq!(configs, []);
        let begin = [
            "aliyun_logs_: not set",
            "aliyun_logs_a: not set",
            "aliyun_logs_b: \"b.log\" is no path of files",
            "aliyun_logs_c_detail: it is no JSON object",
            "aliyun_logs_d_logstoreautosplit: \"maybe\" is neither true nor false",
        ];
        assert!(faults.iter().zip(begin).all(|(fault, begin)| fault.starts_with(begin)), "{faults:?}");
        assert_eq!(faults.len(), begin.len());
    }
}
