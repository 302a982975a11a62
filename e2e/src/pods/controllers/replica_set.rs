//! ReplicaSets: as many pods as wanted.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::{Shared, owned, write_status};

/// What to do for a ReplicaSet.
#[derive(Debug, PartialEq)]
struct Plan {
    /// Pods to create.
    create: usize,
    /// Names of pods to delete.
    delete: Vec<String>,
    /// The status.
    status: ReplicaSetStatus,
    /// Look again then, as a pod will count as available.
    again: Option<Duration>,
}

/// Brings one ReplicaSet nearer to what it should be.
pub async fn reconcile(set: Arc<ReplicaSet>, shared: Arc<Shared>) -> kube::Result<Action> {
    if set.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let namespace = set.namespace().unwrap_or_default();
    let pods = owned::list(&shared.api::<Pod>(&namespace), set.as_ref()).await?;
    let plan = plan(&set, &pods, Timestamp::now());
    write_status(&shared.api(&namespace), set.as_ref(), set.status.as_ref(), &plan.status).await?;
    if let Some(template) = &set.spec.template {
        for _ in 0..plan.create {
            let pod = owned::pod_from(set.as_ref(), template, &set.name_any());
            owned::create_pod(&shared, set.as_ref(), &pod).await?;
        }
    }
    for name in &plan.delete {
        owned::delete_pod(&shared, set.as_ref(), name).await?;
    }
    Ok(plan.again.map_or_else(Action::await_change, Action::requeue))
}

fn plan(set: &ReplicaSet, pods: &[Pod], now: Timestamp) -> Plan {
    let spec = set.spec.clone();
    let wanted = usize::try_from(spec.replicas.unwrap_or(1)).unwrap_or(0);
    let mut active: Vec<&Pod> = pods.iter().filter(|pod| owned::is_active(pod)).collect();
    let until: Vec<Duration> = active
        .iter()
        .filter_map(|pod| owned::ready_since(pod))
        .map(|since| owned::until_available(since, spec.min_ready_seconds.unwrap_or(0), now))
        .collect();
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let terminating = pods.iter().filter(|pod| owned::is_terminating(pod)).count();
    let status = ReplicaSetStatus {
        replicas: count(active.len()),
        fully_labeled_replicas: Some(count(active.len())),
        ready_replicas: Some(count(until.len())),
        available_replicas: Some(count(until.iter().filter(|wait| wait.is_zero()).count())),
        terminating_replicas: Some(count(terminating)),
        observed_generation: set.metadata.generation,
        conditions: None,
    };
    let again = until.into_iter().filter(|wait| !wait.is_zero()).min();
    let surplus = active.len().saturating_sub(wanted);
    active.sort_by_key(|pod| expendability(pod));
    let delete = active.iter().take(surplus).map(|pod| pod.name_any()).collect();
    Plan { create: wanted.saturating_sub(active.len()), delete, status, again }
}

/// Sorts pods that do less good before others: not bound, not running, not ready, ready for a
/// shorter time, younger. Source: Kubernetes documentation, ReplicaSet.
fn expendability(
    pod: &Pod,
) -> (bool, bool, bool, std::cmp::Reverse<Timestamp>, std::cmp::Reverse<Timestamp>) {
    let bound = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
    let ready = owned::ready_since(pod);
    let created = pod.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
    (
        bound,
        owned::phase(pod) == "Running",
        ready.is_some(),
        std::cmp::Reverse(ready.unwrap_or(Timestamp::UNIX_EPOCH)),
        std::cmp::Reverse(created),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(replicas: i32) -> ReplicaSet {
        serde_json::from_value(json!({
            "metadata": {"name": "set", "generation": 4},
            "spec": {"replicas": replicas, "selector": {}, "minReadySeconds": 0},
        }))
        .unwrap()
    }

    fn pod(name: &str, ready_since: Option<&str>) -> Pod {
        let ready = ready_since.map_or("False", |_| "True");
        serde_json::from_value(json!({
            "metadata": {"name": name, "creationTimestamp": "2024-01-01T00:00:00Z"},
            "spec": {"nodeName": "node", "containers": []},
            "status": {"phase": "Running", "conditions": [{
                "type": "Ready", "status": ready, "lastTransitionTime": ready_since,
            }]},
        }))
        .unwrap()
    }

    fn now() -> Timestamp {
        "2024-01-01T01:00:00Z".parse().unwrap()
    }

    #[test]
    fn missing_pods_are_created() {
        let plan = plan(&set(3), &[pod("a", None)], now());
        assert_eq!((plan.create, plan.delete.len()), (2, 0));
        assert_eq!(plan.status.replicas, 1);
        assert_eq!(plan.status.ready_replicas, Some(0));
        assert_eq!(plan.status.observed_generation, Some(4));
    }

    #[test]
    fn the_least_useful_pods_are_deleted_first() {
        let old = pod("old", Some("2024-01-01T00:00:10Z"));
        let young = pod("young", Some("2024-01-01T00:30:00Z"));
        let unready = pod("unready", None);
        let pods = [old, young, unready];
        assert_eq!(plan(&set(2), &pods, now()).delete, ["unready"]);
        assert_eq!(plan(&set(1), &pods, now()).delete, ["unready", "young"]);
        assert_eq!(plan(&set(0), &pods, now()).delete, ["unready", "young", "old"]);
    }

    #[test]
    fn ended_and_terminating_pods_do_not_count() {
        let mut ended = pod("ended", None);
        ended.status.as_mut().unwrap().phase = Some("Failed".into());
        let mut terminating = pod("terminating", None);
        terminating.metadata.deletion_timestamp =
            serde_json::from_value(json!("2024-01-01T00:00:00Z")).unwrap();
        let plan = plan(&set(1), &[ended, terminating], now());
        assert_eq!((plan.create, plan.status.replicas), (1, 0));
        assert_eq!(plan.status.terminating_replicas, Some(1));
    }

    #[test]
    fn a_pod_is_available_only_after_its_time() {
        let mut set = set(1);
        set.spec.min_ready_seconds = Some(30);
        let plan = plan(&set, &[pod("a", Some("2024-01-01T00:59:50Z"))], now());
        assert_eq!((plan.status.ready_replicas, plan.status.available_replicas), (Some(1), Some(0)));
        assert_eq!(plan.again, Some(Duration::from_secs(20)));
    }
}
