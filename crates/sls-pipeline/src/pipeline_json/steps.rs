//! `processor_filter_regex_native`, `processor_timestamp_filter_native` and `processor_desensitize_native`.

use regex::bytes::Regex;
use serde_json::Value;
use sls_api::logtail::{Condition, read_condition};

use super::Findings;
use super::parsers::Parsing;
use super::regex_check::{compile, compile_mask, syntax};
use super::section::Section;
use crate::pipeline::{Mask, MaskBy, Step, TimeSpan};

pub const FILTER: &str = "processor_filter_regex_native";
pub const TIME_FILTER: &str = "processor_timestamp_filter_native";
pub const MASK: &str = "processor_desensitize_native";

/// A step that is not yet checked against the keys.
pub struct Unchecked {
    /// Path of the field that names the keys.
    field: String,
    step: Step,
}

/// The steps of a filter; what is wrong with it is among the findings.
pub fn read_filter(mut section: Section, findings: &mut Findings) -> Vec<Unchecked> {
    let mut steps = Vec::new();
    match section.take("ConditionExp") {
        // The lists count for nothing then. Source: LoongCollector's `ProcessorFilterNative`.
        Some(expression) => {
            for key in ["FilterKey", "FilterRegex", "Include"] {
                if section.take(key).is_some() {
                    findings.notice(section.field(key), "has no effect beside ConditionExp; remove it");
                }
            }
            let field = section.field("ConditionExp");
            let step = read_expression(&expression, &field, findings).map(Step::Filter);
            steps.extend(step.map(|step| Unchecked { field, step }));
        }
        None => steps.extend(read_lists(&mut section, findings)),
    }
    if section.boolean("DiscardingNonUTF8", findings) == Some(true) {
        steps.push(Unchecked { field: section.field("DiscardingNonUTF8"), step: Step::BlankNonUtf8 });
    }
    section.finish(findings);
    steps
}

fn read_expression(value: &Value, field: &str, findings: &mut Findings) -> Option<Condition<Regex>> {
    let condition = match read_condition(value, field) {
        Ok(condition) => condition,
        Err(faults) => {
            for fault in faults {
                findings.problem(fault.field, fault.message);
            }
            return None;
        }
    };
    condition.map(&mut |pattern| {
        let compiled = compile(&pattern.text);
        compiled.map_err(|reason| findings.problem(format!("{}.exp", pattern.place), reason)).ok()
    })
}

/// `FilterKey` with `FilterRegex`, or `Include`.
fn read_lists(section: &mut Section, findings: &mut Findings) -> Option<Unchecked> {
    let keys = section.texts("FilterKey", findings);
    let regexes = section.texts("FilterRegex", findings);
    let include = section.text_map("Include", findings);
    if keys.len() != regexes.len() {
        let message =
            format!("has {} entries but FilterKey {}: give each key one", regexes.len(), keys.len());
        findings.problem(section.field("FilterRegex"), message);
    } else if !keys.is_empty() && !include.is_empty() {
        findings.problem(section.field("Include"), "stands beside FilterKey; write one of the two");
    }
    let field = section.field(if keys.is_empty() { "Include" } else { "FilterKey" });
    let rules: Vec<(String, String, String)> = if keys.is_empty() {
        include.into_iter().map(|(key, regex)| (format!("Include.{key}"), key, regex)).collect()
    } else {
        let rules = keys.into_iter().zip(regexes).enumerate();
        rules.map(|(index, (key, regex))| (format!("FilterRegex[{index}]"), key, regex)).collect()
    };
    let mut compiled = Vec::new();
    for (place, key, regex) in rules {
        match compile(&regex) {
            Ok(regex) => compiled.push((key, regex)),
            Err(reason) => findings.problem(section.field(&place), reason),
        }
    }
    (!compiled.is_empty()).then(|| Unchecked { field, step: Step::all_of(compiled) })
}

/// A filter by time. Source: LoongCollector's `ProcessorTimestampFilterNative`, which takes a precision that it does
/// not know for seconds.
pub fn read_time_filter(mut section: Section, findings: &mut Findings) -> Option<Unchecked> {
    let key = section.text("SourceKey", findings).filter(|key| !key.is_empty());
    let precision = section.text("TimestampPrecision", findings).unwrap_or_default();
    let unit_nanos = match precision.to_ascii_lowercase().as_str() {
        "" | "second" => Some(1_000_000_000),
        "millisecond" => Some(1_000_000),
        "nanosecond" => Some(1),
        _ => {
            let message = format!("{precision:?} is not known; use second, millisecond or nanosecond");
            findings.problem(section.field("TimestampPrecision"), message);
            None
        }
    };
    let from = section.integer("LowerBound", findings).unwrap_or(0);
    let to = section.integer("UpperBound", findings).filter(|to| *to > 0).unwrap_or(i64::MAX);
    if from > to {
        let message = format!("is after UpperBound {to}, so every log would be dropped; exchange the two");
        findings.problem(section.field("LowerBound"), message);
    }
    let field = section.field("SourceKey");
    section.finish(findings);
    Some(Unchecked { field, step: Step::Span(TimeSpan { key, unit_nanos: unit_nanos?, from, to }) })
}

/// `None` after a problem.
pub fn read_mask(mut section: Section, findings: &mut Findings) -> Option<Unchecked> {
    let key = section.needed_text("SourceKey", findings);
    let method = section.needed_text("Method", findings);
    let text = section.text("ReplacingString", findings);
    let by = match method.as_deref() {
        Some("md5") => Some(MaskBy::Md5),
        Some("const") => {
            if text.is_none() {
                findings.problem(section.field("ReplacingString"), "is missing: Method const needs it");
            }
            text.map(MaskBy::Text)
        }
        Some(other) => {
            findings.problem(section.field("Method"), format!("{other:?} is not known; use const or md5"));
            None
        }
        None => None,
    };
    let before = section.text("ContentPatternBeforeReplacedString", findings).unwrap_or_default();
    let replaced = section.needed_text("ReplacedContentPattern", findings);
    let all = section.boolean("ReplacingAll", findings).unwrap_or(true);
    let regex = replaced.and_then(|replaced| {
        let (name, compiled) = match syntax(&before) {
            Err(reason) => ("ContentPatternBeforeReplacedString", Err(reason)),
            Ok(()) => ("ReplacedContentPattern", compile_mask(&before, &replaced)),
        };
        compiled.map_err(|reason| findings.problem(section.field(name), reason)).ok()
    });
    let field = section.field("SourceKey");
    section.finish(findings);
    Some(Unchecked { field, step: Step::Mask(Mask { key: key?, regex: regex?, all, by: by? }) })
}

/// Checks the steps against the keys of the fields that they see; `None` after a problem.
///
/// A filter on a key that no event has would drop everything; a mask of one hides nothing. That is so for
/// the event as a whole and its offset too, which are added after the steps.
pub fn of_the_keys(steps: Vec<Unchecked>, parsing: &Parsing, findings: &mut Findings) -> Option<Vec<Step>> {
    let known = findings.problems.len();
    let is_made = |key: &str| parsing.may_make(key) || parsing.raw_log_key() == Some(key);
    let made: Vec<&str> = parsing.named().map(|(_, key)| key).chain(parsing.raw_log_key()).collect();
    for Unchecked { field, step } in &steps {
        match step {
            Step::Filter(condition) => {
                let drops_all = condition.constant(&is_made) == Some(false);
                for (key, _) in condition.fields().into_iter().filter(|(key, _)| !is_made(key)) {
                    let (name, made) = (format!("no field is named {key:?}"), made.join(", "));
                    if drops_all {
                        let message = format!("{name}, so every log would be dropped; name one of {made}");
                        findings.problem(field.as_str(), message);
                    } else {
                        let message = format!("{name}, so a condition on it never holds; name one of {made}");
                        findings.notice(field.as_str(), message);
                    }
                }
            }
            Step::Span(TimeSpan { key: Some(key), .. }) if !is_made(key) => {
                let message = format!(
                    "no field is named {key:?}, so every log goes on; name one of {}, or none for the time of the log",
                    made.join(", ")
                );
                findings.notice(field.as_str(), message);
            }
            Step::Span(_) | Step::BlankNonUtf8 => {}
            Step::Mask(mask) if !is_made(&mask.key) => {
                let message = format!(
                    "no field is named {:?}, so nothing is masked; name one of {}",
                    mask.key,
                    made.join(", ")
                );
                findings.problem(field.as_str(), message);
            }
            Step::Mask(mask) => {
                if let Some(raw_key) = &parsing.raw_key {
                    let message = format!(
                        "masks {:?} only: the text is still in {raw_key:?}, beside the fields",
                        mask.key
                    );
                    findings.notice(field.as_str(), message);
                }
            }
        }
    }
    let steps = steps.into_iter().map(|unchecked| unchecked.step).collect();
    (findings.problems.len() == known).then_some(steps)
}
