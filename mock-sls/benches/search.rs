//! How fast queries are, over HTTP and the whole server, beside SQLite over the same lines as
//! rows (in memory, no index), in the same process:
//! `cargo bench -p mock-sls --bench search -- [logs] [part of a query]`.

use std::time::{Duration, Instant};

use mock_sls::{Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, MockSls};
use rusqlite::Connection;
use serde_json::json;
use sls_api::codec::Compression;
use sls_api::log_group::{Content, Log, LogGroup};
use sls_api::names::ProjectName;
use sls_api::ops::InLogstore;
use sls_api::ops::indexes::{CreateIndex, Index};
use sls_api::ops::logs::{CompressedLogs, GetHistograms, GetLogs, GetLogsRequest, HistogramQuery, PutLogs};
use sls_api::ops::logstores::{CreateLogStore, LogstoreSettings};
use sls_api::ops::projects::{CreateProject, NewProject};
use sls_api::sign::AccessKey;
use sls_api::{Json, NoPath, NoQuery};
use sls_client::{Client, ClientConfig};

const START: u32 = 1_700_000_000;
const LOGS_PER_GROUP: usize = 1_000;
const LOGS: usize = 300_000;
/// The best of so many runs counts.
const RUNS: usize = 3;

/// What is asked, and how SQLite is asked the same.
const QUESTIONS: [(&str, &str); 7] = [
    ("needle-777", "SELECT count(*) FROM log WHERE line LIKE '%needle-777 %'"),
    ("mozilla", "SELECT count(*) FROM log WHERE line LIKE '%mozilla%'"),
    ("request_uri:/api/users/77*", "SELECT count(*) FROM log WHERE uri LIKE '/api/users/77%'"),
    ("status >= 500", "SELECT count(*) FROM log WHERE status >= 500"),
    (
        "get and status:404 not curl*",
        "SELECT count(*) FROM log WHERE line LIKE '%GET%' AND status = 404 AND line NOT LIKE '%curl%'",
    ),
    ("* | select count(*) as c", "SELECT count(*) FROM log"),
    (
        "* | select status, count(*) as c, avg(request_time) group by status",
        "SELECT status, count(*), avg(time) FROM log GROUP BY status",
    ),
];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let logs = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(LOGS);
    let server = MockSls::start(Config::default()).await.expect("the server starts");
    let bed = Bed::new(&server.endpoint()).await;
    let peer = Connection::open_in_memory().expect("SQLite opens");
    peer.execute_batch("CREATE TABLE log (line TEXT, uri TEXT, status INTEGER, time REAL)").expect("a table");
    let began = Instant::now();
    let bytes = fill(&bed, &peer, logs).await;
    println!("{logs} logs of {} bytes put in {:.1} s", bytes / logs.max(1), began.elapsed().as_secs_f64());
    println!("million logs per second of time (of processor time)");
    println!("{:>16} {:>16}  query", "mock-sls", "SQLite");
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-') && arg.parse::<usize>().is_err());
    for (query, sql) in QUESTIONS {
        if wanted.as_ref().is_some_and(|part| !query.contains(part.as_str())) {
            continue;
        }
        let mut ours = Cost::WORST;
        let mut theirs = Cost::WORST;
        for _ in 0..RUNS {
            let began = Began::now();
            bed.ask(query).await;
            ours = ours.min(began.until_now());
            let began = Began::now();
            let mut statement = peer.prepare_cached(sql).expect("a valid statement");
            let mut rows = statement.query(()).expect("rows");
            while rows.next().expect("a row").is_some() {}
            theirs = theirs.min(began.until_now());
        }
        println!("{} {}  {query}", ours.rates(logs), theirs.rates(logs));
    }
    server.shutdown().await;
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

    fn rates(self, logs: usize) -> String {
        let rate = |time: Duration| logs as f64 / time.as_secs_f64().max(1e-9) / 1e6;
        format!("{:>7.2} ({:>6.2})", rate(self.clock), rate(self.processor))
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

async fn fill(bed: &Bed, peer: &Connection, logs: usize) -> usize {
    let mut bytes = 0;
    peer.execute_batch("BEGIN").expect("a transaction");
    let mut insert = peer.prepare("INSERT INTO log VALUES (?, ?, ?, ?)").expect("a valid statement");
    for first in (0..logs).step_by(LOGS_PER_GROUP) {
        let mut group = LogGroup::default();
        for n in first..logs.min(first + LOGS_PER_GROUP) {
            let log = log(n);
            let text = |key: &str| {
                let field = log.contents.iter().find(|content| content.key == key);
                field.map(|field| String::from_utf8_lossy(&field.value).into_owned()).unwrap_or_default()
            };
            let values: Vec<_> =
                log.contents.iter().map(|content| String::from_utf8_lossy(&content.value)).collect();
            let line = values.join(" ");
            bytes += line.len();
            let (status, time): (i64, f64) = (
                text("status").parse().unwrap_or_default(),
                text("request_time").parse().unwrap_or_default(),
            );
            insert.execute((line, text("request_uri"), status, time)).expect("a row");
            group.logs.push(log);
        }
        bed.put(&group).await;
    }
    drop(insert);
    peer.execute_batch("COMMIT").expect("a commit");
    bytes
}

/// An nginx access log in which every field varies.
fn log(n: usize) -> Log {
    let agents =
        ["Mozilla/5.0 (X11; Linux x86_64) Chrome/119.0 Safari/537.36", "curl/8.5.0", "okhttp/4.12.0"];
    let methods = ["GET", "GET", "GET", "POST", "PUT"];
    let statuses = ["200", "200", "200", "201", "304", "404", "500"];
    let fields = [
        ("remote_addr", format!("10.{}.{}.{}", n % 7, n % 251, n % 13)),
        ("remote_user", "-".to_owned()),
        ("time_local", format!("15/Nov/2023:07:{:02}:{:02} +0800", n / 60 % 60, n % 60)),
        ("request_method", methods[n % 5].to_owned()),
        ("request_uri", format!("/api/users/{}?page={}", n * 7919 % 100_003, n % 10)),
        ("status", statuses[n * 31 % 7].to_owned()),
        ("body_bytes_sent", (n * 17 % 5000).to_string()),
        ("request_time", format!("{}.{:03}", n % 3, n % 1000)),
        ("host", "www.example.com".to_owned()),
        ("http_user_agent", agents[n % 3].to_owned()),
        ("note", format!("needle-{} of the haystack", n % 10_000)),
    ];
    let contents = fields.map(|(key, value)| Content::new(key, value)).into();
    Log { time: START + (n / 100) as u32, contents, time_ns: None }
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
            "request_method": text, "request_uri": text, "http_user_agent": text, "host": text,
            "status": long, "body_bytes_sent": long, "request_time": {"type": "double", "doc_value": true}}});
        let index: Index = serde_json::from_value(index).expect("a valid index");
        send.send::<CreateIndex>(Some(&project), &bed.logstore, &NoQuery {}, &Json(index))
            .await
            .expect("an index");
        bed
    }

    async fn put(&self, group: &LogGroup) {
        let body = CompressedLogs::from_group(group, Compression::Lz4).expect("a body");
        self.client
            .send::<PutLogs>(Some(&self.project), &self.logstore, &NoQuery {}, &body)
            .await
            .expect("a put");
    }

    /// Runs SQL, or counts what a search finds.
    async fn ask(&self, query: &str) {
        let (from, to) = (i64::from(START), i64::from(START) + 100_000);
        if query.contains('|') {
            let request =
                Json(GetLogsRequest { from, to, query: query.to_owned(), ..GetLogsRequest::default() });
            let project = Some(&self.project);
            self.client.send::<GetLogs>(project, &self.logstore, &NoQuery {}, &request).await.expect("rows");
        } else {
            let request = HistogramQuery { from, to, query: query.to_owned(), ..HistogramQuery::default() };
            self.client
                .send::<GetHistograms>(Some(&self.project), &self.logstore, &request, &())
                .await
                .expect("counts");
        }
    }
}
