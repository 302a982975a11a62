//! What a preview says of a sample is what the data path makes of it: many configs, each on many samples.

mod data_rig;

use std::path::Path;
use std::time::{Duration, Instant};

use collector::env::Env;
use collector::instance_config::InstanceConfig;
use collector::lines::EVENT_BYTES_MAX;
use collector::pipeline::Pipeline;
use data_rig::Rig;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sls_api::log_group::{Log, LogGroup};
use sls_api::logtail::{Destination, complete_input_detail, to_pipeline};
use sls_api::ops::logtail_configs::LogtailConfig;
use sls_pipeline::preview::{Bounds, Fate, Previewed, preview};

/// Samples of each config.
const ROUNDS: u64 = 12;

/// A time of collection; times without a year are near it.
const NOW: i64 = 1_542_100_000;

fn pipeline(detail: &Value) -> Pipeline {
    let Value::Object(mut detail) = detail.clone() else { panic!("an object") };
    detail.insert("logPath".to_owned(), json!("/logs"));
    detail.insert("filePattern".to_owned(), json!("a.log"));
    detail.insert("maxDepth".to_owned(), json!(0));
    complete_input_detail(&mut detail);
    let config = LogtailConfig::file("preview".parse().unwrap(), detail, "store".parse().unwrap());
    let destination = Destination {
        project: "project-1".parse().unwrap(),
        logstore: "store".parse().unwrap(),
        region: "cn-hangzhou".to_owned(),
        endpoint: "127.0.0.1:8080".to_owned(),
    };
    let pipeline = to_pipeline(&config, &destination).expect("a pipeline").to_string();
    let path = Path::new("/etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json");
    let instance = InstanceConfig::parse(path, None, &Env::default()).unwrap();
    let accepted = collector::pipeline_json::parse("c", 1, pipeline.as_bytes(), &instance).expect(&pipeline);
    accepted.pipeline.expect("it is enabled")
}

fn configs() -> Vec<Value> {
    let nginx =
        r#"log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent';"#;
    let regex =
        json!({"logType": "common_reg_log", "regex": r"(\S+) (\d+) (.*)", "key": ["word", "n", "rest"]});
    let with = |more: Value| {
        let mut detail = regex.clone();
        detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        detail
    };
    vec![
        json!({"logType": "common_reg_log"}),
        json!({"logType": "common_reg_log", "logBeginRegex": r"\d+ .*"}),
        json!({"logType": "common_reg_log", "logFormat": nginx, "discardUnmatch": false}),
        regex.clone(),
        with(json!({"discardUnmatch": false})),
        with(json!({"enableRawLog": true, "discardUnmatch": false})),
        with(json!({"logBeginRegex": r"\w+ \d+ .*"})),
        with(json!({"timeKey": "n", "timeFormat": "%s"})),
        with(json!({"filterKey": ["word"], "filterRegex": ["a.*|日.*"]})),
        with(json!({"fileEncoding": "gbk", "discardUnmatch": false})),
        with(
            json!({"sensitive_keys": [{"key": "rest", "type": "const", "regex_begin": "1", "regex_content": "\\d",
            "all": true, "const": "*"}]}),
        ),
        json!({"logType": "json_log", "discardUnmatch": false}),
        json!({"logType": "json_log", "timeKey": "n", "timeFormat": "%s"}),
        json!({"logType": "delimiter_log", "separator": ",", "quote": "\"", "key": ["a", "b", "c"],
            "discardUnmatch": false}),
        json!({"logType": "delimiter_log", "separator": " ", "key": ["a", "_", "c"], "autoExtend": false}),
        json!({"logType": "delimiter_log", "separator": "||", "key": ["a", "b"], "acceptNoEnoughKeys": true}),
        json!({"logType": "apsara_log", "discardUnmatch": false}),
    ]
}

const LINES: [&[u8]; 22] = [
    b"alpha 12 beta gamma",
    b"alpha x beta",
    b"word 1542099909 1a 11",
    "日本 7 文字 11 é".as_bytes(),
    b"",
    b"  indented 1 2",
    b"1 begins here",
    b"a,b,c",
    b"a,\"b,b\",c",
    b"a,\"open,c",
    b"a,b",
    b"a,b,c,d,e",
    b"1||2||3",
    b"{\"n\": 1542099909, \"a\": \"x\\ny\", \"o\": {\"p\": [1]}}",
    b"{\"n\": \"noon\", \"word\": null}",
    b"{}",
    b"{broken",
    b"[2018-11-13 17:05:09.123456] [INFO] [7] key:value two:x y",
    b"10.0.0.1 - - [13/Nov/2018:17:05:09 +0800] \"GET /a HTTP/1.1\" 200 612",
    b"10.0.0.1 - - [13/Nov/2018:17:05:09 +0800] \"\" 400 0",
    b"\0\0alpha 3 after nul\0",
    b"\xc8\xd5\xd6\xbe 5 \xff\xfe",
];

fn sample(seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut text = Vec::new();
    for _ in 0..random.usize(1..20) {
        text.extend_from_slice(random.choice(LINES).unwrap());
        text.extend_from_slice(if random.u8(0..8) == 0 { b"\r\n" } else { b"\n" });
    }
    text
}

fn sent(event: &Previewed) -> bool {
    matches!(event.fate, Fate::Sent | Fate::SentRaw)
}

fn shown(pairs: impl Iterator<Item = (String, Vec<u8>)>) -> String {
    pairs.map(|(key, value)| format!("{key}={:?} ", String::from_utf8_lossy(&value))).collect()
}

#[test]
fn a_preview_is_what_the_data_path_sends() {
    let (mut events, mut fates) = (0, std::collections::BTreeSet::new());
    for (number, detail) in configs().iter().enumerate() {
        let pipeline = pipeline(detail);
        for round in 0..ROUNDS {
            let text = sample(number as u64 * ROUNDS + round);
            let mut rig = Rig::running(pipeline.clone());
            rig.append("a.log", &text);
            rig.wait_ms(70_000);
            let logs: Vec<Log> = rig.take().into_iter().flat_map(|group: LogGroup| group.logs).collect();
            let deadline = Instant::now() + Duration::from_secs(60);
            let bounds = Bounds { events: 100, event_bytes: EVENT_BYTES_MAX, deadline };
            let preview = preview(&pipeline, &text, bounds, &TimeZone::UTC, NOW);
            assert!(!preview.is_cut);
            fates.extend(preview.events.iter().map(|event| format!("{:?}", event.fate)));
            let previewed: Vec<&Previewed> = preview.events.iter().filter(|event| sent(event)).collect();
            let of_preview: Vec<String> = previewed
                .iter()
                .map(|event| shown(event.fields.iter().map(|f| (f.key.clone(), f.value.clone()))))
                .collect();
            let of_logs: Vec<String> = logs
                .iter()
                .map(|log| shown(log.contents.iter().map(|c| (c.key.clone(), c.value.to_vec()))))
                .collect();
            let told = || format!("{detail} on {:?}", String::from_utf8_lossy(&text));
            assert_eq!(of_preview, of_logs, "{}", told());
            for (event, log) in previewed.iter().zip(&logs) {
                if event.has_own_time == Some(true) {
                    assert_eq!(event.time.seconds, log.time, "{}", told());
                }
                let characters: Vec<char> = event.text.chars().collect();
                for field in &event.fields {
                    let Some((start, end)) = field.place else { continue };
                    let there: String = characters[start..end].iter().collect();
                    assert_eq!(there, String::from_utf8_lossy(&field.value), "{}", told());
                }
            }
            events += logs.len();
        }
    }
    assert!(events > 1_000, "{events} logs were compared");
    let all = ["Filtered", "Sent", "SentRaw", "Unmatched"].map(str::to_owned);
    assert_eq!(fates, all.into());
}
