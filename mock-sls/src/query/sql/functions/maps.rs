//! Functions of maps. A map is the text of a JSON object, see [`super::values`].
//! Meanings: documents "Map functions and operators" and, where they are short, Presto's.

use rusqlite::{functions::Context, types::Value};
use serde_json::{Map, Value as Json};

use super::{
    PURE, Registrar, failed, limit, scalar,
    texts::text_arg,
    values::{array_arg, decode, encoding_arg, json_of_key, key_of_json, key_text, map_arg},
};

pub fn register(db: &Registrar<'_>) -> rusqlite::Result<()> {
    scalar(db, "sls_map", 2, PURE, |call| {
        let (Some(keys), Some(values)) = (array_arg(call, 0)?, array_arg(call, 1)?) else {
            return Ok(None);
        };
        if keys.len() != values.len() {
            return Err(failed("Key and value arrays must be the same length"));
        }
        of_entries(keys.into_iter().zip(values)).map(Some)
    })?;
    scalar(db, "sls_map_get", 4, PURE, |call| get(call, true))?;
    scalar(db, "sls_map_get_or_null", 4, PURE, |call| get(call, false))?;
    scalar(db, "sls_map_keys", 2, PURE, |call| {
        let encoding = encoding_arg(call, 1)?;
        let keys = |map: Map<String, Json>| Json::from_iter(map.keys().map(|key| json_of_key(key, encoding)));
        Ok(map_arg(call, 0)?.map(|map| keys(map).to_string()))
    })?;
    scalar(db, "sls_map_values", 1, PURE, |call| {
        let values = |map: Map<String, Json>| Json::Array(map.into_iter().map(|(_, value)| value).collect());
        Ok(map_arg(call, 0)?.map(|map| values(map).to_string()))
    })?;
    scalar(db, "sls_map_entries", 2, PURE, |call| {
        let encoding = encoding_arg(call, 1)?;
        let entry = |(key, value): (String, Json)| Json::Array(vec![json_of_key(&key, encoding), value]);
        Ok(map_arg(call, 0)?.map(|map| Json::from_iter(map.into_iter().map(entry)).to_string()))
    })?;
    scalar(db, "sls_map_from_entries", 1, PURE, |call| {
        let Some(entries) = array_arg(call, 0)? else { return Ok(None) };
        of_entries(entries.into_iter().map(pair)).map(Some)
    })?;
    scalar(db, "sls_multimap_from_entries", 1, PURE, |call| {
        let Some(entries) = array_arg(call, 0)? else { return Ok(None) };
        let mut map = Map::new();
        for (key, value) in entries.into_iter().map(pair) {
            if let Json::Array(values) =
                map.entry(key_of_json(&key)).or_insert_with(|| Json::Array(Vec::new()))
            {
                values.push(value);
            }
        }
        Ok(Some(Json::Object(map).to_string()))
    })?;
    scalar(db, "sls_map_concat", -1, PURE, |call| {
        limit::check_sizes(call)?;
        let mut all = Map::new();
        for index in 0..call.len() {
            match map_arg(call, index)? {
                Some(map) => all.extend(map),
                None => return Ok(None),
            }
        }
        Ok(Some(Json::Object(all).to_string()))
    })?;
    scalar(db, "sls_split_to_map", 4, PURE, split_to_map)
}

fn pair(entry: Json) -> (Json, Json) {
    match entry {
        Json::Array(fields) => {
            let mut fields = fields.into_iter();
            (fields.next().unwrap_or_default(), fields.next().unwrap_or_default())
        }
        other => (other, Json::Null),
    }
}

/// Text of the error: document "SQL error center".
fn of_entries(entries: impl Iterator<Item = (Json, Json)>) -> rusqlite::Result<String> {
    let mut map = Map::new();
    for (key, value) in entries {
        if key.is_null() {
            return Err(failed("map key cannot be null"));
        }
        let key = key_of_json(&key);
        if map.contains_key(&key) {
            return Err(failed(format!("Duplicate keys ({key}) are not allowed")));
        }
        map.insert(key, value);
    }
    Ok(Json::Object(map).to_string())
}

/// `sls_map_get(map, key, encoding of the key, encoding of the value)`.
fn get(call: &Context<'_>, strict: bool) -> rusqlite::Result<Value> {
    let (of_key, of_value) = (encoding_arg(call, 2)?, encoding_arg(call, 3)?);
    let (Some(mut map), Some(key)) = (map_arg(call, 0)?, key_text(call.get_raw(1), of_key)?) else {
        return Ok(Value::Null);
    };
    match map.swap_remove(&key) {
        Some(value) => Ok(decode(value, of_value)),
        None if strict => Err(failed(format!("Key not present in map: {key}"))),
        None => Ok(Value::Null),
    }
}

/// `sls_split_to_map(text, between entries, between key and value, all)`: with `all`, a key may
/// come several times and has an array. Text of the error: document "SQL error center".
fn split_to_map(call: &Context<'_>) -> rusqlite::Result<Option<String>> {
    let (Some(text), Some(between), Some(inside)) =
        (text_arg(call, 0)?, text_arg(call, 1)?, text_arg(call, 2)?)
    else {
        return Ok(None);
    };
    let all: bool = call.get(3)?;
    if between.is_empty() || inside.is_empty() || between == inside {
        return Err(failed("entryDelimiter and keyValueDelimiter must not be the same or empty"));
    }
    let mut map = Map::new();
    for (index, entry) in text.split(between).filter(|entry| !entry.is_empty()).enumerate() {
        limit::check_elements(index)?;
        let halves = entry.split_once(inside).filter(|(_, value)| !value.contains(inside));
        let (key, value) = halves.ok_or_else(|| {
            failed(format!(
                "Key-value delimiter must appear exactly once in each entry. Bad input: '{entry}'"
            ))
        })?;
        let value = Json::String(value.to_owned());
        match map.entry(key) {
            serde_json::map::Entry::Vacant(slot) => {
                slot.insert(if all { Json::Array(vec![value]) } else { value });
            }
            serde_json::map::Entry::Occupied(mut slot) => match slot.get_mut() {
                Json::Array(values) if all => values.push(value),
                _ => return Err(failed(format!("Duplicate keys ({key}) are not allowed"))),
            },
        }
    }
    Ok(Some(Json::Object(map).to_string()))
}
