//! The whole state at once: keep a copy, bring one back, begin anew. All three run on the writer
//! thread, so that each stands between two writes; reads in progress keep what they see.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, Transaction};
use sls_api::names::{COLLECTED_NAME, NameRule, ProjectName};

use super::{OpenError, Store, connect, schema};
use crate::error::ApiError;

/// Copies that are kept at a time; each has the size of the database (own choice).
pub const SNAPSHOTS_MAX: usize = 32;
/// What a copy may be called: it is part of a file name.
const SNAPSHOT_NAME: NameRule = COLLECTED_NAME.of("snapshot");
/// Folder of the copies, inside the data folder.
const FOLDER_NAME: &str = "snapshots";
/// End of their file names.
const EXTENSION: &str = "sqlite";

impl Store {
    /// Keeps a copy under this name, instead of an earlier one.
    pub async fn snapshot(&self, name: &str) -> Result<(), ApiError> {
        let path = self.snapshot_path(name)?;
        let known = self.snapshots()?;
        if known.len() >= SNAPSHOTS_MAX && !known.iter().any(|known| known == name) {
            return Err(ApiError::QuotaExceed { what: "snapshots", max: SNAPSHOTS_MAX as u64 });
        }
        std::fs::create_dir_all(self.folder.join(FOLDER_NAME)).map_err(failed)?;
        let packs = Arc::clone(&self.packs);
        self.writer
            .run_alone(move |db| {
                // Under another name until it is whole.
                let unfinished = path.with_extension("part");
                let _ = std::fs::remove_file(&unfinished);
                let mut snapshot = connect(&unfinished, OpenFlags::default(), &packs)?;
                copy(db, &mut snapshot)?;
                take_in_packed(&snapshot)?;
                drop(snapshot);
                std::fs::rename(&unfinished, &path).map_err(failed)
            })
            .await
    }

    /// Brings the copy of this name back; it stays.
    pub async fn restore(&self, name: &str) -> Result<(), ApiError> {
        let path = self.snapshot_path(name)?;
        if !path.is_file() {
            return Err(ApiError::Refused {
                status: 404,
                code: "SnapshotNotExist",
                message: format!("There is no snapshot {name}; there are: {:?}", self.snapshots()?),
            });
        }
        let (summaries, packs) = (Arc::clone(&self.summaries), Arc::clone(&self.packs));
        self.writer
            .run_alone(move |db| {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let snapshot = Connection::open_with_flags(&path, flags)?;
                // In here, so that it happens whether or not anyone still waits for the answer.
                let _replaced = summaries.while_replaced();
                let wanted = page_bytes(db)?;
                let as_now = schema::missing(&snapshot, &path).map_err(unusable)?.is_empty();
                if as_now && page_bytes(&snapshot)? == wanted {
                    return copy(&snapshot, db);
                }
                // Aside: what cannot be migrated must not replace the state, nor may anyone read it before.
                let unfinished = path.with_extension("part");
                let _ = std::fs::remove_file(&unfinished);
                let mut newer = connect(&unfinished, OpenFlags::default(), &packs)?;
                copy(&snapshot, &mut newer)?;
                schema::migrate(&mut newer, &path).map_err(unusable)?;
                // Pages of another size can neither be copied into this database nor, with a log beside it,
                // be changed.
                newer.pragma_update(None, "journal_mode", "DELETE")?;
                newer.pragma_update(None, "page_size", wanted)?;
                newer.execute_batch("VACUUM")?;
                copy(&newer, db)?;
                drop(newer);
                std::fs::remove_file(&unfinished).map_err(failed)
            })
            .await
    }

    /// Names of the copies, in order.
    pub fn snapshots(&self) -> Result<Vec<String>, ApiError> {
        let folder = match std::fs::read_dir(self.folder.join(FOLDER_NAME)) {
            Ok(folder) => folder,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let files = folder.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let name = |file: std::fs::DirEntry| {
            let name = file.file_name().into_string().ok()?;
            Some(name.strip_suffix(&format!(".{EXTENSION}"))?.to_owned())
        };
        let mut names: Vec<String> = files.into_iter().filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    fn snapshot_path(&self, name: &str) -> Result<PathBuf, ApiError> {
        SNAPSHOT_NAME.check(name)?;
        Ok(self.folder.join(FOLDER_NAME).join(format!("{name}.{EXTENSION}")))
    }

    /// Removes everything, agents and documents of accounts included; snapshots stay.
    pub async fn reset(&self) -> Result<(), ApiError> {
        self.write(clear).await
    }

    /// Removes everything in a project; the project itself stays as it is.
    pub async fn reset_project(&self, name: &ProjectName) -> Result<(), ApiError> {
        let name = name.clone();
        self.write(move |tx| empty(tx, &name)).await
    }
}

fn failed(error: std::io::Error) -> ApiError {
    ApiError::Internal(format!("cannot use the folder of the snapshots: {error}"))
}

/// A copy of a newer program is the caller's mistake, anything else the emulator's.
fn unusable(error: OpenError) -> ApiError {
    match error {
        OpenError::TooNew { found, known, .. } => ApiError::Refused {
            status: 400,
            code: "SnapshotTooNew",
            message: format!(
                "The snapshot has schema version {found}, this program knows up to {known}; restore it with \
                 the newer mock-sls"
            ),
        },
        other => ApiError::Internal(other.to_string()),
    }
}

fn page_bytes(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "page_size", |row| row.get(0))
}

fn copy(from: &Connection, to: &mut Connection) -> Result<(), ApiError> {
    // All pages at once: nobody else writes, so there is nobody to let through.
    match Backup::new(from, to)?.step(-1)? {
        StepResult::Done => Ok(()),
        other => Err(ApiError::Internal(format!("the database was not copied: {other:?}"))),
    }
}

/// Makes a copy one file that has everything, and needs none of those beside the database.
fn take_in_packed(copy: &Connection) -> rusqlite::Result<()> {
    // What fails leaves a file that nobody uses.
    copy.pragma_update(None, "journal_mode", "OFF")?;
    copy.execute(
        "UPDATE blocks SET data = sls_packed(place, packed_bytes), place = NULL, packed_bytes = 0, packed_crc = 0 \
         WHERE place IS NOT NULL",
        (),
    )?;
    Ok(())
}

/// Empties every table, also those that this file does not know.
fn clear(tx: &Transaction<'_>) -> Result<(), ApiError> {
    let mut query = tx.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let tables: Vec<String> = query.query_map((), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for table in tables {
        tx.execute(&format!("DELETE FROM \"{table}\""), ())?;
    }
    Ok(())
}

fn empty(tx: &Transaction<'_>, name: &ProjectName) -> Result<(), ApiError> {
    let columns = "name, owner, body, create_time, last_modify_time";
    let row = tx.query_row(
        &format!("DELETE FROM projects WHERE name = ?1 RETURNING {columns}"),
        [name.as_str()],
        |row| {
            let text = |column| row.get::<_, String>(column);
            let time = |column| row.get::<_, i64>(column);
            Ok((text(0)?, text(1)?, text(2)?, time(3)?, time(4)?))
        },
    );
    match row {
        Ok(row) => {
            tx.execute(&format!("INSERT INTO projects ({columns}) VALUES (?1, ?2, ?3, ?4, ?5)"), row)?;
            Ok(())
        }
        Err(rusqlite::Error::QueryReturnedNoRows) => Err(ApiError::ProjectNotExist(name.to_string())),
        Err(error) => Err(error.into()),
    }
}
