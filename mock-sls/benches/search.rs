//! How fast queries are, over HTTP and the whole server, beside SQLite over the same lines as
//! rows (in memory, no index), in the same process:
//! `cargo bench -p mock-sls --bench search -- [logs] [part of a query]`. Of more logs than usual there is no peer:
//! it has no memory for them.
//!
//! The first figure of each is the time of the first query of its kind after the start, which finds nothing
//! kept from others; the second is the best of the next three.

#[allow(dead_code, reason = "bodies are of the other benchmark")]
#[path = "ingest/lines.rs"]
mod lines;

#[path = "ingest/disk.rs"]
mod disk;

use std::time::{Duration, Instant};

use mock_sls::{Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, Data, MockSls};
use rusqlite::Connection;
use serde_json::json;
use sls_api::codec::Compression;
use sls_api::log_group::LogGroup;
use sls_api::names::ProjectName;
use sls_api::ops::InLogstore;
use sls_api::ops::indexes::{CreateIndex, Index};
use sls_api::ops::logs::{CompressedLogs, GetHistograms, GetLogs, GetLogsRequest, HistogramQuery, PutLogs};
use sls_api::ops::logstores::{CreateLogStore, LogstoreSettings};
use sls_api::ops::projects::{CreateProject, NewProject};
use sls_api::sign::AccessKey;
use sls_api::{Json, NoPath, NoQuery};
use sls_client::{Client, ClientConfig, ClientError};

const START: u32 = 1_700_000_000;
/// As many as a body of 256 KiB holds.
const LOGS_PER_GROUP: usize = 675;
/// 200 MB of lines of JSON.
const LOGS: usize = 535_000;
/// Goal: bytes on disk for a byte of these lines.
const DISK_GOAL: f64 = 0.25;
/// The best of so many runs counts.
const RUNS: usize = 3;
/// A session that only one log has.
const RARE: &str = "5ca1ab1e0ddba11";

/// What is asked, how SQLite is asked the same, and how many milliseconds it may take for [`LOGS`] logs; for more
/// logs five times that.
struct Question {
    query: &'static str,
    sql: &'static str,
    goal_ms: Option<f64>,
}

const fn question(query: &'static str, sql: &'static str, goal_ms: Option<f64>) -> Question {
    Question { query, sql, goal_ms }
}

/// Newest logs first; otherwise a search is counted.
const NEWEST: &str = "newest 100";

#[rustfmt::skip]
const QUESTIONS: [Question; 11] = [
    question("* | select count(*) as c", "SELECT count(*) FROM log", Some(1.0)),
    question(RARE, "SELECT count(*) FROM log WHERE line LIKE '%5ca1ab1e0ddba11%'", Some(3.0)),
    question("firefox and status:404",
        "SELECT count(*) FROM log WHERE line LIKE '%firefox%' AND status = 404", Some(40.0)),
    question(NEWEST, "SELECT * FROM log ORDER BY second DESC LIMIT 100", Some(5.0)),
    question("* | select status, count(*) as c group by status",
        "SELECT status, count(*) FROM log GROUP BY status", Some(25.0)),
    question("*", "SELECT second / 300, count(*) FROM log GROUP BY 1", Some(15.0)),
    question("status >= 500", "SELECT count(*) FROM log WHERE status >= 500", None),
    question("not curl* and url:basket", "SELECT count(*) FROM log WHERE line NOT LIKE '%curl%' AND uri LIKE '%basket%'", None),
    question("url:0a1*", "SELECT count(*) FROM log WHERE uri LIKE '%session=0a1%'", None),
    question("status:502 | select method, count(*) as c, avg(latency) as a group by method",
        "SELECT method, count(*), avg(time) FROM log WHERE status = 502 GROUP BY method", None),
    question("* | select date_trunc('minute', __time__) as t, count(*) as c group by t order by t limit 1000",
        "SELECT second / 60, count(*) FROM log GROUP BY 1", None),
];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let logs = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(LOGS);
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config { data: Data::Dir(folder.path().to_owned()), ..Config::default() };
    let server = MockSls::start(config).await.expect("the server starts");
    let bed = Bed::new(&server.endpoint()).await;
    let peer = (logs <= LOGS).then(peer);
    let began = Instant::now();
    let (text, raw) = fill(&bed, peer.as_ref(), logs).await;
    println!(
        "{logs} logs, {:.0} MB as lines of JSON, put in {:.1} s",
        text as f64 / 1e6,
        began.elapsed().as_secs_f64()
    );
    println!("milliseconds of time (of processor time); the first query of its kind; the same of SQLite");
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-') && arg.parse::<usize>().is_err());
    for Question { query, sql, goal_ms } in QUESTIONS {
        if wanted.as_ref().is_some_and(|part| !query.contains(part.as_str())) {
            continue;
        }
        let began = Began::now();
        bed.ask(query).await;
        let first = began.until_now();
        let (mut ours, mut theirs) = (Cost::WORST, None);
        for _ in 0..RUNS {
            let began = Began::now();
            bed.ask(query).await;
            ours = ours.min(began.until_now());
        }
        // Behind all of ours: it goes through hundreds of megabytes, after which no cache is warm.
        for peer in peer.iter().cycle().take(if peer.is_some() { RUNS } else { 0 }) {
            let began = Began::now();
            let mut statement = peer.prepare_cached(sql).expect("a valid statement");
            let mut rows = statement.query(()).expect("rows");
            while rows.next().expect("a row").is_some() {}
            theirs = Some(theirs.unwrap_or(Cost::WORST).min(began.until_now()));
        }
        let more = if logs > LOGS { 5.0 } else { 1.0 };
        let goal = goal_ms.map_or(String::new(), |goal| {
            let verdict = if ours.ms() <= goal * more { "met" } else { "MISSED" };
            format!(" (goal {}, {verdict})", goal * more)
        });
        let theirs = theirs.map_or(String::new(), |theirs: Cost| {
            format!("; SQLite {theirs}, ratio {:.3}", ours.ms() / theirs.ms())
        });
        println!("figure: {query}: {ours}{goal}; first {first}{theirs}");
        if query.starts_with("url:0a1") {
            println!(
                "figure: that is a scan of {:.2} GB/s of log groups (goal 3)",
                raw as f64 / 1e6 / ours.ms()
            );
        }
    }
    server.shutdown().await;
    let share = disk::bytes(folder.path()).expect("the folder") as f64 / text as f64;
    let verdict = if share <= DISK_GOAL { "met" } else { "MISSED" };
    println!("figure: on disk {share:.3} of the lines of JSON (goal {DISK_GOAL}, {verdict})");
}

/// SQLite without logs.
fn peer() -> Connection {
    let peer = Connection::open_in_memory().expect("SQLite opens");
    peer.execute_batch(
        "CREATE TABLE log (line TEXT, uri TEXT, status INTEGER, time REAL, method TEXT, second INTEGER)",
    )
    .expect("a table");
    peer
}

/// Time on the clock and time of the processors, which other programs disturb less.
#[derive(Clone, Copy)]
struct Cost {
    clock: Duration,
    processor: Duration,
}

impl Cost {
    const WORST: Self = Self { clock: Duration::MAX, processor: Duration::MAX };

    fn min(self, other: Self) -> Self {
        Self { clock: self.clock.min(other.clock), processor: self.processor.min(other.processor) }
    }

    fn ms(self) -> f64 {
        self.clock.as_secs_f64() * 1e3
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} ({:.0})", self.ms(), self.processor.as_secs_f64() * 1e3)
    }
}

/// When something began.
struct Began(Instant, Duration);

impl Began {
    fn now() -> Self {
        Self(Instant::now(), processor_time())
    }

    fn until_now(self) -> Cost {
        Cost { clock: self.0.elapsed(), processor: processor_time().saturating_sub(self.1) }
    }
}

/// Processor time of this process so far, in steps of 10 ms; nothing where there is no `/proc`.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: u64 =
        after_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Puts the logs and gives them to SQLite; returns bytes as lines of JSON and as log groups.
async fn fill(bed: &Bed, peer: Option<&Connection>, logs: usize) -> (usize, usize) {
    let (mut text, mut raw) = (0, 0);
    let mut random = fastrand::Rng::with_seed(1);
    let mut insert = peer.map(|peer| {
        peer.execute_batch("BEGIN").expect("a transaction");
        peer.prepare("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)").expect("a valid statement")
    });
    for first in (0..logs).step_by(LOGS_PER_GROUP) {
        let mut group = LogGroup { source: Some("10.0.0.1".to_owned()), ..LogGroup::default() };
        for n in first..logs.min(first + LOGS_PER_GROUP) {
            let (mut log, _) = lines::log(&mut random, n);
            log.time = START + (n / 100) as u32;
            if n == logs / 2 {
                let url = log.contents.iter_mut().find(|content| content.key == "url");
                url.expect("a url").value = format!("/?session={RARE}").into();
            }
            let field = |key: &str| {
                let field = log.contents.iter().find(|content| content.key == key);
                field.map(|field| String::from_utf8_lossy(&field.value).into_owned()).unwrap_or_default()
            };
            let json: serde_json::Map<_, _> = log
                .contents
                .iter()
                .map(|content| {
                    (content.key.clone(), String::from_utf8_lossy(&content.value).into_owned().into())
                })
                .collect();
            let line = serde_json::Value::Object(json).to_string();
            text += line.len() + 1;
            let number = |key: &str| field(key).parse::<f64>().unwrap_or_default();
            if let Some(insert) = &mut insert {
                let (status, latency) = (number("status") as i64, number("latency"));
                insert
                    .execute((line, field("url"), status, latency, field("method"), log.time))
                    .expect("a row");
            }
            group.logs.push(log);
        }
        raw += bed.put(&group).await;
    }
    drop(insert);
    if let Some(peer) = peer {
        peer.execute_batch("COMMIT").expect("a commit");
    }
    (text, raw)
}

struct Bed {
    client: Client,
    project: ProjectName,
    logstore: InLogstore,
}

impl Bed {
    async fn new(endpoint: &str) -> Self {
        let key = AccessKey::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET);
        let config = ClientConfig::new(endpoint.parse().expect("a valid endpoint"), key);
        let client = Client::new(config).expect("a client");
        let project: ProjectName = "bench-search".parse().expect("a valid name");
        let logstore = InLogstore { logstore: "access".parse().expect("a valid name") };
        let bed = Self { client, project: project.clone(), logstore };
        let send = &bed.client;
        let new = Json(NewProject::new(project.clone(), "bench"));
        send.send::<CreateProject>(Some(&project), &NoPath {}, &NoQuery {}, &new).await.expect("a project");
        let settings = Json(LogstoreSettings::new(bed.logstore.logstore.clone(), 30, 2));
        send.send::<CreateLogStore>(Some(&project), &NoPath {}, &NoQuery {}, &settings)
            .await
            .expect("a logstore");
        let tokens: Vec<String> = ", '\";=()[]{}?@&<>/:\n\t\r".chars().map(String::from).collect();
        let text = json!({"type": "text", "token": tokens, "doc_value": true});
        let long = json!({"type": "long", "doc_value": true});
        let index = json!({"line": {"token": tokens}, "keys": {
            "method": text, "url": text, "user-agent": text, "ip": text,
            "status": long, "response-size": long, "latency": {"type": "double", "doc_value": true}}});
        let index: Index = serde_json::from_value(index).expect("a valid index");
        send.send::<CreateIndex>(Some(&project), &bed.logstore, &NoQuery {}, &Json(index))
            .await
            .expect("an index");
        bed
    }

    /// Returns the bytes of the group.
    async fn put(&self, group: &LogGroup) -> usize {
        let body = CompressedLogs::from_group(group, Compression::Lz4).expect("a body");
        self.client
            .send::<PutLogs>(Some(&self.project), &self.logstore, &NoQuery {}, &body)
            .await
            .expect("a put");
        body.raw_size
    }

    /// Runs SQL, or counts what a search finds.
    async fn ask(&self, query: &str) {
        let (from, to) = (i64::from(START), i64::from(START) + 100_000);
        if query.contains('|') || query == NEWEST {
            let newest = query == NEWEST;
            let request = Json(GetLogsRequest {
                from,
                to,
                query: if newest { "*" } else { query }.to_owned(),
                reverse: Some(newest),
                ..GetLogsRequest::default()
            });
            let project = Some(&self.project);
            self.client.send::<GetLogs>(project, &self.logstore, &NoQuery {}, &request).await.expect("rows");
        } else {
            let request = HistogramQuery { from, to, query: query.to_owned(), ..HistogramQuery::default() };
            let project = Some(&self.project);
            // The first search of ten million logs takes longer than the client waits; what it has made is kept.
            while let Err(error) =
                self.client.send::<GetHistograms>(project, &self.logstore, &request, &()).await
            {
                assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
            }
        }
    }
}
