//! The functions of the SQL dialect: one line each, with parameter types, result type and the
//! SQLite expression that computes it. Names with `sls_` are ours and live in the files below.
//!
//! Names and meanings: documents "General aggregate functions", "String functions" and so on;
//! which ones people use: `sls-query.md` §3.2.

mod aggregates;
mod convert;
mod regexes;
mod texts;
mod times;

use rusqlite::Connection;

use super::{
    Session, SqlError,
    error::At,
    types::{Type, Typed},
};

pub use times::{parse_timestamp, show as show_timestamp};

/// What a function works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Values of one row.
    Scalar,
    /// All rows of a group, or of a window.
    Aggregate,
    /// Only over a window.
    Window,
}

/// A parameter and the argument types that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Any,
    Boolean,
    Bigint,
    /// Also a bigint.
    Double,
    Varchar,
    /// A timestamp, or a bigint of Unix seconds.
    Time,
    Array,
    /// JSON, or a text of it.
    Json,
}

/// The type of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gives {
    Boolean,
    Bigint,
    Double,
    Varchar,
    Timestamp,
    Json,
    Varchars,
    /// The type of the first argument.
    First,
    /// An array of the type of the first argument.
    Firsts,
    /// The element type of the first argument, an array.
    Element,
}

struct Overload {
    name: &'static str,
    kind: Kind,
    takes: &'static [Takes],
    gives: Gives,
    /// With `$1` for the first argument, and so on.
    sql: &'static str,
}

use Gives as G;
use Kind::{Aggregate, Scalar, Window};
use Takes as T;

const fn f(
    kind: Kind,
    name: &'static str,
    takes: &'static [Takes],
    gives: Gives,
    sql: &'static str,
) -> Overload {
    Overload { name, kind, takes, gives, sql }
}

/// Functions whose arguments do not fit in a line of the table; the translator knows them.
const SPECIAL: [&str; 9] = [
    "coalesce",
    "greatest",
    "least",
    "if",
    "concat",
    "now",
    "current_timestamp",
    "localtimestamp",
    "current_timezone",
];

/// Overloads of one name stand together; the first that takes the arguments is used.
#[rustfmt::skip]
const FUNCTIONS: &[Overload] = &[
    f(Aggregate, "count", &[], G::Bigint, "count(*)"),
    f(Aggregate, "count", &[T::Any], G::Bigint, "count($1)"),
    f(Aggregate, "count_if", &[T::Boolean], G::Bigint, "count(nullif($1, 0))"),
    f(Aggregate, "sum", &[T::Bigint], G::Bigint, "sum($1)"),
    f(Aggregate, "sum", &[T::Double], G::Double, "sum($1)"),
    f(Aggregate, "avg", &[T::Double], G::Double, "avg($1)"),
    f(Aggregate, "min", &[T::Any], G::First, "min($1)"),
    f(Aggregate, "max", &[T::Any], G::First, "max($1)"),
    f(Aggregate, "min_by", &[T::Any, T::Any], G::First, "sls_min_by($1, $2)"),
    f(Aggregate, "max_by", &[T::Any, T::Any], G::First, "sls_max_by($1, $2)"),
    f(Aggregate, "arbitrary", &[T::Any], G::First, "min($1)"),
    f(Aggregate, "any_value", &[T::Any], G::First, "min($1)"),
    f(Aggregate, "approx_distinct", &[T::Any], G::Bigint, "count(DISTINCT $1)"),
    f(Aggregate, "approx_distinct", &[T::Any, T::Double], G::Bigint, "count(DISTINCT $1)"),
    f(Aggregate, "approx_percentile", &[T::Bigint, T::Double], G::First, "sls_percentile($1, $2)"),
    f(Aggregate, "approx_percentile", &[T::Double, T::Double], G::Double, "sls_percentile($1, $2)"),
    f(Aggregate, "array_agg", &[T::Any], G::Firsts, "json_group_array($1)"),
    f(Aggregate, "bool_and", &[T::Boolean], G::Boolean, "min($1)"),
    f(Aggregate, "every", &[T::Boolean], G::Boolean, "min($1)"),
    f(Aggregate, "bool_or", &[T::Boolean], G::Boolean, "max($1)"),
    f(Aggregate, "stddev", &[T::Double], G::Double, "sls_stddev_samp($1)"),
    f(Aggregate, "stddev_samp", &[T::Double], G::Double, "sls_stddev_samp($1)"),
    f(Aggregate, "stddev_pop", &[T::Double], G::Double, "sls_stddev_pop($1)"),
    f(Aggregate, "variance", &[T::Double], G::Double, "sls_var_samp($1)"),
    f(Aggregate, "var_samp", &[T::Double], G::Double, "sls_var_samp($1)"),
    f(Aggregate, "var_pop", &[T::Double], G::Double, "sls_var_pop($1)"),

    f(Window, "row_number", &[], G::Bigint, "row_number()"),
    f(Window, "rank", &[], G::Bigint, "rank()"),
    f(Window, "dense_rank", &[], G::Bigint, "dense_rank()"),
    f(Window, "percent_rank", &[], G::Double, "percent_rank()"),
    f(Window, "cume_dist", &[], G::Double, "cume_dist()"),
    f(Window, "ntile", &[T::Bigint], G::Bigint, "ntile($1)"),
    f(Window, "lag", &[T::Any], G::First, "lag($1)"),
    f(Window, "lag", &[T::Any, T::Bigint], G::First, "lag($1, $2)"),
    f(Window, "lag", &[T::Any, T::Bigint, T::Any], G::First, "lag($1, $2, $3)"),
    f(Window, "lead", &[T::Any], G::First, "lead($1)"),
    f(Window, "lead", &[T::Any, T::Bigint], G::First, "lead($1, $2)"),
    f(Window, "lead", &[T::Any, T::Bigint, T::Any], G::First, "lead($1, $2, $3)"),
    f(Window, "first_value", &[T::Any], G::First, "first_value($1)"),
    f(Window, "last_value", &[T::Any], G::First, "last_value($1)"),
    f(Window, "nth_value", &[T::Any, T::Bigint], G::First, "nth_value($1, $2)"),

    f(Scalar, "nullif", &[T::Any, T::Any], G::First, "nullif($1, $2)"),
    f(Scalar, "try", &[T::Any], G::First, "$1"),

    f(Scalar, "length", &[T::Varchar], G::Bigint, "length($1)"),
    f(Scalar, "lower", &[T::Varchar], G::Varchar, "sls_lower($1)"),
    f(Scalar, "upper", &[T::Varchar], G::Varchar, "sls_upper($1)"),
    f(Scalar, "trim", &[T::Varchar], G::Varchar, "trim($1)"),
    f(Scalar, "ltrim", &[T::Varchar], G::Varchar, "ltrim($1)"),
    f(Scalar, "rtrim", &[T::Varchar], G::Varchar, "rtrim($1)"),
    f(Scalar, "substr", &[T::Varchar, T::Bigint], G::Varchar, "substr($1, $2)"),
    f(Scalar, "substr", &[T::Varchar, T::Bigint, T::Bigint], G::Varchar, "substr($1, $2, $3)"),
    f(Scalar, "substring", &[T::Varchar, T::Bigint], G::Varchar, "substr($1, $2)"),
    f(Scalar, "substring", &[T::Varchar, T::Bigint, T::Bigint], G::Varchar, "substr($1, $2, $3)"),
    f(Scalar, "strpos", &[T::Varchar, T::Varchar], G::Bigint, "instr($1, $2)"),
    f(Scalar, "replace", &[T::Varchar, T::Varchar], G::Varchar, "replace($1, $2, '')"),
    f(Scalar, "replace", &[T::Varchar, T::Varchar, T::Varchar], G::Varchar, "replace($1, $2, $3)"),
    f(Scalar, "reverse", &[T::Varchar], G::Varchar, "sls_reverse($1)"),
    f(Scalar, "split_part", &[T::Varchar, T::Varchar, T::Bigint], G::Varchar, "sls_split_part($1, $2, $3)"),
    f(Scalar, "split", &[T::Varchar, T::Varchar], G::Varchars, "sls_split($1, $2)"),
    f(Scalar, "lpad", &[T::Varchar, T::Bigint, T::Varchar], G::Varchar, "sls_pad($1, $2, $3, 1)"),
    f(Scalar, "rpad", &[T::Varchar, T::Bigint, T::Varchar], G::Varchar, "sls_pad($1, $2, $3, 0)"),
    f(Scalar, "chr", &[T::Bigint], G::Varchar, "char($1)"),
    f(Scalar, "codepoint", &[T::Varchar], G::Bigint, "unicode($1)"),

    f(Scalar, "regexp_like", &[T::Varchar, T::Varchar], G::Boolean, "sls_regexp_like($1, $2)"),
    f(Scalar, "regexp_extract", &[T::Varchar, T::Varchar], G::Varchar, "sls_regexp_extract($1, $2, 0)"),
    f(Scalar, "regexp_extract", &[T::Varchar, T::Varchar, T::Bigint], G::Varchar, "sls_regexp_extract($1, $2, $3)"),
    f(Scalar, "regexp_extract_all", &[T::Varchar, T::Varchar], G::Varchars, "sls_regexp_extract_all($1, $2, 0)"),
    f(Scalar, "regexp_extract_all", &[T::Varchar, T::Varchar, T::Bigint], G::Varchars, "sls_regexp_extract_all($1, $2, $3)"),
    f(Scalar, "regexp_replace", &[T::Varchar, T::Varchar], G::Varchar, "sls_regexp_replace($1, $2, '')"),
    f(Scalar, "regexp_replace", &[T::Varchar, T::Varchar, T::Varchar], G::Varchar, "sls_regexp_replace($1, $2, $3)"),
    f(Scalar, "regexp_split", &[T::Varchar, T::Varchar], G::Varchars, "sls_regexp_split($1, $2)"),

    f(Scalar, "abs", &[T::Bigint], G::Bigint, "abs($1)"),
    f(Scalar, "abs", &[T::Double], G::Double, "abs($1)"),
    f(Scalar, "round", &[T::Bigint], G::Bigint, "$1"),
    f(Scalar, "round", &[T::Double], G::Double, "round($1)"),
    f(Scalar, "round", &[T::Bigint, T::Bigint], G::Bigint, "$1"),
    f(Scalar, "round", &[T::Double, T::Bigint], G::Double, "round($1, $2)"),
    f(Scalar, "ceil", &[T::Bigint], G::Bigint, "$1"),
    f(Scalar, "ceil", &[T::Double], G::Double, "sls_ceil($1)"),
    f(Scalar, "ceiling", &[T::Bigint], G::Bigint, "$1"),
    f(Scalar, "ceiling", &[T::Double], G::Double, "sls_ceil($1)"),
    f(Scalar, "floor", &[T::Bigint], G::Bigint, "$1"),
    f(Scalar, "floor", &[T::Double], G::Double, "sls_floor($1)"),
    f(Scalar, "truncate", &[T::Double], G::Double, "sls_truncate($1)"),
    f(Scalar, "sqrt", &[T::Double], G::Double, "sls_sqrt($1)"),
    f(Scalar, "exp", &[T::Double], G::Double, "sls_exp($1)"),
    f(Scalar, "ln", &[T::Double], G::Double, "sls_ln($1)"),
    f(Scalar, "log2", &[T::Double], G::Double, "sls_log2($1)"),
    f(Scalar, "log10", &[T::Double], G::Double, "sls_log10($1)"),
    f(Scalar, "power", &[T::Double, T::Double], G::Double, "sls_power($1, $2)"),
    f(Scalar, "pow", &[T::Double, T::Double], G::Double, "sls_power($1, $2)"),
    f(Scalar, "mod", &[T::Bigint, T::Bigint], G::Bigint, "($1 % $2)"),
    f(Scalar, "mod", &[T::Double, T::Double], G::Double, "sls_mod($1, $2)"),
    f(Scalar, "sign", &[T::Bigint], G::Bigint, "sign($1)"),
    f(Scalar, "pi", &[], G::Double, "3.141592653589793"),

    f(Scalar, "from_unixtime", &[T::Bigint], G::Timestamp, "($1 * 1000)"),
    f(Scalar, "from_unixtime", &[T::Double], G::Timestamp, "CAST(round($1 * 1000) AS INTEGER)"),
    f(Scalar, "to_unixtime", &[T::Time], G::Double, "($1 / 1000.0)"),
    f(Scalar, "date_trunc", &[T::Varchar, T::Time], G::Timestamp, "sls_date_trunc($1, $2)"),
    f(Scalar, "date_format", &[T::Time, T::Varchar], G::Varchar, "sls_date_format($1, $2)"),
    f(Scalar, "date_parse", &[T::Varchar, T::Varchar], G::Timestamp, "sls_date_parse($1, $2)"),
    f(Scalar, "date_add", &[T::Varchar, T::Bigint, T::Time], G::Timestamp, "sls_date_add($1, $2, $3)"),
    f(Scalar, "date_diff", &[T::Varchar, T::Time, T::Time], G::Bigint, "sls_date_diff($1, $2, $3)"),
    f(Scalar, "year", &[T::Time], G::Bigint, "sls_date_part('year', $1)"),
    f(Scalar, "quarter", &[T::Time], G::Bigint, "sls_date_part('quarter', $1)"),
    f(Scalar, "month", &[T::Time], G::Bigint, "sls_date_part('month', $1)"),
    f(Scalar, "week", &[T::Time], G::Bigint, "sls_date_part('week', $1)"),
    f(Scalar, "day", &[T::Time], G::Bigint, "sls_date_part('day', $1)"),
    f(Scalar, "day_of_month", &[T::Time], G::Bigint, "sls_date_part('day', $1)"),
    f(Scalar, "day_of_week", &[T::Time], G::Bigint, "sls_date_part('day_of_week', $1)"),
    f(Scalar, "dow", &[T::Time], G::Bigint, "sls_date_part('day_of_week', $1)"),
    f(Scalar, "day_of_year", &[T::Time], G::Bigint, "sls_date_part('day_of_year', $1)"),
    f(Scalar, "doy", &[T::Time], G::Bigint, "sls_date_part('day_of_year', $1)"),
    f(Scalar, "hour", &[T::Time], G::Bigint, "sls_date_part('hour', $1)"),
    f(Scalar, "minute", &[T::Time], G::Bigint, "sls_date_part('minute', $1)"),
    f(Scalar, "second", &[T::Time], G::Bigint, "sls_date_part('second', $1)"),

    f(Scalar, "json_extract_scalar", &[T::Json, T::Varchar], G::Varchar, "sls_json_extract($1, $2, 1)"),
    f(Scalar, "json_extract", &[T::Json, T::Varchar], G::Json, "sls_json_extract($1, $2, 0)"),
    f(Scalar, "json_array_length", &[T::Json], G::Bigint, "sls_json_length($1)"),
    f(Scalar, "json_parse", &[T::Varchar], G::Json, "sls_cast($1, 'varchar', 'json', 0)"),
    f(Scalar, "json_format", &[T::Json], G::Varchar, "$1"),
    f(Scalar, "cardinality", &[T::Array], G::Bigint, "sls_json_length($1)"),
    f(Scalar, "element_at", &[T::Array, T::Bigint], G::Element, "sls_element_or_null($1, $2)"),
];

/// What kind of function `name` (lower case) is, if there is one.
pub fn kind(name: &str) -> Option<Kind> {
    if SPECIAL.contains(&name) {
        return Some(Kind::Scalar);
    }
    FUNCTIONS.iter().find(|function| function.name == name).map(|function| function.kind)
}

/// A call of a function of the table.
///
/// # Errors
/// No overload takes these arguments.
pub fn call(name: &str, args: &[Typed], place: At) -> Result<Typed, SqlError> {
    FUNCTIONS
        .iter()
        .filter(|function| function.name == name)
        .find_map(|function| function.apply(args))
        .ok_or_else(|| unexpected(name, args, place))
}

/// A call with DISTINCT.
///
/// # Errors
/// As [`call`], and functions of more than one argument.
pub fn call_distinct(name: &str, args: &[Typed], place: At) -> Result<Typed, SqlError> {
    let called = call(name, args, place)?;
    match args {
        [only] if kind(name) == Some(Kind::Aggregate) => {
            let distinct = Typed { sql: format!("DISTINCT {}", only.sql), ..only.clone() };
            // Those that are distinct by themselves would say it twice.
            match called.sql.contains("DISTINCT") {
                true => Ok(called),
                false => call(name, &[distinct], place),
            }
        }
        _ => Err(SqlError::semantic(place, format!("DISTINCT in {name} needs an aggregate of one argument"))),
    }
}

/// The error for arguments that a function does not take.
pub fn unexpected(name: &str, args: &[Typed], place: At) -> SqlError {
    let types: Vec<String> = args.iter().map(|arg| arg.ty.to_string()).collect();
    SqlError::semantic(place, format!("Unexpected parameters ({}) for function {name}", types.join(", ")))
}

impl Overload {
    fn apply(&self, args: &[Typed]) -> Option<Typed> {
        if self.takes.len() != args.len() {
            return None;
        }
        let texts =
            self.takes.iter().zip(args).map(|(takes, arg)| takes.accept(arg)).collect::<Option<Vec<_>>>()?;
        let first = || args.first().map(|arg| arg.ty.clone());
        let ty = match self.gives {
            Gives::Boolean => Type::Boolean,
            Gives::Bigint => Type::Bigint,
            Gives::Double => Type::Double,
            Gives::Varchar => Type::Varchar,
            Gives::Timestamp => Type::Timestamp,
            Gives::Json => Type::Json,
            Gives::Varchars => Type::Array(Box::new(Type::Varchar)),
            Gives::First => first()?,
            Gives::Firsts => Type::Array(Box::new(first()?)),
            Gives::Element => match first()? {
                Type::Array(element) => *element,
                _ => Type::Null,
            },
        };
        Some(Typed::new(ty, fill(self.sql, &texts)))
    }
}

impl Takes {
    /// The argument as this parameter wants it, if it takes it.
    fn accept(self, arg: &Typed) -> Option<String> {
        let as_is = || Some(arg.sql.clone());
        match (self, &arg.ty) {
            (_, Type::Null) | (Self::Any, _) => as_is(),
            (Self::Boolean, Type::Boolean)
            | (Self::Bigint, Type::Bigint)
            | (Self::Double, Type::Double | Type::Bigint)
            | (Self::Varchar, Type::Varchar)
            | (Self::Time, Type::Timestamp)
            | (Self::Array, Type::Array(_))
            | (Self::Json, Type::Json | Type::Varchar | Type::Array(_)) => as_is(),
            (Self::Time, Type::Bigint) => Some(format!("({} * 1000)", arg.sql)),
            _ => None,
        }
    }
}

/// Puts the arguments in place of `$1`, `$2`…, once.
fn fill(template: &str, args: &[String]) -> String {
    let mut pieces = template.split('$');
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let number = piece.bytes().next().and_then(|digit| usize::from(digit).checked_sub(usize::from(b'1')));
        filled.push_str(number.and_then(|number| args.get(number)).map_or("NULL", String::as_str));
        filled.push_str(piece.get(1..).unwrap_or_default());
    }
    filled
}

/// Makes our functions known to a connection.
pub fn register(db: &Connection, session: &Session) -> rusqlite::Result<()> {
    texts::register(db)?;
    regexes::register(db)?;
    convert::register(db, &session.zone)?;
    times::register(db, &session.zone)?;
    aggregates::register(db)
}

/// The error of a function that cannot take a value.
fn failed(message: impl Into<String>) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(message.into().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_put_in_once() {
        assert_eq!(fill("f($1, $2)", &["'$2'".to_owned(), "b".to_owned()]), "f('$2', b)");
    }

    #[test]
    fn overloads_of_a_name_are_of_one_kind_and_have_the_arguments_they_use() {
        for function in FUNCTIONS {
            assert_eq!(kind(function.name), Some(function.kind), "{}", function.name);
            let used = function.sql.matches('$').count();
            assert!(used >= usize::from(!function.takes.is_empty()), "{}", function.name);
            assert!(!function.sql.contains(&format!("${}", function.takes.len() + 1)), "{}", function.name);
        }
    }
}
