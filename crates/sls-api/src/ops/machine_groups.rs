//! Machine groups: which collectors get which Logtail configs.

use serde::{Deserialize, Serialize};

use crate::{
    Json, NoPath, NoQuery,
    names::{ConfigName, MachineGroupName},
    operation::{Fidelity, Source, null_is_default, operation, query},
    ops::{InMachineGroup, InMachineGroupConfig, Paging},
};

/// A machine group, as sent and as returned; the times are the service's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineGroup {
    /// Name.
    pub group_name: MachineGroupName,
    /// Empty.
    #[serde(default, deserialize_with = "null_is_default")]
    pub group_type: String,
    /// How `machine_list` names machines.
    #[serde(default, deserialize_with = "null_is_default")]
    pub machine_identify_type: MachineIdentifyType,
    /// Topic and external name.
    #[serde(default, deserialize_with = "null_is_default")]
    pub group_attribute: GroupAttribute,
    /// IP addresses or custom ids.
    #[serde(default, deserialize_with = "null_is_default")]
    pub machine_list: Vec<String>,
    /// Unix seconds; absent in requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_time: Option<i64>,
    /// Unix seconds; absent in requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modify_time: Option<i64>,
}

impl MachineGroup {
    /// A group of the machines that carry one of the custom ids.
    #[must_use]
    pub fn user_defined(group_name: MachineGroupName, ids: Vec<String>) -> Self {
        Self {
            group_name,
            group_type: String::new(),
            machine_identify_type: MachineIdentifyType::Userdefined,
            group_attribute: GroupAttribute::default(),
            machine_list: ids,
            create_time: None,
            last_modify_time: None,
        }
    }
}

/// Parameters of [`UpdateMachineGroupMachine`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachinesQuery {
    /// What happens to the machines in the body.
    pub action: MachinesAction,
}

/// What happens to machines of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MachinesAction {
    /// They come into it; repeating it changes nothing.
    Add,
    /// They leave it; those that are not in it change nothing.
    Delete,
}

/// How a machine group names its machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MachineIdentifyType {
    /// By IP address. Source of this being the default: guess.
    #[default]
    Ip,
    /// By the custom id that a collector brings (`ALIYUN_LOGTAIL_USER_DEFINED_ID`).
    Userdefined,
}

/// Further settings of a machine group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupAttribute {
    /// Name in an external system.
    #[serde(deserialize_with = "null_is_default")]
    pub external_name: String,
    /// Topic of logs whose config says `topicFormat: group_topic`.
    #[serde(deserialize_with = "null_is_default")]
    pub group_topic: String,
}

/// A machine that has shown itself in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Address as the machine names itself.
    pub ip: String,
    /// Unique id of the machine.
    #[serde(rename = "machine-uniqueid", default)]
    pub machine_uniqueid: String,
    /// Custom id that it brings.
    #[serde(rename = "userdefined-id", default)]
    pub userdefined_id: String,
    /// Unix seconds of its last heartbeat.
    #[serde(rename = "lastHeartbeatTime", default)]
    pub last_heartbeat_time: i64,
    /// Host id.
    #[serde(rename = "host-id", default, skip_serializing_if = "Option::is_none")]
    pub host_id: Option<String>,
    /// Version of the collector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary: Option<String>,
}

/// Parameters of [`ListMachineGroup`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListMachineGroupQuery {
    /// First entry wanted, from 0.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// Most entries wanted.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// Only groups whose name contains this.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
}

/// One page of machine group names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineGroupList {
    /// Entries in this page.
    pub count: u64,
    /// Entries in all.
    #[serde(default)]
    pub total: u64,
    /// The page.
    #[serde(default)]
    pub machinegroups: Vec<MachineGroupName>,
}

/// One page of a group's machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineList {
    /// Entries in this page.
    pub count: u64,
    /// Entries in all.
    #[serde(default)]
    pub total: u64,
    /// The page.
    #[serde(default)]
    pub machines: Vec<Machine>,
}

/// The configs bound to a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedConfigs {
    /// How many.
    pub count: u64,
    /// Their names.
    #[serde(default)]
    pub configs: Vec<ConfigName>,
}

operation!(
    /// Creates a machine group.
    CreateMachineGroup: POST "/machinegroups", Project, A, Fidelity::Full, Source::Sdk("python, go, java: create_machine_group"),
    NoPath, NoQuery, Json<MachineGroup> => ());
operation!(
    /// Describes a machine group.
    GetMachineGroup: GET "/machinegroups/{group}", Project, A, Fidelity::Full, Source::Sdk("python, go, java: get_machine_group"),
    InMachineGroup, NoQuery, () => Json<MachineGroup>);
operation!(
    /// Replaces a machine group.
    UpdateMachineGroup: PUT "/machinegroups/{group}", Project, A, Fidelity::Full, Source::Docs("API reference, UpdateMachineGroup"),
    InMachineGroup, NoQuery, Json<MachineGroup> => ());
operation!(
    /// Adds machines to a machine group, or takes them out of it; the body is a list of addresses or
    /// custom ids.
    UpdateMachineGroupMachine: PUT "/machinegroups/{group}/machines", Project, C, Fidelity::Full, Source::Sdk("java: AddMachineIntoMachineGroup"),
    InMachineGroup, MachinesQuery, Json<Vec<String>> => ());
operation!(
    /// Deletes a machine group.
    DeleteMachineGroup: DELETE "/machinegroups/{group}", Project, A, Fidelity::Full, Source::Docs("API reference, DeleteMachineGroup"),
    InMachineGroup, NoQuery, () => ());
operation!(
    /// Lists the names of a project's machine groups.
    ListMachineGroup: GET "/machinegroups", Project, A, Fidelity::Full, Source::Sdk("python: list_machine_group"),
    NoPath, ListMachineGroupQuery, () => Json<MachineGroupList>);
operation!(
    /// Lists the machines that have shown themselves in a group.
    ListMachines: GET "/machinegroups/{group}/machines", Project, A, Fidelity::Full, Source::Sdk("python, go, java: list_machines"),
    InMachineGroup, Paging, () => Json<MachineList>);
operation!(
    /// Binds a config to a group; repeating it changes nothing.
    ApplyConfigToMachineGroup: PUT "/machinegroups/{group}/configs/{config}", Project, A, Fidelity::Full, Source::Sdk("python, go, java: apply_config_to_machine_group"),
    InMachineGroupConfig, NoQuery, () => ());
operation!(
    /// Unbinds a config from a group; repeating it changes nothing.
    RemoveConfigFromMachineGroup: DELETE "/machinegroups/{group}/configs/{config}", Project, A, Fidelity::Full, Source::Sdk("python, go: remove_config_to_machine_group"),
    InMachineGroupConfig, NoQuery, () => ());
operation!(
    /// Lists the configs bound to a group.
    GetAppliedConfigs: GET "/machinegroups/{group}/configs", Project, A, Fidelity::Full, Source::Sdk("python, go: get_machine_group_applied_configs"),
    InMachineGroup, NoQuery, () => Json<AppliedConfigs>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_counts_as_not_given() {
        let body = r#"{"groupName":"mg","groupType":null,"groupAttribute":null,"machineList":null,
                       "machineIdentifyType":"userdefined"}"#;
        let got: MachineGroup = serde_json::from_str(body).unwrap();
        assert_eq!(got, MachineGroup::user_defined("mg".parse().unwrap(), Vec::new()));
    }
}
