use serde_json::json;

use super::*;
use crate::inject::Form;

fn profile() -> Profile {
    Profile {
        name: "policy".to_owned(),
        image: "collector:1".to_owned(),
        config_path: "/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json".to_owned(),
        account_id: Some("1234567890123456".to_owned()),
        machine_group: None,
        form: Form::Native,
        probe_port: 7953,
        startup_seconds: 60,
    }
}

fn config(name: &str, path: &str) -> AliyunLogConfig {
    serde_json::from_value(json!({
        "apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"logstore": "logs", "machineGroups": ["nginx"], "logtailConfig": {"inputType": "file",
            "inputDetail": {"logType": "json_log", "logPath": path, "filePattern": "*.log"}}}
    }))
    .unwrap()
}

#[test]
fn the_policy_of_two_directories() {
    let configs = [config("access", "/var/log/nginx"), config("audit", "/data/audit")];
    let objects = policy("shop", &configs, &profile(), FailurePolicy::Ignore).unwrap();
    let texts: Vec<String> = objects.iter().map(|one| serde_saphyr::to_string(one).unwrap()).collect();
    expect_test::expect_file!["tests/two-directories.yaml"].assert_eq(&texts.join("---\n"));
}

#[test]
fn no_policy_without_a_config_or_for_the_cluster() {
    let refused = |namespace: &str, configs: &[AliyunLogConfig]| {
        policy(namespace, configs, &profile(), FailurePolicy::Fail).unwrap_err().reason()
    };
    assert_eq!(refused("shop", &[]), "no_config");
    assert_eq!(refused("kube-system", &[config("access", "/var/log")]), "system_namespace");
}
