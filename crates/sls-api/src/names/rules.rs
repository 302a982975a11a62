//! Rules of names that only occur in documents, which are kept as JSON and not as types; see
//! [`crate::ops::documents`].

use super::{NameRule, letter, letter_dash_underscore, lower};

fn word_dot(b: u8) -> bool {
    lower(b) || b == b'_' || b == b'.' || b == b'-'
}
fn record(b: u8) -> bool {
    letter_dash_underscore(b) || b == b':' || b == b'.'
}
fn host(b: u8) -> bool {
    letter(b) || b == b'-' || b == b'.'
}

/// A saved search. Source: API reference of 2021 (3–63) united with the Java SDK's check (2–64,
/// capitals).
pub const SAVED_SEARCH_NAME: NameRule = NameRule {
    what: "savedsearch",
    text: "2 to 64 letters, digits, '-' or '_', beginning and ending with a letter or digit",
    min: 2,
    max: 64,
    inner: letter_dash_underscore,
    edge: letter,
};

/// A dashboard. Source: the Java SDK's check; capitals are accepted as for saved searches.
pub const DASHBOARD_NAME: NameRule = NameRule {
    what: "dashboard",
    text: "2 to 128 letters, digits, '-' or '_', beginning and ending with a letter or digit",
    min: 2,
    max: 128,
    inner: letter_dash_underscore,
    edge: letter,
};

/// A job. Source: the Java SDK's check.
pub const JOB_NAME: NameRule = NameRule {
    what: "job",
    text: "1 to 63 letters, digits, '-' or '_'",
    min: 1,
    max: 63,
    inner: letter_dash_underscore,
    edge: letter_dash_underscore,
};

/// An external store. Source: guess; the name is a table of a query, like a Logstore's.
pub const EXTERNAL_STORE_NAME: NameRule = COLLECTED_NAME.of("external store");

/// Names for which no document gives a rule. Source: guess, the rule of Logtail configs.
pub const COLLECTED_NAME: NameRule = NameRule {
    what: "resource",
    text: "1 to 128 letters, digits, '-' or '_', beginning and ending with a letter or digit",
    min: 1,
    max: 128,
    inner: letter_dash_underscore,
    edge: letter,
};

/// A resource of an account. Source: OpenAPI model comments; `-` is a guess.
pub const RESOURCE_NAME: NameRule = NameRule {
    what: "resource",
    text: "3 to 127 lowercase letters, digits, '_', '.' or '-', beginning and ending with a letter or digit",
    min: 3,
    max: 127,
    inner: word_dot,
    edge: lower,
};

/// A record of a resource; also a node or relation of a topology store, which is a guess.
/// Source: OpenAPI model comments.
pub const RECORD_ID: NameRule = NameRule {
    what: "record",
    text: "1 to 64 letters, digits, '_', ':', '.' or '-'",
    min: 1,
    max: 64,
    inner: record,
    edge: record,
};

/// A host name of a project's own. Source: RFC 1123.
pub const DOMAIN_NAME: NameRule = NameRule {
    what: "domain",
    text: "3 to 253 letters, digits, '-' or '.', beginning and ending with a letter or digit",
    min: 3,
    max: 253,
    inner: host,
    edge: letter,
};
