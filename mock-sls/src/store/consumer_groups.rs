//! SQL of consumer groups, their consumers and their checkpoints.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction};
use sls_api::names::ConsumerGroupName;
use sls_api::ops::consumer_groups::{CheckPoint, ConsumerGroup, ConsumerGroupChange, NewConsumerGroup};
use sls_api::ops::cursors::encode_cursor;
use sls_api::ops::shards::ShardStatus;

use super::logstores::{LogstoreId, ReadTarget};
use super::{logs, name, shards};
use crate::consumers::Progress;
use crate::error::ApiError;

/// A consumer group as it stands in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    id: i64,
    /// Milliseconds without a heartbeat after which a consumer is taken for dead.
    timeout_ms: i64,
    /// Whether shards wait for their parents.
    pub ordered: bool,
}

/// Finds a consumer group.
pub fn find(db: &Connection, logstore: LogstoreId, name: &ConsumerGroupName) -> Result<Group, ApiError> {
    let sql =
        "SELECT id, timeout_s * 1000, ordered FROM consumer_groups WHERE logstore_id = ?1 AND name = ?2";
    db.prepare_cached(sql)?
        .query_row((logstore.0, name.as_str()), |row| {
            Ok(Group { id: row.get(0)?, timeout_ms: row.get(1)?, ordered: row.get(2)? })
        })
        .optional()?
        .ok_or_else(|| ApiError::ConsumerGroupNotExist(name.clone()))
}

/// Adds a consumer group, if the Logstore has fewer than `groups_max`.
pub fn create(
    tx: &Transaction<'_>,
    logstore: LogstoreId,
    group: &NewConsumerGroup,
    groups_max: usize,
) -> Result<(), ApiError> {
    let name = &group.consumer_group;
    let have = list(tx, logstore)?;
    if have.iter().any(|other| other.name == *name) {
        return Err(ApiError::ConsumerGroupAlreadyExist(name.clone()));
    }
    if have.len() >= groups_max {
        return Err(ApiError::ConsumerGroupQuotaExceed { groups_max });
    }
    tx.execute(
        "INSERT INTO consumer_groups (logstore_id, name, timeout_s, ordered) VALUES (?1, ?2, ?3, ?4)",
        (logstore.0, name.as_str(), group.timeout, group.order),
    )?;
    Ok(())
}

/// Changes a consumer group.
pub fn update(tx: &Transaction<'_>, group: Group, change: ConsumerGroupChange) -> Result<(), ApiError> {
    tx.execute(
        "UPDATE consumer_groups SET timeout_s = coalesce(?2, timeout_s), ordered = coalesce(?3, ordered) \
         WHERE id = ?1",
        (group.id, change.timeout, change.order),
    )?;
    Ok(())
}

/// Removes a consumer group with its consumers and checkpoints.
pub fn delete(tx: &Transaction<'_>, group: Group) -> Result<(), ApiError> {
    tx.execute("DELETE FROM consumer_groups WHERE id = ?1", [group.id])?;
    Ok(())
}

/// All consumer groups of a Logstore, by name.
pub fn list(db: &Connection, logstore: LogstoreId) -> Result<Vec<ConsumerGroup>, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT name, timeout_s, ordered FROM consumer_groups WHERE logstore_id = ?1 ORDER BY name",
    )?;
    let rows = query.query_map([logstore.0], |row| {
        Ok(ConsumerGroup { name: name(row, 0)?, timeout: row.get(1)?, order: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Removes the consumers that were silent for too long, and with them what they owned.
pub fn drop_silent(tx: &Transaction<'_>, group: Group, now: Timestamp) -> Result<(), ApiError> {
    tx.prepare_cached("DELETE FROM consumers WHERE group_id = ?1 AND heartbeat_time < ?2")?
        .execute((group.id, oldest_heartbeat(group, now)))?;
    Ok(())
}

fn oldest_heartbeat(group: Group, now: Timestamp) -> i64 {
    now.as_millisecond().saturating_sub(group.timeout_ms)
}

/// The consumers of a group.
pub fn consumers(db: &Connection, group: Group) -> Result<BTreeSet<String>, ApiError> {
    let mut query = db.prepare_cached("SELECT name FROM consumers WHERE group_id = ?1")?;
    let rows = query.query_map([group.id], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether a consumer is in the group and was not silent for too long.
pub fn lives(db: &Connection, group: Group, consumer: &str, now: Timestamp) -> Result<bool, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM consumers WHERE group_id = ?1 AND name = ?2 \
         AND heartbeat_time >= ?3)",
    )?;
    Ok(query.query_row((group.id, consumer, oldest_heartbeat(group, now)), |row| row.get(0))?)
}

/// Notes a heartbeat.
pub fn note_heartbeat(
    tx: &Transaction<'_>,
    group: Group,
    consumer: &str,
    now: Timestamp,
) -> Result<(), ApiError> {
    // Not a replacement of the row: that would take the consumer's shards away.
    tx.prepare_cached(
        "INSERT INTO consumers VALUES (?1, ?2, ?3) \
         ON CONFLICT (group_id, name) DO UPDATE SET heartbeat_time = excluded.heartbeat_time",
    )?
    .execute((group.id, consumer, now.as_millisecond()))?;
    Ok(())
}

/// Who owns which shard.
pub fn owners(db: &Connection, group: Group) -> Result<BTreeMap<u32, String>, ApiError> {
    let mut query = db.prepare_cached("SELECT shard, consumer FROM shard_owners WHERE group_id = ?1")?;
    let rows = query.query_map([group.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Makes a consumer the owner of a shard that has none.
pub fn take(tx: &Transaction<'_>, group: Group, shard: u32, consumer: &str) -> Result<(), ApiError> {
    tx.prepare_cached("INSERT INTO shard_owners VALUES (?1, ?2, ?3)")?
        .execute((group.id, shard, consumer))?;
    Ok(())
}

/// Leaves a shard without owner.
pub fn release(tx: &Transaction<'_>, group: Group, shard: u32) -> Result<(), ApiError> {
    tx.prepare_cached("DELETE FROM shard_owners WHERE group_id = ?1 AND shard = ?2")?
        .execute((group.id, shard))?;
    Ok(())
}

/// How far the group has read every shard, by id.
pub fn progress(db: &Connection, target: ReadTarget, group: Group) -> Result<Vec<Progress>, ApiError> {
    let mut query = db.prepare_cached("SELECT shard, cursor FROM checkpoints WHERE group_id = ?1")?;
    let rows = query.query_map([group.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let cursors: BTreeMap<u32, i64> = rows.collect::<rusqlite::Result<_>>()?;
    let progress = shards::list(db, target.id)?.into_iter().map(|shard| {
        let cursor = cursors.get(&shard.shard_id).copied().unwrap_or_default();
        let finished = shard.status == ShardStatus::Readonly
            && logs::first_from(db, target, shard.shard_id, cursor)?.is_none();
        Ok(Progress { shard: shard.shard_id, finished })
    });
    progress.collect()
}

/// Stores how far a shard was read.
pub fn set_checkpoint(
    tx: &Transaction<'_>,
    group: Group,
    shard: u32,
    cursor: i64,
    consumer: &str,
    now: Timestamp,
) -> Result<(), ApiError> {
    tx.prepare_cached("INSERT OR REPLACE INTO checkpoints VALUES (?1, ?2, ?3, ?4, ?5)")?.execute((
        group.id,
        shard,
        cursor,
        consumer,
        now.as_microsecond(),
    ))?;
    Ok(())
}

/// How far the group has read every shard, by id; the Python consumer fails when a shard that
/// was not read yet is left out.
pub fn checkpoints(db: &Connection, logstore: LogstoreId, group: Group) -> Result<Vec<CheckPoint>, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT shards.shard, cursor, coalesce(consumer, ''), coalesce(update_time, 0) \
         FROM shards LEFT JOIN checkpoints \
         ON checkpoints.shard = shards.shard AND checkpoints.group_id = ?2 \
         WHERE shards.logstore_id = ?1 ORDER BY shards.shard",
    )?;
    let rows = query.query_map((logstore.0, group.id), |row| {
        let cursor: Option<i64> = row.get(1)?;
        Ok(CheckPoint {
            shard: row.get(0)?,
            checkpoint: cursor.map(encode_cursor).unwrap_or_default(),
            consumer: row.get(2)?,
            update_time: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How a group stands in a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The shard.
    pub shard: u32,
    /// Who reads it now.
    pub owner: Option<String>,
    /// When a checkpoint was stored last, microseconds since 1970; 0 for never.
    pub update_time: i64,
    /// Where the group is; `None` without a checkpoint.
    pub cursor: Option<i64>,
    /// Logs from there on.
    pub logs_behind: u64,
    /// When the first of them came, Unix seconds.
    pub behind_since: Option<i64>,
}

/// How a group stands in every shard, by id.
pub fn standings(db: &Connection, target: ReadTarget, group: Group) -> Result<Vec<Standing>, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT shards.shard, checkpoints.cursor, coalesce(checkpoints.update_time, 0), shard_owners.consumer, \
         total(blocks.log_count), min(blocks.cursor) FROM shards \
         LEFT JOIN checkpoints ON checkpoints.group_id = ?2 AND checkpoints.shard = shards.shard \
         LEFT JOIN shard_owners ON shard_owners.group_id = ?2 AND shard_owners.shard = shards.shard \
         LEFT JOIN blocks ON blocks.logstore_id = ?1 AND blocks.shard = shards.shard \
          AND blocks.cursor >= max(coalesce(checkpoints.cursor, 0), ?3) \
         WHERE shards.logstore_id = ?1 GROUP BY shards.shard ORDER BY shards.shard",
    )?;
    let rows = query.query_map((target.id.0, group.id, target.oldest), |row| {
        let first: Option<i64> = row.get(5)?;
        Ok(Standing {
            shard: row.get(0)?,
            cursor: row.get(1)?,
            update_time: row.get(2)?,
            owner: row.get(3)?,
            logs_behind: row.get::<_, f64>(4)? as u64,
            behind_since: first.map(|cursor| cursor / 1_000_000_000),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The consumers of a group, by name, and when they were heard of last in milliseconds since 1970.
pub fn heartbeats(db: &Connection, group: Group) -> Result<Vec<(String, i64)>, ApiError> {
    let mut query =
        db.prepare_cached("SELECT name, heartbeat_time FROM consumers WHERE group_id = ?1 ORDER BY name")?;
    let rows = query.query_map([group.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
