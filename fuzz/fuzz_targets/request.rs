//! Requests to a whole server without sockets: front, router, handlers, agents and admin. Whatever is asked,
//! the answer is not "our fault", and every error is one that an SDK can read, or an agent. Signatures are off:
//! no fuzzer guesses one.

#![no_main]

use std::sync::LazyLock;

use axum::body::Body;
use fuzz::wire;
use http::{Method, Request, StatusCode};
use jiff::Timestamp;
use libfuzzer_sys::{Corpus, fuzz_target};
use mock_sls::clock::Clock;
use mock_sls::fuzzing::Service;
use mock_sls::{Auth, Config};
use sls_api::error::ErrorBody;
use tokio::runtime::{Builder, Runtime};

const HOST: &str = "proj-a.cn-hangzhou.log.aliyuncs.com";
/// What is there before every request.
const SETUP: [(&str, &str, &str); 9] = [
    ("POST", "/", r#"{"projectName":"proj-a","description":""}"#),
    ("POST", "/logstores", r#"{"logstoreName":"ls","ttl":30,"shardCount":2,"enable_tracking":true}"#),
    (
        "POST",
        "/logstores/ls/index",
        r#"{"line":{"token":[" ",","]},"keys":{"n":{"type":"long","doc_value":true}}}"#,
    ),
    ("POST", "/logstores/ls/consumergroups", r#"{"consumerGroup":"cg","timeout":60,"order":false}"#),
    (
        "POST",
        "/machinegroups",
        r#"{"groupName":"mg","machineIdentifyType":"userdefined","groupAttribute":{},"machineList":["id"]}"#,
    ),
    (
        "POST",
        "/configs",
        r#"{"configName":"cfg","inputType":"file","inputDetail":{"logType":"json_log","logPath":"/var/log","filePattern":"*.log"},"outputType":"LogService","outputDetail":{"logstoreName":"ls"}}"#,
    ),
    ("PUT", "/machinegroups/mg/configs/cfg", ""),
    ("POST", "/logstores/ls/track", r#"{"__logs__":[{"n":"1","text":"a b"}]}"#),
    (
        "POST",
        "/logging",
        r#"{"loggingProject":"proj-a","loggingDetails":[{"type":"operation_log","logstore":"ls"}]}"#,
    ),
];
/// What agents ask begins with this.
const AGENTS: &str = "/Agent/";
/// In the path of requests that write a log whatever their method.
const TRACKING: &str = "/track";
const SNAPSHOT: &str = "start";

static SERVER: LazyLock<(Runtime, Service)> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let now: Timestamp = "2026-11-23T07:30:43Z".parse().expect("a time");
    let config = Config { auth: Auth::Off, clock: Clock::manual(now), ..Config::default() };
    let service = Service::new(config).expect("a server");
    runtime.block_on(async {
        for (method, path, body) in SETUP {
            let request = Request::builder().method(method).uri(path).header("host", HOST);
            let request = request.header("x-log-bodyrawsize", body.len()).body(Body::from(body));
            let answer = service.answer(request.expect("a request")).await;
            let text = String::from_utf8_lossy(answer.body());
            assert_eq!(answer.status(), StatusCode::OK, "{method} {path}: {text}");
        }
        service.snapshot(SNAPSHOT).await.expect("a snapshot");
    });
    (runtime, service)
});

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some(request) = wire::request(data) else { return Corpus::Reject };
    // The emulator's own words may take down the state, or answer with all of it.
    if request.uri().path().starts_with("/_mock/") && request.method() != Method::GET {
        return Corpus::Reject;
    }
    let (runtime, service) = &*SERVER;
    let path = request.uri().path();
    let of_agents = path.starts_with(AGENTS);
    let reads =
        matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) && !path.contains(TRACKING);
    let answer = runtime.block_on(service.answer(request.map(Body::from)));
    let (status, body) = (answer.status(), answer.body());
    let text = String::from_utf8_lossy(body);
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{text}");
    if !status.is_success() && of_agents {
        // Agents show it as it is.
        assert!(!text.is_empty(), "{status} without a word");
    } else if !status.is_success() {
        let error: ErrorBody = serde_json::from_slice(body).expect("an error in the usual form");
        assert!(!error.error_code.is_empty() && !error.error_message.is_empty(), "{text}");
    } else if !reads {
        runtime.block_on(service.restore(SNAPSHOT)).expect("the state of before");
    }
    Corpus::Keep
});
