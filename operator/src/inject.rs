//! Puts the collector beside the containers of a workload, as the vendor's sidecar document does by hand: which
//! directories are shared and for which machine group follows from the AliyunLogConfigs, the rest from a
//! [`Profile`].
//!
//! Pure: objects in, the changed object or a [`Skip`] out. Workloads are edited as JSON, so that what this file
//! does not know stays as it is; [`remove`] takes everything away again. Called by `operator inject`, by
//! the webhook, and by `operator policy`, which makes a fixed form of it.
//!
//! Source of what is added: the vendor's sidecar document; of the native form: Kubernetes' documentation of sidecar
//! containers (init containers that restart always, on by default since 1.29). Labels and annotations are ours.

mod asked;
mod directories;
mod remove;
mod sidecar;
mod skip;
mod workload;

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sls_api::names::MachineGroupName;

use crate::crd::AliyunLogConfig;

pub use asked::SYSTEM_NAMESPACES;
pub use remove::remove;
pub use sidecar::{DRAIN_VARIABLE, GRACE_SECONDS_LEFT};
pub use skip::{NEEDS_WEBHOOK, Skip};
pub use workload::Workload;

/// Name of the container that is added, as in the vendor's document.
pub const CONTAINER: &str = "logtail";
/// Label of the template of the pods: `false` keeps the sidecar out; `true` asks the webhook for one.
pub const ASK_LABEL: &str = "sls.testbed/inject";
/// Annotation of the template: names of AliyunLogConfigs, separated by commas; all of the namespace without it.
pub const CONFIGS_ANNOTATION: &str = "sls.testbed/configs";
/// Annotation of the template: names of the containers that write the logs; all without it.
pub const CONTAINERS_ANNOTATION: &str = "sls.testbed/containers";
/// Label (`true`) and annotation (profile and digest) of a template that has the sidecar.
pub const INJECTED: &str = "sls.testbed/injected";
/// Annotation that the webhook gives to a Pod which it could not give a sidecar: why.
pub const SKIPPED: &str = "sls.testbed/inject-skipped";
/// Annotation of a template that has the sidecar: the volumes that were added with it.
pub const VOLUMES_ANNOTATION: &str = "sls.testbed/volumes";
/// Volumes that are added begin with it.
pub const VOLUME_PREFIX: &str = "sls-log-";
/// Volume of the collector's read positions: they outlive its container.
pub const STATE_VOLUME: &str = "sls-state";

/// What is the same for all workloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Stands in the annotation, so that one sees what an object was made with.
    pub name: String,
    /// Image of the collector.
    pub image: String,
    /// `ilogtail_config.json` in the image, by the region of the service.
    pub config_path: String,
    /// Account to which the logs belong.
    pub account_id: Option<String>,
    /// Machine group of configs that list none.
    pub machine_group: Option<MachineGroupName>,
    /// How the sidecar lives.
    pub form: Form,
    /// Port of the collector's probes in the pod.
    pub probe_port: u16,
    /// Seconds for which a native sidecar may keep the application waiting for its first config.
    pub startup_seconds: u32,
}

/// How the sidecar begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An init container that restarts always: it is there before the application and ends after it.
    Native,
    /// A container beside the others, for clusters before 1.29: in a Job it ends by itself when the work is done.
    Plain,
}

/// What was added to a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injected {
    /// Names of the AliyunLogConfigs, in order.
    pub configs: Vec<String>,
    /// Machine group whose configs the collector gets.
    pub machine_group: String,
    /// Directories that are shared, in order.
    pub directories: Vec<String>,
    /// What deserves a look.
    pub warnings: Vec<String>,
}

/// Adds the sidecar to the pods of a workload. `configs` are those there are, of any namespace.
///
/// # Errors
/// [`Skip`]: it is not asked for, or cannot be; the workload is as it was.
pub fn inject(
    workload: &mut Workload<'_>,
    configs: &[AliyunLogConfig],
    profile: &Profile,
) -> Result<Injected, Skip> {
    asked::check(workload)?;
    let chosen = asked::configs(workload, configs)?;
    let machine_group = asked::machine_group(&chosen, profile)?;
    let malformed = |error: serde_json::Error| Skip::Malformed { error: error.to_string() };
    let pod: PodSpec =
        serde_json::from_value(workload.spec().cloned().unwrap_or_default()).map_err(malformed)?;
    let _: Option<ObjectMeta> =
        serde_json::from_value(workload.metadata().cloned().unwrap_or_default()).map_err(malformed)?;
    let writers = asked::writers(workload, &pod)?;
    let logs = asked::directories(&chosen)?;
    let shared = directories::share(&pod, &writers, &logs)?;

    let container = sidecar::container(workload, &pod, &shared, &machine_group, profile);
    let names: Vec<String> = chosen.iter().filter_map(|config| config.metadata.name.clone()).collect();
    let injected = Injected {
        configs: names,
        machine_group,
        directories: logs.iter().cloned().collect(),
        warnings: shared.warnings.clone(),
    };
    let mark = mark(profile, &container);
    let volumes = shared.new_volumes().collect::<Vec<_>>().join(",");
    let marks = [
        ("labels", INJECTED, "true"),
        ("annotations", INJECTED, mark.as_str()),
        ("annotations", VOLUMES_ANNOTATION, volumes.as_str()),
    ];
    for (of, name, value) in marks {
        if let Some(marks) = workload.metadata_mut().and_then(|metadata| object(metadata, of)) {
            marks.insert(name.to_owned(), value.into());
        }
    }
    if let Some(spec) = workload.spec_mut() {
        shared.apply(spec);
        match profile.form {
            // The first: those behind it begin when it collects.
            Form::Native => insert(spec, "initContainers", At::Begin, container),
            Form::Plain => insert(spec, "containers", At::End, container),
        }
    }
    Ok(injected)
}

/// What is the same for all Pods of a namespace that ask for these configs.
#[derive(Debug, Clone, PartialEq)]
pub struct Fixed {
    /// Directories that are shared, in order.
    pub directories: Vec<String>,
    /// The container, without what follows from a Pod: mounts but that of its state, confinement, time at the end.
    pub container: Map<String, Value>,
    /// Profile and digest.
    pub mark: String,
}

/// What is the same for all Pods of `namespace` that ask for all of its configs.
///
/// # Errors
/// [`Skip`]: no Pod of it can have a sidecar.
pub fn fixed(namespace: &str, configs: &[AliyunLogConfig], profile: &Profile) -> Result<Fixed, Skip> {
    let mut pod = json!({"kind": "Pod", "spec": {"containers": []}});
    let malformed = |error: &str| Skip::Malformed { error: error.to_owned() };
    let workload = Workload::of(&mut pod, Some(namespace)).ok_or_else(|| malformed("no Pod"))?;
    asked::check(&workload)?;
    let chosen = asked::configs(&workload, configs)?;
    let machine_group = asked::machine_group(&chosen, profile)?;
    let directories = asked::directories(&chosen)?.into_iter().collect();
    let shared = directories::Shared::default();
    let container = sidecar::container(&workload, &PodSpec::default(), &shared, &machine_group, profile);
    let mark = mark(profile, &container);
    let Value::Object(container) = container else { return Err(malformed("no container")) };
    Ok(Fixed { directories, container, mark })
}

/// Profile and digest of what was added: another one where it would be made otherwise today.
fn mark(profile: &Profile, container: &Value) -> String {
    let digest = Sha256::digest(container.to_string());
    let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{}@{short}", profile.name)
}

/// Puts an element into the list of this name, which is made if there is none.
fn insert(of: &mut Map<String, Value>, list: &str, at: At, element: Value) {
    let value = of.entry(list).or_insert_with(|| json!([]));
    if value.is_null() {
        *value = json!([]);
    }
    if let Some(list) = value.as_array_mut() {
        list.insert(if at == At::Begin { 0 } else { list.len() }, element);
    }
}

/// Where in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Begin,
    End,
}

/// The object of this name, made if there is none.
fn object<'a>(of: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    let value = of.entry(name).or_insert_with(|| json!({}));
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut()
}

/// Texts with a blank and comma between them.
fn listed<T: std::fmt::Display>(all: impl IntoIterator<Item = T>) -> String {
    all.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
}

/// What is left of a list that is separated by commas; none for no list, or an empty one.
fn names(list: Option<&str>) -> Option<BTreeSet<&str>> {
    let names: BTreeSet<&str> = list?.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests;
