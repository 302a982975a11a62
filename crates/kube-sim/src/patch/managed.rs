//! `metadata.managedFields`: who owns which field, and how ownership moves
//! with an ordinary write.

use serde_json::{Value, json};

use super::fields::{Fields, difference};
use super::shape::Shape;
use crate::meta;
use crate::view;

/// Fields that nobody owns. Source: kube-apiserver, stripmeta.
const UNOWNED: [&[&str]; 13] = [
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "clusterName"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
    &["metadata", "deletionTimestamp"],
    &["metadata", "deletionGracePeriodSeconds"],
];

/// Removes the fields that nobody owns.
pub fn strip_unowned(fields: &mut Fields) {
    for path in UNOWNED {
        fields.remove(path);
    }
}

/// Who writes, and through which door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// Name of the field manager.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: &'static str,
    /// API version of the request.
    pub api_version: String,
    /// Subresource, or empty.
    pub subresource: String,
}

/// One entry of `managedFields`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Name of the field manager.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// API version the fields are in.
    pub api_version: String,
    /// Subresource, or empty.
    pub subresource: String,
    /// When the entry changed last.
    pub time: String,
    /// The fields.
    pub fields: Fields,
}

impl Entry {
    /// A new, empty entry of a writer.
    pub fn of(writer: &Writer, now: &str) -> Self {
        Self {
            manager: writer.manager.clone(),
            operation: writer.operation.to_owned(),
            api_version: writer.api_version.clone(),
            subresource: writer.subresource.clone(),
            time: now.to_owned(),
            fields: Fields::default(),
        }
    }

    /// True if the entry is the writer's own.
    pub fn is_of(&self, writer: &Writer) -> bool {
        self.manager == writer.manager
            && self.operation == writer.operation
            && self.subresource == writer.subresource
            && self.api_version == writer.api_version
    }

    /// The owner as conflict messages name it.
    pub fn owner(&self) -> String {
        let mut text = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if self.operation == "Update" {
            text.push_str(&format!(" using {}", self.api_version));
        }
        text
    }

    fn order(&self) -> [&str; 5] {
        [&self.operation, &self.time, &self.manager, &self.api_version, &self.subresource]
    }

    fn to_json(&self) -> Value {
        let mut fields = self.fields.to_v1();
        view::fields_to_wire(&self.api_version, &mut fields);
        let mut value = json!({
            "manager": self.manager, "operation": self.operation, "apiVersion": self.api_version,
            "time": self.time, "fieldsType": "FieldsV1", "fieldsV1": fields,
        });
        if let (Some(map), false) = (value.as_object_mut(), self.subresource.is_empty()) {
            map.insert("subresource".into(), self.subresource.as_str().into());
        }
        value
    }

    fn from_json(value: &Value) -> Option<Self> {
        let text = |field: &str| meta::str_at(value, &[field]).to_owned();
        let mut fields = value.get("fieldsV1")?.clone();
        view::fields_to_stored(meta::str_at(value, &["apiVersion"]), &mut fields);
        let fields = Fields { own: false, ..Fields::from_v1(&fields) };
        Some(Self {
            manager: text("manager"),
            operation: text("operation"),
            api_version: text("apiVersion"),
            subresource: text("subresource"),
            time: text("time"),
            fields,
        })
    }
}

/// Reads `managedFields` of an object.
pub fn read(object: &Value) -> Vec<Entry> {
    let list = meta::at(object, &["metadata", "managedFields"]).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Entry::from_json).collect()
}

/// Writes `managedFields` of an object, in the order of the real server; empty
/// entries are dropped.
pub fn write(object: &mut Value, entries: &[Entry]) {
    let mut entries: Vec<&Entry> = entries.iter().filter(|e| !e.fields.is_empty()).collect();
    entries.sort_by(|a, b| a.order().cmp(&b.order()));
    let list: Vec<Value> = entries.into_iter().map(Entry::to_json).collect();
    let metadata = meta::metadata_mut(object);
    metadata.remove("managedFields");
    if !list.is_empty() {
        metadata.insert("managedFields".into(), list.into());
    }
}

/// Moves ownership after an ordinary write from `old` to `new`: the writer
/// owns what it changed, others lose what was changed or removed. `entries`
/// are those to start from. An object that has none is left without: tracking
/// begins with creation or with the first apply.
pub fn record_update(
    old: Option<&Value>,
    new: &Value,
    mut entries: Vec<Entry>,
    writer: &Writer,
    shape: Shape<'_>,
    now: &str,
) -> Vec<Entry> {
    let mut change = difference(old, Some(new), shape);
    strip_unowned(&mut change.changed);
    strip_unowned(&mut change.removed);
    let untracked = old.is_some() && entries.is_empty();
    if untracked || (change.changed.is_empty() && change.removed.is_empty()) {
        return entries;
    }
    let lost = change.changed.union(&change.removed);
    for entry in entries.iter_mut().filter(|e| !e.is_of(writer)) {
        entry.fields = entry.fields.minus(&lost);
    }
    let slot = match entries.iter_mut().find(|e| e.is_of(writer)) {
        Some(entry) => entry,
        None => {
            entries.push(Entry::of(writer, now));
            match entries.last_mut() {
                Some(entry) => entry,
                None => return entries,
            }
        }
    };
    slot.fields = slot.fields.minus(&change.removed).union(&change.changed);
    now.clone_into(&mut slot.time);
    entries.retain(|e| !e.fields.is_empty());
    entries
}
