//! Roll-outs step by step, with ReplicaSets that follow at once.

use super::*;
use serde_json::{Value, json};

fn now() -> Timestamp {
    "2024-01-01T01:00:00Z".parse().unwrap()
}

fn deployment(replicas: i32, version: &str, strategy: Value) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": "web", "namespace": "n", "generation": 7},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": strategy,
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": version}]}},
        },
    }))
    .unwrap()
}

/// Sizes of the ReplicaSets after each step, until nothing changes.
fn roll_out(deployment: &Deployment, sets: &mut Vec<ReplicaSet>, breaks: bool) -> Vec<Vec<i32>> {
    let mut steps = Vec::new();
    for _ in 0..20 {
        let current = find_current(deployment, sets).unwrap_or_else(|| {
            let set = new_set(deployment, sets);
            sets.push(set);
            sets.last().unwrap().name_any()
        });
        steps.push(sets.iter().map(replicas_of).collect());
        for set in sets.iter_mut() {
            let size = replicas_of(set);
            let works = !(breaks && set.name_any() == current);
            set.status = serde_json::from_value(json!({
                "replicas": size, "readyReplicas": size, "availableReplicas": if works { size } else { 0 },
            }))
            .unwrap();
        }
        let plan = plan(deployment, sets, &current, now());
        if plan.scale.is_empty() {
            return steps;
        }
        for (name, _, to) in plan.scale {
            let set = sets.iter_mut().find(|set| set.name_any() == name).unwrap();
            set.spec.replicas = Some(to);
        }
    }
    panic!("it never comes to rest: {steps:?}")
}

#[test]
fn a_new_deployment_starts_all_pods_at_once() {
    let mut sets = Vec::new();
    assert_eq!(roll_out(&deployment(3, "v1", json!({})), &mut sets, false), [[3]]);
    let set = &sets[0];
    let template = set.spec.template.clone().unwrap().metadata.unwrap();
    let selector = set.spec.selector.match_labels.clone().unwrap();
    assert_eq!(template.labels.as_ref(), set.metadata.labels.as_ref());
    assert_eq!(selector.get(TEMPLATE_HASH), set.labels().get(TEMPLATE_HASH));
    assert!(set.name_any().starts_with("web-"));
}

#[test]
fn scaling_changes_the_one_replica_set() {
    let mut sets = Vec::new();
    roll_out(&deployment(1, "v1", json!({})), &mut sets, false);
    assert_eq!(roll_out(&deployment(3, "v1", json!({})), &mut sets, false), [[1], [3]]);
    assert_eq!(roll_out(&deployment(1, "v1", json!({})), &mut sets, false), [[3], [1]]);
}

#[test]
fn a_rolling_update_keeps_enough_pods_available() {
    let mut sets = Vec::new();
    roll_out(&deployment(4, "v1", json!({})), &mut sets, false);
    let steps = roll_out(&deployment(4, "v2", json!({})), &mut sets, false);
    assert_eq!(steps.last().unwrap(), &[0, 4]);
    assert!(steps.iter().all(|step| (3..=5).contains(&step.iter().sum::<i32>())), "{steps:?}");
    // Back to the first version: its ReplicaSet is used again, with a higher number.
    let back = deployment(4, "v1", json!({}));
    roll_out(&back, &mut sets, false);
    assert_eq!(sets.iter().map(replicas_of).collect::<Vec<_>>(), [4, 0]);
    let current = find_current(&back, &sets).unwrap();
    assert_eq!(plan(&back, &sets, &current, now()).revision.as_deref(), Some("3"));
}

#[test]
fn a_version_that_does_not_come_up_leaves_the_old_one_working() {
    let mut sets = Vec::new();
    roll_out(&deployment(4, "v1", json!({})), &mut sets, false);
    let steps = roll_out(&deployment(4, "v2", json!({})), &mut sets, true);
    assert_eq!(steps.last().unwrap(), &[3, 2]);
}

#[test]
fn recreate_ends_the_old_version_first() {
    let strategy = json!({"type": "Recreate"});
    let mut sets = Vec::new();
    roll_out(&deployment(2, "v1", strategy.clone()), &mut sets, false);
    assert_eq!(roll_out(&deployment(2, "v2", strategy), &mut sets, false), [[2, 0], [0, 0], [0, 2]]);
}

#[test]
fn status_counts_and_conditions_follow_the_replica_sets() {
    let mut sets = Vec::new();
    let wanted = deployment(3, "v1", json!({}));
    let current = {
        sets.push(new_set(&wanted, &[]));
        sets[0].name_any()
    };
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    let conditions = |status: &DeploymentStatus| -> Vec<String> {
        let all = status.conditions.iter().flatten();
        all.map(|c| format!("{}={} {}", text(&c.type_), text(&c.status), text(&c.reason))).collect()
    };
    let early = plan(&wanted, &sets, &current, now()).status;
    assert_eq!(
        conditions(&early),
        ["Available=False MinimumReplicasUnavailable", "Progressing=True ReplicaSetUpdated"]
    );
    assert_eq!((early.replicas, early.unavailable_replicas), (Some(0), Some(3)));
    roll_out(&wanted, &mut sets, false);
    let late = plan(&wanted, &sets, &current, now()).status;
    assert_eq!(
        conditions(&late),
        ["Available=True MinimumReplicasAvailable", "Progressing=True NewReplicaSetAvailable"]
    );
    assert_eq!((late.available_replicas, late.observed_generation), (Some(3), Some(7)));
    assert_eq!(plan(&wanted, &sets, &current, now()).revision.as_deref(), Some("1"));
}

#[test]
fn shares_round_surge_up_and_unavailable_down() {
    let percent = IntOrString::String("25%".into());
    assert_eq!((share(Some(&percent), 3, true), share(Some(&percent), 3, false)), (1, 0));
    assert_eq!(share(Some(&IntOrString::Int(2)), 3, true), 2);
}
