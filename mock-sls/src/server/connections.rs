//! Accepts connections and serves HTTP/1.1 on each, bounded in number and time.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Open connections at a time; further ones wait to be accepted (own choice, below the usual
/// limit of open files).
const CONNECTIONS_MAX: usize = 900;
/// How long a connection may take to send a request's header, and may be idle before it (own
/// choice, above the time after which clients drop an unused connection themselves).
const HEADER_TIME_MAX: Duration = Duration::from_secs(120);
/// Pause after a failed accept, which is usually a lack of files that others must close first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a request in progress may take to end after a shutdown began (own choice).
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(10);

/// Serves until `stop`, then until the requests in progress are answered.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let open = TaskTracker::new();
    while let Some((stream, peer, permit)) = next(&listener, &free, &stop).await {
        open.spawn(connection(stream, peer, router.clone(), stop.clone(), permit));
    }
    drop(router);
    open.close();
    open.wait().await;
}

/// The next connection; none once stopped.
async fn next(
    listener: &TcpListener,
    free: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let accepted = async {
        let permit = Arc::clone(free).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => return Some((stream, peer, permit)),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accepted).await.flatten()
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    stop: CancellationToken,
    _permit: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
    }
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    let mut serving = pin!(serving);
    let outcome = tokio::select! {
        outcome = serving.as_mut() => outcome,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            match tokio::time::timeout(SHUTDOWN_TIME_MAX, serving).await {
                Ok(outcome) => outcome,
                Err(_) => return tracing::warn!(%peer, "connection cut: its request does not end"),
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%peer, %error, "connection broke");
    }
}
