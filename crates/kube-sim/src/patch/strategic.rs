//! Strategic merge patch, with the directives that kubectl sends:
//! `$patch`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`, `$retainKeys`.

use serde_json::{Map, Value};

use super::shape::{ListKind, Shape};
use crate::error::ApiError;

/// Applies a strategic merge patch to an object of a built-in kind.
pub fn patch(target: &Value, body: &Value, shape: Shape<'_>) -> Result<Value, ApiError> {
    let (Value::Object(target), Value::Object(body)) = (target, body) else {
        return Err(ApiError::BadRequest("a strategic merge patch must be a JSON object".into()));
    };
    Ok(Value::Object(merge_map(target, body, shape)))
}

const ORDER: &str = "$setElementOrder/";
const DELETE_PRIMITIVES: &str = "$deleteFromPrimitiveList/";
const RETAIN: &str = "$retainKeys";
const DIRECTIVE: &str = "$patch";

fn merge_map(target: &Map<String, Value>, body: &Map<String, Value>, shape: Shape<'_>) -> Map<String, Value> {
    match body.get(DIRECTIVE).and_then(Value::as_str) {
        Some("replace") => {
            return body
                .iter()
                .filter(|(k, _)| *k != DIRECTIVE)
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
        }
        Some("delete") => return Map::new(),
        _ => {}
    }
    let mut out = target.clone();
    if let Some(keep) = body.get(RETAIN).and_then(Value::as_array) {
        out.retain(|key, _| keep.iter().any(|k| k.as_str() == Some(key)));
    }
    for (key, value) in body {
        if key.starts_with('$') {
            continue;
        }
        merge_member(&mut out, key, value, body, shape.member(key));
    }
    apply_orphan_directives(&mut out, body, shape);
    out
}

fn merge_member(
    out: &mut Map<String, Value>,
    key: &str,
    value: &Value,
    body: &Map<String, Value>,
    shape: Shape<'_>,
) {
    match (out.get(key), value) {
        (_, Value::Null) => {
            out.remove(key);
        }
        (Some(Value::Object(old)), Value::Object(new)) => {
            let merged = merge_map(old, new, shape);
            let deleted = new.get(DIRECTIVE).and_then(Value::as_str) == Some("delete");
            if deleted {
                out.remove(key);
            } else {
                out.insert(key.to_owned(), Value::Object(merged));
            }
        }
        (None, Value::Object(new)) => {
            // Directives inside of a new object mean nothing any more.
            let fresh = merge_map(&Map::new(), new, shape);
            if new.get(DIRECTIVE).and_then(Value::as_str) != Some("delete") {
                out.insert(key.to_owned(), Value::Object(fresh));
            }
        }
        (old, Value::Array(new)) => {
            let old = old.and_then(Value::as_array).cloned().unwrap_or_default();
            let order = body.get(&format!("{ORDER}{key}")).and_then(Value::as_array);
            out.insert(key.to_owned(), Value::Array(merge_list(&old, new, order, shape)));
        }
        _ => {
            out.insert(key.to_owned(), value.clone());
        }
    }
}

/// Directives about lists that the patch does not otherwise touch.
fn apply_orphan_directives(out: &mut Map<String, Value>, body: &Map<String, Value>, shape: Shape<'_>) {
    for (directive, value) in body {
        let Some(values) = value.as_array() else { continue };
        if let Some(key) = directive.strip_prefix(DELETE_PRIMITIVES)
            && let Some(Value::Array(list)) = out.get_mut(key)
        {
            list.retain(|item| !values.contains(item));
        }
        if let Some(key) = directive.strip_prefix(ORDER)
            && !body.contains_key(key)
            && let Some(Value::Array(list)) = out.get_mut(key)
        {
            let live = std::mem::take(list);
            *list = reorder(live.clone(), values, &live, shape.member(key));
        }
    }
}

fn merge_list(old: &[Value], new: &[Value], order: Option<&Vec<Value>>, shape: Shape<'_>) -> Vec<Value> {
    let Some(key) = shape.strategic_key() else {
        if shape.list() != ListKind::Set {
            return new.to_vec();
        }
        let mut out = old.to_vec();
        out.extend(new.iter().filter(|v| !old.contains(v)).cloned());
        return reorder(out, order.map_or(new, Vec::as_slice), old, shape);
    };
    if new.iter().any(|item| is_directive(item, "replace")) {
        return new.iter().filter(|item| !is_directive(item, "replace")).cloned().collect();
    }
    let mut out = old.to_vec();
    for item in new {
        let same = |other: &Value| item.get(&key).is_some() && other.get(&key) == item.get(&key);
        if is_directive(item, "delete") {
            out.retain(|other| !same(other));
            continue;
        }
        match out.iter_mut().find(|other| same(other)) {
            Some(slot) => {
                if let (Value::Object(target), Value::Object(body)) = (&*slot, item) {
                    let merged = merge_map(target, body, shape.item());
                    *slot = Value::Object(merged);
                }
            }
            None => out.push(match item {
                Value::Object(body) => Value::Object(merge_map(&Map::new(), body, shape.item())),
                other => other.clone(),
            }),
        }
    }
    reorder(out, order.map_or(new, Vec::as_slice), old, shape)
}

fn is_directive(item: &Value, directive: &str) -> bool {
    item.get(DIRECTIVE).and_then(Value::as_str) == Some(directive)
}

/// Puts the items that `order` lists into that order. Each of the others goes
/// before the first listed item that it preceded in the live list, and keeps
/// its place among its like. Source: behaviour of kube-apiserver.
fn reorder(list: Vec<Value>, order: &[Value], live: &[Value], shape: Shape<'_>) -> Vec<Value> {
    let key = shape.strategic_key();
    let identity = |item: &Value| match &key {
        Some(key) => item.get(key).cloned().unwrap_or_default(),
        None => item.clone(),
    };
    let wanted: Vec<Value> = order.iter().map(identity).collect();
    let rank = |item: &Value| wanted.iter().position(|w| *w == identity(item));
    let place = |item: &Value| live.iter().position(|l| identity(l) == identity(item));
    let (mut listed, others): (Vec<Value>, Vec<Value>) =
        list.into_iter().partition(|item| rank(item).is_some());
    listed.sort_by_key(|item| rank(item));
    let mut out = Vec::with_capacity(listed.len() + others.len());
    let mut others = others.into_iter().peekable();
    for item in listed {
        while let Some(other) = others.next_if(|other| precedes(place(other), place(&item))) {
            out.push(other);
        }
        out.push(item);
    }
    out.extend(others);
    out
}

fn precedes(a: Option<usize>, b: Option<usize>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a < b)
}
