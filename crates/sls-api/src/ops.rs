//! The operations: one module per resource for those with types of their own, which
//! [`ENDPOINTS`] lists, and [`documents`] for all others. [`all_endpoints`] has both.

pub mod consumer_groups;
pub mod cursors;
pub mod documents;
pub mod indexes;
pub mod logs;
pub mod logstores;
pub mod logtail_configs;
pub mod machine_groups;
pub mod metric_stores;
pub mod objects;
pub mod parts;
pub mod projects;
pub mod regions;
pub mod shards;
pub mod tags;
pub mod tracking;

use serde::{Deserialize, Serialize};

use crate::{
    names::{ConfigName, ConsumerGroupName, LogstoreName, MachineGroupName},
    operation::{Endpoint, Operation, query},
};

/// Path of operations on one Logstore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InLogstore {
    /// The Logstore.
    pub logstore: LogstoreName,
}

/// Path of operations on one shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InShard {
    /// The Logstore.
    pub logstore: LogstoreName,
    /// Shard id, counting from 0 in each Logstore.
    pub shard: u32,
}

/// Path of operations on one consumer group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InConsumerGroup {
    /// The Logstore.
    pub logstore: LogstoreName,
    /// The consumer group.
    pub consumer_group: ConsumerGroupName,
}

/// Path of operations on one machine group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InMachineGroup {
    /// The machine group.
    pub group: MachineGroupName,
}

/// Path of operations on one Logtail config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InConfig {
    /// The config.
    pub config: ConfigName,
}

/// Path of binding a Logtail config to a machine group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InMachineGroupConfig {
    /// The machine group.
    pub group: MachineGroupName,
    /// The config.
    pub config: ConfigName,
}

/// Paging of lists that have no other parameters. `size` is at most 500 (limits document).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Paging {
    /// First entry wanted, from 0.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// Most entries wanted.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
}

/// Something to do for each operation with its types known; see [`visit_all`].
pub trait Visitor {
    /// Called once for each operation.
    fn visit<O: Operation>(&mut self);
}

macro_rules! operations {
    ($($op:path),+ $(,)?) => {
        /// Every operation with types of its own, grouped by resource.
        pub static ENDPOINTS: &[Endpoint] = &[$(<$op as Operation>::ENDPOINT),+];

        /// Shows every operation to `visitor`, in the order of [`ENDPOINTS`].
        pub fn visit_all(visitor: &mut impl Visitor) {
            $(visitor.visit::<$op>();)+
        }
    };
}

operations![
    projects::CreateProject,
    projects::GetProject,
    projects::ListProject,
    projects::UpdateProject,
    projects::DeleteProject,
    logstores::CreateLogStore,
    logstores::GetLogStore,
    logstores::UpdateLogStore,
    logstores::DeleteLogStore,
    logstores::ClearLogStoreStorage,
    logstores::ListLogStore,
    shards::ListShards,
    shards::SplitShard,
    shards::MergeShards,
    shards::DeleteShard,
    indexes::CreateIndex,
    indexes::GetIndex,
    indexes::UpdateIndex,
    indexes::DeleteIndex,
    logs::PutLogs,
    logs::PutLogsByKey,
    logs::PutLogsToLogstore,
    logs::GetLogs,
    logs::GetLogsV1,
    logs::GetHistograms,
    logs::GetHistogramsOfIndex,
    logs::GetContextLogs,
    logs::GetProjectLogs,
    logs::ListTopics,
    cursors::GetCursor,
    cursors::GetCursorTime,
    cursors::PullLogs,
    cursors::PullLogsByLogs,
    consumer_groups::CreateConsumerGroup,
    consumer_groups::UpdateConsumerGroup,
    consumer_groups::DeleteConsumerGroup,
    consumer_groups::ListConsumerGroup,
    consumer_groups::ConsumerGroupHeartBeat,
    consumer_groups::ConsumerGroupUpdateCheckPoint,
    consumer_groups::GetCheckPoint,
    machine_groups::CreateMachineGroup,
    machine_groups::GetMachineGroup,
    machine_groups::UpdateMachineGroup,
    machine_groups::UpdateMachineGroupMachine,
    machine_groups::DeleteMachineGroup,
    machine_groups::ListMachineGroup,
    machine_groups::ListMachines,
    machine_groups::ApplyConfigToMachineGroup,
    machine_groups::RemoveConfigFromMachineGroup,
    machine_groups::GetAppliedConfigs,
    logtail_configs::GetAppliedMachineGroups,
    logtail_configs::CreateConfig,
    logtail_configs::GetConfig,
    logtail_configs::UpdateConfig,
    logtail_configs::DeleteConfig,
    logtail_configs::ListConfig,
    objects::PutObject,
    objects::GetObject,
    tracking::PutWebtracking,
    tracking::PutWebtrackingByQuery,
    tracking::PutWebtrackingByImage,
    tracking::PutWebtrackingByImageOfPage,
    tags::TagResources,
    tags::UntagResources,
    tags::ListTagResources,
    tags::TagResourcesSystemTags,
    tags::UntagResourcesSystemTags,
    tags::ListSystemTagResources,
    regions::DescribeRegions,
    regions::GetDirectModeIp,
    metric_stores::CreateMetricStore,
    metric_stores::GetMetricStore,
    metric_stores::UpdateMetricStore,
    metric_stores::DeleteMetricStore,
    metric_stores::ListMetricStores,
    parts::CreateChart,
    parts::GetChart,
    parts::UpdateChart,
    parts::UpdateChartByTitle,
    parts::DeleteChart,
    parts::ListJobInstances,
    parts::GetJobInstance,
    parts::ModifyJobInstanceState,
    parts::ListShipperTasks,
    parts::RetryShipperTasks,
    parts::GetStoreViewIndex,
    parts::ListEtlMetaName,
    parts::ChangeResourceGroup,
    parts::PutProjectPolicy,
    parts::GetProjectPolicy,
    parts::DeleteProjectPolicy,
    parts::GetSubStoreTtl,
    parts::UpdateSubStoreTtl,
];

/// Every operation: those with types of their own, then those on documents.
pub fn all_endpoints() -> impl Iterator<Item = Endpoint> {
    ENDPOINTS.iter().cloned().chain(documents::endpoints())
}
