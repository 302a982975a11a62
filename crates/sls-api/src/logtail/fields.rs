//! Typed reading of `inputDetail`, whose values may also be `null` ("not set").

use serde_json::{Map, Value};

/// A field that has another type than it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrongType {
    pub field: String,
    pub wanted: &'static str,
}

/// Reads fields of one object by name.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    /// Path of the object, with a final dot; empty for `inputDetail` itself.
    prefix: &'a str,
}

impl<'a> Fields<'a> {
    pub fn new(map: &'a Map<String, Value>) -> Self {
        Self { map, prefix: "" }
    }

    /// Fields of an object inside this one; empty when it is not there.
    pub fn inside(map: &'a Map<String, Value>, prefix: &'a str) -> Self {
        Self { map, prefix }
    }

    /// A value that is set.
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    fn typed<T>(
        &self,
        name: &str,
        wanted: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, WrongType> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(WrongType { field: format!("{}{name}", self.prefix), wanted }),
        }
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>, WrongType> {
        self.typed(name, "a text", Value::as_str)
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, WrongType> {
        self.typed(name, "true or false, without quotes", Value::as_bool)
    }

    pub fn number(&self, name: &str) -> Result<Option<i64>, WrongType> {
        self.typed(name, "a whole number, without quotes", Value::as_i64)
    }

    pub fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, WrongType> {
        self.typed(name, "an object", Value::as_object)
    }

    pub fn list(&self, name: &str) -> Result<Option<&'a [Value]>, WrongType> {
        self.typed(name, "a list", |value| value.as_array().map(Vec::as_slice))
    }

    /// A list of texts; absent is empty.
    pub fn texts(&self, name: &str) -> Result<Vec<&'a str>, WrongType> {
        let texts = self.typed(name, "a list of texts", |value| {
            value.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>()
        });
        texts.map(Option::unwrap_or_default)
    }
}
