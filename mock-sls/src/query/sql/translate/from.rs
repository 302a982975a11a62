//! FROM: tables, subqueries and joins.

use sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, TableAlias, TableFactor, TableWithJoins,
};

use super::{Clause, Context, Translated, Translator, external_name, operator::comparison, unsupported};
use crate::query::sql::{
    SqlError,
    parse::{START, at, name_start},
    scope::{Relation, Scope, ScopeColumn},
};

impl Translator<'_> {
    /// FROM of a SELECT; fills `scope`. Without one, at the top, it is the logs.
    pub(super) fn from(
        &mut self,
        from: &[TableWithJoins],
        scope: &mut Scope<'_>,
        top: bool,
    ) -> Result<String, SqlError> {
        if from.is_empty() {
            return match top {
                true => Ok(self.log_table(None, scope)),
                false => Err(SqlError::NestedWithoutFrom),
            };
        }
        let mut sql = String::new();
        for (index, table) in from.iter().enumerate() {
            if index > 0 {
                sql.push_str(" CROSS JOIN ");
            }
            sql.push_str(&self.factor(&table.relation, scope)?);
            for join in &table.joins {
                sql.push_str(&self.join(join, scope)?);
            }
        }
        Ok(sql)
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
                let condition = self.within(Clause::Named("JOIN"), |this| {
                    this.condition(condition, Context::rows(scope), "JOIN ON clause")
                });
                format!(" ON {}", condition?.sql)
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
        let right = Scope { relations: vec![right], ..Scope::default() };
        let mut conditions = Vec::new();
        let mut shared = Vec::new();
        for name in names {
            let name = Expr::Identifier(single(name)?.clone());
            let left = self.expr(&name, Context::rows(scope))?;
            let equal = self.expr(&name, Context::rows(&right))?;
            shared.push(equal.sql.clone());
            conditions.push(comparison(left, "=", equal, START)?.sql);
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
            TableFactor::UNNEST { alias, array_exprs, with_ordinality, with_offset: false, .. } => {
                self.unnest(array_exprs, *with_ordinality, alias.as_ref(), scope)
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
        if ident.value.eq_ignore_ascii_case("metrics") {
            return Err(SqlError::FunctionNotRegistered {
                at: name_start(name),
                name: "promql_query".to_owned(),
            });
        }
        self.external_table(ident, alias, scope)
    }

    fn external_table(
        &mut self,
        ident: &Ident,
        alias: Option<&TableAlias>,
        scope: &mut Scope<'_>,
    ) -> Result<String, SqlError> {
        let known =
            self.session.tables.iter().position(|table| table.name.eq_ignore_ascii_case(&ident.value));
        let Some((position, table)) = known.and_then(|at| Some((at, self.session.tables.get(at)?))) else {
            return Err(SqlError::TableNotFound { at: at(ident.span.start), name: ident.value.clone() });
        };
        self.external.insert(position);
        let sql = self.new_relation();
        let columns = table.columns.iter().enumerate().map(|(index, (name, ty))| ScopeColumn {
            name: name.clone(),
            alias: None,
            ty: ty.clone(),
            sql: format!("c{index}"),
            log_column: None,
        });
        let name = Some(alias.map_or(&ident.value, |alias| &alias.name.value).clone());
        scope.relations.push(Relation { name, sql: sql.clone(), columns: columns.collect() });
        Ok(format!("{} AS {sql}", external_name(position)))
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
        format!("{} AS {sql}", self.log_source())
    }
}

/// The relation of a subquery or `with` query called `sql` in SQLite.
pub(super) fn derived(
    sql: String,
    alias: Option<&TableAlias>,
    query: &Translated,
) -> Result<Relation, SqlError> {
    let renamed = alias.map_or(&[][..], |alias| &alias.columns);
    if !renamed.is_empty() && renamed.len() != query.columns.len() {
        return Err(SqlError::semantic(
            START,
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

pub(super) fn single(name: &ObjectName) -> Result<&Ident, SqlError> {
    match name.0.as_slice() {
        [part] => part.as_ident().ok_or_else(|| unsupported(&format!("the name {name}"))),
        _ => Err(unsupported(&format!("the qualified name {name}"))),
    }
}
