//! What becomes of a text, event by event, as the collector's data path does it: for people who make a config. Pure.
//!
//! The collector's test `preview` holds it against that path.

use std::time::Instant;

use jiff::tz::TimeZone;

use crate::events::{Event, Seen, Splitter};
use crate::judge::{self, Judge, Place, Report, Sample};
use crate::key::Stamp;
use crate::parse::time::Clock;
use crate::parse::{Fields, Parser};
use crate::pipeline::{Parse, Pipeline, TimeRule, Unmatched};
use crate::shape::{Shaper, Times};

/// Events of which is told where they and the regex part; that costs more than all the rest. Source: own choice.
const MISMATCHES_MAX: usize = 5;

/// How much of a text is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Most events.
    pub events: usize,
    /// Longer events are cut.
    pub event_bytes: usize,
    /// What was tried until then counts.
    pub deadline: Instant,
}

/// What becomes of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Its first events.
    pub events: Vec<Previewed>,
    /// There are more than were asked for, or than there was time for.
    pub is_cut: bool,
    /// What the collector will say of the config if it finds this text; none for a text without events.
    pub report: Option<Report>,
}

/// One event of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previewed {
    /// The event in UTF-8; what is none of it is U+FFFD.
    pub text: String,
    /// What becomes of it.
    pub fate: Fate,
    /// The fields that are sent, in order; those that would be if it were.
    pub fields: Vec<Field>,
    /// Its time if it is sent.
    pub time: Stamp,
    /// Whether the time is that which the log says; `None` if the config takes that of collection.
    pub has_own_time: Option<bool>,
    /// Where it and the regex part; told of the first few.
    pub mismatch: Option<Place>,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is sent with its fields.
    Sent,
    /// The parser does not match it; it is sent whole.
    SentRaw,
    /// The parser does not match it, and it is dropped.
    Unmatched,
    /// It is no part of a record, and is dropped.
    Stray,
    /// A filter holds it back.
    Filtered,
}

/// A field of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub key: String,
    /// Its value as it is sent.
    pub value: Vec<u8>,
    /// Start and end in characters of the event's text; `None` if the value does not stand in it as it is.
    pub place: Option<(usize, usize)>,
}

/// Tries `pipeline` on a text that begins with a line. `now` in Unix seconds is the time of collection; `zone` is where
/// times are that say no other.
pub fn preview(pipeline: &Pipeline, text: &[u8], bounds: Bounds, zone: &TimeZone, now: i64) -> Preview {
    let Bounds { events: events_max, event_bytes: event_bytes_max, deadline } = bounds;
    let splitter = Splitter::new(&pipeline.multiline, pipeline.input.encoding, event_bytes_max);
    let mut events: Vec<Event> = Vec::new();
    let mut is_cut = false;
    splitter.flush(text, &mut Seen::default(), |event| {
        if events.len() < events_max {
            events.push(event);
        } else {
            is_cut = true;
        }
    });
    let end = events.last().map_or(0, |event| event.next.min(text.len()));
    let mut trial = Trial {
        pipeline,
        parser: Parser::new(&pipeline.parse, zone),
        shaper: Shaper::new(pipeline),
        clock: Clock::new(&pipeline.time, zone).ok().flatten(),
        discards_strays: splitter.discards_strays,
        now,
        deadline,
        mismatches_left: MISMATCHES_MAX,
    };
    let mut previewed = Vec::new();
    for event in events {
        if Instant::now() >= deadline {
            is_cut = true;
            break;
        }
        previewed.extend(trial.event(text, event));
    }
    let mut judge = Judge::new(pipeline, event_bytes_max, zone, now);
    let sample = Sample { data: text.get(..end).unwrap_or_default().to_vec(), position: 0 };
    judge.take("the sample".as_ref(), &sample, judge::EVENTS_MAX, deadline);
    Preview { events: previewed, is_cut, report: judge.report(deadline) }
}

struct Trial<'p> {
    pipeline: &'p Pipeline,
    parser: Parser,
    shaper: Shaper,
    clock: Option<Clock>,
    discards_strays: bool,
    now: i64,
    deadline: Instant,
    mismatches_left: usize,
}

impl Trial<'_> {
    /// `None` for what is no event: nothing but NUL bytes.
    fn event(&mut self, data: &[u8], event: Event) -> Option<Previewed> {
        let bytes = without_nul(data.get(event.start..event.end).unwrap_or_default());
        if bytes.is_empty() && event.end > event.start {
            return None;
        }
        let decoded = self.pipeline.input.encoding.decode(bytes);
        let text = decoded.as_ref();
        let collected = Stamp { seconds: u32::try_from(self.now).unwrap_or(u32::MAX), nanos: None };
        let shown = String::from_utf8_lossy(text).into_owned();
        let nothing = |fate, mismatch| Previewed {
            text: shown.clone(),
            fate,
            fields: Vec::new(),
            time: collected,
            has_own_time: None,
            mismatch,
        };
        if event.is_stray && self.discards_strays {
            return Some(nothing(Fate::Stray, None));
        }
        let is_parsed = self.parser.parse(text).is_some();
        let mismatch = match &self.pipeline.parse {
            Parse::Regex { regex, .. } if !is_parsed && self.mismatches_left > 0 => {
                self.mismatches_left -= 1;
                judge::place(regex.as_str(), text, self.deadline)
            }
            _ => None,
        };
        if !is_parsed && self.pipeline.unmatched == Unmatched::Discard {
            return Some(nothing(Fate::Unmatched, mismatch));
        }
        let fields = if is_parsed { self.parser.parse(text)? } else { self.parser.raw(text) };
        let mut said = fields.stamp;
        let mut has_own_time = said.map(|_| true);
        if let (Some(clock), TimeRule::Field { key, .. }) = (&mut self.clock, &self.pipeline.time) {
            let index = if is_parsed { fields.position(key, 0) } else { None };
            let read = index.and_then(|index| clock.read(fields.value(text, index), self.now));
            said = read.or(said);
            has_own_time = Some(read.is_some());
        }
        let times = Times { said, collected };
        let offset = event.start as u64;
        let parsed = placed(text, fields);
        let (fate, fields) = match self.shaper.shape(text, fields, offset, times) {
            Some(shaped) => {
                let sent = shaped.pairs().enumerate().map(|(index, (key, value))| {
                    let before = parsed.get(index).filter(|old| old.key == key.name() && old.value == value);
                    Field {
                        key: key.name().to_owned(),
                        value: value.to_vec(),
                        place: before.and_then(|old| old.place),
                    }
                });
                (if is_parsed { Fate::Sent } else { Fate::SentRaw }, sent.collect())
            }
            None => (Fate::Filtered, parsed),
        };
        Some(Previewed { text: shown, fate, fields, time: times.of_log(), has_own_time, mismatch })
    }
}

/// The fields of an event before anything is done to them.
fn placed(text: &[u8], fields: Fields<'_>) -> Vec<Field> {
    let characters =
        |bytes: usize| text.get(..bytes).map(|before| String::from_utf8_lossy(before).chars().count());
    let placed = fields.pairs(text).zip(fields.spans).map(|((key, value), (start, end))| Field {
        key: key.name().to_owned(),
        value: value.to_vec(),
        place: characters(*start as usize).zip(characters(*end as usize)),
    });
    placed.collect()
}

/// Without the NUL bytes around the text.
fn without_nul(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| *byte != 0).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| *byte != 0).map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}
