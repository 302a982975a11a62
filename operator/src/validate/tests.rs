//! Objects and the problems found in them.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;

fn object(change: impl FnOnce(&mut Value)) -> AliyunLogConfig {
    let mut object = json!({
        "apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
        "metadata": {"name": "config", "namespace": "default"},
        "spec": {"project": "project-a", "logstore": "store", "machineGroups": ["group-a"],
            "logtailConfig": {"configName": "config", "inputType": "file", "inputDetail": {
                "logType": "common_reg_log", "logPath": "/var/log", "filePattern": "a.log"}}}
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn lines(cr: &AliyunLogConfig, defaults: &Defaults) -> String {
    let (problems, warnings) = match validate(cr, defaults) {
        Ok(valid) => (Vec::new(), valid.warnings),
        Err(refused) => (refused.problems, refused.warnings),
    };
    let problems = problems.iter().map(|one| format!("{}: {one}\n", one.field()));
    problems.chain(warnings.iter().map(|one| format!("warning: {}: {one}\n", one.field()))).collect()
}

fn check(change: impl FnOnce(&mut Value), expected: Expect) {
    expected.assert_eq(&lines(&object(change), &Defaults::default()));
}

fn classic(desired: &Desired) -> &ClassicConfig {
    let DesiredConfig::Classic(config) = &desired.config else { panic!("{desired:?}") };
    config
}

#[test]
fn an_ordinary_object_has_no_problems() {
    check(|_| {}, expect![""]);
}

#[test]
fn what_only_a_daemonset_can_collect_is_refused() {
    check(
        |object| object["spec"]["logtailConfig"]["inputDetail"]["dockerFile"] = json!(true),
        expect![[r#"
            spec.logtailConfig.inputDetail.dockerFile: a sidecar reads the directory that it shares with the application, not other containers' files: write false
        "#]],
    );
    check(
        |object| {
            object["spec"]["logtailConfig"]["inputType"] = json!("plugin");
            object["spec"]["logtailConfig"]["inputDetail"] = json!({"plugin": {"inputs": [
                {"type": "metric_mysql"}, {"type": "service_docker_stdout", "detail": {"Stdout": true}},
                {"Type": "input_container_stdio"}]}});
        },
        expect![[r#"
            spec.logtailConfig.inputDetail.plugin.inputs[1]: service_docker_stdout reads what containers print, which only a DaemonSet can: a sidecar collects files; have the program write one, and use inputType file
            spec.logtailConfig.inputDetail.plugin.inputs[2]: input_container_stdio reads what containers print, which only a DaemonSet can: a sidecar collects files; have the program write one, and use inputType file
        "#]],
    );
}

#[test]
fn every_problem_is_found_at_once() {
    check(
        |object| {
            let spec = &mut object["spec"];
            spec["project"] = json!("No Project");
            spec["logstore"] = json!("x");
            spec["machineGroups"] = json!(["ok-group", "not ok"]);
            spec["shardCount"] = json!(0);
            spec["lifeCycle"] = json!(7301);
            spec["logstoreHotTTL"] = json!(5);
            spec["logstoreMode"] = json!("query");
            spec["logstoreMeteringMode"] = json!("ChargeByDataIngest");
            spec["uid"] = json!("42");
            spec["logtailConfig"]["configName"] = json!("UPPER.case");
            spec["logtailConfig"]["logSample"] = json!("é".repeat(750));
            spec["logtailConfig"]["inputType"] = json!("plugin");
        },
        expect![[r#"
            spec.project: project name "No Project" is not valid: use 3 to 63 lowercase letters, digits or '-', beginning and ending with a letter or digit
            spec.logtailConfig.configName: Logtail config name "UPPER.case" is not valid: use 2 to 128 letters, digits, '-' or '_', beginning and ending with a letter or digit
            spec.machineGroups[1]: machine group name "not ok" is not valid: use 2 to 128 letters, digits, '-' or '_', beginning and ending with a letter or digit
            spec.logstore: logstore name "x" is not valid: use 2 to 80 lowercase letters, digits, '-' or '_', beginning and ending with a letter or digit
            spec.shardCount: 0 is out of range: use 1 to 10
            spec.lifeCycle: 7301 is out of range: use 1 to 7300
            spec.logstoreHotTTL: 5 is out of range: use 7 to 7300
            spec.logstoreMeteringMode: a Logstore of mode query is charged by function only: remove it or set ChargeByFunction
            spec.uid: the operator has credentials of an account it was not told (--account-id), not of account 42: remove it, or give the operator that account's key with --account-infos-file
            spec.logtailConfig.logSample: 1500 bytes long, it must be less than 1500: shorten the sample
            spec.logtailConfig.inputDetail.plugin: missing, inputType plugin needs it
            warning: spec.logstoreMeteringMode: recorded only: a new Logstore is billed as the account's default says
        "#]],
    );
}

#[test]
fn legacy_nulls_and_empty_strings_mean_not_set() {
    let defaults = Defaults {
        project: Some("default-project".parse().unwrap()),
        machine_group: Some("default-group".parse().unwrap()),
        account_id: None,
        ..Defaults::default()
    };
    let cr = object(|object| {
        let spec = &mut object["spec"];
        spec["project"] = json!("");
        spec["machineGroups"] = json!(null);
        spec["shardCount"] = json!(null);
        spec["logtailConfig"]["inputDetail"]["regex"] = json!(null);
    });
    let desired = validate(&cr, &defaults).unwrap().desired;
    assert_eq!(desired.target.project.as_str(), "default-project");
    assert_eq!(desired.machine_groups.iter().map(ToString::to_string).collect::<Vec<_>>(), ["default-group"]);
    assert_eq!(classic(&desired).input_detail.get("regex"), Some(&json!("(.*)")));
}

#[test]
fn what_is_not_set_and_has_no_default_is_told_with_both_remedies() {
    check(
        |object| {
            object["spec"]["project"] = json!("");
            object["spec"]["machineGroups"] = json!([]);
        },
        expect![[r#"
            spec.project: not set, and the operator has no default project: set it, or start the operator with --default-project or --cluster-id
            spec.machineGroups: empty, and the operator has no default machine group: list the group whose name the sidecar passes as ALIYUN_LOGTAIL_USER_DEFINED_ID, or start the operator with --default-machine-group or --cluster-id
        "#]],
    );
}

#[test]
fn the_object_lends_its_name_to_the_config_where_it_can() {
    let unnamed = |name: &'static str| {
        move |object: &mut Value| {
            object["metadata"]["name"] = json!(name);
            object["spec"]["logtailConfig"].as_object_mut().unwrap().remove("configName");
        }
    };
    let valid = validate(&object(unnamed("from-object")), &Defaults::default()).unwrap();
    assert_eq!(valid.desired.target.config.as_str(), "from-object");
    check(
        unnamed("dotted.name"),
        expect![[r#"
            spec.logtailConfig.configName: not set, and metadata.name "dotted.name" cannot be used in its place: write a name of lowercase letters, digits, '-' and '_'
        "#]],
    );
}

#[test]
fn differing_names_products_and_metering_are_warnings() {
    check(
        |object| {
            object["metadata"]["name"] = json!("another");
            object["spec"]["productCode"] = json!("k8s-nginx-ingress");
            object["spec"]["configTags"] = json!({"team": "a"});
            object["spec"]["logstoreMeteringMode"] = json!("ChargeByFunction");
        },
        expect![[r#"
            warning: spec.logtailConfig.configName: "config" differs from metadata.name "another": the config in Log Service is named "config"; the vendor recommends equal names
            warning: spec.productCode: "k8s-nginx-ingress" is recorded only: an ordinary Logstore is created, without the product's dashboards
            warning: spec.logstoreMeteringMode: recorded only: a new Logstore is billed as the account's default says
        "#]],
    );
}

#[test]
fn a_retention_of_ten_years_and_more_is_for_ever() {
    let life_cycle = |days: i32| {
        let cr = object(|object| object["spec"]["lifeCycle"] = json!(days));
        validate(&cr, &Defaults::default()).unwrap().desired.logstores[0].life_cycle_days
    };
    assert_eq!(life_cycle(3649), Some(3649));
    assert_eq!(life_cycle(7300), Some(LIFE_CYCLE_DAYS_FOREVER));
}

#[test]
fn the_operators_own_account_may_be_named() {
    let defaults = Defaults { account_id: Some("42".into()), ..Defaults::default() };
    let cr = object(|object| object["spec"]["uid"] = json!("42"));
    assert_eq!(lines(&cr, &defaults), "");
}

#[test]
fn the_published_error_config_is_completed_to_simple_mode() {
    let cr: AliyunLogConfig =
        serde_saphyr::from_str(include_str!("../../../fixtures/k8s/published/crd-error.yaml")).unwrap();
    let valid = validate(&cr, &Defaults::default()).unwrap();
    assert_eq!(valid.warnings, []);
    let detail = classic(&valid.desired).input_detail.clone();
    assert_eq!(detail.get("regex"), Some(&json!("(.*)")));
    assert_eq!(detail.get("key"), Some(&json!(["content"])));
    assert_eq!(detail.get("dockerFile"), Some(&json!(false)));
}

#[test]
fn the_published_access_config_has_each_of_its_problems_told() {
    let cr: AliyunLogConfig =
        serde_saphyr::from_str(include_str!("../../../fixtures/k8s/published/crd-access.yaml")).unwrap();
    expect![[r#"
        spec.logtailConfig.inputDetail.regex: contains ". *" (any one character, then blanks), probably a damaged ".*": write .* (or .[ ]* if blanks are meant); as it is it matches almost no line, and the others are dropped
        spec.logtailConfig.inputDetail.key: regex has 11 capture groups but key names 10, so no line can be parsed: name the others too, or write (?:…) for groups that are not fields
        spec.logtailConfig.inputDetail.logBeginRegex: contains ". *" (any one character, then blanks), probably a damaged ".*": write .* (or .[ ]* if blanks are meant); as it is almost no line matches as a whole, and all lines become one giant record
        warning: spec.logtailConfig.inputDetail.key[9]: the name "ser-agent\"" contains a quotation mark: one was probably lost in the list, and perhaps letters with it; correct the name
    "#]].assert_eq(&lines(&cr, &Defaults::default()));
}
