//! What a config makes of a sample: by the code of the collector, so that it will do the same.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use serde_json::Value;
use sls_api::logtail::{Destination, Severity, check_input_detail, complete_input_detail, to_pipeline};
use sls_api::names::ProjectName;
use sls_api::ops::logtail_configs::LogtailConfig;
use sls_pipeline::lines::EVENT_BYTES_MAX;
use sls_pipeline::pipeline::TopicRule;
use sls_pipeline::pipeline_json::{self, NoEndpoint, Surroundings};
use sls_pipeline::preview::{Bounds, Preview, preview};

/// Events of a sample that are shown.
const EVENTS_MAX: usize = 50;
/// Bytes of a sample that are looked at. Source: own choice; more than a person pastes.
const SAMPLE_BYTES_MAX: usize = 1024 * 1024;
/// Time for it; a person waits.
const TIME_MAX: Duration = Duration::from_secs(1);
/// Stands for this server's address, which the preview needs not.
const ENDPOINT: &str = "127.0.0.1:80";

/// What there is to say of a config.
#[derive(Debug, Default)]
pub(super) struct Tried {
    /// Why it cannot work.
    pub errors: Vec<String>,
    /// What may not be meant.
    pub warnings: Vec<String>,
    /// What becomes of the sample, if there is one and the config works.
    pub preview: Option<Preview>,
    /// The regex that it comes to, and the keys of its groups or columns.
    pub regex: String,
    pub keys: Vec<String>,
    /// Key and format of the time, if the log has one.
    pub time: Option<(String, String)>,
}

/// What this console knows of the collectors: nothing but where they are to send to.
struct Somewhere;

impl Surroundings for Somewhere {
    fn region(&self) -> Option<&str> {
        None
    }

    fn data_endpoint(&self, _: &str, named: Option<&str>) -> Result<String, NoEndpoint> {
        Ok(named.unwrap_or(ENDPOINT).to_owned())
    }

    fn tail_kb(&self) -> Option<u64> {
        None
    }

    /// Which tags there are the environment of a collector says.
    fn may_be_tag(&self, _: &str, _: &TopicRule, _: bool) -> bool {
        true
    }

    fn tags_file(&self) -> Option<&Path> {
        None
    }
}

/// Tries a config on a sample. Takes up to a second.
pub(super) fn try_on(
    config: &LogtailConfig,
    project: &ProjectName,
    region: &str,
    sample: &str,
    now: i64,
) -> Tried {
    let mut tried = Tried::default();
    if config.input_type == "file" {
        for problem in check_input_detail(&config.input_detail) {
            match problem.severity {
                Severity::Error => tried.errors.push(problem.to_string()),
                Severity::Warning => tried.warnings.push(problem.to_string()),
            }
        }
    }
    let mut complete = config.input_detail.clone();
    complete_input_detail(&mut complete);
    let text = |key: &str| complete.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    tried.regex = text("regex");
    let keys = complete.get("key").and_then(Value::as_array).into_iter().flatten();
    tried.keys = keys.filter_map(|key| key.as_str().map(str::to_owned)).collect();
    tried.time = Some((text("timeKey"), text("timeFormat"))).filter(|(_, format)| !format.is_empty());
    let destination = Destination {
        project: project.clone(),
        logstore: config.output_detail.logstore_name.clone(),
        region: region.to_owned(),
        endpoint: ENDPOINT.to_owned(),
    };
    let pipeline = match to_pipeline(config, &destination) {
        Ok(pipeline) => pipeline,
        Err(error) => {
            // The check has mostly said so already.
            if tried.errors.is_empty() {
                tried.errors.push(error.to_string());
            }
            return tried;
        }
    };
    match pipeline_json::parse_value(config.config_name.as_str(), 1, pipeline, &Somewhere) {
        Err(invalid) if tried.errors.is_empty() => {
            tried.errors.extend(invalid.0.iter().map(|problem| format!("{}: {problem}", "the collector")));
        }
        Err(_) => {}
        Ok(accepted) => {
            tried.warnings.extend(accepted.notices.iter().map(ToString::to_string));
            let sample = sample.as_bytes();
            let sample = sample.get(..SAMPLE_BYTES_MAX).unwrap_or(sample);
            if let Some(pipeline) = accepted.pipeline.filter(|_| !sample.is_empty()) {
                let bounds = Bounds {
                    events: EVENTS_MAX,
                    event_bytes: EVENT_BYTES_MAX,
                    deadline: Instant::now() + TIME_MAX,
                };
                tried.preview = Some(preview(&pipeline, sample, bounds, &TimeZone::UTC, now));
            }
        }
    }
    tried
}
