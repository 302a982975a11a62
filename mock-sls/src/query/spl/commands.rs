//! Runs one command over rows.

use std::{cmp::Ordering, collections::HashSet};

use rusqlite::types::Value;
use sqlparser::ast::{Expr, OrderByExpr};

use super::{
    Rows,
    columns::{Names, Places},
    extract, is_time_field,
    memory::{Meter, row_bytes, still_wanted},
    parse::{Command, KeyValues, Parsed, Projected},
};
use crate::query::{
    source::Cancel,
    sql::{Column, Frame, Select, Session, SqlError, Type, value_bytes, value_order},
};

/// Runs a command.
///
/// # Errors
/// An expression that does not fit, or a value that a function cannot take.
pub fn run(command: &Command, rows: Rows, session: &Session, cancel: &Cancel) -> Result<Rows, SqlError> {
    match command {
        Command::Where(condition) => kept(rows, condition, session, cancel),
        Command::Extend(assignments) => extended(rows, assignments, session, cancel),
        Command::Project(members) => projected(rows, members, cancel),
        Command::ProjectAway(patterns) => {
            let away =
                |name: &str| !is_time_field(name) && patterns.iter().any(|pattern| pattern.matches(name));
            let left: Vec<usize> = rows.columns_where(|name| !away(name));
            rows.with_columns(&left, cancel)
        }
        Command::ProjectRename(pairs) => renamed(rows, pairs, cancel),
        Command::ParseJson(parsed, path) => {
            taken_apart(rows, parsed, cancel, |text| extract::json_fields(text, path.as_ref()))
        }
        Command::ParseKv(parsed, KeyValues::Delimited { between, inside }) => {
            taken_apart(rows, parsed, cancel, |text| owned(extract::pairs(text, between, inside)))
        }
        Command::ParseKv(parsed, KeyValues::Regex(regex)) => taken_apart(rows, parsed, cancel, |text| {
            let pairs = regex.captures_iter(text).filter_map(|found| Some((found.get(1)?, found.get(2)?)));
            owned(pairs.map(|(name, value)| (name.as_str(), value.as_str())).collect())
        }),
        Command::ParseRegexp { field, regex, outputs } => rows.with_outputs(field, outputs, cancel, |text| {
            let found = regex.captures(text);
            let group = |index: usize| Some(found.as_ref()?.get(index + 1)?.as_str().to_owned());
            (0..outputs.len()).map(group).collect()
        }),
        Command::ParseCsv { field, delimiter, quote, strict, outputs } => {
            rows.with_outputs(field, outputs, cancel, |text| {
                let values = extract::csv(text, delimiter, *quote);
                match *strict && values.len() != outputs.len() {
                    true => vec![None; outputs.len()],
                    false => {
                        let missing = outputs.len().saturating_sub(values.len());
                        let values = values.into_iter().take(outputs.len()).map(Some);
                        values.chain(vec![None; missing]).collect()
                    }
                }
            })
        }
        Command::ExpandValues { field, path, limit, keep, output } => {
            expanded(rows, field, output, *keep, cancel, |text| {
                let elements = extract::json_elements(text, path.as_ref());
                elements.map(|elements| elements.into_iter().take(*limit).collect())
            })
        }
        Command::Limit { offset, rows: count } => {
            let mut rows = rows;
            rows.frame.rows =
                std::mem::take(&mut rows.frame.rows).into_iter().skip(*offset).take(*count).collect();
            Ok(rows)
        }
        Command::Sort(terms) => sorted(rows, terms, session, cancel),
        Command::Stats { outputs, keys } => grouped(&rows, outputs, keys, session, cancel),
    }
}

fn kept(mut rows: Rows, condition: &Expr, session: &Session, cancel: &Cancel) -> Result<Rows, SqlError> {
    let select = Select { exprs: vec![condition.clone()], ..Select::default() };
    let held = rows.frame.select(&select, session, cancel)?;
    if let Some(column) =
        held.columns.first().filter(|column| !matches!(column.ty, Type::Boolean | Type::Null))
    {
        return Err(SqlError::semantic_here(format!(
            "where must evaluate to a boolean (actual: {})",
            column.ty
        )));
    }
    let mut held = held.rows.into_iter();
    rows.frame.rows.retain(|_| held.next().is_some_and(|row| row.first() == Some(&Value::Integer(1))));
    Ok(rows)
}

/// One assignment after the other, so that a later one can use what an earlier one set.
fn extended(
    mut rows: Rows,
    assignments: &[(String, Expr)],
    session: &Session,
    cancel: &Cancel,
) -> Result<Rows, SqlError> {
    for (name, expr) in assignments {
        let select = Select { exprs: vec![expr.clone()], ..Select::default() };
        let values = rows.frame.select(&select, session, cancel)?;
        let ty = values.columns.first().map_or(Type::Varchar, |column| match &column.ty {
            Type::Null => Type::Varchar,
            ty => ty.clone(),
        });
        if is_time_field(name) {
            match ty {
                Type::Bigint => {}
                other => {
                    let message = format!("the time field {name} must be a bigint, not {other}");
                    return Err(SqlError::semantic_here(message));
                }
            }
        }
        let mut meter = Meter::of(&rows.frame.rows, cancel);
        let at = rows.column(name, ty, &mut meter)?;
        for (row, value) in rows.frame.rows.iter_mut().zip(values.rows) {
            if let (Some(slot), Some(value)) = (row.get_mut(at), value.into_iter().next()) {
                meter.add(value_bytes(&value))?;
                *slot = value;
            }
        }
    }
    Ok(rows)
}

fn projected(mut rows: Rows, members: &[Projected], cancel: &Cancel) -> Result<Rows, SqlError> {
    let mut chosen = Chosen::default();
    let mut meter = Meter::of(&rows.frame.rows, cancel);
    for member in members {
        match member {
            Projected::Kept(pattern) if pattern.is_wild() => {
                still_wanted(cancel)?;
                for at in rows.columns_where(|name| pattern.matches(name)) {
                    chosen.add(at, rows.name(at), false);
                }
            }
            Projected::Kept(pattern) => {
                let at = rows.found_or_made(pattern.name(), &mut meter)?;
                chosen.add(at, pattern.name(), true);
            }
            Projected::Renamed { new, old } => {
                let at = rows.found_or_made(old, &mut meter)?;
                chosen.add(at, new, true);
            }
        }
    }
    for at in rows.columns_where(is_time_field) {
        if !chosen.places.contains(&at) {
            chosen.add(at, rows.name(at), false);
        }
    }
    let Chosen { places, names, explicit, .. } = chosen;
    let mut rows = rows.with_named_columns(&places, names, cancel)?;
    rows.named.iter_mut().zip(explicit).for_each(|(named, explicit)| *named |= explicit);
    Ok(rows)
}

/// Columns that `project` takes, each name once: the first that has it.
#[derive(Default)]
struct Chosen {
    places: Vec<usize>,
    names: Vec<String>,
    /// Whether the command says the name.
    explicit: Vec<bool>,
    seen: HashSet<String>,
}

impl Chosen {
    fn add(&mut self, at: usize, name: &str, explicit: bool) {
        if !self.seen.contains(name) {
            self.seen.insert(name.to_owned());
            self.places.push(at);
            self.names.push(name.to_owned());
            self.explicit.push(explicit);
        }
    }
}

/// One pair after the other, so that a later one sees the names that an earlier one gave. The columns that they
/// overwrite go behind the last pair, all at once.
fn renamed(mut rows: Rows, pairs: &[(String, String)], cancel: &Cancel) -> Result<Rows, SqlError> {
    let mut names = Names::of(&rows.frame.columns, pairs.iter().flat_map(|(new, old)| [new, old]));
    let mut overwritten = HashSet::new();
    for (new, old) in pairs {
        still_wanted(cancel)?;
        let Some(at) = names.find(old).filter(|_| !is_time_field(old) && !is_time_field(new)) else {
            continue;
        };
        if let Some(other) = names.find(new).filter(|place| *place != at) {
            names.remove(rows.name(other), other);
            overwritten.insert(other);
        }
        names.remove(rows.name(at), at);
        names.add(new, at);
        if let Some(column) = rows.frame.columns.get_mut(at) {
            column.name.clone_from(new);
        }
    }
    match overwritten.is_empty() {
        true => {
            rows.places = Places::of(&rows.frame.columns);
            Ok(rows)
        }
        false => {
            let left: Vec<usize> =
                (0..rows.frame.columns.len()).filter(|place| !overwritten.contains(place)).collect();
            rows.with_columns(&left, cancel)
        }
    }
}

fn owned(pairs: Vec<(&str, &str)>) -> Vec<(String, Option<String>)> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), Some(value.to_owned()))).collect()
}

/// Sets the fields that each row's text is taken apart into.
fn taken_apart(
    mut rows: Rows,
    parsed: &Parsed,
    cancel: &Cancel,
    apart: impl Fn(&str) -> Vec<(String, Option<String>)>,
) -> Result<Rows, SqlError> {
    let Some(source) = rows.places.find(&parsed.field) else { return Ok(rows) };
    let known = rows.frame.columns.len();
    let mut meter = Meter::of(&rows.frame.rows, cancel);
    for index in 0..rows.frame.rows.len() {
        let fields = match rows.frame.rows.get(index).and_then(|row| row.get(source)) {
            Some(Value::Text(text)) => apart(text),
            _ => continue,
        };
        for (name, value) in fields {
            let name = format!("{}{name}", parsed.prefix);
            if is_time_field(&name) {
                continue;
            }
            let at = match rows.places.find(&name) {
                Some(at) => at,
                None => rows.add_column(&name, Type::Varchar, &mut meter)?,
            };
            let Some(row) = rows.frame.rows.get_mut(index) else { continue };
            if row.len() <= at {
                row.resize(at + 1, Value::Null);
            }
            let Some(slot) = row.get_mut(at) else { continue };
            if parsed.preserve && at < known && *slot != Value::Null {
                continue;
            }
            meter.add(value.as_ref().map_or(0, |value| value.len() as u64))?;
            *slot = value.map_or(Value::Null, Value::Text);
            if let Some(column) = rows.frame.columns.get_mut(at) {
                column.ty = Type::Varchar;
            }
        }
    }
    rows.fill_up(cancel)?;
    // What rows have differs, as with fields of logs.
    rows.named.iter_mut().skip(known).for_each(|named| *named = false);
    Ok(rows)
}

fn expanded(
    mut rows: Rows,
    field: &str,
    output: &str,
    keep: bool,
    cancel: &Cancel,
    elements: impl Fn(&str) -> Option<Vec<String>>,
) -> Result<Rows, SqlError> {
    let Some(source) = rows.places.find(field) else { return Ok(rows) };
    let at = rows.column(output, Type::Varchar, &mut Meter::of(&rows.frame.rows, cancel))?;
    let mut all = Vec::new();
    let mut meter = Meter::of(&[], cancel);
    for row in std::mem::take(&mut rows.frame.rows) {
        let found = match row.get(source) {
            Some(Value::Text(text)) => elements(text),
            _ => None,
        };
        let bytes = row_bytes(&row);
        for element in found.unwrap_or_default() {
            meter.add(bytes.saturating_add(element.len() as u64))?;
            let mut copy = row.clone();
            if let Some(slot) = copy.get_mut(at) {
                *slot = Value::Text(element);
            }
            all.push(copy);
        }
    }
    rows.frame.rows = all;
    match keep || at == source {
        true => Ok(rows),
        false => {
            let left: Vec<usize> = (0..rows.frame.columns.len()).filter(|place| *place != source).collect();
            rows.with_columns(&left, cancel)
        }
    }
}

fn sorted(
    mut rows: Rows,
    terms: &[OrderByExpr],
    session: &Session,
    cancel: &Cancel,
) -> Result<Rows, SqlError> {
    let select = Select { exprs: terms.iter().map(|term| term.expr.clone()).collect(), ..Select::default() };
    let keys = rows.frame.select(&select, session, cancel)?;
    let mut pairs: Vec<(Vec<Value>, Vec<Value>)> =
        keys.rows.into_iter().zip(std::mem::take(&mut rows.frame.rows)).collect();
    pairs.sort_by(|(a, _), (b, _)| {
        let ordered = a.iter().zip(b).zip(terms).map(|((a, b), term)| {
            let descending = term.options.asc == Some(false);
            match (a, b) {
                (Value::Null, Value::Null) => Ordering::Equal,
                (Value::Null, _) => Ordering::Greater,
                (_, Value::Null) => Ordering::Less,
                (a, b) if descending => value_order(b.into(), a.into()),
                (a, b) => value_order(a.into(), b.into()),
            }
        });
        ordered.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    rows.frame.rows = pairs.into_iter().map(|(_, row)| row).collect();
    Ok(rows)
}

fn grouped(
    rows: &Rows,
    outputs: &[(String, Expr)],
    keys: &[Expr],
    session: &Session,
    cancel: &Cancel,
) -> Result<Rows, SqlError> {
    let exprs = keys.iter().chain(outputs.iter().map(|(_, expr)| expr)).cloned().collect();
    let select = Select { exprs, group_by: Some(keys.to_vec()) };
    let mut frame: Frame = rows.frame.select(&select, session, cancel)?;
    let key_name = |expr: &Expr| match expr {
        Expr::Identifier(name) => name.value.clone(),
        other => other.to_string(),
    };
    let names = keys.iter().map(key_name).chain(outputs.iter().map(|(name, _)| name.clone()));
    for (column, name) in frame.columns.iter_mut().zip(names) {
        *column = Column { name, ty: column.ty.clone() };
    }
    let named = vec![true; frame.columns.len()];
    Ok(Rows { places: Places::of(&frame.columns), frame, named })
}

impl Rows {
    fn found_or_made(&mut self, name: &str, meter: &mut Meter<'_>) -> Result<usize, SqlError> {
        match self.places.find(name) {
            Some(at) => Ok(at),
            None => self.column(name, Type::Varchar, meter),
        }
    }

    /// Sets named outputs from the text of a field.
    fn with_outputs(
        mut self,
        field: &str,
        outputs: &[String],
        cancel: &Cancel,
        values: impl Fn(&str) -> Vec<Option<String>>,
    ) -> Result<Self, SqlError> {
        let source = self.places.find(field);
        let mut meter = Meter::of(&self.frame.rows, cancel);
        let mut texts: Vec<Vec<Option<String>>> = Vec::with_capacity(self.frame.rows.len());
        for row in &self.frame.rows {
            let found = match source.and_then(|source| row.get(source)) {
                Some(Value::Text(text)) => values(text),
                _ => vec![None; outputs.len()],
            };
            meter.add(found.iter().flatten().map(|text| text.len() as u64).sum())?;
            texts.push(found);
        }
        let places: Vec<usize> = outputs
            .iter()
            .map(|output| self.column(output, Type::Varchar, &mut meter))
            .collect::<Result<_, _>>()?;
        for (row, texts) in self.frame.rows.iter_mut().zip(texts) {
            for (&at, text) in places.iter().zip(texts) {
                if let Some(slot) = row.get_mut(at) {
                    *slot = text.map_or(Value::Null, Value::Text);
                }
            }
        }
        Ok(self)
    }
}
