//! Takes in a request body, bounded in size and time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use sls_api::header;

use crate::error::ApiError;

/// Largest body as sent, and largest log body before compression, in bytes. Source: limits
/// document (10 MB), error text of `PostBodyTooLarge`.
pub const BODY_BYTES_MAX: usize = 10_485_760;
/// How long a body may take to arrive (own choice).
const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// Reads the whole body.
pub async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    check_declared(headers)?;
    let collected = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIME_MAX, collected).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(ApiError::PostBodyTooLarge { bytes: BODY_BYTES_MAX as u64 + 1 })
        }
        Ok(Err(error)) => Err(ApiError::PostBodyInvalid(format!("The body broke off: {error}"))),
        Err(_) => Err(ApiError::RequestTimeout { seconds: BODY_TIME_MAX.as_secs() }),
    }
}

/// Refuses by the headers alone what is too large, before anything is read. The declared raw
/// size counts only where a compression is named: the Java and Python SDKs send wrong ones with
/// JSON.
fn check_declared(headers: &HeaderMap) -> Result<(), ApiError> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
    let compressed = headers.contains_key(header::COMPRESS_TYPE);
    let raw = number(header::BODY_RAW_SIZE).filter(|_| compressed);
    let largest = number(CONTENT_LENGTH.as_str()).max(raw).unwrap_or_default();
    if largest > BODY_BYTES_MAX as u64 {
        return Err(ApiError::PostBodyTooLarge { bytes: largest });
    }
    Ok(())
}
