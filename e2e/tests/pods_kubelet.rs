//! Pods on a whole runner: API server, scheduler, kubelet and real processes.

mod pods_bench;

use std::time::Duration;

use e2e::pods::Isolation;
use e2e::pods::kubelet::PROBES_ANNOTATION;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::ResourceExt;
use kube::api::{DeleteParams, LogParams};
use pods_bench::{Bench, HANG, container_status, runs, state_of};
use serde_json::{Value, json};

fn pod(name: &str, spec: Value) -> Value {
    json!({"metadata": {"name": name}, "spec": spec})
}

fn sh(name: &str, script: &str) -> Value {
    json!({"name": name, "image": "sh", "command": ["sh", "-c", script]})
}

fn with(mut container: Value, more: Value) -> Value {
    container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    container
}

/// Ends on SIGTERM, as process 1 does not do by itself.
const SERVE: &str = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done";

#[tokio::test(flavor = "multi_thread")]
async fn two_containers_share_an_empty_dir() {
    for isolation in [Isolation::Auto, Isolation::Prefix] {
        let bench = Bench::start_with(|config| config.isolation = isolation).await;
        let path = bench.path("/var/log/nginx");
        let volume = json!({"volumeMounts": [{"name": "nginx-log", "mountPath": "/var/log/nginx"}]});
        let writer = format!("for i in 1 2 3; do echo $i; done > {path}/log; touch {path}/done");
        let reader = format!("until test -e {path}/done; do sleep 0.05; done; cat {path}/log; exit 3");
        let spec = json!({
            "restartPolicy": "Never",
            "containers": [
                with(sh("writer", &writer), volume.clone()),
                with(sh("reader", &reader), volume),
            ],
            "volumes": [{"name": "nginx-log", "emptyDir": {"medium": "Memory"}}],
        });
        bench.create::<Pod>(pod("demo", spec)).await;
        let pod = bench.wait_for_phase("demo", "Failed").await;
        assert_eq!(bench.log("demo", "reader").await, "1\n2\n3\n");
        let terminated = state_of(&pod, "reader").terminated.unwrap();
        assert_eq!((terminated.exit_code, terminated.reason.as_deref()), (3, Some("Error")));
        let terminated = state_of(&pod, "writer").terminated.unwrap();
        assert_eq!((terminated.exit_code, terminated.reason.as_deref()), (0, Some("Completed")));
        let status = pod.status.unwrap();
        assert_eq!(status.host_ip.as_deref(), Some("127.0.0.1"));
        assert!(status.pod_ip.unwrap().starts_with("127.88."));
        if isolation == Isolation::Prefix {
            bench.wait_for_event("Isolation: container reader is not isolated").await;
        }
        bench.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_container_leaves_in_its_termination_log_is_in_its_status() {
    for isolation in [Isolation::Auto, Isolation::Prefix] {
        let bench = Bench::start_with(|config| config.isolation = isolation).await;
        let write = |path: &str| format!("echo done > {}", bench.path(path));
        let spec = json!({
            "restartPolicy": "Never",
            "containers": [
                sh("default", &write("/dev/termination-log")),
                with(sh("own", &write("/tmp/last-words")), json!({"terminationMessagePath": "/tmp/last-words"})),
                sh("silent", "true"),
            ],
        });
        bench.create::<Pod>(pod("demo", spec)).await;
        let pod = bench.wait_for_phase("demo", "Succeeded").await;
        let message = |container: &str| state_of(&pod, container).terminated.unwrap().message;
        assert_eq!(message("default").as_deref(), Some("done\n"));
        assert_eq!(message("own").as_deref(), Some("done\n"));
        assert_eq!(message("silent"), None);
        bench.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_the_manifests() {
    let bench = Bench::start().await;
    bench.create::<ConfigMap>(json!({"metadata": {"name": "cm"}, "data": {"KEY": "from-config-map"}})).await;
    bench.create::<Secret>(json!({"metadata": {"name": "s"}, "stringData": {"pass": "from-secret"}})).await;
    let field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    let container = with(
        sh(
            "main",
            "echo $name $ns $node $host $label $KEY $pass $(ARG) $both; echo $ip; hostname; cat $SLS_PATH_PREFIX/cm/KEY",
        ),
        json!({
            "env": [
                {"name": "name", "valueFrom": field("metadata.name")},
                {"name": "ns", "valueFrom": field("metadata.namespace")},
                {"name": "node", "valueFrom": field("spec.nodeName")},
                {"name": "host", "valueFrom": field("status.hostIP")},
                {"name": "ip", "valueFrom": field("status.podIP")},
                {"name": "label", "valueFrom": field("metadata.labels['app']")},
                {"name": "pass", "valueFrom": {"secretKeyRef": {"name": "s", "key": "pass"}}},
                {"name": "none", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "x", "optional": true}}},
                {"name": "ARG", "value": "argument"},
                {"name": "both", "value": "$(name)/$(label)/$$(name)"},
            ],
            "envFrom": [{"configMapRef": {"name": "cm"}}],
            "volumeMounts": [{"name": "cm", "mountPath": "/cm", "readOnly": true}],
        }),
    );
    let spec = json!({
        "restartPolicy": "Never", "containers": [container],
        "volumes": [{"name": "cm", "configMap": {"name": "cm"}}],
    });
    let mut object = pod("env", spec);
    object["metadata"]["labels"] = json!({"app": "demo"});
    bench.create::<Pod>(object).await;
    let pod = bench.wait_for_phase("env", "Succeeded").await;
    let log = bench.log("env", "main").await;
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(
        lines[0],
        "env default bed-node 127.0.0.1 demo from-config-map from-secret argument env/demo/$(name)"
    );
    assert_eq!(Some(lines[1]), pod.status.unwrap().pod_ip.as_deref());
    assert!(log.ends_with("from-config-map\n"), "{log}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_of_every_kind_are_mounted() {
    for isolation in [Isolation::Auto, Isolation::Prefix] {
        let bench = Bench::start_with(|config| config.isolation = isolation).await;
        let host = tempfile::tempdir().unwrap();
        std::fs::write(host.path().join("file"), "from-host\n").unwrap();
        bench
            .create::<ConfigMap>(json!({"metadata": {"name": "cm"}, "data": {"a": "A\n", "b": "B\n"}}))
            .await;
        bench.create::<Secret>(json!({"metadata": {"name": "s"}, "stringData": {"p": "P\n"}})).await;
        let p = bench.path("");
        let script = format!(
            "cat {p}/host/file {p}/cm/sub/a {p}/all/p {p}/all/b {p}/one/file
             cat {p}/info/labels; echo; echo x > {p}/sub/x; ls {p}/whole/inner"
        );
        let mounts = json!({"volumeMounts": [
            {"name": "host", "mountPath": "/host", "readOnly": true},
            {"name": "host", "mountPath": "/one/file", "subPath": "file"},
            {"name": "cm", "mountPath": "/cm"},
            {"name": "all", "mountPath": "/all"},
            {"name": "info", "mountPath": "/info"},
            {"name": "empty", "mountPath": "/whole"},
            {"name": "empty", "mountPath": "/sub", "subPathExpr": "$(WHERE)"},
        ], "env": [{"name": "WHERE", "value": "inner"}]});
        let spec = json!({
            "restartPolicy": "Never",
            "containers": [with(sh("main", &script), mounts)],
            "volumes": [
                {"name": "host", "hostPath": {"path": host.path(), "type": "Directory"}},
                {"name": "cm", "configMap": {"name": "cm", "items": [{"key": "a", "path": "sub/a"}]}},
                {"name": "all", "projected": {"sources": [
                    {"configMap": {"name": "cm"}}, {"secret": {"name": "s"}},
                ]}},
                {"name": "info", "downwardAPI": {"items": [
                    {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                ]}},
                {"name": "empty", "emptyDir": {}},
            ],
        });
        let mut object = pod("volumes", spec);
        object["metadata"]["labels"] = json!({"app": "demo"});
        bench.create::<Pod>(object).await;
        bench.wait_for_phase("volumes", "Succeeded").await;
        let log = bench.log("volumes", "main").await;
        assert_eq!(log, "from-host\nA\nP\nB\nfrom-host\napp=\"demo\"\nx\n");
        bench.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_cannot_be_had_is_named() {
    let bench = Bench::start().await;
    let with_volume = |volume: Value| {
        let mounts = json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]});
        json!({"containers": [with(sh("main", "exit 0"), mounts)], "volumes": [volume]})
    };
    let missing = json!({"name": "v", "hostPath": {"path": "/no/such", "type": "Directory"}});
    bench.create::<Pod>(pod("missing", with_volume(missing))).await;
    bench.wait_for_event("FailedMount: MountVolume.SetUp failed: volume \"v\": hostPath /no/such").await;
    let claim = json!({"name": "v", "persistentVolumeClaim": {"claimName": "x"}});
    bench.create::<Pod>(pod("claim", with_volume(claim))).await;
    bench.wait_for_event("volume \"v\": only emptyDir").await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_holds_the_container_until_it_comes() {
    let bench = Bench::start().await;
    let env = json!({"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "late", "key": "k"}}}]});
    let spec = json!({"restartPolicy": "Never", "containers": [with(sh("main", "echo $X"), env)]});
    bench.create::<Pod>(pod("held", spec)).await;
    bench.wait_for_event("secret \"late\" not found: create it").await;
    let held = bench.api::<Pod>().get("held").await.unwrap();
    assert_eq!(held.status.unwrap().phase.as_deref(), Some("Pending"));
    bench.create::<Secret>(json!({"metadata": {"name": "late"}, "stringData": {"k": "value"}})).await;
    bench.wait_for_phase("held", "Succeeded").await;
    assert_eq!(bench.log("held", "main").await, "value\n");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_image_is_named_with_those_that_are_known() {
    let bench = Bench::start().await;
    let container = json!({"name": "main", "image": "registry.example/none:1"});
    bench.create::<Pod>(pod("none", json!({"containers": [container]}))).await;
    bench.wait_for_event("failed to pull image \"registry.example/none:1\"").await;
    bench.wait_for_event("known are: sh").await;
    let waits = |pod: &Pod| {
        let waiting = pod.status.as_ref().is_some_and(|status| status.container_statuses.is_some());
        waiting && state_of(pod, "main").waiting.is_some_and(|w| w.reason.as_deref() == Some("ErrImagePull"))
    };
    bench.wait("none", "ErrImagePull", waits).await;
    bench.api::<Pod>().delete("none", &DeleteParams::default()).await.unwrap();
    bench.wait_gone::<Pod>("none").await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_does_not_exist_fails_the_pod() {
    let bench = Bench::start().await;
    let container = json!({"name": "main", "image": "sh", "command": ["/no/such"]});
    bench.create::<Pod>(pod("bad", json!({"restartPolicy": "Never", "containers": [container]}))).await;
    let pod = bench.wait_for_phase("bad", "Failed").await;
    let terminated = state_of(&pod, "main").terminated.unwrap();
    assert_eq!((terminated.exit_code, terminated.reason.as_deref()), (128, Some("StartError")));
    assert!(terminated.message.unwrap().contains("/no/such"));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_container_is_restarted_with_growing_waits() {
    let bench = Bench::start().await;
    let spec = json!({"restartPolicy": "OnFailure", "containers": [sh("main", "echo run; exit 5")]});
    bench.create::<Pod>(pod("crash", spec)).await;
    let pod = bench
        .wait("crash", "restarted twice", |pod: &Pod| {
            let known = pod.status.as_ref().is_some_and(|status| status.container_statuses.is_some());
            known && container_status(pod, "main").restart_count >= 2
        })
        .await;
    let status = container_status(&pod, "main");
    assert_eq!(status.last_state.unwrap().terminated.unwrap().exit_code, 5);
    bench.wait_for_event("BackOff: Back-off restarting failed container main in pod crash").await;
    let previous = LogParams { previous: true, ..LogParams::default() };
    assert_eq!(bench.log_with("crash", "main", previous).await, "run\n");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn init_containers_run_in_order_and_a_sidecar_outlives_the_others() {
    let bench = Bench::start().await;
    let volume = json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]});
    let v = bench.path("/v");
    let serve = format!(
        "trap 'echo end >> {v}/order; exit 0' TERM; echo side >> {v}/order; while :; do sleep 0.05; done"
    );
    let side = with(sh("side", &serve), json!({"restartPolicy": "Always"}));
    let side = with(
        side,
        json!({"startupProbe": {"periodSeconds": 1, "exec": {"command": ["sh", "-c", format!("grep side {v}/order")]}}}),
    );
    let spec = json!({
        "restartPolicy": "Never",
        "initContainers": [
            with(sh("first", &format!("echo first >> {v}/order")), volume.clone()),
            with(side, volume.clone()),
            with(sh("second", &format!("echo second >> {v}/order")), volume.clone()),
        ],
        "containers": [with(sh("main", &format!("echo main >> {v}/order")), volume)],
        "volumes": [{"name": "v", "emptyDir": {}}],
    });
    let created = bench.create::<Pod>(pod("init", spec)).await;
    let pod = bench.wait_for_phase("init", "Succeeded").await;
    let directory = format!("pods/default_init_{}/volumes/v/order", created.uid().unwrap());
    let order = std::fs::read_to_string(bench.directory.path().join(directory)).unwrap();
    assert_eq!(order, "first\nside\nsecond\nmain\nend\n");
    assert_eq!(state_of(&pod, "side").terminated.unwrap().exit_code, 0);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_init_container_fails_the_pod() {
    let bench = Bench::start().await;
    let spec = json!({
        "restartPolicy": "Never",
        "initContainers": [sh("init", "exit 9")],
        "containers": [sh("main", "echo never")],
    });
    bench.create::<Pod>(pod("init", spec)).await;
    let pod = bench.wait_for_phase("init", "Failed").await;
    assert_eq!(state_of(&pod, "init").terminated.unwrap().exit_code, 9);
    assert_eq!(state_of(&pod, "main").waiting.unwrap().reason.as_deref(), Some("PodInitializing"));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_counted_and_a_failing_one_restarts_the_container() {
    for isolation in [Isolation::Auto, Isolation::Prefix] {
        let bench = Bench::start_with(|config| {
            config.isolation = isolation;
            config.probe_speed = 10;
        })
        .await;
        let tmp = bench.path("/tmp");
        // Alive three times, then not.
        let probe = format!("echo x >> {tmp}/n; test $(wc -l < {tmp}/n) -le 3");
        let liveness = json!({
            "exec": {"command": ["sh", "-c", probe]},
            "initialDelaySeconds": 1, "periodSeconds": 1, "failureThreshold": 2, "timeoutSeconds": 10,
        });
        let readiness =
            json!({"exec": {"command": ["sh", "-c", "exit 0"]}, "periodSeconds": 1, "timeoutSeconds": 10});
        let container =
            with(sh("main", SERVE), json!({"livenessProbe": liveness, "readinessProbe": readiness}));
        bench.create::<Pod>(pod("probed", json!({"containers": [container]}))).await;
        let pod = bench
            .wait("probed", "restarted", |pod: &Pod| {
                let known = pod.status.as_ref().is_some_and(|status| status.container_statuses.is_some());
                known && container_status(pod, "main").restart_count >= 1
            })
            .await;
        let counts: Value = serde_json::from_str(&pod.annotations()[PROBES_ANNOTATION]).unwrap();
        assert_eq!(counts["main"]["liveness"]["passed"], 3, "{counts}");
        assert_eq!(counts["main"]["liveness"]["failed"], 2, "{counts}");
        bench.wait_for_event("Unhealthy: Liveness probe failed").await;
        bench.wait_for_event("Killing: Container main failed liveness probe, will be restarted").await;
        bench.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unready_container_makes_the_pod_unready() {
    let bench = Bench::start_with(|config| config.probe_speed = 10).await;
    let file = bench.path("/tmp/well");
    let readiness = json!({
        "exec": {"command": ["sh", "-c", format!("test -e {file}")]},
        "periodSeconds": 1, "timeoutSeconds": 10, "failureThreshold": 1,
    });
    let script = format!("touch {file}; {SERVE}");
    bench
        .create::<Pod>(pod(
            "ready",
            json!({"containers": [with(sh("main", &script), json!({"readinessProbe": readiness}))]}),
        ))
        .await;
    let ready = |wanted: &'static str| {
        move |pod: &Pod| {
            let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
            conditions.into_iter().any(|c| c.type_ == "Ready" && c.status == wanted)
        }
    };
    bench.wait("ready", "ready", ready("True")).await;
    let root = format!("pods/default_ready_{}/containers/main/0/rootfs/tmp/well", bench.uid("ready").await);
    std::fs::remove_file(bench.directory.path().join(root)).unwrap();
    bench.wait("ready", "unready", ready("False")).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_runs_the_hook_sends_sigterm_and_ends_the_log() {
    let bench = Bench::start().await;
    let tmp = bench.path("/tmp");
    let script =
        format!("trap 'cat {tmp}/hook; echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done");
    let hook = json!({"lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", format!("echo hook > {tmp}/hook")]}}}});
    bench.create::<Pod>(pod("graceful", json!({"containers": [with(sh("main", &script), hook)]}))).await;
    bench.wait_for_log("graceful", "main", "ready\n").await;
    let uid = bench.uid("graceful").await;
    let follow = bench.wait_for_log("graceful", "main", "hook\nbye\n");
    bench.api::<Pod>().delete("graceful", &DeleteParams::default()).await.unwrap();
    follow.await;
    bench.wait_gone::<Pod>("graceful").await;
    bench.wait_for_event("Killing: Stopping container main").await;
    let log = bench.directory.path().join(format!("logs/default_graceful_{uid}/main/0.log"));
    assert!(std::fs::read_to_string(log).unwrap().contains(" stdout F bye"));
    assert!(!bench.directory.path().join(format!("pods/default_graceful_{uid}/volumes")).exists());
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_ignores_sigterm_is_killed_after_the_grace_period() {
    let bench = Bench::start().await;
    let spec = json!({
        "terminationGracePeriodSeconds": 1,
        "containers": [sh("main", "trap '' TERM; echo ready; sleep 48210")],
    });
    bench.create::<Pod>(pod("stubborn", spec)).await;
    bench.wait_for_log("stubborn", "main", "ready\n").await;
    bench.api::<Pod>().delete("stubborn", &DeleteParams::default()).await.unwrap();
    bench.wait_gone::<Pod>("stubborn").await;
    assert!(!runs("48210"));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_deadline_fails_the_pod() {
    let bench = Bench::start().await;
    let spec =
        json!({"activeDeadlineSeconds": 1, "restartPolicy": "Never", "containers": [sh("main", SERVE)]});
    bench.create::<Pod>(pod("late", spec)).await;
    let pod = bench.wait_for_phase("late", "Failed").await;
    assert_eq!(pod.status.unwrap().reason.as_deref(), Some("DeadlineExceeded"));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_watches_and_refusals_lose_nothing() {
    let bench = Bench::start().await;
    bench.create::<Pod>(pod("first", json!({"containers": [sh("main", SERVE)]}))).await;
    bench.wait_for_log("first", "main", "ready\n").await;
    bench.server.compact();
    bench.server.cut_watches();
    bench.server.inject(kube_sim::Fault {
        method: None,
        path_contains: "/status".into(),
        times: 3,
        effect: kube_sim::Effect::Fail { code: 503, retry_after_seconds: None },
    });
    bench
        .create::<Pod>(pod("second", json!({"restartPolicy": "Never", "containers": [sh("main", "exit 0")]})))
        .await;
    bench.api::<Pod>().delete("first", &DeleteParams::default()).await.unwrap();
    bench.wait_for_phase("second", "Succeeded").await;
    bench.wait_gone::<Pod>("first").await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_and_drop_leave_no_process() {
    for drop_it in [false, true] {
        for isolation in [Isolation::Auto, Isolation::Prefix] {
            let bench = Bench::start_with(|config| {
                config.isolation = isolation;
                config.shutdown_grace = Duration::from_millis(500);
            })
            .await;
            let marker = format!("4823{}{}", u8::from(drop_it), u8::from(isolation == Isolation::Prefix));
            let script = format!("trap '' TERM; setsid sleep {marker} & echo ready; sleep {marker}");
            bench.create::<Pod>(pod("stays", json!({"containers": [sh("main", &script)]}))).await;
            bench.wait_for_log("stays", "main", "ready\n").await;
            assert!(runs(&marker));
            if drop_it {
                drop(bench);
                // The end comes by itself, though not at once.
                let gone = async {
                    while runs(&marker) {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                };
                tokio::time::timeout(HANG, gone).await.unwrap();
            } else {
                bench.end().await;
                assert!(!runs(&marker));
            }
        }
    }
}

/// The bed that the next test starts in a process of its own and kills; without that test's variables
/// there is nothing to do. It tells that it is up by a file.
#[tokio::test(flavor = "multi_thread")]
async fn bed_to_be_killed() {
    let Some(up) = std::env::var_os("E2E_BED_UP") else { return };
    let marker = std::env::var("E2E_BED_MARKER").unwrap();
    let isolation = match std::env::var("E2E_BED_ISOLATION").as_deref() {
        Ok("prefix") => Isolation::Prefix,
        _ => Isolation::Auto,
    };
    let bench = Bench::start_with(|config| config.isolation = isolation).await;
    let script = format!("trap '' TERM; setsid sleep {marker} & echo ready; sleep {marker}");
    bench.create::<Pod>(pod("stays", json!({"containers": [sh("main", &script)]}))).await;
    bench.wait_for_log("stays", "main", "ready\n").await;
    std::fs::write(&up, bench.directory.path().to_str().unwrap()).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bed_that_is_killed_leaves_no_process() {
    for isolation in ["auto", "prefix"] {
        let directory = tempfile::tempdir().unwrap();
        let up = directory.path().join("up");
        let marker = format!("4825{}", isolation.len());
        let mut bed = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "bed_to_be_killed"])
            .env("E2E_BED_UP", &up)
            .env("E2E_BED_MARKER", &marker)
            .env("E2E_BED_ISOLATION", isolation)
            .env("TMPDIR", directory.path())
            .stdout(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let is_up = async {
            while !up.exists() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(HANG, is_up).await.unwrap();
        assert!(runs(&marker));
        bed.kill().await.unwrap();
        let gone = async {
            while runs(&marker) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(HANG, gone).await.unwrap();
    }
}
