//! The log of requests and answers that tests ask for with
//! [`Running::record`](crate::Running::record), to replay it elsewhere
//! ([`crate::replay`]). The HTTP shell writes it.
//!
//! While it is kept, requests are handled one at a time, so that the log is in
//! the order in which they had their effects.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use http::request::Parts;
use http::{HeaderMap, header};

/// Requests kept at most; later ones are counted only.
pub const EXCHANGES_MAX: usize = 10_000;
/// Bytes of bodies kept at most, requests and answers together.
pub const BYTES_MAX: usize = 64 * 1024 * 1024;

/// A request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exchange {
    /// Method.
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// `Content-Type` of the request; empty if it had none.
    pub content_type: String,
    /// `Accept` of the request; empty if it had none.
    pub accept: String,
    /// `User-Agent` of the request; empty if it had none.
    pub user_agent: String,
    /// Body of the request.
    pub body: Bytes,
    /// Status code of the answer.
    pub code: u16,
    /// Whether the answer is a stream: a watch, or a log that is followed.
    pub streamed: bool,
    /// Body of the answer; of a stream, what was sent so far.
    pub answer: Vec<u8>,
}

/// What was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recording {
    /// In the order of their effects.
    pub exchanges: Vec<Exchange>,
    /// Requests and parts of streams that were left out because the log was
    /// full; a recording is whole if there are none.
    pub left_out: usize,
}

#[derive(Debug, Default)]
struct Log {
    recording: Recording,
    bytes: usize,
}

impl Log {
    fn has_room(&mut self, bytes: usize) -> bool {
        let room = self.bytes + bytes <= BYTES_MAX;
        if room {
            self.bytes += bytes;
        } else {
            self.recording.left_out += 1;
        }
        room
    }
}

/// Keeps the log.
#[derive(Debug, Default)]
pub struct Recorder {
    active: AtomicBool,
    turns: tokio::sync::Mutex<()>,
    log: Arc<Mutex<Log>>,
}

/// The right to be the one request that is handled.
pub struct Turn<'a> {
    log: &'a Arc<Mutex<Log>>,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// Begins to record.
    pub fn start(&self) {
        self.active.store(true, Ordering::SeqCst);
    }

    /// What was recorded so far.
    pub fn recording(&self) -> Recording {
        lock(&self.log).recording.clone()
    }

    /// Waits for the requests before; at once, and with nothing to note, when
    /// nothing is recorded.
    pub async fn turn(&self) -> Option<Turn<'_>> {
        if !self.active.load(Ordering::SeqCst) {
            return None;
        }
        Some(Turn { log: &self.log, _turn: self.turns.lock().await })
    }
}

impl Turn<'_> {
    /// Notes a request and its answer, and gives the answer back.
    pub async fn note(self, request: &Parts, body: &Bytes, response: Response) -> Response {
        let (head, answer) = response.into_parts();
        let streamed = answer.size_hint().exact().is_none();
        let mut exchange = Exchange {
            method: request.method.to_string(),
            uri: request.uri.to_string(),
            content_type: text(&request.headers, header::CONTENT_TYPE),
            accept: text(&request.headers, header::ACCEPT),
            user_agent: text(&request.headers, header::USER_AGENT),
            body: body.clone(),
            code: head.status.as_u16(),
            streamed,
            answer: Vec::new(),
        };
        if streamed {
            let Some(index) = push(self.log, exchange) else { return Response::from_parts(head, answer) };
            let log = Arc::clone(self.log);
            let seen = answer.into_data_stream().inspect(move |part| {
                let Ok(part) = part else { return };
                let mut log = lock(&log);
                if log.has_room(part.len())
                    && let Some(exchange) = log.recording.exchanges.get_mut(index)
                {
                    exchange.answer.extend_from_slice(part);
                }
            });
            return Response::from_parts(head, Body::from_stream(seen));
        }
        // An answer that is not a stream is in memory already.
        let answer = to_bytes(answer, usize::MAX).await.unwrap_or_default();
        exchange.answer = answer.to_vec();
        push(self.log, exchange);
        Response::from_parts(head, Body::from(answer))
    }
}

/// Its place in the log, if there was room.
fn push(log: &Mutex<Log>, exchange: Exchange) -> Option<usize> {
    let mut log = lock(log);
    if log.recording.exchanges.len() >= EXCHANGES_MAX {
        log.recording.left_out += 1;
        return None;
    }
    if !log.has_room(exchange.body.len() + exchange.answer.len()) {
        return None;
    }
    log.recording.exchanges.push(exchange);
    Some(log.recording.exchanges.len() - 1)
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn note(recorder: &Recorder, response: Response) -> Response {
        let (parts, ()) = http::Request::get("/api/v1/pods?limit=1").body(()).unwrap().into_parts();
        recorder.turn().await.unwrap().note(&parts, &Bytes::new(), response).await
    }

    #[tokio::test]
    async fn nothing_is_recorded_before_somebody_asks() {
        let recorder = Recorder::default();
        assert!(recorder.turn().await.is_none());
        assert_eq!(recorder.recording(), Recording::default());
    }

    #[tokio::test]
    async fn an_answer_is_noted_and_passed_on() {
        let recorder = Recorder::default();
        recorder.start();
        let response = note(&recorder, Response::new(Body::from("text"))).await;
        assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), "text");
        let noted = recorder.recording().exchanges.remove(0);
        assert_eq!((noted.uri.as_str(), noted.code, noted.streamed), ("/api/v1/pods?limit=1", 200, false));
        assert_eq!(noted.answer, b"text");
    }

    #[tokio::test]
    async fn a_stream_is_noted_as_far_as_it_was_read() {
        let recorder = Recorder::default();
        recorder.start();
        let parts = ["one ", "two"].map(|part| Ok::<_, std::io::Error>(Bytes::from(part)));
        let response = note(&recorder, Response::new(Body::from_stream(futures::stream::iter(parts)))).await;
        let mut stream = response.into_body().into_data_stream();
        stream.next().await.unwrap().unwrap();
        let noted = &recorder.recording().exchanges[0];
        assert!(noted.streamed);
        assert_eq!(noted.answer, b"one ");
    }

    #[tokio::test]
    async fn a_full_log_counts_what_it_leaves_out() {
        let recorder = Recorder::default();
        recorder.start();
        lock(&recorder.log).bytes = BYTES_MAX;
        note(&recorder, Response::new(Body::from("text"))).await;
        assert_eq!(recorder.recording(), Recording { exchanges: Vec::new(), left_out: 1 });
    }
}
