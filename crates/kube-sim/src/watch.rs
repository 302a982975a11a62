//! Watches: replay from the history of the store, then follow it.
//!
//! A watch holds nothing but a version; a slow client costs no memory, and one
//! that falls behind the history gets 410 Gone.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{ApiError, Cause};
use crate::meta;
use crate::registry::Resource;
use crate::request::Representation;
use crate::rest::read::{in_namespace, selector, snapshot_error};
use crate::rest::{Call, respond};
use crate::selector::Selector;
use crate::state::State;
use crate::store::{Change, Compacted, Happened, Object, SnapshotError};
use crate::table;
use crate::view;

/// How long a watch lasts if the client does not say; the real server picks
/// between this and twice as long.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(1800);
/// The longest a client may ask for.
const TIMEOUT_MAX: Duration = Duration::from_secs(86_400);

struct Watch {
    state: Arc<State>,
    resource: Arc<Resource>,
    namespace: String,
    name: String,
    selector: Selector,
    form: Representation,
    bookmarks: bool,
    /// Everything up to this version was sent.
    version: u64,
    /// Version of the last bookmark or event the client saw.
    told: u64,
    epoch: u64,
    changed: Receiver<u64>,
    cuts: Receiver<u64>,
    cancel: CancellationToken,
    deadline: Instant,
    next_bookmark: Instant,
    /// True once the column definitions of a table were sent.
    columns_sent: bool,
    ended: bool,
}

/// `GET` with `watch=true`.
pub fn handle(call: &Call) -> Result<Response, ApiError> {
    let mut watch = Watch::new(call)?;
    let first = watch.start(call)?;
    let first = (!first.is_empty()).then(|| Ok::<_, std::convert::Infallible>(Bytes::from(first)));
    let rest = stream::unfold(watch, |mut watch| async move {
        let bytes = watch.next().await?;
        Some((Ok(Bytes::from(bytes)), watch))
    });
    let body = Body::from_stream(futures::StreamExt::chain(stream::iter(first), rest));
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

impl Watch {
    fn new(call: &Call) -> Result<Self, ApiError> {
        let timeout = call
            .query
            .number("timeoutSeconds")?
            .filter(|s| *s > 0)
            .map_or(TIMEOUT_DEFAULT, Duration::from_secs);
        let now = Instant::now();
        // Subscribing before the first look means that nothing is missed.
        let changed = call.state.store.subscribe();
        Ok(Self {
            selector: selector(call)?,
            form: call.representation.clone(),
            bookmarks: call.query.flag("allowWatchBookmarks"),
            namespace: call.namespace.clone(),
            name: call.name.clone(),
            resource: call.resource.clone(),
            cuts: call.state.faults.watch_cuts(),
            cancel: call.state.cancel(),
            state: call.state.clone(),
            version: 0,
            told: 0,
            epoch: 0,
            changed,
            deadline: now + timeout.min(TIMEOUT_MAX),
            next_bookmark: now + call.state.bookmark_interval,
            columns_sent: false,
            ended: false,
        })
    }

    /// Decides where the watch starts; returns what is sent at once.
    fn start(&mut self, call: &Call) -> Result<String, ApiError> {
        let requested = call.query.get("resourceVersion");
        let version = call.query.resource_version()?;
        let initial = call.query.flag("sendInitialEvents");
        if initial && call.query.get("resourceVersionMatch") != "NotOlderThan" {
            let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            return Err(ApiError::options("ListOptions", Cause::forbidden("resourceVersionMatch", detail)));
        }
        let snapshot = self.state.store.snapshot(&self.resource.storage);
        self.epoch = snapshot.epoch;
        let no_initial = call.query.get("sendInitialEvents") == "false";
        if initial || (matches!(requested, "" | "0") && !no_initial) {
            self.version = snapshot.version;
            let mut out = String::new();
            for ((namespace, _), object) in &snapshot.objects {
                if self.sees(namespace, object) {
                    out.push_str(&self.event("ADDED", object));
                }
            }
            if initial && self.bookmarks {
                out.push_str(&self.bookmark(true));
            }
            return Ok(out);
        }
        self.version = if version == 0 { snapshot.version } else { version };
        self.told = self.version;
        if version > snapshot.version {
            // The real server waits for that version; a client that got it
            // from another server is better off listing again.
            let gone = Compacted { requested: version, oldest: snapshot.version };
            self.ended = true;
            return Ok(expired(gone));
        }
        Ok(String::new())
    }

    fn sees(&self, namespace: &str, object: &Value) -> bool {
        in_namespace(&self.namespace, namespace)
            && (self.name.is_empty() || self.name == meta::name(object))
            && self.selector.matches(object)
    }

    /// The next lines, or `None` at the end.
    async fn next(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        loop {
            let lines = match self.pending() {
                Pending::Lines(lines) => lines,
                Pending::Last(lines) => {
                    self.ended = true;
                    return Some(lines);
                }
                Pending::End => return None,
            };
            if !lines.is_empty() {
                self.told = self.version;
                return Some(lines);
            }
            tokio::select! {
                changed = self.changed.changed() => changed.ok()?,
                () = self.cancel.cancelled() => return None,
                _ = self.cuts.changed() => return None,
                () = tokio::time::sleep_until(self.deadline) => {
                    // A last bookmark lets the client resume where it is.
                    self.ended = true;
                    let lines = self.pending().text() + &self.due_bookmark();
                    return (!lines.is_empty()).then_some(lines);
                }
                () = tokio::time::sleep_until(self.next_bookmark), if self.bookmarks => {
                    self.next_bookmark = Instant::now() + self.state.bookmark_interval;
                    let lines = self.pending().text() + &self.due_bookmark();
                    if !lines.is_empty() {
                        return Some(lines);
                    }
                }
            }
        }
    }

    fn due_bookmark(&mut self) -> String {
        if self.bookmarks && self.told < self.version { self.bookmark(false) } else { String::new() }
    }

    /// Events since the last look.
    fn pending(&mut self) -> Pending {
        let batch = match self.state.store.changes_since(&self.resource.storage, self.version) {
            // The kind is gone, or is another one now.
            Ok(batch) if batch.epoch != self.epoch => return Pending::End,
            Ok(batch) => batch,
            Err(gone) => return Pending::Last(expired(gone)),
        };
        self.version = batch.upto;
        let mut out = String::new();
        for change in &batch.changes {
            out.push_str(&self.translate(change));
        }
        Pending::Lines(out)
    }

    /// What a change looks like through the selector of this watch.
    fn translate(&mut self, change: &Change) -> String {
        let namespace = meta::namespace(&change.object).to_owned();
        let now = change.happened != Happened::Deleted && self.sees(&namespace, &change.object);
        let before = change.previous.as_ref().is_some_and(|p| self.sees(&namespace, p));
        match (before, now) {
            (false, false) => String::new(),
            (false, true) => self.event("ADDED", &change.object),
            (true, true) => self.event("MODIFIED", &change.object),
            (true, false) if change.happened == Happened::Deleted => self.event("DELETED", &change.object),
            (true, false) => {
                // It left the selection: the client sees its last state there,
                // at the version of the change.
                let Some(previous) = &change.previous else { return String::new() };
                let mut object = Value::clone(previous);
                meta::metadata_mut(&mut object)
                    .insert("resourceVersion".into(), change.version.to_string().into());
                self.event("DELETED", &object.into())
            }
        }
    }

    fn event(&mut self, kind: &str, object: &Object) -> String {
        let body = match &self.form {
            Representation::Table(version, include) => {
                let columns = !std::mem::replace(&mut self.columns_sent, true);
                let mut list_meta = Map::new();
                list_meta.insert("resourceVersion".into(), meta::meta_str(object, "resourceVersion").into());
                table::render(
                    &self.resource,
                    std::slice::from_ref(object),
                    version,
                    *include,
                    columns,
                    &list_meta,
                )
            }
            Representation::Full => return line(kind, &view::to_wire(&self.resource, object)),
            Representation::Metadata(version) => respond::partial(object, version),
        };
        line(kind, &body)
    }

    fn bookmark(&mut self, end_of_initial_events: bool) -> String {
        self.told = self.version;
        let mut metadata = json!({"resourceVersion": self.version.to_string(), "creationTimestamp": null});
        if let (true, Some(map)) = (end_of_initial_events, metadata.as_object_mut()) {
            map.insert("annotations".into(), json!({"k8s.io/initial-events-end": "true"}));
        }
        let (kind, api_version) = match &self.form {
            Representation::Full => (self.resource.kind.clone(), self.resource.api_version()),
            Representation::Metadata(version) => {
                ("PartialObjectMetadata".into(), format!("meta.k8s.io/{version}"))
            }
            Representation::Table(version, _) => ("Table".into(), format!("meta.k8s.io/{version}")),
        };
        line("BOOKMARK", &json!({"kind": kind, "apiVersion": api_version, "metadata": metadata}))
    }
}

enum Pending {
    /// Lines to send, possibly none.
    Lines(String),
    /// Lines to send before the watch ends.
    Last(String),
    /// The watch ends now.
    End,
}

impl Pending {
    fn text(self) -> String {
        match self {
            Self::Lines(lines) | Self::Last(lines) => lines,
            Self::End => String::new(),
        }
    }
}

/// Too old a version ends a watch by an event, not by the status of the
/// response: clients rely on that to list again. Source: kube-apiserver cacher.
fn expired(gone: Compacted) -> String {
    line("ERROR", &snapshot_error(SnapshotError::Compacted(gone)).status())
}

fn line(kind: &str, object: &Value) -> String {
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
}
