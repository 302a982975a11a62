//! `ilogtail_status.LOG`: one line a minute of how the collector does, with the names that the service knows.
//!
//! Fields: those of the topic `logtail_status` (collector.md §4.1) that mean something here; what ours has not
//! (plugins, polling caches, queues of its own) is left out. Called by `service`.

use std::convert::Infallible;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tracing::warn;

use crate::app_info::{self, VERSION};
use crate::engine::EngineStatus;
use crate::engine::status::Board;
use crate::logging::RotatingFile;
use crate::metrics::Counter;

/// Time between two lines. Source: collector.md §4.1.
const INTERVAL: Duration = Duration::from_secs(60);

/// What stays the same while the process lives with one config.
#[derive(Debug, Clone)]
pub struct About {
    pub hostname: String,
    pub instance_id: String,
    pub ip: String,
    pub uuid: String,
    pub user_defined_id: String,
    pub region: String,
    pub send_request_concurrency: usize,
    /// Unix seconds.
    pub startup_time: i64,
    /// Names of the variables that are tags.
    pub env_tags: Vec<String>,
}

/// What the system says of this process.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    cpu: Duration,
    memory_bytes: u64,
    open_files: usize,
}

impl Usage {
    /// What cannot be read is 0: on another system than Linux, or without /proc.
    fn of_process() -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let nanos = u32::try_from(cpu.tv_nsec).unwrap_or_default();
        let told = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = told.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap_or_default();
        Self {
            cpu: Duration::new(u64::try_from(cpu.tv_sec).unwrap_or_default(), nanos),
            memory_bytes: kib.saturating_mul(1024),
            open_files: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
        }
    }
}

/// The counters that rates are made of, and when they were read.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    usage: Usage,
    read_bytes: u64,
    events: u64,
    sent_bytes: u64,
    sent_logs: u64,
}

impl Sample {
    fn new(at: Instant, usage: Usage, board: &Board) -> Self {
        Self {
            at,
            usage,
            read_bytes: board.total(Counter::BytesRead),
            events: board.total(Counter::Events),
            sent_bytes: board.total(Counter::BytesSent),
            sent_logs: board.total(Counter::LogsSent),
        }
    }
}

/// Writes for ever. A file that cannot be written is reported once, and is no reason to end.
pub async fn write(path: &Path, about: About, board: Arc<Board>) -> Infallible {
    let mut file = match RotatingFile::open(path) {
        Ok(file) => file,
        Err(error) => {
            warn!("{} cannot be written: {error}", path.display());
            return std::future::pending().await;
        }
    };
    let mut is_failing = false;
    let mut before: Option<Sample> = None;
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        let at = ticks.tick().await.into_std();
        let status = board.status();
        let sample = Sample::new(at, Usage::of_process(), &board);
        let now = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
        let line = format!("{}\n", line(&now, &about, &status, before.as_ref(), &sample));
        before = Some(sample);
        let written = file.write_all(line.as_bytes());
        if let Err(error) = &written
            && !is_failing
        {
            warn!("{} cannot be written: {error}", path.display());
        }
        is_failing = written.is_err();
    }
}

fn line(time: &str, about: &About, status: &EngineStatus, before: Option<&Sample>, now: &Sample) -> Value {
    let seconds = before.map_or(0.0, |before| now.at.saturating_duration_since(before.at).as_secs_f64());
    // A config that went away takes its counters along.
    let per_second = |of: fn(&Sample) -> u64| match before {
        Some(before) if seconds > 0.0 => (of(now).saturating_sub(of(before)) as f64 / seconds).round() as u64,
        _ => 0,
    };
    let cpu = match before {
        Some(before) if seconds > 0.0 => {
            now.usage.cpu.saturating_sub(before.usage.cpu).as_secs_f64() / seconds
        }
        _ => 0.0,
    };
    let detail = json!({
        "config_count": status.pipelines.len(),
        "env_config": about.env_tags.join("|"),
        "open_fd": now.usage.open_files,
        "process_bytes_ps": per_second(|sample| sample.read_bytes),
        "process_lines_ps": per_second(|sample| sample.events),
        "reader_count": status.pipelines.iter().map(|pipeline| pipeline.files).sum::<u64>(),
        "region": about.region,
        "send_bytes_ps": per_second(|sample| sample.sent_bytes),
        "send_lines_ps": per_second(|sample| sample.sent_logs),
        "send_request_concurrency": about.send_request_concurrency,
        "sender_invalid": status.pipelines.iter().filter(|pipeline| pipeline.last_error.is_some()).count(),
        "start_time": about.startup_time,
        "used_sending_concurrency": status.requests_under_way,
    });
    json!({
        "time": time,
        "cpu": format!("{cpu:.4}"),
        "memory": now.usage.memory_bytes / (1024 * 1024),
        "hostname": about.hostname,
        "instance_id": about.instance_id,
        "ip": about.ip,
        "os": std::env::consts::OS,
        "os_detail": app_info::os_detail(),
        "user": rustix::process::geteuid().as_raw().to_string(),
        "user_defined_id": about.user_defined_id,
        "uuid": about.uuid,
        "version": VERSION,
        "detail_metric": detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About {
            hostname: "pod-1".into(),
            instance_id: "i".into(),
            ip: "10.0.0.7".into(),
            uuid: "U".into(),
            user_defined_id: "group".into(),
            region: "cn-hangzhou".into(),
            send_request_concurrency: 4,
            startup_time: 1_700_000_000,
            env_tags: vec!["_pod_name_".into(), "_namespace_".into()],
        }
    }

    #[test]
    fn a_line_has_what_happened_in_a_second_since_the_last_one() {
        let board = Board::default();
        let counters = &board.pipeline("a").counters;
        let start = Instant::now();
        let first = Sample::new(start, Usage::default(), &board);
        counters.add(Counter::BytesRead, 60_000);
        counters.add(Counter::Events, 600);
        counters.add(Counter::BytesSent, 66_000);
        counters.add(Counter::LogsSent, 540);
        let usage = Usage { cpu: Duration::from_millis(1_500), memory_bytes: 21 << 20, open_files: 12 };
        let status = board.status();
        let second = Sample::new(start + INTERVAL, usage, &board);
        let line = line("2026-01-02 03:04:05", &about(), &status, Some(&first), &second);
        assert_eq!((&line["cpu"], &line["memory"]), (&"0.0250".into(), &21.into()));
        let detail = &line["detail_metric"];
        let rates = ["process_bytes_ps", "process_lines_ps", "send_bytes_ps", "send_lines_ps"];
        assert_eq!(rates.map(|rate| detail[rate].as_u64()), [Some(1000), Some(10), Some(1100), Some(9)]);
        assert_eq!((&detail["open_fd"], &detail["config_count"]), (&12.into(), &1.into()));
        assert_eq!(detail["env_config"], "_pod_name_|_namespace_");
    }

    #[test]
    fn counters_that_went_with_their_config_and_the_first_line_give_no_rates() {
        let board = Board::default();
        board.pipeline("a").counters.add(Counter::Events, 600);
        let start = Instant::now();
        let first = Sample::new(start, Usage::default(), &board);
        board.remove("a");
        let status = board.status();
        let second = Sample::new(start + INTERVAL, Usage::default(), &board);
        for before in [Some(&first), None] {
            let line = line("t", &about(), &status, before, &second);
            assert_eq!(line["detail_metric"]["process_lines_ps"], 0);
        }
    }
}
