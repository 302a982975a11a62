//! Faults that change an answer.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use mock_sls::clock::Clock;
use mock_sls::{Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, MockSls};
use serde_json::json;
use sls_api::ops::projects::GetProject;
use sls_api::sign::AccessKey;
use sls_api::{NoPath, NoQuery};
use sls_client::{Client, ClientConfig, ClientError};
use sls_expect::fault::{Rule, What};
use sls_expect::journal::Filter;

use super::bed::Bed;

#[tokio::test]
async fn an_error_has_the_status_code_and_message_of_the_fault() {
    let bed = Bed::start().await;
    let error = json!({ "status": 429, "error_code": "WriteQuotaExceed", "message": "Write QPS Exceed" });
    bed.fault(json!({ "name": "full", "what": { "error": error }, "times": 1 }));
    let seen = bed.put().await;
    assert_eq!(seen.status(), 429);
    assert_eq!(seen.json(), json!({ "errorCode": "WriteQuotaExceed", "errorMessage": "Write QPS Exceed" }));
    assert_eq!(seen.header("x-log-requestid").map(str::len), Some(24));
    let entry = bed.writes().await.remove(0);
    assert_eq!((entry.status, entry.lost), (Some(429), false));
    assert_eq!(entry.error_code.as_deref(), Some("WriteQuotaExceed"));
    assert_eq!(entry.error_message.as_deref(), Some("Write QPS Exceed"));

    bed.fault(json!({ "name": "down", "what": { "error": 503 }, "times": 1 }));
    let seen = bed.put().await;
    assert_eq!((seen.status(), &seen.json()["errorCode"]), (503, &json!("ServerBusy")));
    assert_eq!(seen.json()["errorMessage"], "Fault down of the emulator.");
    assert_eq!(bed.found().await, 0);
}

#[tokio::test]
async fn a_quota_is_exceeded_as_in_the_service() {
    let bed = Bed::start().await;
    for (quota, code) in [
        ("write", "WriteQuotaExceed"),
        ("shard_write", "ShardWriteQuotaExceed"),
        ("read", "ReadQuotaExceed"),
        ("shard_read", "ShardReadQuotaExceed"),
    ] {
        bed.fault(json!({ "what": { "quota": quota }, "times": 1 }));
        let seen = bed.get("/logstores/ls/shards/0?type=cursor&from=begin").await;
        assert_eq!((seen.status(), &seen.json()["errorCode"]), (403, &json!(code)), "{quota}");
    }
}

#[tokio::test]
async fn a_slow_body_takes_its_time_and_comes_whole() {
    let bed = Bed::start().await;
    let whole = bed.get("/logstores/ls").await;
    let length = whole.body().len() as u64;
    // The body takes at least a fifth of a second.
    bed.fault(json!({ "what": { "slow_body": length * 5 }, "times": 1 }));
    let began = Instant::now();
    let seen = bed.get("/logstores/ls").await;
    assert!(began.elapsed() >= Duration::from_millis(150), "{:?}", began.elapsed());
    assert_eq!((seen.status(), seen.json()), (200, whole.json()));
}

#[tokio::test]
async fn the_rest_of_a_slow_body_comes_at_once_when_the_fault_is_removed() {
    let bed = Bed::start().await;
    let whole = bed.get("/logstores/ls").await;
    // At this rate it would take minutes.
    bed.fault(json!({ "name": "slow", "what": { "slow_body": 1 } }));
    let removing = async {
        while bed.server.faults().iter().all(|fault| fault.acted == 0) {
            tokio::task::yield_now().await;
        }
        bed.server.remove_fault("slow")
    };
    let (seen, removed) = tokio::join!(bed.get("/logstores/ls"), removing);
    assert!(removed);
    assert_eq!((seen.status(), seen.json()), (200, whole.json()));
}

#[tokio::test]
async fn a_truncated_answer_announces_more_than_comes() {
    let bed = Bed::start().await;
    let whole = bed.get("/logstores/ls").await.body().to_owned();
    for (bytes, announced, come) in [
        (10, whole.len(), 10),
        (0, whole.len(), 0),
        (whole.len(), whole.len() + 1, whole.len()),
        (whole.len() + 9, whole.len() + 1, whole.len()),
    ] {
        bed.fault(json!({ "what": { "truncated": bytes }, "times": 1 }));
        let seen = bed.get("/logstores/ls").await;
        assert_eq!(seen.status(), 200);
        assert_eq!(seen.header("content-length"), Some(announced.to_string().as_str()));
        assert_eq!(seen.body(), &whole[..come], "{bytes}");
    }
    bed.fault(json!({ "what": { "truncated": 0 }, "times": 1 }));
    let seen = bed.put().await;
    assert_eq!((seen.status(), seen.header("content-length"), seen.body()), (200, Some("1"), ""));
    let entry = bed.writes().await.remove(0);
    assert_eq!((entry.status, entry.lost), (Some(200), true));
}

#[tokio::test]
async fn a_request_id_is_absent_or_another_than_in_the_journal() {
    let bed = Bed::start().await;
    bed.fault(json!({ "what": { "wrong_request_id": "absent" }, "times": 1 }));
    assert_eq!(bed.put().await.header("x-log-requestid"), None);
    bed.fault(json!({ "what": { "wrong_request_id": "other" }, "times": 1 }));
    let other = bed.put().await.header("x-log-requestid").unwrap().to_owned();
    let right = bed.put().await.header("x-log-requestid").unwrap().to_owned();
    let writes = bed.writes().await;
    assert_eq!(other.len(), 24);
    assert_ne!(writes[1].request_id, other);
    assert_eq!(writes[2].request_id, right);
}

#[tokio::test]
async fn a_clock_that_is_off_shows_in_signatures_and_in_the_answer_alone() {
    let now = Timestamp::now();
    let clock = Clock::manual(now);
    let bed = Bed { server: MockSls::start(Config { clock, ..Config::default() }).await.unwrap() };
    let key = AccessKey::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET);
    let endpoint = bed.server.endpoint().parse().unwrap();
    let client = Client::new(ClientConfig::new(endpoint, key)).unwrap();
    let project = "proj-a".parse().unwrap();
    let ask = async || match client.send::<GetProject>(Some(&project), &NoPath {}, &NoQuery {}, &()).await {
        Err(ClientError::Api { code, .. }) => code,
        other => format!("{other:?}"),
    };
    assert_eq!(ask().await, "ProjectNotExist");
    for (offset, code) in
        [(1_200, "RequestTimeExpired"), (-1_200, "RequestTimeExpired"), (600, "ProjectNotExist")]
    {
        let _fault = bed.server.fault(Rule::new(What::ClockOffsetS(offset))).unwrap();
        assert_eq!(ask().await, code, "{offset}");
        let told = bed.get("/").await.header("x-log-time").unwrap().parse::<i64>().unwrap();
        assert_eq!(told, (now + SignedDuration::from_secs(offset)).as_second());
    }
    assert_eq!(ask().await, "ProjectNotExist");
    let entries = bed.server.journal(&Filter::default()).await.unwrap().entries;
    assert!(entries.iter().all(|entry| entry.time_ms == now.as_millisecond()));
}
