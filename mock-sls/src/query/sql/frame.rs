//! Rows of anything in memory, and SQL expressions over them: what pipelines are made of.
//!
//! Expressions are compiled as those of statements are and run in an SQLite database of their
//! own. A name that is no column is NULL, since logs need not have all fields.

use jiff::tz::TimeZone;
use rusqlite::{
    Connection,
    types::{Value, ValueRef},
};
use sqlparser::{
    ast::{Expr, GroupByExpr, Ident, OrderByExpr, SelectItem, SetExpr},
    keywords::Keyword,
    parser::Parser,
    tokenizer::Token,
};

use super::{
    Session, SqlError,
    execute::{MEMORY_BYTES_MAX, affinity, database, failed},
    format, parse,
    parse::START,
    schema::Schema,
    translate::{Translated, Translator},
    types::Type,
};
use crate::query::source::Cancel;

/// A name for the whole row. Source: document "Scan-based query".
const LINE: &str = "__line__";

/// Names that are no columns in one command. Own choice: a table of SQLite has at most 2000 columns.
const ABSENT_NAMES_MAX: usize = 200;

/// Rows with named and typed columns.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// The columns.
    pub columns: Vec<Column>,
    /// A value of each column per row.
    pub rows: Vec<Vec<Value>>,
}

/// A column of a [`Frame`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Type of its values.
    pub ty: Type,
}

/// What to make of a [`Frame`].
#[derive(Debug, Clone, Default)]
pub struct Select {
    /// A column each.
    pub exprs: Vec<Expr>,
    /// Keys of groups, if groups are wanted; without, there is a row for every row.
    pub group_by: Option<Vec<Expr>>,
}

impl Frame {
    /// The text of a value, as results show it; nothing for NULL.
    ///
    /// # Errors
    /// A number that became too large.
    pub fn text(&self, row: &[Value], column: usize, zone: &TimeZone) -> Result<Option<String>, SqlError> {
        let ty = self.columns.get(column).map_or(&Type::Varchar, |column| &column.ty);
        match row.get(column) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => format::value(ValueRef::from(value), ty, zone).map(Some),
        }
    }

    /// Runs expressions over the rows. The columns of the result have no names.
    ///
    /// # Errors
    /// Types that do not fit, values that a function cannot take, exceeded limits.
    pub fn select(&self, select: &Select, session: &Session, cancel: &Cancel) -> Result<Self, SqlError> {
        let mut columns: Vec<(String, Type)> =
            self.columns.iter().map(|column| (column.name.clone(), column.ty.clone())).collect();
        let mut query = parse::parse("select 1 from log")?;
        if let SetExpr::Select(body) = &mut *query.body {
            body.projection = select.exprs.iter().cloned().map(SelectItem::UnnamedExpr).collect();
            body.group_by = GroupByExpr::Expressions(select.group_by.clone().unwrap_or_default(), Vec::new());
        }
        let (schema, with_absent);
        schema = Schema::of(columns.iter().cloned());
        let mut translator = Translator::new(&schema, session);
        translator.absent = Some(Vec::new());
        let mut translated = translator.nested_statement(&query);
        let absent = translator.absent.take().unwrap_or_default();
        if !absent.is_empty() {
            columns.extend(absent.into_iter().take(ABSENT_NAMES_MAX).map(|name| (name, Type::Varchar)));
            with_absent = Schema::of(columns.iter().cloned());
            translator = Translator::new(&with_absent, session);
            translated = translator.nested_statement(&query);
        }
        let translated = translated?;
        if translator.aggregates && select.group_by.is_none() {
            return Err(SqlError::semantic(START, "aggregations are not allowed here, use stats"));
        }
        let used: Vec<usize> = translator.used.into_iter().collect();
        self.run(&translated, &columns, &used, session, cancel)
    }

    fn run(
        &self,
        translated: &Translated,
        columns: &[(String, Type)],
        used: &[usize],
        session: &Session,
        cancel: &Cancel,
    ) -> Result<Self, SqlError> {
        let db = match session.spare.take() {
            Some(db) => db,
            None => database(session, None, cancel).map_err(failed)?,
        };
        let declared: Vec<String> = used
            .iter()
            .filter_map(|&index| Some(format!("c{index} {}", affinity(&columns.get(index)?.1))))
            .collect();
        let (declared, values) = match declared.is_empty() {
            true => ("none".to_owned(), "NULL".to_owned()),
            false => (declared.join(", "), vec!["?"; used.len()].join(", ")),
        };
        db.execute_batch(&format!("BEGIN; CREATE TABLE log ({declared})")).map_err(failed)?;
        let mut insert = db.prepare(&format!("INSERT INTO log VALUES ({values})")).map_err(failed)?;
        let is_line = |index: usize| columns.get(index).is_some_and(|(name, _)| name == LINE);
        for row in &self.rows {
            for (place, &index) in used.iter().enumerate() {
                match row.get(index) {
                    Some(value) => insert.raw_bind_parameter(place + 1, value),
                    None if is_line(index) => insert.raw_bind_parameter(place + 1, self.line(row)),
                    None => insert.raw_bind_parameter(place + 1, Value::Null),
                }
                .map_err(failed)?;
            }
            insert.raw_execute().map_err(failed)?;
        }
        drop(insert);
        db.execute_batch("COMMIT").map_err(failed)?;
        let rows = rows(&db, translated)?;
        db.execute_batch("DROP TABLE log").map_err(failed)?;
        session.spare.keep(db);
        let columns = translated
            .columns
            .iter()
            .map(|column| Column { name: column.name.clone(), ty: column.ty.clone() });
        Ok(Self { columns: columns.collect(), rows })
    }
}

/// All rows of a statement.
fn rows(db: &Connection, translated: &Translated) -> Result<Vec<Vec<Value>>, SqlError> {
    let mut statement = db.prepare(&translated.sql).map_err(failed)?;
    let mut found = statement.query(()).map_err(failed)?;
    let mut rows = Vec::new();
    let mut bytes = 0u64;
    while let Some(row) = found.next().map_err(failed)? {
        let mut values = Vec::with_capacity(translated.columns.len());
        for index in 0..translated.columns.len() {
            let value: Value = row.get_ref(index).map_err(failed)?.into();
            bytes += value_bytes(&value);
            values.push(value);
        }
        if bytes > MEMORY_BYTES_MAX {
            return Err(SqlError::too_much_memory(MEMORY_BYTES_MAX));
        }
        rows.push(values);
    }
    Ok(rows)
}

impl Frame {
    /// The full text of a row. That it is fields with their names is a guess.
    fn line(&self, row: &[Value]) -> String {
        let fields = self.columns.iter().zip(row).filter(|(column, _)| !column.name.starts_with("__"));
        let texts = fields.filter_map(|(column, value)| match value {
            Value::Text(text) => Some(format!("{}: {text}", column.name)),
            _ => None,
        });
        texts.collect::<Vec<_>>().join(" ")
    }
}

/// Memory that a value takes, bytes.
pub fn value_bytes(value: &Value) -> u64 {
    let own = std::mem::size_of::<Value>() as u64;
    match value {
        Value::Text(text) => own + text.len() as u64,
        Value::Blob(bytes) => own + bytes.len() as u64,
        Value::Null | Value::Integer(_) | Value::Real(_) => own,
    }
}

/// One expression.
///
/// # Errors
/// Syntax.
pub fn parse_condition(text: &str) -> Result<Expr, SqlError> {
    parse::parse_with(text, |parser| parser.parse_expr().map_err(parse::parser_error))
}

/// Expressions with names, and keys of groups.
#[derive(Debug, Clone)]
pub struct Assignments {
    /// Names with what they stand for.
    pub assignments: Vec<(String, Expr)>,
    /// What stood behind `by`.
    pub keys: Vec<Expr>,
}

/// `a = x, b = y`, and behind a `by` the keys of groups. An expression without a name is named by
/// its text.
///
/// # Errors
/// Syntax.
pub fn parse_assignments(text: &str) -> Result<Assignments, SqlError> {
    parse::parse_with(text, read_assignments)
}

fn read_assignments(parser: &mut Parser<'_>) -> Result<Assignments, SqlError> {
    let mut assignments = Vec::new();
    loop {
        let name = assigned_name(parser)?;
        let expr = parser.parse_expr().map_err(parse::parser_error)?;
        let name = match (name, parser.parse_keyword(Keyword::AS)) {
            (Some(name), _) => name.value,
            (None, true) => parser.parse_identifier().map_err(parse::parser_error)?.value,
            (None, false) => expr.to_string(),
        };
        assignments.push((name, expr));
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    let keys = match parser.parse_keyword(Keyword::BY) {
        true => parser.parse_comma_separated(Parser::parse_expr).map_err(parse::parser_error)?,
        false => Vec::new(),
    };
    Ok(Assignments { assignments, keys })
}

/// `name =`, if the text goes on with it.
fn assigned_name(parser: &mut Parser<'_>) -> Result<Option<Ident>, SqlError> {
    let follows =
        matches!(parser.peek_token().token, Token::Word(_)) && parser.peek_nth_token(1).token == Token::Eq;
    if !follows {
        return Ok(None);
    }
    let name = parser.parse_identifier().map_err(parse::parser_error)?;
    parser.expect_token(&Token::Eq).map_err(parse::parser_error)?;
    Ok(Some(name))
}

/// `a desc, b`: expressions with their order.
///
/// # Errors
/// Syntax.
pub fn parse_terms(text: &str) -> Result<Vec<OrderByExpr>, SqlError> {
    let terms = parse::parse_with(text, |parser| {
        parser.parse_comma_separated(Parser::parse_order_by_expr).map_err(parse::parser_error)
    })?;
    match terms.is_empty() {
        true => Err(SqlError::Syntax { at: START, message: "mismatched input '<EOF>'".to_owned() }),
        false => Ok(terms),
    }
}
