//! Logtail configs: what collectors read and where they send it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Json, NoPath, NoQuery,
    names::{ConfigName, LogstoreName, MachineGroupName, ProjectName},
    operation::{Fidelity, Source, operation, query},
    ops::InConfig,
};

/// `outputType` of every config.
pub const OUTPUT_TYPE: &str = "LogService";

/// A Logtail config in its classic form. `input_detail` is kept verbatim, order included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogtailConfig {
    /// Name.
    pub config_name: ConfigName,
    /// A line of the log, for people; under 1500 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_sample: Option<String>,
    /// `file`, `plugin`, `syslog` or `streamlog`.
    pub input_type: String,
    /// Settings by input type; see [`crate::logtail`].
    pub input_detail: Map<String, Value>,
    /// [`OUTPUT_TYPE`].
    #[serde(default = "output_type")]
    pub output_type: String,
    /// Where the logs go.
    pub output_detail: OutputDetail,
    /// Unix seconds; absent in requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_time: Option<i64>,
    /// Unix seconds; absent in requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modify_time: Option<i64>,
}

fn output_type() -> String {
    OUTPUT_TYPE.to_owned()
}

impl LogtailConfig {
    /// A config that reads files and writes to `logstore` of its own project.
    #[must_use]
    pub fn file(
        config_name: ConfigName,
        input_detail: Map<String, Value>,
        logstore_name: LogstoreName,
    ) -> Self {
        Self {
            config_name,
            log_sample: None,
            input_type: "file".to_owned(),
            input_detail,
            output_type: output_type(),
            output_detail: OutputDetail {
                logstore_name,
                project_name: None,
                endpoint: None,
                compress_type: None,
            },
            create_time: None,
            last_modify_time: None,
        }
    }
}

/// Where the logs of a config go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputDetail {
    /// Logstore in the config's project.
    pub logstore_name: LogstoreName,
    /// The config's project, when the client repeats it (Go SDK).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_name: Option<ProjectName>,
    /// Endpoint; some clients send an empty text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Compression; some clients send an empty text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compress_type: Option<String>,
}

/// Parameters of [`ListConfig`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListConfigQuery {
    /// First entry wanted, from 0.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// Most entries wanted.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// Only configs whose name contains this.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub config_name: Option<String>,
    /// Only configs that write to this Logstore.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub logstore_name: Option<String>,
}

/// One page of config names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigList {
    /// Entries in this page.
    pub count: u64,
    /// Entries in all.
    #[serde(default)]
    pub total: u64,
    /// The page.
    #[serde(default)]
    pub configs: Vec<ConfigName>,
}

/// The groups that a config is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedMachineGroups {
    /// How many.
    pub count: u64,
    /// Their names.
    #[serde(default)]
    pub machinegroups: Vec<MachineGroupName>,
}

operation!(
    /// Creates a config.
    CreateConfig: POST "/configs", Project, A, Fidelity::Full, Source::Sdk("python, go, java: create_logtail_config"),
    NoPath, NoQuery, Json<LogtailConfig> => ());
operation!(
    /// Describes a config.
    GetConfig: GET "/configs/{config}", Project, A, Fidelity::Full, Source::Sdk("python, go, java: get_logtail_config"),
    InConfig, NoQuery, () => Json<LogtailConfig>);
operation!(
    /// Replaces a config; the name in the body must be the one in the path.
    UpdateConfig: PUT "/configs/{config}", Project, A, Fidelity::Full, Source::Docs("API reference, UpdateConfig"),
    InConfig, NoQuery, Json<LogtailConfig> => ());
operation!(
    /// Deletes a config and its bindings.
    DeleteConfig: DELETE "/configs/{config}", Project, A, Fidelity::Full, Source::Docs("API reference, DeleteConfig"),
    InConfig, NoQuery, () => ());
operation!(
    /// Lists the names of a project's configs.
    ListConfig: GET "/configs", Project, A, Fidelity::Full, Source::Sdk("python, go, java: list_logtail_config"),
    NoPath, ListConfigQuery, () => Json<ConfigList>);
operation!(
    /// Lists the groups that a config is bound to.
    GetAppliedMachineGroups: GET "/configs/{config}/machinegroups", Project, A, Fidelity::Full, Source::Sdk("python: get_config_applied_machine_groups"),
    InConfig, NoQuery, () => Json<AppliedMachineGroups>);
