//! Admission end to end: kube-sim calls the webhook by HTTPS as its configurations say.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::core::Status;
use operator::audit;
use operator::inject::{Form, Profile};
use operator::leader::Fence;
use operator::validate::Defaults;
use operator::webhook::configurations::{FailurePolicy, Place, configurations};
use operator::webhook::figures::Figures;
use operator::webhook::{self, Certificates, Lives, Settings};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use support::apiserver::OPERATOR_NAMESPACE;
use support::*;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Namespace of the operator.
const OWN: &str = OPERATOR_NAMESPACE;
const SECRET: &str = "sls-operator-webhook";

/// A cluster with a webhook, and the operator's controller where it is asked for.
struct Admission {
    bed: Bed,
    figures: Arc<Figures>,
    running: Option<(CancellationToken, JoinHandle<()>, SocketAddr)>,
    lives: Lives,
    policy: FailurePolicy,
}

impl Admission {
    /// The webhook answers.
    async fn start() -> Self {
        let mut admission = Self::without_webhook(FailurePolicy::Fail).await;
        admission.start_webhook().await;
        admission
    }

    /// The configurations are there, and nobody answers.
    async fn without_webhook(policy: FailurePolicy) -> Self {
        let bed =
            Bed::with(Options { simulated: true, operator: false, namespace: "shop", ..Options::default() })
                .await;
        for name in [OWN, "shop"] {
            namespace(&bed.kube, name, json!({})).await;
        }
        // As the chart installs it.
        let secret = serde_json::from_value(json!({"metadata": {"name": SECRET}})).unwrap();
        let secrets: Api<Secret> = Api::namespaced(bed.kube.clone(), OWN);
        secrets.create(&PostParams::default(), &secret).await.unwrap();
        let lives = Lives::default();
        let admission = Self { bed, figures: Arc::default(), running: None, lives, policy };
        admission.install("https://127.0.0.1:1").await;
        admission
    }

    /// Tells the API server where the webhook is.
    async fn install(&self, url: &str) {
        let [mutating, validating] = configurations(&Place::Url(url.to_owned()), self.policy, OWN);
        let params = PatchParams::apply("test").force();
        let api: Api<MutatingWebhookConfiguration> = Api::all(self.bed.kube.clone());
        api.patch("sls-operator", &params, &Patch::Apply(mutating)).await.expect("accepted");
        let api: Api<ValidatingWebhookConfiguration> = Api::all(self.bed.kube.clone());
        api.patch("sls-operator", &params, &Patch::Apply(validating)).await.expect("accepted");
    }

    async fn start_webhook(&mut self) {
        let running = self.replica().await;
        self.install(&format!("https://{}", running.2)).await;
        self.running = Some(running);
        self.trusted().await;
    }

    /// One replica of the operator, as far as it is a webhook.
    async fn replica(&self) -> (CancellationToken, JoinHandle<()>, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let settings = Settings {
            namespace: None,
            own_namespace: OWN.to_owned(),
            hosts: hosts(),
            defaults: Defaults::default(),
            profile: profile(),
            lives: self.lives,
            check: Duration::from_millis(50),
        };
        let (kube, figures) = (self.bed.apiserver.operator_client(), Arc::clone(&self.figures));
        let task = tokio::spawn(webhook::run(kube, listener, settings, figures, stop.clone()));
        (stop, task, address)
    }

    /// Waits until the API server knows whom to trust; the bundle.
    async fn trusted(&self) -> String {
        let api: Api<MutatingWebhookConfiguration> = Api::all(self.bed.kube.clone());
        eventually("a caBundle in every webhook", || async {
            let found = api.get("sls-operator").await.map_err(|error| error.to_string())?;
            let bundles: Vec<_> =
                found.webhooks.into_iter().flatten().map(|webhook| webhook.client_config.ca_bundle).collect();
            let bundle = bundles.first().cloned().flatten().ok_or("none")?;
            let is_everywhere = bundles.iter().all(|one| one.as_ref() == Some(&bundle));
            is_everywhere
                .then(|| String::from_utf8(bundle.0).unwrap())
                .ok_or_else(|| "not everywhere".to_owned())
        })
        .await
    }

    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.bed.kube.clone(), namespace)
    }

    async fn create(&self, namespace: &str, pod: &Value) -> Pod {
        let pod = serde_json::from_value(pod.clone()).unwrap();
        self.pods(namespace).create(&PostParams::default(), &pod).await.expect("the Pod is created")
    }

    async fn refused(&self, pod: &Value) -> Status {
        let pod = serde_json::from_value(pod.clone()).unwrap();
        match self.pods("shop").create(&PostParams::default(), &pod).await {
            Err(kube::Error::Api(status)) => *status,
            other => panic!("expected a refusal, found {other:?}"),
        }
    }

    /// Two AliyunLogConfigs of one machine group, for two directories.
    async fn configs(&self) {
        for (name, path) in [("access", "/var/log/nginx"), ("audit", "/data/audit")] {
            self.config("shop", name, path).await;
        }
    }

    async fn config(&self, namespace: &str, name: &str, path: &str) {
        let mut object = object(name, |object| {
            object["spec"]["logtailConfig"]["inputDetail"]["logPath"] = json!(path);
        });
        object["metadata"]["namespace"] = json!(namespace);
        let resource = kube::api::ApiResource::erase::<operator::crd::AliyunLogConfig>(&());
        let api =
            Api::<kube::api::DynamicObject>::namespaced_with(self.bed.kube.clone(), namespace, &resource);
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.expect("accepted");
        // The webhook follows by a watch.
        eventually("the webhook knows the config", || async {
            let dry = PostParams { dry_run: true, ..PostParams::default() };
            let probe = json!({"metadata": {"name": "probe", "labels": {"sls.testbed/inject": "true"},
                "annotations": {"sls.testbed/configs": name}}, "spec": app()});
            let pods: Api<Pod> = Api::namespaced(self.bed.kube.clone(), namespace);
            let made = pods
                .create(&dry, &serde_json::from_value(probe).unwrap())
                .await
                .map_err(|e| e.to_string())?;
            if self.running.is_none() || has_sidecar(&made) {
                Ok(())
            } else {
                Err(format!("{:?}", skipped(&made)))
            }
        })
        .await;
    }
}

fn hosts() -> Vec<String> {
    vec!["127.0.0.1".to_owned()]
}

fn profile() -> Profile {
    Profile {
        name: "native".to_owned(),
        image: "collector:1".to_owned(),
        config_path: "/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json".to_owned(),
        account_id: None,
        machine_group: None,
        form: Form::Native,
        probe_port: 7953,
        startup_seconds: 60,
    }
}

async fn namespace(kube: &Client, name: &str, labels: Value) {
    let object = serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap();
    let api: Api<Namespace> = Api::all(kube.clone());
    api.create(&PostParams::default(), &object).await.expect("a namespace");
}

fn app() -> Value {
    json!({"containers": [{"name": "app", "image": "app:1"}]})
}

/// A Pod that asks for a sidecar.
fn asking(name: &str, spec: &Value) -> Value {
    json!({"metadata": {"name": name, "labels": {"sls.testbed/inject": "true"}}, "spec": spec})
}

fn sidecars(pod: &Pod) -> usize {
    let spec = pod.spec.as_ref().unwrap();
    let all = spec.init_containers.iter().flatten().chain(&spec.containers);
    all.filter(|container| container.name == "logtail").count()
}

fn has_sidecar(pod: &Pod) -> bool {
    sidecars(pod) == 1
}

fn skipped(pod: &Pod) -> Option<&str> {
    pod.metadata.annotations.as_ref()?.get("sls.testbed/inject-skipped").map(String::as_str)
}

#[tokio::test]
async fn pods_of_every_kind_of_workload_get_a_sidecar() {
    let admission = Admission::start().await;
    admission.configs().await;
    for (kind, api_version) in [
        ("ReplicaSet", "apps/v1"),
        ("StatefulSet", "apps/v1"),
        ("DaemonSet", "apps/v1"),
        ("Job", "batch/v1"),
        ("", ""),
    ] {
        // As the controllers make Pods: named by a prefix, and owned. A CronJob makes Jobs.
        let mut pod = asking("x", &app());
        pod["metadata"] = json!({"generateName": "web-", "labels": {"sls.testbed/inject": "true"}});
        if !kind.is_empty() {
            pod["metadata"]["ownerReferences"] = json!([{"apiVersion": api_version, "kind": kind, "name": "web", "uid": "u", "controller": true}]);
        }
        let made = admission.create("shop", &pod).await;
        assert!(has_sidecar(&made), "{kind}: {made:?}");
        assert_eq!(made.spec.unwrap().init_containers.unwrap()[0].restart_policy.as_deref(), Some("Always"));
    }
    let figures = admission.figures.render();
    assert!(figures.contains("sls_operator_injections_total{result=\"injected\",reason=\"\"} "), "{figures}");
}

#[tokio::test]
async fn a_pod_decides_before_its_namespace_and_system_namespaces_are_left_alone() {
    let admission = Admission::start().await;
    for (name, labels) in [
        ("unset", json!({})),
        ("enabled", json!({"sls.testbed/injection": "enabled"})),
        ("disabled", json!({"sls.testbed/injection": "disabled"})),
    ] {
        namespace(&admission.bed.kube, name, labels).await;
        admission.config(name, "access", "/var/log/nginx").await;
    }
    let label = Patch::Merge(json!({"metadata": {"labels": {"sls.testbed/injection": "enabled"}}}));
    let namespaces: Api<Namespace> = Api::all(admission.bed.kube.clone());
    for name in ["kube-system", OWN] {
        namespaces.patch(name, &PatchParams::default(), &label).await.unwrap();
    }
    for (namespace, pod, expected) in [
        ("unset", None, false),
        ("unset", Some("true"), true),
        ("unset", Some("false"), false),
        ("enabled", None, true),
        ("enabled", Some("true"), true),
        ("enabled", Some("false"), false),
        ("disabled", None, false),
        ("disabled", Some("true"), true),
        ("disabled", Some("false"), false),
        ("kube-system", Some("true"), false),
        (OWN, Some("true"), false),
    ] {
        let labels = pod.map(|value| json!({"sls.testbed/inject": value})).unwrap_or(json!({}));
        let name = format!("pod-{}", pod.unwrap_or("unset"));
        let pod = json!({"metadata": {"name": name, "labels": labels}, "spec": app()});
        let made = admission.create(namespace, &pod).await;
        assert_eq!(has_sidecar(&made), expected, "{namespace} {name}");
        assert_eq!(skipped(&made), None);
    }
}

#[tokio::test]
async fn a_pod_that_has_its_sidecar_stays_as_it_is() {
    let admission = Admission::start().await;
    admission.configs().await;
    let first = admission.create("shop", &asking("first", &app())).await;
    let mut again = serde_json::to_value(&first).unwrap();
    again["metadata"] = json!({"name": "second", "labels": first.metadata.labels,
        "annotations": first.metadata.annotations});
    let second = admission.create("shop", &again).await;
    assert_eq!(second.spec, first.spec);
    assert_eq!(second.metadata.annotations, first.metadata.annotations);
    let figures = admission.figures.render();
    assert!(figures.contains("{result=\"unchanged\",reason=\"\"} 1"), "{figures}");
}

#[tokio::test]
async fn one_sidecar_reads_volumes_that_are_there_and_new_ones() {
    let admission = Admission::start().await;
    admission.configs().await;
    let spec = json!({
        "containers": [{"name": "app", "image": "app:1",
            "volumeMounts": [{"name": "logs", "mountPath": "/var/log"}]}],
        "volumes": [{"name": "logs", "emptyDir": {}}],
    });
    let made = admission.create("shop", &asking("web", &spec)).await;
    assert!(has_sidecar(&made));
    let spec = made.spec.unwrap();
    let volumes: Vec<_> = spec.volumes.iter().flatten().map(|volume| volume.name.as_str()).collect();
    assert_eq!(volumes, ["logs", "sls-log-0", "sls-state"]);
    let mounts: Vec<_> = spec.init_containers.as_ref().unwrap()[0]
        .volume_mounts
        .iter()
        .flatten()
        .map(|mount| (mount.name.as_str(), mount.mount_path.as_str()))
        .collect();
    assert_eq!(
        mounts,
        [("sls-log-0", "/data/audit"), ("logs", "/var/log"), ("sls-state", "/var/lib/sls-state")]
    );
}

#[tokio::test]
async fn a_pod_whose_volume_cannot_be_shared_runs_without_and_its_owner_is_told() {
    let admission = Admission::start().await;
    admission.configs().await;
    let spec = json!({
        "containers": [{"name": "app", "image": "app:1", "env": [{"name": "A", "value": "b"}],
            "volumeMounts": [{"name": "logs", "mountPath": "/var/log/nginx", "subPathExpr": "$(A)"}]}],
        "volumes": [{"name": "logs", "emptyDir": {}}],
    });
    let made = admission.create("shop", &asking("web", &spec)).await;
    assert!(!has_sidecar(&made));
    let reason = skipped(&made).unwrap();
    assert!(reason.starts_with("sub_path: container app mounts a part of volume logs"), "{reason}");
    let _audit = audit(&admission);
    let note = admission.bed.event("web", "InjectionSkipped").await;
    assert!(note.contains(reason), "{note}");
    eventually("the figure", || async {
        let figures = admission.figures.render();
        let line = "sls_operator_uninjected_pods{reason=\"sub_path\"} 1";
        if figures.contains(line) { Ok(()) } else { Err(figures) }
    })
    .await;
}

fn audit(admission: &Admission) -> tokio_util::task::AbortOnDropHandle<()> {
    let settings = audit::Settings {
        interval: Duration::from_millis(50),
        namespace: None,
        own_namespace: Some(OWN.to_owned()),
        instance: Some("test".to_owned()),
        fence: Fence::open(),
    };
    let (kube, figures) = (admission.bed.apiserver.operator_client(), Arc::clone(&admission.figures));
    tokio_util::task::AbortOnDropHandle::new(tokio::spawn(audit::run(
        kube,
        settings,
        figures,
        Arc::clone(&admission.bed.metrics),
    )))
}

#[tokio::test]
async fn a_dry_run_shows_the_sidecar_and_changes_nothing() {
    let admission = Admission::start().await;
    admission.configs().await;
    let before = admission.bed.sim().resource_version();
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let pod = serde_json::from_value(asking("web", &app())).unwrap();
    let shown = admission.pods("shop").create(&dry, &pod).await.unwrap();
    assert!(has_sidecar(&shown));
    assert_eq!(admission.bed.sim().resource_version(), before);
    assert_eq!(admission.pods("shop").get_opt("web").await.unwrap(), None);
}

/// What the profile `restricted` of the Pod Security Standards asks of a container. Source: Kubernetes'
/// documentation, "Pod Security Standards".
fn is_restricted(
    container: &k8s_openapi::api::core::v1::Container,
    pod: &k8s_openapi::api::core::v1::PodSpec,
) -> bool {
    let Some(context) = &container.security_context else { return false };
    let of_pod = pod.security_context.clone().unwrap_or_default();
    let drop = context.capabilities.as_ref().and_then(|all| all.drop.clone()).unwrap_or_default();
    let add = context.capabilities.as_ref().and_then(|all| all.add.clone()).unwrap_or_default();
    let profile = context.seccomp_profile.clone().or(of_pod.seccomp_profile).map(|profile| profile.type_);
    context.allow_privilege_escalation == Some(false)
        && context.privileged != Some(true)
        && context.run_as_non_root.or(of_pod.run_as_non_root) == Some(true)
        && context.run_as_user.or(of_pod.run_as_user) != Some(0)
        && drop.contains(&"ALL".to_owned())
        && add.iter().all(|one| one == "NET_BIND_SERVICE")
        && matches!(profile.as_deref(), Some("RuntimeDefault" | "Localhost"))
}

#[tokio::test]
async fn the_sidecar_of_a_restricted_pod_is_restricted_too() {
    let admission = Admission::start().await;
    admission.configs().await;
    let own = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let mut whole = own.clone();
    whole.as_object_mut().unwrap().extend(
        json!({"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"},
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}})
        .as_object()
        .unwrap()
        .clone(),
    );
    let of_pod =
        json!({"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}});
    for (name, pod_context, context) in [("by-pod", of_pod, own), ("by-container", json!({}), whole)] {
        let spec = json!({"securityContext": pod_context,
            "containers": [{"name": "app", "image": "app:1", "securityContext": context}]});
        let spec = admission.create("shop", &asking(name, &spec)).await.spec.unwrap();
        assert!(is_restricted(&spec.containers[0], &spec), "{name}: the test's own Pod");
        assert!(is_restricted(&spec.init_containers.as_ref().unwrap()[0], &spec), "{name}: {spec:?}");
        let volumes = spec.volumes.iter().flatten();
        assert!(
            volumes.into_iter().all(|volume| volume.empty_dir.is_some()),
            "{name}: volumes of allowed kinds"
        );
    }
}

#[tokio::test]
async fn without_an_answer_pods_are_created_without_and_their_owner_is_told_to_restart() {
    let admission = Admission::without_webhook(FailurePolicy::Ignore).await;
    let owned = |kind: &str, api_version: &str, name: &str, owner: Option<Value>| {
        let owners = owner.into_iter().collect::<Vec<_>>();
        json!({"apiVersion": api_version, "kind": kind,
            "metadata": {"name": name, "namespace": "shop", "ownerReferences": owners},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": app()}}})
    };
    let make = |object: Value| {
        let kind = object["kind"].as_str().unwrap().to_owned();
        let gvk = kube::core::GroupVersionKind::gvk("apps", "v1", &kind);
        let api = Api::<kube::api::DynamicObject>::namespaced_with(
            admission.bed.kube.clone(),
            "shop",
            &kube::api::ApiResource::from_gvk(&gvk),
        );
        async move { api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap() }
    };
    let reference = |object: &kube::api::DynamicObject| {
        json!({"apiVersion": "apps/v1", "kind": object.types.as_ref().unwrap().kind,
            "name": object.metadata.name, "uid": object.metadata.uid, "controller": true})
    };
    let deployment = make(owned("Deployment", "apps/v1", "web", None)).await;
    let replicas = make(owned("ReplicaSet", "apps/v1", "web-1", Some(reference(&deployment)))).await;
    let mut pod = asking("web-1-a", &app());
    pod["metadata"]["ownerReferences"] = json!([reference(&replicas)]);
    let made = admission.create("shop", &pod).await;
    assert!(!has_sidecar(&made));

    let _audit = audit(&admission);
    let note = admission.bed.event("web", "RestartNeeded").await;
    assert!(note.contains("1 Pod asks for a sidecar and got none (web-1-a)"), "{note}");
    assert!(note.ends_with("kubectl rollout restart deployment/web -n shop"), "{note}");
    let figures = admission.figures.render();
    assert!(figures.contains("sls_operator_uninjected_pods{reason=\"restart_needed\"} 1"), "{figures}");
    // Told once, not at every look.
    let told = admission.bed.events("web").await;
    assert_eq!(reasons(&told), ["RestartNeeded"]);
}

#[tokio::test]
async fn a_policy_to_fail_refuses_pods_while_nobody_answers_and_leaves_others_alone() {
    let admission = Admission::without_webhook(FailurePolicy::Fail).await;
    let status = admission.refused(&asking("web", &app())).await;
    assert_eq!(status.code, 500);
    let expected = "failed calling webhook \"pod.inject.sls.testbed\": failed to call webhook: Post \"https://127.0.0.1:1/mutate?timeout=5s\"";
    assert!(status.message.contains(expected), "{}", status.message);
    let others = json!({"metadata": {"name": "other"}, "spec": app()});
    admission.create("shop", &others).await;
    // The controller judges AliyunLogConfigs too.
    admission.bed.apply_value(object("bad", |object| object["spec"]["machineGroups"] = json!([]))).await;
}

#[tokio::test]
async fn an_aliyunlogconfig_that_would_be_refused_is_refused_at_once_and_can_always_be_deleted() {
    let mut admission = Admission::without_webhook(FailurePolicy::Fail).await;
    let bad = |name: &str| object(name, |object| object["spec"]["machineGroups"] = json!([]));
    admission.bed.apply_value(bad("before")).await;
    admission.bed.merge("before", json!({"metadata": {"finalizers": ["test/holds"]}})).await;
    admission.start_webhook().await;

    let made = admission
        .bed
        .untyped()
        .create(&PostParams::default(), &serde_json::from_value(bad("bad-one")).unwrap())
        .await;
    let Err(kube::Error::Api(status)) = made else { panic!("it was accepted") };
    assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
    let expected = "admission webhook \"configs.sls.testbed\" denied the request: spec.machineGroups: empty";
    assert!(status.message.starts_with(expected), "{}", status.message);
    assert_eq!(status.details.clone().unwrap().causes[0].field, "spec.machineGroups");

    admission.bed.delete("before").await;
    admission.bed.merge("before", json!({"metadata": {"finalizers": null}})).await;
    admission.bed.gone("before").await;
    admission.bed.apply_value(object("good", |_| ())).await;
    let figures = admission.figures.render();
    assert!(figures.contains("sls_operator_admission_judgements_total{result=\"denied\"} 1"), "{figures}");
}

/// Whether the server at `address` has a certificate of an authority.
async fn accepts(address: SocketAddr, authority: &str) -> bool {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.is_ok()
}

/// The certificates of a bundle, the newest first.
fn authorities(bundle: &str) -> Vec<String> {
    let end = "-----END CERTIFICATE-----";
    let parts = bundle.split(end).filter(|part| part.contains("BEGIN"));
    parts.map(|part| format!("{}{end}\n", part.trim_start())).collect()
}

#[tokio::test]
async fn certificates_are_renewed_while_pods_are_created_and_none_is_refused() {
    let mut admission = Admission::without_webhook(FailurePolicy::Fail).await;
    admission.lives = Lives {
        authority: Duration::from_secs(45),
        serving: Duration::from_secs(14),
        overlap: Duration::from_secs(5),
    };
    // As if the operator had run for a while: the authority is renewed soon.
    let now = jiff::Timestamp::now().as_second();
    let mut certificates: Option<Certificates> = None;
    for at in [now - 28, now - 18, now - 8] {
        if let Some(renewed) =
            Certificates::renewed(certificates.as_ref(), &hosts(), &admission.lives, at).unwrap()
        {
            certificates = Some(renewed);
        }
    }
    let data = serde_json::to_string(&certificates).unwrap();
    let secrets: Api<Secret> = Api::namespaced(admission.bed.kube.clone(), OWN);
    let patch = Patch::Merge(json!({"stringData": {"certificates.json": data}}));
    secrets.patch(SECRET, &PatchParams::default(), &patch).await.unwrap();
    admission.start_webhook().await;
    admission.configs().await;
    let address = admission.running.as_ref().unwrap().2;
    let old = authorities(&admission.trusted().await).pop().unwrap();
    assert!(accepts(address, &old).await, "it begins with what was there");

    let created = async {
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        let pod = serde_json::from_value(asking("web", &app())).unwrap();
        loop {
            let made = admission.pods("shop").create(&dry, &pod).await.expect("no Pod is refused meanwhile");
            assert!(has_sidecar(&made));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let renewed = eventually("a certificate of a new authority is served", || async {
        let bundle = authorities(&admission.trusted().await);
        let new = bundle.first().cloned().unwrap_or_default();
        if new == old {
            return Err("no new authority yet".to_owned());
        }
        assert_eq!(bundle.last(), Some(&old), "the old one is trusted still");
        if accepts(address, &new).await { Ok(()) } else { Err("it signs nothing yet".to_owned()) }
    });
    tokio::select! {
        () = renewed => {}
        () = created => {}
    }
    assert!(!accepts(address, &old).await);
}

#[tokio::test]
async fn replicas_share_the_secret_and_one_ends_without_the_other() {
    let mut admission = Admission::without_webhook(FailurePolicy::Fail).await;
    // Where nobody installs the Secret, an operator that may makes it.
    let secrets: Api<Secret> = Api::namespaced(admission.bed.kube.clone(), OWN);
    secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    let rule = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]});
    admission.bed.apiserver.grant(&json!({"rules": [rule]}));
    let other = admission.replica().await;
    admission.start_webhook().await;
    admission.configs().await;
    let bundle = authorities(&admission.trusted().await);
    assert_eq!(bundle.len(), 1);
    let (stop, task, address) = admission.running.take().unwrap();
    for address in [address, other.2] {
        eventually("both serve", || async {
            accepts(address, &bundle[0]).await.then_some(()).ok_or_else(|| "not yet".to_owned())
        })
        .await;
    }
    stop.cancel();
    tokio::time::timeout(HANG, task).await.expect("it ends").unwrap();
    admission.install(&format!("https://{}", other.2)).await;
    assert!(has_sidecar(&admission.create("shop", &asking("web", &app())).await));
    let secret = Api::<Secret>::namespaced(admission.bed.kube.clone(), OWN).get(SECRET).await.unwrap();
    let owners: Vec<_> =
        secret.metadata.managed_fields.into_iter().flatten().filter_map(|entry| entry.manager).collect();
    assert_eq!(owners, ["sls-operator"]);
}

const OPERATOR: &str = env!("CARGO_BIN_EXE_operator");

fn printed(args: &[&str]) -> String {
    let mut command = std::process::Command::new(OPERATOR);
    let output = command.args(args).env_remove("POD_NAMESPACE").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn the_program_serves_the_webhook_that_it_prints_the_configurations_of() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let admission = Admission::without_webhook(FailurePolicy::Fail).await;
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    admission.bed.apiserver.write_operator_kubeconfig(&kubeconfig);
    let mut child = tokio::process::Command::new(OPERATOR)
        .args(["run", "--sls-endpoint", &admission.bed.endpoint(), "--operator-namespace", OWN])
        .args(["--webhook-listen", "127.0.0.1:0", "--webhook-host", "127.0.0.1", "--sidecar-image", "mine:1"])
        .arg("--credentials-file")
        .arg(admission.bed.credentials_path())
        .arg("--kubeconfig")
        .arg(&kubeconfig)
        .env("RUST_LOG", "info")
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next_line().await.unwrap().expect("the program says where it listens");
        if let Some((_, rest)) = line.split_once("serving the webhook address=") {
            break rest.split_whitespace().next().unwrap().to_owned();
        }
    };
    // Nobody reads on, and nothing may wait for that.
    let rest = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let yaml =
        printed(&["webhooks", "-n", OWN, "--url", &format!("https://{address}"), "--failure-policy", "fail"]);
    let [mutating, validating]: [Value; 2] =
        serde_saphyr::from_multiple(&yaml).unwrap().try_into().expect("two configurations");
    let params = PatchParams::apply("test").force();
    let api: Api<MutatingWebhookConfiguration> = Api::all(admission.bed.kube.clone());
    api.patch("sls-operator", &params, &Patch::Apply(mutating)).await.unwrap();
    let api: Api<ValidatingWebhookConfiguration> = Api::all(admission.bed.kube.clone());
    api.patch("sls-operator", &params, &Patch::Apply(validating)).await.unwrap();
    admission.trusted().await;
    admission.configs().await;
    let made = admission.create("shop", &asking("web", &app())).await;
    assert_eq!(made.spec.unwrap().init_containers.unwrap()[0].image.as_deref(), Some("mine:1"));
    child.kill().await.unwrap();
    rest.await.unwrap();
}

#[test]
fn a_policy_is_printed_for_configs_in_files() {
    let configs = format!("{}/../fixtures/k8s/repaired/crd-access.yaml", env!("CARGO_MANIFEST_DIR"));
    let yaml = printed(&["policy", "-c", &configs]);
    let objects: Vec<Value> = serde_saphyr::from_multiple(&yaml).unwrap();
    let kinds: Vec<_> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"]);
    let none = std::process::Command::new(OPERATOR)
        .args(["policy", "-n", "kube-system", "-c", &configs])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert_eq!(none.status.code(), Some(1), "{said}");
    assert!(said.starts_with("no policy (system_namespace)"), "{said}");
    let missing =
        std::process::Command::new(OPERATOR).args(["policy", "-c", "/nowhere.yaml"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn what_is_installed_is_what_the_program_prints() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/kustomize/webhook.yaml");
    let installed: Vec<Value> = serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap();
    let installed: Vec<_> = installed
        .into_iter()
        .filter(|object| object["kind"].as_str().is_some_and(|kind| kind.ends_with("WebhookConfiguration")))
        .collect();
    let printed: Vec<Value> = serde_saphyr::from_multiple(&printed(&["webhooks", "-n", "sls-bed"])).unwrap();
    assert_eq!(installed, printed);
}
