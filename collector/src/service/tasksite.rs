//! The vendor's protocol of files between the collector and the application, without a shell.
//!
//! In a directory that both containers mount the collector makes `cornerstone` when it collects, which the
//! application waits for; when that has ended, somebody in its container makes `tombstone`. Source of the names
//! and the order: the vendor's sidecar template (collector.md §1.2). Called by `service`.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::watch::Watcher;

const CORNERSTONE: &str = "cornerstone";
const TOMBSTONE: &str = "tombstone";

/// How often the directory is looked at where there are no notifications. Source: the vendor's template.
const POLL: Duration = Duration::from_secs(1);
/// The same where there are, in case they do not tell everything.
const SAFETY_POLL: Duration = Duration::from_secs(10);

/// Makes the cornerstone; there are no logs of the application before, so it is tried until it works.
pub async fn lay_cornerstone(directory: &Path) {
    let path = directory.join(CORNERSTONE);
    let mut has_complained = false;
    while let Err(error) = touch(&path) {
        if !std::mem::replace(&mut has_complained, true) {
            error!(
                "{} cannot be made: {error}; the application waits for it: mount the directory read-write in this \
                 container. It is tried again",
                path.display()
            );
        }
        tokio::time::sleep(POLL).await;
    }
    info!("{}: collecting, the application may begin", path.display());
}

fn touch(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::OpenOptions::new().create(true).append(true).open(path).map(drop)
}

/// Returns when there is a tombstone.
pub async fn find_tombstone(directory: &Path) {
    let (tell, told) = oneshot::channel();
    let owned = directory.to_owned();
    let watch = move || {
        if wait_for_tombstone(&owned, || tell.is_closed()) {
            let _ = tell.send(()); // nobody may wait any more
        }
    };
    // A thread of its own sleeps in the kernel until the directory changes.
    let started = std::thread::Builder::new().name("collector-tombstone".to_owned()).spawn(watch);
    let found = started.is_ok() && told.await.is_ok();
    if !found {
        error!("{}: no thread to watch it; it is looked at every {} s", directory.display(), POLL.as_secs());
        while !directory.join(TOMBSTONE).exists() {
            tokio::time::sleep(POLL).await;
        }
    }
    info!("{} is there", directory.join(TOMBSTONE).display());
}

/// True when there is a tombstone, false when nobody waits for it any more.
fn wait_for_tombstone(directory: &Path, is_over: impl Fn() -> bool) -> bool {
    let path = directory.join(TOMBSTONE);
    let mut watcher = Watcher::new();
    let watched = watcher.watch(directory);
    if let Err(reason) = &watched {
        warn!("{}: {reason}; it is looked at every {} s", directory.display(), POLL.as_secs());
    }
    let mut changes = Vec::new();
    while !path.exists() {
        if is_over() {
            return false;
        }
        match watcher.descriptor().filter(|_| watched.is_ok()) {
            Some(fd) => {
                let timeout = Timespec { tv_sec: SAFETY_POLL.as_secs().cast_signed(), tv_nsec: 0 };
                // After a signal or an error it is looked at too.
                let _ = poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout));
                watcher.read(&mut changes);
                changes.clear();
            }
            None => std::thread::sleep(POLL),
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far above what it takes; only a hang reaches it, and the safety poll does not.
    const PROMPT: Duration = Duration::from_secs(8);

    #[tokio::test]
    async fn a_tombstone_is_seen_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let digging = async {
            tokio::task::yield_now().await;
            fs::write(dir.path().join("something_else"), "").unwrap();
            tokio::task::yield_now().await;
            fs::write(dir.path().join(TOMBSTONE), "").unwrap();
        };
        let both = async { tokio::join!(find_tombstone(dir.path()), digging) };
        tokio::time::timeout(PROMPT, both).await.expect("seen by a notification");
        find_tombstone(dir.path()).await; // one that is there already
    }

    #[tokio::test]
    async fn the_cornerstone_is_tried_until_its_directory_can_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let site = dir.path().join("site");
        fs::write(&site, "a file in the way").unwrap();
        let clearing = async {
            tokio::task::yield_now().await;
            fs::remove_file(&site).unwrap();
        };
        tokio::join!(lay_cornerstone(&site), clearing);
        assert!(site.join(CORNERSTONE).exists());
        lay_cornerstone(&site).await; // after a restart of the container
    }
}
