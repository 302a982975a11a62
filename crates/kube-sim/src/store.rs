//! The object store: every object, the global resource version and, per
//! resource, a bounded history from which watches replay and lists read older
//! snapshots.
//!
//! The store knows nothing of kinds, schemas or HTTP. `rest` writes to it,
//! `watch` and `gc` follow it. Every write is a compare-and-swap on the
//! resource version, so that callers prepare objects outside of the lock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use crate::meta;

/// An immutable version of an object.
pub type Object = Arc<Value>;

/// Namespace (empty for cluster scope) and name.
pub type NsName = (String, String);

/// Identity of an object: storage name of the resource (`plural.group`),
/// namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Storage name, for example `pods` or `jobs.batch`.
    pub resource: Arc<str>,
    /// Namespace; empty for cluster scope.
    pub namespace: String,
    /// Object name.
    pub name: String,
}

impl Key {
    fn pair(&self) -> NsName {
        (self.namespace.clone(), self.name.clone())
    }
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// It was created.
    Added,
    /// It was replaced by a newer version.
    Modified,
    /// It is gone; the change carries its last version.
    Deleted,
}

/// One entry of the history.
#[derive(Debug, Clone)]
pub struct Change {
    /// Resource version of this change.
    pub version: u64,
    /// What happened.
    pub happened: Happened,
    /// The object after the change, or its last state when deleted.
    pub object: Object,
    /// The object before the change.
    pub previous: Option<Object>,
}

/// Why a write was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteError {
    /// The name is taken.
    Exists,
    /// The object is not there.
    Missing,
    /// The object has another version than the caller prepared for.
    Moved,
}

/// The history no longer reaches back to the requested version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// The version asked for.
    pub requested: u64,
    /// The oldest version that can still be served.
    pub oldest: u64,
}

/// The version asked for lies in the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotError {
    /// Too old, see [`Compacted`].
    Compacted(Compacted),
    /// Larger than the current version, which is given.
    Future(u64),
}

#[derive(Default)]
struct Collection {
    objects: BTreeMap<NsName, Object>,
    history: VecDeque<Change>,
    /// Changes up to and including this version are forgotten.
    forgotten: u64,
    /// Counts how often the collection was dropped; watches end when it moves.
    epoch: u64,
}

impl Collection {
    fn record(&mut self, change: Change, limit: usize) {
        self.history.push_back(change);
        while self.history.len() > limit {
            if let Some(old) = self.history.pop_front() {
                self.forgotten = old.version;
            }
        }
    }
}

struct Inner {
    first_version: u64,
    version: u64,
    collections: HashMap<Arc<str>, Collection>,
}

/// The changes of one resource after a version.
#[derive(Debug)]
pub struct Batch {
    /// Changes in order.
    pub changes: Vec<Change>,
    /// Global version up to which the batch is complete.
    pub upto: u64,
    /// Epoch of the collection; a different one means that it was dropped.
    pub epoch: u64,
}

/// A consistent view of one resource.
#[derive(Debug)]
pub struct Snapshot {
    /// Global version of the view.
    pub version: u64,
    /// Objects ordered by namespace and name.
    pub objects: BTreeMap<NsName, Object>,
    /// Epoch of the collection.
    pub epoch: u64,
}

/// See the module description.
pub struct Store {
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
    history_max: usize,
}

impl Store {
    /// An empty store that keeps `history_max` changes per resource. Versions
    /// start after `first_version`; everything before it counts as forgotten.
    pub fn new(first_version: u64, history_max: usize) -> Self {
        let inner = Inner { first_version, version: first_version, collections: HashMap::new() };
        Self {
            inner: Mutex::new(inner),
            changed: watch::channel(first_version).0,
            history_max: history_max.max(1),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock is held cannot leave a half-made write: each
        // critical section mutates only after all fallible steps.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signals every new global version.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The current global version.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    /// The current version of an object.
    pub fn get(&self, key: &Key) -> Option<Object> {
        self.lock().collections.get(&key.resource)?.objects.get(&key.pair()).cloned()
    }

    /// Current objects of a resource.
    pub fn snapshot(&self, resource: &str) -> Snapshot {
        let inner = self.lock();
        let collection = inner.collections.get(resource);
        Snapshot {
            version: inner.version,
            objects: collection.map(|c| c.objects.clone()).unwrap_or_default(),
            epoch: collection.map_or(0, |c| c.epoch),
        }
    }

    /// Objects of a resource as they were at `version`, by undoing history.
    pub fn snapshot_at(&self, resource: &str, version: u64) -> Result<Snapshot, SnapshotError> {
        let inner = self.lock();
        if version > inner.version {
            return Err(SnapshotError::Future(inner.version));
        }
        let collection = inner.collections.get(resource);
        let oldest = collection.map_or(inner.first_version, |c| c.forgotten);
        if version < oldest {
            return Err(SnapshotError::Compacted(Compacted { requested: version, oldest }));
        }
        let Some(collection) = collection else {
            return Ok(Snapshot { version, objects: BTreeMap::new(), epoch: 0 });
        };
        let mut objects = collection.objects.clone();
        for change in collection.history.iter().rev().take_while(|c| c.version > version) {
            let key = (meta::namespace(&change.object).to_owned(), meta::name(&change.object).to_owned());
            match &change.previous {
                Some(previous) => objects.insert(key, previous.clone()),
                None => objects.remove(&key),
            };
        }
        Ok(Snapshot { version, objects, epoch: collection.epoch })
    }

    /// Changes of a resource after `version`.
    pub fn changes_since(&self, resource: &str, version: u64) -> Result<Batch, Compacted> {
        let inner = self.lock();
        let collection = inner.collections.get(resource);
        let oldest = collection.map_or(inner.first_version, |c| c.forgotten);
        if version < oldest {
            return Err(Compacted { requested: version, oldest });
        }
        let Some(collection) = collection else {
            return Ok(Batch { changes: Vec::new(), upto: inner.version, epoch: 0 });
        };
        let start = collection.history.partition_point(|c| c.version <= version);
        let changes = collection.history.range(start..).cloned().collect();
        Ok(Batch { changes, upto: inner.version, epoch: collection.epoch })
    }

    /// Stores a new object and gives it a resource version.
    pub fn create(&self, key: &Key, object: Value) -> Result<Object, WriteError> {
        self.write(
            key,
            |current| if current.is_some() { Err(WriteError::Exists) } else { Ok(()) },
            Happened::Added,
            object,
        )
    }

    /// Replaces the version `expected` of an object.
    pub fn replace(&self, key: &Key, expected: u64, object: Value) -> Result<Object, WriteError> {
        self.write(key, |current| matches_version(current, expected), Happened::Modified, object)
    }

    /// Removes the version `expected` of an object. `last` is the state that
    /// watches see in the DELETED event.
    pub fn remove(&self, key: &Key, expected: u64, last: Value) -> Result<Object, WriteError> {
        self.write(key, |current| matches_version(current, expected), Happened::Deleted, last)
    }

    fn write(
        &self,
        key: &Key,
        check: impl FnOnce(Option<&Object>) -> Result<(), WriteError>,
        happened: Happened,
        mut object: Value,
    ) -> Result<Object, WriteError> {
        let mut inner = self.lock();
        let version = inner.version + 1;
        let first = inner.first_version;
        let collection = inner
            .collections
            .entry(key.resource.clone())
            .or_insert_with(|| Collection { forgotten: first, ..Collection::default() });
        let pair = key.pair();
        let previous = collection.objects.get(&pair).cloned();
        check(previous.as_ref())?;
        meta::metadata_mut(&mut object).insert("resourceVersion".into(), version.to_string().into());
        let object = Arc::new(object);
        match happened {
            Happened::Deleted => collection.objects.remove(&pair),
            Happened::Added | Happened::Modified => collection.objects.insert(pair, object.clone()),
        };
        let change = Change { version, happened, object: object.clone(), previous };
        collection.record(change, self.history_max);
        inner.version = version;
        self.changed.send_replace(version);
        Ok(object)
    }

    /// Forgets a resource altogether: its watches end.
    pub fn drop_collection(&self, resource: &str) {
        let mut inner = self.lock();
        let version = inner.version;
        let collection = inner.collections.entry(resource.into()).or_default();
        *collection = Collection { epoch: collection.epoch + 1, forgotten: version, ..Collection::default() };
        self.changed.send_replace(version);
    }

    /// Forgets all history, so that every older resource version is Gone, and
    /// raises the version so that no client is up to date by accident.
    pub fn compact(&self) {
        let mut inner = self.lock();
        inner.version += 1;
        let version = inner.version;
        inner.first_version = version;
        for collection in inner.collections.values_mut() {
            collection.history.clear();
            collection.forgotten = version;
        }
        self.changed.send_replace(version);
    }

    /// Storage names of all resources that hold objects.
    pub fn resources(&self) -> Vec<Arc<str>> {
        let inner = self.lock();
        let mut names: Vec<Arc<str>> = inner
            .collections
            .iter()
            .filter(|(_, c)| !c.objects.is_empty())
            .map(|(name, _)| name.clone())
            .collect();
        names.sort();
        names
    }
}

fn matches_version(current: Option<&Object>, expected: u64) -> Result<(), WriteError> {
    match current {
        None => Err(WriteError::Missing),
        Some(object) if meta::resource_version(object) != expected => Err(WriteError::Moved),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
