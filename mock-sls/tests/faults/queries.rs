//! Faults of queries.

use jiff::Timestamp;
use mock_sls::clock::Clock;
use serde_json::json;

use super::bed::Bed;

const SEARCH: &str = r#"{"from":0,"to":4000000000,"query":"k: v"}"#;
const SQL: &str = r#"{"from":0,"to":4000000000,"query":"* | select count(1) as n"}"#;

#[tokio::test]
async fn so_many_answers_of_queries_say_that_they_are_incomplete() {
    let bed = Bed::start().await;
    assert_eq!(bed.put().await.status(), 200);
    bed.fault(json!({ "what": { "incomplete": 3 } }));
    let search = async || bed.send("POST", "/logstores/ls/logs", "", SEARCH.as_bytes()).await;
    let answer = search().await.json();
    assert_eq!((&answer["meta"]["progress"], &answer["data"][0]["k"]), (&json!("Incomplete"), &json!("v")));
    let old = bed.get("/logstores/ls?type=log&from=0&to=4000000000&query=").await;
    assert_eq!(old.header("x-log-progress"), Some("Incomplete"));
    let histogram = bed.get("/logstores/ls?type=histogram&from=0&to=4000000000&query=").await;
    assert_eq!(histogram.header("x-log-progress"), Some("Incomplete"));
    assert_eq!(histogram.json()[0]["progress"], "Incomplete");
    assert_eq!(search().await.json()["meta"]["progress"], "Complete");
}

#[tokio::test]
async fn logs_are_found_some_time_after_they_came_and_pulled_at_once() {
    let clock = Clock::manual(Timestamp::from_second(1_700_000_000).unwrap());
    let bed = Bed::at(clock.clone()).await;
    bed.fault(json!({ "when": { "operation": "query" }, "what": { "visibility_delay_ms": 3_000 } }));
    assert_eq!(bed.put().await.status(), 200);
    let searched = async || {
        let answer = bed.send("POST", "/logstores/ls/logs", "", SEARCH.as_bytes()).await.json();
        answer["meta"]["count"].as_u64().unwrap()
    };
    let counted = async || {
        let answer = bed.send("POST", "/logstores/ls/logs", "", SQL.as_bytes()).await.json();
        answer["data"][0]["n"].as_str().unwrap().to_owned()
    };
    // The same logs from a query of another Logstore.
    for (target, body) in [
        ("/logstores", r#"{"logstoreName":"other","ttl":1,"shardCount":1}"#),
        ("/logstores/other/index", r#"{"line":{"token":[" "]}}"#),
    ] {
        assert_eq!(bed.send("POST", target, "", body.as_bytes()).await.status(), 200, "{target}");
    }
    let joined = async || {
        let body = r#"{"from":0,"to":4000000000,"query":"* | select count(1) as n from ls"}"#;
        let answer = bed.send("POST", "/logstores/other/logs", "", body.as_bytes()).await.json();
        answer["data"][0]["n"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
    assert_eq!(joined().await, "0");
    assert_eq!((searched().await, bed.found().await, counted().await), (0, 0, "0".to_owned()));
    let cursor = bed.get("/logstores/ls/shards/0?type=cursor&from=begin").await.json();
    let cursor = cursor["cursor"].as_str().unwrap();
    let pulled = bed.get(&format!("/logstores/ls/shards/0?type=log&cursor={cursor}&count=10")).await;
    assert_eq!(pulled.header("x-log-count"), Some("1"));
    clock.set(Timestamp::from_second(1_700_000_003).unwrap());
    assert_eq!(joined().await, "1");
    assert_eq!((searched().await, bed.found().await, counted().await), (1, 1, "1".to_owned()));
}
