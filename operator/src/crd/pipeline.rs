//! The newer resource `telemetry.alibabacloud.com/v1alpha1 ClusterAliyunPipelineConfig`: the same for a config in
//! the form that agents work with. Names, scope and fields are documented by the vendor; ranges that the
//! document leaves open, rules and printer columns are ours (operator specification, §2).
#![allow(clippy::duplicated_attributes, reason = "every printcolumn repeats the names of its arguments")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::spec::{DeletionPolicy, EncryptConf, LogstoreMode, MeteringMode, TelemetryType};
use super::status::{Condition, LastError};

/// A collection config in pipeline form together with the Log Service resources it needs. metadata.name is the
/// name of the config: 2 to 128 lowercase letters, digits, - and _. `status.conditions` says how far it got and
/// what is wrong.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "telemetry.alibabacloud.com",
    version = "v1alpha1",
    kind = "ClusterAliyunPipelineConfig",
    plural = "clusteraliyunpipelineconfigs",
    singular = "clusteraliyunpipelineconfig",
    shortname = "capc",
    category = "sls",
    status = "ClusterAliyunPipelineConfigStatus",
    derive = "PartialEq",
    printcolumn(
        name = "Project",
        type_ = "string",
        json_path = ".spec.project.name",
        description = "Project of the config"
    ),
    printcolumn(
        name = "Success",
        type_ = "boolean",
        json_path = ".status.success",
        description = "Everything in Log Service is as this object asks"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is ready or not"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.message",
        priority = 1,
        description = "What is wrong"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterAliyunPipelineConfigSpec {
    /// Project of the config. Cannot be changed.
    #[x_kube(
        validation = Rule::new("self == oldSelf")
            .message("project cannot be changed, logs already collected would stay in the old one; create a new object")
    )]
    pub project: PipelineProject,

    /// The config, as the API CreateLogtailPipelineConfig takes it.
    pub config: PipelineBody,

    /// Logstores that are created when they are missing; settings of one that exists are not applied to it. Where
    /// the logs go is said by the flusher, not here.
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logstores: Option<Vec<PipelineLogstore>>,

    /// Machine groups to which the config is bound, and no others; the operator's default group when empty. A
    /// group that does not exist is created with a user-defined identity equal to its name.
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_groups: Option<Vec<PipelineMachineGroup>>,

    /// What if an AliyunLogConfig has a config of this name in this project: false (the default) leaves it alone
    /// and this object fails; true puts this config in its place and then deletes that AliyunLogConfig.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_upgrade_override: Option<bool>,

    /// What becomes of Log Service when this object is deleted; as in an AliyunLogConfig. The default is
    /// DeleteConfig.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
}

/// A project, created when it does not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct PipelineProject {
    /// Its name.
    #[schemars(length(min = 3, max = 63), regex(pattern = r"^[a-z0-9][a-z0-9-]*[a-z0-9]$"))]
    pub name: String,

    /// Description of a new project.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,

    /// Log Service endpoint at which project and config are created, as host, host:port or URL without a path;
    /// the operator's own endpoint when empty.
    #[schemars(
        length(max = 261),
        regex(pattern = r"^$|^(https?://)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$")
    )]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,

    /// Alibaba Cloud account that owns the project, if it is not the operator's own.
    #[schemars(length(max = 32), regex(pattern = r"^[0-9]*$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

/// A pipeline, as the API CreateLogtailPipelineConfig takes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.name)")
        .message("the config is named by metadata.name; remove config.name")
)]
pub struct PipelineBody {
    /// Must not be set: the config is named by metadata.name.
    #[schemars(length(max = 128))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,

    /// A sample of the log, at most 1500 bytes, kept with the config for people.
    #[schemars(length(max = 1500))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<String>,

    /// Settings of the whole pipeline, for example TopicType.
    #[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global: Option<Map<String, Value>>,

    /// Where logs come from: exactly one, for example input_file.
    #[schemars(with = "Vec<PluginSchema>", length(min = 1, max = 1))]
    pub inputs: Vec<Map<String, Value>>,

    /// What is done with them, in this order.
    #[schemars(with = "Option<Vec<PluginSchema>>", length(max = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processors: Option<Vec<Map<String, Value>>>,

    /// How they are gathered; at most one.
    #[schemars(with = "Option<Vec<PluginSchema>>", length(max = 1))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregators: Option<Vec<Map<String, Value>>>,

    /// Where they go: exactly one, flusher_sls, with its Logstore.
    #[schemars(with = "Vec<PluginSchema>", length(min = 1, max = 1))]
    pub flushers: Vec<Map<String, Value>>,
}

/// A part of a pipeline; never built, only its schema is used.
#[derive(Clone, Debug, Serialize, Deserialize, KubeSchema)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
struct PluginSchema {
    /// Which plugin, for example input_file, processor_parse_regex_native or flusher_sls; its settings stand beside
    /// it.
    #[schemars(length(min = 1, max = 128))]
    #[serde(rename = "Type")]
    type_: String,
}

/// A Logstore to create.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.hotTtl) || self.hotTtl == 0 || (self.hotTtl >= 7 && self.hotTtl < (has(self.ttl) ? self.ttl : 30))")
        .message("hotTtl must be 0 (off), or at least 7 and less than ttl (30 when not set)"),
    validation = Rule::new("!has(self.infrequentAccessTTL) || self.infrequentAccessTTL == 0 || (self.infrequentAccessTTL >= 30 && has(self.hotTtl) && self.hotTtl >= 7)")
        .message("infrequentAccessTTL must be 0 (off), or at least 30 beside a hotTtl"),
    validation = Rule::new("!has(self.infrequentAccessTTL) || self.infrequentAccessTTL == 0 || (has(self.ttl) ? self.ttl : 30) - (has(self.hotTtl) ? self.hotTtl : 0) - self.infrequentAccessTTL >= 60")
        .message("at least 60 days of ttl must remain after hotTtl and infrequentAccessTTL"),
    validation = Rule::new("!(has(self.queryMode) && self.queryMode == 'query') || !has(self.meteringMode) || self.meteringMode == 'ChargeByFunction'")
        .message("a Logstore of queryMode query can only be charged by function: remove meteringMode or set ChargeByFunction")
)]
pub struct PipelineLogstore {
    /// Its name.
    #[schemars(length(min = 2, max = 63), regex(pattern = r"^[a-z0-9][a-z0-9_-]{0,61}[a-z0-9]$"))]
    pub name: String,

    /// standard (search and SQL, the default) or query (search only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_mode: Option<LogstoreMode>,

    /// Days for which logs are kept, 1 to 3650 (for ever); 30 when not set.
    #[schemars(range(min = 1, max = 3650))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i32>,

    /// Days in hot storage: 0 (off, the default), or at least 7 and less than ttl.
    #[schemars(range(min = 0, max = 3650))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hot_ttl: Option<i32>,

    /// Days in infrequent-access storage after hotTtl: 0 (off, the default), or at least 30; 60 days of
    /// ttl must remain after both.
    #[schemars(range(min = 0, max = 3650))]
    #[serde(default, rename = "infrequentAccessTTL", skip_serializing_if = "Option::is_none")]
    pub infrequent_access_ttl: Option<i32>,

    /// Number of shards, 1 to 100; 2 when not set.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_count: Option<i32>,

    /// Number of shards up to which it is split automatically, 1 to 256; 64 when not set.
    #[schemars(range(min = 1, max = 256))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_split_shard: Option<i32>,

    /// Whether shards are split automatically under load; true when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_split: Option<bool>,

    /// None for logs (the default) or Metrics for time series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry_type: Option<TelemetryType>,

    /// Whether the client's address and the time of receipt are added to every log; true when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append_meta: Option<bool>,

    /// Whether unsigned web tracking requests are accepted; false when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_tracking: Option<bool>,

    /// Encryption of its storage; none when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypt_conf: Option<EncryptConf>,

    /// How it is billed; the account's default when not set. Recorded only: this operator does not send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metering_mode: Option<MeteringMode>,

    /// Index of a new Logstore, as the API CreateIndex takes it; full text and the fields of container logs when
    /// not set.
    #[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Map<String, Value>>,
}

/// A machine group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct PipelineMachineGroup {
    /// Its name.
    #[schemars(length(min = 2, max = 128), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]*[A-Za-z0-9]$"))]
    pub name: String,
}

/// What the operator found and did. `success`, `message`, `lastUpdateTime` and `lastAppliedConfig` are those of the
/// vendor's controller and always agree with the condition Ready.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterAliyunPipelineConfigStatus {
    /// Whether everything is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,

    /// success, or what is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// Last time something in Log Service or in this status was brought in line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_time: Option<Time>,

    /// The config that Log Service last took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_applied_config: Option<LastAppliedConfig>,

    /// 200 when everything is applied; otherwise as in an AliyunLogConfig.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code: Option<i32>,

    /// metadata.generation of which this status speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// metadata.generation that was last applied in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_generation: Option<i64>,

    /// Project in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,

    /// Name of the config in that project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_name: Option<String>,

    /// Machine groups that this object has bound to the config, or is about to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_machine_groups: Option<Vec<String>>,

    /// The last failure, while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,

    /// One condition per step, as in an AliyunLogConfig.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
}

/// A config that Log Service has taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastAppliedConfig {
    /// When.
    pub applied_time: Time,
    /// spec.config as JSON.
    pub content: String,
}
