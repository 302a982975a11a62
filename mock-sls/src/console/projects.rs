//! Projects: the list of all, and making and removing one.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::html;
use sls_api::names::ProjectName;
use sls_api::ops::projects::{
    CreateProject, DeleteProject, ListProject, ListProjectQuery, NewProject, Project,
};
use sls_api::{Json, NoPath, NoQuery};

use super::Console;
use super::forms::{Pairs, done};
use super::listing::{self, Wanted};
use super::page::{Page, act, csrf, empty};
use super::place::{Asked, InProject};
use super::problem::Problem;
use super::visit::Visit;

/// Projects on one page.
const PAGE_SIZE: i64 = 100;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/", get(list))
        .route("/projects", post(create))
        .route("/projects/{project}/delete", post(delete))
}

async fn list(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let query = ListProjectQuery {
        offset: Some(wanted.offset),
        size: Some(PAGE_SIZE),
        project_name: wanted.named(),
        ..ListProjectQuery::default()
    };
    let Json(found) = console.ask::<ListProject>(NoPath {}, query, ()).await?;
    let page = Page::new(&visit, visit.t("Projects", "项目")).body(html! {
        (listing::search(&visit, &wanted, found.total))
        @if found.projects.is_empty() {
            (empty(visit.t("No project here. Make one below, or with any SDK.", "没有项目。可在下方创建，或使用任一 SDK 创建。")))
        } @else {
            div.scroll { table {
                thead { tr {
                    th { (visit.t("Project", "项目")) } th { (visit.t("Description", "描述")) }
                    th { (visit.t("Region", "地域")) } th { (visit.t("Created", "创建时间")) } th {}
                } }
                tbody { @for project in &found.projects { (row(&visit, project)) } }
            } }
            (listing::pages(&visit, "/", &wanted, PAGE_SIZE, (found.count, found.total)))
        }
        h2 { (visit.t("New project", "新建项目")) }
        form.card.narrow method="post" action="/projects" {
            (csrf(&visit))
            div.field {
                label for="project" { (visit.t("Name", "名称")) }
                input #project name="project" required minlength="3" maxlength="63" pattern="[a-z0-9][a-z0-9\\-]*[a-z0-9]" autocomplete="off";
                p.hint { (visit.t("3 to 63 lower-case letters, digits and hyphens", "3～63 个小写字母、数字或短划线")) }
            }
            div.field {
                label for="description" { (visit.t("Description", "描述")) }
                input #description name="description" maxlength="512";
            }
            div.actions { button.primary type="submit" { (visit.t("Create", "创建")) } }
        }
    });
    Ok(page.into_response())
}

fn row(visit: &Visit, project: &Project) -> maud::Markup {
    let at = InProject { project: project.project_name.clone() };
    let question = visit.t("Delete the project and everything in it?", "删除项目及其中的全部内容？");
    html! {
        tr {
            th scope="row" { a href=(at.path()) { (project.project_name) } }
            td { bdi { (project.description) } }
            td { (project.region) }
            td { (project.create_time) }
            td { (act(visit, &format!("{}/delete", at.path()), &[], visit.t("Delete", "删除"), Some(question))) }
        }
    }
}

async fn create(State(console): State<Arc<Console>>, visit: Visit, form: Pairs) -> Result<Response, Problem> {
    let project_name: ProjectName = form.parsed("project")?;
    let new = NewProject::new(project_name.clone(), form.text("description"));
    console.ask_in::<CreateProject>(&project_name, NoPath {}, NoQuery {}, Json(new)).await?;
    let at = InProject { project: project_name };
    Ok(done(&at.path(), visit.t("The project is made.", "项目已创建。")))
}

async fn delete(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InProject,
) -> Result<Response, Problem> {
    console.ask_in::<DeleteProject>(&at.project, NoPath {}, NoQuery {}, ()).await?;
    Ok(done("/", visit.t("The project is deleted.", "项目已删除。")))
}
