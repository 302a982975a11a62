//! Which projects the objects of a namespace may use. Pure; without rules all may be used.

use std::fmt;
use std::str::FromStr;

/// One rule, `NAMESPACE=PROJECT`; in both, `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    namespace: String,
    project: String,
}

/// A text that is no rule.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no rule: write NAMESPACE=PROJECT, for example team-a=team-a-* or *=shared-logs")]
pub struct InvalidRule(String);

impl FromStr for Rule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        let pattern = |part: &str| {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '*');
            !part.is_empty() && part.chars().all(fits)
        };
        match text.split_once('=') {
            Some((namespace, project)) if pattern(namespace) && pattern(project) => {
                Ok(Self { namespace: namespace.to_owned(), project: project.to_owned() })
            }
            _ => Err(InvalidRule(text.chars().take(200).collect())),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.namespace, self.project)
    }
}

/// The rules of one operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedProjects(Vec<Rule>);

impl AllowedProjects {
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules)
    }

    /// Whether objects of `namespace` may use `project`.
    ///
    /// # Errors
    /// The rules that there are for the namespace.
    pub fn check(&self, namespace: &str, project: &str) -> Result<(), String> {
        let mut rules = self.0.iter().filter(|rule| matches(&rule.namespace, namespace)).peekable();
        if self.0.is_empty() {
            return Ok(());
        }
        if rules.peek().is_none() {
            return Err(format!("no --allowed-projects names namespace {namespace}"));
        }
        let mut named = Vec::new();
        for rule in rules {
            if matches(&rule.project, project) {
                return Ok(());
            }
            named.push(rule.to_string());
        }
        Err(format!("--allowed-projects {}", named.join(", ")))
    }
}

/// Whether `text` is as `pattern` says.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(rules: &[&str]) -> AllowedProjects {
        AllowedProjects::new(rules.iter().map(|rule| rule.parse().unwrap()).collect())
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a-*", "a-", true),
            ("a-*", "b-a-", false),
            ("*-b", "a-b", true),
            ("a*b*c", "a-x-b-y-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn without_rules_everything_is_allowed_and_with_rules_only_what_they_say() {
        assert_eq!(allowed(&[]).check("anyone", "anything"), Ok(()));
        let rules = allowed(&["team-a=team-a-*", "*=shared"]);
        assert_eq!(rules.check("team-a", "team-a-logs"), Ok(()));
        assert_eq!(rules.check("team-b", "shared"), Ok(()));
        assert_eq!(rules.check("team-b", "team-a-logs"), Err("--allowed-projects *=shared".into()));
        let rules = allowed(&["team-a=team-a-*"]);
        assert_eq!(rules.check("team-b", "x"), Err("no --allowed-projects names namespace team-b".into()));
    }

    #[test]
    fn what_is_no_rule_is_told_how_to_write_one() {
        for text in ["", "a", "=b", "a=", "A=b", "a=b=c", "a=b?"] {
            let error = text.parse::<Rule>().unwrap_err().to_string();
            assert!(error.contains("NAMESPACE=PROJECT"), "{error}");
        }
    }
}
