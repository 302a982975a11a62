//! Objects in files, as `validate` and `inject` read them.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Largest file, in bytes. Source: guess; an object may have 1.5 MB in etcd, and a file many objects.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Why files could not be read, or the result not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("{} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is larger than {FILE_BYTES_MAX} bytes", path.display())]
    TooLarge { path: PathBuf },
    #[error("{} is not YAML: {source}", path.display())]
    Yaml { path: PathBuf, source: Box<serde_saphyr::Error> },
    #[error("the result cannot be written: {0}")]
    Write(io::Error),
}

/// The documents of a YAML or JSON file; `-` is stdin.
pub(super) fn documents(path: &Path) -> Result<Vec<Value>, FileError> {
    serde_saphyr::from_multiple(&read(path)?)
        .map_err(|error| FileError::Yaml { path: path.to_owned(), source: Box::new(error) })
}

fn read(path: &Path) -> Result<String, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(failed)?)
    };
    let mut text = String::new();
    input.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

pub(super) fn kind_of(document: &Value) -> Option<&str> {
    document.get("kind").and_then(Value::as_str)
}
