//! What the operator does not do where an object says so: paused, only observed, retained.

mod support;

use operator::crd::RECONCILE_ANNOTATION;
use serde_json::{Value, json};
use support::*;

fn with_mode(mode: &str) -> impl FnOnce(&mut Value) {
    move |object| object["metadata"]["annotations"] = json!({RECONCILE_ANNOTATION: mode})
}

async fn set_mode(bed: &Bed, mode: Option<&str>) {
    bed.merge("config", json!({"metadata": {"annotations": {RECONCILE_ANNOTATION: mode}}})).await;
}

#[tokio::test]
async fn a_paused_object_is_left_alone_until_it_is_enabled() {
    let bed = Bed::start().await;
    bed.apply_value(object("config", with_mode("Paused"))).await;
    let status = bed.not_ready("config", "Paused").await;
    assert!(condition(&status, "Ready").unwrap().message.contains("nothing is read or changed"));
    assert_eq!(bed.metric("sls_operator_sls_calls_total"), 0);
    assert_eq!(bed.get("config").await.metadata.finalizers, None);
    bed.event("config", "Paused").await;

    set_mode(&bed, Some("paused")).await;
    let misspelt = bed
        .status("config", "the misspelt value", |status| {
            condition(status, "Ready")
                .is_some_and(|ready| ready.message.contains("write Enabled, ObserveOnly or Paused"))
        })
        .await;
    assert!(is(&misspelt, "Ready", "False", "Paused"));
    set_mode(&bed, None).await;
    bed.ready("config").await;

    // What was made stays as it was while somebody works on it by hand.
    set_mode(&bed, Some("Paused")).await;
    bed.not_ready("config", "Paused").await;
    let changes = bed.changes();
    bed.sls().delete_config("project-a", "config").await;
    bed.merge("config", json!({"spec": {"machineGroups": ["group-b"]}})).await;
    bed.status("config", "a look at the second generation", |status| status.observed_generation == Some(2))
        .await;
    assert_eq!(bed.changes(), changes);
    set_mode(&bed, Some("Enabled")).await;
    bed.ready("config").await;
    assert_eq!(bed.sls().bound("project-a", "config").await, ["group-b"]);
}

#[tokio::test]
async fn an_observed_object_tells_what_would_be_done() {
    let bed = Bed::start().await;
    bed.apply_value(object("config", with_mode("ObserveOnly"))).await;
    let status = bed.not_ready("config", "ObserveOnly").await;
    let message = &condition(&status, "Ready").unwrap().message;
    for step in [
        "CreateProject",
        "CreateLogstore",
        "CreateIndex",
        "CreateMachineGroup group-a",
        "CreateConfig",
        "Bind",
    ] {
        assert!(message.contains(step), "{step} is not in {message}");
    }
    assert!(is(&status, "LogstoreReady", "Unknown", "Waiting"));
    assert_eq!((bed.changes(), bed.sls().has_project("project-a").await), (0, false));

    set_mode(&bed, None).await;
    bed.ready("config").await;
    set_mode(&bed, Some("ObserveOnly")).await;
    bed.look_again("config").await;
    bed.ready("config").await;
    let changes = bed.changes();
    bed.sls()
        .change_config("project-a", "config", |config| {
            config.input_detail.insert("filePattern".to_owned(), "theirs.log".into());
        })
        .await;
    bed.look_again("config").await;
    let status = bed.not_ready("config", "ObserveOnly").await;
    let message = &condition(&status, "Ready").unwrap().message;
    assert!(
        message.contains(r#"UpdateConfig (inputDetail.filePattern: wanted "a.log", is "theirs.log")"#),
        "{message}"
    );
    assert_eq!((bed.changes(), status.status_code), (changes, Some(409)));
}

#[tokio::test]
async fn a_deleted_object_leaves_its_config_where_it_says_so_or_is_not_to_be_touched() {
    let retain = |object: &mut Value| object["spec"]["deletionPolicy"] = json!("Retain");
    for mode in [None, Some("Paused"), Some("ObserveOnly")] {
        let bed = Bed::start().await;
        bed.apply_value(object("config", |object| {
            if mode.is_none() {
                retain(object);
            }
        }))
        .await;
        bed.ready("config").await;
        set_mode(&bed, mode).await;
        bed.delete("config").await;
        bed.gone("config").await;
        assert!(bed.sls().config("project-a", "config").await.is_some(), "{mode:?}");
        assert_eq!(bed.sls().bound("project-a", "config").await, ["group-a"]);
        bed.event("config", "Retained").await;
    }
}
