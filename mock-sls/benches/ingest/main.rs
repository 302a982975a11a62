//! What it costs to take logs in and to keep many of them, over HTTP against a server process of its own
//! with its database on disk: `cargo bench -p mock-sls --bench ingest -- [megabytes of log text]`.
//!
//! Processor time is the server's alone; `floor` is the same bodies unpacked and inserted into the same
//! SQLite in this process, with no HTTP, no checks and no columns to search by.

mod bulk;
mod disk;
mod floor;
mod lines;
mod listing;
mod server;
mod small;
mod visible;

use server::Server;

/// Megabytes (10^6 bytes) of log text for the bulk figures.
const MEGABYTES: u64 = 1_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let megabytes = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(MEGABYTES);
    let folder = tempfile::tempdir()?;
    let start = Server::start(folder.path())?.start_time;
    println!("figure: start, new database: {:.0} ms", start.as_secs_f64() * 1e3);
    bulk::run(folder.path(), megabytes).await?;
    small::run().await?;
    visible::run().await?;
    listing::run().await
}
