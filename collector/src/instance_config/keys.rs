//! Reading keys by type, from the environment or the file, and noticing what is wrong with them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde_json::{Map, Value};
use sls_api::sign::Secret;

use crate::env::Env;
use sls_api::nearest::nearest;

/// Keys with an effect here.
const USED: &[&str] = &[
    "config_server_list",
    "data_servers",
    "data_server_list",
    "primary_region",
    "default_access_key_id",
    "default_access_key",
    "heartbeat_interval",
    "working_ip",
    "working_hostname",
    "check_point_path",
    "shared_state_path",
    "tasksite",
    "termination_log",
    "ilogtail_tags",
    "exit_flushout_duration",
    "exit_on_idle",
    "exit_quiet_seconds",
    "http_probe_port",
    "send_request_concurrency",
];

/// Keys of the vendor's agent that are accepted and have no effect. Source: collector.md §1.4, §1.6.
const WITHOUT_EFFECT: &[&str] = &[
    "accept_multi_config",
    "batch_send_interval",
    "batch_send_metric_size",
    "bind_interface",
    "buffer_file_num",
    "buffer_file_path",
    "buffer_file_size",
    "bytes_per_sec",
    "check_point_dump_interval",
    "cpu_usage_limit",
    "data_server_port",
    "default_tail_limit_kb",
    "discard_old_data",
    "docker_file_cache_path",
    "enable_full_drain_mode",
    "enable_log_time_auto_adjust",
    "host_path_blacklist",
    "inotify_black_list",
    "max_bytes_per_sec",
    "max_multi_config",
    "max_read_buffer_size",
    "mem_usage_limit",
    "no_inotify",
    "process_thread_count",
    "streamlog_open",
    "sys_conf_dir",
    "user_config_file_path",
];

/// Keys that name the vendor's own config servers, whose protocol is not public.
const CLOSED_CHANNEL: &[&str] = &["config_server_address", "config_servers", "config_server_address_list"];

/// Kind of a JSON value, for messages; never its content, which may be a secret.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The file's keys with the environment's on top.
pub struct Parameters<'e> {
    object: Map<String, Value>,
    env: &'e Env,
    notices: Vec<String>,
}

/// A value and who gave it.
struct Given {
    value: Value,
    /// The key, or the variable.
    by: String,
}

impl<'e> Parameters<'e> {
    pub fn new(object: Map<String, Value>, env: &'e Env) -> Self {
        let mut this = Self { object, env, notices: Vec::new() };
        this.notice_other_keys();
        this
    }

    pub fn notice(&mut self, text: String) {
        self.notices.push(text);
    }

    pub fn into_notices(self) -> Vec<String> {
        self.notices
    }

    fn given(&self, key: &str) -> Option<Given> {
        if let Some(parameter) = self.env.parameter(key) {
            let by = format!("environment variable {}", parameter.variable);
            return Some(Given { value: Value::String(parameter.value.to_owned()), by });
        }
        let value = self.object.get(key).filter(|value| !value.is_null())?;
        Some(Given { value: value.clone(), by: key.to_owned() })
    }

    /// A value of the file only: structures are not given by variables.
    pub fn structure(&self, key: &str) -> Option<&Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// A text; empty means not given.
    pub fn text(&mut self, key: &str) -> Option<String> {
        let given = self.given(key)?;
        match given.value {
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            other => {
                self.notice(format!("{} must be a string, not {}; ignored", given.by, kind(&other)));
                None
            }
        }
    }

    /// A text, or a boolean as one.
    pub fn word(&mut self, key: &str) -> Option<String> {
        match self.given(key)?.value {
            Value::Bool(value) => Some(value.to_string()),
            _ => self.text(key),
        }
    }

    pub fn secret(&mut self, key: &str) -> Option<Secret> {
        self.text(key).map(Secret::from)
    }

    /// A text that must parse.
    pub fn parsed<T: FromStr>(&mut self, key: &str, what: &str) -> Option<T> {
        let text = self.text(key)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.notice(format!("{key} {text:?} is not {what}; ignored"));
        }
        parsed
    }

    /// A whole number within bounds; the environment's text form is accepted, in the file too.
    pub fn number(&mut self, key: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let given = self.given(key)?;
        let number = match &given.value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let valid = number.filter(|number| bounds.contains(number));
        if valid.is_none() {
            let (low, high) = (bounds.start(), bounds.end());
            self.notice(format!(
                "{} must be a whole number from {low} to {high}, not {}; the default is used",
                given.by,
                if let Some(number) = number { number.to_string() } else { kind(&given.value).to_owned() },
            ));
        }
        valid
    }

    /// An object of texts; entries of other kinds are left out with a notice.
    pub fn text_map(&mut self, key: &str) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        match self.structure(key).cloned() {
            None => {}
            Some(Value::Object(object)) => {
                for (name, value) in object {
                    match value {
                        Value::String(text) => drop(map.insert(name, text)),
                        other => self
                            .notice(format!("{key}.{name} must be a string, not {}; ignored", kind(&other))),
                    }
                }
            }
            Some(other) => {
                self.notice(format!("{key} must be an object of strings, not {}; ignored", kind(&other)))
            }
        }
        map
    }

    fn notice_other_keys(&mut self) {
        let mut without_effect = Vec::new();
        let mut notices = Vec::new();
        for key in self.object.keys() {
            let key = key.as_str();
            if USED.contains(&key) {
                continue;
            }
            if WITHOUT_EFFECT.contains(&key) {
                without_effect.push(key);
            } else if CLOSED_CHANNEL.contains(&key) {
                notices.push(format!(
                    "{key} names the vendor's own config servers, whose protocol is not public; \
                     name a server of the open agent protocol in config_server_list"
                ));
            } else {
                let hint = nearest(key, USED.iter().chain(WITHOUT_EFFECT).copied())
                    .map(|near| format!(", did you mean {near}?"))
                    .unwrap_or_default();
                notices.push(format!("unknown key {key:?} is ignored{hint}"));
            }
        }
        if !without_effect.is_empty() {
            notices.push(format!("accepted without effect in this version: {}", without_effect.join(", ")));
        }
        self.notices.extend(notices);
    }
}
