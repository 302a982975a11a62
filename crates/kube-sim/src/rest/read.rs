//! GET of an object and of a collection.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::Call;
use crate::error::{ApiError, Cause};
use crate::registry::builtin;
use crate::selector::Selector;
use crate::store::{NsName, Object, Snapshot, SnapshotError};
use crate::view;

/// A page of a collection.
pub struct Page {
    /// Version of the collection.
    pub version: u64,
    /// Objects in stored form.
    pub objects: Vec<Object>,
    /// Token for the next page; empty on the last.
    pub next: String,
    /// Objects after this page, if that is known.
    pub remaining: Option<usize>,
}

/// Where the next page starts, as clients carry it around.
#[derive(Serialize, Deserialize)]
struct Token {
    /// Version all pages are read at.
    rv: u64,
    /// Namespace and name of the last object of the page before.
    after: NsName,
}

/// `GET` of an object.
pub fn get(call: &Call) -> Result<Object, ApiError> {
    call.state.get(&call.resource, &call.namespace, &call.name)
}

/// The selectors of a request.
pub fn selector(call: &Call) -> Result<Selector, ApiError> {
    let (labels, fields) = (call.query.get("labelSelector"), call.query.get("fieldSelector"));
    let selector = Selector::parse(labels, fields)?;
    if let Some(path) = selector.field_paths().find(|path| !call.resource.selects_by(path)) {
        return Err(unknown_field(call, path));
    }
    Ok(selector.with_fields_renamed(|path| view::stored_path(&call.resource, path)))
}

fn unknown_field(call: &Call, path: &str) -> ApiError {
    if call.resource.is_builtin()
        && builtin::selectable_fields(&call.resource.group, &call.resource.kind).is_empty()
    {
        return ApiError::BadRequest(format!(
            "{path:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        ));
    }
    ApiError::BadRequest(format!("field label not supported: {path}"))
}

/// True if a request for this namespace sees an object of that one.
pub fn in_namespace(wanted: &str, namespace: &str) -> bool {
    wanted.is_empty() || wanted == namespace
}

/// `GET` of a collection.
pub fn list(call: &Call) -> Result<Page, ApiError> {
    let selector = selector(call)?;
    let (snapshot, after) = snapshot(call)?;
    let limit = call.query.number("limit")?.filter(|n| *n > 0);
    let limit = limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let mut matching = snapshot
        .objects
        .into_iter()
        .filter(|((namespace, _), _)| in_namespace(&call.namespace, namespace))
        .filter(|(key, _)| after.as_ref().is_none_or(|after| key > after))
        .filter(|(_, object)| selector.matches(object));
    let page: BTreeMap<NsName, Object> = matching.by_ref().take(limit).collect();
    let rest = matching.count();
    let last = page.keys().next_back().cloned();
    let next = match last {
        Some(after) if rest > 0 => encode(&Token { rv: snapshot.version, after }),
        _ => String::new(),
    };
    let remaining = (rest > 0 && selector.is_everything()).then_some(rest);
    Ok(Page { version: snapshot.version, objects: page.into_values().collect(), next, remaining })
}

fn snapshot(call: &Call) -> Result<(Snapshot, Option<NsName>), ApiError> {
    let store = &call.state.store;
    let storage = &call.resource.storage;
    let token = call.query.get("continue");
    if !token.is_empty() {
        let token = decode(token)?;
        let expired = "The provided continue parameter is too old to display a consistent list result. You can start \
            a new list without the continue parameter.";
        let snapshot = store.snapshot_at(storage, token.rv).map_err(|_| ApiError::Expired(expired.into()))?;
        return Ok((snapshot, Some(token.after)));
    }
    let version = call.query.resource_version()?;
    match call.query.get("resourceVersionMatch") {
        "Exact" if version == 0 => {
            let detail = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            Err(ApiError::options("ListOptions", Cause::forbidden("resourceVersionMatch", detail)))
        }
        "Exact" => store.snapshot_at(storage, version).map(|s| (s, None)).map_err(snapshot_error),
        "" | "NotOlderThan" => {
            let snapshot = store.snapshot(storage);
            if version > snapshot.version {
                return Err(snapshot_error(SnapshotError::Future(snapshot.version)));
            }
            Ok((snapshot, None))
        }
        other => Err(ApiError::BadRequest(format!("resourceVersionMatch: Unsupported value: {other:?}"))),
    }
}

/// What clients see when a version cannot be served.
pub fn snapshot_error(error: SnapshotError) -> ApiError {
    match error {
        SnapshotError::Compacted(gone) => {
            ApiError::Expired(format!("too old resource version: {} ({})", gone.requested, gone.oldest))
        }
        SnapshotError::Future(current) => ApiError::Coded {
            code: 504,
            message: format!("Timeout: Too large resource version: current: {current}"),
            retry_after_seconds: Some(1),
        },
    }
}

fn encode(token: &Token) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(token).unwrap_or_default())
}

fn decode(text: &str) -> Result<Token, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    bytes.and_then(|b| serde_json::from_slice(&b).ok()).ok_or_else(|| {
        ApiError::BadRequest(
            "invalid continue token: continue key is not valid: it is not one that this server gave out"
                .into(),
        )
    })
}
