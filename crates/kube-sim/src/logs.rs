//! Container logs: the trait through which the owner of the processes hands
//! them over, and the `pods/log` subresource.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http::{HeaderValue, header};
use serde_json::Value;

use crate::error::ApiError;
use crate::meta;
use crate::registry::Resource;
use crate::request::Query;
use crate::state::State;

/// How much of a log to return.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Keep the stream open and send new lines.
    pub follow: bool,
    /// Only the last lines.
    pub tail_lines: Option<u64>,
    /// The log of the previous instance of the container.
    pub previous: bool,
    /// Only lines younger than this, in seconds.
    pub since_seconds: Option<u64>,
    /// Stop after this many bytes.
    pub limit_bytes: Option<u64>,
    /// Put an RFC 3339 time before each line.
    pub timestamps: bool,
}

/// Why there is no log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PodLogsError {
    /// The container has not started yet.
    #[error("container {container:?} in pod {pod:?} is waiting to start: {reason}")]
    NotStarted {
        /// Pod name.
        pod: String,
        /// Container name.
        container: String,
        /// For example `ContainerCreating`.
        reason: String,
    },
    /// There is no such container, or no previous instance of it.
    #[error("{0}")]
    NotFound(String),
    /// The log cannot be read.
    #[error("reading the container log: {0}")]
    Io(String),
}

/// Where container logs come from.
pub trait PodLogs: Send + Sync {
    /// Opens the log of a container.
    ///
    /// # Errors
    /// See [`PodLogsError`]; the server answers 400 for the first two and 500
    /// for the last.
    fn open(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        options: LogOptions,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>, PodLogsError>;
}

/// `GET …/pods/<name>/log`.
pub fn handle(
    state: &Arc<State>,
    resource: &Resource,
    namespace: &str,
    name: &str,
    query: &Query,
) -> Result<Response, ApiError> {
    let pod = state.get(resource, namespace, name)?;
    let container = pick_container(&pod, query.get("container"))?;
    let options = LogOptions {
        follow: query.flag("follow"),
        tail_lines: query.number("tailLines")?,
        previous: query.flag("previous"),
        since_seconds: since_seconds(query)?,
        limit_bytes: query.number("limitBytes")?,
        timestamps: query.flag("timestamps"),
    };
    let logs = state
        .pod_logs()
        .ok_or_else(|| ApiError::BadRequest("this API server has no source of container logs".into()))?;
    let stream = logs.open(namespace, name, &container, options).map_err(|e| match e {
        PodLogsError::NotStarted { .. } | PodLogsError::NotFound(_) => ApiError::BadRequest(e.to_string()),
        PodLogsError::Io(_) => ApiError::Internal(e.to_string()),
    })?;
    let cancelled = state.cancel().cancelled_owned();
    let mut response = Body::from_stream(stream.take_until(cancelled)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

fn since_seconds(query: &Query) -> Result<Option<u64>, ApiError> {
    let time = query.get("sinceTime");
    if time.is_empty() {
        return query.number("sinceSeconds");
    }
    let time: jiff::Timestamp = time
        .parse()
        .map_err(|_| ApiError::BadRequest(format!("sinceTime: {time:?} is not an RFC 3339 time")))?;
    let age = jiff::Timestamp::now().as_second() - time.as_second();
    Ok(Some(u64::try_from(age).unwrap_or(0)))
}

fn pick_container(pod: &Value, wanted: &str) -> Result<String, ApiError> {
    let names = |list: &str| -> Vec<String> {
        let list = meta::at(pod, &["spec", list]).and_then(Value::as_array);
        list.into_iter().flatten().map(|c| meta::str_at(c, &["name"]).to_owned()).collect()
    };
    let containers = names("containers");
    let pod_name = meta::name(pod);
    if wanted.is_empty() {
        return match containers.as_slice() {
            [only] => Ok(only.clone()),
            many => Err(ApiError::BadRequest(format!(
                "a container name must be specified for pod {pod_name}, choose one of: [{}]",
                many.join(" ")
            ))),
        };
    }
    if containers.iter().chain(&names("initContainers")).any(|n| n == wanted) {
        return Ok(wanted.to_owned());
    }
    Err(ApiError::BadRequest(format!("container {wanted} is not valid for pod {pod_name}")))
}
