//! Names of Go types, which the decoding errors of built-in kinds mention.

use super::Node;

/// Where a value of the wrong type stands, in the words of Go.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// Type of the struct that holds the field.
    pub parent: String,
    /// Path from the root without indices and map keys.
    pub path: String,
    /// Type of the field.
    pub kind: String,
}

/// Translates a path like `spec.containers[0].env[0].value`.
pub fn of(root: Node<'_>, root_kind: &str, path: &str) -> Place {
    let mut node = Some(root);
    let mut parent = root_kind.to_owned();
    let mut names: Vec<&str> = Vec::new();
    for part in path.split('.').filter(|p| !p.is_empty()) {
        let name = part.split('[').next().unwrap_or_default();
        let property = node.and_then(|n| n.property(name));
        if let (Some(at), Some(property)) = (node, property) {
            if !at.definition().is_empty() {
                at.definition().clone_into(&mut parent);
            }
            names.push(name);
            node = Some(property);
        } else {
            // A key of a map is no field.
            node = node.and_then(|n| n.member(name));
        }
        for _ in part.matches('[') {
            node = node.and_then(|n| n.items().or_else(|| n.member("")));
        }
    }
    Place { parent, path: names.join("."), kind: node.map(type_of).unwrap_or_default() }
}

fn type_of(node: Node<'_>) -> String {
    let format = node.keyword("format").and_then(serde_json::Value::as_str).unwrap_or_default();
    match (node.kind(), format) {
        ("boolean", _) => "bool".to_owned(),
        ("integer", "int64") => "int64".to_owned(),
        ("integer", _) => "int32".to_owned(),
        ("number", _) => "float64".to_owned(),
        ("array", _) => format!("[]{}", node.items().map(type_of).unwrap_or_default()),
        ("object", _) if node.definition().is_empty() => {
            format!("map[string]{}", node.member("").map_or("interface {}".to_owned(), type_of))
        }
        ("object", _) => format!("v1.{}", node.definition()),
        (other, _) => other.to_owned(),
    }
}
