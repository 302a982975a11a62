//! The outage of a run: the Log Service goes while lines are written, whatever the scenarios are at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::sync::watch;

use crate::bed::Bed;
use crate::report::Check;

/// Name of the check that says whether there was one.
const CHECK: &str = "the Log Service was away while lines were written";

/// Time between the start of a writer and the outage, so that this cuts a live stream.
pub const BEFORE: Duration = Duration::from_secs(1);

/// An outage to come. Clones are of the same one.
#[derive(Debug, Clone)]
pub struct Outage {
    /// How long the Log Service is away.
    pub length: Duration,
    run: Arc<watch::Sender<Run>>,
}

/// What is known of the scenarios that an outage is for.
#[derive(Debug, Default)]
struct Run {
    /// Writers that write now.
    writers: usize,
    /// The scenarios have ended.
    over: bool,
}

impl Outage {
    pub fn new(length: Duration) -> Self {
        Self { length, run: Arc::default() }
    }

    /// Counts a writer until the answer is dropped or told that it has ended.
    pub fn writer(&self) -> Writer {
        self.run.send_modify(|run| run.writers += 1);
        Writer { run: Arc::clone(&self.run), ended: AtomicBool::new(false) }
    }

    /// Says that no writer will come any more.
    pub fn over(&self) {
        self.run.send_modify(|run| run.over = true);
    }

    /// Takes the Log Service of the bed away once lines are written, and brings it back.
    ///
    /// # Errors
    /// The bed cannot stop or start it.
    pub async fn happen(&self, bed: &impl Bed) -> Result<Check> {
        let mut run = self.run.subscribe();
        // A writer of a few lines may have ended before: then it is the next one's turn.
        while self.run.borrow().writers == 0 {
            let looked = run.wait_for(|run| run.writers > 0 || run.over).await;
            // The sender is ours, so there is an answer.
            if looked.is_ok_and(|run| run.writers == 0) {
                return Ok(Check::new(CHECK, false, "no scenario of this run writes lines"));
            }
            tokio::time::sleep(BEFORE).await;
        }
        bed.stop_sls().await?;
        let writers = self.run.borrow().writers;
        tokio::time::sleep(self.length).await;
        bed.start_sls().await?;
        Ok(check(self.length, writers))
    }
}

/// The check of an outage that began while so many writers wrote.
pub fn check(length: Duration, writers: usize) -> Check {
    Check::new(CHECK, writers > 0, format!("{} s, {writers} writing when it had gone", length.as_secs()))
}

/// A writer that an outage waits for.
#[derive(Debug)]
pub struct Writer {
    run: Arc<watch::Sender<Run>>,
    ended: AtomicBool,
}

impl Writer {
    /// Says that it writes no more.
    pub fn end(&self) {
        if !self.ended.swap(true, Ordering::Relaxed) {
            self.run.send_modify(|run| run.writers -= 1);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end();
    }
}
