//! The console: what a person does with the emulator in a browser, served on a port of its own.
//!
//! Pages are written here as HTML ([`page`]); small ES modules in `assets/` add what a page cannot do alone. What a
//! page shows or changes goes through the operations of the API ([`calls`]), so a console and an SDK see the
//! same. Who may ask is decided in one place ([`guard`]). Described for users in `docs/console.md`.

mod agents;
mod assets;
mod calls;
mod cluster;
mod configs;
mod consumer_groups;
mod fields;
mod forms;
mod guard;
mod index;
mod lang;
mod listing;
mod logstores;
mod machine_groups;
mod overview;
mod page;
mod place;
mod preferences;
mod problem;
mod projects;
mod query;
mod shards;
mod shown;
mod testbed;
mod visit;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::get;
use sls_api::sign::Secret;
use tokio::net::TcpListener;

use crate::app::App;
use crate::config::Limits;
use crate::server::connections::Connections;

use self::cluster::Cluster;
use self::guard::Door;

/// Whether and where to serve the console.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What a visitor must know. `None` on a loopback address lets everybody in who reaches it; on any other
    /// address one is made up then, see [`crate::Running::console_url`].
    pub token: Option<Secret>,
    /// Base of an HTTP API server of Kubernetes that needs no credentials, such as kube-sim's or that of
    /// `kubectl proxy`, for the pages of the cluster. `http://HOST:PORT`.
    pub cluster: Option<String>,
}

impl Default for Settings {
    /// A free port of the loopback address, for everybody who reaches it.
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), token: None, cluster: None }
    }
}

/// What all requests to the console share.
pub(crate) struct Console {
    app: Arc<App>,
    door: Door,
    /// Where the API listens, for hints how to reach it.
    api: SocketAddr,
    /// See [`Settings::cluster`].
    cluster: Option<Cluster>,
}

/// A console that can be served.
pub(crate) struct Ready {
    listener: TcpListener,
    address: SocketAddr,
    console: Arc<Console>,
    url: String,
}

impl Ready {
    /// The console on this listener, for the emulator whose API listens on `api`.
    pub(crate) fn new(
        settings: Settings,
        listener: TcpListener,
        address: SocketAddr,
        app: Arc<App>,
        api: SocketAddr,
    ) -> Self {
        let door = Door::new(address, settings.token);
        let url = door.url(address);
        let cluster = settings.cluster.as_deref().map(Cluster::new);
        let console = Arc::new(Console { app, door, api, cluster });
        Self { listener, address, console, url }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to open in a browser; holds the token if one was made up.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Answers until the emulator stops.
    pub(crate) async fn serve(self, limits: Limits) {
        let stop = self.console.app.stop.clone();
        Connections::new(router(&self.console), None, limits, stop).serve(self.listener, None).await;
    }
}

/// Everything that is served. A subject adds its pages with a `routes()` of its own.
fn router(console: &Arc<Console>) -> Router {
    let pages = Router::new()
        .merge(projects::routes())
        .merge(overview::routes())
        .merge(logstores::routes())
        .merge(query::routes())
        .merge(index::routes())
        .merge(shards::routes())
        .merge(consumer_groups::routes())
        .merge(machine_groups::routes())
        .merge(configs::routes())
        .merge(agents::routes())
        .merge(preferences::routes())
        .merge(testbed::routes())
        .merge(cluster::routes())
        .fallback(problem::no_page)
        .method_not_allowed_fallback(problem::no_page);
    pages
        .route("/assets/{version}/{name}", get(assets::serve))
        .layer(middleware::from_fn_with_state(Arc::clone(console), guard::guard))
        .with_state(Arc::clone(console))
}
