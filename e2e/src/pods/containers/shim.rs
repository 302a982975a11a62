//! `pod-init`: the process between the bed and one container.
//!
//! Two stages of the same executable. The *outer* stage is the bed's child: it unshares the
//! namespaces, starts the inner stage, passes signals on and reports how the container ended. The
//! *inner* stage is process 1 of the container: it mounts the root, turns it into `/` and becomes
//! the manifest's program by `exec`. So that program is process 1, as in a container runtime: a
//! SIGTERM that it does not handle is ignored, and its end is the end of every process of the
//! container.
//!
//! No process outlives the bed: the outer stage kills the container when its socket to the bed
//! closes, and the inner stage asks the kernel for SIGKILL when the outer one dies.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::spec::{Exit, Mode, Report, ShimSpec};
use super::watched::Watched;
#[cfg(target_os = "linux")]
use super::{capabilities, mounts, namespaces, orphans};

/// The base name under which the bed's executable acts as this shim.
pub const NAME: &str = "pod-init";

/// First argument of the inner stage.
const INNER: &str = "--inner";

/// Exit code of a container whose program could not be started, as container runtimes use it.
pub const START_FAILED: i32 = 128;

/// Runs the shim; `args` come after the program name. The exit code means nothing to the bed,
/// which reads reports.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    let result = match args.as_slice() {
        [spec] => outer(Path::new(spec)).map(|()| ExitCode::SUCCESS),
        [inner, spec] if inner == INNER => inner_stage(Path::new(spec)),
        _ => Err(io::Error::other(format!("usage: {NAME} SPEC.json (started by the pod runner)"))),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{NAME}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Takes standard input, which is a socket, out of the way of the container's own.
pub(super) fn take_control() -> io::Result<UnixStream> {
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    Ok(UnixStream::from(control))
}

pub(super) fn report(control: &mut UnixStream, report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    control.write_all(&line)
}

fn outer(path: &Path) -> io::Result<()> {
    let mut control = take_control()?;
    let outcome = ShimSpec::read(path).and_then(|spec| supervise(&mut control, &spec, path));
    match outcome {
        Ok(exit) => report(&mut control, &Report::Exited(exit)),
        Err(error) => report(&mut control, &Report::Failed { message: error.to_string() }),
    }
}

/// Starts the inner stage, reports its start, passes signals on and waits for its end.
fn supervise(control: &mut UnixStream, spec: &ShimSpec, path: &Path) -> io::Result<Exit> {
    let executable = std::env::current_exe()?;
    prepare(spec)?;
    let (mut ours, theirs) = UnixStream::pair()?;
    let inner =
        Command::new(executable).arg0(NAME).arg(INNER).arg(path).stdin(OwnedFd::from(theirs)).spawn()?;
    let inner = Watched::new(inner)?;
    // The inner stage goes on only after it has bound itself to our life.
    ours.read_exact(&mut [0])?;
    ours.write_all(&[1])?;
    let started = attend(control, &inner, ours);
    // Without a pid namespace, what else the program started does not end with it.
    if started.is_err() || spec.mode == Mode::Prefix {
        inner.kill_group();
    }
    let exit = inner.reap()?;
    #[cfg(target_os = "linux")]
    if spec.mode == Mode::Prefix {
        orphans::sweep()?;
    }
    started.map(|()| exit)
}

/// Runs until the container's first process has ended. The inner stage closes its socket by
/// becoming the program, and says what failed before that.
fn attend(control: &mut UnixStream, inner: &Watched, start: UnixStream) -> io::Result<()> {
    let mut start = Some(start);
    let mut said = Vec::new();
    let mut bed = Some(&mut *control);
    loop {
        let ready = inner.next([bed.as_deref(), start.as_ref()])?;
        if ready.readable[1]
            && let Some(stream) = &mut start
        {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk)? {
                0 => {
                    start = None;
                    let pid = inner.pid().as_raw_nonzero().get();
                    let warnings = warnings(&said)?;
                    if let Some(bed) = &mut bed {
                        report(bed, &Report::Started { pid, warnings })?;
                    }
                }
                n => said.extend_from_slice(&chunk[..n]),
            }
            // What the inner stage said before its end comes before the end.
            continue;
        }
        if ready.ended {
            return Ok(());
        }
        if ready.readable[0]
            && let Some(stream) = &mut bed
        {
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(1) => {
                    if let Some(signal) = Signal::from_named_raw(i32::from(byte[0])) {
                        forward(inner, signal);
                    }
                }
                // The bed has gone or has dropped the container.
                _ => {
                    forward(inner, Signal::KILL);
                    bed = None;
                }
            }
        }
    }
}

fn forward(inner: &Watched, signal: Signal) {
    if signal == Signal::KILL {
        inner.kill_group();
    } else {
        inner.signal(signal);
    }
}

/// What the inner stage said before it became the program: warnings, or why it could not.
fn warnings(said: &[u8]) -> io::Result<Vec<String>> {
    let mut warnings = Vec::new();
    for line in said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line)? {
            InnerReport::Warning(text) => warnings.push(text),
            InnerReport::Failed(text) => return Err(io::Error::other(text)),
        }
    }
    Ok(warnings)
}

#[derive(Serialize, Deserialize)]
enum InnerReport {
    Warning(String),
    Failed(String),
}

/// Puts the outer stage where its child must be born.
fn prepare(spec: &ShimSpec) -> io::Result<()> {
    match spec.mode {
        #[cfg(target_os = "linux")]
        Mode::Namespaces { user } => namespaces::unshare(user),
        #[cfg(not(target_os = "linux"))]
        Mode::Namespaces { .. } => Err(io::Error::other("this system has no mount namespaces")),
        #[cfg(target_os = "linux")]
        Mode::Prefix => orphans::adopt(),
        #[cfg(not(target_os = "linux"))]
        Mode::Prefix => Ok(()),
    }
}

/// Becomes the container's program; returns only when that fails.
fn inner_stage(path: &Path) -> io::Result<ExitCode> {
    // Own session: a Ctrl-C at the bed's terminal must not reach containers.
    rustix::process::setsid().ok();
    let mut outer = take_control()?;
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    outer.write_all(&[1])?;
    // The outer stage answers only while it lives, and from here on its death is ours.
    outer.read_exact(&mut [0])?;
    let spec = ShimSpec::read(path)?;
    let Err(error) = become_program(&spec, |warning| tell(&outer, &InnerReport::Warning(warning)));
    tell(&outer, &InnerReport::Failed(error.to_string()))?;
    Ok(ExitCode::FAILURE)
}

fn tell(mut outer: &UnixStream, what: &InnerReport) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    outer.write_all(&line)
}

fn become_program(spec: &ShimSpec, warn: impl FnMut(String) -> io::Result<()>) -> io::Result<Infallible> {
    match spec.mode {
        #[cfg(target_os = "linux")]
        Mode::Namespaces { .. } => {
            mounts::enter_root(spec, warn)?;
            capabilities::limit()?;
        }
        #[cfg(not(target_os = "linux"))]
        Mode::Namespaces { .. } => return Err(io::Error::other("no mount namespaces here")),
        Mode::Prefix => drop(warn),
    }
    Err(command(spec, &spec.argv)?.exec())
}

/// The command that runs `argv` inside the container whose root has become ours, or whose root
/// is a prefix.
pub(super) fn command(spec: &ShimSpec, argv: &[String]) -> io::Result<Command> {
    let Some((name, args)) = argv.split_first() else {
        return Err(io::Error::other(
            "no command: neither the manifest nor the image names a program to run",
        ));
    };
    let place = |path: &Path| match spec.mode {
        Mode::Namespaces { .. } => path.to_owned(),
        Mode::Prefix => super::paths::within(&spec.root, path),
    };
    let cwd = place(&spec.cwd);
    let program = find_program(spec, name, &place)?;
    let mut command = Command::new(program);
    command.arg0(name).args(args).env_clear().envs(spec.env.iter().map(|(k, v)| (k, v)));
    std::env::set_current_dir(&cwd)
        .map_err(|error| io::Error::other(format!("working directory {}: {error}", spec.cwd.display())))?;
    Ok(command)
}

/// Finds a program by the container's `PATH`. Under a prefix, absolute paths are looked up below
/// it first and on the machine second.
fn find_program(spec: &ShimSpec, name: &str, place: &dyn Fn(&Path) -> PathBuf) -> io::Result<PathBuf> {
    if name.contains('/') {
        let path = Path::new(name);
        if path.is_relative() {
            return Ok(path.to_owned());
        }
        let inside = place(path);
        return match inside.exists() || spec.mode != Mode::Prefix || !path.exists() {
            true if is_program(&inside) => Ok(inside),
            true if inside.exists() => Err(io::Error::other(format!(
                "exec: {name:?}: permission denied: it is not an executable file"
            ))),
            true => Err(io::Error::other(format!("exec: {name:?}: no such file in the container"))),
            false => Ok(path.to_owned()),
        };
    }
    let path = spec.variable("PATH").unwrap_or_default();
    std::env::split_paths(path)
        .map(|directory| directory.join(name))
        .find(|candidate| is_program(candidate))
        .ok_or_else(|| {
            io::Error::other(format!("exec: {name:?}: executable file not found in $PATH ({path})"))
        })
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
