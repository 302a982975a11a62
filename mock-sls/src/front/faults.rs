//! What a plan of [`crate::faults`] does to a request: [`before`] its handler, and [`after`] it to the
//! answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http::HeaderValue;
use http::header::CONTENT_LENGTH;
use hyper::body::Frame;
use jiff::Timestamp;
use sls_api::header;
use sls_expect::fault::{Quota, Reset, WrongRequestId};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::seen::Seen;
use super::{Stop, request_id};
use crate::app::App;
use crate::error::ApiError;
use crate::faults::{BodyFault, Ending, Facts, Plan, Wait};
use crate::route::Reading;
use crate::server::cut::How;

/// How often a slow body sends something (own choice: smooth enough for a client's time-out).
const SLOW_TICK: Duration = Duration::from_millis(50);
/// Ticks in a second.
const SLOW_TICKS_PER_S: u64 = 20;
/// How long a slow body may take before the rest of it is cut off (own choice, as a hang).
const SLOW_TIME_MAX: Duration = Duration::from_secs(600);

/// Carries out what comes before the handler.
///
/// # Errors
/// How the request ends without it.
pub async fn before(plan: &Plan, facts: &Facts<'_>, app: &App) -> Result<(), Stop> {
    if let Some(delay) = &plan.delay {
        wait(delay, app).await;
    }
    match &plan.ending {
        None | Some(Ending::Reset(Reset::After)) => Ok(()),
        Some(Ending::Reset(Reset::Before)) => Err(Stop::Cut(How::Reset)),
        Some(Ending::Hang(time)) => {
            wait(time, app).await;
            Err(Stop::Cut(How::Close))
        }
        Some(Ending::Quota(quota)) => Err(exceeded(*quota, facts.shard().unwrap_or_default()).into()),
        Some(Ending::Error(answer, message)) => Err(Stop::Injected {
            status: answer.status,
            code: answer.code().to_owned(),
            message: answer.message.clone().unwrap_or_else(|| message.clone()),
        }),
    }
}

fn exceeded(quota: Quota, shard: u32) -> ApiError {
    match quota {
        Quota::Write => ApiError::WriteQuotaExceed,
        Quota::ShardWrite => ApiError::ShardWriteQuotaExceed(shard),
        Quota::Read => ApiError::ReadQuotaExceed,
        Quota::ShardRead => ApiError::ShardReadQuotaExceed(shard),
    }
}

/// Waits until the time is over, its rule is removed or the server stops.
async fn wait(wait: &Wait, app: &App) {
    tokio::select! {
        () = tokio::time::sleep(wait.time) => {}
        () = wait.removed.cancelled() => {}
        () = app.stop.cancelled() => {}
    }
}

/// What time it is for a request.
pub fn clock(plan: Option<&Plan>, now: Timestamp) -> Timestamp {
    match plan.and_then(|plan| plan.clock_offset) {
        Some(offset) => now.saturating_add(offset).unwrap_or(now),
        None => now,
    }
}

/// What happens to the answer of a query.
pub fn reading(plan: Option<&Plan>, now: Timestamp) -> Reading {
    let Some(plan) = plan else { return Reading::default() };
    let until = |delay| now.checked_sub(delay).unwrap_or(Timestamp::MIN);
    Reading { incomplete: plan.incomplete, came_until: plan.visibility_delay.map(until) }
}

/// Carries out what comes after the handler, or returns how the connection ends instead.
pub fn after(plan: &Plan, mut response: Response, seen: &mut Seen<'_>) -> Result<Response, How> {
    if matches!(plan.ending, Some(Ending::Reset(Reset::After))) {
        return Err(How::Reset);
    }
    match plan.request_id {
        None => {}
        Some(WrongRequestId::Absent) => {
            response.headers_mut().remove(header::REQUEST_ID);
        }
        Some(WrongRequestId::Other) => {
            if let Ok(other) = HeaderValue::from_str(&request_id()) {
                response.headers_mut().insert(header::REQUEST_ID, other);
            }
        }
    }
    Ok(match &plan.body {
        None => response,
        Some(BodyFault::Slow(bytes_per_s, removed)) => {
            response.map(|body| Body::new(Slow::new(body, *bytes_per_s, removed.clone())))
        }
        Some(BodyFault::Truncated(bytes)) => {
            seen.lost();
            truncated(response, *bytes)
        }
    })
}

/// The response with its whole length announced and only the first bytes of its body.
fn truncated(mut response: Response, bytes: u64) -> Response {
    let whole = response.body().size_hint().exact().unwrap_or_default();
    let announced = whole.max(bytes.saturating_add(1).min(whole.saturating_add(1)));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(announced));
    response.map(|body| Body::new(Cut { body, left: bytes, flushed: false }))
}

/// A body that breaks off.
struct Cut {
    body: Body,
    left: u64,
    /// Whether the connection has had a turn to send what it got.
    flushed: bool,
}

impl HttpBody for Cut {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.left > 0
            && let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut self.body).poll_frame(context)
            && let Ok(mut data) = frame.into_data()
        {
            let length = data.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            data.truncate(length);
            self.left -= length as u64;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if !self.flushed {
            // An error would take what is not sent yet with it.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(axum::Error::new(io::Error::other("a fault cuts the answer off")))))
    }
}

/// A body that comes slowly.
struct Slow {
    body: Body,
    rest: Bytes,
    per_s: u64,
    /// Bytes that were let through.
    sent: u64,
    began: Instant,
    tick: Pin<Box<Sleep>>,
    /// Resolves when the rest may come at once.
    removed: Pin<Box<WaitForCancellationFutureOwned>>,
    is_free: bool,
}

impl Slow {
    fn new(body: Body, bytes_per_s: u64, removed: CancellationToken) -> Self {
        let tick = Box::pin(tokio::time::sleep(SLOW_TICK));
        Self {
            body,
            rest: Bytes::new(),
            per_s: bytes_per_s,
            sent: 0,
            began: Instant::now(),
            tick,
            removed: Box::pin(removed.cancelled_owned()),
            is_free: false,
        }
    }

    /// Bytes that may have been let through by now.
    fn allowed(&self) -> u64 {
        let ticks =
            u64::try_from(self.began.elapsed().as_millis() / SLOW_TICK.as_millis()).unwrap_or(u64::MAX);
        u64::try_from(u128::from(ticks) * u128::from(self.per_s) / u128::from(SLOW_TICKS_PER_S))
            .unwrap_or(u64::MAX)
    }
}

impl HttpBody for Slow {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                other => return other,
            }
        }
        self.is_free = self.is_free || self.removed.as_mut().poll(context).is_ready();
        if self.is_free {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.rest)))));
        }
        if self.began.elapsed() >= SLOW_TIME_MAX {
            return Poll::Ready(Some(Err(axum::Error::new(io::Error::other(
                "the slow answer takes too long",
            )))));
        }
        loop {
            let room = self.allowed().saturating_sub(self.sent);
            if room > 0 {
                let length = self.rest.len().min(usize::try_from(room).unwrap_or(usize::MAX));
                self.sent += length as u64;
                return Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))));
            }
            if self.tick.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let next = Instant::now() + SLOW_TICK;
            self.tick.as_mut().reset(next);
        }
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        match hint.upper() {
            Some(upper) if upper == hint.lower() => hint.set_exact(upper + rest),
            _ => hint.set_lower(hint.lower() + rest),
        }
        hint
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }
}
