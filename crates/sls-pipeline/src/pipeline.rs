//! The validated form of one collection config: what `control` hands to the engine.
//!
//! A `Pipeline` is complete and consistent by construction (regexes compiled, group and key
//! counts equal, paths absolute); the data path never sees raw JSON. Called by `pipeline_json`
//! (which builds it) and by `engine` (which runs it).

use std::num::{NonZeroU16, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder};
use sls_api::codec::Compression;
use sls_api::logtail::Condition;
use sls_api::names::{LogstoreName, ProjectName};

use crate::encoding::Encoding;

/// One collection config, ready to run.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Config name; unique in one collector.
    pub name: String,
    /// Version as the config server gave it (any change of it means "replace").
    pub version: i64,
    pub input: FileInput,
    /// How lines become events.
    pub multiline: Multiline,
    /// How an event becomes fields.
    pub parse: Parse,
    /// Where `__time__` comes from.
    pub time: TimeRule,
    /// Times of collection have nanoseconds, as times of logs have that say them.
    pub collected_nanos: bool,
    pub topic: TopicRule,
    pub unmatched: Unmatched,
    /// What is done to the fields of an event, in this order.
    pub steps: Vec<Step>,
    /// Key under which the whole event is sent beside its fields (`enableRawLog`).
    pub raw_key: Option<String>,
    pub destination: Destination,
    pub shards: Shards,
    pub send_rate: Option<SendRate>,
}

/// How fast the logs of a Logstore may be sent (`max_send_rate`, `send_rate_expire`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendRate {
    /// Bytes before compression.
    pub bytes_per_second: NonZeroU64,
    /// Unix seconds from which on there is no limit; `None`: it has no end.
    pub until: Option<u64>,
}

/// How the logs of a pipeline find their shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Shards {
    /// The server chooses.
    #[default]
    Any,
    /// The MD5 of the values of these tags, joined with `_` (`ShardHashKeys`). `__source__` and
    /// `__topic__` are names too.
    ByTags(Vec<String>),
    /// Each file has so many hash keys of its own, and numbers its parts for a server that refuses what
    /// it has already (`EnableExactlyOnce`).
    ExactlyOnce(NonZeroU16),
}

impl Shards {
    /// Hash keys of a file whose parts are numbered; 0 if they are not.
    pub fn keys(&self) -> u16 {
        match self {
            Self::ExactlyOnce(keys) => keys.get(),
            Self::Any | Self::ByTags(_) => 0,
        }
    }
}

/// Which files belong to the pipeline. Paths are as the config names them (no path prefix).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInput {
    /// Absolute directory; components may hold `*` and `?`.
    pub directory: PathBuf,
    /// Pattern of the file name (`*`, `?`).
    pub file_pattern: String,
    /// Levels below `directory` that are searched too; 0 = only the directory itself.
    pub max_depth: u32,
    /// Start at the end of files that exist when the config arrives first.
    pub tail_existing: bool,
    /// Bytes before the end at which reading of *old* files starts (see `engine`), default 1 MiB.
    pub tail_bytes: u64,
    /// An unterminated last line is sent after this time without growth.
    pub flush_timeout: Duration,
    pub encoding: Encoding,
    pub position_meta: PositionMeta,
    /// There is an alarm while more bytes of one file than this are not read yet; default 200 MiB.
    pub delay_alarm_bytes: u64,
    pub excluded: Excluded,
}

/// What is left out of the files that belong to a pipeline; patterns are read in `discover`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excluded {
    /// Patterns of names of files.
    pub names: Vec<String>,
    /// Patterns of absolute paths of files.
    pub paths: Vec<String>,
    /// Patterns of absolute paths of directories, with all that is below them.
    pub directories: Vec<String>,
}

/// What a log says of the place it was read from (`enable_log_position_meta`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PositionMeta {
    /// The group has the tag `__inode__`.
    pub inode: bool,
    /// Key of the field that holds the offset of the event's first byte in its file.
    pub offset_key: Option<String>,
}

/// How lines become events.
#[derive(Debug, Clone)]
pub enum Multiline {
    /// Every line is an event.
    SingleLine,
    /// Lines are joined to records.
    Joined { records: Records, strays: Strays },
}

impl Multiline {
    /// A record begins at a line that `begin` matches (`logBeginRegex`).
    pub fn begin(begin: Regex) -> Self {
        Self::Joined { records: Records::Start(begin), strays: Strays::SingleLines }
    }
}

/// Which lines make a record. Every expression matches a line as a whole, made by [`full_match`].
///
/// Source: LoongCollector, `MultilineOptions` and `ProcessorSplitMultilineLogStringNative`, which know
/// these combinations and no others.
#[derive(Debug, Clone)]
pub enum Records {
    /// From one start to the next.
    Start(Regex),
    /// A start, and the lines after it that `continuation` matches.
    StartContinue { start: Regex, continuation: Regex },
    /// From a start to an end.
    StartEnd { start: Regex, end: Regex },
    /// Lines that `continuation` matches, and the line after them, which `end` must match.
    ContinueEnd { continuation: Regex, end: Regex },
    /// From the line after one end to the next end.
    End(Regex),
}

/// What becomes of lines that are part of no record (`UnmatchedContentTreatment`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strays {
    /// Each is an event.
    SingleLines,
    /// Counted and dropped.
    Discard,
}

#[derive(Debug, Clone)]
pub enum Parse {
    /// The whole event in the one field named here (normally `content`).
    Simple { key: String },
    /// Full match, made by [`full_match`]; capture group n + 1 becomes `keys[n]`.
    /// Invariant: groups == keys.
    Regex { regex: Regex, keys: Vec<String> },
    /// The members of a JSON object.
    Json,
    /// The columns between separators.
    Delimiter(Delimiter),
    /// The time in brackets, other texts in brackets, and pairs of key and value (`apsara_log`).
    /// `offset_seconds` says in which zone the times are (`None` = the process's zone).
    Apsara { offset_seconds: Option<i32> },
}

/// How a delimited event is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delimiter {
    /// 1 to 4 bytes.
    pub separator: String,
    /// Has an effect only beside a separator of one byte, and if it is another byte.
    pub quote: Option<u8>,
    /// Names of the first columns; those named `_` are not sent.
    pub keys: Vec<String>,
    /// An event with fewer columns than keys matches too.
    pub allows_fewer: bool,
    pub overflow: Overflow,
}

/// What becomes of columns beyond the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// Each is a field `__column<N>__`, N counted from 0 at the first column.
    Extend,
    /// All that is left of the event, from the separator on, is one such field.
    Keep,
    /// They are not sent.
    Discard,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeRule {
    /// The time of collection.
    Collected,
    /// strptime-style format of the field `key`; `offset_seconds` is used when the text has no zone
    /// (`None` = the process's zone), `year` when it has no year (`None` = the latest such date).
    Field {
        key: String,
        format: String,
        offset_seconds: Option<i32>,
        year: Option<i64>,
        precise: Option<PreciseTime>,
    },
}

/// A field with the time that the log says, as a number of a finer unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreciseTime {
    pub key: String,
    pub unit: TimeUnit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl TimeUnit {
    /// Nanoseconds in one.
    pub fn nanos(self) -> u64 {
        match self {
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1_000,
            Self::Nanoseconds => 1,
        }
    }
}

#[derive(Debug, Clone)]
pub enum TopicRule {
    None,
    /// The same topic for every log (`customized://…` or a machine group's topic).
    Fixed(String),
    /// Captures of the file path, see collector.md §2.3.
    Path(Regex),
}

/// What becomes of an event that the parser does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmatched {
    /// Counted and dropped (`discardUnmatch: true`).
    Discard,
    /// Sent whole in `__raw_log__`.
    KeepRaw,
}

/// Something that is done to the fields of an event.
#[derive(Debug, Clone)]
pub enum Step {
    /// Only events go on for which it holds; its expressions are made by [`full_match`].
    Filter(Condition<Regex>),
    /// Only events go on whose time lies in this span.
    Span(TimeSpan),
    /// Bytes that are no UTF-8 become blanks.
    BlankNonUtf8,
    Mask(Mask),
}

impl Step {
    /// Whether it may hold events back.
    pub fn is_filter(&self) -> bool {
        matches!(self, Self::Filter(_) | Self::Span(_))
    }

    /// A filter for events that have all these fields, with values that match; made by [`full_match`].
    pub fn all_of(fields: impl IntoIterator<Item = (String, Regex)>) -> Self {
        let fields = fields.into_iter().map(|(key, regex)| Condition::Field(key, regex));
        Self::Filter(Condition::All(fields.collect()))
    }
}

/// A span of time, both ends included (`processor_timestamp_filter_native`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeSpan {
    /// The field that holds a time as a number; `None`: the time of the log. Events without the field, or with
    /// another text in it, go on.
    pub key: Option<String>,
    /// Nanoseconds in the unit of the ends, and of the field.
    pub unit_nanos: u64,
    /// Units since 1970.
    pub from: i64,
    pub to: i64,
}

/// Replaces text in one field.
#[derive(Debug, Clone)]
pub struct Mask {
    pub key: String,
    /// Group 1 is what stands before the replaced text and stays; made by [`mask_regex`].
    pub regex: Regex,
    /// Every match is replaced, not only the first.
    pub all: bool,
    pub by: MaskBy,
}

/// What stands in the place of a masked text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaskBy {
    Text(String),
    /// The MD5 of the masked text in upper-case hexadecimal, as the vendor's agent writes it (guess: it
    /// writes that of request bodies so).
    Md5,
}

/// Where the logs go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    pub project: ProjectName,
    pub logstore: LogstoreName,
    pub region: String,
    /// Endpoint named by the config itself, if any; the instance config may override it.
    pub endpoint: Option<String>,
    pub compression: Compression,
}

/// Compiles a regex of a config so that it matches a text only as a whole.
///
/// As in the agent's engine, `.` matches any byte (newline too) and classes are about bytes; a
/// pattern that needs Unicode (a class of non-ASCII letters) is compiled in Unicode mode instead.
/// Source: Boost's `regex_match` on bytes, which Logtail uses (collector.md §2.1).
///
/// # Errors
/// The pattern is not a regular expression, or one that needs look-around or back-references.
pub fn full_match(pattern: &str) -> Result<Regex, regex::Error> {
    // The error of the Unicode attempt is about the pattern itself, never about the mode.
    full_match_of(pattern, Units::Bytes).or_else(|_| full_match_of(pattern, Units::Characters))
}

/// What dots and classes of an expression stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    Bytes,
    Characters,
}

/// [`full_match`] in the units named.
///
/// # Errors
/// The pattern is no regular expression, or has classes that there are not in these units.
pub fn full_match_of(pattern: &str, units: Units) -> Result<Regex, regex::Error> {
    Regex::new(pattern)?; // alone, so that `a)|(b` is no way out of the group
    RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
        .unicode(units == Units::Characters)
        .dot_matches_new_line(true)
        .build()
}

/// Finds `replaced` after `before`, which becomes group 1. The text is characters, as in UTF-8: a dot is
/// one of them, but no newline and no byte that is no text. Source: RE2's defaults, with which
/// LoongCollector's `ProcessorDesensitizeNative` uses it.
///
/// Unlike in RE2, `\d`, `\w`, `\s` and `\b` know more than ASCII. The group around `replaced` is
/// there on purpose, so that `a|b` are two texts after `before`; there `before` would be no part of the
/// second.
///
/// # Errors
/// One of the patterns is not a regular expression, or one that needs look-around or back-references.
pub fn mask_regex(before: &str, replaced: &str) -> Result<Regex, regex::Error> {
    Regex::new(before)?;
    Regex::new(replaced)?;
    Regex::new(&format!("({before})(?:{replaced})"))
}
