use super::*;
use expect_test::{Expect, expect};
use std::fmt::Write;

const PATH: &str = "/etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json";

/// Parses and shows everything that differs from "nothing said".
fn check(path: &str, content: Option<&str>, env: &[(&str, &str)], expected: Expect) {
    let env: Env = env.iter().copied().collect();
    let mut shown = String::new();
    match InstanceConfig::parse(Path::new(path), content.map(str::as_bytes), &env) {
        Err(error) => write!(shown, "error: {error}").unwrap(),
        Ok(config) => {
            if let Some(place) = &config.place {
                writeln!(shown, "{place}").unwrap();
            }
            for server in &config.config_servers {
                writeln!(shown, "config server {server}").unwrap();
            }
            for (region, endpoints) in &config.data_servers {
                writeln!(shown, "data server of {region}: {endpoints:?}").unwrap();
            }
            if let Some(key) = &config.access_key {
                writeln!(shown, "{key:?}").unwrap();
            }
            if config.heartbeat_interval != HEARTBEAT_INTERVAL_DEFAULT {
                writeln!(shown, "heartbeat every {:?}", config.heartbeat_interval).unwrap();
            }
            if config.grace != GRACE_DEFAULT {
                writeln!(shown, "grace {:?}", config.grace).unwrap();
            }
            for (what, value) in [
                ("working ip", config.working_ip.map(|ip| ip.to_string())),
                ("working hostname", config.working_hostname),
                ("state", config.check_point_path.map(|path| path.display().to_string())),
            ] {
                if let Some(value) = value {
                    writeln!(shown, "{what} {value}").unwrap();
                }
            }
            for (name, value) in &config.agent_tags {
                writeln!(shown, "tag {name}={value}").unwrap();
            }
            for notice in &config.notices {
                writeln!(shown, "notice: {notice}").unwrap();
            }
        }
    }
    expected.assert_eq(shown.trim_end());
}

#[test]
fn a_complete_file_gives_its_values_without_a_notice() {
    check(
        PATH,
        Some(
            r#"{
                "config_server_list": [{"cluster": "community", "endpoint_list": ["127.0.0.1:18080", "sls.test:80"]}],
                "data_servers": [{"region": "cn-hangzhou", "endpoint_list": ["127.0.0.1:18080"]}],
                "primary_region": "cn-hangzhou",
                "default_access_key_id": "id", "default_access_key": "very secret",
                "heartbeat_interval": 2, "exit_flushout_duration": 5000,
                "working_ip": "10.1.2.3", "working_hostname": "pod-1", "check_point_path": "/state",
                "ilogtail_tags": {"team": "web"}
            }"#,
        ),
        &[],
        expect![[r#"
            region cn-hangzhou, Internet
            config server 127.0.0.1:18080
            config server sls.test:80
            data server of cn-hangzhou: ["127.0.0.1:18080"]
            AccessKey { id: "id", secret: Secret(***) }
            heartbeat every 2s
            grace 5s
            working ip 10.1.2.3
            working hostname pod-1
            state /state
            tag team=web"#]],
    );
}

#[test]
fn the_environment_wins_over_the_file() {
    check(
        PATH,
        Some(
            r#"{"default_access_key_id": "id", "default_access_key": "k", "working_ip": "10.1.2.3",
                "heartbeat_interval": 2, "check_point_path": "/a"}"#,
        ),
        &[
            ("ALIYUN_LOGTAIL_WORKING_IP", "10.9.9.9"),
            ("LOONG_HEARTBEAT_INTERVAL", "30"),
            ("CHECK_POINT_PATH", "/b"),
            ("WORKING_HOSTNAME", "h"),
        ],
        expect![[r#"
            region cn-hangzhou, Internet
            AccessKey { id: "id", secret: Secret(***) }
            heartbeat every 30s
            working ip 10.9.9.9
            working hostname h
            state /b"#]],
    );
}

#[test]
fn a_missing_file_is_derived_from_its_path_and_says_so() {
    check(
        PATH,
        None,
        &[],
        expect![[r#"
        region cn-hangzhou, Internet
        notice: config file /etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json does not exist; its path means region cn-hangzhou, Internet, and nothing else is configured
        notice: no access key: logs cannot be signed; set default_access_key_id and default_access_key in /etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json or in the environment"#]],
    );
}

#[test]
fn a_missing_file_with_a_misspelt_region_cannot_start() {
    check(
        "/etc/ilogtail/conf/cn-hangzou-internet/ilogtail_config.json",
        None,
        &[],
        expect![
            "error: config file /etc/ilogtail/conf/cn-hangzou-internet/ilogtail_config.json does not exist and region `cn-hangzou` is not known, did you mean `cn-hangzhou`?; correct the region (the directory in ALIYUN_LOGTAIL_CONFIG must be `<region>` or `<region>-internet`), or name its endpoint in `data_servers` of the config file"
        ],
    );
}

#[test]
fn a_missing_file_in_a_path_without_region_cannot_start() {
    check(
        "/etc/ilogtail/conf/${your_region_config}/ilogtail_config.json",
        None,
        &[],
        expect![
            "error: config file /etc/ilogtail/conf/${your_region_config}/ilogtail_config.json does not exist and its path names no region; set ALIYUN_LOGTAIL_CONFIG to /etc/ilogtail/conf/<region>[-internet]/ilogtail_config.json"
        ],
    );
}

#[test]
fn a_file_that_is_not_json_cannot_start_and_shows_where() {
    check(
        PATH,
        Some("{\n  \"config_server_list\": [,]\n}"),
        &[],
        expect![
            "error: config file /etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json is not JSON: expected value at line 2, column 26; correct the file, or remove it to use the region that its path names"
        ],
    );
    check(
        PATH,
        Some(""),
        &[],
        expect![
            "error: config file /etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json is not JSON: EOF while parsing a value at line 1, column 0; correct the file, or remove it to use the region that its path names"
        ],
    );
    check(
        PATH,
        Some("[1]"),
        &[],
        expect![
            "error: config file /etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json must hold a JSON object, not a list"
        ],
    );
}

#[test]
fn an_unknown_region_with_a_file_is_a_notice_unless_its_endpoint_is_named() {
    let file = r#"{"default_access_key_id": "i", "default_access_key": "k", "data_servers":
        [{"region": "test-region", "endpoint_list": ["127.0.0.1:1"]}]}"#;
    check(
        "/etc/ilogtail/conf/cn-hangzou/ilogtail_config.json",
        Some(file),
        &[],
        expect![[r#"
        region cn-hangzou, intranet
        data server of test-region: ["127.0.0.1:1"]
        AccessKey { id: "i", secret: Secret(***) }
        notice: region `cn-hangzou` is not known, did you mean `cn-hangzhou`?; correct the region (the directory in ALIYUN_LOGTAIL_CONFIG must be `<region>` or `<region>-internet`), or name its endpoint in `data_servers` of the config file"#]],
    );
    check(
        "/etc/ilogtail/conf/test-region/ilogtail_config.json",
        Some(file),
        &[],
        expect![[r#"
        region test-region, intranet
        data server of test-region: ["127.0.0.1:1"]
        AccessKey { id: "i", secret: Secret(***) }"#]],
    );
}

#[test]
fn every_wrong_value_is_named_and_the_rest_is_used() {
    check(
        PATH,
        Some(
            r#"{
                "config_server_list": [{"endpoint_list": ["no-port", "https://h:1", 7, "ok:1"]}, "x", {"cluster": "c"}],
                "data_servers": {"region": "cn-hangzhou"},
                "data_server_list": [{"endpoint": "e"}, {"cluster": "cn-beijing", "endpoint": "e.test"}],
                "config_server_address": "http://logtail.cn-hangzhou.log.aliyuncs.com",
                "heartbeat_interval": 0, "working_ip": "localhost", "check_point_path": 7,
                "default_access_key": 12345, "default_access_key_id": "id",
                "ilogtail_tags": {"a": 1},
                "hearbeat_interval": 3, "colour": "red", "cpu_usage_limit": 0.4, "mem_usage_limit": 384
            }"#,
        ),
        &[],
        expect![[r#"
            region cn-hangzhou, Internet
            config server ok:1
            data server of cn-beijing: ["e.test"]
            notice: config_server_address has no effect: the protocol of the vendor's own config servers is not public; name a server of the open agent protocol in config_server_list
            notice: unknown key "hearbeat_interval" is ignored, did you mean heartbeat_interval?
            notice: unknown key "colour" is ignored
            notice: cpu_usage_limit has no effect: the container's own limit decides; the collector never restarts itself for it
            notice: mem_usage_limit has no effect: the container's own limit decides; the collector never restarts itself for it
            notice: config_server_list[1] must be an object, not a string; ignored
            notice: config_server_list[0].endpoint_list[2] must be an address, not a number; ignored
            notice: config_server_list[0].endpoint_list[0]: "no-port" is not host:port; ignored
            notice: config_server_list[0].endpoint_list[1]: "https://h:1" is an https address: config servers are asked by plain HTTP, give host:port; ignored
            notice: config_server_list[2] has no "endpoint_list"; ignored
            notice: data_servers must be a list of objects, not an object; ignored
            notice: data_server_list[0] has no "cluster"; ignored
            notice: default_access_key must be a string, not a number; ignored
            notice: default_access_key is missing: an access key needs both its id and its secret
            notice: heartbeat_interval must be a whole number from 1 to 3600, not 0; the default is used
            notice: working_ip "localhost" is not an IP address; ignored
            notice: check_point_path must be a string, not a number; ignored
            notice: ilogtail_tags.a must be a string, not a number; ignored
            notice: no access key: logs cannot be signed; set default_access_key_id and default_access_key in /etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json or in the environment"#]],
    );
}

#[test]
fn the_data_endpoint_is_the_files_then_the_configs_then_the_services() {
    let parse = |content: &str| {
        InstanceConfig::parse(Path::new(PATH), Some(content.as_bytes()), &Env::default()).unwrap()
    };
    let with = parse(
        r#"{"data_servers": [{"region": "cn-hangzhou", "endpoint_list": ["127.0.0.1:1", "127.0.0.1:2"]}]}"#,
    );
    assert_eq!(with.data_endpoint("cn-hangzhou", Some("other")).unwrap(), "127.0.0.1:1");
    assert_eq!(with.data_endpoint("cn-beijing", Some("other")).unwrap(), "other");
    assert_eq!(with.data_endpoint("cn-beijing", Some("")).unwrap(), "cn-beijing.log.aliyuncs.com");
    assert!(with.data_endpoint("nowhere-1", None).is_err());
}
