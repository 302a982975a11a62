//! Functions of numbers. Whole numbers fail where they overflow or are divided by zero, as the
//! service's do; SQLite would go on with something else.

use rusqlite::{functions::Context, types::Value};

use super::{PURE, Registrar, failed, scalar, texts::text_arg};

pub fn register(db: &Registrar<'_>) -> rusqlite::Result<()> {
    for (name, f) in [
        ("sls_ceil", f64::ceil as fn(f64) -> f64),
        ("sls_floor", f64::floor),
        ("sls_truncate", f64::trunc),
        ("sls_sqrt", f64::sqrt),
        ("sls_cbrt", f64::cbrt),
        ("sls_exp", f64::exp),
        ("sls_ln", f64::ln),
        ("sls_log2", f64::log2),
        ("sls_log10", f64::log10),
        ("sls_sin", f64::sin),
        ("sls_cos", f64::cos),
        ("sls_tan", f64::tan),
        ("sls_asin", f64::asin),
        ("sls_acos", f64::acos),
        ("sls_atan", f64::atan),
        ("sls_sinh", f64::sinh),
        ("sls_cosh", f64::cosh),
        ("sls_tanh", f64::tanh),
        ("sls_degrees", f64::to_degrees),
        ("sls_radians", f64::to_radians),
        ("sls_round", rounded),
    ] {
        scalar(db, name, 1, PURE, move |call| Ok(call.get::<Option<f64>>(0)?.map(f)))?;
    }
    for (name, f) in [
        ("sls_power", f64::powf as fn(f64, f64) -> f64),
        ("sls_mod", |a, b| a % b),
        ("sls_div", |a, b| a / b),
        ("sls_atan2", f64::atan2),
        ("sls_log", |base, x| x.ln() / base.ln()),
    ] {
        scalar(db, name, 2, PURE, move |call| {
            let (a, b) = (call.get::<Option<f64>>(0)?, call.get::<Option<f64>>(1)?);
            Ok(a.zip(b).map(|(a, b)| f(a, b)))
        })?;
    }
    // What `sum` says of the same.
    scalar(db, "sls_times", 2, PURE, |call| {
        let (a, b) = (call.get::<Option<i64>>(0)?, call.get::<Option<i64>>(1)?);
        let times = |(a, b): (i64, i64)| a.checked_mul(b).ok_or_else(|| failed("integer overflow"));
        a.zip(b).map(times).transpose()
    })?;
    whole(db, "sls_whole_div", i64::checked_div)?;
    whole(db, "sls_whole_mod", i64::checked_rem)?;
    scalar(db, "sls_round_to", 2, PURE, |call| to_digits(call, rounded))?;
    scalar(db, "sls_truncate_to", 2, PURE, |call| to_digits(call, f64::trunc))?;
    scalar(db, "sls_to_base", 2, PURE, |call| {
        let (Some(number), Some(radix)) = (call.get::<Option<i64>>(0)?, call.get::<Option<i64>>(1)?) else {
            return Ok(None);
        };
        let radix = radix_of(radix)?;
        let mut digits = Vec::new();
        let mut rest = number.unsigned_abs();
        loop {
            digits.extend(char::from_digit((rest % u64::from(radix)) as u32, radix));
            rest /= u64::from(radix);
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            digits.push('-');
        }
        Ok(Some(digits.into_iter().rev().collect::<String>()))
    })?;
    scalar(db, "sls_from_base", 2, PURE, |call| {
        let (Some(text), Some(radix)) = (text_arg(call, 0)?, call.get::<Option<i64>>(1)?) else {
            return Ok(None);
        };
        let radix = radix_of(radix)?;
        let number = i64::from_str_radix(text, radix);
        number.map(Some).map_err(|_| failed(format!("Not a valid base-{radix} number: {text}")))
    })?;
    scalar(db, "sls_width_bucket", 4, PURE, width_bucket)?;
    let random = super::FunctionFlags::SQLITE_UTF8;
    scalar(db, "sls_random", 0, random, |_| Ok(fastrand::f64()))?;
    scalar(db, "sls_random_below", 1, random, |call| match call.get::<Option<i64>>(0)? {
        Some(bound @ 1..) => Ok(Some(fastrand::i64(0..bound))),
        Some(_) => Err(failed("bound must be positive")),
        None => Ok(None),
    })
}

fn whole(db: &Registrar<'_>, name: &str, f: fn(i64, i64) -> Option<i64>) -> rusqlite::Result<()> {
    scalar(db, name, 2, PURE, move |call| match (call.get::<Option<i64>>(0)?, call.get::<Option<i64>>(1)?) {
        (Some(_), Some(0)) => Err(failed("Division by zero")),
        (Some(a), Some(b)) => match f(a, b) {
            Some(result) => Ok(Value::Integer(result)),
            None => Err(failed("bigint division overflow")),
        },
        _ => Ok(Value::Null),
    })
}

fn radix_of(radix: i64) -> rusqlite::Result<u32> {
    let known = u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix));
    known.ok_or_else(|| failed("Radix must be between 2 and 36"))
}

/// Halves go away from zero, as in Presto.
fn rounded(x: f64) -> f64 {
    x.round()
}

/// To digits behind the point, or before it when negative, by way of a factor as Presto does.
fn to_digits(call: &Context<'_>, f: fn(f64) -> f64) -> rusqlite::Result<Option<f64>> {
    let (Some(x), Some(digits)) = (call.get::<Option<f64>>(0)?, call.get::<Option<i64>>(1)?) else {
        return Ok(None);
    };
    let factor = 10f64.powi(i32::try_from(digits.clamp(-400, 400)).unwrap_or_default());
    let scaled = x * factor;
    // Too large or too small a factor leaves nothing to do.
    Ok(Some(if scaled.is_finite() && factor > 0.0 && factor.is_finite() { f(scaled) / factor } else { x }))
}

/// In which of `n` equal parts between two bounds a number lies: 0 before, n + 1 behind them.
fn width_bucket(call: &Context<'_>) -> rusqlite::Result<Option<i64>> {
    let (Some(x), Some(low), Some(high), Some(count)) = (
        call.get::<Option<f64>>(0)?,
        call.get::<Option<f64>>(1)?,
        call.get::<Option<f64>>(2)?,
        call.get::<Option<i64>>(3)?,
    ) else {
        return Ok(None);
    };
    if count <= 0 {
        return Err(failed("bucketCount must be greater than 0"));
    }
    if low == high {
        return Err(failed("bounds cannot equal each other"));
    }
    let share = (x - low) / (high - low);
    let parts_before = if share >= 1.0 { count } else { (share * count as f64) as i64 };
    let part = if share < 0.0 { Some(0) } else { parts_before.checked_add(1) };
    part.map(Some).ok_or_else(|| failed("Bucket for value is out of range"))
}

/// A number in Java's form: `200.0`, and `1.0E7` from ten millions on and below a thousandth.
pub fn java_double(x: f64) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = x.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        let plain = x.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let scientific = format!("{x:E}");
    match scientific.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => scientific,
    }
}
