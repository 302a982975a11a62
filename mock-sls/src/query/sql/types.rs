//! Static types of SQL expressions, and how each is kept in SQLite.

use std::fmt;

/// Type of an expression, known before anything runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Of `NULL` alone; fits every other type.
    Null,
    /// Kept as 0 or 1.
    Boolean,
    /// Kept as INTEGER.
    Bigint,
    /// Kept as REAL.
    Double,
    /// Kept as TEXT.
    Varchar,
    /// A moment; kept as INTEGER, milliseconds since 1970 in UTC.
    Timestamp,
    /// Values of one type; kept as TEXT, a JSON array.
    Array(Box<Type>),
    /// A JSON document; kept as TEXT.
    Json,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("unknown"),
            Self::Boolean => f.write_str("boolean"),
            Self::Bigint => f.write_str("bigint"),
            Self::Double => f.write_str("double"),
            Self::Varchar => f.write_str("varchar"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Array(element) => write!(f, "array({element})"),
            Self::Json => f.write_str("json"),
        }
    }
}

impl Type {
    /// Whether it is a number, or `NULL`.
    pub fn is_numeric(&self) -> bool {
        matches!(self, Self::Bigint | Self::Double | Self::Null)
    }

    /// Whether it can be a condition.
    pub fn is_condition(&self) -> bool {
        matches!(self, Self::Boolean | Self::Null)
    }

    /// The type that holds values of both, if there is one.
    pub fn common(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (same, as_this) if same == as_this => Some(same.clone()),
            (Self::Null, other) | (other, Self::Null) => Some(other.clone()),
            (Self::Bigint, Self::Double) | (Self::Double, Self::Bigint) => Some(Self::Double),
            (Self::Array(one), Self::Array(two)) => Some(Self::Array(Box::new(one.common(two)?))),
            _ => None,
        }
    }
}

/// A piece of SQLite SQL and the type of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// An expression that can stand anywhere: a name, a literal, a call, or in parentheses.
    pub sql: String,
    /// Its type.
    pub ty: Type,
}

impl Typed {
    /// An expression of the given type.
    pub fn new(ty: Type, sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), ty }
    }

    /// A text literal.
    pub fn text(text: &str) -> Self {
        Self::new(Type::Varchar, quoted(text))
    }
}

/// `text` as an SQLite literal. SQLite reads SQL up to the first NUL, so that one is left out.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}
