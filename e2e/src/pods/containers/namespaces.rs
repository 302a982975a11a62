//! Linux namespaces of a container: making them and joining them.
//!
//! Called by the shims only, which have a single thread at that point.

use std::io;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, UnshareFlags, move_into_thread_name_spaces};

/// Moves this process into new mount, host name and IPC namespaces and its children to come into
/// a new pid namespace. With `user`, a user namespace in which the current user is root makes
/// that possible without privileges.
pub fn unshare(user: bool) -> io::Result<()> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let mut flags = UnshareFlags::NEWNS | UnshareFlags::NEWUTS | UnshareFlags::NEWIPC | UnshareFlags::NEWPID;
    flags.set(UnshareFlags::NEWUSER, user);
    unshare_flags(flags).map_err(|error| {
        let kind = if user { "user, mount and pid namespaces" } else { "mount and pid namespaces" };
        io::Error::other(format!("the system does not allow new {kind}: {error}"))
    })?;
    if user {
        let map = |file: &str, text: String| {
            std::fs::write(file, text)
                .map_err(|error| io::Error::other(format!("cannot write {file}: {error}")))
        };
        // An unprivileged process may map its group only after giving up setgroups.
        map("/proc/self/setgroups", "deny".to_owned())?;
        map("/proc/self/uid_map", format!("0 {} 1", uid.as_raw()))?;
        map("/proc/self/gid_map", format!("0 {} 1", gid.as_raw()))?;
    }
    Ok(())
}

#[allow(unsafe_code)]
fn unshare_flags(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: the call is unsafe only for UnshareFlags::FILES, which is never among the flags.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(io::Error::from)
}

/// Joins all namespaces of the container whose first process is `pid`, its root directory
/// included. Children started afterwards belong to its pid namespace.
pub fn join(pid: i32, user: bool) -> io::Result<()> {
    let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("0 is no process id"))?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let mut types = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::PROCESS_ID;
    types.set(ThreadNameSpaceType::USER, user);
    use std::os::fd::AsFd;
    move_into_thread_name_spaces(process.as_fd(), types).map_err(|error| {
        io::Error::other(format!("cannot join the namespaces of process {}: {error}", pid.as_raw_nonzero()))
    })
}
