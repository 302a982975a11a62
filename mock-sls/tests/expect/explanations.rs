//! What a failing expectation tells: a stranger can see from it what went wrong.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::bed::{Bed, LOGSTORE, PROJECT};

/// The text of a verdict, with what varies from run to run made the same.
fn text(verdict: &Value) -> String {
    let text = verdict["text"].as_str().unwrap();
    let lines = text.lines().map(|line| match line.trim_start() {
        moments if moments.starts_with("timeline") => "  timeline  …".to_owned(),
        got if got.starts_with("got ") => {
            format!(
                "{} s",
                line.rsplit_once("after").map_or(line, |(before, _)| before).to_owned() + "after …"
            )
        }
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

async fn fails(bed: &Bed, mut members: Value, expected: Expect) {
    members["timeout_ms"] = json!(10);
    let (status, verdict) = bed.expect(members).await;
    assert_eq!(status, 417, "{verdict}");
    expected.assert_eq(&text(&verdict));
}

#[tokio::test]
async fn too_few_are_explained_by_what_is_nearly_found() {
    let bed = Bed::start().await;
    bed.put(&["200 /cart/checkout", "500 /cart", "500 /login?user=ann", "200 /x"]).await;
    let members =
        json!({"query": "status:500 and url:checkout and not user", "count": {"op": "exactly", "n": 2}});
    fails(&bed, members, expect![[r#"
        FAILED  expect-tests/access: status:500 and url:checkout and not user
          expected  exactly 2 logs
          got       0 logs, after … s
          why       2 logs are missing after 0.01 s
          each part of the search alone finds
                    2  status:500
                    1  url:checkout
                    3  not user
          nearest logs that are not found
            1. {"status":"200","url":"/cart/checkout","__topic__":"web","__source__":"","__time__":"1700000000"}
               does not hold: status:500 (it is "200")
            2. {"status":"500","url":"/cart","__topic__":"web","__source__":"","__time__":"1700000001"}
               does not hold: url:checkout (it is "/cart")
            3. {"status":"500","url":"/login?user=ann","__topic__":"web","__source__":"","__time__":"1700000002"}
               does not hold: url:checkout (it is "/login?user=ann")
               does not hold: not user
          see for yourself
            curl -sG http://sls.test/_mock/v1/explain --data-urlencode 'project=expect-tests' --data-urlencode 'logstore=access' --data-urlencode 'query=status:500 and url:checkout and not user'
    "#]]).await;
}

#[tokio::test]
async fn a_field_without_an_index_is_named() {
    let bed = Bed::start().await;
    bed.put(&["200 /a"]).await;
    fails(&bed, json!({"query": "host:web"}), expect![[r#"
        FAILED  expect-tests/access: host:web
          expected  at least 1 log
          got       0 logs, after … s
          why       nothing can be searched: ErrorType:QueryParseError.ErrorMessage:key (host) is not config as key value config,if symbol : is in your log,please wrap : with quotation mark "
          hints
            - fields with an index: status, url
          see for yourself
            curl -sG http://sls.test/_mock/v1/explain --data-urlencode 'project=expect-tests' --data-urlencode 'logstore=access' --data-urlencode 'query=host:web'
    "#]]).await;
}

#[tokio::test]
async fn a_logstore_that_is_not_there_is_told_with_those_that_are() {
    let bed = Bed::start().await;
    fails(&bed, json!({"logstore": "acess"}), expect![[r#"
        FAILED  expect-tests/acess: *
          expected  at least 1 log
          got       0 logs, after … s
          why       nothing can be searched: logstore acess does not exist
          hints
            - Logstores of the project: access
          see for yourself
            curl -sG http://sls.test/_mock/v1/explain --data-urlencode 'project=expect-tests' --data-urlencode 'logstore=acess' --data-urlencode 'query=*'
    "#]]).await;
    fails(&bed, json!({"project": "expect-test"}), expect![[r#"
        FAILED  expect-test/access: *
          expected  at least 1 log
          got       0 logs, after … s
          why       nothing can be searched: The Project does not exist: expect-test
          hints
            - projects that there are: expect-tests
          see for yourself
            curl -sG http://sls.test/_mock/v1/explain --data-urlencode 'project=expect-test' --data-urlencode 'logstore=access' --data-urlencode 'query=*'
    "#]]).await;
}

#[tokio::test]
async fn logs_before_the_index_are_told() {
    let bed = Bed::empty().await;
    bed.create_logstore().await;
    bed.put(&["200 /a"]).await;
    fails(&bed, json!({"query": "status:200"}), expect![[r#"
        FAILED  expect-tests/access: status:200
          expected  at least 1 log
          got       0 logs, after … s
          why       nothing can be searched: logstore without index config
          hints
            - the Logstore has no index, so nothing in it can be searched: create one, then write the logs
          see for yourself
            curl -sG http://sls.test/_mock/v1/explain --data-urlencode 'project=expect-tests' --data-urlencode 'logstore=access' --data-urlencode 'query=status:200'
    "#]]).await;
    bed.create_index().await;
    fails(&bed, json!({"query": "status:200"}), expect![[r#"
        FAILED  expect-tests/access: status:200
          expected  at least 1 log
          got       0 logs, after … s
          why       1 log is missing after 0.01 s
          each part of the search alone finds
                    0  status:200
          nearest logs that are not found
            1. {"status":"200","url":"/a","__topic__":"web","__source__":"","__time__":"1700000000"}
               does not hold: status:200 (it is "200")
          hints
            - 1 matching log was written before the index existed or was changed: an index covers only logs that come later
          see for yourself
            curl -sG http://sls.test/_mock/v1/explain --data-urlencode 'project=expect-tests' --data-urlencode 'logstore=access' --data-urlencode 'query=status:200'
    "#]]).await;
}

#[tokio::test]
async fn a_text_that_is_no_word_of_its_own_is_told() {
    let bed = Bed::start().await;
    bed.put(&["200 /cart/run-12/Checkout"]).await;
    fails(&bed, json!({"query": "url:12"}), expect![[r#"
        FAILED  expect-tests/access: url:12
          expected  at least 1 log
          got       0 logs, after … s
          why       1 log is missing after 0.01 s
          each part of the search alone finds
                    0  url:12
          nearest logs that are not found
            1. {"status":"200","url":"/cart/run-12/Checkout","__topic__":"web","__source__":"","__time__":"1700000000"}
               does not hold: url:12 (it is "/cart/run-12/Checkout")
          hints
            - "12" stands in url, but '-' beside it is no delimiter of the index, so that it is no word of its own: "/cart/run-12/Checkout"
          see for yourself
            curl -sG http://sls.test/_mock/v1/explain --data-urlencode 'project=expect-tests' --data-urlencode 'logstore=access' --data-urlencode 'query=url:12'
    "#]]).await;
    fails(&bed, json!({"query": "url:checkout"}), expect![[r#"
        FAILED  expect-tests/access: url:checkout
          expected  at least 1 log
          got       0 logs, after … s
          why       1 log is missing after 0.01 s
          each part of the search alone finds
                    0  url:checkout
          nearest logs that are not found
            1. {"status":"200","url":"/cart/run-12/Checkout","__topic__":"web","__source__":"","__time__":"1700000000"}
               does not hold: url:checkout (it is "/cart/run-12/Checkout")
          hints
            - "checkout" stands in url in other letters, and the index tells capitals apart: "/cart/run-12/Checkout"
          see for yourself
            curl -sG http://sls.test/_mock/v1/explain --data-urlencode 'project=expect-tests' --data-urlencode 'logstore=access' --data-urlencode 'query=url:checkout'
    "#]]).await;
}

#[tokio::test]
async fn logs_outside_of_the_window_are_told() {
    let bed = Bed::start().await;
    bed.put(&["200 /a"]).await;
    fails(&bed, json!({"from": 1_800_000_000}), expect![[r#"
        FAILED  expect-tests/access: *
          expected  at least 1 log
          got       0 logs, after … s
          why       1 log is missing after 0.01 s
          each part of the search alone finds
                    1  *
          hints
            - 1 log matches outside of the time window 1800000000 to 4294967296
          see for yourself
            curl -sG http://sls.test/_mock/v1/explain --data-urlencode 'project=expect-tests' --data-urlencode 'logstore=access' --data-urlencode 'query=*' --data-urlencode 'from=1800000000' --data-urlencode 'to=4294967296'
    "#]]).await;
}

#[tokio::test]
async fn too_many_are_not_explained_by_nearest_ones() {
    let bed = Bed::start().await;
    bed.put(&["200 /a", "200 /b", "500 /c"]).await;
    let members = json!({"query": "status:200", "count": {"op": "at_most", "n": 1}});
    fails(&bed, members, expect![[r#"
        FAILED  expect-tests/access: status:200
          expected  at most 1 log
          got       2 logs, after … s
          why       1 log is too many
          timeline  …
          each part of the search alone finds
                    2  status:200
          the last logs that are found
            {"status":"200","url":"/a","__topic__":"web","__source__":"","__time__":"1700000000"}
            {"status":"200","url":"/b","__topic__":"web","__source__":"","__time__":"1700000001"}
          see for yourself
            curl -sG http://sls.test/_mock/v1/explain --data-urlencode 'project=expect-tests' --data-urlencode 'logstore=access' --data-urlencode 'query=status:200'
    "#]]).await;
}

#[tokio::test]
async fn explain_shows_the_same_without_an_expectation() {
    let bed = Bed::start().await;
    bed.put(&["200 /a", "500 /b"]).await;
    let target = format!("/_mock/v1/explain?project={PROJECT}&logstore={LOGSTORE}&query=status:200+b");
    let (status, explained) = bed.get(&target).await;
    assert_eq!(status, 200);
    assert_eq!(
        explained,
        json!({
            "query": "status:200 b",
            "search": "status:200 and b",
            "logs": 2,
            "found": 0,
            "terms": [{"term": "status:200", "hits": 1}, {"term": "b", "hits": 1}],
            "nearest": [
                {
                    "log": {"status": "200", "url": "/a", "__topic__": "web", "__source__": "", "__time__": "1700000000"},
                    "misses": [{"term": "b"}],
                },
                {
                    "log": {"status": "500", "url": "/b", "__topic__": "web", "__source__": "", "__time__": "1700000001"},
                    "misses": [{"term": "status:200", "found": "500"}],
                },
            ],
            "last": [],
            "hints": [],
        })
    );
}
