//! The columns that the index gives to the table `log`, and their values in a log.

use std::borrow::Cow;

use rusqlite::types::{ToSqlOutput, ValueRef};

use super::fold::Cells;
use super::types::Type;
use crate::query::{
    index::{IndexConfig, KeyIndex, KeyKind},
    json_leaf,
    log_view::{Field, LogView},
    matcher::{double, long},
    summary::{Summary, Values},
};

/// The table `log`.
#[derive(Debug, Clone)]
pub struct Schema {
    /// Its columns, in the order of `select *`.
    pub columns: Vec<Column>,
    max_text_len: usize,
}

/// A column of the table `log`.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name in SQL.
    pub name: String,
    /// Second name.
    pub alias: Option<String>,
    /// Type of its values.
    pub ty: Type,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Content(String),
    Tag(String),
    Leaf {
        container: String,
        path: String,
    },
    Topic,
    Source,
    Time,
    /// Not in a log: the table is of something else.
    Elsewhere,
}

impl Schema {
    /// The columns of an index: every key with `doc_value`, JSON leaves as `container.path`, and
    /// once there is one of these, the reserved fields. Source: document "Reserved fields".
    pub fn new(index: &IndexConfig) -> Self {
        let mut columns = Vec::new();
        for key in index.keys() {
            if key.doc_value {
                columns.push(Column::of_key(key));
            }
            if let KeyKind::Json(json) = &key.kind {
                let leaves = json.leaves.iter().filter(|leaf| leaf.doc_value);
                columns.extend(leaves.map(|leaf| Column::of_leaf(&key.name, leaf)));
            }
        }
        if !columns.is_empty() {
            for (name, ty, place) in [
                ("__topic__", Type::Varchar, Place::Topic),
                ("__source__", Type::Varchar, Place::Source),
                ("__time__", Type::Bigint, Place::Time),
            ] {
                columns.retain(|column| column.name != name);
                columns.push(Column { name: name.to_owned(), alias: None, ty, place });
            }
        }
        Self { columns, max_text_len: index.max_text_len }
    }

    /// A table of something else than logs.
    pub fn of(columns: impl Iterator<Item = (String, Type)>) -> Self {
        let column = |(name, ty)| Column { name, alias: None, ty, place: Place::Elsewhere };
        Self { columns: columns.map(column).collect(), max_text_len: usize::MAX }
    }

    /// Whether this schema has the column at `index` of another one, of the same type. Reserved
    /// fields belong to every log, whatever its index. Source: the Python SDK's `test_get_logs`,
    /// which reads `__time__` of every row.
    pub fn has(&self, other: &Self, index: usize) -> bool {
        let same = |wanted: &Column| {
            matches!(wanted.place, Place::Topic | Place::Source | Place::Time)
                || self.columns.iter().any(|known| known.name == wanted.name && known.ty == wanted.ty)
        };
        other.columns.get(index).is_some_and(same)
    }

    /// The value of column `column` in a log.
    pub fn value<'l>(&self, column: &Column, log: &LogView<'l>) -> Value<'l> {
        let text = match &column.place {
            Place::Time => return Value::Long(i64::from(log.time)),
            Place::Elsewhere => return Value::Null,
            Place::Topic => Some(Cow::Borrowed(log.topic)),
            Place::Source => Some(Cow::Borrowed(log.source)),
            Place::Content(name) => named(log.contents, name).map(Cow::Borrowed),
            Place::Tag(name) => named(log.tags, name).map(Cow::Borrowed),
            Place::Leaf { container, path } => {
                named(log.contents, container).and_then(|json| json_leaf::leaf(json, path))
            }
        };
        text.map_or(Value::Null, |text| self.typed(column, text))
    }

    /// The values of column `column` in a block, if its summary has all of them.
    pub fn cells(&self, column: &Column, block: &Summary) -> Option<Cells> {
        let same = |text: Option<&[u8]>| {
            Cells::same(&text.map_or(Value::Null, |text| self.typed(column, Cow::Borrowed(text))))
        };
        let few = |name: &str| match block.column(name.as_bytes()).map(|column| &column.values) {
            None => Some(None),
            Some(Values::Few(few)) => Some(Some(few)),
            Some(Values::Many { .. }) => None,
        };
        Some(match &column.place {
            Place::Time => return Cells::of_time(block),
            Place::Elsewhere => same(None),
            Place::Topic => same(Some(block.topic())),
            Place::Source => same(Some(block.source())),
            Place::Tag(name) => {
                let named = block.tags().filter(|(key, _)| *key == name.as_bytes());
                same(named.last().map(|(_, value)| value))
            }
            Place::Content(name) => match few(name)? {
                None => same(None),
                Some(few) => Cells::of_few(few, |text| self.typed(column, Cow::Borrowed(text))),
            },
            Place::Leaf { container, path } => match few(container)? {
                None => same(None),
                Some(few) => Cells::of_few(few, |json| {
                    json_leaf::leaf(json, path).map_or(Value::Null, |leaf| self.typed(column, leaf))
                }),
            },
        })
    }

    fn typed<'t>(&self, column: &Column, text: Cow<'t, [u8]>) -> Value<'t> {
        match column.ty {
            Type::Bigint => long(&text).map_or(Value::Null, Value::Long),
            Type::Double => double(&text).map_or(Value::Null, Value::Double),
            _ => Value::Text(self.shortened(text)),
        }
    }

    /// SQL sees the beginning of a long text. Source: document "Limits".
    fn shortened<'t>(&self, text: Cow<'t, [u8]>) -> Cow<'t, str> {
        let text = match text {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        };
        // Bytes are at least as many as characters: most texts need no counting.
        if text.len() <= self.max_text_len {
            return text;
        }
        match text.char_indices().nth(self.max_text_len) {
            None => text,
            Some((end, _)) => match text {
                Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
                Cow::Owned(text) => Cow::Owned(text[..end].to_owned()),
            },
        }
    }
}

impl Column {
    fn of_key(key: &KeyIndex) -> Self {
        let place = match key.name.strip_prefix("__tag__:") {
            Some(tag) => Place::Tag(tag.to_owned()),
            None => Place::Content(key.name.clone()),
        };
        Self { name: key.name.clone(), alias: key.alias.clone(), ty: column_type(&key.kind), place }
    }

    fn of_leaf(container: &str, leaf: &KeyIndex) -> Self {
        Self {
            name: format!("{container}.{}", leaf.name),
            alias: leaf.alias.clone(),
            ty: column_type(&leaf.kind),
            place: Place::Leaf { container: container.to_owned(), path: leaf.name.clone() },
        }
    }
}

fn column_type(kind: &KeyKind) -> Type {
    match kind {
        KeyKind::Long => Type::Bigint,
        KeyKind::Double => Type::Double,
        KeyKind::Text(_) | KeyKind::Json(_) => Type::Varchar,
    }
}

/// The last field of this name: so does the row of the log show it.
fn named<'l>(fields: &[Field<'l>], name: &str) -> Option<&'l [u8]> {
    fields.iter().rev().find(|(key, _)| *key == name.as_bytes()).map(|&(_, value)| value)
}

/// A value on its way into SQLite.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'l> {
    /// The log has no such field, or not of the column's type.
    Null,
    /// A whole number.
    Long(i64),
    /// A decimal number.
    Double(f64),
    /// A text.
    Text(Cow<'l, str>),
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Long(n) => ValueRef::Integer(*n),
            Self::Double(x) => ValueRef::Real(*x),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}
