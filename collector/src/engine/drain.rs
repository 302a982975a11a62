//! Ending without loss: read on while there is something to read, send, and account for the rest.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tracing::info;

use super::books::Account;
use super::pace::Pace;
use super::reader::{Now, Reader};
use super::tracked::{FileKey, Tracked};
use super::writers::{self, Writers};

/// How often files are asked whether they are complete.
const STEP: Duration = Duration::from_millis(50);
/// A file without writers is complete after this time without growth: a writer that opens it for
/// every line may come back that soon.
const SETTLE: Duration = Duration::from_millis(250);
/// The same where the kernel does not tell whether there are writers.
const SETTLE_UNKNOWN: Duration = Duration::from_secs(1);
/// This long before the deadline unterminated lines are sent even if a writer is still there.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Whether a drain waits for the programs that write the log files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The pod ends: read on until nobody has a log file open for writing.
    WritersAreGone,
    /// The application says that it is done: a program that has a log file open still is waited for until this
    /// moment, acknowledgements longer.
    WritersAreGoneBy(Instant),
    /// Only the collector ends, and another one goes on later: what is there now is enough, and an
    /// unterminated line is left to the successor.
    EndOfFiles,
}

/// The account given at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DrainReport {
    /// Somebody gave it: false if the reader died, and nothing is known.
    pub is_known: bool,
    /// Nothing remains: every byte was read and every log acknowledged.
    pub is_complete: bool,
    /// What became of every byte of all files, from the start on.
    pub account: Account,
    /// Files that a program still had open for writing, as shown in `__path__`.
    pub still_written: Vec<PathBuf>,
}

impl std::fmt::Display for DrainReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} files, {} logs sent, {} not acknowledged, {} bytes unread",
            self.account.files,
            self.account.lines.sent,
            self.account.lines.unacknowledged,
            self.account.bytes.unread
        )?;
        if let Some(first) = self.still_written.first() {
            write!(f, ", {} still written to ({} first)", self.still_written.len(), first.display())?;
        }
        Ok(())
    }
}

/// A drain under way.
#[derive(Debug)]
pub struct Drain {
    until: Until,
    since: Instant,
    deadline: Instant,
    step_at: Instant,
    /// The directories were listed once more after everything seemed complete.
    was_listed_again: bool,
    /// After the time for writers: up to where each file is read, which is what it held when it was first looked
    /// at since. A program that writes on would else be read for ever.
    ends: HashMap<FileKey, u64>,
    report: Option<DrainReport>,
}

impl Drain {
    /// When the drain wants a turn.
    pub fn next_step(&self) -> Option<Instant> {
        self.report.is_none().then_some(self.step_at)
    }

    /// What a program writes from now on is no longer waited for.
    pub(super) fn reads_no_more(&self, file: &Tracked) -> bool {
        self.ends.get(&file.key).is_some_and(|end| file.tail.read_position() >= *end)
    }
}

impl Reader {
    /// Begins to end; [`Self::drained`] says when that is done.
    pub fn begin_drain(&mut self, until: Until, deadline: Instant, now: Now) {
        self.drain = Some(Drain {
            until,
            since: now.mono,
            deadline,
            step_at: now.mono,
            was_listed_again: false,
            ends: HashMap::new(),
            report: None,
        });
        // Who reads on at a pace until the deadline leaves behind what nobody may read any more.
        self.pace = Pace::new(None);
        self.limit_sending(now);
        self.ready.append(&mut self.paced);
        self.list_again(now);
    }

    /// The account, once the drain is over.
    pub fn drained(&self) -> Option<&DrainReport> {
        self.drain.as_ref()?.report.as_ref()
    }

    /// What became of every byte so far.
    pub fn account(&self) -> Account {
        let mut accounts = self.accounts.clone();
        for file in self.files.values() {
            accounts.add(file.pipeline, file.at.shown.clone(), &file.account());
        }
        accounts.account()
    }

    pub(super) fn list_again(&mut self, now: Now) {
        let all: Vec<_> = self.pipelines.keys().copied().collect();
        for id in all {
            self.walk(id, now);
            self.look_at_all_files_of(id);
        }
    }

    pub(super) fn step_drain(&mut self, now: Now) {
        let Some(drain) = &mut self.drain else { return };
        if drain.report.is_some() || now.mono < drain.step_at {
            return;
        }
        drain.step_at = now.mono + STEP;
        let (until, since, deadline) = (drain.until, drain.since, drain.deadline);
        if now.mono >= deadline {
            return self.end_drain(false, now);
        }
        let is_last_call = now.mono + LAST_CALL.min((deadline - since) / 4) >= deadline;
        let keys: Vec<FileKey> = self.files.keys().copied().collect();
        let mut all_complete = true;
        for key in keys {
            let is_complete = self.is_complete(key, until, since, now);
            all_complete &= is_complete;
            let at_end = self.files.get(&key).is_some_and(|f| f.at_end && f.has_no_more());
            if until != Until::EndOfFiles && at_end && (is_complete || is_last_call) {
                self.flush_pending(key, now);
            }
        }
        self.send_what_is_due(now);
        let is_sent = self.outbox.unsettled().0 == 0 && self.files.values().all(|f| f.open.is_none());
        if !all_complete || !is_sent {
            return;
        }
        let Some(drain) = &mut self.drain else { return };
        if drain.was_listed_again {
            let stops_early = matches!(until, Until::WritersAreGoneBy(_));
            self.end_drain(!stops_early || self.account().bytes.unread == 0, now);
        } else {
            drain.was_listed_again = true;
            self.list_again(now);
        }
    }

    /// True if the file was read to its end after the last writer had gone.
    fn is_complete(&mut self, key: FileKey, until: Until, since: Instant, now: Now) -> bool {
        let Some(file) = self.files.get(&key) else { return true };
        if !file.is_read() {
            return true;
        }
        let quiet = now.mono.saturating_duration_since(file.grew.max(since));
        let may_be = match until {
            Until::EndOfFiles => true,
            Until::WritersAreGoneBy(at) if at <= now.mono => return self.is_read_to_its_end(key, now),
            Until::WritersAreGone | Until::WritersAreGoneBy(_) => match writers::of(file.tail.file()) {
                Writers::None => quiet >= SETTLE,
                Writers::Some => false,
                Writers::Unknown => quiet >= SETTLE_UNKNOWN,
            },
        };
        // What the last writer wrote before it went is there now, if it was not read yet.
        self.feed(key, now);
        let Some(file) = self.files.get(&key) else { return true };
        may_be
            && match until {
                Until::EndOfFiles => file.read_at == now.mono && file.at_end,
                Until::WritersAreGone | Until::WritersAreGoneBy(_) => file.was_just_read_to_its_end(now.mono),
            }
    }

    /// True if the file was read up to where it ended after the time for writers.
    fn is_read_to_its_end(&mut self, key: FileKey, now: Now) -> bool {
        let (Some(file), Some(drain)) = (self.files.get(&key), &mut self.drain) else { return true };
        drain
            .ends
            .entry(key)
            .or_insert_with(|| file.tail.metadata().map_or(file.tail.read_position(), |meta| meta.len()));
        self.feed(key, now);
        let (Some(file), Some(drain)) = (self.files.get(&key), &self.drain) else { return true };
        // It may have become shorter.
        drain.reads_no_more(file) || file.read_at == now.mono && file.at_end
    }

    fn end_drain(&mut self, is_complete: bool, now: Now) {
        let report = DrainReport {
            is_known: true,
            is_complete,
            account: self.account(),
            still_written: self
                .files
                .values()
                .filter(|f| f.is_read() && writers::of(f.tail.file()) == Writers::Some)
                .map(|f| f.at.shown.clone())
                .collect(),
        };
        self.save(now);
        info!(%report, complete = is_complete, "drained");
        if let Some(drain) = &mut self.drain {
            drain.report = Some(report);
        }
    }
}
