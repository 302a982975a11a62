//! Tags from a file: `ALIYUN_LOG_FILE_TAGS` names a JSON object of texts, which may change while the collector runs.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tracing::{info, warn};

use super::data::Data;

/// Time between two looks at the file. Source: collector.md §1.4.
pub const REREAD: Duration = Duration::from_secs(60);

/// Longest file. Source: own choice; tags travel with every request.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// Name, value.
pub type Tag = (String, String);

/// The file, and what it said last.
#[derive(Debug)]
pub struct FileTags {
    /// As the container sees it, for messages.
    shown: PathBuf,
    on_disk: PathBuf,
    seen: Result<Vec<Tag>, String>,
    /// The last that were good.
    tags: Vec<Tag>,
}

impl FileTags {
    /// Reads the file for the first time.
    pub fn open(shown: PathBuf, on_disk: PathBuf) -> Self {
        let mut this = Self { shown, on_disk, seen: Ok(Vec::new()), tags: Vec::new() };
        this.look();
        this
    }

    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// Reads the file again; true if the tags are others now.
    fn look(&mut self) -> bool {
        let seen = read(&self.on_disk).map_err(|error| error.to_string()).and_then(|bytes| parse(&bytes));
        if seen == self.seen {
            return false;
        }
        self.seen = seen;
        let path = self.shown.display();
        match &self.seen {
            Ok(tags) => {
                info!("tags of {path} are added to every log: {}", tags.len());
                self.tags.clone_from(tags);
                true
            }
            Err(reason) => {
                warn!(
                    "the tags of {path} (ALIYUN_LOG_FILE_TAGS) cannot be used: {reason}; {}",
                    if self.tags.is_empty() { "logs go without them" } else { "those from before stay" }
                );
                false
            }
        }
    }

    /// Hands new tags to the engine, for ever.
    pub async fn follow(mut self, data: &Data) -> Infallible {
        loop {
            tokio::time::sleep(REREAD).await;
            if self.look() {
                data.set_file_tags(self.tags.clone());
            }
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<Vec<Tag>, String> {
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it has more than {FILE_BYTES_MAX} bytes"));
    }
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| format!("it is not JSON ({error}); write an object like {{\"team\": \"web\"}}"))?;
    let Value::Object(object) = value else { return Err("it is no JSON object of texts".to_owned()) };
    object
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name, text)),
            _ => Err(format!("the value of {name:?} is no text; put it in quotes")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_tags_replace_the_old_and_a_file_that_is_wrong_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tags.json");
        let mut file = FileTags::open("/etc/tags.json".into(), path.clone());
        assert_eq!(file.tags(), []);
        for (content, changes, tags) in [
            (r#"{"team": "web", "zone": "b"}"#, true, vec![("team", "web"), ("zone", "b")]),
            (r#"{"team": "web", "zone": "b"}"#, false, vec![("team", "web"), ("zone", "b")]),
            (r#"{"team": 7}"#, false, vec![("team", "web"), ("zone", "b")]),
            (r#"{"team": "#, false, vec![("team", "web"), ("zone", "b")]),
            ("{}", true, vec![]),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(file.look(), changes, "{content}");
            let now: Vec<_> = file.tags().iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(now, tags, "{content}");
        }
    }

    #[test]
    fn a_wrong_value_is_named() {
        assert_eq!(
            parse(br#"{"team": 7}"#).unwrap_err(),
            r#"the value of "team" is no text; put it in quotes"#
        );
        assert!(parse(&vec![b' '; 20_000]).unwrap_err().contains("more than 16384 bytes"));
    }
}
