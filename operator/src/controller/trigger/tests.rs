//! Which events ask for which looks.

use std::sync::Mutex;

use kube::core::DeserializeGuard;
use kube::runtime::watcher::Event;
use serde_json::json;

use super::*;
use crate::crd::AliyunLogConfig;

static FORGOTTEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Sees, and tells of nobody's claims.
type Seeing = Seen<AliyunLogConfig, fn(&str), fn(&Target)>;

fn seen() -> Seeing {
    let forget: fn(&str) = |uid| FORGOTTEN.lock().unwrap().push(uid.to_owned());
    Seen { defaults: Defaults::default(), marks: HashMap::new(), relisted: None, forget, claims: |_| {} }
}

/// An object that claims `config`; `change` is a merge of top-level metadata.
fn object(name: &str, config: &str, change: serde_json::Value) -> Guarded {
    let mut object = json!({
        "apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
        "metadata": {"name": name, "namespace": "default", "uid": format!("uid-{name}"), "generation": 1},
        "spec": {"project": "project-a", "logstore": "store",
            "logtailConfig": {"configName": config, "inputType": "file", "inputDetail": {}}}
    });
    for (key, value) in change.as_object().unwrap() {
        object["metadata"][key] = value.clone();
    }
    DeserializeGuard(Ok(serde_json::from_value(object).unwrap()))
}

fn named(requests: Vec<ReconcileRequest<Guarded>>) -> Vec<String> {
    let mut names: Vec<_> = requests.into_iter().map(|request| request.obj_ref.name).collect();
    names.sort();
    names
}

fn plain(name: &str) -> Guarded {
    object(name, name, json!({}))
}

#[test]
fn a_first_list_asks_for_every_object_once_it_is_complete() {
    let mut seen = seen();
    assert_eq!(named(seen.on(Event::Init)), [""; 0]);
    assert_eq!(named(seen.on(Event::InitApply(plain("a")))), [""; 0]);
    assert_eq!(named(seen.on(Event::InitApply(plain("b")))), [""; 0]);
    assert_eq!(named(seen.on(Event::InitDone)), ["a", "b"]);
}

#[test]
fn a_status_a_label_and_a_foreign_annotation_ask_for_nothing() {
    let mut seen = seen();
    assert_eq!(named(seen.on(Event::Apply(plain("a")))), ["a"]);
    let mut written = plain("a");
    written.0.as_mut().unwrap().status = Some(crate::crd::AliyunLogConfigStatus::default());
    assert_eq!(named(seen.on(Event::Apply(written))), [""; 0]);
    let change = json!({"resourceVersion": "9", "labels": {"a": "b"}, "annotations": {"other/key": "1"}});
    assert_eq!(named(seen.on(Event::Apply(object("a", "a", change)))), [""; 0]);
}

#[test]
fn a_spec_a_finalizer_our_annotation_and_a_deletion_ask_for_a_look() {
    for change in [
        json!({"generation": 2}),
        json!({"finalizers": ["log.alibabacloud.com/sls-config"]}),
        json!({"annotations": {"sls.testbed/force-delete": "true"}}),
        json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        json!({"uid": "made-anew"}),
    ] {
        let mut seen = seen();
        seen.on(Event::Apply(plain("a")));
        assert_eq!(named(seen.on(Event::Apply(object("a", "a", change.clone())))), ["a"], "{change}");
    }
}

#[test]
fn an_object_that_goes_wakes_the_others_that_claim_its_config() {
    let mut seen = seen();
    for name in ["winner", "loser"] {
        seen.on(Event::Apply(object(name, "shared", json!({}))));
    }
    seen.on(Event::Apply(plain("other")));
    assert_eq!(named(seen.on(Event::Delete(object("winner", "shared", json!({}))))), ["loser"]);
    assert!(FORGOTTEN.lock().unwrap().contains(&"uid-winner".to_owned()));
}

#[test]
fn an_object_that_went_while_nobody_watched_wakes_them_too() {
    let mut seen = seen();
    for name in ["unseen-winner", "loser"] {
        seen.on(Event::Apply(object(name, "shared", json!({}))));
    }
    seen.on(Event::Apply(plain("other")));
    seen.on(Event::Init);
    seen.on(Event::InitApply(object("loser", "shared", json!({}))));
    seen.on(Event::InitApply(plain("other")));
    assert_eq!(named(seen.on(Event::InitDone)), ["loser"]);
    assert!(FORGOTTEN.lock().unwrap().contains(&"uid-unseen-winner".to_owned()));
}

#[test]
fn a_repeated_list_without_changes_asks_for_nothing() {
    let mut seen = seen();
    seen.on(Event::Apply(plain("a")));
    seen.on(Event::Init);
    seen.on(Event::InitApply(plain("a")));
    assert_eq!(named(seen.on(Event::InitDone)), [""; 0]);
}
