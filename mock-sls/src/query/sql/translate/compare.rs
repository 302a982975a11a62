//! `compare(x, n…)` and `ts_compare(x, n…)`: a subquery's value now and `n` seconds earlier.
//!
//! The subquery is translated once more for every `n`, over a table of the logs of the earlier
//! time, and joined by what the outer query groups by; a moment belongs to that `n` seconds before
//! it. Source: document "compare function".

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Select, SelectItem,
    TableFactor, Value,
};

use super::{Context, SPAN_SECONDS_MAX, Translator, from::derived, operator::comparison, unsupported};
use crate::query::sql::{
    SqlError,
    error::At,
    parse::{START, name_start},
    scope::Scope,
    types::{Type, Typed},
};

/// The second one is for groups by time alone.
const NAMES: [&str; 2] = ["compare", "ts_compare"];
/// Earlier times in one statement. Guess: every one is a search of its own.
const SHIFTS_MAX: usize = 8;

impl Translator<'_> {
    /// FROM of a SELECT that compares; fills `scope` and gives the seconds it goes back.
    /// Nothing when it does not compare.
    pub(super) fn compared_from(
        &mut self,
        select: &Select,
        scope: &mut Scope<'_>,
    ) -> Result<Option<String>, SqlError> {
        let Some(call) = select.projection.iter().find_map(called) else {
            return Ok(None);
        };
        let place = name_start(&call.name);
        let shifts = shifts(call, place)?;
        let subquery = match select.from.as_slice() {
            [table] if table.joins.is_empty() => match &table.relation {
                TableFactor::Derived { lateral: false, subquery, alias, .. } => Some((subquery, alias)),
                _ => None,
            },
            _ => None,
        };
        let message = "compare needs one subquery in FROM, for example (select count(*) as pv from log)";
        let (subquery, alias) = subquery.ok_or_else(|| SqlError::semantic(place, message))?;

        let now = self.query(subquery, None, false)?;
        let name = self.new_relation();
        let mut from = format!("({}) AS {name}", now.sql);
        scope.relations.push(derived(name, alias.as_ref(), &now)?);
        if call.name.to_string().eq_ignore_ascii_case("ts_compare") {
            self.check_grouped_by_time(select, scope, place)?;
        }
        for seconds in shifts {
            let around = self.shift;
            let shift = around.checked_add(seconds).filter(|shift| *shift <= SPAN_SECONDS_MAX);
            self.shift = shift.ok_or_else(|| {
                let message = format!("compare goes back more than {SPAN_SECONDS_MAX} seconds");
                SqlError::semantic(place, message)
            })?;
            let earlier = self.query(subquery, None, false);
            self.shift = around;
            let (earlier, name) = (earlier?, self.new_relation());
            let relation = derived(name.clone(), alias.as_ref(), &earlier)?;
            let earlier_scope = Scope { relations: vec![relation.clone()], ..Scope::default() };
            let condition = self.same_group(select, scope, earlier_scope, seconds)?;
            from.push_str(&format!(" LEFT JOIN ({}) AS {name} ON {condition}", earlier.sql));
            scope.earlier.push((relation, seconds));
        }
        Ok(Some(from))
    }

    /// What makes a row of the earlier time belong to a row of the present.
    fn same_group(
        &mut self,
        select: &Select,
        now: &Scope<'_>,
        earlier: Scope<'_>,
        seconds: i64,
    ) -> Result<String, SqlError> {
        let GroupByExpr::Expressions(keys, _) = &select.group_by else {
            return Err(unsupported("GROUP BY ALL"));
        };
        let mut conditions = Vec::new();
        for key in keys {
            let key = named_item(select, key);
            let left = self.expr(key, Context::rows(now))?;
            let right = self.expr(key, Context::rows(&earlier))?;
            conditions.push(match left.ty.is_time() {
                true => format!("{} IS ({} + {seconds}000)", left.sql, right.sql),
                false => comparison(left, "IS", right, START)?.sql,
            });
        }
        match conditions.is_empty() {
            true => Ok("1".to_owned()),
            false => Ok(conditions.join(" AND ")),
        }
    }

    /// Text: document "SQL error center", with its spelling.
    fn check_grouped_by_time(
        &mut self,
        select: &Select,
        scope: &Scope<'_>,
        place: At,
    ) -> Result<(), SqlError> {
        let keys = match &select.group_by {
            GroupByExpr::Expressions(keys, _) => keys.as_slice(),
            GroupByExpr::All(_) => &[],
        };
        let mut types = Vec::new();
        for key in keys {
            types.push(self.expr(named_item(select, key), Context::rows(scope))?.ty);
        }
        match types.iter().any(Type::is_time) {
            true => Ok(()),
            false => {
                let ty = types.first().map_or("none".to_owned(), Type::to_string);
                let message = format!("ts_compare must gropu by timestamp,your grouping by type is :{ty}");
                Err(SqlError::semantic(place, message))
            }
        }
    }

    /// `[now, before…, now / before…, moment before…]`. The moment is that of the group or, without
    /// one, the start of the queried time, in Unix seconds.
    pub(super) fn compared_value(
        &mut self,
        args: &[&Expr],
        place: At,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let (Some(value), false) = (args.first(), context.scope.earlier.is_empty()) else {
            return Err(SqlError::semantic(place, "compare stands in the select list, above a subquery"));
        };
        let now = self.number(value, context, place)?;
        let (mut values, mut ratios, mut moments) = (vec![now.clone()], Vec::new(), Vec::new());
        for (earlier, seconds) in &context.scope.earlier {
            let scope = Scope { relations: vec![earlier.clone()], ..Scope::default() };
            let before = self.number(value, Context::rows(&scope), place)?;
            ratios.push(format!("sls_div({now}, {before})"));
            values.push(before);
            let grouped = context.scope.relations.first().and_then(|now| {
                let column = now.columns.iter().find(|column| column.ty.is_time())?;
                Some(format!("{}.{}", now.sql, column.sql))
            });
            moments.push(match grouped {
                Some(time) => format!("({time} / 1000.0 - {seconds})"),
                None => (self.session.window.0 - seconds).to_string(),
            });
        }
        values.append(&mut ratios);
        values.append(&mut moments);
        Ok(Typed::new(Type::Double.array(), format!("sls_array('d', {})", values.join(", "))))
    }

    fn number(&mut self, value: &Expr, context: Context<'_>, place: At) -> Result<String, SqlError> {
        let value = self.expr(value, context)?;
        match value.ty.is_numeric() {
            true => Ok(format!("CAST({} AS REAL)", value.sql)),
            false => Err(SqlError::semantic(place, format!("compare needs a number, not {}", value.ty))),
        }
    }
}

/// The call of compare in a select item, if there is one.
fn called(item: &SelectItem) -> Option<&Function> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => call_in(expr),
        _ => None,
    }
}

/// Whether a function is one of these.
pub(super) fn is_name(name: &str) -> bool {
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn call_in(expr: &Expr) -> Option<&Function> {
    match expr {
        Expr::Function(function) if is_name(&function.name.to_string()) => Some(function),
        Expr::Function(function) => match &function.args {
            FunctionArguments::List(list) => list.args.iter().find_map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => call_in(expr),
                _ => None,
            }),
            _ => None,
        },
        Expr::BinaryOp { left, right, .. } => call_in(left).or_else(|| call_in(right)),
        Expr::CompoundFieldAccess { root: inner, .. }
        | Expr::Nested(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::Ceil { expr: inner, .. }
        | Expr::Floor { expr: inner, .. }
        | Expr::Cast { expr: inner, .. } => call_in(inner),
        _ => None,
    }
}

/// How many seconds a call goes back, one number per argument after the first.
fn shifts(call: &Function, place: At) -> Result<Vec<i64>, SqlError> {
    let args = match &call.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    let seconds = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => match &value.value {
            Value::Number(number, _) => number.parse::<i64>().ok().filter(|&seconds| seconds > 0),
            _ => None,
        },
        _ => None,
    };
    let shifts: Option<Vec<i64>> = args.iter().skip(1).map(seconds).collect();
    shifts.filter(|shifts| (1..=SHIFTS_MAX).contains(&shifts.len())).ok_or_else(|| {
        SqlError::semantic(place, format!("compare takes a value and 1 to {SHIFTS_MAX} numbers of seconds"))
    })
}

/// The select item that a GROUP BY key names by its position, else the key itself.
fn named_item<'s>(select: &'s Select, key: &'s Expr) -> &'s Expr {
    let position = super::select::ordinal(key).and_then(|number| usize::try_from(number).ok());
    let item =
        position.and_then(|number| number.checked_sub(1)).and_then(|index| select.projection.get(index));
    match item {
        Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => expr,
        _ => key,
    }
}
