//! Calls of the API's own operations from within: the same handlers that answer SDKs, as the first account, without
//! signature, journal and faults.

use std::sync::Arc;

use rusqlite::Connection;
use serde_json::Value;
use sls_api::Json;
use sls_api::codec::Compression;
use sls_api::names::ProjectName;
use sls_api::operation::{Operation, Payload, WireBody};

use super::Console;
use crate::error::ApiError;
use crate::front;
use crate::journal::Writing;
use crate::route::{Context, Raw, Reading};
use crate::store::projects::{self, ProjectId};

impl Console {
    /// Calls an operation of the account.
    pub(super) async fn ask<O: Operation>(
        &self,
        path: O::Path,
        query: O::Query,
        body: O::Body,
    ) -> Result<O::Reply, ApiError> {
        self.call::<O>(None, path, query, body).await
    }

    /// Calls an operation of a project.
    pub(super) async fn ask_in<O: Operation>(
        &self,
        project: &ProjectName,
        path: O::Path,
        query: O::Query,
        body: O::Body,
    ) -> Result<O::Reply, ApiError> {
        self.call::<O>(Some(project.clone()), path, query, body).await
    }

    /// Calls an operation on documents of a project, which have no types: `names` are those in its path. What it
    /// answers, if anything.
    pub(super) async fn ask_documents(
        &self,
        project: &ProjectName,
        operation: &str,
        names: Vec<(&'static str, String)>,
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Value, ApiError> {
        let query = serde_urlencoded::to_string(query)
            .map_err(|error| ApiError::ParameterInvalid(format!("query: {error}")))?;
        let payload = body.map(|body| Json(body).to_payload()).unwrap_or_default();
        let answer = self.answer(operation, Some(project), Raw { path: names, query, payload }).await?;
        if answer.bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer.bytes).map_err(|error| ApiError::Internal(error.to_string()))
    }

    /// Reads in a project what the API has no call for, by a function of the store.
    pub(super) async fn look<T, F>(&self, project: &ProjectName, f: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, ProjectId) -> Result<T, ApiError> + Send + 'static,
    {
        let (project, account) = (project.clone(), self.app.accounts.owner().to_owned());
        self.app.store.read(move |db| f(db, projects::owned(db, &project, &account)?)).await
    }

    async fn call<O: Operation>(
        &self,
        project: Option<ProjectName>,
        path: O::Path,
        query: O::Query,
        body: O::Body,
    ) -> Result<O::Reply, ApiError> {
        let wrong = |error: sls_api::operation::PathError| ApiError::Internal(error.to_string());
        let filled = O::ENDPOINT.fill_path(&path).map_err(wrong)?;
        let names = O::ENDPOINT.match_path(&filled).unwrap_or_default();
        let query = O::ENDPOINT.fill_query(&query).map_err(wrong)?;
        let raw = Raw { path: names, query, payload: body.to_payload() };
        let answer = self.answer(O::ENDPOINT.name, project.as_ref(), raw).await?;
        O::Reply::from_payload(answer).map_err(|error| ApiError::Internal(error.to_string()))
    }

    async fn answer(
        &self,
        operation: &str,
        project: Option<&ProjectName>,
        raw: Raw,
    ) -> Result<Payload, ApiError> {
        let app = &self.app;
        let mut entries = app.operations.iter().flat_map(|group| &group.entries);
        let entry = entries
            .find(|entry| entry.endpoint.name == operation)
            .ok_or_else(|| ApiError::Internal(format!("{operation} is not served")))?;
        let change = project.and_then(|project| front::change(app, project, &entry.endpoint, &raw.path));
        let context = Context {
            app: Arc::clone(app),
            project: project.cloned(),
            account: app.accounts.owner().to_owned(),
            client_ip: app.host_ip,
            now: app.clock.now(),
            accepts: Compression::None,
            reading: Reading::default(),
            writing: Writing::default(),
            change: change.clone(),
        };
        let answer = tokio::time::timeout(front::HANDLER_TIME_MAX, entry.answer(context, raw)).await;
        drop(change);
        answer.map_err(|_| ApiError::RequestTimeout { seconds: front::HANDLER_TIME_MAX.as_secs() })?
    }
}
