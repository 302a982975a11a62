//! Keeps hold of every process of a container that has no pid namespace (Linux).
//!
//! Called by the outer stage of the shim under [`super::spec::Mode::Prefix`]: orphans of the
//! container become the shim's children, so that none is left when the container has ended.

use std::io;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};

/// From now on, orphaned descendants become children of this process.
pub fn adopt() -> io::Result<()> {
    // Any pid switches it on; the kernel takes it as a flag.
    set_child_subreaper(Some(getpid())).map_err(io::Error::from)
}

/// Kills and reaps all children until none is left; the orphans of each become children in turn.
pub fn sweep() -> io::Result<()> {
    loop {
        for child in children()? {
            kill_process(child, Signal::KILL).ok();
        }
        match wait(WaitOptions::empty()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CHILD) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn children() -> io::Result<Vec<Pid>> {
    let own = getpid().as_raw_nonzero().get();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if parent(&stat) == Some(own) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// The parent's id in a line of `/proc/PID/stat`: second field after the command name, which is
/// in parentheses and may itself hold any character.
fn parent(stat: &str) -> Option<i32> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_parent_is_found_behind_any_command_name() {
        assert_eq!(super::parent("12 (a) b) S 7 12 12 0"), Some(7));
        assert_eq!(super::parent(""), None);
    }
}
