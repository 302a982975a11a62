//! What the operator remembers of objects between looks. Nothing here must survive a restart: it only
//! saves work, paces retries and covers the moment in which a status is written but not yet seen back.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::runtime::reflector::ObjectRef;
use sls_api::names::MachineGroupName;

use super::Guarded;
use crate::crd::AliyunLogConfigStatus;
use crate::failure::{Class, Failure};

/// How long the same failure of the same object is not told again as an event. Source: operator
/// specification §3.4.
const TELL_AGAIN: Duration = Duration::from_secs(600);

/// Memory of all objects, by uid.
#[derive(Default)]
pub struct Memories {
    objects: Mutex<HashMap<String, Remembered>>,
    waiting: Mutex<HashMap<Class, HashSet<ObjectRef<Guarded>>>>,
}

#[derive(Default)]
struct Remembered {
    /// Failures in a row.
    attempts: u32,
    /// The failure last told as an event.
    told: Option<(&'static str, String, Instant)>,
    /// Groups bound, as of the last look.
    bound: BTreeSet<MachineGroupName>,
    /// The status last written. The watch may show an older one for a while, and an outdated status
    /// must neither be taken for the truth nor be left standing.
    status: Option<AliyunLogConfigStatus>,
}

impl Memories {
    /// Counts a failure; returns the number in a row, this one included.
    pub fn failed(&self, uid: &str) -> u32 {
        let mut objects = lock(&self.objects);
        let object = objects.entry(uid.to_owned()).or_default();
        object.attempts = object.attempts.saturating_add(1);
        object.attempts
    }

    /// Failures in a row so far.
    pub fn attempts(&self, uid: &str) -> u32 {
        lock(&self.objects).get(uid).map_or(0, |object| object.attempts)
    }

    /// The status last written.
    pub fn status(&self, uid: &str) -> Option<AliyunLogConfigStatus> {
        lock(&self.objects).get(uid).and_then(|object| object.status.clone())
    }

    /// Notes the status written.
    pub fn set_status(&self, uid: &str, status: AliyunLogConfigStatus) {
        lock(&self.objects).entry(uid.to_owned()).or_default().status = Some(status);
    }

    /// Ends a series of failures.
    pub fn succeeded(&self, uid: &str) {
        if let Some(object) = lock(&self.objects).get_mut(uid) {
            object.attempts = 0;
            object.told = None;
        }
    }

    /// Whether `failure` is worth an event: it is a new one, or the last was told long ago.
    pub fn worth_telling(&self, uid: &str, failure: &Failure, now: Instant) -> bool {
        let mut objects = lock(&self.objects);
        let told = &mut objects.entry(uid.to_owned()).or_default().told;
        let known = told.as_ref().is_some_and(|(step, code, at)| {
            *step == failure.step && *code == failure.code && now.duration_since(*at) < TELL_AGAIN
        });
        if !known {
            *told = Some((failure.step, failure.code.clone(), now));
        }
        !known
    }

    /// Groups bound at the last look.
    pub fn bound(&self, uid: &str) -> BTreeSet<MachineGroupName> {
        lock(&self.objects).get(uid).map(|object| object.bound.clone()).unwrap_or_default()
    }

    /// Notes the groups bound.
    pub fn set_bound(&self, uid: &str, bound: BTreeSet<MachineGroupName>) {
        lock(&self.objects).entry(uid.to_owned()).or_default().bound = bound;
    }

    /// Drops everything about an object.
    pub fn forget(&self, uid: &str) {
        lock(&self.objects).remove(uid);
    }

    /// Notes that `object` waits for a cause that may pass for many objects at once.
    pub fn wait(&self, object: ObjectRef<Guarded>, class: Class) {
        lock(&self.waiting).entry(class).or_default().insert(object);
    }

    /// Takes all objects that wait because of `class`.
    pub fn wake(&self, class: Class) -> HashSet<ObjectRef<Guarded>> {
        lock(&self.waiting).remove(&class).unwrap_or_default()
    }
}

/// Each statement leaves the maps valid, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_failure_is_told_once_in_ten_minutes() {
        let memories = Memories::default();
        let failure = Failure {
            step: "CreateConfig",
            class: Class::Busy,
            code: "ServerBusy".into(),
            message: String::new(),
            http_status: Some(503),
            request_id: None,
        };
        let start = Instant::now();
        assert!(memories.worth_telling("a", &failure, start));
        assert!(!memories.worth_telling("a", &failure, start + Duration::from_secs(1)));
        assert!(memories.worth_telling("b", &failure, start));
        assert!(memories.worth_telling("a", &failure, start + TELL_AGAIN));
        let other = Failure { code: "Unauthorized".into(), ..failure.clone() };
        assert!(memories.worth_telling("a", &other, start + TELL_AGAIN));
        memories.succeeded("a");
        assert!(memories.worth_telling("a", &other, start + TELL_AGAIN));
    }
}
