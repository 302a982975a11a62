//! The client against a server that records the raw request and answers with canned text.

use std::time::Duration;

use sls_api::{
    NoPath, NoQuery,
    codec::Compression,
    names::ProjectName,
    ops::{
        InLogstore,
        logs::{CompressedLogs, PutLogs},
        logstores::{GetLogStore, ListLogStore, ListLogStoreQuery},
        projects::{ListProject, ListProjectQuery},
    },
    sign::{AccessKey, SignVersion},
};
use sls_client::{Client, ClientConfig, ClientError, Proxies, ProxyUrls, Retry, RetryPolicy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Longest wait for anything that should happen at once: a hang guard.
const HANG: Duration = Duration::from_secs(20);

/// Serves one connection per answer; yields the requests as received.
async fn server(answers: Vec<String>) -> (String, JoinHandle<Vec<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let serve = async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            requests.push(read_request(&mut stream).await);
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
        requests
    };
    (endpoint, tokio::spawn(async { tokio::time::timeout(HANG, serve).await.unwrap() }))
}

async fn read_request(stream: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.unwrap();
        request.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.split("\r\n").next()?.parse().ok())
                .unwrap_or(0);
            if n == 0 || request.len() >= end + 4 + length {
                return request;
            }
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let id = if headers.contains("x-log-requestid") { "" } else { "x-log-requestid: 1\r\n" };
    foreign_answer(status, &format!("{id}{headers}"), body)
}

/// One that lacks what the service always sends.
fn foreign_answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len())
}

fn error(status: &str, headers: &str, code: &str) -> String {
    let body = format!(r#"{{"errorCode":"{code}","errorMessage":"why"}}"#);
    answer(status, headers, &body)
}

fn client(endpoint: &str) -> Client {
    let key = AccessKey::new("testAccessKeyId", "testAccessKeySecret");
    Client::new(ClientConfig::new(endpoint.parse().unwrap(), key)).unwrap()
}

fn project() -> ProjectName {
    "proj-a".parse().unwrap()
}

async fn list(client: &Client) -> Result<Vec<String>, ClientError> {
    let query = ListLogStoreQuery { size: Some(10), ..Default::default() };
    let list = client.send::<ListLogStore>(Some(&project()), &NoPath {}, &query, &()).await?;
    Ok(list.0.logstores.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn the_project_is_in_the_host_header_and_the_request_is_signed() {
    let body = r#"{"count":1,"total":1,"logstores":["nginx-access"]}"#;
    let (endpoint, server) = server(vec![answer("200 OK", "", body)]).await;
    assert_eq!(list(&client(&endpoint)).await.unwrap(), ["nginx-access"]);
    let request = String::from_utf8(server.await.unwrap().remove(0)).unwrap();
    let authority = endpoint.strip_prefix("http://").unwrap();
    assert!(request.starts_with("GET /logstores?size=10 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: proj-a.{authority}\r\n")), "{request}");
    assert!(request.contains("authorization: LOG testAccessKeyId:"), "{request}");
    assert!(request.contains("x-log-apiversion: 0.6.0\r\n"), "{request}");
}

#[tokio::test]
async fn what_is_sent_verifies_in_both_schemes() {
    for version in [SignVersion::V1, SignVersion::V4 { region: "cn-hangzhou".into() }] {
        let (endpoint, server) = server(vec![answer("200 OK", "", "")]).await;
        let key = AccessKey::new("id", "secret");
        let mut config = ClientConfig::new(endpoint.parse().unwrap(), key.clone());
        config.sign = version;
        config.security_token = Some("token".into());
        let client = Client::new(config).unwrap();
        let path = InLogstore { logstore: "nginx-access".parse().unwrap() };
        let body = CompressedLogs::pack(b"not looked at here, but long enough", Compression::Lz4).unwrap();
        client.send::<PutLogs>(Some(&project()), &path, &NoQuery {}, &body).await.unwrap();

        let raw = server.await.unwrap().remove(0);
        let (headers, sent_body) = parse(&raw);
        assert_eq!(sent_body, &*body.bytes);
        let request = sls_api::sign::Request {
            method: &http::Method::POST,
            path: "/logstores/nginx-access/shards/lb",
            query: "",
            headers: &headers,
        };
        let lookup = |id: &str| (id == key.id).then(|| key.secret.clone());
        let verified =
            sls_api::sign::verify(&request, sent_body, lookup, jiff::Timestamp::now(), &Default::default());
        assert_eq!(verified.unwrap().access_key_id, "id");
    }
}

fn parse(raw: &[u8]) -> (http::HeaderMap, &[u8]) {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&raw[..end]).unwrap();
    let headers = head.lines().skip(1).map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        let name: http::HeaderName = name.parse().unwrap();
        (name, http::HeaderValue::from_str(value).unwrap())
    });
    (headers.collect(), &raw[end + 4..])
}

#[tokio::test]
async fn an_error_answer_becomes_its_code_message_and_request_id() {
    let headers = "x-log-requestid: ABC123\r\n";
    let (endpoint, _server) = server(vec![error("404 Not Found", headers, "LogStoreNotExist")]).await;
    let path = InLogstore { logstore: "missing".parse().unwrap() };
    let e =
        client(&endpoint).send::<GetLogStore>(Some(&project()), &path, &NoQuery {}, &()).await.unwrap_err();
    assert_eq!(e.to_string(), "GetLogStore: LogStoreNotExist (HTTP 404): why (request ABC123)");
    assert_eq!(e.class(), Retry::NotExist);
}

#[tokio::test]
async fn an_answer_that_is_not_the_service_s_is_repeated_in_part() {
    let (endpoint, _server) = server(vec![foreign_answer("502 Bad Gateway", "", "<html>nginx</html>")]).await;
    let e = list(&client(&endpoint)).await.unwrap_err();
    assert_eq!(e.to_string(), "ListLogStore: BadResponse (HTTP 502): <html>nginx</html>");
    assert_eq!(e.class(), Retry::Later);
}

#[tokio::test]
async fn nobody_listening_is_a_transport_error_that_names_the_endpoint() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let e = list(&client(&endpoint)).await.unwrap_err();
    assert!(e.to_string().contains(&endpoint), "{e}");
    assert!(e.to_string().contains("refused"), "{e}");
    assert_eq!(e.class(), Retry::Later);
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let mut config = ClientConfig::new(endpoint.parse().unwrap(), AccessKey::new("id", "secret"));
    config.request_timeout = Duration::from_millis(50);
    let e = list(&Client::new(config).unwrap()).await.unwrap_err();
    assert!(matches!(e, ClientError::Timeout { .. }), "{e}");
    assert_eq!(e.class(), Retry::Later);
}

#[tokio::test]
async fn a_broken_answer_is_a_decode_error() {
    let (endpoint, _server) = server(vec![answer("200 OK", "", "{")]).await;
    let e = list(&client(&endpoint)).await.unwrap_err();
    assert!(matches!(e, ClientError::Decode { .. }), "{e}");
    assert_eq!(e.class(), Retry::Never);
}

#[tokio::test]
async fn retrying_waits_out_trouble_and_corrects_the_clock() {
    let ok = answer("200 OK", "", r#"{"count":0,"total":0,"projects":[]}"#);
    let (endpoint, server) = server(vec![
        error("503 Service Unavailable", "", "ServerBusy"),
        error("400 Bad Request", "x-log-time: 4102444800\r\n", "RequestTimeExpired"),
        ok,
    ])
    .await;
    let policy = RetryPolicy { attempts: 3, base: Duration::from_millis(1), cap: Duration::from_millis(2) };
    let client = client(&endpoint);
    let reply = client
        .send_with_retry::<ListProject>(None, &NoPath {}, &ListProjectQuery::default(), &(), policy)
        .await;
    assert_eq!(reply.unwrap().0.total, 0);
    let last = String::from_utf8(server.await.unwrap().remove(2)).unwrap();
    assert!(last.contains("date: Fri, 01 Jan 2100 00:00:"), "{last}");
}

#[tokio::test]
async fn an_error_that_cannot_pass_is_not_retried() {
    let (endpoint, server) = server(vec![error("401 Unauthorized", "", "Unauthorized")]).await;
    let client = client(&endpoint);
    let query = ListProjectQuery::default();
    let reply =
        client.send_with_retry::<ListProject>(None, &NoPath {}, &query, &(), RetryPolicy::default()).await;
    assert_eq!(reply.unwrap_err().class(), Retry::Auth);
    assert_eq!(server.await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_project_operation_without_project_is_refused() {
    let client = client("http://127.0.0.1:1");
    let e =
        client.send::<ListLogStore>(None, &NoPath {}, &ListLogStoreQuery::default(), &()).await.unwrap_err();
    assert_eq!(e.to_string(), "ListLogStore needs a project");
}

/// A client that is to go through `proxy`, but for `except`.
fn client_behind(proxy: &str, endpoint: &str, except: Option<&str>) -> Client {
    let key = AccessKey::new("testAccessKeyId", "testAccessKeySecret");
    let mut config = ClientConfig::new(endpoint.parse().unwrap(), key);
    let proxy = proxy.replace("http://", "http://me:s3cret@");
    config.proxies = Proxies::new(&ProxyUrls { all: Some(&proxy), except, ..ProxyUrls::default() });
    Client::new(config).unwrap()
}

#[tokio::test]
async fn a_proxy_is_told_the_whole_address_and_the_project_in_a_header() {
    let body = r#"{"count":0,"total":0,"logstores":[]}"#;
    let (proxy, requests) = server(vec![answer("200 OK", "", body), answer("200 OK", "", body)]).await;
    // Names that resolve nowhere: only the proxy can know them.
    list(&client_behind(&proxy, "http://sls.invalid:8080", None)).await.unwrap();
    list(&client_behind(&proxy, "http://cn-hangzhou.log.aliyuncs.com", None)).await.unwrap();
    let requests = requests.await.unwrap();
    let texts: Vec<String> = requests.iter().map(|r| String::from_utf8_lossy(r).to_lowercase()).collect();
    assert!(texts[0].starts_with("get http://sls.invalid:8080/logstores?"), "{}", texts[0]);
    assert!(texts[0].contains("\r\nx-log-project: proj-a\r\n"), "{}", texts[0]);
    assert!(texts[0].contains("\r\nproxy-authorization: basic bwu6cznjcmv0\r\n"), "{}", texts[0]);
    let cloud = "get http://proj-a.cn-hangzhou.log.aliyuncs.com/logstores?";
    assert!(texts[1].starts_with(cloud) && !texts[1].contains("x-log-project"), "{}", texts[1]);
}

#[tokio::test]
async fn an_excepted_endpoint_is_connected_to_directly() {
    let (endpoint, requests) =
        server(vec![answer("200 OK", "", r#"{"count":0,"total":0,"logstores":[]}"#)]).await;
    list(&client_behind("http://proxy.invalid:1", &endpoint, Some("127.0.0.0/8"))).await.unwrap();
    let text = String::from_utf8_lossy(&requests.await.unwrap()[0]).into_owned();
    assert!(text.starts_with("GET /logstores?") && !text.contains("proxy-authorization"), "{text}");
}

#[tokio::test]
async fn https_goes_through_a_tunnel_and_a_refusal_names_the_proxy() {
    let (proxy, requests) = server(vec![answer("407 Proxy Authentication Required", "", "")]).await;
    let client = client_behind(&proxy, "https://cn-hangzhou.log.aliyuncs.com", None);
    let error = list(&client).await.unwrap_err();
    assert_eq!(error.class(), Retry::Later);
    let text = error.to_string();
    let address = proxy.strip_prefix("http://").unwrap();
    assert!(
        text.contains(&format!("through the proxy {address}: tunnel error: proxy authorization")),
        "{text}"
    );
    assert!(!text.contains("s3cret"), "{text}");
    let request = String::from_utf8_lossy(&requests.await.unwrap()[0]).into_owned();
    assert!(request.starts_with("CONNECT proj-a.cn-hangzhou.log.aliyuncs.com:443 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("Proxy-Authorization: Basic bWU6czNjcmV0\r\n"), "{request}");
    assert!(!request.contains("testAccessKeyId"), "the tunnel tells the proxy nothing more");
}

#[tokio::test]
async fn success_that_somebody_in_between_tells_is_none() {
    let (endpoint, _server) = server(vec![foreign_answer("200 OK", "", "<html>please login</html>")]).await;
    let path = InLogstore { logstore: "nginx-access".parse().unwrap() };
    let body = CompressedLogs::pack(b"not looked at here, but long enough", Compression::Lz4).unwrap();
    let result = client(&endpoint).send::<PutLogs>(Some(&project()), &path, &NoQuery {}, &body).await;
    let error = result.unwrap_err();
    assert_eq!(error.class(), Retry::Later);
    assert_eq!(
        error.to_string(),
        "PutLogs: BadResponse (HTTP 200): the answer has no x-log-requestid, so the Log Service did not give it; is a \
         proxy or a login page in between? It says: \"<html>please login</html>\""
    );
}
