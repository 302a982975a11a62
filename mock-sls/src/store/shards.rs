//! SQL of shards, and the arithmetic of their key space.
//!
//! A Logstore's keys are 128-bit numbers; each writable shard owns a half-open range of them
//! and together they cover the space. A split or merge leaves the old shards readable.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use sls_api::ops::shards::{Shard, ShardStatus};

use super::logstores::LogstoreId;
use crate::error::ApiError;

/// Most writable shards of a Logstore. Source: limits document (256).
const SHARDS_MAX: usize = 256;

/// Digits of a key. Source: API reference, "Shard".
const KEY_DIGITS: usize = 32;

/// A key as the 32 lower-case hex digits that are stored and shown.
fn hex(key: u128) -> String {
    format!("{key:032x}")
}

/// The space divided evenly. Source: SDK captures and the API reference: ids from 0, the last
/// range ends with all `f`, which it includes.
fn ranges(count: u32) -> Vec<(String, String)> {
    pieces(0, u128::MAX, count).unwrap_or_default()
}

/// A range divided evenly; none when it has fewer keys than pieces are wanted.
fn pieces(begin: u128, end: u128, count: u32) -> Option<Vec<(String, String)>> {
    let count = u128::from(count.max(1));
    // The last range of the space holds its end as well.
    let (each, over) = ((end - begin) / count, (end - begin) % count + u128::from(end == u128::MAX));
    if each == 0 {
        return None;
    }
    let cut = |piece: u128| match piece == count {
        true => end,
        false => begin + each * piece + over * piece / count,
    };
    Some((0..count).map(|piece| (hex(cut(piece)), hex(cut(piece + 1)))).collect())
}

/// Reads a hash key from a request: up to 32 hex digits of any case, filled up with zeros on
/// the right. Source of the filling: guess.
pub fn parse_key(text: &str) -> Result<String, ApiError> {
    let valid = !text.is_empty() && text.len() <= KEY_DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !valid {
        return Err(ApiError::ParameterInvalid(format!(
            "The parameter key must be 1 to {KEY_DIGITS} hex digits, not {text:?}"
        )));
    }
    Ok(format!("{:0<KEY_DIGITS$}", text.to_ascii_lowercase()))
}

/// Makes the first shards of a Logstore.
pub fn create(
    tx: &Transaction<'_>,
    logstore: LogstoreId,
    count: u32,
    now: Timestamp,
) -> Result<(), ApiError> {
    for (shard, (begin, end)) in (0u32..).zip(ranges(count)) {
        insert(tx, logstore, shard, &begin, &end, now)?;
    }
    Ok(())
}

fn insert(
    tx: &Transaction<'_>,
    logstore: LogstoreId,
    shard: u32,
    begin: &str,
    end: &str,
    now: Timestamp,
) -> Result<Shard, ApiError> {
    tx.execute(
        "INSERT INTO shards (logstore_id, shard, writable, begin_key, end_key, create_time) \
         VALUES (?1, ?2, TRUE, ?3, ?4, ?5)",
        (logstore.0, shard, begin, end, now.as_second()),
    )?;
    Ok(Shard {
        shard_id: shard,
        status: ShardStatus::Readwrite,
        inclusive_begin_key: begin.to_owned(),
        exclusive_end_key: end.to_owned(),
        create_time: now.as_second(),
    })
}

const COLUMNS: &str = "shard, writable, begin_key, end_key, create_time";

fn stored(row: &Row<'_>) -> rusqlite::Result<Shard> {
    let writable: bool = row.get(1)?;
    Ok(Shard {
        shard_id: row.get(0)?,
        status: if writable { ShardStatus::Readwrite } else { ShardStatus::Readonly },
        inclusive_begin_key: row.get(2)?,
        exclusive_end_key: row.get(3)?,
        create_time: row.get(4)?,
    })
}

/// All shards of a Logstore, by id.
pub fn list(db: &Connection, logstore: LogstoreId) -> Result<Vec<Shard>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM shards WHERE logstore_id = ?1 ORDER BY shard");
    let mut query = db.prepare_cached(&sql)?;
    let rows = query.query_map([logstore.0], stored)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// One shard.
pub fn get(db: &Connection, logstore: LogstoreId, shard: u32) -> Result<Shard, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM shards WHERE logstore_id = ?1 AND shard = ?2");
    db.prepare_cached(&sql)?
        .query_row((logstore.0, shard), stored)
        .optional()?
        .ok_or(ApiError::ShardNotExist(i64::from(shard)))
}

/// The end of a shard that holds no block.
pub fn end_when_empty(db: &Connection, logstore: LogstoreId, shard: u32) -> Result<i64, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT max(end_cursor_min, create_time * 1000000000) FROM shards \
         WHERE logstore_id = ?1 AND shard = ?2",
    )?;
    query
        .query_row((logstore.0, shard), |row| row.get(0))
        .optional()?
        .ok_or(ApiError::ShardNotExist(i64::from(shard)))
}

/// Remembers the end of a shard, before the last blocks in it are deleted.
pub fn keep_end(tx: &Transaction<'_>, logstore: LogstoreId, shard: u32, end: i64) -> Result<(), ApiError> {
    tx.prepare_cached(
        "UPDATE shards SET end_cursor_min = ?3 \
         WHERE logstore_id = ?1 AND shard = ?2 AND end_cursor_min < ?3",
    )?
    .execute((logstore.0, shard, end))?;
    Ok(())
}

/// The shards that each shard was made from, as pairs of shard and parent.
pub fn parents(db: &Connection, logstore: LogstoreId) -> Result<Vec<(u32, u32)>, ApiError> {
    let mut query = db.prepare_cached("SELECT shard, parent FROM shard_parents WHERE logstore_id = ?1")?;
    let rows = query.query_map([logstore.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How a shard is to be divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// In two, before this key, as [`parse_key`] returns it.
    Before(String),
    /// Into so many equal parts.
    Evenly(u32),
}

/// Divides a writable shard. Returns it, now readonly, and then the new shards.
pub fn split(
    tx: &Transaction<'_>,
    logstore: LogstoreId,
    shard: u32,
    cut: &Cut,
    now: Timestamp,
) -> Result<Vec<Shard>, ApiError> {
    let old = writable(tx, logstore, shard)?;
    let (begin, end) = (number(&old.inclusive_begin_key)?, number(&old.exclusive_end_key)?);
    let invalid = |why: String| ApiError::ParameterInvalid(format!("invalid mid hash: {why}"));
    let parts = match cut {
        // Before any of them is made: the number is the caller's.
        Cut::Evenly(count) if *count as usize > SHARDS_MAX => return Err(too_many(*count as usize)),
        Cut::Evenly(count) => pieces(begin, end, *count)
            .ok_or_else(|| invalid(format!("shard {shard} has fewer keys than {count}")))?,
        Cut::Before(key) if *key > old.inclusive_begin_key && *key < old.exclusive_end_key => {
            vec![(old.inclusive_begin_key.clone(), key.clone()), (key.clone(), old.exclusive_end_key.clone())]
        }
        Cut::Before(key) => {
            return Err(invalid(format!(
                "{key} is not between {} and {}, the keys of shard {shard}",
                old.inclusive_begin_key, old.exclusive_end_key
            )));
        }
    };
    replace(tx, logstore, vec![old], &parts, now)
}

/// Joins a writable shard with its right neighbour. Returns both, now readonly, and then the new
/// shard.
pub fn merge(
    tx: &Transaction<'_>,
    logstore: LogstoreId,
    shard: u32,
    now: Timestamp,
) -> Result<Vec<Shard>, ApiError> {
    let left = writable(tx, logstore, shard)?;
    let neighbour = list(tx, logstore)?.into_iter().find(|other| {
        other.status == ShardStatus::Readwrite && other.inclusive_begin_key == left.exclusive_end_key
    });
    let right =
        neighbour.ok_or_else(|| ApiError::ParameterInvalid("can not merge the last shard".to_owned()))?;
    let joined = (left.inclusive_begin_key.clone(), right.exclusive_end_key.clone());
    replace(tx, logstore, vec![left, right], &[joined], now)
}

/// Removes a readonly shard with what is left in it.
pub fn delete(tx: &Transaction<'_>, logstore: LogstoreId, shard: u32) -> Result<(), ApiError> {
    if get(tx, logstore, shard)?.status == ShardStatus::Readwrite {
        return Err(ApiError::ParameterInvalid(format!(
            "invalid shard id: shard {shard} is readwrite, only a readonly shard can be deleted; \
             split or merge it first"
        )));
    }
    tx.execute("DELETE FROM blocks WHERE logstore_id = ?1 AND shard = ?2", (logstore.0, shard))?;
    tx.execute("DELETE FROM shards WHERE logstore_id = ?1 AND shard = ?2", (logstore.0, shard))?;
    for table in ["shard_owners", "checkpoints"] {
        let sql = format!(
            "DELETE FROM {table} WHERE shard = ?2 AND group_id IN \
             (SELECT id FROM consumer_groups WHERE logstore_id = ?1)"
        );
        tx.execute(&sql, (logstore.0, shard))?;
    }
    Ok(())
}

/// Shards that were closed before a time (Unix seconds) and hold nothing any more.
pub fn closed_and_empty(db: &Connection, logstore: LogstoreId, before: i64) -> Result<Vec<u32>, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT shard FROM shards WHERE logstore_id = ?1 AND NOT writable AND close_time < ?2 \
         AND NOT EXISTS (SELECT 1 FROM blocks \
             WHERE blocks.logstore_id = shards.logstore_id AND blocks.shard = shards.shard)",
    )?;
    let rows = query.query_map((logstore.0, before), |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The code and text for a shard that is not there or not writable. Source: API reference,
/// SplitShard and MergeShards.
fn writable(db: &Connection, logstore: LogstoreId, shard: u32) -> Result<Shard, ApiError> {
    let invalid = |why: &str| ApiError::ParameterInvalid(format!("invalid shard id: shard {shard} {why}"));
    match get(db, logstore, shard) {
        Ok(found) if found.status == ShardStatus::Readwrite => Ok(found),
        Ok(_) => Err(invalid("is readonly, only a readwrite shard can be split or merged")),
        Err(ApiError::ShardNotExist(_)) => Err(invalid("does not exist")),
        Err(other) => Err(other),
    }
}

fn too_many(open: usize) -> ApiError {
    ApiError::ParameterInvalid(format!(
        "a logstore can have {SHARDS_MAX} readwrite shards, this would make {open}"
    ))
}

fn number(key: &str) -> Result<u128, ApiError> {
    u128::from_str_radix(key, 16).map_err(|_| ApiError::Internal(format!("a stored key is damaged: {key}")))
}

/// Closes `old` and makes shards of `ranges` in their place, with the next ids.
fn replace(
    tx: &Transaction<'_>,
    logstore: LogstoreId,
    old: Vec<Shard>,
    ranges: &[(String, String)],
    now: Timestamp,
) -> Result<Vec<Shard>, ApiError> {
    let sum = |sql: &str| tx.query_row(sql, [logstore.0], |row| row.get::<_, u32>(0));
    let open = sum("SELECT count(*) FROM shards WHERE logstore_id = ?1 AND writable")?;
    let open = (open as usize).saturating_sub(old.len()).saturating_add(ranges.len());
    if open > SHARDS_MAX {
        return Err(too_many(open));
    }
    // A shard with the highest id is writable, so no id is used twice.
    let next = sum("SELECT max(shard) + 1 FROM shards WHERE logstore_id = ?1")?;
    let mut all = Vec::with_capacity(old.len() + ranges.len());
    for shard in old {
        tx.execute(
            "UPDATE shards SET writable = FALSE, close_time = ?3 WHERE logstore_id = ?1 AND shard = ?2",
            (logstore.0, shard.shard_id, now.as_second()),
        )?;
        all.push(Shard { status: ShardStatus::Readonly, ..shard });
    }
    let parents: Vec<u32> = all.iter().map(|shard| shard.shard_id).collect();
    for (shard, (begin, end)) in (next..).zip(ranges) {
        all.push(insert(tx, logstore, shard, begin, end, now)?);
        for parent in &parents {
            tx.execute("INSERT INTO shard_parents VALUES (?1, ?2, ?3)", (logstore.0, shard, parent))?;
        }
    }
    Ok(all)
}

/// The writable shard that owns a key, as [`parse_key`] returns it. None without any.
pub fn of_key(db: &Connection, logstore: LogstoreId, key: &str) -> Result<Option<u32>, ApiError> {
    // Ordered by begin, the owner is the last one that begins at or before the key; this also
    // gives the all-f key to the last shard.
    let mut query = db.prepare_cached(
        "SELECT shard FROM shards WHERE logstore_id = ?1 AND writable AND begin_key <= ?2 \
         ORDER BY begin_key DESC LIMIT 1",
    )?;
    Ok(query.query_row((logstore.0, key), |row| row.get(0)).optional()?)
}

/// A writable shard, a different one for each `turn`. None without any.
pub fn of_turn(db: &Connection, logstore: LogstoreId, turn: u64) -> Result<Option<u32>, ApiError> {
    let mut query = db.prepare_cached("SELECT shard FROM shards WHERE logstore_id = ?1 AND writable")?;
    let shards: Vec<u32> =
        query.query_map([logstore.0], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let chosen = turn.checked_rem(shards.len() as u64).unwrap_or_default();
    Ok(usize::try_from(chosen).ok().and_then(|chosen| shards.get(chosen)).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_shards_meet_in_the_middle() {
        assert_eq!(
            ranges(2),
            [
                ("0".repeat(32), format!("8{}", "0".repeat(31))),
                (format!("8{}", "0".repeat(31)), "f".repeat(32)),
            ]
        );
        assert_eq!(ranges(1), [("0".repeat(32), "f".repeat(32))]);
    }

    #[test]
    fn a_short_key_is_filled_up_on_the_right() {
        assert_eq!(parse_key("8F").unwrap(), format!("8f{}", "0".repeat(30)));
        for bad in ["", "xyz", "-1", &"0".repeat(33)] {
            assert!(parse_key(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn ranges_cover_the_space_without_gap_or_overlap(count in 1u32..=256) {
            let ranges = ranges(count);
            prop_assert_eq!(ranges.len(), count as usize);
            prop_assert_eq!(&ranges[0].0, &"0".repeat(32));
            prop_assert_eq!(&ranges.last().unwrap().1, &"f".repeat(32));
            for pair in ranges.windows(2) {
                prop_assert_eq!(&pair[0].1, &pair[1].0);
                prop_assert!(pair[0].0 < pair[0].1);
            }
        }

        #[test]
        fn pieces_of_any_range_join_and_differ_by_one_key_at_most(
            a in any::<u128>(), b in any::<u128>(), count in 1u32..=256,
        ) {
            let (begin, end) = (a.min(b), a.max(b));
            let parts = pieces(begin, end, count);
            prop_assume!(parts.is_some());
            let parts: Vec<(u128, u128)> = parts.unwrap().iter()
                .map(|(begin, end)| (number(begin).unwrap(), number(end).unwrap()))
                .collect();
            prop_assert_eq!((parts[0].0, parts.last().unwrap().1), (begin, end));
            let widths: Vec<u128> = parts.iter().map(|(begin, end)| end - begin).collect();
            let spread = widths.iter().max().unwrap() - widths.iter().min().unwrap();
            prop_assert!(spread <= 1 && widths.iter().all(|width| *width > 0));
            prop_assert!(parts.windows(2).all(|pair| pair[0].1 == pair[1].0));
        }
    }
}
