//! What a query keeps of a block that it has read, so that the next one need not read it again: every value
//! of fields that have few different ones, and of the others which words are in them.
//!
//! A summary is made of a block's bytes alone, so it serves every index and every search.
//! [`super::matcher`] asks it which logs are found; the store keeps as many as there is memory for.

mod row_set;
mod words;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::log_view::{DamagedGroup, Field, GroupView, read_log};
use super::request::Window;

pub use row_set::RowSet;
use words::Collector;
pub use words::{Filter, Run, runs_of};

/// Blocks with fewer bytes are read as quickly as their summary (own choice).
const GROUP_BYTES_MIN: usize = 4 * 1024;
/// Fields of a block, beyond which it is not summarised (own choice; bounds time and memory).
const FIELDS_MAX: usize = 64;
/// Different values of a field that are kept, and their bytes together (own choice: a byte names a value).
const VALUES_MAX: usize = 128;
const VALUES_BYTES_MAX: usize = 8 * 1024;
/// The code of a log that has no such field.
const ABSENT: u8 = u8::MAX;

/// What is kept of a block.
#[derive(Debug)]
pub struct Summary {
    times: Times,
    /// Whether times have nanoseconds, which are not kept.
    nanoseconds: bool,
    topic: Box<[u8]>,
    source: Box<[u8]>,
    tags: Box<[Tag]>,
    columns: Box<[Column]>,
}

/// Name and value of a tag.
type Tag = (Box<[u8]>, Box<[u8]>);

/// The times of the logs, Unix seconds.
#[derive(Debug)]
enum Times {
    Same { time: u32, rows: usize },
    Near { first: u32, after: Box<[u16]> },
    Any(Box<[u32]>),
}

/// A field.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: Box<[u8]>,
    /// Its values.
    pub values: Values,
}

/// The values of a field in the logs of a block.
#[derive(Debug)]
pub enum Values {
    /// All of them.
    Few(Few),
    /// Which logs have it, and which words are in the values.
    Many {
        /// Logs with the field.
        present: RowSet,
        /// Words of all values.
        words: Filter,
    },
}

/// Few different values, and which log has which.
#[derive(Debug)]
pub struct Few {
    text: Box<[u8]>,
    /// Where each value ends in the text.
    ends: Box<[u32]>,
    codes: Box<[u8]>,
}

impl Few {
    /// The different values.
    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&*self.ends)
            .map(|(start, end)| self.text.get(start as usize..*end as usize).unwrap_or(&[]))
    }

    /// For each log the position of its value among them.
    pub fn codes(&self) -> impl Iterator<Item = Option<u8>> {
        self.codes.iter().map(|code| (*code != ABSENT).then_some(*code))
    }

    /// The logs whose value `holds`; nothing if there are none.
    pub fn rows_where(&self, holds: impl FnMut(&[u8]) -> bool) -> Option<RowSet> {
        let mut known = [false; ABSENT as usize + 1];
        let mut any = false;
        for (known, holds) in known.iter_mut().zip(self.values().map(holds)) {
            *known = holds;
            any |= holds;
        }
        let held =
            |row: usize| self.codes.get(row).is_some_and(|code| known.get(usize::from(*code)) == Some(&true));
        any.then(|| RowSet::of(self.codes.len(), held))
    }
}

impl Summary {
    /// The summary of an encoded group; nothing for one that is small or has too many fields, or a log that has a
    /// field twice.
    ///
    /// # Errors
    /// The bytes are not a group.
    pub fn of(raw: &[u8]) -> Result<Option<Self>, DamagedGroup> {
        if raw.len() < GROUP_BYTES_MIN {
            return Ok(None);
        }
        Self::with_values(raw, VALUES_MAX)
    }

    /// As [`Self::of`], of any size, with so many different values of a field at most.
    pub(super) fn with_values(raw: &[u8], values_max: usize) -> Result<Option<Self>, DamagedGroup> {
        let group = GroupView::parse(raw)?;
        let mut made = Maker::new(group.logs().len(), values_max);
        let mut contents = Vec::new();
        for (row, log) in group.logs().iter().enumerate() {
            contents.clear();
            let (time, time_ns) = read_log(log, &mut contents)?;
            made.times.push(time);
            made.nanoseconds |= time_ns != 0;
            if !made.add(row, &contents) {
                return Ok(None);
            }
        }
        Ok(Some(made.finish(&group)))
    }

    /// How many logs there are.
    pub fn rows(&self) -> usize {
        match &self.times {
            Times::Same { rows, .. } => *rows,
            Times::Near { after, .. } => after.len(),
            Times::Any(times) => times.len(),
        }
    }

    /// The time of a log, Unix seconds.
    pub fn time(&self, row: usize) -> u32 {
        match &self.times {
            Times::Same { time, .. } => *time,
            Times::Near { first, after } => first + after.get(row).map_or(0, |after| u32::from(*after)),
            Times::Any(times) => times.get(row).copied().unwrap_or_default(),
        }
    }

    /// Whether nothing but whole seconds are in it, so that [`Self::time`] says all.
    pub fn has_whole_seconds(&self) -> bool {
        !self.nanoseconds
    }

    /// The logs inside the window, if the times that are kept can tell.
    pub fn within(&self, window: &Window) -> Option<RowSet> {
        self.has_whole_seconds().then(|| RowSet::of(self.rows(), |row| window.contains(self.time(row), 0)))
    }

    /// Topic of the group.
    pub fn topic(&self) -> &[u8] {
        &self.topic
    }

    /// Source of the group.
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// Tags of the group.
    pub fn tags(&self) -> impl Iterator<Item = Field<'_>> {
        self.tags.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The fields that any log has.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The field of this name, if any log has it.
    pub fn column(&self, name: &[u8]) -> Option<&Column> {
        self.columns.iter().find(|column| *column.name == *name)
    }

    /// Bytes of memory, about.
    pub fn bytes(&self) -> usize {
        let times = match &self.times {
            Times::Same { .. } => 0,
            Times::Near { after, .. } => size_of_val(&**after),
            Times::Any(times) => size_of_val(&**times),
        };
        let values = self.columns.iter().map(|column| {
            size_of_val(column)
                + column.name.len()
                + match &column.values {
                    Values::Few(few) => few.text.len() + size_of_val(&*few.ends) + few.codes.len(),
                    Values::Many { present, words } => present.bytes() + words.bytes(),
                }
        });
        let tags = self.tags.iter().map(|(key, value)| size_of::<Tag>() + key.len() + value.len());
        size_of_val(self)
            + times
            + self.topic.len()
            + self.source.len()
            + values.sum::<usize>()
            + tags.sum::<usize>()
    }
}

/// Takes the logs of a group one after the other.
struct Maker<'a> {
    rows: usize,
    values_max: usize,
    times: Vec<u32>,
    nanoseconds: bool,
    columns: Vec<Growing<'a>>,
}

/// A field, as far as it is known.
struct Growing<'a> {
    name: &'a [u8],
    /// The last log that has it, to see it twice.
    last_row: usize,
    present: RowSet,
    /// Codes of the different values, while they are few.
    known: Option<HashMap<&'a [u8], u8, BuildHasherDefault<Ends>>>,
    known_bytes: usize,
    codes: Vec<u8>,
    /// The value of each log that has it, for the words.
    values: Vec<&'a [u8]>,
}

impl<'a> Maker<'a> {
    fn new(rows: usize, values_max: usize) -> Self {
        Self { rows, values_max, times: Vec::with_capacity(rows), nanoseconds: false, columns: Vec::new() }
    }

    /// Whether the log could be added.
    fn add(&mut self, row: usize, contents: &[Field<'a>]) -> bool {
        for (at, &(key, value)) in contents.iter().enumerate() {
            // Mostly where it was in the log before.
            let place = match self.columns.get(at) {
                Some(column) if column.name == key => Some(at),
                _ => self.columns.iter().position(|column| column.name == key),
            };
            let place = place.unwrap_or(self.columns.len());
            if place == self.columns.len() {
                self.columns.push(Growing::new(key, self.rows));
            }
            let fits =
                self.columns.get_mut(place).is_some_and(|column| column.add(row, value, self.values_max));
            if !fits || self.columns.len() > FIELDS_MAX {
                return false;
            }
        }
        true
    }

    fn finish(self, group: &GroupView<'_>) -> Summary {
        let mut collector = Collector::default();
        let columns = self.columns.into_iter().map(|column| column.finish(&mut collector)).collect();
        let tag = |(key, value): &Field<'_>| (Box::from(*key), Box::from(*value));
        Summary {
            times: Times::of(self.times),
            nanoseconds: self.nanoseconds,
            topic: group.topic.into(),
            source: group.source.into(),
            tags: group.tags.iter().map(tag).collect(),
            columns,
        }
    }
}

impl<'a> Growing<'a> {
    fn new(name: &'a [u8], rows: usize) -> Self {
        Self {
            name,
            last_row: usize::MAX,
            present: RowSet::none(rows),
            known: Some(HashMap::default()),
            known_bytes: 0,
            codes: vec![ABSENT; rows],
            values: Vec::new(),
        }
    }

    fn add(&mut self, row: usize, value: &'a [u8], values_max: usize) -> bool {
        if self.last_row == row {
            return false;
        }
        self.last_row = row;
        self.present.insert(row);
        self.values.push(value);
        if let Some(known) = &mut self.known {
            let next = known.len();
            let code = match (known.get(value), u8::try_from(next)) {
                (Some(code), _) => *code,
                (None, Ok(code))
                    if next < values_max && self.known_bytes + value.len() <= VALUES_BYTES_MAX =>
                {
                    known.insert(value, code);
                    self.known_bytes += value.len();
                    code
                }
                (None, _) => {
                    self.known = None;
                    return true;
                }
            };
            if let Some(slot) = self.codes.get_mut(row) {
                *slot = code;
            }
        }
        true
    }

    fn finish(self, collector: &mut Collector) -> Column {
        let values = match self.known {
            Some(known) => {
                let mut values: Vec<_> = known.into_iter().collect();
                values.sort_by_key(|(_, code)| *code);
                let mut text = Vec::with_capacity(self.known_bytes);
                let ends = values.iter().map(|(value, _)| {
                    text.extend_from_slice(value);
                    u32::try_from(text.len()).unwrap_or(u32::MAX)
                });
                let ends = ends.collect();
                Values::Few(Few { text: text.into(), ends, codes: self.codes.into() })
            }
            None => {
                self.values.iter().for_each(|value| collector.add(value));
                Values::Many { present: self.present, words: collector.finish() }
            }
        };
        Column { name: self.name.into(), values }
    }
}

/// A hash of the length and the ends of a value: of at most [`VALUES_MAX`] values it is dear to look at all bytes,
/// and harmless if some are alike there.
#[derive(Debug, Default)]
struct Ends(u64);

impl Hasher for Ends {
    fn write(&mut self, bytes: &[u8]) {
        let word = match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(first), Some(last)) => {
                u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29)
            }
            _ => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
    }

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Times {
    fn of(times: Vec<u32>) -> Self {
        let first = times.iter().copied().min().unwrap_or_default();
        let after = times.iter().map(|time| u16::try_from(time - first));
        match after.collect::<Result<Box<[u16]>, _>>() {
            Ok(after) if after.iter().all(|after| *after == 0) => {
                Self::Same { time: first, rows: times.len() }
            }
            Ok(after) => Self::Near { first, after },
            Err(_) => Self::Any(times.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use sls_api::log_group::{Content, Log, LogGroup};

    use super::*;

    const ROWS: usize = 300;

    fn group(log: impl Fn(usize) -> Log) -> Vec<u8> {
        LogGroup { logs: (0..ROWS).map(log).collect(), ..LogGroup::default() }.encode_to_vec()
    }

    fn log(time: u32, fields: &[(&str, String)]) -> Log {
        let contents = fields.iter().map(|(key, value)| Content::new(*key, value.clone())).collect();
        Log { time, contents, time_ns: None }
    }

    #[test]
    fn few_values_are_kept_and_of_many_their_words() {
        let raw = group(|row| {
            let mut fields = vec![("id", format!("order-{row}"))];
            if row % 2 == 0 {
                fields.push(("status", ["200", "404", "500"][row % 3].to_owned()));
            }
            log(1_700_000_000 + row as u32, &fields)
        });
        let summary = Summary::of(&raw).unwrap().unwrap();
        assert_eq!((summary.rows(), summary.time(7)), (ROWS, 1_700_000_007));
        let Some(Values::Few(status)) = summary.column(b"status").map(|column| &column.values) else {
            panic!("few values: {summary:?}")
        };
        let found = status.rows_where(|value| value == b"404");
        assert_eq!(found, Some(RowSet::of(ROWS, |row| row % 2 == 0 && row % 3 == 1)));
        assert_eq!(status.rows_where(|value| value == b"302"), None);
        let Some(Values::Many { present, words }) = summary.column(b"id").map(|column| &column.values) else {
            panic!("many values: {summary:?}")
        };
        assert_eq!(present.len(), ROWS);
        assert!(words.may_have(&runs_of(b"order-77", true, true)));
        assert!(!words.may_have(&runs_of(b"order-777", true, true)));
        assert!(summary.bytes() < raw.len() / 4, "{} of {}", summary.bytes(), raw.len());
    }

    #[test]
    fn what_cannot_be_summarised_is_not() {
        let field = |name: &'static str| (name, "v".repeat(20));
        assert!(Summary::of(&group(|_| log(1, &[field("a"), field("b")]))).unwrap().is_some());
        assert!(Summary::of(&group(|_| log(1, &[field("a"), field("a")]))).unwrap().is_none());
        let names: Vec<String> = (0..FIELDS_MAX + 1).map(|n| format!("f{n}")).collect();
        let many: Vec<(&str, String)> = names.iter().map(|name| (name.as_str(), "v".to_owned())).collect();
        assert!(Summary::of(&group(|_| log(1, &many))).unwrap().is_none());
        assert!(Summary::of(&LogGroup::default().encode_to_vec()).unwrap().is_none());
        assert!(Summary::of(&[0x0a; GROUP_BYTES_MIN]).is_err());
    }

    #[test]
    fn times_are_kept_whatever_lies_between_them() {
        for step in [0, 1, 100_000] {
            let raw = group(|row| log(5 + row as u32 * step, &[("a", "v".repeat(20))]));
            let summary = Summary::of(&raw).unwrap().unwrap();
            assert!((0..ROWS).all(|row| summary.time(row) == 5 + row as u32 * step), "{step}");
            let window = Window::new(0, 6, None, None).unwrap();
            let expected = if step == 0 { ROWS } else { 1 };
            assert_eq!(summary.within(&window).map(|rows| rows.len()), Some(expected));
        }
    }
}
