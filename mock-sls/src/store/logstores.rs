//! SQL of Logstores.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use sls_api::names::LogstoreName;
use sls_api::ops::logstores::{Logstore, LogstoreSettings};

use super::projects::ProjectId;
use super::{from_json, to_json};
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
    db.prepare_cached("SELECT id, append_meta FROM logstores WHERE project_id = ?1 AND name = ?2")?
        .query_row((project.0, name.as_str()), |row| {
            Ok(WriteTarget { id: LogstoreId(row.get(0)?), append_meta: row.get(1)? })
        })
        .optional()?
        .ok_or_else(|| ApiError::LogStoreNotExist(name.clone()))
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
         (project_id, name, body, append_meta, create_time, last_modify_time) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        (project.0, name.as_str(), to_json(logstore)?, logstore.append_meta, now.as_second()),
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
        "UPDATE logstores SET body = ?2, append_meta = ?3, last_modify_time = ?4 WHERE id = ?1",
        (id.0, to_json(logstore)?, logstore.append_meta, now.as_second()),
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
