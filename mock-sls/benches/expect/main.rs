//! How soon an expectation is answered after the log that it waits for is committed, and what it costs to
//! wait: `cargo bench -p mock-sls --bench expect`. Against a server process of its own, over HTTP.

#[path = "../ingest/server.rs"]
#[allow(dead_code, reason = "the other bench uses the rest")]
mod server;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use server::{Caller, Server};
use sls_api::codec::Compression;
use sls_api::log_group::{Content, Log, LogGroup};
use sls_api::ops::logs::CompressedLogs;
use sls_expect::client::Emulator;
use sls_expect::{Count, Expectation};

/// Logs that are written and waited for.
const TIMES: u32 = 1_000;
/// Expectations that wait at once.
const WAITING: u64 = 1_000;
/// How long they are watched.
const WATCHED: Duration = Duration::from_secs(5);
/// Goals: ms from commit to answer, and processor time of a server whose expectations only wait, ms a second.
const P99_GOAL_MS: f64 = 20.0;
const IDLE_GOAL_MS: f64 = 10.0;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(folder.path())?;
    let caller = Caller::new(&server)?;
    caller.prepare().await?;
    let emulator: Emulator = server.endpoint.parse().map_err(anyhow::Error::msg)?;
    soon(&caller, &emulator).await?;
    waiting(&server, &caller, &emulator).await?;
    server.end()
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

async fn put(caller: &Caller, word: &str) -> Result<()> {
    let log = Log { time: 1, contents: vec![Content::new("content", word.to_owned())], time_ns: None };
    let group = LogGroup { logs: vec![log], ..LogGroup::default() };
    caller.put(&CompressedLogs::from_group(&group, Compression::Lz4)?).await
}

/// The expectation of a log with this word.
fn expectation(caller: &Caller, word: &str) -> Expectation {
    Expectation {
        count: Some(Count::AtLeast { n: 1 }),
        timeout_ms: Some(60_000),
        ..Expectation::new(caller.project.as_str(), caller.logstore.logstore.as_str(), word)
    }
}

async fn soon(caller: &Caller, emulator: &Emulator) -> Result<()> {
    let mut millis = Vec::new();
    for number in 0..TIMES {
        let word = format!("word{number}");
        let asked = expectation(caller, &word);
        let answered = tokio::spawn({
            let emulator = emulator.clone();
            async move { emulator.expect(&asked).await.map(|verdict| (verdict.ok, Instant::now())) }
        });
        // So that the expectation waits when the log comes.
        tokio::task::yield_now().await;
        put(caller, &word).await?;
        let committed = Instant::now();
        let (ok, at) = answered.await??;
        ensure!(ok, "a log that was acknowledged is not found");
        millis.push(at.saturating_duration_since(committed).as_secs_f64() * 1e3);
    }
    millis.sort_by(f64::total_cmp);
    let at = |share: usize| millis.get(millis.len() * share / 100).copied().context("no expectation");
    let (median, p99) = (at(50)?, at(99)?);
    println!(
        "figure: put acknowledged, then expectation answered, {TIMES} times: median {median:.1} ms, p99 {p99:.1} ms (goal: at \
         most {P99_GOAL_MS}, {})",
        verdict(p99 <= P99_GOAL_MS)
    );
    Ok(())
}

async fn waiting(server: &Server, caller: &Caller, emulator: &Emulator) -> Result<()> {
    let all: Vec<Expectation> = (0..WAITING).map(|n| expectation(caller, &format!("later{n}"))).collect();
    let before = server.memory_mib("VmRSS")?;
    let answered = tokio::spawn({
        let (emulator, all) = (emulator.clone(), all.clone());
        async move { emulator.expect_all(&all).await }
    });
    // The first look of each.
    tokio::time::sleep(WATCHED / 2).await;
    let began = server.cpu_seconds()?;
    tokio::time::sleep(WATCHED).await;
    let used = (server.cpu_seconds()? - began) * 1e3 / WATCHED.as_secs_f64();
    println!(
        "figure: {WAITING} expectations waiting: {used:.1} ms of processor time a second (goal: at most {IDLE_GOAL_MS}, {}), \
         {:.1} MiB more",
        verdict(used <= IDLE_GOAL_MS),
        server.memory_mib("VmRSS")? - before
    );
    let (began, at) = (server.cpu_seconds()?, Instant::now());
    let words: Vec<String> = (0..WAITING).map(|n| format!("later{n}")).collect();
    put(caller, &words.join(" ")).await?;
    let verdicts = answered.await??;
    ensure!(verdicts.iter().all(|verdict| verdict.ok), "an expectation does not hold");
    println!(
        "figure: one log that all of them wait for: answered after {:.0} ms, {:.0} ms of processor time",
        at.elapsed().as_secs_f64() * 1e3,
        (server.cpu_seconds()? - began) * 1e3
    );
    Ok(())
}
