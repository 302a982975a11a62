//! SQL of shards, and the arithmetic of their key space.
//!
//! A Logstore's keys are 128-bit numbers; each writable shard owns a half-open range of them
//! and together they cover the space. A split or merge leaves the old shards readable.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use sls_api::ops::shards::{Shard, ShardStatus};

use super::logstores::LogstoreId;
use crate::error::ApiError;

/// Digits of a key. Source: API reference, "Shard".
const KEY_DIGITS: usize = 32;

/// A key as the 32 lower-case hex digits that are stored and shown.
fn hex(key: u128) -> String {
    format!("{key:032x}")
}

/// The space divided evenly. Source: SDK captures and the API reference: ids from 0, the last
/// range ends with all `f`, which it includes.
fn ranges(count: u32) -> Vec<(String, String)> {
    let count = u128::from(count.max(1));
    let width = u128::MAX / count + u128::from(count.is_power_of_two() && count > 1);
    let begin = |shard: u128| width.saturating_mul(shard);
    (0..count)
        .map(|shard| {
            let end = if shard + 1 == count { u128::MAX } else { begin(shard + 1) };
            (hex(begin(shard)), hex(end))
        })
        .collect()
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
    }
}
