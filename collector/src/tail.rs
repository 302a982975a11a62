//! The bytes of one generation of one log file: open, read on, notice that the content was replaced.
//!
//! A *generation* is the content of an inode from one truncation to the next. A `Tail` reads one
//! generation; when the file was truncated or overwritten, `read` says so and the caller starts a
//! new generation. Every read begins up to [`MARK_BYTES_MAX`] bytes before the position, so that
//! "truncated and grown beyond the old position" is seen in the very read that would otherwise
//! return foreign bytes (collector.md §3.4 rule 1). Called by `engine` only.

mod block;
mod bookmark;

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags};

pub use self::block::Block;
pub use self::bookmark::{Bookmark, Head, Mark, Signature};
use crate::fingerprint::Sum;

/// Bytes at the head of a file that identify it. Source: Logtail uses the same (collector.md §3.1).
pub const SIGNATURE_BYTES_MAX: usize = 1024;

/// Bytes before a position that are compared again before reading on (collector.md §3.4 rule 1).
pub const MARK_BYTES_MAX: usize = 64;

/// How far behind a start position in the middle of a file the next line start is looked for.
/// Source: Logtail's window (collector.md §2.1, tail_limit).
pub const ALIGN_WINDOW_BYTES: usize = 128 * 1024;

/// Only who owns a file, or may do as if, may read it without a trace.
#[cfg(target_os = "linux")]
const NO_ACCESS_TIME: OFlags = OFlags::NOATIME;
#[cfg(not(target_os = "linux"))]
const NO_ACCESS_TIME: OFlags = OFlags::empty();

/// What the kernel calls the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileIdentity {
    pub dev: u64,
    pub inode: u64,
}

impl FileIdentity {
    pub fn of(meta: &std::fs::Metadata) -> Self {
        Self { dev: meta.dev(), inode: meta.ino() }
    }
}

/// What a read makes sure of, at the price of a system call each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Care {
    /// The head of the file is compared too: lines that all end alike (the same user agent, say) still begin with
    /// another time. It may be left out between reads that follow each other closely.
    pub head: bool,
    /// The end of the file is read, not taken from a read that gave fewer bytes than it could. Some file systems give
    /// fewer in the middle; where there is more, it is read when the file is looked at next, so that only who leaves a
    /// file must be sure.
    pub end: bool,
}

impl Care {
    pub const ALL: Self = Self { head: true, end: true };
}

/// What a read found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOutcome {
    /// `new` more bytes are in the block; `at_end` if the file had no more at that moment.
    Read { new: usize, at_end: bool },
    /// The bytes before the position are not those read before: truncated or overwritten.
    Replaced,
}

/// One open generation.
#[derive(Debug)]
pub struct Tail {
    file: File,
    identity: FileIdentity,
    signature: Signature,
    /// Length and sum of the head when it was last found to be the one of the signature.
    head_sum: Option<(usize, Sum)>,
    /// Everything before was handed over as events (or skipped).
    position: u64,
    before: Vec<u8>,
    /// Bytes from `position` on that were read but make no whole event yet.
    carry: Vec<u8>,
}

/// Opens a log file for reading without ever blocking (a FIFO of that name would).
///
/// # Errors
/// As `open(2)`; `InvalidInput` if it is not a regular file.
pub fn open_log(path: &Path) -> io::Result<(File, std::fs::Metadata)> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let open = |flags| rustix::fs::open(path, flags, Mode::empty());
    // Where we may, reading changes nothing of the file: else the first read after each write would write its inode.
    let file = match open(flags | NO_ACCESS_TIME) {
        Err(rustix::io::Errno::PERM) => open(flags)?,
        result => result?,
    };
    let file = File::from(file);
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok((file, meta))
}

impl Tail {
    /// Reads `file` from its first byte. Its head is looked at now, so that a truncation is noticed
    /// even if it comes before the first read.
    pub fn from_start(file: File, identity: FileIdentity) -> io::Result<Self> {
        let (before, carry) = (Vec::new(), Vec::new());
        let signature = Signature::NONE;
        let mut tail = Self { file, identity, signature, head_sum: None, position: 0, before, carry };
        tail.look_at_head()?;
        Ok(tail)
    }

    /// Takes in how the file begins, if it was empty when that was looked at last: from now on a truncation is
    /// noticed, although nothing was read yet.
    pub fn look_at_head(&mut self) -> io::Result<()> {
        if self.signature.is_empty() {
            let mut head = [0; SIGNATURE_BYTES_MAX];
            let n = read_full_at(&self.file, &mut head, 0)?;
            self.signature.absorb(0, head.get(..n).unwrap_or_default());
        }
        Ok(())
    }

    /// Reads `file` from `position` on; the bytes before it become the mark.
    pub fn from_position(file: File, identity: FileIdentity, position: u64) -> io::Result<Self> {
        let mut tail = Self::from_start(file, identity)?;
        let mut before = vec![0u8; MARK_BYTES_MAX.min(position as usize)];
        let from = position - before.len() as u64;
        let n = read_full_at(&tail.file, &mut before, from)?;
        before.truncate(n);
        tail.before = before;
        tail.position = position;
        Ok(tail)
    }

    /// Reads `file` from the first line start at or after `offset` (mid-line if there is none
    /// within [`ALIGN_WINDOW_BYTES`]).
    pub fn from_line_after(file: File, identity: FileIdentity, offset: u64) -> io::Result<Self> {
        if offset == 0 {
            return Self::from_start(file, identity);
        }
        let mut window = vec![0u8; ALIGN_WINDOW_BYTES];
        let n = read_full_at(&file, &mut window, offset - 1)?;
        let skip = memchr::memchr(b'\n', &window[..n]).map_or(0, |i| i as u64);
        Self::from_position(file, identity, offset + skip)
    }

    /// The same, to come back to.
    ///
    /// # Errors
    /// The process has too many open files.
    pub fn try_clone(&self) -> io::Result<Self> {
        let Self { identity, signature, position, .. } = *self;
        let (before, carry) = (self.before.clone(), self.carry.clone());
        let file = self.file.try_clone()?;
        Ok(Self { file, identity, signature, head_sum: None, position, before, carry })
    }

    /// What was handed over last had no newline.
    pub fn is_mid_line(&self) -> bool {
        self.before.last().is_some_and(|byte| *byte != b'\n')
    }

    pub fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// End of what was handed over, in bytes from the start of the generation.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes read but not yet handed over.
    pub fn pending(&self) -> usize {
        self.carry.len()
    }

    /// End of what was read.
    pub fn read_position(&self) -> u64 {
        self.position + self.carry.len() as u64
    }

    /// Where a later reader of this generation would go on.
    pub fn bookmark(&self) -> Bookmark {
        Bookmark { position: self.position, mark: Mark::of(&self.before), signature: self.signature }
    }

    /// The place that reading has reached (beyond [`Self::bookmark`] by the pending bytes).
    pub fn read_bookmark(&self) -> Bookmark {
        let mut before = Vec::with_capacity(MARK_BYTES_MAX);
        self.check_bytes(&mut before);
        Bookmark { position: self.read_position(), mark: Mark::of(&before), signature: self.signature }
    }

    pub fn metadata(&self) -> io::Result<std::fs::Metadata> {
        self.file.metadata()
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Goes on reading this generation from another file with the same content (a copy made by
    /// `copytruncate`); returns the file read so far.
    pub fn continue_in(&mut self, copy: File, identity: FileIdentity) -> File {
        self.identity = identity;
        std::mem::replace(&mut self.file, copy)
    }

    /// The same inode from its start, as a new generation.
    pub fn restarted(&self) -> io::Result<Self> {
        Self::from_start(self.file.try_clone()?, self.identity)
    }

    fn check_bytes(&self, out: &mut Vec<u8>) {
        out.clear();
        let from_before = (MARK_BYTES_MAX.saturating_sub(self.carry.len())).min(self.before.len());
        out.extend_from_slice(&self.before[self.before.len() - from_before..]);
        let from_carry = self.carry.len().min(MARK_BYTES_MAX - from_before);
        out.extend_from_slice(&self.carry[self.carry.len() - from_carry..]);
    }

    /// Fills `block` with the pending bytes and up to `max_new` bytes that follow them.
    ///
    /// The bytes right before the position are compared in any case.
    ///
    /// After `Read`, `block.data()` begins at `self.position()`; the caller hands over a prefix of
    /// it and then calls [`Self::keep`]. After `Replaced` or an error the tail is unchanged.
    pub fn read(&mut self, block: &mut Block, max_new: usize, care: Care) -> io::Result<ReadOutcome> {
        let max_new = max_new.max(SIGNATURE_BYTES_MAX);
        block.prepare(&self.before, &self.carry, max_new);
        let known = block.known;
        let check_len = known.min(MARK_BYTES_MAX);
        let mut expected = [0u8; MARK_BYTES_MAX];
        let expected = &mut expected[..check_len];
        expected.copy_from_slice(&block.bytes[known - check_len..known]);

        let from = self.read_position() - check_len as u64;
        let room = &mut block.bytes[known - check_len..known + max_new];
        let got = match care.end {
            true => read_full_at(&self.file, room, from)?,
            false => read_once_at(&self.file, room, from)?,
        };
        if got < check_len || block.bytes[known - check_len..known] != *expected {
            return Ok(ReadOutcome::Replaced);
        }
        let new = got - check_len;
        if care.head && !self.has_same_head()? {
            return Ok(ReadOutcome::Replaced);
        }
        block.end = known + new;
        self.signature.absorb(self.read_position(), &block.bytes[known..block.end]);
        Ok(ReadOutcome::Read { new, at_end: new < max_new })
    }

    fn has_same_head(&mut self) -> io::Result<bool> {
        let mut head = [0; SIGNATURE_BYTES_MAX];
        let Some(known) = head.get_mut(..self.signature.len()) else { return Ok(false) };
        if read_full_at(&self.file, known, 0)? < known.len() {
            return Ok(false); // shorter than what is known of it
        }
        let sum = Some((known.len(), Sum::of(known)));
        if self.head_sum == sum {
            return Ok(true);
        }
        let is_same = self.signature.fits(known);
        if is_same {
            self.head_sum = sum;
        }
        Ok(is_same)
    }

    /// Fills `block` with the pending bytes only, without reading.
    pub fn load_pending(&self, block: &mut Block) {
        block.prepare(&self.before, &self.carry, 0);
    }

    /// The place `consumed` bytes into `block.data()`, before [`Self::keep`].
    pub fn bookmark_in(&self, block: &Block, consumed: usize) -> Bookmark {
        Bookmark {
            position: self.position + consumed as u64,
            mark: Mark::of(block.mark_bytes(block.data_start + consumed)),
            signature: self.signature,
        }
    }

    /// The first `consumed` bytes of `block.data()` were handed over; the rest stays pending.
    pub fn keep(&mut self, block: &Block, consumed: usize) {
        let split = block.data_start + consumed;
        self.position += consumed as u64;
        if consumed > 0 {
            self.before.clear();
            self.before.extend_from_slice(block.mark_bytes(split));
        }
        self.carry.clear();
        let rest = &block.bytes[split..block.end];
        if rest.is_empty() {
            self.carry = Vec::new();
        } else {
            self.carry.extend_from_slice(rest);
        }
    }
}

/// What decides where reading of a file without checkpoint begins.
#[derive(Debug, Clone, Copy)]
pub struct FirstContact {
    /// The file was there when the config arrived.
    pub existed: bool,
    pub tail_existing: bool,
    pub tail_bytes: u64,
    /// Files modified before this moment are old (collector.md §3.4 rule 4).
    pub old_before: SystemTime,
}

impl FirstContact {
    /// The offset at which reading begins: 0, unless the file is old or the config says "tail".
    pub fn start_offset(&self, size: u64, modified: Option<SystemTime>) -> u64 {
        if !self.existed {
            return 0;
        }
        if self.tail_existing {
            return size;
        }
        match modified {
            Some(modified) if modified < self.old_before => size.saturating_sub(self.tail_bytes),
            _ => 0,
        }
    }
}

/// One read; fewer bytes than asked for are mostly the end of the file.
fn read_once_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buf, offset) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn read_full_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match file.read_at(&mut buf[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}
