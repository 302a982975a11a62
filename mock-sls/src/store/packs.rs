//! Files beside the database that hold the packed groups of long blocks, one behind the other: SQLite would write
//! each byte of them twice, into its write-ahead log and into its file.
//!
//! The writer thread appends what a block needs before it writes the block's row, so whatever a committed row
//! names is in its file, also after the process was killed. What a power cut takes from the end of a file is found
//! when the database is opened, and what no row names any more is given back later ([`space`]). Nothing in a file is
//! ever overwritten.
//!
//! Statements read by the function `sls_packed(place, bytes)`.

mod space;

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, Error};

use crate::error::ApiError;
use space::{Part, Unused};

/// Folder of the files, inside the data folder.
const FOLDER_NAME: &str = "packs";
/// End of their names; before it, the number in hexadecimal digits.
const EXTENSION: &str = "pack";
/// Shorter groups are kept in their rows: those share pages, and one is appended to a file by a system call of its
/// own. Bytes (own choice).
pub const PACKED_BYTES_MIN: usize = 4 * 1024;
/// A file that would become longer is followed by a new one: files go when all of their blocks are gone. Bytes (own
/// choice).
const PACK_BYTES_MAX: u32 = 64 * 1024 * 1024;
/// Files that are open for reading at a time (own choice, below what a process may usually open).
const OPEN_MAX: usize = 64;
/// Bits of a place that say where in its file it is.
const OFFSET_BITS: u32 = 32;

/// The files of one database.
#[derive(Debug)]
pub struct Packs {
    folder: PathBuf,
    pack_bytes_max: u32,
    state: Mutex<State>,
}

/// The file that is appended to.
#[derive(Debug)]
struct Current {
    number: u32,
    file: File,
    /// Bytes.
    length: u32,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Current>,
    open: HashMap<u32, Arc<File>>,
    /// What no row named at the last look.
    unused: Unused,
    /// Parts of files that need not be given back again.
    given_back: BTreeSet<Part>,
}

/// Where a group begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    number: u32,
    /// Bytes before it in the file.
    offset: u32,
}

impl Place {
    /// From the column `place`.
    fn of(column: i64) -> Self {
        Self { number: (column >> OFFSET_BITS) as u32, offset: column as u32 }
    }

    fn as_column(self) -> i64 {
        i64::from(self.number) << OFFSET_BITS | i64::from(self.offset)
    }
}

impl Packs {
    /// Of the database in this folder. Files are made when there is something for them.
    pub fn new(data: &Path) -> Self {
        Self { folder: data.join(FOLDER_NAME), pack_bytes_max: PACK_BYTES_MAX, state: Mutex::default() }
    }

    /// For a database that has no folder: it can hold short groups only.
    #[cfg(test)]
    pub fn none() -> Arc<Self> {
        Arc::new(Self::new(Path::new("/dev/null")))
    }

    /// Lets statements of this connection read.
    pub fn register(self: &Arc<Self>, db: &Connection) -> rusqlite::Result<()> {
        let packs = Arc::clone(self);
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
        db.create_scalar_function("sls_packed", 2, flags, move |context| {
            packs.read(Place::of(context.get(0)?), context.get(1)?).map_err(failed)
        })
    }

    /// Appends; returns what the column `place` must say. Called by the writer thread only, before the row is
    /// written.
    ///
    /// # Errors
    /// The folder cannot be written, or is full.
    pub fn keep(&self, packed: &[u8]) -> Result<i64, ApiError> {
        self.append(packed).map(Place::as_column).map_err(|error| {
            ApiError::Internal(format!("cannot write to {}: {error}", self.folder.display()))
        })
    }

    fn append(&self, packed: &[u8]) -> io::Result<Place> {
        let mut state = self.state();
        if state.current.is_none() {
            state.current = self.last()?;
        }
        let fits = |current: &Current| {
            let length = u64::from(current.length) + packed.len() as u64;
            u32::try_from(length).ok().filter(|length| *length <= self.pack_bytes_max)
        };
        // A file that cannot be written has an end that nobody knows: next time it is asked for it anew.
        let current = match state.current.take() {
            Some(current) if fits(&current).is_some() => current,
            full => self.next(full)?,
        };
        current.file.write_all_at(packed, current.length.into())?;
        let place = Place { number: current.number, offset: current.length };
        // A group that is longer than a file may be fills one.
        let length = fits(&current).unwrap_or(self.pack_bytes_max);
        state.current = Some(Current { length, ..current });
        Ok(place)
    }

    /// The file with the highest number.
    fn last(&self) -> io::Result<Option<Current>> {
        let Some(number) = self.numbers()?.pop() else { return Ok(None) };
        let file = OpenOptions::new().write(true).open(self.path(number))?;
        let length = u32::try_from(file.metadata()?.len()).unwrap_or(u32::MAX);
        Ok(Some(Current { number, file, length }))
    }

    /// The file after a full one.
    fn next(&self, full: Option<Current>) -> io::Result<Current> {
        std::fs::create_dir_all(&self.folder)?;
        let number = full.as_ref().map_or(0, |full| full.number + 1);
        let file = OpenOptions::new().write(true).create_new(true).open(self.path(number))?;
        if let Some(full) = full {
            // Beside the writer, whom the disk would keep waiting; what fails here shows when the database is
            // opened.
            let folder = self.folder.clone();
            let _ = std::thread::Builder::new()
                .spawn(move || full.file.sync_data().and_then(|()| File::open(folder)?.sync_all()));
        }
        Ok(Current { number, file, length: 0 })
    }

    fn read(&self, place: Place, bytes: u32) -> io::Result<Vec<u8>> {
        let file = self.file(place.number)?;
        let mut packed = vec![0; bytes as usize];
        file.read_exact_at(&mut packed, place.offset.into())?;
        Ok(packed)
    }

    fn file(&self, number: u32) -> io::Result<Arc<File>> {
        let mut state = self.state();
        if let Some(file) = state.open.get(&number) {
            return Ok(Arc::clone(file));
        }
        if state.open.len() >= OPEN_MAX {
            state.open.clear();
        }
        let file = Arc::new(File::open(self.path(number))?);
        state.open.insert(number, Arc::clone(&file));
        Ok(file)
    }

    /// Numbers of the files there are, in order.
    fn numbers(&self) -> io::Result<Vec<u32>> {
        let folder = match std::fs::read_dir(&self.folder) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let number = |file: std::fs::DirEntry| {
            let path = file.path();
            let is_pack = path.extension().is_some_and(|extension| extension == EXTENSION);
            is_pack.then(|| u32::from_str_radix(path.file_stem()?.to_str()?, 16).ok())?
        };
        let mut numbers = Vec::new();
        for file in folder {
            numbers.extend(number(file?));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:08x}.{EXTENSION}"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::UserFunctionError(Box::new(error))
}

#[cfg(test)]
mod tests;
