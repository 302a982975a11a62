//! What the bed tells the shim of one container, and what the shim answers.
//!
//! The bed writes a [`ShimSpec`] as JSON beside the container's root and passes its path to
//! `pod-init` (start) and `pod-exec` (probes, hooks). Standard input of both is one end of a
//! socket pair: the bed sends signal numbers as single bytes, the shim answers in JSON lines
//! ([`Report`]). When the bed dies the socket closes and the shim kills the container.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How a container is kept apart from the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Own mount, pid, host name and IPC namespaces; also an own user namespace when the bed may
    /// not create the others otherwise.
    Namespaces {
        /// True when a user namespace maps the bed's user to root inside.
        user: bool,
    },
    /// No isolation: the container sees the machine; its own files lie under a directory named
    /// by the environment variable [`PREFIX_VARIABLE`].
    Prefix,
}

impl Mode {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespaces { user: false } => "namespaces",
            Self::Namespaces { user: true } => "user namespaces",
            Self::Prefix => "none (path prefix)",
        }
    }
}

/// Environment variable that tells our programs where their root lies under [`Mode::Prefix`].
pub const PREFIX_VARIABLE: &str = "SLS_PATH_PREFIX";

/// One directory or file of the machine shown inside the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// Absolute path on the machine.
    pub source: PathBuf,
    /// Absolute path inside the container.
    pub target: PathBuf,
    /// Mounted read-only; not enforced under [`Mode::Prefix`].
    pub read_only: bool,
}

/// Everything `pod-init` and `pod-exec` need to know of a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShimSpec {
    /// How to isolate.
    pub mode: Mode,
    /// The container's root directory on the machine; mount points exist already.
    pub root: PathBuf,
    /// Host name inside, at most 64 bytes (Linux `HOST_NAME_MAX`).
    pub hostname: String,
    /// Program and arguments, never empty.
    pub argv: Vec<String>,
    /// The complete environment.
    pub env: Vec<(String, String)>,
    /// Working directory inside the container.
    pub cwd: PathBuf,
    /// Mounts in the order in which they are made.
    pub binds: Vec<Bind>,
}

impl ShimSpec {
    /// Reads a spec that the bed wrote with [`ShimSpec::write`].
    pub fn read(path: &Path) -> io::Result<Self> {
        serde_json::from_slice(&std::fs::read(path)?).map_err(io::Error::from)
    }

    /// Writes the spec readable by its owner only, as the environment may hold secrets.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(&serde_json::to_vec(self)?)
    }

    /// The value of a variable of the container's environment.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What a shim tells the bed, one JSON object a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The program runs; `pid` is its process id as the bed sees it.
    Started {
        /// Process id in the bed's pid namespace.
        pid: i32,
        /// Things that could not be had but that the container can live without.
        warnings: Vec<String>,
    },
    /// The program could not be started.
    Failed {
        /// What failed, at what and why.
        message: String,
    },
    /// The program ended and nothing of the container is left.
    Exited(Exit),
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It returned this code, 0 to 255.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
}

impl Exit {
    /// The exit code as container runtimes report it: 128 + signal number for a signal.
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }

    /// The signal that ended the program, if one did.
    pub fn signal(self) -> Option<i32> {
        match self {
            Self::Code(_) => None,
            Self::Signal(signal) => Some(signal),
        }
    }
}

impl From<std::process::ExitStatus> for Exit {
    fn from(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            // Neither happens for a child that was waited for without WUNTRACED.
            (None, None) => Self::Code(255),
        }
    }
}
