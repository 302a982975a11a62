//! Parsing, time, filtering and masking as native processors, in this order.

use serde_json::{Value, json};

use super::{LogType, TranslateError};
use crate::logtail::fields::Fields;

/// Field that holds an event before it is parsed.
pub(in crate::logtail) const SOURCE_KEY: &str = "content";
/// Field that holds an event that could not be parsed.
pub(in crate::logtail) const UNPARSED_KEY: &str = "__raw_log__";
/// Field that holds the text of a parsed event, when asked for.
pub(in crate::logtail) const RAW_KEY: &str = "__raw__";
/// Field that `timeFormat` is about when `timeKey` is not set. Source: guess, after the console,
/// which asks for a field of this name in regex mode.
pub(in crate::logtail) const TIME_KEY: &str = "time";
/// Field with the time in a finer unit, and that unit, when the config names none. LoongCollector has no pipeline
/// keys for these any more and passes over those that we write. Source: defaults of Logtail 1.1.
const PRECISE_KEY: &str = "precise_timestamp";
const PRECISE_UNIT: &str = "ms";
/// Name of columns that are not sent. Source: LoongCollector's delimiter parser.
pub(in crate::logtail) const DROPPED_COLUMN: &str = "_";
/// The one regex and key of simple mode.
pub(in crate::logtail) const SIMPLE_REGEX: &str = "(.*)";

pub(super) fn native(fields: Fields<'_>, log_type: LogType) -> Result<Vec<Value>, TranslateError> {
    let mut processors = Vec::new();
    if let Some(parser) = parser(fields, log_type)? {
        processors.push(with_raw_log(parser, fields)?);
    }
    processors.extend(timestamp(fields, log_type)?);
    processors.extend(filter(fields)?);
    processors.extend(masks(fields)?);
    Ok(processors)
}

/// Whether each event is one field and nothing is parsed.
fn is_simple(regex: &str, keys: &[&str]) -> bool {
    regex == SIMPLE_REGEX && keys == [SOURCE_KEY]
}

fn parser(fields: Fields<'_>, log_type: LogType) -> Result<Option<Value>, TranslateError> {
    Ok(match log_type {
        LogType::Regex => {
            let regex = fields.text("regex")?.unwrap_or(SIMPLE_REGEX);
            let keys = fields.texts("key")?;
            // Only a parser keeps the text of an event beside its fields.
            let is_needed = !is_simple(regex, &keys) || fields.flag("enableRawLog")? == Some(true);
            is_needed.then(|| {
                json!({"Type": "processor_parse_regex_native", "SourceKey": SOURCE_KEY,
                       "Regex": regex, "Keys": keys})
            })
        }
        LogType::Json => Some(json!({"Type": "processor_parse_json_native", "SourceKey": SOURCE_KEY})),
        LogType::Apsara => {
            let mut parser = json!({"Type": "processor_parse_apsara_native", "SourceKey": SOURCE_KEY});
            if let Some(zone) = zone(fields)? {
                parser["Timezone"] = json!(zone);
            }
            Some(parser)
        }
        LogType::Delimiter => Some(delimiter(fields)?),
    })
}

fn delimiter(fields: Fields<'_>) -> Result<Value, TranslateError> {
    let separator = fields.text("separator")?.filter(|s| !s.is_empty()).ok_or_else(|| {
        TranslateError::field("separator", "is missing: write the text between columns, for example \",\"")
    })?;
    let partial = advanced(fields)?.map(|advanced| advanced.flag("extract_partial_fields")).transpose()?;
    // Source: guess for autoExtend: false; LoongCollector knows extend, keep and discard, and only keep
    // loses nothing without making further columns.
    let overflow = match (partial.flatten(), fields.flag("autoExtend")?.unwrap_or(true)) {
        (Some(true), _) => "discard",
        (_, true) => "extend",
        (_, false) => "keep",
    };
    Ok(json!({
        "Type": "processor_parse_delimiter_native",
        "SourceKey": SOURCE_KEY,
        "Separator": separator,
        "Quote": fields.text("quote")?.unwrap_or_default(),
        "Keys": fields.texts("key")?,
        "AllowingShortenedFields": fields.flag("acceptNoEnoughKeys")?.unwrap_or(false),
        "OverflowedFieldsTreatment": overflow,
    }))
}

/// What happens to the text of an event: kept in `__raw_log__` when it does not parse (unless it
/// is to be discarded), and in `__raw__` always when asked for.
fn with_raw_log(mut parser: Value, fields: Fields<'_>) -> Result<Value, TranslateError> {
    let keep_failed = !fields.flag("discardUnmatch")?.unwrap_or(true);
    let keep_all = fields.flag("enableRawLog")?.unwrap_or(false);
    let tag = advanced(fields)?.map(|advanced| advanced.text("raw_log_tag")).transpose()?;
    let raw_key = tag.flatten().unwrap_or(RAW_KEY);
    parser["KeepingSourceWhenParseFail"] = json!(keep_failed);
    parser["KeepingSourceWhenParseSucceed"] = json!(keep_all);
    parser["RenamedSourceKey"] = json!(if keep_all { raw_key } else { UNPARSED_KEY });
    if keep_all && keep_failed {
        // One new name serves both cases; this adds `__raw_log__` to failed events.
        parser["CopingRawLog"] = json!(true);
    }
    Ok(parser)
}

fn timestamp(fields: Fields<'_>, log_type: LogType) -> Result<Option<Value>, TranslateError> {
    let format = fields.text("timeFormat")?.unwrap_or_default();
    if format.is_empty() || log_type == LogType::Apsara {
        return Ok(None);
    }
    let key = fields.text("timeKey")?.filter(|key| !key.is_empty());
    // JSON and delimited logs name the field; regex logs have a field of a fixed name.
    let Some(key) = key.or((log_type == LogType::Regex).then_some(TIME_KEY)) else {
        return Ok(None);
    };
    let mut processor =
        json!({"Type": "processor_parse_timestamp_native", "SourceKey": key, "SourceFormat": format});
    if let Some(zone) = zone(fields)? {
        processor["SourceTimezone"] = json!(zone);
    }
    if let Some(advanced) = advanced(fields)? {
        if let Some(year) = advanced.number("specified_year")? {
            processor["SourceYear"] = json!(year);
        }
        if advanced.flag("enable_precise_timestamp")? == Some(true) {
            processor["PreciseTimestampKey"] =
                json!(advanced.text("precise_timestamp_key")?.unwrap_or(PRECISE_KEY));
            processor["PreciseTimestampUnit"] =
                json!(advanced.text("precise_timestamp_unit")?.unwrap_or(PRECISE_UNIT));
        }
    }
    Ok(Some(processor))
}

pub(super) fn advanced(fields: Fields<'_>) -> Result<Option<Fields<'_>>, TranslateError> {
    Ok(fields.object("advanced")?.map(|advanced| Fields::inside(advanced, "advanced.")))
}

fn zone(fields: Fields<'_>) -> Result<Option<&str>, TranslateError> {
    let adjust = fields.flag("adjustTimezone")?.unwrap_or(false);
    let zone = fields.text("logTimezone")?.filter(|zone| !zone.is_empty());
    Ok(zone.filter(|_| adjust))
}

fn filter(fields: Fields<'_>) -> Result<Option<Value>, TranslateError> {
    let keys = fields.texts("filterKey")?;
    let regexes = fields.texts("filterRegex")?;
    let expression = advanced(fields)?.map(|advanced| advanced.object("filter_expression")).transpose()?;
    let expression = expression.flatten();
    if expression.is_none() && keys.len() != regexes.len() {
        return Err(TranslateError::field(
            "filterRegex",
            format!("has {} entries but filterKey {}: give each key one regex", regexes.len(), keys.len()),
        ));
    }
    let utf8_only = fields.flag("discardNonUtf8")?.unwrap_or(false);
    if keys.is_empty() && !utf8_only && expression.is_none() {
        return Ok(None);
    }
    let mut processor = json!({"Type": "processor_filter_regex_native"});
    if let Some(expression) = expression {
        // It alone counts then. Source: `Aggregator` of Logtail 1.1, and LoongCollector's `ProcessorFilterNative`.
        processor["ConditionExp"] = json!(expression);
    } else if !keys.is_empty() {
        processor["FilterKey"] = json!(keys);
        processor["FilterRegex"] = json!(regexes);
    }
    if utf8_only {
        processor["DiscardingNonUTF8"] = json!(true);
    }
    Ok(Some(processor))
}

fn masks(fields: Fields<'_>) -> Result<Vec<Value>, TranslateError> {
    let entries = fields.list("sensitive_keys")?.unwrap_or_default().iter().enumerate();
    entries
        .map(|(n, entry)| {
            let path = format!("sensitive_keys[{n}]");
            let Some(entry) = entry.as_object() else {
                return Err(TranslateError::field(path, "has the wrong type: write an object"));
            };
            let prefix = format!("{path}.");
            mask(Fields::inside(entry, &prefix))
        })
        .collect()
}

fn mask(entry: Fields<'_>) -> Result<Value, TranslateError> {
    let text = |name| Ok::<_, TranslateError>(entry.text(name)?.unwrap_or_default());
    let method = text("type")?;
    let mut processor = json!({
        "Type": "processor_desensitize_native",
        "SourceKey": text("key")?,
        "Method": method,
        "ContentPatternBeforeReplacedString": text("regex_begin")?,
        "ReplacedContentPattern": text("regex_content")?,
        "ReplacingAll": entry.flag("all")?.unwrap_or(false),
    });
    if method == "const" {
        processor["ReplacingString"] = json!(text("const")?);
    }
    Ok(processor)
}
