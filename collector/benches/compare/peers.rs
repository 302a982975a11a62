//! Collectors of others, each with its checkpoint on disk and with batches of about the size of ours.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::subject::{ACCESS, Job, KEYS, Mode, Subject, executable};

/// Lines and bytes of a batch, and the longest time until it is sent.
const BATCH_LINES: usize = 2_000;
const BATCH_BYTES: usize = 512 * 1024;
const BATCH_WAIT_MS: usize = 200;

/// The version that `command` tells in its first line.
fn version(command: &mut Command) -> String {
    let told = command.output().map(|output| output.stdout).unwrap_or_default();
    let told = String::from_utf8_lossy(&told);
    let words = told.lines().next().unwrap_or_default().split([' ', '(', ')']);
    let is_version = |word: &&str| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit());
    words.filter(is_version).map(str::to_owned).next().unwrap_or_default()
}

/// The libraries of a package that was unpacked, and not installed.
fn with_libraries(program: &Path, directory: &Path, further: &str) -> Command {
    let mut command = Command::new(program);
    let places = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", further];
    let places: Vec<String> =
        places.iter().map(|place| directory.join(place).display().to_string()).collect();
    command.env("LD_LIBRARY_PATH", places.join(":"));
    command
}

/// rsyslog: imfile with inotify, the bulk form of Elasticsearch over HTTP, no compression.
pub struct Rsyslog {
    program: PathBuf,
    directory: PathBuf,
}

impl Rsyslog {
    pub fn find(installed: &Path) -> Option<Self> {
        let directory = installed.join("rsyslog");
        let program = executable(&directory, "usr/sbin/rsyslogd", &["/usr/sbin/rsyslogd"])?;
        Some(Self { program, directory })
    }

    fn command(&self) -> Command {
        with_libraries(&self.program, &self.directory, "usr/lib")
    }
}

impl Subject for Rsyslog {
    fn name(&self) -> &'static str {
        "rsyslog"
    }

    fn description(&self) -> String {
        format!("rsyslog {}, bulk JSON, no compression", version(self.command().arg("-v")))
    }

    /// It has no regex with eleven groups.
    fn takes(&self, mode: Mode) -> bool {
        mode == Mode::Simple
    }

    fn command(&self, job: &Job<'_>) -> io::Result<Command> {
        let (root, port, files) = (job.root.display(), job.sink.port(), job.path());
        let config = format!(
            r#"global(workDirectory="{root}" maxMessageSize="64k")
module(load="imfile" mode="inotify")
module(load="omelasticsearch")
template(name="line" type="list" option.jsonf="on") {{
  property(outname="content" name="msg" format="jsonf")
}}
input(type="imfile" File="{files}" Tag="bench" ruleset="bench")
ruleset(name="bench" queue.type="LinkedList" queue.size="20000" queue.dequeueBatchSize="{BATCH_LINES}") {{
  action(type="omelasticsearch" server="127.0.0.1" serverport="{port}" searchIndex="bench" template="line"
         bulkmode="on" maxbytes="{BATCH_BYTES}" action.resumeRetryCount="-1")
}}
"#
        );
        let path = job.root.join("rsyslog.conf");
        fs::write(&path, config)?;
        let mut command = self.command();
        command.args(["-n", "-i"]).arg(job.root.join("rsyslog.pid")).arg("-f").arg(path);
        let modules = self.directory.join("usr/lib/x86_64-linux-gnu/rsyslog");
        if modules.is_dir() {
            command.arg("-M").arg(modules);
        }
        Ok(command)
    }
}

/// syslog-ng: its file source, JSON over HTTP, which it has no compression for.
pub struct SyslogNg {
    program: PathBuf,
    directory: PathBuf,
}

impl SyslogNg {
    pub fn find(installed: &Path) -> Option<Self> {
        let directory = installed.join("syslog-ng");
        let program = executable(&directory, "usr/sbin/syslog-ng", &["/usr/sbin/syslog-ng"])?;
        Some(Self { program, directory })
    }

    fn command(&self) -> Command {
        let mut command = with_libraries(&self.program, &self.directory, "usr/lib/syslog-ng");
        let modules = self.directory.join("usr/lib/syslog-ng/3.38");
        if modules.is_dir() {
            command.arg(format!("--module-path={}", modules.display()));
        }
        command
    }
}

impl Subject for SyslogNg {
    fn name(&self) -> &'static str {
        "syslog-ng"
    }

    fn description(&self) -> String {
        format!("syslog-ng {}, JSON, no compression", version(self.command().arg("--version")))
    }

    fn takes(&self, mode: Mode) -> bool {
        matches!(mode, Mode::Simple | Mode::Regex | Mode::Json)
    }

    fn command(&self, job: &Job<'_>) -> io::Result<Command> {
        let (parser, body) = match job.mode {
            Mode::Regex => {
                let named = named_groups().replace('\\', r"\\").replace('"', "\\\"");
                (format!("parser {{ regexp-parser(patterns(\"{named}\") prefix(\".f.\")); }};"), "--key .f.*")
            }
            Mode::Json => ("parser { json-parser(prefix(\".f.\")); };".to_owned(), "--key .f.*"),
            _ => (String::new(), "content=$MESSAGE"),
        };
        let (port, files) = (job.sink.port(), job.path());
        let (directory, pattern) = files.rsplit_once('/').unwrap_or_default();
        let source = match pattern.contains('*') {
            true => format!(
                "wildcard-file(base-dir(\"{directory}\") filename-pattern(\"{pattern}\") recursive(no) max-files(2000) \
                 log-iw-size(200000) follow-freq(0.1) flags(no-parse))"
            ),
            false => format!("file(\"{files}\" follow-freq(0.1) log-iw-size(20000) flags(no-parse))"),
        };
        let config = format!(
            r#"@version: 3.38
options {{ log-msg-size(65536); stats-freq(0); }};
log {{
  source {{ {source}; }};
  {parser}
  destination {{ http(url("http://127.0.0.1:{port}/") method("POST") workers(1) log-fifo-size(400000)
    batch-lines({BATCH_LINES}) batch-bytes({BATCH_BYTES}) batch-timeout({BATCH_WAIT_MS})
    body("$(format-json {body})")); }};
  flags(flow-control);
}};
"#
        );
        let path = job.root.join("syslog-ng.conf");
        fs::write(&path, config)?;
        let file = |name: &str| job.root.join(name).display().to_string();
        let mut command = self.command();
        command.args(["--foreground", "--no-caps", "--stderr"]).arg(format!("--cfgfile={}", path.display()));
        command.arg(format!("--persist-file={}", file("syslog-ng.persist")));
        command.arg(format!("--pidfile={}", file("syslog-ng.pid")));
        command.arg(format!("--control={}", file("syslog-ng.ctl")));
        Ok(command)
    }
}

/// The OpenTelemetry Collector: filelog with file storage, OTLP as protobuf over HTTP, zstd.
pub struct Otel {
    program: PathBuf,
}

impl Otel {
    pub fn find(installed: &Path) -> Option<Self> {
        executable(installed, "otelcol", &[]).map(|program| Self { program })
    }
}

impl Subject for Otel {
    fn name(&self) -> &'static str {
        "otelcol"
    }

    fn description(&self) -> String {
        let version = version(Command::new(&self.program).arg("--version"));
        format!("OpenTelemetry Collector {version}, OTLP, zstd")
    }

    fn takes(&self, mode: Mode) -> bool {
        matches!(mode, Mode::Simple | Mode::Regex | Mode::Json)
    }

    fn command(&self, job: &Job<'_>) -> io::Result<Command> {
        let operator = match job.mode {
            Mode::Regex => {
                let named = named_groups().replace('\'', "''");
                format!(
                    "\n    operators:\n      - {{type: regex_parser, regex: '{named}'}}\n      - {{type: remove, field: body}}"
                )
            }
            Mode::Json => {
                "\n    operators:\n      - {type: json_parser}\n      - {type: remove, field: body}"
                    .to_owned()
            }
            _ => String::new(),
        };
        let (files, sink, storage) = (job.path(), job.sink, job.root.join("storage"));
        fs::create_dir_all(&storage)?;
        let config = format!(
            "receivers:
  filelog:
    include: ['{files}']
    start_at: beginning
    storage: file_storage{operator}
exporters:
  otlphttp:
    endpoint: http://{sink}
    compression: zstd
    sending_queue:
      sizer: items
      queue_size: 40000
      block_on_overflow: true
      batch: {{flush_timeout: {BATCH_WAIT_MS}ms, min_size: {BATCH_LINES}, max_size: {BATCH_LINES}}}
extensions:
  file_storage:
    directory: {}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    logs: {{receivers: [filelog], exporters: [otlphttp]}}
",
            storage.display()
        );
        let path = job.root.join("otelcol.yaml");
        fs::write(&path, config)?;
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(format!("file:{}", path.display()));
        Ok(command)
    }
}

/// The document's expression with a name for each group, as others want it.
fn named_groups() -> String {
    let mut keys = KEYS.iter();
    let mut named = String::from("^");
    let mut rest = ACCESS;
    while let Some((before, after)) = rest.split_once('(') {
        let name = keys.next().map(|key| key.replace('-', "_")).unwrap_or_default();
        named += before;
        named += &format!("(?P<{name}>");
        rest = after;
    }
    named + rest + "$"
}
