//! Finds out how containers can be isolated on this machine, by starting one.
//!
//! Called once when the pod runner starts. Whether namespaces may be made depends on privileges,
//! kernel settings, seccomp filters and security modules, which cannot all be asked for; a
//! container in which a command can be run is the answer. (The kernel must be 5.8 or later, for
//! joining all namespaces of a process at once.)

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::spec::Mode;
use super::{ContainerConfig, ExecOutcome, Runtime};
use crate::pods::Isolation;
use crate::pods::image::Image;
use crate::pods::logs::LogWriter;

/// Time that a command in the trial container may take; far more than it does.
const EXEC_TIMEOUT: Duration = Duration::from_secs(20);

/// The isolation found, and why it is not a better one.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What containers will get.
    pub mode: Mode,
    /// Why containers are not fully isolated; `None` when they are.
    pub shortcoming: Option<String>,
}

/// Picks the best isolation that works here and that `wanted` allows.
///
/// # Errors
/// With [`Isolation::Namespaces`], the reason why namespaces cannot be had.
pub async fn choose(wanted: Isolation, root: &Path, exe: &Path) -> Result<Choice, String> {
    if wanted == Isolation::Prefix {
        let shortcoming = Some("asked for by the configuration".to_owned());
        return Ok(Choice { mode: Mode::Prefix, shortcoming });
    }
    let mut refusals = Vec::new();
    for mode in candidates() {
        match works(mode, root, exe).await {
            Ok(()) => return Ok(Choice { mode, shortcoming: None }),
            Err(reason) => refusals.push(reason),
        }
    }
    let reason = refusals.join("; ");
    match wanted {
        Isolation::Namespaces => Err(reason),
        Isolation::Auto | Isolation::Prefix => Ok(Choice { mode: Mode::Prefix, shortcoming: Some(reason) }),
    }
}

fn candidates() -> Vec<Mode> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    let with_user = Mode::Namespaces { user: true };
    if rustix::process::geteuid().is_root() {
        vec![Mode::Namespaces { user: false }, with_user]
    } else {
        vec![with_user]
    }
}

async fn works(mode: Mode, root: &Path, exe: &Path) -> Result<(), String> {
    let trial = tempfile::Builder::new()
        .prefix("isolation-trial-")
        .tempdir_in(root)
        .map_err(|error| format!("cannot make a directory in {}: {error}", root.display()))?;
    let log = LogWriter::create(&trial.path().join("log")).map_err(|error| error.to_string())?;
    let config = ContainerConfig {
        directory: trial.path().join("container"),
        pod_name: "isolation-trial",
        pod_ip: "127.0.0.1",
        image: &Image::default(),
        argv: shell("exec sleep 60"),
        env: Vec::new(),
        cwd: "/".into(),
        volumes: Vec::new(),
    };
    let runtime = Runtime { component_exe: exe.to_owned(), mode };
    let container = runtime.start(config, log).await.map_err(|error| error.to_string())?;
    let result = match container.exec(&shell("exit 0"), EXEC_TIMEOUT).await {
        ExecOutcome::Ended { code: 0, .. } => Ok(()),
        other => Err(format!("a command inside a trial container ended with {other:?}")),
    };
    container.signal(Signal::KILL).await;
    container.ended().await;
    result
}

fn shell(script: &str) -> Vec<String> {
    ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
}
