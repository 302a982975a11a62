//! Web tracking: what a page may write without a key, and where.

use http::{Method, Request};
use mock_sls::clock::Clock;
use mock_sls::{Config, WriteQuotas};
use sls_api::ops::indexes::{CreateIndex, Index};
use sls_api::ops::logs::{GetLogs, GetLogsRequest};
use sls_api::ops::logstores::{CreateLogStore, LogstoreSettings};
use sls_api::ops::tracking::{
    PutWebtracking, PutWebtrackingByImage, PutWebtrackingByImageOfPage, PutWebtrackingByQuery,
};
use sls_api::{Json, NoPath, NoQuery, Operation};

use super::bed::{Bed, logstore};
use super::raw::{self, Answer};

/// A server that checks signatures, with the Logstore `open` for pages and `closed`.
async fn bed() -> Bed {
    bed_with(Config::default()).await
}

async fn bed_with(config: Config) -> Bed {
    let bed = Bed::bare(config).await;
    bed.create_project().await;
    for (name, tracking) in [("open", true), ("closed", false)] {
        let settings = LogstoreSettings {
            enable_tracking: Some(tracking),
            ..LogstoreSettings::new(logstore(name).logstore, 30, 1)
        };
        bed.send::<CreateLogStore>(&NoPath {}, &NoQuery {}, &Json(settings)).await.unwrap();
        let index: Index = serde_json::from_str(r#"{"line":{"token":[" "]}}"#).unwrap();
        bed.send::<CreateIndex>(&logstore(name), &NoQuery {}, &Json(index)).await.unwrap();
    }
    bed
}

/// The operation's path in the Logstore `open`.
fn at<O: Operation>() -> String {
    O::ENDPOINT.path.replace("{logstore}", "open")
}

async fn send(bed: &Bed, method: Method, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = Request::builder().method(method).uri(target).header("host", "proj-a.localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    raw::send(bed.server.addr(), request.body(body.to_vec()).unwrap()).await
}

async fn get(bed: &Bed, target: &str) -> Answer {
    send(bed, Method::GET, target, &[], b"").await
}

/// Every row of `open`, as JSON with sorted keys and without times.
async fn rows(bed: &Bed) -> Vec<String> {
    let all =
        GetLogsRequest { from: 0, to: i64::from(u32::MAX), query: "*".to_owned(), ..Default::default() };
    let found = bed.send::<GetLogs>(&logstore("open"), &NoQuery {}, &Json(all)).await.unwrap();
    let shown = |row: &serde_json::Value| {
        let fields: std::collections::BTreeMap<String, serde_json::Value> =
            serde_json::from_value(row.clone()).unwrap();
        let kept = fields.into_iter().filter(|(key, _)| key != "__time__");
        kept.map(|(key, value)| format!("{key}={}", value.as_str().unwrap())).collect::<Vec<_>>().join(" ")
    };
    let reply = serde_json::to_value(&found.0).unwrap();
    let mut rows: Vec<String> = reply["data"].as_array().unwrap().iter().map(shown).collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn one_log_is_taken_from_a_query_string() {
    let bed = bed().await;
    let path = at::<PutWebtrackingByQuery>();
    let answer = get(&bed, &format!("{path}?APIVersion=0.6.0&__topic__=shop&a=%E4%B8%AD+x&b=")).await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, ""));
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(rows(&bed).await, ["__source__=127.0.0.1 __topic__=shop a=中 x b="]);
}

#[tokio::test]
async fn an_image_brings_its_page_along() {
    let bed = bed().await;
    let page = [("user-agent", "browser"), ("referer", "http://shop.test/")];
    let (plain, of_page) = (at::<PutWebtrackingByImage>(), at::<PutWebtrackingByImageOfPage>());
    for (path, name) in [(plain, "track.gif"), (of_page, "track_ua.gif")] {
        let target = format!("{path}?APIVersion=0.6.0&n={name}");
        let answer = send(&bed, Method::GET, &target, &page, b"").await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "image/gif"));
        assert!(answer.body.starts_with(b"GIF89a") && answer.body.ends_with(b";"));
    }
    assert_eq!(
        rows(&bed).await,
        [
            "__referer__=http://shop.test/ __source__=127.0.0.1 __topic__= __useragent__=browser n=track_ua.gif",
            "__source__=127.0.0.1 __topic__= n=track.gif",
        ]
    );
}

#[tokio::test]
async fn several_logs_are_taken_as_json_compressed_or_not() {
    let bed = bed().await;
    let body = br#"{"__topic__":"t","__source__":"s","__logs__":[{"n":"1"},{"n":"2"}],"__tags__":{"x":"y"}}"#;
    let version = ("x-log-apiversion", "0.6.0");
    let path = at::<PutWebtracking>();
    let plain = send(&bed, Method::POST, &path, &[version], body).await;
    assert_eq!((plain.status.as_u16(), plain.text().as_str()), (200, ""));
    let size = body.len().to_string();
    for compression in [sls_api::codec::Compression::Lz4, sls_api::codec::Compression::Deflate] {
        let mut packed = Vec::new();
        sls_api::codec::compress(body, compression, &mut packed).unwrap();
        let name = compression.to_string();
        let headers = [version, ("x-log-compresstype", &name), ("x-log-bodyrawsize", &size)];
        let answer = send(&bed, Method::POST, &path, &headers, &packed).await;
        assert_eq!(answer.status.as_u16(), 200, "{name}: {}", answer.text());
    }
    let rows = rows(&bed).await;
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[0], "__source__=s __tag__:x=y __topic__=t n=1");
}

#[tokio::test]
async fn what_a_page_may_not_send_is_refused() {
    let bed = bed().await;
    let code = |answer: &Answer| format!("{} {}", answer.status.as_u16(), answer.error_code());
    let closed = get(&bed, "/logstores/closed/track?APIVersion=0.6.0&a=b").await;
    assert_eq!(code(&closed), "401 Unauthorized");
    assert_eq!(code(&get(&bed, "/logstores/none/track?APIVersion=0.6.0&a=b").await), "404 LogStoreNotExist");
    for body in ["", "{", r#"{"__logs__":[{"n":1}]}"#, r#"{"__logs__":"x"}"#] {
        let answer = send(&bed, Method::POST, "/logstores/open/track", &[], body.as_bytes()).await;
        assert_eq!(code(&answer), "400 PostBodyInvalid", "{body}");
    }
    let many = format!(r#"{{"__logs__":[{}]}}"#, vec![r#"{"a":"b"}"#; 10_001].join(","));
    let answer = send(&bed, Method::POST, "/logstores/open/track", &[], many.as_bytes()).await;
    assert_eq!(code(&answer), "400 PostBodyInvalid");
    let empty = get(&bed, "/logstores/open/track?APIVersion=0.6.0&=x").await;
    assert_eq!(code(&empty), "400 InvalidKey");
    // Nothing else is open without a signature.
    assert_eq!(code(&get(&bed, "/logstores/open").await), "401 Unauthorized");
    assert_eq!(rows(&bed).await, Vec::<String>::new());
}

#[tokio::test]
async fn limits_and_quotas_of_putlogs_hold_for_pages_too() {
    let bed = bed_with(Config {
        write_quotas: WriteQuotas { shard_bytes_per_s: Some(1), ..WriteQuotas::default() },
        clock: Clock::manual(jiff::Timestamp::now()),
        ..Config::default()
    })
    .await;
    let code = |answer: &Answer| format!("{} {}", answer.status.as_u16(), answer.error_code());
    let long = "x".repeat(129);
    let topic = get(&bed, &format!("/logstores/open/track?APIVersion=0.6.0&__topic__={long}&a=b")).await;
    assert_eq!(code(&topic), "400 PostBodyInvalid");
    let first = get(&bed, "/logstores/open/track?APIVersion=0.6.0&a=b").await;
    assert_eq!(first.status.as_u16(), 200);
    let second = get(&bed, "/logstores/open/track?APIVersion=0.6.0&a=b").await;
    assert_eq!(code(&second), "403 ShardWriteQuotaExceed");
}

#[tokio::test]
async fn a_page_of_another_origin_may_ask_first_for_tracking_only() {
    let bed = bed().await;
    let asked = [
        ("origin", "http://shop.test"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-log-apiversion,x-log-bodyrawsize"),
    ];
    let answer = send(&bed, Method::OPTIONS, "/logstores/open/track", &asked, b"").await;
    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(answer.header("access-control-allow-methods"), "GET, POST, OPTIONS");
    assert_eq!(answer.header("access-control-allow-headers"), "x-log-apiversion,x-log-bodyrawsize");
    let other = send(&bed, Method::OPTIONS, "/logstores/open", &asked, b"").await;
    assert_eq!(other.status.as_u16(), 405);
}
