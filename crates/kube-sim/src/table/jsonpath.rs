//! The part of JSONPath that printer columns use: members, quoted members,
//! indices, wildcards, and filters that compare one member of an item.

use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Member(String),
    Index(i64),
    All,
    Filter {
        path: Vec<String>,
        equal: bool,
        value: Value,
    },
    /// Text this parser does not understand; selects nothing.
    Unknown,
}

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath(Vec<Part>);

impl JsonPath {
    /// Parses a path like `.status.conditions[?(@.type=="Ready")].status`.
    pub fn parse(text: &str) -> Self {
        let text = text.trim().trim_start_matches('{').trim_end_matches('}').trim_start_matches('$');
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (part, after) = match rest.strip_prefix('[') {
                Some(inner) => bracket(inner),
                None => member(rest.strip_prefix('.').unwrap_or(rest)),
            };
            parts.extend(part);
            rest = after;
        }
        Self(parts)
    }

    /// All values the path leads to.
    pub fn find<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        let found = self.0.iter().fold(vec![root], |values, part| {
            values.into_iter().flat_map(|value| step(value, part)).collect()
        });
        found.into_iter().filter(|v| !v.is_null()).collect()
    }
}

fn step<'a>(value: &'a Value, part: &Part) -> Vec<&'a Value> {
    match (part, value) {
        (Part::Member(name), _) => value.get(name).into_iter().collect(),
        (Part::Index(index), Value::Array(list)) => {
            let index = if *index < 0 {
                list.len().checked_add_signed(isize::try_from(*index).unwrap_or(0))
            } else {
                usize::try_from(*index).ok()
            };
            index.and_then(|i| list.get(i)).into_iter().collect()
        }
        (Part::All, Value::Array(list)) => list.iter().collect(),
        (Part::All, Value::Object(map)) => map.values().collect(),
        (Part::Filter { path, equal, value: wanted }, Value::Array(list)) => list
            .iter()
            .filter(|item| {
                let found = path.iter().try_fold(*item, |at, key| at.get(key));
                found.is_some_and(|f| (f == wanted) == *equal)
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A member name up to the next unescaped `.` or `[`.
fn member(text: &str) -> (Option<Part>, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => return (named(name), text.get(at..).unwrap_or_default()),
            c => name.push(c),
        }
    }
    (named(name), "")
}

fn named(name: String) -> Option<Part> {
    match name.as_str() {
        "" => None,
        "*" => Some(Part::All),
        _ => Some(Part::Member(name)),
    }
}

/// The inside of `[…]`; `text` starts after the opening bracket.
fn bracket(text: &str) -> (Option<Part>, &str) {
    let mut quote = None;
    let end = text.char_indices().find(|(_, c)| {
        match (quote, *c) {
            (None, '\'' | '"') => quote = Some(*c),
            (Some(q), c) if q == c => quote = None,
            (None, ']') => return true,
            _ => {}
        }
        false
    });
    let Some((end, _)) = end else { return (Some(Part::Unknown), "") };
    let inner = text.get(..end).unwrap_or_default().trim();
    let rest = text.get(end + 1..).unwrap_or_default();
    let part = if inner == "*" {
        Part::All
    } else if let Some(condition) = inner.strip_prefix("?(").and_then(|c| c.strip_suffix(')')) {
        filter(condition)
    } else if let Some(Value::String(name)) = literal(inner) {
        Part::Member(name)
    } else {
        inner.parse().map_or(Part::Unknown, Part::Index)
    };
    (Some(part), rest)
}

fn filter(condition: &str) -> Part {
    let (left, equal, right) = if let Some((left, right)) = condition.split_once("==") {
        (left, true, right)
    } else if let Some((left, right)) = condition.split_once("!=") {
        (left, false, right)
    } else {
        return Part::Unknown;
    };
    let Some(path) = left.trim().strip_prefix("@.") else { return Part::Unknown };
    match literal(right.trim()) {
        Some(value) => Part::Filter { path: path.split('.').map(str::to_owned).collect(), equal, value },
        None => Part::Unknown,
    }
}

fn literal(text: &str) -> Option<Value> {
    for quote in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)) {
            return Some(inner.into());
        }
    }
    serde_json::from_str(text).ok().filter(|v: &Value| v.is_boolean() || v.is_number())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(path: &str, expected: Value) {
        let object = json!({
            "metadata": {"annotations": {"a.b/c": "x"}},
            "spec": {"n": 3, "list": [{"k": 1}, {"k": 2}]},
            "status": {"conditions": [{"type": "A", "status": "False"}, {"type": "Ready", "status": "True"}]},
        });
        assert_eq!(json!(JsonPath::parse(path).find(&object)), expected, "{path}");
    }

    #[test]
    fn paths_of_printer_columns_select_values() {
        check(".spec.n", json!([3]));
        check(".status.conditions[?(@.type==\"Ready\")].status", json!(["True"]));
        check(".status.conditions[?(@.type=='Ready')].status", json!(["True"]));
        check(".spec.list[*].k", json!([1, 2]));
        check(".spec.list[0].k", json!([1]));
        check(".spec.list[-1:].k", json!([]));
        check(".metadata.annotations['a.b/c']", json!(["x"]));
        check(".metadata.annotations.a\\.b/c", json!(["x"]));
        check(".spec.missing.deep", json!([]));
        check("{.spec.n}", json!([3]));
    }
}
