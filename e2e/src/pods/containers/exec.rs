//! `pod-exec`: runs one command inside a running container, for probes and hooks.
//!
//! Started by the bed as `pod-exec SPEC.json PID COMMAND…`, with the same socket on standard
//! input as the shim: when it closes, the command and its process group are killed. The exit code
//! is the command's; [`START_FAILED`](super::shim::START_FAILED) with a message on standard error
//! when it could not be run.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ExitCode, Stdio};

use super::shim;
use super::spec::{Exit, Mode, ShimSpec};
use super::watched::Watched;

/// The base name under which the bed's executable acts as this program.
pub const NAME: &str = "pod-exec";

/// Runs the command; `args` come after the program name.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    match run(&args) {
        Ok(exit) => ExitCode::from(u8::try_from(exit.code()).unwrap_or(u8::MAX)),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(u8::try_from(shim::START_FAILED).unwrap_or(u8::MAX))
        }
    }
}

fn run(args: &[OsString]) -> io::Result<Exit> {
    let usage = || io::Error::other(format!("usage: {NAME} SPEC.json PID COMMAND…"));
    let [spec, pid, argv @ ..] = args else { return Err(usage()) };
    let pid = pid.to_str().and_then(|pid| pid.parse().ok()).ok_or_else(usage)?;
    let argv: Vec<String> = argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let spec = ShimSpec::read(Path::new(spec))?;
    let control = shim::take_control()?;
    join(spec.mode, pid)?;
    let mut command = shim::command(&spec, &argv)?;
    let child = Watched::new(command.stdin(Stdio::null()).process_group(0).spawn()?)?;
    while !child.next([Some(&control), None])?.ended {
        // The bed sends nothing; it closes the socket when the command has had its time.
        child.kill_group();
    }
    child.reap()
}

#[cfg(target_os = "linux")]
fn join(mode: Mode, pid: i32) -> io::Result<()> {
    match mode {
        Mode::Namespaces { user } => {
            super::namespaces::join(pid, user)?;
            super::capabilities::limit()
        }
        Mode::Prefix => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn join(mode: Mode, _pid: i32) -> io::Result<()> {
    match mode {
        Mode::Namespaces { .. } => Err(io::Error::other("this system has no mount namespaces")),
        Mode::Prefix => Ok(()),
    }
}
