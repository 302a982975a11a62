//! How the collector does, each minute: a line of `ilogtail_status.LOG`, which is also what `diagnostics` tells the
//! service.
//!
//! Fields: those of the topic `logtail_status` (collector.md §4.1) that mean something here; what ours has not
//! (polling caches, process queues) is left out. Called by `service`.

use std::convert::Infallible;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tokio::sync::watch;
use tracing::warn;

use crate::app_info::{self, VERSION};
use crate::engine::EngineStatus;
use crate::engine::status::{Board, Gauges};
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
#[derive(Debug, Clone, Default)]
struct Usage {
    cpu: Duration,
    memory_bytes: u64,
    open_files: usize,
    /// Of the node, in whatever unit: what was used, and all.
    node_cpu: (u64, u64),
    /// Of the node: averages of 1, 5 and 15 minutes.
    load: String,
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
            node_cpu: node_cpu(&fs::read_to_string("/proc/stat").unwrap_or_default()),
            load: load(&fs::read_to_string("/proc/loadavg").unwrap_or_default()),
        }
    }
}

/// From `/proc/stat`: its first line has the times of user, nice, system, idle, iowait and others. Source: proc_stat(5).
fn node_cpu(stat: &str) -> (u64, u64) {
    let first = stat.lines().next().unwrap_or_default();
    let times: Vec<u64> =
        first.split_whitespace().skip(1).take(8).map_while(|time| time.parse().ok()).collect();
    let all: u64 = times.iter().sum();
    let unused: u64 = times.iter().skip(3).take(2).sum();
    (all - unused, all)
}

fn load(loadavg: &str) -> String {
    loadavg.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// The counters that rates are made of, and when they were read.
#[derive(Debug, Clone)]
struct Sample {
    at: Instant,
    usage: Usage,
    read_bytes: u64,
    events: u64,
    sent_bytes: u64,
    sent_logs: u64,
    file_events: u64,
    blocks: u64,
    requests: u64,
    body_bytes: u64,
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
            file_events: get(&board.gauges.file_events),
            blocks: get(&board.gauges.blocks_read),
            requests: get(&board.gauges.requests_settled),
            body_bytes: get(&board.gauges.body_bytes_settled),
        }
    }
}

fn get(gauge: &AtomicU64) -> u64 {
    gauge.load(Ordering::Relaxed)
}

/// Writes for ever, and tells `told`. A file that cannot be written is reported once, and is no reason to end.
pub async fn write(
    path: &Path,
    about: About,
    board: Arc<Board>,
    told: watch::Sender<Option<Value>>,
) -> Infallible {
    let mut file = RotatingFile::open(path);
    let mut is_failing = file.is_err();
    if let Err(error) = &file {
        warn!("{} cannot be written: {error}", path.display());
    }
    let mut before: Option<Sample> = None;
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        let at = ticks.tick().await.into_std();
        let status = board.status();
        let sample = Sample::new(at, Usage::of_process(), &board);
        let now = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
        let line = line(&now, &about, (&status, &board.gauges), before.as_ref(), &sample);
        before = Some(sample);
        let text = format!("{line}\n");
        told.send_replace(Some(line));
        let Ok(file) = &mut file else { continue };
        let written = file.write_all(text.as_bytes());
        if let Err(error) = &written
            && !is_failing
        {
            warn!("{} cannot be written: {error}", path.display());
        }
        is_failing = written.is_err();
    }
}

fn line(
    time: &str,
    about: &About,
    (status, gauges): (&EngineStatus, &Gauges),
    before: Option<&Sample>,
    now: &Sample,
) -> Value {
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
    let mut detail = json!({
        "config_count": status.pipelines.len(),
        "config_update_count": get(&gauges.config_updates),
        "env_config": about.env_tags.join("|"),
        "event_tps": per_second(|sample| sample.file_events),
        "multi_config": true,
        "open_fd": now.usage.open_files,
        "plugin_enabled": false,
        "process_bytes_ps": per_second(|sample| sample.read_bytes),
        "process_lines_ps": per_second(|sample| sample.events),
        "process_tps": per_second(|sample| sample.blocks),
        "reader_count": status.pipelines.iter().map(|pipeline| pipeline.files).sum::<u64>(),
        "region": about.region,
        "register_handler": get(&gauges.directories_watched),
        "send_bytes_ps": per_second(|sample| sample.sent_bytes),
        "send_lines_ps": per_second(|sample| sample.sent_logs),
        "send_net_bytes_ps": per_second(|sample| sample.body_bytes),
        "send_queue_full": get(&gauges.lanes_full),
        "send_queue_total": get(&gauges.lanes),
        "send_request_concurrency": about.send_request_concurrency,
        "send_tps": per_second(|sample| sample.requests),
        "sender_invalid": get(&gauges.lanes_failing),
        "start_time": about.startup_time,
        "used_sending_concurrency": status.requests_under_way,
    });
    for (name, time) in [
        ("config_get_last_time", &gauges.last_config_update),
        ("last_read_event_time", &gauges.last_file_event),
        ("last_send_time", &gauges.last_settled),
    ] {
        // What has not happened has no time.
        if get(time) > 0 {
            detail[name] = get(time).into();
        }
    }
    let mut line = json!({
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
    });
    // Not every system tells these.
    if !now.usage.load.is_empty() {
        line["load"] = now.usage.load.as_str().into();
    }
    let (used, all) = before.map_or((0, 0), |before| before.usage.node_cpu);
    if now.usage.node_cpu.1 > all {
        let share = now.usage.node_cpu.0.saturating_sub(used) as f64 / (now.usage.node_cpu.1 - all) as f64;
        line["os_cpu"] = format!("{share:.4}").into();
    }
    line
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
        let usage = Usage {
            cpu: Duration::from_millis(1_500),
            memory_bytes: 21 << 20,
            open_files: 12,
            node_cpu: node_cpu("cpu  30 0 10 50 10 0 0 0 7 7\ncpu0 1 2 3\n"),
            load: load("0.10 0.04 0.05 2/376 5277\n"),
        };
        let gauges = &board.gauges;
        for (gauge, n) in [
            (&gauges.file_events, 120),
            (&gauges.blocks_read, 180),
            (&gauges.requests_settled, 60),
            (&gauges.body_bytes_settled, 6_000),
            (&gauges.lanes, 3),
            (&gauges.lanes_full, 2),
            (&gauges.lanes_failing, 1),
            (&gauges.last_settled, 1_700_000_000),
        ] {
            gauge.store(n, Ordering::Relaxed);
        }
        let status = board.status();
        let second = Sample::new(start + INTERVAL, usage, &board);
        let line = line("2026-01-02 03:04:05", &about(), (&status, gauges), Some(&first), &second);
        assert_eq!((&line["cpu"], &line["memory"]), (&"0.0250".into(), &21.into()));
        let detail = &line["detail_metric"];
        let rates = ["process_bytes_ps", "process_lines_ps", "send_bytes_ps", "send_lines_ps"];
        assert_eq!(rates.map(|rate| detail[rate].as_u64()), [Some(1000), Some(10), Some(1100), Some(9)]);
        assert_eq!((&detail["open_fd"], &detail["config_count"]), (&12.into(), &1.into()));
        assert_eq!(detail["env_config"], "_pod_name_|_namespace_");
        let rates = ["event_tps", "process_tps", "send_tps", "send_net_bytes_ps"];
        assert_eq!(rates.map(|rate| detail[rate].as_u64()), [Some(2), Some(3), Some(1), Some(100)]);
        let queues = ["send_queue_total", "send_queue_full", "sender_invalid"];
        assert_eq!(queues.map(|queue| detail[queue].as_u64()), [Some(3), Some(2), Some(1)]);
        assert_eq!((&line["load"], &line["os_cpu"]), (&"0.10 0.04 0.05".into(), &"0.4000".into()));
        let times = ["last_send_time", "last_read_event_time", "config_get_last_time"];
        assert_eq!(times.map(|time| detail[time].as_u64()), [Some(1_700_000_000), None, None]);
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
            let line = line("t", &about(), (&status, &board.gauges), before, &second);
            assert_eq!(line["detail_metric"]["process_lines_ps"], 0);
            assert_eq!((line.get("load"), line.get("os_cpu")), (None, None), "nobody told them");
        }
    }
}
