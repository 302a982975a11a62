//! What must hold of one log: of a field, of a tag, of the names of its fields.

use std::fmt;

use regex::Regex;
use serde::{Deserialize, Serialize};
use sls_api::ops::logs::Row;

/// Names that the service gives: tags, time, topic, source. They are no fields of the log's own.
const RESERVED_START: &str = "__";
/// What stands before the name of a tag in a row. Source: `sls-query.md` §1.5.
const TAG_PREFIX: &str = "__tag__:";
/// Memory that a compiled pattern may take, bytes (own choice: far above any that people write).
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A condition as it is written: a `field` or a `tag`, and one of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Name of a field; reserved ones too (`__topic__`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Name of a tag, without `__tag__:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// It is this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<String>,
    /// It is there and is not this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_equals: Option<String>,
    /// It has a part that this regular expression matches; `^…$` for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// It is one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<String>>,
    /// It is there, or with `false` it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
}

/// A condition that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCondition {
    /// Of nothing, or of two things.
    #[error("name one of field and tag")]
    Subject,
    /// Nothing is said of it, or several things.
    #[error("say exactly one of equals, not_equals, matches, one_of, present of {0}")]
    Test(String),
    /// Not a regular expression.
    #[error("matches of {name} is no regular expression: {why}")]
    Pattern {
        /// Of what.
        name: String,
        /// Why not.
        why: String,
    },
}

impl Condition {
    /// Of a field.
    pub fn field(name: impl Into<String>) -> Self {
        Self { field: Some(name.into()), ..Self::default() }
    }

    /// Of a tag.
    pub fn tag(name: impl Into<String>) -> Self {
        Self { tag: Some(name.into()), ..Self::default() }
    }

    /// It is this text.
    #[must_use]
    pub fn equals(self, text: impl Into<String>) -> Self {
        Self { equals: Some(text.into()), ..self }
    }

    /// A part of it matches this regular expression.
    #[must_use]
    pub fn matches(self, pattern: impl Into<String>) -> Self {
        Self { matches: Some(pattern.into()), ..self }
    }

    /// It is one of these.
    #[must_use]
    pub fn one_of<T: Into<String>>(self, texts: impl IntoIterator<Item = T>) -> Self {
        Self { one_of: Some(texts.into_iter().map(Into::into).collect()), ..self }
    }

    /// Makes it ready.
    ///
    /// # Errors
    /// [`BadCondition`]: it has no subject or no test, or more than one, or a bad pattern.
    pub fn check(&self) -> Result<Check, BadCondition> {
        let name = match (&self.field, &self.tag) {
            (Some(field), None) => field.clone(),
            (None, Some(tag)) => format!("{TAG_PREFIX}{tag}"),
            _ => return Err(BadCondition::Subject),
        };
        let tests = [
            self.equals.clone().map(|text| Ok(Test::Equals(text))),
            self.not_equals.clone().map(|text| Ok(Test::Differs(text))),
            self.matches.as_ref().map(|pattern| {
                let regex = regex::RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build();
                regex.map(Test::Matches).map_err(|why| why.to_string())
            }),
            self.one_of.clone().map(|texts| Ok(Test::OneOf(texts))),
            self.present.map(|present| Ok(if present { Test::Present } else { Test::Absent })),
        ];
        let mut tests = tests.into_iter().flatten();
        match (tests.next(), tests.next()) {
            (Some(Ok(test)), None) => Ok(Check::Value { name, test }),
            (Some(Err(why)), None) => Err(BadCondition::Pattern { name, why }),
            _ => Err(BadCondition::Test(name)),
        }
    }
}

/// A condition made ready.
#[derive(Debug, Clone)]
pub enum Check {
    /// On one field or tag.
    Value {
        /// As the row names it.
        name: String,
        /// What must hold.
        test: Test,
    },
    /// On the names of all fields, which are sorted here.
    Fields(Vec<String>),
}

/// What must hold of a value.
#[derive(Debug, Clone)]
pub enum Test {
    /// It is the text.
    Equals(String),
    /// It is another.
    Differs(String),
    /// It matches.
    Matches(Regex),
    /// It is one of them.
    OneOf(Vec<String>),
    /// It is there.
    Present,
    /// It is not there.
    Absent,
}

impl Check {
    /// The log has the field.
    pub fn present(name: &str) -> Self {
        Self::Value { name: name.to_owned(), test: Test::Present }
    }

    /// The log has these fields of its own and no others.
    pub fn fields(names: &[String]) -> Self {
        let mut names = names.to_vec();
        names.sort_unstable();
        names.dedup();
        Self::Fields(names)
    }

    /// What is wrong with a log, if something is.
    pub fn violation(&self, log: &Row) -> Option<String> {
        match self {
            Self::Value { name, test } => {
                let value = log.get(name);
                let holds = match (test, value) {
                    (Test::Absent, None) => true,
                    (_, None) | (Test::Absent, Some(_)) => false,
                    (Test::Present, Some(_)) => true,
                    (Test::Equals(text), Some(value)) => value == text,
                    (Test::Differs(text), Some(value)) => value != text,
                    (Test::Matches(regex), Some(value)) => regex.is_match(value),
                    (Test::OneOf(texts), Some(value)) => texts.iter().any(|text| text == value),
                };
                (!holds).then(|| match value {
                    Some(value) => format!("{self}, but it is {value:?}"),
                    None => format!("{self}, but the log has no {name}"),
                })
            }
            Self::Fields(names) => {
                let own = || log.0.iter().map(|(name, _)| name).filter(|name| is_own(name));
                let extra: Vec<&String> = own().filter(|name| !names.contains(name)).collect();
                let lacking: Vec<&String> =
                    names.iter().filter(|name| !own().any(|own| own == *name)).collect();
                let told = |what: &str, names: &[&String]| match names {
                    [] => String::new(),
                    names => format!(", {what} {names:?}"),
                };
                let wrong = told("it lacks", &lacking) + &told("it has besides", &extra);
                (!wrong.is_empty()).then(|| format!("the log's fields are exactly {names:?}{wrong}"))
            }
        }
    }
}

/// Whether a column is a field of the log and not the service's.
pub fn is_own(name: &str) -> bool {
    !name.starts_with(RESERVED_START)
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(names) => write!(f, "the log's fields are exactly {names:?}"),
            Self::Value { name, test } => match test {
                Test::Equals(text) => write!(f, "{name} is {text:?}"),
                Test::Differs(text) => write!(f, "{name} is not {text:?}"),
                Test::Matches(regex) => write!(f, "{name} matches /{regex}/"),
                Test::OneOf(texts) => write!(f, "{name} is one of {texts:?}"),
                Test::Present => write!(f, "{name} is there"),
                Test::Absent => write!(f, "{name} is not there"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let columns =
            [("status", "200"), ("url", "/a"), ("__topic__", ""), ("__tag__:_pod_name_", "nginx-1")];
        Row(columns.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    fn violation(json: &str) -> String {
        let condition: Condition = serde_json::from_str(json).unwrap();
        condition.check().unwrap().violation(&row()).unwrap_or_default()
    }

    #[test]
    fn conditions_hold_or_say_what_there_is_instead() {
        for json in [
            r#"{"field":"status","equals":"200"}"#,
            r#"{"field":"status","not_equals":"500"}"#,
            r#"{"field":"status","one_of":["204","200"]}"#,
            r#"{"tag":"_pod_name_","matches":"^nginx-"}"#,
            r#"{"field":"__topic__","present":true}"#,
            r#"{"field":"body","present":false}"#,
        ] {
            assert_eq!(violation(json), "", "{json}");
        }
        assert_eq!(violation(r#"{"field":"status","equals":"20"}"#), r#"status is "20", but it is "200""#);
        assert_eq!(
            violation(r#"{"tag":"_pod_ip_","matches":"^10"}"#),
            "__tag__:_pod_ip_ matches /^10/, but the log has no __tag__:_pod_ip_"
        );
        assert_eq!(violation(r#"{"field":"url","present":false}"#), r#"url is not there, but it is "/a""#);
    }

    #[test]
    fn the_fields_are_those_of_the_log_alone() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(Check::fields(&names(&["url", "status"])).violation(&row()), None);
        assert_eq!(
            Check::fields(&names(&["url", "bytes"])).violation(&row()).unwrap(),
            r#"the log's fields are exactly ["bytes", "url"], it lacks ["bytes"], it has besides ["status"]"#
        );
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        let refusal =
            |json: &str| serde_json::from_str::<Condition>(json).unwrap().check().unwrap_err().to_string();
        assert_eq!(refusal(r#"{"equals":"1"}"#), "name one of field and tag");
        assert!(refusal(r#"{"field":"a"}"#).contains("exactly one of"));
        assert!(refusal(r#"{"field":"a","equals":"1","matches":"1"}"#).contains("exactly one of"));
        assert!(refusal(r#"{"field":"a","matches":"("}"#).contains("no regular expression"));
    }
}
