//! Every start parameter and environment variable of the vendor's agent, and of ours: what becomes of it here.
//!
//! One table, so that nothing is passed over in silence: a setting is honoured, or reported with the reason why it
//! changes nothing. `docs/settings.md` shows it, and a test holds the two together. Source of the vendor's names:
//! collector.md §1.4 and §1.6, LoongCollector's AppConfig.cpp. Called by `keys` and `variables`.

use sls_api::nearest::nearest;

/// What becomes of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does this.
    Honoured(&'static str),
    /// It is accepted and changes nothing, because of this.
    NoEffect(&'static str),
}
use Standing::{Honoured, NoEffect};

/// A setting by name, and its standing.
pub type Setting = (&'static str, Standing);

const CLOSED_CHANNEL: Standing = NoEffect(
    "the protocol of the vendor's own config servers is not public; name a server of the open agent protocol in \
     config_server_list",
);
const NO_DISK_BUFFER: Standing =
    NoEffect("there is no buffer on disk: what is not acknowledged is read again from its file");
const RESOURCES: Standing =
    NoEffect("the container's own limit decides; the collector never restarts itself for it");
const POLLING: Standing = NoEffect(
    "the kernel tells of changes, beside a listing each minute; without it files are looked at each second",
);
const FILES_STAY_OPEN: Standing =
    NoEffect("rotated and deleted files are read to their end, however many there are");
const NO_CONTAINERS: Standing =
    NoEffect("a sidecar reads the files of its own pod and asks no container runtime");
const SAVED_AT_ONCE: Standing = NoEffect("acknowledged positions are on disk within a second");
const OPEN_PROTOCOL: Standing = NoEffect("it is about the vendor's own config servers, which are not asked");

const CHECK_POINT_FILE: Standing =
    Honoured("as check_point_path, where that is not set; a directory of this name is made, not a file");

/// Keys of `ilogtail_config.json`; each may also come from the environment as `LOONG_<KEY>`,
/// `ALIYUN_LOGTAIL_<KEY>`, `<key>` or `<KEY>`. Sorted by name.
pub const KEYS: &[Setting] = &[
    ("accept_multi_config", NoEffect("a file is collected by every config that matches it")),
    (
        "batch_send_interval",
        Honoured("seconds that a log waits for company while the link is busy, 1 to 60; 3"),
    ),
    (
        "batch_send_metric_size",
        Honoured("bytes of text after which a request is full, 4096 to 1048576; 524288"),
    ),
    ("bind_interface", Honoured("network interface whose address is used where there is no working_ip")),
    ("buffer_file_num", NO_DISK_BUFFER),
    ("buffer_file_path", NO_DISK_BUFFER),
    ("buffer_file_size", NO_DISK_BUFFER),
    ("buffer_map_num", NoEffect("memory for logs on their way has fixed limits")),
    ("buffer_map_size", NoEffect("memory for logs on their way has fixed limits")),
    ("bytes_per_sec", NO_DISK_BUFFER),
    ("check_handler_timeout_interval", NoEffect("a directory is watched as long as a config names it")),
    ("check_point_dump_interval", SAVED_AT_ONCE),
    ("check_point_file_path", CHECK_POINT_FILE),
    ("check_point_filename", CHECK_POINT_FILE),
    ("check_point_path", Honoured("directory of read positions and of the instance's id")),
    ("check_profile_region", OPEN_PROTOCOL),
    ("checkpoint_dump_interval", SAVED_AT_ONCE),
    (
        "checkpoint_find_max_file_count",
        NoEffect("a moved file is looked for in the directories of its config"),
    ),
    ("config_server_address", CLOSED_CHANNEL),
    ("config_server_address_list", CLOSED_CHANNEL),
    (
        "config_server_list",
        Honoured("servers of the open agent protocol, `[{\"endpoint_list\": [\"host:port\"]}]`; file only"),
    ),
    ("config_servers", CLOSED_CHANNEL),
    ("cpu_usage_limit", RESOURCES),
    ("data_server_list", Honoured("data endpoints by `cluster`; file only")),
    ("data_server_port", NoEffect("the port is part of an endpoint: host:port, or https://host")),
    ("data_servers", Honoured("data endpoints by `region`; file only")),
    ("default_access_key", Honoured("secret of the key pair that signs logs")),
    ("default_access_key_id", Honoured("id of the key pair that signs logs")),
    (
        "default_tail_limit_kb",
        Honoured("how far before the end of old files reading begins, where a config does not say; 1024"),
    ),
    (
        "diagnostic_logs",
        Honoured(
            "send alarms, profiles and status to projects that have project logging: `auto`, `true`, `false`",
        ),
    ),
    ("discard_old_data", Honoured("drop logs whose time is more than 12 hours ago; only if it is `true`")),
    ("docker_config_update_interval", NO_CONTAINERS),
    ("docker_file_cache_path", NO_CONTAINERS),
    ("dynamic_plugins", NoEffect("there are no plugins to load")),
    ("enable_checkpoint_sync_write", SAVED_AT_ONCE),
    (
        "enable_env_ref_in_config",
        Honoured("replace `${NAME}` and `${NAME:DEFAULT}` in configs by variables; only if it is `true`"),
    ),
    ("enable_full_drain_mode", NoEffect("at the end all files are read to their end always")),
    ("enable_host_ip_replace", NoEffect("the resolver of the container is asked for each connection")),
    (
        "enable_log_time_auto_adjust",
        NoEffect("times are sent as the logs say them; only signatures follow the server's clock"),
    ),
    ("enable_polling_discovery", POLLING),
    ("enable_response_verification", NoEffect("every answer must be one of the Log Service")),
    ("exit_flushout_duration", Honoured("longest time to deliver what is left after SIGTERM, in ms; 20000")),
    ("exit_on_idle", Honoured("end when all work is done: `auto`, `true`, `false`")),
    ("exit_quiet_seconds", Honoured("time without anything new before that end; 10")),
    ("force_quit_read_timeout", NoEffect("a file that is not read for long is none that must be given up")),
    ("heartbeat_interval", Honoured("seconds between two heartbeats; 10")),
    (
        "host_path_blacklist",
        NoEffect("only what configs name is listed; a config with a narrower path leaves files out"),
    ),
    ("http_probe_port", Honoured("port of probes and metrics; none")),
    ("ignore_dir_inode_changed", NoEffect("files are known by their content, not by their directory")),
    (
        "ilogtail_configserver_address",
        Honoured(
            "servers of the first version of that protocol, `[\"host:port\"]`, where config_server_list names none; file only",
        ),
    ),
    ("ilogtail_tags", Honoured("tags of the agent for the config server; file only")),
    ("include_config_path", NoEffect("there is one config file, and the environment")),
    ("inotify_black_list", POLLING),
    ("input_flow_control", NoEffect("reading waits for sending always")),
    ("log_parse_error", NoEffect("logs that do not parse are always reported, one message a minute")),
    (
        "log_volume_size_limit",
        Honoured(
            "`sizeLimit` of the volume of log files, in bytes or as `1Gi`: above 70 % there is an alarm; none",
        ),
    ),
    ("logreader_filedeleted_remove_interval", FILES_STAY_OPEN),
    ("logreader_max_rotate_queue_size", FILES_STAY_OPEN),
    ("machine_cpu_usage_threshold", RESOURCES),
    (
        "max_bytes_per_sec",
        Honoured(
            "bytes read from files in a second, and so sent; above 20971520 without limit, as by default",
        ),
    ),
    ("max_docker_config_update_times", NO_CONTAINERS),
    ("max_multi_config", NoEffect("a file is collected by every config that matches it")),
    (
        "max_read_buffer_size",
        Honoured("longest event in bytes, longer ones are sent in pieces; at most 524288, the default"),
    ),
    ("mem_usage_limit", RESOURCES),
    ("no_inotify", POLLING),
    ("oas_connect_timeout", OPEN_PROTOCOL),
    ("oas_request_timeout", OPEN_PROTOCOL),
    ("polling_dir_first_watch_timeout", POLLING),
    ("polling_dirfile_check_interval_ms", POLLING),
    ("polling_file_first_watch_timeout", POLLING),
    ("polling_ignore_file_modify_timeout", POLLING),
    ("polling_modify_check_interval", POLLING),
    ("primary_region", Honoured("region, where the path of the file names none or another")),
    (
        "process_thread_count",
        Honoured(
            "threads that parse what is read, compress it and make its digests; 1. The order of a file is kept",
        ),
    ),
    ("read_local_event_interval", NoEffect("history is collected by configs, not by local_event.json")),
    (
        "reader_close_unused_file_time",
        NoEffect("a file stays open as long as it is there, so that nothing of it is missed"),
    ),
    ("resource_auto_scale", RESOURCES),
    ("scaled_cpu_usage_limit", RESOURCES),
    (
        "search_checkpoint_default_dir_depth",
        NoEffect("a moved file is looked for in the directories of its config"),
    ),
    ("send_request_concurrency", Honoured("requests of a Logstore under way at a time; 4")),
    (
        "shared_state_path",
        Honoured("directory of positions on a volume of the pod, where check_point_path is not set"),
    ),
    ("shennong_unix_socket", NoEffect("it is about a monitor of the vendor's own machines")),
    ("streamlog_open", NoEffect("no syslog is received")),
    ("sys_conf_dir", NoEffect("ids of users and groups are in /etc/ilogtail, or in the environment")),
    ("system_boot_time", NoEffect("positions are kept by the content of files, not by the time of boot")),
    ("tasksite", Honoured("directory of cornerstone and tombstone")),
    ("termination_log", Honoured("file of the account at the end; /dev/termination-log")),
    ("truncate_pos_skip_bytes", NoEffect("a truncated file is read from its beginning")),
    (
        "unlink_collected_logs",
        Honoured(
            "above 70 % of `log_volume_size_limit`, unlink rotated files that are delivered; only if it is `true`",
        ),
    ),
    (
        "user_config_file_path",
        NoEffect("local configs are in user_local_config.json, user_config.d and config/local"),
    ),
    ("working_hostname", Honoured("host name of heartbeats and of the tag `__hostname__`")),
    ("working_ip", Honoured("address of heartbeats and of the source of logs")),
];

const HTTP_PROXY: Standing = Honoured("proxy for endpoints and config servers of http, `http://HOST:PORT`");
const HTTPS_PROXY: Standing = Honoured("proxy for endpoints of https, `http://HOST:PORT`");
const ALL_PROXY: Standing = Honoured("proxy where the variables above name none");
const NO_PROXY: Standing =
    Honoured("what is connected to directly: names with their subdomains, addresses, networks, or `*`");
const DAEMONSET: Standing = NoEffect("it is for a DaemonSet");
const CONFIG_PATH: Standing =
    Honoured("path of `ilogtail_config.json`; if there is no file, the path's region and network are used");
const USER_ID: Standing = Honoured("account ids, separated by commas");
const USER_DEFINED_ID: Standing = Honoured("custom ids of machine groups, separated by commas");
const ENV_TAGS: Standing = Honoured("names of variables, separated by bars: each is a tag of every log");
const FILE_TAGS: Standing =
    Honoured("path of a JSON object of texts: each is a tag of every log; read anew every 60 s");
const CONTAINERS: Standing = NO_CONTAINERS;
const LOG_LEVEL: Standing = Honoured("`trace`, `debug`, `info`, `warn`, `error`, `off`; `info`");
const JOB_NAME: Standing = Honoured("name of the pod's Job, see sidecar.md");

/// Variables that are no keys of the file. Sorted by name, those of one meaning side by side.
pub const VARIABLES: &[Setting] = &[
    ("ALIYUN_LOGTAIL_CONFIG", CONFIG_PATH),
    ("LOONG_CONFIG", CONFIG_PATH),
    ("ALIYUN_LOGTAIL_JOB_NAME", JOB_NAME),
    ("LOONG_JOB_NAME", JOB_NAME),
    ("ALIYUN_LOGTAIL_USER_DEFINED_ID", USER_DEFINED_ID),
    ("LOONG_USER_DEFINED_ID", USER_DEFINED_ID),
    ("ALIYUN_LOGTAIL_USER_ID", USER_ID),
    ("LOONG_USER_ID", USER_ID),
    ("ALIYUN_LOG_ENV_TAGS", ENV_TAGS),
    ("LOONG_ENV_TAGS", ENV_TAGS),
    ("ALIYUN_LOG_FILE_TAGS", FILE_TAGS),
    ("LOONG_FILE_TAGS", FILE_TAGS),
    ("ALIYUN_LOG_STATIC_CONTAINER_INFO", CONTAINERS),
    ("LOONG_STATIC_CONTAINER_INFO", CONTAINERS),
    ("ALICLOUD_LOG_DOCKER_ENV_CONFIG", DAEMONSET),
    ("DEPLOY_MODE", DAEMONSET),
    ("ENABLE_KUBERNETES_META", DAEMONSET),
    ("LOGTAIL_LOG_LEVEL", LOG_LEVEL),
    ("LOONG_LOG_LEVEL", LOG_LEVEL),
    ("LOGTAIL_MODE", NoEffect("files and names are always those of Logtail")),
    ("HTTP_PROXY", HTTP_PROXY),
    ("http_proxy", HTTP_PROXY),
    ("HTTPS_PROXY", HTTPS_PROXY),
    ("https_proxy", HTTPS_PROXY),
    ("ALL_PROXY", ALL_PROXY),
    ("all_proxy", ALL_PROXY),
    ("NO_PROXY", NO_PROXY),
    ("no_proxy", NO_PROXY),
    (
        "SSL_CERT_FILE",
        Honoured(
            "PEM file of the certificate authorities that endpoints of https may have, in the place of the public ones",
        ),
    ),
    ("TZ", Honoured("zone of times that name none")),
];

/// The standing of a key.
pub fn key(name: &str) -> Option<Standing> {
    KEYS.iter().find(|(known, _)| *known == name).map(|(_, standing)| *standing)
}

/// The key that was meant.
pub fn nearest_key(name: &str) -> Option<&'static str> {
    nearest(name, KEYS.iter().map(|(known, _)| *known))
}

/// The standing of a variable that is no key.
pub fn variable(name: &str) -> Option<Standing> {
    VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, standing)| *standing)
}

/// What is said of a setting without effect.
pub fn without_effect(given_by: &str, why: &str) -> String {
    format!("{given_by} has no effect: {why}")
}

#[cfg(test)]
mod tests;
