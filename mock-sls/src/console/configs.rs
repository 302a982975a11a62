//! Collection configs of a project: the list, one of them, and the wizard that makes and changes them.

mod draft;
mod form;
mod guess;
mod pipelines;
mod sample;
mod shown;
mod wizard;
mod yaml;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use sls_api::names::{ConfigName, MachineGroupName, ProjectName};
use sls_api::ops::InConfig;
use sls_api::ops::logtail_configs::{
    DeleteConfig, GetAppliedMachineGroups, GetConfig, ListConfig, ListConfigQuery, LogtailConfig,
};
use sls_api::{Json, NoPath, NoQuery};

use self::draft::Draft;
use super::Console;
use super::agents;
use super::fields::ago;
use super::forms::{done, go};
use super::page::{Link, Page, act, empty, time};
use super::place::{Asked, At, InProject};
use super::problem::Problem;
use super::visit::Visit;
use crate::store::agents::{Agent, AgentConfig};

/// Configs on one page.
const PAGE_SIZE: i64 = 100;
/// Configs among which one can choose. Source: most of one page of the API.
const NAMES_MAX: i64 = 500;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/projects/{project}/configs", get(list))
        .route("/projects/{project}/configs/{config}", get(show))
        .route("/projects/{project}/configs/{config}/delete", post(delete))
        .merge(wizard::routes())
        .merge(pipelines::routes())
}

/// Where a config is shown.
pub(super) fn path(project: &ProjectName, config: &ConfigName) -> String {
    format!("/projects/{project}/configs/{config}")
}

/// A config in the path of a page.
#[derive(Deserialize)]
struct OneConfig {
    project: ProjectName,
    config: ConfigName,
}

impl OneConfig {
    fn named(&self) -> InConfig {
        InConfig { config: self.config.clone() }
    }

    fn path(&self) -> String {
        path(&self.project, &self.config)
    }

    fn place(&self, visit: &Visit) -> Vec<Link> {
        place(visit, &InProject { project: self.project.clone() })
    }

    async fn get(&self, console: &Console) -> Result<LogtailConfig, Problem> {
        let Json(config) = console.ask_in::<GetConfig>(&self.project, self.named(), NoQuery {}, ()).await?;
        Ok(config)
    }

    async fn groups(&self, console: &Console) -> Result<Vec<MachineGroupName>, Problem> {
        let Json(applied) =
            console.ask_in::<GetAppliedMachineGroups>(&self.project, self.named(), NoQuery {}, ()).await?;
        Ok(applied.machinegroups)
    }
}

/// Links that lead to a config.
fn place(visit: &Visit, at: &InProject) -> Vec<Link> {
    let mut place = at.place(visit);
    place.push(Link::new(at.path(), at.project.as_str()));
    place.push(Link::new(format!("{}/configs", at.path()), visit.t("Collection configs", "采集配置")));
    place
}

/// The configs of a project in both forms, as far as one page of the API has them.
pub(super) async fn names(console: &Console, project: &ProjectName) -> Result<Vec<ConfigName>, Problem> {
    let query = ListConfigQuery { size: Some(NAMES_MAX), ..ListConfigQuery::default() };
    let Json(mut found) = console.ask_in::<ListConfig>(project, NoPath {}, query, ()).await?;
    found.configs.extend(pipelines::names(console, project).await?);
    Ok(found.configs)
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    offset: i64,
}

async fn list(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InProject,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let query =
        ListConfigQuery { offset: Some(wanted.offset), size: Some(PAGE_SIZE), ..ListConfigQuery::default() };
    let Json(found) = console.ask_in::<ListConfig>(&at.project, NoPath {}, query, ()).await?;
    let agents = agents::all(&console).await?;
    let mut rows = Vec::new();
    for name in &found.configs {
        let one = OneConfig { project: at.project.clone(), config: name.clone() };
        let config = one.get(&console).await?;
        let groups = one.groups(&console).await?;
        rows.push(row(&visit, &one, &config, &groups, &agents::having(&agents, &at.project, name)));
    }
    let pipelines = pipelines::list(&console, &visit, &at.project, &agents).await?;
    let total = i64::try_from(found.total).unwrap_or(i64::MAX);
    let page_at = |offset: i64| format!("{}/configs?offset={offset}", at.path());
    let page = Page::new(&visit, at.project.as_str()).place(at.place(&visit)).tabs(at.tabs(&visit)).body(html! {
        div.spread {
            span.quiet-text { (found.total) (visit.t(" in all", " 个")) }
            a.button.primary href={ (at.path()) "/new-config" } { (visit.t("New collection config", "新建采集配置")) }
        }
        @if rows.is_empty() { (empty(visit.t("No collection config here.", "没有采集配置。"))) }
        @else {
            div.scroll { table {
                thead { tr {
                    th { (visit.t("Config", "采集配置")) } th { (visit.t("Mode", "模式")) } th { (visit.t("Files", "日志文件")) }
                    th { (visit.t("Logstore", "日志库")) } th { (visit.t("Machine groups", "机器组")) } th { (visit.t("Agents", "采集端")) }
                    th { span.visually-hidden { (visit.t("Actions", "操作")) } }
                } }
                tbody { @for row in &rows { (row) } }
            } }
            nav.row aria-label=(visit.t("Pages", "分页")) {
                @if wanted.offset > 0 { a.button href=(page_at((wanted.offset - PAGE_SIZE).max(0))) { (visit.t("Before", "上一页")) } }
                @if wanted.offset + PAGE_SIZE < total { a.button href=(page_at(wanted.offset + PAGE_SIZE)) { (visit.t("Next", "下一页")) } }
            }
        }
        (pipelines)
    });
    Ok(page.into_response())
}

/// Directory and pattern of the files.
fn files(config: &LogtailConfig) -> String {
    let text =
        |key: &str| config.input_detail.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
    match (text("logPath"), text("filePattern")) {
        ("", "") => "–".to_owned(),
        (path, pattern) => format!("{}/{pattern}", path.trim_end_matches('/')),
    }
}

fn row(
    visit: &Visit,
    at: &OneConfig,
    config: &LogtailConfig,
    groups: &[MachineGroupName],
    agents: &[(&Agent, &AgentConfig)],
) -> Markup {
    let logstore = &config.output_detail.logstore_name;
    let question =
        visit.t("Delete the config? Its logs are collected no more.", "删除采集配置？将停止采集其日志。");
    let failed = agents.iter().filter(|(_, has)| has.status == "failed").count();
    html! {
        tr {
            th scope="row" { a href=(at.path()) { (config.config_name) } }
            td { (form::title(visit, Draft::of(config, Vec::new()).mode)) }
            td { code { (files(config)) } }
            td { a href={ "/projects/" (at.project) "/logstores/" (logstore) } { (logstore) } }
            td {
                @if groups.is_empty() { span.badge.warn { (visit.t("none", "未应用")) } }
                @for group in groups { a href={ "/projects/" (at.project) "/machine-groups/" (group) } { (group) } " " }
            }
            td {
                @if agents.is_empty() { "–" }
                @else if failed > 0 { span.badge.bad { (failed) (visit.t(" failed", " 个失败")) } }
                @else { span.badge.good { (agents.len()) (visit.t(" have it", " 个已获得")) } }
            }
            td { (act(visit, &format!("{}/delete", at.path()), &[], visit.t("Delete", "删除"), Some(question))) }
        }
    }
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneConfig>,
) -> Result<Response, Problem> {
    let config = match at.get(&console).await {
        // Both forms go by names of one space.
        Err(problem) if problem.status == StatusCode::NOT_FOUND => {
            let pipelines = pipelines::names(&console, &at.project).await?;
            let is_there = pipelines.contains(&at.config);
            return if is_there { Ok(go(&pipelines::path(&at)).into_response()) } else { Err(problem) };
        }
        other => other?,
    };
    let groups = at.groups(&console).await?;
    let agents = agents::all(&console).await?;
    let agents = agents::having(&agents, &at.project, &at.config);
    let names: Vec<String> = groups.iter().map(ToString::to_string).collect();
    let yaml = yaml::object(&config, &at.project, &names);
    let mode = Draft::of(&config, Vec::new()).mode;
    let logstore = &config.output_detail.logstore_name;
    let question =
        visit.t("Delete the config? Its logs are collected no more.", "删除采集配置？将停止采集其日志。");
    let now = console.app.clock.now().as_second();
    let page = Page::new(&visit, at.config.as_str()).place(at.place(&visit)).style("configs.css").body(html! {
        dl.facts {
            dt { (visit.t("Mode", "模式")) } dd { (form::title(&visit, mode)) }
            dt { (visit.t("Files", "日志文件")) } dd { code { (files(&config)) } }
            dt { (visit.t("Logstore", "日志库")) } dd { a href={ "/projects/" (at.project) "/logstores/" (logstore) } { (logstore) } }
            dt { (visit.t("Machine groups", "机器组")) }
            dd {
                @if groups.is_empty() { (visit.t("none: no agent gets it", "未应用：采集端不会获得该配置")) }
                @for group in &groups { a href={ "/projects/" (at.project) "/machine-groups/" (group) } { (group) } " " }
            }
            @if let Some(made) = config.create_time { dt { (visit.t("Created", "创建时间")) } dd { (time(made)) } }
            @if let Some(changed) = config.last_modify_time { dt { (visit.t("Changed", "修改时间")) } dd { (time(changed)) } }
        }
        div.actions {
            a.button.primary href={ (at.path()) "/edit" } { (visit.t("Change", "修改")) }
            (act(&visit, &format!("{}/delete", at.path()), &[], visit.t("Delete", "删除"), Some(question)))
        }
        h2 { (visit.t("Agents that have it", "已获得该配置的采集端")) }
        (having(&visit, &agents, now))
        h2 { "AliyunLogConfig" }
        p.quiet-text { (visit.t("The object from which an operator makes this config, with its machine groups.", "通过 CRD 方式创建该配置的对象（含机器组）。")) }
        pre #yaml tabindex="0" { (yaml) }
        details {
            summary { (visit.t("inputDetail as it is kept", "inputDetail 原文")) }
            pre tabindex="0" { (draft::pretty(&config.input_detail)) }
        }
    });
    Ok(page.into_response())
}

fn having(visit: &Visit, agents: &[(&Agent, &AgentConfig)], now: i64) -> Markup {
    html! {
        @if agents.is_empty() {
            (empty(visit.t("None yet. Agents of its machine groups take it with their next heartbeat.", "暂无。机器组中的采集端将在下次心跳时获取。")))
        } @else {
            div.scroll { table {
                thead { tr {
                    th { (visit.t("Agent", "采集端")) } th { (visit.t("State", "状态")) } th { (visit.t("Matched at the start", "匹配率（启动时）")) }
                    th { (visit.t("Last heartbeat", "最近心跳")) } th { (visit.t("What it says", "说明")) }
                } }
                tbody {
                    @for (agent, has) in agents {
                        tr {
                            th scope="row" { a href={ "/agents#" (agents::anchor(&agent.instance_id)) } { bdi { (agent.hostname) " " (agent.ip) } } }
                            td { (agents::state(visit, &has.status)) }
                            td { (agents::at_start(visit, &has.message)) }
                            td { (ago(visit, now, agent.last_heartbeat)) }
                            td { bdi { (has.message) } }
                        }
                    }
                }
            } }
        }
    }
}

async fn delete(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneConfig>,
) -> Result<Response, Problem> {
    console.ask_in::<DeleteConfig>(&at.project, at.named(), NoQuery {}, ()).await?;
    Ok(done(
        &format!("/projects/{}/configs", at.project),
        visit.t("The config is deleted.", "采集配置已删除。"),
    ))
}
