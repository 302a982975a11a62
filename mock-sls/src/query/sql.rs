//! The analysis half of a query: SQL over the found logs.

use sls_api::ops::logs::Row;

use super::{QueryError, index::IndexConfig, log_view::LogView, request::Window, source::Cancel};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("SQL is not supported by this emulator yet")]
pub struct SqlError;

pub struct Session;
impl Session {
    pub fn new(_: Window) -> Self {
        Self
    }
}
pub struct Plan;
pub struct Table<'c>(std::marker::PhantomData<&'c ()>);
pub struct ResultSet {
    pub keys: Vec<String>,
    pub types: Vec<String>,
    pub limited: i64,
    pub rows: Vec<Row>,
}
impl ResultSet {
    pub fn into_rows(self, _from: i64) -> Vec<Row> {
        self.rows
    }
}
pub fn plan(_: &str, _: &IndexConfig, _: &Session) -> Result<Plan, SqlError> {
    Err(SqlError)
}
impl Plan {
    pub fn execute(
        self,
        _: &Cancel,
        _: impl FnOnce(&mut Table<'_>) -> Result<(), QueryError>,
    ) -> Result<ResultSet, QueryError> {
        Err(SqlError.into())
    }
}
impl Table<'_> {
    pub fn push(&mut self, _: &LogView<'_>) -> Result<(), SqlError> {
        Err(SqlError)
    }
}
