//! One generation of one file as the engine follows it, and the settings of one pipeline at work.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use jiff::tz::TimeZone;

use super::Limits;
use super::books::{Books, Bytes, Lines};
use super::feed::{Maker, Share};
use super::outbox::{LaneId, Outbox, Route};
use super::profile::Readings;
use super::status::PipelineBoard;
use crate::alarm::Subject;
use crate::checkpoint::{Progress, Range, Ranges};
use crate::discover::{Located, Matcher};
use crate::events::{Seen, Splitter};
use crate::pack::Group;
use crate::parse::time::TimeFormatError;
use crate::pipeline::Pipeline;
use crate::tags::{self, Common, Host, PackIds};
use crate::tail::{Bookmark, Tail};

/// Names a tracked generation in this process; also its key in the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileKey(pub u64);

/// Names a pipeline in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipelineId(pub u32);

/// A pipeline with everything compiled that its events need.
pub struct Running {
    pub config: Pipeline,
    pub matcher: Matcher,
    pub splitter: Arc<Splitter>,
    /// One for each thread that parses; at least one.
    pub makers: Vec<Maker>,
    pub share: Share,
    pub lane: LaneId,
    pub board: Arc<PipelineBoard>,
    /// What its alarms are about.
    pub subject: Arc<Subject>,
    /// The directories were listed at least once: files that appear from now on are new.
    pub was_walked: bool,
    /// When the directories were listed last, and the time before.
    pub listed: Option<SystemTime>,
    pub listed_before: Option<SystemTime>,
    /// What cannot be read, by path; the text names the remedy.
    pub problems: BTreeMap<PathBuf, String>,
    /// Time until the next try while there are problems.
    pub retry: Duration,
    /// Parse problems are not reported again before this.
    pub parse_report_at: Option<Instant>,
}

impl Running {
    /// # Errors
    /// The time format cannot be used; the pipeline then runs with the time of collection.
    pub fn new(
        config: Pipeline,
        lane: LaneId,
        limits: &Limits,
        zone: &TimeZone,
        board: Arc<PipelineBoard>,
    ) -> (Self, Option<TimeFormatError>) {
        let (first, problem) = Maker::new(&config, zone);
        let others = (1..limits.threads).map(|_| Maker::new(&config, zone).0);
        let running = Self {
            matcher: Matcher::new(&config.input),
            splitter: Arc::new(Splitter::new(
                &config.multiline,
                config.input.encoding,
                limits.event_bytes_max,
            )),
            makers: std::iter::once(first).chain(others).collect(),
            share: Share::default(),
            lane,
            board,
            subject: Arc::new(Subject {
                project: config.destination.project.to_string(),
                logstore: config.destination.logstore.to_string(),
                config: config.name.clone(),
            }),
            was_walked: false,
            listed: None,
            listed_before: None,
            problems: BTreeMap::new(),
            retry: Duration::ZERO,
            parse_report_at: None,
            config,
        };
        (running, problem)
    }
}

/// Where a generation is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Under a name that belongs to the pipeline.
    Here,
    /// Renamed (perhaps to a place that we do not see) or deleted: it is read to its end, and left
    /// when nobody writes to it any more.
    Left,
    /// Its content was truncated or overwritten: there is nothing more to read.
    Gone,
}

/// One generation.
pub struct Tracked {
    pub key: FileKey,
    pub pipeline: PipelineId,
    pub lane: LaneId,
    pub at: Located,
    /// Where the link led under whose name the file was found, if it was one.
    pub link_target: Option<PathBuf>,
    pub place: Place,
    pub tail: Tail,
    /// Logs that are not in a parcel yet.
    pub open: Option<Group>,
    pub progress: Progress,
    pub books: Books,
    /// Hash keys of this file whose parts are numbered; 0 if they are not.
    pub keys: u16,
    /// The parts that were numbered.
    pub ranges: Option<Ranges>,
    /// Up to here parts went out without numbers. A numbered one begins where the one before it ends, or at
    /// the acknowledged position: it must not follow while one of these may still be lost.
    pub unnumbered_to: u64,
    /// Those which are read again, as they were before a restart, before anything else.
    pub replay: VecDeque<Range>,
    pub common: Common,
    pub pack_ids: PackIds,
    /// What is known of the pending bytes.
    pub seen: Seen,
    /// An unterminated line was handed over: a newline that follows belongs to it.
    pub is_mid_line: bool,
    /// The last read reached the end of the file.
    pub at_end: bool,
    /// When it was last read, or first seen.
    pub read_at: Instant,
    /// The same by the clock that files are stamped with.
    pub looked_at: SystemTime,
    /// When the file was last seen to grow (or was first seen).
    pub grew: Instant,
    pub in_ready_queue: bool,
    /// What was read since the last profile.
    pub readings: Readings,
    /// When it was looked at last, much of it was not read.
    pub is_far_behind: bool,
    pub timer: Option<Instant>,
    /// Reading ended (pipeline removed, or the file no longer belongs to it).
    pub is_released: bool,
}

impl Tracked {
    /// Puts what was gathered into a parcel; everything before `end` is then handed over.
    pub fn seal(&mut self, outbox: &mut Outbox, end: Bookmark, now: Instant) {
        let Some(group) = self.open.take() else { return };
        outbox.closed(self.lane, self.key, group.encoded_bytes());
        let logs = group.logs();
        let bytes = group.finish(&self.common.footer, &self.pack_ids.take());
        let source_bytes = self.books.sent(end.position, logs);
        let route = self.route(end);
        let parcel = outbox.put(self.lane, self.key, route, (bytes, logs, source_bytes), now);
        self.progress.sent(parcel, end);
    }

    /// What became of its bytes so far.
    pub fn account(&self) -> (Bytes, Lines) {
        let position = self.tail.position();
        let size = match self.place {
            // The content that a truncated file has now is another generation.
            Place::Gone => position,
            _ => self.tail.metadata().map_or(position, |m| m.len()),
        };
        self.account_of(size)
    }

    /// The same in the end: what comes later is another generation.
    pub fn last_account(&self) -> (Bytes, Lines) {
        if self.is_released { self.account() } else { self.account_of(self.tail.position()) }
    }

    fn account_of(&self, size: u64) -> (Bytes, Lines) {
        let position = self.tail.position();
        let open = self.open.as_ref().map_or(0, Group::logs);
        self.books.state(position, size, open, self.is_released)
    }

    /// How the part up to `end` finds its shard.
    fn route(&mut self, end: Bookmark) -> Route {
        let range = match self.replay.pop_front() {
            Some(again) => again,
            None if self.keys > 0 && !self.waits_for_unnumbered() => {
                self.ranges.get_or_insert_with(|| Ranges::new(fastrand::u128(..))).bind(end, self.keys)
            }
            None => {
                self.unnumbered_to = end.position;
                return self.common.hash_key.clone().map_or(Route::Any, Route::Key);
            }
        };
        let key = self.ranges.get_or_insert_with(|| Ranges::new(fastrand::u128(..))).hash_key(range);
        Route::Numbered { key, slot: range.key, numbers: range.numbers() }
    }

    /// Its parts are numbered from now on, and those before must be acknowledged first.
    pub fn waits_for_unnumbered(&self) -> bool {
        self.keys > 0 && self.progress.acked().position < self.unnumbered_to
    }

    /// What is handed over from now on goes to another destination. It may be the same Logstore by another
    /// way, and what is under way on the old one may arrive later than what follows it: under the same keys
    /// it would then be taken for known.
    pub fn change_lane(&mut self, lane: LaneId) {
        self.lane = lane;
        let Some(ranges) = &mut self.ranges else { return };
        ranges.renew(fastrand::u64(..));
        if !self.progress.is_settled()
            && let Some(next) = self.replay.front()
        {
            // Sent anew, perhaps a second time.
            ranges.forget_from(*next);
            self.replay.clear();
        }
    }

    /// Everything read was handed over and acknowledged.
    pub fn is_settled(&self) -> bool {
        self.open.is_none() && self.progress.is_settled()
    }

    /// Bytes that are there and were not read.
    pub fn behind(&self) -> u64 {
        let size = self.tail.metadata().map_or(0, |meta| meta.len());
        size.saturating_sub(self.tail.read_position())
    }

    /// There is nothing in the file that was not read. (What [`Self::at_end`] says is as old as the last read.)
    pub fn has_no_more(&self) -> bool {
        self.tail.metadata().is_ok_and(|meta| meta.len() <= self.tail.read_position())
    }

    /// It was read in this turn, and there was nothing more.
    pub fn was_just_read_to_its_end(&self, now: Instant) -> bool {
        self.read_at == now && self.at_end && self.grew < now
    }

    /// It is still to be read from.
    pub fn is_read(&self) -> bool {
        !self.is_released && self.place != Place::Gone
    }

    /// What this file's groups have in common, after a change of the pipeline.
    pub fn set_common(&mut self, host: &Host, config: &Pipeline) {
        self.keys = config.shards.keys();
        self.common = tags::common(host, config, &self.at.shown, self.tail.identity().inode);
    }
}
