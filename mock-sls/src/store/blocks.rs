//! Blocks are read: those of a window, those from a cursor on, and what is in them.

use std::ops::ControlFlow;

use bytes::Bytes;
use prost::Message;
use rusqlite::{CachedStatement, Connection, Row};
use sls_api::codec;
use sls_api::log_group::{LogGroup, LogTag};

use super::logstores::ReadTarget;
use crate::error::ApiError;
use crate::front::BODY_BYTES_MAX;
use crate::query::source::Order;

/// Tag with the sender's address, on Logstores with `appendMeta`.
const CLIENT_IP_TAG: &str = "__client_ip__";
/// Tag with the receive time in Unix seconds, on Logstores with `appendMeta`.
const RECEIVE_TIME_TAG: &str = "__receive_time__";

/// What the store knows of a block besides the logs in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockMeta {
    /// Its row.
    id: i64,
    /// Its position in its shard.
    pub cursor: i64,
    /// Its shard.
    pub shard: u32,
    /// Earliest time of a log in it, Unix seconds.
    pub time_min: u32,
    /// Latest time of a log in it, Unix seconds.
    pub time_max: u32,
    /// Logs in it.
    pub log_count: u32,
    /// Size of the group before compression, bytes.
    pub raw_bytes: u32,
    /// Generation of the index that it was written under; 0 is before the first index.
    pub index_generation: i64,
}

impl BlockMeta {
    /// From [`META_COLUMNS`].
    pub(super) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            cursor: row.get(1)?,
            shard: row.get(2)?,
            time_min: row.get(3)?,
            time_max: row.get(4)?,
            log_count: row.get(5)?,
            raw_bytes: row.get(6)?,
            index_generation: row.get(7)?,
        })
    }

    /// Its row: those of later blocks are higher.
    pub(super) fn id(&self) -> i64 {
        self.id
    }
}

/// The columns that [`BlockMeta::of`] reads, in its order.
pub(super) const META_COLUMNS: &str =
    "id, cursor, shard, time_min, time_max, log_count, raw_bytes, index_generation";

/// Hands to `f` every block that may hold logs of `[from, to)` (Unix seconds) and has not expired, until it says
/// stop. A block also holds logs outside of the window; `f` leaves them out. What is in a block is not read,
/// see [`Blocks::read`].
///
pub fn scan(
    db: &Connection,
    target: ReadTarget,
    from: i64,
    to: i64,
    topic: Option<&str>,
    order: Order,
    f: &mut dyn FnMut(&BlockMeta) -> ControlFlow<()>,
) -> Result<(), ApiError> {
    let order = match order {
        // That of the index.
        Order::Any => "",
        Order::OldestFirst => "ORDER BY time_min, id",
        Order::NewestFirst => "ORDER BY time_max DESC, id DESC",
    };
    let sql = format!(
        "SELECT {META_COLUMNS} FROM blocks INDEXED BY blocks_by_time \
         WHERE logstore_id = ?1 AND time_max >= ?2 AND time_min < ?3 \
         AND time_min >= ?2 - (SELECT block_seconds_max FROM logstores WHERE id = ?1) \
         AND (?4 IS NULL OR topic = ?4) AND cursor >= ?5 {order}"
    );
    let mut query = db.prepare_cached(&sql)?;
    let mut rows = query.query((target.id.0, from, to, topic, target.oldest))?;
    while let Some(row) = rows.next()? {
        let meta = BlockMeta::of(row)?;
        if f(&meta).is_break() {
            break;
        }
    }
    Ok(())
}

/// Reads blocks, one after the other, into the same memory.
pub struct Blocks<'c> {
    query: CachedStatement<'c>,
    raw: Vec<u8>,
}

impl<'c> Blocks<'c> {
    /// Of this database.
    pub fn new(db: &'c Connection) -> Result<Self, ApiError> {
        let query = db.prepare_cached(&format!("SELECT {PACKED_COLUMNS} FROM blocks WHERE id = ?1"))?;
        Ok(Self { query, raw: Vec::new() })
    }

    /// The protobuf bytes of a block.
    pub fn read(&mut self, block: &BlockMeta) -> Result<&[u8], ApiError> {
        let mut rows = self.query.query([block.id])?;
        let row = rows.next()?.ok_or_else(|| damaged("it is gone"))?;
        unpack(row, 0, &mut self.raw)?;
        Ok(&self.raw)
    }
}

/// The columns that [`unpack`] reads, in its order.
const PACKED_COLUMNS: &str = "raw_bytes, client_ip, receive_time, \
    CASE WHEN place IS NULL THEN data ELSE sls_packed(place, packed_bytes) END";

/// The protobuf bytes of a block, with the server's own tags appended where the Logstore wants
/// them: in protobuf, appending a repeated field to a message adds to that field.
fn unpack(row: &Row<'_>, first: usize, raw: &mut Vec<u8>) -> Result<(), ApiError> {
    let raw_bytes: i64 = row.get(first)?;
    let client_ip: Option<String> = row.get(first + 1)?;
    let data = row.get_ref(first + 3)?.as_blob().map_err(damaged)?;
    let raw_bytes = usize::try_from(raw_bytes).map_err(damaged)?;
    codec::unpack_lz4(data, raw_bytes, BODY_BYTES_MAX, raw).map_err(damaged)?;
    if let Some(client_ip) = client_ip {
        let receive_time: i64 = row.get(first + 2)?;
        let tags = LogGroup {
            log_tags: vec![
                LogTag { key: CLIENT_IP_TAG.to_owned(), value: client_ip },
                LogTag { key: RECEIVE_TIME_TAG.to_owned(), value: receive_time.to_string() },
            ],
            ..LogGroup::default()
        };
        raw.extend_from_slice(&tags.encode_to_vec());
    }
    Ok(())
}

fn damaged(error: impl std::fmt::Display) -> ApiError {
    ApiError::Internal(format!("a stored log group is damaged: {error}"))
}

/// At most `topics_max` topics from `from` on, in order of their bytes, of groups that have not
/// expired.
pub fn topics(
    db: &Connection,
    target: ReadTarget,
    from: &str,
    topics_max: usize,
) -> Result<Vec<String>, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT DISTINCT topic FROM blocks \
         WHERE logstore_id = ?1 AND topic >= ?2 AND cursor >= ?3 ORDER BY topic LIMIT ?4",
    )?;
    let limit = i64::try_from(topics_max).unwrap_or(i64::MAX);
    let rows = query.query_map((target.id.0, from, target.oldest, limit), |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A group as PullLogs returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// Its position.
    pub cursor: i64,
    /// Its protobuf bytes.
    pub raw: Bytes,
}

/// The groups of a shard from cursor `from` on that have not expired, up to cursor `to` (not included), at most
/// `groups_max`, and no further one after `bytes_max` bytes.
pub fn pull(
    db: &Connection,
    target: ReadTarget,
    shard: u32,
    (from, to): (i64, Option<i64>),
    groups_max: usize,
    bytes_max: usize,
) -> Result<Vec<Pulled>, ApiError> {
    let sql = format!(
        "SELECT cursor, {PACKED_COLUMNS} FROM blocks \
         WHERE logstore_id = ?1 AND shard = ?2 AND cursor >= ?3 AND cursor < ?4 ORDER BY cursor"
    );
    let mut query = db.prepare_cached(&sql)?;
    let mut rows = query.query((target.id.0, shard, from.max(target.oldest), to.unwrap_or(i64::MAX)))?;
    let mut pulled = Vec::new();
    let mut bytes = 0;
    while pulled.len() < groups_max
        && bytes < bytes_max
        && let Some(row) = rows.next()?
    {
        let mut raw = Vec::new();
        unpack(row, 1, &mut raw)?;
        bytes += raw.len();
        pulled.push(Pulled { cursor: row.get(0)?, raw: raw.into() });
    }
    Ok(pulled)
}

#[cfg(test)]
pub(super) mod testing {
    use super::BlockMeta;

    /// What is known of a block at a cursor.
    pub fn meta(cursor: i64) -> BlockMeta {
        BlockMeta {
            id: cursor,
            cursor,
            shard: 0,
            time_min: 0,
            time_max: 0,
            log_count: 1,
            raw_bytes: 1,
            index_generation: 0,
        }
    }
}
