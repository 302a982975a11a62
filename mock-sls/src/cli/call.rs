//! Calls of `/_mock/v1` by the commands that talk to a running emulator: one call each, JSON there and
//! back, and what went wrong as an exit code. Used by the commands beside it.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use sls_api::header;

/// How long an answer may take beyond what the server was asked to wait (own choice).
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// Bytes of an answer (own choice: above a journal of its most bytes, written as JSON).
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Characters of an answer that is not understood which are shown (own choice).
const SHOWN_CHARS_MAX: usize = 300;

/// Where the emulator is; the part of a command line that all these commands have.
#[derive(Debug, Clone, Args)]
pub struct Server {
    /// Where the emulator listens for plain HTTP.
    #[arg(long, value_name = "URL", env = "MOCK_SLS_ENDPOINT", default_value = "http://127.0.0.1:8080")]
    endpoint: Endpoint,
}

/// `http://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Endpoint(String);

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = "use http://HOST:PORT, the endpoint that `mock-sls serve` prints";
        let uri: Uri = text.parse().map_err(|error| format!("{error}: {wanted}"))?;
        match (uri.scheme_str(), uri.authority(), uri.path()) {
            (Some("http"), Some(authority), "" | "/") if uri.query().is_none() => {
                Ok(Self(format!("http://{authority}")))
            }
            _ => Err(wanted.to_owned()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The emulator says no.
    #[error("{0}")]
    Refused(String),
    /// What was given to the command makes no sense.
    #[error("{0}")]
    Usage(String),
    /// No emulator answers there.
    #[error(
        "no emulator answers at {endpoint}: {why}; start one with `mock-sls serve` or name its --endpoint"
    )]
    Unreachable {
        /// Where it was looked for.
        endpoint: String,
        /// What went wrong, with its causes.
        why: String,
    },
}

impl CallError {
    /// 1 refused, 2 wrong arguments, 3 unreachable.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable { .. } => 3,
        }
    }
}

/// One call.
#[derive(Debug)]
pub struct Call<'a> {
    /// HTTP method.
    pub method: Method,
    /// Path behind `/_mock/v1/`.
    pub path: &'a str,
    /// Query string, escaped; empty for none.
    pub query: String,
    /// JSON body.
    pub body: Option<Value>,
    /// How long the server was asked to wait before it answers.
    pub wait: Duration,
}

impl<'a> Call<'a> {
    /// A call without query and body.
    pub fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, query: String::new(), body: None, wait: Duration::ZERO }
    }
}

impl Server {
    /// Makes a call and returns the JSON of the answer.
    ///
    /// # Errors
    /// [`CallError::Refused`] for an answer other than 2xx, with the text of its member `error`;
    /// [`CallError::Unreachable`] if there is no answer, or none of an emulator.
    pub async fn call(&self, call: Call<'_>) -> Result<Value, CallError> {
        let (status, answer) = self.answer(call).await?;
        if status.is_success() {
            return Ok(answer);
        }
        let told = ["error", "errorMessage"].iter().find_map(|key| answer.get(key)?.as_str());
        Err(CallError::Refused(told.map_or_else(|| format!("{status}: {answer}"), str::to_owned)))
    }

    /// Makes a call and returns status and JSON of the answer, whatever the status is.
    ///
    /// # Errors
    /// [`CallError::Unreachable`] if there is no answer, or none of an emulator.
    pub async fn answer(&self, call: Call<'_>) -> Result<(StatusCode, Value), CallError> {
        let unreachable = |why: String| CallError::Unreachable { endpoint: self.endpoint.0.clone(), why };
        let time_max = call.wait + ANSWER_TIME_MAX;
        let request = self.request(call)?;
        let http: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let exchange = async {
            let response = http.request(request).await.map_err(|error| causes(&error))?;
            let (head, body) = response.into_parts();
            let limited = Limited::new(body, ANSWER_BYTES_MAX);
            let body = limited.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok::<_, String>((head, body))
        };
        let (head, body) = tokio::time::timeout(time_max, exchange)
            .await
            .map_err(|_| unreachable(format!("nothing came for {} s", time_max.as_secs())))?
            .map_err(unreachable)?;
        match serde_json::from_slice(&body) {
            Ok(answer) => Ok((head.status, answer)),
            // An emulator of an earlier version answers an unknown call as the service does.
            Err(_) if head.headers.contains_key(header::REQUEST_ID) || !head.status.is_success() => {
                Err(CallError::Refused(format!("{}: {}", head.status, shown(&body))))
            }
            Err(_) => Err(unreachable(format!("something else does: {}", shown(&body)))),
        }
    }

    fn request(&self, call: Call<'_>) -> Result<Request<Full<Bytes>>, CallError> {
        let query = if call.query.is_empty() { String::new() } else { format!("?{}", call.query) };
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("{}/_mock/v1/{}{query}", self.endpoint, call.path));
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, header::JSON);
        }
        let body = call.body.map(|body| body.to_string()).unwrap_or_default();
        request.body(Full::from(body)).map_err(|error| CallError::Usage(error.to_string()))
    }
}

/// An error with those behind it, since the first alone says no more than "client error".
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(SHOWN_CHARS_MAX).collect()
}

/// Runs a command that waits for a server.
///
/// # Errors
/// Those of the command, and if no runtime can be had.
pub fn run<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(command)
}

/// Prints text. Says false when nobody reads it any more, as behind `| head`.
///
/// # Errors
/// The output fails otherwise.
pub fn print(text: &str) -> anyhow::Result<bool> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("cannot print"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_scheme_and_authority_alone() {
        for text in ["http://127.0.0.1:8080", "http://127.0.0.1:8080/"] {
            assert_eq!(text.parse(), Ok(Endpoint("http://127.0.0.1:8080".to_owned())));
        }
        for text in ["", "127.0.0.1:8080", "https://127.0.0.1", "http://a/b", "http://a?b=c"] {
            let refused = text.parse::<Endpoint>().unwrap_err();
            assert!(refused.contains("use http://HOST:PORT"), "{text}: {refused}");
        }
    }

    #[tokio::test]
    async fn who_does_not_answer_is_unreachable() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let server = Server { endpoint: endpoint.parse().unwrap() };
        let error = server.call(Call::new(Method::GET, "health")).await.unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().starts_with(&format!("no emulator answers at {endpoint}: ")), "{error}");
    }

    #[tokio::test]
    async fn the_answer_of_a_server_is_returned_and_its_refusal_told() {
        let server = crate::MockSls::start(crate::Config::default()).await.unwrap();
        let called = Server { endpoint: server.endpoint().parse().unwrap() };
        let healthy = called.call(Call::new(Method::GET, "health")).await.unwrap();
        assert_eq!(healthy, serde_json::json!({ "ok": true }));
        let query = "name=absent".to_owned();
        let refused = called.call(Call { query, ..Call::new(Method::POST, "restore") }).await.unwrap_err();
        assert_eq!(refused.exit_code(), 1);
        assert!(refused.to_string().contains("absent"), "{refused}");
        let unknown = called.call(Call::new(Method::GET, "nothing")).await.unwrap_err();
        assert_eq!(unknown.exit_code(), 1, "{unknown}");
    }
}
