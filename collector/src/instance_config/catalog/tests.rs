use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::env::Env;
use crate::instance_config::InstanceConfig;

const PATH: &str = "/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json";

/// For each honoured key a file in which it makes a difference.
fn examples() -> Vec<(&'static str, Value)> {
    let key_pair = json!({"default_access_key_id": "i", "default_access_key": "k"});
    vec![
        ("batch_send_interval", json!({"batch_send_interval": 5})),
        ("batch_send_metric_size", json!({"batch_send_metric_size": 262_144})),
        ("bind_interface", json!({"bind_interface": "eth0"})),
        ("check_point_file_path", json!({"check_point_file_path": "/data/logtail_check_point"})),
        ("check_point_filename", json!({"check_point_filename": "/data/logtail_check_point"})),
        ("check_point_path", json!({"check_point_path": "/state"})),
        ("config_server_list", json!({"config_server_list": [{"endpoint_list": ["10.0.0.1:80"]}]})),
        ("data_server_list", json!({"data_server_list": [{"cluster": "cn-beijing", "endpoint": "e.test"}]})),
        ("data_servers", json!({"data_servers": [{"region": "cn-beijing", "endpoint_list": ["e.test"]}]})),
        ("default_access_key", key_pair.clone()),
        ("default_access_key_id", key_pair),
        ("default_tail_limit_kb", json!({"default_tail_limit_kb": 7})),
        ("diagnostic_logs", json!({"diagnostic_logs": true})),
        ("discard_old_data", json!({"discard_old_data": true})),
        ("enable_env_ref_in_config", json!({"enable_env_ref_in_config": true})),
        ("exit_flushout_duration", json!({"exit_flushout_duration": 5000})),
        ("exit_on_idle", json!({"exit_on_idle": true})),
        ("exit_quiet_seconds", json!({"exit_on_idle": true, "exit_quiet_seconds": 3})),
        ("heartbeat_interval", json!({"heartbeat_interval": 3})),
        ("http_probe_port", json!({"http_probe_port": 7953})),
        (
            "ilogtail_configserver_address",
            json!({"ilogtail_configserver_address": ["10.0.0.1:8899", "10.0.0.2:8899"]}),
        ),
        ("ilogtail_tags", json!({"ilogtail_tags": {"team": "web"}})),
        ("log_volume_size_limit", json!({"log_volume_size_limit": "1Gi"})),
        ("max_bytes_per_sec", json!({"max_bytes_per_sec": 2_097_152})),
        ("max_read_buffer_size", json!({"max_read_buffer_size": 65_536})),
        ("primary_region", json!({"primary_region": "cn-beijing"})),
        ("process_thread_count", json!({"process_thread_count": 2})),
        ("send_request_concurrency", json!({"send_request_concurrency": 8})),
        ("shared_state_path", json!({"shared_state_path": "/shared"})),
        ("tasksite", json!({"tasksite": "/tasksite"})),
        ("termination_log", json!({"termination_log": "/tmp/account"})),
        ("unlink_collected_logs", json!({"log_volume_size_limit": "1Gi", "unlink_collected_logs": true})),
        ("working_hostname", json!({"working_hostname": "pod-1"})),
        ("working_ip", json!({"working_ip": "10.1.2.3"})),
    ]
}

/// What is made of a file and an environment, and whether `setting` is called useless or unknown.
fn parse(file: &Value, variables: &[(&str, &str)], setting: &str) -> (String, Vec<String>) {
    let env: Env = variables.iter().copied().collect();
    let mut config = InstanceConfig::parse(Path::new(PATH), Some(file.to_string().as_bytes()), &env).unwrap();
    let notices = std::mem::take(&mut config.notices);
    let is_about = |notice: &String| {
        let speaks = notice.contains("has no effect") || notice.starts_with("unknown");
        speaks && notice.split(' ').any(|word| word == setting)
    };
    let about = notices.into_iter().filter(is_about).collect();
    (format!("{config:?}"), about)
}

#[test]
fn every_honoured_key_makes_a_difference_without_a_word() {
    let honoured = KEYS.iter().filter(|(_, standing)| matches!(standing, Honoured(_))).map(|(key, _)| *key);
    assert_eq!(examples().iter().map(|(key, _)| *key).collect::<Vec<_>>(), honoured.collect::<Vec<_>>());
    for (key, with) in examples() {
        let mut without = with.clone();
        let value = without.as_object_mut().unwrap().remove(key).unwrap();
        let (plain, _) = parse(&without, &[], key);
        let (made, about) = parse(&with, &[], key);
        assert_ne!(made, plain, "{key} changes nothing");
        assert_eq!(about, [""; 0], "{key}");
        if value.is_array() || value.is_object() {
            continue; // structures come from the file only
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let upper = key.to_ascii_uppercase();
        for variable in [format!("LOONG_{upper}"), format!("ALIYUN_LOGTAIL_{upper}"), key.to_owned(), upper] {
            let (made_by_variable, about) = parse(&without, &[(&variable, &text)], &variable);
            assert_eq!(made_by_variable, made, "{variable}");
            assert_eq!(about, [""; 0], "{variable}");
        }
    }
}

#[test]
fn every_key_without_effect_changes_nothing_and_is_reported_once_with_the_reason() {
    let (plain, _) = parse(&json!({}), &[], "");
    for (key, standing) in KEYS {
        let NoEffect(why) = standing else { continue };
        for value in [json!(1), json!(true), json!("text"), json!(["/a"])] {
            let (made, about) = parse(&json!({*key: value}), &[], key);
            assert_eq!(made, plain, "{key}");
            assert_eq!(about, [format!("{key} has no effect: {why}")]);
        }
        let upper = key.to_ascii_uppercase();
        for variable in
            [format!("LOONG_{upper}"), format!("ALIYUN_LOGTAIL_{upper}"), (*key).to_owned(), upper]
        {
            let (made, about) = parse(&json!({}), &[(&variable, "1")], &variable);
            assert_eq!(made, plain, "{variable}");
            assert_eq!(about, [format!("environment variable {variable} has no effect: {why}")]);
        }
    }
}

#[test]
fn every_variable_is_reported_once_if_and_only_if_it_has_no_effect() {
    for (variable, standing) in VARIABLES {
        let (_, about) = parse(&json!({}), &[(variable, "1")], variable);
        match standing {
            Honoured(_) => assert_eq!(about, [""; 0]),
            NoEffect(why) => {
                assert_eq!(about, [format!("environment variable {variable} has no effect: {why}")]);
            }
        }
    }
}

#[test]
fn the_table_of_the_documentation_is_this_one() {
    let line = |(name, standing): &Setting| match standing {
        Honoured(what) => format!("| `{name}` | {what} |"),
        NoEffect(why) => format!("| `{name}` | – {why} |"),
    };
    let expected: Vec<String> = VARIABLES.iter().chain(KEYS).map(line).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    let text = std::fs::read_to_string(path).unwrap();
    let shown: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(shown, expected, "docs/settings.md should have these rows:\n{}", expected.join("\n"));
}

#[test]
fn keys_are_sorted_and_no_name_comes_twice() {
    assert!(KEYS.is_sorted_by(|(a, _), (b, _)| a < b));
    let mut names: Vec<&str> = VARIABLES.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert!(names.is_sorted_by(|a, b| a < b));
}
