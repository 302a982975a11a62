//! What the rows of a pipeline take of memory, counted as they grow.

use rusqlite::types::Value;

use crate::query::{
    source::Cancel,
    sql::{SqlError, value_bytes},
};

/// Memory that the rows of a pipeline may take, bytes. Own choice, the service has 2 GB.
const MEMORY_BYTES_MAX: u64 = 512 << 20;
/// Memory of a value besides its text, bytes.
pub const VALUE_BYTES: u64 = size_of::<Value>() as u64;
/// Memory of a row besides its values, bytes.
const ROW_BYTES: u64 = size_of::<Vec<Value>>() as u64;

/// Counts what a command adds, and ends it when that is too much or nobody waits for it.
pub struct Meter<'c> {
    bytes: u64,
    cancel: &'c Cancel,
}

impl<'c> Meter<'c> {
    /// Begins with what these rows take.
    pub fn of(rows: &[Vec<Value>], cancel: &'c Cancel) -> Self {
        Self { bytes: rows.iter().map(|row| row_bytes(row)).sum(), cancel }
    }

    /// Counts so many bytes, before they are taken.
    ///
    /// # Errors
    /// They are too many, or the query is not wanted any more.
    pub fn add(&mut self, bytes: u64) -> Result<(), SqlError> {
        self.bytes = self.bytes.saturating_add(bytes);
        still_wanted(self.cancel)?;
        fits(self.bytes)
    }
}

/// # Errors
/// The query is not wanted any more.
pub fn still_wanted(cancel: &Cancel) -> Result<(), SqlError> {
    match cancel.is_cancelled() {
        true => Err(SqlError::Cancelled),
        false => Ok(()),
    }
}

/// Memory of a row, bytes.
pub fn row_bytes(row: &[Value]) -> u64 {
    ROW_BYTES + row.iter().map(value_bytes).sum::<u64>()
}

/// Memory of so many rows of so many columns without their texts, bytes.
pub fn table_bytes(rows: usize, columns: usize) -> u64 {
    (rows as u64).saturating_mul((columns as u64).saturating_mul(VALUE_BYTES) + ROW_BYTES)
}

/// # Errors
/// A pipeline may not take so many bytes.
pub fn fits(bytes: u64) -> Result<(), SqlError> {
    match bytes <= MEMORY_BYTES_MAX {
        true => Ok(()),
        false => Err(SqlError::too_much_memory(MEMORY_BYTES_MAX)),
    }
}
