//! Container logs: captured from the standard streams, kept in files, read back by anyone.
//!
//! The container runtime writes through [`LogWriter`]; `kubectl logs` and the bed read through
//! [`read`]. A file has one line per line of output, as container runtimes write it:
//! `TIMESTAMP STREAM TAG TEXT`, where the tag `P` marks a line that was too long and goes on in
//! the next one, and `F` its end. A log that has become too long goes on in a new file; of the
//! earlier ones the last is kept, with the ending `.1`. Files stay after the pod is gone.

pub mod read;
pub mod registry;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use k8s_openapi::jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

/// Bytes of output per line of the file; the number of the container runtimes.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a file after which the log goes on in a new one; with the one before it, twice as much
/// is kept of each instance of a container. A guess: the kubelet keeps five files of 10 MiB.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Bytes read from a stream at once; the size of a pipe.
const CHUNK_BYTES: usize = 64 * 1024;

/// How far a log has come. Offsets count from the beginning of the log, over all its files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Offset of the first byte that is still there.
    pub first: u64,
    /// Offset of the first byte of the present file.
    pub base: u64,
    /// Offset behind the last byte; always the end of a line.
    pub bytes: u64,
    /// Nothing will be added any more.
    pub closed: bool,
}

/// A log file that can be read while it grows.
#[derive(Clone, Debug)]
pub struct LogFile {
    /// Where it is.
    pub path: PathBuf,
    /// How far it has come.
    pub progress: watch::Receiver<Progress>,
}

/// The writing end of a container's log.
#[derive(Debug)]
pub struct LogWriter {
    file: File,
    path: PathBuf,
    file_bytes_max: u64,
    progress: watch::Sender<Progress>,
}

impl LogWriter {
    /// Creates the file and the directories above it.
    pub fn create(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let file = File::create(path)?;
        let (progress, _) = watch::channel(Progress::default());
        Ok(Self { file, path: path.to_owned(), file_bytes_max: FILE_BYTES_MAX, progress })
    }

    /// The reading end.
    pub fn file(&self) -> LogFile {
        LogFile { path: self.path.clone(), progress: self.progress.subscribe() }
    }

    /// Writes both streams to the file until both end. The task ends then, and the file is closed
    /// even when the task is dropped before.
    pub fn capture(
        self,
        stdout: Option<impl AsyncRead + Unpin + Send + 'static>,
        stderr: Option<impl AsyncRead + Unpin + Send + 'static>,
    ) -> tokio::task::JoinHandle<()> {
        tokio::spawn(self.copy(stdout, stderr))
    }

    async fn copy(
        mut self,
        mut stdout: Option<impl AsyncRead + Unpin>,
        mut stderr: Option<impl AsyncRead + Unpin>,
    ) {
        let (mut out, mut err) = (Lines::new("stdout"), Lines::new("stderr"));
        let (mut out_chunk, mut err_chunk) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
        let mut text = Vec::new();
        while stdout.is_some() || stderr.is_some() {
            text.clear();
            tokio::select! {
                n = next(&mut stdout, &mut out_chunk) => out.push(&out_chunk[..n], &mut text),
                n = next(&mut stderr, &mut err_chunk) => err.push(&err_chunk[..n], &mut text),
            }
            self.append(&text);
        }
    }

    /// Output that cannot be stored is dropped: a full disk must not stop the container.
    fn append(&mut self, text: &[u8]) {
        if let Err(error) = self.file.write_all(text) {
            tracing::warn!(path = %self.path.display(), %error, "a container's output was lost");
            return;
        }
        let length = text.len() as u64;
        self.progress.send_modify(|progress| progress.bytes += length);
        if let Err(error) = self.change_file() {
            tracing::warn!(path = %self.path.display(), %error, "a container's log grows without bound");
            self.file_bytes_max = u64::MAX;
        }
    }

    /// Begins a new file when this one is long enough. Readers look at the progress while they
    /// open files, so names and offsets change in one step for them.
    fn change_file(&mut self) -> io::Result<()> {
        let Progress { base, bytes, .. } = *self.progress.borrow();
        if bytes - base < self.file_bytes_max {
            return Ok(());
        }
        let mut result = Ok(());
        self.progress.send_modify(|progress| {
            result = std::fs::rename(&self.path, previous(&self.path)).and_then(|()| {
                self.file = File::create(&self.path)?;
                progress.first = progress.base;
                progress.base = progress.bytes;
                Ok(())
            });
        });
        result
    }
}

/// The file before the present one.
fn previous(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.progress.send_modify(|progress| progress.closed = true);
    }
}

/// Reads once; forgets the stream at its end. Waits for ever when it is forgotten already.
async fn next(stream: &mut Option<impl AsyncRead + Unpin>, chunk: &mut [u8]) -> usize {
    let Some(open) = stream else { return std::future::pending().await };
    let n = open.read(chunk).await.unwrap_or(0);
    if n == 0 {
        *stream = None;
    }
    n
}

/// Cuts one stream into the lines of a log file.
struct Lines {
    stream: &'static str,
    partial: Vec<u8>,
}

impl Lines {
    fn new(stream: &'static str) -> Self {
        Self { stream, partial: Vec::new() }
    }

    /// Appends to `file` what `chunk` completes; an empty chunk ends the stream.
    fn push(&mut self, chunk: &[u8], file: &mut Vec<u8>) {
        if chunk.is_empty() {
            if !self.partial.is_empty() {
                self.flush('F', file);
            }
            return;
        }
        let mut rest = chunk;
        while !rest.is_empty() {
            let room = LINE_BYTES_MAX - self.partial.len();
            let window = &rest[..rest.len().min(room)];
            if let Some(at) = window.iter().position(|byte| *byte == b'\n') {
                self.partial.extend_from_slice(&window[..at]);
                self.flush('F', file);
                rest = &rest[at + 1..];
            } else {
                self.partial.extend_from_slice(window);
                rest = &rest[window.len()..];
                if self.partial.len() == LINE_BYTES_MAX {
                    self.flush('P', file);
                }
            }
        }
    }

    fn flush(&mut self, tag: char, file: &mut Vec<u8>) {
        let now = Timestamp::now();
        // Writing to a Vec cannot fail.
        write!(file, "{now:.9} {} {tag} ", self.stream).ok();
        file.extend_from_slice(&self.partial);
        file.push(b'\n');
        self.partial.clear();
    }
}
