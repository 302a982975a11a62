//! Casts, and functions of JSON and arrays.

use jiff::tz::TimeZone;
use rusqlite::{
    Connection,
    functions::{Context, FunctionFlags},
    types::{Value, ValueRef},
};
use serde_json::Value as Json;

use super::{failed, texts::text_arg, times};
use crate::query::{expr::parse_double, sql::format};

const PURE: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC);

pub fn register(db: &Connection, zone: &TimeZone) -> rusqlite::Result<()> {
    let zone = zone.clone();
    db.create_scalar_function("sls_cast", 4, PURE, move |call| cast(call, &zone))?;
    db.create_scalar_function("sls_json_extract", 3, PURE, json_extract)?;
    db.create_scalar_function("sls_json_length", 1, PURE, |call| {
        let json = text_arg(call, 0)?.and_then(|text| serde_json::from_str(text).ok());
        Ok(json.and_then(|json: Json| json.as_array().map(|array| array.len() as i64)))
    })?;
    db.create_scalar_function("sls_element", 2, PURE, |call| element(call, true))?;
    db.create_scalar_function("sls_element_or_null", 2, PURE, |call| element(call, false))
}

/// `sls_cast(value, from, to, lenient)`.
fn cast(call: &Context<'_>, zone: &TimeZone) -> rusqlite::Result<Value> {
    let (from, to, lenient) = (call.get_raw(1).as_str()?, call.get_raw(2).as_str()?, call.get::<bool>(3)?);
    let value = call.get_raw(0);
    if value == ValueRef::Null {
        return Ok(Value::Null);
    }
    match converted(value, from, to, zone) {
        Some(converted) => Ok(converted),
        None if lenient => Ok(Value::Null),
        None => {
            let shown = match value {
                ValueRef::Integer(n) => n.to_string(),
                ValueRef::Real(x) => format::double(x),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                ValueRef::Null | ValueRef::Blob(_) => String::new(),
            };
            // The service says INT for bigint. Source: document "Common errors".
            let target = if to == "bigint" { "INT".to_owned() } else { to.to_uppercase() };
            Err(failed(format!("Can not cast '{shown}' to {target}")))
        }
    }
}

fn converted(value: ValueRef<'_>, from: &str, to: &str, zone: &TimeZone) -> Option<Value> {
    let text = match value {
        ValueRef::Text(text) => std::str::from_utf8(text).ok()?.trim(),
        _ => "",
    };
    let real = |value| match value {
        ValueRef::Real(x) => Some(x),
        ValueRef::Integer(n) => Some(n as f64),
        _ => None,
    };
    match (from, to) {
        ("varchar" | "json", "bigint") => text.parse().ok().map(Value::Integer),
        ("double", "bigint") => rounded(real(value)?).map(Value::Integer),
        ("boolean", "bigint" | "double") => value.as_i64().ok().map(Value::Integer),
        ("varchar" | "json", "double") => parse_double(text).map(Value::Real),
        ("varchar" | "json", "boolean") => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => Some(Value::Integer(1)),
            "false" | "f" | "0" => Some(Value::Integer(0)),
            _ => None,
        },
        ("bigint" | "double", "boolean") => Some(Value::Integer(i64::from(real(value)? != 0.0))),
        ("double", "varchar") => Some(Value::Text(format::double(real(value)?))),
        ("boolean", "varchar") => Some(Value::Text((value.as_i64().ok()? != 0).to_string())),
        ("timestamp", "varchar") => times::show(value.as_i64().ok()?, zone).map(Value::Text),
        ("varchar", "timestamp") => times::parse_timestamp(text, zone).map(Value::Integer),
        ("varchar", "json") => {
            serde_json::from_str::<Json>(text).ok().map(|json| Value::Text(json.to_string()))
        }
        ("json", "varchar") => Some(Value::Text(scalar_text(serde_json::from_str(text).ok()?)?)),
        (_, "json") => Some(value.into()),
        _ => None,
    }
}

/// The nearest whole number, halves away from zero, if there is one.
fn rounded(x: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let x = x.round();
    (-LIMIT..LIMIT).contains(&x).then_some(x as i64)
}

/// `sls_json_extract(json, path, scalar)`.
fn json_extract(call: &Context<'_>) -> rusqlite::Result<Option<String>> {
    let (Some(text), Some(path)) = (text_arg(call, 0)?, text_arg(call, 1)?) else {
        return Ok(None);
    };
    let steps = call.get_or_create_aux(1, |_| json_path(path)).map_err(|error| failed(error.to_string()))?;
    let Ok(json) = serde_json::from_str::<Json>(text) else {
        return Ok(None);
    };
    let found = steps.iter().try_fold(&json, |json, step| match step {
        Step::Key(key) => json.get(key),
        Step::Index(index) => json.get(index),
    });
    let scalar: bool = call.get(2)?;
    Ok(found.and_then(|found| if scalar { scalar_text(found.clone()) } else { Some(found.to_string()) }))
}

fn scalar_text(json: Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(value) => Some(value.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

enum Step {
    Key(String),
    Index(usize),
}

#[derive(Debug, thiserror::Error)]
#[error("Invalid JSON path: '{0}'")]
struct InvalidPath(String);

/// `$.a.b[0]["c d"]`
fn json_path(path: &str) -> Result<Vec<Step>, InvalidPath> {
    let invalid = || InvalidPath(path.to_owned());
    let mut rest = path.strip_prefix('$').ok_or_else(invalid)?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(key) = rest.strip_prefix('.') {
            let end = key.find(['.', '[']).unwrap_or(key.len());
            if end == 0 {
                return Err(invalid());
            }
            steps.push(Step::Key(key[..end].to_owned()));
            rest = &key[end..];
        } else {
            let (inside, after) = bracketed(rest).ok_or_else(invalid)?;
            steps.push(match inside {
                Inside::Quoted(key) => Step::Key(key.to_owned()),
                Inside::Plain(index) => Step::Index(index.parse().map_err(|_| invalid())?),
            });
            rest = after;
        }
    }
    Ok(steps)
}

#[derive(Clone)]
enum Inside<'p> {
    Quoted(&'p str),
    Plain(&'p str),
}

/// What stands in brackets at the beginning of `text`, and what follows.
fn bracketed(text: &str) -> Option<(Inside<'_>, &str)> {
    let inner = text.strip_prefix('[')?;
    match inner.strip_prefix('"') {
        Some(quoted) => {
            let (key, after) = quoted.split_once("\"]")?;
            Some((Inside::Quoted(key), after))
        }
        None => {
            let (index, after) = inner.split_once(']')?;
            Some((Inside::Plain(index), after))
        }
    }
}

/// Element of an array, from 1. Texts of the errors: document "Common errors", Presto.
fn element(call: &Context<'_>, strict: bool) -> rusqlite::Result<Value> {
    let (Some(text), Some(index)) = (text_arg(call, 0)?, call.get::<Option<i64>>(1)?) else {
        return Ok(Value::Null);
    };
    let Ok(Json::Array(mut array)) = serde_json::from_str(text) else {
        return Ok(Value::Null);
    };
    let length = array.len() as i64;
    let position = match index {
        0 => return Err(failed("SQL array indices start at 1")),
        1.. => index - 1,
        _ if strict => return Err(failed("Array subscript is negative")),
        _ => length + index,
    };
    match usize::try_from(position).ok().filter(|&position| position < array.len()) {
        Some(position) => Ok(sqlite_value(array.swap_remove(position))),
        None if strict => Err(failed(format!(
            "Array subscript must be less than or equal to array length: {index} > {length}"
        ))),
        None => Ok(Value::Null),
    }
}

fn sqlite_value(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Integer(i64::from(value)),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Integer(whole),
            (None, Some(decimal)) => Value::Real(decimal),
            (None, None) => Value::Null,
        },
        Json::String(text) => Value::Text(text),
        other => Value::Text(other.to_string()),
    }
}
