//! What goes with an object, and how all objects are let go before an operator is uninstalled.

mod support;

use std::process::Output;

use kube::api::{Api, PostParams};
use operator::crd::FINALIZER;
use serde_json::{Value, json};
use support::program::{OPERATOR, Program};
use support::*;
use tokio::process::Command;

fn delete_all(object: &mut Value) {
    object["spec"]["deletionPolicy"] = json!("DeleteAll");
}

#[tokio::test]
async fn what_an_object_made_goes_with_it_if_it_asks_for_that() {
    let bed = Bed::start().await;
    bed.apply_value(object("config", delete_all)).await;
    let created = bed.ready("config").await.created.unwrap();
    assert_eq!((created.project, created.logstore), (Some(true), Some(true)));
    assert_eq!(created.machine_groups, Some(vec!["group-a".to_owned()]));
    bed.delete("config").await;
    bed.gone("config").await;
    assert!(!bed.sls().has_project("project-a").await);
    let events = bed.events("config").await;
    let notes: Vec<String> = events.iter().map(note).collect();
    assert!(
        notes
            .iter()
            .any(|note| note == "deleted besides: machine group group-a, Logstore store, its project"),
        "{notes:?}"
    );
}

#[tokio::test]
async fn what_another_object_uses_or_was_there_before_stays() {
    let bed = Bed::start().await;
    bed.apply_value(object("one", delete_all)).await;
    bed.ready("one").await;
    // It uses what the first made, and makes a Logstore of its own.
    bed.apply_value(object("two", |object| {
        delete_all(object);
        object["spec"]["logstore"] = json!("store-2");
    }))
    .await;
    let created = bed.ready("two").await.created.unwrap();
    assert_eq!((created.project, created.logstore, created.machine_groups), (None, Some(true), None));
    bed.delete("one").await;
    bed.gone("one").await;
    let sls = bed.sls();
    assert!(sls.logstore("project-a", "store").await.is_none());
    assert!(sls.group("project-a", "group-a").await.is_some());
    let events = bed.events("one").await;
    let kept: Vec<String> = events.iter().map(note).filter(|note| note.starts_with("stays: ")).collect();
    assert!(kept.len() == 1 && kept[0].contains("two uses it"), "{kept:?}");

    bed.delete("two").await;
    bed.gone("two").await;
    assert!(sls.logstore("project-a", "store-2").await.is_none());
    assert!(sls.group("project-a", "group-a").await.is_some() && sls.has_project("project-a").await);
}

#[tokio::test]
async fn what_somebody_uses_without_an_object_stays() {
    let bed = Bed::start().await;
    bed.apply_value(object("config", delete_all)).await;
    bed.ready("config").await;
    let sls = bed.sls();
    let mut theirs = sls.config("project-a", "config").await.unwrap();
    theirs.config_name = "theirs".parse().unwrap();
    sls.create_config("project-a", theirs).await;
    sls.bind("project-a", "group-a", "theirs").await;
    bed.delete("config").await;
    bed.gone("config").await;
    assert!(sls.config("project-a", "config").await.is_none());
    assert!(sls.group("project-a", "group-a").await.is_some());
    assert!(sls.logstore("project-a", "store").await.is_some());
    let events = bed.events("config").await;
    let kept: Vec<String> = events.iter().map(note).filter(|note| note.starts_with("stays: ")).collect();
    assert!(kept.len() == 1 && kept[0].contains("config theirs delivers to it"), "{kept:?}");
}

#[tokio::test]
async fn what_a_config_in_pipeline_form_uses_stays() {
    let bed = Bed::start().await;
    bed.apply_value(object("config", delete_all)).await;
    bed.ready("config").await;
    let sls = bed.sls();
    let pipeline = json!({"configName": "pipe", "inputs": [{"Type": "input_file", "FilePaths": ["/a"]}],
        "flushers": [{"Type": "flusher_sls", "Logstore": "store"}]});
    sls.create_pipeline("project-a", pipeline).await;
    bed.delete("config").await;
    bed.gone("config").await;
    assert!(sls.logstore("project-a", "store").await.is_some() && sls.has_project("project-a").await);
    assert!(sls.group("project-a", "group-a").await.is_none());
}

async fn drain(bed: &Bed, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    bed.apiserver.write_kubeconfig(&kubeconfig);
    Command::new(OPERATOR)
        .args(["drain", "-o", "json", "--retry-period=200ms"])
        .args(["--namespace", bed.namespace(), "--leader-elect-namespace", bed.namespace()])
        .arg("--kubeconfig")
        .arg(&kubeconfig)
        .arg("--credentials-file")
        .arg(bed.credentials_path())
        .args(["--sls-endpoint", &bed.endpoint()])
        .args(args)
        .output()
        .await
        .unwrap()
}

fn outcomes(output: &Output) -> Vec<String> {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{error}: {} {}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    });
    let objects = report["objects"].as_array().unwrap();
    let text = |one: &Value, member: &str| one[member].as_str().unwrap().to_owned();
    let mut all: Vec<String> =
        objects.iter().map(|one| format!("{} {}", text(one, "name"), text(one, "outcome"))).collect();
    all.sort();
    all
}

async fn is_held(bed: &Bed, name: &str) -> bool {
    bed.untyped()
        .get(name)
        .await
        .unwrap()
        .metadata
        .finalizers
        .unwrap_or_default()
        .iter()
        .any(|one| one == FINALIZER)
}

/// A bed with objects that an operator made, and that is gone.
async fn abandoned(names: &[&str]) -> Bed {
    let mut bed = Bed::start().await;
    for name in names {
        bed.apply_value(object(name, |object| {
            if *name == "kept" {
                object["spec"]["deletionPolicy"] = json!("Retain");
            }
        }))
        .await;
        bed.ready(name).await;
    }
    bed.stop_operator().await;
    bed
}

#[tokio::test]
async fn drained_objects_can_be_deleted_without_an_operator() {
    let bed = abandoned(&["one", "two"]).await;
    let output = drain(&bed, &["--orphan"]).await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(outcomes(&output), ["one orphaned", "two orphaned"]);
    assert!(!is_held(&bed, "one").await && !is_held(&bed, "two").await);
    assert!(bed.sls().config("project-a", "one").await.is_some());
    bed.delete("one").await;
    bed.gone("one").await;
    // Nothing is left to do.
    let output = drain(&bed, &["--orphan"]).await;
    assert_eq!((output.status.code(), outcomes(&output)), (Some(0), Vec::new()));
}

#[tokio::test]
async fn a_drain_that_cleans_up_deletes_what_the_objects_would_have() {
    let bed = abandoned(&["one", "kept"]).await;
    let output = drain(&bed, &["--cleanup"]).await;
    assert_eq!(outcomes(&output), ["kept orphaned", "one cleaned"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(bed.sls().config("project-a", "one").await.is_none());
    assert!(bed.sls().config("project-a", "kept").await.is_some());
    assert!(!is_held(&bed, "one").await && !is_held(&bed, "kept").await);
}

#[tokio::test]
async fn a_drain_that_cannot_clean_up_says_so_and_holds_on() {
    let mut bed = abandoned(&["one"]).await;
    bed.stop_mock().await;
    let output = drain(&bed, &["--cleanup", "--timeout=1s"]).await;
    assert_eq!((output.status.code(), outcomes(&output)), (Some(1), vec!["one failed".to_owned()]));
    assert!(is_held(&bed, "one").await);
    let output = drain(&bed, &[]).await;
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test]
async fn nothing_is_drained_while_an_operator_runs() {
    let bed = Bed::with(Options { operator: false, ..Options::default() }).await;
    let namespace = format!("--leader-elect-namespace={}", bed.namespace());
    let operator = Program::named(&bed, "one", &["--leader-elect", "--retry-period=200ms", &namespace]).await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    let output = drain(&bed, &["--orphan", "--timeout=2s"]).await;
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("one_") && text.contains("still holds the lease"), "{text}");
    assert!(is_held(&bed, "config").await);

    // With the Deployment stopped its operator goes; here a test does that.
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "sls-operator"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    let deployments: Api<k8s_openapi::api::apps::v1::Deployment> =
        Api::namespaced(bed.kube.clone(), bed.namespace());
    deployments.create(&PostParams::default(), &serde_json::from_value(deployment).unwrap()).await.unwrap();
    let stopped = async {
        eventually("the Deployment stopped", || async {
            let found = deployments.get("sls-operator").await.unwrap();
            if found.spec.replicas == Some(0) { Ok(()) } else { Err(format!("{:?}", found.spec.replicas)) }
        })
        .await;
        operator.signal(rustix::process::Signal::TERM);
    };
    let (output, ()) = tokio::join!(drain(&bed, &["--orphan", "--stop-deployment=sls-operator"]), stopped);
    assert_eq!(outcomes(&output), ["config orphaned"]);
    assert!(!is_held(&bed, "config").await);
}
