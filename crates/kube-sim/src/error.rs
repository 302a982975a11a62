//! Every way a request can fail, and the one table from there to the wire:
//! the `metav1.Status` body, its reason, its details and the HTTP status.
//!
//! Messages follow the wording of kube-apiserver, because clients and people
//! match on them. Source: recordings of kube-apiserver 1.32 unless noted.

pub mod cause;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

pub use cause::{Cause, CauseKind};

/// The object or collection an error speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// API group, empty for core.
    pub group: String,
    /// Plural resource name, or the kind for validation errors.
    pub kind: String,
    /// Object name; empty when the collection is meant.
    pub name: String,
}

impl Target {
    fn qualified(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }
}

/// A field another manager owns (server-side apply).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyConflict {
    /// Who owns it, with operation and API version, for example
    /// `"kubectl" using v1`.
    pub owner: String,
    /// Path of the field, for example `.spec.replicas`.
    pub field: String,
}

/// A refusal of an admission webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Denial {
    message: String,
    /// HTTP status code, 400 or more.
    code: u16,
    reason: String,
    details: Option<Value>,
}

impl Denial {
    /// What `webhook` answered with `status`, a `metav1.Status` or null. Source: kube-apiserver,
    /// `webhook/errors.ToStatusErr`.
    pub fn new(webhook: &str, status: Value) -> Self {
        let text = |field: &str| status.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (message, reason) = (text("message"), text("reason"));
        let denied = format!("admission webhook {webhook:?} denied the request");
        let message = match (message.as_str(), reason.as_str()) {
            ("", "") => format!("{denied} without explanation"),
            ("", why) | (why, _) => format!("{denied}: {why}"),
        };
        let code = status.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
        let code = code.filter(|code| (400..600).contains(code)).unwrap_or(400);
        Self { message, code, reason, details: status.get("details").cloned() }
    }
}

/// Everything a request can fail with.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    /// No object of that name.
    #[error("{} {:?} not found", .0.qualified(), .0.name)]
    NotFound(Target),
    /// No such path in a group that this server has.
    #[error("the server could not find the requested resource")]
    NoSuchPath,
    /// No such path, and nobody who is responsible: an unknown group, or a custom resource that no
    /// definition describes. The one answer that is plain text.
    #[error("404 page not found")]
    NoSuchPage,
    /// An object of that name exists.
    #[error("{} {:?} already exists", .0.qualified(), .0.name)]
    AlreadyExists(Target),
    /// The object moved since the client read it, or a precondition failed.
    #[error("Operation cannot be fulfilled on {} {:?}: {detail}", .target.qualified(), .target.name)]
    Conflict {
        /// The object.
        target: Target,
        /// What differs.
        detail: String,
    },
    /// Server-side apply touches fields of other managers.
    #[error("{}", apply_conflict_message(.0))]
    ApplyConflict(Vec<ApplyConflict>),
    /// A JSON patch does not fit the object, for example a failed `test`. The
    /// real server keeps the detail to itself, so it is only logged.
    #[error("the server rejected our request due to an error in our request")]
    PatchFailed(String),
    /// An object that does not decode into its kind.
    #[error("{handled}: {problem}")]
    Undecodable {
        /// `<kind> in version "<version>" cannot be handled as a <kind>`.
        handled: String,
        /// Why.
        problem: String,
    },
    /// The object breaks validation rules.
    #[error("{} {:?} is invalid: {}", .target.qualified(), .target.name, aggregate(.causes))]
    Invalid {
        /// Group, *kind* and name of the object.
        target: Target,
        /// All problems found.
        causes: Vec<Cause>,
    },
    /// The request does not make sense.
    #[error("{0}")]
    BadRequest(String),
    /// The request is understood and refused.
    #[error("{} {:?} is forbidden: {detail}", .target.qualified(), .target.name)]
    Forbidden {
        /// The object.
        target: Target,
        /// Why.
        detail: String,
        /// Machine-readable cause, for example `NamespaceTerminating`.
        cause: Option<&'static str>,
    },
    /// The method exists, but not on this path.
    #[error("the server does not allow this method on the requested resource")]
    MethodNotAllowed,
    /// None of the offered representations can be produced.
    #[error(
        "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, \
         application/vnd.kubernetes.protobuf, application/json;stream=watch, \
         application/vnd.kubernetes.protobuf;stream=watch"
    )]
    NotAcceptable,
    /// The patch is of a kind that the resource does not take.
    #[error("415: Unsupported Media Type")]
    UnsupportedPatch,
    /// The body is in a format this server does not read.
    #[error("the body of the request was in an unknown format - accepted media types include: {0}")]
    UnsupportedMediaType(&'static str),
    /// The history needed for this request is compacted away.
    #[error("{0}")]
    Expired(String),
    /// The body exceeds the limit, in bytes.
    #[error("Request entity too large: limit is {0}")]
    TooLarge(usize),
    /// An answer given by its code: faults that tests inject, and refusals that
    /// no client tells from each other.
    #[error("{message}")]
    Coded {
        /// HTTP status code.
        code: u16,
        /// Text of the status.
        message: String,
        /// `Retry-After`, in seconds.
        retry_after_seconds: Option<u32>,
    },
    /// An admission webhook refuses it.
    #[error("{}", .0.message)]
    Denied(Box<Denial>),
    /// A refusal that the real server does not classify: 500 without a reason.
    #[error("{0}")]
    Unclassified(String),
    /// The simulator failed; always a bug here.
    #[error("Internal error occurred: {0}")]
    Internal(String),
}

fn aggregate(causes: &[Cause]) -> String {
    match causes {
        [one] => one.text(),
        many => format!("[{}]", many.iter().map(Cause::text).collect::<Vec<_>>().join(", ")),
    }
}

/// `conflicts` are ordered by field.
fn apply_conflict_message(conflicts: &[ApplyConflict]) -> String {
    if let [one] = conflicts {
        return format!("Apply failed with 1 conflict: conflict with {}: {}", one.owner, one.field);
    }
    let mut owners: Vec<&str> = Vec::new();
    for conflict in conflicts {
        if !owners.contains(&conflict.owner.as_str()) {
            owners.push(&conflict.owner);
        }
    }
    let parts: Vec<String> = owners
        .into_iter()
        .map(|owner| {
            let fields: Vec<String> =
                conflicts.iter().filter(|c| c.owner == owner).map(|c| format!("\n- {}", c.field)).collect();
            format!("conflicts with {owner}:{}", fields.concat())
        })
        .collect();
    format!("Apply failed with {} conflicts: {}", conflicts.len(), parts.join("\n"))
}

impl ApiError {
    /// Options of a request (`CreateOptions`, `ListOptions`…) that are invalid.
    pub fn options(kind: &str, cause: Cause) -> Self {
        let target = Target { group: "meta.k8s.io".into(), kind: kind.to_owned(), name: String::new() };
        Self::Invalid { target, causes: vec![cause] }
    }

    /// HTTP status and `reason` of this error.
    pub fn wire(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound(_) | Self::NoSuchPath | Self::NoSuchPage => (StatusCode::NOT_FOUND, "NotFound"),
            Self::AlreadyExists(_) => (StatusCode::CONFLICT, "AlreadyExists"),
            Self::Conflict { .. } | Self::ApplyConflict(_) => (StatusCode::CONFLICT, "Conflict"),
            Self::Invalid { .. } | Self::PatchFailed(_) => (StatusCode::UNPROCESSABLE_ENTITY, "Invalid"),
            Self::BadRequest(_) | Self::Undecodable { .. } => (StatusCode::BAD_REQUEST, "BadRequest"),
            Self::Forbidden { .. } => (StatusCode::FORBIDDEN, "Forbidden"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, "NotAcceptable"),
            Self::UnsupportedMediaType(_) | Self::UnsupportedPatch => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType")
            }
            Self::Expired(_) => (StatusCode::GONE, "Expired"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge"),
            Self::Coded { code, .. } => {
                let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, coded_reason(*code))
            }
            // The webhook's own reason stands in the status.
            Self::Denied(denial) => {
                (StatusCode::from_u16(denial.code).unwrap_or(StatusCode::BAD_REQUEST), "")
            }
            Self::Unclassified(_) => (StatusCode::INTERNAL_SERVER_ERROR, ""),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        }
    }

    /// The `metav1.Status` body of this error.
    pub fn status(&self) -> Value {
        let (code, mut reason) = self.wire();
        if let Self::Denied(denial) = self {
            reason = &denial.reason;
        }
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.to_string(),
        });
        if let (Some(object), false) = (status.as_object_mut(), reason.is_empty()) {
            object.insert("reason".into(), reason.into());
        }
        let details = self.details();
        if let (Some(object), false) = (status.as_object_mut(), details == json!({})) {
            object.insert("details".into(), details);
        }
        if let Some(object) = status.as_object_mut() {
            object.insert("code".into(), code.as_u16().into());
        }
        status
    }

    fn details(&self) -> Value {
        match self {
            Self::NotFound(target) | Self::AlreadyExists(target) | Self::Conflict { target, .. } => {
                details(target)
            }
            Self::Invalid { target, causes } => {
                let causes: Vec<Value> = causes
                    .iter()
                    .map(|c| json!({"reason": c.kind.reason(), "message": c.message, "field": c.field}))
                    .collect();
                with_causes(details(target), causes)
            }
            Self::ApplyConflict(conflicts) => {
                let causes = conflicts
                    .iter()
                    .map(|c| {
                        json!({"reason": "FieldManagerConflict", "message": format!("conflict with {}", c.owner), "field": c.field})
                    })
                    .collect();
                with_causes(json!({}), causes)
            }
            Self::Forbidden { target, cause: Some(reason), detail } => {
                with_causes(details(target), vec![json!({"reason": reason, "message": detail})])
            }
            Self::Forbidden { target, .. } => details(target),
            Self::Coded { retry_after_seconds: Some(seconds), .. } => {
                json!({"retryAfterSeconds": seconds})
            }
            Self::Denied(denial) => denial.details.clone().unwrap_or_else(|| json!({})),
            _ => json!({}),
        }
    }
}

fn coded_reason(code: u16) -> &'static str {
    match code {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        413 => "RequestEntityTooLarge",
        409 => "Conflict",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    }
}

fn details(target: &Target) -> Value {
    let mut out = json!({});
    if let Some(map) = out.as_object_mut() {
        for (key, value) in [("name", &target.name), ("group", &target.group), ("kind", &target.kind)] {
            if !value.is_empty() {
                map.insert(key.into(), value.as_str().into());
            }
        }
    }
    out
}

fn with_causes(mut details: Value, causes: Vec<Value>) -> Value {
    if let Some(map) = details.as_object_mut() {
        map.insert("causes".into(), causes.into());
    }
    details
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match &self {
            Self::Internal(detail) => {
                tracing::error!(%detail, "the API server simulator failed; this is a bug")
            }
            Self::PatchFailed(detail) => tracing::debug!(%detail, "a JSON patch failed"),
            _ => {}
        }
        if let Self::NoSuchPage = self {
            return (StatusCode::NOT_FOUND, format!("{self}\n")).into_response();
        }
        let (code, _) = self.wire();
        let mut response = Response::new(Body::from(self.status().to_string()));
        *response.status_mut() = code;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        if let Self::Coded { retry_after_seconds: Some(seconds), .. } = &self {
            response.headers_mut().insert(header::RETRY_AFTER, http::HeaderValue::from(*seconds));
        }
        response
    }
}
