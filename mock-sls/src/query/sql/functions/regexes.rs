//! Functions of regular expressions. The pattern is compiled once per statement.

use std::sync::Arc;

use regex::{Match, Regex};
use rusqlite::functions::Context;

use super::{
    PURE, Registrar, failed, limit, scalar,
    texts::{array, text_arg},
};

pub fn register(db: &Registrar<'_>) -> rusqlite::Result<()> {
    scalar(db, "sls_regexp_like", 2, PURE, |call| with_regex(call, |regex, text| Ok(regex.is_match(text))))?;
    scalar(db, "sls_regexp_extract", 3, PURE, |call| {
        let found = with_regex(call, |regex, text| {
            let group = group(call, regex)?;
            let captures = regex.captures(text);
            Ok(captures.and_then(|captures| captures.get(group).map(|found| found.as_str().to_owned())))
        })?;
        Ok(found.flatten())
    })?;
    scalar(db, "sls_regexp_extract_all", 3, PURE, |call| {
        with_regex(call, |regex, text| {
            let group = group(call, regex)?;
            let found = regex.captures_iter(text).filter_map(|captures| captures.get(group));
            array(found.map(|found| found.as_str()))
        })
    })?;
    scalar(db, "sls_regexp_replace", 3, PURE, |call| {
        let Some(replacement) = text_arg(call, 2)? else {
            return Ok(None);
        };
        with_regex(call, |regex, text| replaced(regex, text, &braced(replacement)))
    })?;
    scalar(db, "sls_regexp_count", 2, PURE, |call| {
        with_regex(call, |regex, text| Ok(regex.find_iter(text).count() as i64))
    })?;
    scalar(db, "sls_regexp_position", 2, PURE, |call| {
        with_regex(call, |regex, text| {
            let before = |at: usize| text.get(..at).unwrap_or_default().chars().count() as i64;
            Ok(regex.find(text).map_or(-1, |found| before(found.start()) + 1))
        })
    })?;
    scalar(db, "sls_regexp_split", 2, PURE, |call| with_regex(call, |regex, text| array(regex.split(text))))
}

/// Runs `f` with the pattern of argument 1 and the text of argument 0; NULL for a NULL.
fn with_regex<T>(
    call: &Context<'_>,
    f: impl FnOnce(&Regex, &str) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    let (Some(text), Some(pattern)) = (text_arg(call, 0)?, text_arg(call, 1)?) else {
        return Ok(None);
    };
    let regex: Arc<Regex> = call
        .get_or_create_aux(1, |_| Regex::new(pattern).map_err(|error| invalid(pattern, &error)))
        .map_err(|error| failed(error.to_string()))?;
    f(&regex, text).map(Some)
}

/// `text` with `replacement` for each match, which may name groups.
fn replaced(regex: &Regex, text: &str, replacement: &str) -> rusqlite::Result<String> {
    let names = replacement.matches('$').count();
    let mut replaced = String::new();
    let mut end = 0;
    let mut begin = |replaced: &mut String, found: Match<'_>| {
        replaced.push_str(text.get(end..found.start()).unwrap_or_default());
        end = found.end();
        // No group has more than the match.
        let longest = found.len().saturating_mul(names).saturating_add(replacement.len());
        limit::check_bytes(replaced.len().saturating_add(longest))
    };
    if names == 0 {
        for found in regex.find_iter(text) {
            begin(&mut replaced, found)?;
            replaced.push_str(replacement);
        }
    } else {
        for captures in regex.captures_iter(text) {
            begin(&mut replaced, captures.get_match())?;
            captures.expand(replacement, &mut replaced);
        }
    }
    replaced.push_str(text.get(end..).unwrap_or_default());
    Ok(replaced)
}

/// Text of a missing repetition: document "SQL error center".
fn invalid(pattern: &str, error: &regex::Error) -> InvalidRegex {
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
    InvalidRegex(match reason {
        "repetition operator missing expression" => {
            format!("target of repeat operator is not specified: {pattern}")
        }
        other => format!("the regular expression {pattern} is not valid: {other}"),
    })
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct InvalidRegex(String);

fn group(call: &Context<'_>, regex: &Regex) -> rusqlite::Result<usize> {
    let group: i64 = call.get(2)?;
    let known = usize::try_from(group).ok().filter(|&group| group < regex.captures_len());
    let groups = regex.captures_len() - 1;
    known.ok_or_else(|| failed(format!("Pattern has {groups} groups. Cannot access group {group}")))
}

/// `$1a` means group 1 followed by an `a`, as in Java; our library would look for group `1a`.
fn braced(replacement: &str) -> String {
    let mut braced = String::new();
    let mut chars = replacement.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('$') => braced.push_str("$$"),
                Some(other) => braced.push(other),
                None => {}
            },
            '$' => {
                let mut number = String::new();
                while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                    number.push(digit);
                }
                match number.is_empty() {
                    true => braced.push('$'),
                    false => braced.push_str(&format!("${{{number}}}")),
                }
            }
            _ => braced.push(c),
        }
    }
    braced
}
