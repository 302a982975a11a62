//! What can be wrong with a spec: each message names the field, what is there and what to write.

use sls_api::logtail::Problem;
use sls_api::names::InvalidName;

/// Where inputDetail is in an object.
const INPUT_DETAIL: &str = "spec.logtailConfig.inputDetail";

/// A reason not to send an object to Log Service.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SpecProblem {
    #[error("{source}")]
    Name { field: String, source: InvalidName },
    #[error(
        "not set, and the operator has no default project: set it, or start the operator with --default-project or --cluster-id"
    )]
    NoProject,
    #[error(
        "not set, and metadata.name {object:?} cannot be used in its place: write a name of lowercase letters, digits, '-' and '_'"
    )]
    NoConfigName { object: String },
    #[error(
        "empty, and the operator has no default machine group: list the group whose name the sidecar passes as ALIYUN_LOGTAIL_USER_DEFINED_ID, or start the operator with --default-machine-group or --cluster-id"
    )]
    NoMachineGroup,
    #[error("{count} groups are listed, at most {max} are allowed: split the object in two")]
    TooManyGroups { count: usize, max: usize },
    #[error("{value} is out of range: use {min} to {max}")]
    OutOfRange { field: &'static str, value: i32, min: u32, max: u32 },
    #[error("{shards} exceeds logstoreMaxSplitShard, which is {max_split}: lower it or raise the other")]
    ShardsExceedSplit { shards: u32, max_split: u32 },
    #[error(
        "{hot} days of hot storage are not less than lifeCycle, which is {life_cycle}: lower it, or set 0 for none"
    )]
    HotTtlTooLong { hot: u32, life_cycle: u32 },
    #[error("a Logstore of mode query is charged by function only: remove it or set ChargeByFunction")]
    QueryMetering,
    #[error(
        "objects of namespace {namespace} may not use project {project} ({rules}): use one that they may, or ask whoever \
         runs the operator"
    )]
    ProjectNotAllowed { project: String, namespace: String, rules: String },
    #[error("{}", foreign_account(uid, own.as_deref()))]
    ForeignAccount { field: &'static str, uid: String, own: Option<String> },
    #[error("{bytes} bytes long, it must be less than 1500: shorten the sample")]
    SampleTooLong { bytes: usize },
    #[error("missing, inputType {input_type} needs it")]
    MissingKey { key: &'static str, input_type: &'static str },
    #[error(
        "{input} reads what containers print, which only a DaemonSet can: a sidecar collects files; have the program \
         write one, and use inputType file"
    )]
    ContainerOutput { index: usize, input: String },
    #[error("{}", .0.message)]
    InputDetail(Problem),
    #[error("{count} tags, at most {max} are allowed: remove some")]
    TooManyTags { count: usize, max: usize },
    #[error("{message}")]
    Tag { key: String, message: String },
    /// Of a ClusterAliyunPipelineConfig.
    #[error("{message}")]
    Pipeline { field: String, message: String },
}

impl SpecProblem {
    /// Path of the field in the object.
    pub fn field(&self) -> String {
        match self {
            Self::Name { field, .. } => field.clone(),
            Self::NoProject | Self::ProjectNotAllowed { .. } => "spec.project".into(),
            Self::NoConfigName { .. } => "spec.logtailConfig.configName".into(),
            Self::NoMachineGroup | Self::TooManyGroups { .. } => "spec.machineGroups".into(),
            Self::OutOfRange { field, .. } => (*field).into(),
            Self::ShardsExceedSplit { .. } => "spec.shardCount".into(),
            Self::HotTtlTooLong { .. } => "spec.logstoreHotTTL".into(),
            Self::QueryMetering => "spec.logstoreMeteringMode".into(),
            Self::ForeignAccount { field, .. } => (*field).into(),
            Self::Pipeline { field, .. } => field.clone(),
            Self::TooManyTags { .. } => "spec.configTags".into(),
            Self::Tag { key, .. } => format!("spec.configTags[{key:?}]"),
            Self::SampleTooLong { .. } => "spec.logtailConfig.logSample".into(),
            Self::MissingKey { key, .. } => format!("{INPUT_DETAIL}.{key}"),
            Self::ContainerOutput { index, .. } => format!("{INPUT_DETAIL}.plugin.inputs[{index}]"),
            Self::InputDetail(problem) => format!("{INPUT_DETAIL}.{}", problem.field),
        }
    }
}

fn foreign_account(uid: &str, own: Option<&str>) -> String {
    let own = own.map_or_else(
        || "an account it was not told (--account-id)".to_owned(),
        |own| format!("account {own}"),
    );
    format!(
        "the operator has credentials of {own}, not of account {uid}: remove it, or give the operator that account's key with --account-infos-file"
    )
}

/// Something that is applied but deserves a look.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Warning {
    #[error(
        "{config:?} differs from metadata.name {object:?}: the config in Log Service is named {config:?}; the vendor recommends equal names"
    )]
    NameDiffers { config: String, object: String },
    #[error(
        "{product:?} is recorded only: an ordinary Logstore is created, without the product's dashboards"
    )]
    ProductIgnored { product: String },
    #[error("recorded only: a new Logstore is billed as the account's default says")]
    MeteringNotSent,
    #[error("{}", .0.message)]
    InputDetail(Problem),
    /// In a ClusterAliyunPipelineConfig.
    #[error("the Logstore {logstore:?} is not among spec.logstores: if it does not exist, logs wait for it")]
    LogstoreNotListed { logstore: String },
    /// In a ClusterAliyunPipelineConfig.
    #[error("recorded only: it is not sent to Log Service")]
    NotSent { field: String },
}

impl Warning {
    /// Path of the field in the object.
    pub fn field(&self) -> String {
        match self {
            Self::NameDiffers { .. } => "spec.logtailConfig.configName".into(),
            Self::ProductIgnored { .. } => "spec.productCode".into(),
            Self::MeteringNotSent => "spec.logstoreMeteringMode".into(),
            Self::InputDetail(problem) => format!("{INPUT_DETAIL}.{}", problem.field),
            Self::LogstoreNotListed { .. } => "spec.config.flushers[0].Logstore".into(),
            Self::NotSent { field } => field.clone(),
        }
    }

    /// One word for programs, the reason of condition Warnings.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NameDiffers { .. } => "NameDiffers",
            Self::ProductIgnored { .. } => "ProductIgnored",
            Self::MeteringNotSent => "MeteringNotSent",
            Self::InputDetail(_) => "InputDetail",
            Self::LogstoreNotListed { .. } => "LogstoreNotListed",
            Self::NotSent { .. } => "NotSent",
        }
    }
}
