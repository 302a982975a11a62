//! Why a workload gets no sidecar.

use super::{CONFIGS_ANNOTATION, CONTAINERS_ANNOTATION, listed};

/// Why; each message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Skip {
    #[error("its label {} is false", super::ASK_LABEL)]
    OptedOut,
    #[error("the namespace belongs to the cluster itself: sidecars are kept out of it")]
    SystemNamespace,
    #[error("the namespace is the operator's own: sidecars are kept out of it")]
    OperatorNamespace,
    #[error(
        "it has a container {} already: remove that, by hand or with `operator inject --uninject`",
        super::CONTAINER
    )]
    AlreadyThere,
    #[error(
        "there is no AliyunLogConfig in namespace {namespace} that reads files: give its file with -f or -c, or create one"
    )]
    NoConfig { namespace: String },
    #[error(
        "annotation {CONFIGS_ANNOTATION} names {name:?}, which there is not in namespace {namespace}: {}",
        known(there)
    )]
    UnknownConfig { name: String, namespace: String, there: Vec<String> },
    #[error(
        "AliyunLogConfig {name} is for the files or the output of other containers, found by a DaemonSet (dockerFile \
         is true, or inputType plugin): a sidecar reads files of a shared directory, set inputType file and \
         dockerFile false"
    )]
    ContainerConfig { name: String },
    #[error(
        "AliyunLogConfig {name} has logPath {path:?}, which names no directory to share: write an absolute one"
    )]
    NoDirectory { name: String, path: String },
    #[error(
        "AliyunLogConfig {name} lists no machine group and there is no default: list the group, or give \
         --default-machine-group"
    )]
    NoMachineGroup { name: String },
    #[error(
        "no machine group is common to its AliyunLogConfigs ({}): a collector belongs to one; give them a group in \
         common, or choose some of them with the annotation {CONFIGS_ANNOTATION}",
        listed(groups)
    )]
    NoCommonGroup { groups: Vec<String> },
    #[error("annotation {CONTAINERS_ANNOTATION} names {name:?}, which there is not: {}", known(there))]
    UnknownContainer { name: String, there: Vec<String> },
    #[error(
        "container {container} mounts a part of volume {volume} at {path} that only its own environment names \
         (subPathExpr): use subPath, or mount the whole volume"
    )]
    SubPath { container: String, volume: String, path: String },
    #[error(
        "container {container} cannot write to {path}, where it mounts volume {volume} read-only: correct logPath or the mount"
    )]
    ReadOnly { container: String, volume: String, path: String },
    #[error(
        "volume {volume} at {path} is made of other objects ({made_of}), no log files are in it: correct logPath"
    )]
    NoLogVolume { volume: String, path: String, made_of: &'static str },
    #[error(
        "containers have different volumes at {path} ({}): choose those that write the logs with the annotation \
         {CONTAINERS_ANNOTATION}",
        listed(volumes)
    )]
    Disagree { path: String, volumes: Vec<String> },
    #[error("its pods are not described as they must be: {error}")]
    Malformed { error: String },
}

/// The word of a policy for Pods that it cannot serve.
pub const NEEDS_WEBHOOK: &str = "needs_webhook";
/// All words that [`Skip::reason`] has, and that of policies.
const REASONS: [&str; 17] = [
    "opted_out",
    "system_namespace",
    "operator_namespace",
    "sidecar_already_exists",
    "no_config",
    "unknown_config",
    "config_of_containers",
    "no_directory",
    "no_machine_group",
    "no_common_machine_group",
    "unknown_container",
    "sub_path",
    "read_only",
    "no_log_volume",
    "containers_disagree",
    "malformed",
    NEEDS_WEBHOOK,
];

impl Skip {
    /// The word, if it is one of ours.
    pub fn known_reason(word: &str) -> Option<&'static str> {
        REASONS.into_iter().find(|reason| *reason == word)
    }

    /// A word for machines.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::OptedOut => "opted_out",
            Self::SystemNamespace => "system_namespace",
            Self::OperatorNamespace => "operator_namespace",
            Self::AlreadyThere => "sidecar_already_exists",
            Self::NoConfig { .. } => "no_config",
            Self::UnknownConfig { .. } => "unknown_config",
            Self::ContainerConfig { .. } => "config_of_containers",
            Self::NoDirectory { .. } => "no_directory",
            Self::NoMachineGroup { .. } => "no_machine_group",
            Self::NoCommonGroup { .. } => "no_common_machine_group",
            Self::UnknownContainer { .. } => "unknown_container",
            Self::SubPath { .. } => "sub_path",
            Self::ReadOnly { .. } => "read_only",
            Self::NoLogVolume { .. } => "no_log_volume",
            Self::Disagree { .. } => "containers_disagree",
            Self::Malformed { .. } => "malformed",
        }
    }

    /// Whether that is as the user wants it, and no mistake.
    pub fn is_wanted(&self) -> bool {
        matches!(self, Self::OptedOut | Self::SystemNamespace | Self::OperatorNamespace | Self::AlreadyThere)
    }
}

fn known(there: &[String]) -> String {
    if there.is_empty() { "there is none".to_owned() } else { format!("there are {}", listed(there)) }
}
