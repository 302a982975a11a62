//! The state as a whole: back to nothing, kept under a name, and brought back.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::html;
use sls_api::names::ProjectName;
use sls_api::ops::projects::{ListProject, ListProjectQuery};
use sls_api::{Json, NoPath};

use super::page;
use crate::console::Console;
use crate::console::forms::{Pairs, done};
use crate::console::page::{act, csrf, empty};
use crate::console::problem::Problem;
use crate::console::visit::Visit;

/// Where the page is.
const PATH: &str = "/testbed/state";
/// Projects that are suggested (the most of one page of the API).
const SUGGESTED: i64 = 500;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(PATH, get(show))
        .route("/testbed/state/snapshot", post(snapshot))
        .route("/testbed/state/restore", post(restore))
        .route("/testbed/state/reset", post(reset))
}

async fn show(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Problem> {
    let names = console.app.store.snapshots()?;
    let query = ListProjectQuery { size: Some(SUGGESTED), ..ListProjectQuery::default() };
    let Json(projects) = console.ask::<ListProject>(NoPath {}, query, ()).await?;
    let back = visit.t(
        "Bring this state back? Everything that is newer is lost.",
        "恢复此快照？之后的所有变更都将丢失。",
    );
    let one = visit.t("Remove everything in this project?", "清空该项目中的全部内容？");
    let all = visit
        .t("Remove everything: all projects, logs and agents?", "清空全部内容：所有项目、日志和采集端？");
    let body = html! {
        h2 { (visit.t("Snapshots", "快照")) }
        p.quiet-text { (visit.t(
            "A snapshot is a copy of all state: projects with everything in them, logs, agents. Faults and the journal are not part of it.",
            "快照是全部状态的副本：项目及其内容、日志、采集端。不含故障和请求日志。",
        )) }
        @if names.is_empty() {
            (empty(visit.t("No snapshots.", "没有快照。")))
        } @else {
            div.scroll { table {
                thead { tr { th { (visit.t("Name", "名称")) } th {} } }
                tbody { @for name in &names { tr {
                    th scope="row" { (name) }
                    td { (act(&visit, "/testbed/state/restore", &[("name", name)], visit.t("Restore", "恢复"), Some(back))) }
                } } }
            } }
        }
        form.card.narrow method="post" action="/testbed/state/snapshot" {
            (csrf(&visit))
            div.field {
                label for="name" { (visit.t("Keep the state of now as", "将当前状态保存为")) }
                input #name name="name" required autocomplete="off" value="default";
                p.hint { (visit.t("One of the same name is replaced.", "同名快照将被替换。")) }
            }
            div.actions { button.primary type="submit" { (visit.t("Make a snapshot", "创建快照")) } }
        }
        h2 { (visit.t("Reset", "重置")) }
        form.card.narrow method="post" action="/testbed/state/reset" data-confirm=(one) {
            (csrf(&visit))
            div.field {
                label for="project" { (visit.t("Empty one project, and keep it", "清空单个项目（保留项目）")) }
                input #project name="project" required list="projects" autocomplete="off";
                datalist #projects { @for project in &projects.projects { option value=(project.project_name) {} } }
            }
            div.actions { button.danger type="submit" { (visit.t("Empty the project", "清空项目")) } }
        }
        div.row {
            (act(&visit, "/testbed/state/reset", &[("all", "1")], visit.t("Remove everything", "清空全部"), Some(all)))
        }
    };
    Ok(page(&visit, visit.t("State", "状态与快照")).body(body).into_response())
}

async fn snapshot(
    State(console): State<Arc<Console>>,
    visit: Visit,
    form: Pairs,
) -> Result<Response, Problem> {
    let name = form.text("name");
    console.app.store.snapshot(name).await?;
    Ok(done(PATH, &format!("{}{name}", visit.t("Kept as ", "已保存为 "))))
}

async fn restore(
    State(console): State<Arc<Console>>,
    visit: Visit,
    form: Pairs,
) -> Result<Response, Problem> {
    let name = form.text("name");
    console.app.restore(name).await?;
    Ok(done(PATH, &format!("{}{name}", visit.t("Restored: ", "已恢复："))))
}

async fn reset(State(console): State<Arc<Console>>, visit: Visit, form: Pairs) -> Result<Response, Problem> {
    if form.ticked("all") {
        console.app.reset(None).await?;
        return Ok(done(PATH, visit.t("Everything is removed.", "已清空全部内容。")));
    }
    // Never everything because a name is empty.
    let project: ProjectName = form.parsed("project")?;
    console.app.reset(Some(&project)).await?;
    Ok(done(PATH, &format!("{}{project}", visit.t("Emptied: ", "已清空："))))
}
