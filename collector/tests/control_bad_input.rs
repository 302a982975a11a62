//! What a user can get wrong before anything runs: each gives a message with the remedy.

mod control_support;

use control_support::{CONFIG, ConfigServer, Container, updates};
use expect_test::{Expect, expect};

/// Runs to the end and shows exit code and messages, without times and the prefix.
fn ends(container: &Container, expected: Expect) {
    let output = container.command("ilogtail", &[]).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines = log.lines().filter(|line| line.contains(" ERROR ")).map(message);
    let shown = format!("exit {:?}\n{}", output.status.code().unwrap(), lines.collect::<Vec<_>>().join("\n"));
    expected.assert_eq(&shown.replace(&container.path("").display().to_string(), "/"));
}

/// A log line without its time.
fn message(line: &str) -> &str {
    line.split_once(' ').map_or(line, |(_, rest)| rest).trim_start()
}

#[test]
fn a_config_file_that_is_not_json() {
    let container = Container::new();
    container.write(CONFIG, "{\n  \"heartbeat_interval\": 10,\n}\n");
    ends(
        &container,
        expect![[r#"
        exit 78
        ERROR config file /etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json is not JSON: trailing comma at line 3, column 1; correct the file, or remove it to use the region that its path names"#]],
    );
}

#[test]
fn a_config_file_that_is_a_directory() {
    let container = Container::new();
    container.write(&format!("{CONFIG}/x"), "");
    ends(
        &container,
        expect![[r#"
        exit 78
        ERROR config file /etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json cannot be read (Is a directory (os error 21)); make it readable for this user"#]],
    );
}

#[test]
fn no_config_file_and_a_misspelt_region() {
    let mut container = Container::new();
    container.set("ALIYUN_LOGTAIL_CONFIG", "/etc/ilogtail/conf/cn-hangzou-internet/ilogtail_config.json");
    ends(
        &container,
        expect![[r#"
        exit 78
        ERROR config file /etc/ilogtail/conf/cn-hangzou-internet/ilogtail_config.json does not exist and region `cn-hangzou` is not known, did you mean `cn-hangzhou`?; correct the region (the directory in ALIYUN_LOGTAIL_CONFIG must be `<region>` or `<region>-internet`), or name its endpoint in `data_servers` of the config file"#]],
    );
}

#[test]
fn no_config_file_and_no_region_in_its_path() {
    let mut container = Container::new();
    container.set("ALIYUN_LOGTAIL_CONFIG", "/etc/ilogtail/conf/${your_region_config}/ilogtail_config.json");
    ends(
        &container,
        expect![[r#"
        exit 78
        ERROR config file /etc/ilogtail/conf/${your_region_config}/ilogtail_config.json does not exist and its path names no region; set ALIYUN_LOGTAIL_CONFIG to /etc/ilogtail/conf/<region>[-internet]/ilogtail_config.json"#]],
    );
}

#[test]
fn no_config_file_is_derived_waited_for_and_taken_up_when_it_comes() {
    let server = ConfigServer::start(|beat| updates(beat, &[]));
    let container = Container::new();
    let collector = container.start();
    collector.wait_for_log("no config server: the vendor's own config channel is not public");
    let log = collector.log();
    let messages: Vec<&str> = log.lines().map(message).filter(|line| !line.starts_with("INFO")).collect();
    expect![[r#"
        WARN config file /etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json does not exist; its path means region cn-hangzhou, Internet, and nothing else is configured
        WARN no access key: logs cannot be signed; set default_access_key_id and default_access_key in /etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json or in the environment
        WARN read positions are kept in /tmp/logtail_check_point, which is lost when this container is replaced (files are then read again or, if large, from 1 MiB before their end); set check_point_path to a directory on a volume of the pod
        ERROR no config server: the vendor's own config channel is not public, so this collector must be told a server of the open agent protocol, or have local configs (/usr/local/ilogtail/config/local). Put {"config_server_list": [{"cluster": "…", "endpoint_list": ["host:port"]}]} into /etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json; the file is looked at again every 10 s. Nothing is collected until then"#]].assert_eq(&messages.join("\n"));
    container.configure(&[&server.address.to_string()]);
    server.wait_for("a heartbeat", |_| true);
    assert_eq!(collector.stop().0, Some(0));
}

#[test]
fn placeholders_of_the_document_left_in_place() {
    let server = ConfigServer::start(|beat| updates(beat, &[]));
    let mut container = Container::new();
    container.configure(&[&server.address.to_string()]);
    container.set("ALIYUN_LOGTAIL_USER_ID", "${your_aliyun_user_id}");
    container.set("ALIYUN_LOGTAIL_USER_DEFINED_ID", "${your_machine_group_user_defined_id}");
    container.set("LOGTAIL_LOG_LEVEL", "loud");
    let collector = container.start();
    server.wait_for("two heartbeats", |beat| beat.sequence_num == 1);
    let log = collector.log();
    let messages: Vec<&str> = log.lines().map(message).filter(|line| line.starts_with("WARN")).collect();
    expect![[r#"
        WARN LOGTAIL_LOG_LEVEL "loud" is not a level; use trace, debug, info, warn or error. Using info
        WARN machine group id "${your_machine_group_user_defined_id}" is a placeholder: set ALIYUN_LOGTAIL_USER_DEFINED_ID to the id of your group
        WARN account id "${your_aliyun_user_id}" is not a number: ALIYUN_LOGTAIL_USER_ID must be the id of the Alibaba Cloud account (RAM user ids and names do not take effect)"#]].assert_eq(&messages.join("\n"));
    collector.stop();
}
