//! The thread that drives the reader: waits for files, acknowledgements and commands.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
/// are cold. Source: measured with 1,000 files; one file at 10 MB/s, whose requests are full anyway, gains nothing.
pub const COALESCE_MANY: Duration = Duration::from_millis(160);
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
    inbox: Mutex<Inbox>,
    wake: File,
}

#[derive(Default)]
struct Inbox {
    commands: Vec<Command>,
    /// A wake-up is on its way.
    is_woken: bool,
    /// The reader looks soon by itself, and what was acknowledged can wait until then.
    can_wait: bool,
}

impl Mailbox {
    /// A mailbox and the descriptor that becomes readable when there is mail.
    pub fn new() -> io::Result<(Self, File)> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let shared = Shared { inbox: Mutex::default(), wake: File::from(write) };
        Ok((Self { shared: Arc::new(shared) }, File::from(read)))
    }

    pub fn send(&self, command: Command) {
        let mut inbox = self.inbox();
        let can_wait = inbox.can_wait && matches!(command, Command::News(News::Settled(..)));
        inbox.commands.push(command);
        if !can_wait && !inbox.is_woken {
            inbox.is_woken = true;
            // A full pipe means that a wake-up is on its way already.
            let _ = (&self.shared.wake).write(&[1]);
        }
    }

    fn take(&self) -> Vec<Command> {
        let mut inbox = self.inbox();
        (inbox.is_woken, inbox.can_wait) = (false, false);
        std::mem::take(&mut inbox.commands)
    }

    /// Until the next [`Self::take`], which comes soon in any case, acknowledgements wake nobody.
    fn let_acknowledgements_wait(&self) {
        self.inbox().can_wait = true;
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.shared.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs until told to stop.
pub fn run(mut reader: Reader, mailbox: &Mailbox, mut wake: File) {
    let mut waiting: Option<oneshot::Sender<DrainReport>> = None;
    let mut waiting_for_idle: Option<oneshot::Sender<()>> = None;
    let mut last_change: Option<Taken> = None;
    loop {
        let now = Now::real();
        let mut is_news_only = true;
        for command in mailbox.take() {
            is_news_only &= matches!(command, Command::News(_));
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
        // News of what was sent do not end the pause. Nothing is concluded from what files did that was not looked at.
        let is_concluding = waiting.is_some() || waiting_for_idle.is_some();
        let must_look = !is_news_only || is_concluding;
        let pause = Taken::pause(last_change, now.mono, reader.reads());
        if (must_look || pause.is_zero()) && reader.take_in_changes(now) {
            last_change = Some(Taken { at: now.mono, reads: reader.reads() });
        }
        let wait = reader.step(now);
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
        let pause = Taken::pause(last_change, Now::real().mono, reader.reads());
        if !pause.is_zero() && !is_concluding && !reader.waits_for_room() {
            mailbox.let_acknowledgements_wait();
        }
        if let Err(e) = wait_for_news(&reader, &mut wake, wait, pause) {
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
    /// How long files are left alone from `now` on, after the last of these, when so many reads have been made.
    fn pause(last: Option<Self>, now: Instant, reads: u64) -> Duration {
        let Some(last) = last else { return Duration::ZERO };
        let pause = if reads - last.reads < MANY_READS { COALESCE } else { COALESCE_MANY };
        pause.saturating_sub(now.saturating_duration_since(last.at))
    }
}

/// Waits for mail, for so long at most, and after the `pause` for changes of files.
fn wait_for_news(
    reader: &Reader,
    wake: &mut File,
    wait: Option<Duration>,
    pause: Duration,
) -> io::Result<()> {
    let files = reader.descriptor().map(|fd| fd.as_fd());
    let ready = if pause.is_zero() || wait == Some(Duration::ZERO) {
        let mut both = vec![wake.as_fd()];
        both.extend(files);
        wait_on(&both, wait)?
    } else {
        wait_on(&[wake.as_fd()], Some(wait.map_or(pause, |wait| wait.min(pause))))?
    };
    if ready.first() == Some(&true) {
        let mut buffer = [0; 64];
        while wake.read(&mut buffer).is_ok_and(|n| n == buffer.len()) {}
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
