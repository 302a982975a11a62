//! The same from Rust, over HTTP.

use std::time::Duration;

use http::Method;
use sls_expect::Condition;
use sls_expect::client::{Call, Emulator, NotAsExpected};

use crate::bed::{Bed, LOGSTORE, PROJECT};

fn emulator(bed: &Bed) -> Emulator {
    bed.server.endpoint().parse().unwrap()
}

#[tokio::test]
async fn an_expectation_reads_like_a_sentence() {
    let bed = Bed::start().await;
    bed.put(&["200 /before"]).await;
    let logs = emulator(&bed).logstore(PROJECT, LOGSTORE);
    let scope = emulator(&bed).scope().await.unwrap();
    bed.put(&["200 /a", "204 /b"]).await;
    let verdict = logs
        .expect("status in [200 299]")
        .scope(&scope)
        .within(Duration::from_secs(30))
        .stable_for(Duration::from_millis(1))
        .each(Condition::field("__topic__").equals("web"))
        .all_have(["url"])
        .fields_exactly(["status", "url"])
        .exactly(2)
        .with_logs()
        .await
        .unwrap();
    assert_eq!(verdict.logs[1].get("url"), Some("/b"));
    logs.never("status:500", Duration::from_millis(1)).await.unwrap();
    let error = logs.never("status:200", Duration::from_millis(1)).await.unwrap_err();
    assert!(format!("{error:?}").contains("why       2 logs are too many"), "{error:?}");
    let error = logs.expect("a and").await.unwrap_err();
    assert!(error.to_string().contains("QueryParseError"), "{error}");
}

#[tokio::test]
async fn who_does_not_answer_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let emulator: Emulator = endpoint.parse().unwrap();
    let error = emulator.call(Call::new(Method::GET, "health")).await.unwrap_err();
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().starts_with(&format!("no emulator answers at {endpoint}: ")), "{error}");
}

#[tokio::test]
async fn who_waits_when_the_emulator_stops_may_ask_again() {
    let bed = Bed::start().await;
    let logs = emulator(&bed).logstore(PROJECT, LOGSTORE);
    let waiting = logs.expect("*").within(Duration::from_secs(60)).at_least(1).into_future();
    let waiting = tokio::spawn(waiting);
    // Long enough to be waiting nearly always; before that it would find nobody, and may ask again too.
    tokio::time::sleep(Duration::from_millis(200)).await;
    std::sync::Arc::into_inner(bed.server).expect("nobody else has it").shutdown().await;
    let error = waiting.await.unwrap().unwrap_err();
    let NotAsExpected::Call(error) = error else { panic!("{error:?}") };
    assert!(error.is_passing() && error.exit_code() == 3, "{error:?}");
}

#[tokio::test]
async fn the_answer_of_a_server_is_returned_and_its_refusal_told() {
    let bed = Bed::start().await;
    let emulator = emulator(&bed);
    let healthy = emulator.call(Call::new(Method::GET, "health")).await.unwrap();
    assert_eq!(healthy, serde_json::json!({ "ok": true }));
    let query = "name=absent".to_owned();
    let refused = emulator.call(Call { query, ..Call::new(Method::POST, "restore") }).await.unwrap_err();
    assert_eq!(refused.exit_code(), 1);
    assert!(refused.to_string().contains("absent"), "{refused}");
    let unknown = emulator.call(Call::new(Method::GET, "nothing")).await.unwrap_err();
    assert_eq!(unknown.exit_code(), 1, "{unknown}");
}

#[test]
fn an_endpoint_is_scheme_and_authority_alone() {
    for text in ["http://127.0.0.1:8080", "http://127.0.0.1:8080/"] {
        assert_eq!(text.parse::<Emulator>().unwrap().to_string(), "http://127.0.0.1:8080");
    }
    for text in ["", "127.0.0.1:8080", "https://127.0.0.1", "http://a/b", "http://a?b=c"] {
        let refused = text.parse::<Emulator>().unwrap_err();
        assert!(refused.contains("use http://HOST:PORT"), "{text}: {refused}");
    }
}
