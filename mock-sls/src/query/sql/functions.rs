//! The functions of the SQL dialect: one line each in [`catalog`], with parameter types, result
//! type and the SQLite expression that computes it. Names with `sls_` are ours and live in the
//! files below, by subject.
//!
//! Names and meanings: documents "General aggregate functions", "String functions" and so on;
//! which ones people use: `sls-query.md` §3.2.

mod aggregates;
mod arrays;
mod bits;
mod bytes;
mod catalog;
mod collect;
mod convert;
mod geo;
mod ip;
mod json;
mod limit;
mod maps;
mod math;
mod moments;
mod overload;
mod percentiles;
mod regexes;
mod special;
mod texts;
mod times;
mod urls;
mod values;

use std::panic::{RefUnwindSafe, UnwindSafe};

use rusqlite::{
    Connection, ToSql,
    functions::{Aggregate, Context, FunctionFlags, SqlFnOutput},
};

use super::Session;

pub use convert::castable;
pub use json::Path as JsonPath;
pub use math::java_double;
pub use moments::{
    parse_date, parse_time, show as show_timestamp, show_date, show_interval, show_zoned, zone_name, zone_of,
};
pub use overload::{Kind, call, call_distinct, goes_over_windows, is_builtin, kind, unexpected};
pub use special::{Special, special};
pub use values::value_order;

/// Flags of a function that gives the same for the same arguments.
const PURE: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC);

/// Makes our functions known to a connection: those that are named in `sql`, or without it all. There are some
/// hundreds of them, and to make all known takes longer than many a statement.
pub fn register(db: &Connection, session: &Session, sql: Option<&str>) -> rusqlite::Result<()> {
    let db = &Registrar { db, sql };
    texts::register(db)?;
    math::register(db)?;
    bits::register(db)?;
    bytes::register(db)?;
    regexes::register(db)?;
    convert::register(db, &session.zone)?;
    json::register(db)?;
    arrays::register(db)?;
    maps::register(db)?;
    times::register(db, &session.zone)?;
    urls::register(db)?;
    ip::register(db, &session.places)?;
    geo::register(db)?;
    aggregates::register(db)?;
    percentiles::register(db)?;
    collect::register(db)
}

/// Makes functions known that a statement may call.
struct Registrar<'c> {
    db: &'c Connection,
    sql: Option<&'c str>,
}

impl Registrar<'_> {
    /// A name that another begins with is wanted too, which does no harm.
    fn wants(&self, name: &str) -> bool {
        self.sql.is_none_or(|sql| sql.contains(name))
    }

    fn create_scalar_function<F, T>(
        &self,
        name: &str,
        args: i32,
        flags: FunctionFlags,
        f: F,
    ) -> rusqlite::Result<()>
    where
        F: Fn(&Context<'_>) -> rusqlite::Result<T> + Send + 'static,
        T: SqlFnOutput,
    {
        if self.wants(name) { self.db.create_scalar_function(name, args, flags, f) } else { Ok(()) }
    }

    fn create_aggregate_function<A, D, T>(
        &self,
        name: &str,
        args: i32,
        flags: FunctionFlags,
        aggregate: D,
    ) -> rusqlite::Result<()>
    where
        A: RefUnwindSafe + UnwindSafe,
        D: Aggregate<A, T> + 'static,
        T: SqlFnOutput,
    {
        if self.wants(name) {
            self.db.create_aggregate_function(name, args, flags, aggregate)
        } else {
            Ok(())
        }
    }
}

/// How the names of our functions begin that give NULL where others fail.
pub const LENIENT: &str = "sls_try_";

/// Registers a function, and one that gives NULL where it fails, see [`LENIENT`].
fn scalar<F, T>(db: &Registrar<'_>, name: &str, args: i32, flags: FunctionFlags, f: F) -> rusqlite::Result<()>
where
    F: Fn(&Context<'_>) -> rusqlite::Result<T> + Clone + Send + 'static,
    T: ToSql,
{
    let strict = f.clone();
    db.create_scalar_function(name, args, flags, move |call| strict(call))?;
    let lenient = name.replacen("sls_", LENIENT, 1);
    db.create_scalar_function(&lenient, args, flags, move |call| Ok(f(call).ok()))
}

/// The error of a function that cannot take a value.
fn failed(message: impl Into<String>) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(message.into().into())
}
