//! JSON that people write into files: bytes → value, or where it is wrong. Pure.
//!
//! Called by `instance_config` and `control::local`.

use serde_json::Value;

/// Where and why a text is no JSON; both from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotJson {
    pub line: usize,
    pub column: usize,
    /// Without the place.
    pub reason: String,
}

/// The bytes without the mark that some editors put before a text.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}

/// Reads a file's content.
///
/// # Errors
/// [`NotJson`].
pub fn parse(bytes: &[u8]) -> Result<Value, NotJson> {
    serde_json::from_slice(without_mark(bytes)).map_err(|error| {
        let text = error.to_string();
        let reason = text.split(" at line ").next().unwrap_or_default().to_owned();
        NotJson { line: error.line(), column: error.column(), reason }
    })
}
