//! One call of `/_mock/v1`: JSON there and back.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::Value;
use sls_api::header;

use super::Emulator;

/// How long an answer may take beyond what the server was asked to wait (own choice).
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// Bytes of an answer (own choice: above a journal of its most bytes, written as JSON).
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Characters of an answer that is not understood which are shown (own choice).
const SHOWN_CHARS_MAX: usize = 300;

/// What sends.
pub(super) type Http = Client<HttpConnector, UnsyncBoxBody<Bytes, std::io::Error>>;

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The emulator says no.
    #[error("{why}")]
    Refused {
        /// What was answered.
        status: StatusCode,
        /// Its reason.
        why: String,
    },
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
    /// What was answered is not what an emulator of this version answers.
    pub(super) fn not_understood(status: StatusCode, why: impl std::fmt::Display) -> Self {
        Self::Refused { status, why: format!("the answer is not understood: {why}") }
    }

    /// From an answer that is none of 2xx.
    pub(super) fn refused(status: StatusCode, answer: &Value) -> Self {
        let told = ["error", "errorMessage"].iter().find_map(|key| answer.get(key)?.as_str());
        let why = told.map_or_else(|| format!("{status}: {answer}"), str::to_owned);
        Self::Refused { status, why }
    }

    /// Nothing is known yet, and the same call may bring it later: nobody answers, or an emulator that is
    /// busy or about to stop.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE,
            Self::Usage(_) => false,
            Self::Unreachable { .. } => true,
        }
    }

    /// 1 refused, 2 wrong arguments, 3 unreachable, busy or about to stop.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            passing if passing.is_passing() => 3,
            _ => 1,
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

impl Emulator {
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
        Err(CallError::refused(status, &answer))
    }

    /// Makes a call and returns status and JSON of the answer, whatever the status is.
    ///
    /// # Errors
    /// [`CallError::Unreachable`] if there is no answer, or none of an emulator.
    pub async fn answer(&self, call: Call<'_>) -> Result<(StatusCode, Value), CallError> {
        let body = call.body.as_ref().map(ToString::to_string).unwrap_or_default();
        self.answer_to(call, whole(body)).await
    }

    /// The same with a body that need not be there as a whole.
    pub(super) async fn answer_to(
        &self,
        call: Call<'_>,
        body: UnsyncBoxBody<Bytes, std::io::Error>,
    ) -> Result<(StatusCode, Value), CallError> {
        let unreachable = |why: String| CallError::Unreachable { endpoint: self.endpoint.clone(), why };
        let time_max = call.wait.saturating_add(ANSWER_TIME_MAX);
        let request = self.request(call, body)?;
        let exchange = async {
            let response = self.http.request(request).await.map_err(|error| causes(&error))?;
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
                Err(CallError::Refused {
                    status: head.status,
                    why: format!("{}: {}", head.status, shown(&body)),
                })
            }
            Err(_) => Err(unreachable(format!("something else does: {}", shown(&body)))),
        }
    }

    /// Makes a call whose answer comes bit by bit, and hands each bit to `take` until that says no or the
    /// server ends. An answer may take any time.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn stream(&self, call: Call<'_>, mut take: impl FnMut(&[u8]) -> bool) -> Result<(), CallError> {
        let unreachable = |why: String| CallError::Unreachable { endpoint: self.endpoint.clone(), why };
        let body = call.body.as_ref().map(ToString::to_string).unwrap_or_default();
        let request = self.request(call, whole(body))?;
        let answer = self.http.request(request).await.map_err(|error| unreachable(causes(&error)))?;
        let status = answer.status();
        let mut answer: Response<Incoming> = answer;
        if !status.is_success() {
            let limited = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
            let body = limited.collect().await.map_err(|error| unreachable(error.to_string()))?.to_bytes();
            let answer = serde_json::from_slice(&body).unwrap_or_else(|_| Value::String(shown(&body)));
            return Err(CallError::refused(status, &answer));
        }
        while let Some(frame) = answer.frame().await {
            let frame = frame.map_err(|error| unreachable(causes(&error)))?;
            if frame.data_ref().is_some_and(|data| !take(data)) {
                break;
            }
        }
        Ok(())
    }

    fn request<B>(&self, call: Call<'_>, body: B) -> Result<Request<B>, CallError> {
        let query = if call.query.is_empty() { String::new() } else { format!("?{}", call.query) };
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("{}/_mock/v1/{}{query}", self.endpoint, call.path));
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, header::JSON);
        }
        request.body(body).map_err(|error| CallError::Usage(error.to_string()))
    }
}

/// A body that is there.
fn whole(body: String) -> UnsyncBoxBody<Bytes, std::io::Error> {
    Full::from(body).map_err(|never| match never {}).boxed_unsync()
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
