//! Metric stores: Logstores of telemetry type `Metrics`.

use rusqlite::Connection;
use sls_api::Json;
use sls_api::names::LogstoreName;
use sls_api::ops::logstores::{Logstore, LogstoreSettings};
use sls_api::ops::metric_stores::{
    CreateMetricStore, DeleteMetricStore, GetMetricStore, ListMetricStores, MetricStore, MetricStoreList,
    UpdateMetricStore,
};

use super::logstores as plain;
use crate::error::ApiError;
use crate::route::{Call, Operations};
use crate::store::logstores::{self, LogstoreId};
use crate::store::page::Page;
use crate::store::projects::ProjectId;

/// Telemetry type of a Logstore that holds metrics.
pub(super) const METRICS: &str = "Metrics";
/// The only value of `metricType`.
const METRIC_TYPE: &str = "prometheus";
/// Page size where the caller gives none. Source: that of Logstores.
const PAGE_SIZE_DEFAULT: i64 = 200;

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op(create).op(get).op(update).op(delete).op(list)
}

async fn create(call: Call<CreateMetricStore>) -> Result<(), ApiError> {
    let (Json(given), now) = (call.body, call.context.now);
    let name = given.name.clone().ok_or_else(|| {
        ApiError::LogStoreInfoInvalid("The metric store has no name: the field name is missing".to_owned())
    })?;
    let store = plain::new(&settings(name, given))?;
    let quota = call.context.app.quotas.logstores;
    call.context.write(move |tx, project| plain::add(tx, project, &store, quota, now)).await
}

fn settings(name: LogstoreName, given: MetricStore) -> LogstoreSettings {
    LogstoreSettings {
        logstore_name: Some(name),
        ttl: given.ttl,
        shard_count: given.shard_count,
        enable_tracking: None,
        auto_split: given.auto_split,
        max_split_shard: given.max_split_shard,
        append_meta: None,
        telemetry_type: Some(METRICS.to_owned()),
        mode: given.mode,
        hot_ttl: given.hot_ttl,
        infrequent_access_ttl: None,
        encrypt_conf: None,
    }
}

/// The Logstore of this name, if it holds metrics.
fn find(
    db: &Connection,
    project: ProjectId,
    name: &LogstoreName,
) -> Result<(LogstoreId, Logstore), ApiError> {
    let id = logstores::find(db, project, name)?;
    let logstore = logstores::get(db, id)?;
    if logstore.telemetry_type == METRICS {
        Ok((id, logstore))
    } else {
        Err(ApiError::LogStoreNotExist(name.clone()))
    }
}

async fn get(call: Call<GetMetricStore>) -> Result<Json<MetricStore>, ApiError> {
    let name = call.path.logstore;
    let (_, store) = call.context.read(move |db, project| find(db, project, &name)).await?;
    Ok(Json(MetricStore {
        name: Some(store.logstore_name),
        ttl: Some(store.ttl),
        shard_count: Some(store.shard_count),
        auto_split: Some(store.auto_split),
        max_split_shard: Some(store.max_split_shard),
        metric_type: Some(METRIC_TYPE.to_owned()),
        mode: Some(store.mode),
        hot_ttl: Some(store.hot_ttl),
        create_time: Some(store.create_time),
        last_modify_time: Some(store.last_modify_time),
    }))
}

async fn update(call: Call<UpdateMetricStore>) -> Result<(), ApiError> {
    let (Json(given), name, now) = (call.body, call.path.logstore, call.context.now);
    if let Some(body) = given.name.as_ref().filter(|body| **body != name) {
        return Err(ApiError::NameMismatch { path: name.to_string(), body: body.to_string() });
    }
    call.context
        .write(move |tx, project| {
            let (id, current) = find(tx, project, &name)?;
            let given = settings(name, given);
            logstores::update(tx, id, &plain::checked(logstores::merge(current, &given))?, now)
        })
        .await
}

async fn delete(call: Call<DeleteMetricStore>) -> Result<(), ApiError> {
    let name = call.path.logstore;
    call.context.write(move |tx, project| logstores::delete(tx, find(tx, project, &name)?.0)).await
}

async fn list(call: Call<ListMetricStores>) -> Result<Json<MetricStoreList>, ApiError> {
    let query = call.query;
    let page = Page::new(query.offset, query.size, PAGE_SIZE_DEFAULT)?;
    let mut found = call.context.read(logstores::list).await?;
    found.retain(|store| {
        let named = |part: &String| store.logstore_name.as_str().contains(part.as_str());
        store.telemetry_type == METRICS && query.name.as_ref().is_none_or(named)
    });
    let (found, total) = page.of(found);
    let metricstores: Vec<_> = found.into_iter().map(|store| store.logstore_name).collect();
    Ok(Json(MetricStoreList { count: metricstores.len() as u64, total, metricstores }))
}
