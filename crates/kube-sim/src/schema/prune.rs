//! Drops fields that a schema does not know, and nulls that it does not allow.

use serde_json::{Map, Value};

use super::{Additional, DEPTH_MAX, Node, Origin, join};

/// Removes unknown fields below `object`, a whole Kubernetes object, and
/// returns their paths in document order.
pub fn prune(object: &mut Value, root: Node<'_>) -> Vec<String> {
    let mut unknown = Vec::new();
    if let Value::Object(map) = object {
        prune_object(map, root, true, "", 0, &mut unknown);
    }
    unknown
}

fn prune_value(value: &mut Value, node: Node<'_>, path: &str, depth: usize, unknown: &mut Vec<String>) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Object(map) => prune_object(map, node, node.embedded_resource(), path, depth, unknown),
        Value::Array(list) => {
            let Some(items) = node.items() else { return };
            for (index, item) in list.iter_mut().enumerate() {
                prune_value(item, items, &format!("{path}[{index}]"), depth + 1, unknown);
            }
        }
        _ => {}
    }
}

fn prune_object(
    map: &mut Map<String, Value>,
    node: Node<'_>,
    is_resource: bool,
    path: &str,
    depth: usize,
    unknown: &mut Vec<String>,
) {
    let keys: Vec<String> = map.keys().cloned().collect();
    for key in keys {
        let child_path = join(path, &key);
        // A CRD need not declare these; `admit` checks metadata of its own.
        let implied = is_resource
            && node.origin() == Origin::Custom
            && matches!(key.as_str(), "apiVersion" | "kind" | "metadata");
        if implied {
            continue;
        }
        let child = match node.property(&key) {
            Some(child) => Some(child),
            None => match node.additional() {
                Additional::Schema(child) => Some(child),
                Additional::Any => None,
                Additional::None => {
                    map.remove(&key);
                    unknown.push(child_path);
                    continue;
                }
            },
        };
        if let (Some(child), Some(value)) = (child, map.get_mut(&key)) {
            prune_value(value, child, &child_path, depth + 1, unknown);
        }
    }
}

/// Removes nulls of fields that are not nullable and have no default; nulls of
/// those that have one are replaced by [`super::defaults::apply`].
pub fn drop_disallowed_nulls(value: &mut Value, node: Node<'_>) {
    drop_nulls(value, node, 0);
}

fn drop_nulls(value: &mut Value, node: Node<'_>, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Object(map) => {
            map.retain(|key, member| {
                let child = node.member(key);
                !(member.is_null() && child.is_some_and(|c| !c.nullable() && c.keyword("default").is_none()))
            });
            for (key, member) in map.iter_mut() {
                if let Some(child) = node.member(key) {
                    drop_nulls(member, child, depth + 1);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = node.items() {
                list.iter_mut().for_each(|item| drop_nulls(item, items, depth + 1));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::Schema;
    use super::*;
    use serde_json::json;

    fn schema() -> Schema {
        let root = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "a": {"type": "string"},
            "maybe": {"type": "string", "nullable": true},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                     "properties": {"known": {"type": "object", "properties": {"x": {"type": "integer"}}}}},
            "list": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "string"}}}},
            "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        }}}});
        Schema::new(root, Origin::Custom)
    }

    #[test]
    fn unknown_fields_go_and_are_named() {
        let schema = schema();
        let mut object = json!({"apiVersion": "g/v", "kind": "K", "metadata": {"name": "x"}, "extra": 1, "spec": {
            "a": "1", "b": 2, "free": {"any": {"thing": 1}, "known": {"x": 1, "y": 2}},
            "list": [{"n": "1", "m": 2}], "tags": {"k": "v"}}});
        let unknown = prune(&mut object, schema.root());
        assert_eq!(unknown, ["extra", "spec.b", "spec.free.known.y", "spec.list[0].m"]);
        assert_eq!(
            object,
            json!({"apiVersion": "g/v", "kind": "K", "metadata": {"name": "x"}, "spec": {
                "a": "1", "free": {"any": {"thing": 1}, "known": {"x": 1}}, "list": [{"n": "1"}], "tags": {"k": "v"}}})
        );
    }

    #[test]
    fn nulls_stay_only_where_they_are_allowed() {
        let schema = schema();
        let mut object = json!({"spec": {"a": null, "maybe": null, "free": {"any": null}}});
        drop_disallowed_nulls(&mut object, schema.root());
        assert_eq!(object, json!({"spec": {"maybe": null, "free": {"any": null}}}));
    }
}
