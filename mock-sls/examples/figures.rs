//! Prints what the emulator reaches on this machine: how long a start takes, how many writes a
//! second it answers, and whether every write is seen by the query right after it.
//!
//! `cargo run --release -p mock-sls --example figures`. Figures, not a test.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use mock_sls::{Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, Data, MockSls, Running};
use sls_api::codec::Compression;
use sls_api::log_group::{Content, Log, LogGroup};
use sls_api::names::ProjectName;
use sls_api::ops::InLogstore;
use sls_api::ops::indexes::{CreateIndex, Index, IndexLine};
use sls_api::ops::logs::{CompressedLogs, GetLogs, GetLogsRequest, PutLogs};
use sls_api::ops::logstores::{CreateLogStore, LogstoreSettings};
use sls_api::ops::projects::{CreateProject, NewProject};
use sls_api::sign::AccessKey;
use sls_api::{Json, NoPath, NoQuery};
use sls_client::{Client, ClientConfig};

const STARTS: usize = 20;
const READ_YOUR_WRITES: u32 = 10_000;
const PUT_TIME: Duration = Duration::from_secs(5);
const WRITERS: usize = 8;
/// Lines of a log group in the write figures, each of about 100 bytes.
const LINES_PER_GROUP: u32 = 100;

/// A server, a client and a Logstore with an index.
struct Bed {
    server: Running,
    client: Client,
    project: ProjectName,
    logstore: InLogstore,
}

impl Bed {
    async fn start(data: Data) -> anyhow::Result<Self> {
        let server = MockSls::start(Config { data, ..Config::default() }).await?;
        let key = AccessKey::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET);
        let client = Client::new(ClientConfig::new(server.endpoint().parse()?, key))?;
        let (project, logstore): (ProjectName, _) = ("figures".parse()?, "ls".parse()?);
        let name = Some(&project);
        let new = Json(NewProject::new(project.clone(), ""));
        client.send::<CreateProject>(name, &NoPath {}, &NoQuery {}, &new).await?;
        let logstore = InLogstore { logstore };
        let settings = Json(LogstoreSettings::new(logstore.logstore.clone(), 30, 2));
        client.send::<CreateLogStore>(name, &NoPath {}, &NoQuery {}, &settings).await?;
        let line = IndexLine { token: vec![" ".to_owned()], ..IndexLine::default() };
        let index = Json(Index { line: Some(line), ..Index::default() });
        client.send::<CreateIndex>(name, &logstore, &NoQuery {}, &index).await?;
        Ok(Self { server, client, project, logstore })
    }

    async fn put(&self, body: &CompressedLogs) -> anyhow::Result<()> {
        let name = Some(&self.project);
        Ok(self.client.send::<PutLogs>(name, &self.logstore, &NoQuery {}, body).await?)
    }

    /// Rows of one second.
    async fn rows(&self, second: u32) -> anyhow::Result<usize> {
        let from = i64::from(second);
        let query = GetLogsRequest { from, to: from + 1, query: "*".to_owned(), ..Default::default() };
        let name = Some(&self.project);
        let found = self.client.send::<GetLogs>(name, &self.logstore, &NoQuery {}, &Json(query)).await?;
        Ok(found.0.data.len())
    }
}

fn body(second: u32, lines: u32) -> anyhow::Result<CompressedLogs> {
    let log = |n: u32| Log {
        time: second,
        contents: vec![Content::new("content", format!("{second} line {n} {}", "abcdefghij".repeat(8)))],
        time_ns: None,
    };
    let group = LogGroup { logs: (0..lines).map(log).collect(), ..LogGroup::default() };
    Ok(CompressedLogs::from_group(&group, Compression::Lz4)?)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    println!("start, median of {STARTS}: {:.1} ms", start_time().await?.as_secs_f64() * 1e3);
    for writers in [1, WRITERS] {
        report_puts("temporary", Data::Temp, writers).await?;
        let folder = tempfile::tempdir()?;
        report_puts("in a folder", Data::Dir(folder.path().to_owned()), writers).await?;
    }
    let (seen, took) = read_your_writes().await?;
    println!("read your writes: {seen} of {READ_YOUR_WRITES} in {:.1} s", took.as_secs_f64());
    ensure!(seen == READ_YOUR_WRITES, "a write was answered but not seen");
    Ok(())
}

async fn start_time() -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let server = MockSls::start(Config::default()).await?;
        times.push(began.elapsed());
        server.shutdown().await;
    }
    times.sort();
    times.get(STARTS / 2).copied().context("no start was timed")
}

async fn report_puts(name: &str, data: Data, writers: usize) -> anyhow::Result<()> {
    let rate = puts_per_second(Bed::start(data).await?, writers).await?;
    let lines = rate * f64::from(LINES_PER_GROUP);
    println!("PutLogs, {name}, {writers} writers: {rate:.0}/s, {lines:.0} lines/s");
    Ok(())
}

async fn puts_per_second(bed: Bed, writers: usize) -> anyhow::Result<f64> {
    let bed = std::sync::Arc::new(bed);
    let began = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let bed = bed.clone();
            tokio::spawn(async move {
                let body = body(1_700_000_000, LINES_PER_GROUP)?;
                let mut puts = 0_u32;
                while began.elapsed() < PUT_TIME {
                    bed.put(&body).await?;
                    puts += 1;
                }
                anyhow::Ok(puts)
            })
        })
        .collect();
    let mut puts = 0.0;
    for task in tasks {
        puts += f64::from(task.await??);
    }
    let rate = puts / began.elapsed().as_secs_f64();
    if let Some(bed) = std::sync::Arc::into_inner(bed) {
        bed.server.shutdown().await;
    }
    Ok(rate)
}

async fn read_your_writes() -> anyhow::Result<(u32, Duration)> {
    let bed = Bed::start(Data::Temp).await?;
    let began = Instant::now();
    let mut seen = 0;
    for second in 0..READ_YOUR_WRITES {
        bed.put(&body(second, 1)?).await?;
        seen += u32::from(bed.rows(second).await? == 1);
    }
    Ok((seen, began.elapsed()))
}
