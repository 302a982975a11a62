//! The space that log files take on the volume of the pod, and giving it back.
//!
//! A pod whose emptyDir is fuller than its size limit is evicted, with everything that was not sent yet. The
//! collector cannot see that limit, but may be told it: then it says when the files come near to it, and, if it is
//! asked to, unlinks rotated files of which every byte is acknowledged, the oldest first. Called by `reader`.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime};

use tracing::{info, warn};

use super::reader::{Now, Reader};
use super::resume::is_rotated_beside;
use super::tracked::{FileKey, Place, Tracked};
use super::writers::{self, Writers};
use crate::alarm::Alarm;
use crate::tail::{FileIdentity, Head, open_log};

/// Share of the limit, in percent, above which there is an alarm, and files are unlinked. Source: collector.md §7.4
/// point 7.
const MARK_PERCENT: u64 = 70;
/// Entries of directories that are looked at. Source: a guess, far above what a pod's log directory holds.
const ENTRIES_MAX: usize = 20_000;
/// Bytes of a block, as `st_blocks` counts them. Source: stat(2).
const BLOCK_BYTES: u64 = 512;

/// What was noticed before.
#[derive(Debug, Default)]
pub struct Guard {
    look_at: Option<Instant>,
    is_above: bool,
    /// Files could not be unlinked.
    is_failing: bool,
}

/// A file in a directory of a config.
struct Found {
    path: PathBuf,
    identity: FileIdentity,
    /// Names of it.
    links: u64,
    /// What it takes on the volume; 0 if it was counted under another name.
    allocated: u64,
    modified: SystemTime,
}

impl Reader {
    /// When [`Self::guard_volume`] wants to look again.
    pub(super) fn next_look_at_volume(&self) -> Option<Instant> {
        self.guard.look_at
    }

    /// Looks how much log files take, if there is a limit and it is time.
    pub(super) fn guard_volume(&mut self, now: Now) {
        let Some(limit) = self.settings.limits.log_volume_bytes else { return };
        if self.guard.look_at.is_some_and(|at| at > now.mono) {
            return;
        }
        self.guard.look_at = Some(now.mono + self.settings.limits.volume_interval);
        let files = self.files_of_volume();
        let (mut used, limit) = self.usage(&files, limit);
        let mark = (u128::from(limit) * u128::from(MARK_PERCENT) / 100) as u64;
        let given_back = match used > mark && self.settings.limits.unlinks_collected {
            true => self.unlink_collected(files, used - mark, now),
            false => 0,
        };
        used = used.saturating_sub(given_back);
        let gauges = &self.board.gauges;
        gauges.volume_used_bytes.store(used, Ordering::Relaxed);
        gauges.volume_limit_bytes.store(limit, Ordering::Relaxed);
        let was_above = std::mem::replace(&mut self.guard.is_above, used > mark);
        if used <= mark {
            if was_above {
                info!(
                    used,
                    limit, "log files take less than {MARK_PERCENT} % of log_volume_size_limit again"
                );
            }
            return;
        }
        if !was_above {
            warn!(used, limit, "log files take more than {MARK_PERCENT} % of log_volume_size_limit");
        }
        let of_all = Arc::default();
        self.board.alarms.raise(Alarm::LogVolumeUsage, "", &of_all, 1, || {
            format!(
                "log files take {used} of {limit} bytes, more than {MARK_PERCENT} % of log_volume_size_limit"
            )
        });
    }

    /// The files in the directories of the configs.
    fn files_of_volume(&self) -> Vec<Found> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let directories = self.directories.iter().filter(|(_, uses)| uses.iter().any(|u| u.holds_files));
        let entries = directories.filter_map(|(dir, _)| fs::read_dir(dir).ok()).flatten().flatten();
        for entry in entries.take(ENTRIES_MAX) {
            let Ok(meta) = entry.metadata() else { continue };
            if !meta.is_file() {
                continue; // what a link leads to is counted where it lies
            }
            let identity = FileIdentity::of(&meta);
            let is_new = seen.insert(identity);
            found.push(Found {
                path: entry.path(),
                identity,
                links: meta.nlink(),
                allocated: if is_new { meta.blocks() * BLOCK_BYTES } else { 0 },
                modified: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            });
        }
        found
    }

    /// Bytes in use, and how many there may be. A file system of the pod's own (an emptyDir in memory) tells both
    /// itself; on one that belongs to the node, the files are added up, as the kubelet does.
    fn usage(&self, files: &[Found], limit: u64) -> (u64, u64) {
        let sum = files.iter().map(|file| file.allocated).sum();
        let devices: HashSet<u64> = files.iter().map(|file| file.identity.dev).collect();
        if let (1, Some(file)) = (devices.len(), files.first())
            && let Ok(volume) = rustix::fs::statvfs(&file.path)
            && let size = volume.f_blocks.saturating_mul(volume.f_frsize)
            && size > 0
            && size <= limit
        {
            let free = volume.f_bfree.saturating_mul(volume.f_frsize);
            return (size.saturating_sub(free), size);
        }
        (sum, limit)
    }

    /// Unlinks files that were rotated away and delivered, the oldest first, until `wanted` bytes are given back;
    /// how many were.
    fn unlink_collected(&mut self, mut files: Vec<Found>, wanted: u64, now: Now) -> u64 {
        files.retain(|file| file.links == 1 && file.allocated > 0);
        files.sort_by_key(|file| file.modified);
        let mut given_back = 0;
        for file in files {
            if given_back >= wanted {
                break;
            }
            let Some(generations) = self.generations_if_collected(&file) else { continue };
            if let Err(error) = fs::remove_file(&file.path) {
                if !std::mem::replace(&mut self.guard.is_failing, true) {
                    let path = file.path.display();
                    warn!(%path, %error, "a delivered file cannot be unlinked; mount the volume of logs for writing");
                }
                continue;
            }
            self.guard.is_failing = false;
            info!(path = %file.path.display(), bytes = file.allocated, "unlinked: rotated and delivered");
            given_back += file.allocated;
            self.board.gauges.unlinked_files.fetch_add(1, Ordering::Relaxed);
            for generation in generations {
                self.store.remove(generation);
                self.request_save(now);
            }
        }
        given_back
    }

    /// The checkpoints of a file that is not the live one of its name, that nobody writes to, and of which
    /// everything is acknowledged for all configs that read it; `None` if it is another.
    fn generations_if_collected(&self, file: &Found) -> Option<Vec<u64>> {
        let (open, meta) = open_log(&file.path).ok()?;
        if FileIdentity::of(&meta) != file.identity || writers::of(&open) != Writers::None {
            return None;
        }
        let all = self.files.values().map(Box::as_ref);
        let followed: Vec<&Tracked> = all.filter(|f| f.tail.identity() == file.identity).collect();
        if followed.iter().any(|f| !self.is_delivered_copy(f, file)) {
            return None;
        }
        let is_followed = |generation: u64| followed.iter().any(|f| f.key == FileKey(generation));
        let entries = self.store.entries().filter(|e| e.identity() == file.identity);
        let left: Vec<_> = entries.filter(|e| !is_followed(e.generation)).collect();
        let head = Head::of(&open).ok()?;
        let is_collected = left.iter().all(|entry| {
            let live = self.settings.on_disk(&entry.shown);
            entry.is_finished && entry.covers(&open, meta.len(), &head) && self.is_live_elsewhere(&live, file)
        });
        let is_known = !followed.is_empty() || !left.is_empty();
        (is_known && is_collected).then(|| left.iter().map(|entry| entry.generation).collect())
    }

    /// A file with a rotated name that the config matches too, and that is followed therefore: it is delivered, and
    /// there is a newer one.
    fn is_delivered_copy(&self, followed: &Tracked, file: &Found) -> bool {
        let mut others = self.files.values().filter(|other| {
            other.pipeline == followed.pipeline
                && other.place == Place::Here
                && is_rotated_beside(&other.at.real, &file.path)
        });
        followed.place == Place::Here
            && followed.is_settled()
            && followed.tail.pending() == 0
            && followed.has_no_more()
            && others.any(|other| other.tail.identity() != file.identity)
    }

    /// Another file has the name now under which this one was read.
    fn is_live_elsewhere(&self, live: &Path, file: &Found) -> bool {
        live != file.path && fs::metadata(live).is_ok_and(|meta| FileIdentity::of(&meta) != file.identity)
    }
}
