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
#[allow(unsafe_code)]
pub fn of(file: &File) -> Writers {
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
    if granted == 0 {
        // SAFETY: as above.
        unsafe { libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK) };
        return Writers::None;
    }
    match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::EAGAIN) => Writers::Some,
        _ => Writers::Unknown,
    }
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
}
