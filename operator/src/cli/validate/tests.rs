//! What `operator validate` says about files.

use expect_test::{Expect, expect};

use super::*;

const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/k8s/published");

fn report(files: &[&str]) -> Report {
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    check_files(&files, &Defaults::default()).unwrap()
}

fn check_text(yaml: &str, expected: Expect) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("objects.yaml");
    std::fs::write(&path, yaml).unwrap();
    let report = check_files(&[path], &Defaults::default()).unwrap();
    let text = text(&report).replace(&folder.path().display().to_string(), "");
    expected.assert_eq(&text);
}

#[test]
fn the_published_error_config_is_valid() {
    let report = report(&[&format!("{PUBLISHED}/crd-error.yaml")]);
    assert!(report.ok, "{report:?}");
    assert_eq!(report.objects.len(), 1);
}

#[test]
fn files_without_objects_of_ours_are_no_problem() {
    let report = report(&[&format!("{PUBLISHED}/sidecar-job.yaml")]);
    assert!(report.ok && report.objects.is_empty());
}

#[test]
fn schema_rules_and_spec_each_have_their_say() {
    check_text(
        r"
apiVersion: log.alibabacloud.com/v1alpha1
kind: AliyunLogConfig
metadata: {name: wrong-shape, namespace: default}
spec:
  project: project-a
  logstore: store
  shardCount: many
  lifecycle: 7
  machineGroups: [group-a]
  logtailConfig:
    inputType: file
    inputDetail: {logType: common_reg_log, logPath: /var/log, filePattern: a.log}
---
apiVersion: log.alibabacloud.com/v1alpha1
kind: AliyunLogConfig
metadata: {name: breaks-a-rule, namespace: default}
spec:
  project: project-a
  logstore: store
  machineGroups: null
  logtailConfig:
    inputType: file
    inputDetail: {logType: common_reg_log, logPath: var/log, filePattern: a.log}
---
apiVersion: log.alibabacloud.com/v1alpha1
kind: AliyunLogConfig
metadata: {name: again, namespace: other}
spec:
  project: project-a
  logstore: store
  machineGroups: [group-a]
  logtailConfig:
    configName: breaks-a-rule
    inputType: file
    inputDetail: {logType: common_reg_log, logPath: /var/log, filePattern: a.log}
",
        expect![[r#"
            /objects.yaml: default/wrong-shape: 2 problems
              spec.shardCount: must be of type integer, is string
              spec.lifecycle: unknown field, it would be dropped; did you mean lifeCycle?
            /objects.yaml: default/breaks-a-rule: 3 problems
              spec.logtailConfig.inputDetail: logPath must be an absolute directory, for example /var/log/nginx
              spec.machineGroups: empty, and the operator has no default machine group: list the group whose name the sidecar passes as ALIYUN_LOGTAIL_USER_DEFINED_ID, or start the operator with --default-machine-group or --cluster-id
              spec.logtailConfig.inputDetail.logPath: "var/log" is not absolute: write the directory from / on
            /objects.yaml: other/again: 1 problem
              spec.logtailConfig.configName: config breaks-a-rule in project project-a is claimed by another object of these files, breaks-a-rule; use another name
              warning: spec.logtailConfig.configName: "breaks-a-rule" differs from metadata.name "again": the config in Log Service is named "breaks-a-rule"; the vendor recommends equal names
        "#]],
    );
}

#[test]
fn what_is_not_yaml_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.yaml");
    std::fs::write(&path, "a: [1").unwrap();
    let error = check_files(&[path], &Defaults::default()).unwrap_err().to_string();
    assert!(error.contains("broken.yaml is not YAML"), "{error}");
}
