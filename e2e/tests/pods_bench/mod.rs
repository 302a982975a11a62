//! A runner on an API server of its own, for the tests beside this directory.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::time::Duration;

use e2e::pods::{Image, PodRunner, RunnerConfig, Running};
use futures::{AsyncReadExt, TryStreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Event, Pod};
use kube::api::{ListParams, LogParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Guard against hanging, far above what anything here takes.
pub const HANG: Duration = Duration::from_secs(60);

/// Namespace of all tests.
pub const NAMESPACE: &str = "default";

/// API server and runner.
pub struct Bench {
    pub client: Client,
    pub runner: Running,
    pub directory: tempfile::TempDir,
    pub server: kube_sim::Running,
}

impl Bench {
    /// With everything as in a cluster, but quick to restart.
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub async fn start_with(change: impl FnOnce(&mut RunnerConfig)) -> Self {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init()
            .ok();
        let server = kube_sim::KubeSim::start(kube_sim::Config::default()).await.unwrap();
        let config = kube::Config::new(server.url().parse().unwrap());
        let client = Client::try_from(config).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut config = RunnerConfig::new(directory.path(), env!("CARGO_BIN_EXE_e2e"));
        config.images = vec![Image { pattern: "sh".into(), ..Image::default() }];
        config.restart_backoff = Duration::from_millis(100);
        change(&mut config);
        let runner = PodRunner::start(client.clone(), config).await.unwrap();
        server.set_pod_logs(runner.pod_logs());
        Self { client, runner, directory, server }
    }

    /// A container's path as a script has to write it.
    pub fn path(&self, path: &str) -> String {
        match self.runner.isolation().mode {
            e2e::pods::containers::spec::Mode::Prefix => format!("$SLS_PATH_PREFIX{path}"),
            e2e::pods::containers::spec::Mode::Namespaces { .. } => path.to_owned(),
        }
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    pub async fn create<K>(&self, object: serde_json::Value) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + Serialize
            + DeserializeOwned,
    {
        let object = serde_json::from_value(object).unwrap();
        self.api().create(&PostParams::default(), &object).await.unwrap()
    }

    /// Waits until an object is as wanted; on a hang, says how it was.
    pub async fn wait<K>(&self, name: &str, what: &str, wanted: impl Fn(&K) -> bool) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + Send
            + Serialize
            + DeserializeOwned
            + 'static,
    {
        let condition = |object: Option<&K>| object.is_some_and(&wanted);
        let waiting = await_condition(self.api::<K>(), name, condition);
        match tokio::time::timeout(HANG, waiting).await {
            Ok(object) => object.unwrap().unwrap(),
            Err(_) => {
                let last = self.api::<K>().get_opt(name).await.unwrap();
                let last = serde_json::to_string_pretty(&last).unwrap();
                panic!("{name} did not become {what}; it is {last}\nevents: {:#?}", self.events().await)
            }
        }
    }

    pub async fn wait_for_phase(&self, name: &str, phase: &str) -> Pod {
        self.wait(name, phase, |pod: &Pod| {
            pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some(phase)
        })
        .await
    }

    /// Waits until an object is gone.
    pub async fn wait_gone<K>(&self, name: &str)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + Send
            + DeserializeOwned
            + 'static,
    {
        let waiting = await_condition(self.api::<K>(), name, |object: Option<&K>| object.is_none());
        tokio::time::timeout(HANG, waiting).await.unwrap().unwrap();
    }

    pub async fn log(&self, pod: &str, container: &str) -> String {
        self.log_with(pod, container, LogParams::default()).await
    }

    pub async fn log_with(&self, pod: &str, container: &str, params: LogParams) -> String {
        let params = LogParams { container: Some(container.to_owned()), ..params };
        self.api::<Pod>().logs(pod, &params).await.unwrap()
    }

    /// Follows a log until it has `text`.
    pub async fn wait_for_log(&self, pod: &str, container: &str, text: &str) {
        let started = |pod: &Pod| {
            let all = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
            all.into_iter().any(|status| status.name == container && status.container_id.is_some())
        };
        self.wait(pod, "started", started).await;
        let params =
            LogParams { container: Some(container.to_owned()), follow: true, ..LogParams::default() };
        let seen = async {
            let stream = self.api::<Pod>().log_stream(pod, &params).await.unwrap();
            futures::pin_mut!(stream);
            let (mut seen, mut chunk) = (Vec::new(), [0; 4096]);
            while !String::from_utf8_lossy(&seen).contains(text) {
                let n = stream.read(&mut chunk).await.unwrap();
                assert_ne!(n, 0, "the log ended without {text:?}: {}", String::from_utf8_lossy(&seen));
                seen.extend_from_slice(&chunk[..n]);
            }
        };
        tokio::time::timeout(HANG, seen).await.unwrap();
    }

    /// Type, reason and message of all events.
    pub async fn events(&self) -> Vec<String> {
        let events = self.api::<Event>().list(&ListParams::default()).await.unwrap();
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        events
            .iter()
            .map(|e| format!("{} {}: {}", text(&e.type_), text(&e.reason), text(&e.message)))
            .collect()
    }

    /// Waits until an event was said that contains `text`.
    pub async fn wait_for_event(&self, text: &str) {
        use kube::runtime::{WatchStreamExt, watcher};
        let events = watcher(self.api::<Event>(), watcher::Config::default()).applied_objects();
        let seen = async {
            futures::pin_mut!(events);
            while let Some(event) = events.try_next().await.unwrap() {
                let reason = event.reason.unwrap_or_default();
                if format!("{reason}: {}", event.message.unwrap_or_default()).contains(text) {
                    return;
                }
            }
        };
        if tokio::time::timeout(HANG, seen).await.is_err() {
            panic!("no event {text:?} among {:#?}", self.events().await);
        }
    }

    pub async fn uid(&self, pod: &str) -> String {
        self.api::<Pod>().get(pod).await.unwrap().uid().unwrap()
    }

    pub async fn end(self) {
        self.runner.shutdown().await;
        self.server.shutdown().await;
    }
}

pub fn container_status(pod: &Pod, container: &str) -> ContainerStatus {
    let status = pod.status.as_ref().unwrap();
    let all =
        status.container_statuses.iter().flatten().chain(status.init_container_statuses.iter().flatten());
    let found = all.into_iter().find(|status| status.name == container);
    found.unwrap_or_else(|| panic!("{} has no container {container}", pod.name_any())).clone()
}

pub fn state_of(pod: &Pod, container: &str) -> ContainerState {
    container_status(pod, container).state.unwrap()
}

/// True while some process has `marker` in its command line.
pub fn runs(marker: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).any(|entry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(marker))
    })
}
