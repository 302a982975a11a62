//! Expressions: names, operators, conditions, casts.

use sqlparser::ast::{
    AccessExpr, BinaryOperator, CaseWhen, CastKind, DataType, Expr, Ident, Subscript, UnaryOperator, Value,
    ValueWithSpan,
};

use super::{Context, Mode, Translator, unsupported};
use crate::query::sql::{
    SqlError,
    error::At,
    parse::{at, start_of},
    scope::Resolved,
    types::{Type, Typed, quoted},
};

impl Translator<'_> {
    pub(super) fn expr(&mut self, expr: &Expr, context: Context<'_>) -> Result<Typed, SqlError> {
        self.nested(|this| match context.mode {
            // What the groups are made by can be used as it is.
            Mode::Groups(keys) if !matches!(expr, Expr::Value(_)) => {
                match this.plain(expr, context.with_mode(Mode::Rows)) {
                    Ok(row) if keys.contains(&row.sql) => Ok(row),
                    _ => this.plain(expr, context),
                }
            }
            _ => this.plain(expr, context),
        })
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
                comparable(&value.ty, "BETWEEN", &low.ty, place())?;
                comparable(&value.ty, "BETWEEN", &high.ty, place())?;
                let word = if *negated { "NOT BETWEEN" } else { "BETWEEN" };
                Ok(boolean(format!("({} {word} {} AND {})", value.sql, low.sql, high.sql)))
            }
            Expr::InList { expr, list, negated } => self.in_list(expr, list, *negated, place(), context),
            Expr::InSubquery { expr, subquery, negated } => {
                let value = self.expr(expr, context)?;
                let query = self.query(subquery, Some(context.scope), false)?;
                let [column] = query.columns.as_slice() else {
                    return Err(SqlError::semantic(
                        place(),
                        "Multiple columns returned by subquery are not yet supported",
                    ));
                };
                comparable(&value.ty, "IN", &column.ty, place())?;
                Ok(boolean(format!("({} {} ({}))", value.sql, not(*negated, "IN"), query.sql)))
            }
            Expr::Exists { subquery, negated } => {
                let query = self.query(subquery, Some(context.scope), false)?;
                Ok(boolean(format!("({} ({}))", not(*negated, "EXISTS"), query.sql)))
            }
            Expr::Subquery(subquery) => {
                let query = self.query(subquery, Some(context.scope), false)?;
                match query.columns.as_slice() {
                    [column] => Ok(Typed::new(column.ty.clone(), format!("({})", query.sql))),
                    _ => Err(SqlError::semantic(
                        place(),
                        "Multiple columns returned by subquery are not yet supported",
                    )),
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
                self.cast(&value, data_type, *kind != CastKind::Cast && *kind != CastKind::DoubleColon)
            }
            Expr::Function(function) => self.call(function, context),
            Expr::Ceil { expr, .. } => self.named_call("ceil", &[expr], place(), context),
            Expr::Floor { expr, .. } => self.named_call("floor", &[expr], place(), context),
            Expr::Position { expr, r#in } => self.named_call("strpos", &[r#in, expr], place(), context),
            Expr::Substring { expr, substring_from: Some(from), substring_for, .. } => {
                let mut args = vec![&**expr, from];
                args.extend(substring_for.as_deref());
                self.named_call("substr", &args, place(), context)
            }
            Expr::Trim { expr, trim_where: None, trim_what: None, trim_characters: None } => {
                self.named_call("trim", &[expr], place(), context)
            }
            Expr::Extract { field, expr, .. } => {
                self.named_call(&field.to_string().to_lowercase(), &[expr], place(), context)
            }
            Expr::Array(array) => self.array(&array.elem, place(), context),
            Expr::CompoundFieldAccess { root, access_chain } => self.element(root, access_chain, context),
            Expr::TypedString(typed) if matches!(typed.data_type, DataType::Timestamp(..)) => {
                let text = typed.value.clone().into_string().unwrap_or_default();
                self.session.parse_timestamp(&text).map_or_else(
                    || Err(SqlError::semantic(place(), format!("'{text}' is not a valid timestamp literal"))),
                    |ms| Ok(Typed::new(Type::Timestamp, ms.to_string())),
                )
            }
            _ => Err(unsupported(&format!("the expression at line {}", place()))),
        }
    }

    fn name(
        &mut self,
        qualifier: Option<&Ident>,
        name: &Ident,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
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
        let Resolved { relation, column, outer } = context.scope.resolve(qualifier, name)?;
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

    fn binary(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        use BinaryOperator as B;
        match op {
            B::And | B::Or => self.logical(left, op, right, context),
            B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq => {
                self.compared(left, &op.to_string(), right, start_of(left), context)
            }
            B::Plus | B::Minus if matches!(right, Expr::Interval(_)) => self.moved(left, op, right, context),
            B::Plus | B::Minus | B::Multiply | B::Divide | B::Modulo => {
                let (a, b) = (self.expr(left, context)?, self.expr(right, context)?);
                let fits = a.ty.is_numeric() && b.ty.is_numeric();
                let ty = a.ty.common(&b.ty).filter(|_| fits);
                let ty = ty.ok_or_else(|| not_applicable(&op.to_string(), &a.ty, &b.ty, start_of(left)))?;
                Ok(match (op, &ty) {
                    (B::Modulo, Type::Double) => Typed::new(ty, format!("sls_mod({}, {})", a.sql, b.sql)),
                    _ => Typed::new(ty, format!("({} {op} {})", a.sql, b.sql)),
                })
            }
            B::StringConcat => self.named_call("concat", &[left, right], start_of(left), context),
            other => Err(unsupported(&format!("the operator {other}"))),
        }
    }

    /// A chain of the same operator is translated in a loop: people write long ones.
    fn logical(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let mut operands = vec![right];
        let mut rest = left;
        while let Expr::BinaryOp { left, op: same, right } = rest
            && same == op
        {
            operands.push(right);
            rest = left;
        }
        operands.push(rest);
        let mut parts = Vec::new();
        for operand in operands.into_iter().rev() {
            parts.push(self.condition(operand, context, "Logical expression term")?.sql);
        }
        Ok(boolean(format!("({})", parts.join(&format!(" {op} ")))))
    }

    pub(super) fn condition(
        &mut self,
        expr: &Expr,
        context: Context<'_>,
        what: &str,
    ) -> Result<Typed, SqlError> {
        let condition = self.expr(expr, context)?;
        match condition.ty.is_condition() {
            true => Ok(condition),
            false => {
                let message = format!("{what} must evaluate to a boolean (actual: {})", condition.ty);
                Err(SqlError::semantic(start_of(expr), message))
            }
        }
    }

    fn compared(
        &mut self,
        left: &Expr,
        op: &str,
        right: &Expr,
        place: At,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let (left, right) = (self.expr(left, context)?, self.expr(right, context)?);
        comparable(&left.ty, op, &right.ty, place)?;
        Ok(boolean(format!("({} {op} {})", left.sql, right.sql)))
    }

    fn unary(&mut self, op: UnaryOperator, operand: &Expr, context: Context<'_>) -> Result<Typed, SqlError> {
        match op {
            UnaryOperator::Not => {
                let condition = self.condition(operand, context, "Value of logical NOT expression")?;
                Ok(boolean(format!("(NOT {})", condition.sql)))
            }
            UnaryOperator::Minus | UnaryOperator::Plus => {
                let value = self.expr(operand, context)?;
                if !value.ty.is_numeric() {
                    let message = format!("'{op}' cannot be applied to {}", value.ty);
                    return Err(SqlError::semantic(start_of(operand), message));
                }
                Ok(Typed::new(value.ty, format!("({op} {})", value.sql)))
            }
            other => Err(unsupported(&format!("the operator {other}"))),
        }
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
        let mut members = Vec::new();
        for member in list {
            let member = self.expr(member, context)?;
            if value.ty.common(&member.ty).is_none() {
                let message = format!("IN value and list items must be the same type: {}", value.ty);
                return Err(SqlError::semantic(place, message));
            }
            members.push(member.sql);
        }
        Ok(boolean(format!("({} {} ({}))", value.sql, not(negated, "IN"), members.join(", "))))
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
        let mut tests = Vec::new();
        let mut results = Vec::new();
        for CaseWhen { condition, result } in conditions {
            let test = match &operand {
                None => self.condition(condition, context, "CASE WHEN clause")?.sql,
                Some(operand) => {
                    let value = self.expr(condition, context)?;
                    comparable(&operand.ty, "=", &value.ty, place)?;
                    format!("{} = {}", operand.sql, value.sql)
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
        for (test, result) in tests.iter().zip(&results) {
            sql.push_str(&format!(" WHEN {test} THEN {result}"));
        }
        if let Some(otherwise) = results.get(tests.len()) {
            sql.push_str(&format!(" ELSE {otherwise}"));
        }
        Ok(Typed::new(ty, sql + " END)"))
    }

    /// `cast` and, with `lenient`, `try_cast`, which gives NULL where the other fails.
    fn cast(&mut self, value: &Typed, target: &DataType, lenient: bool) -> Result<Typed, SqlError> {
        use DataType as D;
        let lenient = lenient || self.lenient;
        let ty = match target {
            D::BigInt(_) | D::Int(_) | D::Integer(_) | D::SmallInt(_) | D::TinyInt(_) => Type::Bigint,
            D::Double(_) | D::DoublePrecision | D::Real | D::Float(_) | D::Decimal(_) => Type::Double,
            D::Varchar(_) | D::Char(_) | D::Text | D::String(_) => Type::Varchar,
            D::Boolean | D::Bool => Type::Boolean,
            D::Timestamp(..) => Type::Timestamp,
            D::JSON => Type::Json,
            other => return Err(unsupported(&format!("CAST to {other}"))),
        };
        let sql = match (&value.ty, &ty) {
            (from, to) if from == to => value.sql.clone(),
            (Type::Null, _) => value.sql.clone(),
            (Type::Bigint, Type::Double) => format!("CAST({} AS REAL)", value.sql),
            (Type::Bigint, Type::Varchar) => format!("CAST({} AS TEXT)", value.sql),
            (from, to) => format!("sls_cast({}, '{from}', '{to}', {})", value.sql, u8::from(lenient)),
        };
        Ok(Typed::new(ty, sql))
    }

    fn array(&mut self, elements: &[Expr], place: At, context: Context<'_>) -> Result<Typed, SqlError> {
        let mut values = Vec::new();
        for element in elements {
            values.push(self.expr(element, context)?);
        }
        let message = |ty: &Type| format!("All ARRAY elements must be the same type: {ty}");
        let (ty, values) = same_type(values, place, message)?;
        Ok(Typed::new(Type::Array(Box::new(ty)), format!("json_array({})", values.join(", "))))
    }

    /// `a[1]`
    fn element(
        &mut self,
        root: &Expr,
        chain: &[AccessExpr],
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let place = start_of(root);
        let mut value = self.expr(root, context)?;
        for access in chain {
            let (AccessExpr::Subscript(Subscript::Index { index }), Type::Array(element)) =
                (access, &value.ty)
            else {
                return Err(SqlError::semantic(place, format!("cannot take {access} of {}", value.ty)));
            };
            let index = self.expr(index, context)?;
            comparable(&index.ty, "[]", &Type::Bigint, place)?;
            value = Typed::new((**element).clone(), format!("sls_element({}, {})", value.sql, index.sql));
        }
        Ok(value)
    }

    /// A time moved by an interval.
    fn moved(
        &mut self,
        time: &Expr,
        op: &BinaryOperator,
        interval: &Expr,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let Expr::Interval(interval) = interval else {
            return Err(unsupported("this interval"));
        };
        let place = start_of(time);
        let time = self.expr(time, context)?;
        let count = match &*interval.value {
            Expr::Value(value) => value.clone().into_string().and_then(|text| text.parse::<i64>().ok()),
            _ => None,
        };
        let (Some(count), Some(unit), Type::Timestamp) = (count, &interval.leading_field, &time.ty) else {
            return Err(SqlError::semantic(
                place,
                format!("'{op}' cannot be applied to {}, {interval}", time.ty),
            ));
        };
        let sign = if *op == BinaryOperator::Minus { "-" } else { "" };
        let unit = quoted(&unit.to_string().to_lowercase());
        Ok(Typed::new(Type::Timestamp, format!("sls_date_add({unit}, {sign}{count}, {})", time.sql)))
    }
}

fn boolean(sql: String) -> Typed {
    Typed::new(Type::Boolean, sql)
}

fn not(negated: bool, word: &str) -> String {
    if negated { format!("NOT {word}") } else { word.to_owned() }
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
    let brought = values.into_iter().map(|value| match (&value.ty, &ty) {
        (Type::Bigint, Type::Double) => format!("CAST({} AS REAL)", value.sql),
        _ => value.sql,
    });
    Ok((ty.clone(), brought.collect()))
}

fn comparable(left: &Type, op: &str, right: &Type, place: At) -> Result<(), SqlError> {
    match left.common(right) {
        Some(_) => Ok(()),
        None => Err(not_applicable(op, left, right, place)),
    }
}

fn not_applicable(op: &str, left: &Type, right: &Type, place: At) -> SqlError {
    SqlError::semantic(place, format!("'{op}' cannot be applied to {left}, {right}"))
}
