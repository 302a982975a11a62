//! Functions that take lambdas: `filter(a, x -> x > 1)` becomes a query over SQLite's table of the
//! elements of a JSON text, `json_each`.
//!
//! A NULL instead of an array is one row without a key there, which the aggregates of
//! [`collect`](crate::query::sql::functions) give back as NULL.

use sqlparser::ast::{Expr, Ident, LambdaFunction, OneOrManyWithParens};

use super::{Context, Translator};
use crate::query::sql::{
    SqlError,
    error::At,
    parse::start_of,
    types::{Encoding, Type, Typed},
};

/// A parameter of a lambda while its body is translated.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    pub name: String,
    pub value: Typed,
}

impl Translator<'_> {
    /// The call of a function that takes a lambda; nothing for other functions.
    pub(super) fn lambda_call(
        &mut self,
        name: &str,
        args: &[&Expr],
        place: At,
        context: Context<'_>,
    ) -> Result<Option<Typed>, SqlError> {
        let typed = match (name, args) {
            (
                "filter" | "transform" | "any_match" | "all_match" | "none_match",
                [array, Expr::Lambda(body)],
            ) => self.over_array(name, array, body, context)?,
            ("map_filter" | "transform_keys" | "transform_values", [map, Expr::Lambda(body)]) => {
                self.over_map(name, map, body, context)?
            }
            ("zip_with", [one, other, Expr::Lambda(body)]) => self.zip_with(one, other, body, context)?,
            ("reduce", [array, start, Expr::Lambda(step), Expr::Lambda(finish)]) => {
                self.reduce(array, start, step, finish, context)?
            }
            (_, args) if args.iter().any(|arg| matches!(arg, Expr::Lambda(_))) => {
                return Err(SqlError::FunctionNotRegistered {
                    at: place,
                    name: format!("{name} with a lambda"),
                });
            }
            _ => return Ok(None),
        };
        Ok(Some(typed))
    }

    fn over_array(
        &mut self,
        name: &str,
        array: &Expr,
        body: &LambdaFunction,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let place = start_of(array);
        let array = self.expr(array, context)?;
        let Type::Array(element) = array.ty.clone() else {
            return Err(unexpected(name, &array.ty, place));
        };
        let each = self.each();
        let value = element_of(&each, &element);
        let body_value = self.body(body, vec![value.clone()], place, context)?;
        let rows = rows(&array, &element, &each);
        let letter = |ty: &Type| ty.encoding().letter();
        let (ty, sql) = match name {
            "transform" => {
                let letter = letter(&body_value.ty);
                let sql =
                    format!("SELECT sls_collect('{letter}', {each}.key, {}) FROM {rows}", body_value.sql);
                (body_value.ty.array(), sql)
            }
            "filter" => {
                let holds = condition(body_value, place)?;
                let letter = letter(&element);
                let sql = format!(
                    "SELECT sls_collect('{letter}', {each}.key, {}) FROM {rows} WHERE {each}.key IS NULL OR {holds}",
                    value.sql
                );
                (element.array(), sql)
            }
            quantified => {
                let holds = condition(body_value, place)?;
                let function = if quantified == "all_match" { "sls_all" } else { "sls_any" };
                let sql = format!("SELECT {function}({each}.key, {holds}) FROM {rows}");
                (Type::Boolean, sql)
            }
        };
        Ok(match name {
            "none_match" => Typed::new(ty, format!("(NOT ({sql}))")),
            _ => Typed::new(ty, format!("({sql})")),
        })
    }

    fn over_map(
        &mut self,
        name: &str,
        map: &Expr,
        body: &LambdaFunction,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let place = start_of(map);
        let map = self.expr(map, context)?;
        let Type::Map(key_type, value_type) = map.ty.clone() else {
            return Err(unexpected(name, &map.ty, place));
        };
        let each = self.each();
        let key = key_of(&each, &key_type);
        let value = element_of(&each, &value_type);
        let result = self.body(body, vec![key.clone(), value.clone()], place, context)?;
        let rows = rows(&map, &value_type, &each);
        let collected = |key: &Typed, value: &Typed, filter: &str| {
            let letters = format!("'{}', '{}'", key.ty.encoding().letter(), value.ty.encoding().letter());
            let entry = format!("{each}.key, {}, {}", key.sql, value.sql);
            let sql = format!("(SELECT sls_collect_map({letters}, {entry}) FROM {rows}{filter})");
            Typed::new(Type::map(key.ty.clone(), value.ty.clone()), sql)
        };
        Ok(match name {
            "transform_keys" => collected(&result, &value, ""),
            "transform_values" => collected(&key, &result, ""),
            _ => {
                let holds = condition(result, place)?;
                collected(&key, &value, &format!(" WHERE {each}.key IS NULL OR {holds}"))
            }
        })
    }

    fn zip_with(
        &mut self,
        one: &Expr,
        other: &Expr,
        body: &LambdaFunction,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let place = start_of(one);
        let (one, other) = (self.expr(one, context)?, self.expr(other, context)?);
        let (Type::Array(first), Type::Array(second)) = (one.ty.clone(), other.ty.clone()) else {
            return Err(unexpected("zip_with", &one.ty, place));
        };
        let each = self.each();
        let part = |index: usize, ty: &Type| {
            let letter = ty.encoding().letter();
            Typed::new(ty.clone(), format!("sls_element_or_null({each}.value, {index}, '{letter}')"))
        };
        let result = self.body(body, vec![part(1, &first), part(2, &second)], place, context)?;
        let letter = result.ty.encoding().letter();
        let sql = format!(
            "(SELECT sls_collect('{letter}', {each}.key, {}) FROM json_each(sls_zip({}, {})) AS {each})",
            result.sql, one.sql, other.sql
        );
        Ok(Typed::new(result.ty.array(), sql))
    }

    /// A recursive query, one row for every block of elements that was taken in, and in each of them another, one
    /// row for every element of the block: each row has a copy of the array, and reads it up to its place.
    fn reduce(
        &mut self,
        array: &Expr,
        start: &Expr,
        step: &LambdaFunction,
        finish: &LambdaFunction,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let place = start_of(array);
        let array = self.expr(array, context)?;
        let start = self.expr(start, context)?;
        let Type::Array(element) = array.ty.clone() else {
            return Err(unexpected("reduce", &array.ty, place));
        };
        let depth = self.parameters.len();
        let (blocks, fold) = (format!("b{depth}"), format!("f{depth}"));
        let letter = element.encoding().letter();
        let next = Typed::new((*element).clone(), format!("sls_element({fold}.a, {fold}.i + 1, '{letter}')"));
        let mut state = Typed::new(start.ty.clone(), format!("{fold}.s"));
        let mut stepped = self.body(step, vec![state.clone(), next.clone()], place, context)?;
        // A state that begins as a whole number may go on with a fraction.
        if let Some(wider) = state.ty.common(&stepped.ty).filter(|wider| *wider != state.ty) {
            state.ty = wider;
            stepped = self.body(step, vec![state.clone(), next], place, context)?;
        }
        if state.ty.common(&stepped.ty).as_ref() != Some(&state.ty) {
            return Err(unexpected("reduce", &stepped.ty, place));
        }
        let end = Typed::new(state.ty.clone(), format!("{blocks}.s"));
        let result = self.body(finish, vec![end], place, context)?;
        let (start, stepped) = (start.brought_to(&state.ty), stepped.brought_to(&state.ty));
        // `step` gives the state behind the element, or block, at `i` of the `n` of the array `a`.
        let folded = |name: &str, array: &str, start: &str, step: &str, result: &str| {
            format!(
                "(WITH RECURSIVE {name}(i, n, s, a) AS (SELECT 0, sls_cardinality(a), {start}, a FROM (SELECT {array} AS a) \
                 UNION ALL SELECT {name}.i + 1, {name}.n, {step}, {name}.a FROM {name} WHERE {name}.i < {name}.n) \
                 SELECT {result} FROM {name} WHERE {name}.i = {name}.n)"
            )
        };
        let block = format!("sls_element({blocks}.a, {blocks}.i + 1, 'j')");
        let through_block = folded(&fold, &block, &format!("{blocks}.s"), &stepped, &state.sql);
        let all = format!("sls_blocks({})", array.sql);
        let sql = folded(&blocks, &all, &start, &through_block, &result.sql);
        Ok(Typed::new(result.ty, sql))
    }

    /// The body of a lambda, with these values for its parameters.
    fn body(
        &mut self,
        lambda: &LambdaFunction,
        values: Vec<Typed>,
        place: At,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let names: Vec<&Ident> = match &lambda.params {
            OneOrManyWithParens::One(parameter) => vec![&parameter.name],
            OneOrManyWithParens::Many(parameters) => parameters.iter().map(|it| &it.name).collect(),
        };
        if names.len() != values.len() {
            let message = format!("Unexpected number of lambda arguments: {}", names.len());
            return Err(SqlError::semantic(place, message));
        }
        let known = self.parameters.len();
        let named = names.into_iter().zip(values);
        self.parameters.extend(named.map(|(name, value)| Parameter { name: name.value.clone(), value }));
        let result = self.nested(|this| this.expr(&lambda.body, context));
        self.parameters.truncate(known);
        result
    }

    /// Name of the table of elements. It depends on nothing but how deep it stands, so that the
    /// same expression is always translated to the same text.
    fn each(&self) -> String {
        format!("j{}", self.parameters.len())
    }
}

/// `json_each(…) AS j0`, one row with key NULL for a NULL.
fn rows(container: &Typed, element: &Type, each: &str) -> String {
    format!("json_each(coalesce({}, 'null')) AS {each}", elements_sql(&container.sql, element))
}

/// The text of a container whose elements `json_each` gives as values of type `element`: any JSON
/// is handed over as a text of it.
pub(super) fn elements_sql(container: &str, element: &Type) -> String {
    match element {
        Type::Json => format!("sls_texts({container})"),
        _ => container.to_owned(),
    }
}

/// The value of a row of `json_each`.
pub(super) fn element_of(each: &str, ty: &Type) -> Typed {
    Typed::new(
        ty.clone(),
        match ty.encoding() {
            Encoding::Bytes => format!("sls_from_base64({each}.value)"),
            _ => format!("{each}.value"),
        },
    )
}

fn key_of(each: &str, ty: &Type) -> Typed {
    let sql = match ty.encoding() {
        Encoding::Whole => format!("CAST({each}.key AS INTEGER)"),
        Encoding::Decimal => format!("CAST({each}.key AS REAL)"),
        Encoding::Boolean => format!("({each}.key = 'true')"),
        _ => format!("{each}.key"),
    };
    Typed::new(ty.clone(), sql)
}

fn condition(value: Typed, place: At) -> Result<String, SqlError> {
    match value.ty.is_condition() {
        true => Ok(value.sql),
        false => {
            let message = format!("the lambda must evaluate to a boolean (actual: {})", value.ty);
            Err(SqlError::semantic(place, message))
        }
    }
}

fn unexpected(name: &str, ty: &Type, place: At) -> SqlError {
    SqlError::semantic(place, format!("Unexpected parameters ({ty}, function) for function {name}"))
}
