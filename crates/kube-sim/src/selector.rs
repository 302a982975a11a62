//! Label and field selectors of list, watch and deletecollection.

use serde_json::Value;

use crate::error::ApiError;
use crate::meta;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
    Greater(String, i64),
    Less(String, i64),
}

impl Requirement {
    fn matches(&self, object: &Value) -> bool {
        let label = |key: &str| meta::metadata(object)?.get("labels")?.get(key)?.as_str();
        match self {
            Self::In(key, values) => label(key).is_some_and(|v| values.iter().any(|x| x == v)),
            Self::NotIn(key, values) => label(key).is_none_or(|v| values.iter().all(|x| x != v)),
            Self::Exists(key) => label(key).is_some(),
            Self::Missing(key) => label(key).is_none(),
            Self::Greater(key, n) => label(key).and_then(|v| v.parse::<i64>().ok()).is_some_and(|v| v > *n),
            Self::Less(key, n) => label(key).and_then(|v| v.parse::<i64>().ok()).is_some_and(|v| v < *n),
        }
    }
}

/// A parsed label selector and field selector. The default selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

impl Selector {
    /// Parses both query parameters; empty strings select everything.
    pub fn parse(labels: &str, fields: &str) -> Result<Self, ApiError> {
        Ok(Self { labels: parse_labels(labels)?, fields: parse_fields(fields)? })
    }

    /// Paths of the fields the selector looks at.
    pub fn field_paths(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(path, _, _)| path.as_str())
    }

    /// Renames the fields it looks at.
    #[must_use]
    pub fn with_fields_renamed(mut self, rename: impl Fn(&str) -> String) -> Self {
        for (path, _, _) in &mut self.fields {
            *path = rename(path);
        }
        self
    }

    /// True if this selector selects everything.
    pub fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// True if the object satisfies every requirement.
    pub fn matches(&self, object: &Value) -> bool {
        self.labels.iter().all(|r| r.matches(object))
            && self.fields.iter().all(|(path, equal, value)| (field_text(object, path) == *value) == *equal)
    }
}

/// The text of a scalar field; missing fields are the empty string, as the
/// real server's field sets have it.
fn field_text(object: &Value, path: &str) -> String {
    let mut at = Some(object);
    for part in path.split('.') {
        at = at.and_then(|v| v.get(part));
    }
    match at {
        Some(Value::String(s)) => s.clone(),
        Some(Value::Null) | None => default_field(path).to_owned(),
        Some(other) => other.to_string(),
    }
}

/// Fields that are never empty on the real server.
fn default_field(path: &str) -> &'static str {
    match path {
        "spec.unschedulable" | "spec.hostNetwork" => "false",
        "status.successful" => "0",
        _ => "",
    }
}

fn bad(selector: &str, why: &str) -> ApiError {
    ApiError::BadRequest(format!("unable to parse requirement: {why}: {selector:?}"))
}

fn parse_fields(text: &str) -> Result<Vec<(String, bool, String)>, ApiError> {
    let mut out = Vec::new();
    for term in text.split(',').map(str::trim).filter(|t| !t.is_empty()) {
        let (path, equal, value) = if let Some((path, value)) = term.split_once("!=") {
            (path, false, value)
        } else if let Some((path, value)) = term.split_once("==") {
            (path, true, value)
        } else if let Some((path, value)) = term.split_once('=') {
            (path, true, value)
        } else {
            return Err(bad(text, "a field selector term needs =, == or !="));
        };
        out.push((path.trim().to_owned(), equal, value.trim().to_owned()));
    }
    Ok(out)
}

/// Splits at commas that are not inside of parentheses.
fn split_terms(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|t| !t.is_empty())
    .collect()
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, ApiError> {
    split_terms(text).into_iter().map(|term| parse_term(text, term)).collect()
}

fn parse_term(text: &str, term: &str) -> Result<Requirement, ApiError> {
    let key_of = |key: &str| {
        let key = key.trim();
        if key.is_empty() || key.contains(char::is_whitespace) || key.contains(['(', ')', ',', '=', '!']) {
            return Err(bad(text, "a label key is missing or malformed"));
        }
        Ok(key.to_owned())
    };
    if let Some(open) = term.find('(') {
        let head = term.get(..open).unwrap_or_default().trim();
        let list = term
            .get(open + 1..)
            .and_then(|t| t.strip_suffix(')'))
            .ok_or_else(|| bad(text, "a ) is missing"))?;
        let values = list.split(',').map(|v| v.trim().to_owned()).collect();
        return match head.rsplit_once(char::is_whitespace) {
            Some((key, "in")) => Ok(Requirement::In(key_of(key)?, values)),
            Some((key, "notin")) => Ok(Requirement::NotIn(key_of(key)?, values)),
            _ => Err(bad(text, "expected 'in' or 'notin' before (")),
        };
    }
    if let Some((key, value)) = term.split_once("!=") {
        return Ok(Requirement::NotIn(key_of(key)?, vec![value.trim().to_owned()]));
    }
    if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return Ok(Requirement::In(key_of(key)?, vec![value.trim().to_owned()]));
    }
    let number = |value: &str| value.trim().parse().map_err(|_| bad(text, "> and < need an integer"));
    if let Some((key, value)) = term.split_once('>') {
        return Ok(Requirement::Greater(key_of(key)?, number(value)?));
    }
    if let Some((key, value)) = term.split_once('<') {
        return Ok(Requirement::Less(key_of(key)?, number(value)?));
    }
    match term.strip_prefix('!') {
        Some(key) => Ok(Requirement::Missing(key_of(key)?)),
        None => Ok(Requirement::Exists(key_of(term)?)),
    }
}

/// True if `labels` satisfy a `LabelSelector` (matchLabels, matchExpressions).
/// Used to check that a workload selects its own template.
pub fn label_selector_matches(selector: &Value, labels: &Value) -> bool {
    let label = |key: &str| labels.get(key).and_then(Value::as_str);
    let by_labels = selector
        .get("matchLabels")
        .and_then(Value::as_object)
        .is_none_or(|map| map.iter().all(|(k, v)| label(k) == v.as_str()));
    let by_expressions = selector.get("matchExpressions").and_then(Value::as_array).is_none_or(|list| {
        list.iter().all(|e| {
            let key = e.get("key").and_then(Value::as_str).unwrap_or_default();
            let listed = label(key).is_some_and(|v| {
                e.get("values")
                    .and_then(Value::as_array)
                    .is_some_and(|vs| vs.iter().any(|x| x.as_str() == Some(v)))
            });
            match e.get("operator").and_then(Value::as_str) {
                Some("In") => listed,
                Some("NotIn") => !listed,
                Some("Exists") => label(key).is_some(),
                Some("DoesNotExist") => label(key).is_none(),
                _ => false,
            }
        })
    });
    by_labels && by_expressions
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(labels: &str, fields: &str, expected: bool) {
        let pod = json!({
            "metadata": {"name": "a", "labels": {"app": "web", "tier": "1"}},
            "spec": {"nodeName": "n1", "replicas": 3}, "status": {"phase": "Running"},
        });
        assert_eq!(Selector::parse(labels, fields).unwrap().matches(&pod), expected, "{labels} {fields}");
    }

    #[test]
    fn label_selectors_follow_the_documented_grammar() {
        for (selector, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier=1", true),
            ("app!=web", false),
            ("other!=x", true),
            ("app in (web, db),tier", true),
            ("app notin (web)", false),
            ("!app", false),
            ("!other", true),
            ("tier>0", true),
            ("tier<1", false),
        ] {
            check(selector, "", expected);
        }
    }

    #[test]
    fn field_selectors_compare_scalars_and_treat_missing_as_empty() {
        for (selector, expected) in [
            ("metadata.name=a", true),
            ("status.phase!=Running", false),
            ("spec.replicas==3", true),
            ("spec.missing=", true),
            ("spec.nodeName=n1,metadata.name!=b", true),
        ] {
            check("", selector, expected);
        }
    }

    #[test]
    fn malformed_selectors_are_refused() {
        assert!(Selector::parse("a b", "").is_err());
        assert!(Selector::parse("a in (b", "").is_err());
        assert!(Selector::parse("", "metadata.name").is_err());
    }
}
