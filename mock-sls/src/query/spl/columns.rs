//! The columns of the rows of a pipeline, by their names.

use std::collections::{BTreeSet, HashMap, HashSet};

use rusqlite::types::Value;

use super::{
    Rows,
    memory::{Meter, VALUE_BYTES, row_bytes, still_wanted},
};
use crate::query::{
    source::Cancel,
    sql::{Column, Frame, SqlError, Type},
};

/// Where columns are, by their names.
#[derive(Debug, Default)]
pub struct Places {
    exact: HashMap<String, usize>,
    /// By names in small letters.
    folded: HashMap<String, usize>,
}

impl Places {
    pub fn of(columns: &[Column]) -> Self {
        let mut places = Self::default();
        columns.iter().enumerate().for_each(|(at, column)| places.add(&column.name, at));
        places
    }

    /// Adds a column behind the others: of equal names the first is meant.
    pub fn add(&mut self, name: &str, at: usize) {
        self.exact.entry(name.to_owned()).or_insert(at);
        self.folded.entry(name.to_ascii_lowercase()).or_insert(at);
    }

    /// The column of exactly this name.
    pub fn exact(&self, name: &str) -> Option<usize> {
        self.exact.get(name).copied()
    }

    /// The column of this name; case matters only where columns differ in nothing else.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.exact(name).or_else(|| self.folded.get(&name.to_ascii_lowercase()).copied())
    }
}

/// Where the columns are whose names a command mentions, while it changes names.
pub struct Names {
    /// All columns of a name, by the name itself and by its small letters.
    exact: HashMap<String, BTreeSet<usize>>,
    folded: HashMap<String, BTreeSet<usize>>,
}

impl Names {
    pub fn of<'n>(columns: &[Column], mentioned: impl Iterator<Item = &'n String>) -> Self {
        let folded = mentioned.map(|name| (name.to_ascii_lowercase(), BTreeSet::new())).collect();
        let mut names = Self { exact: HashMap::new(), folded };
        columns.iter().enumerate().for_each(|(at, column)| names.add(&column.name, at));
        names
    }

    /// Gives a column a name.
    pub fn add(&mut self, name: &str, at: usize) {
        if let Some(places) = self.folded.get_mut(&name.to_ascii_lowercase()) {
            places.insert(at);
            self.exact.entry(name.to_owned()).or_default().insert(at);
        }
    }

    /// Takes the name of a column away.
    pub fn remove(&mut self, name: &str, at: usize) {
        for places in [self.folded.get_mut(&name.to_ascii_lowercase()), self.exact.get_mut(name)] {
            places.map(|places| places.remove(&at));
        }
    }

    /// As [`Places::find`].
    pub fn find(&self, name: &str) -> Option<usize> {
        let exact = self.exact.get(name).and_then(BTreeSet::first);
        exact.or_else(|| self.folded.get(&name.to_ascii_lowercase())?.first()).copied()
    }
}

impl Rows {
    /// The name of a column.
    pub fn name(&self, at: usize) -> &str {
        self.frame.columns.get(at).map_or("", |column| &column.name)
    }

    pub fn columns_where(&self, wanted: impl Fn(&str) -> bool) -> Vec<usize> {
        let numbered = self.frame.columns.iter().enumerate();
        numbered.filter(|(_, column)| wanted(&column.name)).map(|(index, _)| index).collect()
    }

    /// These columns alone, in this order.
    pub fn with_columns(self, places: &[usize], cancel: &Cancel) -> Result<Self, SqlError> {
        let names = places.iter().map(|&at| self.name(at).to_owned()).collect();
        self.with_named_columns(places, names, cancel)
    }

    /// These columns alone, in this order, with these names. A value is copied only if its column is there twice.
    pub fn with_named_columns(
        self,
        places: &[usize],
        names: Vec<String>,
        cancel: &Cancel,
    ) -> Result<Self, SqlError> {
        let Self { frame, named, .. } = self;
        let mut seen = HashSet::new();
        let mut last: Vec<(usize, bool)> = places.iter().rev().map(|&at| (at, seen.insert(at))).collect();
        last.reverse();
        let mut meter = Meter::of(&[], cancel);
        let mut rows = Vec::with_capacity(frame.rows.len());
        for mut row in frame.rows {
            let mut picked = Vec::with_capacity(last.len());
            for &(at, is_last) in &last {
                picked.push(match row.get_mut(at) {
                    Some(value) if is_last => std::mem::replace(value, Value::Null),
                    value => value.cloned().unwrap_or(Value::Null),
                });
            }
            meter.add(row_bytes(&picked))?;
            rows.push(picked);
        }
        let ty = |at: usize| frame.columns.get(at).map_or(Type::Varchar, |column| column.ty.clone());
        let named_places = places.iter().zip(names);
        let columns: Vec<Column> = named_places.map(|(&at, name)| Column { name, ty: ty(at) }).collect();
        Ok(Self {
            places: Places::of(&columns),
            frame: Frame { columns, rows },
            named: places.iter().map(|&at| named.get(at).copied().unwrap_or_default()).collect(),
        })
    }

    /// The place of the column of this name, made if there is none; it is of type `ty` from now on.
    pub fn column(&mut self, name: &str, ty: Type, meter: &mut Meter<'_>) -> Result<usize, SqlError> {
        let at = match self.places.find(name) {
            Some(at) => at,
            None => {
                let at = self.add_column(name, ty.clone(), meter)?;
                self.frame.rows.iter_mut().for_each(|row| row.push(Value::Null));
                at
            }
        };
        if let Some(column) = self.frame.columns.get_mut(at) {
            column.ty = ty;
        }
        if let Some(named) = self.named.get_mut(at) {
            *named = true;
        }
        Ok(at)
    }

    /// Adds a column to the names alone: the rows are to be filled up, see [`Self::fill_up`].
    pub fn add_column(&mut self, name: &str, ty: Type, meter: &mut Meter<'_>) -> Result<usize, SqlError> {
        meter.add(VALUE_BYTES.saturating_mul(self.frame.rows.len() as u64))?;
        let at = self.frame.columns.len();
        self.places.add(name, at);
        self.frame.columns.push(Column { name: name.to_owned(), ty });
        self.named.push(true);
        Ok(at)
    }

    /// Makes all rows as long as there are columns.
    pub fn fill_up(&mut self, cancel: &Cancel) -> Result<(), SqlError> {
        let width = self.frame.columns.len();
        for row in &mut self.frame.rows {
            still_wanted(cancel)?;
            row.reserve_exact(width.saturating_sub(row.len()));
            row.resize(width, Value::Null);
        }
        Ok(())
    }
}
