//! Which requests a fault acts on.

use std::net::{IpAddr, SocketAddr};

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::Invalid;
use crate::operations::{Operations, Selection};

/// Characters of a regular expression for a header (own choice).
pub const PATTERN_CHARS_MAX: usize = 1_000;
/// Memory of such an expression, bytes (own choice).
const PATTERN_BYTES_MAX: usize = 1 << 20;

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

impl When {
    pub(super) fn check(&self) -> Result<Selection, Invalid> {
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
    pub(super) fn check(&self) -> Result<HeaderTest, Invalid> {
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
