//! What happened to each file and on the way to each Logstore since the last time it was asked: the topic
//! `logtail_profile`. And the files that are far behind.
//!
//! Counting costs some additions for each block that is read and each request; looking at sizes is done only when
//! somebody asks. Called by `reader` (counting) and `thread` (asking).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tracing::warn;

use super::books::Bytes;
use super::outbox::LaneId;
use super::reader::{Now, Reader};
use super::tracked::{FileKey, Tracked};
use crate::alarm::{Alarm, Subject};
use crate::tail::FileIdentity;

/// Files that a profile names one by one; the sums of their Logstore have the others too. Source: own choice, as
/// many as an account names.
const FILES_MAX: usize = 1_000;

/// What was read of a file in an interval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readings {
    /// Times that it was read.
    pub reads: u64,
    pub bytes: u64,
    /// Events that the parser matched.
    pub matched: u64,
    pub unmatched: u64,
    /// Those among `unmatched` that a regex did not match.
    pub not_of_regex: u64,
    pub bad_times: u64,
    /// Events dropped because they are old.
    pub outdated: u64,
    /// Logs that the server refused for good.
    pub refused: u64,
    /// Sum over all reads of the bytes that were not read yet after them.
    pub behind: u64,
    /// An event that did not match.
    pub sample: Option<String>,
}

impl Readings {
    /// Bytes that were not read yet after a read, on average.
    pub fn mean_behind(&self) -> u64 {
        self.behind.checked_div(self.reads).unwrap_or(0)
    }

    fn add(&mut self, other: &Self) {
        self.reads += other.reads;
        self.bytes += other.bytes;
        self.matched += other.matched;
        self.unmatched += other.unmatched;
        self.not_of_regex += other.not_of_regex;
        self.bad_times += other.bad_times;
        self.outdated += other.outdated;
        self.refused += other.refused;
        self.behind += other.behind;
        if self.sample.is_none() {
            self.sample.clone_from(&other.sample);
        }
    }
}

/// What became of the requests of a Logstore in an interval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sending {
    pub succeeded: u64,
    pub network_errors: u64,
    pub quota_errors: u64,
    /// Requests of which the server refused logs for good.
    pub discarded: u64,
    /// Of the last one that succeeded, ever.
    pub succeeded_at: Option<Instant>,
    /// The last one failed.
    pub is_failing: bool,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProfile {
    pub subject: Arc<Subject>,
    /// As in `__path__`.
    pub path: PathBuf,
    pub identity: FileIdentity,
    pub size: u64,
    /// End of what was read and handed over.
    pub position: u64,
    pub read_at: SystemTime,
    pub readings: Readings,
    /// What became of its bytes since it was found.
    pub account: Bytes,
}

/// One way to a Logstore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreProfile {
    pub project: String,
    pub logstore: String,
    /// Of all its files.
    pub readings: Readings,
    pub sending: Sending,
    /// When the last request succeeded.
    pub succeeded_at: Option<SystemTime>,
    /// Requests that are not acknowledged, and when the first and the last of them were made.
    pub unsent: usize,
    pub unsent_since: Option<(SystemTime, SystemTime)>,
    /// There is no room for more: reading waits.
    pub is_blocked: bool,
}

/// Files and Logstores.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    pub files: Vec<FileProfile>,
    pub stores: Vec<StoreProfile>,
}

/// The files that were left since the last profile.
#[derive(Debug, Default)]
pub struct Departed {
    files: Vec<FileProfile>,
    by_lane: BTreeMap<LaneId, Readings>,
}

impl Now {
    /// The moment that was `at` on the other clock.
    fn wall_at(&self, at: Instant) -> SystemTime {
        self.wall.checked_sub(self.mono.saturating_duration_since(at)).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

impl Reader {
    /// What happened since the last call.
    pub fn profile(&mut self, now: Now) -> Profile {
        let Departed { mut files, mut by_lane } = std::mem::take(&mut self.departed);
        let keys: Vec<FileKey> = self.files.keys().copied().collect();
        for key in keys {
            let Some(file) = self.files.get_mut(&key) else { continue };
            let readings = std::mem::take(&mut file.readings);
            by_lane.entry(file.lane).or_default().add(&readings);
            if files.len() < FILES_MAX
                && let Some(running) = self.pipelines.get(&file.pipeline)
            {
                files.push(profile_of(file, &running.subject, readings));
            }
        }
        let lanes = self.outbox.take_sending();
        let stores = lanes.into_iter().map(|lane| StoreProfile {
            project: lane.destination.project.to_string(),
            logstore: lane.destination.logstore.to_string(),
            readings: by_lane.remove(&lane.id).unwrap_or_default(),
            succeeded_at: lane.sending.succeeded_at.map(|at| now.wall_at(at)),
            sending: lane.sending,
            unsent: lane.unsent,
            unsent_since: lane.unsent_since.map(|(first, last)| (now.wall_at(first), now.wall_at(last))),
            is_blocked: lane.is_blocked,
        });
        let mut stores: Vec<StoreProfile> = stores.collect();
        stores.sort_by(|a, b| (&a.project, &a.logstore).cmp(&(&b.project, &b.logstore)));
        Profile { files, stores }
    }

    /// The file is followed no longer: what was read of it since the last profile is in the next one.
    pub(super) fn note_departed(&mut self, file: &mut Tracked) {
        let readings = std::mem::take(&mut file.readings);
        if readings == Readings::default() || !self.settings.limits.keeps_profiles {
            return;
        }
        self.departed.by_lane.entry(file.lane).or_default().add(&readings);
        if self.departed.files.len() < FILES_MAX
            && let Some(running) = self.pipelines.get(&file.pipeline)
        {
            self.departed.files.push(profile_of(file, &running.subject, readings));
        }
    }

    /// Raises an alarm for each file of which much is not read.
    pub fn look_for_delays(&mut self, now: Now) {
        for file in self.files.values_mut().filter(|file| file.is_read()) {
            let Some(running) = self.pipelines.get(&file.pipeline) else { continue };
            let behind = file.behind();
            let is_far_behind = behind > running.config.input.delay_alarm_bytes;
            let was_far_behind = std::mem::replace(&mut file.is_far_behind, is_far_behind);
            if !is_far_behind {
                continue;
            }
            let path = file.at.shown.display();
            if !was_far_behind {
                warn!(%path, bytes = behind, "reading is far behind");
            }
            self.board.alarms.raise(Alarm::ReadLogDelay, "", &running.subject, 1, || {
                let seconds = now.mono.saturating_duration_since(file.read_at).as_secs();
                format!("{behind} bytes of {path} are not read yet; it was read {seconds} s ago")
            });
        }
    }
}

fn profile_of(file: &Tracked, subject: &Arc<Subject>, readings: Readings) -> FileProfile {
    let position = file.tail.position();
    FileProfile {
        subject: Arc::clone(subject),
        path: file.at.shown.clone(),
        identity: file.tail.identity(),
        size: file.tail.metadata().map_or(position, |meta| meta.len()),
        position,
        read_at: file.looked_at,
        readings,
        account: file.account().0,
    }
}
