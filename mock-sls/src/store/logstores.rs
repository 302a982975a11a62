//! SQL of Logstores.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use sls_api::names::LogstoreName;
use sls_api::ops::logstores::{Logstore, LogstoreSettings};

use super::projects::ProjectId;
use super::{from_json, to_json};
use crate::clock::nanoseconds;
use crate::error::ApiError;

/// Key of a Logstore in the database; never used again after the Logstore is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogstoreId(pub(super) i64);

/// What writing to a Logstore needs to know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteTarget {
    /// Its key.
    pub id: LogstoreId,
    /// Whether the server adds tags of its own.
    pub append_meta: bool,
    /// Longest time from the first to the last log of a block, seconds.
    pub block_seconds_max: u32,
}

/// What reading the logs of a Logstore needs to know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadTarget {
    /// Its key.
    pub id: LogstoreId,
    /// Logs before this cursor have expired.
    pub oldest: i64,
}

/// A `ttl` of so many days or more means for ever. Source: API reference, CreateLogstore.
pub const TTL_FOREVER_DAYS: i64 = 3_650;

const NANOSECONDS_PER_DAY: i64 = 86_400 * 1_000_000_000;

/// The cursor before which logs have expired. Source of counting from the time of receipt:
/// document "Manage a Logstore" (data is kept for so many days after it was written).
pub fn oldest(ttl_days: i64, now: Timestamp) -> i64 {
    match ttl_days {
        TTL_FOREVER_DAYS.. => 0,
        days => nanoseconds(now).saturating_sub(days.saturating_mul(NANOSECONDS_PER_DAY)).max(0),
    }
}

/// Finds a Logstore to read from.
pub fn read_target(
    db: &Connection,
    project: ProjectId,
    name: &LogstoreName,
    now: Timestamp,
) -> Result<ReadTarget, ApiError> {
    db.prepare_cached("SELECT id, ttl_days FROM logstores WHERE project_id = ?1 AND name = ?2")?
        .query_row((project.0, name.as_str()), |row| read_target_of(row, now))
        .optional()?
        .ok_or_else(|| ApiError::LogStoreNotExist(name.clone()))
}

/// From the columns `id` and `ttl_days`.
fn read_target_of(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<ReadTarget> {
    Ok(ReadTarget { id: LogstoreId(row.get(0)?), oldest: oldest(row.get(1)?, now) })
}

/// Every Logstore of every project whose logs expire.
pub fn expiring(db: &Connection, now: Timestamp) -> Result<Vec<ReadTarget>, ApiError> {
    let mut query = db.prepare_cached("SELECT id, ttl_days FROM logstores WHERE ttl_days < ?1")?;
    let rows = query.query_map([TTL_FOREVER_DAYS], |row| read_target_of(row, now))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Finds a Logstore.
pub fn find(db: &Connection, project: ProjectId, name: &LogstoreName) -> Result<LogstoreId, ApiError> {
    write_target(db, project, name).map(|target| target.id)
}

/// Finds a Logstore to write to.
pub fn write_target(
    db: &Connection,
    project: ProjectId,
    name: &LogstoreName,
) -> Result<WriteTarget, ApiError> {
    db.prepare_cached(
        "SELECT id, append_meta, block_seconds_max FROM logstores WHERE project_id = ?1 AND name = ?2",
    )?
    .query_row((project.0, name.as_str()), |row| {
        Ok(WriteTarget {
            id: LogstoreId(row.get(0)?),
            append_meta: row.get(1)?,
            block_seconds_max: row.get(2)?,
        })
    })
    .optional()?
    .ok_or_else(|| ApiError::LogStoreNotExist(name.clone()))
}

/// Takes note of that there are no blocks any more.
pub fn forget_blocks(tx: &Transaction<'_>, logstore: LogstoreId) -> Result<(), ApiError> {
    tx.execute("UPDATE logstores SET block_seconds_max = 0 WHERE id = ?1", [logstore.0])?;
    Ok(())
}

/// Takes note of a block whose logs are further apart than those of all before it.
pub fn widen_blocks(tx: &Transaction<'_>, logstore: LogstoreId, seconds: u32) -> Result<(), ApiError> {
    tx.prepare_cached("UPDATE logstores SET block_seconds_max = max(block_seconds_max, ?2) WHERE id = ?1")?
        .execute((logstore.0, seconds))?;
    Ok(())
}

/// Adds a Logstore; its times are set here, its shards by [`super::shards::create`].
pub fn create(
    tx: &Transaction<'_>,
    project: ProjectId,
    logstore: &Logstore,
    now: Timestamp,
) -> Result<LogstoreId, ApiError> {
    let name = &logstore.logstore_name;
    match find(tx, project, name) {
        Ok(_) => return Err(ApiError::LogStoreAlreadyExist(name.clone())),
        Err(ApiError::LogStoreNotExist(_)) => {}
        Err(other) => return Err(other),
    }
    tx.execute(
        "INSERT INTO logstores \
         (project_id, name, body, append_meta, ttl_days, create_time, last_modify_time) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        (project.0, name.as_str(), to_json(logstore)?, logstore.append_meta, logstore.ttl, now.as_second()),
    )?;
    Ok(LogstoreId(tx.last_insert_rowid()))
}

const COLUMNS: &str = "body, create_time, last_modify_time, \
     (SELECT count(*) FROM shards WHERE logstore_id = logstores.id AND writable)";

fn stored(row: &Row<'_>) -> rusqlite::Result<Logstore> {
    Ok(Logstore {
        create_time: row.get(1)?,
        last_modify_time: row.get(2)?,
        shard_count: row.get(3)?,
        ..from_json(row, 0)?
    })
}

/// Reads a Logstore.
pub fn get(db: &Connection, id: LogstoreId) -> Result<Logstore, ApiError> {
    Ok(db.query_row(&format!("SELECT {COLUMNS} FROM logstores WHERE id = ?1"), [id.0], stored)?)
}

/// All Logstores of a project, by name.
pub fn list(db: &Connection, project: ProjectId) -> Result<Vec<Logstore>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM logstores WHERE project_id = ?1 ORDER BY name");
    let mut query = db.prepare(&sql)?;
    let rows = query.query_map([project.0], stored)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Replaces what is known of a Logstore, except its name, its shards and its creation.
pub fn update(
    tx: &Transaction<'_>,
    id: LogstoreId,
    logstore: &Logstore,
    now: Timestamp,
) -> Result<(), ApiError> {
    tx.execute(
        "UPDATE logstores SET body = ?2, append_meta = ?3, ttl_days = ?4, last_modify_time = ?5 \
         WHERE id = ?1",
        (id.0, to_json(logstore)?, logstore.append_meta, logstore.ttl, now.as_second()),
    )?;
    Ok(())
}

/// Removes a Logstore with its logs, index and shards; the space is free for others at once.
pub fn delete(tx: &Transaction<'_>, id: LogstoreId) -> Result<(), ApiError> {
    tx.execute("DELETE FROM logstores WHERE id = ?1", [id.0])?;
    Ok(())
}

/// What a caller gives over what is there.
pub fn merge(current: Logstore, given: &LogstoreSettings) -> Logstore {
    let text = |given: &Option<String>, current: String| match given {
        Some(text) if !text.is_empty() => text.clone(),
        _ => current,
    };
    Logstore {
        ttl: given.ttl.unwrap_or(current.ttl),
        enable_tracking: given.enable_tracking.unwrap_or(current.enable_tracking),
        auto_split: given.auto_split.unwrap_or(current.auto_split),
        max_split_shard: given
            .max_split_shard
            .filter(|shards| *shards > 0)
            .unwrap_or(current.max_split_shard),
        append_meta: given.append_meta.unwrap_or(current.append_meta),
        telemetry_type: text(&given.telemetry_type, current.telemetry_type),
        mode: text(&given.mode, current.mode),
        hot_ttl: given.hot_ttl.unwrap_or(current.hot_ttl),
        infrequent_access_ttl: given.infrequent_access_ttl.or(current.infrequent_access_ttl),
        encrypt_conf: given.encrypt_conf.clone().or(current.encrypt_conf),
        logstore_name: current.logstore_name,
        shard_count: current.shard_count,
        create_time: current.create_time,
        last_modify_time: current.last_modify_time,
    }
}
