//! Starts and stops a server.

pub(crate) mod connections;
pub(crate) mod cut;
mod tls;
mod told;
mod waiting;

pub use tls::TlsError;
pub use told::Fault;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use sls_api::names::ProjectName;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::connections::Connections;
use crate::app::{App, Unknown};
use crate::auth::Accounts;
use crate::config::Config;
use crate::error::ApiError;
use crate::expect::{self, Expectations};
use crate::faults::Faults;
use crate::front::Bodies;
use crate::front::project::Hosts;
use crate::journal::Journal;
use crate::store::{OpenError, Store};
use crate::write_quota::WriteMeters;
use crate::{admin, agent, console, janitor, ops, route};

/// The emulator; see [`MockSls::start`].
pub struct MockSls;

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; is another program using it? Port 0 takes a free one")]
    Listen {
        /// The address wanted.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
}

impl MockSls {
    /// Starts a server on the current tokio runtime. It answers from the moment this returns.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        let (listener, address) = listen(config.listen).await?;
        let mut encrypted = None;
        let mut acceptor = None;
        let mut https = None;
        if let Some(wanted) = &config.tls {
            let (listener, address) = listen(wanted.listen).await?;
            let tls = tls::prepare(wanted.ca.as_deref(), address.ip())?;
            encrypted = Some(listener);
            acceptor = Some(tls.acceptor);
            https = Some(Https { address, authority_pem: tls.authority_pem });
        }
        let limits = config.limits;
        let console = match config.console.clone() {
            Some(settings) => Some((listen(settings.listen).await?, settings)),
            None => None,
        };
        let app = app(config, address.ip())?;
        let console = console.map(|((listener, at), settings)| {
            console::Ready::new(settings, listener, at, Arc::clone(&app), address)
        });
        let console_at = console.as_ref().map(|console| (console.address(), console.url().to_owned()));
        let router = router(&app);
        let stop = app.stop.clone();
        let connections = Connections::new(router, acceptor, limits, stop.clone());
        let (serve, clean) =
            (connections.serve(listener, encrypted), janitor::run(Arc::clone(&app), stop.clone()));
        let look = async move {
            if let Some(console) = console {
                console.serve(limits).await;
            }
        };
        let serving = tokio::spawn(async move {
            tokio::join!(serve, clean, look);
        });
        Ok(Running { address, https, console: console_at, app, stop, serving: Some(serving) })
    }
}

/// Opens the database and makes what all requests share.
pub(crate) fn app(config: Config, listens_on: IpAddr) -> Result<Arc<App>, OpenError> {
    let store = Store::open(&config.data)?;
    let journal = if config.console.is_some() { Journal::keeping_sent() } else { Journal::default() };
    let names = config.endpoint_hosts.iter().chain(&config.advertise).map(String::as_str);
    Ok(Arc::new(App {
        store,
        accounts: Accounts::new(config.accounts, config.auth, &config.region, config.clock_window),
        bodies: Bodies::new(config.limits.body_time),
        hosts: Hosts::new(names),
        clock: config.clock,
        sql: config.sql,
        region: config.region,
        advertise: config.advertise,
        host_ip: reachable(listens_on),
        check_log_time: config.check_log_time,
        quotas: config.quotas,
        put_turn: AtomicU64::new(0),
        write_quotas: WriteMeters::new(config.write_quotas),
        arrivals: Arc::default(),
        expectations: Expectations::default(),
        operations: ops::all().into_groups(),
        unknown: Unknown::default(),
        journal,
        faults: Faults::default(),
        stop: CancellationToken::new(),
    }))
}

/// Everything that is served.
pub(crate) fn router(app: &Arc<App>) -> Router {
    route::router(app, agent::router().merge(admin::router()).merge(expect::router()))
        .with_state(Arc::clone(app))
}

/// The state could not be kept, brought back or removed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StateError(String);

impl From<ApiError> for StateError {
    fn from(error: ApiError) -> Self {
        Self(error.to_string())
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Where TLS is served, and whom to trust for it.
#[derive(Debug)]
struct Https {
    address: SocketAddr,
    authority_pem: String,
}

/// The address itself, or loopback for "every address".
fn reachable(ip: IpAddr) -> IpAddr {
    if ip.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { ip }
}

/// A running server. Stops when dropped; [`Running::shutdown`] also waits for the end.
pub struct Running {
    address: SocketAddr,
    https: Option<Https>,
    console: Option<(SocketAddr, String)>,
    app: Arc<App>,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
}

impl Running {
    /// Where the server listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint to give to clients: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The endpoint for clients that insist on TLS, if it is served: `https://127.0.0.1:PORT`.
    pub fn https_endpoint(&self) -> Option<String> {
        self.https.as_ref().map(|https| format!("https://{}", https.address))
    }

    /// What to open in a browser for the console, if it is served. Holds its token if that was made up because
    /// the console listens beyond loopback.
    pub fn console_url(&self) -> Option<&str> {
        self.console.as_ref().map(|(_, url)| url.as_str())
    }

    /// Where the console listens, if it is served.
    pub fn console_addr(&self) -> Option<SocketAddr> {
        self.console.as_ref().map(|(address, _)| *address)
    }

    /// The certificate in PEM that clients must trust for TLS, if it is served.
    pub fn ca_certificate(&self) -> Option<&str> {
        self.https.as_ref().map(|https| https.authority_pem.as_str())
    }

    /// Keeps a copy of all state under this name, instead of an earlier one.
    ///
    /// # Errors
    /// [`StateError`] for an unsuitable name, for too many copies and when the disk fails.
    pub async fn snapshot(&self, name: &str) -> Result<(), StateError> {
        self.app.store.snapshot(name).await.map_err(StateError::from)
    }

    /// Brings back the state that [`Running::snapshot`] kept under this name. A request that
    /// is answered after this returns sees that state and nothing newer.
    ///
    /// # Errors
    /// [`StateError`] if there is no such copy and when the disk fails.
    pub async fn restore(&self, name: &str) -> Result<(), StateError> {
        self.app.restore(name).await.map_err(StateError::from)
    }

    /// Removes all state: projects with everything in them, documents of accounts, agents.
    ///
    /// # Errors
    /// [`StateError`] when the disk fails.
    pub async fn reset(&self) -> Result<(), StateError> {
        self.app.reset(None).await.map_err(StateError::from)
    }

    /// Removes everything in a project and keeps the project.
    ///
    /// # Errors
    /// [`StateError`] if there is no such project and when the disk fails.
    pub async fn reset_project(&self, name: &ProjectName) -> Result<(), StateError> {
        self.app.reset(Some(name)).await.map_err(StateError::from)
    }

    /// Takes no more connections, lets requests in progress end and closes the database.
    /// Connections that do not end within ten seconds are cut.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            // A panic of the task has been printed already.
            let _ = serving.await;
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
