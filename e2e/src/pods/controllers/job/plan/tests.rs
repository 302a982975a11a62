//! Jobs as tables of pods and what follows from them.

use super::*;
use serde_json::{Value, json};

const BACKOFF: Duration = Duration::from_secs(10);

fn now() -> Timestamp {
    "2024-01-01T01:00:00Z".parse().unwrap()
}

fn job(spec: Value, status: Value) -> Job {
    let mut full = json!({"template": {"spec": {"containers": [], "restartPolicy": "Never"}}});
    full.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(json!({"metadata": {"name": "job"}, "spec": full, "status": status})).unwrap()
}

fn pod(name: &str, phase: &str) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"containers": []},
        "status": {"phase": phase, "containerStatuses": [{
            "name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 2,
            "state": {"terminated": {"exitCode": 1, "finishedAt": "2024-01-01T00:59:55Z"}},
        }]},
    }))
    .unwrap()
}

fn conditions(plan: &Plan) -> Vec<String> {
    let all = plan.status.conditions.iter().flatten();
    all.map(|c| format!("{}={} {}", c.type_, c.status, c.reason.clone().unwrap_or_default())).collect()
}

#[test]
fn as_many_pods_run_as_are_still_needed() {
    let job = job(json!({"completions": 5, "parallelism": 3}), json!({}));
    let pods = [pod("a", "Running"), pod("b", "Succeeded"), pod("c", "Succeeded"), pod("d", "Succeeded")];
    let first = plan(&job, &[], BACKOFF, now());
    assert_eq!(first.create.len(), 3);
    assert_eq!(first.status.start_time, Some(Time(now())));
    let later = plan(&job, &pods, BACKOFF, now());
    assert_eq!((later.create.len(), later.delete.len()), (1, 0));
    assert_eq!((later.status.active, later.status.succeeded), (Some(1), Some(3)));
}

#[test]
fn enough_successes_complete_the_job() {
    let job = job(json!({"completions": 1, "parallelism": 1, "ttlSecondsAfterFinished": 60}), json!({}));
    let plan = plan(&job, &[pod("a", "Succeeded")], BACKOFF, now());
    assert_eq!(plan.finish, Some(Finish::Complete));
    assert_eq!(
        conditions(&plan),
        ["SuccessCriteriaMet=True CompletionsReached", "Complete=True CompletionsReached"]
    );
    assert_eq!(plan.status.completion_time, Some(Time(now())));
    assert_eq!(plan.again, Some(Duration::from_secs(60)));
}

#[test]
fn a_success_is_not_forgotten_with_its_pod() {
    let job = job(json!({"completions": 2, "parallelism": 1}), json!({"succeeded": 1}));
    assert_eq!(plan(&job, &[], BACKOFF, now()).status.succeeded, Some(1));
    assert_eq!(plan(&job, &[], BACKOFF, now()).create.len(), 1);
}

#[test]
fn a_failed_pod_is_replaced_after_a_wait() {
    let job = job(json!({"completions": 1, "parallelism": 1}), json!({}));
    let failed = [pod("a", "Failed")];
    let early = plan(&job, &failed, BACKOFF, now());
    assert_eq!((early.create.len(), early.again), (0, Some(Duration::from_secs(5))));
    let later = plan(&job, &failed, BACKOFF, now() + SignedDuration::from_secs(5));
    assert_eq!(later.create.len(), 1);
}

#[test]
fn too_many_failures_end_the_job_once_nothing_runs() {
    let job = job(json!({"completions": 2, "parallelism": 2, "backoffLimit": 1}), json!({}));
    let pods = [pod("a", "Failed"), pod("b", "Failed"), pod("c", "Running")];
    let stopping = plan(&job, &pods, BACKOFF, now());
    assert_eq!(stopping.delete, ["c"]);
    assert_eq!(conditions(&stopping), ["FailureTarget=True BackoffLimitExceeded"]);
    let ended = plan(&job, &pods[..2], BACKOFF, now());
    assert!(matches!(ended.finish, Some(Finish::Failed { reason: "BackoffLimitExceeded", .. })));
    assert_eq!(conditions(&ended)[1], "Failed=True BackoffLimitExceeded");
}

#[test]
fn restarts_in_place_count_as_failures_too() {
    let spec = json!({
        "completions": 1, "parallelism": 1, "backoffLimit": 2,
        "template": {"spec": {"containers": [], "restartPolicy": "OnFailure"}},
    });
    let plan = plan(&job(spec, json!({})), &[pod("a", "Running")], BACKOFF, now());
    assert_eq!(conditions(&plan), ["FailureTarget=True BackoffLimitExceeded"]);
}

#[test]
fn the_deadline_counts_from_the_start() {
    let spec = json!({"completions": 1, "parallelism": 1, "activeDeadlineSeconds": 60});
    let running = [pod("a", "Running")];
    let early =
        plan(&job(spec.clone(), json!({"startTime": "2024-01-01T00:59:30Z"})), &running, BACKOFF, now());
    assert_eq!((early.delete.len(), early.again), (0, Some(Duration::from_secs(30))));
    let late = plan(&job(spec, json!({"startTime": "2024-01-01T00:59:00Z"})), &running, BACKOFF, now());
    assert_eq!(conditions(&late), ["FailureTarget=True DeadlineExceeded"]);
}

#[test]
fn a_decided_end_stands_whatever_the_last_pods_do() {
    let spec = json!({"completions": 1, "parallelism": 1, "activeDeadlineSeconds": 60});
    let started = json!({"startTime": "2024-01-01T00:59:00Z"});
    let decided = plan(&job(spec.clone(), started), &[pod("a", "Running")], BACKOFF, now()).status;
    let job = job(spec, serde_json::to_value(decided).unwrap());
    // Stopped by us, the pod ends well.
    let ended = plan(&job, &[pod("a", "Succeeded")], BACKOFF, now());
    assert_eq!(conditions(&ended), ["FailureTarget=True DeadlineExceeded", "Failed=True DeadlineExceeded"]);
}

#[test]
fn an_indexed_job_hands_out_each_index_once() {
    let job = job(
        json!({"completions": 5, "parallelism": 5, "completionMode": "Indexed"}),
        json!({"completedIndexes": "0,3"}),
    );
    let mut running = pod("a", "Running");
    running.annotations_mut().insert(INDEX.into(), "1".into());
    let plan = plan(&job, &[running], BACKOFF, now());
    assert_eq!(plan.create, [Some(2), Some(4)]);
    assert_eq!(plan.status.completed_indexes.as_deref(), Some("0,3"));
    assert_eq!(format_indices(&parse_indices("0-2,4,6-7")), "0-2,4,6-7");
}

#[test]
fn a_suspended_job_has_no_pods() {
    let job = job(json!({"completions": 1, "parallelism": 1, "suspend": true}), json!({}));
    let plan = plan(&job, &[pod("a", "Running")], BACKOFF, now());
    assert_eq!((plan.delete.len(), plan.create.len()), (1, 0));
    assert_eq!(conditions(&plan), ["Suspended=True JobSuspended"]);
}

#[test]
fn a_finished_job_goes_when_its_time_has_come() {
    let status = json!({"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": "2024-01-01T00:59:00Z"}]});
    let with = |ttl: i32| job(json!({"completions": 1, "ttlSecondsAfterFinished": ttl}), status.clone());
    assert!(plan(&with(60), &[], BACKOFF, now()).expired);
    assert_eq!(plan(&with(90), &[], BACKOFF, now()).again, Some(Duration::from_secs(30)));
}
