//! From the syntax tree to one SQLite statement: names are looked up, types checked, functions
//! replaced. What SLS refuses is refused here, with its texts; SQLite only sees what it can run.
//!
//! [`query`] and [`select`] translate queries, [`grouping`] what they are grouped by, [`from`] and
//! [`unnest`] what they read; [`expr`], [`operator`], [`container`] and [`cast`]
//! expressions, [`call`] and
//! [`lambda`] function calls; [`compare`] the functions that read an earlier time and [`series`]
//! the one that fills gaps in time.

mod call;
mod cast;
mod compare;
mod container;
mod expr;
mod from;
mod grouping;
mod lambda;
mod operator;
mod query;
mod select;
mod series;
mod unnest;
mod weights;

use std::collections::BTreeSet;

use weights::Weights;

use sqlparser::ast::{Expr, Query};

use super::{
    Session, SqlError,
    parse::START,
    schema::Schema,
    scope::{Relation, Scope},
    types::{Type, Typed},
};

/// Levels of nested expressions and subqueries. Guess: protects the stack.
const NESTING_MAX: usize = 60;

/// Expressions and queries that one statement is translated of. Some are translated more than once, subqueries
/// on each level, so a short statement can ask for very many. Own choice: about a second in a development
/// build, and far more than statements of the largest length without such levels need.
const EXPRESSIONS_MAX: usize = 200_000;

/// How far `compare` goes back with what is around it, and the longest window of `time_series`, seconds: a hundred
/// years. Own choice: no sum of moments and spans overflows.
const SPAN_SECONDS_MAX: i64 = 100 * 366 * 86_400;

/// A statement for SQLite.
#[derive(Debug, Clone)]
pub struct Translated {
    /// The statement.
    pub sql: String,
    /// Its columns, in order.
    pub columns: Vec<OutColumn>,
}

/// A column of a result.
#[derive(Debug, Clone)]
pub struct OutColumn {
    /// Name: the alias, or the column's own, or `_col0`.
    pub name: String,
    /// Type.
    pub ty: Type,
}

/// Translates statements over one table `log`.
pub struct Translator<'s> {
    schema: &'s Schema,
    session: &'s Session,
    /// Columns of `log` that the statement uses.
    pub used: BTreeSet<usize>,
    /// Queries of `with`, innermost last.
    with: Vec<Relation>,
    relations: usize,
    /// How many seconds earlier the logs are that `log` stands for at this place.
    shift: i64,
    /// All such numbers, 0 among them unless only earlier logs are used.
    pub shifts: BTreeSet<i64>,
    /// Positions of the session's tables that the statement reads.
    pub external: BTreeSet<usize>,
    depth: usize,
    /// Expressions and queries that were translated.
    expressions: usize,
    /// Takes the names that are no columns, which are texts for the time being; without it they are errors.
    pub absent: Option<Vec<String>>,
    saw_aggregate: bool,
    /// Whether there was an aggregate anywhere.
    pub aggregates: bool,
    /// Inside of `try`, where what fails gives NULL.
    lenient: bool,
    /// Parameters of the lambdas around this place, innermost last.
    parameters: Vec<lambda::Parameter>,
    /// Keys of other grouping sets, which are NULL in this one.
    absent_keys: Vec<String>,
    /// Where in a SELECT this place is, for errors.
    clause: Clause,
    weights: Weights,
}

/// Where aggregates are not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Clause {
    /// They are.
    Select,
    /// WHERE, GROUP BY or JOIN.
    Named(&'static str),
    /// The argument of another aggregate.
    Aggregate(String),
}

/// What an expression may use.
#[derive(Clone, Copy)]
struct Context<'c> {
    scope: &'c Scope<'c>,
    mode: Mode<'c>,
    /// Select items that can be used by name, in GROUP BY, HAVING and ORDER BY.
    aliases: &'c [Alias<'c>],
    /// Whether such a name goes before a column of the same name.
    aliases_first: bool,
}

/// Whether an expression sees rows or groups.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode<'c> {
    /// Rows; aggregates are refused.
    Rows,
    /// Rows or groups, to see which it is.
    Either,
    /// Groups, made by these expressions.
    Groups(&'c [Typed]),
}

/// A named item of a select list.
#[derive(Clone, Copy)]
struct Alias<'a> {
    name: &'a str,
    expr: &'a Expr,
}

impl<'c> Context<'c> {
    fn rows(scope: &'c Scope<'c>) -> Self {
        Self { scope, mode: Mode::Rows, aliases: &[], aliases_first: false }
    }

    fn with_mode(self, mode: Mode<'c>) -> Self {
        Self { mode, ..self }
    }
}

impl<'s> Translator<'s> {
    /// A translator for the table of `schema`.
    pub fn new(schema: &'s Schema, session: &'s Session) -> Self {
        Self {
            schema,
            session,
            used: BTreeSet::new(),
            with: Vec::new(),
            relations: 0,
            shift: 0,
            shifts: BTreeSet::new(),
            external: BTreeSet::new(),
            depth: 0,
            expressions: 0,
            absent: None,
            saw_aggregate: false,
            aggregates: false,
            lenient: false,
            parameters: Vec::new(),
            absent_keys: Vec::new(),
            clause: Clause::Select,
            weights: Weights::default(),
        }
    }

    /// As [`Self::new`], for a table of rows with weights, see [`Self::takes_weights`].
    pub fn with_weights(schema: &'s Schema, session: &'s Session) -> Self {
        Self { weights: Weights::used(), ..Self::new(schema, session) }
    }

    /// Runs `f` in a clause of a SELECT.
    fn within<T>(&mut self, clause: Clause, f: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.clause, clause);
        let result = f(self);
        self.clause = before;
        result
    }

    /// Translates a whole statement.
    pub fn statement(&mut self, query: &Query) -> Result<Translated, SqlError> {
        self.query(query, None, true)
    }

    /// Translates a statement without the limit of rows that an answer has.
    pub fn nested_statement(&mut self, query: &Query) -> Result<Translated, SqlError> {
        self.query(query, None, false)
    }

    fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, SqlError>) -> Result<T, SqlError> {
        if self.depth >= NESTING_MAX {
            return Err(SqlError::semantic(
                START,
                format!("the statement is nested more than {NESTING_MAX} levels deep"),
            ));
        }
        if self.expressions >= EXPRESSIONS_MAX {
            return Err(SqlError::semantic(
                START,
                format!("the statement makes more than {EXPRESSIONS_MAX} expressions; nest fewer subqueries"),
            ));
        }
        self.expressions += 1;
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }

    /// The table of the logs of this place.
    fn log_source(&mut self) -> String {
        self.weights.tables += 1;
        self.weights.tables_here += 1;
        self.shifts.insert(self.shift);
        table_name(self.shift)
    }

    fn new_relation(&mut self) -> String {
        self.relations += 1;
        format!("t{}", self.relations)
    }
}

/// The table of the logs of `shift` seconds earlier.
pub fn table_name(shift: i64) -> String {
    match shift {
        0 => "log".to_owned(),
        earlier => format!("log_{earlier}"),
    }
}

/// The table at a position of the session's.
pub fn external_name(position: usize) -> String {
    format!("external_{position}")
}

fn unsupported(what: &str) -> SqlError {
    SqlError::Unsupported(what.to_owned())
}
