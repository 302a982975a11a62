//! A config in the making: what the wizard's form says, and the config that it stands for.

use serde_json::{Map, Value, json};
use sls_api::logtail::{CONSTANT_TOPIC, capture_groups};
use sls_api::ops::logtail_configs::LogtailConfig;

use super::super::forms::Pairs;
use super::super::problem::Problem;

/// Longest sample that is kept with a config, in bytes. Source: API reference, `logSample`.
const SAMPLE_BYTES_MAX: usize = 1_499;
/// The quote that the SDKs send for "none".
const NO_QUOTE: &str = "\u{1}";

/// How the lines of a file are parsed, as the document names the ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    /// A line, or several, in one field.
    #[default]
    Simple,
    /// A regular expression with a key for each group.
    Regex,
    /// The `log_format` of an Nginx.
    Nginx,
    /// Columns.
    Delimiter,
    /// A JSON object a line.
    Json,
    /// All of `inputDetail` by hand: what the other modes cannot show.
    Advanced,
}

impl Mode {
    /// All, in the order of the page.
    pub const ALL: [Self; 6] =
        [Self::Simple, Self::Regex, Self::Nginx, Self::Delimiter, Self::Json, Self::Advanced];

    /// Its name in forms and addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Regex => "regex",
            Self::Nginx => "nginx",
            Self::Delimiter => "delimiter",
            Self::Json => "json",
            Self::Advanced => "advanced",
        }
    }

    /// The mode of this name, else the simple one.
    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|mode| mode.name() == name).unwrap_or_default()
    }

    /// The mode that shows a config.
    fn of(config: &LogtailConfig) -> Self {
        if config.input_type != "file" {
            return Self::Advanced;
        }
        let detail = &config.input_detail;
        match text(detail, "logType").as_str() {
            "json_log" => Self::Json,
            "delimiter_log" => Self::Delimiter,
            "common_reg_log" if detail.get("logFormat").is_some_and(Value::is_string) => Self::Nginx,
            "common_reg_log" => match (text(detail, "regex").as_str(), texts(detail, "key").as_slice()) {
                ("" | "(.*)", []) => Self::Simple,
                ("" | "(.*)", [key]) if key == "content" => Self::Simple,
                _ => Self::Regex,
            },
            _ => Self::Advanced,
        }
    }

    fn has_lines_of_several(self) -> bool {
        matches!(self, Self::Simple | Self::Regex | Self::Nginx)
    }
}

/// The keys of `inputDetail` that the form has fields for; all others stand in [`Draft::more`].
const SHOWN: [&str; 22] = [
    "logType",
    "logPath",
    "filePattern",
    "maxDepth",
    "fileEncoding",
    "dockerFile",
    "topicFormat",
    "logBeginRegex",
    "regex",
    "key",
    "logFormat",
    "separator",
    "quote",
    "autoExtend",
    "timeKey",
    "timeFormat",
    "adjustTimezone",
    "logTimezone",
    "filterKey",
    "filterRegex",
    "discardUnmatch",
    "enableRawLog",
];

/// What the form says. Texts are as they were typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Draft {
    pub mode: Mode,
    pub name: String,
    pub logstore: String,
    pub log_path: String,
    pub file_pattern: String,
    pub max_depth: String,
    pub encoding: String,
    /// `none`, `group_topic`, `constant` or `path`.
    pub topic: String,
    pub topic_text: String,
    pub begin: String,
    pub regex: String,
    pub keys: Vec<String>,
    pub log_format: String,
    pub separator: String,
    pub quote: String,
    pub extends: bool,
    pub time_key: String,
    pub time_format: String,
    pub time_zone: String,
    /// Keys with the regexes that their values must match.
    pub filters: Vec<(String, String)>,
    pub discard_unmatched: bool,
    pub raw_log: bool,
    /// JSON: further keys, or all of them in [`Mode::Advanced`].
    pub more: String,
    pub input_type: String,
    pub sample: String,
    /// Machine groups that are to get it.
    pub groups: Vec<String>,
}

impl Draft {
    /// What is shown first.
    pub fn new(mode: Mode, logstore: &str) -> Self {
        Self {
            mode,
            logstore: logstore.to_owned(),
            max_depth: "0".to_owned(),
            encoding: "utf8".to_owned(),
            topic: "none".to_owned(),
            separator: ",".to_owned(),
            quote: "\"".to_owned(),
            extends: true,
            discard_unmatched: true,
            input_type: "file".to_owned(),
            ..Self::default()
        }
    }

    /// What was sent.
    pub fn sent(form: &Pairs) -> Self {
        let owned = |name: &str| form.text(name).to_owned();
        // Blanks count in these.
        let exact = |name: &str| form.all(name).next().unwrap_or_default().to_owned();
        let mut keys: Vec<String> = form.all("key").map(|key| key.trim().to_owned()).collect();
        while keys.last().is_some_and(String::is_empty) {
            keys.pop();
        }
        let filters = form.all("filter-key").zip(form.all("filter-regex"));
        let filters = filters.filter(|(key, regex)| !key.trim().is_empty() || !regex.is_empty());
        Self {
            mode: Mode::named(form.text("mode")),
            name: owned("name"),
            logstore: owned("logstore"),
            log_path: owned("log-path"),
            file_pattern: owned("file-pattern"),
            max_depth: owned("max-depth"),
            encoding: owned("encoding"),
            topic: owned("topic"),
            topic_text: owned("topic-text"),
            begin: exact("begin"),
            regex: exact("regex"),
            keys,
            log_format: exact("log-format"),
            separator: exact("separator"),
            quote: exact("quote"),
            extends: form.ticked("extends"),
            time_key: owned("time-key"),
            time_format: owned("time-format"),
            time_zone: owned("time-zone"),
            filters: filters.map(|(key, regex)| (key.trim().to_owned(), regex.to_owned())).collect(),
            discard_unmatched: form.ticked("discard-unmatched"),
            raw_log: form.ticked("raw-log"),
            more: owned("more"),
            input_type: form.filled("input-type").unwrap_or("file").to_owned(),
            // Browsers send every newline as two characters.
            sample: exact("sample").replace("\r\n", "\n"),
            groups: form.all("group").map(str::to_owned).collect(),
        }
    }

    /// What is shown of a config that is there, and of the groups that have it.
    pub fn of(config: &LogtailConfig, groups: Vec<String>) -> Self {
        let detail = &config.input_detail;
        let mode = Mode::of(config);
        let (topic, topic_text) = match text(detail, "topicFormat").as_str() {
            "" | "none" | "default" => ("none", String::new()),
            "group_topic" => ("group_topic", String::new()),
            other => match other.strip_prefix(CONSTANT_TOPIC) {
                Some(constant) => ("constant", constant.to_owned()),
                None => ("path", other.to_owned()),
            },
        };
        let others = |(key, _): &(&String, &Value)| mode == Mode::Advanced || !SHOWN.contains(&key.as_str());
        let more: Map<String, Value> =
            detail.iter().filter(others).map(|(key, value)| (key.clone(), value.clone())).collect();
        let filters = texts(detail, "filterKey").into_iter().zip(texts(detail, "filterRegex")).collect();
        let quote = text(detail, "quote");
        Self {
            mode,
            name: config.config_name.to_string(),
            logstore: config.output_detail.logstore_name.to_string(),
            log_path: text(detail, "logPath"),
            file_pattern: text(detail, "filePattern"),
            max_depth: detail
                .get("maxDepth")
                .and_then(Value::as_i64)
                .map(|n| n.to_string())
                .unwrap_or_default(),
            encoding: Some(text(detail, "fileEncoding"))
                .filter(|text| !text.is_empty())
                .unwrap_or("utf8".to_owned()),
            topic: topic.to_owned(),
            topic_text,
            begin: Some(text(detail, "logBeginRegex")).filter(|begin| begin != ".*").unwrap_or_default(),
            regex: text(detail, "regex"),
            keys: texts(detail, "key"),
            log_format: text(detail, "logFormat"),
            separator: text(detail, "separator").replace('\t', "\\t"),
            quote: if quote == NO_QUOTE { String::new() } else { quote },
            extends: flag(detail, "autoExtend", true),
            time_key: text(detail, "timeKey"),
            time_format: text(detail, "timeFormat"),
            time_zone: if flag(detail, "adjustTimezone", false) {
                text(detail, "logTimezone")
            } else {
                String::new()
            },
            filters,
            discard_unmatched: flag(detail, "discardUnmatch", true),
            raw_log: flag(detail, "enableRawLog", false),
            more: if more.is_empty() { String::new() } else { pretty(&more) },
            input_type: config.input_type.clone(),
            sample: config.log_sample.clone().unwrap_or_default(),
            groups,
        }
    }

    /// Names that the parser needs: groups of the regex, or columns of the sample.
    pub fn wanted_keys(&self) -> usize {
        match self.mode {
            Mode::Regex => capture_groups(&self.regex).unwrap_or(self.keys.len()),
            Mode::Delimiter => {
                let line = self.sample.lines().next().unwrap_or_default();
                let separator = separator(&self.separator);
                let columns = if separator.is_empty() { 0 } else { line.matches(&separator).count() + 1 };
                if line.is_empty() { self.keys.len() } else { columns }
            }
            _ => 0,
        }
    }

    /// `inputDetail` as the form says it.
    pub fn detail(&self) -> Result<Map<String, Value>, Problem> {
        let mut detail = self.further()?;
        if self.mode == Mode::Advanced {
            return Ok(detail);
        }
        let mut set = |key: &str, value: Value| detail.insert(key.to_owned(), value);
        let log_type = match self.mode {
            Mode::Json => "json_log",
            Mode::Delimiter => "delimiter_log",
            _ => "common_reg_log",
        };
        set("logType", json!(log_type));
        set("logPath", json!(self.log_path));
        set("filePattern", json!(self.file_pattern));
        set("dockerFile", json!(false));
        if !self.max_depth.is_empty() {
            let depth: i64 = self
                .max_depth
                .parse()
                .map_err(|_| Problem::bad(format!("max-depth: {:?} is no number", self.max_depth)))?;
            set("maxDepth", json!(depth));
        }
        if !self.encoding.is_empty() {
            set("fileEncoding", json!(self.encoding));
        }
        let topic = match self.topic.as_str() {
            "constant" => format!("{CONSTANT_TOPIC}{}", self.topic_text),
            "path" => self.topic_text.clone(),
            other => other.to_owned(),
        };
        set("topicFormat", json!(topic));
        if self.mode.has_lines_of_several() {
            set("logBeginRegex", json!(if self.begin.is_empty() { ".*" } else { &self.begin }));
        }
        match self.mode {
            Mode::Simple => {
                set("regex", json!("(.*)"));
                set("key", json!(["content"]));
            }
            Mode::Regex => {
                set("regex", json!(self.regex));
                set("key", json!(self.keys));
            }
            Mode::Nginx => {
                set("logFormat", json!(self.log_format));
            }
            Mode::Delimiter => {
                set("separator", json!(separator(&self.separator)));
                set("quote", json!(if self.quote.is_empty() { NO_QUOTE } else { &self.quote }));
                set("key", json!(self.keys));
                set("autoExtend", json!(self.extends));
            }
            Mode::Json | Mode::Advanced => {}
        }
        if !self.time_key.is_empty() || !self.time_format.is_empty() {
            set("timeKey", json!(self.time_key));
            set("timeFormat", json!(self.time_format));
        }
        if !self.time_zone.is_empty() {
            set("adjustTimezone", json!(true));
            set("logTimezone", json!(self.time_zone));
        }
        if !self.filters.is_empty() {
            let (keys, regexes): (Vec<&String>, Vec<&String>) =
                self.filters.iter().map(|(key, regex)| (key, regex)).unzip();
            set("filterKey", json!(keys));
            set("filterRegex", json!(regexes));
        }
        set("discardUnmatch", json!(self.discard_unmatched));
        set("enableRawLog", json!(self.raw_log));
        Ok(detail)
    }

    /// The keys that were written by hand.
    fn further(&self) -> Result<Map<String, Value>, Problem> {
        if self.more.is_empty() {
            return Ok(Map::new());
        }
        let value = serde_json::from_str(&self.more)
            .map_err(|error| Problem::bad(format!("further keys: not a JSON object: {error}")))?;
        let Value::Object(more) = value else {
            return Err(Problem::bad("further keys: write a JSON object"));
        };
        let shown = more.keys().find(|key| SHOWN.contains(&key.as_str()));
        match shown.filter(|_| self.mode != Mode::Advanced) {
            Some(key) => {
                Err(Problem::bad(format!("further keys: {key} has a field of its own in this form")))
            }
            None => Ok(more),
        }
    }

    /// The config; what `base` says and the form does not stays.
    pub fn config(&self, base: Option<LogtailConfig>) -> Result<LogtailConfig, Problem> {
        let bad = |field: &str, error: &dyn std::fmt::Display| Problem::bad(format!("{field}: {error}"));
        let name = self.name.parse().map_err(|error| bad("name", &error))?;
        let logstore = self.logstore.parse().map_err(|error| bad("Logstore", &error))?;
        let mut config = base.unwrap_or_else(|| LogtailConfig::file(name, Map::new(), logstore));
        config.output_detail.logstore_name =
            self.logstore.parse().map_err(|error| bad("Logstore", &error))?;
        config.input_type =
            if self.mode == Mode::Advanced { self.input_type.clone() } else { "file".to_owned() };
        config.input_detail = self.detail()?;
        config.log_sample = Some(kept(&self.sample)).filter(|sample| !sample.is_empty()).map(str::to_owned);
        Ok(config)
    }
}

/// The first lines of a sample that may be kept.
fn kept(sample: &str) -> &str {
    if sample.len() <= SAMPLE_BYTES_MAX {
        return sample;
    }
    let end = (0..=SAMPLE_BYTES_MAX).rev().find(|end| sample.is_char_boundary(*end)).unwrap_or(0);
    let part = sample.get(..end).unwrap_or_default();
    part.rsplit_once('\n').map_or(part, |(lines, _)| lines)
}

/// A separator as it is typed: a tab is `\t`.
fn separator(typed: &str) -> String {
    typed.replace("\\t", "\t")
}

pub(super) fn pretty(value: &Map<String, Value>) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn text(detail: &Map<String, Value>, key: &str) -> String {
    detail.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(detail: &Map<String, Value>, key: &str) -> Vec<String> {
    let list = detail.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn flag(detail: &Map<String, Value>, key: &str, default: bool) -> bool {
    detail.get(key).and_then(Value::as_bool).unwrap_or(default)
}
