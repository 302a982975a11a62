//! SQL of the sequence numbers of exactly-once writers.
//!
//! Such a writer sends every batch under a hash key with a number that grows, and sends it again
//! under the same number when it saw no answer; the service refuses what it has already.
//! Source: LoongCollector (`EnableExactlyOnce`; it drops a batch at `InvalidSequenceId`).

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction};

use super::logstores::LogstoreId;
use crate::error::ApiError;

/// How long the number of a key that is not used is remembered, seconds. Source: own choice, far
/// above the six hours after which LoongCollector drops what it could not send.
const KEPT_S: i64 = 7 * 86_400;

/// Takes the next number of a key.
///
/// # Errors
/// [`ApiError::InvalidSequenceId`] when it is not larger than the last one.
pub fn advance(
    tx: &Transaction<'_>,
    logstore: LogstoreId,
    key: &str,
    number: i64,
    now: Timestamp,
) -> Result<(), ApiError> {
    let last: Option<i64> = tx
        .prepare_cached("SELECT last FROM sequences WHERE logstore_id = ?1 AND key = ?2")?
        .query_row((logstore.0, key), |row| row.get(0))
        .optional()?;
    if let Some(last) = last.filter(|last| number <= *last) {
        return Err(ApiError::InvalidSequenceId { key: key.to_owned(), number, last });
    }
    tx.prepare_cached("INSERT OR REPLACE INTO sequences VALUES (?1, ?2, ?3, ?4)")?.execute((
        logstore.0,
        key,
        number,
        now.as_second(),
    ))?;
    Ok(())
}

/// Forgets keys that were not used for long, at most so many. Returns how many.
pub fn delete_unused(tx: &Transaction<'_>, now: Timestamp, keys_max: usize) -> Result<usize, ApiError> {
    let before = now.as_second().saturating_sub(KEPT_S);
    let limit = i64::try_from(keys_max).unwrap_or(i64::MAX);
    Ok(tx.execute(
        "DELETE FROM sequences WHERE (logstore_id, key) IN \
         (SELECT logstore_id, key FROM sequences WHERE use_time < ?1 LIMIT ?2)",
        (before, limit),
    )?)
}
