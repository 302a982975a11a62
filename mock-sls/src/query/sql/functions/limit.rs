//! How large values may become while functions make them: SQLite's limit only sees what is finished.

use rusqlite::{functions::Context, types::ValueRef};
use serde_json::Value as Json;

use super::super::execute::VALUE_BYTES_MAX;
use super::failed;

/// Values in one array, map or JSON document that a function takes apart or makes. Own choice: each takes about a
/// hundred bytes.
const ELEMENTS_MAX: usize = 1_000_000;

/// Checks the size of what becomes a value.
pub fn check_bytes(bytes: usize) -> rusqlite::Result<()> {
    match bytes <= VALUE_BYTES_MAX {
        true => Ok(()),
        false => Err(failed(format!("a value has more than {} MiB", VALUE_BYTES_MAX >> 20))),
    }
}

/// Checks the size of what is made of all arguments.
pub fn check_sizes(call: &Context<'_>) -> rusqlite::Result<()> {
    let size = |index| match call.get_raw(index) {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 0,
    };
    check_bytes((0..call.len()).map(size).sum())
}

/// Checks how many values an array or map has.
pub fn check_elements(elements: usize) -> rusqlite::Result<()> {
    match elements <= ELEMENTS_MAX {
        true => Ok(()),
        false => Err(failed(format!("an array or map has more than {ELEMENTS_MAX} elements"))),
    }
}

/// The JSON of a text; nothing if it is none.
pub fn json(text: &[u8]) -> rusqlite::Result<Option<Json>> {
    check_json(text)?;
    Ok(serde_json::from_slice(text).ok())
}

/// Checks that the JSON of a text does not become too large.
pub fn check_json(text: &[u8]) -> rusqlite::Result<()> {
    // It has no more values than bytes.
    if text.len() <= ELEMENTS_MAX {
        return Ok(());
    }
    check_elements(separators(text))
}

/// Commas and opening brackets of JSON outside of its strings: before each value but the first stands one of its own.
fn separators(text: &[u8]) -> usize {
    let mut bytes = text.iter();
    let mut found = 0;
    while let Some(byte) = bytes.next() {
        match byte {
            b',' | b'[' | b'{' => found += 1,
            b'"' => {
                while let Some(byte) = bytes.next()
                    && *byte != b'"'
                {
                    if *byte == b'\\' {
                        bytes.next();
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// The text of an array that is made piece by piece.
pub struct ArrayText(String);

impl ArrayText {
    pub fn new() -> Self {
        Self("[".to_owned())
    }

    /// Adds the text of an element.
    pub fn push(&mut self, element: &str) -> rusqlite::Result<()> {
        check_bytes(self.0.len() + element.len() + 2)?;
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(element);
        Ok(())
    }

    pub fn finish(self) -> String {
        self.0 + "]"
    }
}

/// What an aggregate keeps to make one value of it.
#[derive(Default)]
pub struct Kept {
    bytes: usize,
    elements: usize,
}

impl Kept {
    /// Takes note of an element.
    pub fn element(&mut self, value: &Json) -> rusqlite::Result<()> {
        self.entry("", value)
    }

    /// Takes note of a key and its value.
    pub fn entry(&mut self, key: &str, value: &Json) -> rusqlite::Result<()> {
        self.bytes += key.len();
        self.add(value);
        check_elements(self.elements)?;
        check_bytes(self.bytes)
    }

    fn add(&mut self, value: &Json) {
        self.elements += 1;
        match value {
            Json::String(text) => self.bytes += text.len(),
            Json::Array(array) => array.iter().for_each(|value| self.add(value)),
            Json::Object(map) => map.iter().for_each(|(key, value)| {
                self.bytes += key.len();
                self.add(value);
            }),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_as_many_values_as_stand_outside_of_its_strings() {
        assert_eq!(separators(br#"[1,[2,{"a":",[{\",","b":3}]]"#), 6);
        assert_eq!(separators(br#"["\\",",,,"#), 2);
    }
}
