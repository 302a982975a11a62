//! Functions of JSON. A document that cannot be read gives NULL. Source: document "JSON functions".

use rusqlite::{
    functions::Context,
    types::{Value, ValueRef},
};
use serde_json::Value as Json;

use super::{PURE, Registrar, failed, limit, scalar, texts::text_arg};

pub fn register(db: &Registrar<'_>) -> rusqlite::Result<()> {
    scalar(db, "sls_json_extract", 2, PURE, |call| Ok(found(call)?.map(|found| found.to_string())))?;
    scalar(db, "sls_json_extract_scalar", 2, PURE, |call| {
        Ok(found(call)?.and_then(|found| scalar_text(&found)))
    })?;
    scalar(db, "sls_json_extract_long", 2, PURE, |call| {
        Ok(found(call)?.and_then(|found| match &found {
            Json::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|x| x as i64)),
            other => scalar_text(other)?.parse().ok(),
        }))
    })?;
    scalar(db, "sls_json_extract_double", 2, PURE, |call| {
        Ok(found(call)?.and_then(|found| scalar_text(&found)?.parse::<f64>().ok()))
    })?;
    scalar(db, "sls_json_extract_bool", 2, PURE, |call| {
        Ok(found(call)?.and_then(|found| match scalar_text(&found)?.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }))
    })?;
    scalar(db, "sls_json_size", 2, PURE, |call| {
        Ok(found(call)?.map(|found| match found {
            Json::Array(array) => array.len() as i64,
            Json::Object(object) => object.len() as i64,
            _ => 0,
        }))
    })?;
    scalar(db, "sls_json_parse", 1, PURE, |call| Ok(document(call, 0)?.map(|json| json.to_string())))?;
    scalar(db, "sls_json_length", 1, PURE, |call| {
        Ok(document(call, 0)?.and_then(|json| json.as_array().map(|array| array.len() as i64)))
    })?;
    scalar(db, "sls_json_array_get", 2, PURE, |call| {
        let (Some(Json::Array(array)), Some(index)) = (document(call, 0)?, call.get::<Option<i64>>(1)?)
        else {
            return Ok(None);
        };
        let position = if index < 0 { array.len() as i64 + index } else { index };
        let element = usize::try_from(position).ok().and_then(|position| array.get(position));
        // A text comes without its quotes. Source: the document's example.
        Ok(element.map(|element| scalar_text(element).unwrap_or_else(|| element.to_string())))
    })?;
    scalar(db, "sls_json_array_contains", 3, PURE, |call| {
        let Some(Json::Array(array)) = document(call, 0)? else { return Ok(None) };
        let wanted = call.get_raw(1);
        let boolean = text_arg(call, 2)? == Some("b");
        let same = |json: &Json| match (json, wanted) {
            (Json::Bool(value), ValueRef::Integer(n)) => boolean && *value == (n != 0),
            (Json::Number(number), ValueRef::Integer(n)) => !boolean && number.as_i64() == Some(n),
            (Json::Number(number), ValueRef::Real(x)) => number.as_f64() == Some(x),
            (Json::String(text), ValueRef::Text(wanted)) => text.as_bytes() == wanted,
            _ => false,
        };
        Ok((wanted != ValueRef::Null).then(|| array.iter().any(same)))
    })?;
    scalar(db, "sls_is_json_scalar", 1, PURE, |call| {
        Ok(document(call, 0)?.map(|json| !json.is_array() && !json.is_object()))
    })?;
    scalar(db, "sls_json_object_keys", 1, PURE, |call| {
        Ok(match document(call, 0)? {
            Some(Json::Object(object)) => Value::Text(Json::from_iter(object.keys().cloned()).to_string()),
            _ => Value::Null,
        })
    })
}

fn document(call: &Context<'_>, index: usize) -> rusqlite::Result<Option<Json>> {
    text_arg(call, index)?.map_or(Ok(None), |text| limit::json(text.as_bytes()))
}

/// What the path of argument 1 leads to in the document of argument 0.
fn found(call: &Context<'_>) -> rusqlite::Result<Option<Json>> {
    let (Some(text), Some(path)) = (text_arg(call, 0)?, text_arg(call, 1)?) else {
        return Ok(None);
    };
    let path = call.get_or_create_aux(1, |_| Path::parse(path)).map_err(|error| failed(error.to_string()))?;
    Ok(limit::json(text.as_bytes())?.and_then(|json| path.find(&json).cloned()))
}

/// The text of a value that is neither object, array nor null.
pub fn scalar_text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(value) => Some(value.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// A JSON path, `$.a.b[0]["c d"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// A path that is none. Text: document "SQL error center".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid JSON path: '{0}'")]
pub struct InvalidPath(String);

impl Path {
    /// Parses a path. The `$` may be missing: `a.b`. Source: Presto.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(path: &str) -> Result<Self, InvalidPath> {
        let invalid = || InvalidPath(path.to_owned());
        if path.is_empty() {
            return Err(invalid());
        }
        let mut steps = Vec::new();
        let mut rest = match path.strip_prefix('$') {
            Some(rest) => rest,
            None => {
                let (key, rest) = key_at(path);
                steps.push(Step::Key(key.to_owned()));
                rest
            }
        };
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let (key, after) = key_at(after);
                if key.is_empty() {
                    return Err(invalid());
                }
                steps.push(Step::Key(key.to_owned()));
                rest = after;
            } else {
                let (step, after) = bracketed(rest).ok_or_else(invalid)?;
                steps.push(step);
                rest = after;
            }
        }
        Ok(Self(steps))
    }

    /// What it leads to.
    pub fn find<'j>(&self, json: &'j Json) -> Option<&'j Json> {
        self.0.iter().try_fold(json, |json, step| match step {
            Step::Key(key) => json.get(key),
            Step::Index(index) => json.get(index),
        })
    }
}

fn key_at(text: &str) -> (&str, &str) {
    text.split_at(text.find(['.', '[']).unwrap_or(text.len()))
}

/// What stands in brackets at the beginning of `text`, and what follows.
fn bracketed(text: &str) -> Option<(Step, &str)> {
    let inner = text.strip_prefix('[')?;
    for quote in ['"', '\''] {
        if let Some(quoted) = inner.strip_prefix(quote) {
            let end = quoted.find([quote])?;
            let after = quoted.get(end + 1..)?.strip_prefix(']')?;
            return Some((Step::Key(quoted.get(..end)?.to_owned()), after));
        }
    }
    let (index, after) = inner.split_once(']')?;
    match index.parse() {
        Ok(index) => Some((Step::Index(index), after)),
        Err(_) if index.is_empty() || index.contains(['*', '?', '@', ':']) => None,
        Err(_) => Some((Step::Key(index.to_owned()), after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_through_keys_and_indexes() {
        let json: Json = serde_json::from_str(r#"{"a":{"b.c":[1,{"d e":2}]}}"#).unwrap();
        let at = |path: &str| Path::parse(path).unwrap().find(&json).map(Json::to_string);
        assert_eq!(at(r#"$.a["b.c"][1]["d e"]"#).as_deref(), Some("2"));
        assert_eq!(at("$.a['b.c'][0]").as_deref(), Some("1"));
        assert_eq!(at("a.x"), None);
        for path in ["", "$.", "$..a", "$[", "$[*]", "$a", "$[?(@.a)]"] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
    }
}
