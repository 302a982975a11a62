//! Calls of the API's own operations from within: the same handlers that answer SDKs, as the first account, without
//! signature, journal and faults.

use std::sync::Arc;

use sls_api::codec::Compression;
use sls_api::names::ProjectName;
use sls_api::operation::{Operation, WireBody};

use super::Console;
use crate::error::ApiError;
use crate::front;
use crate::journal::Writing;
use crate::route::{Context, Raw, Reading};

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

    async fn call<O: Operation>(
        &self,
        project: Option<ProjectName>,
        path: O::Path,
        query: O::Query,
        body: O::Body,
    ) -> Result<O::Reply, ApiError> {
        let app = &self.app;
        let wrong = |error: sls_api::operation::PathError| ApiError::Internal(error.to_string());
        let filled = O::ENDPOINT.fill_path(&path).map_err(wrong)?;
        let names = O::ENDPOINT.match_path(&filled).unwrap_or_default();
        let query = O::ENDPOINT.fill_query(&query).map_err(wrong)?;
        let entries = app.operations.iter().flat_map(|group| &group.entries);
        let entry = entries
            .filter(|entry| entry.endpoint.name == O::ENDPOINT.name)
            .next()
            .ok_or_else(|| ApiError::Internal(format!("{} is not served", O::ENDPOINT.name)))?;
        let change =
            project.as_ref().and_then(|project| front::change(app, project, &entry.endpoint, &names));
        let context = Context {
            app: Arc::clone(app),
            project,
            account: app.accounts.owner().to_owned(),
            client_ip: app.host_ip,
            now: app.clock.now(),
            accepts: Compression::None,
            reading: Reading::default(),
            writing: Writing::default(),
            change: change.clone(),
        };
        let raw = Raw { path: names, query, payload: body.to_payload() };
        let answer = tokio::time::timeout(front::HANDLER_TIME_MAX, entry.answer(context, raw)).await;
        drop(change);
        let answer =
            answer.map_err(|_| ApiError::RequestTimeout { seconds: front::HANDLER_TIME_MAX.as_secs() })??;
        O::Reply::from_payload(answer).map_err(|error| ApiError::Internal(error.to_string()))
    }
}
