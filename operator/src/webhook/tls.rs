//! Serves HTTPS with the certificate of the moment, bounded in number and time.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections at the same time; further ones wait. Source: guess; API servers keep a few open each.
const CONNECTIONS_MAX: usize = 256;
/// Longest TLS handshake. Source: guess; below the webhook's time limit.
const HANDSHAKE_MAX: Duration = Duration::from_secs(4);
/// Longest wait for the head of a request, the next one of a kept connection too. Source: Go's default for idle
/// connections of clients, 90 s, so that the client gives up first.
const HEAD_MAX: Duration = Duration::from_secs(120);
/// Time that requests in progress have to end. Source: the webhook's time limit.
const FINISH_MAX: Duration = Duration::from_secs(5);
/// Pause after a failed accept: others must close files first.
const PAUSE: Duration = Duration::from_millis(100);

/// The certificate that is served now; it can be replaced at any time.
pub struct Current {
    certified: RwLock<Option<Arc<CertifiedKey>>>,
    is_there: watch::Sender<bool>,
}

impl Default for Current {
    fn default() -> Self {
        Self { certified: RwLock::default(), is_there: watch::Sender::new(false) }
    }
}

/// Does not show the key.
impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}

impl Current {
    /// New connections get this one from now on.
    pub fn replace(&self, certified: Arc<CertifiedKey>) {
        *self.certified.write().unwrap_or_else(PoisonError::into_inner) = Some(certified);
        self.is_there.send_replace(true);
    }

    async fn wait(&self) {
        // The sender lives as long as this.
        let _ = self.is_there.subscribe().wait_for(|is_there| *is_there).await;
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certified.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Serves until `stop`, as soon as there is a certificate.
pub async fn serve(listener: TcpListener, current: Arc<Current>, app: Router, stop: CancellationToken) {
    if stop.run_until_cancelled(current.wait()).await.is_none() {
        return;
    }
    let acceptor = match acceptor(current) {
        Ok(acceptor) => acceptor,
        Err(error) => {
            tracing::error!(%error, "the webhook cannot be served");
            return;
        }
    };
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let open = TaskTracker::new();
    let next = async || {
        let permit = Arc::clone(&free).acquire_owned().await.ok()?;
        Some((accept(&listener).await, permit))
    };
    while let Some(Some((stream, permit))) = stop.run_until_cancelled(next()).await {
        let (acceptor, app, stop) = (acceptor.clone(), app.clone(), stop.clone());
        open.spawn(async move {
            connection(stream, acceptor, app, stop).await;
            drop(permit);
        });
    }
    open.close();
    let _ = tokio::time::timeout(FINISH_MAX, open.wait()).await;
}

fn acceptor(current: Arc<Current>) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::debug!(%error, "a connection cannot be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, app: Router, stop: CancellationToken) {
    let stream = match tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a client does not agree about TLS");
            return;
        }
        Err(_) => return,
    };
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_MAX)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
    );
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
