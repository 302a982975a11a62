//! What all requests of one server share.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use http::header::HOST;
use sls_api::names::ProjectName;
use tokio_util::sync::CancellationToken;

use crate::arrivals::Arrivals;
use crate::auth::Accounts;
use crate::clock::Clock;
use crate::error::ApiError;
use crate::expect::Expectations;
use crate::faults::Faults;
use crate::front::Bodies;
use crate::front::project::Hosts;
use crate::journal::Journal;
use crate::query::sql::Settings;
use crate::quotas::Quotas;
use crate::route::Group;
use crate::store::Store;
use crate::write_quota::WriteMeters;

/// Distinct unknown requests that are remembered; further ones count under one name.
const UNKNOWN_KINDS_MAX: usize = 200;

/// State of a server, shared by its requests.
pub struct App {
    /// The database.
    pub store: Store,
    /// Who may call.
    pub accounts: Accounts,
    /// Takes in request bodies.
    pub bodies: Bodies,
    /// Host names of this server.
    pub hosts: Hosts,
    /// What time it is.
    pub clock: Clock,
    /// What SQL is told.
    pub sql: Settings,
    /// Region of this server.
    pub region: String,
    /// `host:port` under which clients reach this server; see [`App::here`].
    pub advertise: Option<String>,
    /// Where this server listens, as other machines reach it.
    pub host_ip: IpAddr,
    /// Whether logs that are too old or from the future are refused.
    pub check_log_time: bool,
    /// How many resources there may be.
    pub quotas: Quotas,
    /// Counts writes without a hash key, to spread them over shards.
    pub put_turn: AtomicU64,
    /// How much was written in this second.
    pub write_quotas: WriteMeters,
    /// Who waits for logs.
    pub arrivals: Arc<Arrivals>,
    /// What is expected.
    pub expectations: Expectations,
    /// Every operation that is served.
    pub operations: Vec<Arc<Group>>,
    /// Requests that no operation answered.
    pub unknown: Unknown,
    /// Requests that came.
    pub journal: Journal,
    /// What is to go wrong.
    pub faults: Faults,
    /// Cancelled when the server is to stop, for requests that wait.
    pub stop: CancellationToken,
}

impl App {
    /// Brings back the state that was kept under this name.
    pub async fn restore(&self, name: &str) -> Result<(), ApiError> {
        let outcome = self.store.restore(name).await;
        self.arrivals.all_changed();
        outcome
    }

    /// Removes everything, or everything in one project.
    pub async fn reset(&self, project: Option<&ProjectName>) -> Result<(), ApiError> {
        let outcome = match project {
            Some(project) => self.store.reset_project(project).await,
            None => self.store.reset().await,
        };
        self.arrivals.all_changed();
        outcome
    }

    /// `host:port` for a client to send to: as configured, else the one that it asked with these
    /// headers, under which it evidently reaches this server.
    pub fn here(&self, headers: &HeaderMap) -> String {
        let asked = || headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        self.advertise.clone().unwrap_or_else(asked)
    }
}

/// Counts requests that no operation answered, by method, path and selector.
#[derive(Default)]
pub struct Unknown(Mutex<BTreeMap<String, u64>>);

impl Unknown {
    /// Counts one.
    pub fn count(&self, kind: String) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = counts.len() >= UNKNOWN_KINDS_MAX && !counts.contains_key(&kind);
        let kind = if full { "further ones".to_owned() } else { kind };
        *counts.entry(kind).or_default() += 1;
    }

    /// All counts so far.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
