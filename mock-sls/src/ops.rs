//! The operations: behaviour without SQL, one file per resource. The same names are in
//! `sls_api::ops` (shape of requests and replies) and in [`crate::store`] (SQL).

mod consumer_groups;
mod cursors;
mod documents;
mod indexes;
pub(crate) mod logs;
mod logstores;
mod logtail_configs;
mod machine_groups;
mod metric_stores;
mod objects;
mod parts;
mod projects;
mod regions;
pub(crate) mod search;
mod shards;
mod tags;
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
        objects::operations,
        cursors::operations,
        consumer_groups::operations,
        machine_groups::operations,
        logtail_configs::operations,
        documents::operations,
        parts::operations,
        metric_stores::operations,
        tags::operations,
        regions::operations,
        tracking::operations,
    ]
    .into_iter()
    .fold(Operations::default(), |operations, add| add(operations))
}
