//! Which Logstore a statement of a whole project reads.

use sqlparser::ast::{Query, SetExpr, TableFactor};

use super::{SqlError, parse};

/// Name of the first table of a statement that is no `WITH` of its own; none if there is none.
///
/// # Errors
/// Syntax.
pub fn table_of(sql: &str) -> Result<Option<String>, SqlError> {
    Ok(table_of_query(&parse::parse(sql)?, &[]))
}

fn table_of_query(query: &Query, known: &[&Query]) -> Option<String> {
    let mut inner: Vec<&Query> = known.to_vec();
    inner.push(query);
    table_of_body(&query.body, &inner)
}

fn table_of_body(body: &SetExpr, known: &[&Query]) -> Option<String> {
    match body {
        SetExpr::Select(select) => select.from.iter().find_map(|from| table_of_factor(&from.relation, known)),
        SetExpr::SetOperation { left, right, .. } => {
            table_of_body(left, known).or_else(|| table_of_body(right, known))
        }
        SetExpr::Query(query) => table_of_query(query, known),
        _ => None,
    }
}

fn table_of_factor(factor: &TableFactor, known: &[&Query]) -> Option<String> {
    match factor {
        TableFactor::Table { name, .. } => {
            let name = &name.0.last()?.as_ident()?.value;
            let with = known.iter().enumerate().rev().find_map(|(depth, query)| {
                let tables = query.with.iter().flat_map(|with| &with.cte_tables);
                let mut named = tables.filter(|cte| cte.alias.name.value.eq_ignore_ascii_case(name));
                Some((depth, &named.next()?.query))
            });
            match with {
                // Only what surrounds the WITH is known inside, so a name cannot lead to itself.
                Some((depth, query)) => table_of_query(query, known.get(..depth)?),
                None => Some(name.clone()),
            }
        }
        TableFactor::Derived { subquery, .. } => table_of_query(subquery, known),
        TableFactor::NestedJoin { table_with_joins, .. } => {
            table_of_factor(&table_with_joins.relation, known)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_found_behind_subqueries_and_names_of_with() {
        for (sql, table) in [
            ("select count(*) from access where __time__ > 1", Some("access")),
            ("select n from (select count(*) as n from access) t", Some("access")),
            ("with a as (select * from access), b as (select * from other) select * from A", Some("access")),
            ("with access as (select * from access) select * from access", Some("access")),
            ("select 1 union all select x from access", Some("access")),
            ("select * from (access join log on true)", Some("access")),
            ("select 1", None),
        ] {
            assert_eq!(table_of(sql).unwrap().as_deref(), table, "{sql}");
        }
        assert!(table_of("select (").is_err());
    }
}
