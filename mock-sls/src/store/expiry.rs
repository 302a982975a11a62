//! SQL that deletes what has expired, a bounded part at a time. Readers leave expired logs out by
//! themselves; this gives their space back. Called by [`crate::janitor`]. Also what deletes all logs at once.

use jiff::Timestamp;
use rusqlite::Transaction;

use super::logstores::ReadTarget;
use super::{logs, logstores, sequences, shards};
use crate::error::ApiError;

/// Rows deleted in one step (own choice; bounds how long writers wait behind it).
const ROWS_PER_STEP: usize = 500;

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

/// Deletes some of what has expired. Returns whether there may be more.
pub fn step(tx: &Transaction<'_>, now: Timestamp) -> Result<bool, ApiError> {
    let mut room = ROWS_PER_STEP - sequences::delete_unused(tx, now, ROWS_PER_STEP)?;
    for target in logstores::expiring(tx, now)? {
        for shard in shards::list(tx, target.id)? {
            if room == 0 {
                return Ok(true);
            }
            if logs::has_expired(tx, target, shard.shard_id)? {
                room -= logs::delete_expired(tx, target, shard.shard_id, room)?;
            }
        }
        // A closed shard goes when whatever could have been in it has expired.
        for shard in shards::closed_and_empty(tx, target.id, target.oldest / NANOSECONDS_PER_SECOND)? {
            shards::delete(tx, target.id, shard)?;
        }
    }
    Ok(room == 0)
}

/// Deletes all logs of a Logstore; what is written next goes behind them.
pub fn clear(tx: &Transaction<'_>, target: ReadTarget) -> Result<(), ApiError> {
    let target = ReadTarget { oldest: i64::MAX, ..target };
    for shard in shards::list(tx, target.id)? {
        logs::delete_expired(tx, target, shard.shard_id, usize::MAX)?;
    }
    logstores::forget_blocks(tx, target.id)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use sls_api::log_group::{Log, LogGroup};

    use super::*;
    use crate::store::logstores::WriteTarget;
    use crate::store::packs::Packs;
    use crate::store::shards::Cut;
    use crate::store::testing::{at, block, with_logstore};

    const DAY_S: i64 = 86_400;

    fn put(tx: &Transaction<'_>, target: WriteTarget, shard: u32, second: i64) {
        let group = LogGroup { logs: vec![Log::default()], ..LogGroup::default() };
        let block = block(group);
        logs::append(tx, &Packs::none(), target, shard, &block, Ipv4Addr::LOCALHOST.into(), at(second))
            .unwrap();
    }

    fn blocks(tx: &Transaction<'_>) -> i64 {
        tx.query_row("SELECT count(*) FROM blocks", (), |row| row.get(0)).unwrap()
    }

    #[test]
    fn expired_blocks_go_in_steps_and_the_others_stay() {
        with_logstore(|tx, target| {
            for _ in 0..ROWS_PER_STEP + 1 {
                put(tx, target, 0, 0);
            }
            put(tx, target, 0, DAY_S);
            assert!(!step(tx, at(DAY_S)).unwrap(), "a day is not over before its last moment");
            assert_eq!(blocks(tx), ROWS_PER_STEP as i64 + 2);
            assert!(step(tx, at(DAY_S + 1)).unwrap());
            assert_eq!(blocks(tx), 2);
            assert!(!step(tx, at(DAY_S + 1)).unwrap());
            assert_eq!(blocks(tx), 1);
        });
    }

    #[test]
    fn the_end_of_an_emptied_shard_stays_where_it_was() {
        with_logstore(|tx, target| {
            put(tx, target, 0, 5);
            let end = logs::end(tx, target.id, 0).unwrap();
            step(tx, at(2 * DAY_S)).unwrap();
            assert_eq!((blocks(tx), logs::end(tx, target.id, 0).unwrap()), (0, end));
        });
    }

    #[test]
    fn a_closed_shard_goes_when_all_that_was_in_it_has_expired() {
        with_logstore(|tx, target| {
            put(tx, target, 0, 5);
            shards::split(tx, target.id, 0, &Cut::Evenly(2), at(10)).unwrap();
            let ids = || -> Vec<u32> {
                shards::list(tx, target.id).unwrap().iter().map(|shard| shard.shard_id).collect()
            };
            step(tx, at(DAY_S + 10)).unwrap();
            assert_eq!((blocks(tx), ids()), (0, vec![0, 1, 2]));
            step(tx, at(DAY_S + 11)).unwrap();
            assert_eq!(ids(), [1, 2]);
            assert!(shards::parents(tx, target.id).unwrap().is_empty());
        });
    }

    #[test]
    fn sequence_numbers_are_forgotten_when_long_unused() {
        with_logstore(|tx, target| {
            sequences::advance(tx, target.id, "a", 7, at(0)).unwrap();
            step(tx, at(7 * DAY_S)).unwrap();
            assert!(sequences::advance(tx, target.id, "a", 7, at(7 * DAY_S)).is_err());
            step(tx, at(7 * DAY_S + 1)).unwrap();
            assert!(sequences::advance(tx, target.id, "a", 7, at(7 * DAY_S + 1)).is_ok());
        });
    }
}
