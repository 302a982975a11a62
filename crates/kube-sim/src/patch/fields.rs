//! Sets of field paths, as `managedFields` keep them: construction from a
//! value, set algebra, differences between values, and the `fieldsV1` form.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::shape::{ListKind, Shape};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Member of an object.
    Field(String),
    /// Item of a map list, by its keys as canonical JSON.
    Key(String),
    /// Item of a set, as JSON.
    Value(String),
}

/// A set of paths as a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// True if the path that ends here is in the set.
    pub own: bool,
    /// Longer paths.
    pub children: BTreeMap<Step, Fields>,
}

/// What changed between two values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Paths that are new or have another value.
    pub changed: Fields,
    /// Paths that are gone.
    pub removed: Fields,
}

impl Fields {
    /// The set of the path that ends here and nothing else.
    pub fn leaf() -> Self {
        Self { own: true, children: BTreeMap::new() }
    }

    /// True if no path is in the set.
    pub fn is_empty(&self) -> bool {
        !self.own && self.children.values().all(Self::is_empty)
    }

    /// All leaves of a value, and the items of its map lists.
    pub fn of(value: &Value, shape: Shape<'_>) -> Self {
        match value {
            Value::Object(map) if !map.is_empty() && !shape.atomic_map() => {
                let children = map.iter().map(|(k, v)| {
                    // Entries of a map are there or not; fields of a struct
                    // are there always.
                    let mut fields = Self::of(v, shape.member(k));
                    fields.own |= shape.is_map_entry(k);
                    (Step::Field(k.clone()), fields)
                });
                Self { own: false, children: children.collect() }
            }
            Value::Array(list) if !list.is_empty() => match shape.list() {
                ListKind::Atomic => Self::leaf(),
                ListKind::Set => {
                    let children = list.iter().map(|v| (Step::Value(v.to_string()), Self::leaf())).collect();
                    Self { own: false, children }
                }
                ListKind::Map(keys) => {
                    let children = list
                        .iter()
                        .filter_map(|item| {
                            let key = shape.item_key(&keys, item)?;
                            let fields = Self { own: true, ..Self::of(item, shape.item()) };
                            Some((Step::Key(key), fields))
                        })
                        .collect();
                    Self { own: false, children }
                }
            },
            _ => Self::leaf(),
        }
    }

    /// What someone who adds a value owns: the leaves, and all containers but
    /// those that are always there. `present` tells whether the surroundings
    /// were there before.
    fn added(value: &Value, shape: Shape<'_>, present: bool) -> Self {
        let present = present && shape.always_there();
        let mut out = match value {
            Value::Object(map) if !map.is_empty() && !shape.atomic_map() => {
                let children = map
                    .iter()
                    .map(|(k, v)| (Step::Field(k.clone()), Self::added(v, shape.member(k), present)));
                Self { own: false, children: children.collect() }
            }
            Value::Array(list) if !list.is_empty() => match shape.list() {
                ListKind::Map(keys) => {
                    let children = list.iter().filter_map(|item| {
                        let key = shape.item_key(&keys, item)?;
                        Some((Step::Key(key), Self { own: true, ..Self::added(item, shape.item(), false) }))
                    });
                    Self { own: false, children: children.collect() }
                }
                ListKind::Atomic | ListKind::Set => Self::of(value, shape),
            },
            _ => return Self::leaf(),
        };
        out.own |= !present;
        out
    }

    /// Paths in either set.
    pub fn union(&self, other: &Self) -> Self {
        let mut out = self.clone();
        out.own |= other.own;
        for (step, fields) in &other.children {
            let merged = out.children.get(step).map_or_else(|| fields.clone(), |mine| mine.union(fields));
            out.children.insert(step.clone(), merged);
        }
        out
    }

    /// Paths of this set that are not in the other.
    pub fn minus(&self, other: &Self) -> Self {
        let mut out = Self { own: self.own && !other.own, children: BTreeMap::new() };
        for (step, fields) in &self.children {
            let rest = other.children.get(step).map_or_else(|| fields.clone(), |theirs| fields.minus(theirs));
            if !rest.is_empty() {
                out.children.insert(step.clone(), rest);
            }
        }
        out
    }

    /// Paths in both sets.
    pub fn intersection(&self, other: &Self) -> Self {
        let mut out = Self { own: self.own && other.own, children: BTreeMap::new() };
        for (step, fields) in &self.children {
            let common =
                other.children.get(step).map(|theirs| fields.intersection(theirs)).unwrap_or_default();
            if !common.is_empty() {
                out.children.insert(step.clone(), common);
            }
        }
        out
    }

    /// Every path in the set, in the notation of conflict messages.
    pub fn paths(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.collect("", &mut out);
        out
    }

    fn collect(&self, path: &str, out: &mut Vec<String>) {
        if self.own {
            out.push(path.to_owned());
        }
        for (step, fields) in &self.children {
            let path = match step {
                Step::Field(name) => format!("{path}.{name}"),
                Step::Value(value) => format!("{path}[={value}]"),
                Step::Key(key) => format!("{path}[{}]", key_text(key)),
            };
            fields.collect(&path, out);
        }
    }

    /// The `fieldsV1` form.
    pub fn to_v1(&self) -> Value {
        let mut map = Map::new();
        if self.own && !self.children.is_empty() {
            map.insert(".".into(), Value::Object(Map::new()));
        }
        for (step, fields) in &self.children {
            let name = match step {
                Step::Field(name) => format!("f:{name}"),
                Step::Key(key) => format!("k:{key}"),
                Step::Value(value) => format!("v:{value}"),
            };
            map.insert(name, fields.to_v1());
        }
        Value::Object(map)
    }

    /// Reads the `fieldsV1` form; unknown steps are dropped.
    pub fn from_v1(value: &Value) -> Self {
        let Some(map) = value.as_object() else { return Self::default() };
        let mut out = Self { own: map.is_empty() || map.contains_key("."), children: BTreeMap::new() };
        for (name, child) in map {
            let step = if let Some(field) = name.strip_prefix("f:") {
                Step::Field(field.to_owned())
            } else if let Some(key) = name.strip_prefix("k:") {
                Step::Key(canonical(key))
            } else if let Some(value) = name.strip_prefix("v:") {
                Step::Value(value.to_owned())
            } else {
                continue;
            };
            out.children.insert(step, Self::from_v1(child));
        }
        out
    }

    /// Removes the member `name` and everything below it.
    pub fn remove(&mut self, path: &[&str]) {
        match path {
            [] => {}
            [last] => {
                self.children.remove(&Step::Field((*last).to_owned()));
            }
            [first, rest @ ..] => {
                let step = Step::Field((*first).to_owned());
                if let Some(child) = self.children.get_mut(&step) {
                    child.remove(rest);
                    if child.is_empty() {
                        self.children.remove(&step);
                    }
                }
            }
        }
    }

    /// Keeps only the member `name` of the root.
    pub fn keep_only(&mut self, name: &str) {
        self.own = false;
        self.children.retain(|step, _| matches!(step, Step::Field(field) if field == name));
    }
}

fn canonical(key: &str) -> String {
    let parsed: Result<BTreeMap<String, Value>, _> = serde_json::from_str(key);
    parsed.ok().and_then(|map| serde_json::to_string(&map).ok()).unwrap_or_else(|| key.to_owned())
}

fn key_text(key: &str) -> String {
    let parsed: BTreeMap<String, Value> = serde_json::from_str(key).unwrap_or_default();
    let parts: Vec<String> = parsed.iter().map(|(k, v)| format!("{k}={v}")).collect();
    parts.join(",")
}

/// Compares two values of the same shape.
pub fn difference(old: Option<&Value>, new: Option<&Value>, shape: Shape<'_>) -> Difference {
    match (old, new) {
        (None, None) => Difference::default(),
        (None, Some(new)) => {
            Difference { changed: Fields::added(new, shape, true), removed: Fields::default() }
        }
        (Some(old), None) => {
            Difference { changed: Fields::default(), removed: Fields::added(old, shape, true) }
        }
        (Some(Value::Object(old)), Some(Value::Object(new))) if !shape.atomic_map() => {
            // A map that becomes empty, or stops to be, is a leaf at one end.
            if old.is_empty() != new.is_empty() {
                let mut changed = Fields::added(&Value::Object(new.clone()), shape, true);
                let mut removed = Fields::added(&Value::Object(old.clone()), shape, true);
                // The container itself was there before and is there now.
                changed.own = false;
                removed.own = false;
                return Difference { changed, removed };
            }
            let names = old.keys().chain(new.keys().filter(|k| !old.contains_key(*k)));
            collect(names.map(|name| {
                let part = difference(old.get(name), new.get(name), shape.member(name));
                (Step::Field(name.clone()), part)
            }))
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => list_difference(old, new, shape),
        (Some(old), Some(new)) if old == new => Difference::default(),
        (Some(_), Some(_)) => Difference { changed: Fields::leaf(), removed: Fields::default() },
    }
}

fn list_difference(old: &[Value], new: &[Value], shape: Shape<'_>) -> Difference {
    let kind = shape.list();
    if kind == ListKind::Atomic || old.is_empty() != new.is_empty() {
        if old == new {
            return Difference::default();
        }
        if kind == ListKind::Atomic {
            return Difference { changed: Fields::leaf(), removed: Fields::default() };
        }
    }
    let step = |item: &Value| match &kind {
        ListKind::Map(keys) => shape.item_key(keys, item).map(Step::Key),
        ListKind::Set | ListKind::Atomic => Some(Step::Value(item.to_string())),
    };
    let index = |list: &[Value]| -> BTreeMap<Step, Value> {
        list.iter().filter_map(|item| Some((step(item)?, item.clone()))).collect()
    };
    let (old, new) = (index(old), index(new));
    let steps: Vec<Step> = old.keys().chain(new.keys().filter(|k| !old.contains_key(*k))).cloned().collect();
    collect(steps.into_iter().map(|step| {
        let mut part = difference(old.get(&step), new.get(&step), shape.item());
        part.changed.own |= !old.contains_key(&step);
        part.removed.own |= !new.contains_key(&step);
        (step, part)
    }))
}

fn collect(parts: impl Iterator<Item = (Step, Difference)>) -> Difference {
    let mut out = Difference::default();
    for (step, part) in parts {
        if !part.changed.is_empty() {
            out.changed.children.insert(step.clone(), part.changed);
        }
        if !part.removed.is_empty() {
            out.removed.children.insert(step, part.removed);
        }
    }
    out
}
