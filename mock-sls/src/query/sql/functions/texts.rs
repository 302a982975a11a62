//! Functions of texts that SQLite lacks, has for ASCII only, or has with another meaning.

use std::collections::HashMap;

use rusqlite::functions::Context;

use super::{PURE, Registrar, failed, limit::ArrayText, scalar};

/// Longest text that padding makes, characters. Guess: bounds memory.
const PADDED_CHARS_MAX: usize = 1 << 20;
/// Longest texts whose distance is measured, characters. Guess: the work is the product of both.
const DISTANCE_CHARS_MAX: usize = 4096;

pub fn register(db: &Registrar<'_>) -> rusqlite::Result<()> {
    text(db, "sls_lower", |text| text.to_lowercase())?;
    text(db, "sls_upper", |text| text.to_uppercase())?;
    text(db, "sls_reverse", |text| text.chars().rev().collect())?;
    text(db, "sls_trim", |text| text.trim().to_owned())?;
    text(db, "sls_ltrim", |text| text.trim_start().to_owned())?;
    text(db, "sls_rtrim", |text| text.trim_end().to_owned())?;
    scalar(db, "sls_substr", 3, PURE, substr)?;
    scalar(db, "sls_strpos", 3, PURE, |call| position(call, false))?;
    scalar(db, "sls_strrpos", 3, PURE, |call| position(call, true))?;
    scalar(db, "sls_split_part", 3, PURE, split_part)?;
    scalar(db, "sls_split", 3, PURE, split)?;
    scalar(db, "sls_pad", 4, PURE, pad)?;
    scalar(db, "sls_chr", 1, PURE, |call| {
        let Some(code) = call.get::<Option<i64>>(0)? else { return Ok(None) };
        let c = u32::try_from(code).ok().and_then(char::from_u32);
        c.map(|c| Some(c.to_string()))
            .ok_or_else(|| failed(format!("Not a valid Unicode code point: {code}")))
    })?;
    scalar(db, "sls_levenshtein", 2, PURE, |call| {
        let (Some(a), Some(b)) = (text_arg(call, 0)?, text_arg(call, 1)?) else { return Ok(None) };
        levenshtein(a, b).map(Some)
    })?;
    scalar(db, "sls_hamming", 2, PURE, |call| {
        let (Some(a), Some(b)) = (text_arg(call, 0)?, text_arg(call, 1)?) else { return Ok(None) };
        if a.chars().count() != b.chars().count() {
            return Err(failed("The input strings to hamming_distance function must have the same length"));
        }
        Ok(Some(a.chars().zip(b.chars()).filter(|(a, b)| a != b).count() as i64))
    })?;
    scalar(db, "sls_translate", 3, PURE, |call| {
        let (Some(text), Some(from), Some(to)) = (text_arg(call, 0)?, text_arg(call, 1)?, text_arg(call, 2)?)
        else {
            return Ok(None);
        };
        let mut letters = HashMap::new();
        let mut to = to.chars();
        for letter in from.chars() {
            // The first of equals.
            let other = to.next();
            letters.entry(letter).or_insert(other);
        }
        let translated = text.chars().filter_map(|c| letters.get(&c).copied().unwrap_or(Some(c)));
        Ok(Some(translated.collect::<String>()))
    })
}

fn text(db: &Registrar<'_>, name: &str, f: fn(&str) -> String) -> rusqlite::Result<()> {
    scalar(db, name, 1, PURE, move |call| Ok(text_arg(call, 0)?.map(f)))
}

/// An argument as text; none for NULL.
pub fn text_arg<'c>(call: &'c Context<'_>, index: usize) -> rusqlite::Result<Option<&'c str>> {
    match call.get_raw(index).as_str_or_null() {
        Ok(text) => Ok(text),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// From a place that counts from 1, or from the end when negative. Beyond the text it is empty.
fn substr(call: &Context<'_>) -> rusqlite::Result<Option<String>> {
    let (Some(text), Some(start)) = (text_arg(call, 0)?, call.get::<Option<i64>>(1)?) else {
        return Ok(None);
    };
    let length = match call.get_raw(2) {
        rusqlite::types::ValueRef::Null => usize::MAX,
        _ => usize::try_from(call.get::<i64>(2)?).unwrap_or_default(),
    };
    let skipped = match start {
        0 => None,
        1.. => usize::try_from(start - 1).ok(),
        _ => {
            usize::try_from(start.unsigned_abs()).ok().and_then(|back| text.chars().count().checked_sub(back))
        }
    };
    Ok(Some(skipped.map(|skipped| text.chars().skip(skipped).take(length).collect()).unwrap_or_default()))
}

/// The place of the n-th occurrence of a text, from 1; 0 when there is none.
fn position(call: &Context<'_>, backwards: bool) -> rusqlite::Result<Option<i64>> {
    let (Some(text), Some(wanted), Some(instance)) =
        (text_arg(call, 0)?, text_arg(call, 1)?, call.get::<Option<i64>>(2)?)
    else {
        return Ok(None);
    };
    let index = usize::try_from(instance).ok().and_then(|instance| instance.checked_sub(1));
    let index = index.ok_or_else(|| failed("'instance' must be a positive or negative number."))?;
    if wanted.is_empty() {
        return Ok(Some(1));
    }
    // Occurrences may overlap.
    let begins = |at: &usize| text.get(*at..).is_some_and(|rest| rest.starts_with(wanted));
    let found = match backwards {
        false => (0..text.len()).filter(begins).nth(index),
        true => (0..text.len()).rev().filter(begins).nth(index),
    };
    let chars_before = |at: usize| text.get(..at).unwrap_or_default().chars().count() as i64;
    Ok(Some(found.map_or(0, |at| chars_before(at) + 1)))
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

/// With a limit, the last piece is all that remains.
fn split(call: &Context<'_>) -> rusqlite::Result<Option<String>> {
    let (Some(text), Some(delimiter)) = (text_arg(call, 0)?, text_arg(call, 1)?) else {
        return Ok(None);
    };
    if delimiter.is_empty() {
        return Err(failed("The delimiter may not be the empty string"));
    }
    match call.get::<Option<i64>>(2)? {
        None => array(text.split(delimiter)).map(Some),
        Some(limit @ 1..) => {
            array(text.splitn(usize::try_from(limit).unwrap_or(usize::MAX), delimiter)).map(Some)
        }
        Some(_) => Err(failed("Limit must be positive")),
    }
}

/// Texts as an SQL array.
pub fn array<'t>(texts: impl Iterator<Item = &'t str>) -> rusqlite::Result<String> {
    let mut array = ArrayText::new();
    for text in texts {
        array.push(&serde_json::Value::from(text).to_string())?;
    }
    Ok(array.finish())
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

/// How many characters must be put in, taken out or changed to make one text of the other.
fn levenshtein(a: &str, b: &str) -> rusqlite::Result<i64> {
    let b: Vec<char> = b.chars().collect();
    if b.len().max(a.chars().count()) > DISTANCE_CHARS_MAX {
        return Err(failed(format!("levenshtein_distance takes at most {DISTANCE_CHARS_MAX} characters")));
    }
    let mut costs: Vec<i64> = (0..=b.len() as i64).collect();
    for (row, from) in a.chars().enumerate() {
        let mut diagonal = row as i64;
        let mut left = diagonal + 1;
        for (to, cost) in b.iter().zip(costs.iter_mut().skip(1)) {
            let changed = diagonal + i64::from(from != *to);
            diagonal = *cost;
            *cost = changed.min(left + 1).min(diagonal + 1);
            left = *cost;
        }
        if let Some(first) = costs.first_mut() {
            *first = row as i64 + 1;
        }
    }
    Ok(costs.last().copied().unwrap_or_default())
}
