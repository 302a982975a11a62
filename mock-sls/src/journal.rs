//! The journal: what is remembered of the requests that came, in a ring bounded in entries and bytes.
//! [`crate::front`] adds to it, `/_mock/v1/journal`, [`crate::Running`] and explanations read it.
//!
//! Adding one costs a lock and no allocation besides what the request had made anyway: names in the path
//! are looked for when somebody asks, and the client's name is shared with the entry before.

mod sent;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Method};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use sls_expect::journal::{BadFilter, Entry, Facts, Filter, LIMIT_DEFAULT, Matcher, Page, Wrote};
use tokio::sync::Notify;

pub use self::sent::Sent;
use crate::faults::Names;

/// Requests that are remembered (own choice: minutes of a busy test).
const ENTRIES_MAX: usize = 10_000;
/// Memory for them, bytes (own choice: ten thousand ordinary ones take half of it).
const BYTES_MAX: usize = 8 << 20;
/// Bytes of a path, of a client's name and of an error's message that are remembered (own choices).
const PATH_BYTES_MAX: usize = 1_024;
const USER_AGENT_BYTES_MAX: usize = 200;
const MESSAGE_BYTES_MAX: usize = 500;
/// Entries that are looked at before writers get their turn (own choice: some ten microseconds).
const AT_ONCE: u64 = 256;
/// Errors that [`Journal::write_errors`] tells of (own choice: a screenful).
const WRITE_ERRORS_MAX: usize = 20;

/// What a request wrote, filled in by its handler when it has read the logs.
pub type Writing = Arc<OnceLock<Wrote>>;

/// A request as [`crate::front`] knows it.
#[derive(Debug)]
pub struct Record {
    /// When it arrived.
    pub time: Timestamp,
    /// Id of its answer.
    pub request_id: String,
    /// HTTP method.
    pub method: Method,
    /// Path as on the wire.
    pub path: String,
    /// Name of the operation and its path template.
    pub operation: Option<(&'static str, &'static str)>,
    /// The project.
    pub project: Option<String>,
    /// Status of the answer.
    pub status: Option<u16>,
    /// Whether nobody got it.
    pub lost: bool,
    /// Code and message of the error.
    pub error: Option<(Cow<'static, str>, String)>,
    /// Bytes of the body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// How long it took.
    pub took: Duration,
    /// Who sent it.
    pub client: SocketAddr,
    /// What it wrote.
    pub writing: Option<Writing>,
    /// Faults that acted.
    pub faults: Names,
    /// Query string and body, if they are kept.
    pub sent: Option<Box<Sent>>,
}

/// A record in the ring.
#[derive(Debug)]
struct Kept {
    record: Record,
    user_agent: Option<Arc<str>>,
    bytes: usize,
}

/// The requests that came.
#[derive(Debug)]
pub struct Journal {
    ring: Mutex<Ring>,
    came: Notify,
    keeps_sent: bool,
}

#[derive(Debug)]
struct Ring {
    entries_max: usize,
    bytes_max: usize,
    kept: VecDeque<Kept>,
    /// Number of the first that is kept, or of the next if none is.
    first: u64,
    bytes: usize,
    /// Memory for what was sent, which goes first: from this number on it is kept.
    sent_from: u64,
    sent_bytes: usize,
}

impl Default for Journal {
    fn default() -> Self {
        Self::new(ENTRIES_MAX, BYTES_MAX)
    }
}

impl Journal {
    fn new(entries_max: usize, bytes_max: usize) -> Self {
        let kept = VecDeque::new();
        let ring = Ring { entries_max, bytes_max, kept, first: 1, bytes: 0, sent_from: 1, sent_bytes: 0 };
        Self { ring: Mutex::new(ring), came: Notify::new(), keeps_sent: false }
    }

    /// One that also keeps what requests sent, as long as there is room.
    pub fn keeping_sent() -> Self {
        Self { keeps_sent: true, ..Self::default() }
    }

    /// Whether it wants to know what requests send.
    pub fn keeps_sent(&self) -> bool {
        self.keeps_sent
    }

    /// Remembers a request, and forgets the earliest ones when there is no room for it.
    pub fn add(&self, mut record: Record, user_agent: Option<&HeaderValue>) {
        shorten(&mut record.path, PATH_BYTES_MAX);
        if let Some((_, message)) = &mut record.error {
            shorten(message, MESSAGE_BYTES_MAX);
        }
        // Dropped after the lock.
        let _forgotten = self.lock().add(record, user_agent);
        self.came.notify_waiters();
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let mut ring = self.lock();
        ring.first = ring.end();
        (ring.bytes, ring.sent_bytes) = (0, 0);
        let forgotten = std::mem::take(&mut ring.kept);
        drop(ring);
        drop(forgotten);
    }

    /// The entries that a filter asks for; waits for one if it says so.
    ///
    /// # Errors
    /// [`BadFilter`] if it makes no sense.
    pub async fn ask(&self, filter: &Filter) -> Result<Page, BadFilter> {
        let matcher = filter.check()?;
        let limit = filter.limit.unwrap_or(LIMIT_DEFAULT);
        // A number from before a restart would be waited for until as many requests have come again.
        let mut since = filter.since.map(|since| since.min(self.lock().end() - 1));
        let Some(ms) = filter.follow_ms else {
            return Ok(self.page(&matcher, since, limit));
        };
        let over = tokio::time::sleep(Duration::from_millis(ms));
        let mut over = pin!(over);
        let mut missed = 0;
        loop {
            // Listens before it looks, so that nothing comes between.
            let mut came = pin!(self.came.notified());
            came.as_mut().enable();
            let mut page = self.page(&matcher, since, limit);
            page.missed += missed;
            if !page.entries.is_empty() {
                return Ok(page);
            }
            tokio::select! {
                // What was looked at need not be looked at again.
                () = came => (since, missed) = (Some(page.next), page.missed),
                () = over.as_mut() => return Ok(page),
            }
        }
    }

    /// The last errors of requests that wanted to write to a Logstore and came at `since` or later: those
    /// that were refused, and those that got no answer. The earliest first, at most [`WRITE_ERRORS_MAX`].
    pub fn write_errors(&self, project: &str, logstore: &str, since: Timestamp) -> Vec<Entry> {
        let filter = Filter {
            operation: Some("write".to_owned()),
            project: Some(project.to_owned()),
            logstore: Some(logstore.to_owned()),
            ..Filter::default()
        };
        let Ok(matcher) = filter.check() else { return Vec::new() };
        let wanted = |kept: &Kept| {
            let failed = kept.record.status != Some(200) || kept.record.lost;
            failed && kept.record.time >= since && kept.matches(&matcher)
        };
        self.backwards(wanted, WRITE_ERRORS_MAX).0
    }

    /// The last entries that a filter asks for and of which something else holds too. Does not wait, and looks at all
    /// that are remembered.
    ///
    /// # Errors
    /// [`BadFilter`] if it makes no sense.
    pub fn last(&self, filter: &Filter, also: impl Fn(&Record) -> bool) -> Result<Vec<Entry>, BadFilter> {
        let matcher = filter.check()?;
        let wanted = |kept: &Kept| kept.matches(&matcher) && also(&kept.record);
        Ok(self.backwards(wanted, filter.limit.unwrap_or(LIMIT_DEFAULT)).0)
    }

    /// One entry by its number, with what was sent if that is still there; nothing if it is forgotten.
    pub fn one(&self, seq: u64) -> Option<(Entry, Option<Sent>)> {
        let ring = self.lock();
        let kept = ring.get(seq)?;
        Some((kept.entry(seq), kept.record.sent.as_deref().cloned()))
    }

    fn page(&self, matcher: &Matcher, since: Option<u64>, limit: usize) -> Page {
        match since {
            Some(since) => self.forwards(matcher, since, limit),
            None => {
                let (entries, next) = self.backwards(|kept| kept.matches(matcher), limit);
                Page { entries, next, missed: 0 }
            }
        }
    }

    fn forwards(&self, matcher: &Matcher, since: u64, limit: usize) -> Page {
        let mut page = Page { next: since, ..Page::default() };
        loop {
            let ring = self.lock();
            let begin = page.next.saturating_add(1);
            let missed = ring.first.saturating_sub(begin);
            page.missed += missed;
            page.next += missed;
            let end = ring.end().min(begin.max(ring.first).saturating_add(AT_ONCE));
            if page.next.saturating_add(1) >= end {
                return page;
            }
            while page.next + 1 < end {
                page.next += 1;
                if let Some(kept) = ring.get(page.next).filter(|kept| kept.matches(matcher)) {
                    page.entries.push(kept.entry(page.next));
                    if page.entries.len() == limit {
                        return page;
                    }
                }
            }
        }
    }

    /// The last entries that are wanted, and the number of the last of all.
    fn backwards(&self, wanted: impl Fn(&Kept) -> bool, limit: usize) -> (Vec<Entry>, u64) {
        let mut entries = Vec::new();
        let newest = self.lock().end() - 1;
        let mut seq = newest;
        'looking: loop {
            let ring = self.lock();
            let stop = seq.saturating_sub(AT_ONCE).max(ring.first - 1);
            if seq <= stop {
                break;
            }
            while seq > stop {
                if let Some(kept) = ring.get(seq).filter(|kept| wanted(kept)) {
                    entries.push(kept.entry(seq));
                    if entries.len() == limit {
                        break 'looking;
                    }
                }
                seq -= 1;
            }
        }
        entries.reverse();
        (entries, newest)
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// Number of the next entry.
    fn end(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    fn get(&self, seq: u64) -> Option<&Kept> {
        self.kept.get(usize::try_from(seq.checked_sub(self.first)?).ok()?)
    }

    fn add(&mut self, record: Record, user_agent: Option<&HeaderValue>) -> Option<Kept> {
        let before = self.kept.back().and_then(|kept| kept.user_agent.as_ref());
        let user_agent = user_agent.map(|name| shared(name, before));
        let bytes = record.bytes() + user_agent.as_ref().map_or(0, |name| name.len());
        self.bytes += bytes;
        self.sent_bytes += record.sent.as_ref().map_or(0, |sent| sent.bytes());
        self.kept.push_back(Kept { record, user_agent, bytes });
        while self.sent_bytes > sent::ALL_BYTES_MAX && self.sent_from < self.end() {
            self.forget_sent();
        }
        let mut forgotten = None;
        while self.kept.len() > self.entries_max || self.bytes > self.bytes_max {
            if self.sent_from <= self.first {
                self.forget_sent();
            }
            let Some(kept) = self.kept.pop_front() else { break };
            self.bytes -= kept.bytes;
            self.first += 1;
            forgotten = Some(kept);
        }
        forgotten
    }

    /// Forgets what the earliest request sent of which that is kept.
    fn forget_sent(&mut self) {
        let place = self.sent_from.max(self.first) - self.first;
        self.sent_from = self.first + place + 1;
        let kept = usize::try_from(place).ok().and_then(|place| self.kept.get_mut(place));
        let sent = kept.and_then(|kept| kept.record.sent.take());
        self.sent_bytes -= sent.map_or(0, |sent| sent.bytes());
    }
}

/// The client's name; that of the entry before, if it is the same.
fn shared(name: &HeaderValue, before: Option<&Arc<str>>) -> Arc<str> {
    let bytes = name.as_bytes();
    match before.filter(|before| before.as_bytes() == bytes) {
        Some(before) => Arc::clone(before),
        None => {
            let mut text = String::from_utf8_lossy(bytes).into_owned();
            shorten(&mut text, USER_AGENT_BYTES_MAX);
            text.into()
        }
    }
}

/// Cuts a text at a character and gives back what it took beyond that.
fn shorten(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text.shrink_to_fit();
    }
}

impl Record {
    /// Memory that it takes, bytes, about.
    fn bytes(&self) -> usize {
        let error = self.error.as_ref().map_or(0, |(code, message)| code.len() + message.capacity());
        let topic = self.writing.as_ref().and_then(|writing| writing.get()).map_or(0, |it| it.topic.len());
        size_of::<Kept>()
            + self.request_id.capacity()
            + self.method.as_str().len()
            + self.path.capacity()
            + self.project.as_ref().map_or(0, String::capacity)
            + self.writing.as_ref().map_or(0, |_| size_of::<Wrote>())
            + self.faults.len() * size_of::<Arc<str>>()
            + error
            + topic
    }

    /// What stands in the path where the operation's template has this name.
    fn named(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, template) = self.operation?;
        let is_it = |part: &str| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) == Some(name);
        let (_, text) = template.split('/').zip(self.path.split('/')).find(|(part, _)| is_it(part))?;
        percent_decode_str(text).decode_utf8().ok()
    }
}

impl Kept {
    fn matches(&self, matcher: &Matcher) -> bool {
        let record = &self.record;
        matcher.matches(&Facts {
            operation: record.operation.map(|(name, _)| name),
            project: record.project.as_deref(),
            logstore: record.named("logstore").as_deref(),
            status: record.status,
            error_code: record.error.as_ref().map(|(code, _)| code.as_ref()),
            client: record.client,
        })
    }

    fn entry(&self, seq: u64) -> Entry {
        let record = &self.record;
        let error = record.error.as_ref();
        Entry {
            seq,
            time_ms: record.time.as_millisecond(),
            request_id: record.request_id.clone(),
            method: record.method.to_string(),
            path: record.path.clone(),
            operation: record.operation.map(|(name, _)| name.to_owned()),
            project: record.project.clone(),
            logstore: record.named("logstore").map(Cow::into_owned),
            shard: record.named("shard").and_then(|shard| shard.parse().ok()),
            status: record.status,
            lost: record.lost,
            error_code: error.map(|(code, _)| code.to_string()),
            error_message: error.map(|(_, message)| message.clone()),
            bytes_in: record.bytes_in,
            bytes_out: record.bytes_out,
            micros: u64::try_from(record.took.as_micros()).unwrap_or(u64::MAX),
            client: record.client.to_string(),
            user_agent: self.user_agent.as_ref().map(ToString::to_string),
            wrote: record.writing.as_ref().and_then(|writing| writing.get().cloned()),
            faults: record.faults.iter().map(ToString::to_string).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
