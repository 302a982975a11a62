//! Has the application done its work? For collectors that are to end by themselves.
//!
//! Nobody says so; it is concluded: log files were written, no program has one open for writing any more
//! (see `writers`), everything in them is acknowledged, and for a while nothing happened. Where the kernel
//! does not tell about writers the answer is never yes: counting who opens and closes would miss those that
//! had opened a file before. Looked at a few times in each quiet time. Called by `engine::thread`.

use std::time::{Duration, Instant};

use tracing::warn;

use super::reader::{Now, Reader};
use super::writers::{self, Writers};

/// Files are looked at this often in the quiet time, within bounds.
const LOOKS: u32 = 4;
const LOOK_MIN: Duration = Duration::from_millis(50);
const LOOK_MAX: Duration = Duration::from_secs(5);

/// What is known of the application's work.
#[derive(Debug, Default)]
pub struct Idle {
    /// When something happened last: bytes, a notification of a log file, a new one, a writer, a config.
    active_at: Option<Instant>,
    watch: Option<Watch>,
}

#[derive(Debug)]
struct Watch {
    quiet: Duration,
    look_at: Instant,
    /// A log file has content that is not old, or a program had one open for writing.
    has_begun: bool,
    has_warned: bool,
    is_idle: bool,
}

impl Idle {
    pub fn note_activity(&mut self, now: Now) {
        self.active_at = Some(now.mono);
    }

    /// When the next look is due.
    pub fn next_step(&self) -> Option<Instant> {
        self.watch.as_ref().filter(|watch| !watch.is_idle).map(|watch| watch.look_at)
    }
}

/// What a look at the files finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// A program has a log file open for writing.
    Writing,
    /// The kernel does not say whether one has.
    Unknown,
    /// Something is still to be read or acknowledged, or cannot be read.
    Busy,
    Done,
}

impl Reader {
    /// [`Self::is_idle`] becomes true when all work seems to be done and nothing has happened for `quiet`.
    pub fn look_for_idle(&mut self, quiet: Duration, now: Now) {
        let has_begun = self.idle.watch.as_ref().is_some_and(|watch| watch.has_begun);
        self.idle.watch =
            Some(Watch { quiet, look_at: now.mono, has_begun, has_warned: false, is_idle: false });
    }

    pub fn is_idle(&self) -> bool {
        self.idle.watch.as_ref().is_some_and(|watch| watch.is_idle)
    }

    pub(super) fn step_idle(&mut self, now: Now) {
        if self.drain.is_some() || self.idle.next_step().is_none_or(|at| now.mono < at) {
            return;
        }
        let has_begun = self.idle.watch.as_ref().is_some_and(|w| w.has_begun) || self.has_recent_content();
        let look = self.look_at_work();
        let Some(watch) = &mut self.idle.watch else { return };
        watch.has_begun |= has_begun || look == Look::Writing;
        watch.look_at = now.mono + (watch.quiet / LOOKS).clamp(LOOK_MIN, LOOK_MAX);
        match look {
            Look::Writing | Look::Busy => return self.idle.note_activity(now),
            Look::Unknown => {
                if !std::mem::replace(&mut watch.has_warned, true) {
                    warn!(
                        "the kernel does not tell whether a program has the log files open for writing, so the end \
                         of its work cannot be seen: give the collector the user of the writer, or the capabilities \
                         LEASE or SETUID, and a local volume; or let the application say it (ALIYUN_LOGTAIL_TASKSITE)"
                    );
                }
                return;
            }
            Look::Done => {}
        }
        let quiet_at = self.idle.active_at.map(|at| at + watch.quiet);
        if !watch.has_begun || quiet_at.is_none_or(|at| at > now.mono) {
            return;
        }
        // A file that came unnoticed counts as something that happened.
        self.list_again(now);
        let is_quiet = self.idle.active_at != Some(now.mono);
        if let Some(watch) = &mut self.idle.watch {
            watch.is_idle = is_quiet;
        }
    }

    /// Old files may be those of an earlier run on the same volume, before this one's has begun.
    fn has_recent_content(&self) -> bool {
        self.files.values().any(|file| {
            file.tail.metadata().is_ok_and(|meta| {
                meta.len() > 0 && meta.modified().is_ok_and(|at| at >= self.settings.old_before)
            })
        })
    }

    fn look_at_work(&self) -> Look {
        let is_unreadable = self.pipelines.values().any(|running| !running.problems.is_empty());
        let is_sent = self.outbox.unsettled().0 == 0 && self.ready.is_empty() && self.paced.is_empty();
        let mut look = if is_unreadable || !is_sent { Look::Busy } else { Look::Done };
        for file in self.files.values().filter(|file| file.is_read()) {
            match writers::of(file.tail.file()) {
                Writers::Some => return Look::Writing,
                Writers::Unknown => look = Look::Unknown,
                Writers::None => {}
            }
            if look == Look::Done && !(file.is_settled() && file.has_no_more()) {
                look = Look::Busy;
            }
        }
        look
    }
}
