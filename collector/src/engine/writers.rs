//! Does any process have a log file open for writing?
//!
//! The kernel grants a read lease only on a file that nobody has open for writing, in whatever
//! namespace (collector.md §7.3). The lease is given back at once, so that a writer that comes in
//! between is held up for microseconds only. Called when a rotated file or a drain is to end.

use std::fs::File;

/// What is known of the writers of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    None,
    Some,
    /// The kernel or the file system does not say (not the owner's process, a network file system).
    Unknown,
}

/// Asks the kernel.
#[cfg(target_os = "linux")]
pub fn of(file: &File) -> Writers {
    use std::os::unix::fs::MetadataExt;

    let answer = lease(file);
    if answer != Err(libc::EACCES) {
        return known(answer);
    }
    // Leases are for the owner of the file and for CAP_LEASE, which containers lack by default.
    let Ok(owner) = file.metadata().map(|meta| meta.uid()) else { return Writers::Unknown };
    known(as_user(owner, || lease(file)))
}

#[cfg(target_os = "linux")]
fn known(answer: Result<(), libc::c_int>) -> Writers {
    match answer {
        Ok(()) => Writers::None,
        Err(libc::EAGAIN) => Writers::Some,
        Err(_) => Writers::Unknown,
    }
}

/// Takes a read lease and gives it back; the error is the kernel's.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn lease(file: &File) -> Result<(), libc::c_int> {
    use std::os::fd::AsRawFd;

    /// Which signal tells of a broken lease. Source: Linux `asm-generic/fcntl.h`; `libc` lacks it.
    const F_SETSIG: libc::c_int = 10;
    let fd = file.as_raw_fd();
    // A writer's open breaks the lease and sends us a signal; SIGURG is one that is ignored.
    // SAFETY: `fcntl` with these commands takes integers only and the descriptor is open.
    let granted = unsafe {
        libc::fcntl(fd, F_SETSIG, libc::SIGURG);
        libc::fcntl(fd, libc::F_SETLEASE, libc::F_RDLCK)
    };
    if granted != 0 {
        return Err(std::io::Error::last_os_error().raw_os_error().unwrap_or_default());
    }
    // SAFETY: as above.
    unsafe { libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK) };
    Ok(())
}

/// Calls `f` with the user `uid` for the rights on files of this thread; without the right to do so (CAP_SETUID)
/// nothing is different in `f`.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn as_user<T>(uid: u32, f: impl FnOnce() -> T) -> T {
    // SAFETY: `setfsuid` takes an integer, changes this thread only, and cannot fail but by doing nothing.
    let before = unsafe { libc::setfsuid(uid) };
    let result = f();
    // SAFETY: as above.
    unsafe { libc::setfsuid(before.cast_unsigned()) };
    result
}

/// Leases are a thing of Linux.
#[cfg(not(target_os = "linux"))]
pub fn of(_file: &File) -> Writers {
    Writers::Unknown
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;

    use super::*;

    #[test]
    fn a_writer_is_seen_until_it_closes_the_file() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("a.log");
        let mut writer = File::create(&path).expect("create");
        let reader = File::open(&path).expect("open");
        assert_eq!(of(&reader), Writers::Some);
        writer.write_all(b"x").expect("write");
        drop(writer);
        assert_eq!(of(&reader), Writers::None);
        assert_eq!(of(&reader), Writers::None);
        fs::OpenOptions::new().append(true).open(&path).expect("the lease was given back");
    }

    #[test]
    fn root_without_the_lease_capability_sees_the_writers_of_a_foreign_file() {
        use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
        if !rustix::process::geteuid().is_root() {
            return; // nobody else can make a foreign file
        }
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("a.log");
        let writer = File::create(&path).expect("create");
        if std::os::unix::fs::chown(&path, Some(1000), Some(1000)).is_err() {
            return; // a user namespace without such a user
        }
        let reader = File::open(&path).expect("open");
        let found = std::thread::spawn(move || {
            // Of this thread only.
            let mut sets = capabilities(None).expect("capabilities");
            sets.effective -= CapabilitySet::LEASE;
            set_capabilities(None, sets).expect("fewer capabilities");
            let during = of(&reader);
            drop(writer);
            (during, of(&reader))
        });
        assert_eq!(found.join().expect("the thread"), (Writers::Some, Writers::None));
    }
}
