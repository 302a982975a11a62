//! What is remembered of a content, to know it again: its head, and the bytes before a position.

use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};

use super::{MARK_BYTES_MAX, SIGNATURE_BYTES_MAX, read_full_at};
use crate::fingerprint::Fingerprint;

/// Hash of the first `len` bytes of a file; grows until it covers [`SIGNATURE_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    len: u16,
    hash: Fingerprint,
}

impl Signature {
    /// Of a file of which nothing was read yet: fits every file.
    pub const NONE: Self = Self { len: 0, hash: Fingerprint::EMPTY };

    /// From its stored form.
    pub fn from_parts(len: u16, hash: u64) -> Self {
        Self { len, hash: Fingerprint(hash) }
    }

    /// Number of bytes covered, 0..=1024.
    pub fn len(self) -> usize {
        usize::from(self.len)
    }

    /// True if nothing is covered yet.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    pub fn hash(self) -> u64 {
        self.hash.0
    }

    /// Takes in `bytes` that stand at `offset` of the file.
    pub(super) fn absorb(&mut self, offset: u64, bytes: &[u8]) {
        let have = self.len();
        let Ok(offset) = usize::try_from(offset) else { return };
        if offset > have || have >= SIGNATURE_BYTES_MAX {
            return;
        }
        let Some(new) = bytes.get(have - offset..) else { return };
        let new = &new[..new.len().min(SIGNATURE_BYTES_MAX - have)];
        self.hash = self.hash.extend(new);
        self.len = (have + new.len()) as u16;
    }

    /// True if a file that begins with `head` (its first 1 KiB, or all of a shorter file) may be
    /// the file that this signature was taken from.
    pub fn fits(self, head: &[u8]) -> bool {
        head.get(..self.len()).is_some_and(|h| Fingerprint::of(h) == self.hash)
    }
}

/// The first [`SIGNATURE_BYTES_MAX`] bytes of a file, or all of a shorter one.
#[derive(Debug, Clone)]
pub struct Head(Vec<u8>);

impl Head {
    pub fn of(file: &File) -> io::Result<Self> {
        let mut head = vec![0u8; SIGNATURE_BYTES_MAX];
        let n = read_full_at(file, &mut head, 0)?;
        head.truncate(n);
        Ok(Self(head))
    }

    /// The first `len` bytes, or all there are.
    pub fn first(&self, len: usize) -> &[u8] {
        self.0.get(..len).unwrap_or(&self.0)
    }

    /// False if the file had another head than `signature` says, also if it has grown since.
    pub fn may_fit(&self, signature: Signature) -> bool {
        self.0.len() < SIGNATURE_BYTES_MAX || signature.fits(&self.0)
    }
}

/// Hash of the bytes right before a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub len: u8,
    pub hash: u64,
}

impl Mark {
    /// The mark of position 0.
    pub const START: Self = Self { len: 0, hash: Fingerprint::EMPTY.0 };

    pub(super) fn of(before: &[u8]) -> Self {
        Self { len: before.len() as u8, hash: Fingerprint::of(before).0 }
    }
}

/// A place in a generation that a reader may return to: position, the bytes before it, the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookmark {
    pub position: u64,
    pub mark: Mark,
    pub signature: Signature,
}

impl Bookmark {
    /// The place at the end of the first `size` bytes of `file`.
    pub fn at_end(file: &File, size: u64) -> io::Result<Self> {
        let Head(head) = Head::of(file)?;
        let mut signature = Signature::NONE;
        let known = head.len().min(usize::try_from(size).unwrap_or(head.len()));
        signature.absorb(0, head.get(..known).unwrap_or_default());
        let mut before = vec![0u8; MARK_BYTES_MAX.min(known)];
        let from = size.saturating_sub(before.len() as u64);
        let n = read_full_at(file, &mut before, from)?;
        before.truncate(n);
        Ok(Self { position: size, mark: Mark::of(&before), signature })
    }

    /// True if nothing is known of the content.
    pub fn is_blank(&self) -> bool {
        self.signature.is_empty()
    }

    /// True if `file` holds the content that this bookmark was taken from, up to the position.
    pub fn fits(&self, file: &File) -> io::Result<bool> {
        self.fits_beyond(&Head::of(file)?, file)
    }

    /// The same of a file whose head was read already, to be compared with many bookmarks.
    pub fn fits_beyond(&self, head: &Head, file: &File) -> io::Result<bool> {
        if !self.signature.fits(&head.0) {
            return Ok(false);
        }
        let mut before = [0u8; MARK_BYTES_MAX];
        let Some(before) = before.get_mut(..usize::from(self.mark.len)) else { return Ok(false) };
        let Some(from) = self.position.checked_sub(before.len() as u64) else { return Ok(false) };
        let n = read_full_at(file, before, from)?;
        Ok(n == before.len() && Mark::of(before) == self.mark)
    }
}
