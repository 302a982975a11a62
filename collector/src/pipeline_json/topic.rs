//! `global`: the topic of every log.

use sls_api::logtail::CONSTANT_TOPIC;

use super::Findings;
use super::regex_check::compile;
use super::section::Section;
use crate::pipeline::TopicRule;

/// Topic of `global` (collector.md §2.2, §2.3).
pub fn read(mut global: Section, findings: &mut Findings) -> TopicRule {
    let format = global.text("TopicFormat", findings).unwrap_or_default();
    let kind = global.text("TopicType", findings).unwrap_or_default();
    let rule = match kind.as_str() {
        // "default" names a plugin's topic; files have none of their own. Source: guess.
        "" | "none" | "default" => {
            if !format.is_empty() {
                let message = "has no effect without TopicType: name custom or filepath there";
                findings.notice(global.field("TopicFormat"), message);
            }
            TopicRule::None
        }
        // A machine group may have no topic.
        "machine_group_topic" => TopicRule::Fixed(format),
        "custom" => {
            // LoongCollector takes the prefix of the classic form here too.
            let text = format.strip_prefix(CONSTANT_TOPIC).unwrap_or(&format);
            if text.is_empty() {
                findings.problem(global.field("TopicFormat"), "is missing: write the topic");
            }
            TopicRule::Fixed(text.to_owned())
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
    };
    global.allow(&["StructureType", "InputIntervalMs", "Priority"]);
    global.without_effect(
        &["EnableTimestampNanosecond", "UsingOldContentTag", "PipelineMetaTagKey", "AgentEnvMetaTagKey"],
        findings,
    );
    global.finish(findings);
    rule
}
