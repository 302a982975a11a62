//! The file input: which files, and how lines become events.

use serde_json::{Map, Value, json};

use super::processors::advanced;
use super::{LogType, TranslateError};
use crate::logtail::fields::Fields;

/// Deepest search below a directory. Source: range of `maxDepth` in the API document.
const DEPTH_MAX: i64 = 1000;
/// A begin regex that every line matches: the events are single lines.
const EVERY_LINE: &str = ".*";

pub(super) fn input_file(fields: Fields<'_>, log_type: LogType) -> Result<Value, TranslateError> {
    let mut input = Map::new();
    input.insert("Type".into(), json!("input_file"));
    // -1 is "unlimited" in agent configs.
    let depth = fields.number("maxDepth")?.filter(|d| (0..=DEPTH_MAX).contains(d)).unwrap_or(DEPTH_MAX);
    input.insert("FilePaths".into(), json!([file_path(fields, depth)?]));
    input.insert("MaxDirSearchDepth".into(), json!(depth));
    input.insert("FileEncoding".into(), json!(fields.text("fileEncoding")?.unwrap_or("utf8")));
    if let Some(start) = begin_regex(fields, log_type)? {
        // A line before the first begin becomes an event of its own. Source: LoongCollector's
        // default treatment.
        input.insert(
            "Multiline".into(),
            json!({"Mode": "custom", "StartPattern": start, "UnmatchedContentTreatment": "single_line"}),
        );
    }
    // Means "existing files too", under the rule for files seen first; not "from their end".
    // Source: LoongCollector `LogFileReader::InitReader`.
    if fields.flag("tailExisted")? == Some(true) {
        input.insert("TailingAllMatchedFiles".into(), json!(true));
    }
    if fields.flag("dockerFile")? == Some(true) {
        input.insert("EnableContainerDiscovery".into(), json!(true));
    }
    if fields.flag("preserve")? == Some(false) {
        let depth = fields.number("preserveDepth")?.unwrap_or_default();
        input.insert("PreservedDirDepth".into(), json!(depth));
    }
    // Source of the name: LoongCollector's `FileReaderOptions`.
    if let Some(bytes @ 1..) = fields.number("delayAlarmBytes")? {
        input.insert("ReadDelayAlertThresholdBytes".into(), json!(bytes));
    }
    let exclude_dirs: Vec<String> =
        fields.texts("dirPatternBlackList")?.into_iter().map(across_slashes).collect();
    if !exclude_dirs.is_empty() {
        input.insert("ExcludeDirs".into(), json!(exclude_dirs));
    }
    if let Some(advanced) = advanced(fields)? {
        add_advanced(advanced, &mut input)?;
    }
    Ok(Value::Object(input))
}

/// A pattern of `dirPatternBlackList`, in which `*` stands for slashes too, as one of `ExcludeDirs`, in which `**` says
/// so. Source: `ConfigManagerBase` of Logtail 1.1, which calls `fnmatch` without flags.
fn across_slashes(pattern: &str) -> String {
    let slash = if pattern.starts_with('*') { "/" } else { "" };
    let stars = if pattern.contains("**") { pattern.to_owned() } else { pattern.replacen('*', "**", 1) };
    format!("{slash}{stars}")
}

/// Directory and name pattern as one path; `**` stands for the searched levels.
fn file_path(fields: Fields<'_>, depth: i64) -> Result<String, TranslateError> {
    let required = |name: &'static str, example: &str| {
        let text = fields.text(name)?.unwrap_or_default();
        if text.is_empty() {
            return Err(TranslateError::field(name, format!("is missing: write for example {example}")));
        }
        Ok(text)
    };
    let directory = required("logPath", "/var/log/nginx")?;
    let pattern = required("filePattern", "access.log")?;
    if !directory.starts_with('/') {
        return Err(TranslateError::field("logPath", format!("{directory:?} is not absolute: begin with /")));
    }
    if pattern.contains('/') {
        return Err(TranslateError::field(
            "filePattern",
            format!("{pattern:?} contains a '/': put the directory into logPath"),
        ));
    }
    let directory = directory.trim_end_matches('/');
    Ok(match depth {
        0 => format!("{directory}/{pattern}"),
        _ => format!("{directory}/**/{pattern}"),
    })
}

fn begin_regex(fields: Fields<'_>, log_type: LogType) -> Result<Option<&str>, TranslateError> {
    if !matches!(log_type, LogType::Regex | LogType::Apsara) {
        return Ok(None);
    }
    let begin = fields.text("logBeginRegex")?;
    Ok(begin.filter(|begin| !begin.is_empty() && *begin != EVERY_LINE))
}

/// The part of `advanced` that concerns reading.
fn add_advanced(advanced: Fields<'_>, input: &mut Map<String, Value>) -> Result<(), TranslateError> {
    if let Some(size) = advanced.number("tail_size_kb")? {
        input.insert("TailSizeKB".into(), json!(size));
    }
    if advanced.flag("force_multiconfig")? == Some(true) {
        input.insert("AllowingIncludedByMultiConfigs".into(), json!(true));
    }
    if advanced.flag("enable_log_position_meta")? == Some(true) {
        input.insert("AppendingLogPositionMeta".into(), json!(true));
    }
    if let Some(keys @ 1..) = advanced.number("exactly_once_concurrency")? {
        input.insert("EnableExactlyOnce".into(), json!(keys));
    }
    let Some(lists) = advanced.object("blacklist")? else {
        return Ok(());
    };
    let lists = Fields::inside(lists, "advanced.blacklist.");
    for (from, to) in [
        ("dir_blacklist", "ExcludeDirs"),
        ("filename_blacklist", "ExcludeFiles"),
        ("filepath_blacklist", "ExcludeFilePaths"),
    ] {
        let list = lists.texts(from)?;
        if !list.is_empty() {
            let patterns = input.entry(to).or_insert_with(|| json!([]));
            patterns
                .as_array_mut()
                .into_iter()
                .for_each(|all| all.extend(list.iter().map(|text| json!(text))));
        }
    }
    Ok(())
}
