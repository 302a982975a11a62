//! Logs for people: standard error and `ilogtail.LOG`.
//!
//! Each file is bounded: it is renamed to `.1`, `.2` … as it fills. Called by `service`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Size at which a file is renamed, in bytes, and how many there are with the older ones. Source: collector.md §1.5.
const FILE_BYTES_MAX: u64 = 20 * 1024 * 1024;
const FILES_MAX: usize = 10;

/// Sends logs to `file`, if there is one, and to standard error if asked or if there is no file.
///
/// # Errors
/// When the file cannot be opened; logs then still go to standard error.
pub fn init(level: LevelFilter, file: Option<&Path>, to_stderr: bool) -> io::Result<()> {
    let opened = file.map(RotatingFile::open).transpose();
    let (file, error) = match opened {
        Ok(file) => (file, None),
        Err(error) => (None, Some(error)),
    };
    let to_stderr = to_stderr || file.is_none();
    // Libraries speak at warning level and above; `collector=level` is this program.
    let targets = Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("collector", level);
    let file_layer =
        file.map(|file| layer().with_ansi(false).with_target(false).with_writer(Mutex::new(file)));
    let stderr_layer = to_stderr.then(|| layer().with_ansi(false).with_target(false).with_writer(io::stderr));
    // A second collector in one process (tests) keeps the first one's logs.
    let _ = tracing_subscriber::registry().with(targets).with(file_layer).with(stderr_layer).try_init();
    error.map_or(Ok(()), Err)
}

/// A file that is renamed away when it is full.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl RotatingFile {
    /// Goes on with the file that is there.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::open_with(path, FILE_BYTES_MAX)
    }

    fn open_with(path: &Path, bytes_max: u64) -> io::Result<Self> {
        let file = append_to(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, bytes, bytes_max })
    }

    fn older(&self, number: usize) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..FILES_MAX - 1).rev() {
            // The older ones need not exist yet.
            let _ = fs::rename(self.older(number), self.older(number + 1));
        }
        fs::rename(&self.path, self.older(1))?;
        self.file = append_to(&self.path)?;
        self.bytes = 0;
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl Write for RotatingFile {
    /// Always takes the whole line, so that no line is split between two files.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.bytes_max {
            self.rotate()?;
        }
        self.file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_renamed_and_the_oldest_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ilogtail.LOG");
        let mut log = RotatingFile::open_with(&path, 10).unwrap();
        for number in 0..12 {
            log.write_all(format!("line {number}..\n").as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap_or_default();
        assert_eq!(read("ilogtail.LOG"), "line 11..\n");
        assert_eq!(read("ilogtail.LOG.1"), "line 10..\n");
        assert_eq!(read("ilogtail.LOG.9"), "line 2..\n");
        assert!(!dir.path().join("ilogtail.LOG.10").exists());
    }

    #[test]
    fn a_restart_appends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ilogtail.LOG");
        for text in ["one\n", "two\n"] {
            RotatingFile::open_with(&path, 100).unwrap().write_all(text.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }
}
