//! Names of Log Service resources, valid by construction.
//!
//! Used in paths, bodies and tables everywhere. The rules are the most lenient of those seen
//! (OpenAPI documentation, older documents, the Java SDK's own checks), because an emulator that
//! rejects a name the service accepts is worse than the opposite.

mod rules;

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

pub use rules::{
    COLLECTED_NAME, DASHBOARD_NAME, DOMAIN_NAME, EXTERNAL_STORE_NAME, JOB_NAME, RECORD_ID, RESOURCE_NAME,
    SAVED_SEARCH_NAME,
};

/// The rule of [`LogstoreName`], for names that are looked at but not kept as such.
pub const LOGSTORE_NAME: NameRule = LogstoreName::RULE;
/// The rule of [`ConfigName`], shared by pipeline configs.
pub const CONFIG_NAME: NameRule = ConfigName::RULE;

/// A text that is not a valid name for its kind of resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} name {name:?} is not valid: use {rule}")]
pub struct InvalidName {
    /// Kind of resource, e.g. `logstore`.
    pub what: &'static str,
    /// The rejected text, cut to [`SHOWN_CHARS_MAX`] characters.
    pub name: String,
    /// The rule in words.
    pub rule: &'static str,
}

/// Longest part of a rejected name repeated in an error message, in characters.
pub const SHOWN_CHARS_MAX: usize = 200;

/// What a name may consist of; lengths are in bytes (all allowed characters are ASCII).
#[derive(Debug, Clone, Copy)]
pub struct NameRule {
    what: &'static str,
    text: &'static str,
    min: usize,
    max: usize,
    inner: fn(u8) -> bool,
    edge: fn(u8) -> bool,
}

impl NameRule {
    /// The rule in words.
    #[must_use]
    pub fn words(&self) -> &'static str {
        self.text
    }

    /// Most bytes of a name.
    #[must_use]
    pub fn max(&self) -> usize {
        self.max
    }

    /// The same rule for names of another kind of thing, which error messages then name.
    #[must_use]
    pub const fn of(self, what: &'static str) -> Self {
        Self { what, ..self }
    }

    /// Whether the name follows the rule.
    ///
    /// # Errors
    /// [`InvalidName`], with the rule in words.
    pub fn check(&self, name: &str) -> Result<(), InvalidName> {
        let bytes = name.as_bytes();
        let edges = bytes.first().into_iter().chain(bytes.last());
        let ok = (self.min..=self.max).contains(&bytes.len())
            && bytes.iter().all(|b| (self.inner)(*b))
            && edges.copied().all(self.edge);
        if ok {
            return Ok(());
        }
        Err(InvalidName {
            what: self.what,
            name: name.chars().take(SHOWN_CHARS_MAX).collect(),
            rule: self.text,
        })
    }
}

fn lower(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}
fn lower_dash(b: u8) -> bool {
    lower(b) || b == b'-'
}
fn lower_dash_underscore(b: u8) -> bool {
    lower_dash(b) || b == b'_'
}
fn letter(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}
fn letter_dash_underscore(b: u8) -> bool {
    letter(b) || b == b'-' || b == b'_'
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident = $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            const RULE: NameRule = $rule;

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl TryFrom<String> for $type {
            type Error = InvalidName;
            fn try_from(name: String) -> Result<Self, InvalidName> {
                Self::RULE.check(&name)?;
                Ok(Self(name))
            }
        }
        impl TryFrom<&str> for $type {
            type Error = InvalidName;
            fn try_from(name: &str) -> Result<Self, InvalidName> {
                Self::RULE.check(name)?;
                Ok(Self(name.to_owned()))
            }
        }
        impl FromStr for $type {
            type Err = InvalidName;
            fn from_str(name: &str) -> Result<Self, InvalidName> {
                Self::try_from(name)
            }
        }
        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name_type! {
    /// A project; also a DNS label, because it travels as the first label of the host name.
    ///
    /// Source: OpenAPI model comments (sls20201230).
    ProjectName = NameRule {
        what: "project",
        text: "3 to 63 lowercase letters, digits or '-', beginning and ending with a letter or digit",
        min: 3,
        max: 63,
        inner: lower_dash,
        edge: lower,
    }
}
name_type! {
    /// A Logstore, unique in its project.
    ///
    /// Source: OpenAPI model comments (2–63) united with the Java SDK's check (2–80).
    LogstoreName = NameRule {
        what: "logstore",
        text: "2 to 80 lowercase letters, digits, '-' or '_', beginning and ending with a letter or digit",
        min: 2,
        max: 80,
        inner: lower_dash_underscore,
        edge: lower,
    }
}
name_type! {
    /// A Logtail configuration, unique in its project.
    ///
    /// Source: API document "Logtail configurations" (2–128) united with the Java SDK's check
    /// (capitals).
    ConfigName = NameRule {
        what: "Logtail config",
        text: "2 to 128 letters, digits, '-' or '_', beginning and ending with a letter or digit",
        min: 2,
        max: 128,
        inner: letter_dash_underscore,
        edge: letter,
    }
}
name_type! {
    /// A machine group, unique in its project.
    ///
    /// Source: OpenAPI model comments (3–128) united with the Java SDK's check (2–128, capitals).
    MachineGroupName = NameRule {
        what: "machine group",
        text: "2 to 128 letters, digits, '-' or '_', beginning and ending with a letter or digit",
        min: 2,
        max: 128,
        inner: letter_dash_underscore,
        edge: letter,
    }
}
name_type! {
    /// A consumer group, unique in its Logstore.
    ///
    /// Source: the Java SDK's check.
    ConsumerGroupName = NameRule {
        what: "consumer group",
        text: "1 to 128 letters, digits, '-' or '_'",
        min: 1,
        max: 128,
        inner: letter_dash_underscore,
        edge: letter_dash_underscore,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_document_are_valid() {
        assert!("k8s-nginx-sidecar-demo".parse::<ProjectName>().is_ok());
        assert!("nginx-access".parse::<LogstoreName>().is_ok());
        assert!("nginx-log-access-example".parse::<ConfigName>().is_ok());
        assert!("nginx-log-sidecar".parse::<MachineGroupName>().is_ok());
    }

    #[test]
    fn dots_slashes_blanks_and_bare_dashes_are_refused() {
        for bad in ["", "a", "a.b", "a/b", "a b", "-ab", "ab-", "é-project", "../etc"] {
            assert!(bad.parse::<ProjectName>().is_err(), "{bad}");
            assert!(bad.parse::<LogstoreName>().is_err(), "{bad}");
            assert!(bad.parse::<ConfigName>().is_err(), "{bad}");
            assert!(bad.parse::<MachineGroupName>().is_err(), "{bad}");
        }
        assert!("Upper".parse::<LogstoreName>().is_err());
        assert!("Upper".parse::<MachineGroupName>().is_ok());
    }

    #[test]
    fn the_message_says_what_is_wrong_and_what_to_use() {
        let e = "Nginx".parse::<LogstoreName>().unwrap_err();
        assert_eq!(
            e.to_string(),
            "logstore name \"Nginx\" is not valid: use 2 to 80 lowercase letters, digits, '-' or \
             '_', beginning and ending with a letter or digit"
        );
    }

    #[test]
    fn json_refuses_an_invalid_name() {
        assert!(serde_json::from_str::<ProjectName>(r#""a b""#).is_err());
        let name: ProjectName = serde_json::from_str(r#""proj-a""#).unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), r#""proj-a""#);
    }
}
