//! Content that is no longer under its name: files renamed while the collector was down, copies made
//! by `copytruncate`, whole generations that came and went unseen.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tracing::info;

use super::reader::{Now, Reader};
use super::tracked::{FileKey, PipelineId};
use crate::checkpoint::Entry;
use crate::discover::Located;
use crate::tail::{Bookmark, FileIdentity, open_log};

/// Entries of a directory that are opened in search of a content.
const SEARCHED_FILES_MAX: usize = 1_000;
/// Checkpoints of files that were not found are kept this long (a volume may come back).
const FORGET_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
/// A file's time of modification may lag behind the clock by a tick of the kernel.
const CLOCK_GRAIN: Duration = Duration::from_millis(20);
/// Endings of compressed files, whose content is not log text.
const COMPRESSED: [&str; 5] = [".gz", ".zst", ".bz2", ".xz", ".lz4"];

/// A file that holds a content which was looked for.
pub(super) struct Found {
    pub file: File,
    pub identity: FileIdentity,
    pub path: PathBuf,
    pub size: u64,
}

impl Reader {
    /// A file beside `path`, not followed yet by this pipeline, with the content of `bookmark`.
    pub(super) fn find_content(&self, id: PipelineId, path: &Path, bookmark: &Bookmark) -> Option<Found> {
        if bookmark.position == 0 {
            return None;
        }
        let mut found: Vec<Found> = Vec::new();
        for entry in fs::read_dir(path.parent()?).ok()?.flatten().take(SEARCHED_FILES_MAX) {
            let candidate = entry.path();
            if candidate == path || !is_rotated_name(path.file_name()?, &entry.file_name()) {
                continue;
            }
            let Ok((file, meta)) = open_log(&candidate) else { continue };
            let identity = FileIdentity::of(&meta);
            let is_known = self.by_identity.contains_key(&(id, identity))
                || self.store.entries().any(|e| e.identity() == identity);
            if !is_known && bookmark.fits(&file).unwrap_or(false) {
                found.push(Found { file, identity, path: candidate, size: meta.len() });
            }
        }
        found.into_iter().max_by_key(|f| f.size)
    }

    /// After a start: takes up what was renamed, copied or rotated away while the collector was down.
    pub(super) fn resume_moved_files(&mut self, id: PipelineId, now: Now) {
        let Some(running) = self.pipelines.get(&id) else { return };
        let name = running.config.name.clone();
        let entries: Vec<Entry> = self.store.entries().filter(|e| e.pipeline == name).cloned().collect();
        for entry in &entries {
            if !self.files.contains_key(&FileKey(entry.generation)) {
                self.resume_moved(id, entry, now);
            }
        }
        let last_known = |path: &Path| entries.iter().filter(|e| e.shown == path).map(|e| e.updated_us).max();
        let mut paths: Vec<(&Path, &Path)> =
            entries.iter().filter_map(|e| Some((e.path.parent()?, e.shown.as_path()))).collect();
        paths.sort_unstable();
        paths.dedup();
        for (directory, shown) in paths {
            if let Some(updated_us) = last_known(shown) {
                self.take_up_unseen(id, directory, shown, updated_us, now);
            }
        }
    }

    fn resume_moved(&mut self, id: PipelineId, entry: &Entry, now: Now) {
        let found = self
            .find_identity(&entry.path, entry.identity(), &entry.bookmark())
            .or_else(|| self.find_content(id, &entry.path, &entry.bookmark()));
        let age = now.unix_seconds().saturating_sub(entry.updated_us / 1_000_000);
        match found {
            Some(found) if !entry.is_finished || found.size > entry.position => {
                info!(path = %entry.shown.display(), now_at = %found.path.display(), "reading goes on after a rename");
                let at = Located { real: found.path.clone(), shown: entry.shown.clone() };
                self.resume_at(FileKey(entry.generation), id, at, found, entry.position, now);
            }
            Some(_) => {}
            None if entry.is_finished || age > FORGET_AFTER.as_secs() => {
                self.store.remove(entry.generation);
                self.request_save(now);
            }
            None => info!(
                path = %entry.shown.display(), position = entry.position,
                "a file was removed or overwritten while the collector was down; \
                 what it held beyond this position, if anything, is lost"
            ),
        }
    }

    fn find_identity(&self, path: &Path, identity: FileIdentity, bookmark: &Bookmark) -> Option<Found> {
        for entry in fs::read_dir(path.parent()?).ok()?.flatten() {
            if entry.ino() != identity.inode {
                continue;
            }
            let candidate = entry.path();
            let Ok((file, meta)) = open_log(&candidate) else { continue };
            // A volume may have another device number after a restart; content and inode decide.
            if meta.is_file() && bookmark.fits(&file).unwrap_or(false) {
                return Some(Found {
                    file,
                    identity: FileIdentity::of(&meta),
                    path: candidate,
                    size: meta.len(),
                });
            }
        }
        None
    }

    /// Rotated files of `shown` that no checkpoint knows and that were written since the last one.
    fn take_up_unseen(&mut self, id: PipelineId, directory: &Path, shown: &Path, updated_us: u64, now: Now) {
        let Some(name) = shown.file_name() else { return };
        let Ok(entries) = fs::read_dir(directory) else { return };
        let since = SystemTime::UNIX_EPOCH + Duration::from_micros(updated_us).saturating_sub(CLOCK_GRAIN);
        for entry in entries.flatten().take(SEARCHED_FILES_MAX) {
            if !is_rotated_name(name, &entry.file_name()) {
                continue;
            }
            let Ok((file, meta)) = open_log(&entry.path()) else { continue };
            let identity = FileIdentity::of(&meta);
            let is_known = self.by_identity.contains_key(&(id, identity))
                || self.store.entries().any(|e| e.identity() == identity || e.is_of_content(&file));
            let is_recent = meta.modified().is_ok_and(|modified| modified >= since);
            if is_recent && !is_known {
                info!(path = %entry.path().display(), "rotated while the collector was down; it is read whole");
                let at = Located { real: entry.path(), shown: shown.to_owned() };
                let key = self.new_key();
                let found = Found { file, identity, path: entry.path(), size: meta.len() };
                self.resume_at(key, id, at, found, 0, now);
            }
        }
    }
}

/// `a.log.1`, `a.log-20240101`, … of `a.log`, not compressed.
fn is_rotated_name(name: &OsStr, candidate: &OsStr) -> bool {
    let Some(rest) = candidate.as_bytes().strip_prefix(name.as_bytes()) else { return false };
    let compressed = COMPRESSED.iter().any(|ending| rest.ends_with(ending.as_bytes()));
    matches!(rest.first(), Some(b'.' | b'-' | b'_')) && !compressed
}
