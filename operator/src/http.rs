//! `/healthz`, `/readyz` and `/metrics`.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::Metrics;
use crate::webhook::figures::Figures;

/// Whether the operator sees its objects: the CRD is served and the watch is established.
#[derive(Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// From now on `/readyz` says yes.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// What `/readyz` says.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What `/metrics` shows.
#[derive(Clone)]
pub struct Served {
    /// Of the controller.
    pub metrics: Arc<Metrics>,
    /// Of the webhook and the audit.
    pub figures: Arc<Figures>,
}

/// Answers until `shutdown`.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    served: Served,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let ready = move || async move {
        match readiness.is_set() {
            true => (StatusCode::OK, "ok\n"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "waiting for the AliyunLogConfig CRD and its watch\n"),
        }
    };
    let app = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .with_state(served);
    axum::serve(listener, app).with_graceful_shutdown(shutdown).await
}

async fn render(State(served): State<Served>) -> impl IntoResponse {
    let text = served.metrics.render() + &served.figures.render();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
