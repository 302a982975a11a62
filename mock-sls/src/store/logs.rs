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
use rusqlite::{CachedStatement, Connection, Row, Transaction, params};
use sls_api::codec::{self, Compression};
use sls_api::log_group::{LogGroup, LogTag};
use sls_api::ops::logs::EncodedGroup;

use super::logstores::{LogstoreId, ReadTarget, WriteTarget};
use super::{indexes, logstores, shards};
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
        &block.data[..],
    ])?;
    let seconds = block.time_max.saturating_sub(block.time_min);
    if seconds > target.block_seconds_max {
        logstores::widen_blocks(tx, target.id, seconds)?;
    }
    Ok(())
}

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
/// Blocks come by their earliest log, or with `newest_first` by their latest log in falling
/// order; blocks that are equal in this come in the order of arrival, or against it.
pub fn scan(
    db: &Connection,
    target: ReadTarget,
    from: i64,
    to: i64,
    topic: Option<&str>,
    newest_first: bool,
    f: &mut dyn FnMut(&BlockMeta) -> ControlFlow<()>,
) -> Result<(), ApiError> {
    let order = if newest_first { "time_max DESC, id DESC" } else { "time_min, id" };
    let sql = format!(
        "SELECT {META_COLUMNS} FROM blocks INDEXED BY blocks_by_time \
         WHERE logstore_id = ?1 AND time_max >= ?2 AND time_min < ?3 \
         AND time_min >= ?2 - (SELECT block_seconds_max FROM logstores WHERE id = ?1) \
         AND (?4 IS NULL OR topic = ?4) AND cursor >= ?5 ORDER BY {order}"
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
const PACKED_COLUMNS: &str = "raw_bytes, client_ip, receive_time, data";

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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use sls_api::log_group::{Content, Log};
    use sls_api::ops::indexes::Index;

    use super::*;
    use crate::store::logstores;
    use crate::store::testing::{at, block, with_logstore};

    fn put(tx: &Transaction<'_>, target: WriteTarget, topic: &str, times: &[u32]) {
        let log = |time: &u32| Log { time: *time, contents: vec![Content::new("k", "v")], time_ns: None };
        let group = LogGroup {
            logs: times.iter().map(log).collect(),
            topic: Some(topic.to_owned()),
            ..LogGroup::default()
        };
        let block = block(group);
        append(tx, target, 0, &block, Ipv4Addr::LOCALHOST.into(), at(0)).unwrap();
    }

    /// Reads what has not expired at `second`.
    fn reading(target: WriteTarget, second: i64) -> ReadTarget {
        ReadTarget { id: target.id, oldest: logstores::oldest(1, at(second)) }
    }

    fn all(target: WriteTarget) -> ReadTarget {
        reading(target, 0)
    }

    fn scanned(
        db: &Connection,
        target: WriteTarget,
        window: (i64, i64),
        topic: Option<&str>,
        newest_first: bool,
    ) -> String {
        let mut seen = Vec::new();
        let mut blocks = Blocks::new(db).unwrap();
        scan(db, all(target), window.0, window.1, topic, newest_first, &mut |meta| {
            let group = LogGroup::decode(blocks.read(meta).unwrap()).unwrap();
            assert_eq!(group.logs.len(), meta.log_count as usize);
            seen.push(format!("{}@{}", group.topic.unwrap_or_default(), meta.index_generation));
            ControlFlow::Continue(())
        })
        .unwrap();
        seen.join(" ")
    }

    #[test]
    fn a_scan_finds_the_blocks_of_a_window_in_either_order() {
        with_logstore(|tx, target| {
            put(tx, target, "late", &[50, 60]);
            put(tx, target, "wide", &[10, 90]);
            put(tx, target, "early", &[20]);
            put(tx, target, "early-too", &[20]);
            let all = |newest_first| scanned(tx, target, (0, 100), None, newest_first);
            assert_eq!(all(false), "wide@0 early@0 early-too@0 late@0");
            assert_eq!(all(true), "wide@0 late@0 early-too@0 early@0");
            assert_eq!(scanned(tx, target, (20, 21), None, false), "wide@0 early@0 early-too@0");
            assert_eq!(scanned(tx, target, (60, 61), None, false), "wide@0 late@0");
            assert_eq!(scanned(tx, target, (91, 100), None, false), "");
            assert_eq!(scanned(tx, target, (0, 100), Some("late"), false), "late@0");
        });
    }

    #[test]
    fn how_far_apart_logs_of_a_block_are_is_kept_with_the_logstore() {
        with_logstore(|tx, target| {
            let kept = || -> u32 {
                tx.query_row("SELECT block_seconds_max FROM logstores", (), |row| row.get(0)).unwrap()
            };
            for (times, expected) in [([5, 5], 0), ([10, 90], 80), ([20, 21], 80)] {
                put(tx, target, "t", &times);
                assert_eq!(kept(), expected);
            }
        });
    }

    #[test]
    fn a_scan_stops_when_told() {
        with_logstore(|tx, target| {
            put(tx, target, "a", &[1]);
            put(tx, target, "b", &[2]);
            let mut seen = 0;
            scan(tx, all(target), 0, 100, None, false, &mut |_| {
                seen += 1;
                ControlFlow::Break(())
            })
            .unwrap();
            assert_eq!(seen, 1);
        });
    }

    #[test]
    fn blocks_carry_the_index_generation_they_were_written_under() {
        with_logstore(|tx, target| {
            put(tx, target, "before", &[1]);
            indexes::set(tx, target.id, Some(&Index::default()), at(1)).unwrap();
            put(tx, target, "first", &[2]);
            indexes::set(tx, target.id, None, at(2)).unwrap();
            indexes::set(tx, target.id, Some(&Index::default()), at(3)).unwrap();
            put(tx, target, "third", &[3]);
            assert_eq!(scanned(tx, target, (0, 100), None, false), "before@0 first@1 third@3");
            assert_eq!(indexes::get(tx, target.id).unwrap().unwrap().generation, 3);
        });
    }

    #[test]
    fn a_pull_takes_no_further_group_beyond_its_bytes() {
        with_logstore(|tx, target| {
            for _ in 0..3 {
                put(tx, target, "t", &[1]);
            }
            let pulled = |bytes| pull(tx, all(target), 0, (0, None), 100, bytes).unwrap().len();
            assert_eq!((pulled(1), pulled(usize::MAX)), (1, 3));
        });
    }
}
