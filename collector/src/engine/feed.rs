//! The hot path: block → events → fields → LogGroup, for one file at a time.

mod report;

use std::sync::Arc;
use std::time::Duration;

use super::Limits;
use super::books::Held;
use super::outbox::Outbox;
use super::reader::{Now, Reader};
use super::tracked::{FileKey, Place, Running, Tracked};
use crate::alarm::Alarms;
use crate::events::Event;
use crate::pack::{Group, Stamp};
use crate::pipeline::TimeRule;
use crate::shape::Times;
use crate::tail::{Block, Care, ReadOutcome};
use report::{Tally, sample};

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

    fn event(&mut self, data: &[u8], skipped: usize, event: Event) {
        let text = data.get(event.start..event.end).unwrap_or_default();
        let text = self.without_nul(text);
        if event.is_stray {
            self.tally.strays += u64::from(!event.is_cut); // a line is counted where it ends
            if self.running.splitter.discards_strays {
                return self.hold(Held::Dropped, event);
            }
        }
        self.tally.cut += u64::from(event.is_cut);
        if text.is_empty() && event.end > event.start {
            return self.hold(Held::Dropped, event); // nothing but NUL bytes
        }
        self.tally.events += 1;
        let running = &mut *self.running;
        let (decoded, is_damaged) = running.config.input.encoding.convert(text);
        self.tally.damaged += u64::from(is_damaged);
        let text = decoded.as_ref();
        let (fields, is_parsed) = match running.parser.parse(text) {
            Some(fields) => (fields, true),
            None => {
                self.tally.unmatched += 1;
                if self.tally.unmatched_sample.is_none() {
                    self.tally.unmatched_sample = Some(sample(text));
                }
                if !running.keeps_raw {
                    return self.hold(Held::Dropped, event);
                }
                (running.parser.raw(text), false)
            }
        };
        let collected_nanos = running.config.collected_nanos.then(|| self.now.nanos());
        let second = self.second;
        let collected = Stamp { seconds: second as u32, nanos: collected_nanos };
        let time_index = match &running.config.time {
            TimeRule::Field { key, .. } if is_parsed => fields.position(key, running.time_index),
            _ => None,
        };
        let mut said = fields.stamp;
        if let (Some(clock), Some(index)) = (&mut running.clock, time_index) {
            running.time_index = index;
            let time = fields.value(text, index);
            match clock.read(time, second as i64) {
                Some(stamp) => said = Some(stamp),
                None => {
                    self.tally.bad_times += 1;
                    if self.tally.bad_time_sample.is_none() {
                        self.tally.bad_time_sample = Some(sample(time));
                    }
                }
            }
        }
        if let Some(said) = said {
            let age = second.saturating_sub(said.seconds.into());
            self.tally.old += u64::from(age > self.limits.old_log_age.as_secs());
            if self.limits.discard_older_than.is_some_and(|most| age > most.as_secs()) {
                self.tally.outdated += 1;
                return self.hold(Held::Dropped, event);
            }
        }
        let offset = self.file.tail.position() + (skipped + event.start) as u64;
        let times = Times { said, collected };
        let Some(shaped) = running.shaper.shape(text, fields, offset, times) else {
            self.tally.filtered += 1;
            return self.hold(Held::Filtered, event);
        };
        let group = match &mut self.file.open {
            Some(group) => group,
            None => {
                self.outbox.opened(self.file.lane, self.file.key, self.now.mono);
                self.file.open.insert(Group::in_buffer(self.outbox.buffer()))
            }
        };
        let before = group.encoded_bytes();
        group.push(times.of_log(), shaped.pairs());
        self.outbox.grew(group.encoded_bytes() - before);
        let is_full = group.logs() >= self.limits.group_logs_max
            || group.text_bytes() >= self.limits.group_text_bytes_max
            || group.encoded_bytes() >= ENCODED_PER_TEXT_MAX * self.limits.group_text_bytes_max;
        // What is sent again ends where it ended before.
        if is_full && self.file.replay.is_empty() {
            let end = self.file.tail.bookmark_in(self.block, skipped + event.next);
            self.file.seal(self.outbox, end, self.now.mono);
        }
    }

    /// The event is not sent: its bytes are booked, with its line end.
    fn hold(&mut self, held: Held, event: Event) {
        self.file.books.hold(held, event.next - event.start, !event.is_cut);
    }

    /// Without the NUL bytes around the text: a hole left by a truncation (collector.md §3.1).
    fn without_nul<'t>(&mut self, text: &'t [u8]) -> &'t [u8] {
        if text.first() != Some(&0) && text.last() != Some(&0) {
            return text;
        }
        let start = text.iter().position(|b| *b != 0).unwrap_or(text.len());
        let end = text.iter().rposition(|b| *b != 0).map_or(start, |last| last + 1);
        let inner = text.get(start..end).unwrap_or_default();
        self.tally.nul_bytes += (text.len() - inner.len()) as u64;
        inner
    }
}
