//! Log Service as the operator sees it: one client per endpoint, credentials that may be replaced on
//! disk, and a counter for every call. The only place that holds an `sls_client::Client`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sls_api::names::ProjectName;
use sls_api::sign::{AccessKey, SignVersion};
use sls_api::{NoQuery, Operation};
use sls_client::{Client, ClientConfig, ClientError, EndpointError, Proxies, Retry};

use crate::credentials::{Credentials, CredentialsError, Source};
use crate::metrics::Metrics;

/// Longest wait for a connection. Source: guess.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for an answer. Source: guess; metadata calls answer in well under a second.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Endpoints for which a client is kept, beyond the operator's own. Objects may name any endpoint; when
/// there are more, the clients are made anew.
const CLIENTS_MAX: usize = 64;

/// Which Log Service, and how to sign.
#[derive(Clone, Debug)]
pub struct SlsConfig {
    /// URL, host or host:port of the operator's own endpoint.
    pub endpoint: String,
    /// Region; requests are signed with version 4 when it is known.
    pub region: Option<String>,
    /// Where the credentials come from.
    pub credentials: Source,
}

/// Why no client can be had for an endpoint.
#[derive(Debug, thiserror::Error)]
pub enum SlsError {
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("no client for endpoint {endpoint}: {source}")]
    Client { endpoint: String, source: sls_client::ConfigError },
}

/// Makes clients and keeps them.
pub struct Clients {
    config: SlsConfig,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

struct State {
    credentials: Credentials,
    clients: HashMap<String, Client>,
}

impl Clients {
    /// Reads the credentials and tries the operator's own endpoint for form; sends nothing.
    pub fn new(config: SlsConfig, metrics: Arc<Metrics>) -> Result<Self, SlsError> {
        let credentials = config.credentials.load()?;
        let clients =
            Self { config, metrics, state: Mutex::new(State { credentials, clients: HashMap::new() }) };
        clients.client(None)?;
        Ok(clients)
    }

    /// Log Service as seen from `project`, at `endpoint` or at the operator's own.
    pub fn project(&self, project: ProjectName, endpoint: Option<&str>) -> Result<Sls, SlsError> {
        Ok(Sls { client: self.client(endpoint)?, project, metrics: Arc::clone(&self.metrics) })
    }

    /// Reads the credentials again; true when they have changed.
    pub fn reload_credentials(&self) -> Result<bool, SlsError> {
        let credentials = self.config.credentials.load()?;
        let mut state = self.lock();
        let changed = state.credentials != credentials;
        if changed {
            state.credentials = credentials;
            state.clients.clear();
        }
        Ok(changed)
    }

    fn client(&self, endpoint: Option<&str>) -> Result<Client, SlsError> {
        let endpoint = endpoint.unwrap_or(&self.config.endpoint);
        let mut state = self.lock();
        if let Some(client) = state.clients.get(endpoint) {
            return Ok(client.clone());
        }
        let client = self.connect(endpoint, &state.credentials)?;
        if state.clients.len() >= CLIENTS_MAX {
            state.clients.clear();
        }
        state.clients.insert(endpoint.to_owned(), client.clone());
        Ok(client)
    }

    fn connect(&self, endpoint: &str, credentials: &Credentials) -> Result<Client, SlsError> {
        let config = ClientConfig {
            endpoint: endpoint.parse()?,
            access_key: AccessKey {
                id: credentials.access_key_id.clone(),
                secret: credentials.access_key_secret.clone(),
            },
            security_token: credentials.security_token.clone(),
            sign: match &self.config.region {
                Some(region) => SignVersion::V4 { region: region.clone() },
                None => SignVersion::V1,
            },
            user_agent: concat!("sls-operator/", env!("CARGO_PKG_VERSION")).to_owned(),
            proxies: Proxies::default(),
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
        };
        Client::new(config).map_err(|source| SlsError::Client { endpoint: endpoint.to_owned(), source })
    }

    /// The state; its invariants hold between any two statements, so a panic elsewhere does not matter.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One project of Log Service.
pub struct Sls {
    client: Client,
    project: ProjectName,
    metrics: Arc<Metrics>,
}

impl Sls {
    /// Sends one operation without query parameters and counts it.
    pub async fn call<O: Operation<Query = NoQuery>>(
        &self,
        path: &O::Path,
        body: &O::Body,
    ) -> Result<O::Reply, ClientError> {
        self.ask::<O>(path, &NoQuery {}, body).await
    }

    /// Sends one operation and counts it.
    pub async fn ask<O: Operation>(
        &self,
        path: &O::Path,
        query: &O::Query,
        body: &O::Body,
    ) -> Result<O::Reply, ClientError> {
        let send = || self.client.send::<O>(Some(&self.project), path, query, body);
        let mut reply = send().await;
        if let Err(error) = &reply
            && let Retry::ClockSkew { server_time: Some(server_time) } = error.class()
        {
            self.client.correct_clock(server_time);
            reply = send().await;
        }
        let code = match &reply {
            Ok(_) => "OK",
            Err(ClientError::Api { code, .. }) => code.as_str(),
            Err(_) => crate::failure::BACKEND_UNAVAILABLE,
        };
        self.metrics.sls_call(O::ENDPOINT.name, code);
        reply
    }
}
