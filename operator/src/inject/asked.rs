//! What is asked for: which configs a workload gets, which of its containers write logs, and where.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use super::{
    ASK_LABEL, CONFIGS_ANNOTATION, CONTAINER, CONTAINERS_ANNOTATION, Profile, Skip, Workload, names,
};
use crate::crd::{AliyunLogConfig, InputType};

/// Namespaces of the cluster itself. Source: Kubernetes' documentation, "Initial namespaces".
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// Whether the workload wants a sidecar, and has none.
pub(super) fn check(workload: &Workload<'_>) -> Result<(), Skip> {
    if workload.mark("labels", ASK_LABEL) == Some("false") {
        return Err(Skip::OptedOut);
    }
    if SYSTEM_NAMESPACES.contains(&workload.namespace()) {
        return Err(Skip::SystemNamespace);
    }
    let has = |list| {
        let containers = workload.spec().and_then(|spec| spec.get(list)).and_then(Value::as_array);
        containers.into_iter().flatten().any(|one| one.get("name").is_some_and(|name| name == CONTAINER))
    };
    if has("containers") || has("initContainers") { Err(Skip::AlreadyThere) } else { Ok(()) }
}

/// The configs that the workload names, or all of its namespace that read files; in order of their names.
pub(super) fn configs<'c>(
    workload: &Workload<'_>,
    configs: &'c [AliyunLogConfig],
) -> Result<Vec<&'c AliyunLogConfig>, Skip> {
    let namespace = workload.namespace();
    let mut here: Vec<_> = configs.iter().filter(|config| namespace_of(config) == namespace).collect();
    here.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    let Some(wanted) = names(workload.mark("annotations", CONFIGS_ANNOTATION)) else {
        here.retain(|config| reads_files(config));
        let none = || Skip::NoConfig { namespace: namespace.to_owned() };
        return if here.is_empty() { Err(none()) } else { Ok(here) };
    };
    let find = |name: &str| {
        let config =
            here.iter().find(|config| name_of(config) == name).ok_or_else(|| Skip::UnknownConfig {
                name: name.to_owned(),
                namespace: namespace.to_owned(),
                there: here.iter().map(|config| name_of(config).to_owned()).collect(),
            })?;
        if reads_files(config) { Ok(*config) } else { Err(Skip::ContainerConfig { name: name.to_owned() }) }
    };
    wanted.into_iter().map(find).collect()
}

/// The group of which all configs are; the first by name, if there are several.
pub(super) fn machine_group(configs: &[&AliyunLogConfig], profile: &Profile) -> Result<String, Skip> {
    let mut common: Option<BTreeSet<String>> = None;
    let mut all = BTreeSet::new();
    for config in configs {
        let mut groups: BTreeSet<String> =
            config.spec.machine_groups.iter().flatten().filter(|group| !group.is_empty()).cloned().collect();
        if groups.is_empty() {
            groups.extend(profile.machine_group.as_ref().map(ToString::to_string));
        }
        if groups.is_empty() {
            return Err(Skip::NoMachineGroup { name: name_of(config).to_owned() });
        }
        all.extend(groups.iter().cloned());
        common = Some(match common {
            None => groups,
            Some(common) => common.intersection(&groups).cloned().collect(),
        });
    }
    let first = common.and_then(|common| common.into_iter().next());
    first.ok_or_else(|| Skip::NoCommonGroup { groups: all.into_iter().collect() })
}

/// Names of the containers that write the logs.
pub(super) fn writers(workload: &Workload<'_>, pod: &PodSpec) -> Result<Vec<String>, Skip> {
    let there: Vec<String> = pod.containers.iter().map(|container| container.name.clone()).collect();
    let Some(wanted) = names(workload.mark("annotations", CONTAINERS_ANNOTATION)) else { return Ok(there) };
    match wanted.iter().find(|name| !there.iter().any(|there| there == *name)) {
        Some(name) => Err(Skip::UnknownContainer { name: (*name).to_owned(), there }),
        None => Ok(there.into_iter().filter(|name| wanted.contains(name.as_str())).collect()),
    }
}

/// The directories of the configs, without those inside of another.
pub(super) fn directories(configs: &[&AliyunLogConfig]) -> Result<BTreeSet<String>, Skip> {
    let mut all = BTreeSet::new();
    for config in configs {
        let path = config.spec.logtail_config.input_detail.get("logPath").and_then(Value::as_str);
        let path = path.unwrap_or_default();
        let directory = directory(path)
            .ok_or_else(|| Skip::NoDirectory { name: name_of(config).to_owned(), path: path.to_owned() })?;
        all.insert(directory);
    }
    Ok(all.iter().filter(|one| !all.iter().any(|other| is_inside(one, other))).cloned().collect())
}

/// The directory above the first part with a wildcard. None for a relative path, and for the root, which cannot be
/// a volume.
fn directory(path: &str) -> Option<String> {
    let parts = path.strip_prefix('/')?.split('/').filter(|part| !part.is_empty());
    let fixed: Vec<&str> = parts.take_while(|part| !part.contains(['*', '?'])).collect();
    (!fixed.is_empty() && !fixed.contains(&"..")).then(|| format!("/{}", fixed.join("/")))
}

/// Whether a path is below another, and not the same.
pub(super) fn is_inside(path: &str, of: &str) -> bool {
    path.strip_prefix(of.trim_end_matches('/')).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
}

fn reads_files(config: &AliyunLogConfig) -> bool {
    let of_containers = config.spec.logtail_config.input_detail.get("dockerFile");
    config.spec.logtail_config.input_type == InputType::File && of_containers != Some(&Value::Bool(true))
}

fn name_of(config: &AliyunLogConfig) -> &str {
    config.metadata.name.as_deref().unwrap_or_default()
}

fn namespace_of(config: &AliyunLogConfig) -> &str {
    config.metadata.namespace.as_deref().unwrap_or("default")
}
