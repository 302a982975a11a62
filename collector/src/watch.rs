//! Who tells us that something changed: inotify on directories, or nobody (then the engine polls).
//!
//! Called by `engine`. A watched directory reports changes of the files in it by name; a change of
//! the directory itself (renamed, deleted, unmounted) comes as [`Change::DirectoryGone`]. Where
//! inotify is missing or its limits are used up, [`Watcher::watch`] says so with the remedy and the
//! engine falls back to polling.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(target_os = "linux")]
use std::{collections::HashMap, mem::MaybeUninit, os::fd::OwnedFd};

#[cfg(target_os = "linux")]
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

/// What happened, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An entry was written to, closed by a writer, or its permissions changed.
    Touched { dir: Arc<Path>, name: OsString },
    /// An entry was created or renamed into this name; `moved` pairs it with its `Vanished`.
    Appeared { dir: Arc<Path>, name: OsString, is_dir: bool, moved: Option<u32> },
    /// An entry was deleted or renamed away from this name.
    Vanished { dir: Arc<Path>, name: OsString, is_dir: bool, moved: Option<u32> },
    /// The watch of this directory ended.
    DirectoryGone { dir: Arc<Path> },
    /// The kernel's queue overflowed: anything may have happened.
    Lost,
}

/// Why a directory cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error(
        "the limit of inotify {what} of this user is used up, so {path} is polled instead; \
         raise sysctl {sysctl} on the node"
    )]
    Limit { what: &'static str, sysctl: &'static str, path: PathBuf },
    #[error("{path} is on a network file system, whose changes are not notified, so it is polled")]
    Remote { path: PathBuf },
    #[error("inotify is not available ({reason}), so {path} is polled instead")]
    Unavailable { reason: String, path: PathBuf },
    #[error("cannot watch {path}: {source}")]
    Path { path: PathBuf, source: std::io::Error },
}

/// The watched directories.
#[derive(Debug)]
pub struct Watcher {
    #[cfg(target_os = "linux")]
    inotify: Result<OwnedFd, String>,
    #[cfg(target_os = "linux")]
    by_descriptor: HashMap<i32, Vec<Arc<Path>>>,
    #[cfg(target_os = "linux")]
    by_path: HashMap<PathBuf, i32>,
}

/// File systems on which others write without our kernel's knowledge. Source: statfs(2).
#[cfg(target_os = "linux")]
const REMOTE_FILE_SYSTEMS: [u32; 8] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x0102_1997, // 9p
    0x6573_5546, // FUSE, virtiofs
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
];

#[cfg(target_os = "linux")]
fn is_remote(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|fs| REMOTE_FILE_SYSTEMS.contains(&(fs.f_type as u32)))
}

/// Bytes of events taken from the kernel at once.
#[cfg(target_os = "linux")]
const EVENTS_BYTES: usize = 16 * 1024;

#[cfg(target_os = "linux")]
impl Watcher {
    /// Uses inotify where the kernel offers it.
    pub fn new() -> Self {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(|e| match e {
            rustix::io::Errno::MFILE => {
                "too many inotify instances of this user; raise sysctl fs.inotify.max_user_instances on the node"
                    .to_owned()
            }
            e => e.to_string(),
        });
        Self { inotify, by_descriptor: HashMap::new(), by_path: HashMap::new() }
    }

    /// Never sees anything: the engine polls.
    pub fn disabled(reason: &str) -> Self {
        Self { inotify: Err(reason.to_owned()), by_descriptor: HashMap::new(), by_path: HashMap::new() }
    }

    /// What becomes readable when there are changes.
    pub fn descriptor(&self) -> Option<&OwnedFd> {
        self.inotify.as_ref().ok()
    }

    /// Watches the directory `path`; again is harmless (a directory that was swapped is watched anew).
    ///
    /// # Errors
    /// No inotify, no more watches, or the directory cannot be read.
    pub fn watch(&mut self, path: &Path) -> Result<(), WatchError> {
        let fd = match &self.inotify {
            Ok(fd) => fd,
            Err(reason) => {
                return Err(WatchError::Unavailable { reason: reason.clone(), path: path.to_owned() });
            }
        };
        if is_remote(path) {
            return Err(WatchError::Remote { path: path.to_owned() });
        }
        let what = WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let descriptor = inotify::add_watch(fd, path, what).map_err(|e| match e {
            rustix::io::Errno::NOSPC => WatchError::Limit {
                what: "watches",
                sysctl: "fs.inotify.max_user_watches",
                path: path.to_owned(),
            },
            e => WatchError::Path { path: path.to_owned(), source: e.into() },
        })?;
        if self.by_path.get(path) == Some(&descriptor) {
            return Ok(());
        }
        self.unwatch(path);
        self.by_path.insert(path.to_owned(), descriptor);
        self.by_descriptor.entry(descriptor).or_default().push(path.into());
        Ok(())
    }

    /// Ends the watch of `path`, if there is one.
    pub fn unwatch(&mut self, path: &Path) {
        let Some(descriptor) = self.by_path.remove(path) else { return };
        let Some(paths) = self.by_descriptor.get_mut(&descriptor) else { return };
        paths.retain(|p| **p != *path);
        if paths.is_empty() {
            self.by_descriptor.remove(&descriptor);
            if let Ok(fd) = &self.inotify {
                // Fails if the kernel has ended the watch already, which is what we want.
                let _ = inotify::remove_watch(fd, descriptor);
            }
        }
    }

    /// The directories that are watched.
    pub fn watched(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.by_path.keys().map(PathBuf::as_path)
    }

    /// Appends what happened since the last call.
    pub fn read(&mut self, changes: &mut Vec<Change>) {
        let Ok(fd) = &self.inotify else { return };
        let mut buffer = [MaybeUninit::uninit(); EVENTS_BYTES];
        let mut events = inotify::Reader::new(fd, &mut buffer);
        let mut ended = Vec::new();
        while let Ok(event) = events.next() {
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                changes.push(Change::Lost);
                continue;
            }
            let Some(dirs) = self.by_descriptor.get(&event.wd()) else { continue };
            if flags.intersects(
                ReadFlags::IGNORED | ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF | ReadFlags::UNMOUNT,
            ) {
                ended.extend(dirs.iter().cloned());
                changes.extend(dirs.iter().map(|dir| Change::DirectoryGone { dir: Arc::clone(dir) }));
                continue;
            }
            let Some(name) = event.file_name() else { continue };
            let name = || {
                use std::os::unix::ffi::OsStringExt;
                OsString::from_vec(name.to_bytes().to_vec())
            };
            let is_dir = flags.contains(ReadFlags::ISDIR);
            let cookie = Some(event.cookie()).filter(|c| *c != 0);
            for dir in dirs {
                let dir = Arc::clone(dir);
                changes.push(if flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
                    Change::Appeared { dir, name: name(), is_dir, moved: cookie }
                } else if flags.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM) {
                    Change::Vanished { dir, name: name(), is_dir, moved: cookie }
                } else {
                    Change::Touched { dir, name: name() }
                });
            }
        }
        for dir in ended {
            self.unwatch(&dir);
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Watcher {
    /// There is no inotify here: the engine polls.
    pub fn new() -> Self {
        Self {}
    }

    /// Never sees anything: the engine polls.
    pub fn disabled(_reason: &str) -> Self {
        Self {}
    }

    /// What becomes readable when there are changes.
    pub fn descriptor(&self) -> Option<&std::os::fd::OwnedFd> {
        None
    }

    /// # Errors
    /// Always.
    pub fn watch(&mut self, path: &Path) -> Result<(), WatchError> {
        let reason = format!("{} has none", std::env::consts::OS);
        Err(WatchError::Unavailable { reason, path: path.to_owned() })
    }

    /// Ends the watch of `path`.
    pub fn unwatch(&mut self, _path: &Path) {}

    /// The directories that are watched.
    pub fn watched(&self) -> impl ExactSizeIterator<Item = &Path> {
        std::iter::empty()
    }

    /// Appends what happened since the last call.
    pub fn read(&mut self, _changes: &mut Vec<Change>) {}
}

impl Default for Watcher {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use super::*;

    fn changes(watcher: &mut Watcher, root: &Path) -> Vec<String> {
        let mut changes = Vec::new();
        watcher.read(&mut changes);
        let short = |dir: &Path| dir.strip_prefix(root).expect("below the root").display().to_string();
        changes
            .iter()
            .map(|change| match change {
                Change::Touched { dir, name } => format!("touched {}/{}", short(dir), name.display()),
                Change::Appeared { dir, name, moved, .. } => {
                    format!("appeared {}/{} {}", short(dir), name.display(), moved.is_some())
                }
                Change::Vanished { dir, name, moved, .. } => {
                    format!("vanished {}/{} {}", short(dir), name.display(), moved.is_some())
                }
                Change::DirectoryGone { dir } => format!("gone {}", short(dir)),
                Change::Lost => "lost".to_owned(),
            })
            .collect()
    }

    #[test]
    fn what_happens_to_files_of_a_watched_directory_is_seen_in_order() {
        let root = tempfile::tempdir().expect("temporary directory");
        let dir = root.path().join("d");
        fs::create_dir(&dir).expect("mkdir");
        let mut watcher = Watcher::new();
        watcher.watch(&dir).expect("watch");
        watcher.watch(&dir).expect("again");
        fs::write(dir.join("a"), "x").expect("write");
        fs::rename(dir.join("a"), dir.join("a.1")).expect("rename");
        fs::remove_file(dir.join("a.1")).expect("remove");
        assert_eq!(
            changes(&mut watcher, root.path()),
            [
                "appeared d/a false",
                "touched d/a",
                "touched d/a",
                "vanished d/a true",
                "appeared d/a.1 true",
                "vanished d/a.1 false",
            ]
        );
        fs::rename(&dir, root.path().join("e")).expect("rename");
        assert_eq!(changes(&mut watcher, root.path()), ["gone d"]);
        fs::write(root.path().join("e/b"), "x").expect("write");
        assert_eq!(changes(&mut watcher, root.path()), [""; 0]);
    }

    #[test]
    fn a_directory_that_was_swapped_is_watched_anew() {
        let root = tempfile::tempdir().expect("temporary directory");
        let dir = root.path().join("d");
        fs::create_dir(&dir).expect("mkdir");
        let mut watcher = Watcher::new();
        watcher.watch(&dir).expect("watch");
        fs::remove_dir(&dir).expect("rmdir");
        assert!(changes(&mut watcher, root.path()).contains(&"gone d".to_owned()));
        fs::create_dir(&dir).expect("mkdir");
        watcher.watch(&dir).expect("watch");
        fs::write(dir.join("a"), "").expect("write");
        assert_eq!(changes(&mut watcher, root.path()), ["appeared d/a false", "touched d/a"]);
    }
}
