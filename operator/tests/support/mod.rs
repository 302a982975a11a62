//! A bed for operator tests: an API server (kube-sim unless a real one is asked for), mock-sls in process,
//! the operator as a task.
#![allow(dead_code, reason = "every test file uses a part of it")]

pub mod apiserver;
pub mod cluster;
pub mod program;
pub mod sls;

use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::Resource;
use kube::{Client, ResourceExt};
use mock_sls::MockSls;
use operator::controller::{self, Settings};
use operator::crd::{AliyunLogConfig, AliyunLogConfigStatus, Condition};
use operator::credentials::Source;
use operator::http::Readiness;
use operator::metrics::Metrics;
use operator::retry::Waits;
use operator::sls::{Clients, Extras, SlsConfig};
use operator::validate::Defaults;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use apiserver::{ApiServer, Wanted};

/// Longest wait for something that takes milliseconds: a guard against hanging, not an expectation.
pub const HANG: Duration = Duration::from_secs(60);

/// Time after which a look that nobody has seen to end is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Longest wait of the bed's operator while Log Service does not answer.
const CONNECT_BACKOFF_CAP: Duration = Duration::from_secs(1);

pub const PUBLISHED_ACCESS: &str = include_str!("../../../fixtures/k8s/published/crd-access.yaml");
pub const PUBLISHED_ERROR: &str = include_str!("../../../fixtures/k8s/published/crd-error.yaml");
pub const REPAIRED_ACCESS: &str = include_str!("../../../fixtures/k8s/repaired/crd-access.yaml");
pub const REPAIRED_ERROR: &str = include_str!("../../../fixtures/k8s/repaired/crd-error.yaml");

/// Polls until `probe` returns a value; on the hang guard, panics with what it last said instead.
pub async fn eventually<T, F>(what: &str, mut probe: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let started = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(last) => assert!(started.elapsed() < HANG, "{what} did not happen; last seen: {last}"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// The bed. Everything stops when it is dropped.
pub struct Bed {
    pub kube: Client,
    pub metrics: Arc<Metrics>,
    pub readiness: Readiness,
    pub apiserver: ApiServer,
    pub mock: Option<mock_sls::Running>,
    mock_data: tempfile::TempDir,
    mock_address: SocketAddr,
    credentials: tempfile::NamedTempFile,
    operator: Option<(CancellationToken, JoinHandle<Result<(), operator::leader::Lost>>)>,
    options: Options,
}

/// What differs from bed to bed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether mock-sls runs from the beginning.
    pub mock: bool,
    /// Whether the CRD is installed.
    pub crd: bool,
    /// Whether only kube-sim will do.
    pub simulated: bool,
    /// Namespace in kube-sim.
    pub namespace: &'static str,
    /// Whether the operator runs from the beginning.
    pub operator: bool,
    pub resync: Duration,
    /// How often it is asked who collects.
    pub agents: Option<Duration>,
    /// Secret that the operator signs with.
    pub secret: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mock: true,
            crd: true,
            simulated: false,
            namespace: "default",
            operator: true,
            resync: Duration::from_secs(3600),
            agents: None,
            secret: mock_sls::DEFAULT_ACCESS_KEY_SECRET.to_owned(),
        }
    }
}

impl Bed {
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    /// A bed whose API server can be made to misbehave.
    pub async fn simulated() -> Self {
        Self::with(Options { simulated: true, ..Options::default() }).await
    }

    pub async fn with(options: Options) -> Self {
        let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "off".into());
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
        let Options { crd, simulated, namespace, .. } = options;
        let apiserver = ApiServer::start(&Wanted { crd, simulated, namespace }).await;
        let kube = apiserver.client();
        let mock_data = tempfile::tempdir().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mock = start_mock(any, mock_data.path()).await;
        let mock_address = mock.addr();
        let mut bed = Self {
            kube,
            metrics: Arc::new(Metrics::default()),
            readiness: Readiness::default(),
            apiserver,
            mock: Some(mock),
            mock_data,
            mock_address,
            credentials: tempfile::NamedTempFile::new().unwrap(),
            operator: None,
            options: options.clone(),
        };
        bed.write_credentials(&options.secret);
        if !options.mock {
            bed.stop_mock().await;
        }
        if options.crd && matches!(bed.apiserver, ApiServer::Simulated { .. }) {
            bed.install_crd(&operator::crd::crd()).await;
        }
        if options.operator {
            bed.start_operator();
        }
        bed
    }

    pub fn write_credentials(&self, secret: &str) {
        let text = json!({"accessKeyId": mock_sls::DEFAULT_ACCESS_KEY_ID, "accessKeySecret": secret});
        std::fs::write(self.credentials.path(), text.to_string()).unwrap();
    }

    pub fn credentials_path(&self) -> &std::path::Path {
        self.credentials.path()
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.mock_address)
    }

    pub async fn stop_mock(&mut self) {
        if let Some(mock) = self.mock.take() {
            mock.shutdown().await;
        }
    }

    /// Starts mock-sls where it was, with the data it had.
    pub async fn start_mock(&mut self) {
        self.mock = Some(start_mock(self.mock_address, self.mock_data.path()).await);
    }

    pub async fn install_crd(&self, crd: &CustomResourceDefinition) {
        cluster::install_crd(&self.kube, crd).await;
    }

    /// The bed's namespace; nobody else uses it.
    pub fn namespace(&self) -> &str {
        self.apiserver.namespace()
    }

    /// The simulator, of a bed that asked for it.
    pub fn sim(&self) -> &kube_sim::Running {
        match &self.apiserver {
            ApiServer::Simulated { server, .. } => server,
            ApiServer::Real(_) => panic!("this test needs Bed::simulated()"),
        }
    }

    pub fn sim_mut(&mut self) -> &mut kube_sim::Running {
        match &mut self.apiserver {
            ApiServer::Simulated { server, .. } => server,
            ApiServer::Real(_) => panic!("this test needs Bed::simulated()"),
        }
    }

    pub fn start_operator(&mut self) {
        let config = SlsConfig {
            endpoint: self.endpoint(),
            region: Some(mock_sls::DEFAULT_REGION.to_owned()),
            credentials: Source::File(self.credentials.path().to_owned()),
            authorities: None,
        };
        let extras = Extras { probe_wait_max: CONNECT_BACKOFF_CAP, ..Extras::default() };
        let clients = Clients::with(config, extras, Arc::clone(&self.metrics)).unwrap();
        let settings = Settings {
            namespace: self.apiserver.watched(),
            defaults: Defaults::default(),
            waits: Waits { resync: self.options.resync, connect_backoff_cap: CONNECT_BACKOFF_CAP },
            instance: Some("test".into()),
            leader: None,
            agents: self.options.agents,
        };
        let stop = CancellationToken::new();
        let run = controller::run(
            self.apiserver.operator_client(),
            clients,
            settings,
            Arc::clone(&self.metrics),
            self.readiness.clone(),
            stop.clone().cancelled_owned(),
        );
        self.operator = Some((stop, tokio::spawn(run)));
    }

    pub async fn stop_operator(&mut self) {
        if let Some((stop, task)) = self.operator.take() {
            stop.cancel();
            tokio::time::timeout(HANG, task).await.expect("the operator stops").unwrap().unwrap();
        }
    }

    /// Everything in Log Service, as a client of its own.
    pub fn sls(&self) -> sls::Eyes {
        sls::Eyes::new(&self.endpoint())
    }

    pub fn objects(&self) -> Api<AliyunLogConfig> {
        Api::namespaced(self.kube.clone(), self.namespace())
    }

    /// Applies YAML as `kubectl apply --server-side` would.
    pub async fn apply(&self, yaml: &str) {
        self.apply_value(serde_saphyr::from_str(yaml).unwrap()).await;
    }

    pub async fn apply_value(&self, mut object: Value) {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        object["metadata"]["namespace"] = json!(self.namespace());
        let params = PatchParams::apply("test").force();
        self.untyped().patch(&name, &params, &Patch::Apply(&object)).await.expect("the object is accepted");
    }

    pub fn untyped(&self) -> Api<DynamicObject> {
        let resource = kube::api::ApiResource::erase::<AliyunLogConfig>(&());
        Api::namespaced_with(self.kube.clone(), self.namespace(), &resource)
    }

    pub async fn merge(&self, name: &str, patch: Value) {
        self.untyped().patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.expect("patched");
    }

    pub async fn delete(&self, name: &str) {
        self.untyped().delete(name, &DeleteParams::default()).await.expect("deleted");
    }

    pub async fn get(&self, name: &str) -> AliyunLogConfig {
        self.objects().get(name).await.unwrap()
    }

    /// Waits until the status is as `probe` wants it.
    pub async fn status(
        &self,
        name: &str,
        what: &str,
        probe: impl Fn(&AliyunLogConfigStatus) -> bool,
    ) -> AliyunLogConfigStatus {
        let objects = self.untyped();
        let what = format!("{name}: {what}");
        eventually(&what, || async {
            let object = objects.get(name).await.map_err(|error| error.to_string())?;
            let status = object.data.get("status").cloned().unwrap_or_else(|| json!({}));
            let parsed: AliyunLogConfigStatus = serde_json::from_value(status.clone()).unwrap();
            probe(&parsed).then_some(parsed).ok_or_else(|| format!("{status:#}"))
        })
        .await
    }

    /// Waits until the object is ready at its present generation.
    pub async fn ready(&self, name: &str) -> AliyunLogConfigStatus {
        let generation = self.untyped().get(name).await.unwrap().metadata.generation;
        self.status(name, "ready", |status| {
            status.observed_generation == generation && is(status, "Ready", "True", "Synced")
        })
        .await
    }

    /// Waits until the object is not ready for `reason`.
    pub async fn not_ready(&self, name: &str, reason: &str) -> AliyunLogConfigStatus {
        self.status(name, reason, |status| is(status, "Ready", "False", reason)).await
    }

    pub async fn gone(&self, name: &str) {
        let objects = self.untyped();
        eventually(&format!("{name} gone"), || async {
            match objects.get_opt(name).await.unwrap() {
                None => Ok(()),
                Some(object) => Err(format!("{:#}", serde_json::to_value(object).unwrap())),
            }
        })
        .await;
    }

    /// Waits for an event with `reason` on the object; its note.
    pub async fn event(&self, name: &str, reason: &str) -> String {
        eventually(&format!("event {reason} on {name}"), || async {
            let events = self.events(name).await;
            let found = events.iter().find(|event| event.reason.as_deref() == Some(reason));
            found.map(note).ok_or_else(|| format!("{:?}", reasons(&events)))
        })
        .await
    }

    pub async fn events(&self, name: &str) -> Vec<Event> {
        let api: Api<Event> = Api::namespaced(self.kube.clone(), self.namespace());
        let all = api.list(&ListParams::default()).await.unwrap();
        let of = |event: &Event| event.regarding.as_ref().and_then(|regarding| regarding.name.clone());
        all.into_iter().filter(|event| of(event).as_deref() == Some(name)).collect()
    }

    /// Calls to Log Service so far, as the operator counts them: (operation, successful or not).
    pub fn calls(&self, operation: &str) -> u64 {
        let prefix = format!("sls_operator_sls_calls_total{{operation=\"{operation}\"");
        self.metric(&prefix)
    }

    /// Changes made in Log Service so far.
    pub fn changes(&self) -> u64 {
        self.metric("sls_operator_changes_total")
    }

    pub fn status_writes(&self) -> u64 {
        self.metric("sls_operator_status_writes_total")
    }

    /// Sum of all series that begin with `prefix`.
    pub fn metric(&self, prefix: &str) -> u64 {
        let text = self.metrics.render();
        let values =
            text.lines().filter(|line| line.starts_with(prefix)).filter_map(|line| line.rsplit(' ').next());
        values.filter_map(|value| value.parse::<u64>().ok()).sum()
    }

    /// Makes the operator look at the object again, and waits until it has.
    pub async fn look_again(&self, name: &str) {
        // Of a project that is known, only what is in it is asked for.
        let reads = || self.calls("GetProject") + self.calls("GetLogStore");
        let looked = || self.metric("sls_operator_reconcile_seconds_count");
        let before = reads();
        let asked: Cell<Option<(Instant, u64)>> = Cell::new(None);
        eventually("another look", || async {
            // The look may be over before its count is read here, and no other would follow: it is asked for again.
            if asked.get().is_none_or(|(at, _)| at.elapsed() > ASK_AGAIN) {
                let stamp = format!("{:?}", Instant::now());
                self.merge(name, json!({"metadata": {"annotations": {"sls.testbed/look": stamp}}})).await;
                asked.set(Some((Instant::now(), looked())));
            }
            // The call comes first, the count when the look is over.
            let done = reads() > before && asked.get().is_some_and(|(_, looks)| looked() > looks);
            done.then_some(()).ok_or_else(|| self.metrics.render())
        })
        .await;
    }
}

async fn start_mock(listen: SocketAddr, folder: &std::path::Path) -> mock_sls::Running {
    let data = mock_sls::Data::Dir(folder.to_owned());
    let config = mock_sls::Config { listen, data, ..mock_sls::Config::default() };
    MockSls::start(config).await.expect("mock-sls starts")
}

/// The condition of a type.
pub fn condition<'a>(status: &'a AliyunLogConfigStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == type_)
}

/// Whether a condition has this status and reason.
pub fn is(status: &AliyunLogConfigStatus, type_: &str, value: &str, reason: &str) -> bool {
    condition(status, type_).is_some_and(|one| one.status == value && one.reason == reason)
}

pub fn note(event: &Event) -> String {
    event.note.clone().unwrap_or_default()
}

pub fn reasons(events: &[Event]) -> Vec<String> {
    let mut reasons: Vec<_> = events.iter().filter_map(|event| event.reason.clone()).collect();
    reasons.sort();
    reasons
}

/// A small object that is valid.
pub fn object(name: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut object = json!({
        "apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
        "metadata": {"name": name},
        "spec": {"project": "project-a", "logstore": "store", "machineGroups": ["group-a"],
            "logtailConfig": {"configName": name, "inputType": "file", "inputDetail": {
                "logType": "common_reg_log", "logPath": "/var/log", "filePattern": "a.log"}}}
    });
    change(&mut object);
    object
}

/// The object's uid, to tell it from a later one of the same name.
pub fn uid(cr: &AliyunLogConfig) -> String {
    cr.meta().uid.clone().unwrap_or_else(|| cr.name_any())
}
