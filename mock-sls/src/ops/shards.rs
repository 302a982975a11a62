//! Shards.

use sls_api::Json;
use sls_api::ops::shards::{ListShards, Shard};

use crate::error::ApiError;
use crate::route::{Call, Operations};
use crate::store::{logstores, shards};

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op(list)
}

async fn list(call: Call<ListShards>) -> Result<Json<Vec<Shard>>, ApiError> {
    let name = call.path.logstore;
    call.context
        .read(move |db, project| shards::list(db, logstores::find(db, project, &name)?))
        .await
        .map(Json)
}
