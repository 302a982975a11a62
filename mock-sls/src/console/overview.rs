//! What a project is: shown above its Logstores, with its description to be changed.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use maud::{Markup, html};
use sls_api::ops::logtail_configs::{ListConfig, ListConfigQuery};
use sls_api::ops::machine_groups::{ListMachineGroup, ListMachineGroupQuery};
use sls_api::ops::projects::{GetProject, ProjectChange, UpdateProject};
use sls_api::{Json, NoPath, NoQuery};

use super::Console;
use super::fields::{bytes, grouped};
use super::forms::{Pairs, done};
use super::page::csrf;
use super::place::InProject;
use super::problem::Problem;
use super::visit::Visit;
use crate::store::volumes::Volume;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/projects/{project}/description", post(describe))
}

/// The overview of a project whose Logstores hold these.
pub(super) async fn overview<'v>(
    console: &Console,
    visit: &Visit,
    at: &InProject,
    volumes: impl ExactSizeIterator<Item = &'v Volume>,
) -> Result<Markup, Problem> {
    let Json(project) = console.ask_in::<GetProject>(&at.project, NoPath {}, NoQuery {}, ()).await?;
    let few = ListMachineGroupQuery { size: Some(1), ..ListMachineGroupQuery::default() };
    let Json(groups) = console.ask_in::<ListMachineGroup>(&at.project, NoPath {}, few, ()).await?;
    let few = ListConfigQuery { size: Some(1), ..ListConfigQuery::default() };
    let Json(configs) = console.ask_in::<ListConfig>(&at.project, NoPath {}, few, ()).await?;
    let logstores = volumes.len();
    let (logs, held) = volumes
        .fold((0_u64, 0_u64), |(logs, held), volume| (logs + volume.held.logs, held + volume.held.bytes));
    let path = at.path();
    Ok(html! {
        div.card {
            dl.facts {
                dt { (visit.t("Description", "描述")) } dd { bdi { @if project.description.is_empty() { "–" } @else { (project.description) } } }
                dt { (visit.t("Region", "地域")) } dd { (project.region) }
                dt { (visit.t("Created", "创建时间")) } dd { (project.create_time) }
                dt { (visit.t("Holds", "内容")) }
                dd {
                    (logstores) (visit.t(" Logstores", " 个日志库")) " · " (grouped(logs)) (visit.t(" logs", " 条日志")) " · " (bytes(held)) " · "
                    a href={ (path) "/machine-groups" } { (groups.total) (visit.t(" machine groups", " 个机器组")) } " · "
                    a href={ (path) "/configs" } { (configs.total) (visit.t(" collection configs", " 个采集配置")) }
                }
            }
            details {
                summary { (visit.t("Change the description", "修改描述")) }
                form.row method="post" action={ (path) "/description" } {
                    (csrf(visit))
                    input name="description" maxlength="512" value=(project.description) aria-label=(visit.t("Description", "描述"));
                    button type="submit" { (visit.t("Save", "保存")) }
                }
            }
        }
    })
}

async fn describe(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InProject,
    form: Pairs,
) -> Result<Response, Problem> {
    let change =
        ProjectChange { description: Some(form.text("description").to_owned()), ..ProjectChange::default() };
    console.ask_in::<UpdateProject>(&at.project, NoPath {}, NoQuery {}, Json(change)).await?;
    Ok(done(&at.path(), visit.t("The description is changed.", "描述已修改。")))
}
