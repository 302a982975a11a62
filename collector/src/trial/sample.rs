//! The files that a config matches, and the whole lines at their ends.

use std::cmp::Reverse;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Instant, SystemTime};

use memchr::{memchr, memchr_iter, memrchr};

use sls_pipeline::judge::Sample;

use crate::discover::{self, Located, Matcher, Visitor};
use crate::pipeline::FileInput;

/// Files that are remembered of those that match. Source: own choice.
const CANDIDATES_MAX: usize = 10_000;

/// Bytes read at first; more if they hold too few lines. Source: own choice; 100 lines of 640 bytes.
const FIRST_BYTES: usize = 64 * 1024;

/// Files with something in them, the youngest first of those that are found until the deadline.
pub fn find(input: &FileInput, root: Option<&Path>, deadline: Instant) -> Vec<Located> {
    let mut found = Found { files: Vec::new(), deadline };
    discover::walk(&Matcher::new(input), root, &mut found);
    let mut files = found.files;
    files.sort_by(|a, b| (Reverse(a.0), &a.1).cmp(&(Reverse(b.0), &b.1)));
    files.into_iter().map(|(_, file)| file).collect()
}

struct Found {
    files: Vec<(SystemTime, Located)>,
    deadline: Instant,
}

impl Visitor for Found {
    fn directory(&mut self, _: &Located, _: bool) {}

    fn file(&mut self, file: &Located) {
        let modified =
            fs::metadata(&file.real).ok().filter(|meta| meta.len() > 0).map(|meta| meta.modified());
        if let Some(modified) = modified
            && self.files.len() < CANDIDATES_MAX
        {
            self.files.push((modified.unwrap_or(SystemTime::UNIX_EPOCH), file.clone()));
        }
    }

    /// The data path reports it.
    fn problem(&mut self, _: &Located, _: io::Error) {}

    fn too_many(&mut self) {}

    fn goes_on(&self) -> bool {
        Instant::now() < self.deadline
    }
}

/// The last lines of a file, as many as `lines_wanted` or what `bytes_max` holds of them; more lines are
/// handed over where they came with a read.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path, lines_wanted: usize, bytes_max: usize) -> io::Result<Sample> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut bytes = FIRST_BYTES.min(bytes_max);
    loop {
        let position = size.saturating_sub(bytes as u64);
        let mut data = vec![0; usize::try_from(size - position).unwrap_or(bytes)];
        let read = read_at(&file, &mut data, position)?;
        data.truncate(read);
        let sample = whole_lines(data, position);
        let is_enough = memchr_iter(b'\n', &sample.data).count() >= lines_wanted;
        if is_enough || position == 0 || bytes >= bytes_max {
            return Ok(sample);
        }
        bytes = (bytes * 4).min(bytes_max);
    }
}

/// Reads until the buffer is full or the file ends.
fn read_at(file: &File, data: &mut [u8], position: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = data.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, position + done as u64)? {
            0 => break,
            more => done += more,
        }
    }
    Ok(done)
}

/// Without the line that began before, and without the one that is still being written.
fn whole_lines(mut data: Vec<u8>, position: u64) -> Sample {
    data.truncate(memrchr(b'\n', &data).map_or(0, |last| last + 1));
    let cut = if position == 0 { 0 } else { memchr(b'\n', &data).map_or(data.len(), |first| first + 1) };
    data.drain(..cut);
    Sample { data, position: position + cut as u64 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::encoding::Encoding;
    use crate::pipeline::PositionMeta;

    #[test]
    fn only_whole_lines_are_taken() {
        let sample = |text: &str, position| {
            let Sample { data, position } = whole_lines(text.as_bytes().to_vec(), position);
            (String::from_utf8(data).unwrap(), position)
        };
        assert_eq!(sample("a\nb\nc", 0), ("a\nb\n".into(), 0));
        assert_eq!(sample("a\nb\nc", 7), ("b\n".into(), 9));
        assert_eq!(sample("abc", 0), (String::new(), 0));
        assert_eq!(sample("abc", 5), (String::new(), 5));
    }

    #[test]
    fn files_are_looked_up_until_the_deadline() {
        let dir = tempfile::tempdir().unwrap();
        for at in ["l/a/b", "l/c"] {
            fs::create_dir_all(dir.path().join(at)).unwrap();
            fs::write(dir.path().join(at).join("a.log"), "x\n").unwrap();
        }
        let input = FileInput {
            directory: "/l".into(),
            file_pattern: "*.log".into(),
            max_depth: 9,
            tail_existing: false,
            tail_bytes: 0,
            flush_timeout: Duration::from_secs(1),
            encoding: Encoding::Utf8,
            position_meta: PositionMeta::default(),
            delay_alarm_bytes: 200 << 20,
            excluded: Default::default(),
        };
        let now = Instant::now();
        assert_eq!(find(&input, Some(dir.path()), now + Duration::from_secs(3600)).len(), 2);
        assert_eq!(find(&input, Some(dir.path()), now), []);
    }

    #[test]
    fn no_more_is_read_than_the_lines_need_or_may_take() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let line = "x".repeat(1023) + "\n";
        fs::write(&path, line.repeat(1000)).unwrap();
        assert_eq!(read(&path, 10, 1 << 20).unwrap().data.len(), 63 * 1024);
        assert_eq!(read(&path, 100, 1 << 20).unwrap().data.len(), 255 * 1024);
        assert_eq!(read(&path, 5000, 1 << 20).unwrap().data.len(), 1000 * 1024);
        assert_eq!(read(&path, 5000, 8192).unwrap().data.len(), 7 * 1024);
    }
}
