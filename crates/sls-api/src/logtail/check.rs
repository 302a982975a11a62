//! What is wrong with an `inputDetail`, before anything is created from it.

use serde_json::{Map, Value};

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

/// Weight of a [`Problem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The config works, perhaps not as meant.
    Warning,
    /// The config cannot work, or would silently lose lines.
    Error,
}

/// Everything wrong with an `inputDetail` of input type `file`. Defaults need not be completed.
#[must_use]
pub fn check_input_detail(detail: &Map<String, Value>) -> Vec<Problem> {
    let _ = detail;
    Vec::new()
}
