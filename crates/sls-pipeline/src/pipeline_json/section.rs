//! One object of the config: typed access, and what was left unread at the end.

use serde_json::{Map, Value};

use super::Findings;

/// Kind of a JSON value, for messages; never its content, which may be a secret.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// An object whose keys are taken out as they are read.
#[derive(Debug)]
pub struct Section {
    path: String,
    object: Map<String, Value>,
}

/// A section with a `Type`.
#[derive(Debug)]
pub struct Plugin {
    pub kind: String,
    pub section: Section,
}

impl Plugin {
    pub fn path(&self) -> &str {
        self.section.path()
    }
}

impl Section {
    pub fn new(path: String, object: Map<String, Value>) -> Self {
        Self { path, object }
    }

    /// Path from the config's root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The field's path from the config's root.
    pub fn field(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    /// What a field is that is not given.
    pub fn set_default(&mut self, key: &str, value: Value) {
        if self.object.get(key).is_none_or(Value::is_null) {
            self.object.insert(key.to_owned(), value);
        }
    }

    /// A value of any kind; `null` means "not given".
    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.object.remove(key).filter(|value| !value.is_null())
    }

    fn wrong_type(&self, key: &str, expected: &str, found: &Value, findings: &mut Findings) {
        findings.problem(self.field(key), format!("must be {expected}, not {}", kind(found)));
    }

    pub fn text(&mut self, key: &str, findings: &mut Findings) -> Option<String> {
        match self.take(key)? {
            Value::String(text) => Some(text),
            other => {
                self.wrong_type(key, "a string", &other, findings);
                None
            }
        }
    }

    /// A text that must be there and not be empty.
    pub fn needed_text(&mut self, key: &str, findings: &mut Findings) -> Option<String> {
        if self.object.get(key).is_none_or(Value::is_null) {
            findings.problem(self.field(key), "is missing");
            return None;
        }
        let text = self.text(key, findings)?;
        if text.is_empty() {
            findings.problem(self.field(key), "must not be empty");
            return None;
        }
        Some(text)
    }

    pub fn boolean(&mut self, key: &str, findings: &mut Findings) -> Option<bool> {
        match self.take(key)? {
            Value::Bool(value) => Some(value),
            other => {
                self.wrong_type(key, "true or false", &other, findings);
                None
            }
        }
    }

    pub fn integer(&mut self, key: &str, findings: &mut Findings) -> Option<i64> {
        let value = self.take(key)?;
        let number = value.as_i64();
        if number.is_none() {
            self.wrong_type(key, "a whole number", &value, findings);
        }
        number
    }

    /// A list of texts; absent means empty.
    pub fn texts(&mut self, key: &str, findings: &mut Findings) -> Vec<String> {
        let list = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(list)) => list,
            Some(other) => {
                self.wrong_type(key, "a list of strings", &other, findings);
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for (index, item) in list.into_iter().enumerate() {
            match item {
                Value::String(text) => texts.push(text),
                other => self.wrong_type(&format!("{key}[{index}]"), "a string", &other, findings),
            }
        }
        texts
    }

    /// An object of texts, in the order of its keys; absent means empty.
    pub fn text_map(&mut self, key: &str, findings: &mut Findings) -> Vec<(String, String)> {
        let mut section = self.section(key, findings);
        let keys: Vec<String> = section.object.keys().cloned().collect();
        keys.into_iter().filter_map(|key| section.text(&key, findings).map(|text| (key, text))).collect()
    }

    /// A sub-section; absent means empty.
    pub fn section(&mut self, key: &str, findings: &mut Findings) -> Self {
        let object = match self.take(key) {
            None => Map::new(),
            Some(Value::Object(object)) => object,
            Some(other) => {
                self.wrong_type(key, "an object", &other, findings);
                Map::new()
            }
        };
        Self::new(self.field(key), object)
    }

    /// A list of plugins; absent means empty.
    pub fn plugins(&mut self, key: &str, findings: &mut Findings) -> Vec<Plugin> {
        let list = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(list)) => list,
            Some(other) => {
                self.wrong_type(key, "a list of objects", &other, findings);
                return Vec::new();
            }
        };
        let mut plugins = Vec::new();
        for (index, item) in list.into_iter().enumerate() {
            let Value::Object(object) = item else {
                self.wrong_type(&format!("{key}[{index}]"), "an object", &item, findings);
                continue;
            };
            let mut section = Self::new(self.field(&format!("{key}[{index}]")), object);
            if let Some(kind) = section.needed_text("Type", findings) {
                plugins.push(Plugin { kind, section });
            }
        }
        plugins
    }

    /// A list that must hold exactly one plugin.
    pub fn only_plugin(&mut self, key: &str, findings: &mut Findings) -> Option<Plugin> {
        let known = findings.problems.len();
        let mut plugins = self.plugins(key, findings).into_iter();
        match (plugins.next(), plugins.len()) {
            (Some(plugin), 0) => Some(plugin),
            (Some(_), more) => {
                findings.problem(self.field(key), format!("must hold exactly one plugin, not {}", more + 1));
                None
            }
            (None, _) => {
                if findings.problems.len() == known {
                    findings.problem(self.field(key), "is missing: one plugin is needed");
                }
                None
            }
        }
    }

    /// Keys that may be there and mean nothing here.
    pub fn allow(&mut self, keys: &[&str]) {
        for key in keys {
            self.object.remove(*key);
        }
    }

    /// Keys whose effect on the collected lines this collector does not have, because of this: a notice if given.
    pub fn without_effect(&mut self, keys: &[&str], why: &str, findings: &mut Findings) {
        for key in keys {
            let given = self.object.remove(*key);
            if given.is_some_and(|value| !is_unset(&value)) {
                findings.notice(self.field(key), format!("has no effect in this collector: {why}"));
            }
        }
    }

    /// Reports the keys that nobody read.
    pub fn finish(self, findings: &mut Findings) {
        for key in self.object.keys() {
            findings.notice(self.field(key), "is not known and has no effect; check its spelling");
        }
    }
}

/// `null`, `false`, `0`, `""`, `[]` and `{}` are how configs spell "not set".
fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
    }
}
