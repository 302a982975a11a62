//! Projects.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use sls_api::Json;
use sls_api::ops::projects::{
    CreateProject, DeleteProject, GetProject, ListProject, ListProjectQuery, Project, ProjectChange,
    ProjectList, UpdateProject,
};

use crate::error::ApiError;
use crate::quotas::{self, Quotas};
use crate::route::{Call, Operations};
use crate::store::page::Page;
use crate::store::projects::{self, StoredProject};

/// Page size where the caller gives none. Source: the SDKs' own default.
const PAGE_SIZE_DEFAULT: i64 = 100;

/// Characters of a description. Source: JavaSDK ProjectFunctionTest.
const DESCRIPTION_CHARS_MAX: usize = 512;
/// A name that no project can have. Source of name, code and text: JavaSDK ProjectFunctionTest.
const RESERVED_NAME: &str = "logtail";
/// Shards of a project, shown and not enforced. Source: JavaSDK ProjectFunctionTest.
const SHARDS_MAX: u64 = 400;

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op(create).op(get).op(list).op(update).op(delete)
}

/// The name in the body counts, also against the one in the host name.
async fn create(call: Call<CreateProject>) -> Result<(), ApiError> {
    let Json(new) = call.body;
    if new.project_name.as_str() == RESERVED_NAME {
        return Err(ApiError::ProjectAlreadyExist(new.project_name));
    }
    check_description(&new.description)?;
    let (account, now) = (call.context.account, call.context.now);
    let quota = call.context.app.quotas.projects;
    call.context
        .app
        .store
        .write(move |tx| {
            projects::create(tx, &new, &account, now)?;
            quotas::check_after("project", projects::list(tx, &account)?.len(), quota)
        })
        .await
}

async fn get(call: Call<GetProject>) -> Result<Json<Project>, ApiError> {
    let (region, quotas) = (call.context.app.region.clone(), call.context.app.quotas);
    let project = call.context.read(projects::get).await?;
    Ok(Json(Project { quota: Some(shown_quotas(&quotas)), ..describe(project, &region) }))
}

async fn list(call: Call<ListProject>) -> Result<Json<ProjectList>, ApiError> {
    let query = call.query;
    let page = Page::new(query.offset, query.size, PAGE_SIZE_DEFAULT)?;
    let account = call.context.account;
    let mut found = call.context.app.store.read(move |db| projects::list(db, &account)).await?;
    found.retain(|project| wanted(project, &query));
    let (found, total) = page.of(found);
    let app = &call.context.app;
    let quota = query.fetch_quota.unwrap_or_default().then(|| shown_quotas(&app.quotas));
    let project = |project| Project { quota: quota.clone(), ..describe(project, &app.region) };
    Ok(Json(ProjectList {
        count: found.len() as u64,
        total,
        projects: found.into_iter().map(project).collect(),
    }))
}

fn wanted(project: &StoredProject, query: &ListProjectQuery) -> bool {
    let settings = &project.settings;
    let contains =
        |text: &str, part: &Option<String>| part.as_ref().is_none_or(|part| text.contains(part.as_str()));
    let lower = |text: &String| text.to_lowercase();
    contains(project.name.as_str(), &query.project_name)
        && contains(&lower(&settings.description), &query.description.as_ref().map(lower))
        && query.resource_group_id.as_ref().is_none_or(|wanted| *wanted == settings.resource_group_id)
}

/// Source of limit, code and text: JavaSDK ProjectFunctionTest.
fn check_description(description: &str) -> Result<(), ApiError> {
    if description.chars().count() <= DESCRIPTION_CHARS_MAX {
        return Ok(());
    }
    Err(ApiError::ParameterInvalid(format!("Invalid project description: '{description}'")))
}

/// Quotas under the names that the Java SDK reads.
fn shown_quotas(quotas: &Quotas) -> Map<String, Value> {
    let shown = [
        ("logstore", quotas.logstores),
        ("shard", SHARDS_MAX),
        ("machineGroup", quotas.machine_groups),
        ("config", quotas.logtail_configs),
        ("dashboard", quotas.dashboards),
        ("savedsearch", quotas.saved_searches),
        ("alert", quotas.alerts),
    ];
    shown.into_iter().map(|(name, max)| (name.to_owned(), max.into())).collect()
}

async fn update(call: Call<UpdateProject>) -> Result<(), ApiError> {
    let (Json(mut change), now) = (call.body, call.context.now);
    // The Java SDK leaves out a description that is null, and then expects an empty one.
    if change == ProjectChange::default() {
        change.description = Some(String::new());
    }
    change.description.as_deref().map_or(Ok(()), check_description)?;
    call.context.write(move |tx, project| projects::update(tx, project, &change, now)).await
}

/// Everything in the project goes with it, at once. Source: API reference; that nothing
/// remains for a while is a guess.
async fn delete(call: Call<DeleteProject>) -> Result<(), ApiError> {
    call.context.write(projects::delete).await
}

fn describe(project: StoredProject, region: &str) -> Project {
    let settings = project.settings;
    Project {
        project_name: project.name,
        description: settings.description,
        status: "Normal".to_owned(),
        owner: project.owner,
        region: region.to_owned(),
        location: region.to_owned(),
        create_time: shown(project.create_time),
        last_modify_time: shown(project.last_modify_time),
        resource_group_id: settings.resource_group_id,
        data_redundancy_type: settings.data_redundancy_type,
        recycle_bin_enabled: settings.recycle_bin_enabled,
        quota: None,
    }
}

/// A time as project objects show it: `yyyy-MM-dd HH:mm:ss`. Source: SDK captures; that it is
/// in UTC is a guess.
fn shown(second: i64) -> String {
    Timestamp::from_second(second)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}
