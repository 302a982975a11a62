//! Takes away what was added.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{CONTAINER, INJECTED, VOLUMES_ANNOTATION, Workload, names};

/// Removes the sidecar from the pods of a workload, with its volumes and marks; true if it was there. A sidecar
/// that somebody wrote by hand has no mark, and stays.
pub fn remove(workload: &mut Workload<'_>) -> bool {
    if workload.mark("annotations", INJECTED).is_none() {
        return false;
    }
    let volumes: BTreeSet<String> = names(workload.mark("annotations", VOLUMES_ANNOTATION))
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect();
    let is_ours = |one: &Value| text(one, "name").is_some_and(|name| volumes.contains(name));
    prune(workload.template_mut(), "metadata", |metadata| {
        let Some(metadata) = metadata.as_object_mut() else { return };
        for of in ["labels", "annotations"] {
            prune(metadata, of, |marks| {
                if let Some(marks) = marks.as_object_mut() {
                    marks.shift_remove(INJECTED);
                    marks.shift_remove(VOLUMES_ANNOTATION);
                }
            });
        }
    });
    let Some(spec) = workload.spec_mut() else { return true };
    for list in ["initContainers", "containers"] {
        keep(spec, list, |one| text(one, "name") != Some(CONTAINER));
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                keep(container, "volumeMounts", |one| !is_ours(one));
            }
        }
    }
    keep(spec, "volumes", |one| !is_ours(one));
    true
}

fn text<'v>(of: &'v Value, name: &str) -> Option<&'v str> {
    of.get(name)?.as_str()
}

/// Leaves out the elements of a list that are not wanted; no list is left empty by it.
fn keep(of: &mut Map<String, Value>, list: &str, wanted: impl Fn(&Value) -> bool) {
    prune(of, list, |list| {
        if let Some(list) = list.as_array_mut() {
            list.retain(|one| wanted(one));
        }
    });
}

/// Changes a member, and removes it if nothing is left of it that was there before.
fn prune(of: &mut Map<String, Value>, name: &str, change: impl FnOnce(&mut Value)) {
    let Some(member) = of.get_mut(name) else { return };
    let was_empty = is_empty(member);
    change(member);
    if is_empty(member) && !was_empty {
        of.shift_remove(name);
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}
