//! Pods on a whole runner: API server, scheduler, kubelet and real processes.

mod pods_bench;

use k8s_openapi::api::core::v1::Pod;
use pods_bench::{Bench, state_of};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn two_containers_share_an_empty_dir_and_the_pod_succeeds() {
    let bench = Bench::start().await;
    let path = bench.path("/var/log/nginx");
    let volume = json!([{"name": "nginx-log", "mountPath": "/var/log/nginx"}]);
    bench
        .create::<Pod>(json!({
            "metadata": {"name": "demo"},
            "spec": {
                "restartPolicy": "Never",
                "containers": [
                    {"name": "writer", "image": "sh", "volumeMounts": volume,
                     "command": ["sh", "-c", format!("for i in 1 2 3; do echo $i; done > {path}/log; touch {path}/done")]},
                    {"name": "reader", "image": "sh", "volumeMounts": volume,
                     "command": ["sh", "-c", format!("until test -e {path}/done; do sleep 0.05; done; cat {path}/log; exit 3")]},
                ],
                "volumes": [{"name": "nginx-log", "emptyDir": {}}],
            },
        }))
        .await;
    let pod = bench.wait_for_phase("demo", "Failed").await;
    assert_eq!(bench.log("demo", "reader").await, "1\n2\n3\n");
    let terminated = state_of(&pod, "reader").terminated.unwrap();
    assert_eq!((terminated.exit_code, terminated.reason.as_deref()), (3, Some("Error")));
    let terminated = state_of(&pod, "writer").terminated.unwrap();
    assert_eq!((terminated.exit_code, terminated.reason.as_deref()), (0, Some("Completed")));
    bench.end().await;
}
