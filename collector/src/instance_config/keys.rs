//! Reading keys by type, from the environment or the file, and noticing what is wrong with them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde_json::{Map, Value};
use sls_api::sign::Secret;

use super::catalog::{self, Standing};
use super::{kind, volume};
use crate::env::Env;

/// The file's keys with the environment's on top.
pub struct Parameters<'e> {
    object: Map<String, Value>,
    env: &'e Env,
    notices: Vec<String>,
}

/// A value and who gave it.
struct Given {
    value: Value,
    /// The key, or the variable.
    by: String,
}

impl<'e> Parameters<'e> {
    pub fn new(object: Map<String, Value>, env: &'e Env) -> Self {
        let mut this = Self { object, env, notices: Vec::new() };
        this.notice_other_keys();
        this
    }

    pub fn notice(&mut self, text: String) {
        self.notices.push(text);
    }

    pub fn into_notices(self) -> Vec<String> {
        self.notices
    }

    fn given(&self, key: &str) -> Option<Given> {
        if let Some(parameter) = self.env.parameter(key) {
            let by = format!("environment variable {}", parameter.variable);
            return Some(Given { value: Value::String(parameter.value.to_owned()), by });
        }
        let value = self.object.get(key).filter(|value| !value.is_null())?;
        Some(Given { value: value.clone(), by: key.to_owned() })
    }

    /// A value of the file only: structures are not given by variables.
    pub fn structure(&self, key: &str) -> Option<&Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// A text; empty means not given.
    pub fn text(&mut self, key: &str) -> Option<String> {
        let given = self.given(key)?;
        match given.value {
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            other => {
                self.notice(format!("{} must be a string, not {}; ignored", given.by, kind(&other)));
                None
            }
        }
    }

    /// A text, or a boolean as one.
    pub fn word(&mut self, key: &str) -> Option<String> {
        match self.given(key)?.value {
            Value::Bool(value) => Some(value.to_string()),
            _ => self.text(key),
        }
    }

    /// On if it is `true`; anything else than a boolean is off, with a notice.
    pub fn switch(&mut self, key: &str) -> bool {
        let Some(given) = self.given(key) else { return false };
        let found = match &given.value {
            Value::Bool(value) => return *value,
            Value::String(word) => match word.trim().to_ascii_lowercase().as_str() {
                "true" => return true,
                "false" | "" => return false,
                _ => format!("{word:?}"),
            },
            other => kind(other).to_owned(),
        };
        self.notice(format!("{} must be true or false, not {found}; false is used", given.by));
        false
    }

    pub fn secret(&mut self, key: &str) -> Option<Secret> {
        self.text(key).map(Secret::from)
    }

    /// A text that must parse.
    pub fn parsed<T: FromStr>(&mut self, key: &str, what: &str) -> Option<T> {
        let text = self.text(key)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.notice(format!("{key} {text:?} is not {what}; ignored"));
        }
        parsed
    }

    /// A whole number within bounds; the environment's text form is accepted, in the file too.
    pub fn number(&mut self, key: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let given = self.given(key)?;
        let number = match &given.value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let valid = number.filter(|number| bounds.contains(number));
        if valid.is_none() {
            let (low, high) = (bounds.start(), bounds.end());
            self.notice(format!(
                "{} must be a whole number from {low} to {high}, not {}; the default is used",
                given.by,
                if let Some(number) = number { number.to_string() } else { kind(&given.value).to_owned() },
            ));
        }
        valid
    }

    /// A number of bytes within bounds, as such or as a quantity of Kubernetes.
    pub fn quantity(&mut self, key: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let given = self.given(key)?;
        let bytes = match &given.value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => volume::bytes_of(text),
            _ => None,
        };
        let valid = bytes.filter(|bytes| bounds.contains(bytes));
        if valid.is_none() {
            let (low, high) = (bounds.start(), bounds.end());
            let found = match &given.value {
                value @ (Value::Number(_) | Value::String(_)) => value.to_string(),
                other => kind(other).to_owned(),
            };
            self.notice(format!(
                "{} must be bytes or a quantity such as 1Gi, from {low} to {high}, not {found}; it is not used",
                given.by
            ));
        }
        valid
    }

    /// An object of texts; entries of other kinds are left out with a notice.
    pub fn text_map(&mut self, key: &str) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        match self.structure(key).cloned() {
            None => {}
            Some(Value::Object(object)) => {
                for (name, value) in object {
                    match value {
                        Value::String(text) => drop(map.insert(name, text)),
                        other => self
                            .notice(format!("{key}.{name} must be a string, not {}; ignored", kind(&other))),
                    }
                }
            }
            Some(other) => {
                self.notice(format!("{key} must be an object of strings, not {}; ignored", kind(&other)))
            }
        }
        map
    }

    /// Each key of the file that does nothing, once.
    fn notice_other_keys(&mut self) {
        for key in self.object.keys() {
            match catalog::key(key) {
                Some(Standing::Honoured(_)) => {}
                Some(Standing::NoEffect(why)) => self.notices.push(catalog::without_effect(key, why)),
                None => {
                    let hint = catalog::nearest_key(key)
                        .map(|near| format!(", did you mean {near}?"))
                        .unwrap_or_default();
                    self.notices.push(format!("unknown key {key:?} is ignored{hint}"));
                }
            }
        }
    }
}
