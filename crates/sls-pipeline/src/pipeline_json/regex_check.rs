//! Compiling a config's regex, with an error that says where.

use regex::bytes::Regex;
use regex_syntax::ast::ErrorKind;

use crate::pipeline::{full_match, mask_regex};

/// Characters of the pattern shown from the place of an error on.
const SHOWN_CHARS: usize = 12;

/// Compiles a pattern for a full match.
///
/// # Errors
/// A text with position, reason and remedy.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    syntax(pattern)?;
    full_match(pattern).map_err(|error| refusal(&error.to_string()))
}

/// Compiles the two patterns of a mask, the first of which has passed [`syntax`].
///
/// # Errors
/// A text on the second, with position, reason and remedy.
pub fn compile_mask(before: &str, replaced: &str) -> Result<Regex, String> {
    syntax(replaced)?;
    mask_regex(before, replaced).map_err(|error| refusal(&error.to_string()))
}

/// Checks how a pattern is written.
///
/// # Errors
/// A text with position, reason and remedy.
pub fn syntax(pattern: &str) -> Result<(), String> {
    let parsed = regex_syntax::Parser::new().parse(pattern);
    parsed.map(|_| ()).map_err(|error| explain(pattern, &error))
}

fn explain(pattern: &str, error: &regex_syntax::Error) -> String {
    let (span, reason, remedy) = match error {
        regex_syntax::Error::Parse(error) => (*error.span(), error.kind().to_string(), remedy(error.kind())),
        regex_syntax::Error::Translate(error) => {
            (*error.span(), error.kind().to_string(), "correct the expression")
        }
        other => return refusal(&other.to_string()),
    };
    let shown: String =
        pattern.get(span.start.offset..).unwrap_or_default().chars().take(SHOWN_CHARS).collect();
    format!("does not compile at column {} (`{shown}`): {reason}; {remedy}", span.start.column)
}

fn remedy(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::UnsupportedLookAround => {
            "write the pattern without `(?=`, `(?!`, `(?<=`, `(?<!`; negated classes like `[^\"]*` usually do"
        }
        ErrorKind::UnsupportedBackreference => "write the pattern without back references like `\\1`",
        ErrorKind::GroupUnclosed => "close the group with `)` or write `\\(` for a parenthesis",
        ErrorKind::GroupUnopened => "remove the `)` or write `\\)` for a parenthesis",
        ErrorKind::ClassUnclosed => "close the class with `]` or write `\\[` for a bracket",
        ErrorKind::RepetitionMissing => {
            "put an expression before the repetition or write it escaped, e.g. `\\*`"
        }
        _ => "correct the expression",
    }
}

/// Of an error that has no place in the pattern.
fn refusal(error: &str) -> String {
    let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
    format!("does not compile: {reason}")
}
