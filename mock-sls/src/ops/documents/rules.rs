//! What a kind demands of its documents.

use rusqlite::Connection;
use serde_json::{Map, Value};
use sls_api::ops::documents::{Kind, Shape};

use crate::error::ApiError;
use crate::store::logstores;
use crate::store::projects::ProjectId;

/// Fields that hold the state of a job; the caller does not set them.
const STATE_FIELDS: [&str; 2] = ["state", "status"];

/// Whether a document that is stored like those of this kind is one of them.
pub(super) fn is_of_kind(kind: &Kind, body: &Map<String, Value>) -> bool {
    kind.fixed.is_none_or(|(field, value)| body.get(field).and_then(Value::as_str) == Some(value))
}

/// Fills in what the caller may leave out and what is not his to say.
pub(super) fn complete(kind: &Kind, body: &mut Map<String, Value>, current: Option<&Map<String, Value>>) {
    for field in kind.kept {
        if let (None, Some(value)) = (body.get(*field), current.and_then(|current| current.get(*field))) {
            body.insert((*field).to_owned(), value.clone());
        }
    }
    for field in kind.texts {
        if let Some(value) = body.get_mut(*field).filter(|value| !value.is_string()) {
            *value = value.to_string().into();
        }
    }
    if let Some(field) = kind.revision {
        let last = current.and_then(|current| current.get(field)?.as_i64()).unwrap_or_default();
        body.insert(field.to_owned(), last.saturating_add(1).into());
    }
    let Some(states) = kind.states else { return };
    let text = |field: &str| current?.get(field)?.as_str();
    let job_type = body.get("type").and_then(Value::as_str).unwrap_or_default();
    let (state, status) = states.after(None, job_type);
    let [state_field, status_field] = STATE_FIELDS;
    set_state(body, text(state_field).unwrap_or(state), text(status_field).unwrap_or(status));
}

/// Writes the state of a job into it.
pub(super) fn set_state(body: &mut Map<String, Value>, state: &str, status: &str) {
    let [state_field, status_field] = STATE_FIELDS;
    body.insert(state_field.to_owned(), state.into());
    body.insert(status_field.to_owned(), status.into());
}

/// Whether all required fields are there and what they must be.
pub(super) fn check(kind: &Kind, body: &Map<String, Value>) -> Result<(), ApiError> {
    for (field, shape) in kind.required {
        if !fits(*shape, body.get(*field)) {
            let found = match body.get(*field) {
                None | Some(Value::Null) => "it is missing".to_owned(),
                Some(value) => format!("it is {}", cut(&value.to_string())),
            };
            return Err(ApiError::ParameterInvalid(format!(
                "{}: the field {field} must be {}; {found}",
                kind.noun,
                words(*shape)
            )));
        }
    }
    Ok(())
}

fn fits(shape: Shape, value: Option<&Value>) -> bool {
    let Some(value) = value else { return false };
    let text = || value.as_str().unwrap_or_default();
    match shape {
        Shape::Text => value.is_string(),
        Shape::Object => value.is_object(),
        Shape::List => value.is_array(),
        Shape::Number => value.is_i64() || text().parse::<i64>().is_ok(),
        Shape::Bool => value.is_boolean() || matches!(text(), "true" | "false"),
        Shape::OneOf(texts) => texts.contains(&text()),
    }
}

fn words(shape: Shape) -> String {
    match shape {
        Shape::Text => "a text".to_owned(),
        Shape::Object => "an object".to_owned(),
        Shape::List => "a list".to_owned(),
        Shape::Number => "a whole number".to_owned(),
        Shape::Bool => "true or false".to_owned(),
        Shape::OneOf(texts) => format!("one of {}", texts.join(", ")),
    }
}

/// Longest part of a wrong value repeated in an error message, in characters.
const SHOWN_CHARS_MAX: usize = 80;

fn cut(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}

/// Refuses a document that names a Logstore which is not there.
pub(super) fn logstore_exists(
    db: &Connection,
    project: ProjectId,
    body: &Map<String, Value>,
    field: &str,
) -> Result<(), ApiError> {
    let Some(name) = body.get(field).and_then(Value::as_str) else { return Ok(()) };
    logstores::find(db, project, &name.try_into()?).map(|_| ())
}
