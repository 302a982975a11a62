//! Received configs on disk, so that a restart without the server still collects.
//!
//! One file each in `config/remote`: the config as received with its `version` added, as the
//! vendor's agent stores them (sls-proto.md §6). Called by `control`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::layout;

/// Longest stored config read, in bytes. Source: own choice; what one answer may hold at most.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

const EXTENSION: &str = ".json";

/// The directory of stored configs.
#[derive(Debug)]
pub struct RemoteConfigs {
    directory: PathBuf,
}

/// A config as it was received.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub name: String,
    pub version: i64,
    pub config: Map<String, Value>,
}

impl RemoteConfigs {
    /// Creates the directory if needed.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(directory: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// All that can be read, by name; the texts say what could not.
    pub fn load(&self) -> (Vec<Stored>, Vec<String>) {
        let mut stored = Vec::new();
        let mut problems = Vec::new();
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) => {
                problems
                    .push(format!("stored configs in {} cannot be read: {error}", self.directory.display()));
                return (stored, problems);
            }
        };
        for entry in entries.flatten() {
            let file_name = entry.file_name();
            let Some(name) =
                file_name.to_str().and_then(|name| name.strip_suffix(EXTENSION)).and_then(decode)
            else {
                continue;
            };
            match read(&entry.path(), name) {
                Ok(config) => stored.push(config),
                Err(reason) => problems.push(format!(
                    "stored config {} is skipped: {reason}; it will be fetched again",
                    entry.path().display()
                )),
            }
        }
        stored.sort_by(|a, b| a.name.cmp(&b.name));
        (stored, problems)
    }

    /// Stores a config, replacing the one of the same name.
    ///
    /// # Errors
    /// Those of the file system; the old one then stays.
    pub fn save(&self, stored: &Stored) -> io::Result<()> {
        let mut config = stored.config.clone();
        config.insert("version".to_owned(), stored.version.into());
        let mut text = serde_json::to_vec_pretty(&config)?;
        text.push(b'\n');
        layout::write_whole(&self.path(&stored.name), &text)
    }

    /// Forgets a config; one that is not there is fine.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(encode(name) + EXTENSION)
    }
}

fn read(path: &Path, name: String) -> Result<Stored, String> {
    let bytes = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(format!("{bytes} bytes are too many"));
    }
    let text = fs::read(path).map_err(|error| error.to_string())?;
    let config: Map<String, Value> = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let version = config.get("version").and_then(Value::as_i64).ok_or("it has no version")?;
    Ok(Stored { name, version, config })
}

/// File name of a config name: whatever could leave the directory, or be hidden in it, as `%XX`.
fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for (index, character) in name.char_indices() {
        match character {
            '/' | '%' | '\0'..='\x1f' => encoded.push_str(&format!("%{:02X}", character as u32)),
            '.' if index == 0 => encoded.push_str("%2E"),
            other => encoded.push(other),
        }
    }
    encoded
}

fn decode(file_name: &str) -> Option<String> {
    if file_name.starts_with('.') {
        return None;
    }
    let mut parts = file_name.split('%');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let code = u8::from_str_radix(part.get(..2)?, 16).ok().filter(u8::is_ascii)?;
        name.push(char::from(code));
        name.push_str(part.get(2..)?);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stored(name: &str, version: i64) -> Stored {
        let config =
            json!({"inputs": [{"Type": "input_file"}], "version": version}).as_object().unwrap().clone();
        Stored { name: name.to_owned(), version, config }
    }

    #[test]
    fn what_was_saved_is_loaded_until_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let configs = RemoteConfigs::open(dir.path().join("config/remote")).unwrap();
        for name in ["nginx-log-access-example", "##1.0##k8s$x", "../../etc/passwd", ".hidden", "100%"] {
            configs.save(&stored(name, 7)).unwrap();
        }
        configs.save(&stored("100%", 8)).unwrap();
        configs.remove(".hidden").unwrap();
        configs.remove("never there").unwrap();
        let (loaded, problems) = configs.load();
        assert_eq!(problems, Vec::<String>::new());
        let names: Vec<_> = loaded.iter().map(|stored| (stored.name.as_str(), stored.version)).collect();
        assert_eq!(
            names,
            [("##1.0##k8s$x", 7), ("../../etc/passwd", 7), ("100%", 8), ("nginx-log-access-example", 7)]
        );
        assert!(!dir.path().join("etc").exists());
    }

    #[test]
    fn a_damaged_file_is_skipped_with_a_message() {
        let dir = tempfile::tempdir().unwrap();
        let configs = RemoteConfigs::open(dir.path().to_owned()).unwrap();
        fs::write(dir.path().join("a.json"), "{\"inputs\"").unwrap();
        fs::write(dir.path().join("b.json"), "{}").unwrap();
        fs::write(dir.path().join("c.json.new"), "left by a crash").unwrap();
        configs.save(&stored("good", 1)).unwrap();
        let (loaded, problems) = configs.load();
        assert_eq!(loaded.len(), 1);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems.iter().all(|problem| problem.contains("is skipped")));
    }

    proptest::proptest! {
        #[test]
        fn every_name_survives_its_file_name(name in "\\PC{1,40}") {
            let file_name = encode(&name);
            proptest::prop_assert!(!file_name.contains('/') && !file_name.starts_with('.'));
            proptest::prop_assert_eq!(decode(&file_name), Some(name));
        }
    }
}
