//! What all request handlers share.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::faults::Faults;
use crate::gc::Gc;
use crate::logs::PodLogs;
use crate::rbac::Rights;
use crate::record::Recorder;
use crate::registry::{Registry, Resource};
use crate::store::{Key, Object, Store};

/// Versions start at the time, in milliseconds, so that a server that is
/// started again is ahead of the one before: clients of the old one find their
/// versions too old and list again.
fn first_version() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(1)
}

/// The server's state.
pub struct State {
    /// Objects.
    pub store: Store,
    /// Served resources.
    pub registry: Registry,
    /// Work for the garbage collector.
    pub gc: Gc,
    /// Faults that tests ask for.
    pub faults: Faults,
    /// What tokens may do.
    pub rights: Rights,
    /// The log that tests ask for.
    pub recorder: Recorder,
    /// Time between bookmarks of a watch.
    pub bookmark_interval: Duration,
    /// Ends watches, log streams and connections; a new one for each time the
    /// server listens.
    cancel: RwLock<CancellationToken>,
    logs: RwLock<Option<Arc<dyn PodLogs>>>,
    /// Where services lead, by namespace and name.
    routes: RwLock<HashMap<(String, String), SocketAddr>>,
}

impl State {
    /// A server with the built-in kinds and no objects.
    pub fn new(history_max: usize, bookmark_interval: Duration, logs: Option<Arc<dyn PodLogs>>) -> Self {
        Self {
            store: Store::new(first_version(), history_max),
            registry: Registry::with_builtins(),
            gc: Gc::default(),
            faults: Faults::default(),
            rights: Rights::default(),
            recorder: Recorder::default(),
            bookmark_interval,
            cancel: RwLock::new(CancellationToken::new()),
            logs: RwLock::new(logs),
            routes: RwLock::default(),
        }
    }

    /// What ends the present time of listening.
    pub fn cancel(&self) -> CancellationToken {
        self.cancel.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins a new time of listening.
    pub fn renew_cancel(&self) {
        *self.cancel.write().unwrap_or_else(PoisonError::into_inner) = CancellationToken::new();
    }

    /// Leads calls of webhooks for a service to an address.
    pub fn route_service(&self, namespace: &str, name: &str, address: SocketAddr) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.insert((namespace.to_owned(), name.to_owned()), address);
    }

    /// Where a service leads, if that was said.
    pub fn service_route(&self, namespace: &str, name: &str) -> Option<SocketAddr> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.get(&(namespace.to_owned(), name.to_owned())).copied()
    }

    /// Replaces the source of container logs.
    pub fn set_pod_logs(&self, logs: Arc<dyn PodLogs>) {
        *self.logs.write().unwrap_or_else(PoisonError::into_inner) = Some(logs);
    }

    /// The source of container logs, if there is one.
    pub fn pod_logs(&self) -> Option<Arc<dyn PodLogs>> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The key of an object of a resource.
    pub fn key(resource: &Resource, namespace: &str, name: &str) -> Key {
        let namespace = if resource.namespaced { namespace.to_owned() } else { String::new() };
        Key { resource: resource.storage.clone(), namespace, name: name.to_owned() }
    }

    /// The stored object, or Not Found.
    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Result<Object, ApiError> {
        self.store
            .get(&Self::key(resource, namespace, name))
            .ok_or_else(|| ApiError::NotFound(resource.target(name)))
    }
}
