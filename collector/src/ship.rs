//! Parcels → PutLogs: one task per destination on the caller's tokio runtime.
//!
//! A parcel stays here until the server took it or refused its content for good; nothing is dropped
//! because the server, the network, the project, the key or the quota is not there. The engine
//! bounds what is handed over, so queues here need no bound of their own. Called by `engine`.

mod lane;
mod pace;
mod piece;
mod verdict;

use std::collections::HashMap;
use std::sync::Arc;

use sls_client::Client;
use tokio::sync::mpsc;

pub use verdict::{Trouble, Verdict, judge};

use crate::checkpoint::ParcelId;
use crate::engine::outbox::{Carrier, Outcome, Parcel};
use crate::pipeline::Destination;

/// Makes clients: knows endpoints and credentials, which the data path does not.
pub trait Clients: Send + Sync + 'static {
    /// A client for `destination`; asked once, and again after each refusal of the credentials.
    ///
    /// # Errors
    /// What is missing, in words for the log and the status; it is asked again later.
    fn client(&self, destination: &Destination) -> Result<Client, String>;
}

impl<F> Clients for F
where
    F: Fn(&Destination) -> Result<Client, String> + Send + Sync + 'static,
{
    fn client(&self, destination: &Destination) -> Result<Client, String> {
        self(destination)
    }
}

/// What the shipper tells the engine.
#[derive(Debug)]
pub enum News {
    Settled(ParcelId, Outcome),
    /// Sending to this destination has a problem, or (`None`) has none any more.
    Trouble(Arc<Destination>, Option<String>),
    /// A request to this destination failed, or could not be made; the text says why and what to do.
    Failed(Arc<Destination>, Trouble, String),
}

/// Takes the news; called from tasks, so it must not block.
pub type Report = Arc<dyn Fn(News) + Send + Sync>;

/// The carrier that talks to the server.
pub struct Shipper {
    clients: Arc<dyn Clients>,
    concurrency: usize,
    report: Report,
    runtime: tokio::runtime::Handle,
    lanes: HashMap<Destination, mpsc::UnboundedSender<lane::Message>>,
    redirected: Vec<Redirected>,
}

/// A lane that has got another destination, and gets nothing more.
struct Redirected {
    /// As the engine knows it.
    from: Destination,
    to: Destination,
    lane: mpsc::UnboundedSender<lane::Message>,
}

impl Shipper {
    /// Must be called inside a tokio runtime. At most `concurrency` requests of one destination are
    /// under way at the same time; fewer while they fail.
    pub fn start(clients: Arc<dyn Clients>, concurrency: usize, report: Report) -> Self {
        let runtime = tokio::runtime::Handle::current();
        Self { clients, concurrency, report, runtime, lanes: HashMap::new(), redirected: Vec::new() }
    }
}

impl Carrier for Shipper {
    fn carry(&mut self, parcel: Parcel) {
        let lane = self.lanes.entry((*parcel.destination).clone()).or_insert_with(|| {
            let (sender, parcels) = mpsc::unbounded_channel();
            let lane = lane::Lane::new(
                Arc::clone(&parcel.destination),
                Arc::clone(&self.clients),
                self.concurrency,
                Arc::clone(&self.report),
            );
            self.runtime.spawn(lane.run(parcels));
            sender
        });
        // Fails only when the runtime was shut down: then nobody sends any more, and what was not
        // acknowledged is sent by the next run.
        let _ = lane.send(lane::Message::Send(parcel));
    }

    fn forget(&mut self, destination: &Destination) {
        self.lanes.remove(destination); // ends its task
        self.redirected.retain(|lane| lane.from != *destination);
    }

    fn redirect(&mut self, from: &Destination, to: &Destination) {
        let before = self.redirected.iter_mut().filter(|lane| lane.to == *from);
        before.for_each(|lane| lane.to = to.clone());
        if let Some(lane) = self.lanes.remove(from) {
            self.redirected.push(Redirected { from: from.clone(), to: to.clone(), lane });
        }
        let shared = Arc::new(to.clone());
        for redirected in self.redirected.iter().filter(|lane| lane.to == *to) {
            let _ = redirected.lane.send(lane::Message::Redirect(Arc::clone(&shared))); // as above
        }
    }
}
