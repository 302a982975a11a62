//! `user_log_config.json`: what the server sent last, for people.
//!
//! The vendor's agent writes such a file, and its users look into it to see whether a config has arrived. Ours
//! is never read back: what is to be collected after a restart is in `config/remote`. So it also holds configs
//! that cannot be used. Called by `control`.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::store::Stored;
use crate::layout;

/// The file and its content.
#[derive(Debug)]
pub struct Received {
    path: PathBuf,
    metrics: BTreeMap<String, Value>,
    is_written: bool,
}

impl Received {
    /// Begins with the configs that an earlier run has stored.
    pub fn new(path: PathBuf, stored: &[Stored]) -> Self {
        let of = |stored: &Stored| with_version(Value::Object(stored.config.clone()), stored.version);
        let metrics = stored.iter().map(|stored| (stored.name.clone(), of(stored))).collect();
        Self { path, metrics, is_written: false }
    }

    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Notes a config as it came.
    pub fn note(&mut self, name: &str, version: i64, detail: &[u8]) {
        let text = || Value::String(String::from_utf8_lossy(detail).into_owned());
        let value = serde_json::from_slice(detail).unwrap_or_else(|_| text());
        self.metrics.insert(name.to_owned(), with_version(value, version));
        self.is_written = false;
    }

    pub fn forget(&mut self, name: &str) {
        self.is_written &= self.metrics.remove(name).is_none();
    }

    /// Writes the file if there is something new.
    ///
    /// # Errors
    /// Those of the file system; it is not tried again before the next change.
    pub fn write(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.is_written, true) {
            return Ok(());
        }
        let mut text = serde_json::to_vec_pretty(&json!({ "metrics": self.metrics }))?;
        text.push(b'\n');
        layout::write_whole(&self.path, &text)
    }
}

/// As the vendor's agent has it among the keys of the config.
fn with_version(value: Value, version: i64) -> Value {
    match value {
        Value::Object(mut object) => {
            object.insert("version".to_owned(), version.into());
            Value::Object(object)
        }
        other => Value::Object(Map::from_iter([
            ("version".to_owned(), version.into()),
            ("detail".to_owned(), other),
        ])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_what_came_last_also_what_cannot_be_used() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("user_log_config.json");
        let config = json!({"inputs": []}).as_object().unwrap().clone();
        let mut received = Received::new(path.clone(), &[Stored { name: "a".into(), version: 1, config }]);
        received.note("b", 7, br#"{"inputs": [1]}"#);
        received.note("c", 8, b"no json");
        received.forget("a");
        received.write().unwrap();
        let read: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let expected = json!({"metrics": {"b": {"inputs": [1], "version": 7}, "c": {"version": 8, "detail": "no json"}}});
        assert_eq!(read, expected);
        std::fs::remove_file(&path).unwrap();
        received.forget("never there");
        received.write().unwrap();
        assert!(!path.exists(), "nothing was new");
    }
}
