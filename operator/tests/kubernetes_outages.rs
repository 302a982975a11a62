//! The Kubernetes API goes away, forgets the kind, or takes rights away while the operator runs. Always against
//! kube-sim: no real server does so when a test asks for it.

mod support;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use operator::crd::AliyunLogConfig;
use serde_json::{Value, json};
use support::cluster::CRD;
use support::*;

#[tokio::test]
async fn a_server_that_restarts_finds_the_operator_at_work_again() {
    let mut bed = Bed::simulated().await;
    bed.apply_value(object("before", |_| {})).await;
    bed.ready("before").await;
    let creations = bed.calls("CreateConfig");
    for round in 0..3 {
        bed.sim_mut().stop().await;
        // It notices: its watch ends, and cannot be established again.
        let errors = bed.metric("sls_operator_watch_errors_total");
        eventually("the watch failed", || async {
            let now = bed.metric("sls_operator_watch_errors_total");
            if now > errors { Ok(()) } else { Err(now.to_string()) }
        })
        .await;
        bed.sim_mut().resume().await.unwrap();
        let name = format!("after-{round}");
        bed.apply_value(object(&name, |_| {})).await;
        bed.ready(&name).await;
    }
    assert_eq!(bed.calls("CreateConfig"), creations + 3);
}

#[tokio::test]
async fn a_definition_that_is_deleted_and_made_again_is_followed() {
    let bed = Bed::simulated().await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    let definitions: Api<CustomResourceDefinition> = Api::all(bed.kube.clone());
    definitions.delete(CRD, &DeleteParams::default()).await.unwrap();
    // Its objects go first, and take along what they have.
    eventually("the definition gone", || async {
        match definitions.get_opt(CRD).await.unwrap() {
            None => Ok(()),
            Some(found) => Err(format!("{:?}", found.metadata)),
        }
    })
    .await;
    assert!(bed.sls().config("project-a", "config").await.is_none());
    bed.install_crd(&operator::crd::crd()).await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    assert_eq!(bed.sls().bound("project-a", "config").await, ["group-a"]);
}

fn without(resource: &'static str) -> impl Fn(&Value) -> bool {
    move |rule| !rule["resources"].as_array().unwrap().contains(&json!(resource))
}

#[tokio::test]
async fn without_the_right_to_write_events_everything_works_and_is_counted() {
    let bed = Bed::simulated().await;
    bed.apiserver.grant_shipped_roles(without("events"));
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    assert!(bed.metric("sls_operator_events_total{result=\"failed\"}") >= 1);
    assert_eq!(bed.metric("sls_operator_events_total{result=\"ok\"}"), 0);
    assert!(bed.events("config").await.is_empty());
}

#[tokio::test]
async fn without_the_right_to_write_the_status_the_service_is_kept_in_line_all_the_same() {
    let bed = Bed::simulated().await;
    bed.apiserver.grant_shipped_roles(without("aliyunlogconfigs/status"));
    bed.apply_value(object("config", |_| {})).await;
    eventually("bound", || async {
        let bound = bed.sls().bound("project-a", "config").await;
        if bound == ["group-a"] { Ok(()) } else { Err(format!("{bound:?}")) }
    })
    .await;
    eventually("counted", || async {
        let failed = bed.metric("sls_operator_status_writes_total{result=\"failed\"}");
        if failed > 0 { Ok(()) } else { Err(bed.metrics.render()) }
    })
    .await;
    assert_eq!(bed.get("config").await.status, None);
    bed.apiserver.grant_shipped_roles(|_| true);
    bed.ready("config").await;
    assert_eq!(bed.calls("CreateConfig"), 1);
}

#[tokio::test]
async fn without_the_right_to_list_the_operator_waits_and_is_not_ready() {
    let mut bed = Bed::with(Options { operator: false, simulated: true, ..Options::default() }).await;
    bed.apiserver.grant_shipped_roles(without("aliyunlogconfigs"));
    bed.apply_value(object("config", |_| {})).await;
    bed.sim().record();
    bed.start_operator();
    eventually("refused lists", || async {
        let refused = bed.sim().recording().exchanges.iter().filter(|one| one.code == 403).count();
        if refused >= 2 { Ok(()) } else { Err(refused.to_string()) }
    })
    .await;
    assert!(!bed.readiness.is_set());
    assert_eq!(bed.metric("sls_operator_sls_calls_total"), 0);
    bed.apiserver.grant_shipped_roles(|_| true);
    bed.ready("config").await;
    assert!(bed.readiness.is_set());
}

/// The definition as the vendor ships it: anything can be stored.
fn without_rules() -> CustomResourceDefinition {
    let mut crd = serde_json::to_value(operator::crd::crd()).unwrap();
    for version in crd["spec"]["versions"].as_array_mut().unwrap() {
        version["schema"] =
            json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    }
    serde_json::from_value(crd).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_misshapen_object_among_a_hundred_stops_no_other() {
    let mut bed =
        Bed::with(Options { crd: false, operator: false, simulated: true, ..Options::default() }).await;
    bed.install_crd(&without_rules()).await;
    bed.apply_value(object("misshapen", |object| object["spec"]["machineGroups"] = json!({"no": "list"})))
        .await;
    let names: Vec<String> = (0..99).map(|n| format!("config-{n}")).collect();
    for name in &names {
        bed.apply_value(object(name, |_| {})).await;
    }
    bed.start_operator();
    for name in &names {
        bed.ready(name).await;
    }
    bed.not_ready("misshapen", "InvalidSpec").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_that_is_deleted_takes_fifty_objects_and_their_configs_along() {
    const NAMESPACE: &str = "doomed";
    let bed = Bed::simulated().await;
    let namespaces: Api<Namespace> = Api::all(bed.kube.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": NAMESPACE}})).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    let objects: Api<AliyunLogConfig> = Api::namespaced(bed.kube.clone(), NAMESPACE);
    for n in 0..50 {
        let cr = object(&format!("config-{n}"), |_| {});
        objects.patch(&format!("config-{n}"), &PatchParams::apply("test"), &Patch::Apply(&cr)).await.unwrap();
    }
    bed.apply_value(object("elsewhere", |_| {})).await;
    bed.ready("elsewhere").await;
    eventually("all ready", || async {
        let all = objects.list(&Default::default()).await.map_err(|error| error.to_string())?;
        let ready =
            |cr: &AliyunLogConfig| cr.status.as_ref().is_some_and(|it| is(it, "Ready", "True", "Synced"));
        let count = all.items.iter().filter(|cr| ready(cr)).count();
        if count == 50 { Ok(()) } else { Err(count.to_string()) }
    })
    .await;
    namespaces.delete(NAMESPACE, &DeleteParams::default()).await.unwrap();
    eventually("the namespace gone", || async {
        match namespaces.get_opt(NAMESPACE).await.unwrap() {
            None => Ok(()),
            Some(found) => Err(format!("{:?}", found.status)),
        }
    })
    .await;
    assert_eq!(bed.sls().configs("project-a").await, ["elsewhere"]);
}
