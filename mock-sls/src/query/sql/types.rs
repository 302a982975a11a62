//! Static types of SQL expressions, and how each is kept in SQLite.
//!
//! Arrays, maps and rows are kept as JSON text; what a JSON value in them means is known from the
//! static type, see [`Encoding`].

use std::fmt;

/// Levels of types in types. Own choice: protects the stack, far above what anybody writes.
pub const TYPE_LEVELS_MAX: usize = 20;

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
    /// Bytes; kept as BLOB.
    Varbinary,
    /// A moment; kept as INTEGER, milliseconds since 1970 in UTC.
    Timestamp,
    /// A moment that is shown with its time zone; kept as a [`Self::Timestamp`]. Empty for the
    /// zone of the session.
    TimestampTz(String),
    /// A day; kept as the [`Self::Timestamp`] of its start in the session's zone.
    Date,
    /// A span of time; kept as INTEGER, milliseconds.
    Interval,
    /// Values of one type; kept as TEXT, a JSON array.
    Array(Box<Type>),
    /// Values by keys; kept as TEXT, a JSON object.
    Map(Box<Type>, Box<Type>),
    /// Values of different types, some with names; kept as TEXT, a JSON array.
    Row(Vec<(Option<String>, Type)>),
    /// A JSON document; kept as TEXT.
    Json,
}

/// How a value of a type stands in the JSON of an array, map or row. Its letter is handed to our
/// functions in SQLite, which do not know types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `true` and `false`.
    Boolean,
    /// A whole number.
    Whole,
    /// A number with a fraction.
    Decimal,
    /// A string.
    Text,
    /// Any JSON value: its text is the value outside.
    Json,
    /// A string in base64.
    Bytes,
}

impl Encoding {
    /// The letter that stands for it.
    pub fn letter(self) -> char {
        match self {
            Self::Boolean => 'b',
            Self::Whole => 'n',
            Self::Decimal => 'd',
            Self::Text => 't',
            Self::Json => 'j',
            Self::Bytes => 'x',
        }
    }

    /// The encoding of a letter; any other than ours is text.
    pub fn of_letter(letter: &str) -> Self {
        match letter {
            "b" => Self::Boolean,
            "n" => Self::Whole,
            "d" => Self::Decimal,
            "j" => Self::Json,
            "x" => Self::Bytes,
            _ => Self::Text,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("unknown"),
            Self::Boolean => f.write_str("boolean"),
            Self::Bigint => f.write_str("bigint"),
            Self::Double => f.write_str("double"),
            Self::Varchar => f.write_str("varchar"),
            Self::Varbinary => f.write_str("varbinary"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::TimestampTz(_) => f.write_str("timestamp with time zone"),
            Self::Date => f.write_str("date"),
            Self::Interval => f.write_str("interval day to second"),
            Self::Array(element) => write!(f, "array({element})"),
            Self::Map(key, value) => write!(f, "map({key}, {value})"),
            Self::Row(fields) => {
                f.write_str("row(")?;
                for (index, (name, ty)) in fields.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    match name {
                        Some(name) if is_plain(name) => write!(f, "{name} {ty}")?,
                        Some(name) => write!(f, "\"{}\" {ty}", name.replace('"', "\"\""))?,
                        None => write!(f, "{ty}")?,
                    }
                }
                f.write_str(")")
            }
            Self::Json => f.write_str("json"),
        }
    }
}

/// Whether a name needs no quotes.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

impl Type {
    /// An array of this type.
    pub fn array(self) -> Self {
        Self::Array(Box::new(self))
    }

    /// A map to this type.
    pub fn map(key: Self, value: Self) -> Self {
        Self::Map(Box::new(key), Box::new(value))
    }

    /// How many levels of types it has.
    pub fn levels(&self) -> usize {
        match self {
            Self::Array(element) => 1 + element.levels(),
            Self::Map(key, value) => 1 + key.levels().max(value.levels()),
            Self::Row(fields) => 1 + fields.iter().map(|(_, ty)| ty.levels()).max().unwrap_or_default(),
            _ => 1,
        }
    }

    /// Whether it is a number, or `NULL`.
    pub fn is_numeric(&self) -> bool {
        matches!(self, Self::Bigint | Self::Double | Self::Null)
    }

    /// Whether it can be a condition.
    pub fn is_condition(&self) -> bool {
        matches!(self, Self::Boolean | Self::Null)
    }

    /// Whether it is a moment.
    pub fn is_time(&self) -> bool {
        matches!(self, Self::Timestamp | Self::TimestampTz(_) | Self::Date)
    }

    /// The zone in which its parts are taken; empty for that of the session.
    pub fn zone(&self) -> &str {
        match self {
            Self::TimestampTz(zone) => zone,
            _ => "",
        }
    }

    /// How it stands in the JSON of an array.
    pub fn encoding(&self) -> Encoding {
        match self {
            Self::Boolean => Encoding::Boolean,
            Self::Double => Encoding::Decimal,
            Self::Varchar | Self::Null => Encoding::Text,
            Self::Varbinary => Encoding::Bytes,
            Self::Bigint | Self::Timestamp | Self::TimestampTz(_) | Self::Date | Self::Interval => {
                Encoding::Whole
            }
            Self::Array(_) | Self::Map(..) | Self::Row(_) | Self::Json => Encoding::Json,
        }
    }

    /// Whether it has whole numbers where `other`, of the same form, has numbers with a fraction.
    fn holds_narrower(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bigint, Self::Double) => true,
            (Self::Array(one), Self::Array(two)) => one.holds_narrower(two),
            (Self::Map(key, value), Self::Map(other_key, other_value)) => {
                key.holds_narrower(other_key) || value.holds_narrower(other_value)
            }
            (Self::Row(one), Self::Row(two)) => {
                one.iter().zip(two).any(|((_, one), (_, two))| one.holds_narrower(two))
            }
            _ => false,
        }
    }

    /// Whether its values hold others, so that their texts have another order than they.
    pub fn is_container(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Map(..) | Self::Row(_))
    }

    /// Whether there are maps in it: their entries stand in any order, so that equal ones have many texts.
    pub fn has_maps(&self) -> bool {
        match self {
            Self::Map(..) => true,
            Self::Array(element) => element.has_maps(),
            Self::Row(fields) => fields.iter().any(|(_, ty)| ty.has_maps()),
            _ => false,
        }
    }

    /// The type that holds values of both, if there is one.
    pub fn common(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (same, as_this) if same == as_this => Some(same.clone()),
            (Self::Null, other) | (other, Self::Null) => Some(other.clone()),
            (Self::Bigint, Self::Double) | (Self::Double, Self::Bigint) => Some(Self::Double),
            (Self::Date, time @ (Self::Timestamp | Self::TimestampTz(_)))
            | (time @ (Self::Timestamp | Self::TimestampTz(_)), Self::Date)
            | (Self::Timestamp, time @ Self::TimestampTz(_))
            | (time @ Self::TimestampTz(_), Self::Timestamp | Self::TimestampTz(_)) => Some(time.clone()),
            (Self::Array(one), Self::Array(two)) => Some(one.common(two)?.array()),
            (Self::Map(key, value), Self::Map(other_key, other_value)) => {
                Some(Self::map(key.common(other_key)?, value.common(other_value)?))
            }
            (Self::Row(one), Self::Row(two)) if one.len() == two.len() => {
                let fields = one.iter().zip(two);
                let fields = fields.map(|((name, one), (_, two))| Some((name.clone(), one.common(two)?)));
                Some(Self::Row(fields.collect::<Option<_>>()?))
            }
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

    /// The text of a text literal; nothing for other expressions.
    pub fn literal_text(&self) -> Option<String> {
        let inner = self.sql.strip_prefix('\'')?.strip_suffix('\'')?;
        let text = inner.replace("''", "");
        (self.ty == Type::Varchar && !text.contains('\'')).then(|| inner.replace("''", "'"))
    }

    /// Brought to `ty`, one that [`Type::common`] gives.
    pub fn brought_to(self, ty: &Type) -> String {
        match (&self.ty, ty) {
            (Type::Bigint, Type::Double) => format!("CAST({} AS REAL)", self.sql),
            (from, to) if from.holds_narrower(to) => {
                format!("sls_widen({}, {})", self.sql, quoted(&to.to_string()))
            }
            _ => self.sql,
        }
    }

    /// Brought to `ty`, one that [`Type::common`] gives, so that SQLite finds equal what is equal.
    pub fn comparable_as(self, ty: &Type) -> String {
        match ty {
            ty if ty.has_maps() => format!("sls_identity({})", self.brought_to(ty)),
            Type::Array(_) | Type::Row(_) => self.brought_to(ty),
            // SQLite compares numbers of both types.
            _ => self.sql,
        }
    }

    /// What groups and different values are told apart by. It is the value itself, in its only text.
    pub fn into_key(self) -> String {
        let ty = self.ty.clone();
        self.comparable_as(&ty)
    }
}

/// `text` as an SQLite literal. SQLite reads SQL up to the first NUL, so that one is left out.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}
