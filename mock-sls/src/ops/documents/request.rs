//! What a call on documents says: names in the path, parameters, a JSON object.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use sls_api::names::NameRule;
use sls_api::operation::{DecodeError, REPLY_RAW_BYTES_MAX};
use sls_api::ops::documents::{Key, Kind, Test, Verb};

use crate::error::ApiError;
use crate::route::Raw;
use crate::store::documents::{Condition, check_size};
use crate::store::page::Page;

/// Between the parts of a name that has several; no part contains it.
const PART_END: char = '\u{1f}';

/// A call, parsed.
pub(super) struct Request {
    path: Vec<(&'static str, String)>,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    /// Empty where none was sent.
    pub body: Map<String, Value>,
}

impl Request {
    pub(super) fn read(kind: &Kind, verb: Verb, raw: Raw) -> Result<Self, ApiError> {
        let query = serde_urlencoded::from_str(&raw.query)
            .map_err(|error| ApiError::ParameterInvalid(format!("query: {error}")))?;
        let needs_body = matches!(verb, Verb::Create | Verb::Update | Verb::Put | Verb::PutMany(_));
        let takes_body = needs_body || matches!(verb, Verb::Act(_));
        // Where no body belongs none is looked at, whatever the headers say of one.
        let bytes = if takes_body { raw.payload.raw(REPLY_RAW_BYTES_MAX)? } else { Bytes::new() };
        // Also here, because JSON takes many times its size while it is read.
        check_size(kind.noun, bytes.len())?;
        if kind.bytes_max.is_some_and(|max| bytes.len() > max) {
            let why = format!("The {} configuration is too long.", kind.noun);
            return Err(ApiError::PostBodyInvalid(why));
        }
        let body = if bytes.is_empty() && !needs_body {
            Map::new()
        } else {
            serde_json::from_slice(&bytes).map_err(DecodeError::from)?
        };
        Ok(Self { path: raw.path, query, headers: raw.payload.headers, body })
    }

    /// A name in the path; empty if the path has none of this kind.
    pub(super) fn path(&self, what: &str) -> &str {
        self.path.iter().find(|(name, _)| *name == what).map_or("", |(_, value)| value)
    }

    /// A parameter of the query, or else a header: the Go SDK sends those of lists as headers.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let in_query = self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let in_header = || self.headers.get(name).and_then(|value| value.to_str().ok());
        in_query.or_else(in_header).filter(|value| !value.is_empty())
    }

    /// The name that the call is about.
    pub(super) fn name(&self, kind: &Kind) -> Result<String, ApiError> {
        match kind.key {
            Key::Single => Ok(String::new()),
            Key::Field(_, rule) if !self.path("name").is_empty() => {
                let name = self.path("name");
                check_name(kind, rule, name)?;
                Ok(name.to_owned())
            }
            Key::Field(..) => name_in(kind, &self.body),
            Key::Query(fields) => {
                let part = |name: &&'static str| {
                    let in_body = self.body.get(*name).and_then(Value::as_str);
                    in_body.or_else(|| self.parameter(name)).unwrap_or_default()
                };
                let parts: Vec<&str> = fields.iter().map(part).collect();
                match (fields.first(), parts.first()) {
                    (Some(field), Some(&"")) => Err(missing_field(kind, field)),
                    _ => Ok(parts.join(&PART_END.to_string())),
                }
            }
        }
    }

    /// The names that the call is about: this parameter's, separated by commas.
    pub(super) fn names(&self, parameter: &str) -> Result<Vec<&str>, ApiError> {
        let names = self.parameter(parameter).unwrap_or_default().split(',');
        let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            return Err(ApiError::ParameterInvalid(format!(
                "The parameter {parameter} must give one name or several, separated by commas"
            )));
        }
        Ok(names)
    }

    pub(super) fn page(&self, kind: &Kind) -> Result<Page, ApiError> {
        let number = |name: &str| {
            let parse = |text: &str| {
                text.parse::<i64>().map_err(|_| {
                    ApiError::ParameterInvalid(format!("The parameter {name} must be a number, not {text:?}"))
                })
            };
            self.parameter(name).map(parse).transpose()
        };
        Page::new(number("offset")?, number("size")?, kind.list.size_default)
    }

    /// What the documents of the list that is asked for must be.
    pub(super) fn conditions(&self, kind: &Kind) -> Result<Vec<Condition>, ApiError> {
        let of_kind = kind.fixed.map(|(field, value)| Ok(Condition::is(field, value)));
        let asked = kind.list.filters.iter().filter_map(|filter| {
            let wanted = self.parameter(filter.parameter)?.to_owned();
            if matches!(filter.test, Test::IsUnless(any) if wanted == any) {
                return None;
            }
            let wanted = match filter.test {
                Test::HasPairs => pairs(filter.parameter, &wanted),
                _ => Ok(wanted),
            };
            Some(wanted.map(|wanted| Condition {
                pointer: filter.pointer.to_owned(),
                test: filter.test,
                wanted,
            }))
        });
        of_kind.into_iter().chain(asked).collect()
    }
}

/// The JSON of a parameter that holds it in base64; escaped once more where a client does that.
fn pairs(parameter: &str, text: &str) -> Result<String, ApiError> {
    let wrong = |why: &str| {
        ApiError::ParameterInvalid(format!(
            "The parameter {parameter} must be a JSON object in base64: {why}"
        ))
    };
    let text = percent_decode_str(text).decode_utf8_lossy();
    let json = STANDARD.decode(text.as_bytes()).map_err(|error| wrong(&error.to_string()))?;
    let object: Map<String, Value> =
        serde_json::from_slice(&json).map_err(|error| wrong(&error.to_string()))?;
    Ok(Value::Object(object).to_string())
}

/// The name in a body, checked.
pub(super) fn name_in(kind: &Kind, body: &Map<String, Value>) -> Result<String, ApiError> {
    let Key::Field(field, rule) = kind.key else { return Ok(String::new()) };
    let name = body.get(field).and_then(Value::as_str).ok_or_else(|| missing_field(kind, field))?;
    check_name(kind, rule, name)?;
    Ok(name.to_owned())
}

/// Refuses a name that breaks the rule. Source of the kind's own code and of the texts that go
/// with it: JavaSDK DashboardTest.
fn check_name(kind: &Kind, rule: &NameRule, name: &str) -> Result<(), ApiError> {
    let Err(invalid) = rule.check(name) else { return Ok(()) };
    let Some(code) = kind.invalid_name else { return Err(invalid.into()) };
    let message = match name.len() > rule.max() {
        true => format!("The length of {} name must be less than or equal to {}", kind.noun, rule.max()),
        false => format!("The {} name is invalid: {}", kind.noun, invalid.name),
    };
    Err(ApiError::Refused { status: 400, code, message })
}

fn missing_field(kind: &Kind, field: &str) -> ApiError {
    ApiError::ParameterInvalid(format!("{}: the field {field} is missing or not a text", kind.noun))
}

/// A body may leave its name to the path, but not contradict it.
pub(in crate::ops) fn same_name(body: &Map<String, Value>, field: &str, name: &str) -> Result<(), ApiError> {
    match body.get(field).and_then(Value::as_str) {
        Some(given) if given != name && !given.is_empty() => {
            Err(ApiError::NameMismatch { path: name.to_owned(), body: given.to_owned() })
        }
        _ => Ok(()),
    }
}

/// The objects in a list of the body.
pub(super) fn objects(mut body: Map<String, Value>, list: &str) -> Result<Vec<Map<String, Value>>, ApiError> {
    let wrong = || ApiError::ParameterInvalid(format!("The body must have a list of objects named {list}"));
    let Some(Value::Array(list)) = body.remove(list) else { return Err(wrong()) };
    let object = |value| if let Value::Object(object) = value { Ok(object) } else { Err(wrong()) };
    list.into_iter().map(object).collect()
}

/// A stored name as people read it.
pub(super) fn shown(name: &str) -> String {
    name.trim_end_matches(PART_END).replace(PART_END, "/")
}

/// The first part of a stored name.
pub(in crate::ops) fn first_part(name: &str) -> &str {
    name.split(PART_END).next().unwrap_or(name)
}
