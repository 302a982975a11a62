//! A child process whose end is a readable file descriptor.
//!
//! Called by the shims, which wait for their child and for the bed at once and must not start
//! threads: a process that has left its pid namespace for its children cannot.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Child;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use super::spec::Exit;

/// A child so held that a signal can never reach a later process with the same number.
pub struct Watched {
    child: Child,
    ended: OwnedFd,
}

/// What [`Watched::next`] saw.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ready {
    /// The child has ended; [`Watched::reap`] will not block.
    pub ended: bool,
    /// Reading from the socket will not block.
    pub readable: [bool; 2],
}

impl Watched {
    /// Watches a child that has not been waited for.
    pub fn new(child: Child) -> io::Result<Self> {
        let ended = end_of(&child)?;
        Ok(Self { child, ended })
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal; nothing happens when the child has ended.
    pub fn signal(&self, signal: Signal) {
        #[cfg(target_os = "linux")]
        rustix::process::pidfd_send_signal(&self.ended, signal).ok();
        #[cfg(not(target_os = "linux"))]
        rustix::process::kill_process(self.pid(), signal).ok();
    }

    /// Kills the child and, if it leads a process group, the whole group.
    pub fn kill_group(&self) {
        self.signal(Signal::KILL);
        // Not reaped yet, so its number cannot belong to another group.
        kill_process_group(self.pid(), Signal::KILL).ok();
    }

    /// Waits until the child has ended or one of `sockets` can be read.
    pub fn next(&self, sockets: [Option<&UnixStream>; 2]) -> io::Result<Ready> {
        let mut places = Vec::with_capacity(3);
        places.push(PollFd::new(&self.ended, PollFlags::IN));
        for socket in sockets.iter().flatten() {
            places.push(PollFd::new(socket, PollFlags::IN));
        }
        loop {
            match poll(&mut places, None) {
                Err(rustix::io::Errno::INTR) => {}
                other => {
                    other?;
                    break;
                }
            }
        }
        let mut seen = places.iter().map(|place| !place.revents().is_empty());
        let ended = seen.next().unwrap_or(false);
        let readable = sockets.map(|socket| socket.is_some() && seen.next().unwrap_or(false));
        Ok(Ready { ended, readable })
    }

    /// Takes the exit status, waiting for it if need be.
    pub fn reap(mut self) -> io::Result<Exit> {
        self.child.wait().map(Exit::from)
    }
}

#[cfg(target_os = "linux")]
fn end_of(child: &Child) -> io::Result<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};
    pidfd_open(Pid::from_child(child), PidfdFlags::empty()).map_err(io::Error::from)
}

/// Elsewhere a thread waits and closes a socket; those systems have no pid namespaces.
#[cfg(not(target_os = "linux"))]
fn end_of(child: &Child) -> io::Result<OwnedFd> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let pid = Pid::from_child(child);
    let (ours, theirs) = UnixStream::pair()?;
    std::thread::spawn(move || {
        let _closes_at_the_end = theirs;
        let seen = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), seen) {}
    });
    Ok(OwnedFd::from(ours))
}
