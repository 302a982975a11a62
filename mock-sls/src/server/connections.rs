//! Takes connections and serves HTTP/1.1 on each, bounded in number and time: plain, inside TLS,
//! and inside a `CONNECT` tunnel, where clients that use this server as their proxy speak TLS.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Method, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::cut::{Cut, Peer, Socket};
use super::waiting::{Arriving, Place, Waiting};
use crate::config::Limits;

/// Pause after a failed accept, which is usually a lack of files that others must close first,
/// and between two tries to make room for a connection.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a TLS handshake may take (own choice).
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a request in progress may take to end after a shutdown began (own choice).
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(10);
/// The same for a connection that must make room for others: it waits for its client, so at most
/// the end of an earlier answer is still under way (own choice).
const ROOM_TIME_MAX: Duration = Duration::from_millis(100);
/// Share of all connections that make room at once when there is none, so that a crowd of new
/// ones does not have to be let in one by one (own choice).
const ROOM_SHARE: usize = 16;

/// What all connections of a server share.
pub struct Connections {
    router: Router,
    tls: Option<TlsAcceptor>,
    header_time_max: Duration,
    free: Arc<Semaphore>,
    room_at_once: usize,
    waiting: Arc<Waiting>,
    open: TaskTracker,
    stop: CancellationToken,
}

/// One client, on whatever layers.
#[derive(Clone)]
struct Client {
    peer: SocketAddr,
    cut: Arc<Cut>,
    place: Arc<Place>,
    /// Shared, because a tunnel outlives the connection that asked for it.
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Connections {
    /// Connections that are answered by `router` until `stop`.
    pub fn new(router: Router, tls: Option<TlsAcceptor>, limits: Limits, stop: CancellationToken) -> Self {
        Self {
            router,
            tls,
            header_time_max: limits.header_time,
            free: Arc::new(Semaphore::new(limits.connections)),
            room_at_once: 1 + limits.connections / ROOM_SHARE,
            waiting: Arc::default(),
            open: TaskTracker::new(),
            stop,
        }
    }

    /// Serves both listeners until stopped, then until the requests in progress are answered.
    pub async fn serve(self, plain: TcpListener, tls: Option<TcpListener>) {
        let shared = Arc::new(self);
        let open = shared.open.clone();
        let encrypted = async {
            if let Some(listener) = tls {
                shared.accept_all(listener, true).await;
            }
        };
        tokio::join!(shared.accept_all(plain, false), encrypted);
        drop(shared);
        open.close();
        open.wait().await;
    }

    async fn accept_all(self: &Arc<Self>, listener: TcpListener, encrypted: bool) {
        let next = async || {
            let (stream, peer) = accept(&listener).await;
            (stream, peer, self.room().await)
        };
        while let Some((stream, peer, permit)) = self.stop.run_until_cancelled(next()).await {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
            }
            let place = Place::new(Arc::clone(&self.waiting));
            let cut = Arc::<Cut>::default();
            let stream = Socket::new(stream, Arc::clone(&cut));
            let client = Client { peer, cut, place, _permit: Arc::new(permit) };
            let shared = Arc::clone(self);
            self.open.spawn(async move {
                if encrypted { shared.tls(stream, client).await } else { shared.http(stream, client).await }
            });
        }
    }

    /// Waits for a free place among the connections. Those that wait for their client longest
    /// must go for it; one that is being answered never has to.
    async fn room(&self) -> OwnedSemaphorePermit {
        loop {
            let free = Arc::clone(&self.free);
            if let Ok(permit) = free.try_acquire_owned() {
                return permit;
            }
            self.waiting.end_longest(self.room_at_once);
            let freed = tokio::time::timeout(PAUSE, Arc::clone(&self.free).acquire_owned()).await;
            if let Ok(Ok(permit)) = freed {
                return permit;
            }
        }
    }

    async fn tls(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        client: Client,
    ) {
        let Some(acceptor) = self.tls.clone() else { return };
        let handshake = tokio::time::timeout(HANDSHAKE_TIME_MAX, acceptor.accept(stream));
        tokio::select! {
            outcome = handshake => match outcome {
                Ok(Ok(stream)) => self.http(stream, client).await,
                Ok(Err(error)) => tracing::debug!(peer = %client.peer, %error, "no TLS handshake"),
                Err(_) => tracing::debug!(peer = %client.peer, "the TLS handshake takes too long"),
            },
            () = client.place.ended() => {}
            () = self.stop.cancelled() => {}
        }
    }

    async fn http(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        client: Client,
    ) {
        let (peer, place, cut) = (client.peer, Arc::clone(&client.place), Arc::clone(&client.cut));
        let shared = Arc::clone(&self);
        let answer = service_fn(move |request| Arc::clone(&shared).answer(request, client.clone()));
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_time_max)
            .serve_connection(TokioIo::new(stream), answer)
            .with_upgrades();
        let mut serving = pin!(serving);
        let grace = tokio::select! {
            outcome = serving.as_mut() => return log_end(peer, outcome),
            () = cut.asked() => return,
            () = self.stop.cancelled() => SHUTDOWN_TIME_MAX,
            () = place.ended() => ROOM_TIME_MAX,
        };
        serving.as_mut().graceful_shutdown();
        tokio::select! {
            ended = tokio::time::timeout(grace, serving) => match ended {
                Ok(outcome) => log_end(peer, outcome),
                Err(_) => tracing::warn!(%peer, "connection cut: its request does not end"),
            },
            () = cut.asked() => {}
        }
    }

    /// TLS inside the connection that a `CONNECT` has turned into a tunnel, whatever host that
    /// named. Boxed, because a tunnel may ask for a tunnel.
    fn tunnel(
        self: Arc<Self>,
        tunnel: OnUpgrade,
        client: Client,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            match tunnel.await {
                Ok(stream) => self.tls(TokioIo::new(stream), client).await,
                Err(error) => tracing::debug!(peer = %client.peer, %error, "no tunnel"),
            }
        })
    }

    async fn answer(
        self: Arc<Self>,
        mut request: Request<Incoming>,
        client: Client,
    ) -> Result<axum::response::Response, std::convert::Infallible> {
        if request.method() == Method::CONNECT && self.tls.is_some() {
            let tracker = self.open.clone();
            tracker.spawn(self.tunnel(hyper::upgrade::on(request), client));
            return Ok(axum::response::Response::new(Body::empty()));
        }
        request.extensions_mut().insert(Peer { address: client.peer, cut: client.cut });
        let place = client.place;
        let request = request.map(|body| Body::new(Arriving::new(body, Arc::clone(&place))));
        let answered = self.router.clone().oneshot(request).await;
        place.waits();
        answered
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn log_end(peer: SocketAddr, outcome: Result<(), hyper::Error>) {
    if let Err(error) = outcome {
        tracing::debug!(%peer, %error, "connection broke");
    }
}
