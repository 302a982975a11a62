//! The connections that read. Used by [`super::Store::read`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::connect;
use super::packs::Packs;
use crate::error::ApiError;

/// Reads at a time (own choice; more only helps with more cores).
const READERS: usize = 4;
/// How long a caller waits for a free connection before it is told `ServerBusy`.
const READER_WAIT_MAX: Duration = Duration::from_secs(30);

/// A few read-only connections; each serves one read at a time on a blocking thread.
pub struct Readers {
    free: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    /// Opens the connections to an existing database.
    pub fn open(path: &Path, packs: &Arc<Packs>) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let idle = (0..READERS).map(|_| connect(path, flags, packs)).collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Self { free: Arc::new(Semaphore::new(READERS)), idle: Arc::new(Mutex::new(idle)) })
    }

    /// Runs `f` in a read transaction of its own.
    pub async fn run<T, F>(&self, f: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, ApiError> + Send + 'static,
    {
        let waiting = Arc::clone(&self.free).acquire_owned();
        let permit = tokio::time::timeout(READER_WAIT_MAX, waiting)
            .await
            .map_err(|_| ApiError::ServerBusy)?
            .map_err(|_| gone())?;
        let idle = Arc::clone(&self.idle);
        let work = tokio::task::spawn_blocking(move || {
            let db = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(db) = db else { return Err(gone()) };
            // The connection goes back before the permit, and also when `f` panics; the read
            // transaction has ended by then, because it lives inside `in_snapshot`.
            let result = catch_unwind(AssertUnwindSafe(|| in_snapshot(&db, f)));
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
            drop(permit);
            result.unwrap_or_else(|_| Err(panicked()))
        });
        work.await.unwrap_or_else(|_| Err(panicked()))
    }
}

fn gone() -> ApiError {
    ApiError::Internal("no database connection is left to read with".to_owned())
}

fn panicked() -> ApiError {
    ApiError::Internal("a database read panicked".to_owned())
}

fn in_snapshot<T>(
    db: &Connection,
    f: impl FnOnce(&Connection) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    // Dropped at the end of the function, which ends the read transaction.
    let snapshot = db.unchecked_transaction()?;
    f(&snapshot)
}
