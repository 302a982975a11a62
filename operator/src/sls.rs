//! Log Service as the operator sees it: one client per endpoint and account, credentials that may be replaced on
//! disk, a counter for every call, and a [`gate`] before each endpoint. The only place that holds an
//! `sls_client::Client`.

pub mod breaker;
pub mod gate;
mod projects;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sls_api::error::code;
use sls_api::names::ProjectName;
use sls_api::sign::{AccessKey, SignVersion};
use sls_api::{NoQuery, Operation};
use sls_client::{Authorities, Client, ClientConfig, ClientError, Endpoint, EndpointError, Proxies, Retry};

use crate::credentials::{Accounts, Credentials, CredentialsError, Source};
use crate::leader::Fence;
use crate::metrics::Metrics;
use breaker::Outcome;
use gate::{Gate, Gates, Shut, Wake};
use projects::KnownProjects;

/// Longest wait for a connection. Source: guess.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for an answer. Source: guess; metadata calls answer in well under a second.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// What the operator calls itself.
const USER_AGENT: &str = concat!("sls-operator/", env!("CARGO_PKG_VERSION"));
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
    /// PEM file of the certificate authorities that endpoints of https may have, in the place of the public ones.
    pub authorities: Option<PathBuf>,
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
    #[error("no key of account {0}; add it to --account-infos-file")]
    NoAccount(String),
    #[error(
        "the file {} of certificate authorities (--sls-ca-file, SSL_CERT_FILE) {problem}; it must hold their \
         certificates in PEM form",
        .file.display()
    )]
    Authorities { file: PathBuf, problem: String },
}

/// What a running operator adds to its clients.
#[derive(Clone, Debug)]
pub struct Extras {
    /// Names this operator in every request, for whoever reads access logs.
    pub identity: Option<String>,
    /// Whether it may send anything: only the leader may.
    pub fence: Fence,
    /// Keys of further accounts.
    pub accounts: Accounts,
    /// Longest wait between probes of an endpoint that does not answer.
    pub probe_wait_max: Duration,
}

impl Default for Extras {
    fn default() -> Self {
        Self {
            identity: None,
            fence: Fence::open(),
            accounts: Accounts::None,
            probe_wait_max: PROBE_WAIT_MAX,
        }
    }
}

/// Longest wait between probes unless set otherwise. Source: guess; short enough that a restarted service is used
/// within seconds.
pub const PROBE_WAIT_MAX: Duration = Duration::from_secs(10);

/// Why a call brought no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It was sent, or could not be.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The endpoint does not answer, so it was not sent.
    #[error(
        "{operation}: not sent, since {endpoint} does not answer{}; it is asked again in {} s, and every object that \
         waits for it is looked at once it answers",
        because(&.shut.last_error), .shut.retry_in.as_secs_f32().ceil()
    )]
    Shut { operation: &'static str, endpoint: String, shut: Shut },
    /// Another operator may lead now, so it was not sent.
    #[error("{operation}: not sent, since this operator does not lead any more")]
    NotLeading { operation: &'static str },
}

fn because(error: &str) -> String {
    if error.is_empty() { String::new() } else { format!(" ({error})") }
}

/// Makes clients and keeps them.
pub struct Clients {
    config: SlsConfig,
    extras: Extras,
    metrics: Arc<Metrics>,
    gates: Arc<Gates>,
    projects: Arc<KnownProjects>,
    state: Mutex<State>,
}

struct State {
    credentials: Credentials,
    /// Of further accounts, by uid.
    accounts: BTreeMap<String, Credentials>,
    /// By endpoint and account.
    clients: HashMap<(String, Option<String>), Client>,
}

impl Clients {
    /// Reads the credentials and tries the operator's own endpoint for form; sends nothing.
    pub fn new(config: SlsConfig, metrics: Arc<Metrics>) -> Result<Self, SlsError> {
        Self::with(config, Extras::default(), metrics)
    }

    /// The same, for a running operator.
    pub fn with(config: SlsConfig, extras: Extras, metrics: Arc<Metrics>) -> Result<Self, SlsError> {
        let credentials = config.credentials.load()?;
        let gates = Arc::new(Gates::new(extras.probe_wait_max, Arc::clone(&metrics)));
        let accounts = extras.accounts.load()?;
        let state = Mutex::new(State { credentials, accounts, clients: HashMap::new() });
        let clients = Self { config, extras, metrics, gates, projects: Arc::default(), state };
        clients.client(None, None)?;
        Ok(clients)
    }

    /// Log Service as seen from `project`, at `endpoint` or at the operator's own.
    pub fn project(&self, project: ProjectName, endpoint: Option<&str>) -> Result<Sls, SlsError> {
        self.project_of(None, project, endpoint)
    }

    /// The same with the key of another account, by its uid.
    pub fn project_of(
        &self,
        account: Option<&str>,
        project: ProjectName,
        endpoint: Option<&str>,
    ) -> Result<Sls, SlsError> {
        Ok(Sls {
            client: self.client(endpoint, account)?,
            place: format!("{} {} {project}", self.endpoint_name(endpoint), account.unwrap_or_default()),
            projects: Arc::clone(&self.projects),
            project,
            metrics: Arc::clone(&self.metrics),
            gate: self.gates.of(&self.endpoint_name(endpoint)),
            gates: Arc::clone(&self.gates),
            fence: self.extras.fence.clone(),
        })
    }

    /// Whether the operator may write.
    pub fn fence(&self) -> &Fence {
        &self.extras.fence
    }

    /// The one name that an endpoint has, however it is written.
    pub fn endpoint_name(&self, endpoint: Option<&str>) -> String {
        let endpoint = endpoint.unwrap_or(&self.config.endpoint);
        endpoint.parse().map_or_else(|_| endpoint.to_owned(), |parsed: Endpoint| parsed.to_string())
    }

    /// Waits until objects that wait for an endpoint are to be looked at.
    pub async fn next_wake(&self) -> Wake {
        self.gates.next().await
    }

    /// Whether requests to an endpoint, by its name, may be refused before it answers.
    pub fn is_holding(&self, endpoint_name: &str) -> bool {
        self.gates.is_holding(endpoint_name)
    }

    /// Whether an endpoint, by its name, gets probes only.
    pub fn is_shut(&self, endpoint_name: &str) -> bool {
        self.gates.is_open(endpoint_name)
    }

    /// Reads the credentials again; true when any have changed.
    pub fn reload_credentials(&self) -> Result<bool, SlsError> {
        let credentials = self.config.credentials.load()?;
        let accounts = self.extras.accounts.load()?;
        let mut state = self.lock();
        let changed = state.credentials != credentials || state.accounts != accounts;
        if changed {
            state.credentials = credentials;
            state.accounts = accounts;
            state.clients.clear();
        }
        Ok(changed)
    }

    fn client(&self, endpoint: Option<&str>, account: Option<&str>) -> Result<Client, SlsError> {
        let endpoint = endpoint.unwrap_or(&self.config.endpoint);
        let mut state = self.lock();
        let key = (endpoint.to_owned(), account.map(str::to_owned));
        if let Some(client) = state.clients.get(&key) {
            return Ok(client.clone());
        }
        let credentials = match account {
            None => &state.credentials,
            Some(uid) => state.accounts.get(uid).ok_or_else(|| SlsError::NoAccount(uid.to_owned()))?,
        };
        let client = self.connect(endpoint, credentials)?;
        if state.clients.len() >= CLIENTS_MAX {
            state.clients.clear();
        }
        state.clients.insert(key, client.clone());
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
            user_agent: match &self.extras.identity {
                Some(identity) => format!("{USER_AGENT} ({identity})"),
                None => USER_AGENT.to_owned(),
            },
            proxies: Proxies::default(),
            authorities: self.authorities()?,
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
        };
        Client::new(config).map_err(|source| SlsError::Client { endpoint: endpoint.to_owned(), source })
    }

    /// Read for each client: the file may be another one when clients are made anew.
    fn authorities(&self) -> Result<Option<Authorities>, SlsError> {
        let Some(file) = &self.config.authorities else { return Ok(None) };
        let unusable = |problem: String| SlsError::Authorities { file: file.clone(), problem };
        let pem = std::fs::read(file).map_err(|error| unusable(format!("cannot be read ({error})")))?;
        Authorities::from_pem(&pem).map(Some).map_err(|problem| unusable(problem.to_string()))
    }

    /// The state; its invariants hold between any two statements, so a panic elsewhere does not matter.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One project of Log Service.
pub struct Sls {
    client: Client,
    place: String,
    projects: Arc<KnownProjects>,
    project: ProjectName,
    metrics: Arc<Metrics>,
    gate: Arc<Gate>,
    gates: Arc<Gates>,
    fence: Fence,
}

impl Sls {
    /// Endpoint, account and project in one text, to tell them from others.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether the project has answered a while ago.
    pub fn is_project_known(&self) -> bool {
        self.projects.is_known(&self.place)
    }

    /// Sends one operation without query parameters and counts it.
    pub async fn call<O: Operation<Query = NoQuery>>(
        &self,
        path: &O::Path,
        body: &O::Body,
    ) -> Result<O::Reply, CallError> {
        self.ask::<O>(path, &NoQuery {}, body).await
    }

    /// Sends one operation and counts it.
    pub async fn ask<O: Operation>(
        &self,
        path: &O::Path,
        query: &O::Query,
        body: &O::Body,
    ) -> Result<O::Reply, CallError> {
        let operation = O::ENDPOINT.name;
        let pass = self.gates.enter(&self.gate).await.map_err(|shut| CallError::Shut {
            operation,
            endpoint: self.client.config().endpoint.to_string(),
            shut,
        })?;
        if !self.fence.is_open() {
            return Err(CallError::NotLeading { operation });
        }
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
        self.metrics.sls_call(operation, code);
        match &reply {
            Ok(_) => self.projects.answered(&self.place),
            Err(ClientError::Api { code, .. }) if code == code::PROJECT_NOT_EXIST => {
                self.projects.gone(&self.place);
            }
            Err(_) => {}
        }
        pass.ended(reply.as_ref().err().map_or(Outcome::Answered, outcome));
        Ok(reply?)
    }
}

/// What an error says of the endpoint: whether it lives, not whether the request was right.
fn outcome(error: &ClientError) -> Outcome {
    let failed = |retry_after| Outcome::Failed { error: error.to_string(), retry_after };
    match error {
        ClientError::Api { status: 500.., retry_after, .. } => failed(*retry_after),
        ClientError::Transport { .. } | ClientError::Timeout { .. } => failed(None),
        _ => Outcome::Answered,
    }
}
