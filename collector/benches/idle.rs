//! What the whole program costs when nothing happens: `cargo bench -p collector --bench idle`.
//!
//! Starts the collector as a container would, hands it two configs, lets it deliver nothing, and
//! prints resident memory, wake-ups and CPU time per second over a while of idleness, with the
//! default heartbeat interval. Figures, not a test; Linux only (it reads /proc).

use std::time::{Duration, Instant};

use sls_api::agent::ConfigStatus;

#[path = "../tests/control_support/mod.rs"]
mod control_support;

use control_support::{CONFIG, ConfigServer, Container, config, eventually, reports, updates};

/// Time to settle after the start, then time that is measured.
const SETTLE: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(20);

fn main() {
    let configs = [config("access", 1), config("error", 2)];
    let server = ConfigServer::start(move |beat| updates(beat, &configs));
    let container = Container::new();
    let settings = serde_json::json!({
        "config_server_list": [{"cluster": "bench", "endpoint_list": [server.address.to_string()]}],
        "default_access_key_id": "id", "default_access_key": "secret", "check_point_path": "/state",
    });
    container.write(CONFIG, settings.to_string());
    container.write("/var/log/README", "the directory exists");
    let collector = container.start();
    server.wait_for("both configs applied", |beat| {
        reports(beat, "access", 1, ConfigStatus::Applied) && reports(beat, "error", 2, ConfigStatus::Applied)
    });
    eventually("a beat after the start", || (!server.beats().is_empty()).then_some(()));
    std::thread::sleep(SETTLE);

    let before = Sample::of(collector.id());
    let start = Instant::now();
    std::thread::sleep(MEASURED);
    let after = Sample::of(collector.id());
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "figure: collector idle, two configs: {:.1} MiB resident ({:.1} MiB of it anonymous), {:.1} wake-ups/s",
        after.resident_kib / 1024.0,
        after.anonymous_kib / 1024.0,
        (after.wake_ups - before.wake_ups) / seconds,
    );
    println!("figure: goal of the project: 12 MiB; the document's request for the container: 30 MiB");
}

/// What the kernel counts of a process, all its threads together.
struct Sample {
    resident_kib: f64,
    anonymous_kib: f64,
    wake_ups: f64,
}

impl Sample {
    fn of(pid: u32) -> Self {
        let mut sample = Self { resident_kib: 0.0, anonymous_kib: 0.0, wake_ups: 0.0 };
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
        sample.resident_kib = number(&status, "VmRSS:");
        sample.anonymous_kib = number(&status, "RssAnon:");
        for task in std::fs::read_dir(format!("/proc/{pid}/task")).expect("its threads").flatten() {
            let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
            sample.wake_ups += number(&status, "voluntary_ctxt_switches:");
        }
        sample
    }
}

fn number(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
}
