//! Whether a query finds what was acknowledged before it, every time.

use std::time::Instant;

use anyhow::{Result, ensure};
use sls_api::codec::Compression;
use sls_api::log_group::{Content, Log, LogGroup};
use sls_api::ops::logs::CompressedLogs;

use crate::server::{Caller, Server};

const TIMES: u32 = 10_000;

pub async fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(folder.path())?;
    let caller = Caller::new(&server)?;
    caller.prepare().await?;
    let (began, mut seen) = (Instant::now(), 0);
    for second in 1..=TIMES {
        let log = Log { time: second, contents: vec![Content::new("content", "x")], time_ns: None };
        let group = LogGroup { logs: vec![log], ..LogGroup::default() };
        caller.put(&CompressedLogs::from_group(&group, Compression::Lz4)?).await?;
        let found = caller.query(second.into(), i64::from(second) + 1, "*").await?;
        seen += u32::from(found.data.len() == 1);
    }
    println!(
        "figure: put, then found by a query: {seen} of {TIMES} in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    ensure!(seen == TIMES, "a write was acknowledged but not found");
    server.end()
}
