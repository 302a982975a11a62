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
/// Views of several stores.
pub const STORE_VIEW: &str = "storeview";
/// Metas of ETL jobs.
pub const ETL_META: &str = "etlmeta";
/// Resources, which hold records.
pub const RESOURCE: &str = "resource";
/// Topostores, which hold nodes and relations.
pub const TOPOSTORE: &str = "topostore";
