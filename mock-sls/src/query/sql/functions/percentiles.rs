//! `approx_percentile`: exact, from all different values of a group.

use rusqlite::{
    functions::{Aggregate, Context},
    types::{Value, ValueRef},
};

use super::{
    PURE, Registrar, failed,
    values::{array_arg, encode, value_order},
};
use crate::query::sql::types::Encoding;

pub fn register(db: &Registrar<'_>) -> rusqlite::Result<()> {
    db.create_aggregate_function("sls_percentile", 3, PURE, Percentile)?;
    db.create_aggregate_function("sls_percentiles", 3, PURE, Percentiles)
}

/// The value below which a share of all values lie: exact, by nearest rank. Arguments: the value,
/// its weight or NULL, the share.
struct Percentile;

/// Several such values, for an array of shares.
struct Percentiles;

/// Different values that a percentile looks at, in one group. Own choice: with as many that are not yet told apart,
/// they take some 200 MiB.
const PERCENTILE_VALUES_MAX: usize = 2 << 20;
/// Values that are kept before equal ones become one.
const APART_MAX: usize = 1 << 16;

#[derive(Default)]
struct Values {
    shares: Vec<f64>,
    /// Values with their weights.
    values: Vec<(Value, i128)>,
    /// How many there were when equal ones last became one.
    different: usize,
}

impl Values {
    fn add(&mut self, call: &Context<'_>) -> rusqlite::Result<()> {
        let value = call.get_raw(0);
        let weight = call.get::<Option<i64>>(1)?.unwrap_or(1);
        if value != ValueRef::Null && weight > 0 {
            self.values.push((value.into(), weight.into()));
        }
        if self.values.len() < APART_MAX.max(2 * self.different) {
            return Ok(());
        }
        self.sort();
        self.different = self.values.len();
        match self.different <= PERCENTILE_VALUES_MAX {
            true => Ok(()),
            false => Err(failed(format!(
                "approx_percentile takes at most {PERCENTILE_VALUES_MAX} different values"
            ))),
        }
    }

    /// Brings the values in order, each once with the weight of all that are equal.
    fn sort(&mut self) {
        self.values.sort_by(|(a, _), (b, _)| value_order(a.into(), b.into()));
        self.values.dedup_by(|(later, weight), (value, sum)| {
            let equal = value_order((&*later).into(), (&*value).into()).is_eq();
            *sum += if equal { *weight } else { 0 };
            equal
        });
    }

    /// The values at the shares, all values being in order.
    fn at_shares(mut self) -> rusqlite::Result<Vec<Value>> {
        if let Some(share) = self.shares.iter().find(|share| !(0.0..=1.0).contains(*share)) {
            return Err(failed(format!("Percentile must be between 0 and 1, not {share}")));
        }
        self.sort();
        let total: i128 = self.values.iter().map(|(_, weight)| weight).sum();
        let at = |share: &f64| {
            let rank = (share * total as f64).ceil().max(1.0);
            let mut seen = 0i128;
            let mut values = self.values.iter();
            let found = values.find(|(_, weight)| {
                seen += weight;
                seen as f64 >= rank
            });
            found.map_or(Value::Null, |(value, _)| value.clone())
        };
        Ok(self.shares.iter().map(at).collect())
    }
}

impl Aggregate<Values, Value> for Percentile {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Values> {
        Ok(Values::default())
    }

    fn step(&self, call: &mut Context<'_>, state: &mut Values) -> rusqlite::Result<()> {
        if state.shares.is_empty() {
            state.shares.push(call.get(2)?);
        }
        state.add(call)
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Values>) -> rusqlite::Result<Value> {
        Ok(state.unwrap_or_default().at_shares()?.pop().unwrap_or(Value::Null))
    }
}

impl Aggregate<Values, Option<String>> for Percentiles {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Values> {
        Ok(Values::default())
    }

    fn step(&self, call: &mut Context<'_>, state: &mut Values) -> rusqlite::Result<()> {
        if state.shares.is_empty() {
            let shares = array_arg(call, 2)?.unwrap_or_default();
            state.shares = shares.iter().filter_map(serde_json::Value::as_f64).collect();
        }
        state.add(call)
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Values>) -> rusqlite::Result<Option<String>> {
        let Some(state) = state.filter(|state| !state.values.is_empty()) else { return Ok(None) };
        let values = state.at_shares()?;
        let json = values.iter().map(|value| encode(value.into(), Encoding::Json));
        Ok(Some(serde_json::Value::Array(json.collect::<rusqlite::Result<_>>()?).to_string()))
    }
}
