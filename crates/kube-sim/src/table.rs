//! Tables: what `kubectl get` prints. Columns come from a CRD's printer
//! columns or, for built-in kinds, from [`builtin`].

pub mod age;
mod builtin;
mod events;
mod jsonpath;
mod nodes;
mod pods;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::meta;
use crate::registry::{Form, Resource};
use crate::store::Object;
use crate::view;
use jsonpath::JsonPath;

/// How much of the object goes with each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Include {
    /// Its metadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
    /// Nothing.
    None,
}

impl Include {
    /// Parses the `includeObject` parameter; unknown values mean metadata.
    pub fn parse(text: &str) -> Self {
        match text {
            "Object" => Self::Object,
            "None" => Self::None,
            _ => Self::Metadata,
        }
    }
}

/// Computes a cell from an object.
type Compute = fn(&Value, Timestamp) -> Value;

#[derive(Debug)]
enum Cell {
    Path(JsonPath),
    Compute(Compute),
}

/// One column.
#[derive(Debug)]
pub struct Column {
    name: String,
    kind: String,
    format: String,
    description: String,
    /// 0 is always shown; more only with `-o wide`.
    priority: i64,
    cell: Cell,
}

impl Column {
    /// From an entry of `additionalPrinterColumns`.
    pub fn from_crd(column: &Value) -> Self {
        let text = |field: &str| meta::str_at(column, &[field]).to_owned();
        Self {
            name: text("name"),
            kind: text("type"),
            format: text("format"),
            description: text("description"),
            priority: column.get("priority").and_then(Value::as_i64).unwrap_or(0),
            cell: Cell::Path(JsonPath::parse(&text("jsonPath"))),
        }
    }

    /// The column that every kind has.
    pub fn age() -> Self {
        Self::computed("Age", "string", "", 0, |object, now| {
            age::since(meta::meta_str(object, "creationTimestamp"), now).into()
        })
    }

    fn computed(name: &str, kind: &str, format: &str, priority: i64, compute: Compute) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            format: format.to_owned(),
            description: String::new(),
            priority,
            cell: Cell::Compute(compute),
        }
    }

    fn name() -> Self {
        Self::computed("Name", "string", "name", 0, |object, _| meta::name(object).into())
    }

    fn definition(&self) -> Value {
        json!({"name": self.name, "type": self.kind, "format": self.format, "description": self.description,
               "priority": self.priority})
    }

    fn value(&self, object: &Value, now: Timestamp) -> Value {
        let path = match &self.cell {
            Cell::Compute(compute) => return compute(object, now),
            Cell::Path(path) => path,
        };
        let found = path.find(object);
        match (self.kind.as_str(), found.as_slice()) {
            (_, []) => Value::Null,
            ("date", [first, ..]) => age::since(first.as_str().unwrap_or_default(), now).into(),
            ("integer" | "number" | "boolean", [first, ..]) => (*first).clone(),
            (_, many) => {
                let texts: Vec<String> =
                    many.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect();
                texts.join(",").into()
            }
        }
    }
}

fn columns(resource: &Resource) -> Vec<&Column> {
    match &resource.form {
        Form::Custom(custom) => builtin::name_only().iter().chain(&custom.columns).collect(),
        Form::Builtin(_) => builtin::columns(&resource.kind).iter().collect(),
    }
}

/// A table of objects (in stored form). `with_columns` is false for all but
/// the first event of a watch.
pub fn render(
    resource: &Resource,
    objects: &[Object],
    version: &str,
    include: Include,
    with_columns: bool,
    list_meta: &Map<String, Value>,
) -> Value {
    let columns = columns(resource);
    let now = Timestamp::now();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells: Vec<Value> = columns.iter().map(|c| c.value(object, now)).collect();
            let mut row = json!({"cells": cells});
            let shown = match include {
                Include::None => None,
                Include::Object => Some(Value::clone(&view::to_wire(resource, object))),
                Include::Metadata => Some(crate::rest::respond::partial(object, version)),
            };
            if let (Some(shown), Some(map)) = (shown, row.as_object_mut()) {
                map.insert("object".into(), shown);
            }
            row
        })
        .collect();
    let definitions: Vec<Value> =
        if with_columns { columns.iter().map(|c| c.definition()).collect() } else { Vec::new() };
    json!({
        "kind": "Table", "apiVersion": format!("meta.k8s.io/{version}"), "metadata": list_meta,
        "columnDefinitions": definitions, "rows": rows,
    })
}

/// Reads any text as the path of a column and looks for it in an object.
#[cfg(test)]
pub fn column_of_any_path(text: &str) {
    let column = Column::from_crd(&json!({"name": "N", "type": "string", "jsonPath": text}));
    column.value(&json!({"a": [{"b": 1}, [2]], "c": "d"}), Timestamp::UNIX_EPOCH);
}
