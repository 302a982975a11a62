//! Where the collector's files lie (collector.md §1.5).
//!
//! Everything hangs below `/usr/local/ilogtail` and `/etc/ilogtail`, each moved below the path
//! prefix where a bed has no mount namespaces. Called by `service` and `initd`, which must agree
//! without talking to each other: both derive the places from the same environment.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

mod pid_file;
mod run_state;

pub use pid_file::{ClaimError, PidFile, Presence, Running};
pub use run_state::{BEAT_INTERVAL, HUNG_AFTER, Phase, RunState, RunStateFile, monotonic_ms};

/// The agent's own directory. Source: collector.md §1.5.
const HOME: &str = "/usr/local/ilogtail";

/// Used when [`HOME`] cannot be written (read-only root file system, ordinary user).
const HOME_FALLBACK: &str = "/tmp/ilogtail";

/// Default place of checkpoints. Source: collector.md §1.5 (a file there; a directory here).
pub const STATE_DIR_DEFAULT: &str = "/tmp/logtail_check_point";

/// Maps the paths that users write to the paths that this process opens.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    prefix: Option<PathBuf>,
}

/// No directory for the agent's own files can be written.
#[derive(Debug, thiserror::Error)]
#[error(
    "neither {HOME} nor {HOME_FALLBACK} can be written ({source}); mount a writable emptyDir at one of them"
)]
pub struct NoHome {
    source: io::Error,
}

impl Layout {
    pub fn new(prefix: Option<PathBuf>) -> Self {
        Self { prefix }
    }

    /// The prefix, if there is one.
    pub fn prefix(&self) -> Option<&Path> {
        self.prefix.as_deref()
    }

    /// The path to open for a path as users write it. Relative paths are below [`HOME`].
    pub fn on_disk(&self, path: &Path) -> PathBuf {
        let absolute = if path.is_absolute() { path.to_owned() } else { Path::new(HOME).join(path) };
        match &self.prefix {
            None => absolute,
            Some(prefix) => prefix.join(absolute.strip_prefix("/").unwrap_or(&absolute)),
        }
    }

    /// Directory whose file names are account ids.
    pub fn users(&self) -> PathBuf {
        self.on_disk(Path::new("/etc/ilogtail/users"))
    }

    /// File of machine group ids, one a line.
    pub fn user_defined_id(&self) -> PathBuf {
        self.on_disk(Path::new("/etc/ilogtail/user_defined_id"))
    }

    /// The container's host table, where the kubelet writes the pod's address.
    pub fn hosts(&self) -> PathBuf {
        self.on_disk(Path::new("/etc/hosts"))
    }

    /// The places where the agent's own files may be, the preferred one first.
    pub fn homes(&self) -> [Home; 2] {
        [HOME, HOME_FALLBACK].map(|path| Home { directory: self.on_disk(Path::new(path)) })
    }

    /// The first of [`Self::homes`] that can be written, created if needed.
    ///
    /// # Errors
    /// [`NoHome`] when none can be written.
    pub fn open_home(&self) -> Result<Home, NoHome> {
        let [preferred, fallback] = self.homes();
        if ensure_writable(&preferred.directory).is_ok() {
            return Ok(preferred);
        }
        ensure_writable(&fallback.directory).map_err(|source| NoHome { source })?;
        Ok(fallback)
    }

    /// Chooses the directory of checkpoints and of the instance's identity: the configured one, else
    /// the shared volume if one is named, else the default, which does not outlive the container.
    ///
    /// # Errors
    /// When even the default cannot be used.
    pub fn open_state_dir(
        &self,
        configured: Option<&Path>,
        shared: Option<&Path>,
    ) -> Result<StateDir, StateDirError> {
        let mut notices = Vec::new();
        for (what, wanted) in [("check_point_path", configured), ("shared_state_path", shared)] {
            let Some(wanted) = wanted.filter(|path| *path != Path::new(STATE_DIR_DEFAULT)) else { continue };
            let path = self.on_disk(wanted);
            match lock_directory(&path) {
                Ok(lock) => return Ok(StateDir { path, volatile: false, notices, _lock: lock }),
                Err(error) => notices.push(format!("{what} {} cannot be used: {error}", wanted.display())),
            }
        }
        let path = self.on_disk(Path::new(STATE_DIR_DEFAULT));
        let lock = lock_directory(&path)?;
        notices.push(format!(
            "read positions are kept in {STATE_DIR_DEFAULT}, which is lost when this container is replaced \
             (files are then read again or, if large, from 1 MiB before their end); set check_point_path to a \
             directory on a volume of the pod"
        ));
        Ok(StateDir { path, volatile: true, notices, _lock: lock })
    }
}

/// The agent's own directory, on disk.
#[derive(Debug, Clone)]
pub struct Home {
    directory: PathBuf,
}

impl Home {
    pub fn directory(&self) -> &Path {
        &self.directory
    }
    pub fn pid_file(&self) -> PathBuf {
        self.directory.join("ilogtail.pid")
    }
    pub fn run_state(&self) -> PathBuf {
        self.directory.join("run_state.json")
    }
    pub fn app_info(&self) -> PathBuf {
        self.directory.join("app_info.json")
    }
    /// What the config server sent last, for people.
    pub fn received_configs(&self) -> PathBuf {
        self.directory.join("user_log_config.json")
    }
    /// The main log; older ones are `ilogtail.LOG.1` and so on.
    pub fn log(&self) -> PathBuf {
        self.directory.join("ilogtail.LOG")
    }
    /// How the collector does, a line a minute.
    pub fn status_log(&self) -> PathBuf {
        self.directory.join("ilogtail_status.LOG")
    }
    /// What a daemon writes to its standard error before it logs to [`Self::log`].
    pub fn start_log(&self) -> PathBuf {
        self.directory.join("ilogtail_start.LOG")
    }
}

/// Where positions and identity are kept.
#[derive(Debug)]
pub struct StateDir {
    pub path: PathBuf,
    /// The directory does not outlive the container.
    pub volatile: bool,
    /// What the user should know about the choice.
    pub notices: Vec<String>,
    /// Held as long as this collector uses the directory.
    _lock: fs::File,
}

/// Why a directory cannot keep the state.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    #[error("it cannot be written ({0}); mount the volume there read-write or correct the path")]
    Unwritable(io::Error),
    #[error("another collector uses it; give every pod a directory of its own, e.g. by subPathExpr")]
    InUse,
}

/// Makes the directory this collector's own: two with the same positions would lose lines.
fn lock_directory(directory: &Path) -> Result<fs::File, StateDirError> {
    ensure_writable(directory).map_err(StateDirError::Unwritable)?;
    let lock = fs::File::create(directory.join("lock")).map_err(StateDirError::Unwritable)?;
    match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StateDirError::InUse),
        Err(error) => Err(StateDirError::Unwritable(error.into())),
    }
}

/// Creates the directory and proves that files can be made in it.
fn ensure_writable(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let probe = directory.join(format!(".writable.{}", std::process::id()));
    fs::write(&probe, b"")?;
    fs::remove_file(&probe)
}

/// Replaces a file as a whole: readers see the old or the new content, never a part.
///
/// # Errors
/// Those of the file system; the old content then stays.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = PathBuf::from(aside);
    let mut file = fs::File::create(&aside)?;
    io::Write::write_all(&mut file, content)?;
    file.sync_data()?;
    fs::rename(&aside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixed() -> (tempfile::TempDir, Layout) {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(Some(dir.path().to_owned()));
        (dir, layout)
    }

    #[test]
    fn a_prefix_moves_absolute_paths_and_relative_ones_lie_below_home() {
        let layout = Layout::new(Some("/bed/c1".into()));
        assert_eq!(layout.on_disk(Path::new("/var/log/nginx")), Path::new("/bed/c1/var/log/nginx"));
        assert_eq!(layout.on_disk(Path::new("state")), Path::new("/bed/c1/usr/local/ilogtail/state"));
        assert_eq!(Layout::default().on_disk(Path::new("/etc/hosts")), Path::new("/etc/hosts"));
    }

    #[test]
    fn the_configured_state_directory_wins_over_the_shared_one() {
        let (dir, layout) = prefixed();
        let state = layout.open_state_dir(Some(Path::new("/a")), Some(Path::new("/b"))).unwrap();
        assert_eq!(state.path, dir.path().join("a"));
        assert!(!state.volatile && state.notices.is_empty());
    }

    #[test]
    fn an_unwritable_choice_is_reported_and_the_next_one_taken() {
        let (dir, layout) = prefixed();
        fs::write(dir.path().join("a"), "a file is no directory").unwrap();
        let state = layout.open_state_dir(Some(Path::new("/a")), Some(Path::new("/b"))).unwrap();
        assert_eq!(state.path, dir.path().join("b"));
        let [notice] = state.notices.as_slice() else { panic!("{:?}", state.notices) };
        assert!(notice.starts_with("check_point_path /a cannot be used: it cannot be written"), "{notice}");
    }

    #[test]
    fn a_directory_that_another_collector_uses_is_left_to_it() {
        let (dir, layout) = prefixed();
        let first = layout.open_state_dir(Some(Path::new("/a")), None).unwrap();
        let second = layout.open_state_dir(Some(Path::new("/a")), Some(Path::new("/b"))).unwrap();
        assert_eq!(second.path, dir.path().join("b"));
        assert!(second.notices[0].contains("another collector uses it"), "{:?}", second.notices);
        drop(first);
        assert_eq!(layout.open_state_dir(Some(Path::new("/a")), None).unwrap().path, dir.path().join("a"));
    }

    #[test]
    fn the_default_state_directory_is_volatile_and_says_so() {
        let (dir, layout) = prefixed();
        for configured in [None, Some(Path::new(STATE_DIR_DEFAULT))] {
            let state = layout.open_state_dir(configured, None).unwrap();
            assert_eq!(state.path, dir.path().join("tmp/logtail_check_point"));
            assert!(state.volatile);
            assert!(state.notices.iter().any(|n| n.contains("set check_point_path")), "{:?}", state.notices);
        }
    }

    #[test]
    fn home_falls_back_when_the_preferred_one_cannot_be_written() {
        let (dir, layout) = prefixed();
        fs::create_dir_all(dir.path().join("usr/local")).unwrap();
        fs::write(dir.path().join("usr/local/ilogtail"), "in the way").unwrap();
        assert_eq!(layout.open_home().unwrap().directory(), dir.path().join("tmp/ilogtail"));
    }
}
