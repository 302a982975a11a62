//! The checkpoint file.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::ranges::Ranges;
use crate::fingerprint::Fingerprint;
use crate::tail::{Bookmark, FileIdentity};

/// First line of the file; another one is another version, which this program does not read.
const VERSION_LINE: &str = "collector-checkpoint 1";
const FILE_NAME: &str = "file_check_point";
/// Before each record stands its sum, in hexadecimal digits, and a blank.
const SUM_BYTES: usize = 17;
/// The file is rewritten when it has this many times the size of what counts …
const GROWTH_MAX: u64 = 8;
/// … and at least this size in bytes.
const REWRITE_BYTES_MIN: u64 = 256 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Record<'e> {
    Put(Cow<'e, Entry>),
    Remove(u64),
}

/// What was wrong with the file found at start; collection goes on without what it said.
#[derive(Debug, thiserror::Error)]
pub enum LoadProblem {
    #[error(
        "checkpoint {path}: {bad} of {all} records are damaged and were left out; files they were \
         about are read again by the rules for new files"
    )]
    Records { path: PathBuf, bad: usize, all: usize },
    #[error(
        "checkpoint {path} begins with {found:?}, not {VERSION_LINE:?}: damaged or of another version; \
         it was kept as {kept}, and files are read again by the rules for new files"
    )]
    Version { path: PathBuf, found: String, kept: PathBuf },
    #[error("checkpoint {path} cannot be read: {source}; files are read again by the rules for new files")]
    Read { path: PathBuf, source: io::Error },
}

/// The checkpoint file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error(
    "checkpoint {path} cannot be written: {source}; make the directory writable and free space on it: \
     until then a restart sends again what was sent since, and logs that are to arrive exactly once are not sent"
)]
pub struct StoreError {
    path: PathBuf,
    source: io::Error,
}

/// All generations, and where each is found: there may be thousands, and each new file asks for its own.
#[derive(Debug, Default)]
struct Entries {
    /// Boxed, so that the tree is small.
    all: BTreeMap<u64, Box<Entry>>,
    by_inode: HashMap<u64, BTreeSet<u64>>,
    by_shown: HashMap<PathBuf, BTreeSet<u64>>,
}

impl Entries {
    fn insert(&mut self, entry: Entry) {
        self.remove(entry.generation);
        self.by_inode.entry(entry.inode).or_default().insert(entry.generation);
        self.by_shown.entry(entry.shown.clone()).or_default().insert(entry.generation);
        self.all.insert(entry.generation, Box::new(entry));
    }

    /// True if there was one.
    fn remove(&mut self, generation: u64) -> bool {
        let Some(entry) = self.all.remove(&generation) else { return false };
        forget(&mut self.by_inode, &entry.inode, generation);
        forget(&mut self.by_shown, &entry.shown, generation);
        true
    }

    fn of<'s>(&'s self, generations: Option<&'s BTreeSet<u64>>) -> impl Iterator<Item = &'s Entry> {
        generations.into_iter().flatten().filter_map(|generation| self.all.get(generation).map(Box::as_ref))
    }
}

fn forget<K: std::hash::Hash + Eq>(index: &mut HashMap<K, BTreeSet<u64>>, key: &K, generation: u64) {
    if let Some(generations) = index.get_mut(key) {
        generations.remove(&generation);
        if generations.is_empty() {
            index.remove(key);
        }
    }
}

/// All generations, and the file that holds them.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    entries: Entries,
    /// Generations to be written at the next save.
    changed: BTreeSet<u64>,
    file: Option<File>,
    file_bytes: u64,
    /// Size right after the last rewrite.
    live_bytes: u64,
}

impl Store {
    /// Reads the checkpoint of `directory`, which is created if need be.
    pub fn load(directory: &Path) -> (Self, Option<LoadProblem>) {
        let path = directory.join(FILE_NAME);
        let mut store = Self {
            path: path.clone(),
            entries: Entries::default(),
            changed: BTreeSet::new(),
            file: None,
            file_bytes: 0,
            live_bytes: 0,
        };
        let _ = fs::create_dir_all(directory); // a failure shows when the file is written
        let problem = match fs::read(&path) {
            Ok(bytes) => store.take_in(&bytes),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(source) => Some(LoadProblem::Read { path, source }),
        };
        (store, problem)
    }

    fn take_in(&mut self, bytes: &[u8]) -> Option<LoadProblem> {
        let mut lines = bytes.split_inclusive(|b| *b == b'\n');
        let first = lines.next().unwrap_or_default();
        if first.strip_suffix(b"\n") != Some(VERSION_LINE.as_bytes()) {
            let kept = self.path.with_extension("unreadable");
            let _ = fs::rename(&self.path, &kept); // else it is overwritten, as announced by the message
            let shown = &first[..first.len().min(64)];
            let found = String::from_utf8_lossy(shown).trim_end().to_owned();
            return Some(LoadProblem::Version { path: self.path.clone(), found, kept });
        }
        let (mut bad, mut all) = (0, 0);
        for line in lines {
            // A last line without its end was being written when the process died.
            let Some(line) = line.strip_suffix(b"\n") else { break };
            all += 1;
            match decode(line) {
                Some(Record::Put(entry)) => self.entries.insert(entry.into_owned()),
                Some(Record::Remove(generation)) => drop(self.entries.remove(generation)),
                None => bad += 1,
            }
        }
        (bad > 0).then(|| LoadProblem::Records { path: self.path.clone(), bad, all })
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.all.values().map(Box::as_ref)
    }

    /// Those of one inode, of whatever device and whatever it held.
    pub fn entries_of(&self, inode: u64) -> impl Iterator<Item = &Entry> {
        self.entries.of(self.entries.by_inode.get(&inode))
    }

    /// Those of one name, as shown in `__path__`.
    pub fn entries_shown_as(&self, shown: &Path) -> impl Iterator<Item = &Entry> {
        self.entries.of(self.entries.by_shown.get(shown))
    }

    pub fn get(&self, generation: u64) -> Option<&Entry> {
        self.entries.all.get(&generation).map(Box::as_ref)
    }

    /// A number that no entry has.
    pub fn unused_generation(&self) -> u64 {
        self.entries.all.last_key_value().map_or(1, |(generation, _)| generation + 1)
    }

    /// The file of `generation` is where it was, and its reading has come to `at`; false if that is not known of it,
    /// so that a whole entry is needed.
    pub fn advance(
        &mut self,
        generation: u64,
        (pipeline, path, shown): (&str, &Path, &Path),
        identity: FileIdentity,
        (at, ranges): (Bookmark, Option<&Ranges>),
        now: SystemTime,
    ) -> bool {
        let Some(entry) = self.entries.all.get_mut(&generation) else { return false };
        let is_same = entry.identity() == identity
            && entry.pipeline == pipeline
            && entry.path.as_os_str() == path.as_os_str()
            && entry.shown.as_os_str() == shown.as_os_str();
        if is_same {
            entry.advance(at, now);
            entry.ranges = ranges.cloned();
            self.changed.insert(generation);
        }
        is_same
    }

    pub fn put(&mut self, entry: Entry) {
        self.changed.insert(entry.generation);
        self.entries.insert(entry);
    }

    pub fn remove(&mut self, generation: u64) {
        if self.entries.remove(generation) {
            self.changed.insert(generation);
        }
    }

    /// The file of this generation was read to its end and left.
    pub fn finish(&mut self, generation: u64) {
        if let Some(entry) = self.entries.all.get_mut(&generation) {
            entry.is_finished = true;
            self.changed.insert(generation);
        }
    }

    /// True if something is not on disk yet.
    #[cfg(test)]
    fn is_dirty(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Writes what changed. The data reaches the page cache, not necessarily the disk: it survives
    /// the end of the process however it comes; after a power failure logs are sent again, numbered ones under
    /// new keys.
    ///
    /// # Errors
    /// The directory is not writable or full; what changed is written by the next save.
    pub fn save(&mut self) -> Result<(), StoreError> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let grown = self.file_bytes > REWRITE_BYTES_MIN.max(GROWTH_MAX * self.live_bytes);
        let result = match &mut self.file {
            Some(file) if !grown => {
                let mut lines = Vec::new();
                let encoded = self.changed.iter().try_for_each(|generation| {
                    let record = match self.entries.all.get(generation) {
                        Some(entry) => Record::Put(Cow::Borrowed(&**entry)),
                        None => Record::Remove(*generation),
                    };
                    encode(&record, &mut lines)
                });
                self.file_bytes += lines.len() as u64;
                encoded.and_then(|()| file.write_all(&lines))
            }
            _ => self.rewrite(),
        };
        match result {
            Ok(()) => {
                self.changed.clear();
                Ok(())
            }
            Err(source) => {
                self.file = None; // it may end in half a record: the next save rewrites it
                Err(StoreError { path: self.path.clone(), source })
            }
        }
    }

    fn rewrite(&mut self) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut bytes = format!("{VERSION_LINE}\n").into_bytes();
        for entry in self.entries.all.values() {
            encode(&Record::Put(Cow::Borrowed(&**entry)), &mut bytes)?;
        }
        let aside = self.path.with_extension("new");
        let mut file = File::create(&aside)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        fs::rename(&aside, &self.path)?;
        self.file = Some(OpenOptions::new().append(true).open(&self.path)?);
        (self.file_bytes, self.live_bytes) = (bytes.len() as u64, bytes.len() as u64);
        Ok(())
    }
}

fn encode(record: &Record<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    let begin = out.len();
    out.extend_from_slice(&[b' '; SUM_BYTES]);
    serde_json::to_writer(&mut *out, record)?;
    let (sum, json) = out[begin..].split_at_mut(SUM_BYTES);
    write!(&mut *sum, "{:016x} ", Fingerprint::of(json).0)?;
    out.push(b'\n');
    Ok(())
}

fn decode(line: &[u8]) -> Option<Record<'static>> {
    let (sum, json) = line.split_at_checked(SUM_BYTES)?;
    let sum = u64::from_str_radix(std::str::from_utf8(sum).ok()?.trim_end(), 16).ok()?;
    if sum != Fingerprint::of(json).0 {
        return None;
    }
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::time::SystemTime;

    use super::*;
    use crate::tail::{Bookmark, FileIdentity, Mark, Signature};

    fn entry(generation: u64, position: u64) -> Entry {
        let at = Bookmark {
            position,
            mark: Mark { len: 3, hash: 0xffff_ffff_ffff_fff1 },
            signature: Signature::from_parts(8, u64::MAX),
        };
        let path = Path::new("/var/log/日 a.log");
        Entry::new(
            generation,
            "cfg",
            (path, path),
            FileIdentity { dev: 1, inode: 2 },
            at,
            SystemTime::UNIX_EPOCH,
        )
    }

    fn loaded(directory: &Path) -> (Vec<(u64, u64)>, Option<String>) {
        let (store, problem) = Store::load(directory);
        let entries = store.entries().map(|e| (e.generation, e.position)).collect();
        (entries, problem.map(|p| p.to_string()))
    }

    fn saved() -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("temporary directory");
        let (mut store, problem) = Store::load(directory.path());
        assert!(problem.is_none());
        store.put(entry(1, 10));
        store.put(entry(2, 20));
        store.save().expect("saved");
        store.put(entry(2, 21));
        store.put(entry(3, 30));
        store.remove(1);
        store.save().expect("saved");
        directory
    }

    #[test]
    fn what_was_saved_is_read_back_whole() {
        let directory = saved();
        assert_eq!(loaded(directory.path()), (vec![(2, 21), (3, 30)], None));
        let (store, _) = Store::load(directory.path());
        assert_eq!(store.get(2), Some(&entry(2, 21)));
        assert_eq!(store.unused_generation(), 4);
    }

    #[test]
    fn entries_are_found_by_what_was_put_last() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let (mut store, _) = Store::load(directory.path());
        let found = |store: &Store, inode, shown: &str| {
            let of_inode = store.entries_of(inode).map(|e| e.generation).collect();
            let shown_as = store.entries_shown_as(Path::new(shown)).map(|e| e.generation).collect();
            (of_inode, shown_as)
        };
        let mut moved = entry(2, 20);
        (moved.inode, moved.shown) = (3, "/b".into());
        store.put(entry(1, 10));
        store.put(entry(2, 20));
        store.put(moved);
        let shown = "/var/log/日 a.log";
        assert_eq!(found(&store, 2, shown), (vec![1], vec![1]));
        assert_eq!(found(&store, 3, "/b"), (vec![2], vec![2]));
        store.remove(2);
        assert_eq!(found(&store, 3, "/b"), (vec![], vec![]));
    }

    #[test]
    fn a_path_that_is_no_text_is_kept() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let (mut store, _) = Store::load(directory.path());
        let mut odd = entry(1, 10);
        odd.path = OsStr::from_bytes(b"/var/log/\xc8\xd5\xd6\xbe.log").into();
        store.put(odd.clone());
        store.save().expect("saved");
        let (store, problem) = Store::load(directory.path());
        assert!(problem.is_none());
        assert_eq!(store.get(1), Some(&odd));
    }

    #[test]
    fn a_file_cut_at_any_byte_gives_what_was_whole() {
        let directory = saved();
        let path = directory.path().join(FILE_NAME);
        let bytes = fs::read(&path).expect("read");
        for len in VERSION_LINE.len() + 1..bytes.len() {
            fs::write(&path, &bytes[..len]).expect("write");
            let (entries, problem) = loaded(directory.path());
            assert_eq!(problem, None, "cut at {len}");
            assert!(entries.iter().all(|e| [(1, 10), (2, 20), (2, 21), (3, 30)].contains(e)));
        }
    }

    #[test]
    fn a_damaged_record_is_left_out_with_a_message() {
        let directory = saved();
        let path = directory.path().join(FILE_NAME);
        let mut bytes = fs::read(&path).expect("read");
        let at = bytes.len() - 40;
        bytes[at] ^= 1;
        fs::write(&path, bytes).expect("write");
        let (_, problem) = loaded(directory.path());
        assert!(problem.expect("a message").contains("1 of 5 records are damaged"));
    }

    #[test]
    fn a_file_of_another_version_is_kept_aside_with_a_message() {
        let directory = tempfile::tempdir().expect("temporary directory");
        fs::write(directory.path().join(FILE_NAME), "collector-checkpoint 7\nx\n").expect("write");
        let (entries, problem) = loaded(directory.path());
        assert!(entries.is_empty());
        let problem = problem.expect("a message");
        assert!(
            problem.contains("\"collector-checkpoint 7\"") && problem.contains(".unreadable"),
            "{problem}"
        );
        assert!(directory.path().join("file_check_point.unreadable").exists());
        assert_eq!(loaded(directory.path()), (vec![], None));
    }

    #[test]
    fn the_file_does_not_grow_without_end() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let (mut store, _) = Store::load(directory.path());
        for position in 0..10_000 {
            store.put(entry(1, position));
            store.save().expect("saved");
        }
        let size = fs::metadata(directory.path().join(FILE_NAME)).expect("stat").len();
        assert!(size <= REWRITE_BYTES_MIN + 1024, "{size}");
        assert_eq!(loaded(directory.path()).0, [(1, 9_999)]);
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_an_error_and_a_later_save_catches_up() {
        let root = tempfile::tempdir().expect("temporary directory");
        let directory = root.path().join("state");
        fs::write(&directory, "in the way").expect("write");
        let (mut store, _) = Store::load(&directory);
        store.put(entry(1, 10));
        assert!(store.save().expect_err("no directory").to_string().contains("cannot be written"));
        assert!(store.is_dirty());
        fs::remove_file(&directory).expect("remove");
        store.save().expect("saved");
        assert_eq!(loaded(&directory).0, [(1, 10)]);
    }
}
