//! The parcels of one destination: some under way at once, those of one file one after the other.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sls_api::NoQuery;
use sls_api::ops::InLogstore;
use sls_api::ops::logs::{PutByKeyQuery, PutLogs, PutLogsByKey};
use sls_client::retry::backoff;
use sls_client::{Client, ClientError};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::pace::{Halvings, Pace};
use super::piece::Piece;
use super::verdict::MALFORMED_TRIES_MAX;
use super::{Clients, News, Report, Trouble, Verdict, judge};
use crate::checkpoint::ParcelId;
use crate::engine::outbox::{Outcome, Parcel, Route};
use crate::engine::tracked::FileKey;
use crate::pipeline::Destination;

/// What is sent one after the other: the logs of a file, or of one of its hash keys.
type Slot = (FileKey, u16);

/// The longest time for a request, after several that took too long. Source: our choice, twice the latency of a
/// server that is slow but works (30 s).
const REQUEST_TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// A parcel with what is left of it to send: several pieces after a split.
#[derive(Debug)]
struct Job {
    parcel: ParcelId,
    slots: Vec<Slot>,
    destination: Arc<Destination>,
    route: Route,
    pieces: VecDeque<Piece>,
    malformed_tries: u32,
    logs_lost: u32,
    /// When the request under way began.
    begun: Halvings,
    /// Failures in a row that are its own, and when it is tried again after them.
    failures: u32,
    paused_until: Option<Instant>,
}

/// What the engine tells a lane.
#[derive(Debug)]
pub enum Message {
    Send(Parcel),
    /// All that has not been taken goes there.
    Redirect(Arc<Destination>),
}

/// How a request ended.
#[derive(Debug)]
struct Ended {
    job: Job,
    result: Result<(), ClientError>,
    took: Duration,
}

/// See the module.
pub struct Lane {
    destination: Arc<Destination>,
    clients: Arc<dyn Clients>,
    pace: Pace,
    report: Report,
    client: Option<Client>,
    /// Time for a request, where the usual one is too short. What is given up too early may have arrived, comes
    /// again, and would do so for ever.
    patience: Option<Duration>,
    queue: VecDeque<Job>,
    /// Those with a parcel under way.
    busy: HashSet<Slot>,
    under_way: JoinSet<Ended>,
    /// Those that failed and have not been taken yet.
    unwell: BTreeSet<ParcelId>,
    /// The one that failed last, if none has been taken since: others are tried before it is again, because
    /// what it fails for (a shard over its quota, a content that the server does not like) may be its own.
    failed_last: Option<ParcelId>,
    /// Failures in a row, those of one moment counted once.
    failures: u32,
    paused_until: Option<Instant>,
    trouble: Option<Trouble>,
    seed: u64,
}

impl Lane {
    pub fn new(
        destination: Arc<Destination>,
        clients: Arc<dyn Clients>,
        concurrency: usize,
        report: Report,
    ) -> Self {
        Self {
            destination,
            clients,
            pace: Pace::new(concurrency),
            report,
            client: None,
            patience: None,
            queue: VecDeque::new(),
            busy: HashSet::new(),
            under_way: JoinSet::new(),
            unwell: BTreeSet::new(),
            failed_last: None,
            failures: 0,
            paused_until: None,
            trouble: None,
            seed: fastrand::u64(..),
        }
    }

    /// Runs until the sender of parcels is gone; what is under way then is given up.
    pub async fn run(mut self, mut messages: UnboundedReceiver<Message>) {
        loop {
            self.start_requests();
            let pause = self.next_try();
            tokio::select! {
                message = messages.recv() => match message {
                    Some(Message::Send(parcel)) => self.queue.push_back(Job::new(parcel)),
                    Some(Message::Redirect(to)) => self.redirect(to),
                    None => return,
                },
                Some(ended) = self.under_way.join_next(), if !self.under_way.is_empty() => {
                    // A request that panicked is a fault of ours that must not go unnoticed.
                    match ended {
                        Ok(ended) => self.ended(ended),
                        Err(e) => error!(error = %e, "a request was lost; its logs are sent after a restart"),
                    }
                }
                () = tokio::time::sleep_until(pause.unwrap_or_else(Instant::now)), if pause.is_some() => {
                    self.paused_until = None;
                }
            }
        }
    }

    fn redirect(&mut self, to: Arc<Destination>) {
        info!(project = %to.project, logstore = %to.logstore, "logs that could not be sent go there now");
        self.destination = to;
        (self.client, self.patience) = (None, None);
        (self.failures, self.paused_until) = (0, None);
        for job in &mut self.queue {
            (job.failures, job.paused_until) = (0, None);
        }
    }

    /// When a pause ends that something waits for.
    fn next_try(&self) -> Option<Instant> {
        let now = Instant::now();
        // What may be tried already waits for another request to end.
        let of_jobs = self.queue.iter().filter_map(|job| job.paused_until.filter(|until| *until > now)).min();
        self.paused_until.or(of_jobs)
    }

    fn start_requests(&mut self) {
        if self.paused_until.is_some() {
            return;
        }
        while self.under_way.len() < self.pace.at_once() {
            let Some(mut job) = self.next_job() else { return };
            let Some(client) = self.client() else {
                self.queue.push_front(job);
                return;
            };
            self.busy.extend(&job.slots);
            job.begun = self.pace.begin();
            job.destination = Arc::clone(&self.destination);
            self.under_way.spawn(put(client, job));
        }
    }

    /// The first job that overtakes no other of the same slot, from the one on that follows the last failure.
    fn next_job(&mut self) -> Option<Job> {
        let mut before: HashSet<Slot> = self.busy.clone();
        let mut first = None;
        let now = Instant::now();
        for (at, job) in self.queue.iter().enumerate() {
            let is_free = job.slots.iter().all(|slot| !before.contains(slot));
            before.extend(&job.slots);
            if !is_free || job.paused_until.is_some_and(|until| until > now) {
                continue;
            }
            if self.failed_last.is_none_or(|failed| job.parcel > failed) {
                return self.queue.remove(at);
            }
            first.get_or_insert(at);
        }
        self.queue.remove(first?)
    }

    fn client(&mut self) -> Option<Client> {
        if self.client.is_none() {
            match self.clients.client(&self.destination) {
                Ok(client) => self.client = Some(client),
                Err(reason) => self.failed(None, Trouble::Auth, &reason),
            }
        }
        let client = self.client.as_ref()?;
        Some(self.patience.map_or_else(|| client.clone(), |patience| client.with_request_timeout(patience)))
    }

    /// What came in time, or not at all, says how long to wait for the next one.
    fn learn_patience(&mut self, result: &Result<(), ClientError>, took: Duration) {
        let Some(client) = &self.client else { return };
        let usual = client.request_timeout();
        let now = self.patience.unwrap_or(usual);
        match result {
            Err(ClientError::Timeout { .. }) => {
                self.patience = Some((2 * now).min(REQUEST_TIMEOUT_MAX.max(usual)));
            }
            Ok(()) if took < usual => self.patience = None,
            _ => {}
        }
    }

    fn ended(&mut self, Ended { mut job, result, took }: Ended) {
        for slot in &job.slots {
            self.busy.remove(slot);
        }
        self.learn_patience(&result, took);
        match result {
            Ok(()) => self.took_first(&mut job),
            Err(error) => match judge(&error) {
                Verdict::Arrived => self.took_first(&mut job),
                Verdict::CorrectClock { server_time } if self.trouble != Some(Trouble::Clock) => {
                    if let Some(client) = &self.client {
                        client.correct_clock(server_time);
                    }
                    self.trouble = Some(Trouble::Clock);
                }
                Verdict::CorrectClock { .. } => {
                    self.failed(Some(&mut job), Trouble::Clock, &error.to_string());
                }
                Verdict::Again(trouble) => {
                    if trouble == Trouble::Auth {
                        self.client = None; // the next one may have other credentials
                    }
                    self.failed(Some(&mut job), trouble, &error.to_string());
                }
                Verdict::Split => job.split_first(&error),
                Verdict::GiveUpSoon => {
                    job.malformed_tries += 1;
                    self.failed(Some(&mut job), Trouble::Malformed, &error.to_string());
                    if job.malformed_tries >= MALFORMED_TRIES_MAX {
                        job.drop_first(&error);
                    }
                }
            },
        }
        if job.pieces.is_empty() {
            self.unwell.remove(&job.parcel);
            let outcome = match job.logs_lost {
                0 => Outcome::Acknowledged,
                logs_lost => Outcome::Refused { logs_lost },
            };
            (self.report)(News::Settled(job.parcel, outcome));
        } else {
            // Before all later ones of its file.
            let at = self.queue.iter().position(|other| other.parcel > job.parcel);
            self.queue.insert(at.unwrap_or(self.queue.len()), job);
        }
    }

    fn took_first(&mut self, job: &mut Job) {
        self.unwell.remove(&job.parcel);
        self.succeeded();
        job.pieces.pop_front();
        (job.malformed_tries, job.failures, job.paused_until) = (0, 0, None);
    }

    fn succeeded(&mut self) {
        self.pace.succeeded();
        self.failures = 0;
        self.failed_last = None;
        if self.unwell.is_empty() && self.trouble.take().is_some() {
            info!(project = %self.destination.project, logstore = %self.destination.logstore, "sending works again");
            (self.report)(News::Trouble(Arc::clone(&self.destination), None));
        }
    }

    /// A request of this job failed, or none could be made.
    fn failed(&mut self, job: Option<&mut Job>, trouble: Trouble, what: &str) {
        let begun = job.as_ref().map_or_else(|| self.pace.begin(), |job| job.begun);
        let is_first = self.pace.failed(begun);
        if let Some(job) = &job {
            self.unwell.insert(job.parcel);
            self.failed_last = Some(job.parcel);
        }
        let (base, cap) = trouble.waits();
        let remedy = trouble.remedy();
        let Destination { project, logstore, .. } = &*self.destination;
        let message = format!("cannot send to {project}/{logstore}: {what}; {remedy}");
        (self.report)(News::Failed(Arc::clone(&self.destination), trouble, message.clone()));
        if self.trouble != Some(trouble) {
            self.failures = 0; // another trouble: its waits begin anew
            self.trouble = Some(trouble);
            warn!(%project, %logstore, error = what, remedy, "sending fails; logs are kept and sent again");
            (self.report)(News::Trouble(Arc::clone(&self.destination), Some(message)));
        }
        let wait = |failures| Instant::now() + backoff(failures, self.seed, base, cap);
        match job {
            Some(job) if trouble.is_its_own() => {
                job.paused_until = Some(wait(job.failures));
                job.failures = job.failures.saturating_add(1);
            }
            _ => {
                self.paused_until = Some(wait(self.failures));
                self.failures = self.failures.saturating_add(u32::from(is_first));
            }
        }
    }
}

async fn put(client: Client, job: Job) -> Ended {
    let begun = Instant::now();
    let path = InLogstore { logstore: job.destination.logstore.clone() };
    let project = Some(&job.destination.project);
    let result = match (job.pieces.front(), &job.route) {
        (None, _) => Ok(()),
        (Some(piece), Route::Any) => {
            let (body, digest) = (piece.body(), piece.digest());
            client.send_digested::<PutLogs>(project, &path, &NoQuery {}, &body, digest).await
        }
        (Some(piece), Route::Key(key) | Route::Numbered { key, .. }) => {
            let query = PutByKeyQuery { key: key.to_string(), seqid: piece.sequence_id() };
            let (body, digest) = (piece.body(), piece.digest());
            client.send_digested::<PutLogsByKey>(project, &path, &query, &body, digest).await
        }
    };
    Ended { job, result, took: begun.elapsed() }
}

impl Job {
    fn new(parcel: Parcel) -> Self {
        let (slot, numbers) = match parcel.route {
            Route::Numbered { slot, numbers, .. } => (slot, Some(numbers)),
            Route::Any | Route::Key(_) => (0, None),
        };
        let slots = parcel.groups.iter().map(|g| (g.file, slot)).collect();
        let whole = Piece::new(parcel.groups);
        let whole = numbers.map_or(whole.clone(), |numbers| whole.numbered(numbers));
        Self {
            parcel: parcel.id,
            slots,
            destination: parcel.destination,
            route: parcel.route,
            pieces: VecDeque::from([whole]),
            malformed_tries: 0,
            logs_lost: 0,
            begun: Halvings::default(),
            failures: 0,
            paused_until: None,
        }
    }

    /// The server calls the first piece too large: two halves take its place.
    fn split_first(&mut self, error: &ClientError) {
        let Some(piece) = self.pieces.front() else { return };
        match piece.halves() {
            Some((first, second)) => {
                self.pieces.pop_front();
                self.pieces.push_front(second);
                self.pieces.push_front(first);
            }
            None => self.drop_first(error),
        }
    }

    /// The first piece will never be taken.
    fn drop_first(&mut self, error: &ClientError) {
        let Some(piece) = self.pieces.pop_front() else { return };
        self.malformed_tries = 0;
        let logs = piece.logs();
        self.logs_lost += logs;
        let Destination { project, logstore, .. } = &*self.destination;
        let bytes = piece.raw_bytes();
        error!(%project, %logstore, logs, bytes, %error, "LOGS LOST: the server refuses them for good");
    }
}
