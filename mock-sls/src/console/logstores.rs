//! Logstores of a project: the list, and making and removing one.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::html;
use serde::Deserialize;
use sls_api::names::LogstoreName;
use sls_api::ops::logstores::{
    CreateLogStore, DeleteLogStore, ListLogStore, ListLogStoreQuery, LogstoreSettings,
};
use sls_api::{Json, NoPath, NoQuery};

use super::Console;
use super::forms::{Pairs, done};
use super::page::{Page, act, csrf, empty};
use super::place::{Asked, InLogstore, InProject};
use super::problem::Problem;
use super::visit::Visit;

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
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    name: String,
    #[serde(default)]
    offset: i64,
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
        logstore_name: Some(wanted.name.clone()).filter(|name| !name.is_empty()),
        ..ListLogStoreQuery::default()
    };
    let Json(found) = console.ask_in::<ListLogStore>(&at.project, NoPath {}, query, ()).await?;
    let shown = i64::try_from(found.count).unwrap_or(i64::MAX);
    let total = i64::try_from(found.total).unwrap_or(i64::MAX);
    let page_at = |offset: i64| {
        let name = serde_urlencoded::to_string([("name", wanted.name.as_str())]).unwrap_or_default();
        format!("{}?offset={offset}&{name}", at.path())
    };
    let question = visit.t("Delete the Logstore with its logs?", "删除日志库及其日志？");
    let page = Page::new(&visit, at.project.as_str()).place(at.place(&visit)).tabs(at.tabs(&visit)).body(html! {
        div.spread {
            form.row method="get" role="search" {
                input type="search" name="name" value=(wanted.name)
                    aria-label=(visit.t("Part of the name", "名称的一部分")) placeholder=(visit.t("Part of the name", "名称的一部分"));
                button type="submit" { (visit.t("Find", "查找")) }
            }
            span.quiet-text { (found.total) " " (visit.t("in all", "个")) }
        }
        @if found.logstores.is_empty() {
            (empty(visit.t("No Logstore here. Make one below.", "没有日志库。可在下方创建。")))
        } @else {
            div.scroll { table {
                thead { tr { th { (visit.t("Logstore", "日志库")) } th {} } }
                tbody {
                    @for logstore in &found.logstores {
                        @let place = InLogstore { project: at.project.clone(), logstore: logstore.clone() };
                        tr {
                            th scope="row" { a href=(place.path()) { (logstore) } }
                            td { (act(&visit, &format!("{}/delete", place.path()), &[], visit.t("Delete", "删除"), Some(question))) }
                        }
                    }
                }
            } }
            nav.row aria-label=(visit.t("Pages", "分页")) {
                @if wanted.offset > 0 { a.button href=(page_at((wanted.offset - PAGE_SIZE).max(0))) { (visit.t("Before", "上一页")) } }
                @if wanted.offset + shown < total { a.button href=(page_at(wanted.offset + PAGE_SIZE)) { (visit.t("Next", "下一页")) } }
            }
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
