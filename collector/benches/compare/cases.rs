//! The measurements: everything that is there, a steady rate, many files, nothing at all, and how late lines are.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::lines::{Form, Lines};
use crate::process::{Process, Usage};
use crate::sink::{Protocol, Sink, Verifies};
use crate::subject::{Job, Mode, Subject};

/// Longest time until all lines of a measurement have come.
const ARRIVAL_WAIT: Duration = Duration::from_secs(300);
/// Repeated lines come within this time after the last new one.
const REPEAT_WAIT: Duration = Duration::from_millis(300);
/// How often it is looked whether all have come.
const POLL: Duration = Duration::from_millis(2);
/// A collector is at work after this time.
const SETTLE: Duration = Duration::from_secs(3);
/// Time between two writes of a steady rate.
const WRITE_INTERVAL: Duration = Duration::from_millis(10);
/// Bytes a second of the steady rate, and of the one whose delay is measured.
const STEADY_RATE: u64 = 10_000_000;
const DELAY_RATE: u64 = 1_000_000;
/// Files that get a line a second.
const MANY_FILES: usize = 1_000;

/// A measurement.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Bytes of text that were collected.
    pub bytes: u64,
    /// CPU time over `wall`.
    pub cpu: Duration,
    pub wall: Duration,
    pub wake_ups: u64,
    pub peak_mib: f64,
    /// At the end, and how much of it is no file that is mapped.
    pub resident_mib: f64,
    pub anonymous_mib: f64,
    pub requests: u64,
    pub wire_bytes: u64,
    /// From the write of a line to the answer to its request, sorted.
    pub delays: Vec<Duration>,
    /// What went wrong: lost or repeated lines, bad requests.
    pub problems: Vec<String>,
}

impl Measured {
    pub fn cpu_per_gb(&self) -> f64 {
        self.cpu.as_secs_f64() / self.bytes as f64 * 1e9
    }

    pub fn megabytes_per_second(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.wall.as_secs_f64()
    }

    /// Of one core.
    pub fn percent(&self) -> f64 {
        self.cpu.as_secs_f64() / self.wall.as_secs_f64() * 100.0
    }

    pub fn wake_ups_per_second(&self) -> f64 {
        self.wake_ups as f64 / self.wall.as_secs_f64()
    }

    pub fn delay(&self, percentile: f64) -> Duration {
        let last = self.delays.len().saturating_sub(1);
        self.delays.get((last as f64 * percentile / 100.0).ceil() as usize).copied().unwrap_or_default()
    }

    fn between(before: &Usage, after: &Usage, wall: Duration) -> Self {
        Self {
            cpu: after.cpu.saturating_sub(before.cpu),
            wall,
            wake_ups: after.wake_ups.saturating_sub(before.wake_ups),
            peak_mib: after.peak_kib as f64 / 1024.0,
            resident_mib: after.resident_kib as f64 / 1024.0,
            anonymous_mib: after.anonymous_kib as f64 / 1024.0,
            ..Self::default()
        }
    }
}

/// A file that all collectors read.
pub struct Prepared {
    pub path: PathBuf,
    pub form: Form,
    pub bytes: u64,
    pub lines: u64,
}

/// A collector at work, and what it sends to.
struct Run {
    process: Process,
    sink: Sink,
    root: tempfile::TempDir,
    is_ordered: bool,
}

impl Run {
    fn start(
        subject: &dyn Subject,
        (mode, files, threads): (Mode, &str, Option<usize>),
        lines_max: u64,
        prepare: impl FnOnce(&Path) -> io::Result<()>,
    ) -> io::Result<Self> {
        let root = tempfile::Builder::new().prefix("compare-").tempdir()?;
        let logs = root.path().join("var/log");
        fs::create_dir_all(&logs)?;
        prepare(&logs)?;
        // With threads it is asked how much faster: the sink must not stand in their way.
        let verifies = if threads.is_some() { Verifies::WhenQuiet } else { Verifies::AtOnce };
        let sink = Sink::start(subject.protocol(), lines_max, verifies)?;
        let job = Job { mode, files, root: root.path(), sink: sink.address, threads };
        let process = Process::start(&mut subject.command(&job)?, &root.path().join("output"))?;
        // Others promise no order.
        let is_ordered = subject.protocol() == Protocol::LogService && !files.contains('*');
        Ok(Self { process, sink, root, is_ordered })
    }

    fn logs(&self) -> PathBuf {
        self.root.path().join("var/log")
    }

    /// Waits until so many lines have come.
    fn wait_for(&mut self, lines: u64) -> Result<(), String> {
        let deadline = Instant::now() + ARRIVAL_WAIT;
        while self.sink.arrivals.distinct() < lines {
            if Instant::now() > deadline || self.process.has_ended() {
                let output = fs::read_to_string(self.root.path().join("output")).unwrap_or_default();
                let tail: Vec<&str> = output.lines().rev().take(8).collect();
                return Err(format!(
                    "{} of {lines} lines came; {:?}; it says, the last first: {tail:#?}",
                    self.sink.arrivals.distinct(),
                    self.sink.arrivals.problems()
                ));
            }
            std::thread::sleep(POLL);
            self.sink.verify_kept();
        }
        Ok(())
    }

    /// Ends it, and says what was wrong; `lines` is how many there were.
    fn end(self, lines: u64, measured: Measured) -> Measured {
        std::thread::sleep(REPEAT_WAIT);
        let arrivals = &self.sink.arrivals;
        let mut problems = arrivals.problems();
        if arrivals.distinct() != lines {
            problems.push(format!("{} lines of {lines}", arrivals.distinct()));
        }
        if arrivals.repeated() > 0 {
            problems.push(format!("{} lines came again", arrivals.repeated()));
        }
        if self.is_ordered && arrivals.disordered() > 0 {
            problems.push(format!("{} lines out of order", arrivals.disordered()));
        }
        let (requests, wire_bytes) = (arrivals.requests(), arrivals.wire_bytes());
        // Only ours promises that all is delivered then.
        let _ = self.process.end();
        Measured { requests, wire_bytes, problems, ..measured }
    }
}

/// All of a file that is there already; from the start of the process until the last line has come.
pub fn bulk(
    subject: &dyn Subject,
    mode: Mode,
    file: &Prepared,
    threads: Option<usize>,
) -> Result<Measured, String> {
    let name = file.form.file_name();
    let link = |logs: &Path| fs::hard_link(&file.path, logs.join(name));
    let mut run = Run::start(subject, (mode, name, threads), file.lines, link).map_err(|e| e.to_string())?;
    run.wait_for(file.lines)?;
    let after = run.process.usage().map_err(|e| e.to_string())?;
    let wall = run.sink.arrivals.last().duration_since(run.process.started);
    let nothing = Usage { cpu: Duration::ZERO, wake_ups: 0, peak_kib: 0, resident_kib: 0, anonymous_kib: 0 };
    let measured = Measured { bytes: file.bytes, ..Measured::between(&nothing, &after, wall) };
    Ok(run.end(file.lines, measured))
}

/// A steady rate into one file, for so long.
pub fn steady(subject: &dyn Subject, mode: Mode, time: Duration) -> Result<Measured, String> {
    at_rate(subject, mode, STEADY_RATE, time, false)
}

/// A lower rate, and how long each line takes to be acknowledged.
pub fn delay(subject: &dyn Subject, time: Duration) -> Result<Measured, String> {
    at_rate(subject, Mode::Simple, DELAY_RATE, time, true)
}

fn at_rate(
    subject: &dyn Subject,
    mode: Mode,
    rate: u64,
    time: Duration,
    is_timed: bool,
) -> Result<Measured, String> {
    const LINE_BYTES_MIN: u64 = 100;
    let name = mode.form().file_name();
    let lines_max = rate * (time + SETTLE).as_secs() / LINE_BYTES_MIN;
    let create = |logs: &Path| File::create(logs.join(name)).map(drop);
    let mut run = Run::start(subject, (mode, name, None), lines_max, create).map_err(|e| e.to_string())?;
    std::thread::sleep(SETTLE);
    let failed = |e: io::Error| e.to_string();
    let mut file = OpenOptions::new().append(true).open(run.logs().join(name)).map_err(failed)?;
    let mut lines = Lines::new(mode.form(), 0);
    let (mut text, mut written, mut count) = (String::new(), 0, 0);
    let mut times: Vec<Instant> = Vec::new();
    // The first second is no part of it.
    let warm = Duration::from_secs(1);
    let begun = Instant::now();
    let mut before = None;
    while begun.elapsed() < time + warm {
        if begun.elapsed() >= warm && before.is_none() {
            before = Some((run.process.usage().map_err(failed)?, Instant::now(), written));
        }
        let due = (begun.elapsed().as_secs_f64() * rate as f64) as u64;
        text.clear();
        let first = count;
        while written + (text.len() as u64) < due {
            lines.append(&mut text);
            count += 1;
        }
        file.write_all(text.as_bytes()).map_err(failed)?;
        written += text.len() as u64;
        if is_timed {
            let now = Instant::now();
            times.extend((first..count).map(|_| now));
        }
        std::thread::sleep(WRITE_INTERVAL);
    }
    let after = run.process.usage().map_err(failed)?;
    let (before, since, written_before) = before.ok_or("the time is too short")?;
    let mut measured = Measured::between(&before, &after, since.elapsed());
    measured.bytes = written - written_before;
    run.wait_for(count)?;
    let answered =
        |(line, at): (usize, &Instant)| Some(run.sink.arrivals.answered(line)?.duration_since(*at));
    measured.delays = times.iter().enumerate().filter_map(answered).collect();
    measured.delays.sort_unstable();
    Ok(run.end(count, measured))
}

/// Many files with a line a second each, then the same files and nothing more.
pub fn many_files(
    subject: &dyn Subject,
    time: Duration,
    idle: Duration,
) -> Result<(Measured, Measured), String> {
    let name = |number: usize| format!("app-{number:04}.log");
    let seconds = (time + SETTLE).as_secs();
    let lines_max = MANY_FILES as u64 * (seconds + 1);
    let create = |logs: &Path| (0..MANY_FILES).try_for_each(|n| File::create(logs.join(name(n))).map(drop));
    let job = (Mode::Simple, "app-*.log", None);
    let mut run = Run::start(subject, job, lines_max, create).map_err(|e| e.to_string())?;
    let failed = |e: io::Error| e.to_string();
    let open = |n: usize| OpenOptions::new().append(true).open(run.logs().join(name(n)));
    let mut files: Vec<File> = (0..MANY_FILES).map(open).collect::<io::Result<_>>().map_err(failed)?;
    std::thread::sleep(SETTLE);
    let mut lines = Lines::new(Form::Access, 0);
    let (mut text, mut bytes, mut count) = (String::new(), 0, 0);
    let begun = Instant::now();
    let mut before = None;
    while begun.elapsed() < time + SETTLE {
        if begun.elapsed() >= SETTLE && before.is_none() {
            before = Some((run.process.usage().map_err(failed)?, Instant::now(), bytes));
        }
        let due = ((begun.elapsed().as_secs_f64() * MANY_FILES as f64) as usize).min(lines_max as usize);
        while count < due {
            text.clear();
            lines.append(&mut text);
            files[count % MANY_FILES].write_all(text.as_bytes()).map_err(failed)?;
            bytes += text.len() as u64;
            count += 1;
        }
        std::thread::sleep(WRITE_INTERVAL / 2);
    }
    let after = run.process.usage().map_err(failed)?;
    let (before, since, bytes_before) = before.ok_or("the time is too short")?;
    let mut written = Measured::between(&before, &after, since.elapsed());
    written.bytes = bytes - bytes_before;
    run.wait_for(count as u64)?;
    std::thread::sleep(SETTLE);
    let quiet = quiet(&run.process, idle).map_err(failed)?;
    drop(files); // who ends while somebody writes waits for that
    Ok((run.end(count as u64, written), quiet))
}

/// One file to which nothing is written any more.
pub fn idle(subject: &dyn Subject, time: Duration) -> Result<Measured, String> {
    let name = Form::Access.file_name();
    let mut text = String::new();
    Lines::new(Form::Access, 0).append(&mut text);
    let write = |logs: &Path| fs::write(logs.join(name), &text);
    let mut run = Run::start(subject, (Mode::Simple, name, None), 1, write).map_err(|e| e.to_string())?;
    run.wait_for(1)?;
    std::thread::sleep(2 * SETTLE);
    let measured = quiet(&run.process, time).map_err(|e| e.to_string())?;
    Ok(run.end(1, measured))
}

fn quiet(process: &Process, time: Duration) -> io::Result<Measured> {
    let (before, begun) = (process.usage()?, Instant::now());
    std::thread::sleep(time);
    let after = process.usage()?;
    Ok(Measured::between(&before, &after, begun.elapsed()))
}
