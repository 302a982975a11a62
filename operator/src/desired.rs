//! What an object asks for, after validation: names are valid, numbers are in range, inputDetail is
//! complete. Built by [`crate::validate`] only, from either kind of object; read by `observe`, `plan`, `apply` and
//! `status`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};
use sls_api::names::{ConfigName, LogstoreName, MachineGroupName, ProjectName};
use sls_api::ops::indexes::Index;

use crate::crd::{EncryptConf, InputType, LogstoreMode, TelemetryType};

/// Shards of a new Logstore when the object does not say. Source: vendor's CRD document.
pub const SHARD_COUNT_DEFAULT: u32 = 2;
/// Days for which a new Logstore keeps logs when the object does not say. Source: the vendor's older
/// CRD document and its open environment-variable code; the newer document says 180.
pub const LIFE_CYCLE_DAYS_DEFAULT: u32 = 90;
/// Days from which a retention means "for ever". Source: Logstore API.
pub const LIFE_CYCLE_DAYS_FOREVER: u32 = 3650;
/// Bound of automatic splits of a new Logstore when the object does not say. Source: vendor's CRD
/// document.
pub const MAX_SPLIT_SHARD_DEFAULT: u32 = 32;
/// [`LIFE_CYCLE_DAYS_DEFAULT`] of a ClusterAliyunPipelineConfig. Source: vendor's document of that kind.
pub const PIPELINE_TTL_DAYS_DEFAULT: u32 = 30;
/// [`MAX_SPLIT_SHARD_DEFAULT`] of a ClusterAliyunPipelineConfig. Source: vendor's document of that kind.
pub const PIPELINE_MAX_SPLIT_SHARD_DEFAULT: u32 = 64;

/// The Logtail config that an object owns: no two objects may have the same target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Project in which the config lives.
    pub project: ProjectName,
    /// Name of the config in it.
    pub config: ConfigName,
}

impl Target {
    /// The config as tags name it. Source: OpenAPI model comments.
    pub fn resource_id(&self) -> String {
        format!("{}#{}", self.project, self.config)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "config {} in project {}", self.config, self.project)
    }
}

/// Everything that has to exist for one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// Project and config name.
    pub target: Target,
    /// Endpoint to use instead of the operator's own.
    pub endpoint: Option<String>,
    /// Account, by its uid, whose key to use instead of the operator's own.
    pub account: Option<String>,
    /// Description of a new project, where the object has one.
    pub project_description: Option<String>,
    /// The Logstore to deliver to. One of an AliyunLogConfig is among `logstores`.
    pub destination: LogstoreName,
    /// The Logstores to create where they are missing.
    pub logstores: Vec<DesiredLogstore>,
    /// Groups to bind the config to; never empty.
    pub machine_groups: BTreeSet<MachineGroupName>,
    /// Whether bindings that somebody else made go too.
    pub exact_groups: bool,
    /// The config.
    pub config: DesiredConfig,
    /// Tags of the config that the object asks for.
    pub tags: BTreeMap<String, String>,
    /// Whose the config is, where the operator was told which cluster it serves.
    pub owner: Option<Owner>,
    /// Whether mutable settings of existing Logstores are changed as well.
    pub updates_logstores: bool,
}

impl Desired {
    /// All tags that the config is to have.
    pub fn all_tags(&self) -> BTreeMap<String, String> {
        let owner = self.owner.as_ref().map(|owner| (OWNER_TAG.to_owned(), owner.tag()));
        self.tags.iter().map(|(key, value)| (key.clone(), value.clone())).chain(owner).collect()
    }
}

/// Whose a config is: kept with it in Log Service, so that two clusters do not overwrite each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Id of the cluster.
    pub cluster: String,
    /// The object, as namespace/name, or as name where it has no namespace.
    pub object: String,
    /// Whether it takes what belongs to another cluster.
    pub adopts: bool,
}

/// Tag of a config that says whose it is.
pub const OWNER_TAG: &str = "sls.testbed/owner";
/// Longest value of a tag, in characters. Source: tag API of other services of the vendor.
const TAG_VALUE_CHARS_MAX: usize = 128;

impl Owner {
    /// The value of [`OWNER_TAG`].
    pub fn tag(&self) -> String {
        format!("{}/{}", self.cluster, self.object).chars().take(TAG_VALUE_CHARS_MAX).collect()
    }
}

/// The owner that `tags` name, if it is of another cluster than `ours`. Within a cluster the objects themselves tell.
pub fn stranger<'a>(ours: &str, tags: &'a BTreeMap<String, String>) -> Option<&'a str> {
    let owner = tags.get(OWNER_TAG)?;
    (owner.split('/').next() != Some(ours)).then_some(owner)
}

/// A Logstore as far as the object describes it. Fields are `None` where it says nothing: a new
/// Logstore then gets the default, and an existing one is not said to differ.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredLogstore {
    pub name: LogstoreName,
    /// In which kind of object it is described.
    pub dialect: Dialect,
    /// Shards, 1 to 10.
    pub shard_count: Option<u32>,
    /// Days, 1 to [`LIFE_CYCLE_DAYS_FOREVER`].
    pub life_cycle_days: Option<u32>,
    /// Days in hot storage, at least 7 and less than the retention; `None` is off.
    pub hot_ttl_days: Option<u32>,
    /// Days in infrequent-access storage after that; `None` is off. An AliyunLogConfig has no such setting.
    pub infrequent_ttl_days: Option<u32>,
    pub mode: Option<LogstoreMode>,
    pub auto_split: Option<bool>,
    /// Shards, 1 to 256.
    pub max_split_shard: Option<u32>,
    pub telemetry_type: Option<TelemetryType>,
    pub append_meta: Option<bool>,
    pub enable_tracking: Option<bool>,
    pub encrypt: Option<EncryptConf>,
    /// Index of a new one instead of the default one.
    pub index: Option<Index>,
}

/// Which kind of object describes a Logstore: the kinds differ in defaults and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// AliyunLogConfig.
    Classic,
    /// ClusterAliyunPipelineConfig.
    Pipeline,
}

impl Dialect {
    /// Days for which a new Logstore keeps logs when the object does not say. Source: vendor's documents.
    pub fn life_cycle_days(self) -> u32 {
        match self {
            Self::Classic => LIFE_CYCLE_DAYS_DEFAULT,
            Self::Pipeline => PIPELINE_TTL_DAYS_DEFAULT,
        }
    }

    /// Bound of automatic splits of a new Logstore when the object does not say. Source: vendor's documents.
    pub fn max_split_shard(self) -> u32 {
        match self {
            Self::Classic => MAX_SPLIT_SHARD_DEFAULT,
            Self::Pipeline => PIPELINE_MAX_SPLIT_SHARD_DEFAULT,
        }
    }

    /// The word for what an AliyunLogConfig calls `classic`.
    pub fn word(self, classic: &'static str) -> &'static str {
        match (self, classic) {
            (Self::Classic, _) => classic,
            (Self::Pipeline, "lifeCycle") => "ttl",
            (Self::Pipeline, "logstoreHotTTL") => "hotTtl",
            (Self::Pipeline, "logstoreMode") => "queryMode",
            (Self::Pipeline, "logstoreAutoSplit") => "autoSplit",
            (Self::Pipeline, "logstoreMaxSplitShard") => "maxSplitShard",
            (Self::Pipeline, "logstoreTelemetryType") => "telemetryType",
            (Self::Pipeline, "logstoreAppendMeta") => "appendMeta",
            (Self::Pipeline, "logstoreEnableTracking") => "enableTracking",
            (Self::Pipeline, same) => same,
        }
    }
}

impl DesiredLogstore {
    /// Whether fields get SQL columns in the default index: not in a search-only Logstore.
    pub fn analytics(&self) -> bool {
        self.mode != Some(LogstoreMode::Query)
    }
}

/// The Logtail config to create.
#[derive(Clone, Debug, PartialEq)]
pub enum DesiredConfig {
    /// In the form of an AliyunLogConfig.
    Classic(ClassicConfig),
    /// In the form that agents work with.
    Pipeline(PipelineDraft),
}

/// A config in pipeline form.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineDraft {
    /// What is sent beside the name.
    pub body: Map<String, Value>,
    /// Whether it takes the place of a config in classic form of the same name.
    pub replaces_classic: bool,
}

/// A config in classic form.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassicConfig {
    pub input_type: InputType,
    /// inputDetail with the SDK's defaults filled in.
    pub input_detail: Map<String, Value>,
    /// Sample line; empty when the object has none.
    pub log_sample: String,
}
