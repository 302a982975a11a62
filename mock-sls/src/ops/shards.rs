//! Shards.

use sls_api::Json;
use sls_api::ops::shards::{DeleteShard, ListShards, MergeShards, Shard, SplitQuery, SplitShard};

use crate::error::ApiError;
use crate::route::{Call, Operations};
use crate::store::logstores;
use crate::store::shards::{self, Cut};

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op(list).op(split).op(merge).op(delete)
}

async fn list(call: Call<ListShards>) -> Result<Json<Vec<Shard>>, ApiError> {
    let name = call.path.logstore;
    call.context
        .read(move |db, project| shards::list(db, logstores::find(db, project, &name)?))
        .await
        .map(Json)
}

async fn split(call: Call<SplitShard>) -> Result<Json<Vec<Shard>>, ApiError> {
    let (path, cut, now) = (call.path, cut(&call.query)?, call.context.now);
    call.context
        .write(move |tx, project| {
            shards::split(tx, logstores::find(tx, project, &path.logstore)?, path.shard, &cut, now)
        })
        .await
        .map(Json)
}

/// A key divides a shard in two; with another number of parts these are equal, and a key that
/// the Python SDK sends beside it does not count. Source: guess.
fn cut(query: &SplitQuery) -> Result<Cut, ApiError> {
    match (&query.key, query.shard_count.unwrap_or(2)) {
        (_, ..2) => Err(ApiError::ParameterInvalid("The parameter shardCount must be 2 or more".to_owned())),
        (Some(key), 2) => shards::parse_key(key).map(Cut::Before),
        (_, count) => Ok(Cut::Evenly(count)),
    }
}

async fn merge(call: Call<MergeShards>) -> Result<Json<Vec<Shard>>, ApiError> {
    let (path, now) = (call.path, call.context.now);
    call.context
        .write(move |tx, project| {
            shards::merge(tx, logstores::find(tx, project, &path.logstore)?, path.shard, now)
        })
        .await
        .map(Json)
}

async fn delete(call: Call<DeleteShard>) -> Result<(), ApiError> {
    let path = call.path;
    call.context
        .write(move |tx, project| {
            shards::delete(tx, logstores::find(tx, project, &path.logstore)?, path.shard)
        })
        .await
}
