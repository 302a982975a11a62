//! What a type looks like on the wire, as a JSON Schema, found out from its `Deserialize`: the
//! type is asked to read from a [`Probe`], which notes what it asks for and answers nothing.
//!
//! So wire types need no second derive and no dependency, and a schema cannot say anything else
//! than what is read. What it does not tell: descriptions, and which fields are required.
//! Called by [`super::WireBody::shape`], for the API description that the emulator serves.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};

/// What a body is.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// There is none.
    Nothing,
    /// JSON with this schema.
    Json(Value),
    /// Bytes of this content type.
    Bytes(&'static str),
}

/// Levels of nesting that are described; types that hold themselves would have no end.
const DEPTH_MAX: usize = 8;

/// The JSON Schema of a type.
#[must_use]
pub fn schema<T: DeserializeOwned>() -> Value {
    describe::<T>(&mut Vec::new())
}

/// Names of the fields of a struct; none for other types.
#[must_use]
pub fn fields<T: DeserializeOwned>() -> &'static [&'static str] {
    match look::<T>(&[]) {
        Found::Struct(fields) => fields,
        _ => &[],
    }
}

/// A way into a type.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// To the field of this number.
    Field(usize),
    /// To the elements of a list, or to the values of a map.
    Inside,
}

/// What a type asks for.
#[derive(Debug, Clone)]
enum Found {
    Struct(&'static [&'static str]),
    List,
    Map,
    Other(Value),
}

fn describe<T: DeserializeOwned>(way: &mut Vec<Step>) -> Value {
    if way.len() > DEPTH_MAX {
        return json!({});
    }
    let found = look::<T>(way);
    let mut inside = |step| {
        way.push(step);
        let schema = describe::<T>(way);
        way.pop();
        schema
    };
    match found {
        Found::Other(schema) => schema,
        Found::List => json!({ "type": "array", "items": inside(Step::Inside) }),
        Found::Map => json!({ "type": "object", "additionalProperties": inside(Step::Inside) }),
        Found::Struct(fields) => {
            let mut properties = serde_json::Map::new();
            for (number, field) in fields.iter().enumerate() {
                properties.insert((*field).to_owned(), inside(Step::Field(number)));
            }
            json!({ "type": "object", "properties": properties })
        }
    }
}

/// What the type asks for at the end of a way.
fn look<T: DeserializeOwned>(way: &[Step]) -> Found {
    let found = RefCell::new(None);
    // Always an error: the probe has no values to give.
    let _ = T::deserialize(Probe { way, found: &found });
    found.into_inner().unwrap_or(Found::Other(json!({})))
}

/// Notes what it is asked for at the end of its way.
#[derive(Clone, Copy)]
struct Probe<'a> {
    way: &'a [Step],
    found: &'a RefCell<Option<Found>>,
}

/// The end of every look.
#[derive(Debug)]
struct Stop;

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a probe has no values")
    }
}
impl std::error::Error for Stop {}
impl de::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'a> Probe<'a> {
    /// Notes what is here and ends the look.
    fn note<V>(self, found: Found) -> Result<V, Stop> {
        self.found.borrow_mut().get_or_insert(found);
        Err(Stop)
    }

    fn scalar<V>(self, schema: Value) -> Result<V, Stop> {
        self.note(Found::Other(schema))
    }

    /// The step to take here and the probe behind it.
    fn step(self) -> Option<(Step, Self)> {
        let (step, way) = self.way.split_first()?;
        Some((*step, Self { way, ..self }))
    }
}

macro_rules! scalars {
    ($($method:ident)+: $type:literal) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
            self.scalar(json!({ "type": $type }))
        })+
    };
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Stop;

    scalars!(deserialize_bool: "boolean");
    scalars!(deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_i128 deserialize_u128: "integer");
    scalars!(deserialize_f32 deserialize_f64: "number");
    scalars!(deserialize_char deserialize_str deserialize_string deserialize_identifier: "string");
    scalars!(deserialize_unit: "null");

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.scalar(json!({}))
    }
    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.scalar(json!({}))
    }
    fn deserialize_bytes<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.scalar(json!({}))
    }
    fn deserialize_byte_buf<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.scalar(json!({}))
    }
    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, _: V) -> Result<V::Value, Stop> {
        self.scalar(json!({ "type": "null" }))
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_some(self)
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Stop> {
        self.scalar(json!({ "type": "string", "enum": variants }))
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match self.step() {
            Some((Step::Field(number), behind)) => {
                visitor.visit_map(One { key: fields.get(number).copied(), behind })
            }
            _ => self.note(Found::Struct(fields)),
        }
    }
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.step() {
            Some((Step::Inside, behind)) => visitor.visit_map(One { key: Some("any"), behind }),
            _ => self.note(Found::Map),
        }
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.step() {
            Some((Step::Inside, behind)) => visitor.visit_seq(One { key: None, behind }),
            _ => self.note(Found::List),
        }
    }
    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_seq(visitor)
    }
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.deserialize_seq(visitor)
    }
}

/// One entry of a map or list; its value is another probe.
struct One<'a> {
    key: Option<&'static str>,
    behind: Probe<'a>,
}

impl<'de> MapAccess<'de> for One<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        let Some(key) = self.key.take() else { return Ok(None) };
        seed.deserialize(de::value::StrDeserializer::new(key)).map(Some)
    }
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        seed.deserialize(self.behind)
    }
}

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Stop> {
        seed.deserialize(self.behind).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::machine_groups::{ListMachineGroupQuery, MachineGroup};
    use expect_test::expect;

    #[test]
    fn a_wire_type_tells_its_own_schema() {
        let schema = serde_json::to_string_pretty(&schema::<MachineGroup>()).unwrap();
        expect![[r#"
            {
              "type": "object",
              "properties": {
                "groupName": {
                  "type": "string"
                },
                "groupType": {
                  "type": "string"
                },
                "machineIdentifyType": {
                  "type": "string",
                  "enum": [
                    "ip",
                    "userdefined"
                  ]
                },
                "groupAttribute": {
                  "type": "object",
                  "properties": {
                    "externalName": {
                      "type": "string"
                    },
                    "groupTopic": {
                      "type": "string"
                    }
                  }
                },
                "machineList": {
                  "type": "array",
                  "items": {
                    "type": "string"
                  }
                },
                "createTime": {
                  "type": "integer"
                },
                "lastModifyTime": {
                  "type": "integer"
                }
              }
            }"#]]
        .assert_eq(&schema);
    }

    #[test]
    fn parameters_have_names() {
        assert_eq!(fields::<ListMachineGroupQuery>(), ["offset", "size", "groupName"]);
        assert!(fields::<Vec<String>>().is_empty());
    }

    #[test]
    fn maps_lists_and_anything_are_told_apart() {
        type Map<T> = std::collections::BTreeMap<String, T>;
        let number = json!({ "type": "integer" });
        assert_eq!(schema::<Map<u8>>(), json!({ "type": "object", "additionalProperties": number }));
        assert_eq!(schema::<Vec<Option<i64>>>(), json!({ "type": "array", "items": number }));
        assert_eq!(schema::<Value>(), json!({}));
    }
}
