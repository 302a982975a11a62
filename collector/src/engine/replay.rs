//! Numbered parts that were not acknowledged before a restart, read again with the same ends.
//!
//! The server may have them: it then knows their numbers. Called by `feed` before it reads on.

use std::io;

use tracing::warn;

use super::books::Books;
use super::feed::Take;
use super::reader::{Now, Reader};
use super::tracked::FileKey;
use crate::alarm::Alarm;
use crate::events::Seen;
use crate::tail::{Care, ReadOutcome, Tail};

/// Most bytes of a file in one numbered part, should only few of its lines be sent: it is read again
/// in one go. Source: our choice, some turns' worth of reading.
const RANGE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How reading a part again ended.
enum Again {
    Whole,
    /// The file is shorter than it was.
    Short,
    Replaced,
}

impl Reader {
    /// Reads the next part of a file that was sent before, and hands it over as a whole.
    pub(super) fn replay(&mut self, key: FileKey, now: Now) {
        let Some(file) = self.files.get_mut(&key) else { return };
        let Some(range) = file.replay.front().copied() else { return };
        (file.read_at, file.looked_at, file.at_end) = (now.mono, now.wall, false);
        let before = match file.tail.try_clone() {
            Ok(tail) => (tail, file.is_mid_line, file.books.clone()),
            Err(e) => return self.try_again_later(key, &e, now),
        };
        // What stands before was handed over by another process, or as a part of its own.
        file.seen = Seen::nothing_before(file.tail.position());
        match self.read_again(key, range.end.position, now) {
            Ok(Again::Whole) => {
                self.seal(key, now);
                if let Some(file) = self.files.get_mut(&key)
                    && file.replay.front() == Some(&range)
                {
                    file.replay.pop_front(); // today's config sends nothing of it
                }
            }
            Ok(Again::Short) => self.give_up_replay(key),
            Ok(Again::Replaced) => {
                self.undo(key, before);
                return self.replaced(key, now);
            }
            Err(e) => {
                self.undo(key, before);
                return self.try_again_later(key, &e, now);
            }
        }
        self.make_ready(key);
    }

    fn read_again(&mut self, key: FileKey, end: u64, now: Now) -> io::Result<Again> {
        loop {
            let Some(file) = self.files.get_mut(&key) else { return Ok(Again::Replaced) };
            if file.tail.position() >= end {
                return Ok(Again::Whole);
            }
            let from = file.tail.read_position();
            // A part is read in one go, however long; the pace counts it afterwards.
            let left = usize::try_from(end - from).unwrap_or(usize::MAX);
            let most = self.settings.limits.block_bytes.min(left);
            let read = file.tail.read(&mut self.block, most, Care::ALL)?;
            let ReadOutcome::Read { new, .. } = read else { return Ok(Again::Replaced) };
            if new == 0 {
                return Ok(Again::Short);
            }
            file.grew = now.mono;
            self.pace.spend(new.min(left));
            self.idle.note_activity(now);
            let is_last = from + new as u64 >= end;
            if is_last {
                self.block.cut((end - file.tail.position()) as usize);
                self.hand_over(key, Take::Everything, (end - from) as usize, now);
                if let Some(file) = self.files.get_mut(&key) {
                    file.seen = Seen::nothing_before(end);
                }
            } else {
                self.hand_over(key, Take::WholeEvents, new, now);
            }
        }
    }

    /// As if the part had not been read.
    fn undo(&mut self, key: FileKey, (tail, is_mid_line, books): (Tail, bool, Books)) {
        let Some(file) = self.files.get_mut(&key) else { return };
        if let Some(group) = file.open.take() {
            self.outbox.closed(file.lane, key, group.encoded_bytes());
        }
        file.seen = Seen::nothing_before(tail.position());
        (file.tail, file.is_mid_line, file.books) = (tail, is_mid_line, books);
    }

    fn give_up_replay(&mut self, key: FileKey) {
        let Some(file) = self.files.get_mut(&key) else { return };
        warn!(
            path = %file.at.shown.display(), position = file.tail.read_position(),
            "shorter than before the restart; what is there is sent, perhaps a second time"
        );
        if let (Some(range), Some(ranges)) = (file.replay.front(), &mut file.ranges) {
            ranges.forget_from(*range);
        }
        file.replay.clear();
        let path = file.at.shown.display();
        if let Some(running) = self.pipelines.get(&file.pipeline) {
            self.board.alarms.raise(Alarm::ExactlyOnce, "again", &running.subject, 1, || {
                format!(
                    "{path} is shorter than before the restart; what is there is sent, perhaps a second time"
                )
            });
        }
    }

    /// The file cannot be read now: its timer makes it ready.
    pub(super) fn try_again_later(&mut self, key: FileKey, error: &io::Error, now: Now) {
        let Some(file) = self.files.get_mut(&key) else { return };
        file.at_end = false;
        let (id, at) = (file.pipeline, file.at.clone());
        self.note_problem(id, &at, error);
        self.set_timer(key, now.mono + self.settings.limits.poll_interval);
    }

    /// Ends a numbered part that has become long.
    pub(super) fn bound_range(&mut self, key: FileKey, now: Now) {
        let Some(file) = self.files.get(&key) else { return };
        let begin = file.progress.handed_over().position;
        if file.keys > 0 && file.tail.position().saturating_sub(begin) >= RANGE_BYTES_MAX {
            self.seal(key, now);
        }
    }
}
