//! Asks Log Service now and then who collects and whether logs arrive, and looks at the objects for which that
//! changes. See [`crate::agents`].

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::runtime::reflector::ObjectRef;
use sls_api::Json;
use sls_api::names::{LogstoreName, MachineGroupName};
use sls_api::ops::logs::{GetHistograms, HistogramQuery};
use sls_api::ops::machine_groups::ListMachines;
use sls_api::ops::{InLogstore, InMachineGroup, Paging};

use super::Guarded;
use super::reconcile::Context;
use super::wake::{BETWEEN_WAKES, Waker};
use crate::agents::{Known, LOGS_FRESH, Place, Sight, fresh};
use crate::conflict::{holds, is_deleting};
use crate::desired::Desired;
use crate::kind::ConfigKind;
use crate::sls::{Sls, SlsError};

/// Machines asked for at a time. Source: limits document. More are not counted: that there are so many is enough.
const PAGE: i64 = 500;

/// What is known of agents, if it is asked for.
#[derive(Default)]
pub struct Agents {
    interval: Option<Duration>,
    known: Mutex<Known>,
}

impl Agents {
    /// Asks every `interval`; never when `None`.
    pub fn new(interval: Option<Duration>) -> Self {
        Self { interval, known: Mutex::default() }
    }

    /// Whether anything is asked for.
    pub fn is_on(&self) -> bool {
        self.interval.is_some()
    }

    /// What is known for an object.
    pub fn sight(&self, desired: &Desired) -> Option<Sight> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).sight(desired)
    }

    fn set(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    fn get(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Asks at intervals. Never returns.
pub async fn watch<K: ConfigKind>(context: &Context<K>, waker: &Waker<K>) {
    let Some(interval) = context.agents.interval else { return std::future::pending().await };
    loop {
        tokio::time::sleep(interval).await;
        let objects = applied(context);
        let before = context.agents.get();
        let after = ask(context, &before, objects.iter().map(|(_, desired)| desired)).await;
        context.agents.set(after.clone());
        for (object, desired) in objects {
            let changed = match (before.sight(&desired), after.sight(&desired)) {
                (Some(before), Some(after)) => !before.is_like(&after),
                (before, after) => before != after,
            };
            if changed {
                waker.wake(object).await;
                tokio::time::sleep(BETWEEN_WAKES).await;
            }
        }
    }
}

/// Objects that have something in Log Service, with what they ask for.
fn applied<K: ConfigKind>(context: &Context<K>) -> Vec<(ObjectRef<Guarded<K>>, Desired)> {
    let objects = context.store.state();
    let judged = objects.iter().filter_map(|object| {
        let cr = object.0.as_ref().ok().filter(|cr| holds(*cr) && !is_deleting(*cr))?;
        let applied = cr.told().applied_generation.is_some();
        let valid = applied.then(|| cr.judge(&context.defaults).ok()).flatten()?;
        Some((ObjectRef::from_obj(&**object), valid.desired))
    });
    judged.collect()
}

async fn ask<'a, K: ConfigKind>(
    context: &Context<K>,
    before: &Known,
    all: impl Iterator<Item = &'a Desired>,
) -> Known {
    let mut groups: BTreeSet<(Place, MachineGroupName)> = BTreeSet::new();
    let mut logstores: BTreeSet<(Place, LogstoreName)> = BTreeSet::new();
    for desired in all {
        let place = Place::of(desired);
        groups.extend(desired.machine_groups.iter().map(|group| (place.clone(), group.clone())));
        logstores.insert((place, desired.destination.clone()));
    }
    let now = Timestamp::now();
    let mut known = Known::default();
    for key in groups {
        let path = InMachineGroup { group: key.1.clone() };
        let query = Paging { offset: None, size: Some(PAGE) };
        let machines = match project(context, &key.0) {
            Ok(sls) => sls.ask::<ListMachines>(&path, &query, &()).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match machines {
            Ok(Json(page)) => {
                known.groups.insert(key, fresh(&page.machines, now));
            }
            Err(error) => {
                tracing::debug!(group = %key.1, error, "machines not counted");
                known.groups.extend(before.groups.get(&key).map(|machines| (key, machines.clone())));
            }
        }
    }
    for key in logstores {
        known.logstores.extend(before.logstores.get(&key).map(|logs| (key.clone(), *logs)));
        let arrived = match project(context, &key.0) {
            Ok(sls) => new_logs(&sls, &key.1, now).await,
            Err(_) => None,
        };
        known.asked(key, arrived, now);
    }
    known
}

/// Whether a Logstore has logs of the last minutes; one request, whatever its size.
async fn new_logs(sls: &Sls, logstore: &LogstoreName, now: Timestamp) -> Option<bool> {
    let window = SignedDuration::try_from(LOGS_FRESH).unwrap_or_default();
    let query = HistogramQuery {
        from: now.saturating_sub(window).unwrap_or(now).as_second(),
        to: now.as_second() + 1,
        query: "*".to_owned(),
        ..HistogramQuery::default()
    };
    let path = InLogstore { logstore: logstore.clone() };
    match sls.ask::<GetHistograms>(&path, &query, &()).await {
        Ok(histograms) => Some(histograms.count > 0),
        Err(error) => {
            tracing::debug!(%logstore, %error, "new logs not counted");
            None
        }
    }
}

fn project<K: ConfigKind>(context: &Context<K>, place: &Place) -> Result<Sls, SlsError> {
    context.clients.project_of(place.account.as_deref(), place.project.clone(), place.endpoint.as_deref())
}
