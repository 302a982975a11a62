//! Projects: the outermost containers, carried by the host name.

use serde::{Deserialize, Serialize};

use crate::{
    Json, NoPath, NoQuery,
    names::ProjectName,
    operation::{Fidelity, Source, null_is_default, operation, query},
};

/// Creates a project. The name counts in the body; the host may or may not carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewProject {
    /// Name of the project.
    pub project_name: ProjectName,
    /// For people.
    #[serde(default, deserialize_with = "null_is_default")]
    pub description: String,
    /// Resource group; empty for the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_group_id: Option<String>,
    /// `LRS` or `ZRS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_redundancy_type: Option<String>,
    /// Whether deleted data waits in a recycle bin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recycle_bin_enabled: Option<bool>,
}

impl NewProject {
    /// A project with a description and nothing else set.
    pub fn new(project_name: ProjectName, description: impl Into<String>) -> Self {
        Self {
            project_name,
            description: description.into(),
            resource_group_id: None,
            data_redundancy_type: None,
            recycle_bin_enabled: None,
        }
    }
}

/// What may change about a project; absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProjectChange {
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether deleted data waits in a recycle bin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recycle_bin_enabled: Option<bool>,
}

/// A project as the service describes it. The Python SDK fails without the first seven fields,
/// the Rust SDK without `dataRedundancyType`; times are texts `yyyy-MM-dd HH:mm:ss`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// Name.
    pub project_name: ProjectName,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// `Normal` or `Disable`.
    #[serde(default)]
    pub status: String,
    /// Account id of the owner.
    #[serde(default)]
    pub owner: String,
    /// Region id, e.g. `cn-hangzhou`.
    #[serde(default)]
    pub region: String,
    /// Where the data is. That it is the region is a guess; the Go SDK's TestCreateProjectV2 wants
    /// a text.
    #[serde(default)]
    pub location: String,
    /// Time of creation, `yyyy-MM-dd HH:mm:ss`.
    #[serde(default)]
    pub create_time: String,
    /// Time of the last change, `yyyy-MM-dd HH:mm:ss`.
    #[serde(default)]
    pub last_modify_time: String,
    /// Resource group.
    #[serde(default)]
    pub resource_group_id: String,
    /// `LRS` or `ZRS`.
    #[serde(default)]
    pub data_redundancy_type: String,
    /// Whether deleted data waits in a recycle bin.
    #[serde(default)]
    pub recycle_bin_enabled: bool,
    /// Quotas by name; lists have them only when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Parameters of [`ListProject`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListProjectQuery {
    /// First entry wanted, from 0.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// Most entries wanted; the service's own default is 100, its maximum 500.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// Only projects whose name contains this.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub project_name: Option<String>,
    /// Only projects whose description contains this, in capitals or not.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Only projects of this resource group.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub resource_group_id: Option<String>,
    /// Whether to show the quotas of each project.
    #[serde(deserialize_with = "query::opt_bool", skip_serializing_if = "Option::is_none")]
    pub fetch_quota: Option<bool>,
}

/// One page of projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectList {
    /// Entries in this page.
    pub count: u64,
    /// Entries in all.
    pub total: u64,
    /// The page.
    #[serde(default)]
    pub projects: Vec<Project>,
}

operation!(
    /// Creates a project.
    CreateProject: POST "/", Either, A, Fidelity::Full, Source::Sdk("python, go, java, node: create_project"),
    NoPath, NoQuery, Json<NewProject> => ());
operation!(
    /// Describes a project.
    GetProject: GET "/", Project, A, Fidelity::Full, Source::Sdk("python, go, java, rust: get_project"),
    NoPath, NoQuery, () => Json<Project>);
operation!(
    /// Lists the account's projects.
    ListProject: GET "/", Account, A, Fidelity::Full, Source::Sdk("python, go, java: list_project"),
    NoPath, ListProjectQuery, () => Json<ProjectList>);
operation!(
    /// Changes a project's description.
    UpdateProject: PUT "/", Project, A, Fidelity::Full, Source::Docs("API reference, UpdateProject"),
    NoPath, NoQuery, Json<ProjectChange> => ());
operation!(
    /// Deletes a project and everything in it.
    DeleteProject: DELETE "/", Project, A, Fidelity::Full, Source::Sdk("python, go, java, node: delete_project"),
    NoPath, NoQuery, () => ());
