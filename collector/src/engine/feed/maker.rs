//! One event → one log: what each thread that parses has of its own.

use jiff::tz::TimeZone;

use super::report::{Tally, sample};
use crate::engine::Limits;
use crate::engine::books::Held;
use crate::engine::reader::Now;
use crate::events::{Event, Splitter};
use crate::pack::Stamp;
use crate::parse::Parser;
use crate::parse::time::{Clock, TimeFormatError};
use crate::pipeline::{Pipeline, TimeRule, Unmatched};
use crate::shape::{Shaped, Shaper, Times};

/// Makes logs of the events of one pipeline. Nothing that it remembers of one event changes what it makes of another.
#[derive(Debug)]
pub struct Maker {
    parser: Parser,
    shaper: Shaper,
    clock: Option<Clock>,
    /// Where the last event had its time.
    time_index: usize,
}

/// What is the same for all events of a block.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    config: &'a Pipeline,
    limits: &'a Limits,
    discards_strays: bool,
    /// Unix seconds of now.
    second: u64,
    /// When events that are read now were collected.
    collected: Stamp,
    data: &'a [u8],
    /// Where `data` begins in the file.
    offset: u64,
}

impl<'a> Around<'a> {
    /// `second` is the one of `now` in Unix time, `offset` where `data` begins in the file.
    #[inline]
    pub(super) fn new(
        config: &'a Pipeline,
        splitter: &Splitter,
        limits: &'a Limits,
        (now, second): (Now, u64),
        (data, offset): (&'a [u8], u64),
    ) -> Self {
        let nanos = config.collected_nanos.then(|| now.nanos());
        let collected = Stamp { seconds: second as u32, nanos };
        Self { config, limits, discards_strays: splitter.discards_strays, second, collected, data, offset }
    }
}

impl Maker {
    /// # Errors
    /// The time format cannot be used; logs then have the time of collection.
    pub fn new(config: &Pipeline, zone: &TimeZone) -> (Self, Option<TimeFormatError>) {
        let (clock, problem) = match Clock::new(&config.time, zone) {
            Ok(clock) => (clock, None),
            Err(e) => (None, Some(e)),
        };
        let parser = Parser::new(&config.parse, zone);
        (Self { parser, shaper: Shaper::new(config), clock, time_index: 0 }, problem)
    }

    /// Has the log that is made of `event` pushed, and counts what was found on the way.
    ///
    /// # Errors
    /// There is none, and why.
    #[inline]
    pub(super) fn make(
        &mut self,
        around: &Around<'_>,
        event: Event,
        tally: &mut Tally,
        push: impl FnOnce(Stamp, Shaped<'_>),
    ) -> Result<(), Held> {
        let text = around.data.get(event.start..event.end).unwrap_or_default();
        let text = without_nul(text, tally);
        if event.is_stray {
            tally.strays += u64::from(!event.is_cut); // a line is counted where it ends
            if around.discards_strays {
                return Err(Held::Dropped);
            }
        }
        tally.cut += u64::from(event.is_cut);
        if text.is_empty() && event.end > event.start {
            return Err(Held::Dropped); // nothing but NUL bytes
        }
        tally.events += 1;
        let config = around.config;
        let (decoded, is_damaged) = config.input.encoding.convert(text);
        tally.damaged += u64::from(is_damaged);
        let text = decoded.as_ref();
        let (fields, is_parsed) = match self.parser.parse(text) {
            Some(fields) => (fields, true),
            None => {
                tally.unmatched += 1;
                if tally.unmatched_sample.is_none() {
                    tally.unmatched_sample = Some(sample(text));
                }
                if config.unmatched != Unmatched::KeepRaw {
                    return Err(Held::Dropped);
                }
                (self.parser.raw(text), false)
            }
        };
        let time_index = match &config.time {
            TimeRule::Field { key, .. } if is_parsed => fields.position(key, self.time_index),
            _ => None,
        };
        let mut said = fields.stamp;
        if let (Some(clock), Some(index)) = (&mut self.clock, time_index) {
            self.time_index = index;
            let time = fields.value(text, index);
            match clock.read(time, around.second as i64) {
                Some(stamp) => said = Some(stamp),
                None => {
                    tally.bad_times += 1;
                    if tally.bad_time_sample.is_none() {
                        tally.bad_time_sample = Some(sample(time));
                    }
                }
            }
        }
        if let Some(said) = said {
            let age = around.second.saturating_sub(said.seconds.into());
            tally.old += u64::from(age > around.limits.old_log_age.as_secs());
            if around.limits.discard_older_than.is_some_and(|most| age > most.as_secs()) {
                tally.outdated += 1;
                return Err(Held::Dropped);
            }
        }
        let offset = around.offset + event.start as u64;
        let times = Times { said, collected: around.collected };
        match self.shaper.shape(text, fields, offset, times) {
            Some(shaped) => {
                push(times.of_log(), shaped);
                Ok(())
            }
            None => {
                tally.filtered += 1;
                Err(Held::Filtered)
            }
        }
    }
}

/// Without the NUL bytes around the text: a hole left by a truncation (collector.md §3.1).
#[inline]
fn without_nul<'t>(text: &'t [u8], tally: &mut Tally) -> &'t [u8] {
    if text.first() != Some(&0) && text.last() != Some(&0) {
        return text;
    }
    let start = text.iter().position(|b| *b != 0).unwrap_or(text.len());
    let end = text.iter().rposition(|b| *b != 0).map_or(start, |last| last + 1);
    let inner = text.get(start..end).unwrap_or_default();
    tally.nul_bytes += (text.len() - inner.len()) as u64;
    inner
}
