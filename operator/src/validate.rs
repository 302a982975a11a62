//! `AliyunLogConfig` → [`Desired`], or every problem found; in [`pipeline`] the same for the newer kind.
//!
//! One pure function for the controller and for `operator validate`. It repeats what the CRD's schema
//! and rules already refuse, because objects stored under an older CRD never met them, and adds what
//! they cannot express: regular expressions that compile, groups that equal keys, names that depend on
//! metadata.name. A problem stops the object; a warning does not.

mod pipeline;
mod problem;

pub use pipeline::{pipeline_target, validate_pipeline};
pub use problem::{SpecProblem, Warning};

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use kube::api::ObjectMeta;
use serde_json::{Map, Value};
use sls_api::logtail::{self, Severity};
use sls_api::names::{ConfigName, LogstoreName, MachineGroupName, ProjectName};

use crate::allowed::AllowedProjects;
use crate::crd::{
    ADOPT_ANNOTATION, AliyunLogConfig, AliyunLogConfigSpec, InputType, LOGSTORE_UPDATE_ANNOTATION,
    LogstoreMode, MeteringMode,
};
use crate::desired::{
    ClassicConfig, Desired, DesiredConfig, DesiredLogstore, Dialect, LIFE_CYCLE_DAYS_DEFAULT,
    LIFE_CYCLE_DAYS_FOREVER, MAX_SPLIT_SHARD_DEFAULT, Owner, Target,
};

/// Largest number of bytes of a log sample plus one. Source: vendor's CRD document ("less than 1500").
const LOG_SAMPLE_BYTES_END: usize = 1500;
/// Machine groups of one object. Source: operator specification §3.2; the service's own limit is not
/// known.
const MACHINE_GROUPS_MAX: usize = 10;
/// Tags of one object: a resource has at most 20, one of which says whose it is. Source: OpenAPI model comments.
const CONFIG_TAGS_MAX: usize = 19;
/// Characters of a key or a value of a tag. Source: tag API of other services of the vendor.
const TAG_CHARS_MAX: usize = 128;
/// What keys of tags must not begin with. Source: tag API of other services of the vendor; the last is the operator's.
const RESERVED_TAGS: [&str; 3] = ["aliyun", "acs:", "sls.testbed/"];
/// Keys that inputType file cannot do without. Source: LogtailConfig API.
const FILE_KEYS: [&str; 3] = ["logType", "logPath", "filePattern"];

/// Inputs that read what containers print. Source: documents of the vendor's agent and of its open edition.
const OUTPUT_INPUTS: [&str; 2] = ["service_docker_stdout", "input_container_stdio"];

/// What the operator fills in where an object says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Project of objects without one.
    pub project: Option<ProjectName>,
    /// Machine group of objects without any.
    pub machine_group: Option<MachineGroupName>,
    /// Account to which the operator's credentials belong.
    pub account_id: Option<String>,
    /// Whether the operator may have keys of further accounts. Which, shows when one is needed.
    pub has_accounts: bool,
    /// Which namespaces may use which projects.
    pub allowed: AllowedProjects,
    /// Id of the cluster that the operator serves; without it nobody is told whose a config is.
    pub cluster: Option<String>,
}

/// A valid object.
#[derive(Clone, Debug, PartialEq)]
pub struct Valid {
    /// What it asks for.
    pub desired: Desired,
    /// What deserves a look although it is applied.
    pub warnings: Vec<Warning>,
}

/// An object that is not sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// Why; never empty.
    pub problems: Vec<SpecProblem>,
    /// What else deserves a look.
    pub warnings: Vec<Warning>,
}

/// Judges `cr`; finds everything at once.
pub fn validate(cr: &AliyunLogConfig, defaults: &Defaults) -> Result<Valid, Refused> {
    let mut found = Found::default();
    let name = cr.name_any();
    let project = found.keep(project(&cr.spec, defaults));
    if let Some(project) = &project {
        // A file may leave the namespace to whoever applies it.
        let namespace = cr.metadata.namespace.as_deref().unwrap_or("default");
        let allowed = defaults.allowed.check(namespace, project.as_str());
        found.keep(allowed.map_err(|rules| SpecProblem::ProjectNotAllowed {
            project: project.to_string(),
            namespace: namespace.to_owned(),
            rules,
        }));
    }
    let config_name = found.keep(config_name(&cr.spec, &name));
    let listed = cr.spec.machine_groups.iter().flatten().map(String::as_str);
    let machine_groups = machine_groups(listed, |n| format!("spec.machineGroups[{n}]"), defaults, &mut found);
    let logstore = logstore(&cr.spec, &mut found);
    let account = account("spec.uid", &cr.spec.uid, defaults, &mut found);
    let config = config(&cr.spec, &mut found);

    if let Some(config) = &config_name
        && config.as_str() != name
    {
        found.warnings.push(Warning::NameDiffers { config: config.to_string(), object: name });
    }
    if let Some(product) = set(&cr.spec.product_code) {
        found.warnings.push(Warning::ProductIgnored { product: product.to_owned() });
    }
    if cr.spec.logstore_metering_mode.is_some() {
        found.warnings.push(Warning::MeteringNotSent);
    }
    let tags = cr.spec.config_tags.clone().unwrap_or_default();
    tags_problems(&tags, &mut found);
    match (project, config_name, logstore, found.problems.is_empty()) {
        (Some(project), Some(config_name), Some(logstore), true) => Ok(Valid {
            desired: Desired {
                target: Target { project, config: config_name },
                endpoint: set(&cr.spec.endpoint).map(str::to_owned),
                account,
                project_description: None,
                destination: logstore.name.clone(),
                logstores: vec![logstore],
                machine_groups,
                exact_groups: false,
                config: DesiredConfig::Classic(config),
                tags,
                owner: owner(&cr.metadata, defaults),
                updates_logstores: is_set(&cr.metadata, LOGSTORE_UPDATE_ANNOTATION),
            },
            warnings: found.warnings,
        }),
        _ => Err(Refused { problems: found.problems, warnings: found.warnings }),
    }
}

/// The target that `cr` lays claim to, valid or not; `None` when it does not even name one.
pub fn claimed_target(cr: &AliyunLogConfig, defaults: &Defaults) -> Option<Target> {
    Some(Target {
        project: project(&cr.spec, defaults).ok()?,
        config: config_name(&cr.spec, &cr.name_any()).ok()?,
    })
}

/// Whether `cr` lays claim to `target`. Cheaper than [`claimed_target`]: every object is asked for every
/// other.
pub fn claims(cr: &AliyunLogConfig, target: &Target, defaults: &Defaults) -> bool {
    let config = set(&cr.spec.logtail_config.config_name).or(cr.metadata.name.as_deref());
    let project = set(&cr.spec.project).or(defaults.project.as_ref().map(ProjectName::as_str));
    config == Some(target.config.as_str()) && project == Some(target.project.as_str())
}

/// Whose the config is to be.
fn owner(meta: &ObjectMeta, defaults: &Defaults) -> Option<Owner> {
    let name = meta.name.as_deref().unwrap_or_default();
    Some(Owner {
        cluster: defaults.cluster.clone()?,
        object: meta
            .namespace
            .as_ref()
            .map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}")),
        adopts: is_set(meta, ADOPT_ANNOTATION),
    })
}

fn is_set(meta: &ObjectMeta, annotation: &str) -> bool {
    meta.annotations.as_ref().and_then(|all| all.get(annotation)).is_some_and(|value| value == "true")
}

fn tags_problems(tags: &BTreeMap<String, String>, found: &mut Found) {
    found.require(tags.len() <= CONFIG_TAGS_MAX, || SpecProblem::TooManyTags {
        count: tags.len(),
        max: CONFIG_TAGS_MAX,
    });
    for (key, value) in tags {
        let reserved = RESERVED_TAGS.iter().find(|prefix| key.starts_with(**prefix));
        let size = |text: &str| text.chars().count() <= TAG_CHARS_MAX;
        let problem = match reserved {
            Some(prefix) => Some(format!("keys must not begin with {prefix:?}: choose another")),
            None if key.is_empty() => Some("a key must not be empty".to_owned()),
            None if !size(key) || !size(value) => {
                Some(format!("keys and values have at most {TAG_CHARS_MAX} characters: shorten it"))
            }
            None => None,
        };
        found.problems.extend(problem.map(|message| SpecProblem::Tag { key: key.clone(), message }));
    }
}

/// Collects problems so that one does not hide the next.
#[derive(Default)]
struct Found {
    problems: Vec<SpecProblem>,
    warnings: Vec<Warning>,
}

impl Found {
    fn keep<T>(&mut self, result: Result<T, SpecProblem>) -> Option<T> {
        result.map_err(|problem| self.problems.push(problem)).ok()
    }

    fn require(&mut self, holds: bool, problem: impl FnOnce() -> SpecProblem) {
        if !holds {
            self.problems.push(problem());
        }
    }

    /// The value when it lies in `min..=max`; nothing, and a problem, when it does not.
    fn range(&mut self, field: &'static str, value: Option<i32>, min: u32, max: u32) -> Option<u32> {
        let value = value?;
        match u32::try_from(value) {
            Ok(number) if (min..=max).contains(&number) => Some(number),
            _ => {
                self.problems.push(SpecProblem::OutOfRange { field, value, min, max });
                None
            }
        }
    }
}

/// A string that says something: legacy objects hold "" for "not set".
fn set(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|text| !text.is_empty())
}

fn project(spec: &AliyunLogConfigSpec, defaults: &Defaults) -> Result<ProjectName, SpecProblem> {
    match set(&spec.project) {
        Some(name) => {
            name.parse().map_err(|source| SpecProblem::Name { field: "spec.project".into(), source })
        }
        None => defaults.project.clone().ok_or(SpecProblem::NoProject),
    }
}

fn config_name(spec: &AliyunLogConfigSpec, object: &str) -> Result<ConfigName, SpecProblem> {
    match set(&spec.logtail_config.config_name) {
        Some(name) => name
            .parse()
            .map_err(|source| SpecProblem::Name { field: "spec.logtailConfig.configName".into(), source }),
        None => object.parse().map_err(|_| SpecProblem::NoConfigName { object: object.to_owned() }),
    }
}

/// The machine groups of a spec, or the operator's; as written, valid or not.
pub fn machine_group_names<'a>(
    spec: &'a AliyunLogConfigSpec,
    defaults: &'a Defaults,
) -> impl Iterator<Item = &'a str> {
    let listed = spec.machine_groups.as_deref().unwrap_or_default();
    let default = defaults.machine_group.iter().filter(|_| listed.is_empty()).map(MachineGroupName::as_str);
    listed.iter().map(String::as_str).chain(default)
}

fn machine_groups<'a>(
    listed: impl Iterator<Item = &'a str>,
    field: impl Fn(usize) -> String,
    defaults: &Defaults,
    found: &mut Found,
) -> BTreeSet<MachineGroupName> {
    let listed: Vec<&str> = listed.collect();
    found.require(listed.len() <= MACHINE_GROUPS_MAX, || SpecProblem::TooManyGroups {
        count: listed.len(),
        max: MACHINE_GROUPS_MAX,
    });
    if listed.is_empty() {
        found.require(defaults.machine_group.is_some(), || SpecProblem::NoMachineGroup);
        return defaults.machine_group.iter().cloned().collect();
    }
    let mut groups = BTreeSet::new();
    for (index, name) in listed.into_iter().take(MACHINE_GROUPS_MAX).enumerate() {
        let field = field(index);
        groups.extend(found.keep(name.parse().map_err(|source| SpecProblem::Name { field, source })));
    }
    groups
}

fn logstore(spec: &AliyunLogConfigSpec, found: &mut Found) -> Option<DesiredLogstore> {
    let name: Option<LogstoreName> = found.keep(
        spec.logstore.parse().map_err(|source| SpecProblem::Name { field: "spec.logstore".into(), source }),
    );
    let shard_count = found.range("spec.shardCount", spec.shard_count, 1, 10);
    let max_split_shard = found.range("spec.logstoreMaxSplitShard", spec.logstore_max_split_shard, 1, 256);
    let max_split = max_split_shard.unwrap_or(MAX_SPLIT_SHARD_DEFAULT);
    if let Some(shards) = shard_count.filter(|shards| *shards > max_split) {
        found.problems.push(SpecProblem::ShardsExceedSplit { shards, max_split });
    }
    let life_cycle = found.range("spec.lifeCycle", spec.life_cycle, 1, 7300);
    let hot = spec.logstore_hot_ttl.filter(|days| *days != 0);
    let hot_ttl_days = found.range("spec.logstoreHotTTL", hot, 7, 7300);
    let life_cycle_days = life_cycle.unwrap_or(LIFE_CYCLE_DAYS_DEFAULT);
    if let Some(hot) = hot_ttl_days.filter(|hot| *hot >= life_cycle_days) {
        found.problems.push(SpecProblem::HotTtlTooLong { hot, life_cycle: life_cycle_days });
    }
    let query = spec.logstore_mode == Some(LogstoreMode::Query);
    found.require(!(query && spec.logstore_metering_mode == Some(MeteringMode::ChargeByDataIngest)), || {
        SpecProblem::QueryMetering
    });
    Some(DesiredLogstore {
        name: name?,
        dialect: Dialect::Classic,
        shard_count,
        life_cycle_days: life_cycle.map(|days| days.min(LIFE_CYCLE_DAYS_FOREVER)),
        hot_ttl_days,
        infrequent_ttl_days: None,
        mode: spec.logstore_mode,
        auto_split: spec.logstore_auto_split,
        max_split_shard,
        telemetry_type: spec.logstore_telemetry_type,
        append_meta: spec.logstore_append_meta,
        enable_tracking: spec.logstore_enable_tracking,
        encrypt: spec.logstore_encrypt_conf.clone(),
        index: None,
    })
}

/// The account to use instead of the operator's own, if any.
pub fn other_account(uid: &Option<String>, defaults: &Defaults) -> Option<String> {
    set(uid).filter(|uid| defaults.account_id.as_deref() != Some(uid)).map(str::to_owned)
}

fn account(
    field: &'static str,
    uid: &Option<String>,
    defaults: &Defaults,
    found: &mut Found,
) -> Option<String> {
    let other = other_account(uid, defaults);
    if let Some(uid) = &other {
        found.require(defaults.has_accounts, || SpecProblem::ForeignAccount {
            field,
            uid: uid.clone(),
            own: defaults.account_id.clone(),
        });
    }
    other
}

fn config(spec: &AliyunLogConfigSpec, found: &mut Found) -> ClassicConfig {
    let config = &spec.logtail_config;
    let sample = config.log_sample.clone().unwrap_or_default();
    found.require(sample.len() < LOG_SAMPLE_BYTES_END, || SpecProblem::SampleTooLong { bytes: sample.len() });
    let mut detail = without_nulls(&config.input_detail);
    match config.input_type {
        InputType::File => {
            for key in FILE_KEYS.into_iter().filter(|key| !detail.contains_key(*key)) {
                found.problems.push(SpecProblem::MissingKey { key, input_type: "file" });
            }
        }
        InputType::Plugin => {
            found.require(detail.get("plugin").is_some_and(Value::is_object), || SpecProblem::MissingKey {
                key: "plugin",
                input_type: "plugin",
            });
        }
    }
    let inputs = detail.get("plugin").and_then(|plugin| plugin.get("inputs")).and_then(Value::as_array);
    for (index, input) in inputs.into_iter().flatten().enumerate() {
        // Classic configs name the kind of an input `type`, pipelines `Type`.
        let kind = ["type", "Type"].iter().find_map(|key| input.get(key)?.as_str()).unwrap_or_default();
        found.require(!OUTPUT_INPUTS.contains(&kind), || SpecProblem::ContainerOutput {
            index,
            input: kind.to_owned(),
        });
    }
    let checked = match config.input_type {
        InputType::File => logtail::check_input_detail(&detail),
        InputType::Plugin => Vec::new(),
    };
    for problem in checked {
        match problem.severity {
            // The service takes it, but here are sidecars only.
            _ if problem.field == "dockerFile" => found.problems.push(SpecProblem::InputDetail(problem)),
            Severity::Error => found.problems.push(SpecProblem::InputDetail(problem)),
            Severity::Warning => found.warnings.push(Warning::InputDetail(problem)),
        }
    }
    logtail::complete_input_detail(&mut detail);
    ClassicConfig { input_type: config.input_type, input_detail: detail, log_sample: sample }
}

/// The map without explicit nulls: in a legacy object null means "not set".
fn without_nulls(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests;
