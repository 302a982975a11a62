//! Shows the logs that a query finds as they come, one JSON object a line, until the client goes away.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use sls_api::names::{LogstoreName, ProjectName};
use sls_api::ops::logs::Row;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::look::{Seen, Wanted};
use super::selector::{BadSelector, Scope, Selector};
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

/// Why rows are not shown.
const NO_ROWS: &str =
    "query: logs are shown as they come, so there can be no pipeline and no SQL behind the search";

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
        return Err(ApiError::ParameterInvalid(NO_ROWS.to_owned()).into());
    }
    if from_now {
        selector.scope = Some(Arc::new(app.store.read(Scope::now).await?));
    }
    let following = Following::begin(app, selector, false).await?;
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    tokio::spawn(following.until_the_end(sender));
    let mut response = Body::from_stream(ReceiverStream::new(receiver)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// Somebody who is shown logs.
pub(crate) struct Following {
    app: Arc<App>,
    selector: Arc<Selector>,
    wanted: Arc<Wanted>,
    listener: Listener,
    seen: Seen,
    /// Whether there was no room for all that was found, so that nothing needs to happen for more.
    more: bool,
}

impl Following {
    /// Only what comes from now on, each with its place, for the console.
    pub(crate) async fn from_now(
        app: Arc<App>,
        (project, logstore): (&ProjectName, &LogstoreName),
        query: &str,
    ) -> Result<Self, ApiError> {
        let none = (None, None);
        let scope = Some(Arc::new(app.store.read(Scope::now).await?));
        let selector = Selector::new(project.as_str(), logstore.as_str(), query, none, scope);
        let selector = selector.map_err(|error| match error {
            BadSelector::Query(error) => error.into(),
            other => ApiError::ParameterInvalid(other.to_string()),
        })?;
        if selector.has_rows {
            return Err(ApiError::ParameterInvalid(NO_ROWS.to_owned()));
        }
        Self::begin(app, selector, true).await
    }

    /// With what is there already.
    async fn begin(app: Arc<App>, selector: Selector, pack_meta: bool) -> Result<Self, ApiError> {
        let listener = app.arrivals.listen(selector.project.as_str(), selector.logstore.as_str());
        let wanted = Wanted {
            logs_max: LOGS_MAX,
            logs_bytes_max: LOGS_BYTES_MAX,
            follows: true,
            pack_meta,
            ..Wanted::default()
        };
        let (selector, wanted) = (selector.into(), wanted.into());
        let following = Self { app, selector, wanted, listener, seen: Seen::default(), more: false };
        following.look().await
    }

    /// Looks once. That nothing can be searched is an error: to be silent would look like no logs.
    async fn look(self) -> Result<Self, ApiError> {
        let Self { app, selector, wanted, listener, seen, more } = self;
        let (which, what) = (Arc::clone(&selector), Arc::clone(&wanted));
        let seen = waiting::look(&app, move |snapshot| seen.look(snapshot, &which, &what)).await?;
        match &seen.problem {
            Some(problem) => Err(ApiError::ParameterInvalid(format!("nothing can be searched: {problem}"))),
            None => Ok(Self { app, selector, wanted, listener, seen, more }),
        }
    }

    /// Waits for logs, and gives them with the follower of those after them.
    pub(crate) async fn next(mut self) -> Result<(Vec<Row>, Self), ApiError> {
        loop {
            let more = self.seen.is_full(&self.wanted);
            let logs = self.seen.take_logs();
            if !logs.is_empty() {
                self.more = more;
                return Ok((logs, self));
            }
            if !std::mem::take(&mut self.more) {
                self.listener.changed().await;
            }
            self = self.look().await?;
        }
    }

    /// Whether there are further logs already.
    pub(crate) fn has_more(&self) -> bool {
        self.more
    }

    /// Sends what is found, until nobody reads it or nothing can be found any more: then the answer breaks off.
    async fn until_the_end(mut self, sender: mpsc::Sender<Result<Bytes, ApiError>>) {
        let stop = self.app.stop.clone();
        loop {
            let next = tokio::select! {
                next = self.next() => next,
                () = sender.closed() => return,
                () = stop.cancelled() => return,
            };
            let (logs, following) = match next {
                Ok(next) => next,
                Err(error) => {
                    tracing::info!(%error, "logs cannot be shown any more");
                    // Whoever does not read any more needs no reason.
                    let _ = sender.send(Err(error)).await;
                    return;
                }
            };
            if sender.send(Ok(lines(&logs))).await.is_err() {
                return;
            }
            self = following;
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
