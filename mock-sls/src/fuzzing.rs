//! What the fuzz targets need of the inside: the walk over log groups, the query and its logs in memory, and a
//! server without sockets. There only under `--cfg fuzzing`, which cargo-fuzz sets: users see none of it, and the compiler
//! still finds dead code in a module that is private for everyone else. Used by `fuzz/`.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::app::App;
use crate::{Config, OpenError, StateError, ops, server};

pub use crate::query::{expr, histogram, log_view, parse, request, run, source, testing};

/// Whether PutLogs takes this group in, and how many logs it counts in it.
///
/// # Errors
/// The message of the refusal.
pub fn inspect(group: &[u8]) -> Result<usize, String> {
    let selectors = ops::logs::inspect(group, &None).map_err(|error| error.to_string())?;
    Ok(selectors.map_or(0, |selectors| selectors.log_count))
}

/// The server, asked without a connection.
pub struct Service {
    app: Arc<App>,
    router: axum::Router,
}

impl Service {
    /// A server that listens nowhere.
    ///
    /// # Errors
    /// The database cannot be opened.
    pub fn new(config: Config) -> Result<Self, OpenError> {
        let app = server::app(config, IpAddr::V4(Ipv4Addr::LOCALHOST))?;
        Ok(Self { router: server::router(&app), app })
    }

    /// Answers one request, with the whole body.
    pub async fn answer(&self, request: Request<Body>) -> Response<Vec<u8>> {
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map(|whole| whole.to_bytes().to_vec()).unwrap_or_default();
        Response::from_parts(parts, bytes)
    }

    /// Keeps the state.
    ///
    /// # Errors
    /// As [`crate::Running::snapshot`].
    pub async fn snapshot(&self, name: &str) -> Result<(), StateError> {
        self.app.store.snapshot(name).await.map_err(StateError::from)
    }

    /// Brings a state back.
    ///
    /// # Errors
    /// As [`crate::Running::restore`].
    pub async fn restore(&self, name: &str) -> Result<(), StateError> {
        self.app.store.restore(name).await.map_err(StateError::from)
    }
}
