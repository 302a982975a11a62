//! The init script: `ilogtaild start|stop|restart|status|start_and_block` (also as `loongcollectord`).
//!
//! The document's liveness probe runs `status` every 30 s: it looks at two small files and starts
//! nothing. `start` runs this executable again in the background and returns when it collects;
//! `stop` returns when the process has drained and is gone; `start_and_block` becomes the collector, so that its
//! exit code is that of the container. Called by `cli`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::layout::{HUNG_AFTER, Home, Layout, Phase, Presence, RunState, Running, monotonic_ms};

/// Longest time `start` waits for the first exchange with the config server; the process then goes
/// on by itself. Source: the vendor's template sleeps 10 s at this place (collector.md §1.2).
const START_WAIT: Duration = Duration::from_secs(10);

/// Pause between two looks at the starting process.
const START_POLL: Duration = Duration::from_millis(20);

/// What `stop` allows beyond the time to drain before it kills. Source: own choice.
const STOP_SLACK: Duration = Duration::from_secs(5);

/// How long a killed process may take to vanish. Source: own choice.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// Drain time assumed when the process has not noted its own.
const GRACE_UNKNOWN: Duration = crate::instance_config::GRACE_DEFAULT;

/// Exit code of `status` when there is no collector (LSB: not running).
pub const NOT_RUNNING: u8 = 3;

/// A word that the init script understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Start,
    Stop,
    Restart,
    Status,
    /// An entry point (collector.md §1.3).
    StartAndBlock,
}

impl Verb {
    pub fn parse(word: &OsStr) -> Option<Self> {
        Some(match word.to_str()? {
            "start" => Self::Start,
            "stop" => Self::Stop,
            "restart" => Self::Restart,
            "status" => Self::Status,
            "start_and_block" => Self::StartAndBlock,
            _ => return None,
        })
    }
}

/// Runs a verb; the value is the exit code.
pub fn run(verb: Verb, program: &str, layout: &Layout) -> u8 {
    let mut out = io::stdout();
    let code = match verb {
        Verb::Start => start(program, layout, &mut out),
        Verb::Stop => stop(program, Signal::TERM, layout, &mut out),
        Verb::Restart => stop(program, Signal::USR1, layout, &mut out).and_then(|code| match code {
            0 => start(program, layout, &mut out),
            code => Ok(code),
        }),
        Verb::Status => status(program, layout, &mut out),
        Verb::StartAndBlock => become_collector(),
    };
    code.unwrap_or_else(|error| {
        eprintln!("{program}: {error}");
        1
    })
}

/// What is found of a collector.
#[derive(Debug)]
enum Found {
    Nothing,
    /// Its pid file, without its process.
    Dead {
        pid_file: String,
        pid: Option<Pid>,
    },
    Alive {
        home: Home,
        running: Running,
    },
}

/// Looks at all places where a collector may have its files; a live one wins.
fn find(layout: &Layout) -> io::Result<Found> {
    let mut found = Found::Nothing;
    for home in layout.homes() {
        let path = home.pid_file();
        match Presence::of(&path) {
            Ok(Presence::Running(running)) => return Ok(Found::Alive { home, running }),
            Ok(Presence::Stale { pid }) => found = Found::Dead { pid_file: path.display().to_string(), pid },
            Ok(Presence::Absent) => {}
            Err(error) => {
                let text = format!("pid file {} cannot be read: {error}", path.display());
                return Err(io::Error::new(error.kind(), text));
            }
        }
    }
    Ok(found)
}

/// `status`: 0 running, 1 dead or hung, 3 not running.
fn status(program: &str, layout: &Layout, out: &mut impl Write) -> io::Result<u8> {
    match find(layout)? {
        Found::Nothing => {
            writeln!(out, "{program} is not running")?;
            Ok(NOT_RUNNING)
        }
        Found::Dead { pid_file, pid } => {
            writeln!(
                out,
                "{program} is not running: {} has ended without removing {pid_file}",
                process(pid)
            )?;
            Ok(1)
        }
        Found::Alive { home, running } => {
            // The record of an earlier process says nothing about this one.
            let state = RunState::read(&home.run_state());
            let state = state.filter(|state| running.pid.is_none_or(|pid| is(pid, state.pid)));
            let age = state.map(|state| state.age(monotonic_ms()));
            match age.filter(|age| *age > HUNG_AFTER) {
                None => {
                    writeln!(out, "{program} is running")?;
                    Ok(0)
                }
                Some(age) => {
                    writeln!(
                        out,
                        "{program} hangs: the main loop of {} has not turned for {} s (limit {} s)",
                        process(running.pid),
                        age.as_secs(),
                        HUNG_AFTER.as_secs()
                    )?;
                    Ok(1)
                }
            }
        }
    }
}

fn is(pid: Pid, number: u32) -> bool {
    u32::try_from(pid.as_raw_nonzero().get()) == Ok(number)
}

fn process(pid: Option<Pid>) -> String {
    pid.map_or_else(|| "its process".to_owned(), |pid| format!("process {}", pid.as_raw_nonzero()))
}

/// `stop`: asks the process to end (SIGTERM: with the pod, SIGUSR1: for a successor) and waits until
/// it is gone.
fn stop(program: &str, ending: Signal, layout: &Layout, out: &mut impl Write) -> io::Result<u8> {
    let Found::Alive { home, running } = find(layout)? else {
        writeln!(out, "{program} is not running")?;
        return Ok(0);
    };
    let Some(pid) = running.pid else {
        writeln!(
            out,
            "{program} runs, but {} holds no process id; end it by hand",
            home.pid_file().display()
        )?;
        return Ok(1);
    };
    let grace =
        RunState::read(&home.run_state()).map_or(GRACE_UNKNOWN, |s| Duration::from_millis(s.grace_ms));
    signal(pid, ending)?;
    if running.wait_gone(grace.saturating_add(STOP_SLACK))? {
        let left = RunState::read(&home.run_state()).is_some_and(|state| state.phase == Phase::Undelivered);
        match left {
            false => writeln!(out, "{program} is stopped")?,
            true => writeln!(
                out,
                "{program} is stopped, but could not deliver everything within {} s; see {}",
                grace.as_secs(),
                home.log().display()
            )?,
        }
        return Ok(0);
    }
    signal(pid, Signal::KILL)?;
    let gone = running.wait_gone(KILL_WAIT)?;
    let outcome = if gone { "was killed" } else { "cannot be killed" };
    writeln!(out, "{program} did not end within {} s and {outcome}", (grace + STOP_SLACK).as_secs())?;
    Ok(1)
}

/// A process that is gone already is what the caller wants.
fn signal(pid: Pid, signal: Signal) -> io::Result<()> {
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => {
            let text = format!("process {} cannot be signalled: {error}", pid.as_raw_nonzero());
            Err(io::Error::new(io::Error::from(error).kind(), text))
        }
    }
}

/// `start`: runs the collector in the background; returns when it collects.
fn start(program: &str, layout: &Layout, out: &mut impl Write) -> io::Result<u8> {
    if let Found::Alive { running, .. } = find(layout)? {
        writeln!(out, "{program} is running already as {}", process(running.pid))?;
        return Ok(0);
    }
    let home = layout.open_home().map_err(io::Error::other)?;
    let mut child = spawn(&home)?;
    match wait_until_up(&mut child, &home)? {
        Started::Ready => {
            writeln!(out, "{program} is running")?;
            Ok(0)
        }
        Started::Waiting => {
            writeln!(
                out,
                "{program} is running, but had no config after {} s; see {}",
                START_WAIT.as_secs(),
                home.log().display()
            )?;
            Ok(0)
        }
        Started::Ended(status) => {
            let said = std::fs::read_to_string(home.start_log()).unwrap_or_default();
            writeln!(out, "{program} did not start ({status}): {}", said.trim())?;
            Ok(status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1))
        }
    }
}

/// How the start of the background process went.
enum Started {
    Ready,
    /// Alive, and still without a word from the config server.
    Waiting,
    Ended(ExitStatus),
}

/// The executable runs itself; `--daemon` makes it leave this session.
fn spawn(home: &Home) -> io::Result<Child> {
    let start_log = File::create(home.start_log())?;
    Command::new(std::env::current_exe()?)
        .arg0("ilogtail")
        .args(["run", "--daemon"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(start_log)
        .spawn()
}

/// Only returns if it cannot be done.
fn become_collector() -> io::Result<u8> {
    Err(Command::new(std::env::current_exe()?).arg0("ilogtail").arg("run").exec())
}

fn wait_until_up(child: &mut Child, home: &Home) -> io::Result<Started> {
    let deadline = Instant::now() + START_WAIT;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Started::Ended(status));
        }
        let state = RunState::read(&home.run_state()).filter(|state| state.pid == child.id());
        if state.is_some_and(|state| state.phase != Phase::Starting) {
            return Ok(Started::Ready);
        }
        if Instant::now() >= deadline {
            return Ok(Started::Waiting);
        }
        std::thread::sleep(START_POLL);
    }
}
