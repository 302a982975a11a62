//! Tags.

use rusqlite::Connection;
use sls_api::Json;
use sls_api::names::ProjectName;
use sls_api::ops::documents::ALERT;
use sls_api::ops::documents::stored_as::{DASHBOARD, JOB, PIPELINE_CONFIG};
use sls_api::ops::tags::{
    ListSystemTagResources, ListTagResources, ListTagResourcesQuery, ResourceType, Tag, TagRequest,
    TagResource, TagResourceList, TagResources, TagResourcesSystemTags, UntagRequest, UntagResources,
    UntagResourcesSystemTags,
};

use super::documents::{missing, stored};
use crate::error::ApiError;
use crate::route::{Call, Context, Operations};
use crate::store::documents::{self, Owner};
use crate::store::projects::{self, ProjectId};
use crate::store::tags::{self, Tagged};
use crate::store::{logstores, logtail_configs, machine_groups};

/// Tags in one call, and tags that a resource may have. Source: OpenAPI model comments.
const TAGS_MAX: usize = 20;
/// Resources in one call. Source: tag API of other services of the vendor.
const RESOURCES_MAX: usize = 50;
/// Characters of a key or a value. Source: tag API of other services of the vendor.
const TAG_CHARS_MAX: usize = 128;
/// What keys of a caller must not begin with. Source: tag API of other services of the vendor.
const RESERVED: [&str; 2] = ["aliyun", "acs:"];
/// Entries of one list answer. Source: guess.
const LISTED_MAX: usize = 100;

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op(|call: Call<TagResources>| tag(call.context, call.body.0, false))
        .op(|call: Call<UntagResources>| untag(call.context, call.body.0, false))
        .op(|call: Call<ListTagResources>| list(call.context, call.query, false))
        .op(|call: Call<TagResourcesSystemTags>| tag(call.context, call.body.0, true))
        .op(|call: Call<UntagResourcesSystemTags>| untag(call.context, call.body.0, true))
        .op(|call: Call<ListSystemTagResources>| list(call.context, call.query, true))
}

fn invalid(why: impl Into<String>) -> ApiError {
    ApiError::ParameterInvalid(why.into())
}

fn checked_type(resource_type: &str) -> Result<ResourceType, ApiError> {
    ResourceType::of_name(resource_type)
        .ok_or_else(|| invalid(format!("The resource type is not supported: {resource_type}")))
}

fn within(what: &str, count: usize, max: usize) -> Result<(), ApiError> {
    if (1..=max).contains(&count) {
        return Ok(());
    }
    Err(invalid(format!("{what} must have 1 to {max} entries, not {count}")))
}

/// Source of code and text: JavaSDK TagResourcesTest.
fn check_count(tags: usize) -> Result<(), ApiError> {
    if (1..=TAGS_MAX).contains(&tags) {
        return Ok(());
    }
    Err(ApiError::PostBodyInvalid(format!("request tag key value pair size must little than {TAGS_MAX}")))
}

fn check_tag(tag: &Tag, system: bool) -> Result<(), ApiError> {
    let key = tag.key.as_str();
    if key.is_empty() || key.chars().count() > TAG_CHARS_MAX || tag.value.chars().count() > TAG_CHARS_MAX {
        return Err(invalid(format!(
            "A tag has a key of 1 to {TAG_CHARS_MAX} characters and a value of at most as many: {key:?}"
        )));
    }
    match RESERVED.iter().find(|prefix| key.starts_with(*prefix)) {
        Some(prefix) if !system => {
            Err(invalid(format!("The tag key {key:?} must not begin with {prefix:?}")))
        }
        _ => Ok(()),
    }
}

/// The resource that an id names: `project` or `project#name`. It must exist.
fn resource(
    db: &Connection,
    account: &str,
    resource_type: ResourceType,
    id: &str,
) -> Result<Tagged, ApiError> {
    let (project, name) = id.split_once('#').unwrap_or((id, ""));
    let is_project = resource_type == ResourceType::Project;
    if name.is_empty() != is_project {
        let form = if is_project { "project" } else { "project#name" };
        let noun = resource_type.name();
        return Err(invalid(format!("The id of a {noun} has the form {form}, not {id:?}")));
    }
    let project: ProjectName = project.parse().map_err(|_| ApiError::ProjectNotExist(project.to_owned()))?;
    let project = projects::owned(db, &project, account)?;
    must_exist(db, project, resource_type, name)?;
    Ok(Tagged { project, resource_type, name: name.to_owned() })
}

/// Refuses what is not there as a call on it does.
fn must_exist(
    db: &Connection,
    project: ProjectId,
    resource_type: ResourceType,
    name: &str,
) -> Result<(), ApiError> {
    let owner = Owner::Project(project);
    match resource_type {
        ResourceType::Project => Ok(()),
        ResourceType::Logstore => logstores::find(db, project, &name.try_into()?).map(|_| ()),
        ResourceType::MachineGroup => machine_groups::find(db, project, &name.try_into()?).map(|_| ()),
        ResourceType::LogtailConfig => match documents::find(db, &owner, PIPELINE_CONFIG, name)? {
            Some(_) => Ok(()),
            None => logtail_configs::find(db, project, &name.try_into()?).map(|_| ()),
        },
        ResourceType::Dashboard => stored(db, &owner, DASHBOARD, name).map(|_| ()),
        ResourceType::Alert => stored(db, &owner, JOB, name).and_then(|job| {
            let is_alert = job.body.get("type").is_some_and(|kind| kind == ALERT);
            if is_alert { Ok(()) } else { Err(missing(JOB, name)) }
        }),
    }
}

async fn tag(context: Context, request: TagRequest, system: bool) -> Result<(), ApiError> {
    let resource_type = checked_type(&request.resource_type)?;
    within("resourceId", request.resource_id.len(), RESOURCES_MAX)?;
    check_count(request.tags.len())?;
    request.tags.iter().try_for_each(|tag| check_tag(tag, system))?;
    let account = context.account;
    context
        .app
        .store
        .write(move |tx| {
            for id in &request.resource_id {
                let tagged = resource(tx, &account, resource_type, id)?;
                for tag in &request.tags {
                    tags::set(tx, &tagged, system, tag)?;
                }
                let count = tags::of(tx, &tagged, system)?.len();
                within(&format!("The tags of {id}"), count, TAGS_MAX)?;
            }
            Ok(())
        })
        .await
}

/// A key that a resource does not have is ignored, which is a guess; without keys and `all`
/// nothing goes (source, as of the error: JavaSDK TagResourcesTest). With keys, `all` has no
/// effect; see [`UntagRequest::tags`].
async fn untag(context: Context, request: UntagRequest, system: bool) -> Result<(), ApiError> {
    let resource_type = checked_type(&request.resource_type)?;
    within("resourceId", request.resource_id.len(), RESOURCES_MAX)?;
    let all = request.all && request.tags.is_empty();
    if request.tags.len() > TAGS_MAX {
        return Err(ApiError::PostBodyInvalid("tag key value pair count exceed".to_owned()));
    }
    let account = context.account;
    context
        .app
        .store
        .write(move |tx| {
            for id in &request.resource_id {
                let tagged = resource(tx, &account, resource_type, id)?;
                let keys = if all {
                    tags::of(tx, &tagged, system)?.into_iter().map(|tag| tag.key).collect()
                } else {
                    request.tags.clone()
                };
                for key in keys {
                    tags::remove(tx, &tagged, system, &key)?;
                }
            }
            Ok(())
        })
        .await
}

/// A JSON list inside a query parameter; the Go SDK sends `null` for none.
fn listed<T: serde::de::DeserializeOwned>(what: &str, text: Option<&str>) -> Result<Vec<T>, ApiError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    serde_json::from_str::<Option<Vec<T>>>(text)
        .map(Option::unwrap_or_default)
        .map_err(|error| invalid(format!("{what} must be a JSON list: {error}")))
}

async fn list(
    context: Context,
    query: ListTagResourcesQuery,
    system: bool,
) -> Result<Json<TagResourceList>, ApiError> {
    let resource_type = checked_type(&query.resource_type)?;
    let ids: Vec<String> = listed("resourceId", query.resource_id.as_deref())?;
    let wanted: Vec<Tag> = listed("tags", query.tags.as_deref())?;
    if ids.len() > RESOURCES_MAX || wanted.len() > TAGS_MAX {
        return Err(invalid(format!(
            "At most {RESOURCES_MAX} resources and {TAGS_MAX} tags can be asked for at a time"
        )));
    }
    let skipped: usize = match query.next_token.as_deref() {
        None => 0,
        Some(token) => {
            token.parse().map_err(|_| invalid(format!("nextToken {token:?} was not given out here")))?
        }
    };
    let Context { app, account, project, .. } = context;
    let found = app
        .store
        .read(move |db| {
            let mut found = Vec::new();
            for (id, tagged) in candidates(db, &account, project.as_ref(), resource_type, ids, system)? {
                let has = tags::of(db, &tagged, system)?;
                let has_tag = |wanted: &Tag| {
                    has.iter().any(|tag| {
                        tag.key == wanted.key && (wanted.value.is_empty() || tag.value == wanted.value)
                    })
                };
                if wanted.iter().all(has_tag) {
                    found.extend(has.into_iter().map(|tag| TagResource {
                        resource_type: resource_type.name().to_owned(),
                        resource_id: id.clone(),
                        tag_key: tag.key,
                        tag_value: tag.value,
                    }));
                }
            }
            Ok(found)
        })
        .await?;
    let end = skipped.saturating_add(LISTED_MAX);
    let next_token = if found.len() > end { end.to_string() } else { String::new() };
    let tag_resources = found.into_iter().skip(skipped).take(LISTED_MAX).collect();
    Ok(Json(TagResourceList { next_token, tag_resources }))
}

/// The resources asked for, or else all of the project or account that have tags.
fn candidates(
    db: &Connection,
    account: &str,
    project: Option<&ProjectName>,
    resource_type: ResourceType,
    ids: Vec<String>,
    system: bool,
) -> Result<Vec<(String, Tagged)>, ApiError> {
    if !ids.is_empty() {
        let found = ids.into_iter().map(|id| Ok((id.clone(), resource(db, account, resource_type, &id)?)));
        return found.collect();
    }
    let projects = match project {
        Some(project) => vec![project.clone()],
        None => projects::list(db, account)?.into_iter().map(|owned| owned.name).collect(),
    };
    let mut found = Vec::new();
    for project in projects {
        let id = projects::owned(db, &project, account)?;
        for name in tags::names(db, id, resource_type, system)? {
            let shown = if name.is_empty() { project.to_string() } else { format!("{project}#{name}") };
            found.push((shown, Tagged { project: id, resource_type, name }));
        }
    }
    Ok(found)
}
