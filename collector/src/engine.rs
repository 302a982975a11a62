//! The data path as one thing: pipelines in, delivered logs out.
//!
//! [`Engine::start`] starts one thread that reads files (`engine::thread` drives `engine::reader`)
//! and tasks on the caller's tokio runtime that send (`ship`). Control calls [`Engine::apply`] with
//! the full desired set of pipelines, [`Engine::status`] to report, and [`Engine::drain`] or
//! [`Engine::stop`] to end.
//!
//! Reading order: [`reader`] (the turn) → `changes` (what the file system did) → `files`, `resume`
//! and `search` (which content is where) → `feed` (the hot path), `replay` (the same again after a restart) →
//! [`outbox`] and `delivery` (parcels, acknowledgements, checkpoint) → [`drain`] → [`books`].

pub mod books;
mod changes;
mod delivery;
pub mod drain;
mod feed;
mod files;
mod guard;
mod idle;
mod leave;
pub mod outbox;
mod pace;
mod problems;
pub mod profile;
pub mod reader;
mod replay;
mod resident;
mod resume;
mod search;
pub mod status;
mod thread;
pub mod tracked;
mod view;
pub mod writers;

use std::io;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

pub use drain::{DrainReport, Until};
pub use profile::Profile;
pub use status::{EngineStatus, PipelineStatus};
pub use view::View;

use self::reader::{Now, Reader, Settings};
use self::status::Board;
use self::thread::{Command, Mailbox};
use crate::alarm::Alarm;
use crate::checkpoint::Store;
use crate::lines::EVENT_BYTES_MAX;
use crate::pipeline::Pipeline;
use crate::ship::{self, Clients};
use crate::tags::Host;
use crate::watch::Watcher;

/// Age of logs that are old. Source: collector.md §1.6, where the vendor's agent drops them, and §7.4 point 11.
pub const OLD_LOG_AGE: Duration = Duration::from_secs(12 * 3600);

/// Requests that are not full keep this distance. Source: own choice; a line is acknowledged within a tenth of a second
/// then, where the service answers at once, and half as often would save hardly anything.
const SEND_SPACING: Duration = Duration::from_millis(80);

/// What the engine may use, and how patient it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes read from a file at once. Source: 64 KiB to 512 KiB measured alike (performance.md §3).
    pub block_bytes: usize,
    /// Bytes read from all files in a second, and so sent; `None`: no limit.
    pub read_bytes_per_second: Option<NonZeroU64>,
    /// Logs that say a time longer ago are counted as old, and there is an alarm.
    pub old_log_age: Duration,
    /// Logs that say a time longer ago are dropped; `None`: none are.
    pub discard_older_than: Option<Duration>,
    /// A longer event is sent in pieces.
    pub event_bytes_max: usize,
    /// Bytes of log text in one request. Source: Logtail's batch size (collector.md §3.3).
    pub group_text_bytes_max: usize,
    /// Logs in one request. Source: Logtail's batch size (collector.md §3.3).
    pub group_logs_max: u32,
    /// Logs wait no longer than this for company while the link is busy. Source: as above.
    pub linger: Duration,
    /// Requests that are not full keep this distance.
    pub send_spacing: Duration,
    /// Encoded bytes of logs that wait for company, in all files; above it the oldest go at once.
    pub open_bytes_max: usize,
    /// Requests of one destination that may be under way or queued.
    pub lane_parcels_max: usize,
    /// Compressed bytes of them.
    pub lane_bytes_max: usize,
    /// Compressed bytes of all destinations; each may still have one request.
    pub under_way_bytes_max: usize,
    /// Threads that parse, compress and make digests, that which reads among them.
    pub threads: usize,
    /// Bytes of a block that are worth being parsed by several.
    pub shared_bytes_min: usize,
    /// Requests of one destination under way at the same time; those of one file go one by one.
    pub lane_concurrency: usize,
    /// Acknowledged positions are on disk so long after the reader knows of them. Source: collector.md §3.4 rule 2: a
    /// second after they are acknowledged, which the reader may learn a pause later.
    pub checkpoint_interval: Duration,
    /// Time until a failed save is tried again.
    pub checkpoint_retry: Duration,
    /// How often files are looked at where there are no notifications.
    pub poll_interval: Duration,
    /// How often directories are listed although there are notifications.
    pub safety_poll_interval: Duration,
    /// Bytes that the volume of log files may hold; `None`: nobody watches.
    pub log_volume_bytes: Option<u64>,
    /// Rotated files that are delivered are unlinked when the volume becomes full.
    pub unlinks_collected: bool,
    /// How often the volume is looked at. Source: own choice; the kubelet looks each minute or so.
    pub volume_interval: Duration,
    /// What was read of files that are gone is kept for the next profile.
    pub keeps_profiles: bool,
    /// Files that were not modified for this long before the engine started are old: without a
    /// checkpoint only their end is read (`tail_bytes`). Generous, because a sidecar starts with its
    /// pod and must not skip what the other containers wrote before it came up.
    pub old_file_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            block_bytes: 256 * 1024,
            read_bytes_per_second: None,
            old_log_age: OLD_LOG_AGE,
            discard_older_than: None,
            event_bytes_max: EVENT_BYTES_MAX,
            group_text_bytes_max: 512 * 1024,
            group_logs_max: 4000,
            linger: Duration::from_secs(3),
            send_spacing: SEND_SPACING,
            open_bytes_max: 4 * 1024 * 1024,
            lane_parcels_max: 8,
            lane_bytes_max: 2 * 1024 * 1024,
            under_way_bytes_max: 16 * 1024 * 1024,
            threads: 1,
            shared_bytes_min: 128 * 1024,
            lane_concurrency: 4,
            checkpoint_interval: Duration::from_secs(1).saturating_sub(thread::COALESCE_MANY),
            checkpoint_retry: Duration::from_secs(10),
            poll_interval: Duration::from_secs(1),
            safety_poll_interval: Duration::from_secs(60),
            log_volume_bytes: None,
            unlinks_collected: false,
            volume_interval: Duration::from_secs(10),
            keeps_profiles: true,
            old_file_age: Duration::from_secs(600),
        }
    }
}

/// What the engine needs to know.
#[derive(Debug, Clone, Default)]
pub struct EngineConfig {
    /// Where the checkpoint is kept (a real path: `root` is not applied to it).
    pub state_dir: PathBuf,
    /// Log files are looked up below this directory (SLS_PATH_PREFIX); it is never shown.
    pub root: Option<PathBuf>,
    /// `Source` of every log.
    pub source_ip: String,
    /// Tag `__hostname__`.
    pub hostname: String,
    /// Tag `__user_defined_id__`; left out if empty.
    pub user_defined_id: String,
    /// One tag each; an empty value for a variable that is not set.
    pub env_tags: Vec<(String, String)>,
    /// Further tags, until [`Engine::set_file_tags`].
    pub file_tags: Vec<(String, String)>,
    pub machine_uuid: String,
    pub limits: Limits,
}

/// The engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("cannot start the reader thread: {0}; the limit of processes or of open files is too low")]
    Thread(#[source] io::Error),
}

/// A running engine. Dropping it stops reading at once; what is not acknowledged is sent again by
/// the next run.
pub struct Engine {
    mailbox: Mailbox,
    board: Arc<Board>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Engine {
    /// Starts reading and sending. Must be called inside a tokio runtime, whose tasks send.
    ///
    /// # Errors
    /// The system refuses a thread or a pipe.
    pub fn start(config: EngineConfig, clients: impl Clients) -> Result<Self, EngineError> {
        raise_limit_of_open_files();
        let (mailbox, wake) = Mailbox::new().map_err(EngineError::Thread)?;
        let board = Arc::new(Board::default());
        let report: ship::Report = {
            let mailbox = mailbox.clone();
            Arc::new(move |news| mailbox.send(Command::News(news)))
        };
        let carrier = ship::Shipper::start(Arc::new(clients), config.limits.lane_concurrency, report);
        let (store, problem) = Store::load(&config.state_dir);
        if let Some(problem) = problem {
            tracing::warn!(%problem, "checkpoint");
            board.alarms.raise(Alarm::Checkpoint, "read", &Arc::default(), 1, || problem.to_string());
        }
        let now = Now::real();
        let settings = Settings {
            root: config.root,
            host: Host {
                source_ip: config.source_ip,
                hostname: config.hostname,
                user_defined_id: config.user_defined_id,
                env_tags: config.env_tags,
                file_tags: config.file_tags,
                machine_uuid: config.machine_uuid,
            },
            zone: jiff::tz::TimeZone::system(),
            old_before: now.wall.checked_sub(config.limits.old_file_age).unwrap_or(SystemTime::UNIX_EPOCH),
            limits: config.limits,
        };
        let reader = Reader::new(settings, store, Watcher::new(), Box::new(carrier), Arc::clone(&board));
        let thread = thread::spawn(reader, mailbox.clone(), wake).map_err(EngineError::Thread)?;
        Ok(Self { mailbox, board, thread: Mutex::new(Some(thread)) })
    }

    /// Runs exactly these pipelines from now on. One whose version is unchanged is not disturbed.
    pub fn apply(&self, pipelines: Vec<Pipeline>) {
        self.mailbox.send(Command::Apply(pipelines));
    }

    /// Other tags for the logs that are sent from now on.
    pub fn set_file_tags(&self, tags: Vec<(String, String)>) {
        self.mailbox.send(Command::FileTags(tags));
    }

    /// For who asks about it beside its owner.
    pub fn view(&self) -> View {
        View::new(self.mailbox.clone(), Arc::clone(&self.board))
    }

    /// Where the state is shown, for who looks at it on its own.
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// The state of the pipelines that run.
    pub fn status(&self) -> EngineStatus {
        self.board.status()
    }

    /// For the end of the pod: reads on while anybody has a log file open for writing, sends
    /// unterminated lines too, and returns when everything is acknowledged or at the deadline.
    pub async fn drain(&self, deadline: Instant) -> DrainReport {
        self.end(Until::WritersAreGone, deadline).await
    }

    /// For the end of the collector alone: returns when everything that is there now is
    /// acknowledged, or at the deadline. A later run goes on from there.
    pub async fn stop(&self, deadline: Instant) -> DrainReport {
        self.end(Until::EndOfFiles, deadline).await
    }

    /// For the end of the application, which said that it has written everything: as [`Self::drain`], but a
    /// program that has a log file open still is waited for until `writers_until` only.
    pub async fn finish(&self, writers_until: Instant, deadline: Instant) -> DrainReport {
        self.end(Until::WritersAreGoneBy(writers_until), deadline).await
    }

    /// Returns when a pipeline runs whose directories can be read and are watched.
    pub async fn ready(&self) {
        self.board.ready().await;
    }

    /// Returns when all work seems to be done: log files were written, no program has one open for writing,
    /// every log is acknowledged, and nothing has happened for `quiet`.
    pub async fn idle(&self, quiet: Duration) {
        let (done, idle) = tokio::sync::oneshot::channel();
        self.mailbox.send(Command::WhenIdle { quiet, done });
        if idle.await.is_err() {
            // The thread died, or somebody else asked: not a reason to end.
            std::future::pending::<()>().await;
        }
    }

    async fn end(&self, until: Until, deadline: Instant) -> DrainReport {
        let (done, report) = tokio::sync::oneshot::channel();
        self.mailbox.send(Command::Drain { until, deadline, done });
        // The channel closes only if the thread died or a later drain took over.
        report.await.unwrap_or_default()
    }
}

/// Every file that is followed is open; the soft limit is often 1,024 although more is allowed.
fn raise_limit_of_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // If it is refused, a file that cannot be opened is reported by itself.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.mailbox.send(Command::Stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the reader thread panicked");
        }
    }
}
