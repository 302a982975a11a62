//! The program itself: command line, signals, endpoints, and no secret anywhere.

mod support;

use std::process::Output;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use serde_json::{Value, json};
use support::program::{OPERATOR, Program};
use support::*;
use tokio::process::Command;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/k8s");
const ERROR: &str = "nginx-log-error-example";

async fn call(args: &[&str]) -> Output {
    let mut command = Command::new(OPERATOR);
    command.args(args).env_remove("ALICLOUD_ACCESS_KEY_ID").env_remove("ALICLOUD_ACCESS_KEY_SECRET");
    command.output().await.unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn validate_judges_files_and_says_so_by_its_exit_code() {
    let repaired = call(&["validate", "-f", &format!("{FIXTURES}/repaired/crd-access.yaml")]).await;
    assert_eq!(repaired.status.code(), Some(0), "{}", stdout(&repaired));

    let published =
        call(&["validate", "-f", &format!("{FIXTURES}/published/crd-access.yaml"), "-o", "json"]).await;
    assert_eq!(published.status.code(), Some(1));
    let report: Value = serde_json::from_str(&stdout(&published)).unwrap();
    assert_eq!(report["ok"], false);
    let fields: Vec<_> = report["objects"][0]["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["field"].as_str().unwrap().to_owned())
        .collect();
    for field in ["regex", "key", "logBeginRegex"] {
        let path = format!("spec.logtailConfig.inputDetail.{field}");
        assert!(fields.iter().any(|one| one.starts_with(&path)), "{path} is not in {fields:?}");
    }

    let missing = call(&["validate", "-f", "/no/such/file.yaml"]).await;
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("/no/such/file.yaml"), "{}", stderr(&missing));
}

#[tokio::test]
async fn crd_prints_the_definitions() {
    let classic = include_str!("../crd/aliyunlogconfig.yaml");
    let pipeline = include_str!("../crd/clusteraliyunpipelineconfig.yaml");
    let printed = call(&["crd"]).await;
    assert_eq!(printed.status.code(), Some(0));
    assert_eq!(stdout(&printed), format!("{classic}---\n{pipeline}"));
    assert_eq!(stdout(&call(&["crd", "--kind", "clusteraliyunpipelineconfig"]).await), pipeline);
}

#[tokio::test]
async fn a_start_that_cannot_work_says_what_to_give() {
    let cases: [(&[&str], &str); 4] = [
        (&["run"], "--sls-endpoint"),
        (&["run", "--sls-endpoint", "http://127.0.0.1:1"], "--credentials-file"),
        (&["run", "--sls-endpoint", "http://127.0.0.1:1", "--credentials-file", "/no/such"], "/no/such"),
        (&["run", "--sls-endpoint", "http://127.0.0.1:1", "--resync", "soon"], "30s"),
    ];
    for (args, expected) in cases {
        let output = call(args).await;
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(expected), "{args:?}: {}", stderr(&output));
    }
}

#[tokio::test]
async fn the_program_works_answers_ends_on_sigterm_and_never_shows_a_secret() {
    let bed = Bed::with(Options { operator: false, ..Options::default() }).await;
    let program = Program::start(&bed, &[]).await;

    bed.apply(PUBLISHED_ERROR).await;
    bed.ready(ERROR).await;
    bed.apply(PUBLISHED_ACCESS).await;
    bed.not_ready("nginx-log-access-example", "InvalidSpec").await;
    assert!(program.http_get("/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(program.http_get("/readyz").await.starts_with("HTTP/1.1 200"));
    let metrics = program.http_get("/metrics").await;
    assert!(
        metrics.contains("sls_operator_sls_calls_total{operation=\"CreateConfig\",code=\"OK\"} 1"),
        "{metrics}"
    );

    program.signal(rustix::process::Signal::TERM);
    let (status, log) = program.ended().await;
    assert_eq!(status.code(), Some(0));
    assert!(log.contains("SIGTERM"), "{log}");
    let objects =
        serde_json::to_string(&bed.untyped().list(&Default::default()).await.unwrap().items).unwrap();
    let mut events = bed.events(ERROR).await;
    events.extend(bed.events("nginx-log-access-example").await);
    let events = serde_json::to_string(&events).unwrap();
    for (place, text) in [("log", &log), ("metrics", &metrics), ("objects", &objects), ("events", &events)] {
        assert!(!text.contains(mock_sls::DEFAULT_ACCESS_KEY_SECRET), "a secret is in the {place}");
    }
}

#[tokio::test]
async fn an_object_that_names_neither_project_nor_group_gets_those_of_the_cluster() {
    let bed = Bed::with(Options { operator: false, ..Options::default() }).await;
    let bare = |object: &mut Value| {
        let spec = object["spec"].as_object_mut().unwrap();
        spec.remove("project");
        spec.remove("machineGroups");
    };
    bed.apply_value(object("config", bare)).await;
    let program = Program::start(&bed, &["--cluster-id", "c0ffee"]).await;
    let status = bed.ready("config").await;
    assert_eq!(status.project.as_deref(), Some("k8s-log-c0ffee"));
    assert_eq!(status.applied_machine_groups, Some(vec!["k8s-group-c0ffee".to_owned()]));
    let group = bed.sls().group("k8s-log-c0ffee", "k8s-group-c0ffee").await.unwrap();
    assert_eq!(group.machine_list, ["k8s-group-c0ffee"]);
    drop(program);
    bed.merge("config", json!({"metadata": {"finalizers": null}})).await;
    bed.delete("config").await;
    bed.gone("config").await;

    // As the chart does where it is asked for.
    bed.apiserver.grant(&json!({"rules": [{"apiGroups": [""], "resources": ["namespaces"],
        "resourceNames": ["kube-system"], "verbs": ["get"]}]}));
    let namespaces: Api<Namespace> = Api::all(bed.kube.clone());
    let uid = namespaces.get("kube-system").await.unwrap().metadata.uid.unwrap();
    let id: String = uid.chars().filter(|c| *c != '-').take(12).collect();
    bed.apply_value(object("config", bare)).await;
    // What is given comes first.
    let _program = Program::start(&bed, &["--detect-cluster-id", "--default-machine-group", "mine"]).await;
    let status = bed.ready("config").await;
    assert_eq!(status.project, Some(format!("k8s-log-custom-{id}")));
    assert_eq!(status.applied_machine_groups, Some(vec!["mine".to_owned()]));
}
