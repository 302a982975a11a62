//! Casts, and types as they are written.

use sqlparser::ast::{ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo};

use super::{Translator, unsupported};
use crate::query::sql::{
    SqlError,
    error::At,
    functions::{LENIENT, castable},
    types::{Type, Typed, quoted},
};

impl Translator<'_> {
    /// `cast` and, with `lenient`, `try_cast`, which gives NULL where the other fails.
    pub(super) fn cast(
        &self,
        value: Typed,
        target: &DataType,
        lenient: bool,
        place: At,
    ) -> Result<Typed, SqlError> {
        let lenient = lenient || self.lenient;
        let ty = written(target)?;
        if !castable(&value.ty, &ty) {
            return Err(SqlError::semantic(place, format!("Cannot cast {} to {ty}", value.ty)));
        }
        let sql = match (&value.ty, &ty) {
            (from, to) if from == to => value.sql,
            (Type::Null, _) => value.sql,
            (Type::Bigint, Type::Double) => format!("CAST({} AS REAL)", value.sql),
            (Type::Bigint, Type::Varchar) => format!("CAST({} AS TEXT)", value.sql),
            (from, to) => {
                let (from, to) = (quoted(&from.to_string()), quoted(&to.to_string()));
                format!("sls_cast({}, {from}, {to}, {})", value.sql, u8::from(lenient))
            }
        };
        let sql = match target {
            DataType::Varchar(Some(CharacterLength::IntegerLength { length, .. }))
            | DataType::Char(Some(CharacterLength::IntegerLength { length, .. })) => {
                format!("substr({sql}, 1, {length})")
            }
            // There are no decimals here: a double rounded to as many digits has the same value.
            DataType::Decimal(info) | DataType::Numeric(info) => match info {
                ExactNumberInfo::PrecisionAndScale(_, scale) => format!("sls_round_to({sql}, {scale})"),
                ExactNumberInfo::None | ExactNumberInfo::Precision(_) => format!("sls_round({sql})"),
            },
            _ => sql,
        };
        Ok(Typed::new(ty, sql))
    }

    /// The name of one of our functions, or of its lenient form inside of `try`.
    pub(super) fn ours(&self, name: &str) -> String {
        match self.lenient {
            true => name.replacen("sls_", LENIENT, 1),
            false => name.to_owned(),
        }
    }
}

/// A type that was written.
fn written(target: &DataType) -> Result<Type, SqlError> {
    use DataType as D;
    Ok(match target {
        D::BigInt(_) | D::Int(_) | D::Integer(_) | D::SmallInt(_) | D::TinyInt(_) => Type::Bigint,
        D::Double(_) | D::DoublePrecision | D::Real | D::Float(_) | D::Decimal(_) | D::Numeric(_) => {
            Type::Double
        }
        D::Varchar(_) | D::Char(_) | D::Text | D::String(_) => Type::Varchar,
        D::Varbinary(_) => Type::Varbinary,
        D::Boolean | D::Bool => Type::Boolean,
        D::Timestamp(_, zone) if zone.to_string().eq_ignore_ascii_case(" with time zone") => {
            Type::TimestampTz(String::new())
        }
        D::Timestamp(..) => Type::Timestamp,
        D::Date => Type::Date,
        D::JSON => Type::Json,
        D::Array(ArrayElemTypeDef::AngleBracket(element)) => written(element)?.array(),
        D::Map(key, value) => Type::map(written(key)?, written(value)?),
        D::Tuple(fields) => {
            let fields = fields.iter().map(|field| {
                Ok((field.field_name.as_ref().map(|name| name.value.clone()), written(&field.field_type)?))
            });
            Type::Row(fields.collect::<Result<_, SqlError>>()?)
        }
        other => return Err(unsupported(&format!("CAST to {other}"))),
    })
}
