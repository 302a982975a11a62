//! SQL of logs.
//!
//! A LogGroup is stored as it came, as one block: its protobuf bytes in an LZ4 block, beside
//! them the few columns that a scan selects by. Appended by the writer thread, read by queries
//! ([`scan`]) and by PullLogs ([`pull`]).
//!
//! A cursor is a position in a shard: the receive time of a block in nanoseconds, or one more
//! than the block before where that is not larger, so cursors only grow and a cursor divided by
//! 10^9 is a time. Source of cursors being decimal numbers that sort by time: Go and Python
//! SDKs; of nanoseconds: guess.

use std::net::IpAddr;
use std::ops::ControlFlow;

use bytes::Bytes;
use jiff::Timestamp;
use prost::Message;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sls_api::codec::{self, Compression};
use sls_api::log_group::{LogGroup, LogTag};

use super::logstores::{LogstoreId, WriteTarget};
use super::{indexes, shards};
use crate::clock::nanoseconds;
use crate::error::ApiError;
use crate::front::BODY_BYTES_MAX;

/// Tag with the sender's address, on Logstores with `appendMeta`.
const CLIENT_IP_TAG: &str = "__client_ip__";
/// Tag with the receive time in Unix seconds, on Logstores with `appendMeta`.
const RECEIVE_TIME_TAG: &str = "__receive_time__";

/// A LogGroup ready to be stored. Made by the request, so that the writer thread only writes.
#[derive(Debug)]
pub struct Block {
    time_min: u32,
    time_max: u32,
    log_count: usize,
    topic: String,
    raw_bytes: usize,
    data: Vec<u8>,
}

impl Block {
    /// Packs a group; none if it holds no log.
    pub fn pack(group: &LogGroup) -> Result<Option<Self>, ApiError> {
        let times = || group.logs.iter().map(|log| log.time);
        let (Some(time_min), Some(time_max)) = (times().min(), times().max()) else {
            return Ok(None);
        };
        let raw = group.encode_to_vec();
        let mut data = Vec::new();
        codec::compress(&raw, Compression::Lz4, &mut data)
            .map_err(|error| ApiError::Internal(error.to_string()))?;
        Ok(Some(Self {
            time_min,
            time_max,
            log_count: group.logs.len(),
            topic: group.topic.clone().unwrap_or_default(),
            raw_bytes: raw.len(),
            data,
        }))
    }
}

/// Stores a block behind everything that its shard holds.
pub fn append(
    tx: &Transaction<'_>,
    target: WriteTarget,
    shard: u32,
    block: &Block,
    client_ip: IpAddr,
    now: Timestamp,
) -> Result<(), ApiError> {
    let cursor = end(tx, target.id, shard)?.max(nanoseconds(now));
    tx.prepare_cached(
        "INSERT INTO blocks (logstore_id, shard, cursor, receive_time, time_min, time_max, \
         log_count, topic, index_generation, client_ip, raw_bytes, data) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        target.id.0,
        shard,
        cursor,
        now.as_second(),
        block.time_min,
        block.time_max,
        i64::try_from(block.log_count).unwrap_or(i64::MAX),
        block.topic,
        indexes::generation(tx, target.id)?,
        target.append_meta.then(|| client_ip.to_string()),
        i64::try_from(block.raw_bytes).unwrap_or(i64::MAX),
        block.data,
    ])?;
    Ok(())
}

/// What the store knows of a block besides the logs in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockMeta {
    /// When the server received it, Unix seconds.
    pub receive_time_s: i64,
    /// Its position in its shard.
    pub cursor: i64,
    /// Its shard.
    pub shard: u32,
    /// Earliest time of a log in it, Unix seconds.
    pub time_min: u32,
    /// Latest time of a log in it, Unix seconds.
    pub time_max: u32,
    /// Generation of the index that it was written under; 0 is before the first index.
    pub index_generation: i64,
}

/// Hands to `f` the protobuf bytes of every block that may hold logs of `[from, to)` (Unix
/// seconds) until it says stop. A block also holds logs outside of the window; `f` leaves them
/// out.
///
/// Blocks come by their earliest log, or with `newest_first` by their latest log in falling
/// order; blocks that are equal in this come in the order of arrival, or against it.
pub fn scan(
    db: &Connection,
    logstore: LogstoreId,
    from: i64,
    to: i64,
    topic: Option<&str>,
    newest_first: bool,
    f: &mut dyn FnMut(&[u8], BlockMeta) -> ControlFlow<()>,
) -> Result<(), ApiError> {
    let order = if newest_first { "time_max DESC, id DESC" } else { "time_min, id" };
    let sql = format!(
        "SELECT receive_time, cursor, shard, time_min, time_max, index_generation, \
         {PACKED_COLUMNS} \
         FROM blocks WHERE logstore_id = ?1 AND time_max >= ?2 AND time_min < ?3 \
         AND (?4 IS NULL OR topic = ?4) ORDER BY {order}"
    );
    let mut query = db.prepare_cached(&sql)?;
    let mut rows = query.query((logstore.0, from, to, topic))?;
    while let Some(row) = rows.next()? {
        let meta = BlockMeta {
            receive_time_s: row.get(0)?,
            cursor: row.get(1)?,
            shard: row.get(2)?,
            time_min: row.get(3)?,
            time_max: row.get(4)?,
            index_generation: row.get(5)?,
        };
        if f(&unpack(row, 6)?, meta).is_break() {
            break;
        }
    }
    Ok(())
}

/// The columns that [`unpack`] reads, in its order.
const PACKED_COLUMNS: &str = "raw_bytes, client_ip, receive_time, data";

/// The protobuf bytes of a block, with the server's own tags appended where the Logstore wants
/// them: in protobuf, appending a repeated field to a message adds to that field.
fn unpack(row: &Row<'_>, first: usize) -> Result<Bytes, ApiError> {
    let raw_bytes: i64 = row.get(first)?;
    let client_ip: Option<String> = row.get(first + 1)?;
    let data = row.get_ref(first + 3)?.as_blob().map_err(damaged)?;
    let raw_bytes = usize::try_from(raw_bytes).map_err(damaged)?;
    let mut raw = codec::decompress(data, Compression::Lz4, raw_bytes, BODY_BYTES_MAX).map_err(damaged)?;
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
    Ok(raw.into())
}

fn damaged(error: impl std::fmt::Display) -> ApiError {
    ApiError::Internal(format!("a stored log group is damaged: {error}"))
}

/// A group as PullLogs returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// Its position.
    pub cursor: i64,
    /// Its protobuf bytes.
    pub raw: Bytes,
}

/// The groups of a shard from cursor `from` on, up to cursor `to` (not included), at most
/// `groups_max`, and no further one after `bytes_max` bytes.
pub fn pull(
    db: &Connection,
    logstore: LogstoreId,
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
    let mut rows = query.query((logstore.0, shard, from, to.unwrap_or(i64::MAX)))?;
    let mut pulled = Vec::new();
    let mut bytes = 0;
    while pulled.len() < groups_max
        && bytes < bytes_max
        && let Some(row) = rows.next()?
    {
        let raw = unpack(row, 1)?;
        bytes += raw.len();
        pulled.push(Pulled { cursor: row.get(0)?, raw });
    }
    Ok(pulled)
}

/// The cursor of the first block of a shard; its end when it holds none.
pub fn begin(db: &Connection, logstore: LogstoreId, shard: u32) -> Result<i64, ApiError> {
    at_or_after(db, logstore, shard, 0)
}

/// The cursor behind the last block of a shard.
pub fn end(db: &Connection, logstore: LogstoreId, shard: u32) -> Result<i64, ApiError> {
    let mut query =
        db.prepare_cached("SELECT max(cursor) FROM blocks WHERE logstore_id = ?1 AND shard = ?2")?;
    let last: Option<i64> = query.query_row((logstore.0, shard), |row| row.get(0))?;
    match last {
        Some(last) => Ok(last.saturating_add(1)),
        None => Ok(shards::get(db, logstore, shard)?.create_time.saturating_mul(1_000_000_000)),
    }
}

/// The first cursor of a block at or after a position; the shard's end when there is none.
pub fn at_or_after(
    db: &Connection,
    logstore: LogstoreId,
    shard: u32,
    position: i64,
) -> Result<i64, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT min(cursor) FROM blocks WHERE logstore_id = ?1 AND shard = ?2 AND cursor >= ?3",
    )?;
    let first: Option<i64> =
        query.query_row((logstore.0, shard, position), |row| row.get(0)).optional()?.flatten();
    match first {
        Some(cursor) => Ok(cursor),
        None => end(db, logstore, shard),
    }
}
