//! Each mode of parsing, from the config that people write to the logs that are sent.

mod data_rig;

use std::path::Path;

use collector::env::Env;
use collector::instance_config::InstanceConfig;
use collector::pipeline::Pipeline;
use data_rig::Rig;
use serde_json::{Value, json};
use sls_api::log_group::{Log, LogGroup};
use sls_api::logtail::{Destination, check_input_detail, to_pipeline};
use sls_api::ops::logtail_configs::LogtailConfig;

/// The pipeline of a classic config on `/logs/a.log`, which is found to be without fault on its way.
fn classic(detail: Value) -> Pipeline {
    let Value::Object(mut detail) = detail else { panic!("an object") };
    detail.insert("logPath".to_owned(), json!("/logs"));
    detail.insert("filePattern".to_owned(), json!("a.log"));
    detail.insert("maxDepth".to_owned(), json!(0));
    assert_eq!(check_input_detail(&detail), []);
    let config =
        LogtailConfig::file("modes".parse().expect("name"), detail, "store".parse().expect("Logstore"));
    let destination = Destination {
        project: "project-1".parse().expect("project"),
        logstore: "store".parse().expect("Logstore"),
        region: "cn-hangzhou".to_owned(),
        endpoint: "127.0.0.1:8080".to_owned(),
    };
    let pipeline = to_pipeline(&config, &destination).expect("a pipeline").to_string();
    let instance = InstanceConfig::parse(
        Path::new("/etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json"),
        None,
        &Env::default(),
    );
    let accepted = collector::pipeline_json::parse("c", 1, pipeline.as_bytes(), &instance.expect("defaults"))
        .expect(&pipeline);
    assert_eq!(accepted.notice_text(), "");
    accepted.pipeline.expect("it is enabled")
}

/// The logs that `text` becomes.
fn logs(rig: &mut Rig, text: impl AsRef<[u8]>) -> Vec<Log> {
    rig.append("a.log", text);
    rig.wait_ms(5_000);
    rig.take().into_iter().flat_map(|group: LogGroup| group.logs).collect()
}

/// `key=value` of every field.
fn shown(log: &Log) -> String {
    let pairs = log.contents.iter().map(|c| format!("{}={}", c.key, String::from_utf8_lossy(&c.value)));
    pairs.collect::<Vec<_>>().join(" ")
}

fn contents(detail: Value, text: impl AsRef<[u8]>) -> Vec<String> {
    logs(&mut Rig::running(classic(detail)), text).iter().map(shown).collect()
}

const JSON_LINES: &str = concat!(
    r#"{"t":1542099909,"user":"ann","pw":"a\"b","n":1.50,"o":{"x": [1, 2]},"none":null}"#,
    "\r\n",
    r#"{"pw":"\ud83d\ude00","t":"1542099910","t2":2,"pw":"last"}"#,
    "\nno JSON\n{}\n",
);

#[test]
fn a_log_format_of_nginx_is_enough() {
    let format = r#"log_format main '$remote_addr - $remote_user [$time_local] "$request" '
        '$status $body_bytes_sent "$http_referer" "$http_user_agent"';"#;
    let pipeline = classic(json!({"logType": "common_reg_log", "logFormat": format}));
    let text = concat!(
        "10.0.0.1 - - [13/Nov/2018:17:05:09 +0800] \"GET /a HTTP/1.1\" 200 612 \"-\" \"curl (7)\"\n",
        "10.0.0.2 - bob [13/Nov/2018:17:05:10 +0800] \"\" 400 0 \"-\" \"-\"\n",
    );
    let logs = logs(&mut Rig::running(pipeline), text);
    assert_eq!(logs.iter().map(|log| log.time).collect::<Vec<_>>(), [1_542_099_909, 1_542_099_910]);
    assert_eq!(
        logs.iter().map(shown).collect::<Vec<_>>(),
        [
            "remote_addr=10.0.0.1 remote_user=- time_local=13/Nov/2018:17:05:09 +0800 request_method=GET \
             request_uri=/a status=200 body_bytes_sent=612 http_referer=- http_user_agent=curl (7)",
            "remote_addr=10.0.0.2 remote_user=bob time_local=13/Nov/2018:17:05:10 +0800 request_method= \
             request_uri= status=400 body_bytes_sent=0 http_referer=- http_user_agent=-"
        ]
    );
}

#[test]
fn members_of_json_become_fields_and_the_time_wherever_they_stand() {
    let mut rig = Rig::running(classic(json!({"logType": "json_log", "timeKey": "t", "timeFormat": "%s"})));
    let logs = logs(&mut rig, JSON_LINES);
    assert_eq!(
        logs.iter().map(shown).collect::<Vec<_>>(),
        [r#"t=1542099909 user=ann pw=a"b n=1.50 o={"x": [1, 2]} none="#, "pw=last t=1542099910 t2=2"]
    );
    assert_eq!(logs.iter().map(|log| log.time).collect::<Vec<_>>(), [1_542_099_909, 1_542_099_910]);
    assert_eq!((rig.counter("events"), rig.counter("unmatched_events")), (4, 2));
    let trouble = rig.status().last_error.unwrap_or_default();
    assert!(
        trouble.contains("JSON") && trouble.contains("dropped") && trouble.contains("no JSON"),
        "{trouble}"
    );
}

#[test]
fn json_is_kept_raw_masked_and_filtered_by_names_that_only_the_lines_know() {
    let raw = json!({"logType": "json_log", "discardUnmatch": false, "enableRawLog": true});
    assert_eq!(
        contents(raw.clone(), "{\"a\":\"\\n\"}\nno JSON\n{\"__raw__\":1}\n"),
        ["a=\n __raw__={\"a\":\"\\n\"}", "__raw_log__=no JSON __raw__=no JSON", "__raw__=1"]
    );
    let masked = json!({"logType": "json_log", "discardUnmatch": false,
        "sensitive_keys": [{"key": "pw", "type": "const", "const": "*", "regex_begin": "",
                            "regex_content": "[^b]+", "all": true}],
        "filterKey": ["pw"], "filterRegex": [".+"]});
    assert_eq!(
        contents(masked, JSON_LINES),
        [r#"t=1542099909 user=ann pw=*b n=1.50 o={"x": [1, 2]} none="#, "pw=* t=1542099910 t2=2"]
    );
}

#[test]
fn columns_become_fields() {
    let detail = json!({"logType": "delimiter_log", "separator": ",", "quote": "\"", "key": ["a", "_", "c"],
        "timeKey": "a", "timeFormat": "%Y-%m-%d"});
    let mut rig = Rig::running(classic(detail));
    let logs =
        logs(&mut rig, "2018-11-13,x,\"y,\"\"z\"\"\"\r\n2018-11-14,,,more,\nshort,x\n2018-11-15,x,\"y\n");
    assert_eq!(
        logs.iter().map(shown).collect::<Vec<_>>(),
        ["a=2018-11-13 c=y,\"z\"", "a=2018-11-14 c= __column3__=more __column4__="]
    );
    assert_eq!(logs.iter().map(|log| log.time).collect::<Vec<_>>(), [1_542_067_200, 1_542_153_600]);
    assert_eq!(rig.counter("unmatched_events"), 2);
}

#[test]
fn columns_are_kept_raw_shortened_masked_and_gathered_as_the_config_says() {
    let with = |more: Value| {
        let mut detail = json!({"logType": "delimiter_log", "separator": "&&", "key": ["a", "b"]});
        detail.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        detail
    };
    assert_eq!(
        contents(with(json!({"discardUnmatch": false, "enableRawLog": true})), "1&&2\n1\n"),
        ["a=1 b=2 __raw__=1&&2", "__raw_log__=1 __raw__=1"]
    );
    assert_eq!(
        contents(with(json!({"acceptNoEnoughKeys": true})), "1\n1&&2&&3\n"),
        ["a=1", "a=1 b=2 __column2__=3"]
    );
    assert_eq!(contents(with(json!({"autoExtend": false})), "1&&2&&3&&4\n"), ["a=1 b=2 __column2__=&&3&&4"]);
    assert_eq!(
        contents(with(json!({"advanced": {"extract_partial_fields": true}})), "1&&2&&3&&4\n"),
        ["a=1 b=2"]
    );
    let masked = with(json!({"filterKey": ["__column2__"], "filterRegex": ["\\d+"],
        "sensitive_keys": [{"key": "__column2__", "type": "md5", "regex_content": ".+"}]}));
    assert_eq!(contents(masked, "1&&2\n1&&2&&3\n"), ["a=1 b=2 __column2__=ECCBC87E4B5CE2FE28308FD9F2A7BAF3"]);
}

const APSARA_LINES: &str = concat!(
    "[2024-05-01 12:00:00.123456]\t[INFO]\t[42]\t[/src/a.cpp:7]\tuser:ann\tpw:x:y\r\n",
    "[1714536001]\t[a]\tsome text\tn:1\n",
    "no time\n",
);

#[test]
fn apsara_lines_have_base_fields_pairs_and_their_time() {
    let detail = json!({"logType": "apsara_log", "adjustTimezone": true, "logTimezone": "GMT+08:00"});
    let mut rig = Rig::running(classic(detail));
    let logs = logs(&mut rig, APSARA_LINES);
    assert_eq!(
        logs.iter().map(shown).collect::<Vec<_>>(),
        [
            "__LEVEL__=INFO __THREAD__=42 __FILE__=/src/a.cpp __LINE__=7 user=ann pw=x:y microtime=1714536000123456",
            "n=1 microtime=1714536001000000"
        ]
    );
    let times: Vec<_> = logs.iter().map(|log| (log.time, log.time_ns)).collect();
    assert_eq!(times, [(1_714_536_000, Some(123_456_000)), (1_714_536_001, None)]);
    assert_eq!(rig.counter("unmatched_events"), 1);
}

#[test]
fn apsara_records_go_over_lines_and_are_kept_raw_masked_and_filtered() {
    let detail = json!({"logType": "apsara_log", "logBeginRegex": r"\[\d+.*", "filterKey": ["pw"], "filterRegex": ["[^x]*"],
        "sensitive_keys": [{"key": "pw", "type": "const", "const": "*", "regex_content": "y", "all": true}]});
    assert_eq!(
        contents(
            detail,
            "[1714536001]\t[INFO]\tpw:y\nyy\n[1714536002]\tpw:x\n[1714536003]\tno:1\n[17]\n[1]\n"
        ),
        ["__LEVEL__=INFO pw=*\n** microtime=1714536001000000"]
    );
    let kept = json!({"logType": "apsara_log", "discardUnmatch": false, "enableRawLog": true});
    assert_eq!(
        contents(kept, "no time\n[1714536001]\n"),
        ["__raw_log__=no time __raw__=no time", "microtime=1714536001000000 __raw__=[1714536001]"]
    );
}

#[test]
fn times_have_the_year_and_the_fraction_that_the_config_asks_for() {
    let detail = json!({"logType": "json_log", "timeKey": "t", "timeFormat": "%b %d %H:%M:%S",
        "advanced": {"specified_year": 2020, "enable_precise_timestamp": true, "precise_timestamp_unit": "us"}});
    let mut rig = Rig::running(classic(detail));
    let logs = logs(&mut rig, "{\"t\":\"Feb 29 00:00:01,25\"}\n{\"t\":\"late\"}\n");
    assert_eq!(
        logs.iter().map(shown).collect::<Vec<_>>(),
        ["t=Feb 29 00:00:01,25 precise_timestamp=1582934401250000", "t=late"]
    );
    assert_eq!((logs[0].time, logs[0].time_ns), (1_582_934_401, Some(250_000_000)));
    assert_eq!(rig.counter("time_parse_failures"), 1);
}

#[test]
fn times_of_collection_have_nanoseconds_if_asked_for() {
    let simple = |advanced: Value| json!({"logType": "common_reg_log", "advanced": advanced});
    let found = |detail| logs(&mut Rig::running(classic(detail)), "x\n")[0].time_ns;
    assert!(found(simple(json!({"enable_timestamp_nanosecond": true}))).is_some());
    assert!(found(simple(json!({}))).is_none());
}

#[test]
fn events_with_many_fields_do_not_make_groups_without_bounds() {
    let mut rig = Rig::running(classic(json!({"logType": "json_log"})));
    let members: Vec<String> = (0..2_000).map(|n| format!("\"member-{n}\":null")).collect();
    let line = format!("{{{}}}\n", members.join(","));
    rig.append("a.log", line.repeat(200));
    rig.wait_ms(5_000);
    let groups = rig.take();
    assert!(groups.len() > 1);
    assert_eq!(groups.iter().map(|group| group.logs.len()).sum::<usize>(), 200);
}
