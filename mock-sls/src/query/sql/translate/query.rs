//! Queries around SELECT: `with`, set operations, limit.

use sqlparser::ast::{Cte, Expr, LimitClause, OrderBy, Query, SetExpr, SetOperator, SetQuantifier, Values};

use super::{
    Context, OutColumn, Translated, Translator,
    expr::same_type,
    from::derived,
    select::{Around, ordinal},
    unsupported,
};
use crate::query::sql::{
    DEFAULT_ROWS, REACHABLE_ROWS_MAX, ROWS_MAX, SqlError,
    parse::{START, start_of},
    scope::{Relation, Scope},
    types::{Type, Typed},
};

impl Translator<'_> {
    pub(super) fn query<'o>(
        &mut self,
        query: &Query,
        outer: Option<&'o Scope<'o>>,
        top: bool,
    ) -> Result<Translated, SqlError> {
        self.nested(|this| {
            let known = this.with.len();
            let mut sql = String::new();
            if let Some(with) = &query.with {
                if with.recursive {
                    return Err(unsupported("WITH RECURSIVE"));
                }
                for (index, cte) in with.cte_tables.iter().enumerate() {
                    sql.push_str(if index == 0 { "WITH " } else { ", " });
                    let definition = this.cte(cte)?;
                    sql.push_str(&definition);
                }
                sql.push(' ');
            }
            let body = match &*query.body {
                SetExpr::Select(select) => {
                    this.select(select, Around { order_by: query.order_by.as_ref(), outer, top })?
                }
                other => this.set_operation(other, query.order_by.as_ref(), outer)?,
            };
            this.with.truncate(known);
            sql.push_str(&body.sql);
            sql.push_str(&limit(query, top)?);
            Ok(Translated { sql, columns: body.columns })
        })
    }

    fn cte(&mut self, cte: &Cte) -> Result<String, SqlError> {
        let translated = self.query(&cte.query, None, false)?;
        let name = self.new_relation();
        let relation = derived(name.clone(), Some(&cte.alias), &translated)?;
        self.with.push(relation);
        Ok(format!("{name} AS ({})", translated.sql))
    }

    fn set_operation<'o>(
        &mut self,
        body: &SetExpr,
        order_by: Option<&OrderBy>,
        outer: Option<&'o Scope<'o>>,
    ) -> Result<Translated, SqlError> {
        let translated = self.set_operand(body, outer)?;
        self.ordered(translated, order_by)
    }

    /// Adds ORDER BY to a query whose columns alone can be named there.
    pub(super) fn ordered(
        &mut self,
        mut translated: Translated,
        order_by: Option<&OrderBy>,
    ) -> Result<Translated, SqlError> {
        if let Some(order_by) = order_by {
            let relation = Relation { name: None, ..derived(String::new(), None, &translated)? };
            let scope = Scope { relations: vec![relation], ..Scope::default() };
            let order = self.order_by(order_by, Context::rows(&scope), translated.columns.len())?;
            translated.sql = format!("SELECT * FROM ({}){order}", translated.sql);
        }
        Ok(translated)
    }

    fn set_operand<'o>(
        &mut self,
        body: &SetExpr,
        outer: Option<&'o Scope<'o>>,
    ) -> Result<Translated, SqlError> {
        match body {
            SetExpr::Select(select) => self.select(select, Around { outer, ..Around::default() }),
            SetExpr::Query(query) => {
                let inner = self.query(query, outer, false)?;
                Ok(Translated { sql: format!("SELECT * FROM ({})", inner.sql), columns: inner.columns })
            }
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let (left_query, right_query) = self
                    .nested(|this| Ok((this.set_operand(left, outer)?, this.set_operand(right, outer)?)))?;
                // SQLite reads set operations from the left; others need a query of their own.
                let right_sql = match **right {
                    SetExpr::SetOperation { .. } | SetExpr::Values(_) => {
                        format!("SELECT * FROM ({})", right_query.sql)
                    }
                    _ => right_query.sql.clone(),
                };
                let word = match (op, set_quantifier) {
                    (SetOperator::Union, SetQuantifier::All) => "UNION ALL",
                    (SetOperator::Union, SetQuantifier::Distinct | SetQuantifier::None) => "UNION",
                    (SetOperator::Except, SetQuantifier::Distinct | SetQuantifier::None) => "EXCEPT",
                    (SetOperator::Intersect, SetQuantifier::Distinct | SetQuantifier::None) => "INTERSECT",
                    _ => return Err(unsupported("this set operation")),
                };
                let columns = united(&left_query.columns, &right_query.columns)?;
                let types: Vec<Type> = columns.iter().map(|column| column.ty.clone()).collect();
                let left_sql = comparable_columns(left_query, &types);
                let right_sql = comparable_columns(Translated { sql: right_sql, ..right_query }, &types);
                Ok(Translated { sql: format!("{left_sql} {word} {right_sql}"), columns })
            }
            SetExpr::Values(values) => self.values(values, outer),
            _ => Err(unsupported("this kind of query")),
        }
    }

    fn values<'o>(&mut self, values: &Values, outer: Option<&'o Scope<'o>>) -> Result<Translated, SqlError> {
        let scope = Scope { outer, ..Scope::default() };
        let mut rows = Vec::new();
        for row in &values.rows {
            let row = row.content.iter().map(|value| self.expr(value, Context::rows(&scope)));
            rows.push(row.collect::<Result<Vec<_>, _>>()?);
        }
        let width = rows.first().map(Vec::len).unwrap_or_default();
        if rows.iter().any(|row| row.len() != width) {
            return Err(SqlError::semantic(START, "Values rows have mismatched types"));
        }
        let mut columns = Vec::new();
        let mut texts = vec![Vec::new(); rows.len()];
        for index in 0..width {
            let column: Vec<Typed> = rows.iter().filter_map(|row| row.get(index).cloned()).collect();
            let message = |ty: &Type| format!("Values rows have mismatched types: {ty}");
            let (ty, values) = same_type(column, START, message)?;
            columns.push(OutColumn { name: format!("_col{index}"), ty });
            for (row, (text, value)) in texts.iter_mut().zip(values).enumerate() {
                text.push(if row == 0 { format!("{value} AS k{index}") } else { value });
            }
        }
        // The first row names the columns. SQLite takes few SELECTs in one, but any number of rows.
        let mut rows = texts.into_iter().map(|row| row.join(", "));
        let mut sql = format!("SELECT {}", rows.next().unwrap_or_default());
        let others: Vec<String> = rows.map(|row| format!("({row})")).collect();
        if !others.is_empty() {
            sql.push_str(&format!(" UNION ALL VALUES {}", others.join(", ")));
        }
        Ok(Translated { sql, columns })
    }
}

/// A query whose columns can be compared as values of these types.
pub(super) fn comparable_columns(query: Translated, types: &[Type]) -> String {
    let columns = query.columns.into_iter().zip(types).enumerate();
    let values: Vec<String> = columns
        .map(|(index, (column, ty))| Typed::new(column.ty, format!("k{index}")).comparable_as(ty))
        .collect();
    let is_as_it_is = |(index, value): (usize, &String)| *value == format!("k{index}");
    if values.iter().enumerate().all(is_as_it_is) {
        return query.sql;
    }
    let list = values.iter().enumerate().map(|(index, value)| format!("{value} AS k{index}"));
    format!("SELECT {} FROM ({})", list.collect::<Vec<_>>().join(", "), query.sql)
}

/// Columns of a set operation: names of the left, types that hold both.
fn united(left: &[OutColumn], right: &[OutColumn]) -> Result<Vec<OutColumn>, SqlError> {
    if left.len() != right.len() {
        let message = format!("UNION query has different number of fields: {}, {}", left.len(), right.len());
        return Err(SqlError::semantic(START, message));
    }
    let both = left.iter().zip(right).enumerate();
    both.map(|(index, (left, right))| match left.ty.common(&right.ty) {
        Some(ty) => Ok(OutColumn { name: left.name.clone(), ty }),
        None => Err(SqlError::semantic(
            START,
            format!("column {} in UNION query has incompatible types: {}, {}", index + 1, left.ty, right.ty),
        )),
    })
    .collect()
}

/// The limit of a query; at the top there always is one. Source: documents "LIMIT clause" and
/// "Limits" (100 rows by default, 100,000 at most, 1,000,000 reached by paging).
fn limit(query: &Query, top: bool) -> Result<String, SqlError> {
    if query.fetch.is_some() {
        return Err(unsupported("FETCH FIRST"));
    }
    let (offset, rows) = match &query.limit_clause {
        None => (None, None),
        Some(LimitClause::OffsetCommaLimit { offset, limit }) => (Some(whole(offset)?), Some(whole(limit)?)),
        Some(LimitClause::LimitOffset { limit, offset, .. }) => (
            offset.as_ref().map(|offset| whole(&offset.value)).transpose()?,
            limit.as_ref().map(whole).transpose()?,
        ),
    };
    let rows = match (rows, top) {
        (None, true) => Some(DEFAULT_ROWS),
        (rows, _) => rows,
    };
    if top && rows.is_some_and(|rows| rows > ROWS_MAX) {
        return Err(SqlError::TooManyRows { max: ROWS_MAX });
    }
    if top && rows.unwrap_or_default().saturating_add(offset.unwrap_or_default()) > REACHABLE_ROWS_MAX {
        return Err(SqlError::PageTooFar { max: REACHABLE_ROWS_MAX });
    }
    Ok(match (rows, offset) {
        (None, None) => String::new(),
        (Some(rows), None) => format!(" LIMIT {rows}"),
        (rows, Some(offset)) => {
            format!(" LIMIT {} OFFSET {offset}", rows.map_or("-1".to_owned(), |rows| rows.to_string()))
        }
    })
}

fn whole(expr: &Expr) -> Result<u64, SqlError> {
    ordinal(expr).and_then(|number| u64::try_from(number).ok()).ok_or_else(|| {
        SqlError::semantic(start_of(expr), format!("LIMIT and OFFSET must be whole numbers, not {expr}"))
    })
}
