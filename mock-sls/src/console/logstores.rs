//! Logstores of a project: the list with what they hold, and making and removing one. Their settings are in [`settings`].

mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::html;
use sls_api::names::LogstoreName;
use sls_api::ops::logstores::{
    CreateLogStore, DeleteLogStore, ListLogStore, ListLogStoreQuery, LogstoreSettings,
};
use sls_api::{Json, NoPath, NoQuery};

use super::Console;
use super::fields::{ago, bytes, grouped};
use super::forms::{Pairs, done};
use super::listing::{self, Wanted};
use super::overview::overview;
use super::page::{Page, act, csrf, empty};
use super::place::{Asked, InLogstore, InProject};
use super::problem::Problem;
use super::visit::Visit;
use crate::store::volumes::{self, Amount, Volume};

/// Logstores on one page.
const PAGE_SIZE: i64 = 200;
/// Days that logs of a new Logstore are kept, unless the visitor says otherwise.
const TTL_DAYS: i64 = 30;
/// Shards of a new Logstore, unless the visitor says otherwise.
const SHARDS: i64 = 2;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/projects/{project}", get(list))
        .route("/projects/{project}/logstores", post(create))
        .route("/projects/{project}/logstores/{logstore}/delete", post(delete))
        .merge(settings::routes())
}

async fn list(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InProject,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let query = ListLogStoreQuery {
        offset: Some(wanted.offset),
        size: Some(PAGE_SIZE),
        logstore_name: wanted.named(),
        ..ListLogStoreQuery::default()
    };
    let Json(found) = console.ask_in::<ListLogStore>(&at.project, NoPath {}, query, ()).await?;
    let now = console.app.clock.now();
    let volumes = console.look(&at.project, move |db, project| volumes::of_project(db, project, now)).await?;
    let volumes: BTreeMap<LogstoreName, Volume> = volumes.into_iter().collect();
    let overview = overview(&console, &visit, &at, volumes.values()).await?;
    let question = visit.t("Delete the Logstore with its logs?", "删除日志库及其日志？");
    let page = Page::new(&visit, at.project.as_str()).place(at.place(&visit)).tabs(at.tabs(&visit)).body(html! {
        (overview)
        (listing::search(&visit, &wanted, found.total))
        @if found.logstores.is_empty() {
            (empty(visit.t("No Logstore here. Make one below.", "没有日志库。可在下方创建。")))
        } @else {
            div.scroll { table {
                thead { tr {
                    th { (visit.t("Logstore", "日志库")) }
                    th.number { (visit.t("Logs", "日志条数")) }
                    th.number { (visit.t("Stored", "存储量")) }
                    th.number { (visit.t("Last minute", "最近 1 分钟")) }
                    th.number { (visit.t("Last hour", "最近 1 小时")) }
                    th { (visit.t("Last written", "最近写入")) }
                    th { span.visually-hidden { (visit.t("Actions", "操作")) } }
                } }
                tbody {
                    @for logstore in &found.logstores {
                        @let place = InLogstore { project: at.project.clone(), logstore: logstore.clone() };
                        tr {
                            @let volume = volumes.get(logstore).copied().unwrap_or_default();
                            th scope="row" { a href=(place.path()) { (logstore) } }
                            td.number { (grouped(volume.held.logs)) }
                            td.number { (bytes(volume.held.bytes)) }
                            td.number { (rate(&visit, volume.minute)) }
                            td.number { (rate(&visit, volume.hour)) }
                            td { @if let Some(last) = volume.last { (ago(&visit, now.as_second(), last)) } @else { "–" } }
                            td { (act(&visit, &format!("{}/delete", place.path()), &[], visit.t("Delete", "删除"), Some(question))) }
                        }
                    }
                }
            } }
            (listing::pages(&visit, &at.path(), &wanted, PAGE_SIZE, (found.count, found.total)))
        }
        h2 { (visit.t("New Logstore", "新建日志库")) }
        form.card.narrow method="post" action={ (at.path()) "/logstores" } {
            (csrf(&visit))
            div.field {
                label for="logstore" { (visit.t("Name", "名称")) }
                input #logstore name="logstore" required minlength="2" maxlength="63" autocomplete="off";
            }
            div.row {
                div.field {
                    label for="ttl" { (visit.t("Days that logs are kept", "保存天数")) }
                    input.short #ttl name="ttl" type="number" min="1" max="3650" value=(TTL_DAYS);
                }
                div.field {
                    label for="shards" { (visit.t("Shards", "分区数")) }
                    input.short #shards name="shards" type="number" min="1" max="100" value=(SHARDS);
                }
            }
            div.actions { button.primary type="submit" { (visit.t("Create", "创建")) } }
        }
    });
    Ok(page.into_response())
}

/// What came in a span of time.
fn rate(visit: &Visit, came: Amount) -> String {
    match came.logs {
        0 => "–".to_owned(),
        logs => format!("{}{}, {}", grouped(logs), visit.t(" logs", " 条"), bytes(came.bytes)),
    }
}

async fn create(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InProject,
    form: Pairs,
) -> Result<Response, Problem> {
    let logstore: LogstoreName = form.parsed("logstore")?;
    let ttl = form.number("ttl")?.unwrap_or(TTL_DAYS);
    let shards = form.number("shards")?.unwrap_or(SHARDS);
    let settings = LogstoreSettings::new(logstore.clone(), ttl, shards);
    console.ask_in::<CreateLogStore>(&at.project, NoPath {}, NoQuery {}, Json(settings)).await?;
    let place = InLogstore { project: at.project, logstore };
    Ok(done(
        &format!("{}/index", place.path()),
        visit.t(
            "The Logstore is made. It is searched with an index only.",
            "日志库已创建。需创建索引后方可查询。",
        ),
    ))
}

async fn delete(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InLogstore,
) -> Result<Response, Problem> {
    console.ask_in::<DeleteLogStore>(&at.project, at.named(), NoQuery {}, ()).await?;
    let project = InProject { project: at.project };
    Ok(done(&project.path(), visit.t("The Logstore is deleted.", "日志库已删除。")))
}
