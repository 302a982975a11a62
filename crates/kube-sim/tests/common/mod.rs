//! A server and a client for it, and the few calls that tests make again and
//! again.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind, Status};
use kube::{Client, Error};
use kube_sim::{Config, KubeSim, Running};
use serde_json::Value;

/// Hang guard of waits; never reached by a passing test.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server with quick bookmarks, and a client for it.
pub async fn start() -> (Running, Client) {
    start_with(Config { bookmark_interval: Duration::from_millis(50), ..Config::default() }).await
}

/// A server and a client for it.
pub async fn start_with(config: Config) -> (Running, Client) {
    let server = KubeSim::start(config).await.expect("the server starts");
    let client = client(&server).await;
    (server, client)
}

/// Another client for a server.
pub async fn client(server: &Running) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(&server.kubeconfig()).expect("the kubeconfig parses");
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .expect("the kubeconfig is usable");
    Client::try_from(config).expect("a client")
}

/// The status of a refused request.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Status {
    match result {
        Err(Error::Api(status)) => *status,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

/// A value that must be an object of the type.
#[track_caller]
pub fn object<K: serde::de::DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).expect("a valid object")
}

/// The CRD of the operator specification's probe.
pub fn probe_crd() -> CustomResourceDefinition {
    serde_saphyr::from_str(include_str!("../data/aliyunlogconfig-crd.yaml")).expect("the probe's CRD parses")
}

/// Registers the probe's CRD and returns an API for its objects.
pub async fn with_probe_crd(client: &Client) -> Api<DynamicObject> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    crds.create(&PostParams::default(), &probe_crd()).await.expect("the probe's CRD is accepted");
    log_configs(client, "default")
}

/// API for AliyunLogConfig objects of a namespace.
pub fn log_configs(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &log_config_resource())
}

/// The resource of the probe's CRD.
pub fn log_config_resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("log.alibabacloud.com", "v1alpha1", "AliyunLogConfig"),
        "aliyunlogconfigs",
    )
}

/// An AliyunLogConfig that passes validation.
pub fn log_config(name: &str) -> DynamicObject {
    object(serde_json::json!({
        "apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig", "metadata": {"name": name},
        "spec": {"project": "p", "logstore": "ls", "logtailConfig": {
            "configName": "a1", "inputType": "file",
            "inputDetail": {"logType": "common_reg_log", "logPath": "/x", "filePattern": "a.log", "foo": 1}}},
    }))
}

/// A raw request with a JSON body; status code, headers and body of the answer.
pub async fn raw(
    client: &Client,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> (u16, http::HeaderMap, String) {
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(kube::client::Body::from(body)).expect("a request");
    let response = client.send(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let bytes = http_body_util::BodyExt::collect(body).await.expect("a body").to_bytes();
    (parts.status.as_u16(), parts.headers, String::from_utf8_lossy(&bytes).into_owned())
}

/// Waits until a check gives a value.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut check: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
