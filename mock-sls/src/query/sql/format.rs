//! How values of a result are shown: always as text. Source: `sls-query.md` §3.1.

use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::tz::TimeZone;
use rusqlite::types::ValueRef;
use serde_json::Value as Json;

use super::{
    SqlError,
    functions::{java_double, show_date, show_interval, show_timestamp, show_zoned},
    types::Type,
};

/// The text of a result's value. NULL is `null` (Grafana plugin).
///
/// # Errors
/// A whole number that became too large: SQLite goes on with a double.
pub fn value(value: ValueRef<'_>, ty: &Type, zone: &TimeZone) -> Result<String, SqlError> {
    Ok(match (value, ty) {
        (ValueRef::Null, _) => "null".to_owned(),
        (ValueRef::Integer(n), Type::Boolean) => (n != 0).to_string(),
        (ValueRef::Integer(n), Type::Double) => double(n as f64),
        (ValueRef::Integer(n), ty) => moment(n, ty, zone).unwrap_or_else(|| n.to_string()),
        (ValueRef::Real(_), Type::Bigint) => {
            return Err(SqlError::Execution("bigint overflow".to_owned()));
        }
        (ValueRef::Real(x), _) => double(x),
        (ValueRef::Text(text), Type::Array(_) | Type::Map(..) | Type::Row(_)) => {
            match serde_json::from_slice(text) {
                Ok(json) => nested(&json, ty, zone),
                Err(_) => String::from_utf8_lossy(text).into_owned(),
            }
        }
        (ValueRef::Text(text), _) => String::from_utf8_lossy(text).into_owned(),
        // Source: Presto's client protocol.
        (ValueRef::Blob(bytes), _) => BASE64_STANDARD.encode(bytes),
    })
}

fn moment(n: i64, ty: &Type, zone: &TimeZone) -> Option<String> {
    match ty {
        Type::Timestamp => show_timestamp(n, zone),
        Type::TimestampTz(name) => show_zoned(n, name, zone),
        Type::Date => show_date(n, zone),
        Type::Interval => Some(show_interval(n)),
        _ => None,
    }
}

/// A value in an array, map or row, as JSON.
fn nested(json: &Json, ty: &Type, zone: &TimeZone) -> String {
    let quoted = |text: String| Json::String(text).to_string();
    match (json, ty) {
        (Json::Array(array), Type::Array(element)) => {
            let elements: Vec<String> = array.iter().map(|json| nested(json, element, zone)).collect();
            format!("[{}]", elements.join(","))
        }
        (Json::Array(array), Type::Row(fields)) => {
            let values = array.iter().zip(fields).map(|(json, (_, ty))| nested(json, ty, zone));
            format!("[{}]", values.collect::<Vec<_>>().join(","))
        }
        (Json::Object(object), Type::Map(key, value)) => {
            let shown = |key_text: &String| match key_text.parse::<i64>() {
                Ok(n) => moment(n, key, zone).unwrap_or_else(|| key_text.clone()),
                Err(_) => key_text.clone(),
            };
            let entries = object
                .iter()
                .map(|(key, json)| format!("{}:{}", quoted(shown(key)), nested(json, value, zone)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        (Json::Number(number), Type::Double) => plain_double(number.as_f64().unwrap_or_default()),
        (Json::Number(number), ty) => {
            let shown = number.as_i64().and_then(|n| moment(n, ty, zone));
            shown.map_or_else(|| number.to_string(), quoted)
        }
        (json, _) => json.to_string(),
    }
}

/// A double as Java shows it: `200.0`, and `1.0E7` from ten millions on and below a thousandth.
/// Source: example of the document "compare function"; the exponent is general knowledge.
pub fn double(x: f64) -> String {
    java_double(x)
}

/// A double inside of an array or map: without exponent up to 21 digits.
/// Source: example of the document "compare function" (`1611504000.0`).
fn plain_double(x: f64) -> String {
    match x.abs() {
        size if size == 0.0 || (1e-6..1e21).contains(&size) => {
            let plain = x.to_string();
            if plain.contains('.') { plain } else { plain + ".0" }
        }
        _ => Json::from(x).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_look_as_in_java() {
        for (x, text) in [
            (200.0, "200.0"),
            (0.0, "0.0"),
            (1.0 / 3.0, "0.3333333333333333"),
            (-2.5, "-2.5"),
            (1e7, "1.0E7"),
            (12_345_678.5, "1.23456785E7"),
            (9_999_999.0, "9999999.0"),
            (0.001, "0.001"),
            (0.00012, "1.2E-4"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(double(x), text);
        }
        assert_eq!(plain_double(1_611_504_000.0), "1611504000.0");
    }
}
