//! Who waits for logs, and which writes are under way: a request that changes something says so when it
//! ends, and whoever waits for that Logstore looks again. Nobody polls.
//!
//! Told by [`crate::front`]; listened to by [`crate::expect`].

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Listeners and writes of a server.
#[derive(Debug, Default)]
pub struct Arrivals {
    hasher: RandomState,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    listeners: HashMap<u64, (Place, Arc<Notify>)>,
    /// Number of the last listener or write.
    next: u64,
    /// Writes under way, by Logstore.
    writing: HashMap<u64, BTreeSet<u64>>,
}

/// A Logstore, by hash: two that share one only wake each other for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    project: u64,
    logstore: u64,
}

impl Arrivals {
    /// Listens to what happens to a Logstore, whether or not it is there.
    pub fn listen(self: &Arc<Self>, project: &str, logstore: &str) -> Listener {
        let place = self.place(project, logstore);
        let notify = Arc::new(Notify::new());
        let mut inner = self.lock();
        inner.next += 1;
        let number = inner.next;
        inner.listeners.insert(number, (place, Arc::clone(&notify)));
        Listener { arrivals: Arc::clone(self), number, place, notify }
    }

    /// A write to a Logstore begins; it has ended when the result is dropped.
    pub fn write(self: &Arc<Self>, project: &str, logstore: &str) -> Write {
        let logstore = self.logstore(project, logstore);
        let mut inner = self.lock();
        inner.next += 1;
        let number = inner.next;
        inner.writing.entry(logstore).or_default().insert(number);
        Write { arrivals: Arc::clone(self), number, logstore }
    }

    /// Something in a project has changed.
    pub fn changed(&self, project: &str) {
        let project = self.hasher.hash_one(project);
        self.lock().wake(|place| place.project == project);
    }

    /// Everything may have changed.
    pub fn all_changed(&self) {
        self.lock().wake(|_| true);
    }

    fn place(&self, project: &str, logstore: &str) -> Place {
        Place { project: self.hasher.hash_one(project), logstore: self.logstore(project, logstore) }
    }

    fn logstore(&self, project: &str, logstore: &str) -> u64 {
        self.hasher.hash_one((project, logstore))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn wake(&self, concerns: impl Fn(Place) -> bool) {
        for (place, listener) in self.listeners.values() {
            if concerns(*place) {
                listener.notify_one();
            }
        }
    }
}

/// Waits for what happens to one Logstore.
#[derive(Debug)]
pub struct Listener {
    arrivals: Arc<Arrivals>,
    number: u64,
    place: Place,
    notify: Arc<Notify>,
}

impl Listener {
    /// Resolves when something has happened since it last resolved, or since it was made.
    pub async fn changed(&self) {
        self.notify.notified().await;
    }

    /// The writes to the Logstore that are under way, and those that have not begun: to be asked later
    /// whether the first have ended.
    pub fn writes(&self) -> Writes {
        let inner = self.arrivals.lock();
        Writes {
            first: inner.writing.get(&self.place.logstore).and_then(BTreeSet::first).copied(),
            next: inner.next,
        }
    }
}

/// Writes to a Logstore at a moment. Numbers rise with the time at which a write begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writes {
    first: Option<u64>,
    next: u64,
}

impl Writes {
    /// Whether any is under way.
    pub fn any(&self) -> bool {
        self.first.is_some()
    }

    /// Whether any is under way that had begun at an earlier moment.
    pub fn any_since_before(&self, earlier: &Self) -> bool {
        self.first.is_some_and(|first| first <= earlier.next)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.arrivals.lock().listeners.remove(&self.number);
    }
}

/// Tells whoever waits for logs, when it is dropped: by the request that keeps it, and by the write itself where
/// the request is given up before it is committed.
#[derive(Debug)]
pub enum Change {
    /// Logs were written.
    Logs(#[expect(dead_code, reason = "kept for its end")] Write),
    /// Something else in a project may have become otherwise.
    Other(Arc<Arrivals>, String),
}

impl Drop for Change {
    fn drop(&mut self) {
        if let Self::Other(arrivals, project) = self {
            arrivals.changed(project);
        }
    }
}

/// A write under way.
#[derive(Debug)]
pub struct Write {
    arrivals: Arc<Arrivals>,
    number: u64,
    logstore: u64,
}

impl Drop for Write {
    fn drop(&mut self) {
        let mut inner = self.arrivals.lock();
        if let Entry::Occupied(mut writes) = inner.writing.entry(self.logstore) {
            writes.get_mut().remove(&self.number);
            if writes.get().is_empty() {
                writes.remove();
            }
        }
        inner.wake(|place| place.logstore == self.logstore);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn has_changed(listener: &Listener) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(listener.changed()).as_mut().poll(&mut context) == Poll::Ready(())
    }

    #[test]
    fn the_end_of_a_write_wakes_who_listens_to_its_logstore() {
        let arrivals = Arc::new(Arrivals::default());
        let (here, there) = (arrivals.listen("p", "here"), arrivals.listen("p", "there"));
        let write = arrivals.write("p", "here");
        let other = arrivals.write("p", "here");
        let both = here.writes();
        assert!(both.any() && !there.writes().any() && !has_changed(&here));
        drop(write);
        assert!(here.writes().any_since_before(&both) && has_changed(&here) && !has_changed(&here));
        let later = arrivals.write("p", "here");
        drop(other);
        assert!(here.writes().any() && !here.writes().any_since_before(&both));
        assert!(has_changed(&here) && !has_changed(&there));
        drop(later);
        assert!(!here.writes().any());
    }

    #[test]
    fn a_change_of_a_project_wakes_all_that_listen_in_it() {
        let arrivals = Arc::new(Arrivals::default());
        let [a, b, other] = [("p", "a"), ("p", "b"), ("q", "a")].map(|(p, l)| arrivals.listen(p, l));
        arrivals.changed("p");
        assert!(has_changed(&a) && has_changed(&b) && !has_changed(&other));
        arrivals.all_changed();
        assert!(has_changed(&other));
    }

    #[test]
    fn nothing_is_kept_of_who_has_gone() {
        let arrivals = Arc::new(Arrivals::default());
        drop((arrivals.listen("p", "a"), arrivals.write("p", "a")));
        let inner = arrivals.lock();
        assert!(inner.listeners.is_empty() && inner.writing.is_empty());
    }
}
