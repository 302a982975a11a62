//! All functions with their overloads, by subject.

mod aggregate;
mod containers;
mod numbers;
mod others;
mod texts;
mod times;

use super::overload::{Kind, Overload, Takes};
use crate::query::sql::types::Type;

/// Every overload.
pub static ALL: &[&[Overload]] = &[
    aggregate::FUNCTIONS,
    texts::FUNCTIONS,
    numbers::FUNCTIONS,
    times::FUNCTIONS,
    containers::FUNCTIONS,
    others::FUNCTIONS,
];

const fn f(
    kind: Kind,
    name: &'static str,
    takes: &'static [Takes],
    gives: fn(&[Type]) -> Type,
    sql: &'static str,
) -> Overload {
    Overload { name, kind, takes, gives, sql }
}

/// What functions give, from the types of their arguments.
mod gives {
    use super::Type;

    pub fn boolean(_: &[Type]) -> Type {
        Type::Boolean
    }

    pub fn bigint(_: &[Type]) -> Type {
        Type::Bigint
    }

    pub fn double(_: &[Type]) -> Type {
        Type::Double
    }

    pub fn varchar(_: &[Type]) -> Type {
        Type::Varchar
    }

    pub fn varbinary(_: &[Type]) -> Type {
        Type::Varbinary
    }

    pub fn json(_: &[Type]) -> Type {
        Type::Json
    }

    pub fn date(_: &[Type]) -> Type {
        Type::Date
    }

    pub fn timestamp(_: &[Type]) -> Type {
        Type::Timestamp
    }

    pub fn varchars(_: &[Type]) -> Type {
        Type::Varchar.array()
    }

    pub fn first(types: &[Type]) -> Type {
        types.first().cloned().unwrap_or(Type::Null)
    }

    pub fn second(types: &[Type]) -> Type {
        first(types.get(1..).unwrap_or_default())
    }

    /// An array of the first argument's type.
    pub fn firsts(types: &[Type]) -> Type {
        first(types).array()
    }

    /// The type of an array's elements.
    pub fn element(types: &[Type]) -> Type {
        match types.first() {
            Some(Type::Array(element)) => (**element).clone(),
            _ => Type::Null,
        }
    }

    pub fn key(types: &[Type]) -> Type {
        match types.first() {
            Some(Type::Map(key, _)) => (**key).clone(),
            _ => Type::Null,
        }
    }

    pub fn value(types: &[Type]) -> Type {
        match types.first() {
            Some(Type::Map(_, value)) => (**value).clone(),
            _ => Type::Null,
        }
    }

    /// A moment of the type of the last argument, which may also be seconds or a text.
    pub fn moment(types: &[Type]) -> Type {
        match types.last() {
            Some(time) if time.is_time() => time.clone(),
            _ => Type::Timestamp,
        }
    }
}
