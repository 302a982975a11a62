//! The emulator's `/_mock/v1` from Rust, over HTTP: for tests whose emulator runs in another process, and
//! for the command line.
//!
//! ```no_run
//! # async fn shown() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use sls_expect::client::Emulator;
//! use sls_expect::Condition;
//!
//! let emulator: Emulator = "http://127.0.0.1:8080".parse()?;
//! let scope = emulator.scope().await?;
//! // … whatever writes the logs …
//! emulator
//!     .logstore("k8s-nginx", "access")
//!     .expect("request_method:GET and status in [200 299]")
//!     .scope(&scope)
//!     .within(Duration::from_secs(30))
//!     .each(Condition::tag("_pod_name_").matches("^nginx-"))
//!     .exactly(1000)
//!     .await?;
//! # Ok(())
//! # }
//! ```

mod account;
mod asking;
mod call;

pub use account::LedgerBody;
pub use asking::{Asking, Logstore, NotAsExpected};
pub use call::{Call, CallError};

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::{Method, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use self::call::Http;
use crate::expectation::{Expectation, STABLE_DEFAULT_MS, TIMEOUT_DEFAULT_MS};
use crate::verdict::{Explained, Verdict};

/// How long a connection may take to be made (own choice, as in the other client).
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// A running emulator. Clones share connections.
#[derive(Debug, Clone)]
pub struct Emulator {
    endpoint: String,
    http: Http,
}

impl FromStr for Emulator {
    type Err = String;

    /// `http://host:port`, as `mock-sls serve` prints it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = "use http://HOST:PORT, the endpoint that `mock-sls serve` prints";
        let uri: Uri = text.parse().map_err(|error| format!("{error}: {wanted}"))?;
        match (uri.scheme_str(), uri.authority(), uri.path()) {
            (Some("http"), Some(authority), "" | "/") if uri.query().is_none() => {
                let mut tcp = HttpConnector::new();
                tcp.set_connect_timeout(Some(CONNECT_TIME_MAX));
                let http = Client::builder(TokioExecutor::new()).build(tcp);
                Ok(Self { endpoint: format!("http://{authority}"), http })
            }
            _ => Err(wanted.to_owned()),
        }
    }
}

impl fmt::Display for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.endpoint)
    }
}

impl Emulator {
    /// The logs of one Logstore.
    pub fn logstore(&self, project: impl Into<String>, logstore: impl Into<String>) -> Logstore {
        Logstore { emulator: self.clone(), project: project.into(), logstore: logstore.into() }
    }

    /// Makes a scope of what comes from now on, and returns its name.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn scope(&self) -> Result<String, CallError> {
        self.scope_named(None).await
    }

    /// The same under this name, instead of an earlier scope of it.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn scope_named(&self, name: Option<&str>) -> Result<String, CallError> {
        let query = serde_urlencoded::to_string(name.map(|name| ("name", name)).as_slice());
        let query = query.map_err(|error| CallError::Usage(error.to_string()))?;
        let answer = self.call(Call { query, ..Call::new(Method::POST, "scopes") }).await?;
        let name = answer.get("scope").and_then(Value::as_str);
        name.map(str::to_owned)
            .ok_or_else(|| CallError::not_understood(StatusCode::OK, format!("no scope in {answer}")))
    }

    /// Waits for the verdict on an expectation.
    ///
    /// # Errors
    /// [`CallError`]: it makes no sense, or no emulator answers. That it does not hold is none.
    pub async fn expect(&self, expectation: &Expectation) -> Result<Verdict, CallError> {
        let body = serde_json::to_value(expectation).map_err(|error| CallError::Usage(error.to_string()))?;
        let call = Call { body: Some(body), wait: wait(expectation), ..Call::new(Method::POST, "expect") };
        self.verdict(call).await
    }

    /// Waits for the verdicts on several expectations, side by side.
    ///
    /// # Errors
    /// As [`Self::expect`].
    pub async fn expect_all(&self, expectations: &[Expectation]) -> Result<Vec<Verdict>, CallError> {
        #[derive(serde::Deserialize)]
        struct All {
            verdicts: Vec<Verdict>,
        }
        let wait = expectations.iter().map(wait).max().unwrap_or_default();
        let call = Call { body: Some(json!(expectations)), wait, ..Call::new(Method::POST, "expect") };
        self.verdict(call).await.map(|All { verdicts }| verdicts)
    }

    async fn verdict<T: serde::de::DeserializeOwned>(&self, call: Call<'_>) -> Result<T, CallError> {
        let (status, answer) = self.answer(call).await?;
        decided(status, answer)
    }

    /// What a query finds, and why.
    ///
    /// # Errors
    /// As [`Self::expect`].
    pub async fn explain(&self, query: String) -> Result<Explained, CallError> {
        let answer = self.call(Call { query, ..Call::new(Method::GET, "explain") }).await?;
        serde_json::from_value(answer).map_err(|error| CallError::not_understood(StatusCode::OK, error))
    }
}

/// A verdict, whichever it is.
fn decided<T: serde::de::DeserializeOwned>(status: StatusCode, answer: Value) -> Result<T, CallError> {
    match status {
        StatusCode::OK | StatusCode::EXPECTATION_FAILED => {
            serde_json::from_value(answer).map_err(|error| CallError::not_understood(status, error))
        }
        status => Err(CallError::refused(status, &answer)),
    }
}

/// How long the emulator may wait.
fn wait(expectation: &Expectation) -> Duration {
    let ms = expectation
        .timeout_ms
        .unwrap_or(TIMEOUT_DEFAULT_MS)
        .saturating_add(expectation.stable_ms.unwrap_or(STABLE_DEFAULT_MS));
    Duration::from_millis(ms)
}
