//! Classic form to pipeline form.

use serde_json::Value;

use crate::{
    names::{LogstoreName, ProjectName},
    ops::logtail_configs::LogtailConfig,
};

/// Where a pipeline sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Project.
    pub project: ProjectName,
    /// Logstore.
    pub logstore: LogstoreName,
    /// Region id, e.g. `cn-hangzhou`.
    pub region: String,
    /// Endpoint, without scheme: `host` or `host:port`.
    pub endpoint: String,
}

/// A config that has no pipeline form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranslateError {
    /// A field is missing or of the wrong type.
    #[error("inputDetail.{field}: {reason}")]
    Field {
        /// Path of the field.
        field: String,
        /// What is wrong.
        reason: String,
    },
    /// An input or log type that agents of this kind do not run.
    #[error("{what} {name:?} cannot be run by a collector")]
    Unsupported {
        /// `inputType` or `logType`.
        what: &'static str,
        /// Its value.
        name: String,
    },
}

/// The pipeline of a config.
///
/// # Errors
/// [`TranslateError`] when the config is not usable.
pub fn to_pipeline(config: &LogtailConfig, destination: &Destination) -> Result<Value, TranslateError> {
    let _ = destination;
    Err(TranslateError::Unsupported { what: "inputType", name: config.input_type.clone() })
}
