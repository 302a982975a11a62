//! [`Kind::stored_as`](super::Kind::stored_as) of the kinds that other code asks for by name.

/// Alerts and all other jobs.
pub const JOB: &str = "job";
/// Shippers of a Logstore.
pub const SHIPPER: &str = "shipper";
/// Saved searches.
pub const SAVED_SEARCH: &str = "savedsearch";
/// Dashboards, their charts included.
pub const DASHBOARD: &str = "dashboard";
/// Logtail configs in the form that agents work with.
pub const PIPELINE_CONFIG: &str = "logtailpipelineconfig";
/// Settings of metric stores.
pub const METRICS_CONFIG: &str = "metricsconfig";
/// Databases and files elsewhere, which SQL may join.
pub const EXTERNAL_STORE: &str = "externalstore";
/// ETL jobs of the first generation, which are no [`JOB`].
pub const ETL_JOB: &str = "etljob";
/// What a project keeps logs of.
pub const LOGGING: &str = "logging";
/// Host names of a project.
pub const DOMAIN: &str = "domain";
/// Parts of a metric store.
pub const SUB_STORE: &str = "substore";
/// How a Logstore is paid for.
pub const METERING_MODE: &str = "meteringmode";
/// Views of several stores.
pub const STORE_VIEW: &str = "storeview";
/// Metas of ETL jobs.
pub const ETL_META: &str = "etlmeta";
/// Resources, which hold records.
pub const RESOURCE: &str = "resource";
/// Topostores, which hold nodes and relations.
pub const TOPOSTORE: &str = "topostore";
