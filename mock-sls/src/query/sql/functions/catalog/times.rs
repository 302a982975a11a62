//! Functions of times. Source: document "Date and time functions".

use super::{
    super::overload::{Kind::Scalar, Overload, Takes as T},
    Type, f, gives,
};

#[rustfmt::skip]
pub const FUNCTIONS: &[Overload] = &[
    f(Scalar, "to_unixtime", &[T::Time], gives::double, "($1 / 1000.0)"),
    f(Scalar, "date_trunc", &[T::Varchar, T::Time], gives::moment, "sls_date_trunc($1, $2, $z2)"),
    f(Scalar, "date_format", &[T::Time, T::Varchar], gives::varchar, "sls_date_format($1, $2, $z1)"),
    f(Scalar, "date_parse", &[T::Varchar, T::Varchar], gives::timestamp, "sls_date_parse($1, $2)"),
    f(Scalar, "date_add", &[T::Varchar, T::Bigint, T::Time], gives::moment, "sls_date_add($1, $2, $3, $z3)"),
    f(Scalar, "date_diff", &[T::Varchar, T::Time, T::Time], gives::bigint, "sls_date_diff($1, $2, $3, $z2)"),
    f(Scalar, "date", &[T::Time], gives::date, "sls_start_of_day($1)"),
    f(Scalar, "from_iso8601_timestamp", &[T::Varchar], |_| Type::TimestampTz(String::new()), "sls_parse_iso8601($1)"),
    f(Scalar, "from_iso8601_date", &[T::Varchar], gives::date, "sls_start_of_day(sls_parse_iso8601($1))"),
    f(Scalar, "to_iso8601", &[T::Time], gives::varchar, "sls_to_iso8601($1, $z1, 0)"),
    f(Scalar, "last_day_of_month", &[T::Time], gives::date, "sls_last_day_of_month($1, $z1)"),
    f(Scalar, "human_readable_seconds", &[T::Double], gives::varchar, "sls_readable_seconds($1)"),
    f(Scalar, "year", &[T::Time], gives::bigint, "sls_date_part('year', $1, $z1)"),
    f(Scalar, "quarter", &[T::Time], gives::bigint, "sls_date_part('quarter', $1, $z1)"),
    f(Scalar, "month", &[T::Time], gives::bigint, "sls_date_part('month', $1, $z1)"),
    f(Scalar, "week", &[T::Time], gives::bigint, "sls_date_part('week', $1, $z1)"),
    f(Scalar, "week_of_year", &[T::Time], gives::bigint, "sls_date_part('week', $1, $z1)"),
    f(Scalar, "year_of_week", &[T::Time], gives::bigint, "sls_date_part('year_of_week', $1, $z1)"),
    f(Scalar, "yow", &[T::Time], gives::bigint, "sls_date_part('year_of_week', $1, $z1)"),
    f(Scalar, "day", &[T::Time], gives::bigint, "sls_date_part('day', $1, $z1)"),
    f(Scalar, "day_of_month", &[T::Time], gives::bigint, "sls_date_part('day', $1, $z1)"),
    f(Scalar, "day_of_week", &[T::Time], gives::bigint, "sls_date_part('day_of_week', $1, $z1)"),
    f(Scalar, "dow", &[T::Time], gives::bigint, "sls_date_part('day_of_week', $1, $z1)"),
    f(Scalar, "day_of_year", &[T::Time], gives::bigint, "sls_date_part('day_of_year', $1, $z1)"),
    f(Scalar, "doy", &[T::Time], gives::bigint, "sls_date_part('day_of_year', $1, $z1)"),
    f(Scalar, "hour", &[T::Time], gives::bigint, "sls_date_part('hour', $1, $z1)"),
    f(Scalar, "minute", &[T::Time], gives::bigint, "sls_date_part('minute', $1, $z1)"),
    f(Scalar, "second", &[T::Time], gives::bigint, "sls_date_part('second', $1, $z1)"),
    f(Scalar, "millisecond", &[T::Time], gives::bigint, "sls_date_part('millisecond', $1, $z1)"),
    f(Scalar, "timezone_hour", &[T::Time], gives::bigint, "sls_date_part('timezone_hour', $1, $z1)"),
    f(Scalar, "timezone_minute", &[T::Time], gives::bigint, "sls_date_part('timezone_minute', $1, $z1)"),
];
