//! Expressions: names, operators, conditions, casts.

use sqlparser::ast::{
    CaseWhen, CastKind, DataType, Expr, Function, FunctionArguments, Ident, TrimWhereField, Value,
    ValueWithSpan,
};

use super::{
    Context, Mode, Translator,
    operator::{between, boolean, common, not},
    query::comparable_columns,
    unsupported,
};
use crate::query::sql::{
    SqlError,
    error::At,
    functions::{self, parse_date, parse_time, zone_of},
    parse::{at, start_of},
    scope::Resolved,
    types::{TYPE_LEVELS_MAX, Type, Typed, quoted},
};

/// Text: document "SQL error center".
const SEVERAL_COLUMNS: &str = "Multiple columns returned by subquery are not yet supported.";

impl Translator<'_> {
    pub(super) fn expr(&mut self, expr: &Expr, context: Context<'_>) -> Result<Typed, SqlError> {
        let value = self.nested(|this| match context.mode {
            // What the groups are made by can be used as it is.
            Mode::Groups(keys) if !matches!(expr, Expr::Value(_)) && this.has_keys(keys) => {
                match this.plain(expr, context.with_mode(Mode::Rows)) {
                    Ok(row) if keys.iter().any(|key| key.sql == row.sql) => Ok(row),
                    // A key of another grouping set.
                    Ok(row) if this.absent_keys.contains(&row.sql) => Ok(Typed::new(row.ty, "NULL")),
                    _ => this.plain(expr, context),
                }
            }
            _ => this.plain(expr, context),
        })?;
        match value.ty.levels() > TYPE_LEVELS_MAX {
            true => {
                let message = format!("types are nested more than {TYPE_LEVELS_MAX} levels deep");
                Err(SqlError::semantic(start_of(expr), message))
            }
            false => Ok(value),
        }
    }

    /// Whether groups are made by anything: else no expression can be one of their keys.
    fn has_keys(&self, keys: &[Typed]) -> bool {
        !keys.is_empty() || !self.absent_keys.is_empty()
    }

    fn plain(&mut self, expr: &Expr, context: Context<'_>) -> Result<Typed, SqlError> {
        let place = || start_of(expr);
        match expr {
            Expr::Identifier(name) => self.name(None, name, context),
            Expr::CompoundIdentifier(names) => match names.as_slice() {
                [qualifier, name] => self.name(Some(qualifier), name, context),
                _ => Err(unsupported(&format!("the name {expr}"))),
            },
            Expr::Value(value) => literal(value),
            Expr::Nested(inner) => self.expr(inner, context),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, context),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr, context),
            Expr::IsNull(value) => self.test(value, "IS NULL", context),
            Expr::IsNotNull(value) => self.test(value, "IS NOT NULL", context),
            Expr::IsTrue(value) => self.test(value, "IS 1", context),
            Expr::IsNotTrue(value) => self.test(value, "IS NOT 1", context),
            Expr::IsFalse(value) => self.test(value, "IS 0", context),
            Expr::IsNotFalse(value) => self.test(value, "IS NOT 0", context),
            Expr::IsDistinctFrom(left, right) => self.compared(left, "IS NOT", right, place(), context),
            Expr::IsNotDistinctFrom(left, right) => self.compared(left, "IS", right, place(), context),
            Expr::Between { expr, negated, low, high } => {
                let value = self.expr(expr, context)?;
                let (low, high) = (self.expr(low, context)?, self.expr(high, context)?);
                between(value, low, high, *negated, place())
            }
            Expr::InList { expr, list, negated } => self.in_list(expr, list, *negated, place(), context),
            Expr::InSubquery { expr, subquery, negated } => {
                let value = self.expr(expr, context)?;
                let query = self.query(subquery, Some(context.scope), false)?;
                let [column] = query.columns.as_slice() else {
                    return Err(SqlError::semantic(place(), SEVERAL_COLUMNS));
                };
                let ty = common(&value.ty, "IN", &column.ty, place())?;
                let members = comparable_columns(query, std::slice::from_ref(&ty));
                Ok(boolean(format!("({} {} ({members}))", value.comparable_as(&ty), not(*negated, "IN"))))
            }
            Expr::Exists { subquery, negated } => {
                let query = self.query(subquery, Some(context.scope), false)?;
                Ok(boolean(format!("({} ({}))", not(*negated, "EXISTS"), query.sql)))
            }
            Expr::Subquery(subquery) => {
                let query = self.query(subquery, Some(context.scope), false)?;
                match query.columns.as_slice() {
                    [column] => Ok(Typed::new(column.ty.clone(), format!("({})", query.sql))),
                    _ => Err(SqlError::semantic(place(), SEVERAL_COLUMNS)),
                }
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_ref(), *negated, context)
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), place(), context)
            }
            Expr::Cast { kind, expr, data_type, .. } => {
                let value = self.expr(expr, context)?;
                let lenient = !matches!(kind, CastKind::Cast | CastKind::DoubleColon);
                self.cast(value, data_type, lenient, place())
            }
            Expr::Function(function) => match bare_name(function) {
                Some(name) => self.name(None, name, context),
                None => self.call(function, context),
            },
            Expr::Ceil { expr, .. } => self.named_call("ceil", &[expr], place(), context),
            Expr::Floor { expr, .. } => self.named_call("floor", &[expr], place(), context),
            Expr::Position { expr, r#in } => self.named_call("strpos", &[r#in, expr], place(), context),
            Expr::Substring { expr, substring_from: Some(from), substring_for, .. } => {
                let mut args = vec![&**expr, from];
                args.extend(substring_for.as_deref());
                self.named_call("substr", &args, place(), context)
            }
            Expr::Trim { expr, trim_where, trim_what, trim_characters: None } => {
                let name = match (trim_where, trim_what) {
                    (None | Some(TrimWhereField::Both), None) => "trim",
                    (Some(TrimWhereField::Leading), None) => "ltrim",
                    (Some(TrimWhereField::Trailing), None) => "rtrim",
                    (None | Some(TrimWhereField::Both), Some(_)) => "trim_both",
                    (Some(TrimWhereField::Leading), Some(_)) => "trim_leading",
                    (Some(TrimWhereField::Trailing), Some(_)) => "trim_trailing",
                };
                let mut args = vec![&**expr];
                args.extend(trim_what.as_deref());
                self.named_call(name, &args, place(), context)
            }
            Expr::Extract { field, expr, .. } => {
                self.named_call(&field.to_string().to_lowercase(), &[expr], place(), context)
            }
            Expr::Array(array) => self.array(&array.elem, place(), context),
            Expr::CompoundFieldAccess { root, access_chain } => self.element(root, access_chain, context),
            Expr::Tuple(fields) => self.row(fields, context),
            Expr::Interval(_) => self.interval(expr),
            Expr::AtTimeZone { timestamp, time_zone } => self.in_zone(timestamp, time_zone, context),
            Expr::TypedString(typed) => {
                let text = typed.value.clone().into_string().unwrap_or_default();
                self.time_literal(&typed.data_type, &text, at(typed.value.span.start))
            }
            other => {
                let text: String = other.to_string().chars().take(SHOWN_CHARS_MAX).collect();
                Err(unsupported(&format!("the expression {text}")))
            }
        }
    }

    pub(super) fn name(
        &mut self,
        qualifier: Option<&Ident>,
        name: &Ident,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        if qualifier.is_none()
            && let Some(parameter) =
                self.parameters.iter().rev().find(|known| known.name.eq_ignore_ascii_case(&name.value))
        {
            return Ok(parameter.value.clone());
        }
        let alias = match qualifier {
            None => context.aliases.iter().find(|alias| alias.name.eq_ignore_ascii_case(&name.value)),
            Some(_) => None,
        };
        let item = Context { aliases: &[], ..context };
        if let Some(alias) = alias
            && (context.aliases_first || context.scope.find(qualifier, name)?.is_none())
        {
            return self.expr(alias.expr, item);
        }
        if let Some(qualifier) = qualifier
            && let Some(field) = self.field(qualifier, name, context)?
        {
            return Ok(field);
        }
        let Resolved { relation, column, outer } = match context.scope.resolve(qualifier, name) {
            Err(SqlError::ColumnNotExists { name, .. }) if qualifier.is_none() && self.absent.is_some() => {
                return Ok(self.absent_name(name));
            }
            resolved => resolved?,
        };
        if matches!(context.mode, Mode::Groups(_)) && !outer {
            return Err(SqlError::NotInGroupBy { at: at(name.span.start), name: name.value.clone() });
        }
        self.used.extend(column.log_column);
        let sql = match relation.sql.as_str() {
            "" => column.sql.clone(),
            table => format!("{table}.{}", column.sql),
        };
        Ok(Typed::new(column.ty.clone(), sql))
    }

    /// A name that is no column, see [`Translator::absent`]. What is made of it is never run.
    fn absent_name(&mut self, name: String) -> Typed {
        let sql = format!("absent_{}", name.to_ascii_lowercase());
        if let Some(absent) = &mut self.absent
            && !absent.iter().any(|known| known.eq_ignore_ascii_case(&name))
        {
            absent.push(name);
        }
        Typed::new(Type::Varchar, sql)
    }

    fn test(&mut self, value: &Expr, test: &str, context: Context<'_>) -> Result<Typed, SqlError> {
        let value = self.expr(value, context)?;
        Ok(boolean(format!("({} {test})", value.sql)))
    }

    fn in_list(
        &mut self,
        value: &Expr,
        list: &[Expr],
        negated: bool,
        place: At,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let value = self.expr(value, context)?;
        let mut ty = value.ty.clone();
        let mut members = Vec::new();
        for member in list {
            let member = self.expr(member, context)?;
            ty = ty.common(&member.ty).ok_or_else(|| {
                let message = format!("IN value and list items must be the same type: {}", value.ty);
                SqlError::semantic(place, message)
            })?;
            members.push(member);
        }
        let members: Vec<String> = members.into_iter().map(|member| member.comparable_as(&ty)).collect();
        let word = not(negated, "IN");
        Ok(boolean(format!("({} {word} ({}))", value.comparable_as(&ty), members.join(", "))))
    }

    fn like(
        &mut self,
        value: &Expr,
        pattern: &Expr,
        escape: Option<&ValueWithSpan>,
        negated: bool,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let mut texts = Vec::new();
        for (expr, side) in
            [(value, "Left side of LIKE expression"), (pattern, "Pattern for LIKE expression")]
        {
            let text = self.expr(expr, context)?;
            if !matches!(text.ty, Type::Varchar | Type::Null) {
                let message = format!("{side} must evaluate to a varchar (actual: {})", text.ty);
                return Err(SqlError::semantic(start_of(expr), message));
            }
            texts.push(text.sql);
        }
        let escape = match escape.and_then(|escape| escape.clone().into_string()) {
            None => String::new(),
            Some(escape) if escape.chars().count() == 1 => format!(" ESCAPE {}", quoted(&escape)),
            Some(_) => {
                return Err(SqlError::semantic(start_of(value), "Escape string must be a single character"));
            }
        };
        Ok(boolean(format!("({}{escape})", texts.join(&format!(" {} ", not(negated, "LIKE"))))))
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
        place: At,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let operand = operand.map(|operand| self.expr(operand, context)).transpose()?;
        let mut compared = operand.as_ref().map_or(Type::Null, |operand| operand.ty.clone());
        let mut tests = Vec::new();
        let mut results = Vec::new();
        for CaseWhen { condition, result } in conditions {
            let test = match &operand {
                None => self.condition(condition, context, "CASE WHEN clause")?,
                Some(_) => {
                    let value = self.expr(condition, context)?;
                    compared = common(&compared, "=", &value.ty, place)?;
                    value
                }
            };
            tests.push(test);
            results.push(self.expr(result, context)?);
        }
        if let Some(otherwise) = otherwise {
            results.push(self.expr(otherwise, context)?);
        }
        let message = |ty: &Type| format!("All CASE results must be the same type: {ty}");
        let (ty, results) = same_type(results, place, message)?;
        let mut sql = String::from("(CASE");
        // It stands there once, whatever stands in it.
        if let Some(operand) = operand {
            sql.push_str(&format!(" {}", operand.comparable_as(&compared)));
        }
        let mut results = results.into_iter();
        for (test, result) in tests.into_iter().zip(&mut results) {
            sql.push_str(&format!(" WHEN {} THEN {result}", test.comparable_as(&compared)));
        }
        if let Some(otherwise) = results.next() {
            sql.push_str(&format!(" ELSE {otherwise}"));
        }
        Ok(Typed::new(ty, sql + " END)"))
    }

    fn in_zone(&mut self, time: &Expr, zone: &Expr, context: Context<'_>) -> Result<Typed, SqlError> {
        let place = start_of(zone);
        let time = self.expr(time, context)?;
        let zone = self.expr(zone, context)?;
        let name = zone.literal_text().ok_or_else(|| unsupported("a computed time zone"))?;
        if !time.ty.is_time() {
            return Err(SqlError::semantic(
                place,
                format!("Type of value must be a time or timestamp, not {}", time.ty),
            ));
        }
        zoned(time.sql, name, place)
    }

    fn time_literal(&self, ty: &DataType, text: &str, place: At) -> Result<Typed, SqlError> {
        let zone = &self.session.zone;
        let literal = match ty {
            DataType::Timestamp(..) => parse_time(text, zone).map(|time| {
                let ty = time.zone.map_or(Type::Timestamp, Type::TimestampTz);
                Typed::new(ty, time.millisecond.to_string())
            }),
            DataType::Date => parse_date(text, zone).map(|ms| Typed::new(Type::Date, ms.to_string())),
            other => return Err(unsupported(&format!("the literal {other} '{text}'"))),
        };
        let what = ty.to_string().to_lowercase();
        literal.ok_or_else(|| SqlError::semantic(place, format!("'{text}' is not a valid {what} literal")))
    }
}

/// Characters of an expression that an error shows.
const SHOWN_CHARS_MAX: usize = 100;

/// A name that the library takes for a function although it has no parentheses, like `user`.
pub(super) fn bare_name(function: &Function) -> Option<&Ident> {
    let bare = matches!(function.args, FunctionArguments::None) && function.over.is_none();
    let [part] = function.name.0.as_slice() else { return None };
    let name = part.as_ident().filter(|_| bare)?;
    functions::kind(&name.value.to_lowercase()).is_none().then_some(name)
}

/// A moment that is shown in the zone called `name`.
pub(super) fn zoned(sql: String, name: String, place: At) -> Result<Typed, SqlError> {
    match zone_of(&name) {
        Some(_) => Ok(Typed::new(Type::TimestampTz(name), sql)),
        None => Err(SqlError::semantic(place, format!("'{name}' is not a valid time zone"))),
    }
}

fn literal(value: &ValueWithSpan) -> Result<Typed, SqlError> {
    let place = at(value.span.start);
    match &value.value {
        Value::Null => Ok(Typed::new(Type::Null, "NULL")),
        Value::Boolean(value) => Ok(boolean(u8::from(*value).to_string())),
        Value::SingleQuotedString(text) => Ok(Typed::text(text)),
        Value::Number(number, _) => {
            if let Ok(whole) = number.parse::<i64>() {
                return Ok(Typed::new(Type::Bigint, whole.to_string()));
            }
            match number.parse::<f64>() {
                Ok(decimal) if decimal.is_finite() && number.contains(['.', 'e', 'E']) => {
                    Ok(Typed::new(Type::Double, format!("{decimal:e}")))
                }
                _ => Err(SqlError::semantic(place, format!("Invalid numeric literal: {number}"))),
            }
        }
        other => Err(unsupported(&format!("the literal {other}"))),
    }
}

/// Brings values to one type that holds all; `message` is the error when there is none.
pub(super) fn same_type(
    values: Vec<Typed>,
    place: At,
    message: impl Fn(&Type) -> String,
) -> Result<(Type, Vec<String>), SqlError> {
    let mut ty = Type::Null;
    for value in &values {
        ty = ty.common(&value.ty).ok_or_else(|| SqlError::semantic(place, message(&ty)))?;
    }
    let brought = values.into_iter().map(|value| value.brought_to(&ty)).collect();
    Ok((ty, brought))
}
