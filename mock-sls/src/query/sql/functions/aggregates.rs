//! Aggregates that SQLite lacks.

use std::cmp::Ordering;

use rusqlite::{
    Connection,
    functions::{Aggregate, Context, FunctionFlags},
    types::{Value, ValueRef},
};

const PURE: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC);

pub fn register(db: &Connection) -> rusqlite::Result<()> {
    db.create_aggregate_function("sls_max_by", 2, PURE, ExtremeBy(Ordering::Greater))?;
    db.create_aggregate_function("sls_min_by", 2, PURE, ExtremeBy(Ordering::Less))?;
    db.create_aggregate_function("sls_percentile", 2, PURE, Percentile)?;
    db.create_aggregate_function("sls_var_samp", 1, PURE, Spread { sample: true, root: false })?;
    db.create_aggregate_function("sls_var_pop", 1, PURE, Spread { sample: false, root: false })?;
    db.create_aggregate_function("sls_stddev_samp", 1, PURE, Spread { sample: true, root: true })?;
    db.create_aggregate_function("sls_stddev_pop", 1, PURE, Spread { sample: false, root: true })
}

/// The value of the row where another one is largest or smallest; the first of equals.
struct ExtremeBy(Ordering);

impl Aggregate<Option<(Value, Value)>, Value> for ExtremeBy {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<(Value, Value)>> {
        Ok(None)
    }

    fn step(&self, call: &mut Context<'_>, best: &mut Option<(Value, Value)>) -> rusqlite::Result<()> {
        let key = call.get_raw(1);
        let better = key != ValueRef::Null
            && best.as_ref().is_none_or(|(_, known)| order(key, ValueRef::from(known)) == self.0);
        if better {
            *best = Some((call.get_raw(0).into(), key.into()));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, best: Option<Option<(Value, Value)>>) -> rusqlite::Result<Value> {
        Ok(best.flatten().map_or(Value::Null, |(value, _)| value))
    }
}

/// Order of two values of one type.
fn order(a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
    match (a, b) {
        (ValueRef::Integer(a), ValueRef::Integer(b)) => a.cmp(&b),
        (ValueRef::Text(a), ValueRef::Text(b)) => a.cmp(b),
        (a, b) => real(a).partial_cmp(&real(b)).unwrap_or(Ordering::Equal),
    }
}

fn real(value: ValueRef<'_>) -> f64 {
    match value {
        ValueRef::Integer(n) => n as f64,
        ValueRef::Real(x) => x,
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => f64::NAN,
    }
}

/// The value below which a share of all values lie: exact, by nearest rank.
struct Percentile;

#[derive(Default)]
struct Values {
    share: f64,
    values: Vec<Value>,
}

impl Aggregate<Values, Value> for Percentile {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Values> {
        Ok(Values::default())
    }

    fn step(&self, call: &mut Context<'_>, state: &mut Values) -> rusqlite::Result<()> {
        let value = call.get_raw(0);
        if value != ValueRef::Null {
            state.share = call.get(1)?;
            if !(0.0..=1.0).contains(&state.share) {
                return Err(super::failed("Percentile must be between 0 and 1"));
            }
            state.values.push(value.into());
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Values>) -> rusqlite::Result<Value> {
        let Values { share, mut values } = state.unwrap_or_default();
        values.sort_by(|a, b| order(a.into(), b.into()));
        let rank = (share * values.len() as f64).ceil().max(1.0) as usize;
        Ok(values.into_iter().nth(rank - 1).unwrap_or(Value::Null))
    }
}

/// Variance and standard deviation, by Welford's method.
struct Spread {
    sample: bool,
    root: bool,
}

#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Aggregate<Moments, Option<f64>> for Spread {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Moments> {
        Ok(Moments::default())
    }

    fn step(&self, call: &mut Context<'_>, state: &mut Moments) -> rusqlite::Result<()> {
        if let Some(x) = call.get::<Option<f64>>(0)? {
            state.count += 1.0;
            let delta = x - state.mean;
            state.mean += delta / state.count;
            state.squares += delta * (x - state.mean);
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Moments>) -> rusqlite::Result<Option<f64>> {
        let Moments { count, squares, .. } = state.unwrap_or_default();
        let degrees = if self.sample { count - 1.0 } else { count };
        let variance = (degrees > 0.0).then(|| squares / degrees);
        Ok(if self.root { variance.map(f64::sqrt) } else { variance })
    }
}
