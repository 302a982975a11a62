//! JSON as CEL expressions.

use serde_json::Value;

/// Members that are maps of names to texts, not of fields.
const MAPS: [&str; 2] = ["limits", "requests"];

/// A text as a literal: escapes of JSON are escapes of CEL too.
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A name as a part of a JSON pointer.
pub fn pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A value as an expression; objects have the type of their place, which begins with `Object`. Maps and lists of CEL
/// cannot have values of several types, objects can.
pub fn value(of: &str, value: &Value) -> String {
    let is_map = of.rsplit('.').next().is_some_and(|name| MAPS.contains(&name));
    match value {
        Value::Object(map) => {
            let members: Vec<String> = map
                .iter()
                .map(|(name, one)| {
                    let shown = if is_map { quoted(name) } else { name.clone() };
                    format!("{shown}: {}", self::value(&format!("{of}.{name}"), one))
                })
                .collect();
            format!("{}{{{}}}", if is_map { "" } else { of }, members.join(", "))
        }
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(|one| self::value(of, one)).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_have_the_type_of_their_place_and_quantities_are_a_map() {
        let container = json!({"name": "a\"b", "ports": [{"containerPort": 80}], "ready": true,
            "resources": {"limits": {"cpu": "1"}}});
        assert_eq!(
            value("Object.spec.containers", &container),
            "Object.spec.containers{name: \"a\\\"b\", ports: [Object.spec.containers.ports{containerPort: 80}], ready: \
             true, resources: Object.spec.containers.resources{limits: {\"cpu\": \"1\"}}}"
        );
        assert_eq!(pointer("a/b~c"), "a~1b~0c");
    }
}
