//! Blocks in the order in which they came, from a position on: for whoever waits for new ones.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use rusqlite::{CachedStatement, Connection, Rows};

use super::blocks::{BlockMeta, META_COLUMNS};
use super::logstores::{LogstoreId, ReadTarget};
use crate::error::ApiError;

/// How far somebody has come in the shards of a Logstore; in a shard that is not named, at its beginning.
/// Cursors rise within a shard whatever the clock does, so that this is no time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<u32, i64>);

impl Positions {
    /// Where to go on in a shard.
    fn from(&self, shard: u32) -> i64 {
        self.0.get(&shard).copied().unwrap_or_default()
    }

    /// The block there was seen.
    pub fn pass(&mut self, shard: u32, cursor: i64) {
        self.0.insert(shard, cursor.saturating_add(1));
    }
}

/// The ends of all Logstores.
pub fn ends(db: &Connection) -> Result<HashMap<LogstoreId, Positions>, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT logstore_id, shard, coalesce((SELECT max(cursor) + 1 FROM blocks \
         WHERE blocks.logstore_id = shards.logstore_id AND blocks.shard = shards.shard), end_cursor_min) \
         FROM shards",
    )?;
    let mut rows = query.query(())?;
    let mut ends: HashMap<LogstoreId, Positions> = HashMap::new();
    while let Some(row) = rows.next()? {
        ends.entry(LogstoreId(row.get(0)?)).or_default().0.insert(row.get(1)?, row.get(2)?);
    }
    Ok(ends)
}

/// Hands to `f` the blocks from these positions on that have not expired, in the order in which they came,
/// until it says stop.
pub fn arrived(
    db: &Connection,
    target: ReadTarget,
    from: &Positions,
    topic: Option<&str>,
    f: &mut dyn FnMut(&BlockMeta) -> ControlFlow<()>,
) -> Result<(), ApiError> {
    let shards: Vec<u32> = db
        .prepare_cached("SELECT shard FROM shards WHERE logstore_id = ?1")?
        .query_map([target.id.0], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let sql = format!(
        "SELECT {META_COLUMNS} FROM blocks WHERE logstore_id = ?1 AND shard = ?2 AND cursor >= ?3 \
         AND (?4 IS NULL OR topic = ?4) ORDER BY cursor"
    );
    // Mostly one shard has something new, and each stream is a statement to compile.
    let mut last =
        db.prepare_cached("SELECT max(cursor) FROM blocks WHERE logstore_id = ?1 AND shard = ?2")?;
    let mut moved = Vec::new();
    for shard in shards {
        let cursor: Option<i64> = last.query_row((target.id.0, shard), |row| row.get(0))?;
        if cursor.is_some_and(|cursor| cursor >= from.from(shard)) {
            moved.push(shard);
        }
    }
    let mut statements = moved
        .iter()
        .map(|_| db.prepare_cached(&sql))
        .collect::<rusqlite::Result<Vec<CachedStatement<'_>>>>()?;
    let mut streams = Vec::with_capacity(moved.len());
    for (shard, statement) in moved.iter().zip(&mut statements) {
        let first = from.from(*shard).max(target.oldest);
        let mut rows = statement.query((target.id.0, shard, first, topic))?;
        if let Some(block) = next(&mut rows)? {
            streams.push((block, rows));
        }
    }
    // Rows are numbered as they come, over all shards.
    while let Some((at, _)) = streams.iter().enumerate().min_by_key(|(_, (block, _))| block.id()) {
        let Some((block, rows)) = streams.get_mut(at) else { break };
        if f(block).is_break() {
            break;
        }
        match next(rows)? {
            Some(following) => *block = following,
            None => drop(streams.swap_remove(at)),
        }
    }
    Ok(())
}

fn next(rows: &mut Rows<'_>) -> Result<Option<BlockMeta>, ApiError> {
    Ok(rows.next()?.map(BlockMeta::of).transpose()?)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use rusqlite::Transaction;
    use sls_api::log_group::{Content, Log, LogGroup};

    use super::*;
    use crate::store::blocks::Blocks;
    use crate::store::logs::append;
    use crate::store::logstores::WriteTarget;
    use crate::store::packs::Packs;
    use crate::store::testing::{at, block, with_logstore};

    fn put(tx: &Transaction<'_>, target: WriteTarget, shard: u32, topic: &str) {
        let log = Log { time: 1, contents: vec![Content::new("k", "v")], time_ns: None };
        let group = LogGroup { logs: vec![log], topic: Some(topic.to_owned()), ..LogGroup::default() };
        append(tx, &Packs::none(), target, shard, &block(group), Ipv4Addr::LOCALHOST.into(), at(0)).unwrap();
    }

    /// As `with_logstore`, with a second shard.
    fn with_two_shards(f: impl FnOnce(&Transaction<'_>, WriteTarget)) {
        with_logstore(|tx, target| {
            tx.execute(
                "INSERT INTO shards (logstore_id, shard, writable, begin_key, end_key, create_time) \
                 SELECT logstore_id, 1, writable, begin_key, end_key, create_time FROM shards",
                (),
            )
            .unwrap();
            f(tx, target);
        });
    }

    /// Topics of what came, and the positions behind it.
    fn came(tx: &Transaction<'_>, target: WriteTarget, from: &Positions) -> (String, Positions) {
        let mut topics = String::new();
        let mut positions = from.clone();
        let mut blocks = Blocks::new(tx).unwrap();
        arrived(tx, ReadTarget { id: target.id, oldest: 0 }, from, None, &mut |meta| {
            let group = <LogGroup as prost::Message>::decode(blocks.read(meta).unwrap()).unwrap();
            topics += group.topic.as_deref().unwrap_or_default();
            positions.pass(meta.shard, meta.cursor);
            ControlFlow::Continue(())
        })
        .unwrap();
        (topics, positions)
    }

    #[test]
    fn blocks_come_in_the_order_of_their_arrival_over_all_shards() {
        with_two_shards(|tx, target| {
            for (shard, topic) in [(1, "a"), (0, "b"), (0, "c"), (1, "d")] {
                put(tx, target, shard, topic);
            }
            let (topics, positions) = came(tx, target, &Positions::default());
            assert_eq!(topics, "abcd");
            assert_eq!(came(tx, target, &positions).0, "");
            put(tx, target, 0, "e");
            assert_eq!(came(tx, target, &positions).0, "e");
        });
    }

    #[test]
    fn the_ends_are_behind_everything_that_came() {
        with_two_shards(|tx, target| {
            put(tx, target, 0, "a");
            let ends = ends(tx).unwrap();
            let end = ends.get(&target.id).unwrap();
            assert_eq!(came(tx, target, end).0, "");
            put(tx, target, 1, "b");
            assert_eq!(came(tx, target, end).0, "b");
        });
    }
}
