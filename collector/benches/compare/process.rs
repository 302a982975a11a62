//! A collector as a process, and what the kernel counts of it.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::time::TimeValLike as _;
use rustix::process::{Pid, Signal, kill_process};

/// Longest time that an ordered end may take.
const END_WAIT: Duration = Duration::from_secs(30);

/// Killed when dropped.
pub struct Process {
    child: Child,
    pub started: Instant,
}

/// What a process has used so far, all its threads together.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub cpu: Duration,
    /// Times that a thread of those that live now went to sleep.
    pub wake_ups: u64,
    pub peak_kib: u64,
    pub resident_kib: u64,
    pub anonymous_kib: u64,
}

impl Process {
    /// Starts it; what it says goes to `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command, log: &Path) -> io::Result<Self> {
        let out = std::fs::File::create(log)?;
        let started = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).spawn()?;
        Ok(Self { child, started })
    }

    /// Has it ended by itself?
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// # Errors
    /// The process has ended.
    pub fn usage(&self) -> io::Result<Usage> {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let clock = nix::time::clock_getcpuclockid(pid)?;
        let cpu = nix::time::clock_gettime(clock)?;
        let directory = format!("/proc/{}", self.child.id());
        let status = std::fs::read_to_string(format!("{directory}/status"))?;
        let mut wake_ups = 0;
        for task in std::fs::read_dir(format!("{directory}/task"))?.flatten() {
            let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
            wake_ups += number(&status, "voluntary_ctxt_switches:");
        }
        Ok(Usage {
            cpu: Duration::from_nanos(cpu.num_nanoseconds().unsigned_abs()),
            wake_ups,
            peak_kib: number(&status, "VmHWM:"),
            resident_kib: number(&status, "VmRSS:"),
            anonymous_kib: number(&status, "RssAnon:"),
        })
    }

    /// Asks it to end; the value is its exit code, none where it had to be killed.
    pub fn end(mut self) -> Option<i32> {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            let _ = kill_process(pid, Signal::TERM); // it may be gone already
        }
        let deadline = Instant::now() + END_WAIT;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails where it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
}
