//! Shows the logs that a query finds as they come, one JSON object a line, until the client goes away.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use sls_api::ops::logs::Row;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::look::{Seen, Wanted};
use super::selector::{Scope, Selector};
use super::waiting;
use super::{Refusal, Selection, selector};
use crate::app::App;
use crate::arrivals::Listener;
use crate::error::ApiError;

/// Chunks that wait for a slow reader (own choice: then nothing further is read).
const CHUNKS_MAX: usize = 4;
/// Logs and bytes of them after which a look ends; the next goes on there (own choice).
const LOGS_MAX: usize = 10_000;
const LOGS_BYTES_MAX: usize = 4 << 20;

/// What is asked besides which logs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tail {
    project: String,
    logstore: String,
    query: Option<String>,
    scope: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
    /// Whether logs that are there already are shown too.
    #[serde(default)]
    all: bool,
}

pub(super) async fn tail(
    State(app): State<Arc<App>>,
    asked: Result<Query<Tail>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(Tail { project, logstore, query, scope, from, to, all }) = asked?;
    let from_now = !all && scope.is_none();
    let mut selector = selector(&app, &Selection { project, logstore, query, scope, from, to })?;
    if selector.has_rows {
        return Err(ApiError::ParameterInvalid(
            "query: logs are shown as they come, so there can be no pipeline and no SQL behind the search"
                .to_owned(),
        )
        .into());
    }
    if from_now {
        selector.scope = Some(Arc::new(app.store.read(Scope::now).await?));
    }
    let following = Following::begin(app, selector).await?;
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    tokio::spawn(following.until_the_end(sender));
    let mut response = Body::from_stream(ReceiverStream::new(receiver)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// Somebody who is shown logs.
struct Following {
    app: Arc<App>,
    selector: Arc<Selector>,
    wanted: Arc<Wanted>,
    listener: Listener,
    seen: Seen,
}

impl Following {
    /// With what is there already.
    async fn begin(app: Arc<App>, selector: Selector) -> Result<Self, ApiError> {
        let listener = app.arrivals.listen(selector.project.as_str(), selector.logstore.as_str());
        let wanted =
            Wanted { logs_max: LOGS_MAX, logs_bytes_max: LOGS_BYTES_MAX, follows: true, ..Wanted::default() };
        let following =
            Self { app, selector: selector.into(), wanted: wanted.into(), listener, seen: Seen::default() };
        following.look().await
    }

    /// Looks once. That nothing can be searched is an error: to be silent would look like no logs.
    async fn look(self) -> Result<Self, ApiError> {
        let Self { app, selector, wanted, listener, seen } = self;
        let (which, what) = (Arc::clone(&selector), Arc::clone(&wanted));
        let seen = waiting::look(&app, move |snapshot| seen.look(snapshot, &which, &what)).await?;
        match &seen.problem {
            Some(problem) => Err(ApiError::ParameterInvalid(format!("nothing can be searched: {problem}"))),
            None => Ok(Self { app, selector, wanted, listener, seen }),
        }
    }

    /// Sends what is found, until nobody reads it or nothing can be found any more: then the answer breaks off.
    async fn until_the_end(mut self, sender: mpsc::Sender<Result<Bytes, ApiError>>) {
        loop {
            let full = self.seen.is_full(&self.wanted);
            let lines = lines(&self.seen.take_logs());
            if !lines.is_empty() && sender.send(Ok(lines)).await.is_err() {
                return;
            }
            if !full {
                tokio::select! {
                    () = self.listener.changed() => {}
                    () = sender.closed() => return,
                    () = self.app.stop.cancelled() => return,
                }
            }
            self = match self.look().await {
                Ok(following) => following,
                Err(error) => {
                    tracing::info!(%error, "logs cannot be shown any more");
                    // Whoever does not read any more needs no reason.
                    let _ = sender.send(Err(error)).await;
                    return;
                }
            };
        }
    }
}

fn lines(logs: &[Row]) -> Bytes {
    let mut lines = Vec::new();
    for log in logs {
        // A row of texts always becomes JSON, and a vector takes all.
        let _ = serde_json::to_writer(&mut lines, log);
        lines.push(b'\n');
    }
    lines.into()
}
