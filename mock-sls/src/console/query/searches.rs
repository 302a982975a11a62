//! Queries that are kept under a name: the saved searches of the project, as the API has them.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};
use sls_api::names::LogstoreName;

use super::view::View;
use crate::console::Console;
use crate::console::forms::{Sent, done, go};
use crate::console::page::{act, csrf};
use crate::console::place::{At, InLogstore};
use crate::console::problem::Problem;
use crate::console::visit::Visit;
use crate::error::ApiError;

/// Saved searches that a page lists; the API gives at most 500 at once.
const LISTED_MAX: &str = "200";

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/projects/{project}/logstores/{logstore}/searches", post(save))
        .route("/projects/{project}/logstores/{logstore}/searches/{name}", get(open))
        .route("/projects/{project}/logstores/{logstore}/searches/{name}/delete", post(delete))
}

/// The saved searches of a project.
pub(super) struct Saved {
    /// Name, and the name for people.
    names: Vec<(String, String)>,
}

impl Saved {
    /// All of them.
    pub async fn of(console: &Console, at: &InLogstore) -> Result<Self, ApiError> {
        let query = [("offset", "0"), ("size", LISTED_MAX)];
        let listed = console.ask_documents(&at.project, "ListSavedSearch", Vec::new(), &query, None).await?;
        let items = listed.get("savedsearchItems").and_then(Value::as_array);
        let text = |item: &Value, field: &str| {
            item.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let names = items.into_iter().flatten().map(|item| {
            let name = text(item, "savedsearchName");
            let displayed = text(item, "displayName");
            let displayed = if displayed.is_empty() { name.clone() } else { displayed };
            (name, displayed)
        });
        Ok(Self { names: names.collect() })
    }

    /// The list, and a form to keep the query of the view.
    pub fn shown(&self, visit: &Visit, at: &InLogstore, view: &View) -> Markup {
        let path = format!("{}/searches", at.path());
        let question = visit.t("Delete the saved search?", "删除该快速查询？");
        html! {
            details.kept-list {
                summary { (visit.t("Saved searches", "快速查询")) " (" (self.names.len()) ")" }
                div.card {
                    @if self.names.is_empty() {
                        p.quiet-text { (visit.t("None in this project yet.", "该项目中还没有快速查询。")) }
                    } @else {
                        ul.plain { @for (name, displayed) in &self.names {
                            @let one = format!("{path}/{}", escaped(name));
                            li.spread {
                                a href=(one) { bdi { (displayed) } }
                                (act(visit, &format!("{one}/delete"), &[("back", &view.link(at, ""))], visit.t("Delete", "删除"), Some(question)))
                            }
                        } }
                    }
                    form.row method="post" action=(path) {
                        (csrf(visit))
                        input type="hidden" name="q" value=(view.query);
                        input type="hidden" name="back" value=(view.link(at, ""));
                        label { span.label { (visit.t("Keep this query as", "将当前查询另存为")) }
                            input.short name="name" required minlength="3" maxlength="63" autocomplete="off";
                        }
                        label.tick { input type="checkbox" name="replace" value="yes"; (visit.t("replace one of this name", "覆盖同名快速查询")) }
                        button type="submit" { (visit.t("Save", "保存")) }
                    }
                }
            }
        }
    }
}

/// A name as a part of a path.
fn escaped(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[derive(Deserialize)]
struct Kept {
    name: String,
    #[serde(default)]
    q: String,
    replace: Option<String>,
    back: String,
}

async fn save(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InLogstore,
    Sent(kept): Sent<Kept>,
) -> Result<Response, Problem> {
    let name = kept.name.trim();
    let query = if kept.q.is_empty() { "*" } else { &kept.q };
    let body = json!({
        "savedsearchName": name,
        "displayName": name,
        "logstore": at.logstore,
        "topic": "",
        "searchQuery": query,
    });
    let made =
        console.ask_documents(&at.project, "CreateSavedSearch", Vec::new(), &[], Some(body.clone())).await;
    match made {
        Err(error) if kept.replace.is_some() && error.wire().1 == "SavedSearchAlreadyExist" => {
            let names = vec![("name", name.to_owned())];
            console.ask_documents(&at.project, "UpdateSavedSearch", names, &[], Some(body)).await?;
        }
        made => drop(made?),
    }
    Ok(done(back(&at, &kept.back), visit.t("The query is saved.", "查询已保存。")))
}

/// A page of this Logstore to go back to.
fn back<'b>(at: &InLogstore, asked: &'b str) -> &'b str {
    let path = at.path();
    let own = asked.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with('?'));
    if own { asked } else { "/" }
}

#[derive(Deserialize)]
struct Named {
    #[serde(flatten)]
    at: InLogstore,
    name: String,
}

/// The page of the Logstore that the search is about, with its query.
async fn open(State(console): State<Arc<Console>>, At(named): At<Named>) -> Result<Response, Problem> {
    let Named { at, name } = named;
    let names = vec![("name", name)];
    let search = console.ask_documents(&at.project, "GetSavedSearch", names, &[], None).await?;
    let text = |field: &str| search.get(field).and_then(Value::as_str).unwrap_or_default();
    let logstore: LogstoreName = text("logstore")
        .parse()
        .map_err(|error| Problem::bad(format!("logstore of the saved search: {error}")))?;
    let view = View::of(&[("q".to_owned(), text("searchQuery").to_owned())])?;
    Ok(go(&view.link(&InLogstore { project: at.project, logstore }, "")).into_response())
}

#[derive(Deserialize)]
struct Back {
    back: String,
}

async fn delete(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(named): At<Named>,
    Sent(sent): Sent<Back>,
) -> Result<Response, Problem> {
    let Named { at, name } = named;
    let names = vec![("name", name)];
    console.ask_documents(&at.project, "DeleteSavedSearch", names, &[], None).await?;
    Ok(done(back(&at, &sent.back), visit.t("The saved search is deleted.", "快速查询已删除。")))
}
