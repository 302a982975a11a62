//! The wizard: its page, the preview on it, and saving.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sls_api::logtail::{Severity, check_input_detail};
use sls_api::names::{InvalidName, MachineGroupName, ProjectName};
use sls_api::ops::InMachineGroupConfig;
use sls_api::ops::logstores::{ListLogStore, ListLogStoreQuery};
use sls_api::ops::logtail_configs::{CreateConfig, LogtailConfig, UpdateConfig};
use sls_api::ops::machine_groups::{ApplyConfigToMachineGroup, RemoveConfigFromMachineGroup};
use sls_api::{Json, NoPath, NoQuery};

use super::super::Console;
use super::super::forms::{Pairs, done};
use super::super::machine_groups;
use super::super::page::Page;
use super::super::place::{Asked, At, InProject};
use super::super::problem::Problem;
use super::super::visit::Visit;
use super::draft::{Draft, Mode};
use super::form::{Around, form};
use super::sample::Tried;
use super::{NAMES_MAX, OneConfig, guess, place, sample, shown, yaml};

/// Stands for a name that is not given yet, so that the rest can be tried.
const UNNAMED: &str = "unnamed";

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/projects/{project}/new-config", get(start).post(make))
        .route("/projects/{project}/config-preview", post(preview))
        .route("/projects/{project}/configs/{config}/edit", get(open).post(change))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    mode: String,
    #[serde(default)]
    logstore: String,
}

async fn start(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InProject,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let draft = Draft::new(Mode::named(&wanted.mode), &wanted.logstore);
    page(&console, &visit, &at.project, &draft, None).await
}

async fn open(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneConfig>,
) -> Result<Response, Problem> {
    let config = at.get(&console).await?;
    let groups = at.groups(&console).await?.iter().map(ToString::to_string).collect();
    page(&console, &visit, &at.project, &Draft::of(&config, groups), Some(&at)).await
}

async fn make(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InProject,
    form: Pairs,
) -> Result<Response, Problem> {
    if form.text("do") != "save" {
        return page(&console, &visit, &at.project, &step(&form)?, None).await;
    }
    let draft = Draft::sent(&form);
    let config = usable(draft.config(None)?)?;
    let one = OneConfig { project: at.project, config: config.config_name.clone() };
    console.ask_in::<CreateConfig>(&one.project, NoPath {}, NoQuery {}, Json(config)).await?;
    bind(&console, &one, &draft.groups).await?;
    Ok(done(&one.path(), visit.t("The config is saved.", "采集配置已保存。")))
}

async fn change(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneConfig>,
    form: Pairs,
) -> Result<Response, Problem> {
    if form.text("do") != "save" {
        return page(&console, &visit, &at.project, &step(&form)?, Some(&at)).await;
    }
    let draft = Draft { name: at.config.to_string(), ..Draft::sent(&form) };
    let config = usable(draft.config(Some(at.get(&console).await?))?)?;
    console.ask_in::<UpdateConfig>(&at.project, at.named(), NoQuery {}, Json(config)).await?;
    bind(&console, &at, &draft.groups).await?;
    Ok(done(&at.path(), visit.t("The config is saved.", "采集配置已保存。")))
}

/// Refuses a config of files that cannot work: whoever saves it would wait for logs.
fn usable(config: LogtailConfig) -> Result<LogtailConfig, Problem> {
    let problems = match config.input_type.as_str() {
        "file" => check_input_detail(&config.input_detail),
        _ => Vec::new(),
    };
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    let errors: Vec<String> = errors.map(ToString::to_string).collect();
    if errors.is_empty() { Ok(config) } else { Err(Problem::bad(errors.join("; "))) }
}

/// Makes these groups, and no others, have the config.
async fn bind(console: &Console, at: &OneConfig, groups: &[String]) -> Result<(), Problem> {
    let wanted: Result<BTreeSet<MachineGroupName>, _> = groups.iter().map(|name| name.parse()).collect();
    let wanted = wanted.map_err(|error| Problem::bad(format!("machine group: {error}")))?;
    let have: BTreeSet<MachineGroupName> = at.groups(console).await?.into_iter().collect();
    let path =
        |group: &MachineGroupName| InMachineGroupConfig { group: group.clone(), config: at.config.clone() };
    for group in wanted.difference(&have) {
        console.ask_in::<ApplyConfigToMachineGroup>(&at.project, path(group), NoQuery {}, ()).await?;
    }
    for group in have.difference(&wanted) {
        console.ask_in::<RemoveConfigFromMachineGroup>(&at.project, path(group), NoQuery {}, ()).await?;
    }
    Ok(())
}

/// What a button of the form makes of it, but for that which saves it.
fn step(form: &Pairs) -> Result<Draft, Problem> {
    let mut draft = Draft::sent(form);
    match form.text("do") {
        // A mode of its own for what was made in another: what both have is taken along.
        "mode" => {
            let fresh = Draft::new(draft.mode, &draft.logstore);
            if form.text("max-depth").is_empty() && form.all("encoding").next().is_none() {
                draft = Draft { name: draft.name, sample: draft.sample, groups: draft.groups, ..fresh };
            } else if form.all("separator").next().is_none() {
                (draft.separator, draft.quote, draft.extends) = (fresh.separator, fresh.quote, true);
            }
        }
        "guess" => {
            let line = draft.sample.lines().next().unwrap_or_default().to_owned();
            (draft.regex, draft.keys) = guess::of_line(&line);
        }
        "to-regex" => {
            let mut detail = draft.detail()?;
            sls_api::logtail::derive_log_format(&mut detail)
                .map_err(|error| Problem::bad(format!("log_format: {error}")))?;
            let mut config = tried_config(&draft, Map::new())?;
            config.input_detail = detail;
            let made = Draft::of(&config, Vec::new());
            draft = Draft {
                mode: Mode::Regex,
                regex: made.regex,
                keys: made.keys,
                time_key: made.time_key,
                time_format: made.time_format,
                ..draft
            };
        }
        _ => {}
    }
    Ok(draft)
}

/// A config to be tried: name and Logstore may be missing yet.
fn tried_config(draft: &Draft, detail: Map<String, Value>) -> Result<LogtailConfig, Problem> {
    let bad = |error: InvalidName| Problem::bad(error.to_string());
    let name = draft.name.parse().or_else(|_| UNNAMED.parse()).map_err(bad)?;
    let logstore = draft.logstore.parse().or_else(|_| UNNAMED.parse()).map_err(bad)?;
    let mut config = LogtailConfig::file(name, detail, logstore);
    if draft.mode == Mode::Advanced {
        config.input_type.clone_from(&draft.input_type);
    }
    Ok(config)
}

/// The preview of what was typed, as part of a page.
async fn preview(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InProject,
    form: Pairs,
) -> Result<Response, Problem> {
    let draft = Draft::sent(&form);
    let shown = previewed(&console, &visit, &at.project, &draft).await?;
    let wanted = draft.wanted_keys();
    Ok(Html(html! { div data-keys=(wanted) { (shown) } }.into_string()).into_response())
}

async fn previewed(
    console: &Console,
    visit: &Visit,
    project: &ProjectName,
    draft: &Draft,
) -> Result<Markup, Problem> {
    let detail = match draft.detail() {
        Ok(detail) => detail,
        Err(problem) => {
            let tried = Tried { errors: vec![problem.message], ..Tried::default() };
            return Ok(shown::preview(visit, draft.mode, &tried, None));
        }
    };
    let mut config = tried_config(draft, detail)?;
    let yaml = yaml::object(&config, project, &draft.groups);
    // Where the files are decides nothing of what becomes of a line, and may be typed last.
    if draft.mode != Mode::Advanced {
        let detail = &mut config.input_detail;
        for (key, typed, other) in
            [("logPath", &draft.log_path, "/"), ("filePattern", &draft.file_pattern, "*")]
        {
            if typed.is_empty() {
                detail.insert(key.to_owned(), json!(other));
            }
        }
    }
    let (project, region) = (project.clone(), console.app.region.clone());
    let (sample, now) = (draft.sample.clone(), console.app.clock.now().as_second());
    let trial = move || sample::try_on(&config, &project, &region, &sample, now);
    let tried = tokio::task::spawn_blocking(trial).await;
    let tried = tried.map_err(|error| crate::error::ApiError::Internal(error.to_string()))?;
    Ok(shown::preview(visit, draft.mode, &tried, Some(&yaml)))
}

async fn page(
    console: &Console,
    visit: &Visit,
    project: &ProjectName,
    draft: &Draft,
    there: Option<&OneConfig>,
) -> Result<Response, Problem> {
    let preview = previewed(console, visit, project, draft).await?;
    let query = ListLogStoreQuery { size: Some(NAMES_MAX), ..ListLogStoreQuery::default() };
    let Json(found) = console.ask_in::<ListLogStore>(project, NoPath {}, query, ()).await?;
    let groups = machine_groups::all(console, project).await?;
    let at = InProject { project: project.clone() };
    let action = match there {
        Some(one) => format!("{}/edit", one.path()),
        None => format!("{}/new-config", at.path()),
    };
    let around =
        Around { action: &action, logstores: &found.logstores, groups: &groups, is_there: there.is_some() };
    let title = match there {
        Some(one) => one.config.to_string(),
        None => visit.t("New collection config", "新建采集配置").to_owned(),
    };
    let page = Page::new(visit, title)
        .place(place(visit, &at))
        .style("configs.css")
        .script("configs.js")
        .wide()
        .body(html! {
            div #preview-at hidden data-path={ (at.path()) "/config-preview" } {}
            (form(visit, draft, &around, &preview))
        });
    Ok(page.into_response())
}
