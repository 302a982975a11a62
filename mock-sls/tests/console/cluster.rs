//! The pages of the cluster, against a server that answers as one of Kubernetes does, or not at all.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::ACCEPT;
use mock_sls::{ConsoleSettings, Running};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::bed::{Visitor, start, start_with};

/// What the API server was asked: path with query, and `Accept`.
type Seen = Arc<Mutex<Vec<(String, String)>>>;

/// An API server that answers by path.
async fn api(answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> (String, Seen) {
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    let router = Router::new().fallback(move |request: Request| {
        let accept = request.headers().get(ACCEPT).map_or("", |value| value.to_str().unwrap()).to_owned();
        noted.lock().unwrap().push((request.uri().to_string(), accept));
        let answer = answer(request.uri().path());
        async move { answer }
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (base, seen)
}

async fn console_of(base: &str) -> (Running, Visitor) {
    let settings = ConsoleSettings { cluster: Some(base.to_owned()), ..ConsoleSettings::default() };
    let server = start_with(settings).await;
    let visitor = Visitor::of(&server).await;
    (server, visitor)
}

fn status(code: u16, message: &str) -> Response {
    let body = json!({"kind": "Status", "message": message, "code": code});
    (StatusCode::from_u16(code).unwrap(), axum::Json(body)).into_response()
}

fn list(items: Value) -> Response {
    axum::Json(json!({"kind": "List", "metadata": {}, "items": items})).into_response()
}

fn pod() -> Value {
    json!({
        "kind": "Pod",
        "metadata": {"name": "nginx-1", "namespace": "default", "creationTimestamp": "2026-01-31T09:05:00Z", "managedFields": [{"manager": "m"}]},
        "spec": {"containers": [
            {"name": "app", "image": "nginx:<b>", "env": [{"name": "ALIYUN_ACCESS_KEY_SECRET", "value": "hush"}]},
            {"name": "logtail", "image": "logtail", "livenessProbe": {"exec": {"command": ["/etc/init.d/ilogtaild", "status"]}}},
        ]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "<script>\u{1b}[1m"}],
            "containerStatuses": [
                {"name": "app", "ready": true, "restartCount": 0, "state": {"running": {"startedAt": "2026-01-31T09:05:07Z"}}},
                {"name": "logtail", "ready": false, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                 "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-31T09:06:00Z"}}},
            ]},
    })
}

fn event() -> Value {
    json!({
        "type": "Warning", "reason": "BackOff", "message": "Back-off restarting", "count": 7, "lastTimestamp": "2026-01-31T09:07:00Z",
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "nginx-1"},
    })
}

/// A cluster with one of everything.
fn cluster(path: &str) -> Response {
    match path {
        "/api/v1/namespaces" => list(json!([{"metadata": {"name": "default"}}, {"metadata": {"name": "other"}}])),
        "/api/v1/pods" | "/api/v1/namespaces/default/pods" => list(json!([pod()])),
        "/api/v1/namespaces/other/pods" => list(json!([])),
        "/api/v1/namespaces/default/pods/nginx-1" => axum::Json(pod()).into_response(),
        "/api/v1/namespaces/default/pods/nginx-1/log" => {
            format!("first\n\u{1b}[31m<b>red</b>\0\n{}\nlast\n", "x".repeat(200_000)).into_response()
        }
        "/api/v1/events" | "/api/v1/namespaces/default/events" => list(json!([event()])),
        "/apis/batch/v1/jobs" => list(json!([{
            "metadata": {"name": "job-1", "namespace": "default"}, "spec": {"completions": 2},
            "status": {"succeeded": 1, "failed": 1, "conditions": [{"type": "Failed", "status": "True", "message": "BackoffLimitExceeded"}]},
        }])),
        "/apis/apps/v1/deployments" => list(json!([{
            "metadata": {"name": "web", "namespace": "default"}, "spec": {"replicas": 3}, "status": {"readyReplicas": 2},
        }])),
        "/apis/log.alibabacloud.com/v1alpha1/aliyunlogconfigs" => axum::Json(json!({
            "kind": "Table",
            "columnDefinitions": [{"name": "Name", "priority": 0}, {"name": "Project", "priority": 0}, {"name": "Code", "priority": 1}],
            "rows": [{"cells": ["access", "demo-project", 400], "object": {
                "metadata": {"name": "access", "namespace": "default"},
                "spec": {"logstore": "nginx-access"},
                "status": {"project": "demo-project", "conditions": [{"type": "Accepted", "status": "False", "message": "11 groups for 10 keys"}]},
            }}],
        }))
        .into_response(),
        other => status(404, &format!("the server could not find {other}")),
    }
}

#[tokio::test]
async fn pods_are_shown_with_containers_restarts_and_probes() {
    let (base, seen) = api(cluster).await;
    let (_server, visitor) = console_of(&base).await;
    let page = visitor.get("/cluster").await;
    page.has(&[
        "nginx-1",
        "1/2",
        "CrashLoopBackOff",
        "/etc/init.d/ilogtaild status",
        "/cluster/logs/default/nginx-1/logtail",
        "<option value=\"other\">other",
    ]);
    visitor.get("/cluster?namespace=other").await.has(&["No pods.", "/cluster/events?namespace=other"]);
    let paths: Vec<String> = seen.lock().unwrap().iter().map(|(path, _)| path.clone()).collect();
    assert!(paths.contains(&"/api/v1/namespaces/other/pods?limit=500".to_owned()), "{paths:?}");
}

#[tokio::test]
async fn workloads_configs_and_events_say_what_is_wrong() {
    let (base, seen) = api(cluster).await;
    let (_server, visitor) = console_of(&base).await;
    visitor.get("/cluster/workloads").await.has(&["job-1", "1 / 2", "BackoffLimitExceeded", "web", "2 / 3"]);
    let configs = visitor.get("/cluster/configs").await;
    configs.has(&[
        "demo-project",
        "/projects/demo-project/logstores/nginx-access",
        "Accepted: 11 groups for 10 keys",
        "its CRD is not installed",
    ]);
    configs.lacks(&["<th>Code</th>"]);
    assert!(seen.lock().unwrap().iter().any(|(_, accept)| accept.contains("as=Table")));
    visitor.get("/cluster/events").await.has(&[
        "BackOff",
        "Back-off restarting",
        "/cluster/objects/pod/default/nginx-1",
    ]);
}

#[tokio::test]
async fn an_object_has_a_page_without_secrets_and_with_hostile_text_as_text() {
    let (base, _) = api(cluster).await;
    let (_server, visitor) = console_of(&base).await;
    let page = visitor.get("/cluster/objects/pod/default/nginx-1").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    page.has(&[
        "137",
        "OOMKilled",
        "Ready: &lt;script&gt;␛[1m",
        "nginx:&lt;b&gt;",
        "BackOff",
        "(hidden by the console)",
        "/cluster/logs/default/nginx-1/logtail?previous=true",
    ]);
    page.lacks(&["hush", "<script>\u{1b}", "managedFields", "nginx:<b>"]);
    for (path, why) in [
        ("/cluster/objects/pod/default/none", "could not find"),
        ("/cluster/objects/secret/default/a", "there is no kind"),
        ("/cluster/objects/pod/default/..", "is no name in a cluster"),
        ("/cluster/objects/pod/..%2F..%2Fsecrets/a", "is no name in a cluster"),
        ("/cluster/objects/pod/default/a%3Fwatch=1", "is no name in a cluster"),
    ] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        page.has(&[why]);
    }
}

#[tokio::test]
async fn the_end_of_a_log_is_shown_as_text_with_long_lines_cut() {
    let (base, seen) = api(cluster).await;
    let (_server, visitor) = console_of(&base).await;
    let page = visitor.get("/cluster/logs/default/nginx-1/app?lines=50").await;
    page.has(&["first\n␛[31m&lt;b&gt;red&lt;/b&gt;␀\n", "x…\nlast\n"]);
    assert!(page.body.len() < 20_000, "{} bytes", page.body.len());
    let asked = seen.lock().unwrap().last().unwrap().0.clone();
    assert_eq!(
        asked,
        "/api/v1/namespaces/default/pods/nginx-1/log?container=app&tailLines=50&limitBytes=1048576&previous=false"
    );
    visitor.get("/cluster/logs/default/nginx-1/app?lines=999999999").await;
    assert!(seen.lock().unwrap().last().unwrap().0.contains("tailLines=5000&"));
    assert_eq!(
        visitor.get("/cluster/logs/default/nginx-1/app?lines=x").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_container_that_has_no_log_yet_is_no_failure() {
    let (base, _) = api(|_| status(400, "container \"app\" is waiting to start: <b>")).await;
    let (_server, visitor) = console_of(&base).await;
    let page = visitor.get("/cluster/logs/default/nginx-1/app").await;
    assert_eq!(page.status, StatusCode::OK);
    page.has(&["is waiting to start: &lt;b&gt;"]);
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_told_with_what_to_do() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let refusing = api(|_| status(403, "forbidden: <b>")).await.0;
    let no_json = api(|_| "hello".into_response()).await.0;
    let no_list = api(|_| axum::Json(json!({"a": 1})).into_response()).await.0;
    let endless = api(|_| Response::new(Body::from(vec![b' '; (16 << 20) + 1]))).await.0;
    for (base, told) in [
        (format!("http://{free}"), "does `kubectl proxy` still run?"),
        (refusing, "the cluster answers 403 Forbidden: forbidden: &lt;b&gt;"),
        (no_json, "is no Kubernetes API"),
        (no_list, "a list without items"),
        (endless, "is larger than 16777216 bytes"),
        ("https://127.0.0.1:1".to_owned(), "use http://HOST:PORT"),
        ("nonsense".to_owned(), "use http://HOST:PORT"),
    ] {
        let (_server, visitor) = console_of(&base).await;
        for path in ["/cluster", "/cluster/configs", "/cluster/objects/job/default/a"] {
            let page = visitor.get(path).await;
            assert_eq!(page.status, StatusCode::BAD_GATEWAY, "{base}{path}");
        }
        visitor.get("/cluster").await.has(&[told, "The cluster does not answer"]);
    }
}

#[tokio::test]
async fn without_a_cluster_there_is_none_in_the_menu_and_its_pages_say_how_to_set_one() {
    let server = start().await;
    let visitor = Visitor::of(&server).await;
    visitor.get("/").await.lacks(&["href=\"/cluster\""]);
    let page = visitor.get("/cluster").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    page.has(&["--cluster http://HOST:PORT"]);
}
