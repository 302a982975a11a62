use std::net::Ipv4Addr;

use http::HeaderValue;
use serde_json::json;

use super::*;

/// Milliseconds after the beginning of the world.
fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

fn rule(json: serde_json::Value) -> Rule {
    serde_json::from_value(json).unwrap()
}

fn add(faults: &Faults, json: serde_json::Value) -> String {
    faults.add(vec![rule(json)], at(0)).unwrap().remove(0).name.to_string()
}

struct Request {
    operation: &'static str,
    path: Vec<(&'static str, String)>,
    headers: HeaderMap,
    client: SocketAddr,
}

fn request(operation: &'static str) -> Request {
    let path = vec![("logstore", "ls".to_owned()), ("shard", "1".to_owned())];
    Request { operation, path, headers: HeaderMap::new(), client: (Ipv4Addr::LOCALHOST, 80).into() }
}

impl Request {
    fn plan(&self, faults: &Faults, ms: i64) -> Option<Box<Plan>> {
        let Self { operation, path, headers, client } = self;
        let facts = Facts { operation, project: Some("p"), path, headers, client: *client };
        faults.plan(&facts, at(ms))
    }
}

/// Which of so many requests the only rule acts on, from 1.
fn acted(faults: &Faults, requests: u64) -> Vec<u64> {
    let request = request("PutLogs");
    (1..=requests).filter(|_| request.plan(faults, 0).is_some()).collect()
}

fn of(json: serde_json::Value) -> Faults {
    let faults = Faults::default();
    add(&faults, json);
    faults
}

#[test]
fn counts_choose_among_the_requests_that_match() {
    for (when, expected) in [
        (json!({}), vec![1, 2, 3, 4, 5, 6, 7]),
        (json!({ "nth": 3 }), vec![3]),
        (json!({ "after": 5 }), vec![6, 7]),
        (json!({ "every": 3 }), vec![3, 6]),
    ] {
        assert_eq!(acted(&of(json!({ "when": when, "what": { "reset": "before" } })), 7), expected, "{when}");
    }
    let twice = of(json!({ "when": { "every": 2 }, "what": { "reset": "before" }, "times": 2 }));
    assert_eq!(acted(&twice, 9), [2, 4]);
    assert!(!twice.any.load(Ordering::Relaxed), "what is over costs nothing");
}

#[test]
fn requests_that_do_not_match_are_not_counted() {
    let faults = of(json!({ "when": { "operation": "PutLogs", "nth": 2 }, "what": { "reset": "before" } }));
    assert!(request("PutLogs").plan(&faults, 0).is_none());
    assert!(request("GetProject").plan(&faults, 0).is_none());
    assert!(request("PutLogs").plan(&faults, 0).is_some());
}

#[test]
fn a_probability_is_met_and_the_same_seed_chooses_the_same() {
    let chosen = |seed: u64| {
        let when = json!({ "probability": 0.3, "seed": seed });
        acted(&of(json!({ "when": when, "what": { "reset": "before" } })), 10_000)
    };
    let (one, other) = (chosen(1), chosen(2));
    assert_eq!(one, chosen(1));
    assert_ne!(one, other);
    for chosen in [one, other] {
        assert!((2_800..3_200).contains(&chosen.len()), "{}", chosen.len());
    }
    let always = of(json!({ "when": { "probability": 1.0 }, "what": { "reset": "before" } }));
    assert_eq!(acted(&always, 100).len(), 100);
}

#[test]
fn a_rule_ends_with_its_time() {
    let faults = of(json!({ "what": { "reset": "before" }, "for_ms": 100 }));
    let put = request("PutLogs");
    assert!(put.plan(&faults, 99).is_some());
    assert_eq!(faults.list(at(99))[0].ms_left, Some(1));
    assert!(put.plan(&faults, 100).is_none());
    // It stays over when the clock goes back.
    assert!(put.plan(&faults, 0).is_none());
    let standing = &faults.list(at(100))[0];
    assert_eq!((standing.matched, standing.acted, standing.over), (1, 1, true));
}

#[test]
fn each_condition_must_hold() {
    let mut asked = request("PullLogs");
    asked.headers.insert("x-log-a", HeaderValue::from_static("value"));
    for (when, holds) in [
        (json!({ "operation": "pull" }), true),
        (json!({ "operation": ["GetLogs", "GetCursor"] }), false),
        (json!({ "project": "p" }), true),
        (json!({ "project": "q" }), false),
        (json!({ "logstore": "ls" }), true),
        (json!({ "logstore": "other" }), false),
        (json!({ "shard": 1 }), true),
        (json!({ "shard": 2 }), false),
        (json!({ "client": "127.0.0.1" }), true),
        (json!({ "client": "127.0.0.1:81" }), false),
        (json!({ "header": { "name": "X-Log-A", "equals": "value" } }), true),
        (json!({ "header": { "name": "x-log-a", "equals": "val" } }), false),
        (json!({ "header": { "name": "x-log-a", "matches": "^val" } }), true),
        (json!({ "header": { "name": "x-log-b", "matches": "" } }), false),
    ] {
        let faults = of(json!({ "when": when, "what": { "reset": "before" } }));
        assert_eq!(asked.plan(&faults, 0).is_some(), holds, "{when}");
    }
}

#[test]
fn faults_of_different_things_act_together_and_of_one_thing_the_first() {
    let faults = Faults::default();
    let late = add(&faults, json!({ "what": { "delay_ms": { "min": 5, "max": 9 } } }));
    let first = add(&faults, json!({ "what": { "error": 500 }, "times": 1 }));
    let second = add(&faults, json!({ "what": { "quota": "write" } }));
    let plan = request("PutLogs").plan(&faults, 0).unwrap();
    assert_eq!(plan.names.iter().map(|name| &**name).collect::<Vec<_>>(), [&*late, &*first]);
    assert!((5..=9).contains(&plan.delay.unwrap().time.as_millis()));
    assert!(matches!(plan.ending, Some(Ending::Error(..))));
    let plan = request("PutLogs").plan(&faults, 0).unwrap();
    assert!(matches!(plan.ending, Some(Ending::Quota(Quota::Write))));
    let acted: Vec<u64> = faults.list(at(0)).iter().map(|standing| standing.acted).collect();
    assert_eq!((second.as_str(), acted), ("fault-3", vec![2, 1, 1]));
}

#[test]
fn what_only_queries_know_passes_others_by() {
    let faults = of(json!({ "what": { "incomplete": 2 } }));
    assert!(request("PutLogs").plan(&faults, 0).is_none());
    for _ in 0..2 {
        assert!(request("GetLogs").plan(&faults, 0).unwrap().incomplete);
    }
    assert!(request("GetLogs").plan(&faults, 0).is_none());
}

#[test]
fn a_name_is_taken_over_and_what_had_it_before_is_over() {
    let faults = Faults::default();
    let named = || vec![rule(json!({ "name": "a", "what": { "hang": {} } }))];
    let before = faults.add(named(), at(0)).unwrap().remove(0);
    let plan = request("PutLogs").plan(&faults, 0).unwrap();
    let Some(Ending::Hang(wait)) = plan.ending else { panic!("it hangs") };
    faults.add(named(), at(0)).unwrap();
    assert!(wait.removed.is_cancelled());
    faults.remove_added(&before);
    assert_eq!(faults.list(at(0)).len(), 1);
    assert_eq!((faults.remove(Some("b")), faults.remove(Some("a")), faults.remove(None)), (0, 1, 0));
    assert!(!faults.any.load(Ordering::Relaxed));
}

#[test]
fn a_list_is_added_as_a_whole_or_not_at_all_and_there_are_not_too_many() {
    let faults = Faults::default();
    let good = || rule(json!({ "what": { "hang": {} } }));
    let bad = rule(json!({ "when": { "operation": "Nothing" }, "what": { "hang": {} } }));
    assert_eq!(faults.add(vec![good(), bad], at(0)).unwrap_err().0, 1);
    let same = || rule(json!({ "name": "a", "what": { "hang": {} } }));
    assert!(matches!(faults.add(vec![same(), same()], at(0)), Err((1, Invalid::NameTwice(_)))));
    assert_eq!(faults.list(at(0)).len(), 0);
    faults.add(vec![good(); RULES_MAX], at(0)).unwrap();
    assert_eq!(faults.add(vec![good()], at(0)), Err((0, Invalid::TooMany)));
    // One that is over makes room.
    faults.remove(Some("fault-100"));
    faults.add(vec![rule(json!({ "what": { "hang": {} }, "times": 1 }))], at(0)).unwrap();
    assert!(faults.lock().active.last_mut().unwrap().rule.times == Some(1));
    faults.lock().active.last_mut().unwrap().over = true;
    faults.add(vec![good()], at(0)).unwrap();
    assert_eq!(faults.list(at(0)).len(), RULES_MAX);
}
