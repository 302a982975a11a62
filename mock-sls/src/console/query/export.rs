//! Logs or rows as a file: JSON lines, or CSV. They are read a page at a time through GetLogs and sent as they are
//! read, so that neither end holds more than a page.

mod csv;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use sls_api::Json;
use sls_api::NoQuery;
use sls_api::log_group::{TIME_KEY, TIME_NS_KEY};
use sls_api::ops::logs::{GetLogs, GetLogsRequest, LogsReply, Row};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;

use self::csv::Csv;
use super::view::View;
use crate::console::Console;
use crate::console::place::{Asked, InLogstore};
use crate::console::problem::Problem;
use crate::error::ApiError;
use crate::query::statement::{self, Tail};

/// Logs in a file. Own choice; the page states it. Rows of SQL are bounded by its LIMIT.
pub const LOGS_MAX: u64 = 100_000;
/// Rows of a pipeline in a file: each page of them runs the pipeline anew. Own choice; the page states it.
pub const PIPELINE_ROWS_MAX: u64 = 10_000;
/// Bytes of a file; then the download breaks off, so that nobody takes it for whole. Own choice.
const FILE_BYTES_MAX: usize = 1 << 30;
/// Logs that are read at once: what GetLogs gives at most.
const PAGE: u64 = 100;
/// Pages that wait for a slow reader.
const PAGES_WAITING_MAX: usize = 2;
/// How long a reader may take nothing; then the download breaks off, and its turn is another's. Own choice.
const STALL_MAX: Duration = Duration::from_secs(60);
/// Exports at a time. Own choice: half of the connections that read.
static EXPORTS: Semaphore = Semaphore::const_new(2);

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/projects/{project}/logstores/{logstore}/export", get(export))
}

async fn export(
    State(console): State<Arc<Console>>,
    at: InLogstore,
    Asked(fields): Asked<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let view = View::of(&fields)?;
    let format =
        fields.iter().find(|(name, _)| name == "format").map_or("jsonl", |(_, format)| format.as_str());
    let (writer, kind) = match format {
        "jsonl" => (Writer::JsonLines, "application/x-ndjson"),
        "csv" => (Writer::Csv(Csv::new(view.columns.clone())), "text/csv; charset=utf-8"),
        other => return Err(Problem::bad(format!("format: {other:?} is none of jsonl, csv"))),
    };
    let turn = EXPORTS.try_acquire().map_err(|_| Problem {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "ServerBusy".to_owned(),
        message: "other exports are under way: try again when one has ended".to_owned(),
    })?;
    let window = view.range.seconds(console.app.clock.now(), &view.zone());
    let name = format!("{}-{}-{}.{format}", at.logstore, window.0, window.1);
    let mut pages = Pages::new(console, at, &view, window)?;
    // Before the answer begins, so that what is refused is said as such.
    let first = pages.next().await?;
    let (sender, receiver) = mpsc::channel(PAGES_WAITING_MAX);
    tokio::spawn(async move {
        send(pages, first, writer, &sender).await;
        drop(turn);
    });
    let mut response = Body::from_stream(ReceiverStream::new(receiver)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    // A Logstore's name has letters, digits, `-` and `_` only.
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    headers.insert(CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment")));
    Ok(response)
}

/// Sends page after page, until the end or until nobody reads. What fails breaks the answer off.
async fn send(
    mut pages: Pages,
    first: Option<LogsReply>,
    mut writer: Writer,
    sender: &mpsc::Sender<Result<Bytes, ApiError>>,
) {
    let mut sent = 0;
    let mut page = first;
    while let Some(reply) = page {
        let bytes = writer.write(&reply);
        sent += bytes.len();
        if sent > FILE_BYTES_MAX {
            let why = format!("the export is larger than {FILE_BYTES_MAX} bytes");
            let _ = sender.send(Err(ApiError::ParameterInvalid(why))).await;
            return;
        }
        if !matches!(timeout(STALL_MAX, sender.send(Ok(bytes))).await, Ok(Ok(()))) {
            return;
        }
        page = match pages.next().await {
            Ok(page) => page,
            Err(error) => {
                tracing::info!(%error, "an export broke off");
                // Whoever does not read any more needs no reason.
                let _ = sender.send(Err(error)).await;
                return;
            }
        };
    }
}

/// How the pages of an answer are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By the time of the last log, which costs the same far behind as at the beginning.
    Time,
    /// By the number of rows before.
    Offset,
    /// All at once.
    Whole,
}

/// The pages of an answer.
struct Pages {
    console: Arc<Console>,
    at: InLogstore,
    way: Way,
    request: GetLogsRequest,
    /// Logs that may still be read.
    left: u64,
    /// The moment of the last log, and how many of that moment were read.
    last: Option<((i64, i64), i64)>,
}

impl Pages {
    fn new(console: Arc<Console>, at: InLogstore, view: &View, window: (i64, i64)) -> Result<Self, ApiError> {
        let statement = statement::split(&view.query)?;
        let (way, left) = match statement.tail {
            Tail::None | Tail::PackMeta => (Way::Time, LOGS_MAX),
            Tail::Pipeline(_) => (Way::Offset, PIPELINE_ROWS_MAX),
            Tail::Sql(_) => (Way::Whole, u64::MAX),
        };
        let request = GetLogsRequest { offset: Some(0), ..view.request(window, view.query.clone()) };
        Ok(Self { console, at, way, request, left, last: None })
    }

    /// The next page; nothing behind the last.
    async fn next(&mut self) -> Result<Option<LogsReply>, ApiError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.request.line = i64::try_from(self.left.min(PAGE)).ok();
        let (project, path) = (&self.at.project, self.at.named());
        let asked = self.console.ask_in::<GetLogs>(project, path, NoQuery {}, Json(self.request.clone()));
        let Json(reply) = asked.await?;
        let rows = reply.data.len() as u64;
        if rows == 0 && self.last.is_some() {
            return Ok(None);
        }
        self.left = if self.way == Way::Whole || rows < PAGE { 0 } else { self.left.saturating_sub(rows) };
        match self.way {
            Way::Time => self.go_on_behind(&reply.data),
            Way::Offset | Way::Whole => {
                let before = self.request.offset.unwrap_or_default();
                self.request.offset = Some(before + i64::try_from(rows).unwrap_or(i64::MAX));
            }
        }
        Ok(Some(reply))
    }

    /// The next page begins with the logs of the moment of the last one, without those that were read.
    fn go_on_behind(&mut self, rows: &[Row]) {
        for row in rows {
            let number = |name| row.get(name).and_then(|text| text.parse::<i64>().ok()).unwrap_or_default();
            let moment = (number(TIME_KEY), number(TIME_NS_KEY));
            self.last = match self.last {
                Some((last, count)) if last == moment => Some((last, count + 1)),
                _ => Some((moment, 1)),
            };
        }
        let Some(((second, ns), count)) = self.last else { return };
        self.request.offset = Some(count);
        if self.request.reverse == Some(true) {
            let (to, to_ns) = if ns == 999_999_999 { (second + 1, 0) } else { (second, ns + 1) };
            (self.request.to, self.request.to_ns) = (to, Some(to_ns));
        } else {
            (self.request.from, self.request.from_ns) = (second, Some(ns));
        }
    }
}

/// Turns rows into the bytes of a file.
enum Writer {
    JsonLines,
    Csv(Csv),
}

impl Writer {
    fn write(&mut self, reply: &LogsReply) -> Bytes {
        match self {
            Self::JsonLines => {
                let mut lines = Vec::new();
                for row in &reply.data {
                    // A row of texts always becomes JSON, and a vector takes all.
                    let _ = serde_json::to_writer(&mut lines, row);
                    lines.push(b'\n');
                }
                lines.into()
            }
            Self::Csv(csv) => csv.write(&reply.meta, &reply.data).into(),
        }
    }
}
