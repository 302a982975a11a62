//! How a request finds its project and its operation, and what every answer carries.

use expect_test::expect;
use http::Request;
use mock_sls::{Auth, Config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bed::Bed;
use super::raw::{self, Answer};

async fn bed() -> Bed {
    let config = Config { auth: Auth::Off, endpoint_hosts: vec!["sls.test".to_owned()], ..Config::default() };
    let bed = Bed::bare(config).await;
    bed.create_project().await;
    bed.create_logstore("ls", 1).await;
    bed
}

async fn get(bed: &Bed, target: &str, host: &str) -> Answer {
    let request = Request::get(target).header("host", host).body(Vec::new()).unwrap();
    raw::send(bed.server.addr(), request).await
}

#[tokio::test]
async fn the_project_is_found_in_every_place_where_clients_put_it() {
    let bed = bed().await;
    for (target, host) in [
        ("/logstores/ls", "proj-a.127.0.0.1:8080"),
        ("/logstores/ls", "proj-a.localhost"),
        ("/logstores/ls", "proj-a.sls.test:80"),
        ("/logstores/ls", "proj-a.cn-hangzhou.log.aliyuncs.com"),
        ("/logstores/ls", "proj-a.unknown"),
        ("http://proj-a.cn-hangzhou.log.aliyuncs.com:80/logstores/ls", "proj-a.cn-hangzhou.log.aliyuncs.com"),
    ] {
        let answer = get(&bed, target, host).await;
        assert_eq!(answer.status.as_u16(), 200, "{target} {host}: {}", answer.text());
    }
    let by_header = Request::get("/logstores/ls")
        .header("host", "127.0.0.1")
        .header("x-log-project", "proj-a")
        .body(Vec::new())
        .unwrap();
    assert_eq!(raw::send(bed.server.addr(), by_header).await.status.as_u16(), 200);
}

#[tokio::test]
async fn the_root_is_a_project_on_its_host_and_the_list_on_the_bare_endpoint() {
    let bed = bed().await;
    assert!(get(&bed, "/", "proj-a.sls.test").await.text().starts_with(r#"{"projectName":"proj-a""#));
    assert!(get(&bed, "/", "sls.test").await.text().starts_with(r#"{"count":1,"total":1,"#));
    assert!(get(&bed, "/?projectName=", "127.0.0.1").await.text().starts_with(r#"{"count":1"#));
}

#[tokio::test]
async fn a_project_operation_without_a_project_says_where_to_put_it() {
    let answer = get(&bed().await, "/logstores/ls", "127.0.0.1").await;
    expect![[r#"{"errorCode":"ProjectNotExist","errorMessage":"The request names no project: put it in front of the endpoint's host name (project.endpoint) or in the header x-log-project"}"#]]
        .assert_eq(&answer.text());
}

#[tokio::test]
async fn the_region_is_where_the_client_asked_or_where_it_is_told_to() {
    let asked = bed().await;
    let advertise = Some("mock.test:8080".to_owned());
    let told = Bed::bare(Config { auth: Auth::Off, advertise, ..Config::default() }).await;
    for (target, host, endpoint) in [
        ("/regions", "127.0.0.1:8080", "127.0.0.1:8080"),
        ("/regions", "sls.test:80", "sls.test:80"),
        ("/regions", "proj-a.sls.test:80", "sls.test:80"),
        (
            "http://cn-hangzhou.log.aliyuncs.com/regions",
            "cn-hangzhou.log.aliyuncs.com",
            "cn-hangzhou.log.aliyuncs.com",
        ),
    ] {
        for (bed, endpoint) in [(&asked, endpoint), (&told, "mock.test:8080")] {
            let answer: serde_json::Value =
                serde_json::from_slice(&get(bed, target, host).await.body).unwrap();
            for field in ["internetEndpoint", "intranetEndpoint", "internalEndpoint"] {
                assert_eq!(answer["regions"][0][field], endpoint, "{target} {host}");
            }
        }
    }
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_clients_look_for() {
    let bed = bed().await;
    for (target, status) in [("/logstores/ls", 200), ("/logstores/none", 404), ("/nothing/here", 400)] {
        let answer = get(&bed, target, "proj-a.localhost").await;
        assert_eq!(answer.status.as_u16(), status, "{target}");
        let id = answer.header("x-log-requestid");
        assert!(id.len() == 24 && id.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()), "{id}");
        assert!(answer.header("x-log-time").parse::<i64>().unwrap() > 1_700_000_000);
        assert_eq!(answer.header("server"), "mock-sls");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(!answer.header("date").is_empty());
    }
}

#[tokio::test]
async fn success_without_content_has_no_content_type() {
    let bed = bed().await;
    let request =
        Request::delete("/logstores/ls").header("host", "proj-a.localhost").body(Vec::new()).unwrap();
    let answer = raw::send(bed.server.addr(), request).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-length")), (200, "0"));
    assert_eq!(answer.header("content-type"), "");
}

#[tokio::test]
async fn unknown_operations_are_named_and_counted() {
    let bed = bed().await;
    let unknown = get(&bed, "/nothing/here?type=what", "proj-a.localhost").await;
    expect![[r#"{"errorCode":"NotSupported","errorMessage":"GET /nothing/here with type=what is not an operation of this emulator; GET /_mock/v1/operations lists what is"}"#]]
        .assert_eq(&unknown.text());
    let request =
        Request::patch("/logstores/ls").header("host", "proj-a.localhost").body(Vec::new()).unwrap();
    let method = raw::send(bed.server.addr(), request).await;
    expect![[r#"405 {"errorCode":"InvalidMethod","errorMessage":"invalid request method: PATCH /logstores/{logstore}"}"#]]
        .assert_eq(&format!("{} {}", method.status.as_u16(), method.text()));
    let table: serde_json::Value =
        serde_json::from_slice(&get(&bed, "/_mock/v1/operations", "127.0.0.1").await.body).unwrap();
    assert_eq!(table["unknown"].as_object().unwrap().len(), 2);
    let operations = table["operations"].as_array().unwrap();
    let create = operations.iter().find(|op| op["name"] == "CreateLogStore").unwrap();
    assert_eq!((&create["calls"], &create["path"]), (&1.into(), &"/logstores".into()));
}

#[tokio::test]
async fn every_tier_a_operation_is_served() {
    let bed = bed().await;
    let table: serde_json::Value =
        serde_json::from_slice(&get(&bed, "/_mock/v1/operations", "127.0.0.1").await.body).unwrap();
    let served: Vec<&str> =
        table["operations"].as_array().unwrap().iter().map(|op| op["name"].as_str().unwrap()).collect();
    let missing: Vec<&str> = sls_api::ops::ENDPOINTS
        .iter()
        .filter(|endpoint| endpoint.tier == sls_api::operation::Tier::A)
        .map(|endpoint| endpoint.name)
        .filter(|name| !served.contains(name))
        .collect();
    assert!(missing.is_empty(), "not served: {missing:?}");
}

#[tokio::test]
async fn nothing_answers_without_an_error_of_the_service() {
    let bed = bed().await;
    for (method, target, expected) in [
        ("GET", "/_mock/v1/nothing", "400 NotSupported"),
        ("DELETE", "/_mock/v1/health", "405 InvalidMethod"),
        ("GET", "/Agent/Heartbeat", "405 InvalidMethod"),
        ("PUT", "/logstores/ls/shards/0", "405 InvalidMethod"),
        ("GET", "/logstores/ls/shards/0?type=what", "400 NotSupported"),
        ("GET", "/logstores//", "400 NotSupported"),
        ("POST", "/favicon.ico", "400 NotSupported"),
    ] {
        let request =
            Request::builder().method(method).uri(target).header("host", "proj-a.localhost").body(Vec::new());
        let answer = raw::send(bed.server.addr(), request.unwrap()).await;
        let got = format!("{} {}", answer.status.as_u16(), answer.error_code());
        assert_eq!(got, expected, "{method} {target}: {}", answer.text());
        assert_eq!(answer.header("x-log-requestid").len(), 24, "{method} {target}");
    }
}

#[tokio::test]
async fn what_is_remembered_of_unknown_requests_is_bounded() {
    let bed = bed().await;
    let long = "x".repeat(5_000);
    for number in 0..210 {
        get(&bed, &format!("/unknown-{number}/{long}?type={long}"), "127.0.0.1").await;
    }
    let table: serde_json::Value =
        serde_json::from_slice(&get(&bed, "/_mock/v1/operations", "127.0.0.1").await.body).unwrap();
    let unknown = table["unknown"].as_object().unwrap();
    assert_eq!(unknown.len(), 201);
    assert_eq!(unknown["further ones"], 10);
    assert!(unknown.keys().all(|kind| kind.len() < 700), "{:?}", unknown.keys().next());
}

#[tokio::test]
async fn health_is_answered_without_a_signature() {
    let bed = Bed::bare(Config::default()).await;
    let answer = get(&bed, "/_mock/v1/health", "127.0.0.1").await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, r#"{"ok":true}"#));
}

#[tokio::test]
async fn names_in_the_path_are_unescaped_and_checked() {
    let bed = bed().await;
    assert_eq!(get(&bed, "/logstores/%6Cs", "proj-a.localhost").await.status.as_u16(), 200);
    let answer = get(&bed, "/logstores/UP", "proj-a.localhost").await;
    expect![[r#"{"errorCode":"ParameterInvalid","errorMessage":"path: logstore name \"UP\" is not valid: use 2 to 80 lowercase letters, digits, '-' or '_', beginning and ending with a letter or digit"}"#]]
        .assert_eq(&answer.text());
}

#[tokio::test]
async fn connect_is_refused_as_an_unknown_operation() {
    let bed = bed().await;
    let mut stream = TcpStream::connect(bed.server.addr()).await.unwrap();
    let request =
        b"CONNECT proj-a.sls.test:443 HTTP/1.1\r\nhost: proj-a.sls.test:443\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("NotSupported"), "{answer}");
}
