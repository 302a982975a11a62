//! `inputs[0]` (input_file): which files, and how they are read.

use std::num::NonZeroU16;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::section::{Plugin, Section};
use super::{Findings, multiline};
use crate::encoding::Encoding;
use crate::matcher::Matcher;
use crate::pipeline::{Excluded, FileInput, Multiline, PositionMeta};
use crate::shape::OFFSET_KEY;

/// Default of `TailSizeKB`. Source: collector.md §2.2.
const TAIL_SIZE_KB_DEFAULT: u64 = 1024;

/// Largest `TailSizeKB`, in KiB. Source: guess (the vendor's bound was not looked up).
const TAIL_SIZE_KB_MAX: u64 = 100 * 1024 * 1024;

/// Default of `FlushTimeoutSecs`. Source: collector.md §2.2 (60 s, 5 s in older versions).
const FLUSH_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// Default of `ReadDelayAlertThresholdBytes`. Source: `delayAlarmBytes` (collector.md §2.1).
const DELAY_ALARM_BYTES: u64 = 200 * 1024 * 1024;

/// Most hash keys of a file. Source: collector.md §3.3.
const EXACTLY_ONCE_MAX: i64 = 512;

/// Largest depth (API range, collector.md §2.1).
const DEPTH_MAX: u32 = 1000;

/// What an input says.
pub struct Input {
    pub files: FileInput,
    pub multiline: Multiline,
    /// `EnableExactlyOnce`: hash keys of each file.
    pub exactly_once: Option<NonZeroU16>,
}

/// `None` after a problem.
pub fn read(plugin: Plugin, findings: &mut Findings) -> Option<Input> {
    let Plugin { kind, mut section } = plugin;
    if kind != "input_file" {
        findings.problem(
            section.field("Type"),
            format!(
                "{kind} is not supported by this collector; use input_file (a sidecar collects files only)"
            ),
        );
        return None;
    }
    let depth = depth(&mut section, findings);
    let place = file_place(&mut section, depth, findings);
    let multiline = multiline::read(section.section("Multiline", findings), findings);
    let tail_kb = tail_kb(&mut section, findings);
    let flush_timeout = flush_timeout(&mut section, findings);
    let encoding = encoding(&mut section, findings);
    if section.boolean("EnableContainerDiscovery", findings) == Some(true) {
        // Logtail outside a DaemonSet ignores it with an alarm (collector.md §2.1, dockerFile).
        let field = section.field("EnableContainerDiscovery");
        findings
            .notice(field, "is ignored: a sidecar reads the files of its own pod; set dockerFile to false");
    }
    // What TailingAllMatchedFiles asks for is done anyway: files that are there already are read too.
    section.allow(&["TailingAllMatchedFiles", "ContainerFilters", "AllowingIncludedByMultiConfigs"]);
    // -1, the default of the vendor's agent, asks for what is done.
    if let Some(0..) = section.integer("PreservedDirDepth", findings) {
        let message =
            "has no effect in this collector: directories are watched as long as a config names them";
        findings.notice(section.field("PreservedDirDepth"), message);
    }
    let position_meta = position_meta(&mut section, findings);
    let excluded = excluded(&mut section, findings);
    let of_container = "tags come from ALIYUN_LOG_ENV_TAGS and ALIYUN_LOG_FILE_TAGS";
    section.without_effect(&["Tags", "ExternalK8sLabelTag", "ExternalEnvTag"], of_container, findings);
    let exactly_once = exactly_once(&mut section, findings);
    let delay_alarm_bytes = delay_alarm_bytes(&mut section, findings);
    let exclude_dirs = section.field("ExcludeDirs");
    section.finish(findings);
    let (directory, file_pattern) = place?;
    let files = FileInput {
        directory,
        file_pattern,
        max_depth: depth,
        tail_existing: false,
        tail_bytes: tail_kb.saturating_mul(1024),
        flush_timeout,
        encoding,
        position_meta,
        delay_alarm_bytes,
        excluded,
    };
    if Matcher::new(&files).is_empty() {
        findings.problem(
            exclude_dirs,
            "leaves out the directory that FilePaths names, so there is no file; remove it",
        );
    }
    Some(Input { files, multiline: multiline?, exactly_once })
}

/// `ExcludeFiles`, `ExcludeFilePaths`, `ExcludeDirs`. What the vendor's agent passes over in these lists is refused:
/// files would be collected that are not to be.
fn excluded(section: &mut Section, findings: &mut Findings) -> Excluded {
    let mut list = |key: &str, problem: fn(&str) -> Option<&'static str>| {
        let patterns = section.texts(key, findings);
        for (index, pattern) in patterns.iter().enumerate() {
            if let Some(problem) = problem(pattern) {
                findings.problem(section.field(&format!("{key}[{index}]")), format!("{pattern:?} {problem}"));
            }
        }
        patterns
    };
    let path = |pattern: &str| (!pattern.starts_with('/')).then_some("is not absolute; begin with /");
    Excluded {
        names: list("ExcludeFiles", |pattern| {
            pattern.contains('/').then_some("is no name of a file; write paths into ExcludeFilePaths")
        }),
        paths: list("ExcludeFilePaths", path),
        directories: list("ExcludeDirs", path),
    }
}

/// `TailSizeKB`.
fn tail_kb(section: &mut Section, findings: &mut Findings) -> u64 {
    let Some(kb) = section.integer("TailSizeKB", findings) else { return TAIL_SIZE_KB_DEFAULT };
    let (used, wanted) = match u64::try_from(kb) {
        Ok(kb) if kb <= TAIL_SIZE_KB_MAX => return kb,
        Ok(_) => (TAIL_SIZE_KB_MAX, format!("at most {TAIL_SIZE_KB_MAX}")),
        Err(_) => (TAIL_SIZE_KB_DEFAULT, "0 or more".to_owned()),
    };
    findings.notice(section.field("TailSizeKB"), format!("must be {wanted}; {used} is used"));
    used
}

/// `ReadDelayAlertThresholdBytes`.
fn delay_alarm_bytes(section: &mut Section, findings: &mut Findings) -> u64 {
    let Some(bytes) = section.integer("ReadDelayAlertThresholdBytes", findings) else {
        return DELAY_ALARM_BYTES;
    };
    u64::try_from(bytes).ok().filter(|bytes| *bytes > 0).unwrap_or_else(|| {
        let message = format!("must be 1 or more; {DELAY_ALARM_BYTES} is used");
        findings.notice(section.field("ReadDelayAlertThresholdBytes"), message);
        DELAY_ALARM_BYTES
    })
}

/// `EnableExactlyOnce` is a number; 0 is off.
fn exactly_once(section: &mut Section, findings: &mut Findings) -> Option<NonZeroU16> {
    let keys = section.integer("EnableExactlyOnce", findings)?;
    if !(0..=EXACTLY_ONCE_MAX).contains(&keys) {
        let message = format!("must be 0 (off) to {EXACTLY_ONCE_MAX}; the nearest of these is used");
        findings.notice(section.field("EnableExactlyOnce"), message);
    }
    u16::try_from(keys.clamp(0, EXACTLY_ONCE_MAX)).ok().and_then(NonZeroU16::new)
}

/// `MaxDirSearchDepth`; negative means without limit.
fn depth(section: &mut Section, findings: &mut Findings) -> u32 {
    match section.integer("MaxDirSearchDepth", findings) {
        None => 0,
        Some(depth) => u32::try_from(depth).unwrap_or(DEPTH_MAX).min(DEPTH_MAX),
    }
}

fn file_place(section: &mut Section, depth: u32, findings: &mut Findings) -> Option<(PathBuf, String)> {
    let field = section.field("FilePaths");
    let paths = section.texts("FilePaths", findings);
    let [path] = paths.as_slice() else {
        findings.problem(field, format!("must hold exactly one path, not {}", paths.len()));
        return None;
    };
    match split_path(path) {
        Ok((directory, file, searches_below)) => {
            if depth > 0 && !searches_below {
                findings.notice(
                    section.field("MaxDirSearchDepth"),
                    "searches below the directory although the path has no `**`",
                );
            }
            Some((directory, file))
        }
        Err(reason) => {
            findings.problem(field, format!("{path:?} {reason}"));
            None
        }
    }
}

/// `/a/*/b/**/c*.log` → `/a/*/b`, `c*.log`, and whether `**` was there.
fn split_path(path: &str) -> Result<(PathBuf, String, bool), &'static str> {
    let path = Path::new(path);
    if !path.is_absolute() {
        return Err("must be an absolute path");
    }
    if path.components().any(|part| matches!(part, Component::ParentDir)) {
        return Err("must not contain `..`");
    }
    let file =
        path.file_name().and_then(|name| name.to_str()).ok_or("must end with a file name or pattern")?;
    if file == "**" || path.to_str().is_some_and(|text| text.ends_with('/')) {
        return Err("must end with a file name or pattern, e.g. *.log");
    }
    let directory = path.parent().ok_or("must name a directory and a file")?;
    let searches_below = directory.file_name().is_some_and(|name| name == "**");
    let directory = if searches_below { directory.parent().unwrap_or(directory) } else { directory };
    if directory.components().any(|part| part.as_os_str() == "**") {
        return Err("may hold `**` once, directly before the file name");
    }
    Ok((directory.to_owned(), file.to_owned(), searches_below))
}

fn flush_timeout(section: &mut Section, findings: &mut Findings) -> Duration {
    let Some(seconds) = section.integer("FlushTimeoutSecs", findings) else { return FLUSH_TIMEOUT_DEFAULT };
    match u64::try_from(seconds) {
        Ok(seconds) if (1..=86_400).contains(&seconds) => Duration::from_secs(seconds),
        _ => {
            findings.notice(section.field("FlushTimeoutSecs"), "must be 1 to 86400 seconds; 60 is used");
            FLUSH_TIMEOUT_DEFAULT
        }
    }
}

/// The older switch for both, and the newer name of the offset's field (LoongCollector, input_file).
fn position_meta(section: &mut Section, findings: &mut Findings) -> PositionMeta {
    let is_on = section.boolean("AppendingLogPositionMeta", findings).unwrap_or(false);
    let named = section.text("FileOffsetKey", findings).filter(|key| !key.is_empty());
    PositionMeta { inode: is_on, offset_key: named.or_else(|| is_on.then(|| OFFSET_KEY.to_owned())) }
}

fn encoding(section: &mut Section, findings: &mut Findings) -> Encoding {
    let name = section.text("FileEncoding", findings).unwrap_or_default();
    match name.to_ascii_lowercase().as_str() {
        "" | "utf8" | "utf-8" => Encoding::Utf8,
        "gbk" => Encoding::Gbk,
        _ => {
            let message = format!("{name:?} is not supported by this collector; use utf8 or gbk");
            findings.problem(section.field("FileEncoding"), message);
            Encoding::Utf8
        }
    }
}
