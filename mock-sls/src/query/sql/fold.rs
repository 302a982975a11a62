//! Logs that a statement cannot tell apart, as one row with a weight: how often it occurs.
//!
//! A statement that groups logs and only counts, sums and compares them needs no row for each of them.
//! Which statements these are, and how they take weights into account, the translator knows
//! ([`super::translate`]); here rows are added up before SQLite sees them.

use std::collections::HashMap;

use super::schema::Value;
use crate::query::summary::{Few, RowSet, Summary};

/// The column with the weight.
pub const WEIGHT: &str = "log_weight";
/// Different rows that are held before they are handed on (own choice; bounds memory: a row that comes
/// again later is handed on again, which is as good).
const ROWS_MAX: usize = 32 * 1024;
/// Bytes of these rows.
const BYTES_MAX: usize = 8 << 20;
/// Combinations of values in a block that are counted in a table (own choice).
const COMBINATIONS_MAX: usize = 4 * 1024;

/// Rows with weights.
#[derive(Debug, Default)]
pub struct Fold {
    /// By their encoded values.
    rows: HashMap<Box<[u8]>, u64>,
    bytes: usize,
    /// The row that is looked up.
    key: Vec<u8>,
}

/// Where the values of a column are in a block.
pub enum Cells {
    /// All logs have this one.
    Same(Box<[u8]>),
    /// Different ones, and which log has which.
    Coded { values: Vec<Box<[u8]>>, codes: Vec<u8> },
}

impl Fold {
    /// Adds a row. Returns whether there are enough to be handed on.
    pub fn add<'v>(&mut self, values: impl Iterator<Item = Value<'v>>, weight: u64) -> bool {
        self.key.clear();
        for value in values {
            encode(&value, &mut self.key);
        }
        self.add_key(weight)
    }

    fn add_key(&mut self, weight: u64) -> bool {
        match self.rows.get_mut(&*self.key) {
            Some(known) => *known += weight,
            None => {
                self.bytes += self.key.len();
                self.rows.insert(self.key.as_slice().into(), weight);
            }
        }
        self.rows.len() >= ROWS_MAX || self.bytes >= BYTES_MAX
    }

    /// Adds some logs of a block by the values of each column.
    pub fn add_block(&mut self, columns: &[Cells], rows: &RowSet) -> bool {
        let width = |cells: &Cells| match cells {
            Cells::Same(_) => 1,
            Cells::Coded { values, .. } => values.len(),
        };
        let combinations = columns.iter().map(width).try_fold(1, usize::checked_mul);
        let mut full = false;
        match combinations.filter(|combinations| *combinations <= COMBINATIONS_MAX) {
            Some(combinations) => {
                let mut counts = vec![0; combinations];
                for row in rows.iter() {
                    let place = columns.iter().fold(0, |place, cells| place * width(cells) + cells.code(row));
                    if let Some(count) = counts.get_mut(place) {
                        *count += 1;
                    }
                }
                for (place, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
                    self.key.clear();
                    let mut left = combinations;
                    for cells in columns {
                        left /= width(cells);
                        self.key.extend_from_slice(cells.value(place / left % width(cells)));
                    }
                    full |= self.add_key(count);
                }
            }
            None => {
                for row in rows.iter() {
                    self.key.clear();
                    columns.iter().for_each(|cells| self.key.extend_from_slice(cells.value(cells.code(row))));
                    full |= self.add_key(1);
                }
            }
        }
        full
    }

    /// Hands on all rows.
    pub fn drain<E>(&mut self, mut take: impl FnMut(Vec<Value<'_>>, u64) -> Result<(), E>) -> Result<(), E> {
        self.bytes = 0;
        self.rows.drain().try_for_each(|(key, weight)| take(decode(&key), weight))
    }
}

impl Cells {
    /// The cells of a column whose values are a block's few, each made a value of the column.
    pub fn of_few<'v>(few: &'v Few, value: impl Fn(&'v [u8]) -> Value<'v>) -> Self {
        let mut values: Vec<Box<[u8]>> = few.values().map(|text| encoded(&value(text))).collect();
        let absent = u8::try_from(values.len()).unwrap_or(u8::MAX);
        values.push(encoded(&Value::Null));
        let codes = few.codes().map(|code| code.unwrap_or(absent));
        Self::Coded { values, codes: codes.collect() }
    }

    /// The cells of the time, unless a block has too many.
    pub fn of_time(block: &Summary) -> Option<Self> {
        let mut seconds = Vec::new();
        let mut codes = Vec::with_capacity(block.rows());
        for row in 0..block.rows() {
            let time = block.time(row);
            let place = seconds.iter().rposition(|known| *known == time).unwrap_or_else(|| {
                seconds.push(time);
                seconds.len() - 1
            });
            codes.push(u8::try_from(place).ok()?);
        }
        let values = seconds.into_iter().map(|time| encoded(&Value::Long(i64::from(time))));
        Some(Self::Coded { values: values.collect(), codes })
    }

    /// All logs have the same value.
    pub fn same(value: &Value<'_>) -> Self {
        Self::Same(encoded(value))
    }

    fn code(&self, row: usize) -> usize {
        match self {
            Self::Same(_) => 0,
            Self::Coded { codes, .. } => codes.get(row).map_or(0, |code| usize::from(*code)),
        }
    }

    fn value(&self, code: usize) -> &[u8] {
        match self {
            Self::Same(value) => value,
            Self::Coded { values, .. } => values.get(code).map_or(&[], |value| value),
        }
    }
}

const NULL: u8 = 0;
const LONG: u8 = 1;
const DOUBLE: u8 = 2;
const TEXT: u8 = 3;

fn encoded(value: &Value<'_>) -> Box<[u8]> {
    let mut key = Vec::new();
    encode(value, &mut key);
    key.into()
}

fn encode(value: &Value<'_>, key: &mut Vec<u8>) {
    match value {
        Value::Null => key.push(NULL),
        Value::Long(n) => {
            key.push(LONG);
            key.extend_from_slice(&n.to_le_bytes());
        }
        Value::Double(x) => {
            key.push(DOUBLE);
            key.extend_from_slice(&x.to_le_bytes());
        }
        Value::Text(text) => {
            key.push(TEXT);
            key.extend_from_slice(&(text.len() as u64).to_le_bytes());
            key.extend_from_slice(text.as_bytes());
        }
    }
}

fn decode(mut key: &[u8]) -> Vec<Value<'_>> {
    let mut values = Vec::new();
    while let Some((tag, rest)) = key.split_first() {
        let Some((word, after)) = rest.split_first_chunk::<8>().filter(|_| *tag != NULL) else {
            values.push(Value::Null);
            key = rest;
            continue;
        };
        key = after;
        values.push(match *tag {
            LONG => Value::Long(i64::from_le_bytes(*word)),
            DOUBLE => Value::Double(f64::from_le_bytes(*word)),
            _ => {
                let length = usize::try_from(u64::from_le_bytes(*word)).unwrap_or(usize::MAX);
                let (text, after) = key.split_at_checked(length).unwrap_or((key, &[]));
                key = after;
                Value::Text(String::from_utf8_lossy(text))
            }
        });
    }
    values
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn values(n: i64) -> Vec<Value<'static>> {
        vec![Value::Long(n), Value::Null, Value::Double(0.5), Value::Text(Cow::Owned("é".repeat(n as usize)))]
    }

    #[test]
    fn equal_rows_become_one_with_their_number() {
        let mut fold = Fold::default();
        for n in [1, 2, 1, 1] {
            fold.add(values(n).into_iter(), 1);
        }
        fold.add(values(2).into_iter(), 5);
        let mut rows = Vec::new();
        fold.drain(|values, weight| {
            rows.push((format!("{values:?}"), weight));
            Ok::<_, ()>(())
        })
        .unwrap();
        rows.sort();
        assert_eq!(rows, [(format!("{:?}", values(1)), 3), (format!("{:?}", values(2)), 6)]);
    }

    #[test]
    fn a_block_is_added_as_its_rows_would_be() {
        let coded = |widths: usize, step: usize| Cells::Coded {
            values: (0..widths).map(|n| encoded(&Value::Long(n as i64))).collect(),
            codes: (0..100).map(|row| (row * step % widths) as u8).collect(),
        };
        let rows = RowSet::of(100, |row| row % 3 != 0);
        for widths in [[3, 4], [100, 90]] {
            let columns = [coded(widths[0], 7), Cells::same(&Value::Null), coded(widths[1], 11)];
            let (mut block, mut single) = (Fold::default(), Fold::default());
            block.add_block(&columns, &rows);
            for row in rows.iter() {
                let values = columns.iter().flat_map(|cells| decode(cells.value(cells.code(row))));
                single.add(values, 1);
            }
            assert_eq!(block.rows, single.rows, "{widths:?}");
        }
    }
}
