//! HTTP for probes and metrics: `/liveness`, `/readyz`, `/startup` and `/metrics`, if a port is given.
//!
//! Source: the vendor's image has `/liveness` at HTTP_PROBE_PORT 7953 (collector.md §1.3); the others are ours. A
//! request is read up to the end of its head, answered, and the connection closed: no probe needs more of HTTP.
//! Called by `service`.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::engine::View;
use crate::engine::books::Account;
use crate::engine::status::Board;

/// Longest head of a request, in bytes. Source: own choice; those of probes and scrapers have a few hundred.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Longest time for a request and its answer. Source: own choice, beyond the time-outs of probes.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);
/// Requests at the same time; more wait. Source: own choice.
const REQUESTS_MAX: usize = 8;
/// For so long `/startup` keeps the application waiting, unless it is told otherwise. Source: own choice; a server that is
/// there answers within seconds.
const STARTUP_TIME_DEFAULT: Duration = Duration::from_secs(60);
/// Longest time for the reader to tell what became of every byte; without an answer it is not shown. Source: own
/// choice; a turn takes milliseconds.
const ACCOUNT_TIME_MAX: Duration = Duration::from_secs(2);
const METRICS: &str = "/metrics";
/// Pause after a connection that could not be taken (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Answers until it is dropped.
pub struct Probes(Vec<JoinHandle<()>>);

impl Drop for Probes {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Probes {
    /// Listens on all addresses, of IPv6 too, since the kubelet asks at the pod's. A port that is taken is no reason not to
    /// collect: the log says so.
    pub async fn serve(port: u16, engine: View) -> Option<Self> {
        let places = Arc::new(Semaphore::new(REQUESTS_MAX));
        let probed = Arc::new(Probed { engine, since: Instant::now() });
        let (mut tasks, mut problem) = (Vec::new(), None);
        // Where IPv6 takes IPv4 along, as it mostly does, the second is refused; where there is no IPv6, the first.
        for address in [IpAddr::from(Ipv6Addr::UNSPECIFIED), Ipv4Addr::UNSPECIFIED.into()] {
            match TcpListener::bind((address, port)).await {
                Ok(listener) => {
                    tasks.push(tokio::spawn(answer_all(listener, Arc::clone(&places), Arc::clone(&probed))));
                }
                Err(error) => problem = Some(error),
            }
        }
        if let Some(error) = problem.filter(|_| tasks.is_empty()) {
            warn!("no probes by HTTP: port {port} cannot be used: {error}; set HTTP_PROBE_PORT to another");
            return None;
        }
        info!("/liveness, /readyz, /startup and /metrics are at port {port}");
        Some(Self(tasks))
    }
}

/// What answers are about.
struct Probed {
    engine: View,
    /// The collector's start.
    since: Instant,
}

async fn answer_all(listener: TcpListener, places: Arc<Semaphore>, probed: Arc<Probed>) {
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let probed = Arc::clone(&probed);
                tokio::spawn(async move {
                    // Who hangs up or is too slow gets no answer.
                    let _ = tokio::time::timeout(REQUEST_TIME_MAX, answer(stream, &probed)).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn answer(mut stream: TcpStream, probed: &Probed) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() >= HEAD_BYTES_MAX || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let account = match path_and_query(&line) {
        (METRICS, _) => tokio::time::timeout(ACCOUNT_TIME_MAX, probed.engine.account()).await.ok().flatten(),
        _ => None,
    };
    let response = respond(&line, probed.engine.board(), probed.since.elapsed(), account.as_ref());
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

/// Of a request line.
fn path_and_query(line: &str) -> (&str, &str) {
    let target = line.split(' ').nth(1).unwrap_or_default();
    target.split_once('?').unwrap_or((target, ""))
}

/// The whole answer to a request line, so long after the start.
fn respond(line: &str, board: &Board, elapsed: Duration, account: Option<&Account>) -> String {
    let method = line.split(' ').next().unwrap_or_default();
    let (path, query) = path_and_query(line);
    let (status, body) = match (method, path) {
        ("GET" | "HEAD", "/liveness") => ("200 OK", "ilogtail is running\n".to_owned()),
        ("GET" | "HEAD", "/readyz") if board.is_ready() => ("200 OK", "collecting\n".to_owned()),
        ("GET" | "HEAD", "/readyz") => ("503 Service Unavailable", "no config collects yet\n".to_owned()),
        ("GET" | "HEAD", "/startup") => startup(board, elapsed, query),
        ("GET" | "HEAD", METRICS) => ("200 OK", metrics(board, account)),
        ("GET" | "HEAD", _) => {
            ("404 Not Found", "there are /liveness, /readyz, /startup and /metrics\n".to_owned())
        }
        _ => ("405 Method Not Allowed", "only GET and HEAD\n".to_owned()),
    };
    let length = body.len();
    let sent = if method == "HEAD" { "" } else { body.as_str() };
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{sent}"
    )
}

/// Whether the application may begin: when it is collected, and after `within` seconds in any case. A server that is away
/// must not keep it from its work; its files are read from their beginnings later.
fn startup(board: &Board, elapsed: Duration, query: &str) -> (&'static str, String) {
    let within = query.split('&').find_map(|part| part.strip_prefix("within=")?.parse().ok());
    let within = within.map_or(STARTUP_TIME_DEFAULT, Duration::from_secs);
    if board.is_ready() {
        ("200 OK", "collecting\n".to_owned())
    } else if elapsed < within {
        ("503 Service Unavailable", "no config collects yet\n".to_owned())
    } else {
        warn!(
            "no config has come for {} s: the application begins without; what it writes is read when one comes",
            elapsed.as_secs()
        );
        ("200 OK", format!("no config collects yet, {} s are over\n", within.as_secs()))
    }
}

/// Counters and the account in the text form of Prometheus.
fn metrics(board: &Board, account: Option<&Account>) -> String {
    let status = board.status();
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, samples: Vec<(String, u64)>| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "# TYPE collector_{name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(text, "collector_{name}{labels} {value}");
        }
    };
    family("ready", "gauge", vec![(String::new(), u64::from(board.is_ready()))]);
    family("requests_under_way", "gauge", vec![(String::new(), status.requests_under_way)]);
    let gauges = &board.gauges;
    for (fate, count) in [("sent", &gauges.diagnostics_sent), ("dropped", &gauges.diagnostics_dropped)] {
        let samples = vec![(String::new(), count.load(Ordering::Relaxed))];
        family(&format!("diagnostic_logs_{fate}_total"), "counter", samples);
    }
    for (name, value) in [("used", &gauges.volume_used_bytes), ("limit", &gauges.volume_limit_bytes)] {
        let value = value.load(Ordering::Relaxed);
        // Nobody watches the volume unless it has a limit.
        let samples = (value > 0).then(|| (String::new(), value));
        family(&format!("log_volume_{name}_bytes"), "gauge", samples.into_iter().collect());
    }
    if let Some(Account { bytes, lines, files, .. }) = account {
        let by_fate = |(fate, n): (&str, u64)| (format!("{{fate=\"{fate}\"}}"), n);
        family("account_files", "gauge", vec![(String::new(), *files)]);
        family("account_bytes", "gauge", bytes.by_fate().map(by_fate).into());
        family("account_lines", "gauge", lines.by_fate().map(by_fate).into());
    }
    let unlinked = gauges.unlinked_files.load(Ordering::Relaxed);
    family("unlinked_files_total", "counter", vec![(String::new(), unlinked)]);
    family("alarms_lost_total", "counter", vec![(String::new(), board.alarms.lost())]);
    let labels: Vec<String> =
        status.pipelines.iter().map(|p| format!("{{config=\"{}\"}}", escaped(&p.name))).collect();
    let all = || labels.iter().cloned().zip(&status.pipelines);
    family("files", "gauge", all().map(|(label, p)| (label, p.files)).collect());
    family("failing", "gauge", all().map(|(label, p)| (label, u64::from(p.last_error.is_some()))).collect());
    let counters = status.pipelines.first().map(|p| p.counters.as_slice()).unwrap_or_default();
    for (index, (name, _)) in counters.iter().enumerate() {
        let value = |counters: &[(&str, u64)]| counters.get(index).map_or(0, |(_, value)| *value);
        let samples = all().map(|(label, p)| (label, value(&p.counters))).collect();
        family(&format!("{name}_total"), "counter", samples);
    }
    text
}

/// A label's value as the text form wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::books::Bytes;
    use crate::metrics::Counter;

    #[test]
    fn metrics_are_in_prometheus_text_form() {
        let board = Board::default();
        board.pipeline("a\"b").counters.add(Counter::LogsSent, 3);
        board.pipeline("c").counters.add(Counter::LogsSent, 4);
        board.gauges.diagnostics_dropped.store(5, Ordering::Relaxed);
        let bytes = Bytes { discovered: 9, acknowledged: 7, unread: 2, ..Bytes::default() };
        let account = Account { bytes, ..Account::default() };
        let text = respond("GET /metrics?x=1 HTTP/1.1", &board, Duration::ZERO, Some(&account));
        let samples = "# TYPE collector_logs_sent_total counter\n\
                       collector_logs_sent_total{config=\"a\\\"b\"} 3\ncollector_logs_sent_total{config=\"c\"} 4\n";
        assert!(text.contains(samples), "{text}");
        assert!(text.contains("\ncollector_account_bytes{fate=\"unread\"} 2\n"), "{text}");
        assert!(text.contains("\ncollector_diagnostic_logs_dropped_total 5\n"), "{text}");
        let body = text.split_once("\r\n\r\n").unwrap().1;
        assert!(text.contains(&format!("content-length: {}\r\n", body.len())), "{text}");
        assert!(!metrics(&Board::default(), None).contains("collector_logs_sent"), "nothing collects");
    }

    #[test]
    fn ready_is_said_when_it_is_so() {
        let board = Board::default();
        assert!(respond("GET /readyz HTTP/1.1", &board, Duration::ZERO, None).starts_with("HTTP/1.1 503 "));
        board.set_ready();
        assert!(respond("GET /readyz HTTP/1.1", &board, Duration::ZERO, None).starts_with("HTTP/1.1 200 "));
        assert!(
            respond("GET /liveness HTTP/1.1", &board, Duration::ZERO, None)
                .ends_with("\r\n\r\nilogtail is running\n")
        );
        assert!(respond("HEAD /liveness HTTP/1.1", &board, Duration::ZERO, None).ends_with("\r\n\r\n"));
        assert!(respond("GET / HTTP/1.1", &board, Duration::ZERO, None).starts_with("HTTP/1.1 404 "));
        assert!(respond("POST /metrics HTTP/1.1", &board, Duration::ZERO, None).starts_with("HTTP/1.1 405 "));
        assert!(respond("", &board, Duration::ZERO, None).starts_with("HTTP/1.1 405 "));
    }

    #[test]
    fn the_application_begins_when_it_is_collected_or_has_waited_long_enough() {
        let board = Board::default();
        let after = |seconds, target: &str| {
            let line = format!("GET {target} HTTP/1.1");
            respond(&line, &board, Duration::from_secs(seconds), None).starts_with("HTTP/1.1 200 ")
        };
        assert_eq!((after(4, "/startup?within=5"), after(5, "/startup?x&within=5")), (false, true));
        assert_eq!((after(59, "/startup"), after(60, "/startup?within=soon")), (false, true));
        board.set_ready();
        assert!(after(0, "/startup?within=5"));
    }

    #[tokio::test]
    async fn probes_answer_by_ipv6_and_by_ipv4() {
        let Ok(free) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else { return }; // no IPv6 here
        let port = free.local_addr().unwrap().port();
        drop(free);
        let _probes = Probes::serve(port, View::detached()).await.expect("a free port");
        for address in [IpAddr::from(Ipv6Addr::LOCALHOST), Ipv4Addr::LOCALHOST.into()] {
            let mut stream = TcpStream::connect((address, port)).await.unwrap();
            stream.write_all(b"GET /liveness HTTP/1.1\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{address}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_no_reason_not_to_collect() {
        let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(Probes::serve(port, View::detached()).await.is_none());
    }
}
