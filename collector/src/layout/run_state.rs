//! The run-state file: how `status` sees that the main loop still turns.
//!
//! The running collector rewrites it in place at [`BEAT_INTERVAL`]; a record has a fixed size, so
//! that a full disk does not make a healthy collector look hung. The clock is the machine's
//! monotonic one: it is common to all processes and does not jump.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Time between two beats. Source: own choice; one wake-up in ten seconds costs nothing.
pub const BEAT_INTERVAL: Duration = Duration::from_secs(10);

/// Age of the last beat from which on the main loop counts as hung. Source: own choice; well above
/// any pause of a loaded machine, within two periods of the document's liveness probe (30 s).
pub const HUNG_AFTER: Duration = Duration::from_secs(60);

/// Size of the record, padded with blanks.
const RECORD_BYTES: usize = 256;

/// What the process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Until the first exchange with the config server is through.
    Starting,
    /// Collecting what the server (or the stored configs) said.
    Ready,
    /// Sending what is left after a stop.
    Draining,
    /// Ended with nothing left.
    Delivered,
    /// Ended before everything was delivered.
    Undelivered,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunState {
    pub pid: u32,
    pub phase: Phase,
    /// Longest time a stop takes to drain, in milliseconds.
    pub grace_ms: u64,
    /// When the main loop last turned, by [`monotonic_ms`].
    pub beat_ms: i64,
}

impl RunState {
    /// Reads a record; `None` when there is none or it is not whole.
    pub fn read(path: &Path) -> Option<Self> {
        let bytes = fs::read(path).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Time since the last beat.
    pub fn age(&self, now_ms: i64) -> Duration {
        Duration::from_millis(u64::try_from(now_ms.saturating_sub(self.beat_ms)).unwrap_or_default())
    }
}

/// Milliseconds of the machine's monotonic clock.
pub fn monotonic_ms() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000)
}

/// The file, open for rewriting.
#[derive(Debug)]
pub struct RunStateFile {
    file: File,
    state: RunState,
}

impl RunStateFile {
    /// Creates the file with its first record.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path, grace: Duration) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        let state = RunState { pid: std::process::id(), phase: Phase::Starting, grace_ms: 0, beat_ms: 0 };
        let mut this = Self { file, state };
        this.set_grace(grace);
        this.beat()?;
        Ok(this)
    }

    /// Says how long a stop may take, from the next beat on.
    pub fn set_grace(&mut self, grace: Duration) {
        self.state.grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
    }

    /// Notes the phase; the time too.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn enter(&mut self, phase: Phase) -> io::Result<()> {
        self.state.phase = phase;
        self.beat()
    }

    /// Notes that the main loop turned just now.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn beat(&mut self) -> io::Result<()> {
        self.state.beat_ms = monotonic_ms();
        let mut record = serde_json::to_vec(&self.state)?;
        record.resize(RECORD_BYTES - 1, b' ');
        record.push(b'\n');
        self.file.write_all_at(&record, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_and_never_changes_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run_state.json");
        let mut file = RunStateFile::create(&path, Duration::MAX).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), RECORD_BYTES as u64);
        file.enter(Phase::Draining).unwrap();
        let state = RunState::read(&path).unwrap();
        assert_eq!((state.phase, state.pid), (Phase::Draining, std::process::id()));
        assert_eq!(fs::metadata(&path).unwrap().len(), RECORD_BYTES as u64);
    }

    #[test]
    fn age_counts_from_the_last_beat_and_never_runs_backwards() {
        let state = RunState { pid: 1, phase: Phase::Ready, grace_ms: 0, beat_ms: 5_000 };
        assert_eq!(state.age(66_000), Duration::from_secs(61));
        assert_eq!(state.age(4_000), Duration::ZERO);
    }

    #[test]
    fn a_torn_record_is_no_record() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run_state.json");
        fs::write(&path, "{\"pid\":1,").unwrap();
        assert_eq!(RunState::read(&path), None);
    }
}
