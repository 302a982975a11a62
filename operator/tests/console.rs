//! What the emulator's console shows as an AliyunLogConfig is one: the API server takes it by the CRD with all its
//! rules, and what the operator makes of it is the config that was shown.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use mock_sls::{Auth, Config, ConsoleSettings, MockSls};
use operator::crd::AliyunLogConfig;
use operator::validate::{Defaults, validate};
use serde_json::{Value, json};
use sls_api::logtail::complete_input_detail;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest wait for the console: a guard against hanging.
const HANG: Duration = Duration::from_secs(30);

/// A console, and the word that its forms must carry.
struct Console {
    address: String,
    csrf: String,
}

impl Console {
    async fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let talk = async {
            let mut stream = TcpStream::connect(&self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        tokio::time::timeout(HANG, talk).await.expect("an answer")
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) {
        let encoded = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
        let mut body = format!("csrf={}", self.csrf);
        for (name, value) in fields {
            body.push_str(&format!("&{}={}", encoded(name), encoded(value)));
        }
        let answer = self.ask("POST", path, &body).await;
        assert!(answer.starts_with("HTTP/1.1 303"), "{path} {fields:?}: {answer}");
    }

    /// The text of the element with this id.
    async fn yaml(&self, path: &str) -> String {
        let page = self.ask("GET", path, "").await;
        let (_, rest) = page.split_once("<pre id=\"yaml\"").unwrap_or_else(|| panic!("{path}: {page}"));
        let text = rest.split_once('>').unwrap().1.split_once("</pre>").unwrap().0;
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
    }
}

const COMMON: [(&str, &str); 8] = [
    ("do", "save"),
    ("logstore", "logs"),
    ("log-path", "/var/log/nginx"),
    ("file-pattern", "access*.log"),
    ("max-depth", "0"),
    ("encoding", "utf8"),
    ("topic", "none"),
    ("group", "sidecars"),
];

/// A config in each mode, by its name.
fn configs() -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    vec![
        ("simple", vec![("mode", "simple"), ("begin", r"\d+-\d+ .*"), ("discard-unmatched", "true")]),
        (
            "regex",
            vec![
                ("mode", "regex"),
                ("regex", r#"(\S+)\s"([^"]+)"\s'#: (\d+)"#),
                ("key", "ip"),
                ("key", "agent: x"),
                ("key", "yes"),
                ("filter-key", "ip"),
                ("filter-regex", r"10\..*"),
                ("time-key", "yes"),
                ("time-format", "%s"),
                ("time-zone", "GMT+08:00"),
            ],
        ),
        (
            "nginx",
            vec![("mode", "nginx"), ("log-format", r#"$remote_addr [$time_local] "$request" $status"#)],
        ),
        (
            "delimiter",
            vec![("mode", "delimiter"), ("separator", r"\t"), ("quote", ""), ("key", "a"), ("key", "null")],
        ),
        (
            "json_log",
            vec![("mode", "json"), ("more", r#"{"tailExisted": true, "advanced": {"tail_size_kb": 5}}"#)],
        ),
    ]
}

#[tokio::test]
async fn the_yaml_of_the_console_makes_the_config_that_it_shows() {
    let emulator = MockSls::start(Config {
        auth: Auth::Off,
        console: Some(ConsoleSettings::default()),
        ..Config::default()
    })
    .await
    .unwrap();
    let address =
        emulator.console_url().unwrap().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut console = Console { address, csrf: String::new() };
    let first = console.ask("GET", "/", "").await;
    console.csrf =
        first.split_once("name=\"csrf\" content=\"").unwrap().1.split('"').next().unwrap().to_owned();
    console.post("/projects", &[("project", "project-a")]).await;
    console.post("/projects/project-a/logstores", &[("logstore", "logs")]).await;
    let group = [("group", "sidecars"), ("identified", "userdefined"), ("machines", "nginx-log-sidecar")];
    console.post("/projects/project-a/machine-groups", &group).await;

    let bed = Bed::start().await;
    let mut made = BTreeMap::new();
    for (name, fields) in configs() {
        let form = [&COMMON[..], &fields[..], &[("name", name)]].concat();
        console.post("/projects/project-a/new-config", &form).await;
        let yaml = console.yaml(&format!("/projects/project-a/configs/{name}")).await;
        let object: Value = serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{error}: {yaml}"));
        let typed: AliyunLogConfig = serde_saphyr::from_str(&yaml).expect("the operator's type reads it");
        assert_eq!(typed.spec.machine_groups, Some(vec!["sidecars".to_owned()]));
        if let Err(refused) = validate(&typed, &Defaults::default()) {
            panic!("{name} is refused: {:?}\n{yaml}", refused.problems);
        }
        let object_name = object["metadata"]["name"].as_str().unwrap().to_owned();
        bed.apply_value(object).await;
        bed.ready(&object_name).await;
        made.insert(name, bed.sls().config("project-a", name).await.expect("it is there"));
    }

    for (name, config) in made {
        // The console's own emulator has it as it was saved; the operator completes what it sends.
        let page = console.ask("GET", &format!("/projects/project-a/configs/{name}"), "").await;
        let (_, kept) = page.split_once("inputDetail as it is kept</summary><pre tabindex=\"0\">").unwrap();
        let kept = kept
            .split_once("</pre>")
            .unwrap()
            .0
            .replace("&quot;", "\"")
            .replace("&lt;", "<")
            .replace("&gt;", ">");
        let mut kept: Value = serde_json::from_str(&kept.replace("&amp;", "&")).unwrap();
        complete_input_detail(kept.as_object_mut().unwrap());
        let sent = json!(config.input_detail);
        for (key, value) in kept.as_object().unwrap() {
            assert_eq!(sent[key], *value, "{name}: {key}");
        }
    }
}
