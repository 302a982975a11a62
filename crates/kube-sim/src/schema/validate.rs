//! Validates a value against a structural schema. Wording follows
//! kube-apiserver (apiextensions and go-openapi/validate).

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::Regex;
use serde_json::Value;

use super::{DEPTH_MAX, Node, Origin, join};
use crate::error::{Cause, CauseKind};

/// All problems of `value`, a whole object or a part of it at `path`.
pub fn validate(value: &Value, node: Node<'_>, path: &str) -> Vec<Cause> {
    let mut out = Vec::new();
    check(value, node, path, 0, &mut out);
    // Sets and maps are looked at after everything else.
    check_list_types(value, node, path, 0, &mut out);
    out
}

fn check(value: &Value, node: Node<'_>, path: &str, depth: usize, out: &mut Vec<Cause>) {
    if depth > DEPTH_MAX {
        return;
    }
    if value.is_null() && (node.nullable() || node.kind().is_empty()) {
        return;
    }
    if let Some(problem) = type_problem(value, node, path) {
        out.push(problem);
        if node.int_or_string() {
            check_combinators(value, node, path, depth, out);
        }
        return;
    }
    check_enum(value, node, path, out);
    match value {
        Value::String(text) => check_string(text, node, path, out),
        Value::Number(_) => check_number(value, node, path, out),
        Value::Array(list) => check_list(value, list, node, path, depth, out),
        Value::Object(map) => check_object(value, map, node, path, depth, out),
        Value::Null | Value::Bool(_) => {}
    }
    check_combinators(value, node, path, depth, out);
}

fn type_problem(value: &Value, node: Node<'_>, path: &str) -> Option<Cause> {
    if node.int_or_string() {
        let fits =
            value.is_string() || is_integer(value) || (node.origin() == Origin::Builtin && value.is_number());
        return (!fits).then(|| wrong_type(value, path, "integer,string"));
    }
    let fits = match node.kind() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => is_integer(value),
        "number" => value.is_number(),
        _ => true,
    };
    (!fits).then(|| wrong_type(value, path, node.kind()))
}

fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|f| f.fract() == 0.0)
}

fn wrong_type(value: &Value, path: &str, expected: &str) -> Cause {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) if is_integer(value) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let message = format!("Invalid value: {found:?}: {path} in body must be of type {expected}: {found:?}");
    Cause { kind: CauseKind::TypeInvalid, field: path.to_owned(), message }
}

fn check_enum(value: &Value, node: Node<'_>, path: &str, out: &mut Vec<Cause>) {
    let Some(allowed) = node.keyword("enum").and_then(Value::as_array) else { return };
    if !allowed.contains(value) {
        let names: Vec<String> = allowed
            .iter()
            .filter(|v| !v.is_null())
            .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            .collect();
        out.push(Cause::not_supported(path, value, &names));
    }
}

fn limit(node: Node<'_>, keyword: &str) -> Option<u64> {
    let value = node.keyword(keyword)?;
    value.as_u64().or_else(|| value.as_f64().filter(|f| *f >= 0.0).map(|f| f as u64))
}

/// The first problem of a string, as the real server stops there; its format
/// is checked in any case.
fn check_string(text: &str, node: Node<'_>, path: &str, out: &mut Vec<Cause>) {
    out.extend(text_problem(text, node, path));
    if let Some(format) = node.keyword("format").and_then(Value::as_str)
        && node.origin() == Origin::Custom
        && !format_fits(format, text)
    {
        let message = format!("Invalid value: {text:?}: {path} in body must be of type {format}: {text:?}");
        out.push(Cause { kind: CauseKind::TypeInvalid, field: path.to_owned(), message });
    }
}

fn text_problem(text: &str, node: Node<'_>, path: &str) -> Option<Cause> {
    let chars = text.chars().count() as u64;
    if let Some(max) = limit(node, "maxLength").filter(|max| chars > *max) {
        let message = format!("Too long: may not be more than {max} bytes");
        return Some(Cause { kind: CauseKind::TooLong, field: path.to_owned(), message });
    }
    if let Some(min) = limit(node, "minLength").filter(|min| chars < *min) {
        let detail = format!("{path} in body should be at least {min} chars long");
        return Some(Cause::invalid(path, &text.into(), &detail));
    }
    let pattern = node.keyword("pattern").and_then(Value::as_str)?;
    if pattern_matches(pattern, text) {
        return None;
    }
    Some(Cause::invalid(path, &text.into(), &format!("{path} in body should match '{pattern}'")))
}

/// Patterns are few and come back for every object.
fn pattern_matches(pattern: &str, text: &str) -> bool {
    thread_local! {
        static COMPILED: RefCell<HashMap<String, Option<Rc<Regex>>>> = RefCell::default();
    }
    /// Patterns kept per thread before the cache starts anew.
    const PATTERNS_MAX: usize = 512;
    let compiled = COMPILED.with_borrow_mut(|cache| {
        if cache.len() >= PATTERNS_MAX {
            cache.clear();
        }
        cache.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok().map(Rc::new)).clone()
    });
    // A CRD with a pattern that does not compile is refused at registration.
    compiled.is_none_or(|regex| regex.is_match(text))
}

/// Formats the real server knows and checks; all others pass.
fn format_fits(format: &str, text: &str) -> bool {
    match format {
        "date-time" | "datetime" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "duration" => text.is_empty() || text.chars().any(|c| c.is_ascii_digit()),
        "uri" => text.contains(':'),
        _ => true,
    }
}

fn check_number(value: &Value, node: Node<'_>, path: &str, out: &mut Vec<Cause>) {
    let Some(number) = value.as_f64() else { return };
    let bound = |keyword: &str| node.keyword(keyword).and_then(Value::as_f64);
    if let Some(max) = bound("maximum") {
        let exclusive = node.flag("exclusiveMaximum");
        if number > max || (exclusive && number >= max) {
            let word = if exclusive { "less than" } else { "less than or equal to" };
            out.push(Cause::invalid(path, value, &format!("{path} in body should be {word} {max}")));
        }
    }
    if let Some(min) = bound("minimum") {
        let exclusive = node.flag("exclusiveMinimum");
        if number < min || (exclusive && number <= min) {
            let word = if exclusive { "greater than" } else { "greater than or equal to" };
            out.push(Cause::invalid(path, value, &format!("{path} in body should be {word} {min}")));
        }
    }
    if let Some(step) = bound("multipleOf").filter(|s| *s > 0.0)
        && (number / step).fract().abs() > f64::EPSILON
    {
        out.push(Cause::invalid(path, value, &format!("{path} in body should be a multiple of {step}")));
    }
}

fn too_many(path: &str, have: usize, max: u64) -> Cause {
    let message = format!("Too many: {have}: must have at most {max} items");
    Cause { kind: CauseKind::TooMany, field: path.to_owned(), message }
}

fn check_list(value: &Value, list: &[Value], node: Node<'_>, path: &str, depth: usize, out: &mut Vec<Cause>) {
    if let Some(max) = limit(node, "maxItems").filter(|max| list.len() as u64 > *max) {
        out.push(too_many(path, list.len(), max));
    }
    if let Some(min) = limit(node, "minItems").filter(|min| (list.len() as u64) < *min) {
        let shown = Value::from(list.len());
        out.push(Cause::invalid(path, &shown, &format!("{path} in body should have at least {min} items")));
    }
    if node.flag("uniqueItems") && has_duplicate(list, |v| Some(v.clone())).is_some() {
        out.push(Cause::invalid(path, value, &format!("{path} in body shouldn't contain duplicates")));
    }
    if let Some(items) = node.items() {
        for (index, item) in list.iter().enumerate() {
            check(item, items, &format!("{path}[{index}]"), depth + 1, out);
        }
    }
}

fn has_duplicate(list: &[Value], key: impl Fn(&Value) -> Option<Value>) -> Option<(usize, Value)> {
    let keys: Vec<Option<Value>> = list.iter().map(key).collect();
    keys.iter().enumerate().find_map(|(index, key)| {
        let key = key.as_ref()?;
        keys.iter().take(index).any(|earlier| earlier.as_ref() == Some(key)).then(|| (index, key.clone()))
    })
}

fn check_list_types(value: &Value, node: Node<'_>, path: &str, depth: usize, out: &mut Vec<Cause>) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Array(list) => {
            out.extend(duplicate_item(list, node, path));
            let Some(items) = node.items() else { return };
            for (index, item) in list.iter().enumerate() {
                check_list_types(item, items, &format!("{path}[{index}]"), depth + 1, out);
            }
        }
        Value::Object(map) => {
            for (name, member) in map {
                if let Some(child) = node.member(name) {
                    check_list_types(member, child, &join(path, name), depth + 1, out);
                }
            }
        }
        _ => {}
    }
}

fn duplicate_item(list: &[Value], node: Node<'_>, path: &str) -> Option<Cause> {
    let duplicate = match node.list_type() {
        "set" => has_duplicate(list, |v| Some(v.clone())),
        "map" => {
            let keys = node.list_map_keys();
            has_duplicate(list, |item| {
                let identity = keys.iter().filter_map(|k| Some(((*k).to_owned(), item.get(*k)?.clone())));
                Some(Value::Object(identity.collect()))
            })
        }
        _ => None,
    };
    duplicate.map(|(index, key)| Cause::duplicate(format!("{path}[{index}]"), &key))
}

fn check_object(
    value: &Value,
    map: &serde_json::Map<String, Value>,
    node: Node<'_>,
    path: &str,
    depth: usize,
    out: &mut Vec<Cause>,
) {
    for name in
        node.keyword("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    {
        if !map.contains_key(name) {
            out.push(Cause::required(join(path, name), ""));
        }
    }
    if let Some(max) = limit(node, "maxProperties").filter(|max| map.len() as u64 > *max) {
        out.push(too_many(path, map.len(), max));
    }
    if let Some(min) = limit(node, "minProperties").filter(|min| (map.len() as u64) < *min) {
        out.push(Cause::invalid(
            path,
            value,
            &format!("{path} in body should have at least {min} properties"),
        ));
    }
    for (name, member) in map {
        if let Some(child) = node.member(name) {
            check(member, child, &join(path, name), depth + 1, out);
        }
    }
}

fn check_combinators(value: &Value, node: Node<'_>, path: &str, depth: usize, out: &mut Vec<Cause>) {
    let problems = |branch: Node<'_>| {
        let mut problems = Vec::new();
        check(value, branch, path, depth + 1, &mut problems);
        problems
    };
    // The real server loses the field here.
    let refusal = |text: String| Cause {
        kind: CauseKind::Invalid,
        field: "<nil>".to_owned(),
        message: format!("Invalid value: \"\": {path:?} {text}"),
    };
    for branch in node.branches("allOf") {
        out.extend(problems(branch));
    }
    let any: Vec<Vec<Cause>> = node.branches("anyOf").into_iter().map(problems).collect();
    if let Some(first) = any.first()
        && !any.iter().any(Vec::is_empty)
    {
        out.push(refusal("must validate at least one schema (anyOf)".to_owned()));
        out.extend(first.iter().cloned());
    }
    let one: Vec<Vec<Cause>> = node.branches("oneOf").into_iter().map(problems).collect();
    let valid = one.iter().filter(|p| p.is_empty()).count();
    if !one.is_empty() && valid != 1 {
        let found = if valid == 0 { "none valid".to_owned() } else { format!("{valid} valid alternatives") };
        out.push(refusal(format!("must validate one and only one schema (oneOf). Found {found}")));
    }
    if node.not().is_some_and(|branch| problems(branch).is_empty()) {
        out.push(refusal("must not validate the schema (not)".to_owned()));
    }
}

#[cfg(test)]
mod tests;
