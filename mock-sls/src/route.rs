//! From a table of operations to an axum router.
//!
//! A handler is `async fn(Call<O>) -> Result<O::Reply, ApiError>`; `ops/*` registers it with
//! [`Operations::op`], which needs no more than its name because `O` carries method, path and
//! types. Handlers are boxed once, so axum's generics are instantiated once and not per
//! operation. What happens before a handler is in [`crate::front`].

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::any;
use http::Method;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction};
use serde::de::DeserializeOwned;
use sls_api::codec::Compression;
use sls_api::names::ProjectName;
use sls_api::operation::{DecodeError, Endpoint, Operation, Payload, Scope, WireBody};

use crate::app::App;
use crate::arrivals::Change;
use crate::error::ApiError;
use crate::front;
use crate::journal::Writing;
use crate::store::projects::{self, ProjectId};

/// One decoded call of operation `O`.
pub struct Call<O: Operation> {
    /// Names in the path.
    pub path: O::Path,
    /// Query parameters.
    pub query: O::Query,
    /// Body.
    pub body: O::Body,
    /// Who calls, when, and what he may touch.
    pub context: Context,
}

/// What a handler knows besides the request's own content.
#[derive(Clone)]
pub struct Context {
    /// The server.
    pub app: Arc<App>,
    /// Project named by the host or header.
    pub project: Option<ProjectName>,
    /// Account id of the caller.
    pub account: String,
    /// Address of the caller.
    pub client_ip: IpAddr,
    /// When the request arrived.
    pub now: Timestamp,
    /// Compression that the caller reads, for the few answers that may be compressed.
    pub accepts: Compression,
    /// What faults do to the answers of queries.
    pub reading: Reading,
    /// Where a handler that writes logs says what they are.
    pub writing: Writing,
    /// Tells whoever waits for logs when the last that keeps it has ended.
    pub change: Option<Arc<Change>>,
}

/// What faults do to the answer of a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Whether it says that it is incomplete.
    pub incomplete: bool,
    /// Only logs that came up to then are found.
    pub came_until: Option<Timestamp>,
}

impl Context {
    /// Reads from the project of the request.
    pub async fn read<T, F>(self, f: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, ProjectId) -> Result<T, ApiError> + Send + 'static,
    {
        let Self { app, project, account, .. } = self;
        let project = project.ok_or(ApiError::NoProject)?;
        app.store.read(move |db| f(db, projects::owned(db, &project, &account)?)).await
    }

    /// Changes something in the project of the request.
    pub async fn write<T, F>(self, f: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>, ProjectId) -> Result<T, ApiError> + Send + 'static,
    {
        let Self { app, project, account, .. } = self;
        let project = project.ok_or(ApiError::NoProject)?;
        app.store.write(move |tx| f(tx, projects::owned(tx, &project, &account)?)).await
    }
}

/// The parts of a request that are decoded per operation.
pub struct Raw {
    /// Names in the path, unescaped.
    pub path: Vec<(&'static str, String)>,
    /// Query string as on the wire.
    pub query: String,
    /// Headers and body.
    pub payload: Payload,
}

impl<O: Operation> Call<O> {
    fn decode(context: Context, raw: Raw, bad_body: fn(DecodeError) -> ApiError) -> Result<Self, ApiError> {
        let path = serde_urlencoded::to_string(raw.path)
            .map_err(|e| ApiError::ParameterInvalid(format!("path: {e}")))?;
        Ok(Self {
            path: from_urlencoded("path", &path)?,
            query: from_urlencoded("query", &raw.query)?,
            body: O::Body::from_payload(raw.payload).map_err(bad_body)?,
            context,
        })
    }
}

fn from_urlencoded<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, ApiError> {
    serde_urlencoded::from_str(text).map_err(|e| ApiError::ParameterInvalid(format!("{what}: {e}")))
}

type Answer = Pin<Box<dyn Future<Output = Result<Payload, ApiError>> + Send>>;
type Handler = Box<dyn Fn(Context, Raw) -> Answer + Send + Sync>;

/// An operation that is served, and how often it was called.
pub struct Entry {
    /// Where it lives.
    pub endpoint: Endpoint,
    /// Calls so far.
    pub calls: AtomicU64,
    /// Calls that were not answered with 200.
    pub errors: AtomicU64,
    /// Whether it needs no signature.
    pub anonymous: bool,
    handler: Handler,
}

impl Entry {
    /// Runs the handler and counts the call.
    pub async fn call(&self, context: Context, raw: Raw) -> Result<Payload, ApiError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let outcome = self.answer(context, raw).await;
        if outcome.is_err() {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    /// Runs the handler without counting, for the console: the counts are those of clients.
    pub async fn answer(&self, context: Context, raw: Raw) -> Result<Payload, ApiError> {
        (self.handler)(context, raw).await
    }
}

/// The operations of one path.
pub struct Group {
    /// Path template, the same for all entries.
    pub path: &'static str,
    /// Those with a selector come first, so that the one without is asked last.
    pub entries: Vec<Entry>,
}

impl Group {
    /// The operation that a request means.
    ///
    /// The project decides between `GetProject` and `ListProject`, which share everything else;
    /// beyond that an account operation is also answered on a project's host.
    pub fn choose(
        &self,
        method: &Method,
        query: &[(String, String)],
        has_project: bool,
    ) -> Result<&Entry, ApiError> {
        // Some clients look at PullLogs headers with HEAD; hyper leaves the body out.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let same_method = || self.entries.iter().filter(|e| e.endpoint.method == *method);
        if same_method().next().is_none() {
            let selector = selector(query);
            return Err(ApiError::InvalidMethod(format!("{method} {}{selector}", self.path)));
        }
        let given = || query.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let selects = |(key, value): (&str, &str)| {
            !value.is_empty() && same_method().any(|e| e.endpoint.selector.is_some_and(|(k, _)| k == key))
        };
        let selecting = given().any(selects);
        // An unknown value of a selecting key must not fall through to the plain operation.
        let selected = same_method().filter(|entry| {
            entry.endpoint.selected_by(given()) && entry.endpoint.selector.is_some() == selecting
        });
        let fits = |entry: &&Entry| match entry.endpoint.scope {
            Scope::Either => true,
            Scope::Project => has_project,
            Scope::Account => !has_project,
        };
        let mut other_scope = None;
        for entry in selected {
            if fits(&entry) {
                return Ok(entry);
            }
            other_scope = other_scope.or(Some(entry));
        }
        other_scope.ok_or_else(|| not_supported(method, self.path, query))
    }
}

/// Query keys that choose an operation somewhere in the API.
const SELECTOR_KEYS: [&str; 2] = ["type", "action"];

/// Longest part of an unknown path or selector that is repeated and remembered, in characters.
const SHOWN_CHARS_MAX: usize = 200;

/// The error for a request that no operation answers.
pub fn not_supported(method: &Method, path: &str, query: &[(String, String)]) -> ApiError {
    let path = path.chars().take(SHOWN_CHARS_MAX).collect();
    ApiError::NotSupported { method: method.to_string(), path, selector: selector(query) }
}

/// ` with type=x`, or nothing when the query chooses no operation.
fn selector(query: &[(String, String)]) -> String {
    let chooses = |(key, _): &&(String, String)| SELECTOR_KEYS.contains(&key.as_str());
    let shown = |(key, value): &(String, String)| {
        format!(" with {key}={}", value.chars().take(SHOWN_CHARS_MAX).collect::<String>())
    };
    query.iter().find(chooses).map(shown).unwrap_or_default()
}

/// All operations of the server, in the making.
#[derive(Default)]
pub struct Operations {
    entries: Vec<Entry>,
}

impl Operations {
    /// Adds a handler.
    #[must_use]
    pub fn op<O, F, Fut>(self, handler: F) -> Self
    where
        O: Operation,
        F: Fn(Call<O>) -> Fut + Copy + Send + Sync + 'static,
        Fut: Future<Output = Result<O::Reply, ApiError>> + Send + 'static,
    {
        self.op_or(ApiError::from, handler)
    }

    /// Adds a handler of an operation that has its own error for an unreadable body.
    #[must_use]
    pub fn op_or<O, F, Fut>(self, bad_body: fn(DecodeError) -> ApiError, handler: F) -> Self
    where
        O: Operation,
        F: Fn(Call<O>) -> Fut + Copy + Send + Sync + 'static,
        Fut: Future<Output = Result<O::Reply, ApiError>> + Send + 'static,
    {
        self.add(O::ENDPOINT, move |context, raw| async move {
            let call = Call::decode(context, raw, bad_body)?;
            Ok(handler(call).await?.to_payload())
        })
    }

    /// Adds a handler whose answer is compressed when the caller's `Accept-Encoding` names lz4
    /// or zstd. Only for operations where SDKs look for it: elsewhere they send the header and
    /// do not decode.
    #[must_use]
    pub fn op_compressed<O, F, Fut>(self, handler: F) -> Self
    where
        O: Operation,
        F: Fn(Call<O>) -> Fut + Copy + Send + Sync + 'static,
        Fut: Future<Output = Result<O::Reply, ApiError>> + Send + 'static,
    {
        self.add(O::ENDPOINT, move |context, raw| async move {
            let accepts = context.accepts;
            let call = Call::decode(context, raw, ApiError::from)?;
            let payload = handler(call).await?.to_payload();
            payload.compressed(accepts).map_err(|error| ApiError::Internal(error.to_string()))
        })
    }

    /// Adds a handler of an operation that anyone may call, also from a page in a browser.
    #[must_use]
    pub fn op_anonymous<O, F, Fut>(self, bad_body: fn(DecodeError) -> ApiError, handler: F) -> Self
    where
        O: Operation,
        F: Fn(Call<O>) -> Fut + Copy + Send + Sync + 'static,
        Fut: Future<Output = Result<O::Reply, ApiError>> + Send + 'static,
    {
        let mut operations = self.op_or(bad_body, handler);
        if let Some(entry) = operations.entries.last_mut() {
            entry.anonymous = true;
        }
        operations
    }

    /// Adds a handler that reads the request itself: for operations without types of their own,
    /// and those that need a header which their types do not have.
    #[must_use]
    pub fn op_raw<F, Fut>(self, endpoint: Endpoint, handler: F) -> Self
    where
        F: Fn(Context, Raw) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Payload, ApiError>> + Send + 'static,
    {
        self.add(endpoint, handler)
    }

    fn add<F, Fut>(mut self, endpoint: Endpoint, answer: F) -> Self
    where
        F: Fn(Context, Raw) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Payload, ApiError>> + Send + 'static,
    {
        self.entries.push(Entry {
            endpoint,
            calls: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            anonymous: false,
            handler: Box::new(move |context, raw| Box::pin(answer(context, raw))),
        });
        self
    }

    /// Groups the operations by path.
    pub fn into_groups(self) -> Vec<Arc<Group>> {
        let mut groups: Vec<Group> = Vec::new();
        for entry in self.entries {
            match groups.iter_mut().find(|group| group.path == entry.endpoint.path) {
                Some(group) => group.entries.push(entry),
                None => groups.push(Group { path: entry.endpoint.path, entries: vec![entry] }),
            }
        }
        for group in &mut groups {
            group.entries.sort_by_key(|entry| entry.endpoint.selector.is_none());
        }
        groups.into_iter().map(Arc::new).collect()
    }
}

/// Which operations a request may mean, by its path.
pub enum Target {
    /// Those of this path.
    Group(Arc<Group>),
    /// None: the path belongs to the emulator itself and takes other methods.
    OtherMethods,
    /// None: nothing has this path.
    Nothing,
}

/// One route per path; everything else is an unknown operation, also an unknown method on one of
/// the `others`.
pub fn router(app: &Arc<App>, others: Router<Arc<App>>) -> Router<Arc<App>> {
    let unknown = |State(app): State<Arc<App>>, request: Request| front::serve(app, Target::Nothing, request);
    let wrong_method =
        |State(app): State<Arc<App>>, request: Request| front::serve(app, Target::OtherMethods, request);
    let router = others.fallback(unknown).method_not_allowed_fallback(wrong_method);
    app.operations.iter().fold(router, |router, group| {
        let served = Arc::clone(group);
        let serve = move |State(app): State<Arc<App>>, request: Request| {
            front::serve(app, Target::Group(served), request)
        };
        router.route(group.path, any(serve))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::{any, *};

    #[test]
    fn the_keys_that_are_shown_are_those_that_choose_an_operation() {
        let keys: BTreeSet<&str> =
            sls_api::ops::all_endpoints().filter_map(|endpoint| Some(endpoint.selector?.0)).collect();
        assert_eq!(keys, BTreeSet::from(SELECTOR_KEYS));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_the_chosen_operation_has_its_method_and_selector(
            group in any::<prop::sample::Index>(),
            method in "GET|POST|PUT|DELETE|HEAD|PATCH|X",
            query in prop::collection::vec(("type|action|key|from", "log|histogram|cursor|split|x|"), 0..4),
            has_project in any::<bool>(),
        ) {
            let groups = crate::ops::all().into_groups();
            let group = group.get(&groups);
            let method: Method = method.parse().unwrap();
            if let Ok(entry) = group.choose(&method, &query, has_project) {
                let wanted = if method == Method::HEAD { Method::GET } else { method };
                prop_assert_eq!(&entry.endpoint.method, &wanted);
                if let Some((key, value)) = entry.endpoint.selector {
                    prop_assert!(query.iter().any(|(k, v)| k == key && v == value));
                }
            }
        }
    }
}
