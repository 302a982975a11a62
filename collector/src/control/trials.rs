//! Which configs were tried, and what came of it.
//!
//! Each version of a config is tried once, as soon as there is something to try it on; one trial after the other,
//! in a thread of the runtime that is there for work that waits. Called by `control`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tokio::task::JoinHandle;

use crate::pipeline::Pipeline;
use crate::trial::{self, Outcome};

/// Times that a version of a config is tried while there are no lines to try it on, though some were read. Source:
/// own choice; files that vanish at once shall not have directories listed for ever.
const TRIES_MAX: u32 = 20;

/// Trials and their outcomes, by config name.
#[derive(Debug)]
pub struct Trials {
    root: Option<PathBuf>,
    event_bytes_max: usize,
    tried: BTreeMap<String, Tried>,
    job: Option<JoinHandle<Vec<(String, Tried)>>>,
}

#[derive(Debug)]
struct Tried {
    version: i64,
    outcome: Outcome,
    tries: u32,
}

/// What a trial has found, for the log.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    pub name: String,
    pub text: String,
    pub is_fine: bool,
}

impl Trials {
    /// Files are looked up below `root`; longer events than `event_bytes_max` are cut.
    pub fn new(root: Option<PathBuf>, event_bytes_max: usize) -> Self {
        Self { root, event_bytes_max, tried: BTreeMap::new(), job: None }
    }

    /// Forgets configs that do not run any more, and tries those that are new, or of which something was read
    /// (`reading`) since there was nothing to try them on.
    pub fn start<'a>(&mut self, running: impl Iterator<Item = &'a Pipeline>, reading: &BTreeSet<String>) {
        let running: Vec<&Pipeline> = running.collect();
        let names: BTreeSet<&str> = running.iter().map(|pipeline| pipeline.name.as_str()).collect();
        self.tried.retain(|name, _| names.contains(name.as_str()));
        if self.job.is_some() {
            return;
        }
        let is_due = |pipeline: &Pipeline| match self.tried.get(&pipeline.name) {
            Some(Tried { version, outcome, tries }) if *version == pipeline.version => {
                let waits = matches!(outcome, Outcome::NoLines(_)) && *tries < TRIES_MAX;
                waits && reading.contains(&pipeline.name)
            }
            _ => true,
        };
        let due: Vec<Pipeline> = running.into_iter().filter(|pipeline| is_due(pipeline)).cloned().collect();
        if due.is_empty() {
            return;
        }
        let (root, event_bytes_max) = (self.root.clone(), self.event_bytes_max);
        self.job = Some(tokio::task::spawn_blocking(move || {
            let tried = due.iter().map(|pipeline| {
                let outcome = trial::run(pipeline, root.as_deref(), event_bytes_max);
                (pipeline.name.clone(), Tried { version: pipeline.version, outcome, tries: 1 })
            });
            tried.collect()
        }));
    }

    /// Waits for the trials under way; never ends if there are none. Nothing is lost if it is given up.
    pub async fn news(&mut self) -> Vec<News> {
        let done = match &mut self.job {
            Some(job) => job.await,
            None => std::future::pending().await,
        };
        self.job = None;
        // A trial that panicked ends the process by the hook that `service` has set.
        let mut news = Vec::new();
        for (name, mut tried) in done.unwrap_or_default() {
            let before = self.tried.get(&name).filter(|before| before.version == tried.version);
            tried.tries += before.map_or(0, |before| before.tries);
            let is_known = before.is_some_and(|before| before.outcome == tried.outcome);
            let text = text(&tried.outcome);
            if !is_known && !text.is_empty() {
                let is_fine = match &tried.outcome {
                    Outcome::NoLines(_) => true,
                    Outcome::Tried(report) => report.is_fine(),
                };
                news.push(News { name: name.clone(), text, is_fine });
            }
            self.tried.insert(name, tried);
        }
        news
    }

    /// What the status of a config says of its trial; nothing if none was made or nothing can go wrong.
    pub fn remarks(&self) -> BTreeMap<String, String> {
        let texts = self.tried.iter().map(|(name, tried)| (name.clone(), text(&tried.outcome)));
        texts.filter(|(_, text)| !text.is_empty()).collect()
    }
}

fn text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::NoLines(why) => why.to_string(),
        Outcome::Tried(report) => report.to_string(),
    }
}
