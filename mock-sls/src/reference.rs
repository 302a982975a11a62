//! What is said about an operation wherever operations are listed: tier, fidelity and source, and
//! in [`crate::admin`] and `docs/api.md`, but not in [`crate::openapi`], the test that calls it.

use serde_json::{Map, Value, json};
use sls_api::operation::{Endpoint, Fidelity, Scope, Source};

/// Lines `Operation test`, written by the test that compares them.
const TESTS: &str = include_str!("operation_tests.txt");

/// The test that calls an operation.
pub fn test_of(operation: &str) -> Option<&'static str> {
    TESTS.lines().find_map(|line| line.strip_prefix(operation)?.strip_prefix(' '))
}

/// How an operation stands, as fields of a JSON object.
pub fn standing(endpoint: &Endpoint) -> Map<String, Value> {
    let (fidelity, difference) = match endpoint.fidelity {
        Fidelity::Full => ("full", None),
        Fidelity::Partial(what) => ("partial", Some(what)),
        Fidelity::Accepted => ("accepted", None),
    };
    let (known_from, source) = match endpoint.source {
        Source::Sdk(what) => ("sdk", what),
        Source::Docs(what) => ("docs", what),
        Source::Recorded(what) => ("recorded", what),
        Source::Guess(what) => ("guess", what),
    };
    let scope = match endpoint.scope {
        Scope::Account => "account",
        Scope::Project => "project",
        Scope::Either => "either",
    };
    [
        ("scope", json!(scope)),
        ("tier", json!(format!("{:?}", endpoint.tier))),
        ("fidelity", json!(fidelity)),
        ("difference", json!(difference)),
        ("knownFrom", json!(known_from)),
        ("source", json!(source)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}
