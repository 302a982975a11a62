//! Faults as they are told over HTTP and in Rust.

use serde_json::json;
use sls_expect::fault::{Quota, Rule, What};

use super::bed::Bed;

const FAULTS: &str = "/_mock/v1/faults";

async fn post(bed: &Bed, body: serde_json::Value) -> super::bed::Seen {
    bed.send("POST", FAULTS, "", body.to_string().as_bytes()).await
}

#[tokio::test]
async fn faults_are_added_listed_and_removed_by_name() {
    let bed = Bed::start().await;
    let one = json!({ "name": "a", "when": { "operation": "write" }, "what": { "error": 500 }, "times": 2 });
    assert_eq!(post(&bed, one).await.json(), json!({ "names": ["a"] }));
    let two = json!([{ "what": { "hang": {} }, "when": { "nth": 9 } }, { "what": { "reset": "after" }, "when": { "nth": 9 } }]);
    assert_eq!(post(&bed, two).await.json(), json!({ "names": ["fault-2", "fault-3"] }));
    assert_eq!(bed.put().await.status(), 500);
    let listed = bed.get(FAULTS).await.json();
    let first = &listed["faults"][0];
    assert_eq!((&first["name"], &first["matched"], &first["acted"]), (&json!("a"), &json!(1), &json!(1)));
    assert_eq!((&first["times_left"], &first["over"]), (&json!(1), &json!(false)));
    assert_eq!(first["rule"]["what"], json!({ "error": { "status": 500 } }));
    assert_eq!(listed["faults"].as_array().unwrap().len(), 3);
    let removed = bed.send("DELETE", &format!("{FAULTS}?name=a"), "", b"").await;
    assert_eq!(removed.json(), json!({ "removed": 1 }));
    let again = bed.send("DELETE", &format!("{FAULTS}?name=a"), "", b"").await;
    assert_eq!(again.status(), 404);
    assert_eq!(bed.send("DELETE", FAULTS, "", b"").await.json(), json!({ "removed": 2 }));
    assert_eq!(bed.put().await.status(), 200);
}

#[tokio::test]
async fn bad_faults_are_refused_with_the_place_and_the_reason() {
    let bed = Bed::start().await;
    let good = json!({ "what": { "hang": {} } });
    for (body, why) in [
        (json!({ "when": { "operation": "PutLog" }, "what": { "hang": {} } }), "do you mean PutLogs?"),
        (json!({ "what": { "hang": {}, "error": 500 } }), "what: hang and error are given"),
        (json!({ "what": { "delay_ms": -1 } }), "what.delay_ms: invalid value: integer `-1`"),
        (json!([good, { "what": { "error": 1 } }]), "fault 2: what.error: status 1"),
        (json!([good, { "what": { "hang": {} }, "times": 0 }]), "fault 2: times: a fault that never acts"),
        (json!({}), "missing field `what`"),
        (json!("hang"), "invalid type"),
    ] {
        let refused = post(&bed, body.clone()).await;
        let told = refused.json();
        let error = told["error"].as_str().unwrap_or_default();
        assert!(refused.status() == 400 && error.contains(why), "{body}: {}", refused.text);
    }
    assert_eq!(bed.send("POST", FAULTS, "", b"{").await.status(), 400);
    assert_eq!(bed.send("DELETE", &format!("{FAULTS}?nam=a"), "", b"").await.status(), 400);
    assert_eq!(bed.get(FAULTS).await.json(), json!({ "faults": [] }));
}

#[tokio::test]
async fn a_fault_in_rust_goes_with_its_guard_unless_it_is_kept() {
    let bed = Bed::start().await;
    let fault = bed.server.fault(Rule::new(What::Quota(Quota::Write)).on("write").named("full")).unwrap();
    assert_eq!(fault.name(), "full");
    assert_eq!(bed.put().await.status(), 403);
    drop(fault);
    assert_eq!(bed.put().await.status(), 200);
    assert!(bed.server.faults().is_empty());
    let name = bed.server.fault(Rule::new(What::Quota(Quota::Write)).times(1)).unwrap().keep();
    assert_eq!(bed.server.faults()[0].name, name);
    let refused = bed.server.fault(Rule::new(What::Incomplete(0))).unwrap_err();
    assert!(refused.to_string().contains("what.incomplete"), "{refused}");
}

#[tokio::test]
async fn faults_and_journal_stay_over_a_reset_and_a_restore() {
    let bed = Bed::start().await;
    bed.put().await;
    bed.fault(json!({ "name": "stays", "what": { "error": 500 }, "when": { "operation": "pull" } }));
    bed.server.snapshot("s").await.unwrap();
    bed.server.restore("s").await.unwrap();
    bed.server.reset().await.unwrap();
    assert_eq!(bed.server.faults()[0].name, "stays");
    assert_eq!(bed.writes().await.len(), 1);
}
