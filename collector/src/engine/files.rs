//! The life of a generation: taken up, moved, replaced. How it ends is in `leave`.

use std::collections::HashMap;
use std::path::Path;

use tracing::{debug, info};

use super::books::{Books, Start};
use super::leave::LEFT_POLL_MIN;
use super::profile::Readings;
use super::reader::{Now, Reader};
use super::resume::{Copied, is_compressed};
use super::search::Found;
use super::tracked::{FileKey, PipelineId, Place, Running, Tracked};
use crate::alarm::Alarm;
use crate::checkpoint::Progress;
use crate::discover::Located;
use crate::events::Seen;
use crate::metrics::Counter;
use crate::tags::{self, PackIds};
use crate::tail::{Bookmark, FileIdentity, FirstContact, Tail, open_log};

impl Reader {
    /// Takes up the file at `at`, which is not followed yet.
    pub(super) fn begin(&mut self, id: PipelineId, at: &Located, existed: bool, now: Now) {
        let (file, meta) = match open_log(&at.real) {
            Ok(opened) => opened,
            Err(e) if crate::discover::is_absent(&e) => return,
            Err(e) => return self.note_problem(id, at, &e),
        };
        let identity = FileIdentity::of(&meta);
        if let Some(key) = self.by_identity.get(&(id, identity)).copied() {
            return self.relocate(key, &at.real, now);
        }
        self.note_success(id, &at.shown);
        if is_compressed(&at.real, &file) {
            debug!(path = %at.real.display(), "compressed: what it holds was or is read before");
            return;
        }
        let found = Found { file, identity, path: at.real.clone(), size: meta.len() };
        let known = match self.known_generation(id, &found) {
            Some(known) if !known.1.is_blank() => Some(known),
            // Of a file of which nothing was read, any fits that has got its inode since.
            unknown_or_blank => match self.judge_copy(id, at, &found) {
                Copied::No => unknown_or_blank,
                Copied::Continues(key, bookmark) => Some((key, bookmark)),
                Copied::FromLive => return,
            },
        };
        let file = found.file;
        let started = match known {
            Some((key, bookmark)) => Tail::from_position(file, identity, bookmark.position)
                .map(|tail| (key, (tail, Start::AfterDelivered))),
            None => self
                .first_contact(id, at, file, &meta, existed)
                .map(|tail| (self.new_key(), (tail, Start::AfterOld))),
        };
        match started {
            Ok((key, tail)) => self.follow(key, id, at.clone(), tail, now),
            Err(e) => self.note_problem(id, at, &e),
        }
    }

    /// The checkpoint of this very file, if its content is still the one that was read.
    fn known_generation(&self, id: PipelineId, found: &Found) -> Option<(FileKey, Bookmark)> {
        let name = &self.pipelines.get(&id)?.config.name;
        let fitting = self.store.entries_of(found.identity.inode).filter(|e| {
            let is_free = e.pipeline == *name && !self.files.contains_key(&FileKey(e.generation));
            let is_blank = e.identity() == found.identity && e.bookmark().is_blank();
            is_free && (is_blank || e.is_about(&found.path, &found.file, found.identity))
        });
        let best = fitting.max_by_key(|e| (e.position, e.generation))?;
        Some((FileKey(best.generation), best.bookmark()))
    }

    fn first_contact(
        &self,
        id: PipelineId,
        at: &Located,
        file: std::fs::File,
        meta: &std::fs::Metadata,
        existed: bool,
    ) -> std::io::Result<Tail> {
        let identity = FileIdentity::of(meta);
        let Some(running) = self.pipelines.get(&id) else { return Tail::from_start(file, identity) };
        let input = &running.config.input;
        let rule = FirstContact {
            existed,
            tail_existing: input.tail_existing,
            tail_bytes: input.tail_bytes,
            old_before: self.settings.old_before,
        };
        let offset = rule.start_offset(meta.len(), meta.modified().ok());
        if offset > 0 {
            let path = at.shown.display();
            info!(%path, bytes = offset, "an old file: its beginning is not collected (tail_size_kb, tailExisted)");
            running.board.counters.add(Counter::SkippedBytes, offset);
            self.board.alarms.raise(Alarm::SkipReadLog, "", &running.subject, offset, || {
                format!("{path} is an old file: its first {offset} bytes are not collected (tail_size_kb, tailExisted)")
            });
        }
        Tail::from_line_after(file, identity, offset)
    }

    pub(super) fn new_key(&mut self) -> FileKey {
        let key = FileKey(self.next_key);
        self.next_key += 1;
        key
    }

    fn follow(&mut self, key: FileKey, id: PipelineId, at: Located, (tail, start): (Tail, Start), now: Now) {
        let Some(running) = self.pipelines.get(&id) else { return };
        debug!(path = %at.real.display(), position = tail.position(), "file");
        let identity = tail.identity();
        let place = place_of(running, &at.real);
        let pack_ids = PackIds::new(&[
            self.settings.host.hostname.as_bytes(),
            self.settings.host.source_ip.as_bytes(),
            at.shown.as_os_str().as_encoded_bytes(),
            &identity.inode.to_le_bytes(),
            &key.0.to_le_bytes(),
            &now.unix_seconds().to_le_bytes(),
        ]);
        running.board.files.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.by_identity.insert((id, identity), key);
        self.by_path.entry(at.real.clone()).or_default().push(key);
        self.by_shown.entry(at.shown.clone()).or_default().push(key);
        let link_target = at.real.is_symlink().then(|| at.real.canonicalize().ok()).flatten();
        if let Some(target) = &link_target {
            self.by_path.entry(target.clone()).or_default().push(key);
        }
        let mut ranges = self.store.get(key.0).and_then(|entry| entry.ranges.clone());
        let replay = ranges.as_mut().map(|r| r.resume(tail.file(), tail.position())).unwrap_or_default();
        if let Some(ranges) = &mut ranges {
            // Numbers beyond those in the checkpoint may have been used.
            ranges.renew(fastrand::u64(..));
        }
        let file = Tracked {
            key,
            pipeline: id,
            lane: running.lane,
            common: tags::common(&self.settings.host, &running.config, &at.shown, identity.inode),
            at,
            link_target,
            place,
            progress: Progress::new(tail.bookmark()),
            books: Books::new(tail.position(), start),
            keys: running.config.shards.keys(),
            ranges,
            unnumbered_to: 0,
            replay,
            seen: Seen::nothing_before(tail.position()),
            is_mid_line: tail.is_mid_line(),
            tail,
            open: None,
            pack_ids,
            at_end: false,
            read_at: now.mono,
            looked_at: now.wall,
            grew: now.mono,
            in_ready_queue: false,
            readings: Readings::default(),
            is_far_behind: false,
            timer: None,
            is_released: false,
        };
        if file.common.lacks_topic {
            self.board.alarms.raise(Alarm::CategoryConfig, "topic", &running.subject, 1, || {
                format!(
                    "the topic regex finds nothing in {}: its logs have no topic",
                    file.at.shown.display()
                )
            });
        }
        self.files.insert(key, Box::new(file));
        self.idle.note_activity(now);
        self.record(key, now);
        self.make_ready(key);
        if place == Place::Left {
            self.set_timer(key, now.mono + LEFT_POLL_MIN);
        }
    }

    /// The file is found at `path` now.
    pub(super) fn relocate(&mut self, key: FileKey, path: &Path, now: Now) {
        let Some(file) = self.files.get_mut(&key) else { return };
        let place = self.pipelines.get(&file.pipeline).map_or(Place::Left, |r| place_of(r, path));
        if file.at.real != path || file.place != place {
            let old = std::mem::replace(&mut file.at.real, path.to_owned());
            file.place = place;
            forget_path(&mut self.by_path, &old, key);
            self.by_path.entry(path.to_owned()).or_default().push(key);
            self.record(key, now);
            if place == Place::Left {
                self.set_timer(key, now.mono + LEFT_POLL_MIN);
            }
        }
        self.make_ready(key);
    }

    /// The files that we follow under `path` are not there any more, save the one with `identity`.
    /// True if there was one.
    pub(super) fn detach_all_at(
        &mut self,
        id: PipelineId,
        path: &Path,
        identity: Option<FileIdentity>,
        now: Now,
    ) -> bool {
        let mut any = false;
        for key in self.by_path.get(path).cloned().unwrap_or_default() {
            let Some(file) = self.files.get_mut(&key) else { continue };
            if file.pipeline != id || Some(file.tail.identity()) == identity {
                continue;
            }
            file.place = Place::Left;
            forget_path(&mut self.by_path, path, key);
            self.make_ready(key);
            self.set_timer(key, now.mono + LEFT_POLL_MIN);
            any = true;
        }
        any
    }

    /// The content of the file was truncated or overwritten: the rest of the old content may be in
    /// a copy; the new content is a generation of its own.
    pub(super) fn replaced(&mut self, key: FileKey, now: Now) {
        let Some(file) = self.files.get(&key) else { return };
        let (id, at, identity) = (file.pipeline, file.at.clone(), file.tail.identity());
        let looked_at = file.looked_at;
        info!(path = %at.shown.display(), position = file.tail.read_position(), "truncated: reading begins anew");
        if let Some(running) = self.pipelines.get(&id) {
            running.board.counters.add(Counter::Truncations, 1);
            self.board.alarms.raise(Alarm::LogTruncate, "", &running.subject, 1, || {
                let position = file.tail.read_position();
                format!(
                    "{} was truncated after {position} bytes were read: reading begins anew",
                    at.shown.display()
                )
            });
        }
        let restarted = match file.tail.restarted() {
            Ok(tail) => tail,
            Err(e) => return self.note_problem(id, &at, &e),
        };
        self.by_identity.remove(&(id, identity));
        forget_path(&mut self.by_path, &at.real, key);
        if !self.continue_in_copy(key, now) {
            self.flush_pending(key, now);
            self.seal(key, now);
            if let Some(file) = self.files.get_mut(&key) {
                file.place = Place::Gone;
            }
            self.retire_if_done(key, now);
        }
        let new = self.new_key();
        self.follow(new, id, at.clone(), (restarted, Start::AfterDelivered), now);
        // The content may have been replaced more than once since the last look.
        self.take_up_unseen_of(id, &at, looked_at, now);
    }

    /// Gives the files of a pipeline to its new config, or releases them.
    pub(super) fn adopt_files(&mut self, id: PipelineId) {
        let Some(running) = self.pipelines.get(&id) else { return };
        let mut released = Vec::new();
        for file in self.files.values_mut().filter(|f| f.pipeline == id) {
            if running.matcher.matches_path(&file.at.shown) {
                if file.lane != running.lane {
                    file.change_lane(running.lane);
                }
                file.seen = Seen::nothing_before(file.tail.position());
                file.set_common(&self.settings.host, &running.config);
            } else {
                released.push(file.key);
            }
        }
        for key in released {
            self.release(key);
        }
        self.look_at_all_files_of(id);
    }

    /// Takes up a file at a known position under a name that does not match (any more).
    pub(super) fn resume_at(
        &mut self,
        key: FileKey,
        id: PipelineId,
        at: Located,
        found: Found,
        position: u64,
        now: Now,
    ) {
        match Tail::from_position(found.file, found.identity, position) {
            Ok(tail) => {
                self.follow(key, id, at, (tail, Start::AfterDelivered), now);
            }
            Err(e) => self.note_problem(id, &at, &e),
        }
    }
}

fn place_of(running: &Running, path: &Path) -> Place {
    let matches = path.file_name().is_some_and(|name| running.matcher.matches_name(name));
    if matches { Place::Here } else { Place::Left }
}

pub(super) fn forget_path(
    by_path: &mut HashMap<std::path::PathBuf, Vec<FileKey>>,
    path: &Path,
    key: FileKey,
) {
    if let Some(keys) = by_path.get_mut(path) {
        keys.retain(|k| *k != key);
        if keys.is_empty() {
            by_path.remove(path);
        }
    }
}
