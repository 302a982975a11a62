//! Aggregates that SQLite lacks.

use std::cmp::Ordering;

use rusqlite::{
    functions::{Aggregate, Context},
    types::{Value, ValueRef},
};

use super::{PURE, Registrar, values::value_order};
use crate::query::sql::format;

pub fn register(db: &Registrar<'_>) -> rusqlite::Result<()> {
    db.create_aggregate_function("sls_max_by", 2, PURE, ExtremeBy(Ordering::Greater))?;
    db.create_aggregate_function("sls_min_by", 2, PURE, ExtremeBy(Ordering::Less))?;
    db.create_aggregate_function("sls_numeric_histogram", 3, PURE, NumericHistogram)?;
    db.create_aggregate_function("sls_geometric_mean", 1, PURE, GeometricMean)?;
    db.create_aggregate_function("sls_skewness", 1, PURE, Shape { fourth: false })?;
    db.create_aggregate_function("sls_kurtosis", 1, PURE, Shape { fourth: true })?;
    for (name, result) in [
        ("sls_corr", Pairs::correlation as fn(&Pairs) -> Option<f64>),
        ("sls_covar_pop", |pairs| pairs.covariance(0.0)),
        ("sls_covar_samp", |pairs| pairs.covariance(1.0)),
        ("sls_regr_slope", Pairs::slope),
        ("sls_regr_intercept", |pairs| Some(pairs.mean_y - pairs.slope()? * pairs.mean_x)),
    ] {
        db.create_aggregate_function(name, 2, PURE, Paired(result))?;
    }
    db.create_aggregate_function("sls_bitwise_and_agg", 1, PURE, Bits(|a, b| a & b))?;
    db.create_aggregate_function("sls_bitwise_or_agg", 1, PURE, Bits(|a, b| a | b))?;
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
            && best.as_ref().is_none_or(|(_, known)| value_order(key, ValueRef::from(known)) == self.0);
        if better {
            *best = Some((call.get_raw(0).into(), key.into()));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, best: Option<Option<(Value, Value)>>) -> rusqlite::Result<Value> {
        Ok(best.flatten().map_or(Value::Null, |(value, _)| value))
    }
}

/// `sls_numeric_histogram(buckets, value, weight)`: numbers in so many groups, as a map from the
/// mean of each to its weight. The nearest two groups become one until there are few enough, as
/// in the algorithm that Presto cites (Ben-Haim and Tom-Tov), here after each [`HISTOGRAM_VALUES`].
struct NumericHistogram;

/// Groups of a histogram. Own choice: the work grows with them.
const HISTOGRAM_GROUPS_MAX: i64 = 1000;
/// Values that are put into groups at once, beyond as many as there are groups. Own choice.
const HISTOGRAM_VALUES: usize = 1000;

#[derive(Default)]
struct Groups {
    wanted: usize,
    /// Means with their weights.
    values: Vec<(f64, f64)>,
}

impl Groups {
    /// Makes as few groups of the values as are wanted, in order.
    fn merge(&mut self) {
        let mut values = std::mem::take(&mut self.values);
        values.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let groups = &mut self.values;
        for (value, weight) in values {
            match groups.last_mut() {
                Some((last, sum)) if *last == value => *sum += weight,
                _ => groups.push((value, weight)),
            }
        }
        while groups.len() > self.wanted {
            let gaps = groups.iter().zip(groups.iter().skip(1)).map(|(a, b)| b.0 - a.0);
            let nearest = gaps.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b));
            let Some((at, _)) = nearest else { break };
            let (other, other_weight) = groups.remove(at + 1);
            if let Some((value, weight)) = groups.get_mut(at) {
                let sum = *weight + other_weight;
                *value = (*value * *weight + other * other_weight) / sum;
                *weight = sum;
            }
        }
    }
}

impl Aggregate<Groups, Option<String>> for NumericHistogram {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Groups> {
        Ok(Groups::default())
    }

    fn step(&self, call: &mut Context<'_>, state: &mut Groups) -> rusqlite::Result<()> {
        let wanted: i64 = call.get(0)?;
        if !(2..=HISTOGRAM_GROUPS_MAX).contains(&wanted) {
            return Err(super::failed(format!(
                "numeric_histogram bucket count must be between 2 and {HISTOGRAM_GROUPS_MAX}"
            )));
        }
        state.wanted = usize::try_from(wanted).unwrap_or_default();
        if let Some(value) = call.get::<Option<f64>>(1)? {
            state.values.push((value, call.get::<Option<f64>>(2)?.unwrap_or(1.0)));
        }
        if state.values.len() >= state.wanted + HISTOGRAM_VALUES {
            state.merge();
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Groups>) -> rusqlite::Result<Option<String>> {
        let mut state = state.unwrap_or_default();
        state.merge();
        let groups = state.values.into_iter();
        let entries = groups.map(|(value, weight)| (format::double(value), super::values::real(weight)));
        let map: serde_json::Map<String, serde_json::Value> = entries.collect();
        Ok((!map.is_empty()).then(|| serde_json::Value::Object(map).to_string()))
    }
}

struct GeometricMean;

impl Aggregate<(f64, f64), Option<f64>> for GeometricMean {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<(f64, f64)> {
        Ok((0.0, 0.0))
    }

    fn step(&self, call: &mut Context<'_>, (count, logs): &mut (f64, f64)) -> rusqlite::Result<()> {
        if let Some(x) = call.get::<Option<f64>>(0)? {
            *count += 1.0;
            *logs += x.ln();
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<(f64, f64)>) -> rusqlite::Result<Option<f64>> {
        let (count, logs) = state.unwrap_or_default();
        Ok((count > 0.0).then(|| (logs / count).exp()))
    }
}

/// Skewness and, from the fourth powers, excess kurtosis of a sample.
struct Shape {
    fourth: bool,
}

/// Sums of powers of the distances from the mean, kept up to date as in Presto (formulas of Pébay).
#[derive(Default)]
struct Powers {
    count: f64,
    mean: f64,
    second: f64,
    third: f64,
    fourth: f64,
}

impl Powers {
    fn add(&mut self, x: f64) {
        let before = self.count;
        self.count += 1.0;
        let n = self.count;
        let delta = x - self.mean;
        let share = delta / n;
        let term = delta * share * before;
        self.mean += share;
        self.fourth += term * share * share * (n * n - 3.0 * n + 3.0) + 6.0 * share * share * self.second
            - 4.0 * share * self.third;
        self.third += term * share * (n - 2.0) - 3.0 * share * self.second;
        self.second += term;
    }
}

impl Aggregate<Powers, Option<f64>> for Shape {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Powers> {
        Ok(Powers::default())
    }

    fn step(&self, call: &mut Context<'_>, state: &mut Powers) -> rusqlite::Result<()> {
        if let Some(x) = call.get::<Option<f64>>(0)? {
            state.add(x);
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Powers>) -> rusqlite::Result<Option<f64>> {
        let Powers { count: n, second, third, fourth, .. } = state.unwrap_or_default();
        Ok(match self.fourth {
            false if n > 2.0 => Some(n.sqrt() * third / second.powf(1.5)),
            true if n > 3.0 => {
                let variance = second / (n - 1.0);
                let first = n * (n + 1.0) / ((n - 1.0) * (n - 2.0) * (n - 3.0)) * fourth / variance.powi(2);
                Some(first - 3.0 * (n - 1.0).powi(2) / ((n - 2.0) * (n - 3.0)))
            }
            _ => None,
        })
    }
}

/// An aggregate of pairs `(y, x)`.
struct Paired(fn(&Pairs) -> Option<f64>);

#[derive(Default)]
struct Pairs {
    count: f64,
    mean_x: f64,
    mean_y: f64,
    squares_x: f64,
    squares_y: f64,
    products: f64,
}

impl Pairs {
    fn covariance(&self, less: f64) -> Option<f64> {
        (self.count > less).then(|| self.products / (self.count - less))
    }

    fn correlation(&self) -> Option<f64> {
        let both = (self.squares_x * self.squares_y).sqrt();
        (both > 0.0).then(|| self.products / both)
    }

    fn slope(&self) -> Option<f64> {
        (self.squares_x > 0.0).then(|| self.products / self.squares_x)
    }
}

impl Aggregate<Pairs, Option<f64>> for Paired {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Pairs> {
        Ok(Pairs::default())
    }

    fn step(&self, call: &mut Context<'_>, state: &mut Pairs) -> rusqlite::Result<()> {
        if let (Some(y), Some(x)) = (call.get::<Option<f64>>(0)?, call.get::<Option<f64>>(1)?) {
            state.count += 1.0;
            let (from_x, from_y) = (x - state.mean_x, y - state.mean_y);
            state.mean_x += from_x / state.count;
            state.mean_y += from_y / state.count;
            state.squares_x += from_x * (x - state.mean_x);
            state.squares_y += from_y * (y - state.mean_y);
            state.products += from_x * (y - state.mean_y);
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Pairs>) -> rusqlite::Result<Option<f64>> {
        Ok((self.0)(&state.unwrap_or_default()))
    }
}

struct Bits(fn(i64, i64) -> i64);

impl Aggregate<Option<i64>, Option<i64>> for Bits {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<i64>> {
        Ok(None)
    }

    fn step(&self, call: &mut Context<'_>, state: &mut Option<i64>) -> rusqlite::Result<()> {
        if let Some(bits) = call.get::<Option<i64>>(0)? {
            *state = Some(state.map_or(bits, |known| (self.0)(known, bits)));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Option<i64>>) -> rusqlite::Result<Option<i64>> {
        Ok(state.flatten())
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
