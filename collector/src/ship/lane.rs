//! The parcels of one destination: some under way at once, those of one file one after the other.

use std::collections::{HashSet, VecDeque};
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
}

/// See the module.
pub struct Lane {
    destination: Arc<Destination>,
    clients: Arc<dyn Clients>,
    pace: Pace,
    report: Report,
    client: Option<Client>,
    queue: VecDeque<Job>,
    /// Those with a parcel under way.
    busy: HashSet<Slot>,
    under_way: JoinSet<(Job, Result<(), ClientError>)>,
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
            queue: VecDeque::new(),
            busy: HashSet::new(),
            under_way: JoinSet::new(),
            failures: 0,
            paused_until: None,
            trouble: None,
            seed: fastrand::u64(..),
        }
    }

    /// Runs until the sender of parcels is gone; what is under way then is given up.
    pub async fn run(mut self, mut parcels: UnboundedReceiver<Parcel>) {
        loop {
            self.start_requests();
            let pause = self.paused_until.unwrap_or_else(Instant::now);
            tokio::select! {
                parcel = parcels.recv() => match parcel {
                    Some(parcel) => self.queue.push_back(Job::new(parcel)),
                    None => return,
                },
                Some(ended) = self.under_way.join_next(), if !self.under_way.is_empty() => {
                    // A request that panicked is a fault of ours that must not go unnoticed.
                    match ended {
                        Ok((job, result)) => self.ended(job, result),
                        Err(e) => error!(error = %e, "a request was lost; its logs are sent after a restart"),
                    }
                }
                () = tokio::time::sleep_until(pause), if self.paused_until.is_some() => {
                    self.paused_until = None;
                }
            }
        }
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
            self.under_way.spawn(put(client, job));
        }
    }

    /// The first job that overtakes no other of the same slot.
    fn next_job(&mut self) -> Option<Job> {
        let mut before: HashSet<Slot> = self.busy.clone();
        let next = self.queue.iter().position(|job| {
            let is_free = job.slots.iter().all(|slot| !before.contains(slot));
            before.extend(&job.slots);
            is_free
        });
        self.queue.remove(next?)
    }

    fn client(&mut self) -> Option<Client> {
        if self.client.is_none() {
            match self.clients.client(&self.destination) {
                Ok(client) => self.client = Some(client),
                Err(reason) => self.failed(self.pace.begin(), Trouble::Auth, &reason),
            }
        }
        self.client.clone()
    }

    fn ended(&mut self, mut job: Job, result: Result<(), ClientError>) {
        for slot in &job.slots {
            self.busy.remove(slot);
        }
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
                Verdict::CorrectClock { .. } => self.failed(job.begun, Trouble::Clock, &error.to_string()),
                Verdict::Again(trouble) => {
                    if trouble == Trouble::Auth {
                        self.client = None; // the next one may have other credentials
                    }
                    self.failed(job.begun, trouble, &error.to_string());
                }
                Verdict::Split => job.split_first(&error),
                Verdict::GiveUpSoon => {
                    job.malformed_tries += 1;
                    self.failed(job.begun, Trouble::Malformed, &error.to_string());
                    if job.malformed_tries >= MALFORMED_TRIES_MAX {
                        job.drop_first(&error);
                    }
                }
            },
        }
        if job.pieces.is_empty() {
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
        self.succeeded();
        job.pieces.pop_front();
        job.malformed_tries = 0;
    }

    fn succeeded(&mut self) {
        self.pace.succeeded();
        self.failures = 0;
        if self.trouble.take().is_some() {
            info!(project = %self.destination.project, logstore = %self.destination.logstore, "sending works again");
            (self.report)(News::Trouble(Arc::clone(&self.destination), None));
        }
    }

    /// A request that began at `begun` failed.
    fn failed(&mut self, begun: Halvings, trouble: Trouble, what: &str) {
        let is_first = self.pace.failed(begun);
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
        let wait: Duration = backoff(self.failures, self.seed, base, cap);
        self.failures = self.failures.saturating_add(u32::from(is_first));
        self.paused_until = Some(Instant::now() + wait);
    }
}

async fn put(client: Client, job: Job) -> (Job, Result<(), ClientError>) {
    let path = InLogstore { logstore: job.destination.logstore.clone() };
    let project = Some(&job.destination.project);
    let result = match (job.pieces.front(), &job.route) {
        (None, _) => Ok(()),
        (Some(piece), Route::Any) => client.send::<PutLogs>(project, &path, &NoQuery {}, &piece.body()).await,
        (Some(piece), Route::Key(key) | Route::Numbered { key, .. }) => {
            let query = PutByKeyQuery { key: key.to_string(), seqid: piece.sequence_id() };
            client.send::<PutLogsByKey>(project, &path, &query, &piece.body()).await
        }
    };
    (job, result)
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
