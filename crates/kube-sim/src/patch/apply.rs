//! Server-side apply: merge the applied configuration into the live object,
//! find conflicts with other managers, remove what the manager no longer
//! applies, and record the new ownership. Pure; `rest::patch` calls it.

use serde_json::Value;

use super::fields::{Fields, Step, difference};
use super::managed::{self, Entry, Writer};
use super::shape::{ListKind, Shape};
use crate::error::ApplyConflict;
use crate::meta;

/// The outcome of an apply that found no conflict.
#[derive(Debug)]
pub struct Applied {
    /// The object after the merge, without its new `managedFields`.
    pub object: Value,
    /// The new `managedFields`.
    pub entries: Vec<Entry>,
}

/// One apply request.
#[derive(Debug)]
pub struct Request<'a> {
    /// The stored object; `None` creates one.
    pub live: Option<&'a Value>,
    /// The configuration, already pruned to the known fields.
    pub config: &'a Value,
    /// Who applies.
    pub writer: &'a Writer,
    /// Take over the fields of others instead of failing.
    pub force: bool,
    /// How the object merges.
    pub shape: Shape<'a>,
    /// Now, for the entry.
    pub now: &'a str,
}

/// Applies a configuration.
pub fn apply(request: &Request<'_>) -> Result<Applied, Vec<ApplyConflict>> {
    let shape = request.shape;
    let mut config = request.config.clone();
    meta::metadata_mut(&mut config).remove("managedFields");
    let mut wanted = Fields::of(&config, shape);
    managed::strip_unowned(&mut wanted);
    if request.writer.subresource == "status" {
        wanted.keep_only("status");
    }
    let mut entries = request.live.map(managed::read).unwrap_or_default();
    if let (Some(live), true) = (request.live, entries.is_empty()) {
        entries.push(before_first_apply(live, request));
    }
    let merged = match request.live {
        Some(live) => merge(live, &config, shape),
        None => config.clone(),
    };
    let mut change = difference(request.live, Some(&merged), shape);
    managed::strip_unowned(&mut change.changed);
    resolve_conflicts(&mut entries, request, &change.changed)?;

    let previous =
        entries.iter().find(|e| e.is_of(request.writer)).map(|e| e.fields.clone()).unwrap_or_default();
    let others = entries
        .iter()
        .filter(|e| !e.is_of(request.writer))
        .fold(Fields::default(), |sum, entry| sum.union(&entry.fields));
    let keep = wanted.union(&others);
    let mut object = merged;
    remove_dropped(&mut object, &previous, &keep, shape);

    entries.retain(|e| !e.fields.is_empty());
    match entries.iter_mut().find(|e| e.is_of(request.writer)) {
        Some(entry) if entry.fields == wanted => {}
        Some(entry) => {
            entry.fields = wanted;
            request.now.clone_into(&mut entry.time);
        }
        None => {
            let mut entry = Entry::of(request.writer, request.now);
            entry.fields = wanted;
            entries.insert(0, entry);
        }
    }
    Ok(Applied { object, entries })
}

/// Conflicts are fields of other managers whose value would change. With
/// `force` their owners lose them.
fn resolve_conflicts(
    entries: &mut [Entry],
    request: &Request<'_>,
    changed: &Fields,
) -> Result<(), Vec<ApplyConflict>> {
    let mut conflicts = Vec::new();
    for entry in entries.iter_mut().filter(|e| !e.is_of(request.writer)) {
        let common = entry.fields.intersection(changed);
        if common.is_empty() {
            continue;
        }
        if request.force {
            entry.fields = entry.fields.minus(&common);
        } else {
            let owner = entry.owner();
            conflicts.extend(
                common.paths().into_iter().map(|field| ApplyConflict { owner: owner.clone(), field }),
            );
        }
    }
    conflicts.sort_by(|a: &ApplyConflict, b| a.field.cmp(&b.field));
    if conflicts.is_empty() { Ok(()) } else { Err(conflicts) }
}

/// The owner of everything in an object that was not tracked so far.
fn before_first_apply(live: &Value, request: &Request<'_>) -> Entry {
    let writer = Writer {
        manager: "before-first-apply".to_owned(),
        operation: "Update",
        api_version: request.writer.api_version.clone(),
        subresource: String::new(),
    };
    let mut entry = Entry::of(&writer, request.now);
    entry.fields = difference(None, Some(live), request.shape).changed;
    managed::strip_unowned(&mut entry.fields);
    entry
}

/// Merges a configuration into a live value.
fn merge(live: &Value, config: &Value, shape: Shape<'_>) -> Value {
    match (live, config) {
        (Value::Object(live), Value::Object(config)) if !shape.atomic_map() => {
            let mut out = live.clone();
            for (name, value) in config {
                let merged = match live.get(name) {
                    Some(old) => merge(old, value, shape.member(name)),
                    None => value.clone(),
                };
                out.insert(name.clone(), merged);
            }
            Value::Object(out)
        }
        (Value::Array(live), Value::Array(config)) => match shape.list() {
            ListKind::Atomic => Value::Array(config.clone()),
            ListKind::Set => Value::Array(merge_items(live, config, |v| Some(v.to_string()), shape)),
            ListKind::Map(keys) => {
                Value::Array(merge_items(live, config, |item| shape.item_key(&keys, item), shape))
            }
        },
        _ => config.clone(),
    }
}

/// Merges lists whose items have an identity. The order is that of the
/// configuration; items that only the live list has stay where they are
/// relative to those both have. Source: behaviour of kube-apiserver.
fn merge_items(
    live: &[Value],
    config: &[Value],
    identity: impl Fn(&Value) -> Option<String>,
    shape: Shape<'_>,
) -> Vec<Value> {
    let in_config = |wanted: &Value| config.iter().any(|c| identity(c) == identity(wanted));
    let merged = |item: &Value| match live.iter().find(|l| identity(l) == identity(item)) {
        Some(old) => merge(old, item, shape.item()),
        None => item.clone(),
    };
    let mut out: Vec<Value> = Vec::with_capacity(live.len() + config.len());
    let mut left = live.iter().peekable();
    let mut right = config.iter().peekable();
    loop {
        // Items of the live list that the configuration does not have.
        while let Some(item) = left.next_if(|item| !in_config(item)) {
            out.push(item.clone());
        }
        let Some(item) = right.next() else { break };
        left.next_if(|l| identity(l) == identity(item));
        out.push(merged(item));
        // What is out already must not hold back what follows it.
        while left.next_if(|l| in_config(l) && out.iter().any(|o| identity(o) == identity(l))).is_some() {}
    }
    out
}

/// Removes from `value` what `previous` holds and `keep` does not.
fn remove_dropped(value: &mut Value, previous: &Fields, keep: &Fields, shape: Shape<'_>) {
    let nothing = Fields::default();
    match value {
        Value::Object(map) => {
            for (step, fields) in &previous.children {
                let Step::Field(name) = step else { continue };
                let kept = keep.children.get(step);
                let gone = fields.own && kept.is_none();
                if gone {
                    map.remove(name);
                    continue;
                }
                if let Some(member) = map.get_mut(name) {
                    remove_dropped(member, fields, kept.unwrap_or(&nothing), shape.member(name));
                    if kept.is_none() && is_hollow(member) {
                        map.remove(name);
                    }
                }
            }
        }
        Value::Array(list) => {
            let kind = shape.list();
            list.retain_mut(|item| {
                let step = match &kind {
                    ListKind::Map(keys) => shape.item_key(keys, item).map(Step::Key),
                    ListKind::Set => Some(Step::Value(item.to_string())),
                    ListKind::Atomic => None,
                };
                let Some((fields, step)) = step.and_then(|s| Some((previous.children.get(&s)?, s))) else {
                    return true;
                };
                let Some(kept) = keep.children.get(&step) else { return false };
                remove_dropped(item, fields, kept, shape.item());
                true
            });
        }
        _ => {}
    }
}

fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
