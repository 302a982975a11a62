//! Fills in `default` values of a schema.

use serde_json::Value;

use super::{DEPTH_MAX, Node};

/// Applies defaults below `value`: missing members, and nulls of members that
/// are not nullable.
pub fn apply(value: &mut Value, node: Node<'_>) {
    fill(value, node, 0);
}

fn fill(value: &mut Value, node: Node<'_>, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Object(map) => {
            for (name, child) in node.properties() {
                let Some(default) = child.keyword("default") else { continue };
                let wanted = map.get(name).is_none_or(|v| v.is_null() && !child.nullable());
                if wanted {
                    map.insert(name.clone(), default.clone());
                }
            }
            for (name, member) in map.iter_mut() {
                if let Some(child) = node.member(name) {
                    fill(member, child, depth + 1);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = node.items() {
                list.iter_mut().for_each(|item| fill(item, items, depth + 1));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Origin, Schema};
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_fill_missing_members_and_forbidden_nulls() {
        let root = json!({"type": "object", "properties": {"spec": {"type": "object", "default": {}, "properties": {
            "n": {"type": "integer", "default": 3}, "keep": {"type": "string", "nullable": true, "default": "x"},
            "list": {"type": "array", "items": {"type": "object", "properties": {"p": {"type": "string", "default": "TCP"}}}}}}}});
        let schema = Schema::new(root, Origin::Custom);
        let mut empty = json!({});
        apply(&mut empty, schema.root());
        assert_eq!(empty, json!({"spec": {"n": 3, "keep": "x"}}));
        let mut object = json!({"spec": {"n": null, "keep": null, "list": [{}]}});
        apply(&mut object, schema.root());
        assert_eq!(object, json!({"spec": {"n": 3, "keep": null, "list": [{"p": "TCP"}]}}));
    }
}
