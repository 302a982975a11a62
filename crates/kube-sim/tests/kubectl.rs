//! The real kubectl against the server. Runs only where kubectl is installed,
//! and says so where it is not.

mod common;

use std::path::Path;
use std::process::Stdio;

use common::{client, start};
use kube::api::{Api, PostParams};
use kube_sim::Running;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

struct Kubectl {
    home: tempfile::TempDir,
}

impl Kubectl {
    /// `None`, with a line on stderr, if there is no kubectl.
    async fn find(server: &Running) -> Option<Self> {
        let found = Command::new("kubectl").args(["version", "--client"]).output().await;
        if !found.is_ok_and(|o| o.status.success()) {
            eprintln!("NOT RUN: this test needs kubectl, which is not installed");
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        server.write_kubeconfig(&home.path().join("config")).unwrap();
        Some(Self { home })
    }

    fn path(&self) -> &Path {
        self.home.path()
    }

    /// Runs kubectl; success, then both outputs.
    async fn run(&self, args: &[&str], input: &str) -> (bool, String) {
        let mut child = Command::new("kubectl")
            .args(args)
            .env("KUBECONFIG", self.path().join("config"))
            .env("KUBECACHEDIR", self.path().join("cache"))
            .env("HOME", self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let output = tokio::time::timeout(common::PATIENCE * 3, child.wait_with_output())
            .await
            .expect("kubectl ends")
            .unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), text)
    }

    #[track_caller]
    fn check(&self, (good, text): (bool, String), expected: &[&str]) {
        assert!(good, "{text}");
        for part in expected {
            assert!(text.contains(part), "expected {part:?} in:\n{text}");
        }
    }
}

const MANIFEST: &str = "
apiVersion: log.alibabacloud.com/v1alpha1
kind: AliyunLogConfig
metadata: {name: access}
spec:
  project: p
  logstore: nginx-access
  logtailConfig:
    configName: access
    inputType: file
    inputDetail: {logType: common_reg_log, logPath: /var/log/nginx, filePattern: access.log, free: 1}
---
apiVersion: batch/v1
kind: Job
metadata: {name: job}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: c, image: 'i:1', env: [{name: A, value: '1'}]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: 'i:1', ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: pod}
spec:
  containers: [{name: c, image: 'i:1'}]
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_applies_shows_changes_and_deletes() {
    let (server, _client) = start().await;
    let Some(kubectl) = Kubectl::find(&server).await else { return };
    let crd = include_str!("data/aliyunlogconfig-crd.yaml");
    kubectl.check(kubectl.run(&["apply", "-f", "-"], crd).await, &["created"]);
    let apply = ["apply", "-f", "-"];
    kubectl.check(
        kubectl.run(&apply, MANIFEST).await,
        &[
            "aliyunlogconfig.log.alibabacloud.com/access created",
            "job.batch/job created",
            "deployment.apps/web created",
            "pod/pod created",
        ],
    );
    let again = kubectl.run(&apply, MANIFEST).await;
    assert_eq!(again.1.matches("unchanged").count(), 4, "{}", again.1);
    kubectl.check(
        kubectl.run(&apply, &MANIFEST.replace("containerPort: 80", "containerPort: 81")).await,
        &["web configured"],
    );
    let all = kubectl.run(&["get", "aliyunlogconfigs,pods,jobs"], "").await;
    kubectl.check(all, &["PROJECT", "LOGSTORE", "nginx-access", "RESTARTS", "Pending", "COMPLETIONS", "0/1"]);
    kubectl.check(
        kubectl.run(&["get", "sls,deploy", "-o", "name"], "").await,
        &["aliyunlogconfig.log.alibabacloud.com/access\ndeployment.apps/web"],
    );
    kubectl.check(kubectl.run(&["describe", "alc/access"], "").await, &["Logstore:  nginx-access"]);
    kubectl
        .check(kubectl.run(&["explain", "alc.spec.logtailConfig"], "").await, &["configName", "inputDetail"]);
    kubectl.check(kubectl.run(&["scale", "deploy/web", "--replicas=3"], "").await, &["scaled"]);
    kubectl.check(kubectl.run(&["get", "deploy", "web"], "").await, &["0/3"]);
    kubectl.check(kubectl.run(&["set", "env", "deploy/web", "B=2"], "").await, &["env updated"]);
    kubectl.check(kubectl.run(&["label", "pod/pod", "x=y"], "").await, &["labeled"]);
    kubectl.check(kubectl.run(&["get", "pods", "-l", "x=y", "--show-labels"], "").await, &["x=y"]);
    kubectl.check(
        kubectl.run(&["delete", "pod/pod", "job/job", "alc/access"], "").await,
        &["\"access\" deleted"],
    );
    kubectl.check(kubectl.run(&["get", "pods"], "").await, &["No resources found"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_reports_mistakes_of_manifests() {
    let (server, _client) = start().await;
    let Some(kubectl) = Kubectl::find(&server).await else { return };
    let (good, text) = kubectl.run(&["apply", "-f", "-"], MANIFEST).await;
    assert!(!good && text.contains("ensure CRDs are installed first"), "{text}");
    let crd = include_str!("data/aliyunlogconfig-crd.yaml");
    kubectl.check(kubectl.run(&["apply", "-f", "-"], crd).await, &["created"]);
    for (from, to, expected) in [
        ("logstore: nginx-access", "logstore: N_", "spec.logstore in body should match"),
        (
            "logstore: nginx-access",
            "logstore: ok\n  ttl: 7",
            "strict decoding error: unknown field \"spec.ttl\"",
        ),
        ("logPath: /var", "logPath: var", "logPath must be absolute"),
        ("restartPolicy: Never", "restartPolicy: Always", "restartPolicy: Required value: valid values"),
        ("value: '1'", "value: 1", "cannot unmarshal"),
        ("name: pod", "name: pod\n  namespace: nowhere", "namespaces \"nowhere\" not found"),
    ] {
        let manifest = MANIFEST.replace("{name: pod}", "\n  name: pod").replacen(from, to, 1);
        let (good, text) = kubectl.run(&["create", "-f", "-"], &manifest).await;
        assert!(!good && text.contains(expected), "expected {expected:?} in:\n{text}");
        kubectl.run(&["delete", "alc,jobs,deploy,pods", "--all"], "").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_applies_on_the_server_and_sees_conflicts() {
    let (server, _client) = start().await;
    let Some(kubectl) = Kubectl::find(&server).await else { return };
    let deployment = MANIFEST.split("---").nth(2).unwrap();
    let apply = ["apply", "--server-side", "-f", "-"];
    kubectl.check(kubectl.run(&apply, deployment).await, &["serverside-applied"]);
    kubectl.check(kubectl.run(&["set", "image", "deploy/web", "c=i:2"], "").await, &["image updated"]);
    let (good, text) = kubectl.run(&apply, deployment).await;
    assert!(!good && text.contains("conflict with \"kubectl-set\""), "{text}");
    let forced = [apply.as_slice(), &["--force-conflicts"]].concat();
    kubectl.check(kubectl.run(&forced, deployment).await, &["serverside-applied"]);
    kubectl.check(
        kubectl
            .run(&["get", "deploy/web", "-o", "jsonpath={.spec.template.spec.containers[0].image}"], "")
            .await,
        &["i:1"],
    );
    // From client-side to server-side apply.
    let pod = MANIFEST.split("---").nth(3).unwrap();
    kubectl.check(kubectl.run(&["apply", "-f", "-"], pod).await, &["created"]);
    kubectl.check(kubectl.run(&apply, pod).await, &["serverside-applied"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_watches_and_waits() {
    let (server, _client) = start().await;
    let Some(kubectl) = Kubectl::find(&server).await else { return };
    let api: Api<k8s_openapi::api::core::v1::ConfigMap> = Api::namespaced(client(&server).await, "default");
    let map = |name: &str| common::object(serde_json::json!({"metadata": {"name": name}}));
    api.create(&PostParams::default(), &map("one")).await.unwrap();
    let watch = kubectl.run(&["get", "configmaps", "-w", "--request-timeout=3s"], "");
    let write = async {
        // The watch needs a moment to start; the test holds either way, as a
        // map that is there before the list is printed by the list.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        api.create(&PostParams::default(), &map("two")).await.unwrap();
    };
    let ((_, text), ()) = tokio::join!(watch, write);
    assert!(text.contains("one") && text.contains("two"), "{text}");
    let wait = ["wait", "--for=create", "configmap/one", "--timeout=5s"];
    kubectl.check(kubectl.run(&wait, "").await, &["condition met"]);
    kubectl.check(kubectl.run(&["delete", "configmap", "one", "--wait"], "").await, &["deleted"]);
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: tmp}\n";
    kubectl.check(kubectl.run(&["create", "-f", "-"], namespace).await, &["created"]);
    kubectl.check(kubectl.run(&["delete", "namespace", "tmp"], "").await, &["deleted"]);
    kubectl.check(kubectl.run(&["api-resources", "--api-group=apps"], "").await, &["deployments", "deploy"]);
}
