//! What the journal tells of requests, and by which filters.

use std::time::Duration;

use jiff::Timestamp;
use mock_sls::{Auth, Config};
use serde_json::json;
use sls_expect::journal::{Filter, Wrote};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::bed::{Bed, PUT, group, request};

#[tokio::test]
async fn an_entry_tells_who_asked_for_what_and_what_came_of_it() {
    let bed = Bed::start().await;
    let seen = bed.put().await;
    let entry = bed.writes().await.remove(0);
    assert_eq!(entry.request_id, seen.header("x-log-requestid").unwrap());
    assert_eq!((entry.method.as_str(), entry.path.as_str()), ("POST", PUT));
    assert_eq!((entry.operation.as_deref(), entry.project.as_deref()), (Some("PutLogs"), Some("proj-a")));
    assert_eq!((entry.logstore.as_deref(), entry.shard), (Some("ls"), None));
    assert_eq!((entry.status, entry.lost, entry.error_code), (Some(200), false, None));
    let bytes = group(1_700_000_000).len() as u64;
    assert_eq!((entry.bytes_in, entry.bytes_out), (bytes, 0));
    assert!(entry.client.starts_with("127.0.0.1:"), "{}", entry.client);
    assert_eq!(entry.user_agent.as_deref(), Some("test/1"));
    assert_eq!(entry.wrote, Some(Wrote { groups: 1, logs: 1, raw_bytes: bytes, topic: "t".to_owned() }));
    assert!(entry.time_ms > 0 && entry.micros > 0 && entry.faults.is_empty());
}

#[tokio::test]
async fn refused_and_unknown_requests_are_in_it_and_the_emulators_own_are_not() {
    let bed = Bed::start().await;
    for target in ["/logstores/none", "/nowhere", "/_mock/v1/health", "/_mock/v1/nothing"] {
        bed.get(target).await;
    }
    let all = bed.server.journal(&Filter::default()).await.unwrap().entries;
    let shown: Vec<_> =
        all.iter().map(|it| (it.path.as_str(), it.status, it.error_code.as_deref())).collect();
    assert_eq!(
        shown,
        [
            ("/logstores/none", Some(404), Some("LogStoreNotExist")),
            ("/nowhere", Some(400), Some("NotSupported"))
        ]
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_in_it() {
    let bed = Bed::start().await;
    let mut stream = TcpStream::connect(bed.address()).await.unwrap();
    let whole = request("POST", PUT, "", &group(1));
    stream.write_all(&whole[..whole.len() - 1]).await.unwrap();
    drop(stream);
    let entry = bed.write_after(0).await;
    assert!(entry.status.is_none() || entry.status == Some(400), "{entry:?}");
    assert_eq!(entry.wrote, None);
}

#[tokio::test]
async fn errors_of_writes_are_told_for_explanations() {
    let bed = Bed::start().await;
    let began = Timestamp::UNIX_EPOCH;
    bed.put().await;
    bed.send("POST", PUT, "", b"nonsense").await;
    let errors = bed.server.write_errors("proj-a", "ls", began);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].error_code.as_deref(), Some("PostBodyInvalid"));
    assert_eq!(bed.server.write_errors("proj-a", "other", began), []);
    assert_eq!(bed.server.write_errors("proj-a", "ls", Timestamp::MAX), []);
}

#[tokio::test]
async fn an_expectation_that_fails_tells_of_the_writes_that_failed() {
    let bed = Bed::start().await;
    bed.fault(json!({ "what": { "quota": "write" }, "times": 2 }));
    for _ in 0..2 {
        assert_eq!(bed.put().await.status(), 403);
    }
    bed.fault(json!({ "what": { "reset": "before" }, "times": 1 }));
    bed.put().await;
    let expectation = json!({ "project": "proj-a", "logstore": "ls", "timeout_ms": 1 }).to_string();
    let verdict = bed
        .send("POST", "/_mock/v1/expect", "content-type: application/json\r\n", expectation.as_bytes())
        .await
        .json();
    let hints = verdict["explanation"]["hints"].to_string();
    for hint in [
        "2 times a write to this Logstore was answered with 403 WriteQuotaExceed: Write quota is exceeded.",
        "a write to this Logstore got no answer",
    ] {
        assert!(hints.contains(hint), "{verdict}");
    }
}

#[tokio::test]
async fn no_secret_and_no_query_string_is_remembered() {
    let bed = Bed::with(Config { auth: Auth::Off, ..Config::default() }).await;
    let headers = "authorization: LOG id:hush\r\nx-acs-security-token: hush\r\n";
    bed.send("GET", "/logstores/ls?type=log&from=1&to=2&query=hush", headers, b"").await;
    let page = bed.server.journal(&Filter::default()).await.unwrap();
    let told = serde_json::to_string(&page).unwrap();
    assert_eq!(page.entries.len(), 1);
    assert!(!told.contains("hush"), "{told}");
}

#[tokio::test]
async fn over_http_parts_filter_and_unknown_parameters_are_refused() {
    let bed = Bed::start().await;
    bed.put().await;
    bed.get("/logstores/none").await;
    bed.put().await;
    let asked = async |query: &str| bed.get(&format!("/_mock/v1/journal{query}")).await;
    let numbers = |seen: super::bed::Seen| {
        let page = seen.json();
        page["entries"].as_array().unwrap().iter().map(|it| it["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let all = numbers(asked("").await);
    let first = all[0];
    for (query, expected) in [
        ("?operation=write".to_owned(), vec![first, first + 2]),
        ("?status=4xx".to_owned(), vec![first + 1]),
        ("?error_code=LogStoreNotExist&project=proj-a&logstore=none".to_owned(), vec![first + 1]),
        (format!("?since={first}&limit=1"), vec![first + 1]),
        ("?client=127.0.0.2".to_owned(), vec![]),
        ("?limit=1".to_owned(), vec![first + 2]),
    ] {
        assert_eq!(numbers(asked(&query).await), expected, "{query}");
    }
    for (query, why) in [
        ("?opration=write", "unknown field `opration`"),
        ("?operation=PutLog", "do you mean PutLogs?"),
        ("?status=abc", "use a number"),
        ("?follow_ms=60001", "at most 60000"),
        ("?since=-1", "invalid digit"),
    ] {
        let refused = asked(query).await;
        let told = refused.json();
        let error = told["error"].as_str().unwrap_or_default();
        assert!(refused.status() == 400 && error.contains(why), "{query}: {}", refused.text);
    }
    let cleared = bed.send("DELETE", "/_mock/v1/journal", "", b"").await;
    assert_eq!(cleared.json(), json!({ "ok": true }));
    assert_eq!(numbers(asked("").await), [0; 0]);
    bed.put().await;
    assert_eq!(numbers(asked("").await), [first + 3]);
}

#[tokio::test]
async fn who_follows_gets_what_comes_and_a_server_that_stops_lets_nobody_wait() {
    let bed = Bed::start().await;
    let follow = "/_mock/v1/journal?operation=write&follow_ms=60000";
    let (followed, _) = tokio::join!(bed.get(follow), bed.put());
    let page = followed.json();
    assert_eq!(page["entries"].as_array().unwrap().len(), 1);
    let next = format!("{follow}&since={}", page["next"]);
    let mut stream = TcpStream::connect(bed.address()).await.unwrap();
    stream.write_all(&request("GET", &next, "", b"")).await.unwrap();
    // Another request is answered meanwhile, so the first has been read.
    assert_eq!(bed.get("/_mock/v1/health").await.status(), 200);
    let stopped = tokio::time::timeout(Duration::from_secs(60), bed.server.shutdown()).await;
    assert!(stopped.is_ok());
}
