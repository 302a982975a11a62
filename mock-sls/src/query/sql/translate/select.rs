//! Queries: FROM, the select list, grouping, order and limit.

use std::{borrow::Cow, fmt::Write};

use sqlparser::ast::{
    Cte, Distinct, Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, LimitClause, ObjectName,
    OrderBy, OrderByKind, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator,
    SetQuantifier, Spanned, TableAlias, TableFactor, TableWithJoins, Value,
};

use super::{Alias, Context, Mode, OutColumn, Translated, Translator};
use crate::query::sql::{
    DEFAULT_ROWS, REACHABLE_ROWS_MAX, ROWS_MAX, SqlError,
    error::At,
    parse::at,
    scope::{Relation, Scope, ScopeColumn},
    types::{Type, Typed},
};

/// An item of a select list after `*` is spelled out.
struct Item<'q> {
    name: String,
    expr: Cow<'q, Expr>,
}

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
                SetExpr::Select(select) => this.select(select, query.order_by.as_ref(), outer, top)?,
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
        let mut translated = self.set_operand(body, outer)?;
        if let Some(order_by) = order_by {
            // Only columns of the result can be named here.
            let relation = Relation { name: None, ..derived(String::new(), None, &translated)? };
            let scope = Scope { relations: vec![relation], outer: None };
            let order = self.order_by(order_by, Context::rows(&scope), translated.columns.len())?;
            translated.sql.push_str(&order);
        }
        Ok(translated)
    }

    fn set_operand<'o>(
        &mut self,
        body: &SetExpr,
        outer: Option<&'o Scope<'o>>,
    ) -> Result<Translated, SqlError> {
        match body {
            SetExpr::Select(select) => self.select(select, None, outer, false),
            SetExpr::Query(query) => {
                let inner = self.query(query, outer, false)?;
                Ok(Translated { sql: format!("SELECT * FROM ({})", inner.sql), columns: inner.columns })
            }
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let (left_query, right_query) = self
                    .nested(|this| Ok((this.set_operand(left, outer)?, this.set_operand(right, outer)?)))?;
                // SQLite reads set operations from the left; others need a query of their own.
                let right_sql = match **right {
                    SetExpr::SetOperation { .. } => format!("SELECT * FROM ({})", right_query.sql),
                    _ => right_query.sql,
                };
                let word = match (op, set_quantifier) {
                    (SetOperator::Union, SetQuantifier::All) => "UNION ALL",
                    (SetOperator::Union, SetQuantifier::Distinct | SetQuantifier::None) => "UNION",
                    (SetOperator::Except, SetQuantifier::Distinct | SetQuantifier::None) => "EXCEPT",
                    (SetOperator::Intersect, SetQuantifier::Distinct | SetQuantifier::None) => "INTERSECT",
                    _ => return Err(unsupported("this set operation")),
                };
                let columns = united(&left_query.columns, &right_query.columns)?;
                Ok(Translated { sql: format!("{} {word} {right_sql}", left_query.sql), columns })
            }
            _ => Err(unsupported("this kind of query")),
        }
    }

    fn select<'o>(
        &mut self,
        select: &Select,
        order_by: Option<&OrderBy>,
        outer: Option<&'o Scope<'o>>,
        top: bool,
    ) -> Result<Translated, SqlError> {
        let (scope, from) = self.from(&select.from, outer, top)?;
        let items = items(select, &scope)?;
        let aliases: Vec<Alias<'_>> =
            items.iter().map(|item| Alias { name: &item.name, expr: &item.expr }).collect();
        let rows = Context::rows(&scope);

        let filter = match &select.selection {
            None => String::new(),
            Some(condition) => format!(" WHERE {}", self.condition(condition, rows, "WHERE clause")?.sql),
        };
        let keys = self.group_keys(&select.group_by, &items, Context { aliases: &aliases, ..rows })?;
        let grouped =
            !keys.is_empty() || select.having.is_some() || self.has_aggregates(&items, order_by, rows)?;
        let mode = if grouped { Mode::Groups(&keys) } else { Mode::Rows };
        let context = rows.with_mode(mode);

        let mut columns = Vec::new();
        let mut list = String::new();
        for (index, item) in items.iter().enumerate() {
            let Typed { sql, ty } = self.expr(&item.expr, context)?;
            let comma = if index == 0 { "" } else { ", " };
            let _ = write!(list, "{comma}{sql} AS k{index}");
            columns.push(OutColumn { name: item.name.clone(), ty });
        }
        let group_by = if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) };
        let named = Context { aliases: &aliases, ..context };
        let having = match &select.having {
            None => String::new(),
            Some(condition) => format!(" HAVING {}", self.condition(condition, named, "HAVING clause")?.sql),
        };
        let order = match order_by {
            None => String::new(),
            Some(order_by) => {
                let named = Context { aliases_first: true, ..named };
                self.order_by(order_by, named, items.len())?
            }
        };
        let distinct = distinct(select)?;
        Ok(Translated {
            sql: format!("SELECT {distinct}{list} FROM {from}{filter}{group_by}{having}{order}"),
            columns,
        })
    }

    /// Whether the select list or the order has aggregates.
    fn has_aggregates(
        &mut self,
        items: &[Item<'_>],
        order_by: Option<&OrderBy>,
        rows: Context<'_>,
    ) -> Result<bool, SqlError> {
        let before = std::mem::replace(&mut self.saw_aggregate, false);
        let either = rows.with_mode(Mode::Either);
        for item in items {
            self.expr(&item.expr, either)?;
        }
        if let Some(OrderBy { kind: OrderByKind::Expressions(order), .. }) = order_by {
            for order in order {
                // Names of select items fail here; those were looked at above.
                let _ = self.expr(&order.expr, either);
            }
        }
        Ok(std::mem::replace(&mut self.saw_aggregate, before))
    }

    fn group_keys(
        &mut self,
        group_by: &GroupByExpr,
        items: &[Item<'_>],
        context: Context<'_>,
    ) -> Result<Vec<String>, SqlError> {
        let GroupByExpr::Expressions(expressions, modifiers) = group_by else {
            return Err(unsupported("GROUP BY ALL"));
        };
        if !modifiers.is_empty() {
            return Err(unsupported("GROUP BY with modifiers"));
        }
        let mut keys = Vec::new();
        for expr in expressions {
            let expr = match ordinal(expr) {
                None => expr,
                Some(number) => {
                    let index = position(number, items.len(), at(expr.span().start), "GROUP BY")?;
                    items.get(index).map_or(expr, |item| &*item.expr)
                }
            };
            keys.push(self.expr(expr, context)?.sql);
        }
        Ok(keys)
    }

    fn order_by(
        &mut self,
        order_by: &OrderBy,
        context: Context<'_>,
        width: usize,
    ) -> Result<String, SqlError> {
        let OrderByKind::Expressions(expressions) = &order_by.kind else {
            return Err(unsupported("ORDER BY ALL"));
        };
        let mut terms = Vec::new();
        for order in expressions {
            let place = at(order.expr.span().start);
            let key = match ordinal(&order.expr) {
                Some(number) => (position(number, width, place, "ORDER BY")? + 1).to_string(),
                None => self.expr(&order.expr, context)?.sql,
            };
            terms.push(format!("{key}{}", direction(order)));
        }
        Ok(format!(" ORDER BY {}", terms.join(", ")))
    }

    fn from<'o>(
        &mut self,
        from: &[TableWithJoins],
        outer: Option<&'o Scope<'o>>,
        top: bool,
    ) -> Result<(Scope<'o>, String), SqlError> {
        let mut scope = Scope { relations: Vec::new(), outer };
        if from.is_empty() {
            if !top {
                return Err(SqlError::NestedWithoutFrom);
            }
            let sql = self.log_table(None, &mut scope);
            return Ok((scope, sql));
        }
        let mut sql = String::new();
        for (index, table) in from.iter().enumerate() {
            if index > 0 {
                sql.push_str(" CROSS JOIN ");
            }
            sql.push_str(&self.factor(&table.relation, &mut scope)?);
            for join in &table.joins {
                sql.push_str(&self.join(join, &mut scope)?);
            }
        }
        Ok((scope, sql))
    }

    fn join(&mut self, join: &Join, scope: &mut Scope<'_>) -> Result<String, SqlError> {
        use JoinOperator as J;
        let (word, constraint) = match &join.join_operator {
            J::Join(constraint) | J::Inner(constraint) => ("JOIN", constraint),
            J::Left(constraint) | J::LeftOuter(constraint) => ("LEFT JOIN", constraint),
            J::Right(constraint) | J::RightOuter(constraint) => ("RIGHT JOIN", constraint),
            J::FullOuter(constraint) => ("FULL JOIN", constraint),
            J::CrossJoin(constraint) => ("CROSS JOIN", constraint),
            _ => return Err(unsupported("this kind of join")),
        };
        let factor = self.factor(&join.relation, scope)?;
        let condition = match constraint {
            JoinConstraint::None => String::new(),
            JoinConstraint::On(condition) => {
                format!(" ON {}", self.condition(condition, Context::rows(scope), "JOIN ON clause")?.sql)
            }
            JoinConstraint::Using(names) => self.using(names, scope)?,
            JoinConstraint::Natural => return Err(unsupported("NATURAL JOIN")),
        };
        Ok(format!(" {word} {factor}{condition}"))
    }

    /// `using (a)`: equal on both sides, and one column afterwards, the left one.
    fn using(&mut self, names: &[ObjectName], scope: &mut Scope<'_>) -> Result<String, SqlError> {
        let Some(right) = scope.relations.pop() else {
            return Ok(String::new());
        };
        let right = Scope { relations: vec![right], outer: None };
        let mut conditions = Vec::new();
        let mut shared = Vec::new();
        for name in names {
            let name = Expr::Identifier(single(name)?.clone());
            let left = self.expr(&name, Context::rows(scope))?;
            let equal = self.expr(&name, Context::rows(&right))?;
            conditions.push(format!("{} = {}", left.sql, equal.sql));
            shared.push(equal.sql);
        }
        for mut relation in right.relations {
            let sql = relation.sql.clone();
            relation.columns.retain(|column| !shared.contains(&format!("{sql}.{}", column.sql)));
            scope.relations.push(relation);
        }
        Ok(format!(" ON {}", conditions.join(" AND ")))
    }

    fn factor(&mut self, factor: &TableFactor, scope: &mut Scope<'_>) -> Result<String, SqlError> {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => self.table(name, alias.as_ref(), scope),
            TableFactor::Derived { lateral: false, subquery, alias, .. } => {
                let translated = self.query(subquery, None, false)?;
                let name = self.new_relation();
                scope.relations.push(derived(name.clone(), alias.as_ref(), &translated)?);
                Ok(format!("({}) AS {name}", translated.sql))
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.nested(|this| {
                let mut sql = this.factor(&table_with_joins.relation, scope)?;
                for join in &table_with_joins.joins {
                    sql.push_str(&this.join(join, scope)?);
                }
                Ok(format!("({sql})"))
            }),
            other => Err(unsupported(&format!("FROM {other}"))),
        }
    }

    fn table(
        &mut self,
        name: &ObjectName,
        alias: Option<&TableAlias>,
        scope: &mut Scope<'_>,
    ) -> Result<String, SqlError> {
        let ident = single(name)?;
        let with = self.with.iter().rev().find(|relation| {
            relation.name.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(&ident.value))
        });
        if let Some(with) = with.cloned() {
            let source = with.sql.clone();
            let sql = self.new_relation();
            let name = alias.map(|alias| alias.name.value.clone()).or(with.name);
            scope.relations.push(Relation { name, sql: sql.clone(), columns: with.columns });
            return Ok(format!("{source} AS {sql}"));
        }
        let own = ident.value.eq_ignore_ascii_case(&self.session.logstore);
        if own || ident.value.eq_ignore_ascii_case("log") {
            let name = alias.map_or(&ident.value, |alias| &alias.name.value);
            return Ok(self.log_table(Some(name.clone()), scope));
        }
        let message = format!("Table {} does not exist; use log or the name of the logstore", ident.value);
        Err(SqlError::semantic(at(ident.span.start), message))
    }

    fn log_table(&mut self, name: Option<String>, scope: &mut Scope<'_>) -> String {
        let sql = self.new_relation();
        let columns = self.schema.columns.iter().enumerate().map(|(index, column)| ScopeColumn {
            name: column.name.clone(),
            alias: column.alias.clone(),
            ty: column.ty.clone(),
            sql: format!("c{index}"),
            log_column: Some(index),
        });
        scope.relations.push(Relation { name, sql: sql.clone(), columns: columns.collect() });
        format!("log AS {sql}")
    }
}

/// The relation of a subquery or `with` query called `sql` in SQLite.
fn derived(sql: String, alias: Option<&TableAlias>, query: &Translated) -> Result<Relation, SqlError> {
    let renamed = alias.map_or(&[][..], |alias| &alias.columns);
    if !renamed.is_empty() && renamed.len() != query.columns.len() {
        return Err(SqlError::semantic(
            At::default(),
            format!(
                "Column alias list has {} entries but the query has {} columns",
                renamed.len(),
                query.columns.len()
            ),
        ));
    }
    let columns = query.columns.iter().enumerate().map(|(index, column)| ScopeColumn {
        name: renamed.get(index).map_or(&column.name, |renamed| &renamed.name.value).clone(),
        alias: None,
        ty: column.ty.clone(),
        sql: format!("k{index}"),
        log_column: None,
    });
    Ok(Relation { name: alias.map(|alias| alias.name.value.clone()), sql, columns: columns.collect() })
}

/// The select list with `*` spelled out.
fn items<'q>(select: &'q Select, scope: &Scope<'_>) -> Result<Vec<Item<'q>>, SqlError> {
    let mut items = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = own_name(expr).unwrap_or_else(|| format!("_col{}", items.len()));
                items.push(Item { name, expr: Cow::Borrowed(expr) });
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                items.push(Item { name: alias.value.clone(), expr: Cow::Borrowed(expr) });
            }
            SelectItem::Wildcard(_) => {
                scope.relations.iter().for_each(|relation| spell_out(relation, &mut items));
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let name = single(name)?;
                let named = |relation: &&Relation| {
                    relation.name.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(&name.value))
                };
                let relation = scope.relations.iter().find(named).ok_or_else(|| {
                    SqlError::semantic(at(name.span.start), format!("Table '{}' not found", name.value))
                })?;
                spell_out(relation, &mut items);
            }
            other => return Err(unsupported(&format!("select item {other}"))),
        }
    }
    match items.is_empty() {
        true => Err(SqlError::semantic(At::default(), "SELECT * has no columns; set doc_value in the index")),
        false => Ok(items),
    }
}

fn spell_out(relation: &Relation, items: &mut Vec<Item<'_>>) {
    for column in &relation.columns {
        let name = Ident::with_quote('"', column.name.clone());
        let expr = match &relation.name {
            None => Expr::Identifier(name),
            Some(relation) => Expr::CompoundIdentifier(vec![Ident::with_quote('"', relation.clone()), name]),
        };
        items.push(Item { name: column.name.clone(), expr: Cow::Owned(expr) });
    }
}

/// The name that a column gives to its select item.
fn own_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(name.value.clone()),
        Expr::CompoundIdentifier(names) => names.last().map(|name| name.value.clone()),
        _ => None,
    }
}

/// Columns of a set operation: names of the left, types that hold both.
fn united(left: &[OutColumn], right: &[OutColumn]) -> Result<Vec<OutColumn>, SqlError> {
    if left.len() != right.len() {
        let message = format!("UNION query has different number of fields: {}, {}", left.len(), right.len());
        return Err(SqlError::semantic(At::default(), message));
    }
    let both = left.iter().zip(right).enumerate();
    both.map(|(index, (left, right))| match left.ty.common(&right.ty) {
        Some(ty) => Ok(OutColumn { name: left.name.clone(), ty }),
        None => Err(SqlError::semantic(
            At::default(),
            format!("column {} in UNION query has incompatible types: {}, {}", index + 1, left.ty, right.ty),
        )),
    })
    .collect()
}

fn distinct(select: &Select) -> Result<&'static str, SqlError> {
    match &select.distinct {
        None | Some(Distinct::All) => Ok(""),
        Some(Distinct::Distinct) => Ok("DISTINCT "),
        Some(Distinct::On(_)) => Err(unsupported("DISTINCT ON")),
    }
}

/// ` DESC NULLS LAST`: nulls are last in both directions. Source: Presto (general knowledge).
pub(super) fn direction(order: &sqlparser::ast::OrderByExpr) -> String {
    let direction = if order.options.asc == Some(false) { " DESC" } else { "" };
    let nulls = if order.options.nulls_first == Some(true) { " NULLS FIRST" } else { " NULLS LAST" };
    format!("{direction}{nulls}")
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
        SqlError::semantic(
            at(expr.span().start),
            format!("LIMIT and OFFSET must be whole numbers, not {expr}"),
        )
    })
}

/// A whole number in place of an expression.
fn ordinal(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// The index that a position in the select list, from 1, stands for.
fn position(number: i64, width: usize, at: At, clause: &str) -> Result<usize, SqlError> {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    index
        .filter(|&index| index < width)
        .ok_or_else(|| SqlError::semantic(at, format!("{clause} position {number} is not in select list")))
}

fn single(name: &ObjectName) -> Result<&Ident, SqlError> {
    match name.0.as_slice() {
        [part] => part.as_ident().ok_or_else(|| unsupported(&format!("the name {name}"))),
        _ => Err(unsupported(&format!("the qualified name {name}"))),
    }
}

pub(super) fn unsupported(what: &str) -> SqlError {
    SqlError::Unsupported(what.to_owned())
}

/// Whether a condition can be one.
pub(super) fn is_condition(ty: &Type) -> bool {
    matches!(ty, Type::Boolean | Type::Null)
}
