//! The collector of this workspace: the real executable below a path prefix, with a config server to beat to.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::{Value, json};

use crate::body::ACCESS_KEY;
use crate::sink::Protocol;
use crate::subject::{ACCESS, ACCESS_BRANCHING, Job, KEYS, Mode, Subject};

const CONFIG: &str = "/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json";

/// See the module.
pub struct Ours;

impl Subject for Ours {
    fn name(&self) -> &'static str {
        "collector"
    }

    fn description(&self) -> String {
        format!("collector {}, LogGroups, lz4, signed", env!("CARGO_PKG_VERSION"))
    }

    fn protocol(&self) -> Protocol {
        Protocol::LogService
    }

    fn takes(&self, _: Mode) -> bool {
        true
    }

    fn command(&self, job: &Job<'_>) -> io::Result<Command> {
        let mut instance = json!({
            "config_server_list": [{"cluster": "bench", "endpoint_list": [job.sink.to_string()]}],
            "default_access_key_id": ACCESS_KEY.0, "default_access_key": ACCESS_KEY.1,
            "check_point_path": "/state",
        });
        if let Some(threads) = job.threads {
            instance["process_thread_count"] = json!(threads);
        }
        write(job, CONFIG, &instance)?;
        write(job, "/usr/local/ilogtail/config/local/bench.json", &pipeline(job))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_collector"));
        command.arg0("/usr/local/ilogtail/ilogtail").env_clear();
        command.env("SLS_PATH_PREFIX", job.root).env("ALIYUN_LOGTAIL_CONFIG", CONFIG);
        command.env("ALIYUN_LOGTAIL_USER_ID", "1234567890123456");
        command
            .env("ALIYUN_LOGTAIL_USER_DEFINED_ID", "bench")
            .env("HOSTNAME", "bench")
            .env("_pod_ip_", "127.0.0.1");
        Ok(command)
    }
}

fn write(job: &Job<'_>, path: &str, content: &Value) -> io::Result<()> {
    let path = job.root.join(path.trim_start_matches('/'));
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, content.to_string())
}

fn pipeline(job: &Job<'_>) -> Value {
    let mut input = json!({"Type": "input_file", "FilePaths": [format!("/var/log/{}", job.files)]});
    if job.mode == Mode::MultiLine {
        // The last record of the file has no successor that ends it.
        input["FlushTimeoutSecs"] = json!(1);
        input["Multiline"] = json!({"Mode": "custom", "StartPattern": r"\d+-\d+-\d+ .*"});
    }
    let regex = |regex: &str| json!([{"Type": "processor_parse_regex_native", "SourceKey": "content", "Regex": regex, "Keys": KEYS}]);
    let processors = match job.mode {
        Mode::Simple | Mode::MultiLine => json!([]),
        Mode::Regex => regex(ACCESS),
        Mode::BranchingRegex => regex(ACCESS_BRANCHING),
        Mode::LoopingRegex => regex(&format!("{ACCESS}(?:x?)*")),
        Mode::CharacterRegex => regex(&format!("(?u:{ACCESS})")),
        Mode::Json | Mode::EscapedJson => {
            json!([{"Type": "processor_parse_json_native", "SourceKey": "content"}])
        }
        Mode::Apsara => json!([{"Type": "processor_parse_apsara_native", "SourceKey": "content"}]),
        Mode::Delimiter => json!([{"Type": "processor_parse_delimiter_native", "SourceKey": "content",
            "Separator": ",", "Quote": "\"", "Keys": KEYS}]),
    };
    json!({
        "inputs": [input],
        "processors": processors,
        "flushers": [{"Type": "flusher_sls", "Project": "bench-project", "Logstore": "bench",
            "Region": "cn-hangzhou", "Endpoint": format!("http://{}", job.sink)}],
    })
}
