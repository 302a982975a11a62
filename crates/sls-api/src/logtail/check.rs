//! What is wrong with an `inputDetail`, before anything is created from it.
//!
//! The operator puts every [`Problem`] into the status of its object. What would lose lines
//! without a word, or glue them all together, is an error; what works otherwise than it looks
//! is a warning.

mod begin;
mod filter;
mod keys;
mod known;
mod parse;
mod raw_log;
mod values;

use std::fmt;

use serde_json::{Map, Value};

use super::fields::{Fields, WrongType};
use super::nginx;

/// Something wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field inside `inputDetail`, e.g. `regex` or `key[9]`.
    pub field: String,
    /// What is wrong, and what to write instead.
    pub message: String,
    /// Whether the config can work at all.
    pub severity: Severity,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Weight of a [`Problem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The config works, perhaps not as meant.
    Warning,
    /// The config cannot work, or would silently lose lines.
    Error,
}

/// The problems found so far.
#[derive(Default)]
struct Report(Vec<Problem>);

impl Report {
    fn error(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.push(field.into(), message.into(), Severity::Error);
    }

    fn warning(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.push(field.into(), message.into(), Severity::Warning);
    }

    fn push(&mut self, field: String, message: String, severity: Severity) {
        self.0.push(Problem { field, message, severity });
    }
}

/// Everything wrong with an `inputDetail` of input type `file`. Defaults need not be completed,
/// and `null` is "not set". That `logType`, `logPath` and `filePattern` are there at all is the
/// caller's to ask, who knows where they could come from.
#[must_use]
pub fn check_input_detail(detail: &Map<String, Value>) -> Vec<Problem> {
    let mut report = Report::default();
    known::check(detail, &mut report);
    // What is checked is what will be used.
    let mut used = detail.clone();
    if let Err(wrong) = nginx::derive(&mut used) {
        report.error(nginx::LOG_FORMAT, wrong);
    }
    let fields = Known(Fields::new(&used));
    values::check(fields, &mut report);
    parse::check(fields, &mut report);
    filter::check(fields, &mut report);
    raw_log::check(fields, &mut report);
    report.0
}

/// Fields whose types have been checked: a wrong one is already reported and counts as not set.
#[derive(Clone, Copy)]
struct Known<'a>(Fields<'a>);

impl<'a> Known<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        reported(self.0.text(name))
    }
    fn flag(&self, name: &str) -> Option<bool> {
        reported(self.0.flag(name))
    }
    fn number(&self, name: &str) -> Option<i64> {
        reported(self.0.number(name))
    }
    fn list(&self, name: &str) -> Option<&'a [Value]> {
        reported(self.0.list(name))
    }
    fn texts(&self, name: &str) -> Option<Vec<&'a str>> {
        self.0.value(name)?;
        self.0.texts(name).ok()
    }
    /// A text that is set and not empty.
    fn some_text(&self, name: &str) -> Option<&'a str> {
        self.text(name).filter(|text| !text.is_empty())
    }
}

fn reported<T>(read: Result<Option<T>, WrongType>) -> Option<T> {
    read.unwrap_or_default()
}

#[cfg(test)]
mod tests;
