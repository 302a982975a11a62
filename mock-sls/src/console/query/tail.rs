//! Logs as they come: an answer without an end, a line of JSON for each moment in which logs came. A person reads a few
//! lines in a second; of what comes faster the last are shown and the others counted, so that neither the browser nor
//! the connection has to keep up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use sls_api::ops::logs::Row;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;

use super::rows::Log;
use super::view::View;
use crate::console::Console;
use crate::console::place::InLogstore;
use crate::console::problem::Problem;
use crate::error::ApiError;
use crate::expect::tail::Following;

/// How long logs are gathered before they are sent. Own choice: a person sees no difference to at once.
const TICK: Duration = Duration::from_millis(250);
/// Logs of one moment that are shown: the last of it. Own choice.
const SHOWN_MAX: usize = 50;
/// Characters of a value that are sent; all of it is on the page of the log. Own choice.
const VALUE_CHARS_MAX: usize = 300;
/// Fields of a log that are sent. Own choice.
const FIELDS_MAX: usize = 40;
/// How often a line comes at least, so that a connection that is gone is noticed.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// How long a reader may take nothing; then the tail ends, and its turn is another's. Own choice: longer than a
/// computer sleeps on a call.
const STALL_MAX: Duration = Duration::from_secs(300);
/// Tails at a time: each looks at everything that comes. Own choice.
static TAILS: Semaphore = Semaphore::const_new(20);

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/projects/{project}/logstores/{logstore}/tail", get(tail))
}

async fn tail(State(console): State<Arc<Console>>, at: InLogstore, view: View) -> Result<Response, Problem> {
    let turn = TAILS.try_acquire().map_err(|_| Problem {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "ServerBusy".to_owned(),
        message: "too many live tails are open: close one first".to_owned(),
    })?;
    let names = (&at.project, &at.logstore);
    let following = Following::from_now(Arc::clone(&console.app), names, &view.query).await?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        tokio::select! {
            () = follow(following, &at, &sender) => {}
            () = sender.closed() => {}
            () = console.app.stop.cancelled() => {}
        }
        drop(turn);
    });
    let mut response = Body::from_stream(ReceiverStream::new(receiver)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// What came since the last line.
#[derive(Default)]
struct Batch {
    seen: usize,
    last: VecDeque<Row>,
}

impl Batch {
    fn add(&mut self, logs: Vec<Row>) {
        self.seen += logs.len();
        let spare = logs.len().saturating_sub(SHOWN_MAX);
        for log in logs.into_iter().skip(spare) {
            if self.last.len() >= SHOWN_MAX {
                self.last.pop_front();
            }
            self.last.push_back(log);
        }
    }

    fn line(&mut self, at: &InLogstore) -> Bytes {
        let logs: Vec<Value> = self.last.drain(..).map(|row| log(at, &row)).collect();
        let seen = std::mem::take(&mut self.seen);
        let mut line = json!({ "seen": seen, "logs": logs }).to_string();
        line.push('\n');
        line.into()
    }
}

type Sender = mpsc::Sender<Result<Bytes, ApiError>>;

/// Sends a line; whether it was taken.
async fn send(sender: &Sender, line: Bytes) -> bool {
    matches!(timeout(STALL_MAX, sender.send(Ok(line))).await, Ok(Ok(())))
}

async fn follow(mut following: Following, at: &InLogstore, sender: &Sender) {
    let mut batch = Batch::default();
    // The first line says that everything from now on is seen.
    if !send(sender, batch.line(at)).await {
        return;
    }
    let mut sent = Instant::now();
    loop {
        let mut next = Box::pin(following.next());
        loop {
            tokio::select! {
                found = &mut next => {
                    following = match found {
                        Ok((logs, rest)) => {
                            batch.add(logs);
                            rest
                        }
                        Err(error) => {
                            tracing::info!(%error, "a live tail ends");
                            let line = format!("{}\n", json!({ "error": error.to_string() }));
                            send(sender, line.into()).await;
                            return;
                        }
                    };
                    break;
                }
                () = tokio::time::sleep(SILENCE_MAX) => {
                    if !send(sender, batch.line(at)).await {
                        return;
                    }
                }
            }
        }
        drop(next);
        if following.has_more() && sent.elapsed() < TICK {
            continue;
        }
        sleep_until(sent + TICK).await;
        if !send(sender, batch.line(at)).await {
            return;
        }
        sent = Instant::now();
    }
}

fn log(at: &InLogstore, row: &Row) -> Value {
    let log = Log::new(row);
    let all = || log.fields().chain(log.tags());
    let fields: Vec<Value> = all()
        .take(FIELDS_MAX)
        .map(|(name, value)| match value.char_indices().nth(VALUE_CHARS_MAX) {
            None => json!([name, value]),
            Some((end, _)) => json!([name, &value[..end], value.len()]),
        })
        .collect();
    let hidden = all().count().saturating_sub(FIELDS_MAX);
    json!({ "time": log.second(), "fields": fields, "hidden": hidden, "page": log.own_page(at) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_too_fast_is_counted() {
        let at = InLogstore { project: "project".parse().unwrap(), logstore: "logstore".parse().unwrap() };
        let mut batch = Batch::default();
        for second in 0..120 {
            let row =
                Row(vec![("a".to_owned(), "x".repeat(301)), ("__time__".to_owned(), second.to_string())]);
            batch.add(vec![row; 2]);
        }
        let line: Value = serde_json::from_slice(&batch.line(&at)).unwrap();
        let logs = line["logs"].as_array().unwrap();
        assert_eq!((&line["seen"], logs.len()), (&json!(240), SHOWN_MAX));
        assert_eq!(logs[SHOWN_MAX - 1]["time"], 119);
        assert_eq!(logs[0]["fields"][0], json!(["a", "x".repeat(300), 301]));
        let line: Value = serde_json::from_slice(&batch.line(&at)).unwrap();
        assert_eq!(line, json!({ "seen": 0, "logs": [] }));
    }
}
