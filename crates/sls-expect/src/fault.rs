//! Faults that the emulator is told to make: which requests, which of these, and what happens to them.
//! Posted to `/_mock/v1/faults`, by `mock-sls faults add`, or in Rust with `Running::fault`. What a fault
//! may be is read in [`what`](self::what); whether it acts is decided by the emulator.

mod what;

pub use what::{
    CLOCK_OFFSET_S_MAX, DELAY_MS_MAX, Delay, ErrorAnswer, HANG_MS_DEFAULT, HANG_MS_MAX, Hang,
    MESSAGE_CHARS_MAX, Quota, Reset, VISIBILITY_DELAY_MS_MAX, What, WrongRequestId,
};

use std::net::{IpAddr, SocketAddr};

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::operations::{Operations, Selection, UnknownOperation, is_query};

/// Faults that there may be at a time (own choice: each is looked at for each request).
pub const RULES_MAX: usize = 100;
/// Characters of a name (own choice).
pub const NAME_CHARS_MAX: usize = 64;
/// Characters of a regular expression for a header (own choice).
pub const PATTERN_CHARS_MAX: usize = 1_000;
/// Memory of such an expression, bytes (own choice).
const PATTERN_BYTES_MAX: usize = 1 << 20;
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

/// Which requests a fault acts on. All parts that are given must hold; then the request counts as a
/// matching one, and `nth`, `after`, `every` and `probability` choose among those.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Operations.
    #[serde(default, skip_serializing_if = "Operations::is_empty")]
    pub operation: Operations,
    /// Project of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Logstore in the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logstore: Option<String>,
    /// Shard in the path: writes name none, the server chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<u32>,
    /// A header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderIs>,
    /// Sender's address, with or without port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
    /// Exactly this matching request, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// All matching requests after so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Each so-manyth matching request: with 3 the third, the sixth and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// Share of the requests that it acts on, above 0 and up to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Which ones, with a probability: the same seed chooses the same requests again, counted by their
    /// match. 0 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// A condition on a header; one of `equals` and `matches`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderIs {
    /// Name, in any case.
    pub name: String,
    /// The whole value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<String>,
    /// A regular expression that is found in the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
}

/// A sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "client: use an IP address, with or without a port")]
pub enum Client {
    /// Any port of it.
    Host(IpAddr),
    /// One connection.
    Port(SocketAddr),
}

impl Client {
    /// Whether a request came from there.
    pub fn is(self, sender: SocketAddr) -> bool {
        match self {
            Self::Host(ip) => sender.ip() == ip,
            Self::Port(address) => sender == address,
        }
    }
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

impl When {
    fn check(&self) -> Result<Selection, Invalid> {
        let bad = |part, why: &str| Err(Invalid::When { part, why: why.to_owned() });
        let selection = self.operation.select()?;
        if self.logstore.is_some() && !selection.any(|it| it.path.contains("{logstore}")) {
            return Err(Invalid::NotInPath { part: "logstore", hint: "" });
        }
        if self.shard.is_some() && !selection.any(|it| it.path.contains("{shard}")) {
            return Err(Invalid::NotInPath {
                part: "shard",
                hint: ": the server chooses the shard of a write",
            });
        }
        if [self.nth, self.after, self.every].iter().flatten().count() > 1 {
            return bad("nth", "use one of nth, after and every");
        }
        if self.nth == Some(0) {
            return bad("nth", "requests are counted from 1");
        }
        if self.every == Some(0) {
            return bad("every", "use 1 or more");
        }
        if self.probability.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            return bad("probability", "use a number above 0 and up to 1");
        }
        if self.seed.is_some() && self.probability.is_none() {
            return bad("seed", "has no effect without probability");
        }
        Ok(selection)
    }
}

impl HeaderIs {
    fn check(&self) -> Result<HeaderTest, Invalid> {
        let bad = |why: String| Invalid::When { part: "header", why };
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if self.name.is_empty() || !self.name.bytes().all(token) {
            return Err(bad(format!("{:?} is no name of a header", self.name)));
        }
        let value = match (&self.equals, &self.matches) {
            (Some(text), None) => ValueTest::Equals(text.clone()),
            (None, Some(pattern)) if pattern.chars().count() > PATTERN_CHARS_MAX => {
                return Err(bad(format!("matches: at most {PATTERN_CHARS_MAX} characters are allowed")));
            }
            (None, Some(pattern)) => {
                let built = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build();
                ValueTest::Matches(built.map_err(|error| bad(format!("matches: {error}")))?)
            }
            _ => return Err(bad("use one of equals and matches".to_owned())),
        };
        Ok(HeaderTest { name: self.name.to_ascii_lowercase(), value })
    }
}

/// A fault that makes sense, with what is looked up once.
#[derive(Debug)]
pub struct Checked {
    /// Its operations.
    pub operations: Selection,
    /// Its header.
    pub header: Option<HeaderTest>,
}

/// A condition on a header, ready to be used.
#[derive(Debug)]
pub struct HeaderTest {
    /// Name of the header, lowercase.
    pub name: String,
    value: ValueTest,
}

#[derive(Debug)]
enum ValueTest {
    Equals(String),
    Matches(Regex),
}

impl HeaderTest {
    /// Whether it holds for a value.
    pub fn holds(&self, value: &[u8]) -> bool {
        match &self.value {
            ValueTest::Equals(wanted) => wanted.as_bytes() == value,
            ValueTest::Matches(pattern) => pattern.is_match(value),
        }
    }
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
