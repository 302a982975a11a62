//! Everything a query can be refused for, with the texts the service uses.
//!
//! Clients and people read the message, so it keeps the vendor's wording and spelling where that
//! is known (`sls-query.md` §2.1). [`crate::ops::search`] gives them status and code.

use super::{spl::SplError, sql::SqlError};

/// Why a query was refused or given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A token where the search grammar does not allow it. Columns count characters from 1.
    #[error(
        "ErrorType:QueryParseError.ErrorMessage:syntax error error position is from column:{from} to column:{to},error near < {near} >"
    )]
    Syntax {
        /// Column of the first character of the token.
        from: usize,
        /// Column after its last character.
        to: usize,
        /// The token, or `end of query`.
        near: String,
    },
    /// A `"` without its partner.
    #[error(
        "ErrorType:QueryParseError.ErrorMessage:unclosed string quote in the search, from column:{column}"
    )]
    UnclosedQuote {
        /// Column of the opening quote.
        column: usize,
    },
    /// A word begins with a wildcard.
    #[error(
        "ErrorType:QueryParseError.ErrorMessage:only support * or ? in the middle or end of the query: {word}"
    )]
    LeadingWildcard {
        /// The word.
        word: String,
    },
    /// More conditions than a search may have.
    #[error("ErrorType:QueryParseError.ErrorMessage:condition number {count} is more than {max}")]
    TooManyConditions {
        /// How many the search has.
        count: usize,
        /// How many it may have.
        max: usize,
    },
    /// Parentheses or `not` nested too deeply.
    #[error("ErrorType:QueryParseError.ErrorMessage:the search is nested more than {max} levels deep")]
    TooDeep {
        /// Levels allowed.
        max: usize,
    },
    /// `key:value` on a key without an index.
    #[error(
        "ErrorType:QueryParseError.ErrorMessage:key ({key}) is not config as key value config,if symbol : is in your log,please wrap : with quotation mark \""
    )]
    KeyNotIndexed {
        /// The key as searched.
        key: String,
    },
    /// A comparison or range on a key that is not `long` or `double`.
    #[error(
        "ErrorType:QueryParseError.ErrorMessage:key ({key}) is not config as numberic column,please set the type of the key to long or double in the index"
    )]
    NotNumeric {
        /// The key.
        key: String,
    },
    /// Text or wildcard searched in a `long` or `double` key. The wording is a guess.
    #[error(
        "ErrorType:QueryParseError.ErrorMessage:key ({key}) is config as numberic column,{value} is not a number; wildcards and words need a key of type text"
    )]
    NotANumber {
        /// The key.
        key: String,
        /// What was searched.
        value: String,
    },
    /// A phrase where phrases are not allowed. The wording is a guess.
    #[error("ErrorType:QueryParseError.ErrorMessage:phrase search does not support {what}")]
    PhraseMisused {
        /// What it was combined with.
        what: &'static str,
    },
    /// Text after `|` that is neither SQL nor a known command.
    #[error(
        "ErrorType:QueryParseError.ErrorMessage:syntax error,invalid pipe line operator near < {near} >: parse fail, please check your query,if it has (SELECT)"
    )]
    StrayPipe {
        /// First word after the pipe.
        near: String,
    },
    /// What follows the pipe cannot stand there in this operation.
    #[error(
        "ErrorType:QueryParseError.ErrorMessage:{what} is not supported when logs are consumed; use commands like | where"
    )]
    NotForConsumers {
        /// What follows.
        what: String,
    },
    /// The pipeline was refused.
    #[error(transparent)]
    Pipeline(SplError),
    /// SQL without a search in front.
    #[error(
        "ErrorType:OLSQueryParseError.ErrorMessage:sql query must follow search query,please read syntex doc"
    )]
    SqlWithoutSearch,
    /// SQL in an operation that counts logs only.
    #[error(
        "ErrorType:OLSQueryParseError.ErrorMessage:{operation} takes the search part only, remove the text after |"
    )]
    SqlNotAllowed {
        /// The operation.
        operation: &'static str,
    },
    /// `offset` together with SQL.
    #[error(
        "ErrorType:OLSQueryParseError.ErrorMessage:offset is not available for pagination in sql query, please use limit x,y syntax for pagination."
    )]
    OffsetWithSql,
    /// The SQL part was refused.
    #[error(transparent)]
    Sql(SqlError),
    /// The Logstore has no index. Source: JavaSDK AbnormalOperationTest.
    #[error("logstore without index config")]
    IndexMissing,
    /// `__pack_id__` and `__pack_meta__` lead to no log. Source: document "GetContextLogs".
    #[error("Invalid pack meta/id.")]
    PackInvalid,
    /// A number of logs of context that cannot be. The wording is a guess.
    #[error("back_lines and forward_lines must be 0 to {max}, and not both 0")]
    ContextLines {
        /// Logs allowed on either side.
        max: u64,
    },
    /// SQL over a project that names no Logstore. The wording is a guess.
    #[error("the statement names no Logstore: select ... from LOGSTORE where __time__ > ...")]
    NoLogstore,
    /// `from` is not before `to`.
    #[error("The time range is invalid: from {from} must be less than to {to}.")]
    TimeRange {
        /// Start, Unix seconds.
        from: i64,
        /// End, Unix seconds.
        to: i64,
    },
    /// A time that is not a positive number of seconds. Source: JavaSDK AbnormalOperationTest.
    #[error("The parameter {name} must be a positive integer")]
    NotPositive {
        /// `from` or `to`.
        name: &'static str,
    },
    /// A negative `line` or `offset`. Source: JavaSDK AbnormalOperationTest.
    #[error("limit expression is required")]
    NegativePage,
    /// Paging beyond what the service allows.
    #[error("reading data with pagination only allow reading max {max}")]
    PageTooFar {
        /// Rows reachable by paging.
        max: u64,
    },
    /// A histogram of too many intervals.
    #[error(
        "interval {interval} makes {count} histograms of this time range, at most {max} are allowed; use a larger interval or a shorter range"
    )]
    TooManyBuckets {
        /// Asked interval, seconds.
        interval: i64,
        /// Buckets it would make.
        count: i64,
        /// Buckets allowed.
        max: i64,
    },
    /// Nobody waits for the answer any more.
    #[error("the query was given up: its client went away or its time was over")]
    Cancelled,
    /// The logs could not be read.
    #[error("the logs of the logstore could not be read: {0}")]
    Source(String),
}

impl From<SqlError> for QueryError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Cancelled => Self::Cancelled,
            refused => Self::Sql(refused),
        }
    }
}

impl From<SplError> for QueryError {
    fn from(error: SplError) -> Self {
        match error {
            SplError::Expression { error: SqlError::Cancelled, .. } => Self::Cancelled,
            refused => Self::Pipeline(refused),
        }
    }
}
