//! GROUP BY with several grouping sets: `grouping sets`, `cube` and `rollup`.
//! Source: document "GROUP BY clause".
//!
//! Each set is a SELECT of its own, in which the keys of the others are NULL.

use sqlparser::ast::{Expr, GroupByExpr, Select};

use super::{Context, Translated, Translator, select::Around};
use crate::query::sql::{SqlError, parse::START, scope::Scope};

/// Grouping sets of one SELECT. Own choice: each is a pass over the logs.
const SETS_MAX: usize = 64;

impl Translator<'_> {
    /// A SELECT with more than one grouping set; nothing for any other.
    pub(super) fn grouping_sets(
        &mut self,
        select: &Select,
        around: Around<'_>,
    ) -> Result<Option<Translated>, SqlError> {
        let GroupByExpr::Expressions(expressions, modifiers) = &select.group_by else {
            return Ok(None);
        };
        let is_set = |expr: &Expr| matches!(expr, Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_));
        if !expressions.iter().any(is_set) {
            return Ok(None);
        }
        let mut sets: Vec<Vec<Expr>> = vec![Vec::new()];
        for expr in expressions {
            let alternatives = alternatives(expr);
            if sets.len() * alternatives.len() > SETS_MAX {
                let message = format!("GROUP BY has more than {SETS_MAX} grouping sets");
                return Err(SqlError::semantic(START, message));
            }
            let longer = sets.iter().flat_map(|set| {
                alternatives.iter().map(move |more| set.iter().chain(more).cloned().collect::<Vec<_>>())
            });
            sets = longer.collect();
        }
        let mut every: Vec<Expr> = Vec::new();
        for expr in sets.iter().flatten() {
            if !every.contains(expr) {
                every.push(expr.clone());
            }
        }
        let mut united: Option<Translated> = None;
        for set in sets {
            let absent = every.iter().filter(|expr| !set.contains(expr)).cloned().collect();
            let group_by = GroupByExpr::Expressions(set, modifiers.clone());
            let one = Select { group_by, ..select.clone() };
            let known = std::mem::take(&mut self.absent_keys);
            let translated = self.grouping_set(&one, absent, around);
            self.absent_keys = known;
            let translated = translated?;
            united = Some(match united {
                None => translated,
                Some(before) => {
                    Translated { sql: format!("{} UNION ALL {}", before.sql, translated.sql), ..before }
                }
            });
        }
        united.map(|united| self.ordered(united, around.order_by)).transpose()
    }

    fn grouping_set(
        &mut self,
        select: &Select,
        absent: Vec<Expr>,
        around: Around<'_>,
    ) -> Result<Translated, SqlError> {
        // Names of relations are counted: the keys must be those of the SELECT itself.
        let relations = self.relations;
        let mut scope = Scope { outer: around.outer, ..Scope::default() };
        self.from(&select.from, &mut scope, around.top)?;
        for expr in &absent {
            let key = self.key(expr, select, &scope)?;
            self.absent_keys.push(key);
        }
        self.relations = relations;
        self.select_grouped(select, Around { order_by: None, ..around }, true)
    }

    fn key(&mut self, expr: &Expr, select: &Select, scope: &Scope<'_>) -> Result<String, SqlError> {
        let item = super::select::item_named(select, expr);
        Ok(self.expr(item.unwrap_or(expr), Context::rows(scope))?.sql)
    }
}

/// The sets that one member of GROUP BY stands for.
fn alternatives(expr: &Expr) -> Vec<Vec<Expr>> {
    match expr {
        Expr::GroupingSets(sets) => sets.clone(),
        Expr::Rollup(parts) => (0..=parts.len())
            .rev()
            .map(|length| parts.iter().take(length).flatten().cloned().collect())
            .collect(),
        Expr::Cube(parts) => (0..1usize << parts.len().min(16))
            .rev()
            .map(|chosen| {
                let kept =
                    parts.iter().enumerate().filter(|(at, _)| chosen >> (parts.len() - 1 - at) & 1 == 1);
                kept.flat_map(|(_, part)| part.clone()).collect()
            })
            .collect(),
        other => vec![vec![other.clone()]],
    }
}
