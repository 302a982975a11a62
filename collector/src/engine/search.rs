//! What lies beside a log file, looked at once for all that is looked for: at a start there may be thousands of
//! rotated files, and as many in the checkpoint that are gone.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::ops::Bound;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::reader::Reader;
use super::resume::may_be_rotated;
use super::tracked::PipelineId;
use crate::discover::Located;
use crate::tail::{Bookmark, FileIdentity, Head, open_log};

/// Files of a directory that are opened in search of a content, the latest first.
pub(super) const SEARCHED_FILES_MAX: usize = 1_000;

/// A file that holds a content which was looked for.
pub(super) struct Found {
    pub file: File,
    pub identity: FileIdentity,
    pub path: PathBuf,
    pub size: u64,
}

impl Found {
    /// The file at `path`, if it holds the content of `bookmark`.
    fn at(path: &Path, bookmark: &Bookmark) -> Option<Self> {
        let (file, meta) = open_log(path).ok()?;
        let found = Self { file, identity: FileIdentity::of(&meta), path: path.to_owned(), size: meta.len() };
        bookmark.fits(&found.file).is_ok_and(|fits| fits).then_some(found)
    }
}

/// A file of which nothing is known.
struct Stranger {
    path: PathBuf,
    identity: FileIdentity,
    head: Head,
}

/// The files of a directory at one moment.
pub(super) struct Listing {
    names: BTreeSet<OsString>,
    by_inode: HashMap<u64, Vec<PathBuf>>,
    /// By the name that they may be rotated files or copies of.
    strangers: HashMap<OsString, Vec<Stranger>>,
    directory: PathBuf,
}

impl Listing {
    /// Of a directory that cannot be read nothing is found.
    pub fn of(directory: &Path) -> Self {
        let (mut names, mut by_inode) = (BTreeSet::new(), HashMap::<u64, Vec<PathBuf>>::new());
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            by_inode.entry(entry.ino()).or_default().push(entry.path());
            names.insert(entry.file_name());
        }
        Self { names, by_inode, strangers: HashMap::new(), directory: directory.to_owned() }
    }

    /// The file with this inode. A volume may have another device number after a restart: content and inode decide.
    pub fn find_inode(&self, inode: u64, bookmark: &Bookmark) -> Option<Found> {
        self.by_inode.get(&inode)?.iter().find_map(|path| Found::at(path, bookmark))
    }

    /// Files that may be rotated ones or copies of `live`, the latest first, unless `is_followed` by their inode.
    fn candidates(&self, live: &OsStr, is_followed: impl Fn(FileIdentity) -> bool) -> Vec<PathBuf> {
        let longer = self.names.range::<OsStr, _>((Bound::Included(live), Bound::Unbounded));
        let longer = longer.take_while(|name| name.as_bytes().starts_with(live.as_bytes()));
        let mut found: Vec<(SystemTime, PathBuf)> = longer
            .filter(|name| may_be_rotated(live, name))
            .filter_map(|name| {
                let path = self.directory.join(name);
                let meta = fs::metadata(&path).ok()?;
                let modified = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                (!is_followed(FileIdentity::of(&meta))).then_some((modified, path))
            })
            .collect();
        found.sort_by(|a, b| b.cmp(a));
        found.truncate(SEARCHED_FILES_MAX);
        found.into_iter().map(|(_, path)| path).collect()
    }
}

impl Reader {
    /// A file beside `at`, in `listing`, not known yet to this pipeline, with the content of `bookmark`.
    pub(super) fn find_content(
        &self,
        id: PipelineId,
        listing: &mut Listing,
        at: &Located,
        bookmark: &Bookmark,
    ) -> Option<Found> {
        let live = at.shown.file_name().filter(|_| !bookmark.is_blank())?;
        if !listing.strangers.contains_key(live) {
            let strangers = self.strangers(id, listing, live)?;
            listing.strangers.insert(live.to_owned(), strangers);
        }
        let strangers = listing.strangers.get(live)?.iter().filter(|stranger| {
            let is_followed = self.by_identity.contains_key(&(id, stranger.identity));
            stranger.path != at.real && !is_followed && stranger.head.may_fit(bookmark.signature)
        });
        let found = strangers.filter_map(|stranger| Found::at(&stranger.path, bookmark));
        found.max_by_key(|found| found.size)
    }

    fn strangers(&self, id: PipelineId, listing: &Listing, live: &OsStr) -> Option<Vec<Stranger>> {
        let name = &self.pipelines.get(&id)?.config.name;
        let is_followed = |identity| self.by_identity.contains_key(&(id, identity));
        let strangers = listing.candidates(live, is_followed).into_iter().filter_map(|path| {
            let (file, meta) = open_log(&path).ok()?;
            let identity = FileIdentity::of(&meta);
            let head = Head::of(&file).ok()?;
            let mut of_inode = self.store.entries_of(identity.inode).filter(|e| e.pipeline == *name);
            let is_known = of_inode.any(|e| e.is_about(&path, &file, identity));
            (!is_known).then_some(Stranger { path, identity, head })
        });
        Some(strangers.collect())
    }
}
