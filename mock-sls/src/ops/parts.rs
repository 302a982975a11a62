//! Charts of dashboards, runs of jobs, tasks of shippers, and settings of a project that are
//! kept as documents but not spoken to as such.

pub(super) mod charts;
mod settings;

use rusqlite::Connection;
use serde_json::Value;
use sls_api::Json;
use sls_api::ops::Paging;
use sls_api::ops::documents::stored_as::{ETL_META, JOB, SHIPPER, STORE_VIEW};
use sls_api::ops::parts::{
    EtlMetaNames, GetJobInstance, GetStoreViewIndex, InDocumentPart, ListEtlMetaName, ListJobInstances,
    ListShipperTasks, ModifyJobInstanceState, Object, Results, RetryShipperTasks, ShipperTasks,
    StoreViewError, StoreViewIndex, StoreViewIndexes,
};

use super::documents::{first_part, stored};
use crate::error::ApiError;
use crate::route::{Call, Context, Operations};
use crate::store::documents::{Listed, Owner};
use crate::store::page::Page;
use crate::store::projects::{self, ProjectId};
use crate::store::{indexes, logstores};

/// Page size where the caller gives none. Source: SDK defaults.
const PAGE_SIZE_DEFAULT: i64 = 100;

/// Registers the operations of this file and of those below it.
pub fn operations(ops: Operations) -> Operations {
    let ops = ops
        .op(job_instances)
        .op(job_instance)
        .op(modify_job_instance)
        .op(shipper_tasks)
        .op(retry_shipper_tasks)
        .op(store_view_index)
        .op(etl_meta_names);
    settings::operations(charts::operations(ops))
}

async fn job_instances(call: Call<ListJobInstances>) -> Result<Json<Results>, ApiError> {
    page(&call.query)?;
    let name = call.path.name;
    call.context.read(move |db, project| stored(db, &Owner::Project(project), JOB, &name)).await?;
    Ok(Json(Results::default()))
}

fn page(query: &Paging) -> Result<Page, ApiError> {
    Page::new(query.offset, query.size, PAGE_SIZE_DEFAULT)
}

async fn job_instance(call: Call<GetJobInstance>) -> Result<Json<Object>, ApiError> {
    no_instance(call.context, call.path).await
}

async fn modify_job_instance(call: Call<ModifyJobInstanceState>) -> Result<(), ApiError> {
    no_instance(call.context, call.path).await
}

/// The error of a call on a run of a job: of the job, or else of the run. Source of the run's
/// code: guess.
async fn no_instance<T>(context: Context, path: InDocumentPart) -> Result<T, ApiError> {
    let InDocumentPart { name, part } = path;
    context.read(move |db, project| stored(db, &Owner::Project(project), JOB, &name)).await?;
    Err(ApiError::Refused {
        status: 404,
        code: "JobInstanceNotExist",
        message: format!("Job instance {part} does not exist: the emulator runs no jobs"),
    })
}

async fn shipper_tasks(call: Call<ListShipperTasks>) -> Result<Json<ShipperTasks>, ApiError> {
    page(&call.query)?;
    let path = call.path;
    call.context
        .read(move |db, project| {
            let owner = Owner::Logstore(logstores::find(db, project, &path.logstore)?);
            stored(db, &owner, SHIPPER, &path.name)
        })
        .await?;
    Ok(Json(ShipperTasks::default()))
}

async fn retry_shipper_tasks(call: Call<RetryShipperTasks>) -> Result<(), ApiError> {
    let path = call.path;
    call.context
        .read(move |db, project| {
            let owner = Owner::Logstore(logstores::find(db, project, &path.logstore)?);
            stored(db, &owner, SHIPPER, &path.name).map(|_| ())
        })
        .await
}

async fn store_view_index(call: Call<GetStoreViewIndex>) -> Result<Json<StoreViewIndexes>, ApiError> {
    let (name, account) = (call.path.name, call.context.account.clone());
    let found = call
        .context
        .read(move |db, project| {
            let view = stored(db, &Owner::Project(project), STORE_VIEW, &name)?;
            // Source: Go SDK, TestStoreViewTypes looks for "not support" in the text.
            if view.body.get("storeType").is_some_and(|store_type| store_type == "metricstore") {
                let why = format!("store view {name} is of metric stores, which do not support indexes");
                return Err(ApiError::ParameterInvalid(why));
            }
            let stores = view.body.get("stores").and_then(Value::as_array).cloned().unwrap_or_default();
            let mut found = StoreViewIndexes::default();
            for store in &stores {
                let text =
                    |field: &str| store.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
                let (project_name, logstore) = (text("project"), text("storeName"));
                match index(db, &account, &project_name, &logstore) {
                    Ok(index) => found.indexes.push(StoreViewIndex { project_name, logstore, index }),
                    Err(error) => {
                        let status = error.wire().0.as_u16();
                        let message = error.to_string();
                        found.store_view_errors.push(StoreViewError {
                            project_name,
                            logstore,
                            status,
                            message,
                        });
                    }
                }
            }
            Ok(found)
        })
        .await?;
    Ok(Json(found))
}

/// The index of a Logstore anywhere in the account.
fn index(db: &Connection, account: &str, project: &str, logstore: &str) -> Result<Object, ApiError> {
    let project: ProjectId = projects::owned(db, &project.try_into()?, account)?;
    let logstore = logstores::find(db, project, &logstore.try_into()?)?;
    let found = indexes::get(db, logstore)?.ok_or(ApiError::IndexConfigNotExist)?;
    match serde_json::to_value(&found.index) {
        Ok(Value::Object(index)) => Ok(index),
        _ => Err(ApiError::Internal("an index is not an object".to_owned())),
    }
}

/// The metas of one name are together, because documents come in the order of their names.
async fn etl_meta_names(call: Call<ListEtlMetaName>) -> Result<Json<EtlMetaNames>, ApiError> {
    let page = page(&call.query)?;
    let mut names = call
        .context
        .read(move |db, project| {
            let owner = Owner::Project(project);
            Listed { owner: &owner, kind: ETL_META, conditions: Vec::new() }.names(db, None)
        })
        .await?;
    names.iter_mut().for_each(|name| *name = first_part(name).to_owned());
    names.dedup();
    let (etl_meta_name_list, total) = page.of(names);
    Ok(Json(EtlMetaNames { count: etl_meta_name_list.len() as u64, total, etl_meta_name_list }))
}
