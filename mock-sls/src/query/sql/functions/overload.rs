//! Which overload of a name takes the arguments of a call, and the SQLite expression that it becomes. Called by
//! the translation of statements, for the lines of [`catalog`].

use super::{LENIENT, catalog, special};
use crate::query::sql::{
    SqlError,
    error::At,
    types::{Type, Typed, quoted},
};

/// What a function works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Values of one row.
    Scalar,
    /// All rows of a group, or of a window.
    Aggregate,
    /// Only over a window.
    Window,
}

/// A parameter and the argument types that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Any,
    Boolean,
    Bigint,
    /// Also a bigint.
    Double,
    Varchar,
    /// Bytes, or a text for its UTF-8.
    Bytes,
    /// A moment, a bigint of Unix seconds, or a text of a time.
    Time,
    Array,
    Map,
    /// JSON, or a text of it.
    Json,
    /// A value that the array before can hold.
    Element,
    /// A key of the map before.
    Key,
    /// As the first argument; both are brought to one type.
    Same,
    /// A value that the first argument can be compared with.
    Comparable,
}

/// A function for arguments of some types.
pub struct Overload {
    pub name: &'static str,
    pub kind: Kind,
    pub takes: &'static [Takes],
    pub gives: fn(&[Type]) -> Type,
    /// With `$1` for the first argument; `$e1` for the letter of its [`Encoding`], `$i1` for that
    /// of its elements or map values, `$k1` for that of its map keys, `$z1` for its time zone,
    /// `$y1` for the name of its type; `$l1` is the letter of its encoding without quotes.
    ///
    /// [`Encoding`]: crate::query::sql::types::Encoding
    pub sql: &'static str,
}

/// What kind of function `name` (lower case) is, if there is one.
pub fn kind(name: &str) -> Option<Kind> {
    match special(name) {
        Some(_) => Some(Kind::Scalar),
        None => named(name).next().map(|function| function.kind),
    }
}

/// Overloads of one name stand together; the first that takes the arguments is used.
fn named(name: &str) -> impl Iterator<Item = &'static Overload> {
    catalog::ALL.iter().flat_map(|part| part.iter()).filter(move |function| function.name == name)
}

/// A call of a function of the catalog. A `lenient` one gives NULL where it would fail.
///
/// # Errors
/// No overload takes these arguments.
pub fn call(name: &str, args: &[Typed], lenient: bool, place: At) -> Result<Typed, SqlError> {
    let called = named(name).find_map(|function| {
        let (texts, types) = function.accept(args, lenient)?;
        Some(function.applied(&texts, &types, lenient))
    });
    called.ok_or_else(|| unexpected(name, args, place))
}

/// A call with DISTINCT.
///
/// # Errors
/// As [`call`], and functions that do not take each of the different values of one argument.
pub fn call_distinct(name: &str, args: &[Typed], place: At) -> Result<Typed, SqlError> {
    let (function, (texts, types)) = accepting(name, args).ok_or_else(|| unexpected(name, args, place))?;
    let texts = match texts.as_slice() {
        // It would say it twice.
        [_] if function.is_distinct() => texts,
        [_] if function.kind == Kind::Aggregate && function.takes_values_alone() => {
            keys(texts, &types).map(|key| format!("DISTINCT {key}")).collect()
        }
        _ => {
            let message = format!("DISTINCT in {name} needs an aggregate of one argument");
            return Err(SqlError::semantic(place, message));
        }
    };
    Ok(function.applied(&texts, &types, false))
}

/// What the different values of arguments are told apart by.
fn keys(texts: Vec<String>, types: &[Type]) -> impl Iterator<Item = String> {
    texts.into_iter().zip(types).map(|(text, ty)| Typed::new(ty.clone(), text).into_key())
}

/// Whether SQLite itself computes a call of these arguments.
pub fn is_builtin(name: &str, args: &[Typed]) -> bool {
    accepting(name, args).is_some_and(|(function, _)| !function.sql.starts_with("sls_"))
}

/// Whether a call of these arguments without DISTINCT can be over a window.
pub fn goes_over_windows(name: &str, args: &[Typed]) -> bool {
    accepting(name, args).is_some_and(|(function, _)| {
        function.kind != Kind::Scalar && !function.is_distinct() && !function.sql.starts_with("sls_")
    })
}

/// The overload that takes these arguments, with what it makes of them.
fn accepting(name: &str, args: &[Typed]) -> Option<(&'static Overload, Accepted)> {
    named(name).find_map(|function| Some((function, function.accept(args, false)?)))
}

/// Arguments as an overload wants them, and their types.
type Accepted = (Vec<String>, Vec<Type>);

/// The error for arguments that a function does not take.
/// Text: document "Common errors of query and analysis".
pub fn unexpected(name: &str, args: &[Typed], place: At) -> SqlError {
    let types: Vec<String> = args.iter().map(|arg| arg.ty.to_string()).collect();
    let expected: Vec<String> = named(name).map(Overload::signature).collect();
    let expected = match expected.is_empty() {
        true => String::new(),
        false => format!(". Expected: {}", expected.join(", ")),
    };
    let types = types.join(", ");
    SqlError::semantic(place, format!("Unexpected parameters ({types}) for function {name}{expected}"))
}

impl Overload {
    fn signature(&self) -> String {
        let takes: Vec<&str> = self.takes.iter().map(|takes| takes.shown()).collect();
        format!("{}({})", self.name, takes.join(", "))
    }

    /// The arguments as its parameters want them, if it takes them.
    fn accept(&self, args: &[Typed], lenient: bool) -> Option<Accepted> {
        if self.takes.len() != args.len() {
            return None;
        }
        let first = args.first().map(|arg| &arg.ty);
        let mut accepted = (Vec::with_capacity(args.len()), Vec::with_capacity(args.len()));
        let alike = if self.takes.contains(&Takes::Same) { self.alike(args) } else { None };
        for (index, (takes, arg)) in self.takes.iter().zip(args).enumerate() {
            let before = index.checked_sub(1).and_then(|index| args.get(index)).map(|arg| &arg.ty);
            let text = takes.accept(arg, first, before, lenient)?;
            let (text, ty) = match &alike {
                Some(ty) if index == 0 || *takes == Takes::Same => (arg.clone().brought_to(ty), ty),
                _ => (text, &arg.ty),
            };
            accepted.0.push(text);
            accepted.1.push(ty.clone());
        }
        Some(accepted)
    }

    /// The type of the first argument and of those that are to be as it is.
    fn alike(&self, args: &[Typed]) -> Option<Type> {
        let same = self.takes.iter().zip(args).filter(|(takes, _)| **takes == Takes::Same);
        let first = args.first().map_or(Type::Null, |first| first.ty.clone());
        same.map(|(_, arg)| &arg.ty).try_fold(first, |common, ty| common.common(ty))
    }

    fn applied(&self, texts: &[String], types: &[Type], lenient: bool) -> Typed {
        let template = match lenient && self.kind == Kind::Scalar {
            true => self.sql.replace("sls_", LENIENT),
            false => self.sql.to_owned(),
        };
        match self.is_distinct() {
            true => {
                let keys: Vec<String> = keys(texts.to_vec(), types).collect();
                Typed::new((self.gives)(types), fill(&template, &keys, types))
            }
            false => Typed::new((self.gives)(types), fill(&template, texts, types)),
        }
    }

    /// Whether it takes different values by itself.
    fn is_distinct(&self) -> bool {
        self.sql.contains("DISTINCT")
    }

    /// Whether it is a function of its one argument and nothing else, `sum($1)`.
    fn takes_values_alone(&self) -> bool {
        let name = self.sql.strip_suffix("($1)").unwrap_or_default();
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'))
    }
}

impl Takes {
    fn shown(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Boolean => "boolean",
            Self::Bigint => "bigint",
            Self::Double => "double",
            Self::Varchar => "varchar(x)",
            Self::Bytes => "varbinary",
            Self::Time => "timestamp",
            Self::Array => "array(T)",
            Self::Map => "map(K,V)",
            Self::Json => "json",
            Self::Element | Self::Same | Self::Comparable => "T",
            Self::Key => "K",
        }
    }

    /// The argument as this parameter wants it, if it takes it.
    fn accept(
        self,
        arg: &Typed,
        first: Option<&Type>,
        before: Option<&Type>,
        lenient: bool,
    ) -> Option<String> {
        let as_is = || Some(arg.sql.clone());
        let held_by = |holder: Option<&Type>| {
            holder?.common(&arg.ty).filter(|common| Some(common) == holder)?;
            holder.map(|ty| arg.clone().brought_to(ty))
        };
        match (self, &arg.ty) {
            (Self::Element, _) => match before.filter(|ty| matches!(ty, Type::Array(_))).or(first)? {
                Type::Array(element) if **element == Type::Null => as_is(),
                Type::Array(element) => held_by(Some(element)),
                _ => None,
            },
            (Self::Key, _) => match first? {
                Type::Map(key, _) => held_by(Some(key)),
                _ => None,
            },
            (Self::Same | Self::Comparable, _) => first?.common(&arg.ty).map(|_| arg.sql.clone()),
            (_, Type::Null) | (Self::Any, _) => as_is(),
            (Self::Boolean, Type::Boolean)
            | (Self::Bigint, Type::Bigint)
            | (Self::Double, Type::Double)
            | (Self::Varchar, Type::Varchar)
            | (Self::Bytes, Type::Varbinary | Type::Varchar)
            | (Self::Time, Type::Timestamp | Type::TimestampTz(_) | Type::Date)
            | (Self::Array, Type::Array(_))
            | (Self::Map, Type::Map(..))
            | (Self::Json, Type::Json | Type::Varchar | Type::Array(_) | Type::Map(..) | Type::Row(_)) => {
                as_is()
            }
            (Self::Double, Type::Bigint) => Some(arg.clone().brought_to(&Type::Double)),
            (Self::Time, Type::Bigint) => Some(format!("({} * 1000)", arg.sql)),
            (Self::Time, Type::Varchar) => {
                Some(format!("sls_cast({}, 'varchar', 'timestamp', {})", arg.sql, u8::from(lenient)))
            }
            _ => None,
        }
    }
}

/// Puts arguments and what is known of their types in place of `$1`, `$e1`, … once.
fn fill(template: &str, args: &[String], types: &[Type]) -> String {
    let mut pieces = template.split('$');
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let letter = piece.chars().next().filter(char::is_ascii_lowercase);
        let rest = piece.get(letter.map_or(0, char::len_utf8)..).unwrap_or_default();
        let number = rest.bytes().next().and_then(|digit| usize::from(digit).checked_sub(usize::from(b'1')));
        let arg = number.and_then(|number| args.get(number)).map_or("NULL", String::as_str);
        let ty = number.and_then(|number| types.get(number)).unwrap_or(&Type::Null);
        let encoding = |ty: &Type| format!("'{}'", ty.encoding().letter());
        filled.push_str(&match (letter, ty) {
            (Some('e'), ty) => encoding(ty),
            (Some('i'), Type::Array(inner) | Type::Map(_, inner)) => encoding(inner),
            (Some('k'), Type::Map(key, _)) => encoding(key),
            (Some('i' | 'k'), _) => encoding(&Type::Null),
            (Some('z'), ty) => quoted(ty.zone()),
            (Some('y'), ty) => quoted(&ty.to_string()),
            (Some('l'), ty) => ty.encoding().letter().to_string(),
            _ => arg.to_owned(),
        });
        filled.push_str(rest.get(1..).unwrap_or_default());
    }
    filled
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::query::sql::{Session, functions::register};

    #[test]
    fn arguments_are_put_in_once() {
        let types = [Type::Varchar.array(), Type::Bigint];
        let args = ["'$2'".to_owned(), "b".to_owned()];
        assert_eq!(fill("f($1, $2, $i1, $e2)", &args, &types), "f('$2', b, 't', 'n')");
    }

    #[test]
    fn overloads_of_a_name_are_of_one_kind_and_have_the_arguments_they_use() {
        for function in catalog::ALL.iter().flat_map(|part| part.iter()) {
            assert_eq!(kind(function.name), Some(function.kind), "{}", function.name);
            let used = function.sql.matches('$').count();
            assert!(used >= usize::from(!function.takes.is_empty()), "{}", function.name);
            let beyond = function.takes.len() + 1;
            assert!(!function.sql.contains(&format!("${beyond}")), "{}", function.name);
        }
    }

    /// An argument that a parameter takes; the element and key fit the array and map.
    fn sample(takes: Takes) -> Typed {
        match takes {
            Takes::Any | Takes::Same | Takes::Comparable => Typed::text("1"),
            Takes::Element | Takes::Key | Takes::Varchar => Typed::text("1"),
            Takes::Boolean => Typed::new(Type::Boolean, "1"),
            Takes::Bigint => Typed::new(Type::Bigint, "2"),
            Takes::Double => Typed::new(Type::Double, "0.5"),
            Takes::Bytes => Typed::new(Type::Varbinary, "x'41'"),
            Takes::Time => Typed::new(Type::Timestamp, "1000"),
            Takes::Array => Typed::new(Type::Varchar.array(), "'[\"1\"]'"),
            Takes::Map => Typed::new(Type::map(Type::Varchar, Type::Bigint), "'{\"1\":2}'"),
            Takes::Json => Typed::new(Type::Json, "'[1]'"),
        }
    }

    #[test]
    fn every_line_of_the_catalog_runs() {
        let db = Connection::open_in_memory().unwrap();
        let session = Session::new("store", jiff::Timestamp::UNIX_EPOCH, (0, 1), &Default::default());
        register(&db, &session, None).unwrap();
        for function in catalog::ALL.iter().flat_map(|part| part.iter()) {
            let first = function.takes.first().copied();
            let same = |takes| if takes == Takes::Same { first.unwrap_or(takes) } else { takes };
            let args: Vec<Typed> = function.takes.iter().map(|takes| sample(same(*takes))).collect();
            for lenient in [false, true] {
                let Some((texts, types)) = function.accept(&args, lenient) else {
                    panic!("{} refuses its own arguments", function.signature());
                };
                let call = function.applied(&texts, &types, lenient);
                let over = if function.kind == Kind::Window { " OVER ()" } else { "" };
                let sql = format!("SELECT {}{over}", call.sql);
                let mut statement = db.prepare(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
                // Some functions have no use for these arguments, and say so.
                let outcome = statement.query_row((), |row| row.get::<_, rusqlite::types::Value>(0));
                assert!(!lenient || function.kind != Kind::Scalar || outcome.is_ok(), "{sql}: {outcome:?}");
            }
        }
    }
}
