//! ClusterAliyunPipelineConfigs without a cluster: made, planned, converted, and in the place of classic configs.

#[path = "support/access.rs"]
mod access;

use std::process::{Command, Output};

use access::config;
use fixtures::repaired;
use mock_sls::{Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, MockSls, Running};
use operator::crd::{AliyunLogConfig, ClusterAliyunPipelineConfig};
use operator::credentials::Accounts;
use operator::once::{make, preview};
use operator::validate::Defaults;
use serde_json::{Value, json};
use sls_api::ops::documents::{GetLogtailPipelineConfig, InPipelineConfig};
use sls_api::ops::indexes::GetIndex;
use sls_api::ops::logstores::GetLogStore;
use sls_api::ops::logtail_configs::GetAppliedMachineGroups;
use sls_api::ops::{InConfig, InLogstore};
use sls_api::sign::AccessKey;
use sls_api::{Json, NoQuery, Operation};
use sls_client::{Client, ClientConfig, ClientError};

async fn ask<O: Operation<Query = NoQuery, Body = ()>>(
    sls: &Running,
    path: &O::Path,
) -> Result<O::Reply, ClientError> {
    let key = AccessKey::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET);
    let client = Client::new(ClientConfig::new(sls.endpoint().parse().unwrap(), key)).unwrap();
    client.send::<O>(Some(&"project-a".parse().unwrap()), path, &NoQuery {}, &()).await
}

fn pipeline(change: impl FnOnce(&mut Value)) -> ClusterAliyunPipelineConfig {
    let mut object = json!({
        "apiVersion": "telemetry.alibabacloud.com/v1alpha1",
        "kind": "ClusterAliyunPipelineConfig",
        "metadata": {"name": "access"},
        "spec": {
            "project": {"name": "project-a", "description": "logs of the shop"},
            "logstores": [
                {"name": "logs", "index": {"line": {"token": [","]}}},
                {"name": "audit", "ttl": 100, "hotTtl": 7, "infrequentAccessTTL": 30},
            ],
            "machineGroups": [{"name": "group-a"}],
            "config": {
                "sample": "a line",
                "inputs": [{"Type": "input_file", "FilePaths": ["/logs/a.log"]}],
                "flushers": [{"Type": "flusher_sls", "Logstore": "logs"}],
            },
        },
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn classic() -> AliyunLogConfig {
    serde_json::from_value(json!({
        "apiVersion": "log.alibabacloud.com/v1alpha1",
        "kind": "AliyunLogConfig",
        "metadata": {"name": "access"},
        "spec": {"project": "project-a", "logstore": "logs", "machineGroups": ["group-a", "group-b"],
            "logtailConfig": {"inputType": "file", "inputDetail": {
                "logType": "json_log", "logPath": "/logs", "filePattern": "a.log"}}},
    }))
    .unwrap()
}

#[tokio::test]
async fn what_an_object_asks_for_is_made_and_a_second_time_nothing_is_left_to_do() {
    let sls = MockSls::start(Config::default()).await.unwrap();
    let steps = make(&pipeline(|_| {}), &Defaults::default(), config(&sls)).await.unwrap();
    assert_eq!(
        steps,
        [
            "CreateProject",
            "CreateLogstore logs",
            "CreateIndex logs",
            "CreateLogstore audit",
            "CreateIndex audit",
            "CreateMachineGroup group-a",
            "CreateConfig",
            "BindMachineGroup group-a"
        ]
    );
    let path = InPipelineConfig { name: "access".parse().unwrap() };
    let Json(made) = ask::<GetLogtailPipelineConfig>(&sls, &path).await.unwrap();
    assert_eq!(made.body["inputs"], json!([{"Type": "input_file", "FilePaths": ["/logs/a.log"]}]));
    assert_eq!(made.body["logSample"], "a line");
    let Json(index) = ask::<GetIndex>(&sls, &InLogstore { logstore: "logs".parse().unwrap() }).await.unwrap();
    assert_eq!(index.line.unwrap().token, [","]);

    let Json(audit) =
        ask::<GetLogStore>(&sls, &InLogstore { logstore: "audit".parse().unwrap() }).await.unwrap();
    assert_eq!((audit.ttl, audit.hot_ttl, audit.infrequent_access_ttl), (100, 7, Some(30)));

    let steps = make(&pipeline(|_| {}), &Defaults::default(), config(&sls)).await.unwrap();
    assert!(steps.is_empty(), "{steps:?}");
    let changed = pipeline(|object| {
        object["spec"]["config"]["inputs"][0]["FilePaths"] = json!(["/logs/b.log"]);
        object["spec"]["machineGroups"] = json!([{"name": "group-b"}]);
    });
    let steps = make(&changed, &Defaults::default(), config(&sls)).await.unwrap();
    assert_eq!(
        steps,
        [
            "CreateMachineGroup group-b",
            "UpdateConfig",
            "BindMachineGroup group-b",
            "UnbindMachineGroup group-a"
        ]
    );
    sls.shutdown().await;
}

#[tokio::test]
async fn a_classic_config_is_replaced_only_if_the_object_says_so() {
    let sls = MockSls::start(Config::default()).await.unwrap();
    make(&classic(), &Defaults::default(), config(&sls)).await.unwrap();
    let error = make(&pipeline(|_| {}), &Defaults::default(), config(&sls)).await.unwrap_err().to_string();
    assert!(error.contains("exists in classic form; set enableUpgradeOverride"), "{error}");

    let overrides = pipeline(|object| object["spec"]["enableUpgradeOverride"] = json!(true));
    let told = preview(&overrides, &Defaults::default(), config(&sls), Accounts::None).await.unwrap();
    assert_eq!(
        told,
        ["CreateLogstore audit", "CreateIndex audit", "ReplaceConfig", "BindMachineGroup group-a"]
    );
    make(&overrides, &Defaults::default(), config(&sls)).await.unwrap();
    let path = InConfig { config: "access".parse().unwrap() };
    let Json(groups) = ask::<GetAppliedMachineGroups>(&sls, &path).await.unwrap();
    assert_eq!(groups.machinegroups, ["group-a".parse().unwrap()]);

    // And the other way round, nothing is taken away from a pipeline.
    let error = make(&classic(), &Defaults::default(), config(&sls)).await.unwrap_err().to_string();
    assert!(error.contains("a name is that of one config, classic or pipeline"), "{error}");
    sls.shutdown().await;
}

/// Runs the program with the manifest as its file.
fn run(args: &[&str], manifest: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.yaml"), manifest).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_operator"));
    command.current_dir(folder.path()).args(args).args(["-f", "a.yaml"]);
    command.output().unwrap()
}

#[test]
fn the_documents_objects_are_converted_to_valid_ones() {
    let both = format!("{}\n---\n{}", repaired::CRD_ACCESS, repaired::CRD_ERROR);
    let converted = run(&["convert"], &both);
    assert_eq!(converted.status.code(), Some(0), "{}", String::from_utf8_lossy(&converted.stderr));
    let yaml = String::from_utf8(converted.stdout).unwrap();
    let objects: Vec<ClusterAliyunPipelineConfig> = serde_saphyr::from_multiple(&yaml).unwrap();
    assert_eq!(objects.len(), 2);
    assert!(objects.iter().all(|object| object.spec.enable_upgrade_override == Some(true)));
    let valid = run(&["validate"], &yaml);
    assert_eq!(valid.status.code(), Some(0), "{}", String::from_utf8_lossy(&valid.stdout));
    assert_eq!(String::from_utf8_lossy(&valid.stdout).matches(": valid\n").count(), 2);

    let nothing = run(&["convert"], "kind: Pod");
    assert_eq!(nothing.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&nothing.stderr), "no AliyunLogConfig found\n");
}
