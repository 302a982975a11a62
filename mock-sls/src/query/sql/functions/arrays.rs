//! Functions of arrays. An array is the text of a JSON array, see [`super::values`].
//! Meanings: documents "Array functions and operators" and, where they are short, Presto's.

use std::{borrow::Cow, collections::HashSet};

use rusqlite::{
    functions::Context,
    types::{Value, ValueRef},
};
use serde_json::Value as Json;

use super::{
    PURE, Registrar, failed, limit, scalar,
    texts::text_arg,
    values::{array_arg, decode, encode, encoding_arg, identity, key_of_json, order},
};

/// Elements of an array that a function makes. Source: Presto's limit of `sequence`.
const MADE_ELEMENTS_MAX: i64 = 10_000;

type Array = Vec<Json>;

pub fn register(db: &Registrar<'_>) -> rusqlite::Result<()> {
    scalar(db, "sls_array", -1, PURE, |call| {
        let encoding = encoding_arg(call, 0)?;
        limit::check_sizes(call)?;
        let values = (1..call.len()).map(|index| encode(call.get_raw(index), encoding));
        Ok(Json::Array(values.collect::<rusqlite::Result<_>>()?).to_string())
    })?;
    scalar(db, "sls_row", -1, PURE, |call| {
        // Letters of all fields first, then the fields.
        let letters = text_arg(call, 0)?.unwrap_or_default();
        limit::check_sizes(call)?;
        let fields = letters.char_indices().enumerate().map(|(index, (at, letter))| {
            let letter = letters.get(at..at + letter.len_utf8()).unwrap_or_default();
            encode(call.get_raw(index + 1), super::super::types::Encoding::of_letter(letter))
        });
        Ok(Json::Array(fields.collect::<rusqlite::Result<_>>()?).to_string())
    })?;
    scalar(db, "sls_element", 3, PURE, |call| element(call, true))?;
    scalar(db, "sls_element_or_null", 3, PURE, |call| element(call, false))?;
    scalar(db, "sls_texts", 1, PURE, |call| {
        let as_text = |json: Json| Json::String(json.to_string());
        Ok(json_arg(call)?.map(|container| match container {
            Json::Array(array) => Json::Array(array.into_iter().map(as_text).collect()).to_string(),
            Json::Object(map) => {
                Json::Object(map.into_iter().map(|(key, json)| (key, as_text(json))).collect()).to_string()
            }
            other => other.to_string(),
        }))
    })?;
    scalar(db, "sls_identity", 1, PURE, |call| Ok(json_arg(call)?.map(|json| identity(&json))))?;
    // Below zero, zero or above it, as the first of two containers comes before, with or after the other.
    scalar(db, "sls_order", 2, PURE, |call| {
        let (Some(a), Some(b)) = (text_arg(call, 0)?, text_arg(call, 1)?) else { return Ok(None) };
        let (a, b) = (limit::json(a.as_bytes())?, limit::json(b.as_bytes())?);
        Ok(a.zip(b).map(|(a, b)| order(&a, &b) as i64))
    })?;
    // BETWEEN for containers: what it compares stands there once.
    scalar(db, "sls_between", 3, PURE, |call| {
        let side = |at| text_arg(call, at)?.map_or(Ok(None), |text| limit::json(text.as_bytes()));
        let (value, low, high) = (side(0)?, side(1)?, side(2)?);
        let above = value.as_ref().zip(low).map(|(value, low)| order(value, &low).is_ge());
        let below = value.zip(high).map(|(value, high)| order(&value, &high).is_le());
        Ok(match (above, below) {
            (Some(above), Some(below)) => Some(above && below),
            // What is on the wrong side of one bound is so whatever the other one is.
            (Some(false), _) | (_, Some(false)) => Some(false),
            _ => None,
        })
    })?;
    scalar(db, "sls_zip", -1, PURE, zip)?;
    scalar(db, "sls_cardinality", 1, PURE, |call| {
        Ok(json_arg(call)?.and_then(|json| match json {
            Json::Array(array) => Some(array.len() as i64),
            Json::Object(map) => Some(map.len() as i64),
            _ => None,
        }))
    })?;
    of_one(db)?;
    of_two(db)?;
    scalar(db, "sls_array_join", 3, PURE, join)?;
    scalar(db, "sls_slice", 3, PURE, slice)?;
    scalar(db, "sls_sequence", 3, PURE, sequence)?;
    scalar(db, "sls_repeat", 3, PURE, |call| {
        let encoding = encoding_arg(call, 2)?;
        let Some(count) = call.get::<Option<i64>>(1)? else { return Ok(None) };
        if !(0..=MADE_ELEMENTS_MAX).contains(&count) {
            return Err(failed(format!(
                "count argument of repeat function must be between 0 and {MADE_ELEMENTS_MAX}"
            )));
        }
        let value = encode(call.get_raw(0), encoding)?.to_string();
        let count = usize::try_from(count).unwrap_or_default();
        limit::check_bytes((value.len() + 1).saturating_mul(count))?;
        Ok(Some(format!("[{}]", vec![value.as_str(); count].join(","))))
    })
}

/// The first argument, an array or a map.
fn json_arg(call: &Context<'_>) -> rusqlite::Result<Option<Json>> {
    text_arg(call, 0)?.map_or(Ok(None), |text| limit::json(text.as_bytes()))
}

fn of_one(db: &Registrar<'_>) -> rusqlite::Result<()> {
    array(db, "sls_array_distinct", |array| Ok(distinct(array)))?;
    array(db, "sls_array_sort", |mut array| {
        array.sort_by(order);
        Ok(array)
    })?;
    array(db, "sls_array_sort_desc", |mut array| {
        array.sort_by(|a, b| match (a.is_null(), b.is_null()) {
            (false, false) => order(b, a),
            _ => order(a, b),
        });
        Ok(array)
    })?;
    array(db, "sls_array_reverse", |mut array| {
        array.reverse();
        Ok(array)
    })?;
    array(db, "sls_array_shuffle", |mut array| {
        fastrand::shuffle(&mut array);
        Ok(array)
    })?;
    array(db, "sls_flatten", |array| {
        let inner = array.into_iter().flat_map(|inner| match inner {
            Json::Array(inner) => inner,
            _ => Vec::new(),
        });
        Ok(inner.collect())
    })?;
    array(db, "sls_array_transpose", transposed)?;
    array(db, "sls_blocks", |array| {
        let size = array.len().isqrt().max(1);
        Ok(array.chunks(size).map(Json::from).collect())
    })?;
    for (name, wanted) in
        [("sls_array_max", std::cmp::Ordering::Greater), ("sls_array_min", std::cmp::Ordering::Less)]
    {
        scalar(db, name, 2, PURE, move |call| {
            let encoding = encoding_arg(call, 1)?;
            let Some(array) = array_arg(call, 0)? else { return Ok(Value::Null) };
            if array.iter().any(Json::is_null) {
                return Ok(Value::Null);
            }
            let best = array.into_iter().reduce(
                |best, other| {
                    if order(&other, &best) == wanted { other } else { best }
                },
            );
            Ok(best.map_or(Value::Null, |best| decode(best, encoding)))
        })?;
    }
    scalar(db, "sls_array_sum", 2, PURE, |call| {
        let Some(array) = array_arg(call, 0)? else { return Ok(Value::Null) };
        match text_arg(call, 1)? {
            Some("d") => Ok(Value::Real(array.iter().filter_map(Json::as_f64).sum())),
            _ => {
                let sum = array.iter().filter_map(Json::as_i64).try_fold(0i64, i64::checked_add);
                sum.map(Value::Integer).ok_or_else(|| failed("bigint addition overflow"))
            }
        }
    })?;
    scalar(db, "sls_array_average", 1, PURE, |call| {
        let Some(array) = array_arg(call, 0)? else { return Ok(None) };
        let numbers: Vec<f64> = array.iter().filter_map(Json::as_f64).collect();
        Ok((!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64))
    })
}

fn of_two(db: &Registrar<'_>) -> rusqlite::Result<()> {
    arrays(db, "sls_array_concat", |mut a, b| {
        a.extend(b);
        a
    })?;
    arrays(db, "sls_array_union", |mut a, b| {
        a.extend(b);
        distinct(a)
    })?;
    arrays(db, "sls_array_intersect", |a, b| {
        let b = texts_of(&b);
        distinct(a.into_iter().filter(|x| b.contains(&identity(x))).collect())
    })?;
    arrays(db, "sls_array_except", |a, b| {
        let b = texts_of(&b);
        distinct(a.into_iter().filter(|x| !b.contains(&identity(x))).collect())
    })?;
    scalar(db, "sls_arrays_overlap", 2, PURE, |call| {
        let (Some(a), Some(b)) = (array_arg(call, 0)?, array_arg(call, 1)?) else { return Ok(None) };
        let b = texts_of(&b);
        Ok(Some(a.iter().any(|x| !x.is_null() && b.contains(&identity(x)))))
    })?;
    with_element(db, "sls_array_contains", |array, element| {
        Value::Integer(i64::from(array.contains(&element)))
    })?;
    with_element(db, "sls_array_position", |array, element| {
        Value::Integer(array.iter().position(|x| *x == element).map_or(0, |at| at as i64 + 1))
    })?;
    with_element(db, "sls_array_remove", |mut array, element| {
        array.retain(|x| *x != element);
        Value::Text(Json::Array(array).to_string())
    })?;
    scalar(db, "sls_array_add", 4, PURE, |call| {
        // Puts a value before (1) or behind (0) an array.
        let encoding = encoding_arg(call, 2)?;
        let Some(mut array) = array_arg(call, 0)? else { return Ok(None) };
        let value = encode(call.get_raw(1), encoding)?;
        match call.get::<bool>(3)? {
            true => array.insert(0, value),
            false => array.push(value),
        }
        Ok(Some(Json::Array(array).to_string()))
    })
}

fn array(db: &Registrar<'_>, name: &str, f: fn(Array) -> rusqlite::Result<Array>) -> rusqlite::Result<()> {
    scalar(db, name, 1, PURE, move |call| changed(call, f))
}

fn changed(
    call: &Context<'_>,
    f: impl Fn(Array) -> rusqlite::Result<Array>,
) -> rusqlite::Result<Option<String>> {
    array_arg(call, 0)?.map(|array| f(array).map(|array| Json::Array(array).to_string())).transpose()
}

fn arrays(db: &Registrar<'_>, name: &str, f: fn(Array, Array) -> Array) -> rusqlite::Result<()> {
    scalar(db, name, 2, PURE, move |call| {
        let (a, b) = (array_arg(call, 0)?, array_arg(call, 1)?);
        Ok(a.zip(b).map(|(a, b)| Json::Array(f(a, b)).to_string()))
    })
}

/// A function of an array, an element and the element's encoding.
fn with_element(db: &Registrar<'_>, name: &str, f: fn(Array, Json) -> Value) -> rusqlite::Result<()> {
    scalar(db, name, 3, PURE, move |call| {
        let element = encode(call.get_raw(1), encoding_arg(call, 2)?)?;
        match array_arg(call, 0)? {
            Some(array) if !element.is_null() => Ok(f(array, element)),
            _ => Ok(Value::Null),
        }
    })
}

/// What elements are found by: those that are equal have one text.
fn texts_of(array: &Array) -> HashSet<String> {
    array.iter().map(identity).collect()
}

fn distinct(array: Array) -> Array {
    let mut seen = HashSet::new();
    array.into_iter().filter(|json| seen.insert(identity(json))).collect()
}

fn transposed(array: Array) -> rusqlite::Result<Array> {
    let rows: Option<Vec<&Array>> = array.iter().map(Json::as_array).collect();
    let rows = rows.ok_or_else(|| failed("array_transpose needs an array of arrays"))?;
    let width = rows.iter().map(|row| row.len()).max().unwrap_or_default();
    limit::check_elements(rows.len().saturating_mul(width))?;
    let column = |at| Json::from_iter(rows.iter().map(|row| row.get(at).cloned().unwrap_or_default()));
    Ok((0..width).map(column).collect())
}

/// Element of an array, from 1. Texts of the errors: document "SQL error center".
fn element(call: &Context<'_>, strict: bool) -> rusqlite::Result<Value> {
    let encoding = encoding_arg(call, 2)?;
    let (Some(mut array), Some(index)) = (array_arg(call, 0)?, call.get::<Option<i64>>(1)?) else {
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
        Some(position) => Ok(decode(array.swap_remove(position), encoding)),
        None if strict => Err(failed("Array subscript out of bounds")),
        None => Ok(Value::Null),
    }
}

/// Rows of the elements of several arrays; the shorter ones are filled up with null.
fn zip(call: &Context<'_>) -> rusqlite::Result<String> {
    let mut columns = Vec::new();
    for index in 0..call.len() {
        columns.push(array_arg(call, index)?.unwrap_or_default());
    }
    let length = columns.iter().map(Vec::len).max().unwrap_or_default();
    limit::check_elements(columns.len().saturating_mul(length))?;
    let row = |at| {
        Json::from_iter(columns.iter().map(|column: &Array| column.get(at).cloned().unwrap_or_default()))
    };
    Ok(Json::from_iter((0..length).map(row)).to_string())
}

fn join(call: &Context<'_>) -> rusqlite::Result<Option<String>> {
    let (Some(array), Some(delimiter)) = (array_arg(call, 0)?, text_arg(call, 1)?) else {
        return Ok(None);
    };
    let replacement = text_arg(call, 2)?;
    let texts = array.iter().filter_map(|json| match json {
        Json::Null => replacement.map(Cow::Borrowed),
        other => Some(Cow::Owned(key_of_json(other))),
    });
    let mut joined = String::new();
    for (index, text) in texts.enumerate() {
        if index > 0 {
            joined.push_str(delimiter);
        }
        limit::check_bytes(joined.len() + text.len() + delimiter.len())?;
        joined.push_str(&text);
    }
    Ok(Some(joined))
}

fn slice(call: &Context<'_>) -> rusqlite::Result<Option<String>> {
    let (Some(array), Some(start), Some(length)) =
        (array_arg(call, 0)?, call.get::<Option<i64>>(1)?, call.get::<Option<i64>>(2)?)
    else {
        return Ok(None);
    };
    if start == 0 {
        return Err(failed("SQL array indices start at 1"));
    }
    let length = usize::try_from(length).map_err(|_| failed("length must be greater than or equal to 0"))?;
    let from = if start > 0 { start - 1 } else { array.len() as i64 + start };
    let taken = match usize::try_from(from) {
        Ok(from) => array.into_iter().skip(from).take(length).collect(),
        Err(_) => Vec::new(),
    };
    Ok(Some(Json::Array(taken).to_string()))
}

fn sequence(call: &Context<'_>) -> rusqlite::Result<Option<String>> {
    let (Some(start), Some(stop)) = (call.get::<Option<i64>>(0)?, call.get::<Option<i64>>(1)?) else {
        return Ok(None);
    };
    let step = match call.get_raw(2) {
        ValueRef::Null => {
            if stop >= start {
                1
            } else {
                -1
            }
        }
        _ => call.get::<i64>(2)?,
    };
    if step == 0 || (stop > start) != (step > 0) && stop != start {
        return Err(failed(
            "sequence stop value should be greater than or equal to start value if step is greater than zero otherwise stop should be less than or equal to start",
        ));
    }
    let (start, step) = (i128::from(start), i128::from(step));
    let steps = (i128::from(stop) - start) / step;
    if steps >= i128::from(MADE_ELEMENTS_MAX) {
        return Err(failed(format!(
            "result of sequence function must not have more than {MADE_ELEMENTS_MAX} entries"
        )));
    }
    // None is beyond `stop`.
    let elements = (0..=steps).filter_map(|at| i64::try_from(start + at * step).ok());
    Ok(Some(Json::from_iter(elements).to_string()))
}
