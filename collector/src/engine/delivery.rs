//! What leaves the reader and what comes back: parcels, acknowledgements, the checkpoint.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::warn;

use super::outbox::{LaneId, Limit, Outcome, Settled};
use super::reader::{Now, Reader};
use super::status::Trouble;
use super::tracked::FileKey;
use crate::alarm::{Alarm, Subject};
use crate::checkpoint::{Entry, ParcelId};
use crate::metrics::Counter;
use crate::pipeline::{Destination, SendRate};
use crate::ship;

impl Reader {
    /// The outcome of a parcel.
    pub fn settle(&mut self, parcel: ParcelId, outcome: &Outcome, now: Now) {
        let mut lost = match outcome {
            Outcome::Acknowledged => 0,
            Outcome::Refused { logs_lost } => *logs_lost,
        };
        let (parts, body_bytes) = self.outbox.settle(parcel, lost > 0, now.mono);
        let gauges = &self.board.gauges;
        gauges.requests_settled.fetch_add(1, Ordering::Relaxed);
        gauges.body_bytes_settled.fetch_add(body_bytes as u64, Ordering::Relaxed);
        gauges.last_settled.store(now.unix_seconds(), Ordering::Relaxed);
        self.unblock();
        for part in parts {
            let lost_of_part = lost.min(part.logs);
            lost -= lost_of_part;
            self.settle_part(parcel, &part, lost_of_part, now);
        }
    }

    fn settle_part(&mut self, parcel: ParcelId, part: &Settled, lost: u32, now: Now) {
        let Some(file) = self.files.get_mut(&part.file) else { return };
        let waited = file.waits_for_unnumbered();
        let moved = file.progress.confirm(parcel);
        let goes_on = waited && !file.waits_for_unnumbered();
        file.books.settled(part.source_bytes, part.logs, lost);
        file.readings.refused += u64::from(lost);
        if let Some(running) = self.pipelines.get(&file.pipeline) {
            let counters = &running.board.counters;
            counters.add(Counter::LogsSent, u64::from(part.logs - lost));
            counters.add(Counter::LogsDropped, u64::from(lost));
            counters.add(Counter::BytesSent, part.raw_bytes as u64);
            if lost > 0 {
                self.board.alarms.raise(Alarm::DiscardData, "", &running.subject, lost.into(), || {
                    format!(
                        "the server refuses logs of {} for good; see LOGS LOST in the log",
                        file.at.shown.display()
                    )
                });
            }
        }
        if moved {
            self.record(part.file, now);
        }
        if goes_on {
            self.make_ready(part.file);
        }
        self.retire_if_done(part.file, now);
    }

    /// Has Logstores sent to at the rates that their configs say; not while the collector ends, as for reading.
    pub(super) fn limit_sending(&mut self, now: Now) {
        let configs = self.pipelines.values().map(|running| &running.config).filter(|_| self.drain.is_none());
        let limits = configs.filter_map(|config| {
            let SendRate { bytes_per_second, until } = config.send_rate?;
            let left = |until: u64| Duration::from_secs(until.saturating_sub(now.unix_seconds()));
            let until = until.and_then(|until| now.mono.checked_add(left(until)));
            Some((&config.destination, Limit { bytes_per_second, until }))
        });
        self.outbox.limit(limits, now.mono);
    }

    /// Sending to `destination` has a problem, or none any more.
    pub fn note_sending(&self, destination: &Destination, problem: Option<&str>) {
        for running in self.pipelines.values().filter(|r| r.config.destination == *destination) {
            running.board.set_trouble(Trouble::Sending, problem.map(str::to_owned));
        }
    }

    /// A request to `destination` failed; it is sent again, unless the server cannot read it.
    pub fn note_failure(&mut self, destination: &Destination, trouble: ship::Trouble, problem: &str) {
        let alarm = match trouble {
            ship::Trouble::Quota => Alarm::SendQuotaExceed,
            _ => Alarm::SendDataFail,
        };
        self.outbox.note_failure(destination, trouble);
        let subject = Subject {
            project: destination.project.to_string(),
            logstore: destination.logstore.to_string(),
            config: String::new(),
        };
        self.board.alarms.raise(alarm, trouble.name(), &Arc::new(subject), 1, || problem.to_owned());
    }

    /// Puts files back into the queue that waited for room.
    pub(super) fn unblock(&mut self) {
        for key in self.outbox.take_unblocked() {
            self.make_ready(key);
        }
    }

    pub(super) fn send_what_is_due(&mut self, now: Now) {
        let about_to_read: BTreeSet<LaneId> =
            self.ready.iter().filter_map(|key| self.files.get(key)).map(|file| file.lane).collect();
        for lane in self.outbox.lane_ids() {
            if about_to_read.contains(&lane) && self.drain.is_none() {
                // More is about to come; only what waited for long goes out now.
                while let Some(key) = self.outbox.lingering(lane, now.mono) {
                    self.seal(key, now);
                }
            } else {
                // All open files of a lane go together.
                let at_once = self.drain.is_some() || self.outbox.due(lane, now.mono, false).is_some();
                while let Some(key) = self.outbox.due(lane, now.mono, at_once) {
                    self.seal(key, now);
                }
            }
        }
        self.outbox.post_all(now.mono);
    }

    pub(super) fn seal(&mut self, key: FileKey, now: Now) {
        let Some(file) = self.files.get_mut(&key) else { return };
        let end = file.tail.bookmark();
        file.seal(&mut self.outbox, end, now.mono);
    }

    /// Notes the acknowledged position of a file for the next save.
    pub(super) fn record(&mut self, key: FileKey, now: Now) {
        let Some(file) = self.files.get_mut(&key) else { return };
        let known;
        let name = match self.pipelines.get(&file.pipeline) {
            Some(running) => running.config.name.as_str(),
            None => match self.store.get(key.0) {
                Some(entry) => {
                    known = entry.pipeline.clone();
                    &known
                }
                None => return,
            },
        };
        let mut at = file.progress.acked();
        if let Some(ranges) = &mut file.ranges {
            ranges.acknowledged(at.position);
            if ranges.has_open() {
                // The head of the file is known better than when reading was here.
                at.signature = file.tail.bookmark().signature;
            }
        }
        let (real, shown, identity) = (&*file.at.real, &*file.at.shown, file.tail.identity());
        let progress = (at, file.ranges.as_ref());
        if !self.store.advance(key.0, (name, real, shown), identity, progress, self.seen_until) {
            let mut entry = Entry::new(key.0, name, (real, shown), identity, at, self.seen_until);
            entry.ranges.clone_from(&file.ranges);
            self.store.put(entry);
        }
        self.request_save(now);
    }

    /// Has the checkpoint written soon.
    pub(super) fn request_save(&mut self, now: Now) {
        self.save_at.get_or_insert(now.mono + self.settings.limits.checkpoint_interval);
    }

    pub(super) fn save_if_due(&mut self, now: Now) {
        if self.save_at.is_some_and(|at| at <= now.mono) {
            self.save(now);
        }
    }

    /// Sends numbered parcels once the checkpoint on disk knows their ends and numbers. Without one
    /// they wait: what is sent then could not be sent in the same way again.
    pub(super) fn release_numbered(&mut self, now: Now) {
        let files = self.outbox.held_files();
        if files.is_empty() {
            return;
        }
        for key in files {
            self.record(key, now);
        }
        if !self.store_failing || self.save_at.is_some_and(|at| at <= now.mono) {
            self.save(now);
            if self.store_failing {
                self.board.alarms.raise(Alarm::ExactlyOnce, "waits", &Arc::default(), 1, || {
                    "numbered logs wait until the checkpoint can be written".to_owned()
                });
            }
        }
        if !self.store_failing {
            self.outbox.release_held();
        }
    }

    /// Writes the checkpoint.
    pub fn save(&mut self, now: Now) {
        self.save_at = None;
        match self.store.save() {
            Ok(()) => self.store_failing = false,
            Err(error) => {
                self.board.alarms.raise(Alarm::Checkpoint, "", &Arc::default(), 1, || error.to_string());
                if !std::mem::replace(&mut self.store_failing, true) {
                    warn!(%error, "checkpoint");
                }
                self.save_at = Some(now.mono + self.settings.limits.checkpoint_retry);
            }
        }
    }
}
