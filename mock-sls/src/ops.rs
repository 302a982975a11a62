//! The operations: behaviour without SQL, one file per resource. The same names are in
//! `sls_api::ops` (shape of requests and replies) and in [`crate::store`] (SQL).

mod consumer_groups;
mod cursors;
mod indexes;
mod logs;
mod logstores;
mod logtail_configs;
mod machine_groups;
mod projects;
mod search;
mod shards;
mod tracking;

use crate::route::Operations;

/// Every operation that this server answers.
pub fn all() -> Operations {
    [
        projects::operations,
        logstores::operations,
        shards::operations,
        indexes::operations,
        logs::operations,
        search::operations,
        cursors::operations,
        consumer_groups::operations,
        machine_groups::operations,
        logtail_configs::operations,
        tracking::operations,
    ]
    .into_iter()
    .fold(Operations::default(), |operations, add| add(operations))
}
