//! `unnest(…)` in FROM: the elements of arrays and maps as rows.

use sqlparser::ast::{Expr, TableAlias};

use super::{
    Context, Translator,
    lambda::{element_of, elements_sql},
};
use crate::query::sql::{
    SqlError,
    parse::{START, start_of},
    scope::{Relation, Scope, ScopeColumn},
    types::{Type, Typed},
};

impl Translator<'_> {
    /// Translates `unnest(arrays…)`, which may use the relations before it, and adds its columns
    /// to `scope`.
    pub(super) fn unnest(
        &mut self,
        arrays: &[Expr],
        ordinality: bool,
        alias: Option<&TableAlias>,
        scope: &mut Scope<'_>,
    ) -> Result<String, SqlError> {
        let each = self.new_relation();
        // One array per element of a row, with what it gives.
        let mut parts: Vec<(String, Vec<Type>)> = Vec::new();
        for array in arrays {
            let value = self.expr(array, Context::rows(scope))?;
            match &value.ty {
                Type::Array(element) => {
                    let types = match &**element {
                        Type::Row(fields) => fields.iter().map(|(_, ty)| ty.clone()).collect(),
                        other => vec![other.clone()],
                    };
                    parts.push((value.sql, types));
                }
                Type::Map(key, of_value) => {
                    let letter = key.encoding().letter();
                    parts.push((format!("sls_map_keys({}, '{letter}')", value.sql), vec![(**key).clone()]));
                    parts.push((format!("sls_map_values({})", value.sql), vec![(**of_value).clone()]));
                }
                other => {
                    let message = format!("Cannot unnest type: {other}");
                    return Err(SqlError::semantic(start_of(array), message));
                }
            }
        }
        let (source, mut columns) = match parts.as_slice() {
            [(array, types)] if types.len() == 1 => {
                let element = types.first().cloned().unwrap_or(Type::Null);
                (elements_sql(array, &element), vec![element_of(&each, &element)])
            }
            parts => zipped(&each, parts),
        };
        if ordinality {
            columns.push(Typed::new(Type::Bigint, format!("({each}.key + 1)")));
        }
        let named = alias.map_or(&[][..], |alias| &alias.columns);
        let names: Vec<String> = match named.is_empty() {
            true => (0..columns.len()).map(|index| format!("_col{index}")).collect(),
            false => named.iter().map(|column| column.name.value.clone()).collect(),
        };
        if names.len() != columns.len() {
            let message = format!(
                "Column alias list has {} entries but '{}' has {} columns available",
                names.len(),
                alias.map(|alias| alias.name.value.as_str()).unwrap_or_default(),
                columns.len()
            );
            return Err(SqlError::semantic(START, message));
        }
        let columns = names.into_iter().zip(columns).map(|(name, column)| ScopeColumn {
            name,
            alias: None,
            ty: column.ty,
            sql: column.sql,
            log_column: None,
        });
        let name = alias.map(|alias| alias.name.value.clone());
        scope.relations.push(Relation { name, sql: String::new(), columns: columns.collect() });
        Ok(format!("json_each({source}) AS {each}"))
    }
}

/// Several arrays side by side: a row of `json_each` is an array of their elements.
fn zipped(each: &str, parts: &[(String, Vec<Type>)]) -> (String, Vec<Typed>) {
    let arrays: Vec<&str> = parts.iter().map(|(array, _)| array.as_str()).collect();
    let mut columns = Vec::new();
    for (index, (_, types)) in parts.iter().enumerate() {
        let place = index + 1;
        match types.as_slice() {
            [only] => {
                let letter = only.encoding().letter();
                let sql = format!("sls_element_or_null({each}.value, {place}, '{letter}')");
                columns.push(Typed::new(only.clone(), sql));
            }
            fields => {
                let row = format!("sls_element_or_null({each}.value, {place}, 'j')");
                columns.extend(fields.iter().enumerate().map(|(field, ty)| {
                    let letter = ty.encoding().letter();
                    let sql = format!("sls_element_or_null({row}, {}, '{letter}')", field + 1);
                    Typed::new(ty.clone(), sql)
                }));
            }
        }
    }
    (format!("sls_zip({})", arrays.join(", ")), columns)
}
