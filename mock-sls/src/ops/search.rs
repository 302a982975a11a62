//! Queries of logs: GetLogs in its forms, histograms, context and topics.
//!
//! The language is in [`crate::query`]; here a request becomes its parameters, the store its
//! source of logs, and its errors those of the API. A query reads a snapshot on a reader's
//! thread, so it never holds up writers, and is given up when its client goes away.

pub(crate) mod stored;

use std::sync::Arc;
use std::time::Instant;

use sls_api::names::LogstoreName;
use sls_api::operation::Json;
use sls_api::ops::logs::{
    ContextLogs, GetContextLogs, GetHistograms, GetHistogramsOfIndex, GetLogs, GetLogsRequest, GetLogsV1,
    GetProjectLogs, HistogramQuery, Histograms, ListTopics, LogsReply, LogsRows, Progress, Topics,
};

use self::stored::Logs;
use crate::clock::nanoseconds;
use crate::error::ApiError;
use crate::query::QueryError;
use crate::query::context;
use crate::query::histogram::{self, HistogramRequest};
use crate::query::request::{LINES_MAX, Page, Window};
use crate::query::run::{self, LogsRequest};
use crate::query::source::{Cancel, CancelOnDrop, Indexes, LogSource};
use crate::query::sql;
use crate::route::{Call, Context, Operations};
use crate::store::{blocks, logstores};

/// What `telementryType` says of a Logstore of logs. Source: Go SDK, recordings.
const TELEMETRY_TYPE: &str = "logging";

/// Second behind the last that a log can have.
const TIMES_END: i64 = 1 << 32;

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op_compressed(get_logs)
        .op(get_logs_v1)
        .op(histograms)
        .op(histograms_of_index)
        .op(context_logs)
        .op(project_logs)
        .op(topics)
}

async fn get_logs(call: Call<GetLogs>) -> Result<Json<LogsReply>, ApiError> {
    let Json(request) = call.body;
    query_logs(call.context, call.path.logstore, request).await.map(Json)
}

async fn get_logs_v1(call: Call<GetLogsV1>) -> Result<LogsRows, ApiError> {
    query_logs(call.context, call.path.logstore, call.query.into()).await.map(LogsRows)
}

async fn histograms(call: Call<GetHistograms>) -> Result<Histograms, ApiError> {
    query_histograms(call.context, call.path.logstore, call.query).await
}

async fn histograms_of_index(call: Call<GetHistogramsOfIndex>) -> Result<Histograms, ApiError> {
    query_histograms(call.context, call.path.logstore, call.query).await
}

async fn context_logs(call: Call<GetContextLogs>) -> Result<Json<ContextLogs>, ApiError> {
    let (query, incomplete) = (call.query, call.context.reading.incomplete);
    let mut logs = read(call.context, call.path.logstore, move |_, source, cancel| {
        context::context(&query, source, cancel)
    })
    .await?;
    if incomplete {
        logs.progress = Progress::Incomplete;
    }
    Ok(Json(logs))
}

/// SQL on a Logstore that the statement names: as SQL on all logs of that Logstore, since the
/// statement has the time among its conditions.
async fn project_logs(call: Call<GetProjectLogs>) -> Result<LogsRows, ApiError> {
    let statement = call.query.query;
    let table = sql::table_of(&statement).map_err(QueryError::from)?.ok_or(QueryError::NoLogstore)?;
    let request = GetLogsRequest {
        to: TIMES_END,
        query: format!("* | {statement}"),
        power_sql: call.query.power_sql,
        ..GetLogsRequest::default()
    };
    query_logs(call.context, table.parse()?, request).await.map(LogsRows)
}

async fn topics(call: Call<ListTopics>) -> Result<Topics, ApiError> {
    let lines = call.query.line.map_or(Ok(LINES_MAX), |line| {
        u64::try_from(line).map_err(|_| ApiError::ParameterInvalid(format!("line {line} is negative")))
    })?;
    let wanted = usize::try_from(lines.min(LINES_MAX)).unwrap_or_default();
    let (name, from, now) = (call.path.logstore, call.query.token, call.context.now);
    call.context
        .read(move |db, project| {
            let target = logstores::read_target(db, project, &name, now)?;
            let mut topics = blocks::topics(db, target, &from, wanted + 1)?;
            let next_token = topics.drain(wanted.min(topics.len())..).next().unwrap_or_default();
            Ok(Topics { topics, next_token })
        })
        .await
}

async fn query_logs(
    context: Context,
    name: LogstoreName,
    request: GetLogsRequest,
) -> Result<LogsReply, ApiError> {
    let began = Instant::now();
    let window = Window::new(request.from, request.to, request.from_ns, request.to_ns)?;
    let page = Page::new(request.line, request.offset, request.reverse.unwrap_or_default())?;
    let (now, logstore, incomplete) = (context.now, name.to_string(), context.reading.incomplete);
    let settings = context.app.sql.clone();
    let mut reply = read(context, name, move |indexes, source, cancel| {
        let topic = request.topic.as_deref().unwrap_or_default();
        let query = &request.query;
        let request =
            LogsRequest { window, page, logstore: &logstore, now, settings: &settings, topic, query };
        run::run(&request, indexes, source, cancel)
    })
    .await?;
    if incomplete {
        reply.meta.progress = Progress::Incomplete;
    }
    let elapsed = began.elapsed();
    reply.meta.elapsed_millisecond = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    reply.meta.cpu_sec = elapsed.as_secs_f64();
    reply.meta.cpu_cores = 1.0;
    reply.meta.telementry_type = TELEMETRY_TYPE.to_owned();
    Ok(reply)
}

async fn query_histograms(
    context: Context,
    name: LogstoreName,
    request: HistogramQuery,
) -> Result<Histograms, ApiError> {
    let window = Window::new(request.from, request.to, None, None)?;
    let incomplete = context.reading.incomplete;
    let mut histograms = read(context, name, move |indexes, source, cancel| {
        let request = HistogramRequest {
            window,
            topic: request.topic.as_deref().unwrap_or_default(),
            query: &request.query,
            interval: request.interval.unwrap_or_default(),
        };
        histogram::histograms(&request, indexes, source, cancel)
    })
    .await?;
    if incomplete {
        histograms.progress = Progress::Incomplete;
        for bucket in &mut histograms.buckets {
            bucket.progress = Progress::Incomplete;
        }
    }
    Ok(histograms)
}

/// Runs a query in a snapshot of the store.
async fn read<T, F>(context: Context, name: LogstoreName, query: F) -> Result<T, ApiError>
where
    T: Send + 'static,
    F: FnOnce(Option<&Indexes>, &mut dyn LogSource, &Cancel) -> Result<T, QueryError> + Send + 'static,
{
    let guard = CancelOnDrop::default();
    let (cancel, now, app) = (guard.0.clone(), context.now, Arc::clone(&context.app));
    let until = context.reading.came_until.map(nanoseconds);
    let state = app.store.summaries.state();
    context
        .read(move |db, project| {
            let target = logstores::read_target(db, project, &name, now)?;
            let indexes = stored::indexes_of(db, target.id)?;
            let summaries = &app.store.summaries;
            let mut logs = Logs { db, target, project, now, since: None, until, summaries, state };
            Ok(query(indexes.as_ref(), &mut logs, &cancel)?)
        })
        .await
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::IndexMissing => Self::QueryWithoutIndex,
            QueryError::TimeRange { from, to } => Self::InvalidTimeRange { from, to },
            refused @ (QueryError::PackInvalid | QueryError::ContextLines { .. }) => {
                Self::InvalidParameter(refused.to_string())
            }
            QueryError::Cancelled | QueryError::Source(_) => Self::Internal(error.to_string()),
            refused => Self::Query(refused),
        }
    }
}
