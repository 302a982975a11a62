//! SELECT: the select list, grouping and order.

use std::{borrow::Cow, fmt::Write};

use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Ident, OrderBy, OrderByExpr, OrderByKind, Select, SelectItem,
    SelectItemQualifiedWildcardKind, Value,
};

use super::{
    Alias, Clause, Context, Mode, OutColumn, Translated, Translator, expr::bare_name, from::single,
    unsupported,
};
use crate::query::sql::{
    SqlError,
    error::At,
    parse::{START, at, start_of},
    scope::{Relation, Scope},
    types::Typed,
};

/// An item of a select list after `*` is spelled out.
struct Item<'q> {
    name: String,
    expr: Cow<'q, Expr>,
}

/// A select list for SQLite, and the columns that it makes.
type SelectList = (String, Vec<OutColumn>);

/// What a SELECT stands in.
#[derive(Clone, Copy, Default)]
pub(super) struct Around<'o> {
    /// The order of its rows.
    pub order_by: Option<&'o OrderBy>,
    /// The SELECT around it, whose columns it may name.
    pub outer: Option<&'o Scope<'o>>,
    /// Whether it is the statement itself, whose FROM may be left out.
    pub top: bool,
}

impl Translator<'_> {
    pub(super) fn select(&mut self, select: &Select, around: Around<'_>) -> Result<Translated, SqlError> {
        if let Some(filled) = self.filled_series(select, around)? {
            return Ok(filled);
        }
        if let Some(sets) = self.grouping_sets(select, around)? {
            return Ok(sets);
        }
        self.select_grouped(select, around, false)
    }

    /// With `always`, one group is made even without keys and aggregates.
    pub(super) fn select_grouped(
        &mut self,
        select: &Select,
        around: Around<'_>,
        always: bool,
    ) -> Result<Translated, SqlError> {
        let clause = std::mem::replace(&mut self.clause, Clause::Select);
        let weights = self.weights_of_select();
        let selected = self.select_here(select, around, always);
        self.weights_around(weights);
        self.clause = clause;
        selected
    }

    fn select_here(
        &mut self,
        select: &Select,
        Around { order_by, outer, top }: Around<'_>,
        always: bool,
    ) -> Result<Translated, SqlError> {
        if select.projection.is_empty() {
            return Err(SqlError::Syntax { at: START, message: "the list after SELECT is empty".to_owned() });
        }
        let mut scope = Scope { outer, ..Scope::default() };
        let compared = self.compared_from(select, &mut scope)?;
        let compares = compared.is_some();
        let from = match compared {
            Some(from) => from,
            None => self.from(&select.from, &mut scope, top)?,
        };
        self.weigh_from(select);
        let items = items(select, &scope)?;
        let aliases: Vec<Alias<'_>> =
            items.iter().map(|item| Alias { name: &item.name, expr: &item.expr }).collect();
        let rows = Context::rows(&scope);

        let filter = match &select.selection {
            None => String::new(),
            Some(condition) => {
                let condition = self
                    .within(Clause::Named("WHERE"), |this| this.condition(condition, rows, "WHERE clause"));
                format!(" WHERE {}", condition?.sql)
            }
        };
        let named_rows = Context { aliases: &aliases, ..rows };
        // What is compared was grouped by the subquery; the keys only say which rows belong together.
        let mut keys = match compares {
            true => Vec::new(),
            false => self.group_keys(&select.group_by, &items, named_rows)?,
        };
        let distinct = is_distinct(select)?;
        let word = if distinct { "DISTINCT " } else { "" };
        let list = match always || !keys.is_empty() || select.having.is_some() {
            true => None,
            false => self.list_of_rows(&items, distinct, order_by, rows)?,
        };
        let grouped = list.is_none();
        self.weigh_groups(grouped);
        let (list, columns) = match list {
            Some(list) => list,
            None => match self.select_list(&items, distinct, rows.with_mode(Mode::Groups(&keys))) {
                // GROUP BY a name that is both a column and a select item means the column, unless only the
                // item makes sense. Source: guess; `date_format(…) as time … group by time` is common.
                Err(error) if !keys.is_empty() => {
                    let by_item = Context { aliases_first: true, ..named_rows };
                    keys = self.group_keys(&select.group_by, &items, by_item)?;
                    self.select_list(&items, distinct, rows.with_mode(Mode::Groups(&keys)))
                        .map_err(|_| error)?
                }
                list => list?,
            },
        };
        let context = rows.with_mode(if grouped { Mode::Groups(&keys) } else { Mode::Rows });
        let group_by = if keys.is_empty() {
            // One group, even of no rows at all, is what aggregates make without GROUP BY.
            if always { " HAVING count(*) >= 0" } else { "" }.to_owned()
        } else {
            // Any of the equal values stands for its group.
            let keys = keys.iter().map(|key| not_a_position(&key.clone().into_key()).to_owned());
            format!(" GROUP BY {}", keys.collect::<Vec<_>>().join(", "))
        };
        let named = Context { aliases: &aliases, ..context };
        let having = match &select.having {
            None => String::new(),
            Some(condition) => {
                let word = if always && keys.is_empty() { "AND" } else { "HAVING" };
                format!(" {word} {}", self.condition(condition, named, "HAVING clause")?.sql)
            }
        };
        let order = match order_by {
            None => String::new(),
            Some(order_by) => {
                let named = Context { aliases_first: true, ..named };
                self.order_by(order_by, named, items.len())?
            }
        };
        Ok(Translated {
            sql: format!("SELECT {word}{list} FROM {from}{filter}{group_by}{having}{order}"),
            columns,
        })
    }

    fn select_list(
        &mut self,
        items: &[Item<'_>],
        distinct: bool,
        context: Context<'_>,
    ) -> Result<SelectList, SqlError> {
        let mut columns = Vec::new();
        let mut list = String::new();
        for (index, item) in items.iter().enumerate() {
            let value = self.expr(&item.expr, context)?;
            let ty = value.ty.clone();
            let sql = if distinct { value.into_key() } else { value.sql };
            let comma = if index == 0 { "" } else { ", " };
            let _ = write!(list, "{comma}{sql} AS k{index}");
            columns.push(OutColumn { name: item.name.clone(), ty });
        }
        Ok((list, columns))
    }

    /// The select list if it and the order are without aggregates: then it has a row for every row. It is not
    /// translated once more, which would double the work with each level of subqueries.
    fn list_of_rows(
        &mut self,
        items: &[Item<'_>],
        distinct: bool,
        order_by: Option<&OrderBy>,
        rows: Context<'_>,
    ) -> Result<Option<SelectList>, SqlError> {
        let before = std::mem::replace(&mut self.saw_aggregate, false);
        let either = rows.with_mode(Mode::Either);
        let list = self.select_list(items, distinct, either)?;
        if let Some(OrderBy { kind: OrderByKind::Expressions(order), .. }) = order_by {
            // Names of select items fail here, and are not absent; those were looked at above.
            let absent = self.absent.take();
            for order in order {
                let _ = self.expr(&order.expr, either);
            }
            self.absent = absent;
        }
        let aggregates = std::mem::replace(&mut self.saw_aggregate, before);
        Ok((!aggregates).then_some(list))
    }

    fn group_keys(
        &mut self,
        group_by: &GroupByExpr,
        items: &[Item<'_>],
        context: Context<'_>,
    ) -> Result<Vec<Typed>, SqlError> {
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
                    let index = position(number, items.len(), start_of(expr), "GROUP BY")?;
                    items.get(index).map_or(expr, |item| &*item.expr)
                }
            };
            keys.push(self.within(Clause::Named("GROUP BY"), |this| this.expr(expr, context))?);
        }
        Ok(keys)
    }

    pub(super) fn order_by(
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
            let place = start_of(&order.expr);
            let key = match ordinal(&order.expr) {
                Some(number) => (position(number, width, place, "ORDER BY")? + 1).to_string(),
                None => not_a_position(&self.expr(&order.expr, context)?.sql).to_owned(),
            };
            terms.push(format!("{key}{}", direction(order)));
        }
        Ok(format!(" ORDER BY {}", terms.join(", ")))
    }
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
        true => Err(SqlError::semantic(
            START,
            "SELECT * not allowed in queries without columns; set doc_value in the index",
        )),
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

/// The select item that a GROUP BY key names, by its position or alias.
pub(super) fn item_named<'s>(select: &'s Select, key: &Expr) -> Option<&'s Expr> {
    if let Some(number) = ordinal(key) {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        return match select.projection.get(index)? {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
            _ => None,
        };
    }
    let Expr::Identifier(name) = key else { return None };
    select.projection.iter().find_map(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } if alias.value.eq_ignore_ascii_case(&name.value) => {
            Some(expr)
        }
        _ => None,
    })
}

/// The name that a column gives to its select item.
fn own_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(name.value.clone()),
        Expr::CompoundIdentifier(names) => names.last().map(|name| name.value.clone()),
        Expr::Function(function) => bare_name(function).map(|name| name.value.clone()),
        _ => None,
    }
}

fn is_distinct(select: &Select) -> Result<bool, SqlError> {
    match &select.distinct {
        None | Some(Distinct::All) => Ok(false),
        Some(Distinct::Distinct) => Ok(true),
        Some(Distinct::On(_)) => Err(unsupported("DISTINCT ON")),
    }
}

/// ` DESC NULLS LAST`: nulls are last in both directions. Source: Presto (general knowledge).
pub(super) fn direction(order: &OrderByExpr) -> String {
    let direction = if order.options.asc == Some(false) { " DESC" } else { "" };
    let nulls = if order.options.nulls_first == Some(true) { " NULLS FIRST" } else { " NULLS LAST" };
    format!("{direction}{nulls}")
}

/// A whole number in place of an expression.
pub(super) fn ordinal(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// A key for GROUP BY and ORDER BY: SQLite would read a whole number as a position.
fn not_a_position(key: &str) -> &str {
    if key.parse::<i64>().is_ok() { "NULL" } else { key }
}

/// The index that a position in the select list, from 1, stands for.
fn position(number: i64, width: usize, at: At, clause: &str) -> Result<usize, SqlError> {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    index
        .filter(|&index| index < width)
        .ok_or_else(|| SqlError::semantic(at, format!("{clause} position {number} is not in select list")))
}
