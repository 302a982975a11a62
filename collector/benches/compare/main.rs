//! The whole collector beside others, in one run: `just bench-collector`.
//!
//! Starts the real executable, with its checkpoint, its signatures, a config server and all that it does about
//! rotation, against a sink that verifies and counts; then its peers against the same sink, on the same lines. Prints
//! CPU time, rate, memory, wake-ups and delays, what the project wants of each, and the ratios. The machine may be
//! shared: CPU time and ratios count, rates are for orientation. Linux only (it reads /proc).
//!
//! Ends with 1 if a line was lost or repeated, with 2 for wrong arguments.

mod arrivals;
mod body;
mod cases;
mod goals;
#[path = "../data_path/lines.rs"]
mod lines;
mod ours;
mod peers;
mod process;
mod report;
mod request;
mod sink;
mod subject;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use cases::{Measured, Prepared};
use report::{Figures, Report};
use subject::{Mode, Subject};

/// Measures the collector, and its peers, on the same lines.
#[derive(Debug, Parser)]
#[command(name = "just bench-collector")]
struct Arguments {
    /// Megabytes of text of each bulk run
    #[arg(long, env = "BENCH_MB", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    mb: u64,
    /// Runs of each case, of which the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=99))]
    runs: u64,
    /// Peers: rsyslog, syslog-ng, otelcol, all or none; without it those that are installed
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Less than a minute: our collector alone, one short run of each case
    #[arg(long)]
    quick: bool,
    /// Only these cases: bulk, steady, many, idle, delay, threads
    #[arg(long, value_delimiter = ',')]
    only: Vec<Case>,
    /// Only these modes of the bulk case, by name
    #[arg(long, value_delimiter = ',')]
    modes: Vec<String>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Case {
    Bulk,
    Steady,
    Many,
    Idle,
    Delay,
    Threads,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// How long the cases take, and how often they are run.
struct Plan {
    bytes: u64,
    runs: u64,
    steady: Duration,
    many: Duration,
    idle: Duration,
    delay: Duration,
    modes: Vec<Mode>,
    threads: Vec<usize>,
}

impl Plan {
    fn new(arguments: &Arguments) -> Self {
        const QUICK_MB_MAX: u64 = 50;
        let seconds = |long, quick| Duration::from_secs(if arguments.quick { quick } else { long });
        let is_wanted = |mode: &Mode| {
            arguments.modes.is_empty() || arguments.modes.iter().any(|name| *name == mode.name())
        };
        Self {
            bytes: 1_000_000 * if arguments.quick { arguments.mb.min(QUICK_MB_MAX) } else { arguments.mb },
            runs: if arguments.quick { 1 } else { arguments.runs },
            steady: seconds(15, 4),
            many: seconds(15, 5),
            idle: seconds(30, 5),
            delay: seconds(10, 4),
            modes: Mode::ALL.into_iter().filter(is_wanted).collect(),
            threads: vec![1, 2, 4],
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let plan = Plan::new(&arguments);
    let wanted = match &arguments.peers[..] {
        [] if arguments.quick => Vec::new(),
        [] => vec!["all".to_owned()],
        wanted => wanted.to_vec(),
    };
    let known = ["rsyslog", "syslog-ng", "otelcol", "all", "none"];
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(&name.as_str())) {
        eprintln!("no peer is named {unknown:?}; there are {}", known.join(", "));
        return ExitCode::from(2);
    }
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers");
    let (subjects, missing) = subject::find(&wanted, &installed);
    let mut report = Report::quiet(arguments.output == Output::Json);
    report.describe(subjects.iter().map(|subject| subject.description()).collect(), missing);
    let cases = [Case::Bulk, Case::Steady, Case::Many, Case::Idle, Case::Delay, Case::Threads];
    for case in cases.into_iter().filter(|case| arguments.only.is_empty() || arguments.only.contains(case)) {
        match case {
            Case::Bulk => bulk(&plan, &subjects, &mut report),
            Case::Steady => steady(&plan, &subjects, &mut report),
            Case::Many => many(&plan, &subjects, &mut report),
            Case::Idle => idle(&plan, &subjects, &mut report),
            Case::Delay => delay(&plan, &subjects, &mut report),
            Case::Threads => threads(&plan, &*subjects[0], &mut report),
        }
    }
    let is_good = report.finish(subjects[0].name(), arguments.output == Output::Json);
    ExitCode::from(u8::from(!is_good))
}

/// The files of some forms, in a directory that is removed in the end.
struct Files {
    _directory: tempfile::TempDir,
    by_name: BTreeMap<&'static str, Prepared>,
}

impl Files {
    fn generate(modes: &[Mode], bytes: u64) -> Self {
        let directory = tempfile::Builder::new().prefix("compare-").tempdir().expect("a directory");
        let mut by_name = BTreeMap::new();
        for form in modes.iter().map(|mode| mode.form()) {
            let path: PathBuf = directory.path().join(form.file_name());
            by_name.entry(form.file_name()).or_insert_with(|| {
                let (bytes, lines) = lines::generate(&path, form, bytes).expect("room for the lines");
                Prepared { path, form, bytes, lines }
            });
        }
        Self { _directory: directory, by_name }
    }

    fn of(&self, mode: Mode) -> &Prepared {
        &self.by_name[mode.form().file_name()]
    }
}

const BULK: Figures<'_> = &[
    ("cpu-s/GB", Measured::cpu_per_gb),
    ("MB/s", Measured::megabytes_per_second),
    ("peak MiB", |m| m.peak_mib),
    ("wake-ups/MB", |m| m.wake_ups as f64 / m.bytes as f64 * 1e6),
    ("sent/text", |m| m.wire_bytes as f64 / m.bytes as f64),
];
const OVER_TIME: Figures<'_> = &[
    ("% of a core", Measured::percent),
    ("peak MiB", |m| m.peak_mib),
    ("wake-ups/s", Measured::wake_ups_per_second),
    ("requests", |m| m.requests as f64),
];
const QUIET: Figures<'_> = &[
    ("% of a core", Measured::percent),
    ("resident MiB", |m| m.resident_mib),
    ("anonymous MiB", |m| m.anonymous_mib),
    ("wake-ups/s", Measured::wake_ups_per_second),
];

fn repeat(runs: u64, run: impl Fn() -> Result<Measured, String>) -> Vec<Result<Measured, String>> {
    (0..runs).map(|_| run()).collect()
}

fn bulk(plan: &Plan, subjects: &[Box<dyn Subject>], report: &mut Report) {
    let files = Files::generate(&plan.modes, plan.bytes);
    for mode in &plan.modes {
        for subject in subjects.iter().filter(|subject| subject.takes(*mode)) {
            let runs = repeat(plan.runs, || cases::bulk(&**subject, *mode, files.of(*mode), None));
            report.add(subject.name(), mode.name(), &runs, BULK);
        }
    }
}

fn steady(plan: &Plan, subjects: &[Box<dyn Subject>], report: &mut Report) {
    for mode in [Mode::Simple, Mode::Regex] {
        for subject in subjects.iter().filter(|subject| subject.takes(mode)) {
            let runs = repeat(plan.runs, || cases::steady(&**subject, mode, plan.steady));
            report.add(subject.name(), &format!("10 MB/s {}", mode.name()), &runs, OVER_TIME);
        }
    }
}

fn many(plan: &Plan, subjects: &[Box<dyn Subject>], report: &mut Report) {
    for subject in subjects {
        let runs: Vec<_> =
            (0..plan.runs).map(|_| cases::many_files(&**subject, plan.many, plan.idle / 2)).collect();
        let part = |of: fn((Measured, Measured)) -> Measured| -> Vec<_> {
            runs.iter().cloned().map(|run| run.map(of)).collect()
        };
        report.add(subject.name(), "1,000 files", &part(|(written, _)| written), OVER_TIME);
        report.add(subject.name(), "1,000 files idle", &part(|(_, quiet)| quiet), QUIET);
    }
}

fn idle(plan: &Plan, subjects: &[Box<dyn Subject>], report: &mut Report) {
    for subject in subjects {
        let runs = repeat(plan.runs, || cases::idle(&**subject, plan.idle));
        report.add(subject.name(), "idle", &runs, QUIET);
    }
}

fn delay(plan: &Plan, subjects: &[Box<dyn Subject>], report: &mut Report) {
    const MS: f64 = 1_000.0;
    let figures: Figures<'_> = &[
        ("p50 ms", |m| m.delay(50.0).as_secs_f64() * MS),
        ("p99 ms", |m| m.delay(99.0).as_secs_f64() * MS),
        ("longest ms", |m| m.delay(100.0).as_secs_f64() * MS),
        ("% of a core", Measured::percent),
    ];
    for subject in subjects {
        let runs = repeat(plan.runs, || cases::delay(&**subject, plan.delay));
        report.add(subject.name(), "delay at 1 MB/s", &runs, figures);
    }
}

fn threads(plan: &Plan, ours: &dyn Subject, report: &mut Report) {
    let modes = [Mode::Simple, Mode::BranchingRegex];
    let files = Files::generate(&modes, plan.bytes);
    for mode in modes {
        for threads in &plan.threads {
            let runs = repeat(plan.runs, || cases::bulk(ours, mode, files.of(mode), Some(*threads)));
            report.add(ours.name(), &format!("{}, {threads} threads", mode.name()), &runs, BULK);
        }
    }
}
