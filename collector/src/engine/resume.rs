//! Content that is no longer under its name: files renamed while the collector was down, copies made
//! by `copytruncate`, whole generations that came and went unseen.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tracing::{info, warn};

use super::leave::LEFT_POLL_MIN;
use super::reader::{Now, Reader};
use super::search::{Found, Listing, SEARCHED_FILES_MAX};
use super::tracked::{FileKey, PipelineId, Place, Tracked};
use crate::checkpoint::Entry;
use crate::discover::Located;
use crate::tail::{Bookmark, FileIdentity, Head, open_log};

/// Checkpoints of files that were not found are kept this long (a volume may come back).
const FORGET_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
/// Files are looked for from this long before the last moment at which everything was seen: times of
/// modification lag behind the clock by a tick, and a rename may be followed a moment later.
const LOOK_BACK: Duration = Duration::from_secs(2);
/// Endings of compressed files, whose content is not log text, and how it begins. Source: the formats' own
/// documents (RFC 1952, RFC 8878, bzip2, xz and lz4 frames).
const COMPRESSED: [(&str, &[u8]); 5] = [
    (".gz", b"\x1f\x8b"),
    (".zst", b"\x28\xb5\x2f\xfd"),
    (".bz2", b"BZh"),
    (".xz", b"\xfd7zXZ\0"),
    (".lz4", b"\x04\x22\x4d\x18"),
];

/// Whether a file whose name matches is a copy of one that the pipeline reads.
pub(super) enum Copied {
    No,
    /// Of content that is no longer where it was read: reading goes on in the copy.
    Continues(FileKey, Bookmark),
    /// Of content that is read elsewhere (or nothing yet): not to be read now.
    FromLive,
}

impl Reader {
    /// Judges a new file that may be a rotated copy of another that matches too (`a.log*`).
    pub(super) fn judge_copy(&self, id: PipelineId, at: &Located, found: &Found) -> Copied {
        let mut originals =
            live_paths(&at.shown).filter(|live| self.files_shown_as(id, live).next().is_some());
        if let Some(original) = originals.next()
            && (found.size == 0 || self.is_known(id, &original, found))
        {
            return Copied::FromLive;
        }
        match self.orphan_in_copy(id, &at.shown, found) {
            Some((key, bookmark)) => Copied::Continues(key, bookmark),
            None => Copied::No,
        }
    }

    /// The checkpoint of content that is no longer where it was read, if `found`, which has the rotated name
    /// `shown`, holds it.
    pub(super) fn orphan_in_copy(
        &self,
        id: PipelineId,
        shown: &Path,
        found: &Found,
    ) -> Option<(FileKey, Bookmark)> {
        let name = &self.pipelines.get(&id)?.config.name;
        live_paths(shown).find_map(|live| {
            let mut orphans = self.store.entries_shown_as(&live).filter(|e| {
                let is_followed = self.files.contains_key(&FileKey(e.generation));
                e.pipeline == *name && !is_followed && !e.bookmark().is_blank()
            });
            let orphan = orphans.find(|e| e.bookmark().fits(&found.file).unwrap_or(false))?;
            Some((FileKey(orphan.generation), orphan.bookmark()))
        })
    }

    /// The files of a pipeline that are followed under this name, or were found under it.
    fn files_shown_as(&self, id: PipelineId, shown: &Path) -> impl Iterator<Item = &Tracked> {
        let keys = self.by_shown.get(shown).into_iter().flatten();
        keys.filter_map(|key| self.files.get(key).map(Box::as_ref)).filter(move |file| file.pipeline == id)
    }

    /// Reads the rest of a truncated file's content from the copy that was made of it, if there is one.
    pub(super) fn continue_in_copy(&mut self, key: FileKey, now: Now) -> bool {
        let Some(file) = self.files.get(&key) else { return false };
        let bookmark = file.tail.read_bookmark();
        let id = file.pipeline;
        let Some(directory) = file.at.real.parent() else { return false };
        let copy = self.find_content(id, &mut Listing::of(directory), &file.at, &bookmark);
        let Some(copy) = copy else { return false };
        let Some(file) = self.files.get_mut(&key) else { return false };
        if copy.size > bookmark.position {
            warn!(
                path = %file.at.shown.display(), copy = %copy.path.display(),
                "truncated before it was read to its end; the rest is read from the copy"
            );
        }
        file.tail.continue_in(copy.file, copy.identity);
        file.at.real.clone_from(&copy.path);
        file.place = Place::Left;
        self.by_identity.insert((id, copy.identity), key);
        self.by_path.entry(copy.path).or_default().push(key);
        self.record(key, now);
        self.make_ready(key);
        self.set_timer(key, now.mono + LEFT_POLL_MIN);
        true
    }

    /// What the checkpoint says of a pipeline.
    pub(super) fn entries_of(&self, pipeline: &str) -> Vec<Entry> {
        self.store.entries().filter(|e| e.pipeline == pipeline).cloned().collect()
    }

    /// Drops checkpoints of pipelines that have been gone for long.
    pub(super) fn forget_old_checkpoints(&mut self, now: Now) {
        let running: HashSet<&str> = self.pipelines.values().map(|r| r.config.name.as_str()).collect();
        let is_old = |e: &&Entry| {
            let age = now.unix_seconds().saturating_sub(e.updated_us / 1_000_000);
            !running.contains(e.pipeline.as_str()) && age > FORGET_AFTER.as_secs()
        };
        let old: Vec<u64> = self.store.entries().filter(is_old).map(|e| e.generation).collect();
        for generation in old {
            self.store.remove(generation);
            self.request_save(now);
        }
    }

    /// After a start, with what the checkpoint said *before* it: takes up what was renamed, copied or
    /// rotated away while the collector was down.
    pub(super) fn resume_moved_files(&mut self, id: PipelineId, entries: &[Entry], now: Now) {
        let mut listings: HashMap<&Path, Listing> = HashMap::new();
        for entry in entries {
            let Some(directory) = entry.path.parent() else { continue };
            if !self.files.contains_key(&FileKey(entry.generation)) {
                let listing = listings.entry(directory).or_insert_with(|| Listing::of(directory));
                self.resume_moved(id, entry, listing, now);
            }
        }
        // While the collector ran it saw every file that came; before that, young ones count.
        let last_alive = entries.iter().map(|e| e.updated_us).max();
        let last_alive = last_alive.map(|us| SystemTime::UNIX_EPOCH + Duration::from_micros(us));
        let since = match last_alive {
            // The clock was set back meanwhile: what was written since seems to be older.
            Some(last_alive) if last_alive > now.wall => self.settings.old_before,
            Some(last_alive) => last_alive,
            None if self.pipelines.get(&id).is_some_and(|r| r.config.input.tail_existing) => return,
            None => self.settings.old_before,
        };
        self.take_up_all_unseen(id, since, now);
    }

    /// [`Self::take_up_unseen`] in every directory of a pipeline.
    pub(super) fn take_up_all_unseen(&mut self, id: PipelineId, since: SystemTime, now: Now) {
        let directories: Vec<Located> = self
            .directories
            .iter()
            .flat_map(|(real, uses)| uses.iter().map(move |u| (real, u)))
            .filter(|(_, usage)| usage.pipeline == id && usage.holds_files)
            .map(|(real, usage)| Located { real: real.clone(), shown: usage.shown.clone() })
            .collect();
        for directory in directories {
            self.take_up_unseen(id, &directory, None, since, now);
        }
    }

    fn resume_moved(&mut self, id: PipelineId, entry: &Entry, listing: &mut Listing, now: Now) {
        let at = Located { real: entry.path.clone(), shown: entry.shown.clone() };
        let found = listing
            .find_inode(entry.inode, &entry.bookmark())
            // Of a file of which nothing was read, any fits that has got its inode since.
            .filter(|found| !(entry.bookmark().is_blank() && self.is_another(id, entry, found)))
            .or_else(|| self.find_content(id, listing, &at, &entry.bookmark()));
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

    /// Whether a file with the inode of `entry` is followed already, or a copy of what another one held.
    fn is_another(&self, id: PipelineId, entry: &Entry, found: &Found) -> bool {
        let shown = found.path.file_name().map(|name| entry.shown.with_file_name(name));
        self.by_identity.contains_key(&(id, found.identity))
            || shown.is_some_and(|shown| self.orphan_in_copy(id, &shown, found).is_some())
    }

    /// Takes up rotated files (of the live name `of`, or of any) in `directory` that nothing is known
    /// of and that were written since `since`: generations that came and went while nobody looked.
    pub(super) fn take_up_unseen(
        &mut self,
        id: PipelineId,
        directory: &Located,
        of: Option<&OsStr>,
        since: SystemTime,
        now: Now,
    ) {
        let Some(matcher) = self.pipelines.get(&id).map(|r| r.matcher.clone()) else { return };
        let Ok(entries) = fs::read_dir(&directory.real) else { return };
        let look_back = if self.must_poll { 2 * self.settings.limits.poll_interval } else { LOOK_BACK };
        let since = since.checked_sub(look_back).unwrap_or(SystemTime::UNIX_EPOCH);
        let may_be_unseen = |entry: &fs::DirEntry| {
            let Ok(meta) = entry.metadata() else { return false };
            let is_followed = self.by_identity.contains_key(&(id, FileIdentity::of(&meta)));
            !is_followed && meta.modified().is_ok_and(|at| at >= since)
        };
        let recent = entries.flatten().filter_map(|entry| {
            let name = entry.file_name();
            let live_name = live_name(&name, |live| matcher.matches_name(live))?;
            let is_excluded = matcher.excludes(&directory.shown.join(&name));
            let is_other = matcher.matches_name(&name) || is_excluded || of.is_some_and(|of| of != live_name);
            let shown = (!is_other && may_be_unseen(&entry)).then(|| directory.shown.join(live_name))?;
            Some(Located { real: entry.path(), shown })
        });
        for at in recent.take(SEARCHED_FILES_MAX).collect::<Vec<_>>() {
            self.take_up_if_unseen(id, at, now);
        }
    }

    /// A file with the name of a rotated one came or changed, and not by a rename that we saw: if it
    /// is no copy of something that was or will be read anyway, it is read whole.
    pub(super) fn judge_rotated(&mut self, id: PipelineId, dir: &Located, name: &OsStr, now: Now) {
        let Some(running) = self.pipelines.get(&id) else { return };
        if running.matcher.excludes(&dir.shown.join(name)) {
            return;
        }
        if let Some(live_name) = live_name(name, |live| running.matcher.matches_name(live)) {
            let at = Located { real: dir.real.join(name), shown: dir.shown.join(live_name) };
            self.take_up_if_unseen(id, at, now);
        }
    }

    fn take_up_if_unseen(&mut self, id: PipelineId, at: Located, now: Now) {
        let Ok((file, meta)) = open_log(&at.real) else { return };
        self.look_at_heads_of(id, &at.shown);
        let found =
            Found { file, identity: FileIdentity::of(&meta), path: at.real.clone(), size: meta.len() };
        if let Some(entry) = self.grown_after_its_end(id, &found) {
            let at = Located { real: at.real, shown: entry.shown.clone() };
            self.resume_at(FileKey(entry.generation), id, at, found, entry.position, now);
        } else if !self.is_known(id, &at.shown, &found) {
            info!(path = %at.real.display(), "rotated before it was seen; it is read whole");
            let key = self.new_key();
            self.resume_at(key, id, at, found, 0, now);
        }
    }

    /// Where a copy of what is there now comes up, reading may be held up until that was truncated: unless its
    /// beginning is known then, the content that follows would be taken for it, and the copy be forgotten.
    fn look_at_heads_of(&mut self, id: PipelineId, shown: &Path) {
        for key in self.by_shown.get(shown).into_iter().flatten() {
            if let Some(file) = self.files.get_mut(key)
                && file.pipeline == id
            {
                let _ = file.tail.look_at_head(); // what cannot be read says so when it is read
            }
        }
    }

    /// [`Self::take_up_unseen`] for the rotated files of one live file.
    pub(super) fn take_up_unseen_of(&mut self, id: PipelineId, live: &Located, since: SystemTime, now: Now) {
        let (Some(real), Some(shown)) = (live.real.parent(), live.shown.parent()) else { return };
        let directory = Located { real: real.to_owned(), shown: shown.to_owned() };
        self.take_up_unseen(id, &directory, live.shown.file_name(), since, now);
    }

    /// The checkpoint of a file that was left as complete and has grown all the same.
    fn grown_after_its_end(&self, id: PipelineId, found: &Found) -> Option<Entry> {
        let name = &self.pipelines.get(&id)?.config.name;
        if self.by_identity.contains_key(&(id, found.identity)) {
            return None;
        }
        let mut entries = self.store.entries_of(found.identity.inode).filter(|e| {
            let is_followed = self.files.contains_key(&FileKey(e.generation));
            e.pipeline == *name && e.position < found.size && !is_followed
        });
        entries.find(|e| e.is_about(&found.path, &found.file, found.identity)).cloned()
    }

    /// True if everything in `found` was read, is being read, or is a copy of what a file that was or
    /// is called `shown` holds or held.
    fn is_known(&self, id: PipelineId, shown: &Path, found: &Found) -> bool {
        let Some(running) = self.pipelines.get(&id) else { return true };
        if self.by_identity.contains_key(&(id, found.identity)) {
            return true;
        }
        let Ok(all) = Bookmark::at_end(&found.file, found.size) else { return true };
        if all.is_blank() {
            return true;
        }
        let is_ours = |e: &&Entry| e.pipeline == running.config.name;
        let mut of_inode = self.store.entries_of(found.identity.inode).filter(is_ours);
        if of_inode.any(|e| e.is_about(&found.path, &found.file, found.identity)) {
            return true;
        }
        let Ok(head) = Head::of(&found.file) else { return true };
        if self.store.entries().filter(is_ours).any(|e| e.covers(&found.file, found.size, &head)) {
            return true;
        }
        self.files_shown_as(id, shown).any(|file| {
            let read = file.tail.read_bookmark();
            // A copy of what is there now; or of what was there, whose rest is looked for when the
            // truncation is noticed.
            all.fits(file.tail.file()).unwrap_or(false)
                || (!read.is_blank() && read.fits(&found.file).unwrap_or(false))
        })
    }
}

/// True if `shown` may be the rotated or copied file of the live one beside it.
pub(super) fn is_rotated_beside(live: &Path, shown: &Path) -> bool {
    let names = live.file_name().zip(shown.file_name());
    live.parent() == shown.parent() && names.is_some_and(|(live, name)| may_be_rotated(live, name))
}

/// The files beside `shown` that it may be a rotated file or a copy of, the longest name first.
fn live_paths(shown: &Path) -> impl Iterator<Item = PathBuf> {
    let name = shown.file_name().unwrap_or_default();
    let ends = (1..name.len()).rev();
    let lives = ends.filter_map(move |end| name.as_bytes().get(..end).map(OsStr::from_bytes));
    lives.filter(move |live| may_be_rotated(live, name)).map(|live| shown.with_file_name(live))
}

/// True if `candidate` may be a rotated or copied `name` (`.1`, `-20240101`, `.old`), not compressed.
pub(super) fn may_be_rotated(name: &OsStr, candidate: &OsStr) -> bool {
    let Some(suffix) = candidate.as_bytes().strip_prefix(name.as_bytes()) else { return false };
    let compressed = COMPRESSED.iter().any(|(ending, _)| suffix.ends_with(ending.as_bytes()));
    matches!(suffix.first(), Some(b'.' | b'-' | b'_')) && !compressed
}

/// True if the file at `path` is what a program that compresses rotated files makes of them, or is about to be: it
/// has the name, and such a content or none yet.
pub(super) fn is_compressed(path: &Path, file: &fs::File) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let Some((_, begin)) = COMPRESSED.iter().find(|(ending, _)| name.ends_with(ending.as_bytes())) else {
        return false;
    };
    Head::of(file).is_ok_and(|head| begin.starts_with(head.first(begin.len())))
}

/// The name that `name` had before a number or a date was appended to it, if that name matches.
fn live_name(name: &OsStr, matches: impl Fn(&OsStr) -> bool) -> Option<&OsStr> {
    let bytes = name.as_bytes();
    let ends = (1..bytes.len()).rev().filter(|end| matches!(bytes.get(*end), Some(b'.' | b'-' | b'_')));
    ends.take_while(|end| bytes.get(*end..).is_some_and(is_numeric))
        .filter_map(|end| bytes.get(..end).map(OsStr::from_bytes))
        .find(|live| matches(live))
}

/// True for numbers and dates: what `logrotate` and loggers append. Other names may be anything.
fn is_numeric(suffix: &[u8]) -> bool {
    suffix.last().is_some_and(u8::is_ascii_digit)
        && suffix.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_' | b':' | b'T'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_name_of_a_rotated_file_is_found() {
        let live = |name: &str| {
            let live = live_name(OsStr::new(name), |n| n == "a.log" || n == "b-1.log");
            live.map(|n| n.to_string_lossy().into_owned())
        };
        assert_eq!(live("a.log.1").as_deref(), Some("a.log"));
        assert_eq!(live("a.log-20240101").as_deref(), Some("a.log"));
        assert_eq!(live("a.log.2024-01-01T10:00").as_deref(), Some("a.log"));
        assert_eq!(live("b-1.log.2.3").as_deref(), Some("b-1.log"));
        for other in ["a.log", "a.log.old", "a.log.json", "a.log.1.gz", "c.log.1", "1", ""] {
            assert_eq!(live(other), None, "{other}");
        }
    }

    #[test]
    fn a_copy_may_have_any_name_that_begins_with_the_live_one() {
        let may = |candidate: &str| may_be_rotated(OsStr::new("a.log"), OsStr::new(candidate));
        assert!(may("a.log.1") && may("a.log.old") && may("a.log-copy"));
        assert!(!may("a.log") && !may("a.log.1.gz") && !may("a.logx") && !may("b.log.1"));
    }
}
