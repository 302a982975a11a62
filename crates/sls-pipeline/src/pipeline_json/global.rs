//! `global`: the topic of every log, and how exact times of collection are.

use sls_api::logtail::CONSTANT_TOPIC;

use super::Findings;
use super::regex_check::compile;
use super::section::Section;
use crate::pipeline::TopicRule;

/// Longest topic, in bytes. Source: data model document.
const TOPIC_BYTES_MAX: usize = 128;

/// What `global` says.
pub struct Global {
    pub topic: TopicRule,
    /// Times of collection have nanoseconds.
    pub collected_nanos: bool,
}

/// Reads `global` (collector.md §2.2).
pub fn read(mut global: Section, findings: &mut Findings) -> Global {
    let topic = topic(&mut global, findings);
    let collected_nanos = global.boolean("EnableTimestampNanosecond", findings).unwrap_or(false);
    global.allow(&["StructureType", "InputIntervalMs"]);
    global.without_effect(&["Priority"], "all configs share the connection evenly", findings);
    let renamed = ["UsingOldContentTag", "PipelineMetaTagKey", "AgentEnvMetaTagKey"];
    global.without_effect(&renamed, "tags have the names that Logtail gives them", findings);
    global.finish(findings);
    Global { topic, collected_nanos }
}

/// See collector.md §2.3.
fn topic(global: &mut Section, findings: &mut Findings) -> TopicRule {
    let format = global.text("TopicFormat", findings).unwrap_or_default();
    let kind = global.text("TopicType", findings).unwrap_or_default();
    match kind.as_str() {
        // "default" names a plugin's topic; files have none of their own. Source: guess.
        "" | "none" | "default" => {
            if !format.is_empty() {
                let message = "has no effect without TopicType: name custom or filepath there";
                findings.notice(global.field("TopicFormat"), message);
            }
            TopicRule::None
        }
        // A machine group may have no topic.
        "machine_group_topic" => fixed(global, &format, findings),
        "custom" => {
            // LoongCollector takes the prefix of the classic form here too.
            let text = format.strip_prefix(CONSTANT_TOPIC).unwrap_or(&format);
            if text.is_empty() {
                findings.problem(global.field("TopicFormat"), "is missing: write the topic");
            }
            fixed(global, text, findings)
        }
        "filepath" => match compile(&format) {
            Ok(regex) if regex.captures_len() > 1 => TopicRule::Path(regex),
            Ok(_) => {
                let field = global.field("TopicFormat");
                findings
                    .problem(field, "needs a capture group: the captured part of the path becomes the topic");
                TopicRule::None
            }
            Err(reason) => {
                findings.problem(global.field("TopicFormat"), reason);
                TopicRule::None
            }
        },
        other => {
            findings.problem(
                global.field("TopicType"),
                format!("{other:?} is not known; use none, custom, machine_group_topic or filepath"),
            );
            TopicRule::None
        }
    }
}

/// A topic that is the same for all groups: one that is too long would have each of them refused.
fn fixed(global: &Section, text: &str, findings: &mut Findings) -> TopicRule {
    if text.len() > TOPIC_BYTES_MAX {
        let message = format!("has {} bytes, at most {TOPIC_BYTES_MAX}; write a shorter topic", text.len());
        findings.problem(global.field("TopicFormat"), message);
    }
    TopicRule::Fixed(text.to_owned())
}
