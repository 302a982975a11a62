//! Web tracking: anonymous writes to Logstores that allow them.

use prost::Message;
use sls_api::log_group::{Content, Log, LogGroup};
use sls_api::names::LogstoreName;
use sls_api::ops::logs::EncodedGroup;
use sls_api::ops::tracking::{
    PARAMETERS, Page, Pixel, PutWebtracking, PutWebtrackingByImage, PutWebtrackingByImageOfPage,
    PutWebtrackingByQuery, TOPIC, TrackedFields, TrackedLogs,
};

use super::logs::{Incoming, bad_body, block, next_turn, unpacked};
use crate::error::ApiError;
use crate::front::BODY_BYTES_MAX;
use crate::route::{Call, Context, Operations};
use crate::store::{logstores, projects};

/// Longest log in a query string, in bytes of keys and values. Source: guess, from the usual
/// limit of 16 KB for a request line.
const QUERY_BYTES_MAX: usize = 16 * 1024;
/// Most logs in one request. Source: guess, the limit that the service's own batch writers keep.
const LOGS_MAX: usize = 10_000;
/// Field with the browser's name.
const USER_AGENT_KEY: &str = "__useragent__";
/// Field with the page's address.
const REFERER_KEY: &str = "__referer__";

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op_anonymous(bad_body, put)
        .op_anonymous(bad_body, put_query)
        .op_anonymous(bad_body, put_image)
        .op_anonymous(bad_body, put_image_of_page)
}

async fn put(call: Call<PutWebtracking>) -> Result<(), ApiError> {
    let TrackedLogs(body) = &call.body;
    let size = body.raw_size.max(body.bytes.len());
    let group = move || call.body.group(BODY_BYTES_MAX).map_err(bad_body);
    append(call.context, call.path.logstore, size, group).await
}

async fn put_query(call: Call<PutWebtrackingByQuery>) -> Result<(), ApiError> {
    put_one(call.context, call.path.logstore, call.query, None).await
}

async fn put_image(call: Call<PutWebtrackingByImage>) -> Result<Pixel, ApiError> {
    put_one(call.context, call.path.logstore, call.query, None).await?;
    Ok(Pixel)
}

async fn put_image_of_page(call: Call<PutWebtrackingByImageOfPage>) -> Result<Pixel, ApiError> {
    put_one(call.context, call.path.logstore, call.query, Some(call.body)).await?;
    Ok(Pixel)
}

async fn put_one(
    context: Context,
    logstore: LogstoreName,
    fields: TrackedFields,
    page: Option<Page>,
) -> Result<(), ApiError> {
    let group = one_log(fields, page, &context)?;
    append(context, logstore, 0, move || Ok(group)).await
}

/// The log that a query string is. Its source is the sender's address, which logs that are sent
/// as JSON do not get. Source: npm @alicloud/logger-sls 1.13.2, comment in `build-post-body`.
fn one_log(
    TrackedFields(fields): TrackedFields,
    page: Option<Page>,
    context: &Context,
) -> Result<LogGroup, ApiError> {
    let bytes: usize = fields.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > QUERY_BYTES_MAX {
        return Err(ApiError::ParameterInvalid(format!(
            "The log has {bytes} bytes, more than the {QUERY_BYTES_MAX} that a query string may carry: \
             send it by POST"
        )));
    }
    let topic = fields.iter().find(|(key, _)| key == TOPIC).map(|(_, value)| value.clone());
    let named = fields.into_iter().filter(|(key, _)| !PARAMETERS.contains(&key.as_str()));
    let mut contents: Vec<Content> = named.map(|(key, value)| Content::new(key, value)).collect();
    if let Some(page) = page {
        contents.push(Content::new(USER_AGENT_KEY, page.user_agent));
        contents.push(Content::new(REFERER_KEY, page.referer));
    }
    Ok(LogGroup {
        logs: vec![Log { contents, ..Log::default() }],
        topic,
        source: Some(context.client_ip.to_string()),
        ..LogGroup::default()
    })
}

/// Stores the group, read from a body of `size` bytes, under the time of its arrival: the clocks
/// of browsers are not believed. Source: document, "the time when the log was received".
async fn append(
    context: Context,
    name: LogstoreName,
    size: usize,
    group: impl FnOnce() -> Result<LogGroup, ApiError> + Send + 'static,
) -> Result<(), ApiError> {
    let time = u32::try_from(context.now.as_second()).unwrap_or(u32::MAX);
    let read = move || {
        let mut group = group()?;
        if group.logs.len() > LOGS_MAX {
            return Err(ApiError::PostBodyInvalid(format!(
                "The body has {} logs, more than {LOGS_MAX}",
                group.logs.len()
            )));
        }
        for log in &mut group.logs {
            log.time = time;
        }
        let raw = group.encode_to_vec();
        Ok(block(EncodedGroup { raw: &raw, lz4: None }, &None)?.into_iter().collect())
    };
    let turn = next_turn(&context);
    let logs = Incoming::new(&context, name, turn, unpacked(size, read).await?);
    let Context { app, project, .. } = context;
    let project = project.ok_or(ApiError::NoProject)?;
    app.store
        .write(move |tx| {
            let project = projects::named(tx, &project)?;
            let target = logstores::write_target(tx, project, &logs.name)?;
            if !logstores::get(tx, target.id)?.enable_tracking {
                return Err(ApiError::TrackingDisabled(logs.name));
            }
            logs.store(tx, project, target)
        })
        .await
        .map(drop)
}
