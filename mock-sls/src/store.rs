//! All state of the server: one SQLite database in WAL mode, and files beside it for the long groups of logs
//! ([`packs`]).
//!
//! One thread writes ([`writer`]) and a few connections read ([`readers`]). A write is answered
//! after its transaction is committed and a read begins its own transaction after that, so
//! whoever was answered finds what he wrote.
//!
//! The files below hold the SQL, one per resource, under the names of [`crate::ops`]. Their
//! functions are synchronous and take a connection: reads a `&Connection`, writes a
//! `&Transaction`, which only the writer thread has. Nothing in here knows HTTP.

pub mod agents;
pub mod applied;
pub mod arrived;
pub mod blocks;
pub mod consumer_groups;
pub mod documents;
pub mod expiry;
pub mod indexes;
pub mod logs;
pub mod logstores;
pub mod logtail_configs;
pub mod machine_groups;
pub mod packs;
pub mod page;
pub mod projects;
mod readers;
mod schema;
pub mod sequences;
pub mod shards;
mod snapshots;
pub mod summaries;
pub mod tags;
pub mod volumes;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, Row, Transaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sls_api::names::InvalidName;
use tempfile::TempDir;

use crate::config::Data;
use crate::error::ApiError;
use packs::Packs;
use readers::Readers;
use summaries::Summaries;
use writer::Writer;

/// File name of the database inside the data folder.
pub const FILE_NAME: &str = "mock-sls.sqlite";
/// File that is locked while a server uses the folder.
const LOCK_NAME: &str = "mock-sls.lock";

/// Bytes of a page of a new database. What is long is in [`packs`]; for the rows of a block a page of each index is
/// written to the write-ahead log and from there to the database (own choice, measured: bench `ingest`).
const PAGE_BYTES: u32 = 4 * 1024;
/// Pages of the write-ahead log after which it is folded into the database.
const WAL_PAGES_MAX: u32 = 4_000;

/// The database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or written.
    #[error("cannot use the data folder {path}: {source}; choose another one with --data")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another server works on the folder.
    #[error("the data folder {path} is used by another mock-sls; stop that one or use another folder")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// SQLite refuses the file.
    #[error("cannot open the database {path}: {source}; is it a mock-sls data folder?")]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file was written by a newer program.
    #[error(
        "the database {path} has schema version {found}, this program knows up to {known}; use \
         the newer mock-sls or another data folder"
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Version in the file.
        found: u32,
        /// Newest version of this program.
        known: u32,
    },
    /// A file beside the database is not the one that belongs to it.
    #[error(
        "{path} has {length} bytes and should have at least {wanted}: logs are in it; copy the folder `packs` \
         together with the database, from a server that has ended, or take a snapshot"
    )]
    Pack {
        /// The file.
        path: PathBuf,
        /// Its length, 0 if there is none.
        length: u64,
        /// What the database names of it.
        wanted: u64,
    },
    /// The writer thread cannot be started.
    #[error("cannot start the database's writer thread: {0}")]
    Thread(#[source] std::io::Error),
}

/// The open database. Shared by all requests.
pub struct Store {
    // Order matters: the connections close before a temporary folder is removed.
    writer: Writer,
    readers: Readers,
    /// What queries keep of the blocks they have read.
    pub summaries: Arc<Summaries>,
    /// The files beside the database.
    pub packs: Arc<Packs>,
    folder: PathBuf,
    _lock: File,
    _temporary: Option<TempDir>,
}

impl Store {
    /// Opens or makes the database and brings its schema up to date.
    pub fn open(data: &Data) -> Result<Self, OpenError> {
        let (folder, temporary) = folder(data)?;
        let lock = lock(&folder)?;
        let path = folder.join(FILE_NAME);
        let at_path = |source| OpenError::Database { path: path.clone(), source };
        // SQLite removes it when the last connection closes.
        let was_cut = path.with_extension("sqlite-wal").metadata().is_ok_and(|log| log.len() > 0);
        let packs = Arc::new(Packs::new(&folder));
        let mut db = connect(&path, OpenFlags::default(), &packs).map_err(at_path)?;
        prepare_writer(&db, temporary.is_some()).map_err(at_path)?;
        schema::migrate(&mut db, &path)?;
        match packs.check(&db, was_cut)? {
            0 => {}
            lost => tracing::warn!(
                lost,
                "groups of logs did not reach the disk before the power went, and are lost"
            ),
        }
        let readers = Readers::open(&path, &packs).map_err(at_path)?;
        let writer = Writer::start(db).map_err(OpenError::Thread)?;
        let summaries = Arc::default();
        Ok(Self { writer, readers, summaries, packs, folder, _lock: lock, _temporary: temporary })
    }

    /// Runs `f` on a snapshot of the database that holds every write answered so far.
    pub async fn read<T, F>(&self, f: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, ApiError> + Send + 'static,
    {
        self.readers.run(f).await
    }

    /// Runs `f` in the writer's transaction and returns once that is committed. If `f` returns
    /// an error, what it changed is undone.
    pub async fn write<T, F>(&self, f: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, ApiError> + Send + 'static,
    {
        self.writer.run(f).await
    }

    /// Gives the space of deleted logs back to the system, once that was found twice: nobody reads them any more
    /// if the longest read takes less than the time between two calls.
    pub async fn reclaim(&self) -> Result<(), ApiError> {
        let packs = Arc::clone(&self.packs);
        self.read(move |db| packs.reclaim(db)).await
    }
}

fn folder(data: &Data) -> Result<(PathBuf, Option<TempDir>), OpenError> {
    match data {
        Data::Temp => {
            let folder = tempfile::Builder::new()
                .prefix("mock-sls-")
                .tempdir()
                .map_err(|source| OpenError::Folder { path: std::env::temp_dir(), source })?;
            Ok((folder.path().to_owned(), Some(folder)))
        }
        Data::Dir(path) => {
            std::fs::create_dir_all(path)
                .map_err(|source| OpenError::Folder { path: path.clone(), source })?;
            Ok((path.clone(), None))
        }
    }
}

/// Takes the folder for this server until the file is dropped, also by the end of the process.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let at_folder = |source| OpenError::Folder { path: folder.to_owned(), source };
    let file = File::create(folder.join(LOCK_NAME)).map_err(at_folder)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(at_folder(source)),
    }
}

fn connect(path: &Path, flags: OpenFlags, packs: &Arc<Packs>) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, flags)?;
    packs.register(&db)?;
    db.set_prepared_statement_cache_capacity(64);
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(db)
}

fn to_json<T: Serialize>(value: &T) -> Result<String, ApiError> {
    serde_json::to_string(value)
        .map_err(|error| ApiError::Internal(format!("cannot write a database row: {error}")))
}

/// Reads a JSON column.
fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| unreadable(column, error))
}

/// Reads a JSON column that may be NULL.
fn from_json_opt<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| unreadable(column, error))).transpose()
}

/// Reads a column that holds the name of a resource.
fn name<T: TryFrom<String, Error = InvalidName>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    T::try_from(text).map_err(|error| unreadable(column, error))
}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

/// Durability: what was answered survives the end of the process, and for a named folder also
/// a power cut except for the last moments (`synchronous=NORMAL` in WAL mode).
fn prepare_writer(db: &Connection, temporary: bool) -> rusqlite::Result<()> {
    // Says nothing to a database that there is.
    db.pragma_update(None, "page_size", PAGE_BYTES)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", if temporary { "OFF" } else { "NORMAL" })?;
    db.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)
}

#[cfg(test)]
pub(crate) mod testing {
    //! An in-memory database with the current schema, for the unit tests of the SQL files.

    use jiff::Timestamp;
    use prost::Message;
    use sls_api::log_group::LogGroup;
    use sls_api::ops::logs::EncodedGroup;
    use sls_api::ops::logstores::{Logstore, LogstoreSettings};
    use sls_api::ops::projects::NewProject;

    use super::logs::{Block, Selectors};
    use super::logstores::WriteTarget;
    use super::*;

    pub(crate) fn database() -> Connection {
        let mut db = connect(Path::new(":memory:"), OpenFlags::default(), &Packs::none()).unwrap();
        schema::migrate(&mut db, Path::new(":memory:")).unwrap();
        db
    }

    const NOW: i64 = 1_795_000_000;

    /// So many seconds after the Logstore of [`with_logstore`] was made.
    pub(crate) fn at(second: i64) -> Timestamp {
        Timestamp::from_second(NOW + second).unwrap()
    }

    /// The group as the store keeps it.
    pub(crate) fn block(group: LogGroup) -> Block {
        let times = || group.logs.iter().map(|log| log.time);
        let selectors = Selectors {
            times: (times().min().unwrap(), times().max().unwrap()),
            log_count: group.logs.len(),
            topic: group.topic.clone().unwrap_or_default(),
        };
        Block::new(EncodedGroup { raw: &group.encode_to_vec(), lz4: None }, selectors).unwrap()
    }

    /// A database with one Logstore of one shard, which keeps logs for a day.
    pub(crate) fn with_logstore(f: impl FnOnce(&Transaction<'_>, WriteTarget)) {
        let mut db = database();
        let tx = db.transaction().unwrap();
        f(&tx, fill_with_logstore(&tx));
    }

    /// Makes a Logstore of one shard, which keeps logs for a day.
    pub(crate) fn fill_with_logstore(tx: &Transaction<'_>) -> WriteTarget {
        let name = "proj-a".parse().unwrap();
        projects::create(tx, &NewProject::new(name, ""), "1", at(0)).unwrap();
        let project = projects::owned(tx, &"proj-a".parse().unwrap(), "1").unwrap();
        let settings = LogstoreSettings::new("ls".parse().unwrap(), 1, 1);
        let body = serde_json::to_value(settings).unwrap();
        let logstore: Logstore = serde_json::from_value(body).unwrap();
        let id = logstores::create(tx, project, &logstore, at(0)).unwrap();
        shards::create(tx, id, 1, at(0)).unwrap();
        WriteTarget { id, append_meta: false, block_seconds_max: 0 }
    }
}
