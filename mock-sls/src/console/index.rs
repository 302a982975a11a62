//! The index of a Logstore: shown, made, changed, proposed from logs, deleted.

mod form;
mod propose;
mod rows;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::html;
use serde::Deserialize;
use sls_api::ops::indexes::{CreateIndex, DeleteIndex, GetIndex, Index, UpdateIndex};
use sls_api::{Json, NoQuery};

use super::Console;
use super::forms::{Pairs, done};
use super::page::{Page, act, time};
use super::place::{Asked, InLogstore};
use super::problem::Problem;
use super::visit::Visit;
use crate::error::ApiError;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/projects/{project}/logstores/{logstore}/index", get(show).post(save))
        .route("/projects/{project}/logstores/{logstore}/index/delete", post(delete))
}

#[derive(Deserialize)]
struct Wanted {
    /// Fields of recent logs are to be proposed.
    #[serde(default)]
    propose: bool,
}

/// The index, if there is one.
async fn current(console: &Console, at: &InLogstore) -> Result<Option<Index>, Problem> {
    match console.ask_in::<GetIndex>(&at.project, at.named(), NoQuery {}, ()).await {
        Ok(Json(index)) => Ok(Some(index)),
        Err(ApiError::IndexConfigNotExist) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InLogstore,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let current = current(&console, &at).await?;
    let mut shown = current.clone().unwrap_or_else(propose::full_text);
    let proposed = match wanted.propose {
        true => Some(propose::add_to(&console, &at, &mut shown).await?),
        false => None,
    };
    let question = visit.t(
        "Delete the index? Logs that are written from now on are not found.",
        "删除索引？此后写入的日志将无法查询。",
    );
    let page = Page::new(&visit, at.logstore.as_str())
        .place(at.place(&visit))
        .tabs(at.tabs(&visit))
        .style("index.css")
        .script("index.js")
        .wide()
        .body(html! {
            @match (&current, proposed) {
                (_, Some(0)) => p.notice.warn { (visit.t("Recent logs have no field that the index does not have.", "最近的日志中没有新的字段。")) },
                (_, Some(count)) => p.notice.good { (count) (visit.t(" fields of recent logs are proposed below. Nothing is saved yet.", " 个字段已根据最近日志列出，尚未保存。")) },
                (None, None) => p.notice.warn { (visit.t("There is no index: logs cannot be searched. This form makes one.", "尚未创建索引，日志无法查询。可在下方创建。")) },
                (Some(_), None) => {}
            }
            div.spread {
                p.quiet-text { (visit.t("An index covers the logs that are written after it.", "索引仅对创建或修改之后写入的日志生效。"))
                    @if let Some(at) = current.as_ref().and_then(|index| index.last_modify_time) { " " (visit.t("Changed ", "修改时间：")) (time(at)) }
                }
                div.row {
                    a.button href={ (at.path()) "/index?propose=true" } { (visit.t("Propose fields from recent logs", "自动生成索引")) }
                    @if current.is_some() { (act(&visit, &format!("{}/index/delete", at.path()), &[], visit.t("Delete the index", "删除索引"), Some(question))) }
                }
            }
            (form::form(&visit, &at, &shown))
        });
    Ok(page.into_response())
}

async fn save(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InLogstore,
    form: Pairs,
) -> Result<Response, Problem> {
    let current = current(&console, &at).await?;
    let index = rows::sent(&form, current.clone().unwrap_or_default())?;
    let saved = match current {
        Some(_) => console.ask_in::<UpdateIndex>(&at.project, at.named(), NoQuery {}, Json(index)).await,
        None => console.ask_in::<CreateIndex>(&at.project, at.named(), NoQuery {}, Json(index)).await,
    };
    saved?;
    Ok(done(&format!("{}/index", at.path()), visit.t("The index is saved.", "索引已保存。")))
}

async fn delete(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InLogstore,
) -> Result<Response, Problem> {
    console.ask_in::<DeleteIndex>(&at.project, at.named(), NoQuery {}, ()).await?;
    Ok(done(&format!("{}/index", at.path()), visit.t("The index is deleted.", "索引已删除。")))
}
