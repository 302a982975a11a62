//! Starts and stops a server.

mod connections;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Unknown};
use crate::auth::Accounts;
use crate::config::Config;
use crate::front::project::Hosts;
use crate::quota::Quotas;
use crate::store::{OpenError, Store};
use crate::{admin, agent, janitor, ops, route};

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
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
}

impl MockSls {
    /// Starts a server on the current tokio runtime. It answers from the moment this returns.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        let at_address = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(at_address)?;
        let address = listener.local_addr().map_err(at_address)?;
        let store = Store::open(&config.data)?;
        let names = config.endpoint_hosts.iter().chain(&config.advertise).map(String::as_str);
        let app = Arc::new(App {
            store,
            accounts: Accounts::new(config.accounts, config.auth, &config.region),
            hosts: Hosts::new(names),
            clock: config.clock,
            region: config.region,
            advertise: config.advertise,
            put_turn: AtomicU64::new(0),
            quotas: Arc::new(Quotas::new(config.write_quotas)),
            operations: ops::all().into_groups(),
            unknown: Unknown::default(),
        });
        let router =
            route::router(&app).merge(agent::router()).merge(admin::router()).with_state(Arc::clone(&app));
        let stop = CancellationToken::new();
        let (serve, clean) =
            (connections::serve(listener, router, stop.clone()), janitor::run(app, stop.clone()));
        let serving = tokio::spawn(async move {
            tokio::join!(serve, clean);
        });
        Ok(Running { address, stop, serving: Some(serving) })
    }
}

/// A running server. Stops when dropped; [`Running::shutdown`] also waits for the end.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
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

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
