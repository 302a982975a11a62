//! The native parsers: regex, JSON, delimiter, apsara.

use sls_api::logtail::extra_column;

use super::Findings;
use super::processors::zone;
use super::regex_check::compile;
use super::section::Section;
use crate::parse::{DROPPED_COLUMN, NAME_BYTES_MAX, RAW_LOG_KEY};
use crate::pipeline::{Delimiter, Overflow, Parse, Unmatched};

const REGEX: &str = "processor_parse_regex_native";
const JSON: &str = "processor_parse_json_native";
const DELIMITER: &str = "processor_parse_delimiter_native";
const APSARA: &str = "processor_parse_apsara_native";
pub const PARSERS: [&str; 4] = [REGEX, JSON, DELIMITER, APSARA];

/// Key under which the input hands on an event (collector.md §2.3).
pub const CONTENT: &str = "content";

/// Most bytes of a separator. Source: LoongCollector's delimiter parser.
const SEPARATOR_BYTES_MAX: usize = 4;
/// Quote of a config that names none. Source: as above.
const DEFAULT_QUOTE: u8 = b'"';

/// What a parser makes of an event.
pub struct Parsing {
    pub parse: Parse,
    /// Path of the parser; empty if there is none.
    pub path: String,
    pub unmatched: Unmatched,
    /// Key of the whole event beside its fields.
    pub raw_key: Option<String>,
}

impl Parsing {
    /// Of a config without a parser.
    pub fn none() -> Self {
        let parse = Parse::Simple { key: CONTENT.to_owned() };
        Self { parse, path: String::new(), unmatched: Unmatched::KeepRaw, raw_key: None }
    }

    /// The names of fields that the config lists and that are sent, each with its place in `Keys`.
    pub fn named(&self) -> impl Iterator<Item = (usize, &str)> {
        let (keys, dropped) = match &self.parse {
            Parse::Simple { key } => (std::slice::from_ref(key), None),
            Parse::Regex { keys, .. } => (keys.as_slice(), None),
            Parse::Delimiter(Delimiter { keys, .. }) => (keys.as_slice(), Some(DROPPED_COLUMN)),
            Parse::Json | Parse::Apsara { .. } => (&[][..], None),
        };
        let names = keys.iter().map(String::as_str).enumerate();
        names.filter(move |(_, key)| Some(*key) != dropped)
    }

    /// The key of the events that the parser does not match, if there can be such and they are kept.
    pub fn raw_log_key(&self) -> Option<&'static str> {
        let is_made = !matches!(self.parse, Parse::Simple { .. }) && self.unmatched == Unmatched::KeepRaw;
        is_made.then_some(RAW_LOG_KEY)
    }

    /// Whether the parser may make a field of this name. What JSON and apsara events have is not known
    /// beforehand, nor how many columns a line has.
    pub fn may_make(&self, key: &str) -> bool {
        let may_more = match &self.parse {
            Parse::Simple { .. } | Parse::Regex { .. } => false,
            Parse::Json | Parse::Apsara { .. } => true,
            Parse::Delimiter(Delimiter { keys, overflow, .. }) => {
                extra_column(key).is_some_and(|column| match overflow {
                    Overflow::Extend => column >= keys.len(),
                    Overflow::Keep => column == keys.len(),
                    Overflow::Discard => false,
                })
            }
        };
        may_more || self.named().any(|(_, named)| named == key)
    }
}

/// Reads the parser of this name, one of [`PARSERS`]; `None` after a problem.
pub fn read(kind: &str, mut section: Section, findings: &mut Findings) -> Option<Parsing> {
    let path = section.path().to_owned();
    source_key(&mut section, findings);
    let (unmatched, raw_key) = read_source(&mut section, findings);
    let parse = match kind {
        JSON => Some(Parse::Json),
        DELIMITER => read_delimiter(&mut section, findings),
        APSARA => {
            let offset_seconds = zone(&mut section, "Timezone", findings);
            Some(Parse::Apsara { offset_seconds })
        }
        _ => read_regex(&mut section, findings),
    };
    section.finish(findings);
    Some(Parsing { parse: parse?, path, unmatched, raw_key })
}

fn source_key(section: &mut Section, findings: &mut Findings) {
    if let Some(key) = section.text("SourceKey", findings).filter(|key| key != CONTENT) {
        let message = format!("{key:?} is not there: the event is in {CONTENT:?}");
        findings.problem(section.field("SourceKey"), message);
    }
}

/// What all parsers do with the event as a whole: whether it is sent when they do not match, and the key under
/// which it is sent beside the fields.
fn read_source(section: &mut Section, findings: &mut Findings) -> (Unmatched, Option<String>) {
    let keep_source = section.boolean("KeepingSourceWhenParseFail", findings).unwrap_or(false);
    let keep_always = section.boolean("KeepingSourceWhenParseSucceed", findings).unwrap_or(false);
    let renamed = section.text("RenamedSourceKey", findings).filter(|key| !key.is_empty());
    // An event that does not match is in `__raw_log__` in any case, and in the renamed key if all are.
    section.allow(&["CopingRawLog"]);
    let unmatched = if keep_source { Unmatched::KeepRaw } else { Unmatched::Discard };
    if keep_always {
        return (unmatched, Some(renamed.unwrap_or_else(|| CONTENT.to_owned())));
    }
    if let Some(renamed) = renamed
        && keep_source
        && renamed != RAW_LOG_KEY
    {
        let message = format!("{renamed:?} has no effect: unmatched events are sent in {RAW_LOG_KEY}");
        findings.notice(section.field("RenamedSourceKey"), message);
    }
    (unmatched, None)
}

fn read_regex(section: &mut Section, findings: &mut Findings) -> Option<Parse> {
    let pattern = section.needed_text("Regex", findings);
    let keys = section.texts("Keys", findings);
    check_keys(section, &keys, None, findings);
    let pattern = pattern?;
    let regex = match compile(&pattern) {
        Ok(regex) => regex,
        Err(reason) => {
            findings.problem(section.field("Regex"), reason);
            return None;
        }
    };
    let groups = regex.captures_len().saturating_sub(1);
    if groups != keys.len() {
        let message = format!(
            "{} keys for {groups} capture groups of the regex: name one key for each group, \
             or make a group that needs no key `(?:…)`",
            keys.len()
        );
        findings.problem(section.field("Keys"), message);
        return None;
    }
    Some(match (pattern.as_str(), keys.as_slice()) {
        // Simple mode by definition (collector.md §2.1).
        ("(.*)", [key]) => Parse::Simple { key: key.clone() },
        _ => Parse::Regex { regex, keys },
    })
}

fn read_delimiter(section: &mut Section, findings: &mut Findings) -> Option<Parse> {
    let separator = section.needed_text("Separator", findings).map(|text| match text.as_str() {
        "\\t" => "\t".to_owned(),
        _ => text,
    });
    if let Some(separator) = separator.as_ref().filter(|s| s.len() > SEPARATOR_BYTES_MAX) {
        let message = format!(
            "has {} bytes, at most {SEPARATOR_BYTES_MAX}: write only the text between two columns",
            separator.len()
        );
        findings.problem(section.field("Separator"), message);
    }
    let quote = section.text("Quote", findings).filter(|quote| !quote.is_empty());
    let has_long_separator = separator.as_ref().is_some_and(|s| s.len() > 1);
    let quote = match quote.as_ref().map(|quote| quote.as_bytes()) {
        None => Some(DEFAULT_QUOTE),
        // The SDKs' default for "none" comes with every separator.
        Some([0x01]) => Some(0x01),
        Some(_) if has_long_separator => {
            let message = "has no effect beside a separator of several characters; remove it";
            findings.notice(section.field("Quote"), message);
            None
        }
        Some([quote]) => Some(*quote),
        Some(bytes) => {
            findings.problem(section.field("Quote"), format!("has {} bytes, at most 1", bytes.len()));
            None
        }
    };
    let keys = section.texts("Keys", findings);
    if keys.iter().all(|key| key == DROPPED_COLUMN) {
        findings
            .problem(section.field("Keys"), "names no column that is sent; list the names of the columns");
    }
    check_keys(section, &keys, Some(DROPPED_COLUMN), findings);
    let allows_fewer = section.boolean("AllowingShortenedFields", findings).unwrap_or(true);
    let overflow = match section.text("OverflowedFieldsTreatment", findings).as_deref() {
        None | Some("" | "extend") => Overflow::Extend,
        Some("keep") => Overflow::Keep,
        Some("discard") => Overflow::Discard,
        Some(other) => {
            let message = format!("{other:?} is not known; use extend, keep or discard");
            findings.problem(section.field("OverflowedFieldsTreatment"), message);
            Overflow::Extend
        }
    };
    Some(Parse::Delimiter(Delimiter { separator: separator?, quote, keys, allows_fewer, overflow }))
}

/// `repeatable` may stand more than once.
fn check_keys(section: &Section, keys: &[String], repeatable: Option<&str>, findings: &mut Findings) {
    for (index, key) in keys.iter().enumerate() {
        let field = || section.field(&format!("Keys[{index}]"));
        if key.is_empty() {
            findings.problem(field(), "must not be empty");
        } else if key.len() > NAME_BYTES_MAX {
            let message =
                format!("has {} bytes, at most {NAME_BYTES_MAX}; give it a shorter name", key.len());
            findings.problem(field(), message);
        } else if Some(key.as_str()) != repeatable && keys.iter().take(index).any(|earlier| earlier == key) {
            findings.problem(field(), format!("{key:?} is named twice; give every one its own key"));
        }
    }
}
