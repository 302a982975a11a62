//! Faults that the emulator is told to make: which requests, which of these, and what happens to them.
//! Posted to `/_mock/v1/faults`, by `mock-sls faults add`, or in Rust with `Running::fault`. Which requests
//! is read in [`when`](self::when), what a fault may be in [`what`](self::what); whether it acts is decided
//! by the emulator.

mod what;
mod when;

pub use what::{
    CLOCK_OFFSET_S_MAX, DELAY_MS_MAX, Delay, ErrorAnswer, HANG_MS_DEFAULT, HANG_MS_MAX, Hang,
    MESSAGE_CHARS_MAX, Quota, Reset, VISIBILITY_DELAY_MS_MAX, What, WrongRequestId,
};
pub use when::{Client, HeaderIs, HeaderTest, PATTERN_CHARS_MAX, When};

use serde::{Deserialize, Serialize};

use crate::operations::{Selection, UnknownOperation, is_query};

/// Faults that there may be at a time (own choice: each is looked at for each request).
pub const RULES_MAX: usize = 100;
/// Characters of a name (own choice).
pub const NAME_CHARS_MAX: usize = 64;
/// How long a fault may live, ms: a week (own choice).
pub const FOR_MS_MAX: u64 = 7 * 24 * 3_600_000;

/// A fault: on which requests, and what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is called, in lists, in the journal and to remove it: letters, digits, `.`, `_` and `-`.
    /// Without one it is given `fault-1` and so on. One of the same name takes the place of the earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which requests; without it all.
    #[serde(default)]
    pub when: When,
    /// What happens to them.
    pub what: What,
    /// How often it acts at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How long it lives, ms by the server's clock, at most [`FOR_MS_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
}

/// A fault as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// What it is called.
    pub name: String,
    /// The fault.
    pub rule: Rule,
    /// Requests that matched so far.
    pub matched: u64,
    /// How often it acted.
    pub acted: u64,
    /// How often it may act yet, if that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times_left: Option<u64>,
    /// How long it lives yet, ms, if that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms_left: Option<u64>,
    /// Whether it never acts again.
    pub over: bool,
}

/// A fault that makes no sense; the text says what and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A name that cannot be.
    #[error("name {0:?}: use 1 to {NAME_CHARS_MAX} letters, digits, '.', '_' and '-'")]
    Name(String),
    /// Two in one list have the same name.
    #[error("name {0:?} is given to two faults of the list")]
    NameTwice(String),
    /// An operation that is not there.
    #[error("when.operation: {0}")]
    Operation(#[from] UnknownOperation),
    /// Something that no chosen operation has.
    #[error("when.{part}: none of the chosen operations has a {part} in its path{hint}")]
    NotInPath {
        /// What.
        part: &'static str,
        /// Why, where that is not plain.
        hint: &'static str,
    },
    /// Something that only queries know.
    #[error("what.{0}: acts on queries, and none of the chosen operations is one")]
    NoQuery(&'static str),
    /// Something else about `when`.
    #[error("when.{part}: {why}")]
    When {
        /// Which part.
        part: &'static str,
        /// What is wrong.
        why: String,
    },
    /// None or several.
    #[error("what: {given}; use exactly one of {}", what::KINDS.join(", "))]
    NotOne {
        /// What was given.
        given: String,
    },
    /// Something about `what`.
    #[error("what.{kind}: {why}")]
    What {
        /// Which kind.
        kind: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A limit that makes no sense.
    #[error("{part}: {why}")]
    Limit {
        /// Which.
        part: &'static str,
        /// What is wrong.
        why: String,
    },
    /// There are as many as there may be.
    #[error("there may be {RULES_MAX} faults: remove some first")]
    TooMany,
}

impl Rule {
    /// A fault of every request.
    pub fn new(what: What) -> Self {
        Self { name: None, when: When::default(), what, times: None, for_ms: None }
    }

    /// Called so.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Only of these operations: names with commas between them, `write`, `query`, `pull` or `*`.
    #[must_use]
    pub fn on(mut self, operations: &str) -> Self {
        self.when.operation = operations.into();
        self
    }

    /// Acts so often at most.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Checks that it makes sense and makes it ready to be used.
    ///
    /// # Errors
    /// [`Invalid`] says what does not.
    pub fn check(&self) -> Result<Checked, Invalid> {
        if let Some(name) = self.name.as_ref().filter(|name| !is_name(name)) {
            return Err(Invalid::Name(name.clone()));
        }
        let operations = self.when.check()?;
        let header = self.when.header.as_ref().map(HeaderIs::check).transpose()?;
        self.what.check()?;
        if let Some(kind) = self.what.only_of_queries().filter(|_| !operations.any(|it| is_query(it.name))) {
            return Err(Invalid::NoQuery(kind));
        }
        if self.times == Some(0) {
            return Err(Invalid::Limit {
                part: "times",
                why: "a fault that never acts: use 1 or more".to_owned(),
            });
        }
        if let Some(ms) = self.for_ms.filter(|ms| !(1..=FOR_MS_MAX).contains(ms)) {
            return Err(Invalid::Limit { part: "for_ms", why: format!("{ms}: use 1 to {FOR_MS_MAX}") });
        }
        Ok(Checked { operations, header })
    }

    /// How often it acts at most: `times`, or what the kind of the fault says, whichever is less.
    pub fn times_max(&self) -> Option<u64> {
        match (self.times, &self.what) {
            (times, What::Incomplete(answers)) => Some(times.unwrap_or(*answers).min(*answers)),
            (times, _) => times,
        }
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

/// A fault that makes sense, with what is looked up once.
#[derive(Debug)]
pub struct Checked {
    /// Its operations.
    pub operations: Selection,
    /// Its header.
    pub header: Option<HeaderTest>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<Rule, String> {
        let rule: Rule = serde_json::from_str(json).map_err(|error| error.to_string())?;
        rule.check().map_err(|error| error.to_string())?;
        Ok(rule)
    }

    #[test]
    fn a_rule_is_written_as_it_was_read() {
        for json in [
            r#"{"when":{},"what":{"delay_ms":{"min":5,"max":9}}}"#,
            r#"{"name":"a","when":{"operation":"write","project":"p","logstore":"l"},"what":{"quota":"write"},"times":2}"#,
            r#"{"when":{"operation":["PullLogs","GetCursor"],"shard":1},"what":{"reset":"after"},"for_ms":7}"#,
            r#"{"when":{"header":{"name":"x-log-a","matches":"^b"},"client":"127.0.0.1","nth":3},"what":{"slow_body":{"bytes_per_s":9}}}"#,
            r#"{"when":{"client":"127.0.0.1:80","probability":0.5,"seed":7},"what":{"error":{"status":500,"error_code":"InternalServerError","message":"m"}}}"#,
        ] {
            assert_eq!(serde_json::to_string(&check(json).unwrap()).unwrap(), json);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_reason() {
        for (json, reason) in [
            (r#""when":{"operation":"PutLog"},"what":{"reset":"after"}"#, "do you mean PutLogs?"),
            (
                r#""when":{"shard":1,"operation":"write"},"what":{"reset":"after"}"#,
                "the server chooses the shard",
            ),
            (
                r#""when":{"logstore":"l","operation":"GetProject"},"what":{"reset":"after"}"#,
                "a logstore in its path",
            ),
            (r#""when":{"nth":1,"every":2},"what":{"reset":"after"}"#, "one of nth, after and every"),
            (r#""when":{"nth":0},"what":{"reset":"after"}"#, "counted from 1"),
            (r#""when":{"nth":-1},"what":{"reset":"after"}"#, "integer `-1`"),
            (r#""when":{"probability":1.5},"what":{"reset":"after"}"#, "above 0 and up to 1"),
            (r#""when":{"seed":1},"what":{"reset":"after"}"#, "without probability"),
            (r#""when":{"client":"me"},"what":{"reset":"after"}"#, "client: use an IP address"),
            (r#""when":{"operation":7},"what":{"reset":"after"}"#, "operation: use a name"),
            (
                r#""when":{"header":{"name":"a b","equals":""}},"what":{"reset":"after"}"#,
                "no name of a header",
            ),
            (
                r#""when":{"header":{"name":"a","matches":"("}},"what":{"reset":"after"}"#,
                "matches: regex parse error",
            ),
            (r#""when":{"header":{"name":"a"}},"what":{"reset":"after"}"#, "one of equals and matches"),
            (r#""when":{"logstor":"l"},"what":{"reset":"after"}"#, "unknown field `logstor`"),
            (r#""what":{}"#, "what: nothing is given; use exactly one of delay_ms, error"),
            (r#""what":{"reset":"after","quota":"write"}"#, "what: reset and quota are given"),
            (r#""what":{"resets":"after"}"#, "what: resets is no fault, do you mean reset?"),
            (r#""what":{"incomplete":1},"when":{"operation":"write"}"#, "what.incomplete: acts on queries"),
            (r#""what":{"reset":"after"},"times":0"#, "never acts"),
            (r#""what":{"reset":"after"},"for_ms":0"#, "use 1 to"),
            (r#""what":{"reset":"after"},"name":"a b""#, "name \"a b\": use 1 to 64"),
        ] {
            let refused = check(&format!("{{{json}}}")).unwrap_err();
            assert!(refused.contains(reason), "{json}: {refused}");
        }
    }
}
