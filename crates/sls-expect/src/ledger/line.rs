//! One line of a ledger, parsed into what cannot be wrong.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{NAME_BYTES_MAX, Problem};

/// Length and CRC-32 of a text: enough to see that it was changed, and that it was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Length.
    pub bytes: u32,
    /// CRC-32 of IEEE 802.3.
    pub crc32: u32,
}

impl Check {
    /// The largest length; the next one stands for "not given".
    pub const BYTES_MAX: u32 = u32::MAX - 1;
    pub(super) const NONE: Self = Self { bytes: u32::MAX, crc32: 0 };

    /// Of a text as a whole.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        Self::of_values([text])
    }

    /// Of values joined with one space.
    #[must_use]
    pub fn of_values<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        let mut bytes = 0_usize;
        for (number, value) in values.into_iter().enumerate() {
            if number > 0 {
                hasher.update(b" ");
                bytes += 1;
            }
            hasher.update(value);
            bytes += value.len();
        }
        // Nothing that long is received: a body has a few MB.
        Self { bytes: u32::try_from(bytes).unwrap_or(Self::BYTES_MAX), crc32: hasher.finalize() }
    }

    pub(super) fn given(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }
}

/// A log in a ledger, to be written as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Entry<'a> {
    /// Name of the run.
    pub run: &'a str,
    /// Name of who wrote it.
    pub source: &'a str,
    /// Its number.
    pub seq: u64,
    /// When it was written, Unix ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<u64>,
    /// The line as it was written, without its line break.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<Check>,
    /// The values of the log that shall become of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Check>,
}

/// What a line says of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// One log was written.
    One { seq: u64, time: Option<u64>, line: Option<Check>, values: Option<Check> },
    /// These were, both ends included.
    Range { first: u64, last: u64 },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw<'a> {
    #[serde(borrow)]
    run: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    seq: Option<u64>,
    first: Option<u64>,
    last: Option<u64>,
    time: Option<u64>,
    line: Option<Check>,
    values: Option<Check>,
}

/// A line: run, source, and what it says of them.
pub fn parse(line: &[u8]) -> Result<(Cow<'_, str>, Cow<'_, str>, Said), Problem> {
    let raw: Raw<'_> = serde_json::from_slice(line).map_err(|error| Problem::Json(told(&error)))?;
    for (what, name) in [("run", &raw.run), ("source", &raw.source)] {
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(Problem::Name(what));
        }
    }
    let said = match (raw.seq, raw.first, raw.last) {
        (Some(seq), None, None) => {
            if [raw.line, raw.values].iter().flatten().any(|check| check.bytes > Check::BYTES_MAX) {
                return Err(Problem::Length);
            }
            Said::One { seq, time: raw.time, line: raw.line, values: raw.values }
        }
        (None, Some(first), Some(last)) if first <= last => {
            if raw.time.is_some() || raw.line.is_some() || raw.values.is_some() {
                return Err(Problem::RangeWithDetails);
            }
            Said::Range { first, last }
        }
        _ => return Err(Problem::Form),
    };
    Ok((raw.run, raw.source, said))
}

/// Whether a line ends before its JSON does.
pub fn is_cut(line: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err_and(|error| error.is_eof())
}

/// The error with its column; its line is always the first.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line 1 ").next().unwrap_or(&text);
    format!("{what} (column {})", error.column())
}
