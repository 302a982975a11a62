//! The pid file, which is also a lock.
//!
//! A running collector holds an exclusive lock on the file for its whole life. A lock cannot go
//! stale: the kernel drops it with the process, also when the process is killed and when nobody
//! reaps it. So "is it running" needs no guess about a recycled process id.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::process::Pid;

/// How long a start waits for the lock: `status` holds it for some microseconds.
const CLAIM_WAIT: Duration = Duration::from_millis(500);

/// Pause between two looks at the lock.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// Longest pid file read, in bytes.
const PID_BYTES_MAX: u64 = 32;

/// What a pid file says about the process.
#[derive(Debug)]
pub enum Presence {
    /// There is no pid file.
    Absent,
    /// A pid file, but its process is gone.
    Stale { pid: Option<Pid> },
    /// The process lives.
    Running(Running),
}

/// A live process, by its pid file.
#[derive(Debug)]
pub struct Running {
    pub pid: Option<Pid>,
    file: File,
}

impl Presence {
    /// Looks at a pid file without changing it.
    ///
    /// # Errors
    /// When the file exists and cannot be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Absent),
            Err(error) => return Err(error),
        };
        let pid = read_pid(&mut file)?;
        if is_free(&file)? { Ok(Self::Stale { pid }) } else { Ok(Self::Running(Running { pid, file })) }
    }
}

impl Running {
    /// Waits until the process is gone. `false` when it is still there after `limit`.
    ///
    /// # Errors
    /// Those of the lock.
    pub fn wait_gone(&self, limit: Duration) -> io::Result<bool> {
        let deadline = Instant::now() + limit;
        loop {
            if is_free(&self.file)? {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            std::thread::sleep(LOCK_POLL);
        }
    }
}

/// Is nobody holding the exclusive lock? The probe's own shared lock is dropped at once.
fn is_free(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {
            flock(file, FlockOperation::Unlock)?;
            Ok(true)
        }
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn read_pid(file: &mut File) -> io::Result<Option<Pid>> {
    let mut text = String::new();
    let read = file.take(PID_BYTES_MAX).read_to_string(&mut text);
    match read {
        Ok(_) => Ok(text.trim().parse().ok().and_then(Pid::from_raw)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(error),
    }
}

/// Why a collector must not start.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    #[error(
        "already running{} ({}); stop it first: /etc/init.d/ilogtaild stop",
        .pid.map(|pid| format!(" as process {}", pid.as_raw_nonzero())).unwrap_or_default(),
        .path.display()
    )]
    Busy { path: PathBuf, pid: Option<Pid> },
    #[error("pid file {}: {source}; make its directory writable", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// The lock of this process; dropping it removes the file.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
}

impl PidFile {
    /// Writes this process's id and takes the lock.
    ///
    /// # Errors
    /// [`ClaimError::Busy`] when another collector holds it.
    pub fn claim(path: &Path) -> Result<Self, ClaimError> {
        Self::try_claim(path).map_err(|source| ClaimError::Io { path: path.to_owned(), source })?.ok_or_else(
            || {
                let pid = File::open(path).and_then(|mut file| read_pid(&mut file)).unwrap_or_default();
                ClaimError::Busy { path: path.to_owned(), pid }
            },
        )
    }

    fn try_claim(path: &Path) -> io::Result<Option<Self>> {
        let deadline = Instant::now() + CLAIM_WAIT;
        loop {
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if is_file_at(&file, path) => {
                    file.set_len(0)?;
                    file.rewind()?;
                    writeln!(file, "{}", std::process::id())?;
                    return Ok(Some(Self { path: path.to_owned(), _file: file }));
                }
                // A collector that was just ending removed the name between our open and lock.
                Ok(()) => continue,
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {
                    std::thread::sleep(LOCK_POLL)
                }
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Does the path still name the opened file?
fn is_file_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(opened), Ok(named)) => (opened.dev(), opened.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // The name goes first, so that nobody finds a file whose lock is about to fall.
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("cannot remove pid file {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_file_shows_a_running_process_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ilogtail.pid");
        assert!(matches!(Presence::of(&path).unwrap(), Presence::Absent));
        let claimed = PidFile::claim(&path).unwrap();
        let Presence::Running(running) = Presence::of(&path).unwrap() else { panic!("not running") };
        assert_eq!(running.pid, Pid::from_raw(i32::try_from(std::process::id()).unwrap()));
        assert!(!running.wait_gone(Duration::ZERO).unwrap());
        drop(claimed);
        assert!(running.wait_gone(Duration::ZERO).unwrap());
        assert!(matches!(Presence::of(&path).unwrap(), Presence::Absent));
    }

    #[test]
    fn a_second_claim_names_the_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ilogtail.pid");
        let _claimed = PidFile::claim(&path).unwrap();
        let message = PidFile::claim(&path).unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("already running as process {}", std::process::id())),
            "{message}"
        );
    }

    #[test]
    fn a_file_left_by_a_killed_process_is_stale_and_can_be_claimed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ilogtail.pid");
        fs::write(&path, "4194000\n").unwrap();
        assert!(matches!(Presence::of(&path).unwrap(), Presence::Stale { pid: Some(_) }));
        PidFile::claim(&path).unwrap();
    }

    #[test]
    fn garbage_in_the_file_is_a_stale_file_without_a_pid() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ilogtail.pid");
        fs::write(&path, [0xff, 0xfe, b'x']).unwrap();
        assert!(matches!(Presence::of(&path).unwrap(), Presence::Stale { pid: None }));
    }
}
