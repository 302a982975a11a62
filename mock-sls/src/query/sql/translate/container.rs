//! Arrays, maps and rows: how they are made, and what is taken out of them.

use sqlparser::ast::{AccessExpr, Expr, Ident, Subscript, Value};

use super::{Context, Translator, expr::same_type, operator::comparable};
use crate::query::sql::{
    SqlError,
    error::At,
    parse::{at, start_of},
    types::{Type, Typed},
};

/// Arguments of one call, far below what SQLite allows.
const ARGUMENTS_MAX: usize = 100;

impl Translator<'_> {
    pub(super) fn array(
        &mut self,
        elements: &[Expr],
        place: At,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let mut values = Vec::new();
        for element in elements {
            values.push(self.expr(element, context)?);
        }
        let message = |ty: &Type| format!("All ARRAY elements must be the same type: {ty}");
        let (ty, values) = same_type(values, place, message)?;
        let letter = ty.encoding().letter();
        // SQLite takes a limited number of arguments.
        let pieces: Vec<String> = values
            .chunks(ARGUMENTS_MAX)
            .map(|piece| format!("sls_array('{letter}', {})", piece.join(", ")))
            .collect();
        let sql = pieces.into_iter().reduce(|all, piece| format!("sls_array_concat({all}, {piece})"));
        Ok(Typed::new(ty.array(), sql.unwrap_or_else(|| "'[]'".to_owned())))
    }

    pub(super) fn row(&mut self, fields: &[Expr], context: Context<'_>) -> Result<Typed, SqlError> {
        let values = fields.iter().map(|field| self.expr(field, context)).collect::<Result<Vec<_>, _>>()?;
        let letters: String = values.iter().map(|value| value.ty.encoding().letter()).collect();
        let texts: Vec<&str> = values.iter().map(|value| value.sql.as_str()).collect();
        let sql = format!("sls_row('{letters}', {})", texts.join(", "));
        Ok(Typed::new(Type::Row(values.iter().map(|value| (None, value.ty.clone())).collect()), sql))
    }

    /// `r.name` where `r` is a column, for its field; nothing where it is a relation.
    pub(super) fn field(
        &mut self,
        column: &Ident,
        name: &Ident,
        context: Context<'_>,
    ) -> Result<Option<Typed>, SqlError> {
        let relation = context.scope.relations.iter().any(|relation| {
            relation.name.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(&column.value))
        });
        if relation || context.scope.find(Some(column), name)?.is_some() {
            return Ok(None);
        }
        let parameter = self.parameters.iter().any(|known| known.name.eq_ignore_ascii_case(&column.value));
        if !parameter && context.scope.find(None, column)?.is_none() {
            return Ok(None);
        }
        let row = self.name(None, column, context)?;
        if !matches!(row.ty, Type::Row(_)) {
            let message = format!("Expression \"{}\" is not of type ROW", column.value);
            return Err(SqlError::semantic(at(column.span.start), message));
        }
        Ok(field_named(&row, &name.value))
    }

    /// `a[1]`, `m['key']`
    pub(super) fn element(
        &mut self,
        root: &Expr,
        chain: &[AccessExpr],
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let place = start_of(root);
        let mut value = self.expr(root, context)?;
        for access in chain {
            value = match (access, &value.ty) {
                (AccessExpr::Subscript(Subscript::Index { index }), Type::Array(element)) => {
                    let index = self.expr(index, context)?;
                    comparable(&index.ty, "[]", &Type::Bigint, place)?;
                    let (function, letter) = (self.ours("sls_element"), element.encoding().letter());
                    let sql = format!("{function}({}, {}, '{letter}')", value.sql, index.sql);
                    Typed::new((**element).clone(), sql)
                }
                (AccessExpr::Subscript(Subscript::Index { index }), Type::Map(key, of_value)) => {
                    let index = self.expr(index, context)?;
                    if key.common(&index.ty).as_ref() != Some(&**key) {
                        let message = format!("'[]' cannot be applied to {}, {}", value.ty, index.ty);
                        return Err(SqlError::semantic(place, message));
                    }
                    let letters =
                        format!("'{}', '{}'", key.encoding().letter(), of_value.encoding().letter());
                    let (function, index) = (self.ours("sls_map_get"), index.brought_to(key));
                    let sql = format!("{function}({}, {index}, {letters})", value.sql);
                    Typed::new((**of_value).clone(), sql)
                }
                (AccessExpr::Subscript(Subscript::Index { index: Expr::Value(index) }), Type::Row(_)) => {
                    let position = index.clone().into_string();
                    let position = match &index.value {
                        Value::Number(number, _) => number.parse::<usize>().ok(),
                        _ => position.and_then(|text| text.parse().ok()),
                    };
                    let field = position.and_then(|position| position.checked_sub(1));
                    let field = field.and_then(|index| field_of(&value, index));
                    field.ok_or_else(|| SqlError::semantic(place, "Row subscript out of bounds"))?
                }
                (AccessExpr::Dot(Expr::Identifier(name)), Type::Row(_)) => field_named(&value, &name.value)
                    .ok_or_else(|| {
                    SqlError::semantic(place, format!("Column '{}' cannot be resolved", name.value))
                })?,
                (_, ty) => {
                    return Err(SqlError::semantic(
                        place,
                        format!("'[]' cannot be applied to {ty}, {access}"),
                    ));
                }
            };
        }
        Ok(value)
    }
}

/// The field of a row with this name.
fn field_named(row: &Typed, name: &str) -> Option<Typed> {
    let Type::Row(fields) = &row.ty else { return None };
    let named = |(known, _): &(Option<String>, Type)| {
        known.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(name))
    };
    fields.iter().position(named).and_then(|index| field_of(row, index))
}

/// A field of a row.
fn field_of(row: &Typed, index: usize) -> Option<Typed> {
    let Type::Row(fields) = &row.ty else { return None };
    let (_, ty) = fields.get(index)?;
    let letter = ty.encoding().letter();
    Some(Typed::new(ty.clone(), format!("sls_element_or_null({}, {}, '{letter}')", row.sql, index + 1)))
}
