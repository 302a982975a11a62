//! The analysis half of a query: SQL over the found logs.
//!
//! [`plan`] parses the text, looks up its names in the index ([`schema`]) and types ([`types`]),
//! and translates it to SQLite's dialect ([`translate`], [`functions`]); [`Plan::execute`] runs it
//! over a table of the found logs. Only columns that the statement uses are put into the table.
//! [`Frame`] runs single expressions over rows of anything, for [`spl`](super::spl).
//!
//! Dialect: Presto over one table `log`, as far as `sls-query.md` §3 describes it.

mod dialect;
mod error;
mod execute;
mod external;
mod fold;
mod format;
mod frame;
mod functions;
mod parse;
mod places;
mod schema;
mod scope;
mod table;
mod translate;
mod types;

#[cfg(test)]
mod statement_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod weights_tests;

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{Timestamp, tz::TimeZone};
use rusqlite::Connection;

pub use error::{At, SqlError};
use execute::Generations;
pub use execute::{Plan, Table};
pub use external::ExternalTable;
pub use frame::{
    Assignments, Column, Frame, Select, parse_assignments, parse_condition, parse_terms, value_bytes,
};
pub use functions::{JsonPath, value_order};
pub use places::{IpPlaces, PlacesError};
pub use table::table_of;
pub use types::Type;

use super::source::Indexes;
use schema::Schema;
use translate::Translator;

/// Rows of an answer without LIMIT. Source: document "LIMIT clause".
const DEFAULT_ROWS: u64 = 100;
/// Rows of an answer. Source: document "Limits".
const ROWS_MAX: u64 = 100_000;
/// Rows that paging reaches. Source: document "Limits".
const REACHABLE_ROWS_MAX: u64 = 1_000_000;
/// Time zone of dates without one. Source: results shown in the documents.
pub const DEFAULT_ZONE: &str = "Asia/Shanghai";

/// What a statement may refer to besides the logs.
#[derive(Debug, Clone)]
pub struct Session {
    /// Another name of the table `log`.
    logstore: String,
    /// What `now()` gives.
    now: Timestamp,
    zone: TimeZone,
    /// Where IP addresses are.
    places: Arc<IpPlaces>,
    /// The queried time, Unix seconds: first second, and second behind the last.
    window: (i64, i64),
    /// Tables besides the logs.
    tables: Vec<ExternalTable>,
    /// For the next expressions over a [`Frame`].
    spare: Spare,
}

/// A database that knows our functions and has no table, since to make one costs more than most
/// expressions over a few rows. It is of one query: it stops when that one is cancelled.
#[derive(Debug, Clone, Default)]
struct Spare(Arc<Mutex<Option<Connection>>>);

impl Spare {
    fn take(&self) -> Option<Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep(&self, db: Connection) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(db);
    }
}

/// What a server is told about SQL.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Zone in which times are taken and shown.
    pub zone: TimeZone,
    /// Where IP addresses are.
    pub places: Arc<IpPlaces>,
}

impl Default for Settings {
    /// Asia/Shanghai, and no places.
    fn default() -> Self {
        Self { zone: default_zone(), places: Arc::default() }
    }
}

impl Session {
    /// A session of a server with these settings.
    pub fn new(logstore: &str, now: Timestamp, window: (i64, i64), settings: &Settings) -> Self {
        let Settings { zone, places } = settings.clone();
        Self {
            logstore: logstore.to_owned(),
            now,
            zone,
            places,
            window,
            tables: Vec::new(),
            spare: Spare::default(),
        }
    }

    /// Lets statements read another table.
    pub fn add_table(&mut self, table: ExternalTable) {
        self.tables.push(table);
    }

    /// The zone that times are shown in.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    fn zone_name(&self) -> String {
        functions::zone_name(&self.zone)
    }
}

/// The zone of times unless another is set. Source: results shown in the documents.
fn default_zone() -> TimeZone {
    zone_named(DEFAULT_ZONE).unwrap_or_else(china)
}

/// A zone by its name (`Asia/Shanghai`) or offset (`+08:00`).
pub fn zone_named(name: &str) -> Option<TimeZone> {
    functions::zone_of(name)
}

/// The default zone where the system has no table of zones: China has had no daylight saving
/// since 1991.
fn china() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(8))
}

/// Makes a statement ready to run over logs of the current index and those before it.
///
/// # Errors
/// Syntax, unknown names, types that do not fit, constructs that are not supported.
pub fn plan(sql: &str, indexes: &Indexes, session: Session) -> Result<Plan, SqlError> {
    plan_with(sql, indexes, session, true)
}

/// As [`plan`]; equal logs become one row only if they may, and only if the statement allows it.
fn plan_with(
    sql: &str,
    indexes: &Indexes,
    session: Session,
    equal_logs_as_one: bool,
) -> Result<Plan, SqlError> {
    let query = parse::parse(sql)?;
    let schema = Schema::new(&indexes.current);
    let mut translator = Translator::new(&schema, &session);
    let mut translated = translator.statement(&query)?;
    let weighted = equal_logs_as_one && translator.takes_weights();
    if weighted {
        translator = Translator::with_weights(&schema, &session);
        translated = translator.statement(&query)?;
    }
    let used: Vec<usize> = translator.used.into_iter().collect();
    let external = translator.external.into_iter().collect();
    let shifts = translator.shifts.into_iter().collect();
    let generations = Generations::of(indexes, &schema, &used);
    Ok(Plan { schema, translated, used, shifts, external, generations, weighted, session })
}
