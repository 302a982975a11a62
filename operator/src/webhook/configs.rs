//! The AliyunLogConfigs that Pods may ask for, followed by a watch of each replica's own: also those must know them
//! that do not lead.

use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::reflector::{self, Store, reflector};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};

use crate::conflict::is_deleting;
use crate::controller::Guarded;
use crate::crd::AliyunLogConfig;

/// Longest wait for the first list. Source: guess; below the webhook's time limit.
const READY_MAX: Duration = Duration::from_secs(3);

/// What is known of them.
#[derive(Clone)]
pub struct Configs {
    store: Store<Guarded>,
}

impl Configs {
    /// The configs of a namespace, or of all; they are followed while the future is polled, which never ends.
    pub fn watch(kube: Client, namespace: Option<&str>) -> (Self, impl Future<Output = ()> + Send) {
        let api: Api<Guarded> = match namespace {
            Some(namespace) => Api::namespaced(kube, namespace),
            None => Api::all(kube),
        };
        let (store, writer) = reflector::store();
        let events = reflector(writer, watcher(api, watcher::Config::default())).default_backoff();
        let watching = async move {
            let mut events = std::pin::pin!(events);
            while let Some(event) = events.next().await {
                if let Err(error) = event {
                    tracing::debug!(%error, "the webhook's watch on AliyunLogConfigs failed, it is established again");
                }
            }
        };
        (Self { store }, watching)
    }

    /// Those of a namespace that can be read and stay; `None` while it is not known which there are.
    pub async fn of(&self, namespace: &str) -> Option<Vec<AliyunLogConfig>> {
        tokio::time::timeout(READY_MAX, self.store.wait_until_ready()).await.ok()?.ok()?;
        let all = self.store.state();
        let here = all.iter().filter_map(|one| one.0.as_ref().ok());
        let here =
            here.filter(|one| one.metadata.namespace.as_deref() == Some(namespace) && !is_deleting(*one));
        Some(here.cloned().collect())
    }
}
