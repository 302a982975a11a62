//! Values between SQLite and the JSON of arrays, maps and rows.

use std::cmp::Ordering;

use base64::prelude::{BASE64_STANDARD, Engine};
use rusqlite::{
    functions::Context,
    types::{Value, ValueRef},
};
use serde_json::{Map, Number, Value as Json};

use super::{failed, limit, texts::text_arg};
use crate::query::sql::{format, types::Encoding};

/// A value as it stands in JSON.
///
/// # Errors
/// It is JSON of too many values.
pub fn encode(value: ValueRef<'_>, encoding: Encoding) -> rusqlite::Result<Json> {
    Ok(match (value, encoding) {
        (ValueRef::Null, _) => Json::Null,
        (ValueRef::Integer(n), Encoding::Boolean) => Json::Bool(n != 0),
        (ValueRef::Integer(n), Encoding::Decimal) => real(n as f64),
        (ValueRef::Integer(n), _) => Json::Number(n.into()),
        (ValueRef::Real(x), _) => real(x),
        (ValueRef::Text(text), Encoding::Json) => limit::json(text)?.unwrap_or(Json::Null),
        (ValueRef::Text(text), _) => Json::String(String::from_utf8_lossy(text).into_owned()),
        (ValueRef::Blob(bytes), _) => Json::String(BASE64_STANDARD.encode(bytes)),
    })
}

/// A value out of JSON.
pub fn decode(json: Json, encoding: Encoding) -> Value {
    match (json, encoding) {
        (Json::Null, _) => Value::Null,
        (json, Encoding::Json) => Value::Text(json.to_string()),
        (Json::Bool(value), _) => Value::Integer(i64::from(value)),
        (Json::Number(number), Encoding::Decimal) => number.as_f64().map_or(Value::Null, Value::Real),
        (Json::Number(number), _) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Integer(whole),
            (None, Some(decimal)) => Value::Real(decimal),
            (None, None) => Value::Null,
        },
        (Json::String(text), Encoding::Bytes) => {
            BASE64_STANDARD.decode(&text).map_or(Value::Null, Value::Blob)
        }
        (Json::String(text), _) => Value::Text(text),
        (other, _) => Value::Text(other.to_string()),
    }
}

/// JSON has no infinities: they become null.
pub fn real(x: f64) -> Json {
    Number::from_f64(x).map_or(Json::Null, Json::Number)
}

/// A value as the key of a map.
///
/// # Errors
/// As [`encode`].
pub fn key_text(value: ValueRef<'_>, encoding: Encoding) -> rusqlite::Result<Option<String>> {
    Ok(match (value, encoding) {
        (ValueRef::Null, _) => None,
        (ValueRef::Integer(n), Encoding::Boolean) => Some((n != 0).to_string()),
        (ValueRef::Integer(n), Encoding::Decimal) => Some(format::double(n as f64)),
        (ValueRef::Real(x), _) => Some(format::double(x)),
        (value, encoding) => Some(key_of_json(&encode(value, encoding)?)),
    })
}

/// An element of an array as the key of a map.
pub fn key_of_json(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        Json::Number(number) if number.is_f64() => format::double(number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}

/// The key of a map as a value in an array.
pub fn json_of_key(key: &str, encoding: Encoding) -> Json {
    match encoding {
        Encoding::Boolean => Json::Bool(key == "true"),
        Encoding::Whole => key.parse::<i64>().map_or(Json::Null, |n| Json::Number(n.into())),
        Encoding::Decimal => key.parse::<f64>().map_or(Json::Null, real),
        Encoding::Json => serde_json::from_str(key).unwrap_or(Json::Null),
        Encoding::Text | Encoding::Bytes => Json::String(key.to_owned()),
    }
}

/// An argument that is a letter of an [`Encoding`].
pub fn encoding_arg(call: &Context<'_>, index: usize) -> rusqlite::Result<Encoding> {
    Ok(Encoding::of_letter(text_arg(call, index)?.unwrap_or_default()))
}

/// An argument that is an array; none for NULL.
pub fn array_arg(call: &Context<'_>, index: usize) -> rusqlite::Result<Option<Vec<Json>>> {
    match text_arg(call, index)? {
        None => Ok(None),
        Some(text) => match limit::json(text.as_bytes())? {
            Some(Json::Array(array)) => Ok(Some(array)),
            _ => Err(failed("the value is not an array")),
        },
    }
}

/// An argument that is a map; none for NULL.
pub fn map_arg(call: &Context<'_>, index: usize) -> rusqlite::Result<Option<Map<String, Json>>> {
    match text_arg(call, index)? {
        None => Ok(None),
        Some(text) => match limit::json(text.as_bytes())? {
            Some(Json::Object(map)) => Ok(Some(map)),
            _ => Err(failed("the value is not a map")),
        },
    }
}

/// The order of two values. Those of one type are compared as such, others by their types as in SQLite, so that it is
/// an order of all values.
pub fn value_order(a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
    let rank = |value| match value {
        ValueRef::Null => 0,
        ValueRef::Integer(_) | ValueRef::Real(_) => 1,
        ValueRef::Text(_) => 2,
        ValueRef::Blob(_) => 3,
    };
    // Large whole numbers beside each other are one double.
    let number = |value| match value {
        ValueRef::Integer(n) => (n as f64, n),
        // Zero has no sign.
        ValueRef::Real(x) => (x + 0.0, x as i64),
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => (0.0, 0),
    };
    match (a, b) {
        (ValueRef::Text(a), ValueRef::Text(b)) | (ValueRef::Blob(a), ValueRef::Blob(b)) => a.cmp(b),
        (a, b) => rank(a).cmp(&rank(b)).then_with(|| {
            let ((a, whole_a), (b, whole_b)) = (number(a), number(b));
            a.total_cmp(&b).then(whole_a.cmp(&whole_b))
        }),
    }
}

/// The order of elements of one type; NULL comes last.
pub fn order(a: &Json, b: &Json) -> Ordering {
    match (a, b) {
        (Json::Null, Json::Null) => Ordering::Equal,
        (Json::Null, _) => Ordering::Greater,
        (_, Json::Null) => Ordering::Less,
        (Json::Number(a), Json::Number(b)) => value_order(number(a), number(b)),
        (Json::String(a), Json::String(b)) => a.cmp(b),
        (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
        (Json::Array(a), Json::Array(b)) => {
            let unequal = a.iter().zip(b).map(|(a, b)| order(a, b)).find(|order| order.is_ne());
            unequal.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (a, b) => identity(a).cmp(&identity(b)),
    }
}

fn number(number: &Number) -> ValueRef<'static> {
    match number.as_i64() {
        Some(n) => ValueRef::Integer(n),
        None => ValueRef::Real(number.as_f64().unwrap_or_default()),
    }
}

/// The text that equal elements of one type have: that of their JSON, with the entries of maps in order.
pub fn identity(json: &Json) -> String {
    match json {
        Json::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entry = |(key, value): &(&String, &Json)| {
                format!("{}:{}", Json::String((*key).clone()), identity(value))
            };
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
        }
        Json::Array(array) if array.iter().any(|json| json.is_array() || json.is_object()) => {
            format!("[{}]", array.iter().map(identity).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_one_order() {
        let ordered = [
            ValueRef::Null,
            ValueRef::Real(-1.5),
            ValueRef::Integer(0),
            ValueRef::Integer(i64::MAX - 1),
            ValueRef::Integer(i64::MAX),
            ValueRef::Real(1e300),
            ValueRef::Text(b"a"),
            ValueRef::Text(b"b"),
            ValueRef::Blob(b"a"),
            ValueRef::Blob(b"b"),
        ];
        for (at, a) in ordered.iter().enumerate() {
            for (other, b) in ordered.iter().enumerate() {
                assert_eq!(value_order(*a, *b), at.cmp(&other), "{a:?} {b:?}");
            }
        }
        assert_eq!(value_order(ValueRef::Real(-0.0), ValueRef::Integer(0)), Ordering::Equal);
    }
}
