//! What the service is told of the collector itself: the topics `logtail_alarm`, `logtail_profile` and
//! `logtail_status` of a project's diagnostic logs (collector.md §4.1).
//!
//! One task beside the collecting, with connections but no queue and no memory in common with it: nothing here can
//! hold user logs up, none of it is in the account of bytes, and what the service does not take is dropped and
//! counted. Alarms alone are kept until they can be told, which is bounded where they are gathered. Where
//! diagnostic logs go is in `places`, what is in them in `rows`. Started and ended by `service`.

mod places;
mod post;
mod rows;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use crate::alarm::Raised;
use crate::engine::View;
use crate::instance_config::DiagnosticLogs;
use crate::pipeline::Destination;
use crate::ship::Clients;
use crate::tags::Host;
use places::{Asked, Places, Topic};
use post::{Post, Sent};
use rows::Row;

/// The Logstore of diagnostic logs, where a project does not name another. Source: collector.md §4.1.
pub const LOGSTORE: &str = "internal-diagnostic_log";

/// Longest time for the reader to tell what happened to its files. Source: own choice; a turn takes milliseconds.
const PROFILE_WAIT_MAX: Duration = Duration::from_secs(5);

/// How often each topic is told, and places are asked for. The status comes as often as it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intervals {
    pub alarms: Duration,
    pub profiles: Duration,
    /// Where a project's diagnostic logs go is asked again after this time.
    pub places: Duration,
}

impl Default for Intervals {
    /// Source of the first two: collector.md §4.1; of the last: own choice, within which somebody who switches
    /// project logging on will wait for it.
    fn default() -> Self {
        Self {
            alarms: Duration::from_secs(30),
            profiles: Duration::from_secs(600),
            places: Duration::from_secs(300),
        }
    }
}

/// What the task needs to know.
pub struct Settings {
    /// Which projects are told. ([`DiagnosticLogs::Never`] is for the caller: then there is no task.)
    pub mode: DiagnosticLogs,
    pub intervals: Intervals,
    /// Source and tags of its logs.
    pub host: Host,
}

/// The task; it ends when this is dropped.
pub struct Diagnostics {
    task: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
}

impl Diagnostics {
    /// Must be called inside a tokio runtime. `status` has the last line of the status, as it is made.
    pub fn start(
        settings: Settings,
        view: View,
        clients: Arc<dyn Clients>,
        status: watch::Receiver<Option<Value>>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let teller = Teller {
            places: Places::new(settings.mode, settings.intervals.places),
            post: Post::new(settings.host, Arc::clone(&clients)),
            clients,
            view,
            status,
            untold_status: None,
        };
        Self { task: tokio::spawn(teller.run(settings.intervals, stopped)), stop: Some(stop) }
    }

    /// Tells what there is to tell, for `limit` at most, and ends.
    pub async fn finish(mut self, limit: Duration) {
        if let Some(stop) = self.stop.take() {
            // Fails if the task is no more, as does waiting for it.
            let _ = stop.send(());
        }
        let _ = timeout(limit, &mut self.task).await;
    }
}

impl Drop for Diagnostics {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Teller {
    view: View,
    clients: Arc<dyn Clients>,
    places: Places,
    post: Post,
    status: watch::Receiver<Option<Value>>,
    /// The last line that nobody was told yet.
    untold_status: Option<Row>,
}

impl Teller {
    async fn run(mut self, intervals: Intervals, mut stopped: oneshot::Receiver<()>) {
        let mut alarms = interval_at(Instant::now() + intervals.alarms, intervals.alarms);
        let mut profiles = interval_at(Instant::now() + intervals.profiles, intervals.profiles);
        for ticks in [&mut alarms, &mut profiles] {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                _ = alarms.tick() => {
                    self.tell_alarms().await;
                    self.tell_status().await;
                    self.view.look_for_delays();
                }
                _ = profiles.tick() => self.tell_profile().await,
                Ok(()) = self.status.changed() => {
                    self.take_status();
                    self.tell_status().await;
                }
            }
        }
        self.tell_alarms().await;
        self.tell_status().await;
        self.tell_profile().await;
    }

    /// Where the projects of the configs want this topic, by project.
    async fn places(&mut self, topic: Topic) -> BTreeMap<String, Asked> {
        let destinations = self.view.board().destinations();
        self.places.ask(&destinations, &*self.clients).await;
        let of = |destination: &Destination| {
            (destination.project.to_string(), self.places.of(&destination.project, topic))
        };
        destinations.iter().map(of).collect()
    }

    async fn tell_alarms(&mut self) {
        let board = self.view.board();
        if !board.alarms.has_any() || board.destinations().is_empty() {
            return;
        }
        let places = self.places(Topic::Alarm).await;
        let mut raised: Vec<(Raised, Told)> =
            self.view.board().alarms.take().into_iter().map(|raised| (raised, Told::default())).collect();
        for (place, projects) in by_place(&places) {
            let mut rows = Vec::new();
            let mut told = Vec::new();
            for (one, its) in &mut raised {
                let project = &one.kind.subject.project;
                if projects.contains(&project.as_str()) || !places.contains_key(project) {
                    rows.push(rows::alarm(one));
                    told.push(its);
                }
            }
            let sent = self.post.send(&place, Topic::Alarm, rows, self.view.board()).await;
            told.into_iter().for_each(|its| its.note(sent));
        }
        let is_unknown = |raised: &Raised| match places.get(&raised.kind.subject.project) {
            Some(place) => matches!(place, Asked::Unknown),
            None => places.values().any(|place| matches!(place, Asked::Unknown)),
        };
        let again = raised.into_iter().filter(|(raised, told)| told.may_be_again(is_unknown(raised)));
        self.view.board().alarms.put_back(again.map(|(raised, _)| raised).collect());
    }

    fn take_status(&mut self) {
        if let Some(status) = &*self.status.borrow_and_update() {
            self.untold_status = Some(rows::status(status));
        }
    }

    async fn tell_status(&mut self) {
        if self.untold_status.is_none() || self.view.board().destinations().is_empty() {
            return;
        }
        let places = self.places(Topic::Status).await;
        let Some(row) = self.untold_status.take() else { return };
        for (place, _) in by_place(&places) {
            self.post.send(&place, Topic::Status, vec![row.clone()], self.view.board()).await;
        }
    }

    async fn tell_profile(&mut self) {
        let places = self.places(Topic::Profile).await;
        let places = by_place(&places);
        if places.is_empty() {
            return;
        }
        let Ok(profile) = timeout(PROFILE_WAIT_MAX, self.view.profile()).await else { return };
        for (place, projects) in places {
            let files = profile.files.iter().filter(|file| projects.contains(&file.subject.project.as_str()));
            let stores = profile.stores.iter().filter(|store| projects.contains(&store.project.as_str()));
            let rows = files.map(rows::file).chain(stores.map(rows::store)).collect();
            self.post.send(&place, Topic::Profile, rows, self.view.board()).await;
        }
    }
}

/// The places, each with the projects that want it.
fn by_place(places: &BTreeMap<String, Asked>) -> Vec<(Destination, Vec<&str>)> {
    let mut all: Vec<(Destination, Vec<&str>)> = Vec::new();
    for (project, place) in places {
        let Asked::At(place) = place else { continue };
        let is_same = |(known, _): &&mut (Destination, Vec<&str>)| {
            (&known.project, &known.logstore) == (&place.project, &place.logstore)
        };
        match all.iter_mut().find(is_same) {
            Some((_, projects)) => projects.push(project),
            None => all.push((place.clone(), vec![project])),
        }
    }
    all
}

/// Whether an alarm was told to anybody.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    by_one: bool,
    /// Somebody could not be told now.
    is_owed: bool,
}

impl Told {
    fn note(&mut self, sent: Sent) {
        match sent {
            Sent::Yes => self.by_one = true,
            Sent::Later => self.is_owed = true,
            Sent::Never => {}
        }
    }

    /// It is told again later if nobody was told now, and somebody may be.
    fn may_be_again(self, is_place_unknown: bool) -> bool {
        !self.by_one && (self.is_owed || is_place_unknown)
    }
}
