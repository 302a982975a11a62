//! One log alone, whole, and what was written beside it.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use sls_api::Json;
use sls_api::log_group::{LogGroup, SOURCE_KEY, TAG_PREFIX, TIME_KEY, TIME_NS_KEY, TOPIC_KEY};
use sls_api::ops::InShard;
use sls_api::ops::cursors::{PullLogs, PullQuery};
use sls_api::ops::logs::{ContextQuery, GetContextLogs, Row};

use super::rows::{Log, one};
use super::shown::{size, whole};
use crate::console::Console;
use crate::console::page::{Link, Page, empty};
use crate::console::place::{Asked, InLogstore};
use crate::console::problem::Problem;
use crate::console::visit::Visit;

/// Bytes of the group that a log is part of: more than may be written at once.
const GROUP_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Logs on either side of a log whose context is shown, first and at most. Source of the second: document
/// "GetContextLogs".
const BESIDE: i64 = 10;
const BESIDE_MAX: i64 = 100;
/// HTML of all logs of a context, bytes.
const CONTEXT_BYTES_MAX: usize = 90 * 1024;
/// HTML of one of them, bytes.
const CONTEXT_LOG_BYTES_MAX: usize = 4 * 1024;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/projects/{project}/logstores/{logstore}/log", get(alone))
        .route("/projects/{project}/logstores/{logstore}/context", get(context))
}

#[derive(Deserialize)]
struct Wanted {
    /// `__pack_meta__` of the log: shard, cursor, bytes, place in the group.
    at: String,
}

impl Wanted {
    fn parse(&self) -> Option<(u32, &str, usize)> {
        let mut parts = self.at.split('|');
        let shard = parts.next()?.parse().ok()?;
        let cursor = parts.next()?;
        let index = parts.nth(1)?.parse().ok()?;
        parts.next().is_none().then_some((shard, cursor, index))
    }
}

/// The log as a page, and as JSON for a script that shows all of a value.
async fn alone(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InLogstore,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let (shard, cursor, index) =
        wanted.parse().ok_or_else(|| Problem::bad("at: should be SHARD|CURSOR|BYTES|PLACE of a log"))?;
    let path = InShard { logstore: at.logstore.clone(), shard };
    let query = PullQuery { cursor: cursor.to_owned(), count: Some(1), end_cursor: None, query: None };
    let pulled = console.ask_in::<PullLogs>(&at.project, path, query, ()).await?;
    let groups = pulled.groups(GROUP_BYTES_MAX).map_err(|error| Problem::bad(format!("the log: {error}")))?;
    let row = groups.log_groups.first().and_then(|group| row(group, index));
    let row = row.ok_or_else(|| Problem::missing("the log is not there any more"))?;
    if visit.script {
        return Ok(axum::Json(json!({ "log": row })).into_response());
    }
    let page = Page::new(&visit, visit.t("A log", "单条日志"))
        .place(at.place(&visit))
        .place([Link::new(at.path(), at.logstore.as_str())])
        .style("query.css")
        .body(table(&visit, &Log::new(&row)));
    Ok(page.into_response())
}

/// A log of a group as GetLogs shows it.
fn row(group: &LogGroup, index: usize) -> Option<Row> {
    let log = group.logs.get(index)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut columns: Vec<(String, String)> =
        log.contents.iter().map(|content| (content.key.clone(), text(&content.value))).collect();
    columns.push((TOPIC_KEY.to_owned(), group.topic.clone().unwrap_or_default()));
    columns.push((SOURCE_KEY.to_owned(), group.source.clone().unwrap_or_default()));
    columns.extend(group.log_tags.iter().map(|tag| (format!("{TAG_PREFIX}{}", tag.key), tag.value.clone())));
    columns.push((TIME_KEY.to_owned(), log.time.to_string()));
    columns.extend(log.time_ns.filter(|ns| *ns > 0).map(|ns| (TIME_NS_KEY.to_owned(), ns.to_string())));
    Some(Row(columns))
}

fn table(visit: &Visit, log: &Log<'_>) -> Markup {
    html! {
        p { (log.time()) }
        div.scroll { table.whole-log {
            thead { tr { th { (visit.t("Field", "字段")) } th { (visit.t("Value", "值")) } th.number { (visit.t("Size", "大小")) } } }
            tbody { @for (name, value) in log.fields().chain(log.tags()) {
                tr { th scope="row" { (whole(name)) } td.text { (whole(value)) } td.number { (size(value.len())) } }
            } }
        } }
    }
}

#[derive(Deserialize)]
struct Beside {
    pack_id: String,
    pack_meta: String,
    back: Option<i64>,
    forward: Option<i64>,
}

impl Beside {
    fn link(&self, at: &InLogstore, back: i64, forward: i64) -> String {
        let names = [("pack_id", &self.pack_id), ("pack_meta", &self.pack_meta)];
        let names = serde_urlencoded::to_string(names).unwrap_or_default();
        format!("{}/context?{names}&back={back}&forward={forward}", at.path())
    }
}

/// What the log's writer wrote just before and after it.
async fn context(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InLogstore,
    Asked(beside): Asked<Beside>,
) -> Result<Response, Problem> {
    let (back, forward) = (beside.back.unwrap_or(BESIDE), beside.forward.unwrap_or(BESIDE));
    let query = ContextQuery {
        pack_id: beside.pack_id.clone(),
        pack_meta: beside.pack_meta.clone(),
        back_lines: back,
        forward_lines: forward,
    };
    let Json(found) = console.ask_in::<GetContextLogs>(&at.project, at.named(), query, ()).await?;
    let more = |lines: i64| (lines * 3).clamp(BESIDE, BESIDE_MAX);
    let has_before = found.back_lines >= back;
    let has_after = found.forward_lines >= forward;
    let bytes = (CONTEXT_BYTES_MAX / found.logs.len().max(1)).min(CONTEXT_LOG_BYTES_MAX);
    let page = Page::new(&visit, visit.t("Context of a log", "上下文浏览"))
        .place(at.place(&visit))
        .place([Link::new(at.path(), at.logstore.as_str())])
        .style("query.css")
        .script("query.js")
        .wide()
        .body(html! {
            p.quiet-text { (visit.t("What the same writer wrote before and after it, in its order.", "同一来源在该日志前后写入的日志，按写入顺序排列。")) }
            @if found.logs.is_empty() { (empty(visit.t("Nothing was written beside it.", "没有上下文日志。"))) }
            @if has_before && back < BESIDE_MAX { p { a.button href=(beside.link(&at, more(back), forward)) { (visit.t("More before", "更早")) } } }
            ol.logs.context { @for row in &found.logs {
                @let number = row.get("__index_number__").unwrap_or_default();
                li.log aria-current=[(number == "0").then_some("true")] {
                    span.number { (number) }
                    (one(&visit, &at, &Log::new(row), bytes))
                }
            } }
            @if has_after && forward < BESIDE_MAX { p { a.button href=(beside.link(&at, back, more(forward))) { (visit.t("More after", "更晚")) } } }
        });
    Ok(page.into_response())
}
