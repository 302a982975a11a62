//! A config tried on lines that are there already: how many of them it would match.
//!
//! Says beforehand what would be dropped, while it can still be mended. Away from the data path: reads files by
//! itself, with bounds on bytes, files and time, and changes nothing. Called by `control`, in a thread of its own.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use jiff::tz::TimeZone;

use sls_pipeline::judge::{EVENTS_MAX, Judge, Report};

use crate::pipeline::Pipeline;

mod sample;

/// Files that are read for it, the youngest first. Source: own choice.
const FILES_MAX: usize = 10;

/// Bytes read from their ends, together. Source: own choice; 100 lines of 10 KiB.
const BYTES_MAX: usize = 1024 * 1024;

/// Time for one config; what was tried until then counts. Source: own choice.
const TIME_MAX: Duration = Duration::from_secs(2);

/// Time of it for looking up files, so that some is left for what is in them. Source: own choice.
const WALK_TIME_MAX: Duration = Duration::from_secs(1);

/// How a trial went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is nothing to try it on.
    NoLines(NoLines),
    Tried(Report),
}

/// Why there is nothing to try a config on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoLines {
    /// Directory and pattern of the files.
    wanted: PathBuf,
    /// Files that match, but hold no whole line.
    files: usize,
}

impl fmt::Display for NoLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = self.wanted.display();
        match self.files {
            0 => write!(f, "waiting for a file: {wanted} matches none yet"),
            _ => write!(f, "waiting for lines: no file of {wanted} has a whole one yet"),
        }
    }
}

/// Tries `pipeline` on the ends of the files that it matches, which are looked up below `root`. Events longer than
/// `event_bytes_max` are cut, as they are where they are collected.
pub fn run(pipeline: &Pipeline, root: Option<&Path>, event_bytes_max: usize) -> Outcome {
    let start = Instant::now();
    let deadline = start + TIME_MAX;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let files = sample::find(&pipeline.input, root, start + WALK_TIME_MAX);
    let mut judge = Judge::new(pipeline, event_bytes_max, &TimeZone::system(), now);
    let mut bytes_left = BYTES_MAX;
    for file in files.iter().take(FILES_MAX) {
        let wanted = EVENTS_MAX.saturating_sub(judge.events());
        if wanted == 0 || bytes_left == 0 || Instant::now() >= deadline {
            break;
        }
        // One that vanishes or cannot be read is the data path's to report.
        let Ok(sample) = sample::read(&file.real, wanted, bytes_left) else { continue };
        bytes_left = bytes_left.saturating_sub(sample.data.len());
        judge.take(&file.shown, &sample, wanted, deadline);
    }
    match judge.report(deadline) {
        Some(report) => Outcome::Tried(report),
        None => Outcome::NoLines(NoLines {
            wanted: pipeline.input.directory.join(&pipeline.input.file_pattern),
            files: files.len(),
        }),
    }
}

#[cfg(test)]
mod tests;
