//! The least that taking logs in can cost here: unpack a body, as must be done to look into it, and insert
//! it as it came into a table on disk.

use anyhow::Result;
use rusqlite::Connection;
use sls_api::codec;

use crate::lines::Body;

/// Unpacked bodies are at most so large.
const RAW_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Processor seconds for so many bodies, taken in turn, one transaction each.
pub fn cpu_seconds(bodies: &[Body], puts: u64) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let db = Connection::open(folder.path().join("floor.sqlite"))?;
    db.execute_batch(
        "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
         CREATE TABLE block (id INTEGER PRIMARY KEY, data BLOB)",
    )?;
    let mut insert = db.prepare("INSERT INTO block (data) VALUES (?1)")?;
    let began = cpu_time()?;
    for (body, _) in bodies.iter().cycle().zip(0..puts) {
        let logs = &body.logs;
        std::hint::black_box(codec::decompress(&logs.bytes, logs.compression, logs.raw_size, RAW_BYTES_MAX)?);
        insert.execute([&logs.bytes[..]])?;
    }
    Ok(cpu_time()? - began)
}

/// Processor time of this thread, in seconds.
fn cpu_time() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = stat.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e9)
}
