//! Logs on their way into the rows of a pipeline: GetLogs fills them with what a search finds, consumers with what
//! their filter leaves.

use std::borrow::Cow;

use rusqlite::types::Value;
use sls_api::log_group::{SOURCE_KEY, TAG_PREFIX, TIME_KEY, TIME_NS_KEY, TOPIC_KEY};

use super::{Rows, memory};
use crate::query::{
    log_view::LogView,
    sql::{Column, SqlError, Type},
};

/// Rows before the first command. What they take of memory is known only until then.
#[derive(Debug, Default)]
pub struct LogRows {
    rows: Rows,
    /// Names and texts of the logs, bytes.
    texts: u64,
}

impl LogRows {
    /// Adds a log: its fields, topic, source, tags and time, in the order of an answer's row.
    ///
    /// # Errors
    /// They take too much memory.
    pub fn push(&mut self, log: &LogView<'_>) -> Result<(), SqlError> {
        let mut row = vec![Value::Null; self.rows.frame.columns.len()];
        let text = String::from_utf8_lossy;
        for (key, value) in log.contents {
            self.set(&mut row, &text(key), text(value))?;
        }
        self.set(&mut row, TOPIC_KEY, text(log.topic))?;
        self.set(&mut row, SOURCE_KEY, text(log.source))?;
        for (key, value) in log.tags {
            self.set(&mut row, &format!("{TAG_PREFIX}{}", text(key)), text(value))?;
        }
        self.set_number(&mut row, TIME_KEY, log.time)?;
        if log.time_ns != 0 {
            self.set_number(&mut row, TIME_NS_KEY, log.time_ns)?;
        }
        self.rows.frame.rows.push(row);
        Ok(())
    }

    fn set(&mut self, row: &mut Vec<Value>, name: &str, value: Cow<'_, str>) -> Result<(), SqlError> {
        self.texts += value.len() as u64;
        self.put(row, name, Type::Varchar, Value::Text(value.into_owned()))
    }

    /// Only the time fields are numbers. Source: document "SPL syntax", data types.
    fn set_number(&mut self, row: &mut Vec<Value>, name: &str, value: u32) -> Result<(), SqlError> {
        self.put(row, name, Type::Bigint, Value::Integer(i64::from(value)))
    }

    fn put(&mut self, row: &mut Vec<Value>, name: &str, ty: Type, value: Value) -> Result<(), SqlError> {
        let index = match self.rows.places.exact(name) {
            Some(index) => index,
            None => {
                self.texts += name.len() as u64;
                self.rows.places.add(name, self.rows.frame.columns.len());
                self.rows.frame.columns.push(Column { name: name.to_owned(), ty });
                self.rows.named.push(false);
                self.rows.frame.columns.len() - 1
            }
        };
        // Every row will have a value for every column, also those that came before it.
        let table = memory::table_bytes(self.rows.frame.rows.len() + 1, self.rows.frame.columns.len());
        memory::fits(self.texts.saturating_add(table))?;
        row.resize(self.rows.frame.columns.len(), Value::Null);
        if let Some(slot) = row.get_mut(index) {
            *slot = value;
        }
        Ok(())
    }

    /// The rows, in the order in which the logs came.
    pub fn into_rows(self) -> Rows {
        self.rows
    }
}
