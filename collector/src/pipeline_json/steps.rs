//! `processor_filter_regex_native` and `processor_desensitize_native`.

use super::Findings;
use super::parsers::Parsing;
use super::regex_check::{compile, compile_mask, syntax};
use super::section::Section;
use crate::pipeline::{Mask, MaskBy, Step};

pub const FILTER: &str = "processor_filter_regex_native";
pub const MASK: &str = "processor_desensitize_native";

/// A step that is not yet checked against the keys.
pub struct Unchecked {
    /// Path of the field that names the keys.
    field: String,
    step: Step,
}

/// The steps of a filter; what is wrong with it is among the findings.
pub fn read_filter(mut section: Section, findings: &mut Findings) -> Vec<Unchecked> {
    let keys = section.texts("FilterKey", findings);
    let regexes = section.texts("FilterRegex", findings);
    let include = section.text_map("Include", findings);
    let mut steps = Vec::new();
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
    if !compiled.is_empty() {
        steps.push(Unchecked { field: field.clone(), step: Step::Filter(compiled) });
    }
    if section.boolean("DiscardingNonUTF8", findings) == Some(true) {
        steps.push(Unchecked { field, step: Step::BlankNonUtf8 });
    }
    section.unsupported(&["ConditionExp"], findings);
    section.finish(findings);
    steps
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
            Step::Filter(rules) => {
                for (key, _) in rules.iter().filter(|(key, _)| !is_made(key)) {
                    let message = format!(
                        "no field is named {key:?}, so every log would be dropped; name one of {}",
                        made.join(", ")
                    );
                    findings.problem(field.as_str(), message);
                }
            }
            Step::BlankNonUtf8 => {}
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
