//! Between the stored form of an object and the form a client sees: the API
//! version of the request, and the two faces of events.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::meta;
use crate::registry::Resource;
use crate::store::Object;

/// `events.k8s.io/v1` name, stored (core) name.
const EVENT_FIELDS: [(&str, &str); 8] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("reportingInstance", "reportingInstance"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

/// The API version of the other face.
const NEW_EVENTS: &str = "events.k8s.io/v1";

fn is_new_event(resource: &Resource) -> bool {
    resource.group == "events.k8s.io" && resource.kind == "Event"
}

/// Owned fields, as `fieldsV1` of an entry of `managedFields` in this API version names them.
pub fn fields_to_wire(api_version: &str, fields: &mut Value) {
    rename_owned(api_version, fields, |(new, core)| (core, new));
}

/// The same fields by the names of the stored form.
pub fn fields_to_stored(api_version: &str, fields: &mut Value) {
    rename_owned(api_version, fields, |pair| pair);
}

fn rename_owned(
    api_version: &str,
    fields: &mut Value,
    direction: fn((&'static str, &'static str)) -> (&'static str, &'static str),
) {
    let Some(map) = fields.as_object_mut().filter(|_| api_version == NEW_EVENTS) else { return };
    for (from, to) in EVENT_FIELDS.map(direction) {
        if let Some(value) = map.remove(&format!("f:{from}")) {
            map.insert(format!("f:{to}"), value);
        }
    }
}

fn rename(map: &mut Map<String, Value>, pairs: impl Iterator<Item = (&'static str, &'static str)>) {
    for (from, to) in pairs {
        if from != to
            && let Some(value) = map.remove(from)
        {
            map.insert(to.to_owned(), value);
        }
    }
}

/// The form the client of this resource sees.
pub fn to_wire(resource: &Resource, object: &Object) -> Object {
    let api_version = resource.api_version();
    if meta::str_at(object, &["apiVersion"]) == api_version {
        return object.clone();
    }
    let mut value = Value::clone(object);
    if let Some(map) = value.as_object_mut() {
        if is_new_event(resource) {
            rename(map, EVENT_FIELDS.iter().map(|(new, core)| (*core, *new)));
            // The core form shows these even when they are empty.
            for field in ["reportingController", "reportingInstance"] {
                if map.get(field).and_then(Value::as_str) == Some("") {
                    map.remove(field);
                }
            }
        }
        map.insert("apiVersion".into(), api_version.into());
    }
    Arc::new(value)
}

/// The form in which an object of this resource is stored.
pub fn to_stored(resource: &Resource, object: &mut Value) {
    if !is_new_event(resource) {
        return;
    }
    if let Some(map) = object.as_object_mut() {
        rename(map, EVENT_FIELDS.iter().copied());
        map.insert("apiVersion".into(), "v1".into());
    }
}

/// The stored path of a field that a client of this resource names.
pub fn stored_path(resource: &Resource, path: &str) -> String {
    let (first, rest) = path.split_once('.').map_or((path, ""), |(first, rest)| (first, rest));
    let renamed =
        EVENT_FIELDS.iter().find(|(new, _)| is_new_event(resource) && *new == first).map(|(_, core)| *core);
    match (renamed, rest) {
        (Some(core), "") => core.to_owned(),
        (Some(core), rest) => format!("{core}.{rest}"),
        (None, _) => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use serde_json::json;

    #[test]
    fn both_event_groups_show_the_same_object() {
        let registry = Registry::with_builtins();
        let new = registry.find("events.k8s.io", "v1", "events").unwrap();
        let core = registry.find("", "v1", "events").unwrap();
        let sent = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "regarding": {"name": "p"}, "note": "n",
                          "reportingController": "c", "series": {"count": 2}});
        let mut stored = sent.clone();
        to_stored(&new, &mut stored);
        let stored = Arc::new(stored);
        assert_eq!(
            *to_wire(&core, &stored),
            json!({"apiVersion": "v1", "kind": "Event", "involvedObject": {"name": "p"}, "message": "n",
                   "reportingComponent": "c", "series": {"count": 2}})
        );
        assert_eq!(*to_wire(&new, &stored), sent);
    }
}
