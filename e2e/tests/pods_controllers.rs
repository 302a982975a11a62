//! Jobs and Deployments on a whole runner: controllers, kubelet and real processes.

mod pods_bench;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use pods_bench::Bench;
use serde_json::{Value, json};

fn job(name: &str, script: &str, more: Value) -> Value {
    let mut spec = json!({
        "template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "sh", "command": ["sh", "-c", script]}],
        }},
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"metadata": {"name": name}, "spec": spec})
}

fn has(job: &Job, condition: &str) -> bool {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|c| c.type_ == condition && c.status == "True")
}

impl Bench {
    async fn pods_of(&self, label: &str) -> Vec<Pod> {
        let params = ListParams::default().labels(label);
        self.api::<Pod>().list(&params).await.unwrap().items
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_its_pods_to_completion() {
    let bench = Bench::start().await;
    bench.create::<Job>(job("count", "echo done", json!({"completions": 3, "parallelism": 2}))).await;
    let done = bench.wait("count", "complete", |job: &Job| has(job, "Complete")).await;
    let status = done.status.unwrap();
    assert_eq!((status.succeeded, status.failed, status.active), (Some(3), Some(0), Some(0)));
    assert!(status.completion_time.is_some() && status.start_time.is_some());
    let pods = bench.pods_of("job-name=count").await;
    assert_eq!(pods.len(), 3);
    assert_eq!(bench.log(&pods[0].name_any(), "main").await, "done\n");
    bench.wait_for_event("Completed: Job completed").await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_gives_up_after_its_backoff_limit() {
    let bench = Bench::start().await;
    bench.create::<Job>(job("fails", "exit 1", json!({"backoffLimit": 1}))).await;
    let failed = bench.wait("fails", "failed", |job: &Job| has(job, "Failed")).await;
    assert_eq!(failed.status.unwrap().failed, Some(2));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_past_its_deadline_ends_its_pods() {
    let bench = Bench::start().await;
    let more = json!({"activeDeadlineSeconds": 1});
    bench.create::<Job>(job("late", "trap 'exit 0' TERM; while :; do sleep 0.1; done", more)).await;
    let failed = bench.wait("late", "failed", |job: &Job| has(job, "Failed")).await;
    let reason = failed.status.unwrap().conditions.unwrap().pop().unwrap().reason;
    assert_eq!(reason.as_deref(), Some("DeadlineExceeded"));
    assert!(bench.pods_of("job-name=late").await.is_empty());
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_job_deletes_its_pods_and_a_ttl_does_it_alone() {
    let bench = Bench::start().await;
    bench.create::<Job>(job("runs", "trap 'exit 0' TERM; while :; do sleep 0.1; done", json!({}))).await;
    bench.wait("runs", "active", |job: &Job| job.status.as_ref().is_some_and(|s| s.ready == Some(1))).await;
    let pod = bench.pods_of("job-name=runs").await.pop().unwrap().name_any();
    bench.api::<Job>().delete("runs", &DeleteParams::background()).await.unwrap();
    bench.wait_gone::<Job>("runs").await;
    bench.wait_gone::<Pod>(&pod).await;
    bench.create::<Job>(job("short", "exit 0", json!({"ttlSecondsAfterFinished": 0}))).await;
    bench.wait_gone::<Job>("short").await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_indexed_job_tells_each_pod_its_index() {
    let bench = Bench::start().await;
    let more = json!({"completions": 2, "parallelism": 2, "completionMode": "Indexed"});
    bench.create::<Job>(job("indexed", "echo index $JOB_COMPLETION_INDEX", more)).await;
    let done = bench.wait("indexed", "complete", |job: &Job| has(job, "Complete")).await;
    assert_eq!(done.status.unwrap().completed_indexes.as_deref(), Some("0-1"));
    let mut logs = Vec::new();
    for pod in bench.pods_of("job-name=indexed").await {
        logs.push(bench.log(&pod.name_any(), "main").await);
    }
    logs.sort();
    assert_eq!(logs, ["index 0\n", "index 1\n"]);
    bench.end().await;
}

fn deployment(replicas: i32, version: &str) -> Value {
    let script = format!("echo {version}; trap 'exit 0' TERM; while :; do sleep 0.1; done");
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": "sh", "command": ["sh", "-c", script]}]},
            },
        },
    })
}

/// All pods wanted are available, and no others are left.
fn settled(replicas: i32) -> impl Fn(&Deployment) -> bool {
    move |deployment| {
        let status = deployment.status.clone().unwrap_or_default();
        status.observed_generation == deployment.metadata.generation
            && [status.replicas, status.updated_replicas, status.available_replicas] == [Some(replicas); 3]
            && status.terminating_replicas == Some(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_scales_up_and_down() {
    let bench = Bench::start().await;
    bench.create::<Deployment>(deployment(1, "v1")).await;
    bench.wait("web", "settled at 1", settled(1)).await;
    for replicas in [3, 1] {
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        bench.api::<Deployment>().patch("web", &PatchParams::default(), &patch).await.unwrap();
        bench.wait("web", "settled", settled(replicas)).await;
        let pods = bench.pods_of("app=web").await;
        assert_eq!(pods.len(), usize::try_from(replicas).unwrap());
        let ips: std::collections::BTreeSet<_> =
            pods.iter().map(|pod| pod.status.as_ref().unwrap().pod_ip.clone()).collect();
        assert_eq!(ips.len(), pods.len());
    }
    bench.wait_for_event("ScalingReplicaSet: Scaled up replica set").await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_rolls_to_a_new_template() {
    let bench = Bench::start().await;
    bench.create::<Deployment>(deployment(2, "v1")).await;
    bench.wait("web", "settled", settled(2)).await;
    let apply = PatchParams::apply("test").force();
    bench.api::<Deployment>().patch("web", &apply, &Patch::Apply(deployment(2, "v2"))).await.unwrap();
    bench.wait("web", "settled on the new version", settled(2)).await;
    let pods = bench.pods_of("app=web").await;
    assert_eq!(pods.len(), 2);
    for pod in pods {
        bench.wait_for_log(&pod.name_any(), "main", "v2\n").await;
    }
    let sets = bench.api::<ReplicaSet>().list(&ListParams::default()).await.unwrap().items;
    let mut sizes: Vec<_> = sets.iter().map(|set| set.spec.replicas.unwrap()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [0, 2]);
    bench.api::<Deployment>().delete("web", &DeleteParams::background()).await.unwrap();
    for set in sets {
        bench.wait_gone::<ReplicaSet>(&set.name_any()).await;
    }
    bench.end().await;
}
