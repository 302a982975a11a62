//! `topicFormat` to the pipeline's global topic settings.

use serde_json::{Value, json};

use super::TranslateError;
use crate::logtail::fields::Fields;

/// Prefix of a constant topic in `topicFormat` of the classic form.
pub const CONSTANT: &str = "customized://";

/// The `global` object; none when there is nothing to say. `group_topic` needs the machine
/// group, which a config does not know: whoever hands the pipeline to an agent replaces it
/// beforehand with a constant.
pub(super) fn global(fields: Fields<'_>) -> Result<Option<Value>, TranslateError> {
    let format = fields.text("topicFormat")?.unwrap_or_default();
    Ok(match format {
        "" | "none" => None,
        "default" => Some(json!({"TopicType": "default"})),
        "group_topic" => Some(json!({"TopicType": "machine_group_topic"})),
        _ => Some(match format.strip_prefix(CONSTANT) {
            Some(constant) => json!({"TopicType": "custom", "TopicFormat": constant}),
            None => json!({"TopicType": "filepath", "TopicFormat": format}),
        }),
    })
}
