//! Metric stores: Logstores of telemetry type `Metrics`, with other field names.

use serde::{Deserialize, Serialize};

use crate::{
    Json, NoPath, NoQuery,
    names::LogstoreName,
    operation::{Fidelity, Source, operation, query},
    ops::InLogstore,
};

/// A metric store, as sent and as returned; absent fields take the service's default or stay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricStore {
    /// Name, one of the project's Logstores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<LogstoreName>,
    /// Days that metrics are kept, 1 to 3650; 3650 is for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// Shards at creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_count: Option<i64>,
    /// Whether the service splits busy shards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_split: Option<bool>,
    /// Most shards after splitting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_split_shard: Option<i64>,
    /// `prometheus`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_type: Option<String>,
    /// `standard` or `query`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Days in the hot tier; 0 is off.
    #[serde(default, rename = "hot_ttl", skip_serializing_if = "Option::is_none")]
    pub hot_ttl: Option<i64>,
    /// Unix seconds; absent in requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_time: Option<i64>,
    /// Unix seconds; absent in requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modify_time: Option<i64>,
}

/// Parameters of [`ListMetricStores`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListMetricStoresQuery {
    /// First entry wanted, from 0.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// Most entries wanted.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// Only stores whose name contains this.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// One page of names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricStoreList {
    /// Entries in this page.
    pub count: u64,
    /// Entries in all.
    pub total: u64,
    /// The page.
    #[serde(default)]
    pub metricstores: Vec<LogstoreName>,
}

operation!(
    /// Creates a metric store.
    CreateMetricStore: POST "/metricstores", Project, C, Fidelity::Accepted, Source::Sdk("go: CreateMetricStore"),
    NoPath, NoQuery, Json<MetricStore> => ());
operation!(
    /// Describes a metric store.
    GetMetricStore: GET "/metricstores/{logstore}", Project, C, Fidelity::Accepted, Source::Sdk("go: GetMetricStore"),
    InLogstore, NoQuery, () => Json<MetricStore>);
operation!(
    /// Changes a metric store; the shard count must stay.
    UpdateMetricStore: PUT "/metricstores/{logstore}", Project, C, Fidelity::Accepted, Source::Sdk("go: UpdateMetricStore"),
    InLogstore, NoQuery, Json<MetricStore> => ());
operation!(
    /// Deletes a metric store with its data.
    DeleteMetricStore: DELETE "/metricstores/{logstore}", Project, C, Fidelity::Accepted, Source::Sdk("go: DeleteMetricStore"),
    InLogstore, NoQuery, () => ());
operation!(
    /// Lists the names of a project's metric stores.
    ListMetricStores: GET "/metricstores", Project, C, Fidelity::Accepted, Source::Docs("OpenAPI sls20201230"),
    NoPath, ListMetricStoresQuery, () => Json<MetricStoreList>);
