//! `ClusterAliyunPipelineConfig` → [`Desired`], or every problem found.

use std::collections::BTreeMap;

use kube::ResourceExt;
use serde_json::{Map, Value, json};
use sls_api::logtail::capture_groups;
use sls_api::names::{ConfigName, LogstoreName};
use sls_api::ops::indexes::Index;

use super::{
    Defaults, Found, OUTPUT_INPUTS, Refused, SpecProblem, Valid, Warning, account, is_set, machine_groups,
    owner, set,
};
use crate::crd::{
    ClusterAliyunPipelineConfig, LOGSTORE_UPDATE_ANNOTATION, LogstoreMode, MeteringMode, PipelineBody,
    PipelineLogstore,
};
use crate::desired::{
    Desired, DesiredConfig, DesiredLogstore, Dialect, LIFE_CYCLE_DAYS_FOREVER,
    PIPELINE_MAX_SPLIT_SHARD_DEFAULT, PIPELINE_TTL_DAYS_DEFAULT, PipelineDraft, Target,
};

/// Largest number of bytes of a log sample. Source: vendor's document of the kind.
const SAMPLE_BYTES_MAX: usize = 1500;
/// Days of `ttl` that must remain after hot and infrequent-access storage. Source: vendor's document of the kind.
const ARCHIVED_DAYS_MIN: u32 = 60;
/// The only flusher. Source: vendor's document of the kind.
const FLUSHER: &str = "flusher_sls";
/// Plugins with a regular expression, and the keys of the expression and of the names of its groups. Source:
/// document of the vendor's agent.
const REGEX_PLUGIN: (&str, &str, &str) = ("processor_parse_regex_native", "Regex", "Keys");

/// Judges `cr`; finds everything at once.
pub fn validate_pipeline(cr: &ClusterAliyunPipelineConfig, defaults: &Defaults) -> Result<Valid, Refused> {
    let mut found = Found::default();
    let spec = &cr.spec;
    let project = found.keep(
        spec.project
            .name
            .parse()
            .map_err(|source| SpecProblem::Name { field: "spec.project.name".into(), source }),
    );
    let name: Option<ConfigName> = found.keep(
        cr.name_any().parse().map_err(|source| SpecProblem::Name { field: "metadata.name".into(), source }),
    );
    let account = account("spec.project.uid", &spec.project.uid, defaults, &mut found);
    let groups = spec.machine_groups.iter().flatten().map(|group| group.name.as_str());
    let machine_groups =
        machine_groups(groups, |n| format!("spec.machineGroups[{n}].name"), defaults, &mut found);
    let listed = spec.logstores.iter().flatten().enumerate();
    let logstores: Vec<_> = listed.filter_map(|(n, one)| logstore(n, one, &mut found)).collect();
    let destination = parts(&spec.config, &mut found);
    if let Some(destination) = &destination
        && !logstores.iter().any(|logstore| logstore.name == *destination)
    {
        found.warnings.push(Warning::LogstoreNotListed { logstore: destination.to_string() });
    }
    match (project, name, destination, found.problems.is_empty()) {
        (Some(project), Some(config), Some(destination), true) => Ok(Valid {
            desired: Desired {
                target: Target { project, config },
                endpoint: set(&spec.project.endpoint).map(str::to_owned),
                account,
                project_description: set(&spec.project.description).map(str::to_owned),
                destination,
                logstores,
                machine_groups,
                exact_groups: true,
                config: DesiredConfig::Pipeline(PipelineDraft {
                    body: body(&spec.config),
                    replaces_classic: spec.enable_upgrade_override == Some(true),
                }),
                tags: BTreeMap::new(),
                owner: owner(&cr.metadata, defaults),
                updates_logstores: is_set(&cr.metadata, LOGSTORE_UPDATE_ANNOTATION),
            },
            warnings: found.warnings,
        }),
        _ => Err(Refused { problems: found.problems, warnings: found.warnings }),
    }
}

/// The target that `cr` lays claim to, valid or not; `None` when it does not even name one.
pub fn pipeline_target(cr: &ClusterAliyunPipelineConfig) -> Option<Target> {
    Some(Target { project: cr.spec.project.name.parse().ok()?, config: cr.name_any().parse().ok()? })
}

fn logstore(n: usize, spec: &PipelineLogstore, found: &mut Found) -> Option<DesiredLogstore> {
    let field = |name: &str| format!("spec.logstores[{n}].{name}");
    let name: Option<LogstoreName> =
        found.keep(spec.name.parse().map_err(|source| SpecProblem::Name { field: field("name"), source }));
    let mut range = |name: &str, value: Option<i32>, min: u32, max: u32| {
        let value = value?;
        match u32::try_from(value) {
            Ok(number) if (min..=max).contains(&number) => Some(number),
            _ => {
                let message = format!("{value} is out of range: use {min} to {max}");
                found.problems.push(SpecProblem::Pipeline { field: field(name), message });
                None
            }
        }
    };
    let life_cycle_days = range("ttl", spec.ttl, 1, LIFE_CYCLE_DAYS_FOREVER);
    let hot = spec.hot_ttl.filter(|days| *days != 0);
    let hot_ttl_days = range("hotTtl", hot, 7, LIFE_CYCLE_DAYS_FOREVER);
    let infrequent = spec.infrequent_access_ttl.filter(|days| *days != 0);
    let infrequent_ttl_days = range("infrequentAccessTTL", infrequent, 30, LIFE_CYCLE_DAYS_FOREVER);
    let shard_count = range("shardCount", spec.shard_count, 1, 100);
    let max_split_shard = range("maxSplitShard", spec.max_split_shard, 1, 256);
    let ttl = life_cycle_days.unwrap_or(PIPELINE_TTL_DAYS_DEFAULT);
    let mut require = |holds: bool, name: &str, message: String| {
        found.require(holds, || SpecProblem::Pipeline { field: field(name), message });
    };
    require(
        hot_ttl_days.is_none_or(|hot| hot < ttl),
        "hotTtl",
        format!("it is not less than ttl, which is {ttl}: lower it, or set 0 for none"),
    );
    let rest = ttl.saturating_sub(hot_ttl_days.unwrap_or_default());
    require(
        infrequent_ttl_days
            .is_none_or(|days| hot_ttl_days.is_some() && rest.saturating_sub(days) >= ARCHIVED_DAYS_MIN),
        "infrequentAccessTTL",
        format!(
            "it needs a hotTtl, and {ARCHIVED_DAYS_MIN} days of ttl after both: lower it, or set 0 for none"
        ),
    );
    let split = max_split_shard.unwrap_or(PIPELINE_MAX_SPLIT_SHARD_DEFAULT);
    require(
        shard_count.is_none_or(|shards| shards <= split),
        "shardCount",
        format!("it exceeds maxSplitShard, which is {split}: lower it or raise the other"),
    );
    require(
        !(spec.query_mode == Some(LogstoreMode::Query)
            && spec.metering_mode == Some(MeteringMode::ChargeByDataIngest)),
        "meteringMode",
        "a Logstore of queryMode query is charged by function only: remove it or set ChargeByFunction"
            .to_owned(),
    );
    let index: Option<Result<Index, _>> =
        spec.index.clone().map(|index| serde_json::from_value(Value::Object(index)));
    let index = match index.transpose() {
        Ok(index) => index,
        Err(error) => {
            let message = format!("it is no index: {error}; write what the API CreateIndex takes");
            found.problems.push(SpecProblem::Pipeline { field: field("index"), message });
            None
        }
    };
    if spec.metering_mode.is_some() {
        found.warnings.push(Warning::NotSent { field: field("meteringMode") });
    }
    Some(DesiredLogstore {
        name: name?,
        dialect: Dialect::Pipeline,
        shard_count,
        life_cycle_days,
        hot_ttl_days,
        infrequent_ttl_days,
        mode: spec.query_mode,
        auto_split: spec.auto_split,
        max_split_shard,
        telemetry_type: spec.telemetry_type,
        append_meta: spec.append_meta,
        enable_tracking: spec.enable_tracking,
        encrypt: spec.encrypt_conf.clone(),
        index,
    })
}

/// Judges the parts of a pipeline; the Logstore it sends to.
fn parts(config: &PipelineBody, found: &mut Found) -> Option<LogstoreName> {
    let mut problem = |field: String, message: String| {
        found.problems.push(SpecProblem::Pipeline { field: format!("spec.config.{field}"), message });
    };
    if config.name.is_some() {
        problem("name".into(), "the config is named by metadata.name: remove it".into());
    }
    if let Some(bytes) = config.sample.as_ref().map(String::len).filter(|bytes| *bytes > SAMPLE_BYTES_MAX) {
        let message =
            format!("{bytes} bytes long, it must not exceed {SAMPLE_BYTES_MAX}: shorten the sample");
        problem("sample".into(), message);
    }
    for (list, plugins) in [
        ("inputs", Some(&config.inputs)),
        ("processors", config.processors.as_ref()),
        ("aggregators", config.aggregators.as_ref()),
        ("flushers", Some(&config.flushers)),
    ] {
        let plugins = plugins.into_iter().flatten();
        for (n, _) in plugins.enumerate().filter(|(_, plugin)| type_of(plugin).is_empty()) {
            problem(format!("{list}[{n}].Type"), "missing: write the name of the plugin".into());
        }
    }
    match config.inputs.as_slice() {
        [input] => {
            if OUTPUT_INPUTS.contains(&type_of(input)) {
                problem(
                    "inputs[0]".into(),
                    format!(
                        "{} reads what containers print, which only a DaemonSet can: a sidecar collects files; have \
                         the program write one, and use input_file",
                        type_of(input)
                    ),
                );
            }
            if input.get("EnableContainerDiscovery") == Some(&json!(true)) {
                problem(
                    "inputs[0].EnableContainerDiscovery".into(),
                    "true is for a DaemonSet, which looks into other containers: a sidecar shares a volume with the \
                     application instead; remove it"
                        .into(),
                );
            }
        }
        many => problem("inputs".into(), format!("{} inputs, exactly one is allowed", many.len())),
    }
    for (n, plugin) in config.processors.iter().flatten().enumerate() {
        if type_of(plugin) == REGEX_PLUGIN.0
            && let Some(message) = regex_problem(plugin)
        {
            problem(format!("processors[{n}].{}", REGEX_PLUGIN.1), message);
        }
    }
    let [flusher] = config.flushers.as_slice() else {
        problem("flushers".into(), format!("{} flushers, exactly one is allowed", config.flushers.len()));
        return None;
    };
    if !type_of(flusher).is_empty() && type_of(flusher) != FLUSHER {
        problem(
            "flushers[0].Type".into(),
            format!("{:?} does not send to Log Service: use {FLUSHER}", type_of(flusher)),
        );
    }
    let name = flusher.get("Logstore").and_then(Value::as_str).unwrap_or_default();
    match name.parse() {
        Ok(logstore) => Some(logstore),
        Err(source) => {
            let field = "spec.config.flushers[0].Logstore".to_owned();
            found.problems.push(SpecProblem::Name { field, source });
            None
        }
    }
}

fn type_of(plugin: &Map<String, Value>) -> &str {
    plugin.get("Type").and_then(Value::as_str).unwrap_or_default()
}

/// What is wrong with the expression of a plugin.
fn regex_problem(plugin: &Map<String, Value>) -> Option<String> {
    let (_, regex, keys) = REGEX_PLUGIN;
    let Some(pattern) = plugin.get(regex).and_then(Value::as_str) else {
        return Some("missing: write a regular expression with a group for each of Keys".to_owned());
    };
    let names = plugin.get(keys).and_then(Value::as_array).map_or(0, Vec::len);
    match capture_groups(pattern) {
        Err(error) => Some(error.to_string()),
        Ok(groups) if groups != names => Some(format!(
            "{groups} groups and {names} {keys}: every log would be unparsed; write a key for each group"
        )),
        Ok(_) => None,
    }
}

/// What is sent beside the name.
fn body(config: &PipelineBody) -> Map<String, Value> {
    let list =
        |plugins: &[Map<String, Value>]| Value::Array(plugins.iter().cloned().map(Value::Object).collect());
    let optional = |plugins: &Option<Vec<Map<String, Value>>>| plugins.as_deref().map(list);
    [
        ("logSample", set(&config.sample).map(Value::from)),
        ("global", config.global.clone().map(Value::Object)),
        ("inputs", Some(list(&config.inputs))),
        ("processors", optional(&config.processors)),
        ("aggregators", optional(&config.aggregators)),
        ("flushers", Some(list(&config.flushers))),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn object(change: impl FnOnce(&mut Value)) -> ClusterAliyunPipelineConfig {
        let mut object = json!({
            "apiVersion": "telemetry.alibabacloud.com/v1alpha1", "kind": "ClusterAliyunPipelineConfig",
            "metadata": {"name": "access"},
            "spec": {
                "project": {"name": "project-a"},
                "logstores": [{"name": "store"}],
                "machineGroups": [{"name": "group-a"}],
                "config": {
                    "inputs": [{"Type": "input_file", "FilePaths": ["/var/log/a.log"]}],
                    "processors": [{"Type": "processor_parse_regex_native", "SourceKey": "content",
                        "Regex": "(.*) (.*)", "Keys": ["a", "b"]}],
                    "flushers": [{"Type": "flusher_sls", "Logstore": "store"}],
                },
            },
        });
        change(&mut object);
        serde_json::from_value(object).unwrap()
    }

    fn check(change: impl FnOnce(&mut Value), expected: Expect) {
        let (problems, warnings) = match validate_pipeline(&object(change), &Defaults::default()) {
            Ok(valid) => (Vec::new(), valid.warnings),
            Err(refused) => (refused.problems, refused.warnings),
        };
        let problems = problems.iter().map(|one| format!("{}: {one}\n", one.field()));
        let warnings = warnings.iter().map(|one| format!("warning: {}: {one}\n", one.field()));
        expected.assert_eq(&problems.chain(warnings).collect::<String>());
    }

    #[test]
    fn an_ordinary_object_has_no_problems() {
        check(|_| {}, expect![""]);
        let valid = validate_pipeline(&object(|_| {}), &Defaults::default()).unwrap();
        assert_eq!(Some(valid.desired.target), pipeline_target(&object(|_| {})));
        let DesiredConfig::Pipeline(draft) = valid.desired.config else { panic!("no pipeline") };
        assert_eq!(draft.body.keys().collect::<Vec<_>>(), ["inputs", "processors", "flushers"]);
    }

    #[test]
    fn names_and_ranges_are_checked() {
        check(
            |object| {
                object["metadata"]["name"] = json!("dotted.name");
                object["spec"]["config"]["name"] = json!("name");
                object["spec"]["logstores"] = json!([
                    {"name": "store", "ttl": 10, "hotTtl": 20, "shardCount": 80, "meteringMode": "ChargeByFunction"},
                    {"name": "-", "ttl": 4000, "index": {"keys": 1}, "infrequentAccessTTL": 30},
                ]);
                object["spec"]["machineGroups"] = json!([]);
            },
            expect![[r#"
                metadata.name: Logtail config name "dotted.name" is not valid: use 2 to 128 letters, digits, '-' or '_', beginning and ending with a letter or digit
                spec.machineGroups: empty, and the operator has no default machine group: list the group whose name the sidecar passes as ALIYUN_LOGTAIL_USER_DEFINED_ID, or start the operator with --default-machine-group or --cluster-id
                spec.logstores[0].hotTtl: it is not less than ttl, which is 10: lower it, or set 0 for none
                spec.logstores[0].shardCount: it exceeds maxSplitShard, which is 64: lower it or raise the other
                spec.logstores[1].name: logstore name "-" is not valid: use 2 to 80 lowercase letters, digits, '-' or '_', beginning and ending with a letter or digit
                spec.logstores[1].ttl: 4000 is out of range: use 1 to 3650
                spec.logstores[1].infrequentAccessTTL: it needs a hotTtl, and 60 days of ttl after both: lower it, or set 0 for none
                spec.logstores[1].index: it is no index: invalid type: integer `1`, expected a map; write what the API CreateIndex takes
                spec.config.name: the config is named by metadata.name: remove it
                warning: spec.logstores[0].meteringMode: recorded only: it is not sent to Log Service
            "#]],
        );
    }

    #[test]
    fn parts_are_checked() {
        check(
            |object| {
                object["spec"]["config"]["inputs"] =
                    json!([{"Type": "input_container_stdio", "EnableContainerDiscovery": true}]);
                object["spec"]["config"]["processors"][0]["Keys"] = json!(["a"]);
                object["spec"]["config"]["flushers"] =
                    json!([{"Type": "flusher_kafka", "Logstore": "other"}]);
            },
            expect![[r#"
                spec.config.inputs[0]: input_container_stdio reads what containers print, which only a DaemonSet can: a sidecar collects files; have the program write one, and use input_file
                spec.config.inputs[0].EnableContainerDiscovery: true is for a DaemonSet, which looks into other containers: a sidecar shares a volume with the application instead; remove it
                spec.config.processors[0].Regex: 2 groups and 1 Keys: every log would be unparsed; write a key for each group
                spec.config.flushers[0].Type: "flusher_kafka" does not send to Log Service: use flusher_sls
                warning: spec.config.flushers[0].Logstore: the Logstore "other" is not among spec.logstores: if it does not exist, logs wait for it
            "#]],
        );
        check(
            |object| {
                object["spec"]["config"]["inputs"] = json!([]);
                object["spec"]["config"]["processors"] =
                    json!([{"Regex": "("}, {"Type": "processor_parse_regex_native", "Regex": "("}]);
                object["spec"]["config"]["flushers"] = json!([{"Type": "flusher_sls"}]);
            },
            expect![[r#"
                spec.config.processors[0].Type: missing: write the name of the plugin
                spec.config.inputs: 0 inputs, exactly one is allowed
                spec.config.processors[1].Regex: the regex does not compile: unclosed group
                spec.config.flushers[0].Logstore: logstore name "" is not valid: use 2 to 80 lowercase letters, digits, '-' or '_', beginning and ending with a letter or digit
            "#]],
        );
    }

    #[test]
    fn a_logstore_that_nobody_creates_is_told() {
        check(
            |object| object["spec"]["logstores"] = json!([{"name": "another"}]),
            expect![[r#"
            warning: spec.config.flushers[0].Logstore: the Logstore "store" is not among spec.logstores: if it does not exist, logs wait for it
        "#]],
        );
    }
}
