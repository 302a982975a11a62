//! Takes in request bodies, bounded in size, time and the memory that all of them take together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::body::{Body, Bytes};
use bytes::BytesMut;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use sls_api::header;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// Largest body as sent, and largest log body before compression, in bytes. Source: limits
/// document (10 MB), error text of `PostBodyTooLarge`.
pub const BODY_BYTES_MAX: usize = 10_485_760;
/// Memory for the bodies of all requests in progress, in units of 1 KiB: 256 MiB, so 25 of the
/// largest (own choice).
const ROOM_KIB: usize = 256 * 1024;
/// Bytes of a body that get their place when it begins to arrive, so that it need not be moved as it grows (own
/// choice: what collectors send; untouched memory costs nothing, so neither does who only announces).
const RESERVED_BYTES_MAX: usize = 256 * 1024;
/// Bytes in a unit of room.
const KIB: usize = 1024;

/// Reads bodies.
#[derive(Debug)]
pub struct Bodies {
    room: Arc<Semaphore>,
    time_max: Duration,
}

/// A whole body. Its share of the memory for bodies is free again when this is dropped.
#[derive(Debug)]
pub struct Received {
    /// The body as sent.
    pub bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    /// Every body must arrive within `time_max`.
    pub fn new(time_max: Duration) -> Self {
        Self { room: Arc::new(Semaphore::new(ROOM_KIB)), time_max }
    }

    /// Reads the whole body. Room is taken as the body arrives, for what has arrived, so who
    /// only announces much takes nothing from others; what it unpacks to is taken when it is
    /// there.
    pub async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Received, ApiError> {
        let raw_bytes = check_declared(headers)?;
        match tokio::time::timeout(self.time_max, self.collect(body, raw_bytes)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ApiError::RequestTimeout { seconds: self.time_max.as_secs() }),
        }
    }

    async fn collect(&self, mut body: Body, raw_bytes: usize) -> Result<Received, ApiError> {
        let mut bytes = BytesMut::new();
        let mut room = None;
        let announced = body.size_hint().exact().unwrap_or_default();
        let announced =
            usize::try_from(announced).map_or(RESERVED_BYTES_MAX, |it| it.min(RESERVED_BYTES_MAX));
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| ApiError::PostBodyInvalid(format!("The body broke off: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            let length = bytes.len() + data.len();
            if length > BODY_BYTES_MAX {
                return Err(ApiError::PostBodyTooLarge { bytes: length as u64 });
            }
            self.take(&mut room, length)?;
            if bytes.is_empty() {
                bytes.reserve(announced);
            }
            bytes.extend_from_slice(&data);
        }
        if !bytes.is_empty() {
            self.take(&mut room, bytes.len() + raw_bytes)?;
        }
        Ok(Received { bytes: bytes.freeze(), _room: room })
    }

    /// Makes the room at least so large.
    fn take(&self, room: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), ApiError> {
        let held = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = bytes.div_ceil(KIB).saturating_sub(held);
        if wanted == 0 {
            return Ok(());
        }
        let units = u32::try_from(wanted).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.room).try_acquire_many_owned(units).map_err(|_| ApiError::ServerBusy)?;
        match room {
            Some(room) => room.merge(more),
            None => *room = Some(more),
        }
        Ok(())
    }
}

/// Refuses by the headers alone what is too large, before anything is read. Returns the declared
/// size before compression; it counts only where a compression is named: the Java and Python
/// SDKs send wrong ones with JSON.
fn check_declared(headers: &HeaderMap) -> Result<usize, ApiError> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
    let compressed = headers.contains_key(header::COMPRESS_TYPE);
    let raw = number(header::BODY_RAW_SIZE).filter(|_| compressed);
    let largest = number(CONTENT_LENGTH.as_str()).max(raw).unwrap_or_default();
    if largest > BODY_BYTES_MAX as u64 {
        return Err(ApiError::PostBodyTooLarge { bytes: largest });
    }
    Ok(usize::try_from(raw.unwrap_or_default()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies() -> Bodies {
        Bodies::new(Duration::from_secs(30))
    }

    #[tokio::test]
    async fn room_is_free_again_when_a_body_is_dropped() {
        let bodies = bodies();
        let body = || Body::from(vec![7; BODY_BYTES_MAX]);
        let mut held = Vec::new();
        let refused = loop {
            match bodies.read(&HeaderMap::new(), body()).await {
                Ok(received) => held.push(received),
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, ApiError::ServerBusy), "{refused}");
        assert_eq!(held.len(), 25);
        held.clear();
        assert!(bodies.read(&HeaderMap::new(), body()).await.is_ok());
    }

    #[tokio::test]
    async fn one_byte_over_the_limit_is_refused() {
        let body = Body::from(vec![7; BODY_BYTES_MAX + 1]);
        let refused = bodies().read(&HeaderMap::new(), body).await.unwrap_err();
        assert!(matches!(refused, ApiError::PostBodyTooLarge { .. }), "{refused}");
    }
}
