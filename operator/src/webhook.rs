//! Admission: Pods get their sidecar when they are created, and AliyunLogConfigs that would be refused are refused
//! at once. Every replica of the operator serves this; what they share is a Secret ([`keeper`]).
//!
//! [`mutate`] and [`judge`] are pure and do what `operator inject` and `operator validate` do; [`certificates`]
//! plans the certificates, [`tls`] serves with them, [`server`] is the shell. Which requests come here at all is
//! said by [`configurations`].

mod certificates;
mod configs;
pub mod configurations;
pub mod figures;
mod judge;
mod keeper;
mod mutate;
mod review;
mod server;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use certificates::{Certificates, Lives};

use crate::inject::Profile;
use crate::validate::Defaults;
use configs::Configs;
use figures::Figures;
use tls::Current;

/// Time between looks at the shared Secret. Source: guess; a renewed certificate is used within it by all replicas.
pub const CHECK: Duration = Duration::from_secs(60);

/// How the webhook of one operator behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace whose AliyunLogConfigs are known; all when `None`.
    pub namespace: Option<String>,
    /// Namespace of the operator: its Secret is there, and Pods there get no sidecar.
    pub own_namespace: String,
    /// Names and addresses under which API servers call: those of the certificate.
    pub hosts: Vec<String>,
    /// What is filled into AliyunLogConfigs.
    pub defaults: Defaults,
    /// What every sidecar is like.
    pub profile: Profile,
    /// How long certificates live.
    pub lives: Lives,
    /// Time between looks at the Secret and at the webhook configurations.
    pub check: Duration,
}

/// Serves until `stop`, as soon as there is a certificate.
pub async fn run(
    kube: Client,
    listener: TcpListener,
    settings: Settings,
    figures: Arc<Figures>,
    stop: CancellationToken,
) {
    let (configs, watching) = Configs::watch(kube.clone(), settings.namespace.as_deref());
    let current = Arc::new(Current::default());
    let keeping = keeper::keep(&kube, &settings, &current, &figures);
    let app = server::router(configs, &settings, Arc::clone(&figures));
    let serving = tls::serve(listener, Arc::clone(&current), app, stop.clone());
    tokio::select! {
        () = serving => {}
        () = keeping => {}
        () = watching => {}
    }
}
