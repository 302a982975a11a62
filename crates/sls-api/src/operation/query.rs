//! Leniency of query parameters: an empty value means "not given", and booleans come as
//! `true`, `True`, `false` or `False`. Source: captures of the Node, Java and Python SDKs.
//!
//! For `#[serde(default, deserialize_with = "…")]` on fields of query structs.

use std::{fmt::Display, str::FromStr};

use serde::{Deserialize, Deserializer, de::Error as _};

/// Longest part of a bad value repeated in an error message, in characters.
const SHOWN_CHARS_MAX: usize = 80;

/// An optional value with a text form.
///
/// # Errors
/// When the text is not empty and does not parse.
pub fn opt<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(d: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(d)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|e| bad::<D>(&text, &e))
}

/// An optional whole number: a text in a query, a number in JSON.
///
/// # Errors
/// When it is neither.
pub fn opt_number<'de, D: Deserializer<'de>>(d: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Number(i64),
        Text(String),
    }
    match Given::deserialize(d)? {
        Given::Number(number) => Ok(Some(number)),
        Given::Text(text) if text.is_empty() => Ok(None),
        Given::Text(text) => text.parse().map(Some).map_err(|e| bad::<D>(&text, &e)),
    }
}

/// An optional boolean.
///
/// # Errors
/// When the text is none of the four spellings, nor empty.
pub fn opt_bool<'de, D: Deserializer<'de>>(d: D) -> Result<Option<bool>, D::Error> {
    let text = String::deserialize(d)?;
    match text.as_str() {
        "" => Ok(None),
        "true" | "True" => Ok(Some(true)),
        "false" | "False" => Ok(Some(false)),
        _ => Err(bad::<D>(&text, &"use true or false")),
    }
}

fn bad<'de, D: Deserializer<'de>>(text: &str, why: &dyn Display) -> D::Error {
    let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    D::Error::custom(format!("invalid value {shown:?}: {why}"))
}
