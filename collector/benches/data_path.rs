//! What the data path costs, beside a plain collector of the same run: `cargo bench -p collector`.
//!
//! Prints CPU seconds per GB of log text and MB/s of CPU time for
//! - `reader`: tail, cut, parse, pack, compress, checkpoint on one thread, requests thrown away;
//! - `plain`: the obvious program (a `String` a line, `regex` captures or `serde_json`, message objects, lz4);
//! - `engine`: the whole engine, all its threads, signed requests over HTTP to a sink process;
//!
//! and the ratio of each to `plain`, for each mode of parsing;
//! then the share of a core that 1,000 files with a line a second take, and the resident memory and
//! the wake-ups of an idle engine. Lines differ from each other, as in
//! performance.md. Wall-clock time is not measured: the machine is shared. Arguments: a size in MB
//! (default 100); `--bench` (cargo's) is ignored.

#[path = "data_path/lines.rs"]
mod lines;
#[path = "data_path/plain.rs"]
mod plain;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use collector::checkpoint::{ParcelId, Store};
use collector::engine::outbox::{Carrier, Outcome, Parcel};
use collector::engine::reader::{Now, Reader, Settings};
use collector::engine::status::Board;
use collector::engine::{Engine, EngineConfig, Limits};
use collector::pipeline::{
    Delimiter, Destination, FileInput, Multiline, Overflow, Parse, Pipeline, TimeRule, TopicRule, Unmatched,
    full_match,
};
use collector::tags::Host;
use collector::watch::Watcher;
use lines::Form;
use sls_api::codec::Compression;
use sls_api::sign::AccessKey;
use sls_client::{Client, ClientConfig};

/// The document's expression, repaired.
const ACCESS: &str =
    r#"(\S+)\s(\S+)\s\S+\s\S+\s"(\S+)\s(\S+)\s+([^"]+)"\s+(\S+)\s(\S+)\s(\d+)\s(\d+)\s(\S+)\s"([^"]+)"\s.*"#;
/// The same with an alternation, so that it is no row of classes.
const ACCESS_BRANCHING: &str = r#"(\S+)\s(\S+)\s\S+\s\S+\s"(GET|POST|PUT)\s(\S+)\s+([^"]+)"\s+(\S+)\s(\S+)\s(\d+)\s(\d+)\s(\S+)\s"([^"]+)"\s.*"#;
const KEYS: [&str; 11] = [
    "time",
    "ip",
    "method",
    "url",
    "protocol",
    "latency",
    "payload",
    "status",
    "response-size",
    "ref-url",
    "user-agent",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some("sink") => sink(),
        Some("engine") => engine(&arguments[1], Path::new(&arguments[2]), &arguments[3]),
        Some("idle") => idle(Path::new(&arguments[1])),
        Some("follow") => follow(&arguments[1], Path::new(&arguments[2])),
        size => all(size.and_then(|s| s.parse().ok()).unwrap_or(100)),
    }
    ExitCode::SUCCESS
}

fn all(megabytes: usize) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let forms = [
        Form::Access,
        Form::ForeignAccess,
        Form::Json,
        Form::EscapedJson,
        Form::Columns,
        Form::Apsara,
        Form::Stacks,
    ];
    let sizes = forms.map(|form| {
        let bytes = megabytes as u64 * 1_000_000;
        let size = lines::generate(&dir.path().join(form.file_name()), form, bytes).expect("the lines");
        println!("{}: {} lines of {:.0} bytes", form.file_name(), size.1, size.0 as f64 / size.1 as f64);
        (form, size.0)
    });
    println!("{:<28} {:>12} {:>12} {:>10} {:>10}", "", "cpu-s/GB", "MB/cpu-s", "peak MiB", "of plain");
    for (mode, form, pipeline) in modes(dir.path()) {
        let bytes = sizes.iter().find(|(sized, _)| *sized == form).expect("a size").1;
        let plain = plain::run(&dir.path().join(form.file_name()), &pipeline, thread_cpu);
        let show = |name: &str, cpu: Duration, peak: Option<u64>| {
            let per_gb = cpu.as_secs_f64() / bytes as f64 * 1e9;
            let peak = peak.map_or(String::new(), |kib| format!("{:.1}", kib as f64 / 1024.0));
            let ratio = cpu.as_secs_f64() / plain.as_secs_f64();
            println!("{name:<28} {per_gb:>12.2} {:>12.0} {peak:>10} {ratio:>10.2}", 1000.0 / per_gb);
        };
        show(&format!("reader {mode}"), by_reader(dir.path(), pipeline.clone()), None);
        show(&format!("plain  {mode}"), plain, None);
        let (cpu, peak) = by_engine(dir.path(), mode);
        show(&format!("engine {mode}"), cpu, Some(peak));
    }
    many_files(&dir.path().join("many"));
    run_self(&["idle", &dir.path().join("quiet").display().to_string()], |line| println!("{line}"));
}

fn modes(root: &Path) -> [(&'static str, Form, Pipeline); 10] {
    let regex = |expression: &str| Parse::Regex {
        regex: full_match(expression).expect("the expression"),
        keys: KEYS.iter().map(|k| (*k).to_owned()).collect(),
    };
    let columns = Parse::Delimiter(Delimiter {
        separator: ",".to_owned(),
        quote: Some(b'"'),
        keys: KEYS.iter().map(|k| (*k).to_owned()).collect(),
        allows_fewer: false,
        overflow: Overflow::Extend,
    });
    let of = |name, form, parse| (name, form, pipeline(root, form, parse));
    let mut records = pipeline(root, Form::Stacks, Parse::Simple { key: "content".to_owned() });
    records.multiline = Multiline::begin(full_match(r"\d+-\d+-\d+ .*").expect("the expression"));
    [
        of("simple", Form::Access, Parse::Simple { key: "content".to_owned() }),
        of("regex", Form::Access, regex(ACCESS)),
        of("branching regex", Form::Access, regex(ACCESS_BRANCHING)),
        of("looping regex", Form::Access, regex(&format!("{ACCESS}(?:x?)*"))),
        of("character regex", Form::ForeignAccess, regex(&format!("(?u:{ACCESS})"))),
        of("json", Form::Json, Parse::Json),
        of("escaped json", Form::EscapedJson, Parse::Json),
        of("delimiter", Form::Columns, columns),
        of("apsara", Form::Apsara, Parse::Apsara { offset_seconds: Some(0) }),
        // The plain collector takes each line by itself there.
        ("multi-line", Form::Stacks, records),
    ]
}

fn pipeline(directory: &Path, form: Form, parse: Parse) -> Pipeline {
    Pipeline {
        name: "bench".to_owned(),
        version: 1,
        input: FileInput {
            directory: directory.to_owned(),
            file_pattern: form.file_name().to_owned(),
            max_depth: 0,
            tail_existing: false,
            tail_bytes: 1 << 20,
            flush_timeout: Duration::from_secs(60),
            encoding: Default::default(),
            position_meta: Default::default(),
            delay_alarm_bytes: 200 << 20,
            excluded: Default::default(),
        },
        multiline: Multiline::SingleLine,
        parse,
        time: TimeRule::Collected,
        collected_nanos: false,
        topic: TopicRule::None,
        unmatched: Unmatched::KeepRaw,
        steps: Vec::new(),
        raw_key: None,
        shards: Default::default(),
        send_rate: None,
        destination: Destination {
            project: "bench-project".parse().expect("project"),
            logstore: "bench".parse().expect("Logstore"),
            region: "cn-hangzhou".to_owned(),
            endpoint: None,
            compression: Compression::Lz4,
        },
    }
}

/// Settles everything at once.
#[derive(Clone, Default)]
struct Nowhere(Arc<std::sync::Mutex<Vec<ParcelId>>>);

impl Carrier for Nowhere {
    fn carry(&mut self, parcel: Parcel) {
        self.0.lock().expect("carrier").push(parcel.id);
    }
}

fn by_reader(root: &Path, pipeline: Pipeline) -> Duration {
    let state = tempfile::tempdir().expect("temporary directory");
    let carrier = Nowhere::default();
    let settings = Settings {
        root: None,
        host: Host { source_ip: "10.0.0.1".to_owned(), hostname: "bench".to_owned(), ..Host::default() },
        limits: Limits::default(),
        zone: jiff::tz::TimeZone::UTC,
        old_before: SystemTime::UNIX_EPOCH,
    };
    let board = Arc::new(Board::default());
    let size = fs::metadata(root.join(&pipeline.input.file_pattern)).expect("stat").len();
    let (store, _) = Store::load(state.path());
    let started = thread_cpu();
    let mut reader =
        Reader::new(settings, store, Watcher::new(), Box::new(carrier.clone()), Arc::clone(&board));
    reader.apply(vec![pipeline], Now::real());
    while board.total(collector::metrics::Counter::BytesRead) < size {
        let now = Now::real();
        reader.turn(now);
        let done = std::mem::take(&mut *carrier.0.lock().expect("carrier"));
        for parcel in done {
            reader.settle(parcel, &Outcome::Acknowledged, now);
        }
    }
    thread_cpu() - started
}

/// In a process of its own, so that its memory and all its threads are counted, and nothing else.
fn by_engine(root: &Path, mode: &str) -> (Duration, u64) {
    let (mut sink, port) = start_sink();
    let (mut cpu, mut peak) = (Duration::ZERO, 0);
    run_self(&["engine", &port, &root.display().to_string(), mode], |line| {
        let mut words = line.split(' ');
        cpu = Duration::from_micros(words.next().and_then(|w| w.parse().ok()).expect("microseconds"));
        peak = words.next().and_then(|w| w.parse().ok()).expect("KiB");
    });
    sink.kill().expect("the sink ends");
    sink.wait().expect("the sink ended");
    (cpu, peak)
}

fn start_sink() -> (std::process::Child, String) {
    let mut sink = Command::new(std::env::current_exe().expect("this program"))
        .arg("sink")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the sink starts");
    let mut port = String::new();
    BufReader::new(sink.stdout.as_mut().expect("stdout")).read_line(&mut port).expect("a port");
    (sink, port.trim().to_owned())
}

fn run_self(arguments: &[&str], mut line: impl FnMut(&str)) {
    let this = std::env::current_exe().expect("this program");
    let output = Command::new(this).args(arguments).stderr(Stdio::inherit()).output().expect("it runs");
    assert!(output.status.success(), "{arguments:?} failed");
    for text in String::from_utf8_lossy(&output.stdout).lines() {
        line(text);
    }
}

fn start_engine(state_dir: PathBuf, port: &str, pipeline: Pipeline) -> Engine {
    let endpoint = format!("http://127.0.0.1:{port}");
    let clients = move |_: &Destination| {
        let endpoint = endpoint.parse().map_err(|e| format!("{e}"))?;
        Client::new(ClientConfig::new(endpoint, AccessKey::new("id", "secret"))).map_err(|e| e.to_string())
    };
    let config = EngineConfig { state_dir, source_ip: "10.0.0.1".to_owned(), ..EngineConfig::default() };
    let engine = Engine::start(config, clients).expect("the engine starts");
    engine.apply(vec![pipeline]);
    engine
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime")
}

/// Reads and sends everything; prints the CPU time in microseconds and the peak memory in KiB.
fn engine(port: &str, root: &Path, mode: &str) {
    let state = tempfile::tempdir().expect("temporary directory");
    let pipeline = modes(root).into_iter().find(|(name, ..)| *name == mode).expect("mode").2;
    let cpu = runtime().block_on(async {
        let engine = start_engine(state.path().to_owned(), port, pipeline);
        let report = engine.stop(Instant::now() + Duration::from_secs(600)).await;
        assert!(report.is_complete && report.account.lines.sent > 0, "{report}");
        process_cpu()
    });
    println!("{} {}", cpu.as_micros(), status_kib("VmHWM"));
}

/// One line a second in each of many files, for some seconds.
fn many_files(root: &Path) {
    const FILES: usize = 1_000;
    const SECONDS: usize = 12;
    fs::create_dir_all(root).expect("mkdir");
    let mut sink = start_sink();
    let port = sink.1.clone();
    let directory = root.to_owned();
    let writer = std::thread::spawn(move || {
        for second in 0..SECONDS {
            for file in 0..FILES {
                let path = directory.join(format!("{file}.log"));
                let mut file = fs::OpenOptions::new().create(true).append(true).open(path).expect("open");
                writeln!(
                    file,
                    "second {second} of a file among many, with a text of some length {:x}",
                    fastrand::u128(..)
                )
                .expect("write");
                std::thread::sleep(Duration::from_micros(900));
            }
        }
    });
    run_self(&["follow", &port, &root.display().to_string()], |line| println!("{line}"));
    writer.join().expect("the writer ends");
    sink.0.kill().expect("the sink ends");
    sink.0.wait().expect("the sink ended");
}

/// Follows files that are written to; prints the share of a core that it takes.
fn follow(port: &str, root: &Path) {
    let state = tempfile::tempdir().expect("temporary directory");
    let mut pipeline = pipeline(root, Form::Access, Parse::Simple { key: "content".to_owned() });
    pipeline.input.file_pattern = "*.log".to_owned();
    runtime().block_on(async {
        let engine = start_engine(state.path().to_owned(), port, pipeline);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let (cpu, sent) = (process_cpu(), engine.status().pipelines[0].lines_sent);
        tokio::time::sleep(Duration::from_secs(6)).await;
        let percent = (process_cpu() - cpu).as_secs_f64() / 6.0 * 100.0;
        let sent = (engine.status().pipelines[0].lines_sent - sent) / 6;
        let rss = status_kib("VmHWM") as f64 / 1024.0;
        println!("1,000 files: {percent:.1} % of a core at {sent} lines a second, peak {rss:.1} MiB");
    });
}

/// Prints memory and wake-ups of an engine that follows one quiet file.
fn idle(root: &Path) {
    fs::create_dir_all(root).expect("mkdir");
    fs::write(root.join("access.log"), "one line\n").expect("write");
    let parse = Parse::Simple { key: "content".to_owned() };
    runtime().block_on(async {
        // Nobody listens: the engine keeps its line and tries again now and then.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = listener.local_addr().expect("address").port().to_string();
        std::thread::spawn(move || serve(&listener));
        let engine = start_engine(root.join("state"), &port, pipeline(root, Form::Access, parse));
        while engine.status().pipelines.first().is_none_or(|p| p.lines_sent == 0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        let before = wake_ups();
        tokio::time::sleep(Duration::from_secs(10)).await;
        let after = wake_ups();
        let rss = status_kib("VmRSS") as f64 / 1024.0;
        println!("idle engine: {rss:.1} MiB resident, {} wake-ups of the reader in 10 s", after - before);
    });
}

/// Takes requests and throws them away; prints its port first.
fn sink() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    println!("{}", listener.local_addr().expect("address").port());
    serve(&listener);
}

fn serve(listener: &std::net::TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.expect("accept");
        std::thread::spawn(move || {
            let mut received = Vec::new();
            let mut piece = vec![0; 256 * 1024];
            loop {
                let head = received.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
                if let Some(head) = head {
                    let text = String::from_utf8_lossy(&received[..head]).to_lowercase();
                    let length = text.split("content-length: ").nth(1).and_then(|t| t.lines().next());
                    let whole = head + length.and_then(|l| l.trim().parse::<usize>().ok()).unwrap_or(0);
                    if received.len() >= whole {
                        received.drain(..whole);
                        let _ = stream
                            .write_all(b"HTTP/1.1 200 OK\r\nx-log-requestid: 1\r\ncontent-length: 0\r\n\r\n");
                        continue;
                    }
                }
                match stream.read(&mut piece) {
                    Ok(0) | Err(_) => return,
                    Ok(n) => received.extend_from_slice(&piece[..n]),
                }
            }
        });
    }
}

fn thread_cpu() -> Duration {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(at.tv_sec as u64, at.tv_nsec as u32)
}

fn process_cpu() -> Duration {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(at.tv_sec as u64, at.tv_nsec as u32)
}

fn status_kib(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Times that the reader's thread went to sleep and woke again.
fn wake_ups() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("proc").flatten();
    tasks
        .filter(|t| fs::read_to_string(t.path().join("comm")).is_ok_and(|c| c.starts_with("collector-read")))
        .filter_map(|t| fs::read_to_string(t.path().join("status")).ok())
        .filter_map(|s| {
            let line = s.lines().find(|l| l.starts_with("voluntary_ctxt_switches"))?.to_owned();
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .sum()
}
