//! The Kubernetes client, with a retry policy of our own.
//!
//! kube's default retries 429, 503 and 504 up to 15 times with waits of up to 1000 s, so that one
//! reconcile could hang for hours. Here a request gives up after seconds: the object is simply looked at
//! again.

use std::path::Path;
use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::USER_AGENT;
use kube::client::ClientBuilder;
use kube::client::retry::RetryPolicy;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;

/// Attempts after the first. Source: operator specification §5.
const RETRIES_MAX: u32 = 4;
/// First wait between attempts.
const RETRY_WAIT_MIN: Duration = Duration::from_millis(50);
/// Longest wait between attempts that we choose. Source: operator specification §5.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests that may wait for the connection at the same time.
const QUEUED_MAX: usize = 1024;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    #[error("kubeconfig {path} cannot be used: {source}")]
    Kubeconfig { path: String, source: Box<kube::config::KubeconfigError> },
    #[error(
        "no cluster: neither $KUBECONFIG or ~/.kube/config nor a service account was found ({0}); give --kubeconfig FILE"
    )]
    Infer(#[from] Box<kube::config::InferConfigError>),
    #[error("the Kubernetes client cannot be made: {0}")]
    Client(#[from] Box<kube::Error>),
}

/// Reads `kubeconfig`, or finds the configuration where kubectl or a Pod would. Sends nothing.
pub async fn config(kubeconfig: Option<&Path>, context: Option<String>) -> Result<Config, KubernetesError> {
    let Some(path) = kubeconfig else {
        return Config::infer().await.map_err(|error| KubernetesError::Infer(Box::new(error)));
    };
    let failed =
        |source| KubernetesError::Kubeconfig { path: path.display().to_string(), source: Box::new(source) };
    let kubeconfig = Kubeconfig::read_from(path).map_err(failed)?;
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(failed)
}

/// A client for `config`. Must be called inside a tokio runtime.
pub fn client(mut config: Config) -> Result<Client, KubernetesError> {
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // Names the manager of fields that are not applied, in audit logs too; kube sends none.
    let agent = HeaderValue::from_static(concat!("sls-operator/", env!("CARGO_PKG_VERSION")));
    config.headers.push((USER_AGENT, agent));
    let failed = |error| KubernetesError::Client(Box::new(error));
    let builder = ClientBuilder::try_from(config).map_err(failed)?;
    let policy = RetryPolicy::new(RETRY_WAIT_MIN, RETRY_WAIT_MAX, RETRIES_MAX, true)
        .map_err(|error| failed(kube::Error::Service(error.into())))?;
    Ok(builder.with_layer(&BufferLayer::new(QUEUED_MAX)).with_layer(&RetryLayer::new(policy)).build())
}
