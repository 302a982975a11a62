//! Project logging with types of its own, for programs that ask where a project keeps its service logs. The
//! emulator serves it as a document, of which a test holds this to be true.

use serde::{Deserialize, Serialize};

use crate::operation::{Fidelity, Source, operation};
use crate::{Json, NoPath, NoQuery};

/// Where a project's service logs go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Logging {
    /// The project that keeps them, of the same region.
    #[serde(default)]
    pub logging_project: String,
    /// The Logstores, by type.
    #[serde(default)]
    pub logging_details: Vec<LoggingDetail>,
}

/// One type of service logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggingDetail {
    /// `logtail_alarm`, `operation_log`, ….
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The Logstore, usually `internal-diagnostic_log`.
    #[serde(default)]
    pub logstore: String,
}

operation!(
    /// Says where the service logs of the project go; there is at most one such place.
    CreateLogging: POST "/logging", Project, C, Fidelity::Accepted, Source::Sdk("go: CreateLogging; java: LoggingFunctionTest"),
    NoPath, NoQuery, Json<Logging> => ());
operation!(
    /// Tells where the service logs of the project go; `LoggingNotExist` if nobody has asked for them.
    GetLogging: GET "/logging", Project, C, Fidelity::Accepted, Source::Sdk("go: CreateLogging; java: LoggingFunctionTest"),
    NoPath, NoQuery, () => Json<Logging>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;

    #[test]
    fn they_are_the_calls_of_the_table() {
        for ours in [CreateLogging::ENDPOINT, GetLogging::ENDPOINT] {
            let of_table = super::super::endpoints().find(|endpoint| endpoint.name == ours.name);
            assert_eq!(of_table, Some(ours));
        }
    }

    #[test]
    fn details_have_the_names_of_the_wire() {
        let text = r#"{"loggingProject":"p","loggingDetails":[{"type":"logtail_alarm","logstore":"l"}]}"#;
        let logging: Logging = serde_json::from_str(text).unwrap();
        let detail = LoggingDetail { kind: "logtail_alarm".into(), logstore: "l".into() };
        assert_eq!(logging, Logging { logging_project: "p".into(), logging_details: vec![detail] });
        assert_eq!(serde_json::to_string(&logging).unwrap(), text);
    }
}
