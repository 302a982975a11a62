//! Whatever comes in, the pure parts answer and do not panic.

use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::admit::{self, FieldValidation};
use crate::kinds;
use crate::patch;
use crate::patch::managed::{self, Writer};
use crate::patch::shape::Shape;
use crate::registry::Registry;
use crate::request;
use crate::schema::Node;
use crate::selector::Selector;

/// Any small JSON value.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..70_000).prop_map(Value::from),
        any::<f32>().prop_map(|f| Value::from(f64::from(f))),
        "[a-z./:\\-$ A-Z0-9]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z$]{1,5}", inner, 0..3)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

/// A value that mostly follows a schema, with surprises; `choices` decides.
fn shaped(node: Node<'_>, choices: &mut impl FnMut() -> u32, surprise: &Value, depth: usize) -> Value {
    if depth > 7 || choices().is_multiple_of(13) {
        return surprise.clone();
    }
    match node.kind() {
        "object" => {
            let mut map = Map::new();
            for (name, child) in node.properties() {
                if choices().is_multiple_of(3) {
                    map.insert(name.clone(), shaped(child, choices, surprise, depth + 1));
                }
            }
            Value::Object(map)
        }
        "array" => {
            let items =
                (0..choices() % 3).filter_map(|_| Some(shaped(node.items()?, choices, surprise, depth + 1)));
            items.collect()
        }
        "integer" | "number" => (i64::from(choices() % 5) - 1).into(),
        "boolean" => choices().is_multiple_of(2).into(),
        _ => ["a", "Always", "1", ""].get(choices() as usize % 4).copied().unwrap_or_default().into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn objects_of_built_in_kinds_go_all_the_way(seed in any::<u64>(), surprise in any_json()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut choices = move || random.u32(..1000);
        for resource in Registry::with_builtins().all() {
            let schema = resource.schema().expect("built-in kinds have a schema");
            let mut object = shaped(schema.root(), &mut choices, &surprise, 0);
            if !object.is_object() || admit::decode(&resource, &mut object, FieldValidation::Warn, &[]).is_err() {
                continue;
            }
            let old = object.clone();
            admit::default(&resource, &mut object);
            kinds::prepare_create(&resource, &mut object);
            let _ = admit::check(&resource, &object, None);
            let _ = admit::check(&resource, &object, Some(&old));
            let shape = Shape::of(&resource);
            let writer = Writer {
                manager: "m".into(), operation: "Update", api_version: "v1".into(), subresource: String::new(),
            };
            let entries = managed::record_update(None, &object, Vec::new(), &writer, shape, "");
            managed::record_update(Some(&old), &object, entries, &writer, shape, "");
            let _ = patch::strategic::patch(&object, &old, shape);
            // Decoding is done when it was done once.
            let mut again = object.clone();
            if admit::decode(&resource, &mut again, FieldValidation::Strict, &[]).is_ok() {
                prop_assert_eq!(again, object);
            }
        }
    }

    #[test]
    fn any_body_is_refused_or_decoded(body in any_json()) {
        for resource in Registry::with_builtins().all() {
            let mut object = body.clone();
            let _ = admit::decode(&resource, &mut object, FieldValidation::Warn, &[]);
            let _ = patch::strategic::patch(&body, &object, Shape::of(&resource));
            let _ = patch::merge(&body, &object);
            let _ = patch::json(&body, &object);
        }
    }

    #[test]
    fn any_text_is_a_path_and_a_selector_or_not(text in "[a-z/,=!<>() .%0-9\"'\\[\\]?@*{}$\\\\]{0,40}") {
        let _ = request::parse_path(&text);
        let _ = Selector::parse(&text, &text);
        crate::table::column_of_any_path(&text);
        let _ = crate::duplicates::find(&text);
    }
}
