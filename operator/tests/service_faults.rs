//! Log Service goes wrong at every step in every way; everything converges when it is well again.

mod support;

use std::time::Duration;

use mock_sls::Fault;
use serde_json::{Value, json};
use sls_expect::fault::{Rule, When};
use support::*;

/// The calls that make something, in their order.
const STEPS: [&str; 6] = [
    "CreateProject",
    "CreateLogStore",
    "CreateIndex",
    "CreateMachineGroup",
    "CreateConfig",
    "ApplyConfigToMachineGroup",
];

/// What happens to a call: refused, broken, unanswered; done, and the answer lost; done, and half of the answer lost.
const FAULTS: [(&str, &str); 7] = [
    ("429", r#"{"error": {"status": 429, "error_code": "ExceedQuota"}}"#),
    ("500", r#"{"error": {"status": 500}}"#),
    ("503", r#"{"error": {"status": 503}}"#),
    ("hang", r#"{"hang": {"max_ms": 60000}}"#),
    ("reset", r#"{"reset": "before"}"#),
    ("lost", r#"{"reset": "after"}"#),
    ("half", r#"{"truncated": {"bytes": 0}}"#),
];

/// The next `times` calls of an operation in a project go wrong.
fn fault(bed: &Bed, project: &str, operation: &str, what: &str, times: Option<u64>) -> Fault {
    let when: When = serde_json::from_value(json!({"operation": operation, "project": project})).unwrap();
    let what = serde_json::from_str(what).unwrap_or_else(|error| panic!("{what}: {error}"));
    let rule = Rule { name: None, when, what, times, for_ms: None };
    bed.mock.as_ref().unwrap().fault(rule).unwrap()
}

fn in_project(project: &str) -> impl FnOnce(&mut Value) {
    move |object| object["spec"]["project"] = json!(project)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_goes_wrong_at_whatever_step_all_is_well_in_the_end() {
    let bed = Bed::with(Options { operator: false, ..Options::default() }).await;
    let mut faults = Vec::new();
    let mut names = Vec::new();
    for (n, step) in STEPS.iter().enumerate() {
        for (kind, what) in FAULTS {
            let name = format!("config-{n}-{kind}");
            let project = format!("project-{n}-{kind}");
            // A hang takes as long as the operator waits for an answer.
            let times = if kind == "hang" { 1 } else { 2 };
            faults.push(fault(&bed, &project, step, what, Some(times)));
            bed.apply_value(object(&name, in_project(&project))).await;
            names.push((name, project));
        }
    }
    let mut bed = bed;
    bed.start_operator();
    for (name, project) in &names {
        let status = bed.ready(name).await;
        assert_eq!(status.last_error, None);
        assert_eq!(bed.sls().bound(project, name).await, ["group-a"]);
    }
    let standing = bed.mock.as_ref().unwrap().faults();
    assert_eq!(standing.len(), names.len());
    for fault in standing {
        assert!(fault.acted >= 1, "{fault:?} never happened");
    }
    // And it stays: another look changes nothing.
    let changes = bed.changes();
    for (name, _) in names.iter().step_by(7) {
        bed.look_again(name).await;
    }
    assert_eq!(bed.changes(), changes);
    drop(faults);
}

#[tokio::test]
async fn a_slow_project_does_not_keep_others_waiting() {
    let bed = Bed::start().await;
    bed.apply_value(object("first", |_| {})).await;
    bed.ready("first").await;
    let _slow =
        fault(&bed, "project-slow", "GetProject", r#"{"delay_ms": {"min": 10000, "max": 10000}}"#, None);
    for n in 0..10 {
        bed.apply_value(object(&format!("slow-{n}"), in_project("project-slow"))).await;
    }
    bed.apply_value(object("fast", |_| {})).await;
    bed.ready("fast").await;
    for n in 0..10 {
        assert_eq!(bed.get(&format!("slow-{n}")).await.status.and_then(|status| status.status_code), None);
    }
}

#[tokio::test]
async fn a_used_up_quota_is_told_and_waited_for() {
    let bed = Bed::start().await;
    let answer =
        r#"{"error": {"status": 400, "error_code": "ProjectQuotaExceed", "message": "no more configs"}}"#;
    let quota = fault(&bed, "project-a", "CreateConfig", answer, None);
    bed.apply_value(object("config", |_| {})).await;
    let status = bed.not_ready("config", "ProjectQuotaExceed").await;
    assert!(is(&status, "ConfigReady", "False", "ProjectQuotaExceed"));
    assert!(is(&status, "MachineGroupsReady", "Unknown", "Waiting"), "{status:?}");
    assert_eq!(status.status_code, Some(400));
    let text = status.status.unwrap();
    assert!(text.contains("no more configs") && !text.contains("correct the object"), "{text}");
    drop(quota);
    bed.ready("config").await;
}

#[tokio::test]
async fn whatever_somebody_takes_away_comes_back_and_the_event_says_what_it_was() {
    let bed = Bed::with(Options { resync: Duration::from_millis(300), ..Options::default() }).await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    let sls = bed.sls();
    sls.unbind("project-a", "group-a", "config").await;
    eventually("bound again", || async {
        let bound = sls.bound("project-a", "config").await;
        if bound == ["group-a"] { Ok(()) } else { Err(format!("{bound:?}")) }
    })
    .await;
    sls.change_config("project-a", "config", |config| {
        config.input_detail.insert("filePattern".into(), json!("edited.log"));
    })
    .await;
    let expected = [
        "bound config to group-a".to_owned(),
        r#"inputDetail.filePattern: wanted "a.log", is "edited.log""#.to_owned(),
    ];
    for part in expected {
        eventually(&part, || async {
            let events = bed.events("config").await;
            let drift = events.iter().filter(|event| event.reason.as_deref() == Some("DriftCorrected"));
            let notes: Vec<String> = drift.map(note).collect();
            if notes.iter().any(|note| note.contains(&part)) { Ok(()) } else { Err(format!("{notes:?}")) }
        })
        .await;
    }
    sls.delete_logstore("project-a", "store").await;
    eventually("the Logstore and its index again", || async {
        match (sls.logstore("project-a", "store").await, sls.index("project-a", "store").await) {
            (Some(_), Some(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn an_object_that_changes_during_a_look_is_looked_at_again() {
    let bed = Bed::start().await;
    let slow = fault(&bed, "project-a", "CreateConfig", r#"{"delay_ms": {"min": 1000, "max": 1000}}"#, None);
    bed.apply_value(object("config", |_| {})).await;
    eventually("the look is under way", || async {
        if bed.calls("CreateMachineGroup") > 0 { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    bed.apply_value(object("config", |object| {
        object["spec"]["logtailConfig"]["inputDetail"]["filePattern"] = json!("b.log");
    }))
    .await;
    let status = bed.ready("config").await;
    assert_eq!((status.observed_generation, status.applied_generation), (Some(2), Some(2)));
    let config = bed.sls().config("project-a", "config").await.unwrap();
    assert_eq!(config.input_detail.get("filePattern"), Some(&json!("b.log")));
    drop(slow);
}

#[tokio::test]
async fn an_object_deleted_before_anything_succeeded_goes_when_the_service_is_back() {
    let mut bed = Bed::with(Options { mock: false, ..Options::default() }).await;
    bed.apply_value(object("config", |_| {})).await;
    bed.not_ready("config", "BackendUnavailable").await;
    bed.delete("config").await;
    bed.not_ready("config", "Deleting").await;
    bed.start_mock().await;
    bed.gone("config").await;
    assert!(!bed.sls().has_project("project-a").await);
}
