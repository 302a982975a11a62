//! Pods and their owners: defaults, validation, graceful deletion, logs,
//! binding, scale.

mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::{PATIENCE, object, raw, refused, start};
use futures::stream::BoxStream;
use futures::{AsyncBufReadExt as _, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{
    Api, DeleteParams, EvictParams, ListParams, LogParams, Patch, PatchParams, PostParams, WatchEvent,
    WatchParams,
};
use kube::{Client, ResourceExt as _};
use kube_sim::{LogOptions, PodLogs, PodLogsError};
use serde_json::{Value, json};

fn pods(client: &Client) -> Api<Pod> {
    Api::namespaced(client.clone(), "default")
}

fn pod(name: &str, spec: Value) -> Pod {
    let mut base = json!({"containers": [{"name": "c", "image": "i:1"}]});
    json_patch::merge(&mut base, &spec);
    object(json!({"metadata": {"name": name}, "spec": base}))
}

#[tokio::test]
async fn a_new_pod_is_pending_and_has_its_defaults() {
    let (_server, client) = start().await;
    let spec = json!({"containers": [{"name": "c", "image": "reg:5000/i",
        "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "livenessProbe": {"exec": {"command": ["x"]}}}], "volumes": [{"name": "v"}]});
    let mut asked = pod("p", spec);
    asked.status = object(json!({"phase": "Running"}));
    let made = json!(pods(&client).create(&PostParams::default(), &asked).await.unwrap());
    assert_eq!(made["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
    let spec = &made["spec"];
    assert_eq!(spec["restartPolicy"], "Always");
    assert_eq!(spec["terminationGracePeriodSeconds"], 30);
    assert_eq!(spec["volumes"], json!([{"name": "v", "emptyDir": {}}]));
    let container = &spec["containers"][0];
    assert_eq!(container["imagePullPolicy"], "Always", "no tag means latest");
    assert_eq!(container["env"][0]["valueFrom"]["fieldRef"]["apiVersion"], "v1");
    let probe = json!({"exec": {"command": ["x"]}, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3});
    assert_eq!(container["livenessProbe"], probe);
}

#[tokio::test]
async fn pods_that_cannot_run_are_refused() {
    let (_server, client) = start().await;
    for (spec, expected) in [
        (json!({"containers": []}), "Pod \"p\" is invalid: spec.containers: Required value"),
        (json!({"containers": [{"name": "c"}]}), "spec.containers[0].image: Required value"),
        (
            json!({"containers": [{"name": "C_", "image": "i"}]}),
            "spec.containers[0].name: Invalid value: \"C_\": a lowercase RFC 1123 label",
        ),
        (
            json!({"containers": [{"name": "c", "image": "i"}, {"name": "c", "image": "i"}]}),
            "spec.containers[1].name: Duplicate value: \"c\"",
        ),
        (
            json!({"containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/x"}]}]}),
            "spec.containers[0].volumeMounts[0].name: Not found: \"v\"",
        ),
        (
            json!({"restartPolicy": "Sometimes"}),
            "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\"",
        ),
    ] {
        let refusal = refused(pods(&client).create(&PostParams::default(), &pod("p", spec)).await);
        assert_eq!(refusal.code, 422);
        assert!(refusal.message.contains(expected), "{}", refusal.message);
    }
}

#[tokio::test]
async fn a_pod_without_a_node_is_deleted_at_once() {
    let (_server, client) = start().await;
    let api = pods(&client);
    api.create(&PostParams::default(), &pod("p", json!({}))).await.unwrap();
    api.delete("p", &DeleteParams::default()).await.unwrap();
    assert!(api.get_opt("p").await.unwrap().is_none());
}

async fn running_pod(api: &Api<Pod>, name: &str) {
    api.create(&PostParams::default(), &pod(name, json!({"nodeName": "n"}))).await.unwrap();
    let running = Patch::Merge(json!({"status": {"phase": "Running"}}));
    api.patch_status(name, &PatchParams::default(), &running).await.unwrap();
}

#[tokio::test]
async fn a_running_pod_waits_for_the_kubelet_to_delete_it() {
    let (_server, client) = start().await;
    let api = pods(&client);
    running_pod(&api, "p").await;
    let mut stream = api.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    let asked = api.delete("p", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert_eq!(asked.metadata.deletion_grace_period_seconds, Some(30));
    assert!(asked.metadata.deletion_timestamp.is_some());
    // Asking again does not start over; a shorter time counts.
    let again = api.delete("p", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert_eq!(again.resource_version(), asked.resource_version());
    let sooner = api.delete("p", &DeleteParams::default().grace_period(5)).await.unwrap().left().unwrap();
    assert_eq!(sooner.metadata.deletion_grace_period_seconds, Some(5));
    let mut events = Vec::new();
    api.delete("p", &DeleteParams::default().grace_period(0)).await.unwrap();
    while events.last() != Some(&"DELETED") {
        match tokio::time::timeout(PATIENCE, stream.next()).await.unwrap().unwrap().unwrap() {
            WatchEvent::Added(_) => events.push("ADDED"),
            WatchEvent::Modified(_) => events.push("MODIFIED"),
            WatchEvent::Deleted(_) => events.push("DELETED"),
            _ => {}
        }
    }
    assert_eq!(events, ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]);
    assert!(api.get_opt("p").await.unwrap().is_none());
}

#[tokio::test]
async fn a_finished_pod_needs_no_grace() {
    let (_server, client) = start().await;
    let api = pods(&client);
    running_pod(&api, "p").await;
    let done = Patch::Merge(json!({"status": {"phase": "Succeeded"}}));
    api.patch_status("p", &PatchParams::default(), &done).await.unwrap();
    api.delete("p", &DeleteParams::default()).await.unwrap();
    assert!(api.get_opt("p").await.unwrap().is_none());
}

#[tokio::test]
async fn pods_are_selected_by_node_and_phase() {
    let (_server, client) = start().await;
    let api = pods(&client);
    running_pod(&api, "here").await;
    api.create(&PostParams::default(), &pod("nowhere", json!({}))).await.unwrap();
    let names = |fields: &'static str| {
        let api = api.clone();
        async move {
            let list = api.list(&ListParams::default().fields(fields)).await.unwrap();
            list.into_iter().map(|p| p.name_any()).collect::<Vec<_>>()
        }
    };
    assert_eq!(names("spec.nodeName=n").await, ["here"]);
    assert_eq!(names("spec.nodeName=").await, ["nowhere"]);
    assert_eq!(names("status.phase=Pending").await, ["nowhere"]);
}

#[tokio::test]
async fn a_binding_assigns_a_node_once() {
    let (_server, client) = start().await;
    let api = pods(&client);
    api.create(&PostParams::default(), &pod("p", json!({}))).await.unwrap();
    let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"},
                         "target": {"apiVersion": "v1", "kind": "Node", "name": "n"}});
    let path = "/api/v1/namespaces/default/pods/p/binding";
    let headers = [("content-type", "application/json")];
    let (code, _, _) = raw(&client, "POST", path, &headers, binding.to_string().into()).await;
    assert_eq!(code, 201);
    let bound = api.get("p").await.unwrap();
    assert_eq!(bound.spec.unwrap().node_name.as_deref(), Some("n"));
    let conditions = json!(bound.status.unwrap().conditions);
    assert_eq!((&conditions[0]["type"], &conditions[0]["status"]), (&json!("PodScheduled"), &json!("True")));
    let (code, _, body) = raw(&client, "POST", path, &headers, binding.to_string().into()).await;
    assert_eq!(code, 409, "{body}");
    api.evict("p", &EvictParams::default()).await.unwrap();
    assert!(api.get("p").await.unwrap().metadata.deletion_timestamp.is_some());
}

#[tokio::test]
async fn a_job_gets_its_selector_and_keeps_its_template() {
    let (_server, client) = start().await;
    let api: Api<Job> = Api::namespaced(client, "default");
    let job = |policy: &str| -> Job {
        object(json!({"metadata": {"name": "j"}, "spec": {"template": {"spec": {
            "restartPolicy": policy, "containers": [{"name": "c", "image": "i:1"}]}}}}))
    };
    let refusal = refused(api.create(&PostParams::default(), &job("Always")).await);
    assert_eq!(
        refusal.message,
        "Job.batch \"j\" is invalid: spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \
         \"Never\""
    );
    let made = api.create(&PostParams::default(), &job("Never")).await.unwrap();
    let uid = made.uid().unwrap();
    let value = json!(made);
    assert_eq!(
        value.pointer("/spec/selector/matchLabels"),
        Some(&json!({"batch.kubernetes.io/controller-uid": uid}))
    );
    assert_eq!(value.pointer("/spec/template/metadata/labels/job-name"), Some(&json!("j")));
    assert_eq!(value.pointer("/spec/backoffLimit"), Some(&json!(6)));
    assert_eq!(
        (value.pointer("/spec/completions"), value.pointer("/spec/parallelism")),
        (Some(&json!(1)), Some(&json!(1)))
    );
    let image = Patch::Strategic(
        json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "j:1"}]}}}}),
    );
    let refusal = refused(api.patch("j", &PatchParams::default(), &image).await);
    assert!(refusal.message.ends_with("field is immutable"), "{}", refusal.message);
    let parallelism = Patch::Merge(json!({"spec": {"parallelism": 2}}));
    api.patch("j", &PatchParams::default(), &parallelism).await.unwrap();
}

#[tokio::test]
async fn a_deployment_must_select_its_own_pods_and_can_be_scaled() {
    let (_server, client) = start().await;
    let api: Api<Deployment> = Api::namespaced(client, "default");
    let deployment = |label: &str| -> Deployment {
        object(json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"app": "d"}},
            "template": {"metadata": {"labels": {"app": label}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}}}))
    };
    let refusal = refused(api.create(&PostParams::default(), &deployment("other")).await);
    assert!(refusal.message.contains("`selector` does not match template `labels`"), "{}", refusal.message);
    let made = json!(api.create(&PostParams::default(), &deployment("d")).await.unwrap());
    assert_eq!(made["spec"]["replicas"], 1);
    assert_eq!(
        made["spec"]["strategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}})
    );
    let scale = api.get_scale("d").await.unwrap();
    assert_eq!(scale.status.unwrap().selector.as_deref(), Some("app=d"));
    let mut scale = api.get_scale("d").await.unwrap();
    scale.spec.as_mut().unwrap().replicas = Some(3);
    let scaled = api
        .replace_scale("d", &PostParams::default(), &serde_json::from_value(json!(scale)).unwrap())
        .await
        .unwrap();
    assert_eq!(scaled.spec.unwrap().replicas, Some(3));
    assert_eq!(api.get("d").await.unwrap().metadata.generation, Some(2));
    let late =
        api.replace_scale("d", &PostParams::default(), &serde_json::from_value(json!(scale)).unwrap()).await;
    assert_eq!(refused(late).code, 409);
    let negative = Patch::Merge(json!({"spec": {"replicas": -1}}));
    assert_eq!(refused(api.patch_scale("d", &PatchParams::default(), &negative).await).code, 422);
}

struct FakeLogs;

impl PodLogs for FakeLogs {
    fn open(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        options: LogOptions,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>, PodLogsError> {
        if options.previous {
            return Err(PodLogsError::NotFound(format!(
                "previous terminated container {container:?} in pod {pod:?} not found"
            )));
        }
        let first = format!("{namespace}/{pod}/{container} tail={:?}\n", options.tail_lines);
        let head = futures::stream::iter([Ok(Bytes::from(first))]);
        if options.follow { Ok(head.chain(futures::stream::pending()).boxed()) } else { Ok(head.boxed()) }
    }
}

#[tokio::test]
async fn logs_come_from_the_owner_of_the_processes() {
    let (server, client) = start().await;
    let api = pods(&client);
    let two = json!({"containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]});
    api.create(&PostParams::default(), &pod("p", two)).await.unwrap();
    let params = |container: Option<&str>| LogParams {
        container: container.map(str::to_owned),
        ..LogParams::default()
    };
    assert_eq!(refused(api.logs("p", &params(Some("a"))).await).code, 400, "no source yet");
    server.set_pod_logs(Arc::new(FakeLogs));
    assert_eq!(api.logs("p", &params(Some("a"))).await.unwrap(), "default/p/a tail=None\n");
    let choose = refused(api.logs("p", &params(None)).await);
    assert_eq!(choose.message, "a container name must be specified for pod p, choose one of: [a b]");
    let unknown = refused(api.logs("p", &params(Some("x"))).await);
    assert_eq!(unknown.message, "container x is not valid for pod p");
    let previous = refused(api.logs("p", &LogParams { previous: true, ..params(Some("a")) }).await);
    assert_eq!(previous.code, 400);
    assert_eq!(refused(api.logs("q", &params(None)).await).code, 404);
    let follow = LogParams { follow: true, tail_lines: Some(5), ..params(Some("b")) };
    let mut lines = api.log_stream("p", &follow).await.unwrap().lines();
    let line = tokio::time::timeout(PATIENCE, lines.try_next()).await.unwrap().unwrap();
    assert_eq!(line.as_deref(), Some("default/p/b tail=Some(5)"));
    // A stream that is being followed ends with the server.
    server.shutdown().await;
    let end = tokio::time::timeout(PATIENCE, lines.try_next()).await.expect("the stream ends");
    assert!(matches!(end, Ok(None) | Err(_)));
}
