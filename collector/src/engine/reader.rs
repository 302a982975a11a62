//! The reading half of the engine as a state machine: it owns the files and does one *turn* at a
//! time, in which it takes in what happened, reads what is ready and hands parcels to the outbox.
//!
//! It never waits and reads no clock: `turn` is given the time and says when it wants the next one.
//! The engine's thread drives it for real, tests drive it with a time of their own and a carrier
//! that fails as they like.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use jiff::tz::TimeZone;
use tracing::{info, warn};

use super::Limits;
use super::books::Accounts;
use super::changes::{DirectoryUse, Touched};
use super::drain::Drain;
use super::guard::Guard;
use super::idle::Idle;
use super::outbox::{Carrier, Outbox};
use super::pace::Pace;
use super::profile::Departed;
use super::resident::Resident;
use super::status::{Board, Trouble};
use super::tracked::{FileKey, PipelineId, Running, Tracked};
use crate::alarm::Alarm;
use crate::checkpoint::Store;
use crate::pipeline::Pipeline;
use crate::tags::Host;
use crate::tail::{Block, FileIdentity};
use crate::watch::{Change, Watcher};

/// Bytes read in one turn, so that acknowledgements and commands are not kept waiting.
const TURN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a read counts as in addition, in bytes: about what could be read while a file is turned to. Source: measured, 10 µs.
const READ_COST_BYTES: usize = 16 * 1024;
/// Memory is given back after this time without reading, or without a change of the configs.
const RELEASE_MEMORY_AFTER: Duration = Duration::from_secs(2);

/// The time of a turn.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub mono: Instant,
    pub wall: SystemTime,
}

impl Now {
    /// The real time.
    #[allow(clippy::disallowed_methods)] // the one place of the data path that reads the clock
    pub fn real() -> Self {
        Self { mono: Instant::now(), wall: SystemTime::now() }
    }

    /// Seconds since 1970.
    pub fn unix_seconds(&self) -> u64 {
        self.wall.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs())
    }

    /// Nanoseconds of the second.
    pub fn nanos(&self) -> u32 {
        self.wall.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.subsec_nanos())
    }
}

/// What stays the same while the engine runs.
#[derive(Debug, Clone)]
pub struct Settings {
    pub root: Option<PathBuf>,
    pub host: Host,
    pub limits: Limits,
    /// Zone of log times that name none, where the config names none either.
    pub zone: TimeZone,
    /// Files modified before this moment are old (see `tail::FirstContact`).
    pub old_before: SystemTime,
}

impl Settings {
    /// Where a path of a config lies.
    pub(super) fn on_disk(&self, shown: &Path) -> PathBuf {
        let below = |root: &PathBuf| root.join(shown.strip_prefix("/").unwrap_or(shown));
        self.root.as_ref().map_or_else(|| shown.to_owned(), below)
    }
}

/// See the module.
pub struct Reader {
    pub(super) settings: Settings,
    pub(super) pipelines: BTreeMap<PipelineId, Running>,
    /// Boxed, so that the tree is small: a file is looked up a dozen times for each line of a slow one.
    pub(super) files: BTreeMap<FileKey, Box<Tracked>>,
    pub(super) by_identity: HashMap<(PipelineId, FileIdentity), FileKey>,
    pub(super) by_path: HashMap<PathBuf, Vec<FileKey>>,
    /// By the name in `__path__`, which a file keeps.
    pub(super) by_shown: HashMap<PathBuf, Vec<FileKey>>,
    pub(super) directories: HashMap<PathBuf, Vec<DirectoryUse>>,
    /// Names that hold a file which had a matching name before; see `files`.
    pub(super) candidates: HashMap<PathBuf, PathBuf>,
    pub(super) watcher: Watcher,
    pub(super) must_poll: bool,
    pub(super) walk_at: BTreeMap<PipelineId, Instant>,
    pub(super) timers: BTreeSet<(Instant, FileKey)>,
    pub(super) ready: VecDeque<FileKey>,
    pub(super) outbox: Outbox,
    pub(super) pace: Pace,
    /// Files to be read as soon as the pace allows it; not in `ready`, so that what was read goes out meanwhile.
    pub(super) paced: VecDeque<FileKey>,
    pub(super) store: Store,
    pub(super) block: Block,
    pub(super) drain: Option<Drain>,
    pub(super) idle: Idle,
    /// Of the files that are followed no longer.
    pub(super) accounts: Accounts,
    pub(super) departed: Departed,
    pub(super) guard: Guard,
    pub(super) board: Arc<Board>,
    pub(super) next_key: u64,
    next_pipeline: u32,
    changes: Vec<Change>,
    pub(super) touched: Touched,
    /// Whatever changed before this moment was taken in.
    pub(super) seen_until: SystemTime,
    pub(super) save_at: Option<Instant>,
    release_at: Option<Instant>,
    resident: Resident,
    pub(super) store_failing: bool,
}

impl Reader {
    pub fn new(
        settings: Settings,
        store: Store,
        watcher: Watcher,
        carrier: Box<dyn Carrier>,
        board: Arc<Board>,
    ) -> Self {
        Self {
            outbox: Outbox::new(settings.limits.clone(), carrier),
            pace: Pace::new(settings.limits.read_bytes_per_second),
            paced: VecDeque::new(),
            next_key: store.unused_generation(),
            settings,
            pipelines: BTreeMap::new(),
            files: BTreeMap::new(),
            by_identity: HashMap::new(),
            by_path: HashMap::new(),
            by_shown: HashMap::new(),
            directories: HashMap::new(),
            candidates: HashMap::new(),
            watcher,
            must_poll: false,
            walk_at: BTreeMap::new(),
            timers: BTreeSet::new(),
            ready: VecDeque::new(),
            store,
            block: Block::default(),
            drain: None,
            idle: Idle::default(),
            accounts: Accounts::default(),
            departed: Departed::default(),
            guard: Guard::default(),
            board,
            next_pipeline: 0,
            changes: Vec::new(),
            touched: Touched::default(),
            seen_until: SystemTime::UNIX_EPOCH,
            save_at: None,
            release_at: None,
            resident: Resident::default(),
            store_failing: false,
        }
    }

    /// Reads of files so far.
    pub fn reads(&self) -> u64 {
        self.board.gauges.blocks_read.load(Ordering::Relaxed)
    }

    /// What is settled lets it go on at once.
    pub fn waits_for_room(&self) -> bool {
        self.outbox.waits_for_room()
    }

    /// What becomes readable when files change; poll it between turns.
    pub fn descriptor(&self) -> Option<&std::os::fd::OwnedFd> {
        self.watcher.descriptor()
    }

    /// Runs exactly these pipelines from now on. A pipeline whose version is unchanged goes on
    /// undisturbed; one with another version goes on where the old one stopped reading.
    pub fn apply(&mut self, pipelines: Vec<Pipeline>, now: Now) {
        if self.seen_until == SystemTime::UNIX_EPOCH {
            self.seen_until = now.wall;
        }
        let wanted: BTreeSet<&str> = pipelines.iter().map(|p| p.name.as_str()).collect();
        let gone: Vec<PipelineId> = self
            .pipelines
            .iter()
            .filter(|(_, running)| !wanted.contains(running.config.name.as_str()))
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            self.remove_pipeline(id, now);
        }
        for pipeline in pipelines {
            let known = self.pipelines.iter().find(|(_, r)| r.config.name == pipeline.name);
            match known.map(|(id, running)| (*id, running.config.version)) {
                Some((_, version)) if version == pipeline.version => {}
                Some((id, _)) => self.install(id, pipeline, now),
                None => {
                    let id = PipelineId(self.next_pipeline);
                    self.next_pipeline += 1;
                    self.install(id, pipeline, now);
                }
            }
        }
        self.idle.note_activity(now);
        if self.pipelines.values().any(|running| running.problems.is_empty()) {
            self.board.set_ready();
        }
        self.release_at = Some(now.mono + RELEASE_MEMORY_AFTER);
        self.limit_sending(now);
        self.outbox.keep_lanes(&self.pipelines.values().map(|r| &r.config.destination).collect());
        self.forget_old_checkpoints(now);
    }

    fn install(&mut self, id: PipelineId, config: Pipeline, now: Now) {
        info!(
            pipeline = config.name, version = config.version,
            directory = %config.input.directory.display(), files = config.input.file_pattern,
            logstore = %config.destination.logstore, "collection begins"
        );
        let board = self.board.pipeline(&config.name);
        board.set_version(config.version, &config.destination);
        let lane = self.outbox.lane(&config.destination);
        let (mut running, problem) =
            Running::new(config, lane, &self.settings.limits, &self.settings.zone, board);
        if let Some(problem) = &problem {
            warn!(pipeline = running.config.name, %problem, "logs carry the time of collection");
            self.board.alarms.raise(Alarm::CategoryConfig, "time", &running.subject, 1, || {
                format!("{problem}; logs carry the time of collection")
            });
        }
        running.board.set_trouble(Trouble::Config, problem.map(|p| p.to_string()));
        let replaced = self.pipelines.get(&id).map(|old| old.was_walked);
        let destination_before = self.pipelines.get(&id).map(|old| old.config.destination.clone());
        running.was_walked = replaced.unwrap_or(false);
        // What was read so far goes out as the old config made it.
        self.seal_pipeline(id, now);
        let entries = self.entries_of(&running.config.name);
        if let Some(before) = destination_before
            && before != running.config.destination
        {
            let (files, to) = (&self.files, &running.config.destination);
            let is_of_config = |key| files.get(&key).is_some_and(|file| file.pipeline == id);
            self.outbox.redirect((&before, to), is_of_config, now.mono);
        }
        self.pipelines.insert(id, running);
        if replaced.is_some() {
            self.adopt_files(id);
        }
        self.walk(id, now);
        if replaced.is_none() {
            self.resume_moved_files(id, &entries, now);
        }
    }

    fn remove_pipeline(&mut self, id: PipelineId, now: Now) {
        self.seal_pipeline(id, now);
        let Some(running) = self.pipelines.remove(&id) else { return };
        info!(pipeline = running.config.name, "collection ends");
        self.walk_at.remove(&id);
        self.board.remove(&running.config.name);
        let keys: Vec<FileKey> = self.files.values().filter(|f| f.pipeline == id).map(|f| f.key).collect();
        for key in keys {
            self.release(key);
        }
        self.forget_directories_of(id);
    }

    /// Logs that are in no request yet carry them too.
    pub fn set_file_tags(&mut self, tags: Vec<(String, String)>) {
        self.settings.host.file_tags = tags;
        for file in self.files.values_mut() {
            if let Some(running) = self.pipelines.get(&file.pipeline) {
                file.set_common(&self.settings.host, &running.config);
            }
        }
    }

    fn seal_pipeline(&mut self, id: PipelineId, now: Now) {
        for file in self.files.values_mut().filter(|f| f.pipeline == id) {
            let end = file.tail.bookmark();
            file.seal(&mut self.outbox, end, now.mono);
        }
    }

    /// Takes in changes and does what there is to do; says how long the next turn may wait (`None`: for a change).
    pub fn turn(&mut self, now: Now) -> Option<Duration> {
        self.take_in_changes(now);
        self.step(now)
    }

    /// As [`Self::turn`], but for changes of files: they wait for [`Self::take_in_changes`].
    pub fn step(&mut self, now: Now) -> Option<Duration> {
        self.pace.advance(now.mono);
        self.outbox.advance(now.mono);
        if self.pace.wait().is_none() {
            self.ready.append(&mut self.paced);
        }
        self.run_timers(now);
        let mut blocks = 0;
        let mut budget = TURN_BYTES_MAX;
        while budget > 0
            && self.pace.wait().is_none()
            && let Some(key) = self.ready.pop_front()
        {
            blocks += 1;
            if let Some(file) = self.files.get_mut(&key) {
                file.in_ready_queue = false;
            }
            budget = budget.saturating_sub(READ_COST_BYTES + self.feed(key, now));
            self.outbox.hand_over_full_shares();
            while self.outbox.is_overfull()
                && let Some(waiting) = self.outbox.longest_waiting()
            {
                self.seal(waiting, now);
            }
        }
        if self.pace.wait().is_some() {
            self.paced.append(&mut self.ready);
        }
        if blocks > 0 {
            self.release_at = Some(now.mono + RELEASE_MEMORY_AFTER);
        }
        self.send_what_is_due(now);
        self.unblock();
        self.step_drain(now);
        self.release_numbered(now);
        self.outbox.hand_over();
        self.step_idle(now);
        self.guard_volume(now);
        self.save_if_due(now);
        self.release_memory_if_idle(now);
        self.board.gauges.blocks_read.fetch_add(blocks as u64, Ordering::Relaxed);
        self.show_state();
        self.wait(now)
    }

    /// Learns what happened to files since the last time; says whether anything did.
    pub fn take_in_changes(&mut self, now: Now) -> bool {
        let mut changes = std::mem::take(&mut self.changes);
        self.seen_until = now.wall;
        self.watcher.read(&mut changes);
        if !changes.is_empty() {
            let gauges = &self.board.gauges;
            gauges.file_events.fetch_add(changes.len() as u64, Ordering::Relaxed);
            gauges.last_file_event.store(now.unix_seconds(), Ordering::Relaxed);
        }
        self.take_in(&changes, now);
        let has_changes = !changes.is_empty();
        changes.clear();
        self.changes = changes;
        has_changes
    }

    fn show_state(&self) {
        self.board.requests_under_way.store(self.outbox.parcels_under_way() as u64, Ordering::Relaxed);
        let gauges = &self.board.gauges;
        gauges.directories_watched.store(self.watcher.watched().len() as u64, Ordering::Relaxed);
        let lanes = self.outbox.lane_counts();
        gauges.lanes.store(lanes.all, Ordering::Relaxed);
        gauges.lanes_full.store(lanes.full, Ordering::Relaxed);
        gauges.lanes_failing.store(lanes.failing, Ordering::Relaxed);
    }

    fn run_timers(&mut self, now: Now) {
        while let Some((at, key)) = self.timers.first().copied()
            && at <= now.mono
        {
            self.timers.pop_first();
            if let Some(file) = self.files.get_mut(&key) {
                file.timer = None;
            }
            self.on_timer(key, now);
        }
        let due: Vec<PipelineId> =
            self.walk_at.iter().filter(|(_, at)| **at <= now.mono).map(|(id, _)| *id).collect();
        for id in due {
            self.walk(id, now);
            self.look_at_all_files_of(id);
        }
    }

    fn release_memory_if_idle(&mut self, now: Now) {
        if self.release_at.is_some_and(|at| at <= now.mono) {
            self.release_at = None;
            self.block.shrink(0);
            self.outbox.release_memory();
            self.pipelines.values_mut().for_each(|running| running.share.release_memory());
            self.resident.when_idle(now.mono);
        }
    }

    fn wait(&self, now: Now) -> Option<Duration> {
        let pace = match self.pace.wait() {
            _ if self.ready.is_empty() && self.paced.is_empty() => None,
            None => return Some(Duration::ZERO),
            Some(wait) => Some(now.mono + wait),
        };
        let due = [
            pace,
            self.timers.first().map(|(at, _)| *at),
            self.walk_at.values().min().copied(),
            self.outbox.next_due(),
            self.outbox.next_share(now.mono),
            self.save_at,
            self.release_at,
            self.next_look_at_volume(),
            match &self.drain {
                Some(drain) => drain.next_step(),
                None => self.idle.next_step(), // nobody looks any more once a drain has begun
            },
        ];
        let next = due.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(now.mono))
    }

    /// Puts a file into the queue of files to be read, once.
    pub(super) fn make_ready(&mut self, key: FileKey) {
        if let Some(file) = self.files.get_mut(&key)
            && !file.in_ready_queue
            && file.is_read()
        {
            file.in_ready_queue = true;
            self.ready.push_back(key);
        }
    }

    /// Asks for `on_timer` no later than at `at`.
    pub(super) fn set_timer(&mut self, key: FileKey, at: Instant) {
        let Some(file) = self.files.get_mut(&key) else { return };
        if let Some(old) = file.timer {
            if old <= at {
                return;
            }
            self.timers.remove(&(old, key));
        }
        file.timer = Some(at);
        self.timers.insert((at, key));
    }
}
