//! In what two answers differ.

use serde_json::{Value, json};

use super::Answer;

/// One place where two answers differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// JSON pointer; `/code`, `/warnings` and `/body` are the first segments.
    pub at: String,
    /// What the real server says.
    pub real: Value,
    /// What the simulator says.
    pub simulated: Value,
}

/// All places where two answers differ; missing members are null.
pub fn differences(real: &Answer, simulated: &Answer) -> Vec<Difference> {
    let mut out = Vec::new();
    walk("", &json!(real), &json!(simulated), &mut out);
    out
}

fn walk(path: &str, real: &Value, simulated: &Value, out: &mut Vec<Difference>) {
    match (real, simulated) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k)));
            for key in keys {
                let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                let nothing = Value::Null;
                walk(&path, a.get(key).unwrap_or(&nothing), b.get(key).unwrap_or(&nothing), out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                walk(&format!("{path}/{index}"), a, b, out);
            }
        }
        (a, b) if versions(path, a, b) => {}
        (a, b) if a == b => {}
        (a, b) => {
            out.push(Difference { at: path.to_owned(), real: a.clone(), simulated: b.clone() });
        }
    }
}

/// Resource versions are numbers on both sides; their values mean nothing.
fn versions(path: &str, a: &Value, b: &Value) -> bool {
    let number = |v: &Value| v.as_str().is_some_and(|t| t.parse::<u64>().is_ok());
    path.ends_with("/resourceVersion") && number(a) && number(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(real: Value, simulated: Value) -> Vec<String> {
        let answer = |body| Answer { code: 200, warnings: Vec::new(), body };
        differences(&answer(real), &answer(simulated)).into_iter().map(|one| one.at).collect()
    }

    #[test]
    fn a_difference_is_told_at_its_place() {
        assert_eq!(places(json!({"a": [1, {"b/c": 2}]}), json!({"a": [1, {"b/c": 3}]})), ["/body/a/1/b~1c"]);
        assert_eq!(places(json!({"a": 1}), json!({"b": 1})), ["/body/a", "/body/b"]);
        assert_eq!(places(json!([1]), json!([1, 2])), ["/body"]);
    }

    #[test]
    fn versions_of_objects_need_to_be_numbers_only() {
        let with = |version: &str| json!({"metadata": {"resourceVersion": version}});
        assert_eq!(places(with("5"), with("70")), Vec::<String>::new());
        assert_eq!(places(with("5"), with("")), ["/body/metadata/resourceVersion"]);
    }
}
