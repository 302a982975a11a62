//! `operator plan` and `operator export` as programs against an emulator: what they tell, and that they only read.

#[path = "support/access.rs"]
mod access;

use std::path::Path;
use std::process::{Command, Output};

use access::config;
use expect_test::{Expect, expect};
use fixtures::{published, repaired};
use mock_sls::{Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, MockSls, Running};
use operator::crd::AliyunLogConfig;
use operator::once;
use operator::validate::Defaults;

/// The file `a.yaml` in a folder of its own, and an emulator.
struct Bed {
    folder: tempfile::TempDir,
    sls: Running,
}

impl Bed {
    async fn new(manifest: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.yaml"), manifest).expect("written");
        Self { folder, sls: MockSls::start(Config::default()).await.expect("an emulator") }
    }

    /// Runs it; the thread of the test has to serve the emulator meanwhile.
    async fn plan(&self, endpoint: &str, args: &[&str]) -> Output {
        self.run(endpoint, &[&["plan", "-f", "a.yaml"], args].concat()).await
    }

    async fn run(&self, endpoint: &str, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_operator"));
        command
            .current_dir(self.folder.path())
            .args(args)
            .args(["--sls-endpoint", endpoint])
            .env("ALICLOUD_ACCESS_KEY_ID", DEFAULT_ACCESS_KEY_ID)
            .env("ALICLOUD_ACCESS_KEY_SECRET", DEFAULT_ACCESS_KEY_SECRET);
        tokio::task::spawn_blocking(move || command.output().expect("the program runs"))
            .await
            .expect("joined")
    }

    async fn check(&self, args: &[&str], code: i32, expected: Expect) {
        let output = self.plan(&self.sls.endpoint(), args).await;
        expected.assert_eq(&String::from_utf8_lossy(&output.stdout));
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// As the operator does.
    async fn make(&self) {
        let text = std::fs::read_to_string(Path::new(self.folder.path()).join("a.yaml")).expect("read");
        let cr: AliyunLogConfig = serde_saphyr::from_str(&text).expect("an object");
        once::make(&cr, &Defaults::default(), config(&self.sls)).await.expect("made");
    }
}

#[tokio::test]
async fn what_would_be_made_or_changed_is_told_and_not_done() {
    let bed = Bed::new(repaired::CRD_ERROR).await;
    let all = || {
        expect![[r#"
            a.yaml: nginx-log-error-example: 6 changes
              CreateProject
              CreateLogstore nginx-error
              CreateIndex nginx-error
              CreateMachineGroup nginx-log-sidecar
              CreateConfig
              BindMachineGroup nginx-log-sidecar
        "#]]
    };
    bed.check(&[], 0, all()).await;
    bed.check(&["--exit-code"], 3, all()).await;
    bed.make().await;
    bed.check(
        &["--exit-code"],
        0,
        expect![[r#"
        a.yaml: nginx-log-error-example: nothing to change
    "#]],
    )
    .await;

    let changed = repaired::CRD_ERROR.replace("error.log", "errors.log");
    std::fs::write(bed.folder.path().join("a.yaml"), changed).expect("written");
    bed.check(
        &["-o", "json"],
        0,
        expect![[r#"
        {
          "ok": true,
          "objects": [
            {
              "file": "a.yaml",
              "name": "nginx-log-error-example",
              "steps": [
                "UpdateConfig (inputDetail.filePattern: wanted \"errors.log\", is \"error.log\")"
              ]
            }
          ]
        }
    "#]],
    )
    .await;
}

#[tokio::test]
async fn an_object_that_is_refused_and_a_service_that_is_away_are_failures() {
    let bed = Bed::new(published::CRD_ACCESS).await;
    let output = bed.plan(&bed.sls.endpoint(), &[]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("nginx-log-access-example is refused: ")
            && text.contains("inputDetail.key: regex has 11 capture groups"),
        "{text}"
    );

    std::fs::write(bed.folder.path().join("a.yaml"), repaired::CRD_ACCESS).expect("written");
    let output = bed.plan("http://127.0.0.1:1", &[]).await;
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn an_exported_config_changes_nothing_when_it_is_applied() {
    let bed = Bed::new(repaired::CRD_ACCESS).await;
    bed.make().await;
    let project = ["--project", "k8s-nginx-sidecar-demo"];
    let output = bed.run(&bed.sls.endpoint(), &[&["export", "-n", "shop"], &project[..]].concat()).await;
    let yaml = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    expect![[r#"
        apiVersion: log.alibabacloud.com/v1alpha1
        kind: AliyunLogConfig
        metadata:
          name: nginx-log-access-example
          namespace: shop
        spec:
          project: k8s-nginx-sidecar-demo
          logstore: nginx-access
          shardCount: 2
          lifeCycle: 90
          logstoreMode: standard
          logstoreAutoSplit: true
          logstoreMaxSplitShard: 32
          logstoreAppendMeta: true
          machineGroups:
          - nginx-log-sidecar
          logtailConfig:
            configName: nginx-log-access-example
            inputType: file
            inputDetail:
              logType: common_reg_log
              logPath: /var/log/nginx
              filePattern: access.log
              dockerFile: false
              regex: >-
                (\S+)\s(\S+)\s\S+\s\S+\s"(\S+)\s(\S+)\s+([^"]+)"\s+(\S+)\s(\S+)\s(\d+)\s(\d+)\s(\S+)\s"([^"]+)"\s.*
              key:
              - time
              - ip
              - method
              - url
              - protocol
              - latency
              - payload
              - status
              - response-size
              - referrer
              - user-agent
    "#]].assert_eq(&yaml);
    std::fs::write(bed.folder.path().join("a.yaml"), yaml).expect("written");
    bed.check(
        &["--exit-code"],
        0,
        expect![[r#"
        a.yaml: shop/nginx-log-access-example: nothing to change
    "#]],
    )
    .await;

    let unknown = [&["export", "--config", "none", "-o", "json"], &project[..]].concat();
    let output = bed.run(&bed.sls.endpoint(), &unknown).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("project k8s-nginx-sidecar-demo has no config none"), "{told}");
}
