//! What the checkpoint says of one generation of one file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::ranges::Ranges;
use crate::tail::{Bookmark, FileIdentity, Head, Mark, Signature};

/// The last known state of one generation of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Unique among all generations of all runs of this collector.
    pub generation: u64,
    pub pipeline: String,
    /// Where the file was last seen, below the path prefix.
    #[serde(with = "path")]
    pub path: PathBuf,
    /// Name under which the config matched it (`__path__`).
    #[serde(with = "path")]
    pub shown: PathBuf,
    pub dev: u64,
    pub inode: u64,
    pub position: u64,
    mark_len: u8,
    mark_hash: u64,
    signature_len: u16,
    signature_hash: u64,
    /// Microseconds since 1970 of the last change of this entry.
    pub updated_us: u64,
    /// The file was read to its end and left; it is kept so that it is not read again.
    #[serde(default)]
    pub is_finished: bool,
    /// What was sent under numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranges: Option<Ranges>,
}

impl Entry {
    pub fn new(
        generation: u64,
        pipeline: &str,
        (path, shown): (&Path, &Path),
        identity: FileIdentity,
        at: Bookmark,
        now: SystemTime,
    ) -> Self {
        Self {
            generation,
            pipeline: pipeline.to_owned(),
            path: path.to_owned(),
            shown: shown.to_owned(),
            dev: identity.dev,
            inode: identity.inode,
            position: at.position,
            mark_len: at.mark.len,
            mark_hash: at.mark.hash,
            signature_len: at.signature.len() as u16,
            signature_hash: at.signature.hash(),
            updated_us: now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64),
            is_finished: false,
            ranges: None,
        }
    }

    /// Reading has come to `at`, and is not at its end.
    pub(super) fn advance(&mut self, at: Bookmark, now: SystemTime) {
        self.position = at.position;
        (self.mark_len, self.mark_hash) = (at.mark.len, at.mark.hash);
        (self.signature_len, self.signature_hash) = (at.signature.len() as u16, at.signature.hash());
        self.updated_us = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64);
        self.is_finished = false;
    }

    pub fn identity(&self) -> FileIdentity {
        FileIdentity { dev: self.dev, inode: self.inode }
    }

    /// True if this entry is about the file at `path`. An inode alone may have been used again, and of a file of
    /// which nothing was read no more than that is known. A volume may have another device number after a restart:
    /// then it is the same directory that counts.
    pub fn is_about(&self, path: &Path, file: &File, identity: FileIdentity) -> bool {
        let bookmark = self.bookmark();
        let is_here = self.dev == identity.dev || self.path.parent() == path.parent();
        let may_be = self.inode == identity.inode && is_here && !bookmark.is_blank();
        may_be && bookmark.fits(file).unwrap_or(false)
    }

    /// True if `file`, which begins with `head` and has `size` bytes, holds nothing but what this entry says was
    /// acknowledged.
    pub fn covers(&self, file: &File, size: u64, head: &Head) -> bool {
        size <= self.position && self.bookmark().fits_beyond(head, file).unwrap_or(false)
    }

    /// The acknowledged position.
    pub fn bookmark(&self) -> Bookmark {
        Bookmark {
            position: self.position,
            mark: Mark { len: self.mark_len, hash: self.mark_hash },
            signature: Signature::from_parts(self.signature_len, self.signature_hash),
        }
    }
}

/// A path as a text, or as a list of its bytes where it is none.
mod path {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(PathBuf),
        Bytes(Vec<u8>),
    }

    pub fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        match path.to_str() {
            Some(text) => text.serialize(to),
            None => path.as_os_str().as_bytes().serialize(to),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        Ok(match Written::deserialize(from)? {
            Written::Text(path) => path,
            Written::Bytes(bytes) => OsString::from_vec(bytes).into(),
        })
    }
}
