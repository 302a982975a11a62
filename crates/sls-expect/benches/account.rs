//! How long it takes to account for logs, and how much memory: `cargo bench -p sls-expect --bench account -- [logs]`.
//!
//! Ledger and logs are made as they are needed, so that the memory is that of the accounting; making them is timed
//! by itself, since it takes longer than what is measured.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::ops::Range;
use std::time::{Duration, Instant};

use sls_expect::account::{Accountant, Arrival, Field, Options};
use sls_expect::ledger::{Check, Entry, LedgerParser};

const LOGS: u64 = 10_000_000;
/// Goals for [`LOGS`] logs (own choice: a run of an hour shall not take longer to judge than a minute).
const SECONDS_MAX: f64 = 60.0;
const MIB_MAX: f64 = 256.0;
/// Lines of a ledger in a second.
const LINES_MIN: f64 = 1e6;
const SOURCES: u64 = 8;
/// As many as a body of 256 KiB holds.
const LOGS_PER_GROUP: u64 = 675;
/// Bytes of a piece of the ledger, as a body comes.
const PIECE: usize = 64 << 10;
const START_MS: u64 = 1_763_905_845_000;

fn main() {
    // The variable is for a run of all benchmarks, which share their arguments.
    let set = std::env::var("BENCH_ACCOUNTED").ok();
    let logs = std::env::args().chain(set).find_map(|arg| arg.parse().ok()).unwrap_or(LOGS);
    let making = Began::now();
    each_piece(logs, |piece| _ = black_box(piece));
    let making = making.until_now();
    let reading = Began::now();
    let mut parser = LedgerParser::default();
    let mut bytes = 0;
    each_piece(logs, |piece| {
        bytes += piece.len();
        parser.push(piece).expect("a ledger");
    });
    let ledger = parser.finish().expect("a ledger");
    let reading = reading.until_now().less(making);
    let lines = logs as f64 / reading.cpu.as_secs_f64();
    println!(
        "figure: ledger of {logs} lines, {:.0} MB: {reading}, {:.1} million lines in a second of processor time (goal {:.0}, {})",
        bytes as f64 / 1e6,
        lines / 1e6,
        LINES_MIN / 1e6,
        verdict(lines >= LINES_MIN)
    );

    let making = Began::now();
    each_group(logs, |_, log| _ = black_box(log));
    let making = making.until_now();
    let counting = Began::now();
    let mut accountant = Accountant::new(ledger, Options::default()).expect("options");
    let mut packs = 0_u64;
    let mut pack = String::new();
    each_group(logs, |group, texts| {
        packs += 1;
        pack.clear();
        let _ = write!(pack, "5F2A66C0F1C9D5B2-{packs:X}");
        let received_ms = time(group.start) + 900;
        let arrival = Arrival { pack_id: Some(pack.as_bytes()), received_ms, ..Arrival::default() };
        let mut counted = accountant.begin_group(arrival);
        for text in texts.split(|byte| *byte == b'\n').filter(|text| !text.is_empty()) {
            let (fields, len) = fields(text);
            counted.add(fields.get(..len).unwrap_or_default());
        }
    });
    let accounting = accountant.finish();
    let counting = counting.until_now().less(making);
    assert_eq!(accounting.exactly_once(), Ok(()), "{}", accounting.text());
    assert_eq!((accounting.sent, accounting.unchecked, accounting.reordered.count), (logs, 0, 0));
    let all = reading.cpu.as_secs_f64() + counting.cpu.as_secs_f64();
    let scale = logs as f64 / LOGS as f64;
    println!("figure: {logs} logs held against it: {counting}");
    println!(
        "figure: both: {all:.1} s of processor time (goal {:.0}, {})",
        SECONDS_MAX * scale,
        verdict(all <= SECONDS_MAX * scale)
    );
    let mib = peak_mib();
    let goal = MIB_MAX * scale.max(1.0);
    println!("figure: most memory of the process: {mib:.0} MiB (goal {goal:.0}, {})", verdict(mib <= goal));
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// Number of a log, its source and its number there.
fn place(log: u64) -> (u64, u64) {
    // A group is of one source.
    let (group, within) = (log / LOGS_PER_GROUP, log % LOGS_PER_GROUP);
    (group % SOURCES, group / SOURCES * LOGS_PER_GROUP + within + 1)
}

fn time(log: u64) -> u64 {
    START_MS + log / 10
}

fn each_piece(logs: u64, mut f: impl FnMut(&[u8])) {
    let mut piece = Vec::with_capacity(PIECE + 1_024);
    let (mut line, mut source) = (Vec::new(), String::new());
    for log in 0..logs {
        let (of, seq) = place(log);
        source.clear();
        let _ = write!(source, "pod-{of}");
        line.clear();
        put_line(&mut line, log);
        let (fields, len) = fields(&line);
        let values = fields.iter().take(len).map(|(_, value)| *value);
        let entry = Entry {
            run: "r1",
            source: &source,
            seq,
            time: Some(time(log)),
            line: Some(Check::of(&line)),
            values: Some(Check::of_values(values)),
        };
        serde_json::to_writer(&mut piece, &entry).expect("an entry serialises");
        piece.push(b'\n');
        if piece.len() >= PIECE {
            f(&piece);
            piece.clear();
        }
    }
    f(&piece);
}

fn each_group(logs: u64, mut f: impl FnMut(Range<u64>, &[u8])) {
    let mut texts = Vec::new();
    let mut from = 0;
    while from < logs {
        let to = logs.min(from + LOGS_PER_GROUP);
        texts.clear();
        for log in from..to {
            put_line(&mut texts, log);
            texts.push(b'\n');
        }
        f(from..to, &texts);
        from = to;
    }
}

/// As `mock_log` writes them, without quotation marks, so that values are words.
fn put_line(out: &mut Vec<u8>, log: u64) {
    let (source, seq) = place(log);
    let written = writeln_to(out, source, seq, log);
    written.expect("writing to memory does not fail");
}

fn writeln_to(out: &mut Vec<u8>, source: u64, seq: u64, log: u64) -> std::io::Result<()> {
    write!(
        out,
        "{} 10.32.115.{} GET /api/v1/items?run=r1&src=pod-{source}&seq={seq} HTTP/2.0 1.{:03} {} {} {} https://www.example.com/ Mozilla/5.0",
        time(log),
        log % 256,
        log % 1_000,
        log % 65_536,
        200 + log % 7,
        log * 7 % 1_048_576,
    )
}

const FIELDS: usize = 12;
const KEYS: [&[u8]; FIELDS] = [
    b"time",
    b"ip",
    b"method",
    b"url",
    b"protocol",
    b"latency",
    b"payload",
    b"status",
    b"size",
    b"referrer",
    b"agent",
    b"rest",
];

/// What a collector makes of a line.
fn fields(line: &[u8]) -> ([Field<'_>; FIELDS], usize) {
    let mut fields: [Field<'_>; FIELDS] = [(&[], &[]); FIELDS];
    let mut len = 0;
    for ((field, key), value) in fields.iter_mut().zip(KEYS).zip(line.split(|byte| *byte == b' ')) {
        *field = (key, value);
        len += 1;
    }
    (fields, len)
}

/// Time on the clock and of the processor.
#[derive(Clone, Copy)]
struct Took {
    clock: Duration,
    cpu: Duration,
}

impl Took {
    fn less(self, other: Self) -> Self {
        Self { clock: self.clock.saturating_sub(other.clock), cpu: self.cpu.saturating_sub(other.cpu) }
    }
}

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} s ({:.1} s of processor time)", self.clock.as_secs_f64(), self.cpu.as_secs_f64())
    }
}

struct Began {
    clock: Instant,
    cpu: Duration,
}

impl Began {
    fn now() -> Self {
        Self { clock: Instant::now(), cpu: cpu_time() }
    }

    fn until_now(&self) -> Took {
        Took { clock: self.clock.elapsed(), cpu: cpu_time().saturating_sub(self.cpu) }
    }
}

/// Processor time of this process: fields 14 and 15 of /proc/self/stat, in hundredths of a second.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        behind_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The most memory that the process had, MiB.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib: f64 = line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or_default();
    kib / 1_024.0
}
