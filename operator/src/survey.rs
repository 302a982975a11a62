//! Objects at rest. What many of them would ask Log Service one by one is asked once for all: which Logstores a
//! project has, and which configs a machine group. With that, one read tells whether an object is still as it was;
//! where anything differs, or cannot be read, the whole look follows, which also says what is wrong.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sls_api::names::{ConfigName, LogstoreName, MachineGroupName};
use sls_api::ops::InMachineGroup;
use sls_api::ops::logstores::{ListLogStore, ListLogStoreQuery};
use sls_api::ops::machine_groups::GetAppliedConfigs;
use sls_api::{Json, NoPath};

use crate::desired::Desired;
use crate::diff;
use crate::observe::held_config;
use crate::sls::{CallError, Sls};

/// Names asked for at a time. Source: API reference, ListLogStore (at most 500).
const PAGE: i64 = 500;
/// Pages that are read of one list; more Logstores than these are looked at one by one. Source: guess; projects have
/// 200 Logstores by default.
const PAGES_MAX: usize = 20;
/// Age at which a list is read again, at most. Source: guess; what somebody else changes is noticed that much later.
const AGE_MAX: Duration = Duration::from_secs(10);
/// Part of the time between two looks at an object that a list may be old.
const AGE_PART: u32 = 10;
/// Lists that are kept; when there are more, all are read anew. Source: guess.
const LISTS_MAX: usize = 4096;

/// Lists that are shared by objects.
pub struct Surveys {
    age: Duration,
    lists: Mutex<HashMap<Key, Slot>>,
}

/// What a list is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// The Logstores of a place.
    Logstores(String),
    /// The configs of a group of a place.
    Configs(String, MachineGroupName),
}

/// One list; who needs it while it is read waits for it.
type Slot = Arc<tokio::sync::Mutex<Option<(Instant, Arc<BTreeSet<String>>)>>>;

impl Surveys {
    /// Lists for objects that are looked at each `resync`.
    pub fn new(resync: Duration) -> Self {
        Self { age: AGE_MAX.min(resync / AGE_PART), lists: Mutex::default() }
    }

    /// Whether Log Service holds `desired` as far as the lists and the config itself tell; false if anything is
    /// different or cannot be read. Does not see what the lists do not show: settings of Logstores, their indexes,
    /// bindings to groups that are not asked for.
    pub async fn is_unchanged(&self, sls: &Sls, desired: &Desired) -> bool {
        let place = sls.place().to_owned();
        let logstores = match self.list(Key::Logstores(place.clone()), || logstores(sls)).await {
            Ok(logstores) => logstores,
            Err(_) => return false,
        };
        if !desired.logstores.iter().all(|logstore| logstores.contains(logstore.name.as_str())) {
            return false;
        }
        for group in &desired.machine_groups {
            let key = Key::Configs(place.clone(), group.clone());
            match self.list(key, || configs_of(sls, group)).await {
                Ok(configs) if configs.contains(desired.target.config.as_str()) => {}
                _ => return false,
            }
        }
        match held_config(sls, desired).await {
            Ok(Some(held)) => diff::config(desired, &held, true).is_empty(),
            _ => false,
        }
    }

    async fn list<F>(&self, key: Key, read: impl FnOnce() -> F) -> Result<Arc<BTreeSet<String>>, CallError>
    where
        F: Future<Output = Result<BTreeSet<String>, CallError>>,
    {
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        if let Some((taken, list)) = &*slot
            && taken.elapsed() < self.age
        {
            return Ok(Arc::clone(list));
        }
        let taken = Instant::now();
        let list = Arc::new(read().await?);
        *slot = Some((taken, Arc::clone(&list)));
        Ok(list)
    }

    fn slot(&self, key: Key) -> Slot {
        // A panic elsewhere leaves the map whole.
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if lists.len() >= LISTS_MAX && !lists.contains_key(&key) {
            lists.clear();
        }
        Arc::clone(lists.entry(key).or_default())
    }
}

async fn logstores(sls: &Sls) -> Result<BTreeSet<String>, CallError> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for _ in 0..PAGES_MAX {
        let offset = i64::try_from(names.len()).unwrap_or(i64::MAX);
        let query =
            ListLogStoreQuery { offset: Some(offset), size: Some(PAGE), ..ListLogStoreQuery::default() };
        let Json(page) = sls.ask::<ListLogStore>(&NoPath {}, &query, &()).await?;
        let before = names.len();
        names.extend(page.logstores.iter().map(LogstoreName::to_string));
        if names.len() == before || names.len() as u64 >= page.total {
            break;
        }
    }
    Ok(names)
}

async fn configs_of(sls: &Sls, group: &MachineGroupName) -> Result<BTreeSet<String>, CallError> {
    let path = InMachineGroup { group: group.clone() };
    let Json(applied) = sls.call::<GetAppliedConfigs>(&path, &()).await?;
    Ok(applied.configs.iter().map(ConfigName::to_string).collect())
}
