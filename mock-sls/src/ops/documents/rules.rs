//! What a kind demands of its documents.

use rusqlite::Connection;
use serde_json::{Map, Value};
use sls_api::ops::documents::{self, Action, JobStates, Kind, Shape};

use crate::error::ApiError;
use crate::store::logstores;
use crate::store::projects::ProjectId;

/// Field that says whether a job works; the caller may set it.
const STATE: &str = "state";
/// Field that says the same in the words of the job's type; the caller does not set it.
const STATUS: &str = "status";

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
    if let Some(states) = kind.states {
        let enabled = is_enabled(body).or_else(|| is_enabled(current?)).unwrap_or(true);
        set_state(states, body, enabled);
    }
}

/// What a job says about whether it works, if anything.
pub(super) fn is_enabled(job: &Map<String, Value>) -> Option<bool> {
    match job.get(STATE)?.as_str()? {
        documents::ENABLED => Some(true),
        documents::DISABLED => Some(false),
        _ => None,
    }
}

/// Writes the state of a job into it.
pub(super) fn set_state(states: JobStates, job: &mut Map<String, Value>, enabled: bool) {
    let job_type = job.get("type").and_then(Value::as_str).unwrap_or_default();
    let (state, status) = states.of(enabled, job_type);
    job.insert(STATE.to_owned(), state.into());
    job.insert(STATUS.to_owned(), status.into());
}

/// Whether a job refuses an action that changes nothing. Source of code and texts: JavaSDK
/// IngestionFunctionTest.
pub(super) fn check_action(
    states: JobStates,
    job: &Map<String, Value>,
    action: Action,
) -> Result<(), ApiError> {
    let job_type = job.get("type").and_then(Value::as_str).unwrap_or_default();
    let repeated = action != Action::Restart && is_enabled(job) == Some(action.enables());
    if !repeated || !states.strict.contains(&job_type) {
        return Ok(());
    }
    let verb = if action.enables() { "enable" } else { "disable" };
    Err(ApiError::ParameterInvalid(format!("The job to {verb} has already {verb}d")))
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
