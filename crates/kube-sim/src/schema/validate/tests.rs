//! Verdicts in the words of the real server.

use super::*;
use crate::schema::Schema;
use expect_test::{Expect, expect};
use serde_json::json;

#[track_caller]
fn verdict(schema: Value, value: Value, expected: Expect) {
    let schema = Schema::new(schema, Origin::Custom);
    let lines: Vec<String> = validate(&value, schema.root(), "spec")
        .into_iter()
        .map(|c| format!("{}: {}\n", c.field, c.message))
        .collect();
    expected.assert_eq(&lines.concat());
}

#[test]
fn numbers_are_bounded_with_the_words_of_the_real_server() {
    let schema = json!({"type": "integer", "minimum": 1.0, "maximum": 10.0});
    verdict(
        schema.clone(),
        json!(99),
        expect![[r#"
        spec: Invalid value: 99: spec in body should be less than or equal to 10
    "#]],
    );
    verdict(
        schema.clone(),
        json!(0),
        expect![[r#"
        spec: Invalid value: 0: spec in body should be greater than or equal to 1
    "#]],
    );
    verdict(
        schema,
        json!("x"),
        expect![[r#"
        spec: Invalid value: "string": spec in body must be of type integer: "string"
    "#]],
    );
}

#[test]
fn strings_are_checked_for_length_pattern_and_enum() {
    let schema = json!({"type": "string", "maxLength": 3, "pattern": "^[a-z]+$", "enum": ["abc", "x"]});
    verdict(
        schema,
        json!("ABCD"),
        expect![[r#"
        spec: Unsupported value: "ABCD": supported values: "abc", "x"
        spec: Too long: may not be more than 3 bytes
    "#]],
    );
}

#[test]
fn required_members_and_duplicate_keys_are_found() {
    let schema = json!({"type": "object", "required": ["a"], "properties": {
        "m": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
              "items": {"type": "object", "properties": {"type": {"type": "string"}}}},
        "s": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}}});
    verdict(
        schema,
        json!({"m": [{"type": "A"}, {"type": "A"}], "s": ["x", "y", "x"]}),
        expect![[r#"
        spec.a: Required value
        spec.m[1]: Duplicate value: {"type":"A"}
        spec.s[2]: Duplicate value: "x"
    "#]],
    );
}

#[test]
fn nullable_and_int_or_string_are_understood() {
    verdict(json!({"type": "string", "nullable": true}), json!(null), expect![""]);
    verdict(json!({"x-kubernetes-int-or-string": true}), json!("50%"), expect![""]);
    verdict(json!({"x-kubernetes-int-or-string": true}), json!(5), expect![""]);
    verdict(
        json!({"x-kubernetes-int-or-string": true}),
        json!(true),
        expect![[r#"
        spec: Invalid value: "boolean": spec in body must be of type integer,string: "boolean"
    "#]],
    );
}
