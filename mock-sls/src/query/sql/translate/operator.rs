//! Operators: arithmetic, comparisons, logic, times that are moved.

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};

use super::{Context, Translator, unsupported};
use crate::query::sql::{
    SqlError,
    error::At,
    parse::start_of,
    types::{Type, Typed, quoted},
};

impl Translator<'_> {
    pub(super) fn binary(
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
            B::Plus if matches!(left, Expr::Interval(_)) => self.moved(right, op, left, context),
            B::Plus | B::Minus | B::Multiply | B::Divide | B::Modulo => {
                let (a, b) = (self.expr(left, context)?, self.expr(right, context)?);
                self.arithmetic(a, op, b, start_of(left))
            }
            B::StringConcat => self.named_call("concat", &[left, right], start_of(left), context),
            other => Err(unsupported(&format!("the operator {other}"))),
        }
    }

    fn arithmetic(&self, a: Typed, op: &BinaryOperator, b: Typed, place: At) -> Result<Typed, SqlError> {
        use BinaryOperator as B;
        match (&a.ty, op, &b.ty) {
            (from, B::Minus, to) if from.is_time() && to.is_time() => {
                return Ok(Typed::new(Type::Interval, format!("({} - {})", a.sql, b.sql)));
            }
            (time, B::Plus | B::Minus, Type::Interval) if time.is_time() => {
                return Ok(Typed::new(time.clone(), format!("({} {op} {})", a.sql, b.sql)));
            }
            _ => {}
        }
        let fits = a.ty.is_numeric() && b.ty.is_numeric();
        let ty = a.ty.common(&b.ty).filter(|_| fits);
        let ty = ty.ok_or_else(|| not_applicable(&op.to_string(), &a.ty, &b.ty, place))?;
        // SQLite's own operators give NULL for a division by zero.
        let safe = b.sql.parse::<f64>().is_ok_and(|divisor| divisor != 0.0);
        let call = match (op, &ty, safe) {
            (B::Divide, Type::Double, false) => "sls_div",
            (B::Modulo, Type::Double, _) => "sls_mod",
            (B::Divide, _, false) => "sls_whole_div",
            (B::Modulo, _, false) => "sls_whole_mod",
            _ => return Ok(Typed::new(ty, format!("({} {op} {})", a.sql, b.sql))),
        };
        Ok(Typed::new(ty, format!("{}({}, {})", self.ours(call), a.sql, b.sql)))
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
        for (index, operand) in operands.into_iter().rev().enumerate() {
            let side = if index == 0 { "Left" } else { "Right" };
            parts.push(self.condition(operand, context, &format!("{side} side of logical expression"))?.sql);
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

    pub(super) fn compared(
        &mut self,
        left: &Expr,
        op: &str,
        right: &Expr,
        place: At,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let (left, right) = (self.expr(left, context)?, self.expr(right, context)?);
        comparison(left, op, right, place)
    }

    pub(super) fn unary(
        &mut self,
        op: UnaryOperator,
        operand: &Expr,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        match op {
            UnaryOperator::Not => {
                let condition = self.condition(operand, context, "Value of logical NOT expression")?;
                Ok(boolean(format!("(NOT {})", condition.sql)))
            }
            UnaryOperator::Minus | UnaryOperator::Plus => {
                let value = self.expr(operand, context)?;
                if !value.ty.is_numeric() && value.ty != Type::Interval {
                    let message = format!("'{op}' cannot be applied to {}", value.ty);
                    return Err(SqlError::semantic(start_of(operand), message));
                }
                Ok(Typed::new(value.ty, format!("({op} {})", value.sql)))
            }
            other => Err(unsupported(&format!("the operator {other}"))),
        }
    }

    /// A time moved by an interval that is written out.
    fn moved(
        &mut self,
        time: &Expr,
        op: &BinaryOperator,
        interval: &Expr,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let place = start_of(time);
        let (count, unit) = written_interval(interval)?;
        let time = self.expr(time, context)?;
        if !time.ty.is_time() {
            let message = format!("'{op}' cannot be applied to {}, {interval}", time.ty);
            return Err(SqlError::semantic(place, message));
        }
        let count = if *op == BinaryOperator::Minus { count.checked_neg() } else { Some(count) };
        let count = count.ok_or_else(|| unsupported(&format!("the interval {interval}")))?;
        let (function, unit, zone) = (self.ours("sls_date_add"), quoted(&unit), quoted(time.ty.zone()));
        Ok(Typed::new(time.ty, format!("{function}({unit}, {count}, {}, {zone})", time.sql)))
    }

    /// An interval that stands for itself.
    pub(super) fn interval(&self, interval: &Expr) -> Result<Typed, SqlError> {
        let (count, unit) = written_interval(interval)?;
        let milliseconds = match unit.as_str() {
            "second" => Some(1000),
            "minute" => Some(60_000),
            "hour" => Some(3_600_000),
            "day" => Some(86_400_000),
            "week" => Some(604_800_000),
            _ => None,
        };
        let milliseconds = milliseconds.and_then(|size: i64| size.checked_mul(count));
        let milliseconds = milliseconds.ok_or_else(|| unsupported(&format!("{interval} by itself")))?;
        Ok(Typed::new(Type::Interval, milliseconds.to_string()))
    }
}

/// `interval '2' hour`
fn written_interval(interval: &Expr) -> Result<(i64, String), SqlError> {
    let known = match interval {
        Expr::Interval(interval) => {
            let count = match &*interval.value {
                Expr::Value(value) => value.clone().into_string().and_then(|text| text.trim().parse().ok()),
                _ => None,
            };
            count.zip(interval.leading_field.as_ref())
        }
        _ => None,
    };
    let (count, unit) = known.ok_or_else(|| unsupported(&format!("the interval {interval}")))?;
    Ok((count, unit.to_string().to_lowercase()))
}

pub(super) fn boolean(sql: String) -> Typed {
    Typed::new(Type::Boolean, sql)
}

/// Two values, compared by what they are and not by their texts.
pub(super) fn comparison(left: Typed, op: &str, right: Typed, place: At) -> Result<Typed, SqlError> {
    let ty = common(&left.ty, op, &right.ty, place)?;
    Ok(boolean(match op {
        // Their texts have another order.
        "<" | "<=" | ">" | ">=" if ty.is_container() => {
            format!("(sls_order({}, {}) {op} 0)", left.brought_to(&ty), right.brought_to(&ty))
        }
        _ => format!("({} {op} {})", left.comparable_as(&ty), right.comparable_as(&ty)),
    }))
}

/// `value between low and high`. Each stands there once, whatever stands in it.
pub(super) fn between(
    value: Typed,
    low: Typed,
    high: Typed,
    negated: bool,
    place: At,
) -> Result<Typed, SqlError> {
    let ty = common(&value.ty, "BETWEEN", &low.ty, place)?;
    let ty = common(&ty, "BETWEEN", &high.ty, place)?;
    let word = not(negated, "BETWEEN");
    Ok(boolean(match ty.is_container() {
        true => {
            let [value, low, high] = [value, low, high].map(|bound| bound.brought_to(&ty));
            format!("({})", not(negated, &format!("sls_between({value}, {low}, {high})")))
        }
        false => format!("({} {word} {} AND {})", value.sql, low.sql, high.sql),
    }))
}

/// The type that both sides of an operator are brought to.
pub(super) fn common(left: &Type, op: &str, right: &Type, place: At) -> Result<Type, SqlError> {
    left.common(right).ok_or_else(|| not_applicable(op, left, right, place))
}

pub(super) fn comparable(left: &Type, op: &str, right: &Type, place: At) -> Result<(), SqlError> {
    common(left, op, right, place).map(|_| ())
}

fn not_applicable(op: &str, left: &Type, right: &Type, place: At) -> SqlError {
    SqlError::semantic(place, format!("'{op}' cannot be applied to {left}, {right}"))
}

/// `word`, or the opposite of it.
pub(super) fn not(negated: bool, word: &str) -> String {
    if negated { format!("NOT {word}") } else { word.to_owned() }
}
