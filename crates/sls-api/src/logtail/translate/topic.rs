//! `topicFormat`, and what else is for the pipeline as a whole, to its global settings.

use serde_json::{Map, Value, json};

use super::TranslateError;
use super::processors::advanced;
use crate::logtail::fields::Fields;

/// Prefix of a constant topic in `topicFormat` of the classic form.
pub const CONSTANT: &str = "customized://";

/// The `global` object; none when there is nothing to say. `group_topic` needs the machine
/// group, which a config does not know: whoever hands the pipeline to an agent replaces it
/// beforehand with a constant.
pub(super) fn global(fields: Fields<'_>) -> Result<Option<Value>, TranslateError> {
    let mut global = Map::new();
    let mut set = |key: &str, value: &str| global.insert(key.to_owned(), json!(value));
    match fields.text("topicFormat")?.unwrap_or_default() {
        "" | "none" => {}
        "default" => {
            set("TopicType", "default");
        }
        "group_topic" => {
            set("TopicType", "machine_group_topic");
        }
        format => {
            let constant = format.strip_prefix(CONSTANT);
            set("TopicType", if constant.is_some() { "custom" } else { "filepath" });
            set("TopicFormat", constant.unwrap_or(format));
        }
    }
    if let Some(advanced) = advanced(fields)?
        && advanced.flag("enable_timestamp_nanosecond")? == Some(true)
    {
        global.insert("EnableTimestampNanosecond".to_owned(), json!(true));
    }
    Ok((!global.is_empty()).then_some(Value::Object(global)))
}
