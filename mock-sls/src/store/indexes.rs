//! SQL of indexes.
//!
//! An index covers only logs written after it (document "Configure indexes"). So every change
//! makes a new generation, and each block of logs carries the generation it was written under.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction};
use sls_api::ops::indexes::Index;

use super::logstores::LogstoreId;
use super::{from_json_opt, to_json};
use crate::error::ApiError;

/// The current index of a Logstore.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredIndex {
    /// As the caller set it.
    pub index: Index,
    /// Counts the changes, from 1; logs of a lower generation were written before it.
    pub generation: i64,
    /// Unix seconds.
    pub last_modify_time: i64,
}

/// The current index, if there is one.
pub fn get(db: &Connection, logstore: LogstoreId) -> Result<Option<StoredIndex>, ApiError> {
    let newest = db
        .prepare_cached(
            "SELECT body, generation, last_modify_time FROM indexes WHERE logstore_id = ?1 \
             ORDER BY generation DESC LIMIT 1",
        )?
        .query_row([logstore.0], |row| Ok((from_json_opt(row, 0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(newest.and_then(|(index, generation, last_modify_time)| {
        index.map(|index| StoredIndex { index, generation, last_modify_time })
    }))
}

/// Every index that the Logstore had since it was last without one, newest first, with its
/// generation. Empty when it has none now.
pub fn history(db: &Connection, logstore: LogstoreId) -> Result<Vec<(i64, Index)>, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT body, generation FROM indexes WHERE logstore_id = ?1 ORDER BY generation DESC",
    )?;
    let mut rows = query.query([logstore.0])?;
    let mut history = Vec::new();
    while let Some(row) = rows.next()?
        && let Some(index) = from_json_opt(row, 0)?
    {
        history.push((row.get(1)?, index));
    }
    Ok(history)
}

/// The generation that logs written now belong to; 0 before the first index.
pub fn generation(db: &Connection, logstore: LogstoreId) -> Result<i64, ApiError> {
    let newest = db
        .prepare_cached("SELECT max(generation) FROM indexes WHERE logstore_id = ?1")?
        .query_row([logstore.0], |row| row.get::<_, Option<i64>>(0))?;
    Ok(newest.unwrap_or_default())
}

/// Makes `index`, or its absence, the current one.
pub fn set(
    tx: &Transaction<'_>,
    logstore: LogstoreId,
    index: Option<&Index>,
    now: Timestamp,
) -> Result<(), ApiError> {
    let body = index.map(to_json).transpose()?;
    tx.execute(
        "INSERT INTO indexes (logstore_id, generation, body, last_modify_time) \
         VALUES (?1, ?2, ?3, ?4)",
        (logstore.0, generation(tx, logstore)? + 1, body, now.as_second()),
    )?;
    Ok(())
}
