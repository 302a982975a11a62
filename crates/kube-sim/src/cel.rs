//! CEL rules of custom resources, through `kube-cel`.
//!
//! kube-cel treats an explicit null as a present value where the real server
//! treats it as a missing field, so nulls are removed before evaluation.

use kube_cel::{CompiledSchema, ErrorKind, Validator, compile_schema};
use serde_json::Value;

use crate::error::{Cause, CauseKind};
use crate::meta;

thread_local! {
    /// Registers its functions once per thread; it is not `Sync`.
    static VALIDATOR: Validator = Validator::new();
}

/// The compiled rules of one schema.
#[derive(Debug)]
pub struct Rules {
    compiled: Option<CompiledSchema>,
}

impl Rules {
    /// Compiles the rules of a schema, if there is one.
    pub fn compile(schema: Option<&Value>) -> Self {
        let has_rules = schema.is_some_and(has_rules);
        Self { compiled: schema.filter(|_| has_rules).map(compile_schema) }
    }

    /// True if there are no rules.
    pub fn is_empty(&self) -> bool {
        self.compiled.is_none()
    }

    /// Rules that do not compile.
    pub fn problems(&self, path: &str) -> Vec<Cause> {
        let mut out = Vec::new();
        if let Some(compiled) = &self.compiled {
            collect_problems(compiled, path, &mut out);
        }
        out
    }

    /// Evaluates the rules. `old` is the stored object on update.
    pub fn evaluate(&self, object: &Value, old: Option<&Value>) -> Vec<Cause> {
        let Some(compiled) = &self.compiled else { return Vec::new() };
        let without_nulls = |value: &Value| {
            let mut value = value.clone();
            meta::strip_nulls(&mut value);
            value
        };
        let (object, old) = (without_nulls(object), old.map(without_nulls));
        let result = VALIDATOR.with(|validator| validator.validate_compiled(compiled, &object, old.as_ref()));
        let Err(errors) = result else { return Vec::new() };
        errors.into_vec().into_iter().map(|error| cause(&error, &object)).collect()
    }
}

/// Scalars are printed, as on the real server; of objects and lists it says nothing.
fn cause(error: &kube_cel::ValidationError, object: &Value) -> Cause {
    let kind = match error.reason.as_deref() {
        Some("FieldValueRequired") => CauseKind::Required,
        Some("FieldValueForbidden") => CauseKind::Forbidden,
        Some("FieldValueDuplicate") => CauseKind::Duplicate,
        _ => CauseKind::Invalid,
    };
    let detail = match error.kind {
        ErrorKind::ValidationFailure => error.message.clone(),
        _ => format!("{} evaluating rule: {}", error.message, error.rule),
    };
    let scalar = value_at(object, &error.field_path).filter(|v| !v.is_object() && !v.is_array());
    let message = match (kind, scalar) {
        (CauseKind::Required, _) => format!("Required value: {detail}"),
        (CauseKind::Forbidden, _) => format!("Forbidden: {detail}"),
        (CauseKind::Duplicate, Some(value)) => format!("Duplicate value: {value}"),
        (CauseKind::Duplicate, None) => format!("Duplicate value: {detail}"),
        (_, Some(value)) => format!("Invalid value: {value}: {detail}"),
        (_, None) => format!("Invalid value: {detail}"),
    };
    Cause { kind, field: error.field_path.clone(), message }
}

/// The value at a field path such as `spec.list[0].name` or `spec.map[key]`.
fn value_at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split(['.', '[']).map(|part| part.trim_end_matches(']')).filter(|part| !part.is_empty()).try_fold(
        object,
        |value, part| match value {
            Value::Array(list) => list.get(part.parse::<usize>().ok()?),
            other => other.get(part),
        },
    )
}

fn has_rules(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.contains_key("x-kubernetes-validations") || map.values().any(has_rules),
        Value::Array(list) => list.iter().any(has_rules),
        _ => false,
    }
}

fn collect_problems(schema: &CompiledSchema, path: &str, out: &mut Vec<Cause>) {
    for error in schema.compilation_errors() {
        let field = format!("{path}.x-kubernetes-validations");
        out.push(Cause { kind: CauseKind::Invalid, field, message: format!("Invalid value: {error}") });
    }
    let mut names: Vec<&String> = schema.properties.keys().collect();
    names.sort();
    for name in names {
        if let Some(child) = schema.properties.get(name) {
            collect_problems(child, &format!("{path}.properties[{name}]"), out);
        }
    }
    for (child, keyword) in
        [(&schema.items, "items"), (&schema.additional_properties, "additionalProperties")]
    {
        if let Some(child) = child {
            collect_problems(child, &format!("{path}.{keyword}"), out);
        }
    }
}
