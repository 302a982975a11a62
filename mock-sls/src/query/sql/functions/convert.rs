//! Casts. What can be cast at all is known before, see [`castable`]; a value that cannot is an
//! error, or NULL for `try_cast`.

use std::sync::Arc;

use jiff::tz::TimeZone;
use rusqlite::{
    functions::Context,
    types::{Value, ValueRef},
};
use serde_json::{Map, Value as Json};

use super::{
    PURE, Registrar, failed,
    json::scalar_text,
    limit, moments, scalar,
    texts::text_arg,
    values::{decode, encode, key_text, real},
};
use crate::query::{
    expr::parse_double,
    sql::{
        format,
        types::{Encoding, Type},
    },
};

pub fn register(db: &Registrar<'_>, zone: &TimeZone) -> rusqlite::Result<()> {
    let zone = zone.clone();
    scalar(db, "sls_cast", 4, PURE, move |call| cast(call, &zone))?;
    // A container, and a type that holds it.
    scalar(db, "sls_widen", 2, PURE, |call| {
        let (Some(text), to) = (text_arg(call, 0)?, type_arg(call, 1)?) else { return Ok(None) };
        Ok(limit::json(text.as_bytes())?.map(|json| widened(json, &to.0).to_string()))
    })
}

/// An argument that is the name of a type.
fn type_arg(call: &Context<'_>, index: usize) -> rusqlite::Result<Arc<TypeName>> {
    let text = text_arg(call, index)?.unwrap_or_default();
    let known = call.get_or_create_aux(index as std::ffi::c_int, |_| {
        TypeName::parse(text).ok_or_else(|| failed(format!("{text} is no type")))
    })?;
    Ok(known)
}

/// Whether there is a cast between two types.
pub fn castable(from: &Type, to: &Type) -> bool {
    use Type as T;
    match (from, to) {
        (T::Null | T::Json, _) | (_, T::Json) => true,
        (same, as_this) if same == as_this => true,
        (T::Varchar, T::Array(_) | T::Map(..) | T::Row(_) | T::Interval) => false,
        (T::Varchar, _) => true,
        (T::Bigint | T::Double | T::Boolean, T::Bigint | T::Double | T::Boolean | T::Varchar) => true,
        (T::Timestamp | T::TimestampTz(_) | T::Date, to) => to.is_time() || *to == T::Varchar,
        (T::Interval, T::Varchar) => true,
        (T::Array(from), T::Array(to)) => castable(from, to),
        (T::Map(key, value), T::Map(to_key, to_value)) => castable(key, to_key) && castable(value, to_value),
        (T::Row(from), T::Row(to)) => {
            from.len() == to.len() && from.iter().zip(to).all(|(from, to)| castable(&from.1, &to.1))
        }
        _ => false,
    }
}

/// `sls_cast(value, from, to, lenient)`, with types as they are shown.
fn cast(call: &Context<'_>, zone: &TimeZone) -> rusqlite::Result<Value> {
    let value = call.get_raw(0);
    if value == ValueRef::Null {
        return Ok(Value::Null);
    }
    let (from, to) = (type_arg(call, 1)?, type_arg(call, 2)?);
    if let (ValueRef::Text(text), Encoding::Json) = (value, from.0.encoding()) {
        limit::check_json(text)?;
    }
    match converted(value, &from.0, &to.0, zone) {
        Some(converted) => Ok(converted),
        None if call.get::<bool>(3)? => Ok(Value::Null),
        None => {
            let shown = match value {
                ValueRef::Integer(n) => n.to_string(),
                ValueRef::Real(x) => format::double(x),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                ValueRef::Null | ValueRef::Blob(_) => String::new(),
            };
            // The service says INT for bigint. Source: document "Common errors".
            let target = match &to.0 {
                Type::Bigint => "INT".to_owned(),
                other => other.to_string().to_uppercase(),
            };
            Err(failed(format!("Can not cast '{shown}' to {target}")))
        }
    }
}

fn converted(value: ValueRef<'_>, from: &Type, to: &Type, zone: &TimeZone) -> Option<Value> {
    use Type as T;
    let text = match value {
        ValueRef::Text(text) => std::str::from_utf8(text).ok()?,
        _ => "",
    };
    let number = |value| match value {
        ValueRef::Real(x) => Some(x),
        ValueRef::Integer(n) => Some(n as f64),
        _ => None,
    };
    match (from, to) {
        (T::Json, to) => {
            let json = in_json(serde_json::from_str(text).ok()?, to)?;
            Some(decode(json, to.encoding()))
        }
        (T::Varchar, T::Json) => Some(Value::Text(Json::String(text.to_owned()).to_string())),
        (T::Array(_) | T::Map(..) | T::Row(_), _) => {
            let json = in_json(serde_json::from_str(text).ok()?, to)?;
            Some(decode(json, to.encoding()))
        }
        (from, T::Json) if from.is_time() => {
            let shown = moments::shown(value.as_i64().ok()?, from, zone)?;
            Some(Value::Text(Json::String(shown).to_string()))
        }
        (from, T::Json) => Some(Value::Text(encode(value, from.encoding()).ok()?.to_string())),
        (T::Varchar, T::Bigint) => text.trim().parse().ok().map(Value::Integer),
        (T::Double, T::Bigint) => rounded(number(value)?).map(Value::Integer),
        (T::Boolean, T::Bigint) => value.as_i64().ok().map(Value::Integer),
        (T::Boolean | T::Bigint, T::Double) => number(value).map(Value::Real),
        (T::Varchar, T::Double) => parse_double(text.trim()).map(Value::Real),
        (T::Varchar, T::Boolean) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => Some(Value::Integer(1)),
            "false" | "f" | "0" => Some(Value::Integer(0)),
            _ => None,
        },
        (T::Bigint | T::Double, T::Boolean) => Some(Value::Integer(i64::from(number(value)? != 0.0))),
        (T::Bigint, T::Varchar) => Some(Value::Text(value.as_i64().ok()?.to_string())),
        (T::Double, T::Varchar) => Some(Value::Text(format::double(number(value)?))),
        (T::Boolean, T::Varchar) => Some(Value::Text((value.as_i64().ok()? != 0).to_string())),
        (T::Varchar, T::Varbinary) => Some(Value::Blob(text.as_bytes().to_vec())),
        (T::Varchar, T::Date) => {
            moments::start_of_day(moments::parse_time(text, zone)?.millisecond, zone).map(Value::Integer)
        }
        (T::Varchar, to) if to.is_time() => {
            moments::parse_time(text, zone).map(|time| Value::Integer(time.millisecond))
        }
        (from, T::Varchar) if from.is_time() || *from == T::Interval => {
            moments::shown(value.as_i64().ok()?, from, zone).map(Value::Text)
        }
        (from, T::Date) if from.is_time() => {
            moments::start_of_day(value.as_i64().ok()?, zone).map(Value::Integer)
        }
        (from, to) if from.is_time() && to.is_time() => Some(value.into()),
        _ => None,
    }
}

/// A JSON value of a type that `to` holds as one of type `to` stands in JSON.
fn widened(json: Json, to: &Type) -> Json {
    match (json, to) {
        (Json::Number(number), Type::Double) => real(number.as_f64().unwrap_or_default()),
        (Json::Array(array), Type::Array(element)) => {
            array.into_iter().map(|json| widened(json, element)).collect()
        }
        (Json::Array(array), Type::Row(fields)) => {
            array.into_iter().zip(fields).map(|(json, (_, ty))| widened(json, ty)).collect()
        }
        (Json::Object(object), Type::Map(key, value)) => {
            let wider = |name: String| match (&**key, name.parse()) {
                (Type::Double, Ok(number)) => format::double(number),
                _ => name,
            };
            object.into_iter().map(|(name, json)| (wider(name), widened(json, value))).collect()
        }
        (json, _) => json,
    }
}

/// A JSON value as one of type `to` stands in JSON.
fn in_json(json: Json, to: &Type) -> Option<Json> {
    match (json, to) {
        (Json::Null, _) => Some(Json::Null),
        (json, Type::Json) => Some(json),
        (Json::Array(array), Type::Array(element)) => {
            let elements = array.into_iter().map(|json| in_json(json, element));
            elements.collect::<Option<Vec<_>>>().map(Json::Array)
        }
        (Json::Object(object), Type::Map(key, value)) => {
            let mut map = Map::new();
            for (name, json) in object {
                map.insert(key_in_json(name, key)?, in_json(json, value)?);
            }
            Some(Json::Object(map))
        }
        (Json::Array(array), Type::Row(fields)) if array.len() == fields.len() => {
            let values = array.into_iter().zip(fields).map(|(json, (_, ty))| in_json(json, ty));
            values.collect::<Option<Vec<_>>>().map(Json::Array)
        }
        (Json::Object(mut object), Type::Row(fields)) => {
            let values = fields.iter().map(|(name, ty)| {
                let name = name.as_deref().unwrap_or_default();
                let key = object.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned();
                in_json(key.and_then(|key| object.swap_remove(&key)).unwrap_or_default(), ty)
            });
            values.collect::<Option<Vec<_>>>().map(Json::Array)
        }
        (Json::Number(number), Type::Bigint) => match number.as_i64() {
            Some(_) => Some(Json::Number(number)),
            None => rounded(number.as_f64()?).map(|n| Json::Number(n.into())),
        },
        (Json::Number(number), Type::Double) => number.as_f64().map(real),
        (Json::Bool(value), Type::Bigint) => Some(Json::Number(i64::from(value).into())),
        (Json::Bool(value), Type::Double) => Some(real(f64::from(u8::from(value)))),
        (Json::Bool(value), Type::Boolean) => Some(Json::Bool(value)),
        (Json::Number(number), Type::Boolean) => Some(Json::Bool(number.as_f64()? != 0.0)),
        (Json::String(text), Type::Bigint) => text.parse::<i64>().ok().map(|n| Json::Number(n.into())),
        (Json::String(text), Type::Double) => parse_double(&text).map(real),
        (Json::String(text), Type::Boolean) => match text.as_str() {
            "true" => Some(Json::Bool(true)),
            "false" => Some(Json::Bool(false)),
            _ => None,
        },
        (json, Type::Varchar) => scalar_text(&json).map(Json::String),
        _ => None,
    }
}

fn key_in_json(name: String, key: &Type) -> Option<String> {
    match key {
        Type::Varchar | Type::Json => Some(name),
        other => {
            let json = in_json(Json::String(name), other)?;
            let value = decode(json, other.encoding());
            key_text(ValueRef::from(&value), other.encoding()).ok()?
        }
    }
}

/// The nearest whole number, halves away from zero, if there is one.
fn rounded(x: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let x = x.round();
    (-LIMIT..LIMIT).contains(&x).then_some(x as i64)
}

/// A type read back from how it is shown.
struct TypeName(Type);

impl TypeName {
    fn parse(text: &str) -> Option<Self> {
        let (ty, rest) = Self::begin(text)?;
        rest.is_empty().then_some(Self(ty))
    }

    fn begin(text: &str) -> Option<(Type, &str)> {
        for (name, ty) in [
            ("unknown", Type::Null),
            ("boolean", Type::Boolean),
            ("bigint", Type::Bigint),
            ("double", Type::Double),
            ("varchar", Type::Varchar),
            ("varbinary", Type::Varbinary),
            ("timestamp with time zone", Type::TimestampTz(String::new())),
            ("timestamp", Type::Timestamp),
            ("date", Type::Date),
            ("interval day to second", Type::Interval),
            ("json", Type::Json),
        ] {
            if let Some(rest) = text.strip_prefix(name) {
                return Some((ty, rest));
            }
        }
        if let Some(inner) = text.strip_prefix("array(") {
            let (element, rest) = Self::begin(inner)?;
            return Some((element.array(), rest.strip_prefix(')')?));
        }
        if let Some(inner) = text.strip_prefix("map(") {
            let (key, rest) = Self::begin(inner)?;
            let (value, rest) = Self::begin(rest.strip_prefix(", ")?)?;
            return Some((Type::map(key, value), rest.strip_prefix(')')?));
        }
        let mut rest = text.strip_prefix("row(")?;
        let mut fields = Vec::new();
        loop {
            let (name, ty, after) = match Self::begin(rest) {
                Some((ty, after)) if after.starts_with([',', ')']) => (None, ty, after),
                _ => {
                    let (name, after) = field_name(rest)?;
                    let (ty, after) = Self::begin(after)?;
                    (Some(name), ty, after)
                }
            };
            fields.push((name, ty));
            match after.strip_prefix(", ") {
                Some(next) => rest = next,
                None => return Some((Type::Row(fields), after.strip_prefix(')')?)),
            }
        }
    }
}

/// The name of a field, which may be in double quotes, and what stands behind it and a blank.
fn field_name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return text.split_once(' ').map(|(name, rest)| (name.to_owned(), rest));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let (piece, behind) = rest.split_once('"')?;
        name.push_str(piece);
        match behind.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, behind.strip_prefix(' ')?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_back() {
        for ty in [
            Type::map(Type::Varchar, Type::Bigint.array()),
            Type::Row(vec![(None, Type::Bigint), (Some("date".to_owned()), Type::Json.array())]),
            Type::Row(vec![
                (Some("a b".to_owned()), Type::Bigint),
                (Some("\" bigint, \"".to_owned()), Type::Double),
                (Some(String::new()), Type::Varchar),
                (Some("größe".to_owned()), Type::Date),
            ]),
            Type::TimestampTz(String::new()),
        ] {
            assert_eq!(TypeName::parse(&ty.to_string()).map(|name| name.0), Some(ty));
        }
    }
}
