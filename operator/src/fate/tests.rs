use serde_json::{Value, json};

use super::*;

fn cr(name: &str, change: impl FnOnce(&mut Value)) -> AliyunLogConfig {
    let mut object = json!({
        "apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
        "metadata": {"name": name, "namespace": "team-a", "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"project": "project-a", "logstore": "store", "machineGroups": ["group-a"], "deletionPolicy": "DeleteAll",
            "logtailConfig": {"configName": name, "inputType": "file", "inputDetail": {
                "logType": "common_reg_log", "logPath": "/var/log", "filePattern": "a.log"}}},
        "status": {"project": "project-a", "configName": name,
            "created": {"project": true, "logstore": true, "machineGroups": ["group-a", "group-old"]}}
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn of(cr: &AliyunLogConfig, others: &[&AliyunLogConfig], unreadable: bool, defaults: &Defaults) -> Fate {
    let status = cr.status.clone().unwrap_or_default();
    fate(cr, &status, Others { readable: others, pipelines: &[], unreadable }, defaults)
}

fn besides_of(cr: &AliyunLogConfig, others: &[&AliyunLogConfig], unreadable: bool) -> Besides {
    match of(cr, others, unreadable, &Defaults::default()) {
        Fate::Removed(removal) => removal.besides,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_an_object_created_and_nobody_else_uses_goes() {
    let one = cr("one", |_| {});
    let besides = besides_of(&one, &[&one], false);
    assert_eq!(besides.machine_groups.len(), 2);
    assert_eq!(besides.logstore.as_ref().map(LogstoreName::as_str), Some("store"));
    assert!(besides.project && besides.kept.is_empty());
}

#[test]
fn what_others_use_stays_and_the_reason_is_told() {
    let one = cr("one", |_| {});
    let other = cr("other", |object| object["spec"]["logstore"] = json!("other-store"));
    let besides = besides_of(&one, &[&one, &other], false);
    assert_eq!(
        besides.machine_groups.iter().map(MachineGroupName::as_str).collect::<Vec<_>>(),
        ["group-old"]
    );
    assert!(besides.logstore.is_some() && !besides.project);
    assert_eq!(
        besides.kept,
        [
            "machine group group-a: object team-a/other uses it",
            "project project-a: object team-a/other uses it"
        ]
    );
    let elsewhere = cr("other", |object| {
        object["spec"]["project"] = json!("project-b");
        object["status"] = Value::Null;
    });
    assert_eq!(besides_of(&one, &[&one, &elsewhere], false), besides_of(&one, &[&one], false));
}

#[test]
fn while_there_are_objects_that_cannot_be_read_only_the_config_goes() {
    let one = cr("one", |_| {});
    let besides = besides_of(&one, &[&one], true);
    assert!(besides.machine_groups.is_empty() && besides.logstore.is_none() && !besides.project);
    assert_eq!(besides.kept.len(), 4);
}

#[test]
fn what_was_there_before_the_object_stays() {
    let one = cr("one", |object| object["status"]["created"] = json!({"logstore": false}));
    assert_eq!(besides_of(&one, &[&one], false), Besides::default());
    let one = cr("one", |object| object["spec"]["deletionPolicy"] = json!("DeleteConfig"));
    assert_eq!(besides_of(&one, &[&one], false), Besides::default());
}

type Change = fn(&mut Value);

#[test]
fn what_is_retained_paused_or_not_allowed_stays() {
    let defaults = Defaults {
        allowed: crate::allowed::AllowedProjects::new(vec!["team-a=team-a-*".parse().unwrap()]),
        ..Defaults::default()
    };
    let retain: Change = |object| object["spec"]["deletionPolicy"] = json!("Retain");
    let pause: Change =
        |object| object["metadata"]["annotations"] = json!({"sls.testbed/reconcile": "Paused"});
    let none = Defaults::default();
    let cases = [
        (retain, &none, "deletionPolicy"),
        (pause, &none, "paused"),
        (|_| {}, &defaults, "--allowed-projects team-a=team-a-*"),
    ];
    for (change, defaults, expected) in cases {
        let one = cr("one", change);
        match of(&one, &[&one], false, defaults) {
            Fate::Retained { why, .. } => assert!(why.contains(expected), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_loser_of_a_name_conflict_has_nothing() {
    let winner = cr("shared", |_| {});
    let loser = cr("shared", |object| {
        object["metadata"]["uid"] = json!("younger");
        object["metadata"]["creationTimestamp"] = json!("2026-01-02T00:00:00Z");
    });
    assert_eq!(of(&loser, &[&winner, &loser], false, &Defaults::default()), Fate::Nothing);
}
