//! The controllers of the control plane that have no place of their own:
//! garbage collection by owner references, the end of namespaces and of CRDs.
//! One task runs them; writes only note what there may be to do.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Notify;

use crate::meta;
use crate::registry::Resource;
use crate::rest::delete::{self, Options};
use crate::rest::write;
use crate::state::State;
use crate::store::{Key, Object};

/// Finalizer of CRDs whose objects are still to be removed.
pub const CRD_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

#[derive(Debug, Default)]
struct Work {
    /// Owners that are gone.
    gone: BTreeSet<String>,
    /// Objects with owner references that have not been checked.
    owned: BTreeSet<Key>,
    /// Namespaces that are being deleted.
    namespaces: BTreeSet<String>,
    /// CRDs that are being deleted.
    crds: BTreeSet<String>,
}

impl Work {
    fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.owned.is_empty()
    }
}

/// What there may be to do.
#[derive(Debug, Default)]
pub struct Gc {
    work: Mutex<Work>,
    wake: Notify,
}

impl Gc {
    fn with<T>(&self, change: impl FnOnce(&mut Work) -> T) -> T {
        change(&mut self.work.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes an object that was created or replaced.
    pub fn stored(&self, resource: &Resource, object: &Object) {
        let name = meta::name(object).to_owned();
        self.with(|work| {
            if !owners(object).is_empty() {
                work.owned.insert(State::key(resource, meta::namespace(object), &name));
            }
            if meta::is_deleting(object) && resource.is("", "Namespace") {
                work.namespaces.insert(name);
            } else if meta::is_deleting(object)
                && resource.is("apiextensions.k8s.io", "CustomResourceDefinition")
            {
                work.crds.insert(name);
            }
        });
        self.wake.notify_one();
    }

    /// Notes an object that is gone.
    pub fn removed(&self, object: &Object) {
        self.with(|work| {
            work.gone.insert(meta::uid(object).to_owned());
        });
        self.wake.notify_one();
    }
}

fn owners(object: &Value) -> Vec<&Value> {
    let list = meta::at(object, &["metadata", "ownerReferences"]).and_then(Value::as_array);
    list.into_iter().flatten().collect()
}

fn is_owned_by(object: &Value, uid: &str) -> bool {
    owners(object).iter().any(|o| meta::str_at(o, &["uid"]) == uid)
}

/// Runs for ever; the owner of the task aborts it.
pub async fn run(state: Arc<State>) {
    let mut sweep = tokio::time::interval(EVENT_SWEEP_INTERVAL);
    loop {
        tokio::select! {
            () = state.gc.wake.notified() => {}
            _ = sweep.tick() => expire_events(&state, Timestamp::now()),
        }
        loop {
            step(&state);
            if state.gc.with(|work| work.is_empty()) {
                break;
            }
            // Lets requests in between steps of a long collection.
            tokio::task::yield_now().await;
        }
    }
}

/// How long events are kept. Source: kube-apiserver's default.
const EVENT_TTL_SECONDS: i64 = 3600;
/// Time between looks for old events.
const EVENT_SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Removes events that nobody has touched for a while.
fn expire_events(state: &State, now: Timestamp) {
    let Some(events) = state.registry.find("", "v1", "events") else { return };
    for ((namespace, name), event) in state.store.snapshot(&events.storage).objects {
        let fields: [&[&str]; 4] = [
            &["series", "lastObservedTime"],
            &["lastTimestamp"],
            &["eventTime"],
            &["metadata", "creationTimestamp"],
        ];
        let last =
            fields.iter().filter_map(|path| meta::str_at(&event, path).parse::<Timestamp>().ok()).max();
        if last.is_some_and(|at| now.as_second() - at.as_second() > EVENT_TTL_SECONDS) {
            let key = Key { resource: events.storage.clone(), namespace, name };
            // Failing means that someone else was faster.
            let _ = delete::delete(state, &events, &key, &Options::default());
        }
    }
}

fn step(state: &State) {
    let (gone, owned) =
        state.gc.with(|work| (std::mem::take(&mut work.gone), std::mem::take(&mut work.owned)));
    let mut candidates = owned;
    if !gone.is_empty() {
        let dependents =
            all_objects(state, |o| owners(o).iter().any(|r| gone.contains(meta::str_at(r, &["uid"]))));
        candidates.extend(dependents.into_iter().map(|(_, key, _)| key));
    }
    for key in candidates {
        if let Some(resource) = state.registry.find_storage(&key.resource) {
            collect(state, &resource, &key, &gone);
        }
    }
    for name in state.gc.with(|work| work.namespaces.clone()) {
        end_namespace(state, &name);
    }
    for name in state.gc.with(|work| work.crds.clone()) {
        end_crd(state, &name);
    }
}

/// Every stored object that passes the test.
fn all_objects(state: &State, test: impl Fn(&Value) -> bool) -> Vec<(Arc<Resource>, Key, Object)> {
    let mut out = Vec::new();
    for storage in state.store.resources() {
        let Some(resource) = state.registry.find_storage(&storage) else { continue };
        for ((namespace, name), object) in state.store.snapshot(&storage).objects {
            if test(&object) {
                out.push((resource.clone(), Key { resource: storage.clone(), namespace, name }, object));
            }
        }
    }
    out
}

/// True unless the owner is known to be gone. An owner of a kind that is not
/// served cannot be looked up and counts as there, as on the real server.
fn owner_exists(state: &State, owner: &Value, namespace: &str, gone: &BTreeSet<String>) -> bool {
    let uid = meta::str_at(owner, &["uid"]);
    if gone.contains(uid) {
        return false;
    }
    let api_version = meta::str_at(owner, &["apiVersion"]);
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let Some(resource) = state.registry.find_kind(group, meta::str_at(owner, &["kind"])) else { return true };
    let key = State::key(&resource, namespace, meta::str_at(owner, &["name"]));
    state.store.get(&key).is_some_and(|object| meta::uid(&object) == uid)
}

/// Deletes an object all of whose owners are gone.
fn collect(state: &State, resource: &Resource, key: &Key, gone: &BTreeSet<String>) {
    let Some(object) = state.store.get(key) else { return };
    let owners = owners(&object);
    if owners.is_empty() || owners.iter().any(|owner| owner_exists(state, owner, &key.namespace, gone)) {
        return;
    }
    let options = Options { uid: Some(meta::uid(&object).to_owned()), ..Options::default() };
    // Failing means that someone else deleted or replaced it.
    let _ = delete::delete(state, resource, key, &options);
}

/// Takes an owner out of the references of its dependents.
pub fn release_dependents(state: &State, uid: &str) {
    for (resource, key, mut object) in all_objects(state, |o| is_owned_by(o, uid)) {
        for _ in 0..write::ATTEMPTS_MAX {
            let mut released = Value::clone(&object);
            let metadata = meta::metadata_mut(&mut released);
            if let Some(Value::Array(list)) = metadata.get_mut("ownerReferences") {
                list.retain(|o| meta::str_at(o, &["uid"]) != uid);
                if list.is_empty() {
                    metadata.remove("ownerReferences");
                }
            }
            match state.store.replace(&key, meta::resource_version(&object), released) {
                Ok(stored) => {
                    write::after_write(state, &resource, &stored);
                    break;
                }
                Err(_) => match state.store.get(&key) {
                    Some(newer) => object = newer,
                    None => break,
                },
            }
        }
    }
}

/// Deletes what is in a namespace that is being deleted, and the namespace
/// once it is empty.
fn end_namespace(state: &State, name: &str) {
    let Some(namespaces) = state.registry.find("", "v1", "namespaces") else { return };
    let key = State::key(&namespaces, "", name);
    let Some(namespace) = state.store.get(&key).filter(|n| meta::is_deleting(n)) else {
        state.gc.with(|work| work.namespaces.remove(name));
        return;
    };
    for (resource, key, object) in all_objects(state, |o| meta::namespace(o) == name) {
        if !meta::is_deleting(&object) {
            let _ = delete::delete(state, &resource, &key, &Options::default());
        }
    }
    if !all_objects(state, |o| meta::namespace(o) == name).is_empty() {
        return;
    }
    let mut last = Value::clone(&namespace);
    if let Some(spec) = last.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("finalizers");
    }
    finish(state, &namespaces, &key, &namespace, last);
}

/// Deletes the objects of a CRD that is being deleted, and the CRD once there
/// are none.
fn end_crd(state: &State, name: &str) {
    let Some(crds) = state.registry.find_kind("apiextensions.k8s.io", "CustomResourceDefinition") else {
        return;
    };
    let key = State::key(&crds, "", name);
    let Some(crd) = state.store.get(&key).filter(|c| meta::is_deleting(c)) else {
        state.gc.with(|work| work.crds.remove(name));
        return;
    };
    if let Some(resource) = state.registry.find_storage(name) {
        for ((namespace, object_name), object) in state.store.snapshot(name).objects {
            if !meta::is_deleting(&object) {
                let key = State::key(&resource, &namespace, &object_name);
                let _ = delete::delete(state, &resource, &key, &Options::default());
            }
        }
        if !state.store.snapshot(name).objects.is_empty() {
            return;
        }
    }
    let mut last = Value::clone(&crd);
    let metadata = meta::metadata_mut(&mut last);
    if let Some(Value::Array(list)) = metadata.get_mut("finalizers") {
        list.retain(|f| f != CRD_FINALIZER);
        if list.is_empty() {
            metadata.remove("finalizers");
        }
    }
    finish(state, &crds, &key, &crd, last);
}

/// Stores the last step of a deletion, or removes the object if nothing else
/// holds it. After a lost race it is tried again.
fn finish(state: &State, resource: &Resource, key: &Key, current: &Object, last: Value) {
    let version = meta::resource_version(current);
    if write::is_finished(resource, &last) {
        match state.store.remove(key, version, last) {
            Ok(object) => write::after_removal(state, resource, &object),
            Err(_) => state.gc.wake.notify_one(),
        }
    } else if last != **current {
        match state.store.replace(key, version, last) {
            Ok(object) => write::after_write(state, resource, &object),
            Err(_) => state.gc.wake.notify_one(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_are_kept_for_an_hour_after_their_last_occurrence() {
        let state = State::new(10, Duration::from_secs(1), None);
        let now: Timestamp = "2026-01-01T10:00:00Z".parse().unwrap();
        for (name, series) in [("old", "2026-01-01T08:59:59Z"), ("seen", "2026-01-01T09:30:00Z")] {
            let key = Key { resource: "events".into(), namespace: "default".into(), name: name.into() };
            let event = json!({"metadata": {"name": name, "namespace": "default",
                "creationTimestamp": "2026-01-01T01:00:00Z"}, "series": {"count": 2, "lastObservedTime": series}});
            state.store.create(&key, event).unwrap();
        }
        expire_events(&state, now);
        let left: Vec<String> =
            state.store.snapshot("events").objects.into_keys().map(|(_, name)| name).collect();
        assert_eq!(left, ["seen"]);
    }
}
