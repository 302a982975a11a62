//! The hot path: block → events → fields → LogGroup, for one file at a time.

mod maker;
mod report;
mod shared;

use std::sync::Arc;
use std::time::Duration;

use super::Limits;
use super::outbox::Outbox;
use super::reader::{Now, Reader};
use super::tracked::{FileKey, Place, Running, Tracked};
use crate::alarm::Alarms;
use crate::events::Event;
use crate::pack::Group;
use crate::tail::{Block, Care, ReadOutcome};
use maker::Around;
pub(super) use maker::Maker;
use report::Tally;
pub(super) use shared::Share;

/// After a pause of this length a file's head is compared again before reading on: time enough for a
/// truncation and new content of the old length.
const HEAD_CHECK_PAUSE: Duration = Duration::from_millis(50);
/// A group is full too when it is that many times as long as its texts may be: events that name their fields
/// may have many without a value. Source: our choice, above what access logs take.
const ENCODED_PER_TEXT_MAX: usize = 4;

impl Reader {
    /// Reads one block of a file and hands over what is whole; returns how many bytes were new.
    pub(super) fn feed(&mut self, key: FileKey, now: Now) -> usize {
        let Some(file) = self.files.get_mut(&key) else { return 0 };
        if !file.is_read() || self.drain.as_ref().is_some_and(|drain| drain.reads_no_more(file)) {
            return 0;
        }
        if !self.outbox.may_read(file.lane) {
            self.outbox.block(file.lane, key);
            return 0;
        }
        if self.pace.wait().is_some() {
            self.make_ready(key);
            return 0;
        }
        if !file.replay.is_empty() {
            self.replay(key, now);
            return 0;
        }
        if file.waits_for_unnumbered() {
            return 0; // the acknowledgement makes it ready
        }
        let pause = now.mono.saturating_duration_since(file.read_at);
        let care = Care {
            head: file.at_end || pause >= HEAD_CHECK_PAUSE || file.tail.read_position() == 0,
            end: file.place != Place::Here || self.drain.is_some(),
        };
        let most = self.pace.allows(self.settings.limits.block_bytes);
        match file.tail.read(&mut self.block, most, care) {
            Ok(ReadOutcome::Replaced) => self.replaced(key, now),
            Ok(ReadOutcome::Read { new, at_end }) => {
                file.at_end = at_end;
                (file.read_at, file.looked_at) = (now.mono, now.wall);
                file.readings.reads += 1;
                if !at_end {
                    file.readings.behind += file.behind();
                }
                if new > 0 {
                    file.grew = now.mono;
                    self.pace.spend(new);
                    self.idle.note_activity(now);
                    self.hand_over(key, Take::WholeEvents, new, now);
                    self.bound_range(key, now);
                }
                if !at_end {
                    self.make_ready(key);
                }
                return new;
            }
            Err(e) => self.try_again_later(key, &e, now),
        }
        0
    }

    /// Hands over the pending bytes of a file as if it ended there.
    pub(super) fn flush_pending(&mut self, key: FileKey, now: Now) {
        let Some(file) = self.files.get_mut(&key) else { return };
        if file.tail.pending() > 0 {
            file.tail.load_pending(&mut self.block);
            self.hand_over(key, Take::Everything, 0, now);
        }
    }

    /// Flushes a file whose last line was left unterminated for long; else asks to be called then.
    pub(super) fn flush_if_quiet(&mut self, key: FileKey, now: Now) {
        let Some(file) = self.files.get(&key) else { return };
        if file.tail.pending() == 0 {
            return;
        }
        let Some(running) = self.pipelines.get(&file.pipeline) else { return };
        let at = file.grew + running.config.input.flush_timeout;
        if at > now.mono {
            return self.set_timer(key, at);
        }
        // Reading may be held up, by the pace or for want of room, while the rest of the line is there.
        if file.at_end && file.has_no_more() {
            return self.flush_pending(key, now);
        }
        self.make_ready(key);
        self.set_timer(key, now.mono + self.settings.limits.poll_interval);
    }

    pub(super) fn hand_over(&mut self, key: FileKey, take: Take, new: usize, now: Now) {
        let Some(file) = self.files.get_mut(&key) else { return };
        let Some(running) = self.pipelines.get_mut(&file.pipeline) else { return };
        let mut feeder = Feeder {
            limits: &self.settings.limits,
            block: &self.block,
            running,
            file,
            outbox: &mut self.outbox,
            alarms: &self.board.alarms,
            now,
            second: now.unix_seconds(),
            tally: Tally::default(),
        };
        let moved = feeder.run(take, new);
        let pending = feeder.file.tail.pending() > 0;
        if moved {
            self.record(key, now);
        }
        if pending {
            let Some(file) = self.files.get(&key) else { return };
            let Some(running) = self.pipelines.get(&file.pipeline) else { return };
            let at = file.grew + running.config.input.flush_timeout;
            self.set_timer(key, at);
        }
    }
}

/// How much of the pending bytes is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Take {
    WholeEvents,
    Everything,
}

struct Feeder<'a> {
    limits: &'a Limits,
    block: &'a Block,
    running: &'a mut Running,
    file: &'a mut Tracked,
    outbox: &'a mut Outbox,
    alarms: &'a Alarms,
    now: Now,
    /// Unix seconds of `now`.
    second: u64,
    tally: Tally,
}

impl Feeder<'_> {
    /// True if the acknowledged position moved (when nothing in the block is to be sent).
    fn run(&mut self, take: Take, new: usize) -> bool {
        let data = self.block.data();
        let mut skipped = 0;
        if self.file.is_mid_line && !data.is_empty() {
            // The line before was handed over without its newline; here it comes.
            skipped = usize::from(data.starts_with(b"\n"));
            self.file.is_mid_line = false;
        }
        let rest = data.get(skipped..).unwrap_or_default();
        let splitter = Arc::clone(&self.running.splitter);
        let mut seen = if skipped > 0 { self.file.seen.after_line() } else { self.file.seen };
        let consumed = skipped
            + match take {
                Take::WholeEvents if self.is_worth_sharing(rest) => {
                    let mut events = self.running.share.events();
                    let consumed = splitter.split(rest, &mut seen, |event| events.push(event));
                    self.share(rest, skipped, events);
                    consumed
                }
                Take::WholeEvents => splitter.split(rest, &mut seen, |e| self.event(rest, skipped, e)),
                Take::Everything => splitter.flush(rest, &mut seen, |e| self.event(rest, skipped, e)),
            };
        self.file.seen = seen;
        self.file.is_mid_line = take == Take::Everything && !data.ends_with(b"\n");
        self.file.tail.keep(self.block, consumed);
        self.report(new);
        self.file.open.is_none() && consumed > 0 && {
            let end = self.file.tail.bookmark();
            self.file.books.passed(end.position);
            self.file.progress.skipped(end)
        }
    }

    /// An event of `data`, which begins `skipped` bytes into the block.
    #[inline]
    fn event(&mut self, data: &[u8], skipped: usize, event: Event) {
        let Self { running, file, outbox, tally, now, .. } = self;
        let Running { config, makers, splitter, .. } = &mut **running;
        let offset = file.tail.position() + skipped as u64;
        let around = Around::new(config, splitter, self.limits, (*now, self.second), (data, offset));
        let Some(maker) = makers.first_mut() else { return };
        let made = maker.make(&around, event, tally, |stamp, shaped| {
            let group = open_group(file, outbox, *now);
            let before = group.encoded_bytes();
            group.push(stamp, shaped.pairs());
            outbox.grew(group.encoded_bytes() - before);
        });
        match made {
            Ok(()) => self.seal_if_full(skipped + event.next),
            Err(held) => {
                self.file.books.hold(held, (event.next - event.start) as u64, u64::from(!event.is_cut))
            }
        }
    }

    /// Ends the request of the file if it is full; what follows begins `next` bytes into the block.
    #[inline]
    fn seal_if_full(&mut self, next: usize) {
        let is_full = self.file.open.as_ref().is_some_and(|group| {
            group.logs() >= self.limits.group_logs_max
                || group.text_bytes() >= self.limits.group_text_bytes_max
                || group.encoded_bytes() >= ENCODED_PER_TEXT_MAX * self.limits.group_text_bytes_max
        });
        // What is sent again ends where it ended before.
        if is_full && self.file.replay.is_empty() {
            self.seal_at(next);
        }
    }

    fn seal_at(&mut self, next: usize) {
        let end = self.file.tail.bookmark_in(self.block, next);
        self.file.seal(self.outbox, end, self.now.mono);
    }
}

/// The logs of the file that are in no request yet.
#[inline]
fn open_group<'f>(file: &'f mut Tracked, outbox: &mut Outbox, now: Now) -> &'f mut Group {
    match &mut file.open {
        Some(group) => group,
        none => {
            outbox.opened(file.lane, file.key, now.mono);
            none.insert(Group::in_buffer(outbox.buffer()))
        }
    }
}
