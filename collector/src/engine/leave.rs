//! The end of a generation: read to its end under another name or none, left, its books closed.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::files::forget_path;
use super::reader::{Now, Reader};
use super::tracked::{FileKey, Place};
use super::writers::{self, Writers};

/// How often a file that was renamed or deleted is asked for new bytes, at first and at most.
pub(super) const LEFT_POLL_MIN: Duration = Duration::from_millis(100);
const LEFT_POLL_MAX: Duration = Duration::from_secs(5);
/// Such a file without writers is left after this time without growth: a writer that opens it
/// for every line may come back that soon.
const LEFT_SETTLE: Duration = Duration::from_secs(1);
/// The same where the kernel does not tell whether there are writers.
const LEFT_SETTLE_UNKNOWN: Duration = Duration::from_secs(60);

impl Reader {
    /// A file's timer ran out: see what it was set for.
    pub(super) fn on_timer(&mut self, key: FileKey, now: Now) {
        self.flush_if_quiet(key, now);
        let Some(file) = self.files.get(&key) else { return };
        let (place, at_end) = (file.place, file.at_end);
        if !at_end {
            self.make_ready(key); // it could not be read
        }
        if place == Place::Left {
            self.step_left(key, now);
        }
    }

    fn step_left(&mut self, key: FileKey, now: Now) {
        let Some(file) = self.files.get(&key) else { return };
        let quiet = now.mono.saturating_duration_since(file.grew);
        let may_be_over = quiet >= LEFT_SETTLE
            && match writers::of(file.tail.file()) {
                Writers::None => true,
                Writers::Some => false,
                Writers::Unknown => quiet >= LEFT_SETTLE_UNKNOWN,
            };
        // What the last writer wrote before it went is there now, if it was not read yet.
        self.feed(key, now);
        let Some(file) = self.files.get(&key) else { return };
        if file.place != Place::Left {
            return;
        }
        if may_be_over && file.was_just_read_to_its_end(now.mono) {
            self.flush_pending(key, now);
            if let Some(file) = self.files.get(&key)
                && file.is_settled()
            {
                return self.retire(key, now);
            }
        }
        let poll = (quiet / 4).clamp(LEFT_POLL_MIN, LEFT_POLL_MAX);
        self.set_timer(key, now.mono + poll);
    }

    /// Something of this file was acknowledged: perhaps it was the last that was waited for.
    pub(super) fn retire_if_done(&mut self, key: FileKey, now: Now) {
        let Some(file) = self.files.get(&key) else { return };
        if !file.is_settled() {
            return;
        }
        match file.place {
            Place::Gone => self.retire(key, now),
            _ if file.is_released => self.drop_file(key),
            Place::Left => self.set_timer(key, now.mono),
            Place::Here => {}
        }
    }

    fn retire(&mut self, key: FileKey, now: Now) {
        let Some(file) = self.files.get(&key) else { return };
        let is_deleted = file.tail.metadata().is_ok_and(|m| m.nlink() == 0);
        if file.place == Place::Gone || is_deleted {
            self.store.remove(key.0);
        } else {
            self.store.finish(key.0);
        }
        self.request_save(now);
        self.drop_file(key);
    }

    /// Reads this file no further; its checkpoint is kept, so that it can be taken up again.
    pub(super) fn release(&mut self, key: FileKey) {
        let Some(file) = self.files.get_mut(&key) else { return };
        file.is_released = true;
        if file.is_settled() {
            self.drop_file(key);
        }
    }

    fn drop_file(&mut self, key: FileKey) {
        let Some(mut file) = self.files.remove(&key) else { return };
        self.note_departed(&mut file);
        self.accounts.add(file.pipeline, file.at.shown.clone(), &file.last_account());
        let identity = (file.pipeline, file.tail.identity());
        if self.by_identity.get(&identity) == Some(&key) {
            self.by_identity.remove(&identity);
        }
        forget_path(&mut self.by_path, &file.at.real, key);
        forget_path(&mut self.by_shown, &file.at.shown, key);
        if let Some(target) = &file.link_target {
            forget_path(&mut self.by_path, target, key);
        }
        if let Some(at) = file.timer {
            self.timers.remove(&(at, key));
        }
        if let Some(running) = self.pipelines.get(&file.pipeline) {
            running.board.files.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}
