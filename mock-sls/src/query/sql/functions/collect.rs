//! Aggregates that give arrays and maps, and those behind the functions that take lambdas.
//!
//! An aggregate that may be asked for distinct values must have one argument, so there is one of
//! its kind for every [`Encoding`], with the letter behind its name.

use std::collections::HashSet;

use rusqlite::{
    functions::{Aggregate, Context},
    types::ValueRef,
};
use serde_json::{Map, Value as Json};

use super::{
    PURE, Registrar, failed,
    limit::Kept,
    values::{array_arg, encode, encoding_arg, identity, key_text, map_arg, order},
};
use crate::query::sql::types::Encoding;

/// Values that `min` and `max` give in an array. Source: Presto.
const BEST_MAX: usize = 10_000;

pub fn register(db: &Registrar<'_>) -> rusqlite::Result<()> {
    use Encoding as E;
    for encoding in [E::Boolean, E::Whole, E::Decimal, E::Text, E::Json, E::Bytes] {
        let letter = encoding.letter();
        let array = |distinct| ArrayAgg { encoding, distinct };
        db.create_aggregate_function(format!("sls_array_agg_{letter}").as_str(), 1, PURE, array(false))?;
        db.create_aggregate_function(format!("sls_set_agg_{letter}").as_str(), 1, PURE, array(true))?;
        db.create_aggregate_function(
            format!("sls_histogram_{letter}").as_str(),
            1,
            PURE,
            Histogram(encoding),
        )?;
    }
    db.create_aggregate_function("sls_set_union", 1, PURE, SetUnion)?;
    db.create_aggregate_function("sls_map_agg", 4, PURE, MapAgg { all: false })?;
    db.create_aggregate_function("sls_multimap_agg", 4, PURE, MapAgg { all: true })?;
    db.create_aggregate_function("sls_map_union", 1, PURE, MapUnion)?;
    db.create_aggregate_function("sls_collect", 3, PURE, Collect)?;
    db.create_aggregate_function("sls_collect_map", 5, PURE, CollectMap)?;
    db.create_aggregate_function("sls_any", 2, PURE, Quantified { decisive: true })?;
    db.create_aggregate_function("sls_all", 2, PURE, Quantified { decisive: false })?;
    db.create_aggregate_function("sls_largest", 3, PURE, Best { descending: true, by: false })?;
    db.create_aggregate_function("sls_smallest", 3, PURE, Best { descending: false, by: false })?;
    db.create_aggregate_function("sls_largest_by", 5, PURE, Best { descending: true, by: true })?;
    db.create_aggregate_function("sls_smallest_by", 5, PURE, Best { descending: false, by: true })
}

/// Values that were collected, with a bound on their size.
#[derive(Default)]
struct Collected {
    values: Vec<Json>,
    kept: Kept,
}

impl Collected {
    fn push(&mut self, value: Json) -> rusqlite::Result<()> {
        self.kept.element(&value)?;
        self.values.push(value);
        Ok(())
    }
}

/// Different values in the order in which they came.
#[derive(Default)]
struct Different {
    collected: Collected,
    /// What they are found by: those that are equal have one text.
    seen: HashSet<String>,
}

impl Different {
    fn push(&mut self, value: Json) -> rusqlite::Result<()> {
        match self.seen.insert(identity(&value)) {
            true => self.collected.push(value),
            false => Ok(()),
        }
    }
}

/// Entries that were collected, with a bound on their size.
#[derive(Default)]
struct Mapped {
    map: Map<String, Json>,
    kept: Kept,
}

impl Mapped {
    /// Adds an entry unless its key is there.
    fn insert(&mut self, key: String, value: Json) -> rusqlite::Result<()> {
        if !self.map.contains_key(&key) {
            self.kept.entry(&key, &value)?;
            self.map.insert(key, value);
        }
        Ok(())
    }

    /// Adds a value to the array of its key.
    fn push(&mut self, key: String, value: Json) -> rusqlite::Result<()> {
        match self.map.get_mut(&key) {
            Some(Json::Array(values)) => {
                self.kept.element(&value)?;
                values.push(value);
                Ok(())
            }
            _ => self.insert(key, Json::Array(vec![value])),
        }
    }
}

/// An array of all values, NULL among them, or of the different ones.
struct ArrayAgg {
    encoding: Encoding,
    distinct: bool,
}

impl Aggregate<Different, Option<String>> for ArrayAgg {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Different> {
        Ok(Different::default())
    }

    fn step(&self, call: &mut Context<'_>, state: &mut Different) -> rusqlite::Result<()> {
        let value = encode(call.get_raw(0), self.encoding)?;
        match self.distinct {
            true => state.push(value),
            false => state.collected.push(value),
        }
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Different>) -> rusqlite::Result<Option<String>> {
        Ok(state.map(|state| Json::Array(state.collected.values).to_string()))
    }
}

/// How often each value occurs.
struct Histogram(Encoding);

impl Aggregate<Mapped, Option<String>> for Histogram {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Mapped> {
        Ok(Mapped::default())
    }

    fn step(&self, call: &mut Context<'_>, counts: &mut Mapped) -> rusqlite::Result<()> {
        let Some(key) = key_text(call.get_raw(0), self.0)? else { return Ok(()) };
        match counts.map.get_mut(&key) {
            Some(count) => {
                *count = Json::Number((count.as_i64().unwrap_or_default() + 1).into());
                Ok(())
            }
            None => counts.insert(key, Json::Number(1.into())),
        }
    }

    fn finalize(&self, _: &mut Context<'_>, counts: Option<Mapped>) -> rusqlite::Result<Option<String>> {
        let counts = counts.map(|counts| counts.map).filter(|counts| !counts.is_empty());
        Ok(counts.map(|counts| Json::Object(counts).to_string()))
    }
}

/// The different elements of all arrays.
struct SetUnion;

impl Aggregate<Different, Option<String>> for SetUnion {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Different> {
        Ok(Different::default())
    }

    fn step(&self, call: &mut Context<'_>, state: &mut Different) -> rusqlite::Result<()> {
        array_arg(call, 0)?.unwrap_or_default().into_iter().try_for_each(|value| state.push(value))
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Different>) -> rusqlite::Result<Option<String>> {
        Ok(state.map(|state| Json::Array(state.collected.values).to_string()))
    }
}

/// `(letter of the key, letter of the value, key, value)`: the first value of each key, or all.
struct MapAgg {
    all: bool,
}

impl Aggregate<Mapped, Option<String>> for MapAgg {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Mapped> {
        Ok(Mapped::default())
    }

    fn step(&self, call: &mut Context<'_>, state: &mut Mapped) -> rusqlite::Result<()> {
        let Some(key) = key_text(call.get_raw(2), encoding_arg(call, 0)?)? else { return Ok(()) };
        let value = encode(call.get_raw(3), encoding_arg(call, 1)?)?;
        match self.all {
            true => state.push(key, value),
            false => state.insert(key, value),
        }
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Mapped>) -> rusqlite::Result<Option<String>> {
        Ok(state.map(|state| Json::Object(state.map).to_string()))
    }
}

struct MapUnion;

impl Aggregate<Mapped, Option<String>> for MapUnion {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Mapped> {
        Ok(Mapped::default())
    }

    fn step(&self, call: &mut Context<'_>, state: &mut Mapped) -> rusqlite::Result<()> {
        let map = map_arg(call, 0)?.unwrap_or_default();
        map.into_iter().try_for_each(|(key, value)| state.insert(key, value))
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Mapped>) -> rusqlite::Result<Option<String>> {
        Ok(state.map(|state| Json::Object(state.map).to_string()))
    }
}

/// `(letter, place, value)`: what a lambda gives for each element of an array. The place is there
/// so that SQLite counts the aggregate to the query over the elements and not to the one around;
/// a place that is NULL says that there is no array.
struct Collect;

/// What is collected; nothing where there is nothing to collect from.
type Found<T> = Option<T>;

impl Aggregate<Found<Collected>, Option<String>> for Collect {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Found<Collected>> {
        Ok(Some(Collected::default()))
    }

    fn step(&self, call: &mut Context<'_>, state: &mut Found<Collected>) -> rusqlite::Result<()> {
        match (call.get_raw(1), &mut *state) {
            (ValueRef::Null, _) => *state = None,
            (_, Some(collected)) => collected.push(encode(call.get_raw(2), encoding_arg(call, 0)?)?)?,
            (_, None) => {}
        }
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        state: Option<Found<Collected>>,
    ) -> rusqlite::Result<Option<String>> {
        let collected = state.unwrap_or_else(|| Some(Collected::default()));
        Ok(collected.map(|collected| Json::Array(collected.values).to_string()))
    }
}

/// `(letter of the key, letter of the value, place, key, value)`: the same for maps.
struct CollectMap;

impl Aggregate<Found<Mapped>, Option<String>> for CollectMap {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Found<Mapped>> {
        Ok(Some(Mapped::default()))
    }

    fn step(&self, call: &mut Context<'_>, state: &mut Found<Mapped>) -> rusqlite::Result<()> {
        if call.get_raw(2) == ValueRef::Null {
            *state = None;
        }
        let Some(state) = state else { return Ok(()) };
        let key = key_text(call.get_raw(3), encoding_arg(call, 0)?)?;
        let key = key.ok_or_else(|| failed("map key cannot be null"))?;
        let value = encode(call.get_raw(4), encoding_arg(call, 1)?)?;
        match state.map.contains_key(&key) {
            true => Err(failed(format!("Duplicate keys ({key}) are not allowed"))),
            false => state.insert(key, value),
        }
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        state: Option<Found<Mapped>>,
    ) -> rusqlite::Result<Option<String>> {
        let collected = state.unwrap_or_else(|| Some(Mapped::default()));
        Ok(collected.map(|collected| Json::Object(collected.map).to_string()))
    }
}

/// `(place, condition)`: whether any, or all, of the conditions hold; NULL where it depends on one
/// that is NULL.
struct Quantified {
    decisive: bool,
}

/// What is known of the conditions.
#[derive(Default)]
struct Known {
    decided: bool,
    unknown: bool,
    nothing: bool,
}

impl Aggregate<Known, Option<bool>> for Quantified {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Known> {
        Ok(Known::default())
    }

    fn step(&self, call: &mut Context<'_>, known: &mut Known) -> rusqlite::Result<()> {
        known.nothing |= call.get_raw(0) == ValueRef::Null;
        match call.get::<Option<bool>>(1)? {
            None => known.unknown = true,
            Some(holds) => known.decided |= holds == self.decisive,
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, known: Option<Known>) -> rusqlite::Result<Option<bool>> {
        Ok(match known.unwrap_or_default() {
            Known { nothing: true, .. } => None,
            Known { decided: true, .. } => Some(self.decisive),
            Known { unknown: true, .. } => None,
            Known { .. } => Some(!self.decisive),
        })
    }
}

/// `(letter, value, n)`, or with a key `(letter, value, letter of the key, key, n)`: an array of
/// the values that are, or whose keys are, largest or smallest.
struct Best {
    descending: bool,
    by: bool,
}

#[derive(Default)]
struct Ranked {
    count: usize,
    values: Vec<(Json, Json)>,
    kept: Kept,
}

impl Best {
    /// Leaves the wanted values, in order.
    fn rank(&self, state: &mut Ranked) -> rusqlite::Result<()> {
        let Ranked { count, values, kept } = state;
        values.sort_by(|(a, _), (b, _)| if self.descending { order(b, a) } else { order(a, b) });
        values.truncate(*count);
        *kept = Kept::default();
        values.iter().try_for_each(|(key, value)| kept.element(key).and_then(|()| kept.element(value)))
    }
}

impl Aggregate<Ranked, Option<String>> for Best {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Ranked> {
        Ok(Ranked::default())
    }

    fn step(&self, call: &mut Context<'_>, state: &mut Ranked) -> rusqlite::Result<()> {
        let count: i64 = call.get(if self.by { 4 } else { 2 })?;
        let count = usize::try_from(count).ok().filter(|count| (1..=BEST_MAX).contains(count));
        state.count =
            count.ok_or_else(|| failed(format!("the number of values must be between 1 and {BEST_MAX}")))?;
        let value = encode(call.get_raw(1), encoding_arg(call, 0)?)?;
        let key = match self.by {
            true => encode(call.get_raw(3), encoding_arg(call, 2)?)?,
            false => value.clone(),
        };
        if key.is_null() {
            return Ok(());
        }
        if state.values.len() >= 2 * state.count {
            self.rank(state)?;
        }
        state.kept.element(&key)?;
        state.kept.element(&value)?;
        state.values.push((key, value));
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Ranked>) -> rusqlite::Result<Option<String>> {
        let mut state = state.unwrap_or_default();
        self.rank(&mut state)?;
        Ok(Some(Json::from_iter(state.values.into_iter().map(|(_, value)| value)).to_string()))
    }
}
