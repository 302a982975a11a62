//! When an expectation is decided, and what holds of the logs.

use serde_json::{Value, json};

use crate::bed::{Bed, asked};

/// Long enough that nothing but an answer ends it.
const LONG_MS: u64 = 60_000;

#[tokio::test]
async fn at_least_is_answered_at_once_and_exactly_when_it_has_been_quiet() {
    let bed = Bed::start().await;
    bed.put(&["200 /a", "500 /b"]).await;
    let (status, verdict) = bed.expect(json!({"query": "status:200", "timeout_ms": LONG_MS})).await;
    assert_eq!((status, &verdict["ok"], &verdict["count"]), (200, &json!(true), &json!(1)), "{verdict}");
    let (status, verdict) = bed
        .expect(json!({"count": {"op": "exactly", "n": 2}, "stable_ms": 300, "timeout_ms": LONG_MS}))
        .await;
    assert_eq!(status, 200, "{verdict}");
    assert!(verdict["elapsed_ms"].as_u64().unwrap() >= 300, "{verdict}");
}

#[tokio::test]
async fn an_expectation_waits_for_logs_that_come_later() {
    let bed = Bed::start().await;
    let waiting = {
        let bed = bed.clone();
        tokio::spawn(async move {
            bed.expect(json!({"count": {"op": "exactly", "n": 3}, "stable_ms": 50, "timeout_ms": LONG_MS}))
                .await
        })
    };
    bed.put(&["200 /a"]).await;
    bed.put(&["200 /b", "200 /c"]).await;
    let (status, verdict) = waiting.await.unwrap();
    assert_eq!((status, &verdict["count"]), (200, &json!(3)), "{verdict}");
}

#[tokio::test]
async fn one_more_after_enough_fails() {
    let bed = Bed::start().await;
    bed.put(&["200 /a", "200 /b"]).await;
    let waiting = {
        let bed = bed.clone();
        tokio::spawn(async move {
            bed.expect(
                json!({"count": {"op": "exactly", "n": 2}, "stable_ms": LONG_MS, "timeout_ms": LONG_MS}),
            )
            .await
        })
    };
    bed.put(&["200 /c"]).await;
    let (status, verdict) = waiting.await.unwrap();
    assert_eq!((status, &verdict["ending"]), (417, &json!("failed")), "{verdict}");
    assert_eq!(verdict["explanation"]["why"], "1 log is too many");
}

#[tokio::test]
async fn a_part_at_the_end_of_the_time_is_told_from_nothing() {
    let bed = Bed::start().await;
    bed.put(&["200 /a"]).await;
    let three = |query: &str| json!({"query": query, "count": {"op": "exactly", "n": 3}, "timeout_ms": 10});
    let (status, verdict) = bed.expect(three("*")).await;
    assert_eq!((status, &verdict["ending"]), (417, &json!("timed_out")), "{verdict}");
    assert_eq!(verdict["explanation"]["why"], "2 logs are missing after 0.01 s");
    let (_, verdict) = bed.expect(three("status:404")).await;
    assert_eq!(verdict["ending"], "failed");
}

#[tokio::test]
async fn a_scope_begins_where_it_was_made() {
    let bed = Bed::start().await;
    bed.put(&["200 /before"]).await;
    let (status, scope) = bed.post("/_mock/v1/scopes?name=mine", &Value::Null).await;
    assert_eq!((status, &scope), (200, &json!({"scope": "mine"})));
    bed.put(&["200 /after"]).await;
    let (status, verdict) = bed
        .expect(json!({"scope": "mine", "count": {"op": "exactly", "n": 1}, "stable_ms": 1, "logs": true}))
        .await;
    assert_eq!((status, &verdict["logs"][0]["url"]), (200, &json!("/after")), "{verdict}");
    let (status, rows) = bed
        .expect(json!({"scope": "mine", "query": "* | select count(*) as n", "rows": [[1]], "stable_ms": 1}))
        .await;
    assert_eq!(status, 200, "{rows}");
    let (status, refused) = bed.expect(json!({"scope": "other"})).await;
    assert_eq!(status, 400);
    assert!(refused["error"].as_str().unwrap().contains("there is no scope \"other\""), "{refused}");
}

#[tokio::test]
async fn each_log_must_hold_the_conditions() {
    let bed = Bed::start().await;
    bed.put(&["200 /a", "500 /b"]).await;
    let each =
        json!([{"field": "status", "one_of": ["200", "204"]}, {"field": "__topic__", "equals": "web"}]);
    let (status, verdict) = bed.expect(json!({"each": each, "timeout_ms": LONG_MS})).await;
    assert_eq!(status, 417);
    assert_eq!(verdict["explanation"]["violations"][0]["log"]["url"], "/b");
    assert_eq!(
        verdict["explanation"]["violations"][0]["wrong"],
        json!([r#"status is one of ["200", "204"], but it is "500""#])
    );
    let (status, verdict) = bed
        .expect(json!({"query": "status:200", "each": each, "all_have": ["url"], "fields_exactly": ["url", "status"]}))
        .await;
    assert_eq!(status, 200, "{verdict}");
}

#[tokio::test]
async fn rows_of_sql_are_waited_for() {
    let bed = Bed::start().await;
    bed.put(&["200 /a"]).await;
    let query = "* | select status, count(*) as c group by status order by status";
    let members = json!({"query": query, "rows": [[200, 2], {"status": 500, "c": 1}], "timeout_ms": LONG_MS, "stable_ms": 50});
    let waiting = {
        let (bed, members) = (bed.clone(), members.clone());
        tokio::spawn(async move { bed.expect(members).await })
    };
    bed.put(&["500 /b", "200 /c"]).await;
    let (status, verdict) = waiting.await.unwrap();
    assert_eq!(status, 200, "{verdict}");
    let mut wrong = members;
    wrong["rows"] = json!([[200, 3]]);
    wrong["timeout_ms"] = json!(10);
    let (status, verdict) = bed.expect(wrong).await;
    assert_eq!(status, 417);
    assert_eq!(
        verdict["explanation"]["differences"],
        json!([
            {"kind": "differs", "number": 1, "columns": [["c", "3", "2"]]},
            {"kind": "unexpected", "number": 2, "log": {"status": "500", "c": "1"}},
        ])
    );
}

#[tokio::test]
async fn golden_logs_are_compared_one_by_one() {
    let bed = Bed::start().await;
    bed.put(&["200 /a", "500 /b"]).await;
    let golden = |second: &str| {
        json!({
            "unordered": true,
            "normalize_time": true,
            "logs": [
                {"status": "500", "url": second, "__time__": "<time>", "__topic__": "web", "__source__": ""},
                {"status": "200", "url": "/a", "__time__": "<time>", "__topic__": "web", "__source__": ""},
            ],
        })
    };
    let (status, verdict) = bed.expect(json!({"golden": golden("/b"), "stable_ms": 1})).await;
    assert_eq!(status, 200, "{verdict}");
    let (status, verdict) = bed.expect(json!({"golden": golden("/c"), "stable_ms": 1})).await;
    assert_eq!(status, 417);
    assert_eq!(
        verdict["explanation"]["differences"],
        json!([{"kind": "differs", "number": 1, "columns": [["url", "/c", "/b"]]}])
    );
}

#[tokio::test]
async fn none_fails_at_the_first_and_holds_when_it_has_been_quiet() {
    let bed = Bed::start().await;
    let none = json!({"query": "status:500", "count": {"op": "none"}, "stable_ms": 50});
    let (status, verdict) = bed.expect(none.clone()).await;
    assert_eq!(status, 200, "{verdict}");
    bed.put(&["500 /b"]).await;
    let (status, _) = bed.expect(none).await;
    assert_eq!(status, 417);
}

#[tokio::test]
async fn a_logstore_that_is_made_later_is_waited_for_and_a_missing_one_never_holds() {
    let bed = Bed::empty().await;
    let (status, verdict) = bed.expect(json!({"count": {"op": "none"}, "stable_ms": 1})).await;
    assert_eq!(status, 417, "{verdict}");
    let waiting = {
        let bed = bed.clone();
        tokio::spawn(async move { bed.expect(json!({"timeout_ms": LONG_MS})).await })
    };
    bed.create_logstore().await;
    bed.create_index().await;
    bed.put(&["200 /a"]).await;
    let (status, verdict) = waiting.await.unwrap();
    assert_eq!(status, 200, "{verdict}");
}

#[tokio::test]
async fn after_a_reset_everything_is_counted_anew() {
    let bed = Bed::start().await;
    bed.put(&["200 /a", "200 /b"]).await;
    let waiting = {
        let bed = bed.clone();
        let three = json!({"count": {"op": "exactly", "n": 3}, "stable_ms": 50, "timeout_ms": LONG_MS});
        tokio::spawn(async move { bed.expect(three).await })
    };
    bed.server.reset_project(&crate::bed::PROJECT.parse().unwrap()).await.unwrap();
    bed.create_logstore().await;
    bed.create_index().await;
    bed.put(&["200 /c", "200 /d", "200 /e"]).await;
    let (status, verdict) = waiting.await.unwrap();
    assert_eq!((status, &verdict["count"]), (200, &json!(3)), "{verdict}");
}

#[tokio::test]
async fn several_expectations_wait_side_by_side() {
    let bed = Bed::start().await;
    bed.put(&["200 /a"]).await;
    let batch = json!([
        asked(json!({"name": "first", "query": "status:200"})),
        asked(json!({"name": "second", "query": "status:404", "timeout_ms": 10})),
    ]);
    let (status, answer) = bed.post("/_mock/v1/expect", &batch).await;
    let oks: Vec<bool> = answer["verdicts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|verdict| verdict["ok"].as_bool().unwrap())
        .collect();
    assert_eq!((status, &answer["ok"], oks), (417, &json!(false), vec![true, false]));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let bed = Bed::start().await;
    let (status, answer) = bed.post("/_mock/v1/expect", &json!([])).await;
    assert_eq!((status, &answer["ok"]), (400, &json!(false)), "{answer}");
    let rows = json!({"query": "* | select 1", "count": {"op": "at_most", "n": 100_001}});
    assert_eq!(bed.expect(rows).await.0, 400);
    for (members, reason) in [
        (json!({"query": "a and"}), "query: ErrorType:QueryParseError"),
        (json!({"logstore": "NO"}), "logstore name"),
        (json!({"qurey": "a"}), "unknown field `qurey`"),
        (json!({"from": 5, "to": 5}), "must be less than"),
        (json!({"each": [{"field": "a", "matches": "("}]}), "no regular expression"),
    ] {
        let (status, answer) = bed.expect(members).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(reason), "{answer}");
    }
}
