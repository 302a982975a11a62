//! How many events the collectors have parsed, as they tell the diagnostic logs of their projects: the topic
//! `logtail_profile` (docs/collector.md). Nothing is known of projects without project logging.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use prost::Message;
use sls_api::log_group::LogGroup;
use sls_api::names::{LogstoreName, ProjectName};
use sls_api::ops::documents::GetLogging;
use sls_api::{Json, NoPath, NoQuery};

use super::super::Console;
use super::super::problem::Problem;
use crate::query::source::Order;
use crate::store::blocks::{self, BlockMeta, Blocks};
use crate::store::logstores::read_target;

/// How far back is looked, in seconds.
const SECONDS: i64 = 3600;
/// Log groups that are read of one Logstore, the youngest first. Source: own choice; an hour of some 300 collectors.
const BLOCKS_MAX: usize = 2_000;
/// Characters that are shown of a line that does not match.
const SAMPLE_CHARS: usize = 200;
/// Name of the topic, and of its type in the project's logging.
const PROFILE: &str = "logtail_profile";

/// Whose events, by which config.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Name of the config in the agent protocol.
    pub config: String,
    /// Host name of the agent.
    pub hostname: String,
}

/// Events of an hour.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Counted {
    pub matched: u64,
    pub unmatched: u64,
    /// One that does not match.
    pub sample: Option<String>,
}

/// What the collectors of these projects have told in the last hour.
pub(super) async fn counted(
    console: &Console,
    projects: BTreeSet<ProjectName>,
) -> Result<BTreeMap<Key, Counted>, Problem> {
    let mut places = BTreeSet::new();
    for project in projects {
        // A project without project logging, or one that is gone.
        let Ok(Json(logging)) = console.ask_in::<GetLogging>(&project, NoPath {}, NoQuery {}, ()).await
        else {
            continue;
        };
        let logstore = logging.logging_details.iter().find(|detail| detail.kind == PROFILE);
        let logstore = logstore.and_then(|detail| detail.logstore.parse::<LogstoreName>().ok());
        let of = if logging.logging_project.is_empty() {
            Some(project)
        } else {
            logging.logging_project.parse().ok()
        };
        places.extend(of.zip(logstore));
    }
    let mut counted = BTreeMap::new();
    for (project, logstore) in places {
        let now = console.app.clock.now();
        let look = console.look(&project, move |db, project| {
            let target = read_target(db, project, &logstore, now)?;
            let (from, to) = (now.as_second() - SECONDS, now.as_second() + SECONDS);
            let mut found: Vec<BlockMeta> = Vec::new();
            blocks::scan(db, target, from, to, Some(PROFILE), Order::NewestFirst, &mut |block| {
                found.push(*block);
                if found.len() < BLOCKS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            let mut blocks = Blocks::new(db)?;
            let mut counted = BTreeMap::new();
            for block in &found {
                if let Ok(group) = LogGroup::decode(blocks.read(block)?) {
                    add(&mut counted, &group);
                }
            }
            Ok(counted)
        });
        // The Logstore that is named may not be there.
        if let Ok(of_place) = look.await {
            counted.extend(of_place);
        }
    }
    Ok(counted)
}

fn add(counted: &mut BTreeMap<Key, Counted>, group: &LogGroup) {
    let hostname = group.log_tags.iter().find(|tag| tag.key == "__hostname__").map(|tag| tag.value.clone());
    for log in &group.logs {
        let field = |name: &str| {
            let content = log.contents.iter().find(|content| content.key == name)?;
            Some(String::from_utf8_lossy(&content.value).into_owned())
        };
        let number = |name: &str| field(name).and_then(|text| text.parse().ok()).unwrap_or(0_u64);
        let Some(config) = field("config_name") else { continue };
        let key = Key { config, hostname: hostname.clone().unwrap_or_default() };
        let of_config = counted.entry(key).or_default();
        of_config.matched = of_config.matched.saturating_add(number("succeed_lines"));
        of_config.unmatched = of_config.unmatched.saturating_add(number("parse_failures"));
        if of_config.sample.is_none() {
            let sample = field("error_line").filter(|line| !line.is_empty());
            of_config.sample = sample.map(|line| line.chars().take(SAMPLE_CHARS).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use sls_api::log_group::{Content, Log, LogTag};

    use super::*;

    #[test]
    fn files_of_a_config_are_added_up_and_statistics_of_logstores_left_out() {
        let log = |fields: &[(&str, &str)]| Log {
            time: 1,
            contents: fields
                .iter()
                .map(|(key, value)| Content::new((*key).to_owned(), (*value).to_owned()))
                .collect(),
            time_ns: None,
        };
        let file = |matched, failed, line| {
            log(&[
                ("config_name", "##1.0##p$c"),
                ("succeed_lines", matched),
                ("parse_failures", failed),
                ("error_line", line),
            ])
        };
        let tag = LogTag { key: "__hostname__".to_owned(), value: "pod-1".to_owned() };
        let sum = log(&[("file_name", "logstore_statistics"), ("succeed_lines", "99")]);
        let group = LogGroup {
            logs: vec![file("10", "0", ""), file("5", "2", "bad line"), sum],
            log_tags: vec![tag],
            ..LogGroup::default()
        };
        let mut counted = BTreeMap::new();
        add(&mut counted, &group);
        let key = Key { config: "##1.0##p$c".to_owned(), hostname: "pod-1".to_owned() };
        let wanted = Counted { matched: 15, unmatched: 2, sample: Some("bad line".to_owned()) };
        assert_eq!(counted, BTreeMap::from([(key, wanted)]));
    }
}
