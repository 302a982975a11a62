//! Takes texts apart: JSON objects, lines of values, names with values.

use serde_json::Value as Json;

pub use crate::query::sql::JsonPath;

/// The members of the object that a path leads to, each as a field: a string as it is, anything
/// else as JSON. Nothing for what is no object.
pub fn json_fields(text: &str, path: Option<&JsonPath>) -> Vec<(String, Option<String>)> {
    match found(text, path) {
        Some(Json::Object(object)) => {
            object.into_iter().map(|(name, value)| (name, field_text(value))).collect()
        }
        _ => Vec::new(),
    }
}

/// The elements of an array or the members of an object that a path leads to; a member is an
/// object of its own. Nothing for anything else.
pub fn json_elements(text: &str, path: Option<&JsonPath>) -> Option<Vec<String>> {
    let texts = |value: Json| field_text(value).unwrap_or_else(|| "null".to_owned());
    match found(text, path)? {
        Json::Array(array) => Some(array.into_iter().map(texts).collect()),
        Json::Object(object) => {
            let member = |(name, value)| Json::Object([(name, value)].into_iter().collect()).to_string();
            Some(object.into_iter().map(member).collect())
        }
        _ => None,
    }
}

fn found(text: &str, path: Option<&JsonPath>) -> Option<Json> {
    let json: Json = serde_json::from_str(text).ok()?;
    match path {
        None => Some(json),
        Some(path) => path.find(&json).cloned(),
    }
}

fn field_text(value: Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// The values of a text that is one row. A quoted one may have delimiters, and the quote itself twice.
pub fn csv(line: &str, delimiter: &str, quote: char) -> Vec<String> {
    csv_row(line, delimiter, quote, None).0
}

/// The values of the first row of a text, which ends with `line_break` outside of quotes, and the text behind it.
/// Before the break may be a carriage return.
pub fn csv_row<'t>(
    text: &'t str,
    delimiter: &str,
    quote: char,
    line_break: Option<char>,
) -> (Vec<String>, &'t str) {
    let mut values = Vec::new();
    let mut rest = text;
    loop {
        let (mut value, behind) = match rest.strip_prefix(quote) {
            Some(quoted) => unquoted(quoted, quote),
            None => (String::new(), rest),
        };
        let end = behind.char_indices().find(|&(at, c)| {
            Some(c) == line_break || behind.get(at..).is_some_and(|behind| behind.starts_with(delimiter))
        });
        let is_last = end.is_none_or(|(_, c)| Some(c) == line_break);
        let (more, behind) = behind.split_at(end.map_or(behind.len(), |(at, _)| at));
        value.push_str(match is_last && line_break.is_some() {
            true => more.strip_suffix('\r').unwrap_or(more),
            false => more,
        });
        values.push(value);
        if is_last {
            return (
                values,
                line_break.and_then(|line_break| behind.strip_prefix(line_break)).unwrap_or_default(),
            );
        }
        rest = behind.strip_prefix(delimiter).unwrap_or_default();
    }
}

/// The value behind a quote, and what is behind the quote that ends it.
fn unquoted(quoted: &str, quote: char) -> (String, &str) {
    let mut value = String::new();
    let mut rest = quoted;
    while let Some((before, after)) = rest.split_once(quote) {
        value.push_str(before);
        match after.strip_prefix(quote) {
            Some(after) => {
                value.push(quote);
                rest = after;
            }
            None => return (value, after),
        }
    }
    (value + rest, "")
}

/// Names and values of pairs; what has no name is left out.
pub fn pairs<'t>(text: &'t str, between: &str, inside: &str) -> Vec<(&'t str, &'t str)> {
    let pairs = text.split(between).filter_map(|pair| pair.split_once(inside));
    pairs.map(|(name, value)| (name.trim(), value)).filter(|(name, _)| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_values_may_have_delimiters_and_quotes() {
        assert_eq!(csv(r#"a,"b,""c""",,d"#, ",", '"'), ["a", r#"b,"c""#, "", "d"]);
        assert_eq!(csv("", ",", '"'), [""]);
        assert_eq!(csv("a^_^b", "^_^", '"'), ["a", "b"]);
        assert_eq!(csv("\"open,x", ",", '"'), ["open,x"]);
    }
}
