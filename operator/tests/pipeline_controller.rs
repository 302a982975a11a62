//! ClusterAliyunPipelineConfigs in a cluster: brought in line, reported, and beside AliyunLogConfigs that claim the same
//! config. Only on kube-sim: objects of the whole cluster are not a namespace's, which is what a test has of a real one.

mod support;

use std::time::Duration;

use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube_sim::{Effect, Fault};
use operator::crd::{ClusterAliyunPipelineConfig, ClusterAliyunPipelineConfigStatus, pipeline_crd};
use serde_json::{Value, json};
use support::*;

type Pipelines = Api<ClusterAliyunPipelineConfig>;

async fn start() -> (Bed, Pipelines) {
    let mut bed = Bed::with(Options { operator: false, simulated: true, ..Options::default() }).await;
    bed.install_crd(&pipeline_crd()).await;
    bed.start_operator();
    let pipelines = Api::all(bed.kube.clone());
    (bed, pipelines)
}

/// Claims the same config as `object("config", …)`.
fn pipeline(change: impl FnOnce(&mut Value)) -> ClusterAliyunPipelineConfig {
    let mut object = json!({
        "apiVersion": "telemetry.alibabacloud.com/v1alpha1", "kind": "ClusterAliyunPipelineConfig",
        "metadata": {"name": "config"},
        "spec": {
            "project": {"name": "project-a"},
            "logstores": [{"name": "store"}],
            "machineGroups": [{"name": "group-a"}],
            "config": {
                "inputs": [{"Type": "input_file", "FilePaths": ["/var/log/a.log"]}],
                "flushers": [{"Type": "flusher_sls", "Logstore": "store"}],
            },
        },
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

async fn create(pipelines: &Pipelines, change: impl FnOnce(&mut Value)) {
    pipelines.create(&PostParams::default(), &pipeline(change)).await.unwrap();
}

async fn merge(pipelines: &Pipelines, patch: Value) {
    pipelines.patch("config", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
}

async fn status(
    pipelines: &Pipelines,
    what: &str,
    is: impl Fn(&ClusterAliyunPipelineConfigStatus) -> bool,
) -> ClusterAliyunPipelineConfigStatus {
    eventually(what, || async {
        let found = pipelines.get("config").await.unwrap().status.unwrap_or_default();
        if is(&found) { Ok(found) } else { Err(format!("{found:?}")) }
    })
    .await
}

async fn applied(pipelines: &Pipelines, generation: i64) -> ClusterAliyunPipelineConfigStatus {
    let is = |status: &ClusterAliyunPipelineConfigStatus| {
        status.success == Some(true) && status.applied_generation == Some(generation)
    };
    status(pipelines, "applied", is).await
}

async fn gone(pipelines: &Pipelines) {
    eventually("gone", || async {
        pipelines.get_opt("config").await.unwrap().map_or(Ok(()), |found| Err(format!("{found:?}")))
    })
    .await;
}

#[tokio::test]
async fn an_object_is_brought_in_line_changed_and_deleted() {
    let (bed, pipelines) = start().await;
    create(&pipelines, |_| {}).await;
    let status = applied(&pipelines, 1).await;
    assert_eq!(status.message.as_deref(), Some("success"));
    let content: Value = serde_json::from_str(&status.last_applied_config.unwrap().content).unwrap();
    assert_eq!(content["flushers"][0]["Logstore"], "store");
    assert!(bed.sls().pipeline("project-a", "config").await.is_some());
    assert_eq!(bed.sls().bound("project-a", "config").await, ["group-a"]);
    // Nothing more is written.
    let writes = bed.status_writes();
    merge(&pipelines, json!({"metadata": {"annotations": {"sls.testbed/look": "1"}}})).await;
    merge(&pipelines, json!({"spec": {"machineGroups": [{"name": "group-b"}]}})).await;
    applied(&pipelines, 2).await;
    assert_eq!(bed.sls().bound("project-a", "config").await, ["group-b"]);
    // Before the other group is bound, and after it.
    assert_eq!(bed.status_writes(), writes + 2);

    pipelines.delete("config", &DeleteParams::default()).await.unwrap();
    gone(&pipelines).await;
    assert!(bed.sls().pipeline("project-a", "config").await.is_none());
    assert!(bed.sls().logstore("project-a", "store").await.is_some());
}

#[tokio::test]
async fn what_is_wrong_is_told_and_a_retained_config_stays() {
    let (bed, pipelines) = start().await;
    create(&pipelines, |object| {
        object["spec"]["config"]["inputs"][0]["EnableContainerDiscovery"] = json!(true);
        object["spec"]["deletionPolicy"] = json!("Retain");
    })
    .await;
    let refused = status(&pipelines, "refused", |status| status.success == Some(false)).await;
    assert_eq!(refused.status_code, Some(400));
    assert!(refused.message.unwrap().starts_with("spec.config.inputs[0].EnableContainerDiscovery: "));
    let right = pipeline(|object| object["spec"]["deletionPolicy"] = json!("Retain"));
    merge(&pipelines, json!({"spec": {"config": {"inputs": right.spec.config.inputs}}})).await;
    applied(&pipelines, 2).await;
    pipelines.delete("config", &DeleteParams::default()).await.unwrap();
    gone(&pipelines).await;
    assert_eq!(bed.sls().bound("project-a", "config").await, ["group-a"]);
}

#[tokio::test]
async fn a_config_of_the_older_kind_is_left_alone_until_it_goes() {
    let (bed, pipelines) = start().await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    create(&pipelines, |_| {}).await;
    let refused = status(&pipelines, "refused", |status| status.success == Some(false)).await;
    let namespace = bed.namespace();
    assert!(refused.message.unwrap().contains(&format!("AliyunLogConfig {namespace}/config")));
    assert!(bed.sls().config("project-a", "config").await.is_some());
    bed.delete("config").await;
    bed.gone("config").await;
    applied(&pipelines, 1).await;
    assert!(bed.sls().pipeline("project-a", "config").await.is_some());
    // And the older kind keeps out of what the newer holds.
    bed.apply_value(object("config", |_| {})).await;
    let status = bed.not_ready("config", "ConfigNameConflict").await;
    assert!(status.status.unwrap().contains("ClusterAliyunPipelineConfig config"));
    bed.delete("config").await;
    bed.gone("config").await;
    assert!(bed.sls().pipeline("project-a", "config").await.is_some());
}

#[tokio::test]
async fn an_object_that_overrides_takes_the_place_and_deletes_the_older() {
    let (bed, pipelines) = start().await;
    bed.apply_value(object("config", |object| {
        object["spec"]["machineGroups"] = json!(["group-a", "group-old"])
    }))
    .await;
    bed.ready("config").await;
    create(&pipelines, |object| object["spec"]["enableUpgradeOverride"] = json!(true)).await;
    applied(&pipelines, 1).await;
    bed.gone("config").await;
    assert!(bed.sls().config("project-a", "config").await.is_none());
    let kept = bed.sls().pipeline("project-a", "config").await;
    assert!(kept.is_some());
    assert_eq!(bed.sls().bound("project-a", "config").await, ["group-a"]);
    assert_eq!(pipelines.get("config").await.unwrap().name_any(), "config");
}

#[tokio::test]
async fn objects_wait_for_a_definition_that_comes_later() {
    let bed = Bed::simulated().await;
    bed.apply_value(object("other", |_| {})).await;
    bed.ready("other").await;
    bed.install_crd(&pipeline_crd()).await;
    let pipelines: Pipelines = Api::all(bed.kube.clone());
    create(&pipelines, |_| {}).await;
    applied(&pipelines, 1).await;
}

#[tokio::test]
async fn a_service_that_was_away_is_found_again() {
    let (mut bed, pipelines) = start().await;
    bed.stop_mock().await;
    create(&pipelines, |_| {}).await;
    let failed = status(&pipelines, "a failure", |status| status.success == Some(false)).await;
    assert_eq!(failed.status_code, Some(503), "{failed:?}");
    bed.start_mock().await;
    applied(&pipelines, 1).await;
}

#[tokio::test]
async fn an_operator_that_starts_knows_both_kinds_before_it_takes_anything_away() {
    let (mut bed, pipelines) = start().await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    bed.stop_operator().await;
    // Killed just after it had replaced the config and deleted the older object, which is still held.
    bed.sls().delete_config("project-a", "config").await;
    let body = pipeline(|_| {}).spec.config;
    let body = json!({"configName": "config", "inputs": body.inputs, "flushers": body.flushers});
    bed.sls().create_pipeline("project-a", body).await;
    bed.sls().bind("project-a", "group-a", "config").await;
    create(&pipelines, |object| {
        object["metadata"]["finalizers"] = json!([operator::crd::FINALIZER]);
        object["spec"]["enableUpgradeOverride"] = json!(true);
    })
    .await;
    bed.delete("config").await;
    let effect = Effect::Delay(Duration::from_millis(500));
    let path_contains = "clusteraliyunpipelineconfigs".to_owned();
    bed.sim().inject(Fault { method: Some(http::Method::GET), path_contains, times: 4, effect });
    bed.start_operator();
    bed.gone("config").await;
    applied(&pipelines, 1).await;
    assert_eq!(bed.calls("RemoveConfigFromMachineGroup"), 0);
    assert_eq!(bed.sls().bound("project-a", "config").await, ["group-a"]);
}
