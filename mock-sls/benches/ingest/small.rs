//! Bodies of ten logs: how many a second, and how long one takes when they come at a steady rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::bulk::verdict;
use crate::lines;
use crate::server::{Caller, Server};

const LINES: usize = 10;
const WRITERS: usize = 32;
const TIME: Duration = Duration::from_secs(5);
/// Requests a second for the figure of latency.
const STEADY: u32 = 1_000;

/// Goals: requests per second, milliseconds.
const RATE_GOAL: f64 = 5_000.0;
const P99_GOAL_MS: f64 = 20.0;

pub async fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(folder.path())?;
    let caller = Caller::new(&server)?;
    caller.prepare().await?;
    let body = Arc::new(lines::small_body(1, LINES)?);

    let (before, began, puts) = (server.cpu_seconds()?, Instant::now(), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (caller, body, puts) = (caller.clone(), body.clone(), puts.clone());
            tokio::spawn(async move {
                while began.elapsed() < TIME {
                    caller.put(&body).await?;
                    puts.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for writer in writers {
        writer.await??;
    }
    let puts = puts.load(Ordering::Relaxed) as f64;
    let rate = puts / began.elapsed().as_secs_f64();
    println!(
        "figure: PutLogs of {LINES} logs, {WRITERS} writers: {rate:.0}/s with the writers on the same cores (goal: at \
         least {RATE_GOAL}, {}), {:.0} µs of processor time each",
        verdict(rate >= RATE_GOAL),
        (server.cpu_seconds()? - before) / puts * 1e6
    );

    let mut ticks = tokio::time::interval(Duration::from_secs(1) / STEADY);
    let mut puts = Vec::new();
    for _ in 0..TIME.as_secs() as u32 * STEADY {
        ticks.tick().await;
        let (caller, body) = (caller.clone(), body.clone());
        puts.push(tokio::spawn(async move {
            let began = Instant::now();
            caller.put(&body).await.map(|()| began.elapsed().as_secs_f64() * 1e3)
        }));
    }
    let mut millis = Vec::new();
    for put in puts {
        millis.push(put.await??);
    }
    millis.sort_by(f64::total_cmp);
    let (median, p99) = (millis.get(millis.len() / 2), millis.get(millis.len() * 99 / 100));
    let (median, p99) = (*median.context("no put")?, *p99.context("no put")?);
    println!(
        "figure: PutLogs of {LINES} logs at {STEADY}/s: median {median:.1} ms, p99 {p99:.1} ms (goal: at most \
         {P99_GOAL_MS}, {})",
        verdict(p99 <= P99_GOAL_MS)
    );
    server.end()
}
