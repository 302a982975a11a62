//! What SQL is refused for. Texts: `sls-query.md` §2.1, else those of Presto (general knowledge).

use std::fmt;

/// A place in the SQL text, from 1; 0 when unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct At {
    /// Line.
    pub line: u64,
    /// Column, in characters.
    pub column: u64,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why SQL was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// The text is no SQL.
    #[error("ErrorType:SyntaxError.ErrorPosition,line:{},column:{}.ErrorMessage:line {at}: {message}", at.line, at.column)]
    Syntax {
        /// Where.
        at: At,
        /// What is wrong.
        message: String,
    },
    /// A name that is no column. The hint is for those who wrote a string in double quotes.
    /// Texts: document "Common errors of query and analysis".
    #[error("ErrorType:ColumnNotExists.ErrorPosition,line:0,column:1.ErrorMessage:line {at}: Column '{name}' cannot be resolved{}", quotes_hint(*quoted, name))]
    ColumnNotExists {
        /// Where.
        at: At,
        /// The name.
        name: String,
        /// Whether it was in double quotes.
        quoted: bool,
    },
    /// A column beside aggregates.
    #[error(
        "ErrorType:KeyNotExists.ErrorPosition,line:0,column:1.ErrorMessage:line {at}: Column '{name}' not in GROUP BY clause;please add the column in the index attribute"
    )]
    NotInGroupBy {
        /// Where.
        at: At,
        /// The column.
        name: String,
    },
    /// FROM names neither the logs nor a table. Text: document "SQL error center".
    #[error("ErrorType:SemanticError.ErrorPosition,line:{},column:{}.ErrorMessage:line {at}: logstore {name} does not exist", at.line, at.column)]
    TableNotFound {
        /// Where.
        at: At,
        /// The name.
        name: String,
    },
    /// No such function.
    #[error(
        "ErrorType:FunctionNotExists.ErrorPosition,line:0,column:1.ErrorMessage:line {at}: Function {name} not registered"
    )]
    FunctionNotRegistered {
        /// Where.
        at: At,
        /// The function.
        name: String,
    },
    /// Types or clauses that do not fit together.
    #[error("ErrorType:SemanticError.ErrorPosition,line:{},column:{}.ErrorMessage:line {at}: {message}", at.line, at.column)]
    Semantic {
        /// Where.
        at: At,
        /// What does not fit.
        message: String,
    },
    /// A subquery without FROM.
    #[error("you are using nested sql, please specify FROM LOGSTORE in the innermost sql")]
    NestedWithoutFrom,
    /// A construct that the service may know and this emulator does not.
    #[error("{0} is not supported by this emulator yet")]
    Unsupported(String),
    /// A value that a function cannot take, found while running.
    #[error("ErrorType:ExecutionError.ErrorMessage:{0}")]
    Execution(String),
    /// More rows than an answer may have. Spelling: the vendor's.
    #[error("output rows execeed {max} rows, please refine your sql")]
    TooManyRows {
        /// Rows allowed.
        max: u64,
    },
    /// More aggregates of distinct values than a statement may have.
    #[error("max distinct num is:{max}, please use approx_distinct")]
    TooManyDistinct {
        /// Aggregates allowed.
        max: usize,
    },
    /// Paging beyond what is allowed.
    #[error("reading data with pagination only allow reading max {max}")]
    PageTooFar {
        /// Rows reachable by paging.
        max: u64,
    },
    /// The found logs or the answer do not fit.
    #[error("the query needs more than {limit} of {what}, narrow the time range or the search")]
    TooLarge {
        /// The limit with its unit.
        limit: String,
        /// Of what.
        what: &'static str,
    },
    /// Nobody waits for the answer any more.
    #[error("the query was given up")]
    Cancelled,
}

fn quotes_hint(quoted: bool, name: &str) -> String {
    match quoted {
        true => format!(
            "; it seems {name} is wrapper by \";if {name} is a string ,not a key field, please use '{name}'"
        ),
        false => ";please add the column in the index attribute".to_owned(),
    }
}

impl SqlError {
    /// More than so many bytes of memory are needed.
    pub fn too_much_memory(limit_bytes: u64) -> Self {
        Self::TooLarge { limit: format!("{} MiB", limit_bytes >> 20), what: "memory" }
    }

    /// Where in the SQL text it is, as far as that is known.
    pub fn at(&self) -> Option<At> {
        match self {
            Self::Syntax { at, .. }
            | Self::ColumnNotExists { at, .. }
            | Self::NotInGroupBy { at, .. }
            | Self::TableNotFound { at, .. }
            | Self::FunctionNotRegistered { at, .. }
            | Self::Semantic { at, .. } => Some(*at).filter(|at| at.line > 0 && at.column > 0),
            _ => None,
        }
    }

    /// A [`Self::Semantic`] error without a place.
    pub fn semantic_here(message: String) -> Self {
        Self::Semantic { at: At { line: 1, column: 1 }, message }
    }

    /// A [`Self::Semantic`] error.
    pub fn semantic(at: At, message: impl Into<String>) -> Self {
        Self::Semantic { at, message: message.into() }
    }
}
