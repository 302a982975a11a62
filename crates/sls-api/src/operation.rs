//! What an API operation is: one type that both ends share.
//!
//! `sls-client` sends any [`Operation`], `mock-sls` serves it; neither repeats its method, path
//! or types. The `operation!` macro fills the trait; `ops` holds one line per operation.

mod payload;
pub mod query;
pub mod shape;

pub(crate) use payload::null_is_default;
pub use payload::{DecodeError, Json, Payload, REPLY_RAW_BYTES_MAX, Text, WireBody};

use http::Method;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// One call of the API.
pub trait Operation: Send + 'static {
    /// Where it lives, and what is known about it.
    const ENDPOINT: Endpoint;
    /// Names in the path.
    type Path: Serialize + DeserializeOwned + Send;
    /// Query parameters besides the selector.
    type Query: Serialize + DeserializeOwned + Send;
    /// Request body.
    type Body: WireBody;
    /// Body (and meaningful headers) of the answer with status 200.
    type Reply: WireBody;
}

/// Method, place and standing of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The operation's name in the API documents, e.g. `CreateLogStore`.
    pub name: &'static str,
    /// Whether the host name carries a project.
    pub scope: Scope,
    /// HTTP method.
    pub method: Method,
    /// Path with `{name}` segments, the names being those of [`Operation::Path`].
    pub path: &'static str,
    /// Query parameter that tells this operation from others with the same method and path.
    pub selector: Option<(&'static str, &'static str)>,
    /// How much depends on it.
    pub tier: Tier,
    /// How faithfully the emulator behaves.
    pub fidelity: Fidelity,
    /// Where our knowledge of it comes from.
    pub source: Source,
}

/// Whether an operation belongs to a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Sent to the bare endpoint.
    Account,
    /// Sent to `project.endpoint`.
    Project,
    /// Sent to either; the project is in the body (CreateProject: the Node SDK uses the bare
    /// endpoint, all others the project's host).
    Either,
}

/// Importance of an operation for collectors, operators and ordinary programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Needed by nearly everyone.
    A,
    /// Commonly used.
    B,
    /// Rare.
    C,
}

/// How faithfully the emulator behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fidelity {
    /// As the service, as far as known.
    Full,
    /// Differs; the text says in what.
    Partial(&'static str),
    /// Stored and returned, without effect.
    Accepted,
}

/// Where knowledge of a behaviour comes from; the text names the document, SDK or recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Source {
    Sdk(&'static str),
    Docs(&'static str),
    Recorded(&'static str),
    Guess(&'static str),
}

/// No names in the path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoPath {}

/// No query parameters that matter; unknown ones are ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoQuery {}

/// A path that cannot be written, or does not have the shape its operation needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("path of {operation}: {reason}")]
pub struct PathError {
    /// Name of the operation.
    pub operation: &'static str,
    /// What is wrong.
    pub reason: String,
}

/// Characters of a path segment that must be escaped: everything but RFC 3986 unreserved.
const SEGMENT: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Endpoint {
    /// The path with the names of `path` filled in and escaped.
    ///
    /// # Errors
    /// [`PathError`] when `path` lacks a name that the template uses.
    pub fn fill_path<P: Serialize>(&self, path: &P) -> Result<String, PathError> {
        let failed = |reason: String| PathError { operation: self.name, reason };
        let encoded = serde_urlencoded::to_string(path).map_err(|e| failed(e.to_string()))?;
        let names: Vec<(String, String)> =
            serde_urlencoded::from_str(&encoded).map_err(|e| failed(e.to_string()))?;
        let mut filled = String::with_capacity(self.path.len() + encoded.len());
        for segment in self.path.split('/').skip(1) {
            filled.push('/');
            match placeholder(segment) {
                None => filled.push_str(segment),
                Some(name) => {
                    let (_, value) = names
                        .iter()
                        .find(|(key, _)| key == name)
                        .ok_or_else(|| failed(format!("no value for {{{name}}}")))?;
                    filled.extend(percent_encoding::utf8_percent_encode(value, SEGMENT));
                }
            }
        }
        Ok(filled)
    }

    /// The query string: selector first, then the parameters of `query`.
    ///
    /// # Errors
    /// [`PathError`] when `query` is not a flat structure.
    pub fn fill_query<Q: Serialize>(&self, query: &Q) -> Result<String, PathError> {
        let rest = serde_urlencoded::to_string(query)
            .map_err(|e| PathError { operation: self.name, reason: e.to_string() })?;
        Ok(match self.selector {
            None => rest,
            Some((key, value)) if rest.is_empty() => format!("{key}={value}"),
            Some((key, value)) => format!("{key}={value}&{rest}"),
        })
    }

    /// Reads the names out of a wire path, if its segments fit this operation's template.
    #[must_use]
    pub fn match_path(&self, path: &str) -> Option<Vec<(&'static str, String)>> {
        let mut names = Vec::new();
        let mut have = path.trim_end_matches('/').split('/').skip(1);
        for segment in self.path.trim_end_matches('/').split('/').skip(1) {
            let got = have.next()?;
            match placeholder(segment) {
                None if segment == got => {}
                None => return None,
                Some(name) => {
                    let text = percent_encoding::percent_decode_str(got).decode_utf8().ok()?;
                    names.push((name, text.into_owned()));
                }
            }
        }
        have.next().is_none().then_some(names)
    }

    /// Whether the query parameters select this operation among those with its path. An
    /// operation without selector fits any parameters; it must be asked last.
    #[must_use]
    pub fn selected_by<'q>(&self, mut query: impl Iterator<Item = (&'q str, &'q str)>) -> bool {
        self.selector.is_none_or(|wanted| query.any(|pair| pair == wanted))
    }
}

fn placeholder(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Declares an operation: `operation!(/// doc  Name: METHOD "/path" ? "key" = "value", Scope, Tier,
/// Fidelity, Source, Path, Query, Body => Reply);`
macro_rules! operation {
    ($(#[$doc:meta])* $name:ident: $method:ident $path:literal $(? $key:literal = $value:literal)?,
     $scope:ident, $tier:ident, $fidelity:expr, $source:expr,
     $p:ty, $q:ty, $body:ty => $reply:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;
        impl $crate::operation::Operation for $name {
            const ENDPOINT: $crate::operation::Endpoint = $crate::operation::Endpoint {
                name: stringify!($name),
                scope: $crate::operation::Scope::$scope,
                method: http::Method::$method,
                path: $path,
                selector: operation!(@selector $($key $value)?),
                tier: $crate::operation::Tier::$tier,
                fidelity: $fidelity,
                source: $source,
            };
            type Path = $p;
            type Query = $q;
            type Body = $body;
            type Reply = $reply;
        }
    };
    (@selector) => { None };
    (@selector $key:literal $value:literal) => { Some(($key, $value)) };
}
pub(crate) use operation;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Operation,
        ops::{
            InMachineGroupConfig, InShard, all_endpoints,
            cursors::{GetCursor, PullLogs, PullQuery},
            logstores::{ListLogStore, ListLogStoreQuery},
            machine_groups::ApplyConfigToMachineGroup,
        },
    };
    use std::collections::BTreeSet;

    #[test]
    fn no_two_operations_share_name_or_place() {
        let mut names = BTreeSet::new();
        let mut places = BTreeSet::new();
        for e in all_endpoints() {
            let place = (e.method.to_string(), e.path, e.selector, e.scope == Scope::Account);
            assert!(names.insert(e.name), "two operations are called {}", e.name);
            assert!(places.insert(place), "{} stands where another operation does", e.name);
        }
    }

    #[test]
    fn a_path_is_filled_and_read_again() {
        let path = InMachineGroupConfig { group: "g1".parse().unwrap(), config: "c-1".parse().unwrap() };
        let endpoint = ApplyConfigToMachineGroup::ENDPOINT;
        let filled = endpoint.fill_path(&path).unwrap();
        assert_eq!(filled, "/machinegroups/g1/configs/c-1");
        let names = endpoint.match_path(&filled).unwrap();
        assert_eq!(names, [("group", "g1".to_owned()), ("config", "c-1".to_owned())]);
        assert_eq!(endpoint.match_path("/machinegroups/g1/configs"), None);
        assert_eq!(endpoint.match_path("/machinegroups/g1/configs/c/x"), None);
        assert_eq!(endpoint.match_path("/machinegroups/a%2Fb/configs/c").unwrap()[0].1, "a/b");
    }

    #[test]
    fn a_path_without_its_names_is_refused() {
        let e = GetCursor::ENDPOINT.fill_path(&NoPath {}).unwrap_err();
        assert_eq!(e.to_string(), "path of GetCursor: no value for {logstore}");
    }

    #[test]
    fn the_selector_comes_first_and_tells_operations_apart() {
        let query = PullQuery { cursor: "MQ==".into(), count: Some(3), end_cursor: None, query: None };
        let text = PullLogs::ENDPOINT.fill_query(&query).unwrap();
        assert_eq!(text, "type=log&cursor=MQ%3D%3D&count=3");
        let given = [("cursor", "MQ=="), ("type", "log")];
        assert!(PullLogs::ENDPOINT.selected_by(given.into_iter()));
        assert!(!GetCursor::ENDPOINT.selected_by(given.into_iter()));
        let path = InShard { logstore: "ls".parse().unwrap(), shard: 7 };
        assert_eq!(PullLogs::ENDPOINT.fill_path(&path).unwrap(), "/logstores/ls/shards/7");
    }

    #[test]
    fn empty_parameters_are_not_given_and_unknown_ones_ignored() {
        let read = |text| serde_urlencoded::from_str::<ListLogStoreQuery>(text);
        assert_eq!(read("logstoreName=&offset=&size=&x=1"), Ok(ListLogStoreQuery::default()));
        assert_eq!(read("size=10").unwrap().size, Some(10));
        let e = read("size=ten").unwrap_err();
        assert_eq!(e.to_string(), "invalid value \"ten\": invalid digit found in string");
        assert_eq!(ListLogStore::ENDPOINT.fill_query(&ListLogStoreQuery::default()).unwrap(), "");
    }
}
