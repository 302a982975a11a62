//! Pipelines (SPL): `search | where … | extend … | project …`.
//!
//! A pipeline is a chain of commands that each make rows of rows. [`parse`] reads them, before any
//! log is read; [`commands`] runs them over a [`Frame`], with SQL expressions compiled by
//! [`sql`](super::sql) and texts taken apart in [`extract`]. Fields of logs are texts until an
//! expression says otherwise. Source: documents "SPL syntax", "SPL instructions".

mod arguments;
mod commands;
mod extract;
mod groups;
mod parse;

#[cfg(test)]
mod tests;

use rusqlite::types::Value;
use sls_api::{
    log_group::{SOURCE_KEY, TAG_PREFIX, TIME_KEY, TIME_NS_KEY, TOPIC_KEY},
    ops::logs::Row,
};

use super::{
    log_view::LogView,
    source::Cancel,
    sql::{Column, Frame, Session, SqlError, Type},
};
use parse::Command;

pub use extract::csv as csv_values;

/// Commands of one pipeline. Source: document "SPL syntax".
pub const COMMANDS_MAX: usize = 16;
/// Length of a pipeline, bytes. Source: document "SPL syntax".
pub const PIPELINE_BYTES_MAX: usize = 64 * 1024;
/// Memory that the rows of a pipeline may take, bytes. Own choice, the service has 2 GB.
const MEMORY_BYTES_MAX: u64 = 512 << 20;

/// Memory of a value besides its text, bytes, roughly.
const VALUE_BYTES: u64 = 32;

/// Why a pipeline was refused or failed. The wording is a guess; what is wrong in an expression is
/// said as in SQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplError {
    /// The text of a command is wrong.
    #[error("ErrorType:SPLParseError.ErrorMessage:syntax error in command {number} ({command}): {message}")]
    Syntax {
        /// Its place in the pipeline, from 1.
        number: usize,
        /// Its name.
        command: String,
        /// What is wrong.
        message: String,
    },
    /// More commands, or a longer text, than a pipeline may have.
    #[error(
        "ErrorType:SPLParseError.ErrorMessage:the pipeline has more than {COMMANDS_MAX} commands or {PIPELINE_BYTES_MAX} bytes"
    )]
    TooLong,
    /// An expression.
    #[error("{error} in command {number} ({command})")]
    Expression {
        /// The command's place in the pipeline, from 1.
        number: usize,
        /// Its name.
        command: &'static str,
        /// What is wrong.
        error: SqlError,
    },
}

/// A pipeline made ready.
#[derive(Debug, Clone)]
pub struct Pipeline {
    commands: Vec<Command>,
}

/// Rows on their way through a pipeline.
#[derive(Debug, Default)]
pub struct Rows {
    frame: Frame,
    /// For each column whether a command named it: then a row shows it even where it is NULL.
    named: Vec<bool>,
    bytes: u64,
}

impl Pipeline {
    /// Reads commands separated by `|`.
    ///
    /// # Errors
    /// Syntax, unknown commands, too many of them.
    pub fn parse(text: &str) -> Result<Self, SplError> {
        parse::pipeline(text).map(|commands| Self { commands })
    }

    /// Runs the commands.
    ///
    /// # Errors
    /// An expression that does not fit its fields, or a value that a function cannot take.
    pub fn run(&self, mut rows: Rows, session: &Session, cancel: &Cancel) -> Result<Rows, SplError> {
        // Rows that came before a field was first seen are shorter than the others.
        let width = rows.frame.columns.len();
        rows.frame.rows.iter_mut().for_each(|row| row.resize(width, Value::Null));
        for (index, command) in self.commands.iter().enumerate() {
            rows = commands::run(command, rows, session, cancel).map_err(|error| SplError::Expression {
                number: index + 1,
                command: command.name(),
                error,
            })?;
        }
        Ok(rows)
    }
}

impl Rows {
    /// Adds a log: its fields, topic, source, tags and time, in the order of an answer's row.
    ///
    /// # Errors
    /// There are too many.
    pub fn push(&mut self, log: &LogView<'_>) -> Result<(), SqlError> {
        let mut row = vec![Value::Null; self.frame.columns.len()];
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for (key, value) in log.contents {
            self.set(&mut row, text(key), text(value));
        }
        self.set(&mut row, TOPIC_KEY.to_owned(), text(log.topic));
        self.set(&mut row, SOURCE_KEY.to_owned(), text(log.source));
        for (key, value) in log.tags {
            self.set(&mut row, format!("{TAG_PREFIX}{}", text(key)), text(value));
        }
        self.set_number(&mut row, TIME_KEY, log.time);
        if log.time_ns != 0 {
            self.set_number(&mut row, TIME_NS_KEY, log.time_ns);
        }
        self.frame.rows.push(row);
        match self.bytes <= MEMORY_BYTES_MAX {
            true => Ok(()),
            false => {
                Err(SqlError::TooLarge { limit: format!("{} MiB", MEMORY_BYTES_MAX >> 20), what: "memory" })
            }
        }
    }

    fn set(&mut self, row: &mut Vec<Value>, name: String, value: String) {
        self.bytes += value.len() as u64;
        self.put(row, name, Type::Varchar, Value::Text(value));
    }

    /// Only the time fields are numbers. Source: document "SPL syntax", data types.
    fn set_number(&mut self, row: &mut Vec<Value>, name: &str, value: u32) {
        self.put(row, name.to_owned(), Type::Bigint, Value::Integer(i64::from(value)));
    }

    fn put(&mut self, row: &mut Vec<Value>, name: String, ty: Type, value: Value) {
        self.bytes += VALUE_BYTES;
        let known = self.frame.columns.iter().position(|column| column.name == name);
        let index = known.unwrap_or_else(|| {
            self.frame.columns.push(Column { name, ty });
            self.named.push(false);
            self.frame.columns.len() - 1
        });
        row.resize(self.frame.columns.len(), Value::Null);
        if let Some(slot) = row.get_mut(index) {
            *slot = value;
        }
    }

    /// Orders rows by keys, one per row, ascending or in `reverse`.
    pub fn order_by_key<K: Ord + Copy>(&mut self, keys: &[K], reverse: bool) {
        let mut pairs: Vec<(K, Vec<Value>)> =
            keys.iter().copied().zip(std::mem::take(&mut self.frame.rows)).collect();
        pairs.sort_by(|(a, _), (b, _)| if reverse { b.cmp(a) } else { a.cmp(b) });
        self.frame.rows = pairs.into_iter().map(|(_, row)| row).collect();
    }

    /// The rows of an answer from `offset` on, at most `lines`.
    ///
    /// # Errors
    /// A number that became too large.
    pub fn page(&self, offset: usize, lines: usize, session: &Session) -> Result<Vec<Row>, SqlError> {
        self.frame.rows.iter().skip(offset).take(lines).map(|row| self.row(row, session)).collect()
    }

    fn row(&self, row: &[Value], session: &Session) -> Result<Row, SqlError> {
        let mut columns = Vec::new();
        for (index, (column, named)) in self.frame.columns.iter().zip(&self.named).enumerate() {
            match self.frame.text(row, index, session.zone())? {
                Some(text) => columns.push((column.name.clone(), text)),
                // A field that a command asked for is shown; one that the log lacks is not.
                None if *named => columns.push((column.name.clone(), "null".to_owned())),
                None => {}
            }
        }
        Ok(Row(columns))
    }

    /// Names of the columns.
    pub fn keys(&self) -> Vec<String> {
        self.frame.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// Types of the columns.
    pub fn types(&self) -> Vec<String> {
        self.frame.columns.iter().map(|column| column.ty.to_string()).collect()
    }
}

/// Fields that hold the time, which no command takes away or renames.
/// Source: document "SPL syntax", time fields.
fn is_time_field(name: &str) -> bool {
    matches!(name, TIME_KEY | TIME_NS_KEY)
}
