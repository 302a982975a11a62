//! `spec`: the destination, the Logstore to create, the machine groups and the Logtail config.
#![allow(clippy::duplicated_attributes, reason = "every printcolumn repeats the names of its arguments")]

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::input_detail::InputDetailSchema;
use super::status::AliyunLogConfigStatus;

/// A Logtail collection config together with the Log Service resources it needs: project, Logstore,
/// index and machine groups are created when they are missing, the config is created, kept as written
/// here and bound to the machine groups. `status.conditions` says how far that got and what is wrong.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "log.alibabacloud.com",
    version = "v1alpha1",
    kind = "AliyunLogConfig",
    plural = "aliyunlogconfigs",
    singular = "aliyunlogconfig",
    shortname = "alc",
    shortname = "alconfig",
    category = "sls",
    namespaced,
    status = "AliyunLogConfigStatus",
    derive = "PartialEq",
    printcolumn(
        name = "Project",
        type_ = "string",
        json_path = ".status.project",
        description = "Project in use"
    ),
    printcolumn(
        name = "Logstore",
        type_ = "string",
        json_path = ".spec.logstore",
        description = "Logstore that receives the logs"
    ),
    printcolumn(
        name = "Config",
        type_ = "string",
        json_path = ".status.configName",
        description = "Name of the Logtail config"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Everything in Log Service is as this object asks"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is ready or not"
    ),
    printcolumn(
        name = "Code",
        type_ = "integer",
        json_path = ".status.statusCode",
        priority = 1,
        description = "200, or the HTTP status of what failed"
    ),
    printcolumn(
        name = "Groups",
        type_ = "string",
        json_path = ".status.appliedMachineGroups",
        priority = 1,
        description = "Machine groups bound by this object"
    ),
    printcolumn(
        name = "Synced",
        type_ = "date",
        json_path = ".status.lastSyncTime",
        priority = 1,
        description = "Last time something was brought in line"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.project) ? self.project : '') == (has(oldSelf.project) ? oldSelf.project : '')")
        .message("project cannot be changed, logs already collected would stay in the old one; create a new object"),
    validation = Rule::new("!has(self.logstoreHotTTL) || self.logstoreHotTTL == 0 || (self.logstoreHotTTL >= 7 && self.logstoreHotTTL < (has(self.lifeCycle) ? self.lifeCycle : 90))")
        .message("logstoreHotTTL must be 0 (off), or at least 7 and less than lifeCycle (90 when not set)"),
    validation = Rule::new("!has(self.shardCount) || self.shardCount <= (has(self.logstoreMaxSplitShard) ? self.logstoreMaxSplitShard : 32)")
        .message("shardCount must not exceed logstoreMaxSplitShard (32 when not set)"),
    validation = Rule::new("!(has(self.logstoreMode) && self.logstoreMode == 'query') || !has(self.logstoreMeteringMode) || self.logstoreMeteringMode == 'ChargeByFunction'")
        .message("a Logstore of mode query can only be charged by function: remove logstoreMeteringMode or set ChargeByFunction")
)]
pub struct AliyunLogConfigSpec {
    /// Project that receives the logs; the operator's default project when empty. Created when it does
    /// not exist. Cannot be changed.
    #[schemars(length(max = 63), regex(pattern = r"^$|^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,

    /// Logstore that receives the logs. Created when it does not exist; if it exists, the settings
    /// below that describe a Logstore are not applied to it. Cannot be changed.
    #[schemars(length(min = 2, max = 63), regex(pattern = r"^[a-z0-9][a-z0-9_-]{0,61}[a-z0-9]$"))]
    #[x_kube(
        validation = Rule::new("self == oldSelf")
            .message("logstore cannot be changed, logs already collected would stay in the old one; create a new object")
    )]
    pub logstore: String,

    /// Number of shards of a new Logstore, 1 to 10; 2 when not set.
    #[schemars(range(min = 1, max = 10))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_count: Option<i32>,

    /// Days for which a new Logstore keeps its logs, 1 to 7300; 90 when not set, 3650 and more mean for
    /// ever.
    #[schemars(range(min = 1, max = 7300))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life_cycle: Option<i32>,

    /// Days for which a new Logstore keeps its logs in hot storage: 0 (off, the default), or at least 7
    /// and less than lifeCycle.
    #[schemars(range(min = 0, max = 7300))]
    #[serde(default, rename = "logstoreHotTTL", skip_serializing_if = "Option::is_none")]
    pub logstore_hot_ttl: Option<i32>,

    /// Kind of a new Logstore: standard (search and SQL, the default) or query (search only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logstore_mode: Option<LogstoreMode>,

    /// Whether the shards of a new Logstore are split automatically under load; true when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logstore_auto_split: Option<bool>,

    /// Number of shards up to which a new Logstore is split automatically, 1 to 256; 32 when not set.
    #[schemars(range(min = 1, max = 256))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logstore_max_split_shard: Option<i32>,

    /// Kind of data in a new Logstore: None for logs (the default) or Metrics for time series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logstore_telemetry_type: Option<TelemetryType>,

    /// Whether a new Logstore adds the client's address and the time of receipt to every log; true when
    /// not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logstore_append_meta: Option<bool>,

    /// Whether a new Logstore accepts unsigned web tracking requests; false when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logstore_enable_tracking: Option<bool>,

    /// Encryption of a new Logstore's storage; none when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logstore_encrypt_conf: Option<EncryptConf>,

    /// How a new Logstore is billed; the account's default when not set. Mode query is billed by
    /// function only. Recorded only: this operator does not send it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logstore_metering_mode: Option<MeteringMode>,

    /// Machine groups to which the config is bound, at most 10; the operator's default group when
    /// empty. A group that does not exist is created with a user-defined identity equal to its name, so
    /// the name is what a sidecar passes as ALIYUN_LOGTAIL_USER_DEFINED_ID. A group removed from the
    /// list is unbound.
    #[schemars(
        length(max = 10),
        inner(length(min = 2, max = 128), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]*[A-Za-z0-9]$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_groups: Option<Vec<String>>,

    /// Tags of the Logtail config, at most 19 (20, with the one that says whose it is). A tag removed from here is
    /// removed from the config; others that it has stay.
    #[schemars(extend("maxProperties" = 20))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_tags: Option<BTreeMap<String, String>>,

    /// Product whose logs these are, for example k8s-nginx-ingress. The vendor's controller then lets a
    /// product service create the Logstore; this operator records the value, says so in a warning, and
    /// creates an ordinary Logstore.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_code: Option<String>,

    /// Language of the product's dashboards, for example cn. Recorded only.
    #[schemars(length(max = 16))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_lang: Option<String>,

    /// Alibaba Cloud account that owns the project, if it is not the operator's own. Only accounts of
    /// which the operator has credentials can be used.
    #[schemars(length(max = 32), regex(pattern = r"^[0-9]*$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,

    /// Log Service endpoint at which project and config are created, as host, host:port or URL without
    /// a path; the operator's own endpoint when empty. It does not change where agents deliver.
    #[schemars(
        length(max = 261),
        regex(pattern = r"^$|^(https?://)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$")
    )]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,

    /// What becomes of the Logtail config when this object is deleted: DeleteConfig (it goes, the default),
    /// Retain (it stays, and bound) or DeleteAll (with it go the machine groups, the Logstore with its logs and the
    /// project, each if status.created says that this object made it and nothing else uses it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// The collection config itself, in the format of the LogtailConfig API object.
    pub logtail_config: LogtailConfigSpec,
}

/// Kind of a Logstore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogstoreMode {
    Standard,
    Query,
}

/// Kind of data in a Logstore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TelemetryType {
    None,
    Metrics,
}

/// How a Logstore is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MeteringMode {
    ChargeByFunction,
    ChargeByDataIngest,
}

/// What becomes of the config of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    DeleteConfig,
    Retain,
    DeleteAll,
}

/// How logs are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InputType {
    #[default]
    File,
    Plugin,
}

/// Encryption of a Logstore; key names as in the Logstore API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct EncryptConf {
    /// Whether the Logstore is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable: Option<bool>,
    /// Algorithm: default or m4.
    #[schemars(length(max = 32))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypt_type: Option<String>,
    /// Your own key instead of the service's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_cmk_info: Option<UserCmkInfo>,
}

/// A customer master key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct UserCmkInfo {
    /// Id of the key.
    #[schemars(length(max = 128))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmk_key_id: Option<String>,
    /// Role through which the key is used.
    #[schemars(length(max = 256))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// Region of the key.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_id: Option<String>,
}

/// The config in the format of the LogtailConfig API object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.configName) ? self.configName : '') == (has(oldSelf.configName) ? oldSelf.configName : '')")
        .message("configName cannot be changed; create a new object"),
    validation = Rule::new("self.inputType != 'plugin' || has(self.inputDetail.plugin)")
        .message("inputType plugin needs inputDetail.plugin"),
    validation = Rule::new("self.inputType != 'file' || (has(self.inputDetail.logType) && has(self.inputDetail.logPath) && has(self.inputDetail.filePattern))")
        .message("inputType file needs inputDetail.logType, inputDetail.logPath and inputDetail.filePattern")
)]
pub struct LogtailConfigSpec {
    /// Name of the Logtail config, unique in the project: 2 to 128 lowercase letters, digits, - and _,
    /// a letter or digit at both ends. metadata.name when not set. Cannot be changed.
    #[schemars(length(min = 2, max = 128), regex(pattern = r"^[a-z0-9][a-z0-9_-]*[a-z0-9]$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_name: Option<String>,

    /// How logs are read: file (tail files) or plugin (the inputs of inputDetail.plugin).
    pub input_type: InputType,

    /// A sample of the log, less than 1500 bytes, kept with the config for people.
    #[schemars(length(max = 1499))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_sample: Option<String>,

    /// What is read and how it is parsed. The keys described here are checked; others are passed on as
    /// they are.
    #[schemars(with = "InputDetailSchema")]
    pub input_detail: Map<String, Value>,
}
