//! Reads a log file back as the lines that the container wrote.
//!
//! Called by [`super::registry`] for `kubectl logs` and by the bed. Files are read with plain
//! blocking calls: they were written moments ago and are in the page cache.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use k8s_openapi::jiff::Timestamp;

use super::{LogFile, Progress};

/// Bytes handed out at once, give or take a line.
const CHUNK_BYTES: usize = 64 * 1024;

/// Which part of a log to read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Go on until the container has ended.
    pub follow: bool,
    /// Begin this many lines before the present end.
    pub tail_lines: Option<usize>,
    /// Leave out lines written before this time.
    pub since: Option<Timestamp>,
    /// Stop after this many bytes.
    pub limit_bytes: Option<u64>,
    /// Put the time of writing before each line.
    pub timestamps: bool,
}

/// Opens a log. The stream ends where the log ends now, or with `follow` when it is complete.
///
/// # Errors
/// When a file cannot be opened or read.
pub fn open(log: &LogFile, options: ReadOptions) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
    let mut cursor = Cursor::open(log.clone(), 0)?;
    if let Some(lines) = options.tail_lines {
        cursor = Cursor::open(log.clone(), tail_offset(cursor, lines)?)?;
    }
    let left = options.limit_bytes.unwrap_or(u64::MAX);
    let reader = Reader { cursor, options, left, in_line: false };
    let chunks = stream::unfold(reader, |mut reader| async move {
        let chunk = reader.next().await.transpose()?;
        Some((chunk, reader))
    });
    Ok(chunks.boxed())
}

/// A place in a log, which may go on in another file.
struct Cursor {
    log: LogFile,
    file: BufReader<File>,
    /// Offset of the first byte of `file`.
    base: u64,
    offset: u64,
    /// How far the log was known to have come.
    known: Progress,
}

impl Cursor {
    /// Goes to `offset`, or to the first byte that is still there.
    fn open(log: LogFile, offset: u64) -> io::Result<Self> {
        let (file, base, offset, known) = {
            // No file changes its name while we look.
            let known = log.progress.borrow();
            let offset = offset.max(known.first);
            let (path, base) = if offset < known.base {
                (super::previous(&log.path), known.first)
            } else {
                (log.path.clone(), known.base)
            };
            (File::open(path)?, base, offset, *known)
        };
        let mut file = BufReader::new(file);
        file.seek(SeekFrom::Start(offset - base))?;
        Ok(Self { log, file, base, offset, known })
    }

    /// The next line of the file; false at the end of what is known.
    fn next_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        line.clear();
        while self.offset < self.known.bytes {
            let n = self.file.read_until(b'\n', line)?;
            if n > 0 {
                self.offset += n as u64;
                return Ok(true);
            }
            if self.base == self.log.progress.borrow().base {
                return Err(io::Error::other("the log file has become shorter"));
            }
            // The log goes on in another file.
            let known = self.known;
            *self = Self::open(self.log.clone(), self.offset)?;
            self.known = Progress { bytes: known.bytes.max(self.offset), ..known };
        }
        Ok(false)
    }
}

/// Where the last `lines` complete lines of output begin.
fn tail_offset(mut cursor: Cursor, lines: usize) -> io::Result<u64> {
    let mut starts = VecDeque::new();
    let (mut line, mut in_line) = (Vec::new(), false);
    let mut start = cursor.offset;
    while cursor.next_line(&mut line)? {
        if !in_line {
            starts.push_back(start);
            if starts.len() > lines {
                starts.pop_front();
            }
        }
        in_line = parse(&line).is_some_and(|entry| !entry.complete);
        start = cursor.offset;
    }
    Ok(starts.front().copied().unwrap_or(cursor.offset))
}

struct Reader {
    cursor: Cursor,
    options: ReadOptions,
    left: u64,
    /// The last line of the file read was the beginning of a longer line of output.
    in_line: bool,
}

impl Reader {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while self.left > 0 {
            let text = self.available()?;
            if !text.is_empty() {
                return Ok(Some(self.limited(text)));
            }
            if !self.options.follow || self.cursor.known.closed {
                return Ok(None);
            }
            let at = self.cursor.offset;
            let mut progress = self.cursor.log.progress.clone();
            // The sender says `closed` before it goes.
            match progress.wait_for(|now| now.bytes > at || now.closed).await {
                Ok(now) => self.cursor.known = *now,
                Err(_) => self.cursor.known.closed = true,
            }
        }
        Ok(None)
    }

    /// The wanted output between the cursor and the known end, a chunk at most.
    fn available(&mut self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        let mut line = Vec::new();
        while text.len() < CHUNK_BYTES && self.cursor.next_line(&mut line)? {
            let Some(entry) = parse(&line) else { continue };
            if self.options.since.is_none_or(|since| entry.time >= since) {
                if self.options.timestamps && !self.in_line {
                    text.extend_from_slice(entry.stamp.as_bytes());
                    text.push(b' ');
                }
                text.extend_from_slice(entry.text);
                if entry.complete {
                    text.push(b'\n');
                }
            }
            self.in_line = !entry.complete;
        }
        Ok(text)
    }

    fn limited(&mut self, mut text: Vec<u8>) -> Bytes {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX);
        text.truncate(room);
        self.left -= text.len() as u64;
        Bytes::from(text)
    }
}

struct Entry<'a> {
    stamp: &'a str,
    time: Timestamp,
    complete: bool,
    text: &'a [u8],
}

/// Takes a line of the file apart; `None` for one that we did not write.
fn parse(line: &[u8]) -> Option<Entry<'_>> {
    let mut fields = line.strip_suffix(b"\n")?.splitn(4, |byte| *byte == b' ');
    let stamp = std::str::from_utf8(fields.next()?).ok()?;
    let _stream = fields.next()?;
    let complete = fields.next()? == b"F";
    let text = fields.next()?;
    Some(Entry { stamp, time: stamp.parse().ok()?, complete, text })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tokio::io::AsyncWriteExt;

    use super::super::{LINE_BYTES_MAX, LogWriter};
    use super::*;

    async fn all(log: &LogFile, options: ReadOptions) -> String {
        let mut stream = open(log, options).unwrap();
        let mut text = Vec::new();
        while let Some(chunk) = stream.next().await {
            text.extend_from_slice(&chunk.unwrap());
        }
        String::from_utf8(text).unwrap()
    }

    async fn written(out: &[u8]) -> (tempfile::TempDir, LogFile) {
        let directory = tempfile::tempdir().unwrap();
        let writer = LogWriter::create(&directory.path().join("a/b.log")).unwrap();
        let log = writer.file();
        writer.capture(Some(io::Cursor::new(out.to_vec())), None::<&[u8]>).await.unwrap();
        (directory, log)
    }

    #[tokio::test]
    async fn output_comes_back_as_it_was_written() {
        let (_keep, log) = written(b"one\n\ntwo\nthree").await;
        assert_eq!(all(&log, ReadOptions::default()).await, "one\n\ntwo\nthree\n");
    }

    #[tokio::test]
    async fn a_long_line_is_stored_in_parts_and_comes_back_whole() {
        let long = "x".repeat(3 * LINE_BYTES_MAX);
        let (_keep, log) = written(format!("a\n{long}\nb\n").as_bytes()).await;
        assert_eq!(all(&log, ReadOptions::default()).await, format!("a\n{long}\nb\n"));
        let tail = ReadOptions { tail_lines: Some(2), ..ReadOptions::default() };
        assert_eq!(all(&log, tail).await, format!("{long}\nb\n"));
        let stamped = ReadOptions { timestamps: true, ..ReadOptions::default() };
        assert_eq!(all(&log, stamped).await.matches("Z ").count(), 3);
    }

    #[tokio::test]
    async fn tail_limit_and_since_choose_a_part() {
        let (_keep, log) = written(b"one\ntwo\nthree\n").await;
        let of = |options: ReadOptions| all(&log, options);
        let tail = |n| ReadOptions { tail_lines: Some(n), ..ReadOptions::default() };
        assert_eq!(of(tail(0)).await, "");
        assert_eq!(of(tail(2)).await, "two\nthree\n");
        assert_eq!(of(tail(9)).await, "one\ntwo\nthree\n");
        let limit = ReadOptions { limit_bytes: Some(5), ..ReadOptions::default() };
        assert_eq!(of(limit).await, "one\nt");
        let later = Timestamp::now() + k8s_openapi::jiff::SignedDuration::from_hours(1);
        let since = |time| ReadOptions { since: Some(time), ..ReadOptions::default() };
        assert_eq!(of(since(later)).await, "");
        assert_eq!(of(since(Timestamp::UNIX_EPOCH)).await, "one\ntwo\nthree\n");
    }

    #[tokio::test]
    async fn a_follower_sees_new_lines_and_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let writer = LogWriter::create(&directory.path().join("log")).unwrap();
        let log = writer.file();
        let (mut pipe, stdout) = tokio::io::duplex(64);
        let capture = writer.capture(Some(stdout), None::<&[u8]>);
        let mut follower = open(&log, ReadOptions { follow: true, ..ReadOptions::default() }).unwrap();
        pipe.write_all(b"first\n").await.unwrap();
        assert_eq!(follower.next().await.unwrap().unwrap(), "first\n");
        pipe.write_all(b"second\n").await.unwrap();
        assert_eq!(follower.next().await.unwrap().unwrap(), "second\n");
        drop(pipe);
        assert!(follower.next().await.is_none());
        capture.await.unwrap();
    }

    #[tokio::test]
    async fn a_long_log_keeps_its_last_two_files() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::create(&directory.path().join("log")).unwrap();
        writer.file_bytes_max = 1000;
        let log = writer.file();
        let mut follower = open(&log, ReadOptions { follow: true, ..ReadOptions::default() }).unwrap();
        let (mut pipe, stdout) = tokio::io::duplex(64);
        let capture = writer.capture(Some(stdout), None::<&[u8]>);
        let expected: String = (0..500).map(|n| format!("line {n}\n")).collect();
        let mut followed = String::new();
        for line in expected.split_inclusive('\n') {
            pipe.write_all(line.as_bytes()).await.unwrap();
            while followed.lines().count() <= line[5..].trim().parse().unwrap() {
                followed += std::str::from_utf8(&follower.next().await.unwrap().unwrap()).unwrap();
            }
        }
        assert_eq!(followed, expected);
        drop(pipe);
        capture.await.unwrap();
        let kept = all(&log, ReadOptions::default()).await;
        assert!(
            expected.ends_with(&kept) && kept.len() < expected.len() && kept.lines().count() > 15,
            "{kept}"
        );
        let tail = ReadOptions { tail_lines: Some(3), ..ReadOptions::default() };
        assert_eq!(all(&log, tail).await, "line 497\nline 498\nline 499\n");
        let across = kept.lines().count() - 2;
        let tail = ReadOptions { tail_lines: Some(across), ..ReadOptions::default() };
        assert_eq!(all(&log, tail).await.lines().count(), across);
        assert!(directory.path().join("log.1").exists());
    }

    #[test]
    fn a_foreign_line_is_left_out() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"not ours\n").unwrap();
        assert!(parse(b"not ours\n").is_none());
        assert!(parse(b"2024-01-01T00:00:00Z stdout F \n").is_some_and(|e| e.text.is_empty()));
    }
}
