//! Runs one command over rows.

use std::cmp::Ordering;

use rusqlite::types::{Value, ValueRef};
use sqlparser::ast::{Expr, OrderByExpr};

use super::{
    Rows, extract, is_time_field,
    parse::{Command, KeyValues, Parsed, Projected},
};
use crate::query::{
    source::Cancel,
    sql::{Column, Frame, Select, Session, SqlError, Type},
};

/// Runs a command.
///
/// # Errors
/// An expression that does not fit, or a value that a function cannot take.
pub fn run(command: &Command, rows: Rows, session: &Session, cancel: &Cancel) -> Result<Rows, SqlError> {
    match command {
        Command::Where(condition) => kept(rows, condition, session, cancel),
        Command::Extend(assignments) => extended(rows, assignments, session, cancel),
        Command::Project(members) => Ok(projected(rows, members)),
        Command::ProjectAway(patterns) => {
            let away =
                |name: &str| !is_time_field(name) && patterns.iter().any(|pattern| pattern.matches(name));
            let left: Vec<usize> = rows.columns_where(|name| !away(name));
            Ok(rows.with_columns(&left))
        }
        Command::ProjectRename(pairs) => Ok(renamed(rows, pairs)),
        Command::ParseJson(parsed, path) => {
            Ok(taken_apart(rows, parsed, |text| extract::json_fields(text, path.as_ref())))
        }
        Command::ParseKv(parsed, KeyValues::Delimited { between, inside }) => {
            Ok(taken_apart(rows, parsed, |text| owned(extract::pairs(text, between, inside))))
        }
        Command::ParseKv(parsed, KeyValues::Regex(regex)) => Ok(taken_apart(rows, parsed, |text| {
            let pairs = regex.captures_iter(text).filter_map(|found| Some((found.get(1)?, found.get(2)?)));
            owned(pairs.map(|(name, value)| (name.as_str(), value.as_str())).collect())
        })),
        Command::ParseRegexp { field, regex, outputs } => Ok(rows.with_outputs(field, outputs, |text| {
            let found = regex.captures(text);
            let group = |index: usize| Some(found.as_ref()?.get(index + 1)?.as_str().to_owned());
            (0..outputs.len()).map(group).collect()
        })),
        Command::ParseCsv { field, delimiter, quote, strict, outputs } => {
            Ok(rows.with_outputs(field, outputs, |text| {
                let values = extract::csv(text, delimiter, *quote);
                match *strict && values.len() != outputs.len() {
                    true => vec![None; outputs.len()],
                    false => {
                        let missing = outputs.len().saturating_sub(values.len());
                        let values = values.into_iter().take(outputs.len()).map(Some);
                        values.chain(vec![None; missing]).collect()
                    }
                }
            }))
        }
        Command::ExpandValues { field, path, limit, keep, output } => {
            Ok(expanded(rows, field, output, *keep, |text| {
                let elements = extract::json_elements(text, path.as_ref());
                elements.map(|elements| elements.into_iter().take(*limit).collect())
            }))
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
        let at = rows.column(name, ty);
        for (row, value) in rows.frame.rows.iter_mut().zip(values.rows) {
            if let (Some(slot), Some(value)) = (row.get_mut(at), value.into_iter().next()) {
                *slot = value;
            }
        }
    }
    Ok(rows)
}

fn projected(rows: Rows, members: &[Projected]) -> Rows {
    let mut chosen: Vec<(usize, String, bool)> = Vec::new();
    let mut rows = rows;
    for member in members {
        match member {
            Projected::Kept(pattern) if pattern.is_wild() => {
                let found = rows.columns_where(|name| pattern.matches(name));
                for at in found {
                    let name =
                        rows.frame.columns.get(at).map(|column| column.name.clone()).unwrap_or_default();
                    chosen.push((at, name, false));
                }
            }
            Projected::Kept(pattern) => {
                let at = rows.frame.find(pattern.name());
                let at = at.unwrap_or_else(|| rows.column(pattern.name(), Type::Varchar));
                chosen.push((at, pattern.name().to_owned(), true));
            }
            Projected::Renamed { new, old } => {
                let at = rows.frame.find(old).unwrap_or_else(|| rows.column(old, Type::Varchar));
                chosen.push((at, new.clone(), true));
            }
        }
    }
    for at in rows.columns_where(is_time_field) {
        if !chosen.iter().any(|(known, ..)| *known == at) {
            let name = rows.frame.columns.get(at).map(|column| column.name.clone()).unwrap_or_default();
            chosen.push((at, name, false));
        }
    }
    let mut seen = std::collections::HashSet::new();
    chosen.retain(|(_, name, _)| seen.insert(name.clone()));
    let places: Vec<usize> = chosen.iter().map(|(at, ..)| *at).collect();
    let mut rows = rows.with_columns(&places);
    for ((column, named), (_, name, explicit)) in
        rows.frame.columns.iter_mut().zip(&mut rows.named).zip(chosen)
    {
        column.name = name;
        *named = *named || explicit;
    }
    rows
}

fn renamed(mut rows: Rows, pairs: &[(String, String)]) -> Rows {
    for (new, old) in pairs {
        let Some(at) = rows.frame.find(old).filter(|_| !is_time_field(old) && !is_time_field(new)) else {
            continue;
        };
        let overwritten = rows.frame.find(new).filter(|place| *place != at);
        if let Some(column) = rows.frame.columns.get_mut(at) {
            column.name = new.clone();
        }
        if let Some(overwritten) = overwritten {
            let left: Vec<usize> =
                (0..rows.frame.columns.len()).filter(|place| *place != overwritten).collect();
            rows = rows.with_columns(&left);
        }
    }
    rows
}

fn owned(pairs: Vec<(&str, &str)>) -> Vec<(String, Option<String>)> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), Some(value.to_owned()))).collect()
}

/// Sets the fields that each row's text is taken apart into.
fn taken_apart(
    mut rows: Rows,
    parsed: &Parsed,
    apart: impl Fn(&str) -> Vec<(String, Option<String>)>,
) -> Rows {
    let Some(source) = rows.frame.find(&parsed.field) else { return rows };
    let known = rows.frame.columns.len();
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
            let exact = rows.frame.columns.iter().position(|column| column.name == name);
            let at = exact.unwrap_or_else(|| rows.column(&name, Type::Varchar));
            let Some(slot) = rows.frame.rows.get_mut(index).and_then(|row| row.get_mut(at)) else { continue };
            if parsed.preserve && at < known && *slot != Value::Null {
                continue;
            }
            *slot = value.map_or(Value::Null, Value::Text);
            if let Some(column) = rows.frame.columns.get_mut(at) {
                column.ty = Type::Varchar;
            }
        }
    }
    // What rows have differs, as with fields of logs.
    rows.named.iter_mut().skip(known).for_each(|named| *named = false);
    rows
}

fn expanded(
    mut rows: Rows,
    field: &str,
    output: &str,
    keep: bool,
    elements: impl Fn(&str) -> Option<Vec<String>>,
) -> Rows {
    let Some(source) = rows.frame.find(field) else { return rows };
    let at = rows.column(output, Type::Varchar);
    let mut all = Vec::new();
    for row in std::mem::take(&mut rows.frame.rows) {
        let found = match row.get(source) {
            Some(Value::Text(text)) => elements(text),
            _ => None,
        };
        for element in found.unwrap_or_default() {
            let mut copy = row.clone();
            if let Some(slot) = copy.get_mut(at) {
                *slot = Value::Text(element);
            }
            all.push(copy);
        }
    }
    rows.frame.rows = all;
    match keep || at == source {
        true => rows,
        false => {
            let left: Vec<usize> = (0..rows.frame.columns.len()).filter(|place| *place != source).collect();
            rows.with_columns(&left)
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
                (a, b) if descending => order(b.into(), a.into()),
                (a, b) => order(a.into(), b.into()),
            }
        });
        ordered.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    rows.frame.rows = pairs.into_iter().map(|(_, row)| row).collect();
    Ok(rows)
}

fn order(a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
    match (a, b) {
        (ValueRef::Integer(a), ValueRef::Integer(b)) => a.cmp(&b),
        (ValueRef::Text(a), ValueRef::Text(b)) | (ValueRef::Blob(a), ValueRef::Blob(b)) => a.cmp(b),
        (a, b) => {
            let real = |value| match value {
                ValueRef::Integer(n) => n as f64,
                ValueRef::Real(x) => x,
                ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => f64::NAN,
            };
            real(a).partial_cmp(&real(b)).unwrap_or(Ordering::Equal)
        }
    }
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
    Ok(Rows { frame, named, bytes: rows.bytes })
}

impl Rows {
    fn columns_where(&self, wanted: impl Fn(&str) -> bool) -> Vec<usize> {
        let numbered = self.frame.columns.iter().enumerate();
        numbered.filter(|(_, column)| wanted(&column.name)).map(|(index, _)| index).collect()
    }

    /// These columns alone, in this order.
    fn with_columns(self, places: &[usize]) -> Self {
        let Self { frame, named, bytes } = self;
        let pick =
            |row: &Vec<Value>| places.iter().map(|&at| row.get(at).cloned().unwrap_or(Value::Null)).collect();
        Self {
            frame: Frame {
                columns: places.iter().filter_map(|&at| frame.columns.get(at).cloned()).collect(),
                rows: frame.rows.iter().map(pick).collect(),
            },
            named: places.iter().map(|&at| named.get(at).copied().unwrap_or_default()).collect(),
            bytes,
        }
    }

    /// The place of the column of this name, made if there is none; it is of type `ty` from now on.
    fn column(&mut self, name: &str, ty: Type) -> usize {
        let at = match self.frame.find(name) {
            Some(at) => at,
            None => {
                self.frame.columns.push(Column { name: name.to_owned(), ty: ty.clone() });
                self.named.push(true);
                self.frame.rows.iter_mut().for_each(|row| row.push(Value::Null));
                self.frame.columns.len() - 1
            }
        };
        if let Some(column) = self.frame.columns.get_mut(at) {
            column.ty = ty;
        }
        if let Some(named) = self.named.get_mut(at) {
            *named = true;
        }
        at
    }

    /// Sets named outputs from the text of a field.
    fn with_outputs(
        mut self,
        field: &str,
        outputs: &[String],
        values: impl Fn(&str) -> Vec<Option<String>>,
    ) -> Self {
        let source = self.frame.find(field);
        let texts: Vec<Vec<Option<String>>> = self
            .frame
            .rows
            .iter()
            .map(|row| match source.and_then(|source| row.get(source)) {
                Some(Value::Text(text)) => values(text),
                _ => vec![None; outputs.len()],
            })
            .collect();
        let places: Vec<usize> = outputs.iter().map(|output| self.column(output, Type::Varchar)).collect();
        for (row, texts) in self.frame.rows.iter_mut().zip(texts) {
            for (&at, text) in places.iter().zip(texts) {
                if let Some(slot) = row.get_mut(at) {
                    *slot = text.map_or(Value::Null, Value::Text);
                }
            }
        }
        self
    }
}
