//! What the operator remembers of objects between looks. Nothing here must survive a restart: it only
//! saves work, paces retries and covers the moment in which a status is written but not yet seen back.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::runtime::reflector::ObjectRef;
use sls_api::names::MachineGroupName;

use super::Guarded;
use crate::crd::AliyunLogConfigStatus;
use crate::failure::Failure;
use crate::kind::ConfigKind;

/// How long the same failure of the same object is not told again as an event. Source: operator
/// specification §3.4.
const TELL_AGAIN: Duration = Duration::from_secs(600);

/// Every so many looks at an object at rest, all of it is looked at. Source: guess; an hour with the resync of 5 min.
const WHOLE_LOOK_EVERY: u32 = 12;

/// Memory of all objects, by uid.
pub struct Memories<K: ConfigKind> {
    objects: Mutex<HashMap<String, Remembered>>,
    waiting: Mutex<HashMap<Cause, HashSet<ObjectRef<Guarded<K>>>>>,
}

impl<K: ConfigKind> Default for Memories<K> {
    fn default() -> Self {
        Self { objects: Mutex::default(), waiting: Mutex::default() }
    }
}

/// What objects wait for that may come for many at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Other credentials.
    Credentials,
    /// An endpoint that answers, by its name.
    Endpoint(String),
}

#[derive(Default)]
struct Remembered {
    /// Failures in a row.
    attempts: u32,
    /// What was waited after the last.
    waited: Duration,
    /// The failure last told as an event.
    told: Option<(&'static str, String, Instant)>,
    /// Groups bound, as of the last look.
    bound: BTreeSet<MachineGroupName>,
    /// How often it was found at rest since the last whole look, and the marks it had then.
    rest: Option<(u64, u32)>,
    /// The status last written. The watch may show an older one for a while, and an outdated status
    /// must neither be taken for the truth nor be left standing.
    status: Option<AliyunLogConfigStatus>,
}

impl<K: ConfigKind> Memories<K> {
    /// Counts a failure; `wait` makes of the number in a row, this one included, and of what was waited after the
    /// one before what is waited now.
    pub fn failed(&self, uid: &str, wait: impl FnOnce(u32, Duration) -> Duration) -> Duration {
        let mut objects = lock(&self.objects);
        let object = objects.entry(uid.to_owned()).or_default();
        object.attempts = object.attempts.saturating_add(1);
        object.waited = wait(object.attempts, object.waited);
        object.waited
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

    /// Notes that a whole look found the object with these marks as it should be.
    pub fn rests(&self, uid: &str, marks: u64) {
        lock(&self.objects).entry(uid.to_owned()).or_default().rest = Some((marks, 0));
    }

    /// Notes that it may be otherwise.
    pub fn stirs(&self, uid: &str) {
        if let Some(object) = lock(&self.objects).get_mut(uid) {
            object.rest = None;
        }
    }

    /// Counts one more look at an object at rest; false if it is not, has other marks, or is due for a whole look.
    pub fn rests_on(&self, uid: &str, marks: u64) -> bool {
        let mut objects = lock(&self.objects);
        let Some((at, looks)) = objects.get_mut(uid).and_then(|object| object.rest.as_mut()) else {
            return false;
        };
        *looks += 1;
        *at == marks && *looks < WHOLE_LOOK_EVERY
    }

    /// Ends a series of failures.
    pub fn succeeded(&self, uid: &str) {
        if let Some(object) = lock(&self.objects).get_mut(uid) {
            object.attempts = 0;
            object.waited = Duration::ZERO;
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

    /// Notes that `object` waits for a cause that may come for many objects at once.
    pub fn wait(&self, object: ObjectRef<Guarded<K>>, cause: Cause) {
        lock(&self.waiting).entry(cause).or_default().insert(object);
    }

    /// `object` is looked at: it waits for nothing any more.
    pub fn looks(&self, object: &ObjectRef<Guarded<K>>) {
        lock(&self.waiting).retain(|_, objects| {
            objects.remove(object);
            !objects.is_empty()
        });
    }

    /// Takes one object that waits for `cause`.
    pub fn wake_one(&self, cause: &Cause) -> Option<ObjectRef<Guarded<K>>> {
        let mut waiting = lock(&self.waiting);
        let objects = waiting.get_mut(cause)?;
        let one = objects.iter().next().cloned()?;
        objects.take(&one)
    }

    /// Takes all objects that wait for `cause`.
    pub fn wake_all(&self, cause: &Cause) -> HashSet<ObjectRef<Guarded<K>>> {
        lock(&self.waiting).remove(cause).unwrap_or_default()
    }
}

/// Each statement leaves the maps valid, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::AliyunLogConfig;

    #[test]
    fn an_object_at_rest_is_looked_at_as_a_whole_now_and_then_and_when_its_marks_change() {
        let memories = Memories::<AliyunLogConfig>::default();
        assert!(!memories.rests_on("a", 1));
        memories.rests("a", 1);
        let looks: Vec<_> = (0..WHOLE_LOOK_EVERY).map(|_| memories.rests_on("a", 1)).collect();
        assert_eq!(looks.iter().filter(|light| **light).count(), 11);
        assert_eq!(looks.last(), Some(&false));
        memories.rests("a", 1);
        assert!(memories.rests_on("a", 1) && !memories.rests_on("a", 2));
        memories.stirs("a");
        assert!(!memories.rests_on("a", 1));
    }
    use crate::failure::Class;

    #[test]
    fn who_waits_is_woken_once() {
        let memories = Memories::<AliyunLogConfig>::default();
        let cause = || Cause::Endpoint("http://a".into());
        for name in ["a", "b", "c"] {
            memories.wait(ObjectRef::new(name), cause());
        }
        memories.wait(ObjectRef::new("d"), Cause::Credentials);
        memories.looks(&ObjectRef::new("a"));
        let one = memories.wake_one(&cause()).unwrap();
        let rest = memories.wake_all(&cause());
        assert_eq!((rest.len(), rest.contains(&one)), (1, false));
        assert_eq!(memories.wake_one(&cause()), None);
        assert_eq!(memories.wake_all(&Cause::Credentials).len(), 1);
    }

    #[test]
    fn the_same_failure_is_told_once_in_ten_minutes() {
        let memories = Memories::<AliyunLogConfig>::default();
        let failure = Failure {
            step: "CreateConfig",
            class: Class::Busy,
            code: "ServerBusy".into(),
            message: String::new(),
            http_status: Some(503),
            request_id: None,
            retry_after: None,
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
