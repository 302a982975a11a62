//! Runs a translated statement: a table of the found logs in an SQLite database of its own, and the
//! statement over it. What has no room in its cache goes to a temporary file, which SQLite makes when it is
//! needed and which has no name.

use rusqlite::{Connection, Statement, limits::Limit};
use sls_api::{
    log_group::{SOURCE_KEY, TIME_KEY},
    ops::logs::Row,
};

use super::{
    ROWS_MAX, Session, SqlError,
    fold::{Cells, Fold, WEIGHT},
    format, functions,
    schema::{Column, Schema, Value},
    translate::{Translated, external_name, table_name},
    types::Type,
};
use crate::query::{
    QueryError,
    log_view::LogView,
    source::{Cancel, Indexes, Order},
    summary::{RowSet, Summary},
};

/// Memory that the table of a statement may take, bytes; what is beyond goes to a temporary file. Own choice: few
/// statements need more. Result, values under way and what aggregates collect have limits of their own.
const CACHE_BYTES: u64 = 32 << 20;
/// Size that the table of a statement may have, and what else is kept of logs for a query may take, bytes. Own choice.
pub(super) const MEMORY_BYTES_MAX: u64 = 512 << 20;
/// Size of one value while a statement runs, bytes. Own choice: a few doublings must not take all memory.
pub(super) const VALUE_BYTES_MAX: usize = 64 << 20;
/// Size of an SQLite page, bytes.
const PAGE_BYTES: u64 = 4096;
/// Text of a result, bytes. Own choice; clients read at most 64 MiB.
const RESULT_BYTES_MAX: usize = 48 << 20;
/// SQLite instructions between two looks at whether the query is still wanted.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// A statement that is ready to take logs.
#[derive(Debug)]
pub struct Plan {
    pub(super) schema: Schema,
    pub(super) translated: Translated,
    /// Columns of the table `log` that the statement uses.
    pub(super) used: Vec<usize>,
    /// How many seconds earlier the logs of each table are.
    pub(super) shifts: Vec<i64>,
    /// Positions of the session's tables that the statement reads.
    pub(super) external: Vec<usize>,
    /// Which of the used columns the earlier indexes had.
    pub(super) generations: Generations,
    /// Whether the statement takes rows with weights.
    pub(super) weighted: bool,
    pub(super) session: Session,
}

/// What logs written under earlier indexes have of the used columns: a column that their index did
/// not have is NULL. Source: document "Configure indexes" (later logs only).
#[derive(Debug)]
pub(super) struct Generations {
    /// Logs of this and later generations have all.
    pub since: i64,
    /// For an earlier generation, one entry per used column.
    pub earlier: Vec<(i64, Vec<bool>)>,
}

/// The table `log` while it is filled.
pub struct Table<'c> {
    insert: Statement<'c>,
    generations: &'c Generations,
    schema: &'c Schema,
    columns: Vec<&'c Column>,
    /// Rows on their way into the table, if it has weights.
    fold: Option<Fold>,
}

/// The rows of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultSet {
    /// Names of the columns.
    pub keys: Vec<String>,
    /// Types of the columns.
    pub types: Vec<String>,
    /// Values, as text.
    pub rows: Vec<Vec<String>>,
}

impl Plan {
    /// Lets `fill` put logs into a table, for each table with how many seconds earlier than asked
    /// its logs are, then runs the statement.
    ///
    /// # Errors
    /// Those of `fill`, of functions that cannot take a value, and of exceeded limits.
    pub fn execute(
        &self,
        cancel: &Cancel,
        mut fill: impl FnMut(&mut Table<'_>, i64) -> Result<(), QueryError>,
    ) -> Result<ResultSet, QueryError> {
        let db = database(&self.session, Some(&self.translated.sql), cancel).map_err(failed)?;
        db.execute_batch("BEGIN").map_err(failed)?;
        for &shift in &self.shifts {
            let mut table = self.table(&db, shift).map_err(failed)?;
            fill(&mut table, shift)?;
            table.flush()?;
        }
        for &position in &self.external {
            if let Some(table) = self.session.tables.get(position) {
                table.create(&db, &external_name(position)).map_err(failed)?;
            }
        }
        db.execute_batch("COMMIT").map_err(failed)?;
        Ok(self.rows(&db)?)
    }

    fn table<'c>(&'c self, db: &'c Connection, shift: i64) -> rusqlite::Result<Table<'c>> {
        let columns = self.used.iter().filter_map(|&index| Some((index, self.schema.columns.get(index)?)));
        let (mut names, columns): (Vec<String>, Vec<&Column>) =
            columns.map(|(index, column)| (format!("c{index} {}", affinity(&column.ty)), column)).unzip();
        if self.weighted {
            names.push(format!("{WEIGHT} INTEGER"));
        }
        let (names, values) = match names.is_empty() {
            // A table needs a column.
            true => ("none".to_owned(), "NULL".to_owned()),
            false => (names.join(", "), vec!["?"; names.len()].join(", ")),
        };
        let table = table_name(shift);
        db.execute_batch(&format!("CREATE TABLE {table} ({names})"))?;
        let insert = db.prepare(&format!("INSERT INTO {table} VALUES ({values})"))?;
        let fold = self.weighted.then(Fold::default);
        Ok(Table { insert, generations: &self.generations, schema: &self.schema, columns, fold })
    }

    fn rows(&self, db: &Connection) -> Result<ResultSet, SqlError> {
        let columns = &self.translated.columns;
        let mut statement = db.prepare(&self.translated.sql).map_err(failed)?;
        let mut found = statement.query(()).map_err(failed)?;
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut bytes = 0;
        while let Some(row) = found.next().map_err(failed)? {
            let mut values = Vec::with_capacity(columns.len());
            for (index, column) in columns.iter().enumerate() {
                let value = row.get_ref(index).map_err(failed)?;
                values.push(format::value(value, &column.ty, &self.session.zone)?);
            }
            bytes += values.iter().map(String::len).sum::<usize>();
            if rows.len() as u64 >= ROWS_MAX {
                return Err(SqlError::TooManyRows { max: ROWS_MAX });
            }
            if bytes > RESULT_BYTES_MAX {
                return Err(SqlError::TooLarge {
                    limit: format!("{} MiB", RESULT_BYTES_MAX >> 20),
                    what: "answer",
                });
            }
            rows.push(values);
        }
        Ok(ResultSet {
            keys: columns.iter().map(|column| column.name.clone()).collect(),
            types: columns.iter().map(|column| column.ty.to_string()).collect(),
            rows,
        })
    }
}

impl Table<'_> {
    /// In which order it wants blocks: where a statement takes rows with weights, none shows.
    pub fn order(&self) -> Order {
        if self.fold.is_some() { Order::Any } else { Order::OldestFirst }
    }

    /// Adds a log that was written under the index of `generation`.
    ///
    /// # Errors
    /// The table is too large, or the query is not wanted any more.
    pub fn push(&mut self, log: &LogView<'_>, generation: i64) -> Result<(), SqlError> {
        let had = self.generations.had(generation);
        let values = self.columns.iter().enumerate().map(|(index, column)| match has(had, index) {
            false => Value::Null,
            true => self.schema.value(column, log),
        });
        if let Some(fold) = &mut self.fold {
            return if fold.add(values, 1) { self.flush() } else { Ok(()) };
        }
        for (index, value) in values.enumerate() {
            self.insert.raw_bind_parameter(index + 1, value).map_err(failed)?;
        }
        self.insert.raw_execute().map_err(failed)?;
        Ok(())
    }

    /// Adds a block of so many logs as a whole. Returns whether it did: it can where nothing of them is used.
    pub fn push_whole(&mut self, logs: u64) -> bool {
        match &mut self.fold {
            Some(fold) if self.columns.is_empty() => {
                // One row, which is never too many.
                fold.add(std::iter::empty(), logs);
                true
            }
            _ => false,
        }
    }

    /// Adds logs of a block by its summary. Returns whether that was enough to do so.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_block(&mut self, block: &Summary, rows: &RowSet, generation: i64) -> Result<bool, SqlError> {
        let Some(fold) = &mut self.fold else { return Ok(false) };
        let had = self.generations.had(generation);
        let cells = self.columns.iter().enumerate().map(|(index, column)| match has(had, index) {
            false => Some(Cells::same(&Value::Null)),
            true => self.schema.cells(column, block),
        });
        let Some(cells) = cells.collect::<Option<Vec<_>>>() else { return Ok(false) };
        if fold.add_block(&cells, rows) {
            self.flush()?;
        }
        Ok(true)
    }

    /// Puts the rows with weights into the table.
    fn flush(&mut self) -> Result<(), SqlError> {
        let Some(fold) = &mut self.fold else { return Ok(()) };
        let insert = &mut self.insert;
        fold.drain(|values, weight| {
            let weight = i64::try_from(weight).unwrap_or(i64::MAX);
            for (index, value) in values.into_iter().chain([Value::Long(weight)]).enumerate() {
                insert.raw_bind_parameter(index + 1, value)?;
            }
            insert.raw_execute().map(|_| ())
        })
        .map_err(failed)?;
        Ok(())
    }
}

impl Generations {
    /// What the earlier indexes had of the `used` columns of a schema.
    pub(super) fn of(indexes: &Indexes, schema: &Schema, used: &[usize]) -> Self {
        let earlier = indexes.earlier.iter().map(|(generation, index)| {
            let had = Schema::new(index);
            (*generation, used.iter().map(|&at| had.has(schema, at)).collect())
        });
        Self { since: indexes.since, earlier: earlier.collect() }
    }

    /// Which of the used columns the index of `generation` had; nothing if it had all.
    pub(super) fn had(&self, generation: i64) -> Option<&[bool]> {
        let earlier = || self.earlier.iter().find(|(known, _)| *known == generation);
        (generation < self.since).then(earlier).flatten().map(|(_, had)| had.as_slice())
    }
}

/// Whether the used column at `index` was among them.
pub(super) fn has(had: Option<&[bool]>, index: usize) -> bool {
    had.and_then(|had| had.get(index)).is_none_or(|had| *had)
}

impl ResultSet {
    /// The rows of an answer. Each also carries the start of the queried time and a source, where
    /// it has no columns of these names. Source: live notes in `sls-query.md` §3.1.
    pub fn into_rows(self, from: i64) -> Vec<Row> {
        let extra = [(SOURCE_KEY, String::new()), (TIME_KEY, from.to_string())];
        let extra = extra.map(|(key, value)| (key.to_owned(), value));
        let missing: Vec<_> = extra.into_iter().filter(|(key, _)| !self.keys.contains(key)).collect();
        let keys = &self.keys;
        let row = |values: Vec<String>| {
            let columns = keys.iter().cloned().zip(values);
            Row(columns.chain(missing.iter().cloned()).collect())
        };
        self.rows.into_iter().map(row).collect()
    }
}

/// A database ready for our statements: for this one, or without it for any.
pub(super) fn database(
    session: &Session,
    sql: Option<&str>,
    cancel: &Cancel,
) -> rusqlite::Result<Connection> {
    let db = Connection::open("")?;
    db.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_BYTES}; PRAGMA max_page_count = {}; PRAGMA journal_mode = OFF; \
         PRAGMA synchronous = OFF; PRAGMA cache_size = -{}; PRAGMA temp_store = FILE; \
         PRAGMA case_sensitive_like = ON",
        MEMORY_BYTES_MAX / PAGE_BYTES,
        CACHE_BYTES >> 10
    ))?;
    db.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(VALUE_BYTES_MAX).unwrap_or(i32::MAX))?;
    let cancel = cancel.clone();
    db.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || cancel.is_cancelled()))?;
    functions::register(&db, session, sql)?;
    Ok(db)
}

pub(super) fn affinity(ty: &Type) -> &'static str {
    match ty {
        Type::Bigint => "INTEGER",
        Type::Double => "REAL",
        _ => "TEXT",
    }
}

/// What went wrong inside SQLite, in words for whoever wrote the query.
pub(super) fn failed(error: rusqlite::Error) -> SqlError {
    use rusqlite::ErrorCode as Code;
    match error.sqlite_error_code() {
        Some(Code::OperationInterrupted) => SqlError::Cancelled,
        Some(Code::DiskFull | Code::OutOfMemory | Code::TooBig) => {
            SqlError::too_much_memory(MEMORY_BYTES_MAX)
        }
        Some(Code::CannotOpen | Code::SystemIoFailure) => SqlError::Execution(format!(
            "the statement needs more room than its cache has, and no temporary file can be written ({error}): \
             give the emulator a folder for them with SQLITE_TMPDIR or TMPDIR"
        )),
        _ => match error {
            rusqlite::Error::SqliteFailure(_, Some(message)) => SqlError::Execution(message),
            other => SqlError::Execution(other.to_string()),
        },
    }
}

impl From<rusqlite::Error> for SqlError {
    fn from(error: rusqlite::Error) -> Self {
        failed(error)
    }
}
