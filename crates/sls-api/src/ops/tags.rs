//! Tags of resources, the caller's own and those of other cloud services ("system tags").

use serde::{Deserialize, Serialize};

use crate::{
    Json, NoPath,
    operation::{Fidelity, NoQuery, Source, operation, query},
};

/// What can carry tags. Source: OpenAPI model comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceType {
    /// A project.
    Project,
    /// A Logstore.
    Logstore,
    /// A dashboard.
    Dashboard,
    /// A machine group.
    MachineGroup,
    /// A Logtail config, in either form.
    LogtailConfig,
    /// An alert.
    Alert,
}

impl ResourceType {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Project,
        Self::Logstore,
        Self::Dashboard,
        Self::MachineGroup,
        Self::LogtailConfig,
        Self::Alert,
    ];

    /// Its name in requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Logstore => "logstore",
            Self::Dashboard => "dashboard",
            Self::MachineGroup => "machinegroup",
            Self::LogtailConfig => "logtailconfig",
            Self::Alert => "alert",
        }
    }

    /// The type of this name, whatever its case: the documents themselves write `machineGroup`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name().eq_ignore_ascii_case(name))
    }
}

/// Sets tags; a key that a resource has gets the new value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagRequest {
    /// Name of a [`ResourceType`].
    pub resource_type: String,
    /// `project` for a project, `project#name` for what is in it.
    pub resource_id: Vec<String>,
    /// What to set.
    pub tags: Vec<Tag>,
    /// Account that sets a system tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_owner_uid: Option<String>,
    /// Kind of system tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Who sees a system tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Key.
    pub key: String,
    /// Value, perhaps empty.
    #[serde(default)]
    pub value: String,
}

/// Removes tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UntagRequest {
    /// Name of a [`ResourceType`].
    pub resource_type: String,
    /// As in [`TagRequest::resource_id`].
    pub resource_id: Vec<String>,
    /// Keys to remove. Where there are some, `all` has no effect. Source: document "Unbind
    /// tags", "if tags is given, only those in the list are removed".
    #[serde(default, deserialize_with = "crate::operation::null_is_default")]
    pub tags: Vec<String>,
    /// Whether to remove all.
    #[serde(default)]
    pub all: bool,
    /// Account that set the system tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_owner_uid: Option<String>,
}

/// Parameters of [`ListTagResources`]. Lists are JSON inside the query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListTagResourcesQuery {
    /// Name of a [`ResourceType`].
    pub resource_type: String,
    /// A JSON list as in [`TagRequest::resource_id`]; empty or `null` for all.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// A JSON list of `{"key": …, "value": …}` that resources must have, all of them.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub tags: Option<String>,
    /// Where an earlier answer ended.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// A page of tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagResourceList {
    /// For the next page; empty at the end.
    #[serde(default)]
    pub next_token: String,
    /// One entry for each tag of each resource.
    #[serde(default)]
    pub tag_resources: Vec<TagResource>,
}

/// A tag on a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagResource {
    /// Name of a [`ResourceType`].
    pub resource_type: String,
    /// As in [`TagRequest::resource_id`].
    pub resource_id: String,
    /// Key.
    pub tag_key: String,
    /// Value.
    pub tag_value: String,
}

operation!(
    /// Sets tags of resources.
    TagResources: POST "/tag", Either, B, Fidelity::Full, Source::Sdk("python, go, java: tag_resources"),
    NoPath, NoQuery, Json<TagRequest> => ());
operation!(
    /// Removes tags of resources.
    UntagResources: POST "/untag", Either, B, Fidelity::Full, Source::Sdk("python, go, java: untag_resources"),
    NoPath, NoQuery, Json<UntagRequest> => ());
operation!(
    /// Lists tags with the resources that carry them.
    ListTagResources: GET "/tags", Either, B, Fidelity::Full, Source::Sdk("python, go, java: list_tag_resources"),
    NoPath, ListTagResourcesQuery, () => Json<TagResourceList>);
operation!(
    /// Sets system tags.
    TagResourcesSystemTags: POST "/systemtag", Either, C, Fidelity::Accepted, Source::Sdk("go: TagResourcesSystemTags"),
    NoPath, NoQuery, Json<TagRequest> => ());
operation!(
    /// Removes system tags.
    UntagResourcesSystemTags: POST "/systemuntag", Either, C, Fidelity::Accepted, Source::Sdk("go: UnTagResourcesSystemTags"),
    NoPath, NoQuery, Json<UntagRequest> => ());
operation!(
    /// Lists system tags with the resources that carry them.
    ListSystemTagResources: GET "/systemtags", Either, C, Fidelity::Accepted, Source::Sdk("go: ListSystemTagResources"),
    NoPath, ListTagResourcesQuery, () => Json<TagResourceList>);
