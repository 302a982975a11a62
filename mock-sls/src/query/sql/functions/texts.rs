//! Functions of texts and numbers that SQLite lacks or has for ASCII only.

use rusqlite::{
    Connection,
    functions::{Context, FunctionFlags},
};

use super::failed;

/// Longest text that padding makes, characters. Guess: bounds memory.
const PADDED_CHARS_MAX: usize = 1 << 20;

const PURE: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC);

pub fn register(db: &Connection) -> rusqlite::Result<()> {
    text(db, "sls_lower", |text| text.to_lowercase())?;
    text(db, "sls_upper", |text| text.to_uppercase())?;
    text(db, "sls_reverse", |text| text.chars().rev().collect())?;
    number(db, "sls_ceil", f64::ceil)?;
    number(db, "sls_floor", f64::floor)?;
    number(db, "sls_truncate", f64::trunc)?;
    number(db, "sls_sqrt", f64::sqrt)?;
    number(db, "sls_exp", f64::exp)?;
    number(db, "sls_ln", f64::ln)?;
    number(db, "sls_log2", f64::log2)?;
    number(db, "sls_log10", f64::log10)?;
    numbers(db, "sls_power", f64::powf)?;
    numbers(db, "sls_mod", |a, b| a % b)?;
    db.create_scalar_function("sls_split_part", 3, PURE, split_part)?;
    db.create_scalar_function("sls_split", 2, PURE, split)?;
    db.create_scalar_function("sls_pad", 4, PURE, pad)
}

fn text(
    db: &Connection,
    name: &str,
    f: impl Fn(&str) -> String + Send + std::panic::UnwindSafe + std::panic::RefUnwindSafe + 'static,
) -> rusqlite::Result<()> {
    db.create_scalar_function(name, 1, PURE, move |call| Ok(text_arg(call, 0)?.map(&f)))
}

fn number(db: &Connection, name: &str, f: fn(f64) -> f64) -> rusqlite::Result<()> {
    db.create_scalar_function(name, 1, PURE, move |call| Ok(call.get::<Option<f64>>(0)?.map(f)))
}

fn numbers(db: &Connection, name: &str, f: fn(f64, f64) -> f64) -> rusqlite::Result<()> {
    db.create_scalar_function(name, 2, PURE, move |call| {
        let (a, b) = (call.get::<Option<f64>>(0)?, call.get::<Option<f64>>(1)?);
        Ok(a.zip(b).map(|(a, b)| f(a, b)))
    })
}

/// An argument as text; none for NULL.
pub fn text_arg<'c>(call: &'c Context<'_>, index: usize) -> rusqlite::Result<Option<&'c str>> {
    match call.get_raw(index).as_str_or_null() {
        Ok(text) => Ok(text),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn split_part(call: &Context<'_>) -> rusqlite::Result<Option<String>> {
    let (Some(text), Some(delimiter), Some(index)) =
        (text_arg(call, 0)?, text_arg(call, 1)?, call.get::<Option<i64>>(2)?)
    else {
        return Ok(None);
    };
    let index = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
    let index = index.ok_or_else(|| failed("Index must be greater than zero"))?;
    match delimiter.is_empty() {
        true => Ok(text.chars().nth(index).map(String::from)),
        false => Ok(text.split(delimiter).nth(index).map(str::to_owned)),
    }
}

fn split(call: &Context<'_>) -> rusqlite::Result<Option<String>> {
    let (Some(text), Some(delimiter)) = (text_arg(call, 0)?, text_arg(call, 1)?) else {
        return Ok(None);
    };
    if delimiter.is_empty() {
        return Err(failed("The delimiter may not be the empty string"));
    }
    Ok(Some(array(text.split(delimiter))))
}

/// Texts as an SQL array.
pub fn array<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    serde_json::Value::from_iter(texts).to_string()
}

fn pad(call: &Context<'_>) -> rusqlite::Result<Option<String>> {
    let (Some(text), Some(size), Some(padding)) =
        (text_arg(call, 0)?, call.get::<Option<i64>>(1)?, text_arg(call, 2)?)
    else {
        return Ok(None);
    };
    let size = usize::try_from(size).ok().filter(|&size| size <= PADDED_CHARS_MAX);
    let size =
        size.ok_or_else(|| failed(format!("Target length must be in the range [0..{PADDED_CHARS_MAX}]")))?;
    if padding.is_empty() {
        return Err(failed("Padding string must not be empty"));
    }
    let missing = size.saturating_sub(text.chars().count());
    let padding: String = padding.chars().cycle().take(missing).collect();
    let left: bool = call.get(3)?;
    let kept: String = text.chars().take(size).collect();
    Ok(Some(if left { padding + &kept } else { kept + &padding }))
}
