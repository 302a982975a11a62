//! Pipelines (SPL): `search | where … | extend … | project …`.
//!
//! A pipeline is a chain of commands that each make rows of rows. [`parse`] reads them, before any
//! log is read; [`commands`] runs them over a [`Frame`], with SQL expressions compiled by
//! [`sql`](super::sql) and texts taken apart in [`extract`]. Fields of logs are texts until an
//! expression says otherwise. Source: documents "SPL syntax", "SPL instructions".

mod arguments;
mod columns;
mod commands;
mod extract;
mod groups;
mod logs;
mod memory;
mod parse;

#[cfg(test)]
mod tests;

use rusqlite::types::Value;
use sls_api::{
    log_group::{TIME_KEY, TIME_NS_KEY},
    ops::logs::Row,
};

use super::{
    source::Cancel,
    sql::{Frame, Session, SqlError},
};
use columns::Places;
use parse::Stage;

pub use extract::{csv as csv_values, csv_row};
pub use logs::LogRows;
pub use parse::is_command;

/// Commands of one pipeline. Source: document "SPL syntax".
pub const COMMANDS_MAX: usize = 16;
/// Length of a pipeline, bytes. Source: document "SPL syntax".
pub const PIPELINE_BYTES_MAX: usize = 64 * 1024;

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
    stages: Vec<Stage>,
}

/// Rows on their way through a pipeline.
#[derive(Debug, Default)]
pub struct Rows {
    frame: Frame,
    /// For each column whether a command named it: then a row shows it even where it is NULL.
    named: Vec<bool>,
    places: Places,
}

impl Pipeline {
    /// Reads commands separated by `|`.
    ///
    /// # Errors
    /// Syntax, unknown commands, too many of them.
    pub fn parse(text: &str) -> Result<Self, SplError> {
        parse::pipeline(text).map(|stages| Self { stages })
    }

    /// Runs the commands.
    ///
    /// # Errors
    /// An expression that does not fit its fields, a value that a function cannot take, or rows
    /// that take too much memory.
    pub fn run(&self, mut rows: Rows, session: &Session, cancel: &Cancel) -> Result<Rows, SplError> {
        for (index, Stage { name, command }) in self.stages.iter().enumerate() {
            // Rows that came before a field was first seen are shorter than the others.
            let filled = rows.fill_up(cancel);
            let done = filled.and_then(|()| commands::run(command, rows, session, cancel));
            rows = done.map_err(|error| SplError::Expression { number: index + 1, command: name, error })?;
        }
        Ok(rows)
    }
}

impl Rows {
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
