//! `time_series(time, window, format, padding)`: groups by windows of time, with a row also for
//! windows without logs. Source: document "Date and time functions".
//!
//! The SELECT is translated with the start of the window in place of the call, and joined to all
//! windows of the queried time. Windows of days begin at midnight in the session's zone, as guess.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, GroupByExpr,
    Ident, ObjectName, Select, SelectItem, Value,
};

use super::{Context, OutColumn, SPAN_SECONDS_MAX, Translated, Translator, select::Around};
use crate::query::sql::{
    Session, SqlError,
    error::At,
    parse::name_start,
    types::{Type, Typed, quoted},
};

/// Name of the function.
const NAME: &str = "time_series";
/// What stands in place of a call while the SELECT is translated.
const BUCKET: &str = "time_series_bucket";
/// Windows of one answer. Source: as the rows of an answer, document "Limits".
const WINDOWS_MAX: i64 = 100_000;

/// A call, understood.
struct Series {
    /// Position in the select list.
    item: usize,
    seconds: i64,
    format: String,
    padding: Padding,
}

/// What windows without logs are filled with.
enum Padding {
    Value(String),
    Null,
    Last,
    Next,
    Average,
}

impl Translator<'_> {
    /// A SELECT with a call of `time_series`; nothing for any other.
    pub(super) fn filled_series(
        &mut self,
        select: &Select,
        around: Around<'_>,
    ) -> Result<Option<Translated>, SqlError> {
        let found = select.projection.iter().enumerate().find_map(|(index, item)| match item {
            SelectItem::UnnamedExpr(Expr::Function(call))
            | SelectItem::ExprWithAlias { expr: Expr::Function(call), .. }
                if call.name.to_string().eq_ignore_ascii_case(NAME) =>
            {
                Some((index, call))
            }
            _ => None,
        });
        let Some((item, call)) = found else { return Ok(None) };
        let series = Series::of(item, call)?;
        let place = name_start(&call.name);
        let GroupByExpr::Expressions(keys, modifiers) = &select.group_by else {
            return Err(SqlError::semantic(place, "time_series must be used with GROUP BY"));
        };
        if keys.is_empty() {
            return Err(SqlError::semantic(place, "time_series must be used with GROUP BY"));
        }
        let bucket = bucket_of(call, series.seconds);
        let mut inner = select.clone();
        if let Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) =
            inner.projection.get_mut(item)
        {
            *expr = bucket.clone();
        }
        let is_call = |expr: &Expr| matches!(expr, Expr::Function(other) if other == call);
        let keys: Vec<Expr> =
            keys.iter().map(|key| if is_call(key) { bucket.clone() } else { key.clone() }).collect();
        inner.group_by = GroupByExpr::Expressions(keys.clone(), modifiers.clone());
        let inner_sql = self.select_grouped(&inner, Around { order_by: None, ..around }, false)?;
        // Columns that are keys themselves, besides the time: each combination has a series.
        let mut grouped = Vec::new();
        for (index, item) in inner.projection.iter().enumerate() {
            let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
                return Err(SqlError::semantic(place, "SELECT * cannot stand beside time_series"));
            };
            let is_key = keys.iter().any(|key| super::select::item_named(&inner, key).unwrap_or(key) == expr);
            if index != series.item && is_key {
                grouped.push(index);
            }
        }
        let filled = self.fill(&series, &grouped, inner_sql, place)?;
        self.ordered(filled, around.order_by).map(Some)
    }

    fn fill(
        &mut self,
        series: &Series,
        grouped: &[usize],
        inner: Translated,
        place: At,
    ) -> Result<Translated, SqlError> {
        let (from, to) = self.session.window;
        let step = series.seconds * 1000;
        let offset = offset_millis(self.session);
        let first = (from * 1000 + offset).div_euclid(step) * step - offset;
        if (to * 1000 - first) / step > WINDOWS_MAX {
            return Err(SqlError::semantic(
                place,
                format!("time_series makes more than {WINDOWS_MAX} windows"),
            ));
        }
        let rows = self.new_relation();
        let time = format!("k{}", series.item);
        let same_keys = |left: &str, right: &str| -> String {
            grouped.iter().map(|index| format!(" AND {left}.k{index} IS {right}.k{index}")).collect()
        };
        let mut columns = Vec::new();
        let mut list = Vec::new();
        for (index, column) in inner.columns.iter().enumerate() {
            let mut ty = column.ty.clone();
            let value = if index == series.item {
                ty = Type::Varchar;
                format!("sls_date_format(w.t, {}, '')", quoted(&series.format))
            } else if grouped.contains(&index) {
                format!("d.k{index}")
            } else {
                let near = |order: &str, side: &str| {
                    format!(
                        "(SELECT p.k{index} FROM {rows} AS p WHERE p.{time} {side} w.t{} ORDER BY p.{time} {order} LIMIT 1)",
                        same_keys("p", "d")
                    )
                };
                let padding = match &series.padding {
                    Padding::Value(value) => padded(value, &ty, place)?,
                    Padding::Null => "NULL".to_owned(),
                    Padding::Last => near("DESC", "<"),
                    Padding::Next => near("ASC", ">"),
                    Padding::Average if ty == Type::Double => {
                        format!("(({} + {}) / 2)", near("DESC", "<"), near("ASC", ">"))
                    }
                    Padding::Average => {
                        ty = Type::Double;
                        format!("(({} + {}) / 2.0)", near("DESC", "<"), near("ASC", ">"))
                    }
                };
                format!("CASE WHEN q.{time} IS NULL THEN {padding} ELSE q.k{index} END")
            };
            list.push(format!("{value} AS k{index}"));
            columns.push(OutColumn { name: column.name.clone(), ty });
        }
        let keys: Vec<String> = grouped.iter().map(|index| format!("k{index}")).collect();
        let keys = if keys.is_empty() { "1".to_owned() } else { keys.join(", ") };
        // Without keys there is one series, even of no logs.
        let distinct = match grouped.is_empty() {
            true => "(SELECT 1)".to_owned(),
            false => format!("(SELECT DISTINCT {keys} FROM {rows})"),
        };
        let sql = format!(
            "WITH RECURSIVE {rows} AS MATERIALIZED ({}), g(t) AS (SELECT {first} UNION ALL SELECT t + {step} FROM g WHERE t + {step} < {to}000), \
             w(t) AS (SELECT t FROM g UNION SELECT {time} FROM {rows} WHERE {time} IS NOT NULL) \
             SELECT {} FROM w CROSS JOIN {distinct} AS d LEFT JOIN {rows} AS q ON q.{time} = w.t{}",
            inner.sql,
            list.join(", "),
            same_keys("q", "d")
        );
        Ok(Translated { sql: format!("SELECT * FROM ({sql})"), columns })
    }

    /// The start of a window, milliseconds; what stands in place of the call.
    pub(super) fn bucket(
        &mut self,
        args: &[&Expr],
        context: Context<'_>,
        place: At,
    ) -> Result<Typed, SqlError> {
        let [time, Expr::Value(step)] = args else {
            return Err(SqlError::FunctionNotRegistered { at: place, name: BUCKET.to_owned() });
        };
        let step = match &step.value {
            Value::Number(number, _) => number.clone(),
            _ => "1".to_owned(),
        };
        let time = self.expr(time, context)?;
        let sql = match &time.ty {
            Type::Bigint => format!("({} * 1000)", time.sql),
            ty if ty.is_time() => time.sql,
            other => {
                let message = format!("time_series needs a time or Unix seconds, not {other}");
                return Err(SqlError::semantic(place, message));
            }
        };
        let offset = offset_millis(self.session);
        let shifted = format!("({sql} + {offset})");
        let sql = format!("({sql} - ({shifted} % {step}000))");
        Ok(Typed::new(Type::Bigint, sql))
    }
}

/// Whether a function is the one that stands in place of `time_series`.
pub(super) fn is_bucket(name: &str) -> bool {
    name == BUCKET
}

/// How far the session's zone is from UTC at the present time.
fn offset_millis(session: &Session) -> i64 {
    i64::from(session.zone.to_offset(session.now).seconds()) * 1000
}

fn bucket_of(call: &Function, seconds: i64) -> Expr {
    let first = match &call.args {
        FunctionArguments::List(list) => list.args.first().cloned(),
        _ => None,
    };
    let step = Expr::Value(Value::Number(seconds.to_string(), false).into());
    let args = first.into_iter().chain([FunctionArg::Unnamed(FunctionArgExpr::Expr(step))]);
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(BUCKET)]),
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.collect(),
            clauses: Vec::new(),
        }),
        ..call.clone()
    })
}

fn padded(value: &str, ty: &Type, place: At) -> Result<String, SqlError> {
    let padded = match ty {
        Type::Bigint => value.parse::<i64>().ok().map(|n| n.to_string()),
        Type::Double => value.parse::<f64>().ok().filter(|x| x.is_finite()).map(|x| format!("{x:e}")),
        Type::Varchar => Some(quoted(value)),
        _ => None,
    };
    padded.ok_or_else(|| SqlError::semantic(place, format!("time_series cannot pad {ty} with '{value}'")))
}

impl Series {
    fn of(item: usize, call: &Function) -> Result<Self, SqlError> {
        let place = name_start(&call.name);
        let args = match &call.args {
            FunctionArguments::List(list) => list.args.as_slice(),
            _ => &[],
        };
        let text = |arg: &FunctionArg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => match &value.value {
                Value::SingleQuotedString(text) => Some(text.clone()),
                Value::Number(number, _) => Some(number.clone()),
                Value::Null => Some("null".to_owned()),
                _ => None,
            },
            _ => None,
        };
        let literals: Vec<String> = args.iter().skip(1).filter_map(text).collect();
        let [window, format, padding] = literals.as_slice() else {
            let message = "time_series takes a time, and a window, a format and a padding as texts: \
                           time_series(__time__, '5m', '%H:%i', '0')";
            return Err(SqlError::semantic(place, message));
        };
        let seconds = window_seconds(window).ok_or_else(|| {
            SqlError::semantic(place, format!("'{window}' is not a window like 30s, 5m, 2h or 1d"))
        })?;
        let padding = match padding.to_ascii_lowercase().as_str() {
            "null" => Padding::Null,
            "last" => Padding::Last,
            "next" => Padding::Next,
            "avg" => Padding::Average,
            _ => Padding::Value(padding.clone()),
        };
        Ok(Self { item, seconds, format: format.clone(), padding })
    }
}

fn window_seconds(window: &str) -> Option<i64> {
    let window = window.trim();
    let (count, unit) = window.split_at(window.find(|c: char| !c.is_ascii_digit())?);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    count.parse::<i64>().ok()?.checked_mul(unit).filter(|seconds| (1..=SPAN_SECONDS_MAX).contains(seconds))
}
