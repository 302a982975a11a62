//! SQL of logs: where they are in their shards.
//!
//! A LogGroup is stored as it came, as one block: its protobuf bytes in an LZ4 block, in its row or, where that is
//! long, in a [file](super::packs); beside them the few columns that a scan selects by. Appended by the writer
//! thread, read as [`blocks`](super::blocks) says.
//!
//! A cursor is a position in a shard: the receive time of a block in nanoseconds, or one more
//! than the block before where that is not larger, so cursors only grow and a cursor divided by
//! 10^9 is a time. Source of cursors being decimal numbers that sort by time: Go and Python
//! SDKs; of nanoseconds: guess.

use std::net::IpAddr;

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};
use sls_api::codec::{self, Compression};
use sls_api::ops::logs::EncodedGroup;

use super::logstores::{LogstoreId, ReadTarget, WriteTarget};
use super::packs::{PACKED_BYTES_MIN, Packs};
use super::{indexes, logstores, shards};
use crate::clock::nanoseconds;
use crate::error::ApiError;

/// A LogGroup ready to be stored. Made by the request, so that the writer thread only writes.
#[derive(Debug)]
pub struct Block {
    time_min: u32,
    time_max: u32,
    log_count: usize,
    topic: String,
    raw_bytes: usize,
    data: Bytes,
}

/// The columns that a scan selects a block by.
#[derive(Debug, PartialEq, Eq)]
pub struct Selectors {
    /// Earliest and latest time of a log in it, Unix seconds.
    pub times: (u32, u32),
    /// Logs in it.
    pub log_count: usize,
    /// Topic of all of them, empty for none.
    pub topic: String,
}

impl Block {
    /// Packs a group, unless it came packed as the store keeps it.
    ///
    /// # Errors
    /// LZ4 fails, which it does not.
    pub fn new(group: EncodedGroup<'_>, selectors: Selectors) -> Result<Self, ApiError> {
        let Selectors { times: (time_min, time_max), log_count, topic } = selectors;
        let raw_bytes = group.raw.len();
        let data = match group.lz4 {
            Some(lz4) => lz4.clone(),
            None => {
                let mut data = Vec::new();
                codec::compress(group.raw, Compression::Lz4, &mut data)
                    .map_err(|error| ApiError::Internal(error.to_string()))?;
                data.into()
            }
        };
        Ok(Self { time_min, time_max, log_count, topic, raw_bytes, data })
    }

    /// Size of the group before compression, bytes.
    pub fn raw_bytes(&self) -> usize {
        self.raw_bytes
    }

    /// Logs in it.
    pub fn log_count(&self) -> usize {
        self.log_count
    }

    /// Topic of its logs; empty for none.
    pub fn topic(&self) -> &str {
        &self.topic
    }
}

/// Stores a block behind everything that its shard holds.
pub fn append(
    tx: &Transaction<'_>,
    packs: &Packs,
    target: WriteTarget,
    shard: u32,
    block: &Block,
    client_ip: IpAddr,
    now: Timestamp,
) -> Result<(), ApiError> {
    let cursor = end(tx, target.id, shard)?.max(nanoseconds(now));
    let packed = (block.data.len() >= PACKED_BYTES_MIN).then(|| packs.keep(&block.data)).transpose()?;
    let (data, bytes, crc) = match packed {
        None => (&block.data[..], 0, 0),
        Some(_) => (&[][..], block.data.len(), crc32fast::hash(&block.data)),
    };
    tx.prepare_cached(
        "INSERT INTO blocks (logstore_id, shard, cursor, receive_time, time_min, time_max, log_count, topic, \
         index_generation, client_ip, raw_bytes, data, place, packed_bytes, packed_crc) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
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
        data,
        packed,
        i64::try_from(bytes).unwrap_or(i64::MAX),
        crc,
    ])?;
    let seconds = block.time_max.saturating_sub(block.time_min);
    if seconds > target.block_seconds_max {
        logstores::widen_blocks(tx, target.id, seconds)?;
    }
    Ok(())
}

/// The cursor of the first block of a shard that has not expired; its end when it holds none.
pub fn begin(db: &Connection, target: ReadTarget, shard: u32) -> Result<i64, ApiError> {
    at_or_after(db, target, shard, 0)
}

/// The cursor behind the last block that a shard ever held.
pub fn end(db: &Connection, logstore: LogstoreId, shard: u32) -> Result<i64, ApiError> {
    let mut query =
        db.prepare_cached("SELECT max(cursor) FROM blocks WHERE logstore_id = ?1 AND shard = ?2")?;
    let last: Option<i64> = query.query_row((logstore.0, shard), |row| row.get(0))?;
    match last {
        Some(last) => Ok(last.saturating_add(1)),
        None => shards::end_when_empty(db, logstore, shard),
    }
}

/// The first cursor of a block at or after a position that has not expired; the shard's end when
/// there is none.
pub fn at_or_after(db: &Connection, target: ReadTarget, shard: u32, position: i64) -> Result<i64, ApiError> {
    match first_from(db, target, shard, position)? {
        Some(cursor) => Ok(cursor),
        None => end(db, target.id, shard),
    }
}

/// The first cursor of a block at or after a position that has not expired.
pub fn first_from(
    db: &Connection,
    target: ReadTarget,
    shard: u32,
    position: i64,
) -> Result<Option<i64>, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT min(cursor) FROM blocks WHERE logstore_id = ?1 AND shard = ?2 AND cursor >= ?3",
    )?;
    let from = position.max(target.oldest);
    Ok(query.query_row((target.id.0, shard, from), |row| row.get(0))?)
}

/// Whether a shard holds a block that has expired.
pub fn has_expired(db: &Connection, target: ReadTarget, shard: u32) -> Result<bool, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM blocks WHERE logstore_id = ?1 AND shard = ?2 AND cursor < ?3)",
    )?;
    Ok(query.query_row((target.id.0, shard, target.oldest), |row| row.get(0))?)
}

/// Deletes the oldest blocks of a shard that have expired, at most so many. Returns how many.
pub fn delete_expired(
    tx: &Transaction<'_>,
    target: ReadTarget,
    shard: u32,
    blocks_max: usize,
) -> Result<usize, ApiError> {
    shards::keep_end(tx, target.id, shard, end(tx, target.id, shard)?)?;
    let deleted = tx
        .prepare_cached(
            "DELETE FROM blocks WHERE id IN (SELECT id FROM blocks WHERE logstore_id = ?1 \
             AND shard = ?2 AND cursor < ?3 ORDER BY cursor LIMIT ?4)",
        )?
        .execute((target.id.0, shard, target.oldest, i64::try_from(blocks_max).unwrap_or(i64::MAX)))?;
    Ok(deleted)
}

#[cfg(test)]
mod tests;
