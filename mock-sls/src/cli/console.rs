//! Options of `serve` for the console.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::anyhow;
use clap::Args;
use http::Uri;
use sls_api::sign::Secret;

use crate::ConsoleSettings;

/// Holds the token where a command line would show it to everyone on the machine.
const TOKEN_VARIABLE: &str = "MOCK_SLS_CONSOLE_TOKEN";

/// The console.
#[derive(Debug, Args)]
#[command(next_help_heading = "Console")]
pub struct Arguments {
    /// Where to serve the console for a browser. If not given: on loopback, on the port after that of the API, or
    /// a free one.
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1)]
    console: Option<Option<SocketAddr>>,

    /// Serve no console.
    #[arg(long, conflicts_with_all = ["console", "console_token", "cluster"])]
    no_console: bool,

    /// What a visitor of the console must know; better in the variable MOCK_SLS_CONSOLE_TOKEN. If neither is given,
    /// none on loopback, and one that is printed elsewhere.
    #[arg(long, value_name = "TOKEN")]
    console_token: Option<String>,

    /// Base of a Kubernetes API without credentials, such as that of `kubectl proxy`: the console shows its pods, jobs and
    /// AliyunLogConfigs.
    #[arg(long, value_name = "http://HOST:PORT", value_parser = cluster)]
    cluster: Option<String>,
}

/// The base of an API server. The console speaks HTTP without TLS and without credentials: `kubectl proxy` has both.
fn cluster(text: &str) -> Result<String, String> {
    let wrong =
        || format!("{text:?} is not http://HOST:PORT; `kubectl proxy` makes such an address of any cluster");
    let base: Uri = text.parse().map_err(|_| wrong())?;
    let bare = base.path_and_query().is_none_or(|path| path == "/");
    let plain = base.scheme_str() == Some("http") && base.port_u16().is_some();
    if plain && bare { Ok(text.to_owned()) } else { Err(wrong()) }
}

impl Arguments {
    /// The settings, for an API that will listen there.
    pub fn settings(&self, api: SocketAddr) -> anyhow::Result<Option<ConsoleSettings>> {
        if self.no_console {
            return Ok(None);
        }
        let given = self.console_token.clone().or_else(|| std::env::var(TOKEN_VARIABLE).ok());
        if given.as_deref().is_some_and(str::is_empty) {
            return Err(anyhow!("--console-token or {TOKEN_VARIABLE} is empty: give a token, or neither"));
        }
        let listen = self.console.flatten().unwrap_or_else(|| beside(api));
        Ok(Some(ConsoleSettings { listen, token: given.map(Secret::new), cluster: self.cluster.clone() }))
    }
}

/// The loopback port after that of the API. Nobody asked for it, so a port that another program has is no reason not to
/// start: a free one does too.
fn beside(api: SocketAddr) -> SocketAddr {
    let next = if api.port() == 0 { None } else { api.port().checked_add(1) };
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    next.map(at).filter(|at| TcpListener::bind(at).is_ok()).unwrap_or_else(|| at(0))
}
