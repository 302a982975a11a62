//! What can be told from a regular expression without a line to match.

use regex::bytes::Regex;

/// A regular expression that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the regex does not compile: {0}")]
pub struct RegexError(String);

/// Number of capture groups.
///
/// # Errors
/// [`RegexError`] when it does not compile with our engine, which knows no look-around and no
/// back references (Boost, the vendor's engine, does).
pub fn capture_groups(pattern: &str) -> Result<usize, RegexError> {
    // Bytes, as lines need not be UTF-8. The engine's message spans lines; its last names the
    // reason.
    let compiled = Regex::new(pattern).map_err(|e| {
        let text = e.to_string();
        let reason = text.lines().last().unwrap_or_default();
        RegexError(reason.trim_start_matches("error: ").to_owned())
    })?;
    Ok(compiled.captures_len().saturating_sub(1))
}
