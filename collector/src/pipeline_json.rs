//! A pipeline config as the server sends it, read with what this instance knows: its variables, region, endpoints and
//! tags. How it is read says [`sls_pipeline::pipeline_json`]. Called by `control`.

use std::path::Path;

use serde_json::Value;
pub use sls_pipeline::pipeline_json::{Accepted, Invalid, Problem};
use sls_pipeline::pipeline_json::{NoEndpoint, Surroundings};

use crate::instance_config::InstanceConfig;
use crate::pipeline::TopicRule;
use crate::tags;

/// Reads one config. `instance` gives the region and the endpoints that the config does not name.
///
/// # Errors
/// [`Invalid`] with every problem found, not only the first.
pub fn parse(name: &str, version: i64, json: &[u8], instance: &InstanceConfig) -> Result<Accepted, Invalid> {
    let mut value: Value = serde_json::from_slice(json).map_err(|error| {
        let message = format!("the config is not JSON: {error}; save it again on the server");
        Invalid(vec![Problem { field: String::new(), message }])
    })?;
    let missing = instance.env_refs.as_ref().map(|refs| refs.replace(&mut value)).unwrap_or_default();
    let missing = missing.into_iter().map(|message| Problem { field: String::new(), message });
    match parse_value(name, version, value, instance) {
        Ok(mut accepted) => {
            accepted.notices.splice(0..0, missing);
            Ok(accepted)
        }
        Err(mut invalid) => {
            invalid.0.extend(missing); // they may be why
            Err(invalid)
        }
    }
}

/// The same of a config whose references to variables are replaced.
///
/// # Errors
/// As [`parse`].
pub fn parse_value(
    name: &str,
    version: i64,
    value: Value,
    instance: &InstanceConfig,
) -> Result<Accepted, Invalid> {
    sls_pipeline::pipeline_json::parse_value(name, version, value, instance)
}

impl Surroundings for InstanceConfig {
    fn region(&self) -> Option<&str> {
        self.place.as_ref().map(|place| place.region.as_str())
    }

    fn data_endpoint(&self, region: &str, named: Option<&str>) -> Result<String, NoEndpoint> {
        let endpoint =
            self.data_endpoint(region, named).map_err(|unknown| NoEndpoint::Region(unknown.to_string()))?;
        match endpoint.parse::<sls_client::Endpoint>() {
            Ok(_) => Ok(endpoint),
            Err(error) => Err(NoEndpoint::Endpoint(error.to_string())),
        }
    }

    fn tail_kb(&self) -> Option<u64> {
        self.reading.tail_kb
    }

    fn may_be_tag(&self, name: &str, topic: &TopicRule, has_inode: bool) -> bool {
        tags::may_be_tag(name, topic, has_inode, &self.env_tags)
    }

    fn tags_file(&self) -> Option<&Path> {
        self.file_tags.as_deref()
    }
}

#[cfg(test)]
mod tests;
