//! The way of an object between the wire and the store: prune, default,
//! validate. Pure; `rest` calls the steps in order.

use serde_json::Value;

use crate::error::{ApiError, Cause, CauseKind};
use crate::kinds;
use crate::meta;
use crate::names;
use crate::registry::{Form, Resource, builtin};
use crate::schema::{Node, defaults, go_names, prune, validate};

/// What to do about unknown fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldValidation {
    /// Refuse the request.
    Strict,
    /// Drop them and say so in a `Warning` header; the default of the server.
    #[default]
    Warn,
    /// Drop them silently.
    Ignore,
}

impl FieldValidation {
    /// Parses the query parameter; `options` names the options it is part of.
    pub fn parse(text: &str, options: &str) -> Result<Self, ApiError> {
        match text {
            "Strict" => Ok(Self::Strict),
            "" | "Warn" => Ok(Self::Warn),
            "Ignore" => Ok(Self::Ignore),
            other => {
                let allowed = ["", "Ignore", "Strict", "Warn"].map(str::to_owned);
                let cause = Cause::not_supported("fieldValidation", &other.into(), &allowed);
                Err(ApiError::options(options, cause))
            }
        }
    }
}

/// Why a configuration cannot be applied: the first field that the kind does
/// not have, or the first value of the wrong type. Apply knows no lenient
/// validation.
pub fn apply_problem(resource: &Resource, config: &Value) -> Option<String> {
    let root = resource.schema()?.root();
    let mut scratch = config.clone();
    if let Some(path) = prune::prune(&mut scratch, root).first() {
        return Some(format!(".{path}: field not declared in schema"));
    }
    prune::drop_disallowed_nulls(&mut scratch, root);
    let found = validate::validate(&scratch, root, "");
    let problem =
        found.into_iter().find(|c| c.kind == CauseKind::TypeInvalid && !c.message.contains("date-time"))?;
    let expected = match problem.message.rsplit("of type ").next().and_then(|t| t.split(':').next()) {
        Some("integer" | "number") => "numeric (int or float)",
        Some("array") => "list",
        Some("object") => "map",
        Some("boolean") => "boolean",
        _ => "string",
    };
    let got = match value_at(&scratch, &problem.field) {
        Some(Value::String(_)) => "string",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Array(_)) => "list",
        Some(Value::Object(_)) => "map",
        Some(Value::Number(n)) if n.is_f64() => "float",
        Some(Value::Number(_)) => "int",
        Some(Value::Null) | None => "null",
    };
    Some(format!(".{}: expected {expected}, got {got}", problem.field))
}

/// Brings an object into the shape of its kind. Returns warnings.
/// `duplicates` are fields that stood twice in the request.
pub fn decode(
    resource: &Resource,
    object: &mut Value,
    validation: FieldValidation,
    duplicates: &[String],
) -> Result<Vec<String>, ApiError> {
    if resource.is_builtin() {
        meta::strip_nulls(object);
    } else {
        // Metadata is typed for every kind.
        if let Some(metadata) = object.get_mut("metadata") {
            meta::strip_nulls(metadata);
        }
    }
    drop_empty_metadata(object);
    let handled = || {
        format!(
            "{} in version {:?} cannot be handled as a {}",
            resource.kind, resource.version, resource.kind
        )
    };
    let mut problems: Vec<String> = duplicates.iter().map(|f| format!("duplicate field {f:?}")).collect();
    if let Some(schema) = resource.schema() {
        let root = schema.root();
        let mut unknown = prune::prune(object, root);
        if !resource.is_builtin() {
            unknown.extend(metadata_errors(object, handled)?);
            unknown.sort();
        }
        problems.extend(unknown.into_iter().map(|f| format!("unknown field {f:?}")));
        prune::drop_disallowed_nulls(object, root);
    }
    if resource.is_builtin() {
        type_errors(resource, object, handled)?;
    }
    if resource.is("", "Secret") {
        data_errors(object, handled)?;
    }
    match validation {
        FieldValidation::Strict if !problems.is_empty() => {
            let problem = format!("strict decoding error: {}", problems.join(", "));
            Err(ApiError::Undecodable { handled: handled(), problem })
        }
        FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Strict | FieldValidation::Warn => Ok(problems),
    }
}

/// Lists and maps of metadata that are empty mean the same as missing ones, and are not kept. Source:
/// `omitempty` in the real server's ObjectMeta. An empty `managedFields` is a request to forget them.
fn drop_empty_metadata(object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    for field in ["finalizers", "ownerReferences", "labels", "annotations"] {
        let empty = match metadata.get(field) {
            Some(Value::Array(list)) => list.is_empty(),
            Some(Value::Object(map)) => map.is_empty(),
            _ => false,
        };
        if empty {
            metadata.remove(field);
        }
    }
}

/// Metadata is typed for every kind. Drops its unknown fields and returns
/// their paths.
fn metadata_errors(object: &mut Value, handled: impl Fn() -> String) -> Result<Vec<String>, ApiError> {
    let Some(schema) = builtin::metadata_schema() else { return Ok(Vec::new()) };
    let Some(metadata) = object.get_mut("metadata") else { return Ok(Vec::new()) };
    let unknown = prune::prune(metadata, schema);
    let found = validate::validate(metadata, schema, "");
    if let Some(problem) = found.into_iter().find(|c| c.kind == CauseKind::TypeInvalid) {
        return Err(undecodable(metadata, schema, "ObjectMeta", &problem, handled()));
    }
    Ok(unknown.into_iter().map(|path| format!("metadata.{path}")).collect())
}

/// Built-in kinds are decoded into types: a value of the wrong type is a bad
/// request, not an invalid object.
fn type_errors(resource: &Resource, object: &Value, handled: impl Fn() -> String) -> Result<(), ApiError> {
    let Some(schema) = resource.schema() else { return Ok(()) };
    let found = validate::validate(object, schema.root(), "");
    let Some(problem) = found.into_iter().find(|c| c.kind == CauseKind::TypeInvalid) else { return Ok(()) };
    Err(undecodable(object, schema.root(), &resource.kind, &problem, handled()))
}

fn undecodable(object: &Value, root: Node<'_>, kind: &str, problem: &Cause, handled: String) -> ApiError {
    let value = match value_at(object, &problem.field) {
        Some(Value::Null) | None => "null",
        Some(Value::Bool(_)) => "bool",
        Some(Value::Number(_)) => "number",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "array",
        Some(Value::Object(_)) => "object",
    };
    let place = go_names::of(root, kind, &problem.field);
    let problem = format!(
        "json: cannot unmarshal {value} into Go struct field {}.{} of type {}",
        place.parent, place.path, place.kind
    );
    ApiError::Undecodable { handled, problem }
}

/// The data of secrets is base64.
fn data_errors(object: &Value, handled: impl Fn() -> String) -> Result<(), ApiError> {
    use base64::Engine as _;
    for text in object.get("data").and_then(Value::as_object).into_iter().flat_map(|d| d.values()) {
        let decoded = base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap_or_default());
        let at = match decoded {
            Ok(_) => continue,
            Err(base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _)) => {
                at
            }
            Err(_) => text.as_str().map_or(0, str::len),
        };
        let problem = format!("illegal base64 data at input byte {at}");
        return Err(ApiError::Undecodable { handled: handled(), problem });
    }
    Ok(())
}

/// Fills in defaults.
pub fn default(resource: &Resource, object: &mut Value) {
    match &resource.form {
        Form::Builtin(_) => kinds::default(resource, object),
        Form::Custom(custom) => {
            if let Some(schema) = &custom.schema {
                defaults::apply(object, schema.root());
            }
        }
    }
}

/// Refuses an object that breaks a rule. `old` is the stored object on update.
pub fn check(resource: &Resource, object: &Value, old: Option<&Value>) -> Result<(), ApiError> {
    let mut causes = names::problems(resource, object);
    match &resource.form {
        Form::Builtin(_) => {
            causes.extend(builtin_schema_problems(resource, object));
            for cause in kinds::problems(resource, object, old) {
                if !causes.contains(&cause) {
                    causes.push(cause);
                }
            }
        }
        Form::Custom(custom) => {
            let mut found = Vec::new();
            if let Some(schema) = &custom.schema {
                found.extend(validate::validate(object, schema.root(), ""));
            }
            if !found.iter().any(blocks_rules) {
                found.extend(custom.rules.evaluate(object, old));
            } else if !custom.rules.is_empty() {
                found.push(rules_not_checked());
            }
            causes.extend(found.into_iter().filter(|cause| !unchanged(cause, object, old)));
        }
    }
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::Invalid { target: resource.kind_target(meta::name(object)), causes })
}

/// True for problems that keep CEL rules from being evaluated: they assume a
/// complete value of the right shape and of bounded size.
fn blocks_rules(cause: &Cause) -> bool {
    matches!(
        cause.kind,
        CauseKind::Required | CauseKind::TooLong | CauseKind::TooMany | CauseKind::TypeInvalid
    )
}

fn rules_not_checked() -> Cause {
    let detail = "some validation rules were not checked because the object was invalid; correct the existing errors to \
        complete validation";
    Cause::invalid("<nil>", &Value::Null, detail)
}

/// What the schema of a built-in kind finds. Source: kube-apiserver validates
/// specifications by hand-written code and status hardly at all; required
/// fields of the published schema hold for specifications only.
fn builtin_schema_problems(resource: &Resource, object: &Value) -> Vec<Cause> {
    let Some(schema) = resource.schema() else { return Vec::new() };
    let exempt = |cause: &Cause| cause.field.starts_with("status") || cause.field.starts_with("metadata");
    validate::validate(object, schema.root(), "").into_iter().filter(|c| !exempt(c)).collect()
}

/// Validation ratcheting: a value that was stored before stays acceptable as
/// long as it is not changed. Source: KEP-4008, on by default since 1.30.
fn unchanged(cause: &Cause, object: &Value, old: Option<&Value>) -> bool {
    let Some(old) = old else { return false };
    match (value_at(object, &cause.field), value_at(old, &cause.field)) {
        (Some(new), Some(old)) => new == old,
        _ => false,
    }
}

fn value_at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let mut at = object;
    for part in path.split('.').filter(|p| !p.is_empty()) {
        let mut pieces = part.split('[');
        let name = pieces.next().unwrap_or_default();
        if !name.is_empty() {
            at = at.get(name)?;
        }
        for piece in pieces {
            let key = piece.trim_end_matches(']');
            at = match key.parse::<usize>() {
                Ok(index) if at.is_array() => at.get(index)?,
                _ => at.get(key)?,
            };
        }
    }
    Some(at)
}

/// True if something that `metadata.generation` counts differs: everything
/// but metadata and, where it is a subresource, status.
pub fn specification_differs(resource: &Resource, new: &Value, old: &Value) -> bool {
    let relevant = |object: &Value| -> Vec<(String, Value)> {
        let map = object.as_object().cloned().unwrap_or_default();
        let mut list: Vec<(String, Value)> = map
            .into_iter()
            .filter(|(k, _)| !matches!(k.as_str(), "metadata" | "apiVersion" | "kind"))
            .filter(|(k, _)| !(resource.has_status && k == "status"))
            .collect();
        list.sort_by(|a, b| a.0.cmp(&b.0));
        list
    };
    relevant(new) != relevant(old)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use serde_json::json;

    #[test]
    fn an_unknown_field_is_an_error_a_warning_or_nothing() {
        let registry = Registry::with_builtins();
        let pods = registry.find("", "v1", "pods").unwrap();
        let pod = json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i", "imgae": "x"}]}});
        let warnings = decode(&pods, &mut pod.clone(), FieldValidation::Warn, &[]).unwrap();
        assert_eq!(warnings, ["unknown field \"spec.containers[0].imgae\""]);
        assert!(decode(&pods, &mut pod.clone(), FieldValidation::Ignore, &[]).unwrap().is_empty());
        let error = decode(&pods, &mut pod.clone(), FieldValidation::Strict, &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: unknown field \"spec.containers[0].imgae\""
        );
    }

    #[test]
    fn a_wrong_type_in_a_built_in_kind_is_a_bad_request() {
        let registry = Registry::with_builtins();
        let pods = registry.find("", "v1", "pods").unwrap();
        let mut pod = json!({"spec": {"containers": [{"name": "c", "env": [{"name": "A", "value": 1}]}]}});
        let error = decode(&pods, &mut pod, FieldValidation::Warn, &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal number into Go struct field \
             EnvVar.spec.containers.env.value of type string"
        );
    }

    #[test]
    fn a_stored_value_stays_acceptable_while_it_is_not_changed() {
        let cause = Cause::invalid("spec.list[1].n", &json!(1), "");
        let old = json!({"spec": {"list": [{}, {"n": 1}]}});
        assert!(unchanged(&cause, &old, Some(&old)));
        assert!(!unchanged(&cause, &json!({"spec": {"list": [{}, {"n": 2}]}}), Some(&old)));
    }
}
