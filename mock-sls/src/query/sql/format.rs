//! How values of a result are shown: always as text. Source: `sls-query.md` §3.1.

use jiff::tz::TimeZone;
use rusqlite::types::ValueRef;

use super::{functions::show_timestamp, types::Type};

/// The text of a result's value. NULL is `null` (Grafana plugin).
pub fn value(value: ValueRef<'_>, ty: &Type, zone: &TimeZone) -> String {
    match (value, ty) {
        (ValueRef::Null, _) => "null".to_owned(),
        (ValueRef::Integer(n), Type::Boolean) => (n != 0).to_string(),
        (ValueRef::Integer(n), Type::Double) => double(n as f64),
        (ValueRef::Integer(n), Type::Timestamp) => show_timestamp(n, zone).unwrap_or_else(|| n.to_string()),
        (ValueRef::Integer(n), _) => n.to_string(),
        (ValueRef::Real(x), _) => double(x),
        (ValueRef::Text(text) | ValueRef::Blob(text), _) => String::from_utf8_lossy(text).into_owned(),
    }
}

/// A double as Java shows it: `200.0`, and `1.0E7` from ten millions on and below a thousandth.
/// Source: example of the document "compare function"; the exponent is general knowledge.
pub fn double(x: f64) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = x.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        let plain = x.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let scientific = format!("{x:E}");
    match scientific.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => scientific,
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
    }
}
