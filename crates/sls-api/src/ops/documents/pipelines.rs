//! Pipeline configs with types of their own, for programs that keep them. The emulator serves them as
//! documents, of which a test holds this to be true.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::names::ConfigName;
use crate::operation::{Fidelity, Source, operation};
use crate::ops::logtail_configs::{ConfigList, ListConfigQuery};
use crate::{Json, NoPath, NoQuery};

/// Path of operations on one pipeline config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InPipelineConfig {
    /// The config.
    pub name: ConfigName,
}

/// A Logtail config in the form that agents work with: who it is, and the parts of the pipeline as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PipelineConfig {
    /// Name, unique among the configs of both forms in a project.
    pub config_name: ConfigName,
    /// `logSample`, `global`, `inputs`, `processors`, `aggregators`, `flushers`, and in answers `createTime`
    /// and `lastModifyTime` in Unix seconds.
    #[serde(flatten)]
    pub body: Map<String, Value>,
}

operation!(
    /// Creates a config.
    CreateLogtailPipelineConfig: POST "/pipelineconfigs", Project, B, Fidelity::Full, Source::Sdk("python: create_logtail_pipeline_config"),
    NoPath, NoQuery, Json<PipelineConfig> => ());
operation!(
    /// Describes a config.
    GetLogtailPipelineConfig: GET "/pipelineconfigs/{name}", Project, B, Fidelity::Full, Source::Sdk("python: create_logtail_pipeline_config"),
    InPipelineConfig, NoQuery, () => Json<PipelineConfig>);
operation!(
    /// Replaces a config; the name in the body must be the one in the path.
    UpdateLogtailPipelineConfig: PUT "/pipelineconfigs/{name}", Project, B, Fidelity::Full, Source::Sdk("python: create_logtail_pipeline_config"),
    InPipelineConfig, NoQuery, Json<PipelineConfig> => ());
operation!(
    /// Deletes a config and its bindings.
    DeleteLogtailPipelineConfig: DELETE "/pipelineconfigs/{name}", Project, B, Fidelity::Full, Source::Sdk("python: create_logtail_pipeline_config"),
    InPipelineConfig, NoQuery, () => ());
operation!(
    /// Lists the names of a project's configs in this form.
    ListLogtailPipelineConfig: GET "/pipelineconfigs", Project, B, Fidelity::Full, Source::Sdk("python: create_logtail_pipeline_config"),
    NoPath, ListConfigQuery, () => Json<ConfigList>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;

    #[test]
    fn they_are_the_calls_of_the_table() {
        for ours in [
            CreateLogtailPipelineConfig::ENDPOINT,
            GetLogtailPipelineConfig::ENDPOINT,
            UpdateLogtailPipelineConfig::ENDPOINT,
            DeleteLogtailPipelineConfig::ENDPOINT,
            ListLogtailPipelineConfig::ENDPOINT,
        ] {
            let of_table = super::super::endpoints().find(|endpoint| endpoint.name == ours.name);
            assert_eq!(of_table, Some(ours));
        }
    }

    #[test]
    fn parts_stay_as_they_were_written() {
        let text =
            r#"{"configName":"pipe","inputs":[{"Type":"input_file","FilePaths":["/a"]}],"createTime":7}"#;
        let config: PipelineConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.body.keys().collect::<Vec<_>>(), ["inputs", "createTime"]);
        assert_eq!(serde_json::to_string(&config).unwrap(), text);
    }
}
