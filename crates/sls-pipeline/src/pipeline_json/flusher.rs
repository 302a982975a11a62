//! `flushers[0]` (flusher_sls).

use std::num::{NonZeroU16, NonZeroU64};
use std::path::Path;

use sls_api::codec::Compression;

use super::section::{Plugin, Section};
use super::{Findings, NoEndpoint, Surroundings};
use crate::pipeline::{Destination, SendRate, Shards};

/// What a flusher says.
pub struct Flusher {
    pub destination: Destination,
    pub shards: Shards,
    pub send_rate: Option<SendRate>,
}

/// `None` after a problem. `is_tag` says whether groups may have a tag of this name; `exactly_once` is what the
/// input says of it.
pub fn read(
    plugin: Plugin,
    around: &impl Surroundings,
    is_tag: impl Fn(&str) -> bool,
    exactly_once: Option<NonZeroU16>,
    findings: &mut Findings,
) -> Option<Flusher> {
    let Plugin { kind, mut section } = plugin;
    if kind != "flusher_sls" {
        let message = format!("{kind} is not supported by this collector; use flusher_sls");
        findings.problem(section.field("Type"), message);
        return None;
    }
    let project = name(&mut section, "Project", findings);
    let logstore = name(&mut section, "Logstore", findings);
    let compression = compression(&mut section, findings);
    let telemetry = section.text("TelemetryType", findings);
    if let Some(telemetry) = telemetry.filter(|kind| !matches!(kind.as_str(), "" | "logs")) {
        let message = format!("{telemetry:?} is not supported by this collector; files give logs");
        findings.problem(section.field("TelemetryType"), message);
    }
    let place = place(&mut section, around, findings);
    let shards = shards(&mut section, around, is_tag, exactly_once, findings);
    let send_rate = send_rate(&mut section, findings);
    section.without_effect(&["ExtraHeaders"], "requests have the headers that the service knows", findings);
    section.allow(&["Batch", "Aliuid", "EndpointMode"]);
    section.finish(findings);
    let (region, endpoint) = place?;
    let destination = Destination {
        project: project?,
        logstore: logstore?,
        region,
        endpoint: Some(endpoint),
        compression: compression?,
    };
    Some(Flusher { destination, shards, send_rate })
}

/// `MaxSendRate` until `FlowControlExpireTime`; what is not above 0 is no limit and no end. Source: LoongCollector's
/// `FlusherSLS`, which heeds the rate beside exactly-once delivery only since version 3, and the end no more.
fn send_rate(section: &mut Section, findings: &mut Findings) -> Option<SendRate> {
    let rate = section.integer("MaxSendRate", findings).and_then(|rate| u64::try_from(rate).ok());
    let until =
        section.integer("FlowControlExpireTime", findings).and_then(|until| u64::try_from(until).ok());
    let until = until.filter(|until| *until > 0);
    let Some(bytes_per_second) = rate.and_then(NonZeroU64::new) else {
        if until.is_some() {
            let message = "has no effect without MaxSendRate; give a number of bytes a second there";
            findings.notice(section.field("FlowControlExpireTime"), message);
        }
        return None;
    };
    Some(SendRate { bytes_per_second, until })
}

/// `ShardHashKeys`: a name that no group has would send all logs to one shard.
fn shards(
    section: &mut Section,
    around: &impl Surroundings,
    is_tag: impl Fn(&str) -> bool,
    exactly_once: Option<NonZeroU16>,
    findings: &mut Findings,
) -> Shards {
    let names = section.texts("ShardHashKeys", findings);
    match exactly_once {
        Some(keys) => {
            if !names.is_empty() {
                let message = "has no effect beside EnableExactlyOnce, which gives each file keys of its own";
                findings.notice(section.field("ShardHashKeys"), message);
            }
            Shards::ExactlyOnce(keys)
        }
        None if names.is_empty() => Shards::Any,
        None => {
            for (index, name) in names.iter().enumerate().filter(|(_, name)| !is_tag(name)) {
                let field = section.field(&format!("ShardHashKeys[{index}]"));
                match around.tags_file() {
                    Some(file) => findings.notice(field, unless_in(file, name)),
                    None => findings.problem(
                        field,
                        format!(
                            "no log has a tag {name:?}; use __source__, __topic__, __hostname__, __path__, a name of \
                             ALIYUN_LOG_ENV_TAGS or one that the topic's expression gives"
                        ),
                    ),
                }
            }
            Shards::ByTags(names)
        }
    }
}

/// What the file says may change at any time.
fn unless_in(file: &Path, name: &str) -> String {
    format!(
        "no log has a tag {name:?} unless {} (ALIYUN_LOG_FILE_TAGS) gives it; without it the name counts as empty",
        file.display()
    )
}

fn name<T>(section: &mut Section, key: &str, findings: &mut Findings) -> Option<T>
where
    T: std::str::FromStr<Err = sls_api::names::InvalidName>,
{
    let text = section.needed_text(key, findings)?;
    match text.parse() {
        Ok(name) => Some(name),
        Err(error) => {
            findings.problem(section.field(key), error.to_string());
            None
        }
    }
}

fn compression(section: &mut Section, findings: &mut Findings) -> Option<Compression> {
    match section.text("CompressType", findings).unwrap_or_default().as_str() {
        "" | "lz4" => Some(Compression::Lz4),
        "zstd" => Some(Compression::Zstd),
        "none" => Some(Compression::None),
        other => {
            let message = format!("{other:?} is not known; use lz4, zstd or none");
            findings.problem(section.field("CompressType"), message);
            None
        }
    }
}

/// Region and data endpoint.
fn place(
    section: &mut Section,
    around: &impl Surroundings,
    findings: &mut Findings,
) -> Option<(String, String)> {
    let region = section.text("Region", findings).filter(|region| !region.is_empty());
    let endpoint = section.text("Endpoint", findings);
    let Some(region) = region.or_else(|| around.region().map(str::to_owned)) else {
        let message = "is missing, and the collector's own config names no region; set primary_region there";
        findings.problem(section.field("Region"), message);
        return None;
    };
    match around.data_endpoint(&region, endpoint.as_deref()) {
        Ok(endpoint) => Some((region, endpoint)),
        Err(NoEndpoint::Region(message)) => {
            findings.problem(section.field("Region"), message);
            None
        }
        Err(NoEndpoint::Endpoint(message)) => {
            findings.problem(section.field("Endpoint"), message);
            None
        }
    }
}
