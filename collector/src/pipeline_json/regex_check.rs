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
    if let Err(error) = regex_syntax::Parser::new().parse(pattern) {
        return Err(explain(pattern, &error));
    }
    full_match(pattern).map_err(|error| format!("does not compile: {}", last_line(&error.to_string())))
}

/// Compiles the two patterns of a mask.
///
/// # Errors
/// Whether it is about the pattern of what stands before, and a text with position, reason and remedy.
pub fn compile_mask(before: &str, replaced: &str) -> Result<Regex, (bool, String)> {
    for (is_before, pattern) in [(true, before), (false, replaced)] {
        regex_syntax::Parser::new().parse(pattern).map_err(|error| (is_before, explain(pattern, &error)))?;
    }
    mask_regex(before, replaced)
        .map_err(|error| (false, format!("does not compile: {}", last_line(&error.to_string()))))
}

fn explain(pattern: &str, error: &regex_syntax::Error) -> String {
    let (span, reason, remedy) = match error {
        regex_syntax::Error::Parse(error) => (*error.span(), error.kind().to_string(), remedy(error.kind())),
        regex_syntax::Error::Translate(error) => {
            (*error.span(), error.kind().to_string(), "correct the expression")
        }
        other => return format!("does not compile: {}", last_line(&other.to_string())),
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

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ")
}
