//! The query page of a Logstore: what is asked, when there are logs, and the logs. All that it shows is in its address
//! ([`view`]); it is whole without a script, and scripts add what HTML has not.

mod bar;
mod empty;
mod export;
mod failed;
mod histogram;
mod log;
mod range;
mod rows;
mod searches;
mod shown;
mod tail;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use maud::{Markup, html};
use sls_api::Json;
use sls_api::NoQuery;
use sls_api::ops::indexes::{GetIndex, Index};
use sls_api::ops::logs::{GetLogs, Histograms, LogsReply, Progress};

use self::failed::Refused;
use self::range::Range;
use self::searches::Saved;
pub(super) use self::shown::picture;
use self::view::{Shape, View};
use super::Console;
use super::page::Page;
use super::place::InLogstore;
use super::problem::Problem;
use super::visit::Visit;
use crate::error::ApiError;
use crate::query::statement::{self, Tail};

/// The routes of this file and its folder.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/projects/{project}/logstores/{logstore}", get(show))
        .merge(histogram::routes())
        .merge(failed::routes())
        .merge(log::routes())
        .merge(export::routes())
        .merge(tail::routes())
        .merge(searches::routes())
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InLogstore,
    view: View,
) -> Result<Response, Problem> {
    let window = view.range.seconds(console.app.clock.now(), &view.zone());
    let (index, saved) = tokio::join!(index(&console, &at), Saved::of(&console, &at));
    let (index, saved) = (index?, saved?);
    let answer = answer(&console, &at, &view, window, index.is_some()).await?;
    let status = match answer {
        Answer::Refused(_) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    let mut page = Page::new(&visit, at.logstore.as_str())
        .place(at.place(&visit))
        .tabs(at.tabs(&visit))
        .style("query.css")
        .script("query.js")
        .wide()
        .body(html! {
            (bar::bar(&visit, &at, &view, window, index.as_ref(), &saved))
            (shown(&console, &visit, (&at, &view, window), index.as_ref(), &answer))
        });
    page = match &answer {
        Answer::Tail => page.script("tail.js"),
        Answer::Found(..) if is_rows(&view.query) => page.script("histogram.js").script("chart.js"),
        Answer::Found(..) => page.script("histogram.js"),
        Answer::NoIndex | Answer::Refused(_) => page,
    };
    Ok((status, page).into_response())
}

/// The index of the Logstore, if it has one.
async fn index(console: &Console, at: &InLogstore) -> Result<Option<Index>, ApiError> {
    match console.ask_in::<GetIndex>(&at.project, at.named(), NoQuery {}, ()).await {
        Ok(Json(index)) => Ok(Some(index)),
        Err(ApiError::IndexConfigNotExist) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What there is to show.
enum Answer {
    NoIndex,
    Refused(Refused),
    /// Logs are shown as they come.
    Tail,
    /// Logs or rows, and how many logs there are when.
    Found(Box<LogsReply>, Histograms),
}

async fn answer(
    console: &Console,
    at: &InLogstore,
    view: &View,
    window: (i64, i64),
    has_index: bool,
) -> Result<Answer, ApiError> {
    if !has_index {
        return Ok(Answer::NoIndex);
    }
    if view.shape == Shape::Tail {
        let refused = failed::refusal(console, at, &view.query).await?;
        return Ok(refused.map_or(Answer::Tail, Answer::Refused));
    }
    let query = match statement::split(&view.query) {
        // So that each log leads to its page and its context.
        Ok(statement) if statement.tail == Tail::None => format!("{} | with_pack_meta", view.query),
        _ => view.query.clone(),
    };
    let request = view.request(window, query);
    let logs = console.ask_in::<GetLogs>(&at.project, at.named(), NoQuery {}, Json(request));
    match tokio::try_join!(logs, histogram::count(console, at, view, window)) {
        Ok((Json(reply), counted)) => Ok(Answer::Found(Box::new(reply), counted)),
        Err(error) => Refused::of(error, &view.query).map(Answer::Refused),
    }
}

/// A Logstore, how it is looked at, and the seconds that means.
type Looked<'l> = (&'l InLogstore, &'l View, (i64, i64));

fn shown(
    console: &Console,
    visit: &Visit,
    looked: Looked<'_>,
    index: Option<&Index>,
    answer: &Answer,
) -> Markup {
    let (at, view, window) = looked;
    match answer {
        Answer::NoIndex => html! {
            (empty::no_index(visit, at))
            (empty::how_to_send(console, visit, at))
        },
        Answer::Refused(refused) => refused.shown(visit, &view.query),
        Answer::Tail => html! {
            div.spread { (bar::shapes(visit, at, view)) }
            section #tail aria-label=(visit.t("Live tail", "实时日志")) {
                p.empty { (visit.t("Logs are shown as they come. This needs a script in the browser.", "实时显示新到达的日志，需要浏览器启用脚本。")) }
            }
        },
        Answer::Found(reply, counted) => {
            let is_rows = is_rows(&view.query);
            html! {
                (histogram::figure(visit, counted))
                div.spread {
                    @if !is_rows { (bar::shapes(visit, at, view)) }
                    div.row.tools {
                        button.script type="button" data-copy=(fixed(view, window).link(at, "")) hidden { (visit.t("Copy link", "复制链接")) }
                        @if !is_rows && view.shape == Shape::Raw { button.script #open-all type="button" aria-pressed="false" hidden { (visit.t("Open all", "全部展开")) } }
                        @if !is_rows { (columns(visit, at, view, index, reply)) }
                        (downloads(visit, looked, is_rows, counted.count))
                    }
                }
                @if reply.meta.progress == Progress::Incomplete {
                    p.badge.warn { (visit.t("The answer is incomplete", "结果不完整")) }
                }
                @if is_rows {
                    section #chart aria-label=(visit.t("Chart", "图表")) hidden {}
                    (rows::answer(visit, &reply.meta.keys, &reply.meta.column_types, &reply.data))
                } @else if reply.data.is_empty() {
                    (empty::nothing(console, visit, at))
                } @else {
                    div #logs data-terms=(terms(reply)) {
                        @if view.shape == Shape::Table { (rows::table(visit, at, view, &reply.data)) }
                        @else { (rows::list(visit, at, &reply.data)) }
                    }
                }
                @if !reply.meta.has_sql { (pages(visit, at, view, reply, (!is_rows).then_some(counted.count))) }
                p.hint { (reply.meta.elapsed_millisecond) " ms · " (reply.meta.processed_rows) " " (visit.t("logs looked at", "条日志被扫描")) }
            }
        }
    }
}

/// Whether a query makes rows of the logs that it finds.
fn is_rows(query: &str) -> bool {
    let tail = statement::split(query).map(|statement| statement.tail);
    matches!(tail, Ok(Tail::Sql(_) | Tail::Pipeline(_)))
}

/// What was searched for, as `[field, text]` in JSON, for the script that marks it in the logs.
fn terms(reply: &LogsReply) -> String {
    let terms: Vec<[&str; 2]> =
        reply.meta.terms.iter().map(|term| [term.key.as_str(), term.term.as_str()]).collect();
    serde_json::to_string(&terms).unwrap_or_default()
}

/// The same view for ever: what ends now otherwise shows something else tomorrow.
fn fixed(view: &View, window: (i64, i64)) -> View {
    View { range: Range::Fixed(window.0, window.1), ..view.clone() }
}

/// The pages before and behind this one.
fn pages(visit: &Visit, at: &InLogstore, view: &View, reply: &LogsReply, total: Option<u64>) -> Markup {
    let shown = reply.data.len() as u64;
    let to = |offset: u64| View { offset, ..view.clone() }.link(at, "");
    let more = total.map_or(shown == view.size, |total| view.offset + shown < total);
    html! {
        nav.row.pages aria-label=(visit.t("Pages", "分页")) {
            @if view.offset > 0 {
                a.button href=(to(0)) { (visit.t("First", "首页")) }
                a.button rel="prev" href=(to(view.offset.saturating_sub(view.size))) { (visit.t("Before", "上一页")) }
            }
            @if shown > 0 {
                span.quiet-text { (view.offset + 1) "–" (view.offset + shown) @if let Some(total) = total { " / " (total) } }
            }
            @if more { a.button rel="next" href=(to(view.offset + view.size)) { (visit.t("Next", "下一页")) } }
        }
    }
}

/// A form that chooses the columns of the table.
fn columns(visit: &Visit, at: &InLogstore, view: &View, index: Option<&Index>, reply: &LogsReply) -> Markup {
    let indexed =
        index.and_then(|index| index.keys.as_ref()).into_iter().flatten().map(|(name, _)| name.as_str());
    let mut names = rows::column_names(&reply.data, indexed);
    for chosen in &view.columns {
        if !names.contains(&chosen.as_str()) {
            names.push(chosen);
        }
    }
    let other = View { columns: Vec::new(), shape: Shape::Table, ..view.clone() };
    html! {
        details.drop #columns {
            summary { (visit.t("Columns", "列设置")) }
            form.card method="get" action=(at.path()) data-columns {
                @for (name, value) in other.fields() { input type="hidden" name=(name) value=(value); }
                fieldset {
                    legend { (visit.t("Columns of the table", "表格中的列")) }
                    div.ticks { @for name in &names {
                        label.tick { input type="checkbox" name="col" value=(name) checked[view.columns.iter().any(|chosen| chosen == name)]; bdi { (shown::shown(name, 200).html) } }
                    } }
                }
                button type="submit" { (visit.t("Show", "显示")) }
            }
        }
    }
}

/// Links to the logs or rows as files.
fn downloads(visit: &Visit, (at, view, window): Looked<'_>, is_rows: bool, found: u64) -> Markup {
    let fixed = View { offset: 0, shape: Shape::Raw, ..fixed(view, window) };
    let link = |format: &str| {
        let link = fixed.link(at, "/export");
        format!("{link}&format={format}")
    };
    let max = if is_rows { export::PIPELINE_ROWS_MAX } else { export::LOGS_MAX };
    html! {
        details.drop {
            summary { (visit.t("Export", "导出")) }
            div.card {
                p.row {
                    a.button href=(link("jsonl")) download { "JSON Lines" }
                    a.button href=(link("csv")) download { "CSV" }
                }
                @if is_rows {
                    p.hint { (visit.t("All rows that SQL answers (see its LIMIT); of a pipeline at most ", "导出 SQL 的全部结果行（受 LIMIT 限制）；管道语句最多 ")) (max) (visit.t(" rows.", " 行。")) }
                } @else {
                    p.hint { (visit.t("At most ", "最多 ")) (max) (visit.t(" logs, in the order chosen", " 条日志，按所选排序"))
                        @if found > max { "; " strong { (found) (visit.t(" are found: narrow the time", " 条符合条件，请缩小时间范围")) } } (visit.t(".", "。")) }
                }
                p.hint { (visit.t(
                    "In CSV a text that spreadsheets would run as a formula gets an apostrophe in front (= + - @, but not numbers). JSON lines have the bytes as they are.",
                    "CSV 中可能被电子表格当作公式执行的文本（以 = + - @ 开头，数字除外）前会加单引号；JSON Lines 保持原样。",
                )) }
            }
        }
    }
}
