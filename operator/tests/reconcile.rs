//! Objects come, change and go; Log Service follows.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::*;

const PROJECT: &str = "k8s-nginx-sidecar-demo";
const ACCESS: &str = "nginx-log-access-example";
const ERROR: &str = "nginx-log-error-example";

#[tokio::test]
async fn the_repaired_pair_of_the_document_becomes_ready() {
    let bed = Bed::start().await;
    bed.apply(REPAIRED_ACCESS).await;
    bed.apply(REPAIRED_ERROR).await;
    for (name, logstore) in [(ACCESS, "nginx-access"), (ERROR, "nginx-error")] {
        let status = bed.ready(name).await;
        assert_eq!(status.status.as_deref(), Some("OK"));
        assert_eq!(status.status_code, Some(200));
        assert_eq!(status.project.as_deref(), Some(PROJECT));
        assert_eq!(status.config_name.as_deref(), Some(name));
        assert_eq!(status.applied_machine_groups, Some(vec!["nginx-log-sidecar".to_owned()]));
        assert!(status.last_error.is_none() && status.last_sync_time.is_some());
        for type_ in
            ["Accepted", "ProjectReady", "LogstoreReady", "IndexReady", "MachineGroupsReady", "ConfigReady"]
        {
            let condition = condition(&status, type_).unwrap_or_else(|| panic!("no {type_}"));
            assert_eq!((condition.status.as_str(), condition.observed_generation), ("True", Some(1)));
        }
        let sls = bed.sls();
        assert_eq!(sls.bound(PROJECT, name).await, ["nginx-log-sidecar"]);
        let store = sls.logstore(PROJECT, logstore).await.unwrap();
        assert_eq!((store.ttl, store.shard_count, store.max_split_shard), (90, 2, 32));
        let index = sls.index(PROJECT, logstore).await.unwrap();
        assert!(index.line.is_some() && index.keys.unwrap().contains_key("__tag__:_pod_name_"));
        let config = sls.config(PROJECT, name).await.unwrap();
        assert_eq!(config.output_detail.logstore_name.as_str(), logstore);
        assert_eq!(config.input_detail.get("discardUnmatch"), Some(&json!(true)));
    }
    let group = bed.sls().group(PROJECT, "nginx-log-sidecar").await.unwrap();
    assert_eq!(group.machine_list, ["nginx-log-sidecar"]);
    for reason in ["Created", "Bound"] {
        bed.event(ACCESS, reason).await;
    }
    let finalizers = bed.get(ACCESS).await.metadata.finalizers.unwrap_or_default();
    assert_eq!(finalizers, [operator::crd::FINALIZER]);
}

#[tokio::test]
async fn the_published_access_config_is_refused_with_each_problem_and_nothing_is_sent() {
    let bed = Bed::start().await;
    bed.apply(PUBLISHED_ACCESS).await;
    let status = bed.not_ready(ACCESS, "InvalidSpec").await;
    assert!(is(&status, "Accepted", "False", "InvalidSpec"));
    assert_eq!(status.status_code, Some(400));
    let message = &condition(&status, "Accepted").unwrap().message;
    for fragment in [
        "spec.logtailConfig.inputDetail.regex",
        "spec.logtailConfig.inputDetail.key",
        "spec.logtailConfig.inputDetail.logBeginRegex",
        "11",
        "10",
        "ser-agent",
    ] {
        assert!(message.contains(fragment), "{fragment} is not in {message}");
    }
    assert_eq!(status.status.as_ref(), Some(message));
    bed.event(ACCESS, "InvalidSpec").await;
    let events = bed.events(ACCESS).await;
    assert!(events.iter().all(|event| event.type_.as_deref() == Some("Warning")));
    assert!(events.len() >= 3, "{events:?}");
    assert_eq!(bed.metric("sls_operator_sls_calls_total"), 0);
    assert!(!bed.sls().has_project(PROJECT).await);

    // It never had anything in Log Service, so nothing holds it back.
    assert_eq!(bed.get(ACCESS).await.metadata.finalizers, None);
    bed.delete(ACCESS).await;
    bed.gone(ACCESS).await;
}

#[tokio::test]
async fn the_published_error_config_is_simple_mode_and_becomes_ready() {
    let bed = Bed::start().await;
    bed.apply(PUBLISHED_ERROR).await;
    bed.ready(ERROR).await;
    let config = bed.sls().config(PROJECT, ERROR).await.unwrap();
    assert_eq!(config.input_detail.get("regex"), Some(&json!("(.*)")));
    assert_eq!(config.input_detail.get("key"), Some(&json!(["content"])));
    assert_eq!(config.input_detail.get("logBeginRegex"), Some(&json!(".*")));
}

#[tokio::test]
async fn a_refused_object_that_is_corrected_becomes_ready() {
    let bed = Bed::start().await;
    bed.apply(PUBLISHED_ACCESS).await;
    bed.not_ready(ACCESS, "InvalidSpec").await;
    bed.apply(REPAIRED_ACCESS).await;
    let status = bed.ready(ACCESS).await;
    assert!(is(&status, "Accepted", "True", "Valid"));
}

#[tokio::test]
async fn a_second_look_changes_nothing_anywhere() {
    let bed = Bed::start().await;
    bed.apply(REPAIRED_ACCESS).await;
    bed.ready(ACCESS).await;
    bed.look_again(ACCESS).await;
    let (changes, writes) = (bed.changes(), bed.status_writes());
    let before = bed.get(ACCESS).await;
    for _ in 0..5 {
        bed.look_again(ACCESS).await;
    }
    assert_eq!((bed.changes(), bed.status_writes()), (changes, writes));
    assert_eq!(bed.get(ACCESS).await.status, before.status);
}

#[tokio::test]
async fn a_restarted_operator_changes_nothing() {
    let mut bed = Bed::start().await;
    bed.apply(REPAIRED_ACCESS).await;
    bed.ready(ACCESS).await;
    bed.look_again(ACCESS).await;
    bed.stop_operator().await;
    let (changes, writes, looks) = (bed.changes(), bed.status_writes(), bed.calls("GetConfig"));
    bed.start_operator();
    eventually("a look", || async { (bed.calls("GetConfig") > looks).then_some(()).ok_or_else(String::new) })
        .await;
    bed.look_again(ACCESS).await;
    assert_eq!((bed.changes(), bed.status_writes()), (changes, writes));
}

#[tokio::test]
async fn a_label_asks_for_no_call() {
    let bed = Bed::start().await;
    bed.apply(REPAIRED_ACCESS).await;
    bed.ready(ACCESS).await;
    bed.look_again(ACCESS).await;
    let calls = bed.metric("sls_operator_sls_calls_total");
    bed.merge(ACCESS, json!({"metadata": {"labels": {"team": "a"}}})).await;
    // Another object's whole life is long enough for the label to have had an effect.
    bed.apply(PUBLISHED_ACCESS.replace(ACCESS, "another-example").as_str()).await;
    bed.not_ready("another-example", "InvalidSpec").await;
    assert_eq!(bed.metric("sls_operator_sls_calls_total"), calls);
}

#[tokio::test]
async fn a_changed_input_is_updated_once() {
    let bed = Bed::start().await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    bed.apply_value(object("config", |object| {
        object["spec"]["logtailConfig"]["inputDetail"]["filePattern"] = json!("b.log");
    }))
    .await;
    let status = bed.ready("config").await;
    assert_eq!(status.observed_generation, Some(2));
    assert!(is(&status, "ConfigReady", "True", "Updated"));
    assert_eq!(bed.calls("UpdateConfig"), 1);
    let config = bed.sls().config("project-a", "config").await.unwrap();
    assert_eq!(config.input_detail.get("filePattern"), Some(&json!("b.log")));
    let note = bed.event("config", "Updated").await;
    assert!(note.contains(r#"inputDetail.filePattern: wanted "b.log", is "a.log""#), "{note}");
}

#[tokio::test]
async fn a_key_removed_from_the_object_is_removed_from_the_config() {
    let bed = Bed::start().await;
    let with_topic = |object: &mut Value| {
        object["spec"]["logtailConfig"]["inputDetail"]["sendRateExpire"] = json!(7);
    };
    bed.apply_value(object("config", with_topic)).await;
    bed.ready("config").await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    let config = bed.sls().config("project-a", "config").await.unwrap();
    assert_eq!(config.input_detail.get("sendRateExpire"), None);
}

#[tokio::test]
async fn groups_follow_the_list_and_foreign_bindings_stay() {
    let bed = Bed::start().await;
    bed.apply_value(object("config", |object| {
        object["spec"]["machineGroups"] = json!(["group-a", "group-b"])
    }))
    .await;
    bed.ready("config").await;
    let sls = bed.sls();
    sls.create_group("project-a", "group-foreign", &["x"]).await;
    sls.bind("project-a", "group-foreign", "config").await;

    bed.apply_value(object("config", |object| {
        object["spec"]["machineGroups"] = json!(["group-b", "group-c"])
    }))
    .await;
    let status = bed.ready("config").await;
    assert_eq!(status.applied_machine_groups, Some(vec!["group-b".to_owned(), "group-c".to_owned()]));
    assert_eq!(sls.bound("project-a", "config").await, ["group-b", "group-c", "group-foreign"]);
    let groups = condition(&status, "MachineGroupsReady").unwrap();
    assert!(
        groups.reason == "ExistingSettingsDiffer" && groups.message.contains("group-foreign"),
        "{groups:?}"
    );
    let note = bed.event("config", "Unbound").await;
    assert!(note.contains("group-a"), "{note}");
    assert!(sls.group("project-a", "group-a").await.is_some());
}

#[tokio::test]
async fn an_existing_logstore_keeps_its_settings_and_the_difference_is_told() {
    let bed = Bed::with(Options { operator: false, ..Options::default() }).await;
    let sls = bed.sls();
    sls.create_project("project-a").await;
    sls.create_logstore("project-a", "store", 7, 1).await;
    let mut bed = bed;
    bed.start_operator();
    bed.apply_value(object("config", |object| object["spec"]["lifeCycle"] = json!(30))).await;
    let status = bed.ready("config").await;
    let logstore = condition(&status, "LogstoreReady").unwrap();
    assert_eq!((logstore.status.as_str(), logstore.reason.as_str()), ("True", "ExistingSettingsDiffer"));
    assert!(logstore.message.contains("lifeCycle: wanted 30, is 7"), "{}", logstore.message);
    assert_eq!(sls.logstore("project-a", "store").await.unwrap().ttl, 7);
    assert!(is(&status, "ProjectReady", "True", "Exists"));
}

#[tokio::test]
async fn a_deleted_object_takes_its_config_along_and_leaves_the_logs() {
    let bed = Bed::start().await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    bed.delete("config").await;
    bed.gone("config").await;
    let sls = bed.sls();
    assert!(sls.config("project-a", "config").await.is_none());
    assert!(sls.logstore("project-a", "store").await.is_some());
    assert!(sls.group("project-a", "group-a").await.is_some());
    bed.event("config", "Deleted").await;
}

#[tokio::test]
async fn an_object_deleted_while_the_operator_was_away_is_cleaned_up_when_it_is_back() {
    let mut bed = Bed::start().await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    bed.stop_operator().await;
    bed.delete("config").await;
    assert!(bed.sls().config("project-a", "config").await.is_some());
    bed.start_operator();
    bed.gone("config").await;
    assert!(bed.sls().config("project-a", "config").await.is_none());
}

#[tokio::test]
async fn many_objects_of_one_project_become_ready_together() {
    let bed = Bed::start().await;
    let names: Vec<String> = (0..20).map(|n| format!("config-{n}")).collect();
    for name in &names {
        bed.apply_value(object(name, |_| {})).await;
    }
    for name in &names {
        bed.ready(name).await;
        assert_eq!(bed.sls().bound("project-a", name).await, ["group-a"]);
    }
}

#[tokio::test]
async fn an_object_whose_name_differs_from_its_config_is_applied_with_a_warning() {
    let bed = Bed::start().await;
    bed.apply_value(object("config", |object| object["metadata"]["name"] = json!("dotted.name"))).await;
    let status = bed.ready("dotted.name").await;
    assert!(is(&status, "Warnings", "True", "NameDiffers"));
    assert!(bed.sls().config("project-a", "config").await.is_some());
    bed.event("dotted.name", "NameDiffers").await;
}

#[tokio::test]
async fn an_object_costs_eight_calls_at_most() {
    let bed = Bed::start().await;
    let calls = || bed.metric("sls_operator_sls_calls_total");
    bed.apply_value(object("first", |_| {})).await;
    bed.ready("first").await;
    assert_eq!(calls(), 7);
    bed.apply_value(object("second", |object| object["spec"]["logstore"] = json!("another"))).await;
    bed.ready("second").await;
    // The project has just answered, and is not asked for again.
    assert_eq!(calls(), 14);
}

#[tokio::test]
async fn objects_at_rest_share_what_they_ask_and_what_is_changed_is_put_right() {
    let resync = Duration::from_millis(300);
    let bed = Bed::with(Options { resync, ..Options::default() }).await;
    let names: Vec<String> = (0..10).map(|n| format!("config-{n}")).collect();
    for name in &names {
        bed.apply_value(object(name, |object| object["spec"]["logstore"] = json!(name))).await;
    }
    for name in &names {
        bed.ready(name).await;
    }
    // All are at rest now, and each has had a whole look since.
    let looks = || bed.metric("sls_operator_reconcile_seconds_count");
    let until = looks() + 40;
    eventually("looks", || async { (looks() >= until).then_some(()).ok_or_else(|| looks().to_string()) })
        .await;
    let calls = |names: &[&str]| names.iter().map(|name| bed.calls(name)).sum::<u64>();
    let own = || calls(&["GetConfig"]);
    let whole = || calls(&["GetLogStore", "GetIndex", "GetMachineGroup", "GetAppliedMachineGroups"]);
    let (own_before, whole_before) = (own(), whole());
    eventually("looks", || async {
        (own() >= own_before + 60).then_some(()).ok_or_else(|| own().to_string())
    })
    .await;
    // A whole look has four calls of these; one of twelve looks is one.
    assert!(whole() - whole_before <= 60, "{} calls", whole() - whole_before);

    bed.sls().delete_logstore("project-a", "config-3").await;
    bed.event("config-3", "DriftCorrected").await;
    assert!(bed.sls().logstore("project-a", "config-3").await.is_some());
    bed.sls().unbind("project-a", "group-a", "config-4").await;
    bed.event("config-4", "DriftCorrected").await;
    bed.sls().delete_index("project-a", "config-5").await;
    bed.event("config-5", "DriftCorrected").await;
    bed.sls()
        .change_config("project-a", "config-6", |config| {
            config.input_detail.insert("filePattern".into(), json!("b.log"));
        })
        .await;
    bed.event("config-6", "DriftCorrected").await;
}
