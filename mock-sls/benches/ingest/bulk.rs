//! Bodies of 256 KiB as collectors send them: cost of a gigabyte, memory after it, start with it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::disk;
use crate::floor;
use crate::lines::{self, SECOND};
use crate::server::{Caller, Server};

/// Protobuf bytes of a body. Source: the collector's default.
const RAW_BYTES: usize = 256 * 1024;
/// Different bodies, sent in turn.
const BODIES: u64 = 32;
const WRITERS: usize = 4;
/// Times that a start with the full database is timed.
const STARTS: usize = 5;

/// Goals: processor seconds per 10^9 bytes of log text; MiB; milliseconds.
const CPU_GOAL: f64 = 3.0;
const MEMORY_GOAL_MIB: f64 = 64.0;
const START_GOAL_MS: f64 = 200.0;

pub async fn run(data: &Path, megabytes: u64) -> Result<()> {
    let bodies: Arc<Vec<_>> =
        Arc::new((0..BODIES).map(|seed| lines::body(seed, RAW_BYTES)).collect::<Result<_>>()?);
    let text: u64 = bodies.iter().map(|body| body.text_bytes).sum::<u64>() / BODIES;
    let lines: u64 = bodies.iter().map(|body| body.lines).sum::<u64>() / BODIES;
    let packed: usize = bodies.iter().map(|body| body.logs.bytes.len()).sum::<usize>() / bodies.len();
    println!(
        "figure: a body: {lines} lines of {} bytes, {text} bytes of text in {packed} as sent ({:.2})",
        text / lines,
        packed as f64 / text as f64
    );
    let puts = megabytes * 1_000_000 / text;
    let (server, gigabytes) = (Server::start(data)?, (puts * text) as f64 / 1e9);
    let caller = Caller::new(&server)?;
    caller.prepare().await?;

    let (before, began, next) = (server.cpu_seconds()?, Instant::now(), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (caller, bodies, next) = (caller.clone(), bodies.clone(), next.clone());
            tokio::spawn(async move {
                let mut lines = 0;
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    if turn >= puts {
                        return anyhow::Ok(lines);
                    }
                    let body = bodies.get((turn % BODIES) as usize).context("a body")?;
                    caller.put(&body.logs).await?;
                    lines += body.lines;
                }
            })
        })
        .collect();
    let mut lines = 0;
    for writer in writers {
        lines += writer.await??;
    }
    let (cpu, wall) = (server.cpu_seconds()? - before, began.elapsed().as_secs_f64());
    let resident = server.memory_mib("VmRSS")?;
    let (per_gb, floor) = (cpu / gigabytes, floor::cpu_seconds(&bodies, puts)? / gigabytes);
    println!(
        "figure: PutLogs of {} KiB, {gigabytes:.2} GB of log text: {per_gb:.2} cpu-s/GB (goal: at most {CPU_GOAL}, {}), \
         {:.0} MB/s; floor {floor:.2} cpu-s/GB, ratio {:.2}",
        RAW_BYTES / 1024,
        verdict(per_gb <= CPU_GOAL),
        gigabytes * 1e3 / wall,
        per_gb / floor
    );
    println!(
        "figure: memory after it: {resident:.1} MiB resident (goal: at most {MEMORY_GOAL_MIB}, {}), {:.1} MiB at most",
        verdict(resident <= MEMORY_GOAL_MIB),
        server.memory_mib("VmHWM")?
    );

    let (before, began) = (server.cpu_seconds()?, Instant::now());
    let second = i64::from(SECOND);
    let counted = caller.query(second, second + 1, "* | select count(*) as n").await?;
    let counted = counted.data.first().and_then(|row| row.get("n")).context("no count")?.parse::<u64>()?;
    ensure!(counted == lines, "{lines} lines were acknowledged and {counted} are found");
    println!(
        "figure: count of all {lines} lines: {:.2} s, {:.2} cpu-s/GB, {:.1} MiB at most",
        began.elapsed().as_secs_f64(),
        (server.cpu_seconds()? - before) / gigabytes,
        server.memory_mib("VmHWM")?
    );
    server.end()?;

    let bytes = disk::bytes(data)? as f64;
    println!("figure: on disk: {:.0} MB, {:.3} of the log text", bytes / 1e6, bytes / 1e9 / gigabytes);
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let server = Server::start(data)?;
        starts.push(server.start_time.as_secs_f64() * 1e3);
        server.end()?;
    }
    starts.sort_by(f64::total_cmp);
    let start = *starts.get(STARTS / 2).context("no start")?;
    println!(
        "figure: start with this database, median of {STARTS}: {start:.0} ms (goal: at most {START_GOAL_MS}, {})",
        verdict(start <= START_GOAL_MS)
    );
    Ok(())
}

pub fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}
