//! Alarms: what goes wrong, under the names by which the service shows it (`logtail_alarm`).
//!
//! [`Alarm`] is the table of them, of which `docs/alarms.md` is made. Whoever notices a problem raises one with
//! [`Alarms::raise`], beside what it writes to the log; `diagnostics` takes them and sends them. Raising is cheap
//! and never fails: what is the same is counted, and only the first of an interval makes a text.

mod catalog;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use catalog::{Alarm, Level};

use crate::lines;

/// Different alarms that are kept until they are taken; those beyond are only counted. Source: own choice, a
/// few of each kind for dozens of configs; together with [`MESSAGE_BYTES_MAX`] it bounds their memory to 400 KiB.
const ALARMS_MAX: usize = 400;

/// Longest message, in bytes. Source: own choice; a sample of a line has 200 bytes.
const MESSAGE_BYTES_MAX: usize = 1024;

/// What an alarm is about; empty where it is not about one project, Logstore or config.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    pub project: String,
    pub logstore: String,
    pub config: String,
}

/// What is the same of alarms that are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    pub alarm: Alarm,
    /// Tells causes of one alarm apart.
    pub cause: &'static str,
    pub subject: Arc<Subject>,
}

/// An alarm of an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    pub kind: Kind,
    /// The first one's.
    pub message: String,
    /// How often the thing happened: events, requests, looks at a file, as the alarm says.
    pub count: u64,
}

/// The alarms that were raised and not taken yet.
#[derive(Debug, Default)]
pub struct Alarms(Mutex<Gathered>);

#[derive(Debug, Default)]
struct Gathered {
    by_kind: BTreeMap<Kind, (String, u64)>,
    /// Alarms for which there was no room.
    lost: u64,
}

impl Alarms {
    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thing happened `count` times. `message` is asked for a sample if there is none in this interval.
    pub fn raise(
        &self,
        alarm: Alarm,
        cause: &'static str,
        subject: &Arc<Subject>,
        count: u64,
        message: impl FnOnce() -> String,
    ) {
        let kind = Kind { alarm, cause, subject: Arc::clone(subject) };
        self.gathered().add(kind, count, message);
    }

    /// Whether anything was raised since the last time that it was taken.
    pub fn has_any(&self) -> bool {
        !self.gathered().by_kind.is_empty()
    }

    /// Everything that was raised since the last call.
    pub fn take(&self) -> Vec<Raised> {
        let by_kind = std::mem::take(&mut self.gathered().by_kind);
        by_kind.into_iter().map(|(kind, (message, count))| Raised { kind, message, count }).collect()
    }

    /// It could not be told; it counts with what came since.
    pub fn put_back(&self, raised: Vec<Raised>) {
        let mut gathered = self.gathered();
        for Raised { kind, message, count } in raised {
            gathered.add(kind, count, || message);
        }
    }

    /// How many were not kept, for want of room.
    pub fn lost(&self) -> u64 {
        self.gathered().lost
    }
}

impl Gathered {
    fn add(&mut self, kind: Kind, count: u64, message: impl FnOnce() -> String) {
        let is_full = self.by_kind.len() >= ALARMS_MAX;
        match self.by_kind.get_mut(&kind) {
            Some((_, counted)) => *counted = counted.saturating_add(count),
            None if is_full => self.lost = self.lost.saturating_add(count),
            None => drop(self.by_kind.insert(kind, (shortened(message()), count))),
        }
    }
}

fn shortened(mut message: String) -> String {
    message.truncate(lines::cut(message.as_bytes(), 0, MESSAGE_BYTES_MAX));
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(config: &str) -> Arc<Subject> {
        Arc::new(Subject { config: config.to_owned(), ..Subject::default() })
    }

    fn shown(raised: &[Raised]) -> Vec<(&str, &str, &str, u64)> {
        let row = |r: &Raised| (r.kind.alarm.name(), r.kind.cause, r.message.clone(), r.count);
        let rows = raised.iter().map(row).map(|(a, c, m, n)| (a, c, m.leak() as &str, n));
        rows.collect()
    }

    #[test]
    fn the_same_is_counted_with_the_first_message_and_other_things_stay_apart() {
        let alarms = Alarms::default();
        let (a, b) = (about("a"), about("b"));
        alarms.raise(Alarm::RegexMatch, "", &a, 3, || "first".into());
        alarms.raise(Alarm::RegexMatch, "", &about("a"), 4, || unreachable!("there is a sample"));
        alarms.raise(Alarm::RegexMatch, "", &b, 1, || "of b".into());
        alarms.raise(Alarm::SplitLogFail, "long", &a, 1, || "long".into());
        alarms.raise(Alarm::SplitLogFail, "stray", &a, 1, || "stray".into());
        assert_eq!(
            shown(&alarms.take()),
            [
                ("REGEX_MATCH_ALARM", "", "first", 7),
                ("REGEX_MATCH_ALARM", "", "of b", 1),
                ("SPLIT_LOG_FAIL_ALARM", "long", "long", 1),
                ("SPLIT_LOG_FAIL_ALARM", "stray", "stray", 1),
            ]
        );
        assert_eq!(alarms.take(), []);
    }

    #[test]
    fn what_could_not_be_told_counts_with_what_came_since() {
        let alarms = Alarms::default();
        let a = about("a");
        alarms.raise(Alarm::Checkpoint, "", &a, 2, || "old".into());
        let taken = alarms.take();
        alarms.raise(Alarm::Checkpoint, "", &a, 1, || "new".into());
        alarms.put_back(taken);
        assert_eq!(shown(&alarms.take()), [("CHECKPOINT_ALARM", "", "new", 3)]);
    }

    #[test]
    fn memory_is_bounded_in_number_and_length() {
        let alarms = Alarms::default();
        for n in 0..ALARMS_MAX + 5 {
            alarms.raise(Alarm::UserConfig, "", &about(&n.to_string()), 2, || "日".repeat(1000));
        }
        alarms.raise(Alarm::UserConfig, "", &about("0"), 1, String::new);
        assert_eq!(alarms.lost(), 10);
        let taken = alarms.take();
        assert_eq!((taken.len(), taken[0].count), (ALARMS_MAX, 3));
        assert!(taken.iter().all(|raised| raised.message.len() == MESSAGE_BYTES_MAX - 1));
    }
}
