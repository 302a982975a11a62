//! What is lost of the files after a power cut, and what of them is used no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use rusqlite::Connection;

use super::{OFFSET_BITS, Packs, Place};
use crate::error::ApiError;
use crate::store::OpenError;

/// The files whose last bytes may not have reached the disk: the one that is written, and the one before it.
const UNSYNCED_PACKS: usize = 2;

/// Whole files, and parts of files, that no row names.
#[derive(Debug, Default)]
pub(super) struct Unused {
    files: BTreeSet<u32>,
    parts: BTreeSet<Part>,
}

/// Bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    number: u32,
    begin: u64,
    end: u64,
}

/// What rows name of a file.
#[derive(Debug, Clone, Copy)]
struct Used {
    /// Where the last of it ends.
    end: u64,
    bytes: u64,
}

/// A block that is in a file.
#[derive(Debug, Clone, Copy)]
struct PackedBlock {
    id: i64,
    place: Place,
    bytes: u32,
    crc: u32,
}

impl PackedBlock {
    fn end(&self) -> u64 {
        u64::from(self.place.offset) + u64::from(self.bytes)
    }
}

impl Packs {
    /// Removes the rows whose groups did not reach the disk before the power went; returns how many. These are
    /// looked for where the server did not end in order (`was_cut`), among the last that were written.
    ///
    /// # Errors
    /// The database or a file cannot be read; a file is missing or too short for another reason than a power cut.
    pub fn check(&self, db: &Connection, was_cut: bool) -> Result<usize, OpenError> {
        let in_database = |source| OpenError::Database { path: self.folder.clone(), source };
        let used = used(db).map_err(in_database)?;
        let mut lost = Vec::new();
        for (at, (number, used)) in used.iter().rev().enumerate() {
            let length = self.length(*number)?;
            if !was_cut || at >= UNSYNCED_PACKS {
                if used.end > length {
                    return Err(OpenError::Pack { path: self.path(*number), length, wanted: used.end });
                }
                continue;
            }
            let blocks = blocks(db, *number).map_err(in_database)?;
            lost.extend(blocks.into_iter().filter(|block| !self.is_whole(block, length)));
        }
        for block in &lost {
            db.execute("DELETE FROM blocks WHERE id = ?1", [block.id]).map_err(in_database)?;
        }
        Ok(lost.len())
    }

    /// Of a file; 0 where there is none.
    fn length(&self, number: u32) -> Result<u64, OpenError> {
        match self.path(number).metadata() {
            Ok(meta) => Ok(meta.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(source) => Err(OpenError::Folder { path: self.folder.clone(), source }),
        }
    }

    fn is_whole(&self, block: &PackedBlock, length: u64) -> bool {
        let packed = self.read(block.place, block.bytes);
        block.end() <= length && packed.is_ok_and(|packed| crc32fast::hash(&packed) == block.crc)
    }

    /// Gives back what neither the last look nor this one found in use: who still reads it began before the last
    /// look. Between two looks there must be at least the time of the longest read.
    ///
    /// # Errors
    /// The database or a file cannot be read, or a file not be removed; the next look tries again.
    pub fn reclaim(&self, db: &Connection) -> Result<(), ApiError> {
        let found = self.unused(db)?;
        let mut state = self.state();
        let before = std::mem::take(&mut state.unused);
        for number in before.files.intersection(&found.files) {
            state.open.remove(number);
            std::fs::remove_file(self.path(*number)).map_err(cannot)?;
        }
        for part in before.parts.intersection(&found.parts) {
            if state.given_back.insert(*part) {
                punch(&self.path(part.number), *part).map_err(cannot)?;
            }
        }
        state.given_back.retain(|part| found.parts.contains(part));
        state.unused = found;
        Ok(())
    }

    /// Of the files that nothing is appended to any more.
    fn unused(&self, db: &Connection) -> Result<Unused, ApiError> {
        let mut unused = Unused::default();
        let mut numbers = self.numbers().map_err(cannot)?;
        numbers.pop();
        if numbers.is_empty() {
            return Ok(unused);
        }
        let used = used(db)?;
        for number in numbers {
            let Some(used) = used.get(&number) else {
                unused.files.insert(number);
                continue;
            };
            let length = self.path(number).metadata().map_err(cannot)?.len();
            if used.bytes < length / 2 {
                unused.parts.extend(gaps(number, &blocks(db, number)?, length));
            }
        }
        Ok(unused)
    }
}

fn cannot(error: io::Error) -> ApiError {
    ApiError::Internal(format!("cannot give back the space of deleted logs: {error}"))
}

/// By file.
fn used(db: &Connection) -> rusqlite::Result<BTreeMap<u32, Used>> {
    let mut query = db.prepare_cached(
        "SELECT place >> ?1, max((place & ?2) + packed_bytes), sum(packed_bytes) FROM blocks \
         INDEXED BY blocks_by_place WHERE place IS NOT NULL GROUP BY 1",
    )?;
    let rows = query.query_map((OFFSET_BITS, u32::MAX), |row| {
        let bytes = |column| row.get(column).map(i64::cast_unsigned);
        Ok((row.get(0)?, Used { end: bytes(1)?, bytes: bytes(2)? }))
    })?;
    rows.collect()
}

/// Of a file, in their order.
fn blocks(db: &Connection, number: u32) -> rusqlite::Result<Vec<PackedBlock>> {
    let mut query = db.prepare_cached(
        "SELECT id, place, packed_bytes, packed_crc FROM blocks WHERE place BETWEEN ?1 AND ?2 ORDER BY place",
    )?;
    let first = Place { number, offset: 0 };
    let last = Place { number, offset: u32::MAX };
    let rows = query.query_map((first.as_column(), last.as_column()), |row| {
        Ok(PackedBlock {
            id: row.get(0)?,
            place: Place::of(row.get(1)?),
            bytes: row.get(2)?,
            crc: row.get(3)?,
        })
    })?;
    rows.collect()
}

/// The parts of a file of so many bytes that these do not use.
fn gaps(number: u32, blocks: &[PackedBlock], length: u64) -> impl Iterator<Item = Part> {
    let begins = std::iter::once(0).chain(blocks.iter().map(PackedBlock::end));
    let ends = blocks.iter().map(|block| u64::from(block.place.offset)).chain(std::iter::once(length));
    begins.zip(ends).filter(|(begin, end)| begin < end).map(move |(begin, end)| Part { number, begin, end })
}

/// Gives the part of a file back to the system; the length of the file stays.
#[cfg(target_os = "linux")]
fn punch(path: &Path, part: Part) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    let file = OpenOptions::new().write(true).open(path)?;
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match fallocate(file, flags, part.begin, part.end - part.begin) {
        // A file system without holes keeps the space until the whole file goes.
        Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
        other => Ok(other?),
    }
}

/// Elsewhere the space is kept until the whole file goes.
#[cfg(not(target_os = "linux"))]
fn punch(_: &Path, _: Part) -> io::Result<()> {
    Ok(())
}
