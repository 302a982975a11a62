//! The client of the cluster's API server: plain HTTP, GET only, bounded in time and size.

use std::time::Duration;

use axum::body::Bytes;
use http::header::ACCEPT;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::kinds::Kind;
use super::text;

/// How long an answer may take, with its body (own choice: somebody looks at an empty page meanwhile).
const TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer (own choice: some thousand objects).
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Objects of a list that are asked for (the page size of kubectl).
const LISTED_MAX: usize = 500;
/// Bytes of a log that are asked for (own choice: a page that a browser shows at once).
pub(super) const LOG_BYTES_MAX: usize = 1 << 20;
/// Characters of what a server says that are repeated (own choice).
const MESSAGE_CHARS_MAX: usize = 1_000;
/// Asks for the columns that kubectl prints.
const AS_TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
/// Characters of a path segment that need not be escaped.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// An API server.
pub(in crate::console) struct Cluster {
    base: String,
    client: Client<HttpConnector, Empty<Bytes>>,
}

/// Why the cluster did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(
        "no cluster is set: start mock-sls with --cluster http://HOST:PORT, for example that of `kubectl proxy`"
    )]
    Unset,
    #[error(
        "the address of the cluster is {0:?}; use http://HOST:PORT of an API server without TLS, for example that of `kubectl proxy`"
    )]
    Address(String),
    #[error("the cluster at {base} cannot be reached: {why}; does `kubectl proxy` still run?")]
    Unreachable { base: String, why: String },
    #[error("the cluster at {base} did not answer within {} s", TIME_MAX.as_secs())]
    Late { base: String },
    #[error("an answer of the cluster is larger than {ANSWER_BYTES_MAX} bytes; choose a namespace")]
    TooLarge,
    #[error("the cluster answers {status}: {message}")]
    Refused { status: StatusCode, message: String },
    #[error("what answers at {base} is no Kubernetes API: {why}")]
    NotJson { base: String, why: String },
    #[error("{0}")]
    Missing(String),
}

impl Failure {
    /// Status of the page that says so.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unset | Self::Missing(_) => StatusCode::NOT_FOUND,
            Self::Refused { status, .. } if *status == StatusCode::NOT_FOUND => StatusCode::NOT_FOUND,
            Self::Late { .. } => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        }
    }

    /// Whether the cluster says that there is no such thing.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Refused { status: StatusCode::NOT_FOUND, .. })
    }
}

/// Objects of a list, as far as they were asked for.
#[derive(Debug, Default)]
pub(super) struct List {
    pub items: Vec<Value>,
    pub goes_on: bool,
}

/// The same with the columns that kubectl prints: names, and the cells of each item.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<(Vec<Value>, Value)>,
    pub goes_on: bool,
}

impl Cluster {
    /// A server at `http://HOST:PORT`.
    pub fn new(base: &str) -> Self {
        // Servers close idle connections when they like; a request that was just sent on one of them would fail.
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(HttpConnector::new());
        Self { base: base.trim_end_matches('/').to_owned(), client }
    }

    /// Objects of a kind, in one namespace or all.
    pub(super) async fn list(&self, kind: &Kind, namespace: Option<&str>) -> Result<List, Failure> {
        self.select(kind, namespace, "").await
    }

    /// The same, only those that a field selector chooses.
    pub(super) async fn select(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        fields: &str,
    ) -> Result<List, Failure> {
        let path = format!("{}?limit={LISTED_MAX}{}", kind.path(namespace, None)?, selected(fields));
        let mut list = self.json(&path, "application/json").await?;
        let goes_on = !text(&list, "/metadata/continue").is_empty();
        match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => Ok(List { items, goes_on }),
            _ => Err(self.not_json("a list without items".to_owned())),
        }
    }

    /// Objects of a kind with the columns of kubectl.
    pub(super) async fn table(&self, kind: &Kind, namespace: Option<&str>) -> Result<Table, Failure> {
        let path = format!("{}?limit={LISTED_MAX}&includeObject=Object", kind.path(namespace, None)?);
        let table = self.json(&path, AS_TABLE).await?;
        let shown = |column: &&Value| super::number(column, "/priority") == 0;
        let definitions = super::items(&table, "/columnDefinitions");
        let places: Vec<usize> =
            definitions.iter().enumerate().filter(|(_, it)| shown(it)).map(|(at, _)| at).collect();
        let columns = definitions.iter().filter(shown).map(|it| text(it, "/name").to_owned()).collect();
        let rows = super::items(&table, "/rows").iter().map(|row| {
            let cells = super::items(row, "/cells");
            let cells = places.iter().map(|at| cells.get(*at).cloned().unwrap_or_default());
            (cells.collect(), row.get("object").cloned().unwrap_or_default())
        });
        let goes_on = !text(&table, "/metadata/continue").is_empty();
        Ok(Table { columns, rows: rows.collect(), goes_on })
    }

    /// One object.
    pub(super) async fn get(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Value, Failure> {
        self.json(&kind.path(namespace, Some(name))?, "application/json").await
    }

    /// The end of a container's log.
    pub(super) async fn log(
        &self,
        (namespace, pod): (&str, &str),
        container: &str,
        lines: usize,
        previous: bool,
    ) -> Result<Bytes, Failure> {
        let pod = super::kinds::PODS.path(Some(namespace), Some(pod))?;
        let container = escaped(container);
        let path = format!(
            "{pod}/log?container={container}&tailLines={lines}&limitBytes={LOG_BYTES_MAX}&previous={previous}"
        );
        self.bytes(&path, "*/*").await
    }

    async fn json(&self, path: &str, accept: &str) -> Result<Value, Failure> {
        let bytes = self.bytes(path, accept).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.not_json(error.to_string()))
    }

    async fn bytes(&self, path: &str, accept: &str) -> Result<Bytes, Failure> {
        let asked = tokio::time::timeout(TIME_MAX, self.ask(path, accept)).await;
        let (status, bytes) = asked.map_err(|_| Failure::Late { base: self.base.clone() })??;
        if status == StatusCode::OK {
            return Ok(bytes);
        }
        let told = serde_json::from_slice::<Value>(&bytes).unwrap_or_default();
        let message = match text(&told, "/message") {
            "" => String::from_utf8_lossy(&bytes).into_owned(),
            message => message.to_owned(),
        };
        let message = message.trim().chars().take(MESSAGE_CHARS_MAX).collect();
        Err(Failure::Refused { status, message })
    }

    async fn ask(&self, path: &str, accept: &str) -> Result<(StatusCode, Bytes), Failure> {
        let address = || Failure::Address(self.base.clone());
        let uri: Uri = format!("{}{path}", self.base).parse().map_err(|_| address())?;
        if uri.scheme_str() != Some("http") || uri.authority().is_none() {
            return Err(address());
        }
        let request = Request::get(uri).header(ACCEPT, accept).body(Empty::new()).map_err(|_| address())?;
        let unreachable = |error: &dyn std::error::Error| {
            // The cause says more than "client error".
            let mut cause = error;
            while let Some(next) = cause.source() {
                cause = next;
            }
            Failure::Unreachable { base: self.base.clone(), why: cause.to_string() }
        };
        let response = self.client.request(request).await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        match Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await {
            Ok(body) => Ok((status, body.to_bytes())),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Failure::TooLarge),
            Err(error) => Err(unreachable(&*error)),
        }
    }

    fn not_json(&self, why: String) -> Failure {
        Failure::NotJson { base: self.base.clone(), why }
    }
}

/// A segment of a path or a value in a query.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn selected(fields: &str) -> String {
    if fields.is_empty() { String::new() } else { format!("&fieldSelector={}", escaped(fields)) }
}
