//! A pipeline config as the server sends it → [`Pipeline`], or everything that is wrong with it.
//!
//! The form is LoongCollector's (collector.md §2.2): one `input_file`, at most
//! one native parser and `processor_timestamp_native`, filters and masks, one `flusher_sls`. What this
//! collector cannot do faithfully is a problem, and the config then does not run; what changes
//! nothing about which lines arrive is a notice. Pure. Called by the collector and by consoles that show beforehand
//! what it will do.

use std::fmt;
use std::path::Path;

use serde_json::Value;

use crate::pipeline::{Pipeline, TopicRule};

mod flusher;
mod global;
mod input;
mod multiline;
mod names;
mod parsers;
mod processors;
mod regex_check;
mod section;
mod steps;

use processors::Processing;
pub use section::kind;

use section::Section;

/// One thing wrong with a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, e.g. `processors[0].Regex`; empty for the config as a whole.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.message),
            field => write!(f, "{field}: {}", self.message),
        }
    }
}

/// Everything wrong with a config; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", join(.0))]
pub struct Invalid(pub Vec<Problem>);

/// A config that can be applied.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// `None`: the config says `enable: false`.
    pub pipeline: Option<Pipeline>,
    /// What was read and has no effect, or may not be meant.
    pub notices: Vec<Problem>,
}

impl Accepted {
    /// The notices in one line; empty if there are none.
    pub fn notice_text(&self) -> String {
        join(&self.notices)
    }
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}

/// Collected while reading: what keeps the config from running, and what does not.
#[derive(Debug, Default)]
struct Findings {
    problems: Vec<Problem>,
    notices: Vec<Problem>,
}

impl Findings {
    fn problem(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem { field: field.into(), message: message.into() });
    }

    fn notice(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.notices.push(Problem { field: field.into(), message: message.into() });
    }
}

/// What a collector knows that a config does not say.
pub trait Surroundings {
    /// Region of configs that name none.
    fn region(&self) -> Option<&str>;

    /// Where logs go that are for a region, if the config names this endpoint, or none.
    ///
    /// # Errors
    /// There is no such place.
    fn data_endpoint(&self, region: &str, named: Option<&str>) -> Result<String, NoEndpoint>;

    /// What `TailSizeKB` is in configs that do not say it, in KiB.
    fn tail_kb(&self) -> Option<u64>;

    /// Whether groups of files that are read like this may have a tag `name`.
    fn may_be_tag(&self, name: &str, topic: &TopicRule, has_inode: bool) -> bool;

    /// A file that may give further tags.
    fn tags_file(&self) -> Option<&Path>;
}

/// Why logs have no place to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoEndpoint {
    /// The region is not known.
    Region(String),
    /// The endpoint cannot be used.
    Endpoint(String),
}

/// Reads one config. `around` gives what the config does not say.
///
/// # Errors
/// [`Invalid`] with every problem found, not only the first.
pub fn parse_value(
    name: &str,
    version: i64,
    value: Value,
    around: &impl Surroundings,
) -> Result<Accepted, Invalid> {
    let mut findings = Findings::default();
    let Value::Object(root) = value else {
        findings.problem("", format!("the config must be a JSON object, not {}", kind(&value)));
        return Err(Invalid(findings.problems));
    };
    let mut root = Section::new(String::new(), root);
    if root.boolean("enable", &mut findings) == Some(false) {
        return Ok(Accepted { pipeline: None, notices: Vec::new() });
    }
    let input = root.only_plugin("inputs", &mut findings).and_then(|mut plugin| {
        if let Some(kb) = around.tail_kb() {
            plugin.section.set_default("TailSizeKB", kb.into());
        }
        input::read(plugin, &mut findings)
    });
    let global = global::read(root.section("global", &mut findings), &mut findings);
    let processing = processors::read(root.plugins("processors", &mut findings), &mut findings);
    let has_inode = input.as_ref().is_some_and(|input| input.files.position_meta.inode);
    let exactly_once = input.as_ref().and_then(|input| input.exactly_once);
    let is_tag = |name: &str| around.may_be_tag(name, &global.topic, has_inode);
    let flusher = root
        .only_plugin("flushers", &mut findings)
        .and_then(|plugin| flusher::read(plugin, around, is_tag, exactly_once, &mut findings));
    for aggregator in root.plugins("aggregators", &mut findings) {
        let field = format!("{}.Type", aggregator.path());
        findings.problem(field, "aggregators are not supported by this collector; remove it");
    }
    if let Some(processing) = &processing {
        let offset_key = input.as_ref().and_then(|input| input.files.position_meta.offset_key.as_deref());
        names::check(processing, offset_key, &mut findings);
    }
    root.allow(&["version", "configName", "logSample", "createTime", "lastModifyTime", "extensions"]);
    root.finish(&mut findings);
    match (input, processing, flusher) {
        (Some(input), Some(processing), Some(flusher)) if findings.problems.is_empty() => {
            let Processing { parsing, time, steps, .. } = processing;
            let pipeline = Pipeline {
                name: name.to_owned(),
                version,
                input: input.files,
                multiline: input.multiline,
                parse: parsing.parse,
                time,
                topic: global.topic,
                collected_nanos: global.collected_nanos,
                unmatched: parsing.unmatched,
                steps,
                raw_key: parsing.raw_key,
                destination: flusher.destination,
                shards: flusher.shards,
                send_rate: flusher.send_rate,
            };
            Ok(Accepted { pipeline: Some(pipeline), notices: findings.notices })
        }
        _ => Err(Invalid(findings.problems)),
    }
}
