//! SQL of how much Logstores hold, and how fast it comes.

use jiff::Timestamp;
use rusqlite::Connection;
use sls_api::names::LogstoreName;

use super::logstores::{self, LogstoreId};
use super::name;
use super::projects::ProjectId;
use crate::clock::nanoseconds;
use crate::error::ApiError;

/// Nanoseconds of the two spans over which rates are told.
const MINUTE: i64 = 60_000_000_000;
const HOUR: i64 = 60 * MINUTE;

/// Logs and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// Logs.
    pub logs: u64,
    /// Bytes of their groups before compression.
    pub bytes: u64,
}

/// What a Logstore holds and takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Volume {
    /// What has not expired.
    pub held: Amount,
    /// Of this, what came in the last minute.
    pub minute: Amount,
    /// Of this, what came in the last hour.
    pub hour: Amount,
    /// When the last of it came, in Unix seconds.
    pub last: Option<i64>,
}

/// Those of the Logstores of a project, by name.
pub fn of_project(
    db: &Connection,
    project: ProjectId,
    now: Timestamp,
) -> Result<Vec<(LogstoreName, Volume)>, ApiError> {
    let mut query =
        db.prepare_cached("SELECT id, name, ttl_days FROM logstores WHERE project_id = ?1 ORDER BY name")?;
    let rows = query.query_map([project.0], |row| {
        Ok((LogstoreId(row.get(0)?), name(row, 1)?, logstores::oldest(row.get(2)?, now)))
    })?;
    let found: Vec<(LogstoreId, LogstoreName, i64)> = rows.collect::<rusqlite::Result<_>>()?;
    found.into_iter().map(|(id, name, oldest)| Ok((name, of(db, id, oldest, now)?))).collect()
}

/// That of one Logstore, whose logs before the cursor `oldest` have expired. Reads an index with all that it needs,
/// one entry for each block.
pub fn of(db: &Connection, logstore: LogstoreId, oldest: i64, now: Timestamp) -> Result<Volume, ApiError> {
    let now = nanoseconds(now);
    let mut query = db.prepare_cached(
        "SELECT total(log_count), total(raw_bytes), \
         total(log_count * (cursor >= ?3)), total(raw_bytes * (cursor >= ?3)), \
         total(log_count * (cursor >= ?4)), total(raw_bytes * (cursor >= ?4)), max(cursor) \
         FROM blocks INDEXED BY blocks_by_time WHERE logstore_id = ?1 AND cursor >= ?2",
    )?;
    let amount = |row: &rusqlite::Row<'_>, first: usize| -> rusqlite::Result<Amount> {
        Ok(Amount { logs: row.get::<_, f64>(first)? as u64, bytes: row.get::<_, f64>(first + 1)? as u64 })
    };
    let volume = query.query_row((logstore.0, oldest, now - MINUTE, now - HOUR), |row| {
        let last: Option<i64> = row.get(6)?;
        Ok(Volume {
            held: amount(row, 0)?,
            minute: amount(row, 2)?,
            hour: amount(row, 4)?,
            last: last.map(|cursor| cursor / 1_000_000_000),
        })
    })?;
    Ok(volume)
}

#[cfg(test)]
mod tests {
    use sls_api::log_group::{Content, Log, LogGroup};

    use super::*;
    use crate::store::packs::Packs;
    use crate::store::{logs, testing};

    #[test]
    fn what_came_lately_is_counted_apart_and_what_expired_not_at_all() {
        testing::with_logstore(|tx, target| {
            let packs = Packs::none();
            let log =
                |second: u32| Log { time: second, contents: vec![Content::new("k", "v")], time_ns: None };
            for (at, count) in [(0, 1_u32), (80_000, 2), (86_000, 4), (86_390, 8)] {
                let group = LogGroup { logs: (0..count).map(log).collect(), ..LogGroup::default() };
                let block = testing::block(group);
                let ip = std::net::IpAddr::from([127, 0, 0, 1]);
                logs::append(tx, &packs, target, 0, &block, ip, testing::at(at)).unwrap();
            }
            // A day later, when the first has expired.
            let now = testing::at(86_410);
            let volume = of(tx, target.id, logstores::oldest(1, now), now).unwrap();
            assert_eq!((volume.held.logs, volume.hour.logs, volume.minute.logs), (14, 12, 8));
            assert!(volume.minute.bytes > 0 && volume.minute.bytes < volume.hour.bytes);
            assert_eq!(volume.last, Some(testing::at(86_390).as_second()));
            let empty = of(tx, target.id, logstores::oldest(1, testing::at(900_000)), testing::at(900_000));
            assert_eq!(empty.unwrap(), Volume::default());
        });
    }
}
