//! Objects in files as commands read them, and what commands print.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

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

/// Form of a report.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportForm {
    Text,
    Json,
}

/// Form of objects.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ObjectForm {
    Yaml,
    Json,
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

/// The objects of a document, which may be a list of them.
pub(super) fn objects_mut(document: &mut Value) -> Vec<&mut Value> {
    let is_list = kind_of(document).is_some_and(|kind| kind.ends_with("List"));
    if is_list && document.get("items").is_some_and(Value::is_array) {
        return document.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten().collect();
    }
    vec![document]
}

pub(super) fn kind_of(document: &Value) -> Option<&str> {
    document.get("kind").and_then(Value::as_str)
}

/// The object without members that are null, such as a status that there is not.
pub(super) fn without_nothing(mut object: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    object
}

/// Prints a report on stdout.
pub(super) fn print_report<R: Serialize>(
    report: &R,
    form: ReportForm,
    text: impl FnOnce(&R) -> String,
) -> Result<(), FileError> {
    write(&match form {
        ReportForm::Json => json_text(report)?,
        ReportForm::Text => text(report),
    })
}

/// Prints objects on stdout: documents of YAML; as JSON one alone, or a list.
pub(super) fn print_objects(objects: &[Value], form: ObjectForm) -> Result<(), FileError> {
    write(&match (form, objects) {
        (ObjectForm::Json, [one]) => json_text(one)?,
        (ObjectForm::Json, all) => json_text(&json!({"apiVersion": "v1", "kind": "List", "items": all}))?,
        (ObjectForm::Yaml, all) => {
            let texts = all.iter().map(serde_saphyr::to_string).collect::<Result<Vec<_>, _>>();
            texts.map_err(|error| FileError::Write(io::Error::other(error)))?.join("---\n")
        }
    })
}

fn json_text<T: Serialize>(value: &T) -> Result<String, FileError> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|error| FileError::Write(error.into()))
}

fn write(text: &str) -> Result<(), FileError> {
    io::stdout().lock().write_all(text.as_bytes()).map_err(FileError::Write)
}
