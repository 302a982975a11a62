//! The thread that drives the reader: waits for files, acknowledgements and commands.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::sync::oneshot;
use tracing::{error, warn};

use super::SEND_SPACING;
use super::books::Account;
use super::drain::{DrainReport, Until};
use super::profile::Profile;
use super::reader::{Now, Reader};
use crate::pipeline::Pipeline;
use crate::ship::News;

/// Under load, changes of files are taken in at most this often (collector.md §7.4 point 8): what is read earlier would
/// wait for its request, which keeps the same distance. A change after a pause is taken in at once.
const COALESCE: Duration = SEND_SPACING;
/// The same after changes for which so many reads were made: turning to many files for little each costs most when caches
/// are cold, and waking up half as often is a quarter less. Source: measured with 1,000 files; one file at 10 MB/s, whose
/// requests are full anyway, gains nothing.
const COALESCE_MANY: Duration = Duration::from_millis(160);
const MANY_READS: u64 = 32;

/// What the reader is told from outside.
pub enum Command {
    Apply(Vec<Pipeline>),
    /// Name and value of each.
    FileTags(Vec<(String, String)>),
    News(News),
    Drain {
        until: Until,
        deadline: Instant,
        done: oneshot::Sender<DrainReport>,
    },
    /// Tells once that all work seems to be done.
    WhenIdle {
        quiet: Duration,
        done: oneshot::Sender<()>,
    },
    LookForDelays,
    /// Tells what happened since the last time.
    Profile(oneshot::Sender<Profile>),
    /// Tells what became of every byte so far.
    Account(oneshot::Sender<Account>),
    Stop,
}

/// Sends commands to the reader's thread and wakes it.
#[derive(Clone)]
pub struct Mailbox {
    shared: Arc<Shared>,
}

struct Shared {
    commands: Mutex<Vec<Command>>,
    wake: File,
}

impl Mailbox {
    /// A mailbox and the descriptor that becomes readable when there is mail.
    pub fn new() -> io::Result<(Self, File)> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let shared = Shared { commands: Mutex::new(Vec::new()), wake: File::from(write) };
        Ok((Self { shared: Arc::new(shared) }, File::from(read)))
    }

    pub fn send(&self, command: Command) {
        let mut commands = self.shared.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.push(command);
        if commands.len() == 1 {
            // A full pipe means that a wake-up is on its way already.
            let _ = (&self.shared.wake).write(&[1]);
        }
    }

    fn take(&self) -> Vec<Command> {
        std::mem::take(&mut *self.shared.commands.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Runs until told to stop.
pub fn run(mut reader: Reader, mailbox: &Mailbox, mut wake: File) {
    let mut waiting: Option<oneshot::Sender<DrainReport>> = None;
    let mut waiting_for_idle: Option<oneshot::Sender<()>> = None;
    let mut last_change: Option<Taken> = None;
    loop {
        let now = Now::real();
        for command in mailbox.take() {
            match command {
                Command::Apply(pipelines) => reader.apply(pipelines, now),
                Command::FileTags(tags) => reader.set_file_tags(tags),
                Command::News(News::Settled(parcel, outcome)) => reader.settle(parcel, &outcome, now),
                Command::News(News::Trouble(destination, problem)) => {
                    reader.note_sending(&destination, problem.as_deref());
                }
                Command::News(News::Failed(destination, trouble, problem)) => {
                    reader.note_failure(&destination, trouble, &problem);
                }
                Command::Drain { until, deadline, done } => {
                    reader.begin_drain(until, deadline, now);
                    waiting = Some(done);
                }
                Command::WhenIdle { quiet, done } => {
                    reader.look_for_idle(quiet, now);
                    waiting_for_idle = Some(done);
                }
                Command::LookForDelays => reader.look_for_delays(now),
                Command::Account(done) => drop(done.send(reader.account())),
                Command::Profile(done) => drop(done.send(reader.profile(now))),
                Command::Stop => return reader.save(now),
            }
        }
        let wait = reader.turn(now);
        if let Some(report) = reader.drained()
            && let Some(done) = waiting.take()
        {
            // Nobody listens any more: the account is in the log.
            let _ = done.send(report.clone());
        }
        if reader.is_idle()
            && let Some(done) = waiting_for_idle.take()
        {
            let _ = done.send(()); // nobody may listen any more
        }
        if let Err(e) = wait_for_news(&reader, &mut wake, wait, &mut last_change) {
            error!(error = %e, "waiting for changes failed; collection goes on by polling");
            std::thread::sleep(COALESCE);
        }
    }
}

/// Changes were taken in at this time, when so many reads had been made.
#[derive(Debug, Clone, Copy)]
struct Taken {
    at: Instant,
    reads: u64,
}

impl Taken {
    /// How long files are left alone from `now` on, when so many reads have been made.
    fn hold_off(self, now: Instant, reads: u64) -> Duration {
        let wait = if reads - self.reads < MANY_READS { COALESCE } else { COALESCE_MANY };
        wait.saturating_sub(now.saturating_duration_since(self.at))
    }
}

fn wait_for_news(
    reader: &Reader,
    wake: &mut File,
    wait: Option<Duration>,
    last_change: &mut Option<Taken>,
) -> io::Result<()> {
    let reads = reader.reads();
    let hold_off = last_change.map_or(Duration::ZERO, |taken| taken.hold_off(Now::real().mono, reads));
    let files = reader.descriptor().map(|fd| fd.as_fd());
    let ready = if hold_off > Duration::ZERO && wait != Some(Duration::ZERO) {
        // Files changed a moment ago: only mail is listened to for a while.
        let short = wait.map_or(hold_off, |w| w.min(hold_off));
        wait_on(&[wake.as_fd()], Some(short))?
    } else {
        let mut both = vec![wake.as_fd()];
        both.extend(files);
        wait_on(&both, wait)?
    };
    if ready.first() == Some(&true) {
        let mut buffer = [0; 64];
        while wake.read(&mut buffer).is_ok_and(|n| n == buffer.len()) {}
    }
    if ready.get(1) == Some(&true) {
        *last_change = Some(Taken { at: Now::real().mono, reads });
    }
    Ok(())
}

fn wait_on(descriptors: &[std::os::fd::BorrowedFd<'_>], wait: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<PollFd<'_>> =
        descriptors.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let timeout = wait.map(|w| Timespec { tv_sec: w.as_secs() as i64, tv_nsec: i64::from(w.subsec_nanos()) });
    match poll(&mut polled, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(e) => return Err(e.into()),
    }
    Ok(polled.iter().map(|p| !p.revents().is_empty()).collect())
}

/// Starts the thread.
///
/// # Errors
/// The system allows no more threads.
pub fn spawn(reader: Reader, mailbox: Mailbox, wake: File) -> io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name("collector-reader".to_owned()).spawn(move || {
        run(reader, &mailbox, wake);
        // The channel of a waiting drain closes with the thread.
        if std::thread::panicking() {
            warn!("the reader ended unexpectedly");
        }
    })
}
