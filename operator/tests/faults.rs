//! Things go wrong; the status says so, and all is well afterwards.

mod support;

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use operator::crd::FORCE_DELETE_ANNOTATION;
use serde_json::json;
use support::*;

#[tokio::test]
async fn a_backend_that_is_down_at_the_start_is_used_when_it_comes() {
    let mut bed = Bed::with(Options { mock: false, ..Options::default() }).await;
    bed.apply_value(object("config", |_| {})).await;
    let status = bed.not_ready("config", "BackendUnavailable").await;
    assert!(is(&status, "Accepted", "True", "Valid"));
    assert!(is(&status, "ProjectReady", "False", "BackendUnavailable"));
    assert!(is(&status, "ConfigReady", "Unknown", "Waiting"));
    assert_eq!(status.status_code, Some(503));
    let error = status.last_error.unwrap();
    assert_eq!((error.step.as_str(), error.code.as_str()), ("GetProject", "BackendUnavailable"));
    assert!(error.message.contains(&bed.endpoint()), "{}", error.message);
    assert!(error.next_retry_time.is_some());
    bed.event("config", "SyncFailed").await;

    bed.start_mock().await;
    let status = bed.ready("config").await;
    assert_eq!(status.last_error, None);
}

#[tokio::test]
async fn one_object_that_succeeds_wakes_the_others_that_wait() {
    let mut bed = Bed::with(Options { mock: false, ..Options::default() }).await;
    for name in ["config-a", "config-b", "config-c"] {
        bed.apply_value(object(name, |_| {})).await;
        bed.not_ready(name, "BackendUnavailable").await;
    }
    bed.start_mock().await;
    for name in ["config-a", "config-b", "config-c"] {
        bed.ready(name).await;
    }
}

#[tokio::test]
async fn a_backend_that_goes_down_in_between_does_not_lose_what_was_said() {
    let mut bed = Bed::with(Options { resync: Duration::from_millis(300), ..Options::default() }).await;
    bed.apply_value(object("config", |_| {})).await;
    let before = bed.ready("config").await;
    bed.stop_mock().await;
    let down = bed.not_ready("config", "BackendUnavailable").await;
    assert_eq!(down.applied_machine_groups, before.applied_machine_groups);
    bed.start_mock().await;
    bed.ready("config").await;
    assert_eq!(bed.sls().bound("project-a", "config").await, ["group-a"]);
}

#[tokio::test]
async fn a_config_that_somebody_deletes_or_changes_is_put_right_at_the_next_resync() {
    let bed = Bed::with(Options { resync: Duration::from_millis(300), ..Options::default() }).await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    let sls = bed.sls();

    sls.delete_config("project-a", "config").await;
    bed.event("config", "DriftCorrected").await;
    assert_eq!(sls.bound("project-a", "config").await, ["group-a"]);
    // The event comes before the status that tells of the same look.
    let status = bed
        .status("config", "the correction", |status| is(status, "ConfigReady", "True", "DriftCorrected"))
        .await;
    assert!(is(&status, "Ready", "True", "Synced"), "{status:?}");

    let change = |config: &mut sls_api::ops::logtail_configs::LogtailConfig| {
        config.input_detail.insert("filePattern".into(), json!("edited.log"));
    };
    sls.change_config("project-a", "config", change).await;
    eventually("the edit undone", || async {
        let config = sls.config("project-a", "config").await.unwrap();
        let pattern = config.input_detail.get("filePattern").cloned();
        (pattern == Some(json!("a.log"))).then_some(()).ok_or_else(|| format!("{pattern:?}"))
    })
    .await;
    eventually("the corrections counted", || async {
        let corrected = bed.metric("sls_operator_drift_corrected_total");
        (corrected >= 3).then_some(()).ok_or_else(|| corrected.to_string())
    })
    .await;
}

#[tokio::test]
async fn a_status_that_somebody_else_changed_is_put_right() {
    let bed = Bed::start().await;
    bed.apply_value(object("config", |_| {})).await;
    let before = bed.ready("config").await;
    let patch = json!({"status": {"status": "forged", "statusCode": 1}});
    let params = kube::api::PatchParams::default();
    bed.untyped().patch_status("config", &params, &kube::api::Patch::Merge(&patch)).await.unwrap();
    bed.look_again("config").await;
    let status = bed.status("config", "put right", |status| status.status_code == Some(200)).await;
    assert_eq!(status, before);
}

#[tokio::test]
async fn wrong_credentials_are_told_and_replaced_ones_are_used() {
    let bed = Bed::with(Options { secret: "wrong".into(), ..Options::default() }).await;
    bed.apply_value(object("config", |_| {})).await;
    let status = bed
        .status("config", "refused", |status| {
            status.last_error.as_ref().is_some_and(|e| e.http_status == Some(401))
        })
        .await;
    assert_eq!(status.status_code, Some(401));
    assert!(status.status.unwrap().contains("--credentials-file"));
    bed.write_credentials(mock_sls::DEFAULT_ACCESS_KEY_SECRET);
    bed.ready("config").await;
}

#[tokio::test]
async fn a_deletion_waits_for_the_backend() {
    let mut bed = Bed::start().await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    bed.stop_mock().await;
    bed.delete("config").await;
    let status = bed.not_ready("config", "Deleting").await;
    let message = &condition(&status, "Ready").unwrap().message;
    assert!(message.contains(FORCE_DELETE_ANNOTATION), "{message}");
    assert_eq!(status.status_code, Some(503));
    bed.start_mock().await;
    bed.gone("config").await;
    assert!(bed.sls().config("project-a", "config").await.is_none());
}

#[tokio::test]
async fn a_deletion_can_be_forced_while_the_backend_is_down() {
    let mut bed = Bed::start().await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    bed.stop_mock().await;
    bed.delete("config").await;
    bed.not_ready("config", "Deleting").await;
    bed.merge("config", json!({"metadata": {"annotations": {FORCE_DELETE_ANNOTATION: "true"}}})).await;
    bed.gone("config").await;
    bed.event("config", "ForceDeleted").await;
}

#[tokio::test]
async fn the_operator_waits_for_its_crd() {
    let bed = Bed::with(Options { crd: false, ..Options::default() }).await;
    assert!(!bed.readiness.is_set());
    bed.install_crd(&operator::crd::crd()).await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    assert!(bed.readiness.is_set());
}

/// The definition without its rules, as the vendor ships it: anything can be stored.
fn without_rules() -> CustomResourceDefinition {
    let mut crd = serde_json::to_value(operator::crd::crd()).unwrap();
    for version in crd["spec"]["versions"].as_array_mut().unwrap() {
        version["schema"] =
            json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    }
    serde_json::from_value(crd).unwrap()
}

#[tokio::test]
async fn an_object_of_the_wrong_shape_is_told_so_and_does_not_stop_others() {
    let bed = Bed::with(Options { crd: false, ..Options::default() }).await;
    bed.install_crd(&without_rules()).await;
    bed.apply_value(object("misshapen", |object| object["spec"]["shardCount"] = json!("two"))).await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    let status = bed.not_ready("misshapen", "InvalidSpec").await;
    assert_eq!(status.status_code, Some(400));
    assert!(status.status.unwrap().contains("cannot be read"));
    bed.event("misshapen", "InvalidSpec").await;
    bed.delete("misshapen").await;
    bed.gone("misshapen").await;
}

#[tokio::test]
async fn an_object_that_loses_its_shape_still_takes_its_config_along() {
    let bed = Bed::with(Options { crd: false, ..Options::default() }).await;
    bed.install_crd(&without_rules()).await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    bed.apply_value(object("config", |object| object["spec"]["shardCount"] = json!("two"))).await;
    bed.not_ready("config", "InvalidSpec").await;
    assert!(bed.sls().config("project-a", "config").await.is_some());
    bed.delete("config").await;
    bed.gone("config").await;
    assert!(bed.sls().config("project-a", "config").await.is_none());
}
