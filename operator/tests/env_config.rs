//! `operator env-config` as a program.

use std::process::{Command, Output};

use operator::crd::AliyunLogConfig;

fn run(manifest: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    std::fs::write(&file, manifest).unwrap();
    Command::new(env!("CARGO_BIN_EXE_operator")).arg("env-config").arg("-f").arg(file).output().unwrap()
}

#[test]
fn variables_of_workloads_become_objects() {
    let output = run(r#"
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: shop, namespace: prod}
  spec:
    template:
      spec:
        containers:
        - name: web
          env:
          - {name: aliyun_logs_access, value: /var/log/nginx/access.log}
          - {name: aliyun_logs_access_project, value: project-a}
          - {name: aliyun_logs_access_machinegroup, value: shop}
          - {name: OTHER, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - name: app
          env:
          - {name: aliyun_logs_app, value: /var/log/app/*.json}
          - {name: aliyun_logs_app_jsonfile, value: "true"}
"#);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<AliyunLogConfig> = serde_saphyr::from_multiple(&text).unwrap();
    let shown: Vec<_> = objects
        .iter()
        .map(|object| {
            let detail = &object.spec.logtail_config.input_detail;
            format!("{:?} {} {}", object.metadata.namespace, object.spec.logstore, detail["logType"])
        })
        .collect();
    assert_eq!(shown, [r#"Some("prod") access "common_reg_log""#, r#"Some("prod") app "json_log""#]);
    assert_eq!(objects[0].spec.machine_groups, Some(vec!["shop".to_owned()]));
}

#[test]
fn what_cannot_be_used_is_told() {
    let nothing = run("kind: Pod");
    assert_eq!(nothing.status.code(), Some(1));
    let text = String::from_utf8_lossy(&nothing.stderr).into_owned();
    assert_eq!(text, "no container has a variable aliyun_logs_…\n");
    let wrong = run(
        "{kind: Pod, metadata: {name: a}, spec: {containers: [{env: [{name: aliyun_logs_a, value: a.log}]}]}}",
    );
    assert_eq!(wrong.status.code(), Some(1));
    let text = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(text.starts_with("Pod default/a: aliyun_logs_a: \"a.log\" is no path of files"), "{text}");
}
