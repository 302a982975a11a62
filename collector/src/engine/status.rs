//! What the engine shows of itself while it runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::alarm::Alarms;
use crate::metrics::{Counter, Counters};
use crate::pipeline::Destination;

/// State of one pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineStatus {
    pub name: String,
    /// Version of the config that is running.
    pub version: i64,
    /// Files followed at the moment, rotated ones that are still being read included.
    pub files: u64,
    pub bytes_read: u64,
    /// Logs that the server acknowledged.
    pub lines_sent: u64,
    /// What is wrong at the moment, with the remedy; `None` if nothing is.
    pub last_error: Option<String>,
    /// Every counter by name, for metrics.
    pub counters: Vec<(&'static str, u64)>,
}

/// State of all pipelines, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineStatus {
    pub pipelines: Vec<PipelineStatus>,
    /// Requests that are not acknowledged yet.
    pub requests_under_way: u64,
}

/// Where the reader and the shipper write what [`EngineStatus`] shows.
#[derive(Debug, Default)]
pub struct Board {
    is_ready: watch::Sender<bool>,
    pipelines: Mutex<BTreeMap<String, Arc<PipelineBoard>>>,
    pub requests_under_way: AtomicU64,
    pub gauges: Gauges,
    /// What went wrong, for who tells the service.
    pub alarms: Alarms,
}

/// How the collector does as a whole. Times are Unix seconds, 0 for never.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Notifications of changed files.
    pub file_events: AtomicU64,
    pub last_file_event: AtomicU64,
    /// Blocks read from files.
    pub blocks_read: AtomicU64,
    pub directories_watched: AtomicU64,
    /// Requests that came to their end, and their bytes as they went over the network.
    pub requests_settled: AtomicU64,
    pub body_bytes_settled: AtomicU64,
    pub last_settled: AtomicU64,
    /// Logstores that are sent to, those without room for more, and those whose last request failed.
    pub lanes: AtomicU64,
    pub lanes_full: AtomicU64,
    pub lanes_failing: AtomicU64,
    /// Times that other configs came into force, and when the config server or a file gave them last.
    pub config_updates: AtomicU64,
    pub last_config_update: AtomicU64,
    /// What log files take on their volume, and may take; 0 if nobody watches. And how many were unlinked.
    pub volume_used_bytes: AtomicU64,
    pub volume_limit_bytes: AtomicU64,
    pub unlinked_files: AtomicU64,
    /// Diagnostic logs that the service has, and those that it did not take.
    pub diagnostics_sent: AtomicU64,
    pub diagnostics_dropped: AtomicU64,
}

/// What is wrong with a pipeline, by where it was noticed; a later success there clears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// A directory or file cannot be read.
    Files,
    /// Requests fail.
    Sending,
    /// The config cannot be honoured in full.
    Config,
    /// Events do not match the parser, or times do not fit their format.
    Parsing,
}

/// The board of one pipeline.
#[derive(Debug, Default)]
pub struct PipelineBoard {
    version: AtomicI64,
    pub files: AtomicU64,
    pub counters: Counters,
    destination: Mutex<Option<Destination>>,
    troubles: Mutex<BTreeMap<Trouble, String>>,
}

impl PipelineBoard {
    /// Another version of the config runs, which sends to `destination`.
    pub fn set_version(&self, version: i64, destination: &Destination) {
        self.version.store(version, Ordering::Relaxed);
        let mut known = self.destination.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(destination.clone());
    }

    /// Sets or clears what is wrong; true if that is news.
    pub fn set_trouble(&self, kind: Trouble, message: Option<String>) -> bool {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        match message {
            Some(message) => troubles.insert(kind, message.clone()) != Some(message),
            None => troubles.remove(&kind).is_some(),
        }
    }

    fn status(&self, name: &str) -> PipelineStatus {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<&str> = troubles.values().map(String::as_str).collect();
        PipelineStatus {
            name: name.to_owned(),
            version: self.version.load(Ordering::Relaxed),
            files: self.files.load(Ordering::Relaxed),
            bytes_read: self.counters.get(Counter::BytesRead),
            lines_sent: self.counters.get(Counter::LogsSent),
            last_error: (!all.is_empty()).then(|| all.join("; ")),
            counters: Counter::ALL.iter().map(|c| (c.name(), self.counters.get(*c))).collect(),
        }
    }
}

impl Board {
    /// The board of `name`, made if there is none.
    pub fn pipeline(&self, name: &str) -> Arc<PipelineBoard> {
        let mut all = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(name.to_owned()).or_default())
    }

    /// Shows `name` no longer.
    pub fn remove(&self, name: &str) {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// A pipeline runs whose directories can be read and are watched.
    pub fn set_ready(&self) {
        self.is_ready.send_if_modified(|ready| !std::mem::replace(ready, true));
    }

    pub fn is_ready(&self) -> bool {
        *self.is_ready.borrow()
    }

    /// Waits for [`Self::set_ready`].
    pub async fn ready(&self) {
        // The sender lives as long as the board.
        let _ = self.is_ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Where the pipelines send to: one destination of each project.
    pub fn destinations(&self) -> Vec<Destination> {
        let all = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_project = BTreeMap::new();
        for board in all.values() {
            let known = board.destination.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(destination) = &*known {
                by_project.entry(destination.project.to_string()).or_insert_with(|| destination.clone());
            }
        }
        by_project.into_values().collect()
    }

    /// Sum of a counter over all pipelines that run.
    pub fn total(&self, counter: Counter) -> u64 {
        let all = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().map(|board| board.counters.get(counter)).sum()
    }

    pub fn status(&self) -> EngineStatus {
        let all = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        EngineStatus {
            pipelines: all.iter().map(|(name, board)| board.status(name)).collect(),
            requests_under_way: self.requests_under_way.load(Ordering::Relaxed),
        }
    }
}
