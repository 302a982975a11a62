//! The events of one block made into logs by several threads, and put together again in their order.

use std::ops::Range;

use tracing::warn;

use super::maker::{Around, Maker};
use super::report::Tally;
use super::{ENCODED_PER_TEXT_MAX, Feeder, open_group};
use crate::engine::books::Held;
use crate::engine::tracked::Running;
use crate::events::Event;
use crate::pack::Group;
use crate::pipeline::Parse;

/// Where lines are only copied, a block must be so many times as large to be worth it. Source: guess; copying 1 MiB takes
/// a quarter of a millisecond, about as long as the threads take to begin and to be waited for.
const COPIES_PER_PARSE: usize = 16;

/// Memory for that of one pipeline, used again for each block.
#[derive(Debug, Default)]
pub struct Share {
    events: Vec<Event>,
    parts: Vec<Part>,
}

/// Some events that follow each other, and what was made of them.
#[derive(Debug, Default)]
struct Part {
    events: Range<usize>,
    group: Group,
    tally: Tally,
    /// Bytes and lines of the events of which nothing is sent, dropped and filtered.
    dropped: (u64, u64),
    filtered: (u64, u64),
    /// Some thread has done this one.
    is_done: bool,
}

impl Share {
    pub(super) fn events(&mut self) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        events
    }

    /// Gives back memory that is only of use under load.
    pub fn release_memory(&mut self) {
        *self = Self::default();
    }

    /// Divides the events into parts of about so many bytes, but at most so many events.
    fn divide(&mut self, events: &[Event], bytes: usize, events_max: usize) -> usize {
        let (mut count, mut first) = (0, 0);
        while let Some(begin) = events.get(first).map(|event| event.start) {
            let following = events.iter().skip(first).take(events_max.max(1));
            let more = following.skip(1).take_while(|event| event.next - begin <= bytes).count();
            let part = first..first + 1 + more;
            first = part.end;
            if self.parts.len() == count {
                self.parts.push(Part::default());
            }
            if let Some(known) = self.parts.get_mut(count) {
                known.begin(part);
            }
            count += 1;
        }
        count
    }
}

impl Part {
    fn begin(&mut self, events: Range<usize>) {
        self.group.clear();
        let group = std::mem::take(&mut self.group);
        *self = Self { events, group, ..Self::default() };
    }

    fn make(&mut self, maker: &mut Maker, around: &Around<'_>, events: &[Event]) {
        let Self { group, tally, dropped, filtered, .. } = self;
        for event in events.get(self.events.clone()).unwrap_or_default() {
            let made = maker.make(around, *event, tally, |stamp, shaped| group.push(stamp, shaped.pairs()));
            let held = match made {
                Ok(()) => continue,
                Err(Held::Dropped) => &mut *dropped,
                Err(Held::Filtered) => &mut *filtered,
            };
            held.0 += (event.next - event.start) as u64;
            held.1 += u64::from(!event.is_cut);
        }
        self.is_done = true;
    }
}

impl Feeder<'_> {
    /// There are threads, and enough to do for them.
    pub(super) fn is_worth_sharing(&self, data: &[u8]) -> bool {
        let config = &self.running.config;
        let is_copied = matches!(config.parse, Parse::Simple { .. }) && config.steps.is_empty();
        let bytes_min = self.limits.shared_bytes_min * if is_copied { COPIES_PER_PARSE } else { 1 };
        self.running.makers.len() > 1 && data.len() >= bytes_min && self.file.replay.is_empty()
    }

    /// As [`Self::event`] for each of `events` of `data`, which begins `skipped` bytes into the block.
    pub(super) fn share(&mut self, data: &[u8], skipped: usize, events: Vec<Event>) {
        let Running { config, makers, splitter, share, .. } = &mut *self.running;
        let offset = self.file.tail.position() + skipped as u64;
        let around = Around::new(config, splitter, self.limits, (self.now, self.second), (data, offset));
        let bytes = data.len().div_ceil(makers.len()).min(self.limits.group_text_bytes_max);
        let count = share.divide(&events, bytes, self.limits.group_logs_max as usize);
        let mut parts = std::mem::take(&mut share.parts);
        let used = parts.get_mut(..count).unwrap_or_default();
        let each = count.div_ceil(makers.len()).max(1);
        std::thread::scope(|scope| {
            let mut work = used.chunks_mut(each).zip(makers.iter_mut());
            let own = work.next();
            for (parts, maker) in work {
                let (around, events) = (&around, &*events);
                let builder = std::thread::Builder::new().name("collector-parse".to_owned());
                let spawned = builder.spawn_scoped(scope, move || {
                    parts.iter_mut().for_each(|part| part.make(maker, around, events));
                });
                if let Err(error) = spawned {
                    warn!(%error, "no thread to parse with");
                }
            }
            if let Some((parts, maker)) = own {
                parts.iter_mut().for_each(|part| part.make(maker, &around, &events));
            }
        });
        if let Some(maker) = makers.first_mut() {
            let left = used.iter_mut().filter(|part| !part.is_done);
            left.for_each(|part| part.make(maker, &around, &events));
        }
        let mut begin = skipped;
        for part in used {
            let last = events.get(part.events.clone()).and_then(<[Event]>::last);
            let end = last.map_or(begin, |event| skipped + event.next);
            self.take_in(part, begin, end);
            begin = end;
        }
        (self.running.share.parts, self.running.share.events) = (parts, events);
    }

    /// Takes in a part that lies from `begin` to `end` in the block.
    fn take_in(&mut self, part: &mut Part, begin: usize, end: usize) {
        let text_max = self.limits.group_text_bytes_max;
        let has_no_room = |open: &Group| {
            open.logs() + part.group.logs() > self.limits.group_logs_max
                || open.text_bytes() + part.group.text_bytes() > text_max
                || open.encoded_bytes() + part.group.encoded_bytes() > ENCODED_PER_TEXT_MAX * text_max
        };
        if self.file.open.as_ref().is_some_and(has_no_room) {
            self.seal_at(begin);
        }
        let Self { file, outbox, now, .. } = self;
        for (held, (bytes, lines)) in [(Held::Dropped, part.dropped), (Held::Filtered, part.filtered)] {
            file.books.hold(held, bytes, lines);
        }
        if part.group.logs() > 0 {
            open_group(file, outbox, *now).append(&part.group);
            outbox.grew(part.group.encoded_bytes());
        }
        self.tally.absorb(std::mem::take(&mut part.tally));
        self.seal_if_full(end);
    }
}
