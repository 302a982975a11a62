//! Fields → what of them is sent: filters, masks, the text as it was, and where it stood.
//!
//! Pure; called by `engine::feed` for every event. One [`Shaper`] belongs to one thread of a pipeline. Values stay
//! where they are; only one that is changed is written, to a buffer that is used again and again.

use std::fmt::Write;

use regex::bytes::{CaptureLocations, Regex};
use sls_api::logtail::Condition;
use sls_api::sign::md5_hex;

use crate::key::{Key, Stamp};
use crate::parse::{Fields, Span};
use crate::pipeline::{Mask, MaskBy, Parse, Pipeline, Step, TimeRule, TimeSpan, TimeUnit};

/// Content field of an event's offset in its file. Source: collector.md §2.3.
pub const OFFSET_KEY: &str = "__file_offset__";

/// How the fields of one pipeline's events are changed and completed.
#[derive(Debug)]
pub struct Shaper {
    steps: Vec<RunningStep>,
    extras: Vec<Extra>,
    /// Events may name fields as the extras are named.
    may_clash: bool,
    changes: Changes,
}

/// A field that is added to those of the event.
#[derive(Debug)]
struct Extra {
    key: Key,
    what: What,
    /// The number that is sent, unless it is the event.
    number: String,
    is_sent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Event,
    /// The time that the log says.
    Time(TimeUnit),
    /// Where the event stands in its file.
    Offset,
}

/// The values of an event that are not as they stand in it.
#[derive(Debug, Default)]
struct Changes {
    /// Where the new value of a field lies in `text`, if it has one.
    spans: Vec<Option<Span>>,
    text: Vec<u8>,
    /// The value in the making.
    draft: Vec<u8>,
}

#[derive(Debug)]
enum RunningStep {
    Filter(Condition<Regex>),
    Span(TimeSpan),
    BlankNonUtf8,
    Mask(Mask, CaptureLocations),
}

/// The times of an event.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// That which it says itself.
    pub said: Option<Stamp>,
    pub collected: Stamp,
}

impl Times {
    /// The one under which it is sent.
    #[inline]
    pub fn of_log(self) -> Stamp {
        self.said.unwrap_or(self.collected)
    }
}

/// An event as it is sent.
#[derive(Debug, Clone, Copy)]
pub struct Shaped<'a> {
    event: &'a [u8],
    fields: Fields<'a>,
    shaper: &'a Shaper,
}

impl Shaper {
    pub fn new(config: &Pipeline) -> Self {
        let raw = config.raw_key.as_deref().map(|key| (key, What::Event));
        let time = match &config.time {
            TimeRule::Field { precise: Some(precise), .. } => Some((&*precise.key, What::Time(precise.unit))),
            _ => None,
        };
        let offset = config.input.position_meta.offset_key.as_deref().map(|key| (key, What::Offset));
        // Names that the config itself gives differ: see `pipeline_json::names`.
        let may_clash = !matches!(config.parse, Parse::Simple { .. } | Parse::Regex { .. });
        Self { may_clash, ..Self::of(&config.steps, [raw, time, offset].into_iter().flatten()) }
    }

    fn of<'k>(steps: &[Step], extras: impl IntoIterator<Item = (&'k str, What)>) -> Self {
        let steps = steps.iter().map(|step| match step {
            Step::Filter(condition) => RunningStep::Filter(condition.clone()),
            Step::Span(span) => RunningStep::Span(span.clone()),
            Step::BlankNonUtf8 => RunningStep::BlankNonUtf8,
            Step::Mask(mask) => RunningStep::Mask(mask.clone(), mask.regex.capture_locations()),
        });
        let extras = extras.into_iter().map(|(key, what)| Extra {
            key: Key::new(key),
            what,
            number: String::new(),
            is_sent: false,
        });
        Self {
            steps: steps.collect(),
            extras: extras.collect(),
            may_clash: true,
            changes: Changes::default(),
        }
    }

    /// What is sent of `event`, which stands at `offset` of its file; `None` if a filter holds it back.
    pub fn shape<'a>(
        &'a mut self,
        event: &'a [u8],
        fields: Fields<'a>,
        offset: u64,
        times: Times,
    ) -> Option<Shaped<'a>> {
        self.changes.clear();
        if !self.steps.iter_mut().all(|step| step.apply(event, fields, times.of_log(), &mut self.changes)) {
            return None;
        }
        for extra in &mut self.extras {
            // Fields that the event has go first: a query would see only one of two.
            extra.is_sent = !self.may_clash || fields.keys.iter().all(|key| key.name() != extra.key.name());
            if !extra.is_sent {
                continue;
            }
            let number = match extra.what {
                What::Event => continue,
                What::Offset => offset,
                What::Time(unit) => match times.said {
                    Some(said) => in_unit(said, unit.nanos()),
                    None => {
                        extra.is_sent = false;
                        continue;
                    }
                },
            };
            extra.number.clear();
            let _ = write!(extra.number, "{number}"); // writing to a String cannot fail
        }
        Some(Shaped { event, fields, shaper: self })
    }
}

/// Unix time in whole units of so many nanoseconds.
fn in_unit(stamp: Stamp, unit_nanos: u64) -> u64 {
    (u64::from(stamp.seconds) * 1_000_000_000 + u64::from(stamp.nanos.unwrap_or(0))) / unit_nanos
}

impl RunningStep {
    /// False if the event is not to be sent.
    fn apply(&mut self, event: &[u8], fields: Fields<'_>, time: Stamp, changes: &mut Changes) -> bool {
        let value = |key: &str| {
            let index = fields.keys.iter().position(|k| k.name() == key)?;
            Some(changes.value(event, fields, index))
        };
        match self {
            Self::Filter(condition) => condition
                .holds(&mut |key, regex: &Regex| value(key).is_some_and(|value| regex.is_match(value))),
            Self::Span(span) => {
                let said = match &span.key {
                    None => i64::try_from(in_unit(time, span.unit_nanos)).ok(),
                    Some(key) => value(key).and_then(|value| std::str::from_utf8(value).ok()?.parse().ok()),
                };
                said.is_none_or(|at| (span.from..=span.to).contains(&at))
            }
            Self::BlankNonUtf8 => {
                for index in 0..fields.keys.len() {
                    changes.rewrite(event, fields, index, blank_non_utf8);
                }
                true
            }
            Self::Mask(mask, groups) => {
                let of_the_key = fields.keys.iter().enumerate().filter(|(_, key)| key.name() == mask.key);
                for (index, _) in of_the_key {
                    changes.rewrite(event, fields, index, |value, draft| replace(mask, groups, value, draft));
                }
                true
            }
        }
    }
}

impl Changes {
    fn clear(&mut self) {
        self.spans.clear();
        self.text.clear();
    }

    fn value<'v>(&'v self, event: &'v [u8], fields: Fields<'v>, index: usize) -> &'v [u8] {
        value_of(&self.spans, &self.text, event, fields, index)
    }

    /// Gives field `index` the value that `write` makes of the one it has, if that says true.
    fn rewrite(
        &mut self,
        event: &[u8],
        fields: Fields<'_>,
        index: usize,
        write: impl FnOnce(&[u8], &mut Vec<u8>) -> bool,
    ) {
        let Self { spans, text, draft } = self;
        draft.clear();
        if !write(value_of(spans, text, event, fields, index), draft) {
            return;
        }
        spans.resize(fields.keys.len(), None);
        let start = text.len() as u32;
        text.extend_from_slice(draft);
        if let Some(span) = spans.get_mut(index) {
            *span = Some((start, text.len() as u32));
        }
    }
}

/// The new value of a field, or the one in the event.
fn value_of<'v>(
    spans: &[Option<Span>],
    text: &'v [u8],
    event: &'v [u8],
    fields: Fields<'v>,
    index: usize,
) -> &'v [u8] {
    match spans.get(index) {
        Some(Some((start, end))) => text.get(*start as usize..*end as usize).unwrap_or_default(),
        _ => fields.value(event, index),
    }
}

impl<'a> Shaped<'a> {
    /// Keys and values in the order in which they are sent.
    #[inline]
    pub fn pairs(self) -> impl Iterator<Item = (&'a Key, &'a [u8])> + Clone {
        let Self { event, fields, shaper } = self;
        let keys = fields.keys.iter().enumerate();
        let extras = shaper.extras.iter().filter(|extra| extra.is_sent);
        keys.map(move |(index, key)| (key, shaper.changes.value(event, fields, index))).chain(extras.map(
            move |extra| match extra.what {
                What::Event => (&extra.key, event),
                What::Time(_) | What::Offset => (&extra.key, extra.number.as_bytes()),
            },
        ))
    }
}

/// Writes `value` to `out` with a blank for every byte that is part of no character; false if there is
/// none (nothing is written then).
fn blank_non_utf8(value: &[u8], out: &mut Vec<u8>) -> bool {
    if std::str::from_utf8(value).is_ok() {
        return false;
    }
    for chunk in value.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        out.resize(out.len() + chunk.invalid().len(), b' ');
    }
    true
}

/// Writes `value` to `out` with the matches of `mask` replaced; false if there is none (nothing is written
/// then).
fn replace(mask: &Mask, groups: &mut CaptureLocations, value: &[u8], out: &mut Vec<u8>) -> bool {
    let (mut copied, mut at, mut found) = (0, 0, false);
    while at <= value.len() && mask.regex.captures_read_at(groups, value, at).is_some() {
        let (Some((start, end)), Some((_, kept))) = (groups.get(0), groups.get(1)) else { break };
        if start == end && found && end == copied {
            at = end + char_len(value, end); // an empty match right after another one is none
            continue;
        }
        let text = |from: usize, to: usize| value.get(from..to).unwrap_or_default();
        out.extend_from_slice(text(copied, kept));
        match &mask.by {
            MaskBy::Text(text) => out.extend_from_slice(text.as_bytes()),
            MaskBy::Md5 => out.extend_from_slice(md5_hex(text(kept, end)).as_bytes()),
        }
        (copied, found) = (end, true);
        at = if end == start { end + char_len(value, end) } else { end };
        if !mask.all {
            break;
        }
    }
    if found {
        out.extend_from_slice(value.get(copied..).unwrap_or_default());
    }
    found
}

/// Bytes of the character at `at`; a byte that is part of none counts for itself.
fn char_len(text: &[u8], at: usize) -> usize {
    const CHAR_BYTES_MAX: usize = 4;
    let rest = text.get(at..text.len().min(at + CHAR_BYTES_MAX)).unwrap_or_default();
    let first = rest.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    first.map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests;
