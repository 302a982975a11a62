//! The database schema, as numbered SQL files. The number of files applied is kept in the
//! database's `user_version`.

use std::path::Path;

use rusqlite::Connection;

use super::OpenError;

/// Every step from an empty database to the current one, in order. Never change a step that
/// was released; add one.
const STEPS: &[&str] = &[
    include_str!("schema/01_base.sql"),
    include_str!("schema/02_consumer_groups.sql"),
    include_str!("schema/03_documents.sql"),
    include_str!("schema/04_block_times.sql"),
    include_str!("schema/05_pipeline_configs.sql"),
    include_str!("schema/06_packs.sql"),
];

/// Applies the steps that the database lacks, all or none.
pub fn migrate(db: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let missing = missing(db, path)?;
    if missing.is_empty() {
        return Ok(());
    }
    apply(db, missing).map_err(|source| OpenError::Database { path: path.to_owned(), source })
}

/// The steps that the database lacks; an error if it has some that this program does not know.
pub fn missing(db: &Connection, path: &Path) -> Result<&'static [&'static str], OpenError> {
    let found = version(db).map_err(|source| OpenError::Database { path: path.to_owned(), source })?;
    let applied = usize::try_from(found).unwrap_or(usize::MAX);
    STEPS.get(applied..).ok_or_else(|| OpenError::TooNew { path: path.to_owned(), found, known: newest() })
}

fn apply(db: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let tx = db.transaction()?;
    for step in steps {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "user_version", newest())?;
    tx.commit()
}

fn version(db: &Connection) -> rusqlite::Result<u32> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn newest() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::query::source::Order;
    use crate::store::blocks;
    use crate::store::logstores::{LogstoreId, ReadTarget};

    #[test]
    fn blocks_of_before_version_4_are_found_by_their_last_second() {
        let mut db = Connection::open_in_memory().unwrap();
        for step in &STEPS[..3] {
            db.execute_batch(step).unwrap();
        }
        db.pragma_update(None, "user_version", 3).unwrap();
        db.execute_batch(
            "INSERT INTO projects VALUES (1, 'p', '1', '{}', 0, 0);
             INSERT INTO logstores (id, project_id, name, body, append_meta, create_time, last_modify_time)
                 VALUES (1, 1, 'ls', '{}', 0, 0, 0), (2, 1, 'empty', '{}', 0, 0, 0);
             INSERT INTO blocks VALUES (1, 1, 0, 5, 0, 10, 90, 2, '', 0, NULL, 0, x'');",
        )
        .unwrap();
        migrate(&mut db, Path::new("test")).unwrap();
        for (id, found) in [(1, 1), (2, 0)] {
            let target = ReadTarget { id: LogstoreId(id), oldest: 0 };
            let mut seen = 0;
            blocks::scan(&db, target, 90, 91, None, Order::Any, &mut |_| {
                seen += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
            assert_eq!(seen, found, "Logstore {id}");
        }
    }

    #[test]
    fn a_database_of_every_earlier_version_is_brought_up_to_date() {
        for earlier in 0..=newest() {
            let mut db = Connection::open_in_memory().unwrap();
            for step in &STEPS[..earlier as usize] {
                db.execute_batch(step).unwrap();
            }
            db.pragma_update(None, "user_version", earlier).unwrap();
            migrate(&mut db, Path::new("test")).unwrap();
            assert_eq!(version(&db).unwrap(), newest());
        }
    }

    #[test]
    fn a_database_of_a_newer_program_is_refused() {
        let mut db = Connection::open_in_memory().unwrap();
        db.pragma_update(None, "user_version", newest() + 1).unwrap();
        let error = migrate(&mut db, Path::new("old.sqlite")).unwrap_err();
        assert!(matches!(error, OpenError::TooNew { .. }), "{error}");
    }
}
