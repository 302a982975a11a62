//! References to variables in the texts of a config: `${NAME}`, or `${NAME:what counts if it is not set}`.
//!
//! Only where `enable_env_ref_in_config` asks for it, since a config could have any variable sent. `$$` is a dollar
//! and `$}` a brace, so that `$${NAME}` stays as it is without its first dollar. Names have a letter or `_` in them:
//! `${1}` is left alone. Source: LoongCollector's `CollectionConfig`, which replaces in values too, not in keys. Pure.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::env::Env;

/// The variables that configs may refer to.
#[derive(Clone)]
pub struct EnvRefs(Env);

// Values of variables may be secrets.
impl fmt::Debug for EnvRefs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvRefs")
    }
}

impl EnvRefs {
    pub fn new(env: Env) -> Self {
        Self(env)
    }

    /// Replaces what is referred to in all texts of a config; one text for each variable that is neither set nor has
    /// a value for that case.
    pub fn replace(&self, value: &mut Value) -> Vec<String> {
        let mut missing = BTreeSet::new();
        self.walk(value, &mut missing);
        let told = |name| {
            format!(
                "${{{name}}} is empty: the environment has no variable of this name; set it, or write ${{{name}:VALUE}}"
            )
        };
        missing.into_iter().map(told).collect()
    }

    /// As deep as the config, whose depth its parser has bounded.
    fn walk(&self, value: &mut Value, missing: &mut BTreeSet<String>) {
        match value {
            Value::String(text) if text.contains('$') => *text = self.text(text, missing),
            Value::Array(list) => list.iter_mut().for_each(|value| self.walk(value, missing)),
            Value::Object(object) => object.values_mut().for_each(|value| self.walk(value, missing)),
            _ => {}
        }
    }

    fn text(&self, text: &str, missing: &mut BTreeSet<String>) -> String {
        let mut made = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            made.push_str(before);
            rest = after;
            if let Some(after) = after.strip_prefix('$') {
                made.push('$');
                rest = after;
            } else if let Some(after) = after.strip_prefix('}') {
                made.push('}');
                rest = after;
            } else if let Some((name, default, after)) = reference(after) {
                match (self.0.set(name), default) {
                    (Some(value), _) | (None, Some(value)) => made.push_str(value),
                    (None, None) => drop(missing.insert(name.to_owned())),
                }
                rest = after;
            } else {
                made.push('$');
            }
        }
        made.push_str(rest);
        made
    }
}

/// Takes `{NAME}` or `{NAME:default}` apart from what follows.
fn reference(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let text = text.strip_prefix('{')?;
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let (name, rest) = text.split_at_checked(end)?;
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if let Some(after) = rest.strip_prefix('}') {
        return Some((name, None, after));
    }
    let rest = rest.strip_prefix(':')?;
    let ends = rest.match_indices('}').map(|(at, _)| at);
    let end = ends.into_iter().find(|at| !rest.get(..*at).is_some_and(|before| before.ends_with('$')))?;
    Some((name, Some(rest.get(..end)?), rest.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn replaced(text: &str) -> (String, usize) {
        let env = [("DIR", "/var/log"), ("EMPTY", ""), ("A1", "x$y")].into_iter().collect();
        let mut value = json!({"list": [text]});
        let missing = EnvRefs::new(env).replace(&mut value);
        (value["list"][0].as_str().unwrap().to_owned(), missing.len())
    }

    #[test]
    fn references_are_replaced_and_everything_else_is_not() {
        for (text, wanted) in [
            ("${DIR}/a.log", "/var/log/a.log"),
            ("${A1}${EMPTY}-${DIR}", "x$y-/var/log"),
            ("${NONE:/tmp}/a ${DIR:/tmp}", "/tmp/a /var/log"),
            ("${EMPTY:other}", ""),
            ("${NONE:}", ""),
            ("${NONE:a$}b}c", "a$}bc"),
            ("$${DIR} $$ $}", "${DIR} $ }"),
            ("${1} $1 ${} ${DIR ${a-b} $", "${1} $1 ${} ${DIR ${a-b} $"),
            (r"(\S+)$ ^\d{3}$", r"(\S+)$ ^\d{3}$"),
            ("${NONE:日本}語", "日本語"),
        ] {
            assert_eq!(replaced(text), (wanted.to_owned(), 0), "{text}");
        }
    }

    #[test]
    fn a_variable_that_is_not_there_is_told_once() {
        assert_eq!(replaced("${NONE}a${NONE}${OTHER}"), ("a".to_owned(), 2));
        let mut value = json!("${NONE}");
        assert_eq!(
            EnvRefs::new(Env::default()).replace(&mut value),
            [
                "${NONE} is empty: the environment has no variable of this name; set it, or write ${NONE:VALUE}"
            ]
        );
    }

    #[test]
    fn values_do_not_show() {
        let refs = EnvRefs::new([("TOKEN", "s3cret")].into_iter().collect());
        assert_eq!(format!("{refs:?}"), "EnvRefs");
    }
}
