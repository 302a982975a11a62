//! Configs in pipeline form: listed beside the classic ones, changed as JSON.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde_json::{Map, Value};
use sls_api::names::{ConfigName, ProjectName};
use sls_api::ops::documents::{
    DeleteLogtailPipelineConfig, GetLogtailPipelineConfig, InPipelineConfig, ListLogtailPipelineConfig,
    PipelineConfig, UpdateLogtailPipelineConfig,
};
use sls_api::ops::logtail_configs::ListConfigQuery;
use sls_api::{Json, NoPath, NoQuery};

use super::super::Console;
use super::super::agents;
use super::super::fields::area;
use super::super::forms::{Pairs, done};
use super::super::page::{Page, act, csrf};
use super::super::place::At;
use super::super::problem::Problem;
use super::super::visit::Visit;
use super::{NAMES_MAX, OneConfig, draft, having};
use crate::store::agents::Agent;

/// What the service adds to a config, and does not take.
const OF_SERVICE: [&str; 2] = ["createTime", "lastModifyTime"];

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/projects/{project}/pipeline-configs/{config}", get(show).post(change))
        .route("/projects/{project}/pipeline-configs/{config}/delete", post(delete))
}

/// Where a config in this form is shown.
pub(super) fn path(at: &OneConfig) -> String {
    format!("/projects/{}/pipeline-configs/{}", at.project, at.config)
}

fn named(at: &OneConfig) -> InPipelineConfig {
    InPipelineConfig { name: at.config.clone() }
}

/// The configs of a project in this form, as far as one page of the API has them.
pub(super) async fn names(console: &Console, project: &ProjectName) -> Result<Vec<ConfigName>, Problem> {
    let query = ListConfigQuery { size: Some(NAMES_MAX), ..ListConfigQuery::default() };
    let Json(found) = console.ask_in::<ListLogtailPipelineConfig>(project, NoPath {}, query, ()).await?;
    Ok(found.configs)
}

/// The part of the list of configs for those in this form.
pub(super) async fn list(
    console: &Console,
    visit: &Visit,
    project: &ProjectName,
    agents: &[Agent],
) -> Result<Markup, Problem> {
    let names = names(console, project).await?;
    let question =
        visit.t("Delete the config? Its logs are collected no more.", "删除采集配置？将停止采集其日志。");
    let mut rows = Vec::new();
    for config in names {
        let at = OneConfig { project: project.clone(), config };
        let groups = at.groups(console).await?;
        let having = agents::having(agents, project, &at.config).len();
        rows.push(html! {
            tr {
                th scope="row" { a href=(path(&at)) { (at.config) } }
                td { @for group in &groups { a href={ "/projects/" (project) "/machine-groups/" (group) } { (group) } " " } }
                td.number { (having) }
                td { (act(visit, &format!("{}/delete", path(&at)), &[], visit.t("Delete", "删除"), Some(question))) }
            }
        });
    }
    Ok(html! {
        @if !rows.is_empty() {
            h2 { (visit.t("In pipeline form", "流水线形式的采集配置")) }
            div.scroll { table {
                thead { tr {
                    th { (visit.t("Config", "采集配置")) } th { (visit.t("Machine groups", "机器组")) } th.number { (visit.t("Agents", "采集端")) }
                    th { span.visually-hidden { (visit.t("Actions", "操作")) } }
                } }
                tbody { @for row in &rows { (row) } }
            } }
        }
    })
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneConfig>,
) -> Result<Response, Problem> {
    let Json(config) =
        console.ask_in::<GetLogtailPipelineConfig>(&at.project, named(&at), NoQuery {}, ()).await?;
    let groups = at.groups(&console).await?;
    let agents = agents::all(&console).await?;
    let agents = agents::having(&agents, &at.project, &at.config);
    let now = console.app.clock.now().as_second();
    let own = config.body.into_iter().filter(|(key, _)| !OF_SERVICE.contains(&key.as_str()));
    let body: Map<String, Value> = own.collect();
    let question =
        visit.t("Delete the config? Its logs are collected no more.", "删除采集配置？将停止采集其日志。");
    let page = Page::new(&visit, at.config.as_str()).place(at.place(&visit)).body(html! {
        dl.facts {
            dt { (visit.t("Machine groups", "机器组")) }
            dd {
                @if groups.is_empty() { (visit.t("none: no agent gets it", "未应用：采集端不会获得该配置")) }
                @for group in &groups { a href={ "/projects/" (at.project) "/machine-groups/" (group) } { (group) } " " }
            }
        }
        h2 { (visit.t("Agents that have it", "已获得该配置的采集端")) }
        (having(&visit, &agents, now))
        h2 { (visit.t("Pipeline", "流水线")) }
        form method="post" action=(path(&at)) {
            (csrf(&visit))
            (area("body", visit.t("inputs, processors, flushers as JSON", "inputs、processors、flushers（JSON）"), &draft::pretty(&body), 24, ""))
            div.actions { button.primary type="submit" { (visit.t("Save", "保存")) } }
        }
        div.actions { (act(&visit, &format!("{}/delete", path(&at)), &[], visit.t("Delete", "删除"), Some(question))) }
    });
    Ok(page.into_response())
}

async fn change(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneConfig>,
    form: Pairs,
) -> Result<Response, Problem> {
    let body = serde_json::from_str(form.text("body"))
        .map_err(|error| Problem::bad(format!("the pipeline is no JSON object: {error}")))?;
    let config = PipelineConfig { config_name: at.config.clone(), body };
    console.ask_in::<UpdateLogtailPipelineConfig>(&at.project, named(&at), NoQuery {}, Json(config)).await?;
    Ok(done(&path(&at), visit.t("The config is saved.", "采集配置已保存。")))
}

async fn delete(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneConfig>,
) -> Result<Response, Problem> {
    console.ask_in::<DeleteLogtailPipelineConfig>(&at.project, named(&at), NoQuery {}, ()).await?;
    Ok(done(
        &format!("/projects/{}/configs", at.project),
        visit.t("The config is deleted.", "采集配置已删除。"),
    ))
}
