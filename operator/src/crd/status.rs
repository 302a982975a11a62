//! `status`: what the operator found and did.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What the operator found and did. `status` and `statusCode` are those of the vendor's controller and
/// always agree with the condition Ready.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AliyunLogConfigStatus {
    /// OK, or what is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,

    /// 200 when everything is applied; 400 for an invalid spec, 409 for a name conflict, otherwise the
    /// HTTP status of the Log Service call that failed (503 when it could not be reached).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code: Option<i32>,

    /// metadata.generation of which this status speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// metadata.generation that was last applied in full; while it is the current one, changes found in
    /// Log Service are somebody else's and are put right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_generation: Option<i64>,

    /// Project in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,

    /// Name of the Logtail config in that project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_name: Option<String>,

    /// Machine groups that this object has bound to the config, or is about to. Only these are ever unbound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_machine_groups: Option<Vec<String>>,

    /// Keys of the tags that this object has set on the config, or is about to. Only these are ever taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_config_tags: Option<Vec<String>>,

    /// What was not there and this object made; only that is ever deleted by deletionPolicy DeleteAll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Created>,

    /// The last failure, while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,

    /// Last time something in Log Service or in this status was brought in line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync_time: Option<Time>,

    /// One condition per step. Accepted: the spec is valid and the name is free. ProjectReady,
    /// LogstoreReady, IndexReady, MachineGroupsReady, ConfigReady: the resource exists as wanted. Ready:
    /// all of them. AgentsConnected: machines of its groups send heartbeats, and whether logs arrive; not part of
    /// Ready. Warnings: applied, but look at this.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
}

/// What an object made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<bool>,
    /// The Logstore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logstore: Option<bool>,
    /// Machine groups, listed now or earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_groups: Option<Vec<String>>,
}

/// One aspect of the object's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which aspect, for example Ready.
    #[serde(rename = "type")]
    pub type_: String,
    /// True, False or Unknown.
    pub status: String,
    /// Why, in one word for programs.
    pub reason: String,
    /// Why, in a sentence for people; what to do when it is not True.
    pub message: String,
    /// When status last changed.
    pub last_transition_time: Time,
    /// metadata.generation of which this condition speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// A failed call to Log Service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastError {
    /// Step that failed, for example CreateConfig.
    pub step: String,
    /// errorCode of Log Service, or BackendUnavailable.
    pub code: String,
    /// What Log Service or the network said.
    pub message: String,
    /// HTTP status of the answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<i32>,
    /// Request id to give to support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// How often this has failed in a row.
    pub attempts: i32,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_retry_time: Option<Time>,
}
