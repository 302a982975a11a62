//! Parts of documents (see [`super::documents`]) that have operations of their own, and settings
//! of a project that are no documents.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Json, NoPath, NoQuery,
    operation::{Fidelity, Source, Text, operation, query},
    ops::{InLogstore, Paging},
};

/// A JSON object whose content is the caller's business.
pub type Object = Map<String, Value>;

/// Path of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InDocument {
    /// Its name.
    pub name: String,
}

/// Path of something in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InDocumentPart {
    /// Name of the document.
    pub name: String,
    /// Name of the part.
    pub part: String,
}

/// Path of a shipper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InShipper {
    /// The Logstore.
    pub logstore: crate::names::LogstoreName,
    /// The shipper.
    pub name: String,
}

/// A page of whatever `results` holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Entries in this page.
    pub count: u64,
    /// Entries in all.
    pub total: u64,
    /// The page.
    #[serde(default)]
    pub results: Vec<Object>,
}

/// A page of shipper tasks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ShipperTasks {
    /// Entries in this page.
    pub count: u64,
    /// Entries in all.
    pub total: u64,
    /// How many are in each state.
    pub statistics: TaskStatistics,
    /// The page.
    #[serde(default)]
    pub tasks: Vec<Object>,
}

/// Shipper tasks by state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStatistics {
    /// Running.
    pub running: u64,
    /// Ended well.
    pub success: u64,
    /// Failed.
    pub fail: u64,
}

/// The indexes behind a store view.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreViewIndexes {
    /// Of the stores that have one.
    #[serde(default)]
    pub indexes: Vec<StoreViewIndex>,
    /// Of the others, why not.
    #[serde(default)]
    pub store_view_errors: Vec<StoreViewError>,
}

/// The index of one store of a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreViewIndex {
    /// Project of the store.
    pub project_name: String,
    /// The store.
    pub logstore: String,
    /// Its index.
    pub index: Object,
}

/// Why a store of a view has no index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreViewError {
    /// Project of the store.
    pub project_name: String,
    /// The store.
    pub logstore: String,
    /// HTTP status of the error.
    pub status: u16,
    /// The error.
    pub message: String,
}

/// Moves a resource to another resource group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceGroupChange {
    /// The project.
    pub resource_id: String,
    /// The group; need not exist, groups are no business of this service.
    pub resource_group_id: String,
    /// `PROJECT`.
    #[serde(default)]
    pub resource_type: String,
}

/// A page of names of ETL metas.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EtlMetaNames {
    /// Entries in this page.
    pub count: u64,
    /// Entries in all.
    pub total: u64,
    /// The page.
    #[serde(default)]
    pub etl_meta_name_list: Vec<String>,
}

/// Days that the sub-stores of a Logstore keep data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ttl {
    /// Days.
    #[serde(deserialize_with = "query::opt_number", skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
}

operation!(
    /// Adds a chart to a dashboard.
    CreateChart: POST "/dashboards/{name}/charts", Project, B, Fidelity::Full, Source::Sdk("go, java: CreateChart"),
    InDocument, NoQuery, Json<Object> => ());
operation!(
    /// Shows a chart.
    GetChart: GET "/dashboards/{name}/charts/{part}", Project, B, Fidelity::Full, Source::Sdk("go, java: GetChart"),
    InDocumentPart, NoQuery, () => Json<Object>);
operation!(
    /// Replaces a chart; the title in the body says which.
    UpdateChart: PUT "/dashboards/{name}/charts", Project, B, Fidelity::Full, Source::Sdk("go: UpdateChart"),
    InDocument, NoQuery, Json<Object> => ());
operation!(
    /// Replaces a chart.
    UpdateChartByTitle: PUT "/dashboards/{name}/charts/{part}", Project, B, Fidelity::Full, Source::Sdk("java: UpdateChart"),
    InDocumentPart, NoQuery, Json<Object> => ());
operation!(
    /// Removes a chart.
    DeleteChart: DELETE "/dashboards/{name}/charts/{part}", Project, B, Fidelity::Full, Source::Sdk("go, java: DeleteChart"),
    InDocumentPart, NoQuery, () => ());
operation!(
    /// Lists the runs of a job.
    ListJobInstances: GET "/jobs/{name}/jobinstances", Project, B, Fidelity::Partial("no job ever runs, so the list is empty"), Source::Sdk("python, go: list_scheduled_sql_job_instance"),
    InDocument, Paging, () => Json<Results>);
operation!(
    /// Shows a run of a job.
    GetJobInstance: GET "/jobs/{name}/jobinstances/{part}", Project, B, Fidelity::Partial("no job ever runs, so there is none"), Source::Sdk("python, go: get_scheduled_sql_job_instance"),
    InDocumentPart, NoQuery, () => Json<Object>);
operation!(
    /// Runs an instance again.
    ModifyJobInstanceState: PUT "/jobs/{name}/jobinstances/{part}", Project, B, Fidelity::Partial("no job ever runs, so there is none"), Source::Sdk("python, go: modify_scheduled_sql_job_instance_state"),
    InDocumentPart, NoQuery, () => ());
operation!(
    /// Lists what a shipper shipped.
    ListShipperTasks: GET "/logstores/{logstore}/shipper/{name}/tasks", Project, C, Fidelity::Partial("nothing is shipped, so the list is empty"), Source::Sdk("python: get_shipper_tasks"),
    InShipper, Paging, () => Json<ShipperTasks>);
operation!(
    /// Runs failed tasks of a shipper again.
    RetryShipperTasks: PUT "/logstores/{logstore}/shipper/{name}/tasks", Project, C, Fidelity::Accepted, Source::Sdk("python: retry_shipper_tasks"),
    InShipper, NoQuery, Json<Vec<String>> => ());
operation!(
    /// Shows the indexes of the stores of a view.
    GetStoreViewIndex: GET "/storeviews/{name}/index", Project, C, Fidelity::Full, Source::Sdk("go: GetStoreViewIndex"),
    InDocument, NoQuery, () => Json<StoreViewIndexes>);
operation!(
    /// Lists the names under which ETL metas are kept.
    ListEtlMetaName: GET "/etlmetanames", Project, C, Fidelity::Accepted, Source::Sdk("go: ListEtlMetaName"),
    NoPath, Paging, () => Json<EtlMetaNames>);
operation!(
    /// Moves a project to another resource group.
    ChangeResourceGroup: PUT "/resourcegroup", Either, C, Fidelity::Full, Source::Sdk("python: change_resource_group"),
    NoPath, NoQuery, Json<ResourceGroupChange> => ());
operation!(
    /// Sets the policy of a project, a JSON text.
    PutProjectPolicy: POST "/policy", Project, C, Fidelity::Accepted, Source::Sdk("go: UpdateProjectPolicy"),
    NoPath, NoQuery, Text => ());
operation!(
    /// Shows the policy of a project; empty if it has none.
    GetProjectPolicy: GET "/policy", Project, C, Fidelity::Accepted, Source::Sdk("go: GetProjectPolicy"),
    NoPath, NoQuery, () => Text);
operation!(
    /// Removes the policy of a project.
    DeleteProjectPolicy: DELETE "/policy", Project, C, Fidelity::Accepted, Source::Sdk("go: DeleteProjectPolicy"),
    NoPath, NoQuery, () => ());
operation!(
    /// Shows how long sub-stores keep data.
    GetSubStoreTtl: GET "/logstores/{logstore}/substores/storage/ttl", Project, C, Fidelity::Accepted, Source::Sdk("python, go: get_substore_ttl"),
    InLogstore, NoQuery, () => Json<Ttl>);
operation!(
    /// Sets how long sub-stores keep data.
    UpdateSubStoreTtl: PUT "/logstores/{logstore}/substores/storage/ttl", Project, C, Fidelity::Accepted, Source::Sdk("python, go: update_substore_ttl"),
    InLogstore, Ttl, () => ());
